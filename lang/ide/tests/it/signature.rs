//! What the call at the cursor takes.

use aurora_ide::signature::signature;

use crate::fixture::Fixture;

/// The label with the active parameter in `‹›`.
fn shown(case: &str) -> String {
    let fixture = Fixture::new(case);
    let Some(found) = signature(&fixture.world, &fixture.file, fixture.at) else {
        return "none".to_owned();
    };
    let mut label = found.label.clone();
    if let Some(parameter) = found.active.and_then(|at| found.parameters.get(at)) {
        label.insert(parameter.label.end as usize, '›');
        label.insert(parameter.label.start as usize, '‹');
    }
    label
}

#[test]
fn the_parameter_at_the_cursor_is_found() {
    for (case, wanted) in [
        ("p = Process($0", "Process(‹name: String›, cmdline: String, max_failures: Integer = 1, "),
        ("p = Process(name = 'a', $0)", "Process(name: String, ‹cmdline: String›, "),
        ("p = Process(name = 'a', max$0)", ", ‹max_failures: Integer = 1›, "),
        ("p = Process(max_failures = $0)", ", ‹max_failures: Integer = 1›, "),
        ("t = Task(processes = [$0])", "‹processes: List(Process)›"),
        ("p = Process(cmdline = 'a$0')", "‹cmdline: String›"),
        ("s = Service($0)", "Service(‹role: String›, "),
        ("b = Service(name = 'a')\nc = b($0)", "b(role: String, "),
        ("b = Service(name = 'a')\nc = b(instances = $0)", "‹instances: Integer = 1›"),
        ("j = Job(container = $0)", "‹container: Container | Docker | Mesos›"),
        ("t = SequentialTask($0)", "SequentialTask(name: String = "),
        (
            "class P(Struct):\n  a = Required(String)\n  b = Float\nx = P(a = 'x', $0)",
            "P(a: Required(String), ‹b: Float›)",
        ),
        ("def f(a, b = 1, *c, **d):\n  return a\nx = f($0)", "f(‹a›, b = 1, *c, **d)"),
        ("def f(a, b = 1, *c, **d):\n  return a\nx = f(1, $0)", "f(a, ‹b = 1›, *c, **d)"),
        ("def f(a, b = 1, *c, **d):\n  return a\nx = f(1, 2, 3, $0)", "f(a, b = 1, ‹*c›, **d)"),
        ("def f(a, b = 1, *c, **d):\n  return a\nx = f(b = $0)", "f(a, ‹b = 1›, *c, **d)"),
        ("def f(a, b = 1, *c, **d):\n  return a\nx = f(z = $0)", "f(a, b = 1, *c, ‹**d›)"),
        ("def f(a, *, b = 1, c = 2):\n  return a\nx = f(a = 1, $0)", "f(a, *, ‹b = 1›, c = 2)"),
        ("def f(a, /, b):\n  return a\nx = f(1, $0)", "f(a, /, ‹b›)"),
        ("def f(a, (b, c), d):\n  return a\nx = f(1, $0)", "f(a, ‹(b, c)›, d)"),
        ("def f(a, b = 1):\n  return a\nx = f(b = 2, $0)", "f(‹a›, b = 1)"),
        ("def f(a, bc = 1):\n  return a\nx = f(b$0)", "f(a, ‹bc = 1›)"),
        ("def f(a):\n  return a\nx = f(1, $0)", "f(a)"),
        ("def f(a, b):\n  return a\nx = f(g(1, 2), $0)", "f(a, ‹b›)"),
        ("def f(a, b):\n  return a\nx = f(1, [2, $0])", "f(a, ‹b›)"),
        ("x = order(a, $0)", "order(first, ‹second›, …) -> [Constraint]"),
        ("x = order(a, b, c, $0)", "order(first, second, ‹…›) -> [Constraint]"),
        ("x = Tasks.simple('a', $0)", "SimpleTask(name, ‹command›) -> Task"),
        ("x = range(1, $0)", "range(start, ‹stop›, step = 1)"),
        ("x = sorted(a, reverse = $0)", "‹reverse = False›)"),
        ("x = 'a'.replace('b', $0)", "replace(old, ‹new›, count)"),
        ("j = Job(name = 'a').bind(x = $0)", "x.bind(‹name = value›, …)"),
        ("x = env('A', $0)", "env(\"NAME\", ‹default›) -> text"),
        ("x = Default(String, $0)", "Default(Type, ‹value›)"),
        ("x = os.getenv('A', $0)", "os.getenv(name, ‹default = None›)"),
        ("x = os.path.join('A', $0)", "os.path.join(part, ‹…›)"),
        ("x = Tasks.combine($0)", "combine(‹task›, …, name: String"),
        ("x = Tasks.combine(a, b, $0)", "combine(task, ‹…›, name: String"),
        ("x = concat_tasks(a, processes = $0)", "concat_tasks(task, …, name: String = "),
        ("x = concat_tasks(a, processes = $0)", "‹processes: List(Process)"),
        ("x = nobody($0)", "none"),
        ("x = (1, $0)", "none"),
        ("x = $0", "none"),
        ("x = open($0)", "none"),
        ("# f($0", "none"),
    ] {
        let found = shown(case);
        match wanted {
            "none" => assert_eq!(found, "none", "{case}"),
            _ => assert!(found.contains(wanted), "{case}\n{found}\nhas no {wanted}"),
        }
    }
}

#[test]
fn parameters_are_documented() {
    let docs = |case: &str| {
        let fixture = Fixture::new(case);
        let found = signature(&fixture.world, &fixture.file, fixture.at).unwrap();
        let active = found.active.map(|at| found.parameters[at].docs.clone());
        format!("{} | {}", found.docs, active.unwrap_or_default())
    };
    for (case, wanted) in [
        ("p = Process(name = $0", "One command line"),
        ("p = Process(name = $0", " | **Process.name**: String, required"),
        ("s = Service($0", "A job whose instances are run again"),
        ("b = Job(name = 'a')\nc = b($0", "A copy of the `Job`, with other fields."),
        ("load('@std//service.aurora', 'worker')\ns = worker($0", "A service without a port"),
        ("load('@std//service.aurora', 'worker')\ns = worker('a', $0", " | a command line, "),
        (
            "load('@std//service.aurora', 'worker')\ns = worker(instances = $0",
            " | **Job.instances**",
        ),
        (
            "class P(Struct):\n  'Kinds.'\n  a = String  # The first.\nx = P($0",
            "Kinds. | The first.",
        ),
    ] {
        let found = docs(case);
        assert!(found.contains(wanted), "{case}\n{found}\nhas no {wanted}");
    }
}

#[test]
fn every_byte_of_broken_text_is_answered() {
    for case in ["f(a, (b, [c = {", "def f(a, *, b\nf(\n  a = f(", "P(a = 'x {{y(", "x.y.z(é, "] {
        let fixture = Fixture::new(case);
        for at in 0..=u32::try_from(case.len() + 2).unwrap() {
            let found = signature(&fixture.world, &fixture.file, at);
            let labels = found.iter().flat_map(|found| {
                found.parameters.iter().map(|parameter| parameter.label.of(&found.label))
            });
            assert!(labels.into_iter().all(|label| !label.is_empty()), "{case} {at}");
        }
    }
}
