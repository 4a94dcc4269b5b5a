//! What is shown between the words of a text.

use aurora_ide::Span;
use aurora_ide::hints::{HintOptions, hints};

use crate::fixture::Fixture;

const ALL: Span = Span::new(0, u32::MAX);
const NONE: HintOptions = HintOptions { values: false, defaults: false, types: false };
const VALUES: HintOptions = HintOptions { values: true, ..NONE };
const DEFAULTS: HintOptions = HintOptions { defaults: true, ..NONE };
const TYPES: HintOptions = HintOptions { types: true, ..NONE };

/// The hints as `what stands before them‹label›`, what stands before them being the last word.
fn shown(fixture: &Fixture, part: Span, options: HintOptions) -> String {
    let text = &fixture.source().text;
    let all = hints(&fixture.world, &fixture.file, part, options);
    let one = |hint: &aurora_ide::hints::Hint| {
        let before = &text[..hint.at as usize];
        let word = before.rsplit([' ', '\n', '(']).next().unwrap();
        format!("{word}‹{}›", hint.label)
    };
    all.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A file with jobs that bind `x` to these values.
fn jobs(fields: &str, values: &[&str]) -> String {
    let all: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(n, value)| format!("j(name = 'n{n}').bind(x = {value})"))
        .collect();
    format!(
        "p = Process(name = 'p', {fields})\n\
         t = Task(processes = [p], resources = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB))\n\
         j = Job(task = t, cluster = 'c', role = 'r', environment = 'test')\n\
         jobs = [{}]\n",
        all.join(", ")
    )
}

#[test]
fn what_texts_come_to() {
    for (case, wanted) in [
        (jobs("cmdline = 'run-{{x}}'", &["1"]), "'run-{{x}}'‹= run-1›"),
        (jobs("cmdline = 'run-{{x}}'", &["1", "1"]), "'run-{{x}}'‹= run-1›"),
        (jobs("cmdline = 'run-{{x}}'", &["1", "2"]), "'run-{{x}}'‹= 2 values›"),
        (jobs("cmdline = 'run'", &["1"]), ""),
        // It is a reference in the end.
        (jobs("cmdline = 'run-{{&x}}'", &["'1'"]), "'run-{{&x}}'‹= run-1›"),
        (
            "t = SimpleTask('s', 'echo {{x}}')\n\
             j = Job(task = t, cluster = 'c', role = 'r', environment = 'test')\njobs = [j.bind(x = '1')]\n"
                .to_owned(),
            "{{x}}'‹= echo 1›",
        ),
        (format!("\u{feff}{}", jobs("cmdline = 'run-{{x}}'", &["1"])), "'run-{{x}}'‹= run-1›"),
        (
            format!(
                "#- x/a.aurora\ninclude('../b.aurora')\n#- b.aurora\n$0{}",
                jobs("cmdline = 'run-{{x}}'", &["1"])
            ),
            "'run-{{x}}'‹= run-1›",
        ),
        (jobs("cmdline = '{{mesos.instance}}'", &["1"]), ""),
        (jobs("cmdline = 'a' '{{x}}'", &["1"]), "'{{x}}'‹= a1›"),
        (jobs("cmdline = '{{x}}\\nb'", &["1"]), "'{{x}}\\nb'‹= 1…›"),
        (
            jobs("cmdline = '{{x}}'", &["'0123456789' * 7"]),
            &format!("'{{{{x}}}}'‹= {}…›", "0123456789".repeat(6)),
        ),
        (jobs("cmdline = 'x', min_duration = '{{x}}'", &["90"]), "'{{x}}'‹= 1 min 30 s›"),
        (jobs("cmdline = 'x', name = '{{nobody}}'", &["90"]), ""),
        (format!("{}x = (", jobs("cmdline = '{{x}}'", &["1"])), ""),
        (
            jobs("cmdline = 'x'", &["1"])
                .replace("'test'", "'test', constraints = {'host': 'h{{x}}', 'rack': 'r'}"),
            "'h{{x}}'‹= h1›",
        ),
    ] {
        let fixture = Fixture::evaluated(&case);
        assert_eq!(shown(&fixture, ALL, VALUES), wanted, "{case}");
    }
}

