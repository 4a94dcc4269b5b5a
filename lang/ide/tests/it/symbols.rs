//! What files consist of.

use aurora_ide::symbols::{Symbol, document, fuzzy, workspace};

use crate::fixture::Fixture;

/// Symbols as `Kind name (detail) 'selection' [children]`.
fn shown(fixture: &Fixture, symbols: &[Symbol]) -> String {
    let one = |symbol: &Symbol| {
        let Symbol { name, detail, kind, whole, selection, children, .. } = symbol;
        assert!(whole.start <= selection.start && selection.end <= whole.end, "{symbol:?}");
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        let selection = match fixture.slice(*selection) {
            text if text == name => String::new(),
            text => format!(" '{text}'"),
        };
        let children = match children.as_slice() {
            [] => String::new(),
            children => format!(" [{}]", shown(fixture, children)),
        };
        format!("{kind:?} {name}{detail}{selection}{children}")
    };
    symbols.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_file_is_a_tree_of_symbols() {
    let mut wrong = Vec::new();
    for (case, wanted) in [
        ("x = 1\n", "Variable x"),
        ("x, (y, z) = 1, (2, 3)\n", "Variable x, Variable y, Variable z"),
        ("x: Integer = 1\n", "Variable x"),
        (
            "def f(a, b = 2):\n  x = 1\n  def g():\n    pass\n  return a\n",
            "Function f ((a, b = 2)) [Function g (())]",
        ),
        ("def f():\n  p = Process(name = 'a')\n  return p\n", "Function f (()) [Process p (a)]"),
        (
            "class P(Struct):\n  cpu = Float\n  ram = Integer\n",
            "Class P [Field cpu (Float), Field ram (Integer)]",
        ),
        (
            "class P(Struct):\n  cpu: Float = Float\n  ram = Integer\n  def f(self):\n    x = 1\n",
            "Class P [Field cpu (Float), Field ram (Integer)]",
        ),
        ("P = struct_type('P', port = Integer)\n", "Class P [Field port (Integer)]"),
        ("p = Process(name = 'a', cmdline = 'b')\n", "Process p (a)"),
        ("r = Resources(cpu = 1)\n", "Object r (Resources)"),
        (
            "t = Task(processes = [Process(name = 'a'), Process(name = 'b')])\n",
            "Task t (Task) [Process a, Process b]",
        ),
        ("t = SimpleTask('hello', 'echo')\n", "Task t (hello)"),
        (
            "t = SequentialTask(name = 'x', processes = [Process(name = 'a')])\n",
            "Task t (x) [Process a]",
        ),
        ("t = Tasks.concat(a, b)(name = 'x')\n", "Task t (x)"),
        (
            "jobs = [Service(cluster = 'c', role = 'r', name = 'web', task = Task(name = 't'))]\n",
            "Variable jobs [Job web (c/r/?) [Task t]]",
        ),
        (
            "base = Job(name = 'a')\njobs = [base(name = 'b'), base(environment = 'prod')]\n",
            "Job base (a), Variable jobs [Job b, Job base (?/?/prod)]",
        ),
        ("jobs = [base(name = 'b').bind(x = 1)]\n", "Variable jobs [Job b]"),
        ("jobs = [make(env) for env in ['a']]\n", "Variable jobs [Job make]"),
        ("jobs += [Job(name = 'a')]\n", "Job a"),
        ("jobs.append(Job(name = 'a'))\n", "Job a"),
        (
            "def make(env):\n  return Job(name = 'web')\njobs = [make('a')(name = 'b')]\n",
            "Function make ((env)) [Job web], Variable jobs [Job b]",
        ),
        ("if x:\n  p = Process(name = 'a')\nelse:\n  q = 1\n", "Process p (a), Variable q"),
        ("for n in [1]:\n  jobs.append(Job(name = f'a{n}'))\n", "Job a{n}"),
        ("x = [1, {'a': Process(name = 'b')}]\n", "Variable x [Process b]"),
        ("x = x\ny = z\nz = y\n", "Variable x, Variable y, Variable z"),
        ("Process = 1\np = Process(name = 'a')\n", "Variable Process, Variable p"),
        ("p = Process(name = \n", "Process p (Process)"),
        ("def \nx = (\n", "Variable x"),
        ("", ""),
    ] {
        let fixture = Fixture::new(case);
        let found = shown(&fixture, &document(&fixture.world, &fixture.file));
        if found != wanted {
            wrong.push(format!("{case}  {found}\n  {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn symbols_of_all_files_are_found_by_their_letters() {
    let fixture = Fixture::new(
        "#- a.aurora\nweb_server = Process(name = 'nginx')\ndef make_web(): pass\n#- b.aurora\n\
         t = Task(processes = [Process(name = 'WebSocket')])\n",
    );
    for (query, limit, wanted) in [
        ("", 2, "t make_web"),
        ("web", 9, "web_server WebSocket make_web"),
        ("ws", 9, "web_server WebSocket"),
        ("nginx", 9, "web_server"),
        ("WEB", 1, "WebSocket"),
        ("xyz", 9, ""),
    ] {
        let found = workspace(&fixture.world, query, limit);
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names.join(" "), wanted, "{query}");
    }
    let found = workspace(&fixture.world, "socket", 9);
    assert_eq!(found[0].container.as_deref(), Some("t"));
    assert_eq!(fixture.shown(&found[0].location), "b.aurora:1:WebSocket");
}

#[test]
fn jobs_are_found_by_their_names() {
    let fixture = Fixture::new(
        "jj = Job(cluster='w', role='r', environment='prod', name='hello')\n\
         kk = Job(name='other')\njobs = [jj, kk, Job(name='third')]\n",
    );
    for (query, wanted) in [
        ("hello", "w/r/prod/hello in jj"),
        ("w/r/prod/hello", "w/r/prod/hello in jj"),
        ("jj", "w/r/prod/hello in jj"),
        ("other", "other in kk"),
        ("third", "third in jobs"),
    ] {
        let found = &workspace(&fixture.world, query, 9)[0];
        let container = found.container.as_deref().unwrap_or_default();
        assert_eq!(format!("{} in {container}", found.name), wanted, "{query}");
    }
}

#[test]
fn letters_fit_in_their_order() {
    assert_eq!(fuzzy("abc", "acb"), None);
    assert_eq!(fuzzy("", "a"), Some(0));
    assert!(fuzzy("web", "web") > fuzzy("web", "web_server"));
    assert!(fuzzy("ws", "web_server") > fuzzy("ws", "news"));
    assert!(fuzzy("é", "É").is_some());
}
