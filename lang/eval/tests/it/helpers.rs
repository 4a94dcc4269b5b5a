//! The functions that stand beside the structs: what they make, and what they refuse.

use std::path::Path;

use aurora_eval::{Loader, Options, Report, evaluate};
use miette::GraphicalReportHandler;
use serde_json::{Value, json};

/// A text as the only file.
struct Text(String);

impl Loader for Text {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

/// What stands before each case.
const BEFORE: &str = r#"
R = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB)
a = Process(name = "a", cmdline = "run a")
b = Process(name = "b", cmdline = "run b")
c = Process(name = "{{third}}", cmdline = "run {{name}}").bind(third = "c")
one = Task(name = "one", processes = [a, b], resources = R, finalization_wait = 10)
two = Task(name = "two", processes = [c], resources = R(cpu = 0.5, gpu = 1), finalization_wait = 20,
           max_failures = 7)
bare = Task(name = "bare", processes = [a])
ends = Job(cluster = "x", role = "r", environment = "test", name = "n")
"#;

/// The task that an expression gives, as the executor would get it.
fn task(expression: &str) -> Result<Value, Report> {
    let text = format!("{BEFORE}\njobs = [ends(task = {expression})]\n");
    let config = evaluate(Path::new("job.aurora"), &Text(text), &Options::default())?;
    let ready = config.jobs()[0].ready("someone")?;
    Ok(serde_json::to_value(ready.config.task).unwrap())
}

/// The text that an expression gives, put into a command line.
fn text(expression: &str) -> Result<String, Report> {
    let made = task(&format!(
        "Task(name = 't', processes = [Process(name = 'p', cmdline = {expression})], resources = R)"
    ))?;
    Ok(made["processes"][0]["cmdline"].as_str().unwrap().to_owned())
}

