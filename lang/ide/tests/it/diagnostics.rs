//! What is wrong, as the text alone tells it, and together with what an evaluation finds.

use std::path::{Path, PathBuf};

use aurora_eval::{Disk, Inputs, Options};
use aurora_ide::diagnostics::{Diagnostic, Level, Tag, merge, syntax};
use aurora_ide::workspace::{MAX_FILES, normal};
use aurora_ide::{FileId, Source, Workspace};

use crate::fixture::Fixture;

/// A diagnostic as `E code 'place' message; help; [fix]`.
fn shown(fixture: &Fixture, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.level {
        Level::Error => "E",
        Level::Warning => "W",
        Level::Hint => "H",
    };
    let code = diagnostic.code.map_or("-", |code| code.id());
    let source = fixture.world.file(&diagnostic.location.file).unwrap();
    let mut out = format!(
        "{level} {code} '{}' {}",
        source.slice(diagnostic.location.span),
        diagnostic.message
    );
    if let Some(help) = &diagnostic.help {
        out.push_str(&format!("; {help}"));
    }
    for fix in &diagnostic.fixes {
        let texts: Vec<&str> = fix.edits.iter().map(|edit| edit.text.as_str()).collect();
        out.push_str(&format!("; [{}]", texts.join("|")));
    }
    if let Some(tag) = diagnostic.tag {
        out.push_str(if tag == Tag::Deprecated { "; deprecated" } else { "; unnecessary" });
    }
    out
}