#[test]
fn only_the_part_that_is_asked_for() {
    let case = jobs("cmdline = 'a {{x}}'", &["1"]);
    let fixture = Fixture::evaluated(&case);
    let start = u32::try_from(case.find("t = Task").unwrap()).unwrap();
    assert_eq!(shown(&fixture, Span::new(start, u32::MAX), VALUES), "");
    assert_eq!(shown(&fixture, Span::new(0, start), VALUES), "{{x}}'‹= a 1›");
    assert_eq!(shown(&fixture, Span::new(start, u32::MAX), NONE), "");
    let unknown = aurora_ide::FileId::new("/nowhere");
    assert!(hints(&fixture.world, &unknown, ALL, HintOptions::default()).is_empty());
}

#[test]
fn values_stay_where_they_are_while_other_parts_change() {
    let mut fixture = Fixture::evaluated(&jobs("cmdline = 'a-{{x}}'", &["1"]));
    let text = format!("# more\n\n{}", fixture.source().text);
    fixture.workspace.open(fixture.file.clone(), text, 2);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture, ALL, VALUES), "'a-{{x}}'‹= a-1›");
    let text = fixture.source().text.replace("a-{{x}}", "b-{{x}}");
    fixture.workspace.open(fixture.file.clone(), text, 3);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture, ALL, VALUES), "");
}

#[test]
fn values_stay_while_a_file_comes_to_nothing() {
    let mut fixture = Fixture::evaluated(&jobs("cmdline = 'a-{{x}}'", &["1"]));
    let broken = Fixture::evaluated(&format!("{}x = (", fixture.source().text));
    let (main, nothing) = broken.world.all_evaluated().next().unwrap();
    assert!(nothing.config.is_none());
    fixture.workspace.set_evaluated(main.clone(), nothing.clone());
    fixture.workspace.set_evaluated(main.clone(), nothing.clone());
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture, ALL, VALUES), "'a-{{x}}'‹= a-1›");
    fixture.workspace.forget_evaluated(main);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture, ALL, VALUES), "");
}

#[test]
fn defaults_that_are_in_force() {
    for (case, wanted) in [
        ("j = Job(name = 'a')\n", "'a'‹instances = 1, priority = 0, max_task_failures = 1›"),
        ("j = Service(name = 'a')\n", "'a'‹instances = 1, priority = 0›"),
        ("j = Service(instances = 2, priority = 1)\n", ""),
        ("j = Job(service = True, instances = 2)\n", "2‹priority = 0›"),
        ("j = Service(**fields)\n", ""),
        ("j = Service(name = 'a'", ""),
        ("b = Service(instances = 2, priority = 1)\nj = b(name = 'a')\n", ""),
        ("Job = len\nj = Job(name = 'a')\n", ""),
        ("jobs = [Job(name = 'a', instances = 1, priority = 1)]\n", "1‹max_task_failures = 1›"),
        (
            "jobs = [Job(name = 'a', instances = 1, priority = 1, service = False)]\n",
            "False‹max_task_failures = 1›",
        ),
        ("jobs = [Job(name = 'a', instances = 1, priority = 1, service = True)]\n", ""),
        ("p = Process(name = 'a')\n", ""),
    ] {
        assert_eq!(shown(&Fixture::new(case), ALL, DEFAULTS), wanted, "{case}");
    }
}

#[test]
fn kinds_of_names_whose_values_are_made_elsewhere() {
    for (case, wanted) in [
        ("t = SimpleTask('a', 'b')\n", "t‹: Task›"),
        ("t = Task(name = 'a')\n", ""),
        ("t = Task(name = 'a')\nu = t(name = 'b')\n", "u‹: Task›"),
        ("t = Task(name = 'a')\nu = t\n", "u‹: Task›"),
        ("s = Service(name = 'a')\n", ""),
        ("def f():\n  return Process(name = 'a')\np = f()\n", "p‹: Process›"),
        ("class P(Struct):\n  a = String\np = P(a = 'x')\nq = p(a = 'y')\n", "q‹: P›"),
        ("for p in [Process(name = 'a')]:\n  x = 1\n", "p‹: Process›"),
        ("load('@std//service.aurora', 'worker')\nw = worker('a', 'b')\n", "w‹: Job›"),
        ("x = 1\ny = 'a'\nz = [Process(name = 'a')]\n", ""),
        ("c = order(a, b)\n", ""),
    ] {
        assert_eq!(shown(&Fixture::new(case), ALL, TYPES), wanted, "{case}");
    }
}