fn names(task: &Value) -> Vec<&str> {
    task["processes"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect()
}

fn orders(task: &Value) -> Vec<Value> {
    task["constraints"].as_array().unwrap().iter().map(|c| c["order"].clone()).collect()
}

#[test]
fn orders_are_lists_of_constraints_over_names() {
    for (constraints, expected) in [
        ("order(a, b)", json!([["a", "b"]])),
        ("order(a, 'b') + Processes.order('b', c)", json!([["a", "b"], ["b", "c"]])),
        ("order(*[a, b, c])", json!([["a", "b", "c"]])),
    ] {
        let made = task(&format!(
            "Task(processes = [a, b, c], constraints = {constraints}, resources = R)"
        ))
        .unwrap();
        assert_eq!(json!(orders(&made)), expected, "{constraints}");
    }
}

#[test]
fn a_simple_task_brings_its_resources() {
    for call in [
        "SimpleTask('ping', 'ping {{name}}')",
        "Tasks.simple('ping', command = 'ping {{name}}')",
        "SimpleTask(command = 'ping {{name}}', name = 'ping')",
    ] {
        let made = task(call).unwrap();
        assert_eq!(made["name"], "ping");
        assert_eq!(names(&made), ["ping"]);
        assert_eq!(made["processes"][0]["cmdline"], "ping ping");
        assert_eq!(made["resources"]["cpu"], 1.0);
        assert_eq!(made["resources"]["ram"], 1 << 30);
        assert_eq!(made["resources"]["disk"], 1 << 30);
    }
}

#[test]
fn a_sequential_task_runs_its_processes_in_their_order() {
    for call in [
        "SequentialTask(processes = [a, b, c], resources = R)",
        "SequentialTask({'processes': [a, b, c]}, resources = R)",
        "SequentialTask(processes = [a, b, c], resources = R, constraints = [])",
        "SequentialTask(processes = [a, b, c], resources = R, constraints = Empty)",
        "Tasks.sequential(Task(processes = [a, b, c], resources = R))",
    ] {
        assert_eq!(json!(orders(&task(call).unwrap())), json!([["a", "b", "c"]]), "{call}");
    }
    // The names are those of the moment at which the task is made.
    let made = task(
        "SequentialTask(processes = [Process(name = '{{x}}', cmdline = 'true')], resources = R)\
         .bind(x = 'later')",
    )
    .unwrap();
    assert_eq!((names(&made), orders(&made)), (vec!["later"], vec![json!(["later"])]));
    // Without processes there is nothing to put in order.
    assert_eq!(
        task("SequentialTask(resources = R)(processes = [a])").unwrap()["constraints"],
        json!([])
    );
}

#[test]
fn combined_tasks_run_at_once() {
    for call in ["Tasks.combine(one, two)", "combine_tasks(one, two)"] {
        let made = task(call).unwrap();
        assert_eq!(names(&made), ["a", "b", "c"]);
        assert_eq!(made["name"], "two");
        assert_eq!(made["max_failures"], 7);
        assert_eq!(made["finalization_wait"], 20);
        assert_eq!(orders(&made), Vec::<Value>::new());
        let resources = &made["resources"];
        assert_eq!(resources["cpu"], 1.5);
        assert_eq!(resources["gpu"], 1);
        assert_eq!(resources["ram"], 128 << 20);
    }
}

#[test]
fn equal_parts_are_taken_once() {
    let made = task(
        "combine_tasks(one(constraints = order(a, b)), \
         one(name = 'again', constraints = order('a', 'b')), two)",
    )
    .unwrap();
    assert_eq!(names(&made), ["a", "b", "c"]);
    assert_eq!(orders(&made), [json!(["a", "b"])]);
    assert_eq!(made["resources"]["cpu"], 2.5);
}

#[test]
fn concatenated_tasks_run_one_after_the_other() {
    for call in ["Tasks.concat(one, two)", "concat_tasks(one, two)"] {
        let made = task(call).unwrap();
        assert_eq!(names(&made), ["a", "b", "c"]);
        assert_eq!(orders(&made), [json!(["a", "c"]), json!(["b", "c"])]);
        assert_eq!(made["name"], "two");
        assert_eq!(made["finalization_wait"], 30);
        assert_eq!(made["resources"]["cpu"], 1.0);
        assert_eq!(made["resources"]["gpu"], 1);
        assert_eq!(made["resources"]["ram"], 64 << 20);
    }
    // Only neighbours are put in order, and a process is not put before itself.
    let made = task("concat_tasks(bare, bare, two)").unwrap();
    assert_eq!(orders(&made), [json!(["a", "c"])]);
    // Processes that neighbours share stand before and after each other.
    let error = task("concat_tasks(one, one)").unwrap_err();
    assert!(error.to_string().contains("ycle"), "{error}");
}

#[test]
fn what_is_given_by_name_replaces_what_the_last_task_has() {
    let made = task("combine_tasks(one, two, name = 'pair', max_failures = 1)").unwrap();
    assert_eq!((&made["name"], &made["max_failures"]), (&json!("pair"), &json!(1)));
    let made = task("concat_tasks(one, two, processes = [a])");
    // The order over the processes of the tasks is made all the same.
    assert!(made.unwrap_err().to_string().contains("not a process of this task"));
    let made = task("combine_tasks(one, two, processes = [b])").unwrap();
    assert_eq!(names(&made), ["b"]);
    let made = task("combine_tasks(processes = [a])(resources = R, processes = [b])").unwrap();
    assert_eq!((names(&made), &made["name"]), (vec!["b"], &json!("b")));
}

#[test]
fn each_task_is_interpolated_where_it_is_bound() {
    let made = task(
        "combine_tasks(\
           Task(name = 'x', processes = [Process(name = 'p', cmdline = '{{v}} {{late}}')], \
                resources = Resources(cpu = '{{n}}', ram = 64 * MB, disk = 64 * MB)).bind(v = 1, n = 2), \
           Task(name = '{{v}}', processes = [Process(name = 'q', cmdline = '{{v}}')], resources = R)\
             .bind(v = 'last', late = 'after'))",
    )
    .unwrap();
    assert_eq!(made["processes"][0]["cmdline"], "1 after");
    assert_eq!(made["processes"][1]["cmdline"], "last");
    assert_eq!(made["name"], "last");
    assert_eq!(made["resources"]["cpu"], 3.0);
}

#[test]
fn a_number_that_is_still_open_is_the_largest() {
    let made = task(
        "concat_tasks(two(resources = R(ram = '{{size}}'), finalization_wait = 1), one)\
         .bind(size = 9 * MB)",
    )
    .unwrap();
    assert_eq!(made["resources"]["ram"], 9 << 20);
    assert_eq!(made["resources"]["cpu"], 1.0);
    let made = task("combine_tasks(two(finalization_wait = '{{wait}}'), one).bind(wait = 3)");
    assert_eq!(made.unwrap()["finalization_wait"], 3);
}

#[test]
fn the_parts_can_be_taken_alone() {
    for (expression, expected) in [
        ("'{{r.cpu}}/{{r.disk}}/{{r.gpu}}'", "1.5/134217728/1"),
        ("'{{m.cpu}}/{{m.disk}}/{{m.gpu}}'", "1.0/67108864/1"),
        ("'{{none.cpu}}/{{none.ram}}/{{none.gpu}}'", "0.0/0/0"),
        ("'{{sum}}'", "30"),
        ("'{{max}}'", "20"),
        ("'{{p[2].name}} {{p[0].cmdline}}'", "c run a"),
        ("'{{o[0].order[1]}}'", "b"),
    ] {
        let made = text(&format!(
            "{expression}).bind(r = Units.resources_sum(one.resources(), Empty, two.resources()), \
               m = Units.resources_max([one.resources(), Empty, two.resources()]), \
               none = Units.resources_sum(), \
               sum = Units.finalization_wait_sum([one.finalization_wait(), two.finalization_wait(), Empty]), \
               max = Units.finalization_wait_max([t.finalization_wait() for t in [one, two]]), \
               p = Task(processes = Units.processes_merge([one, two, one])).processes(), \
               o = Task(constraints = Units.constraints_merge((one(constraints = order(a, b)), two)))\
                 .constraints()"
        ))
        .unwrap_or_else(|report| panic!("{expression}: {report}"));
        assert_eq!(made, expected, "{expression}");
    }
}

#[test]
fn options_are_text() {
    for (expression, expected) in [
        ("python_options('v', 'verbose')", "-v --verbose"),
        ("java_options('v', 'verbose')", "-v -verbose"),
        ("Options.python({'port': 80, 'n': 3}, x = 'y')", "--port 80 -n 3 -x y"),
        ("Options.java({'cp': 'a.jar'}, {'Xmx1g': None}, D = 'a=b')", "-cp a.jar -Xmx1g -D a=b"),
        ("python_options(zeta = 1, alpha = 2)", "--zeta 1 --alpha 2"),
        (
            "python_options({'r': 0, 's': '', 't': None, 'u': False, 'w': [], 'z': 0.0})",
            "-r -s -t -u -w -z",
        ),
        ("python_options({'r': 1.0, 's': True, 't': 1.0 / 3})", "-r 1.0 -s True -t 0.333333333333"),
        ("python_options({'tag': one.name(), 'path': '{{name}}'})", "--tag one --path p"),
        ("'app' + python_options()", "app"),
        ("python_options('ü', '')", "-ü --"),
    ] {
        let made = text(expression).unwrap_or_else(|report| panic!("{expression}: {report}"));
        assert_eq!(made, expected, "{expression}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    for (expression, reason) in [
        ("Task(processes = [a], constraints = order(1), resources = R)", "got 1"),
        ("Task(processes = [a], constraints = order([a]), resources = R)", "not a list"),
        ("Task(processes = [a], constraints = order(one), resources = R)", "got a Task"),
        ("Task(processes = [a], constraints = order(x = a), resources = R)", "`x`"),
        ("Task(processes = [a], constraints = order(Process(cmdline = 'x')))", "without a name"),
        ("SimpleTask('a')", "needs a name and a command"),
        ("SimpleTask('a', 'b', 'c')", "nothing else"),
        ("SimpleTask('a', 'b', name = 'c')", "twice"),
        ("SimpleTask('a', 'b', resources = R)", "`resources`"),
        ("SequentialTask(one)", "not a Task"),
        ("SequentialTask(processes = [a, b], constraints = order(b, a))", "constraints"),
        ("Tasks.sequential(one(constraints = order(b, a)))", "constraints"),
        ("Tasks.sequential()", "one Task"),
        ("Tasks.sequential(a)", "got a Process"),
        ("SequentialTask(processes = [], name = 'x', resources = R)", "names no process"),
        ("SequentialTask(processes = [a, b(final = True)], resources = R)", "names b"),
        ("Tasks.combine([one, two])", "not a list"),
        ("Tasks.concat(one, a)", "got a Process"),
        ("Tasks.combine(one, two, resources = R)", "`resources`"),
        ("Tasks.concat(one, two, constraints = [])", "`constraints`"),
        ("Tasks.combine(one, finalization_wait = 3)", "`finalization_wait`"),
        ("Tasks.combine(one, instances = 3)", "`instances`"),
        ("Tasks.combine(one, Task(name = 'x', resources = R))", "without processes"),
        ("Tasks.concat(one, two(constraints = Empty))", "without constraints"),
        ("Tasks.combine(one, two(resources = R(cpu = '{{open}}')))", "{{open}}"),
        ("Tasks.concat(one, two(finalization_wait = '{{open}}'))", "{{open}}"),
        ("Tasks.combine(one, two(resources = R(ram = '1GB')))", "resources.ram"),
        (
            "Tasks.combine(one, two(resources = R(ram = 9000000000000000000, disk = 1)), \
          two(resources = R(ram = 9000000000000000000)))",
            "too large",
        ),
        ("one(resources = Units.resources_sum([R]))", "not a list"),
        ("one(resources = Units.resources_max(R, R))", "one list"),
        ("one(resources = Units.resources_max([one]))", "got a Task"),
        ("one(finalization_wait = Units.finalization_wait_sum([1, 2]))", "got 1"),
        ("one(processes = Units.processes_merge(one, two))", "one list"),
        ("one(processes = Units.processes_merge([a]))", "got a Process"),
        ("SimpleTask('a', python_options(3))", "got 3"),
        ("SimpleTask('a', java_options(['x']))", "got a list"),
        ("SimpleTask('a', java_options({1: 'x'}))", "got 1"),
        ("SimpleTask('a', java_options({'x': ['y']}))", "`x` is a list"),
    ] {
        let error = task(expression).expect_err(expression);
        let mut text = String::new();
        GraphicalReportHandler::new().with_width(400).render_report(&mut text, &error).unwrap();
        assert!(text.contains(reason), "{expression}: {text}");
    }
}

#[test]
fn what_grows_without_bounds_is_stopped() {
    let many = "[Process(name = 'p%d-%d' % (i, n), cmdline = 'x') for n in range(2000)]";
    for expression in [
        format!("concat_tasks(*[Task(processes = {many}, resources = R) for i in range(2)])"),
        "SimpleTask('a', python_options(*(['x' * 100000] * 1000)))".to_owned(),
    ] {
        let error = task(&expression).expect_err(&expression);
        assert!(error.to_string().contains("more than"), "{error}");
    }
}