fn all(case: &str) -> String {
    let fixture = Fixture::new(case);
    let found = syntax(&fixture.world, &fixture.file);
    found.iter().map(|found| shown(&fixture, found)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_text_alone_tells_what_is_wrong() {
    const HELP: &str = "; define it above, or include() the file that does; names are of this file \
                        and those it includes";
    let mut wrong = Vec::new();
    for (case, wanted) in [
        // Fields.
        (
            "p = Process(nmae = 'a')",
            "E unknown-field 'nmae = 'a'' Process has no field `nmae`; did you mean `name`?; [name]",
        ),
        (
            "p = Process(name = 'a')\nq = p(nmae = 'b')",
            "E unknown-field 'nmae = 'b'' Process has no field `nmae`; did you mean `name`?; [name]",
        ),
        (
            "s = Service(tsak = 1)",
            "E unknown-field 'tsak = 1' Job has no field `tsak`; did you mean `task`?; [task]",
        ),
        (
            "t = SequentialTask(nmae = 'a')",
            "E unknown-field 'nmae = 'a'' Task has no field `nmae`; did you mean `name`?; [name]",
        ),
        (
            "j = Job(name = 'a').bind(x = 1)(instance = 2)",
            "E unknown-field 'instance = 2' Job has no field `instance`; did you mean `instances`?; [instances]",
        ),
        (
            "class P(Struct):\n  cpu = Float\np = P(cpus = 1)",
            "E unknown-field 'cpus = 1' P has no field `cpus`; did you mean `cpu`?; [cpu]",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nq = p(nmae = 'b')\n#- b.aurora\np = Process(name = 'a')",
            "E unknown-field 'nmae = 'b'' Process has no field `nmae`; did you mean `name`?; [name]",
        ),
        (
            "p = Process(name = 'a', name = 'b')",
            "E syntax-error 'name' `name` is given twice; remove one of the two",
        ),
        // Doubt: any of these may be right.
        ("def f(p = Process()):\n  return p(nmae = 'b')", ""),
        ("p = Process()\nif p:\n  p = Job()\nq = p(instances = 1)", ""),
        ("Process = Job\np = Process(instances = 1)", ""),
        ("class P(Q):\n  pass\nclass Q(Struct):\n  a = String\np = P(b = 1)", ""),
        ("for p in [Process()]:\n  p(x = 1)", ""),
        ("p = Process(**dict(nmae = 'a'))", ""),
        // Values.
        (
            "j = Job(instances = 'three')",
            "E bad-value 'instances = 'three'' instances: expected a whole number, got \"three\"",
        ),
        ("j = Job(instances = '3', priority = 1.5, service = 'true', contact = 12)", ""),
        ("j = Job(instances = '{{n}}', service = '{{s}}')", ""),
        (
            "j = Job(service = 'yes')",
            "E bad-value 'service = 'yes'' service: expected True or False, got \"yes\"",
        ),
        (
            "j = Job(contact = ['a'])",
            "E bad-value 'contact = ['a']' contact: expected text, got a list of 1",
        ),
        ("j = Job(instances = None)", ""),
        ("j = Job(task = 'x')", "E type-mismatch 'task = 'x'' expected a Task, got \"x\""),
        (
            "j = Job(task = '{{x}}')",
            "E type-mismatch 'task = '{{x}}'' expected a Task, got \"{{x}}\"",
        ),
        (
            "j = Job(task = Process())",
            "E type-mismatch 'task = Process()' expected a Task, got a Process",
        ),
        ("j = Job(task = {'name': 'a'})", ""),
        ("j = Job(task = None)", "E type-mismatch 'task = None' expected a Task, got None"),
        (
            "t = Task(processes = Process())",
            "E type-mismatch 'processes = Process()' expected a list of Process, got a Process; \
             write the list with brackets, also if it has one element: […]",
        ),
        (
            "t = Task(processes = 'a')",
            "E type-mismatch 'processes = 'a'' expected a list of Process, got \"a\"; write the list \
             with brackets, also if it has one element: [\"…\"]",
        ),
        (
            "t = Task(processes = ['a'])",
            "E type-mismatch 'processes = ['a']' expected a Process, got \"a\"",
        ),
        ("t = Task(processes = [Process(), {}])", ""),
        (
            "j = Job(constraints = 'x')",
            "E type-mismatch 'constraints = 'x'' expected a dict, got \"x\"",
        ),
        (
            "j = Job(container = 'x')",
            "E bad-value 'container = 'x'' container: expected one of Container, Docker, Mesos, got \"x\"",
        ),
        (
            "l = Logger(mode = 'spin')",
            "E bad-enum-value 'mode = 'spin'' LoggerMode cannot be \"spin\"; use one of standard, rotate",
        ),
        (
            "l = Logger(mode = 'rotat')",
            "E bad-enum-value 'mode = 'rotat'' LoggerMode cannot be \"rotat\"; did you mean \"rotate\"?; [rotate]",
        ),
        (
            "j = Job(cron_collision_policy = 'KILL')",
            "E bad-cron-policy 'cron_collision_policy = 'KILL'' unknown cron_collision_policy \"KILL\"",
        ),
        ("j = Job(cron_collision_policy = 'cancel_new')", ""),
        // Names.
        ("x = y", &format!("E unknown-name 'y' name 'y' is not defined{HELP}")),
        (
            "x = Proces()",
            "E unknown-name 'Proces' name 'Proces' is not defined; did you mean `Process`?; [Process]",
        ),
        ("def f():\n  return y", &format!("W unknown-name 'y' name 'y' is not defined{HELP}")),
        ("if True:\n  x = y", &format!("W unknown-name 'y' name 'y' is not defined{HELP}")),
        ("x = 1 if 0 else y", &format!("W unknown-name 'y' name 'y' is not defined{HELP}")),
        ("a = 'x'\nx = a + 'b' + y", &format!("E unknown-name 'y' name 'y' is not defined{HELP}")),
        ("a = 1\nx = a or a or y", &format!("W unknown-name 'y' name 'y' is not defined{HELP}")),
        ("x = [y for y in [1]]\nz = lambda a: a + x", ""),
        ("import os.path\nx = os", ""),
        ("x: Foo = 1", ""),
        ("#- a.aurora\ninclude('b.aurora')\nx = y\n#- b.aurora\ny = 1", ""),
        ("#- b.aurora\nx = y\n#- a.aurora\ny = 1\ninclude('b.aurora')", ""),
        ("f = 'b.aurora'\ninclude(f)\nx = y", ""),
        ("x = y\ninclude(*z)", ""),
        (
            "with foo as bar:\n  x = bar\n",
            "E unsupported-syntax 'with' the language has no `with`; leave the \
             line out, and begin its block where it began",
        ),
        ("y = (\nx = y\n", "E syntax-error '(' this `(` is never closed: `)` is missing"),
        // Files.
        (
            "include('b.aurora')",
            "E unreadable-file 'include('b.aurora')' cannot read /project/b.aurora: there is no such file",
        ),
        (
            "if True:\n  include('b.aurora')",
            "W unreadable-file 'include('b.aurora')' cannot read /project/b.aurora: there is no such file",
        ),
        (
            "load('@std//srvice.aurora', x = 'http_service')\ny = x",
            "E unreadable-file 'load('@std//srvice.aurora', x = 'http_service')' there is no module \
             @std//srvice.aurora in the library; did you mean @std//service.aurora?; [@std//service.aurora]",
        ),
        (
            "load('@std//service.aurora', x = 'http_servce')\ny = x",
            "E unknown-name 'http_servce' the module defines no `http_servce`; did you mean \
             `http_service`?; [http_service]",
        ),
        (
            "include('@std//service.aurora')",
            "E unreadable-file 'include('@std//service.aurora')' cannot read @std//service.aurora: \
             modules of the library are loaded, not included; write load(\"@std//service.aurora\", \"name\")",
        ),
        (
            "#- a.aurora\nload('b.aurora', 'z')\nx = z\n#- b.aurora\ny = 1",
            "E unknown-name 'z' the module defines no `z`",
        ),
        ("#- a.aurora\nload('b.aurora', 'y')\nx = y\n#- b.aurora\ny = 1", ""),
        // Hints.
        (
            "load('@std//service.aurora', 'http_service')",
            "H - 'http_service' `http_service` is loaded and never used; unnecessary",
        ),
        // Others load it from here.
        (
            "#- re.aurora\nload('b.aurora', 'x', 'y')\n#- b.aurora\nx = 1\ny = 1\n\
             #- user.aurora\nload('re.aurora', z = 'x')\n",
            "H - 'y' `y` is loaded and never used; unnecessary",
        ),
        ("def f():\n  x = 1\n  return 2", "H - 'x' `x` is never used; unnecessary"),
        (
            "j = Job(production = True)",
            "H - 'production' `production` is for old files; use `tier`, as in `tier = \"preferred\"`; deprecated",
        ),
    ] {
        let found = all(case);
        if found != wanted {
            wrong.push(format!("{case}\n  {found}\n  {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_chain_of_names_is_does_not_depend_on_what_is_asked_first() {
    let names: String = (1..=20).map(|at| format!("p{at} = p{}\n", at - 1)).collect();
    let chain = format!("p0 = Process(name = 'a')\n{names}");
    let near = "E unknown-field 'a = 1' Process has no field `a`; Process has the fields name, cmdline, \
                max_failures, daemon, ephemeral, min_duration, final, resources, logger";
    for uses in ["x = p10(a = 1)\ny = p20(b = 1)\n", "y = p20(b = 1)\nx = p10(a = 1)\n"] {
        let found = all(&format!("{chain}{uses}"));
        assert_eq!(found, near, "{uses}");
    }
}

#[test]
fn names_are_suggested_for_a_few_only() {
    let names: String = (0..50).map(|at| format!(", 'name{at}_'")).collect();
    let defined: String = (0..50).map(|at| format!("name{at} = 1\n")).collect();
    let found = all(&format!("#- a.aurora\nload('b.aurora'{names})\n#- b.aurora\n{defined}"));
    let lines: Vec<&str> =
        found.lines().filter(|line| line.starts_with("E unknown-name")).collect();
    assert_eq!(lines.len(), 50, "{found}");
    assert_eq!(lines.iter().filter(|line| line.contains("did you mean")).count(), 20, "{found}");
}

#[test]
fn a_file_may_be_there_that_a_full_workspace_does_not_know() {
    let told = |count: usize| {
        let mut workspace = Workspace::default();
        let main = FileId::new("/project/main.aurora");
        workspace.open(main.clone(), "include('b.aurora')\n".to_owned(), 1);
        for at in 1..count {
            let id = FileId::new(format!("/project/lib/{at}.aurora"));
            workspace.read(Source::new(id, "".into(), None));
        }
        syntax(&workspace.snapshot(), &main).len()
    };
    assert_eq!((told(MAX_FILES - 1), told(MAX_FILES)), (1, 0));
}

/// Every file of a folder and those under it.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "aurora") {
            into.push(path);
        }
    }
}

#[test]
fn what_evaluates_has_no_errors() {
    let root = normal(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut all = Vec::new();
    for folder in ["examples", "stdlib", "lang/eval/tests/conformance"] {
        files(&root.join(folder), &mut all);
    }
    let mut checked = 0;
    let mut wrong = Vec::new();
    for path in &all {
        let options = Options {
            inputs: Inputs { user: "me".to_owned(), ..Inputs::default() },
            ..Options::default()
        };
        let config = aurora_eval::evaluate(path, &Disk, &options);
        let is_part =
            config.as_ref().is_err_and(|report| report.code() == aurora_eval::Code::NoJobs);
        let is_well = config.is_ok_and(|config| {
            let reports = config.check("me", None);
            reports.iter().all(|report| report.severity() != aurora_eval::Severity::Error)
        });
        if !is_part && !is_well {
            continue;
        }
        let mut workspace = Workspace::default();
        let id = FileId::new(path);
        workspace.open(id.clone(), std::fs::read_to_string(path).unwrap(), 1);
        workspace.follow(&Disk);
        let found = syntax(&workspace.snapshot(), &id);
        checked += 1;
        wrong.extend(
            found
                .into_iter()
                .filter(|found| found.level != Level::Hint)
                .map(|found| format!("{}: {found:?}", path.display())),
        );
    }
    assert!(checked > 50, "{checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is told of all files after an evaluation.
fn merged(case: &str) -> String {
    let fixture = Fixture::evaluated(case);
    let found = syntax(&fixture.world, &fixture.file);
    let mut out = Vec::new();
    for (main, evaluated) in fixture.world.all_evaluated() {
        for (file, found) in merge(main, &found, &evaluated.findings) {
            let name = file.name().rsplit('/').next().unwrap();
            for found in found {
                let related: Vec<String> =
                    found.related.iter().map(|related| format!("; {}", related.message)).collect();
                out.push(format!("{name}: {}{}", shown(&fixture, &found), related.concat()));
            }
        }
    }
    out.join("\n")
}

#[test]
fn what_is_evaluated_is_told_once() {
    for (case, wanted) in [
        (
            "p = Process(nmae = 'a')\njobs = []",
            "main.aurora: E unknown-field 'nmae = 'a'' Process has no field `nmae`; did you mean `name`?; [name]",
        ),
        (
            "x = y\njobs = []",
            "main.aurora: E unknown-name 'y' name 'y' is not defined; define it above, or include() \
             the file that does; names are of this file and those it includes",
        ),
        (
            "l = Logger(mode = 'rotat')\njobs = []",
            "main.aurora: E bad-enum-value 'mode = 'rotat'' LoggerMode cannot be \"rotat\"; did you mean \
             \"rotate\"?; [rotate]",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\njobs = []\n#- b.aurora\np = Process(nmae = 'a')",
            "b.aurora: E unknown-field 'nmae = 'a'' Process has no field `nmae`; did you mean `name`?; \
             [name]; included here",
        ),
        (
            "#- x/a.aurora\ninclude('../b.aurora')\njobs = []\n#- b.aurora\n$0p = Process(nmae = 'a')",
            "b.aurora: E unknown-field 'nmae = 'a'' Process has no field `nmae`; did you mean `name`?; \
             [name]; included here",
        ),
        (
            "\u{feff}p = Process(nmae = 'a')\njobs = []",
            "main.aurora: E unknown-field 'nmae = 'a'' Process has no field `nmae`; did you mean `name`?; [name]",
        ),
        // Several things may be wrong at one place.
        (
            "jobs = [Job(name = 'a', cluster = 'c', role = 'r')]",
            "main.aurora: E missing-field 'Job' task is required; add `task = …`\n\
             main.aurora: E missing-field 'Job' environment: Job[environment] is required; add \
             `environment = …`\n\
             main.aurora: E missing-field 'Job' task: Job[task] is required; add `task = …`",
        ),
        // What is wrong with each of several jobs is told once.
        (
            "jobs = [Job(name = n, cluster = 'c', role = 'r', environment = 'test') for n in ['a', 'b']]",
            "main.aurora: E missing-field 'Job' task is required; add `task = …`\n\
             main.aurora: E missing-field 'Job' task: Job[task] is required; add `task = …`",
        ),
        (
            "include('b.aurora')\njobs = []",
            "main.aurora: E unreadable-file 'include('b.aurora')' cannot read /project/b.aurora: entity \
             not found",
        ),
    ] {
        assert_eq!(merged(case), wanted, "{case}");
    }
}
