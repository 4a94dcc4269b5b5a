//! `export(task)`: tasks that are run by themselves.

use std::sync::Arc;

use aurora_eval::{
    Binding, Code, Config, Disk, Engine, Inputs, Options, Report, evaluate_json, evaluate_text,
};

use crate::files::Files;

fn options() -> Options {
    Options {
        inputs: Inputs { user: "me".to_owned(), ..Inputs::default() },
        tasks: true,
        ..Options::default()
    }
}

fn tasks(text: &str) -> Result<Arc<Config>, Report> {
    evaluate_text("task.aurora", text, &Disk, &options())
}

fn names(config: &Config) -> Vec<String> {
    config.jobs().iter().filter_map(|job| job.task_name()).collect()
}

const P: &str =
    "p = Process(name = 'p', cmdline = 'echo {{x}} {{thermos.user}} {{thermos.ports[web]}}')\n";

#[test]
fn exported_tasks_are_bound_and_checked_as_those_of_jobs() {
    let text =
        format!("{P}export(Task(name = 'a', processes = [p]))\nexport({{'processes': [p]}})\n");
    let binding: Binding = "x=1".parse().unwrap();
    let options = Options { bindings: vec![binding], ..options() };
    let config = evaluate_text("task.aurora", &text, &Disk, &options).unwrap();
    assert_eq!(names(&config), ["a", "p"]);
    let ready = config.jobs()[0].ready("me").unwrap();
    assert_eq!(ready.config.task.processes[0].cmdline, "echo 1 me {{thermos.ports[web]}}");
    let ports: Vec<_> = ready.request.task.resources.ports.iter().collect();
    assert_eq!(ports, ["web"]);
    let unbound = tasks(&text).unwrap().jobs()[0].ready("me").unwrap_err();
    assert_eq!(unbound.code(), Code::UnboundReference, "{unbound}");
    assert!(unbound.to_string().contains("{{x}}"), "{unbound}");
}

#[test]
fn tasks_of_jobs_count_where_none_is_exported() {
    let jobs = "t = SimpleTask('a', 'true')\n\
        j = Job(cluster = 'c', role = 'r', environment = 'prod', name = 'web', task = t)\n\
        jobs = [j]\n";
    let config = tasks(jobs).unwrap();
    assert_eq!((names(&config), config.jobs()[0].name()), (vec!["a".to_owned()], Some("web")));
    let config = tasks(&format!("{jobs}export(t(name = 'b'))\n")).unwrap();
    assert_eq!(names(&config), ["b"]);
    assert_eq!(tasks("x = 1\n").unwrap_err().code(), Code::NoJobs);
}

#[test]
fn those_who_want_jobs_are_told_what_exports_are_for() {
    let engine = Engine::default();
    let files = Files(&[("task.aurora", "export(SimpleTask('a', 'true'))\n")]);
    let path = std::path::Path::new("task.aurora");
    let plain = Options { tasks: false, ..options() };
    let report = engine.evaluate(path, &files, &plain).unwrap_err();
    assert_eq!(report.code(), Code::NoJobs);
    let help = miette::Diagnostic::help(&report).map(|help| help.to_string()).unwrap_or_default();
    assert!(help.contains("aurora thermos run"), "{report:?}");
    // What the one has asked for is not what the other gets.
    assert_eq!(names(&engine.evaluate(path, &files, &options()).unwrap()), ["a"]);
    assert!(engine.evaluate(path, &files, &plain).is_err());
}

#[test]
fn only_tasks_are_exported_and_not_by_modules() {
    for (text, wanted) in [
        ("export(1)\n", "export takes a Task, got 1"),
        ("export()\n", "export takes one Task"),
        ("export(Job(name = 'x'))\n", "got a Job"),
        ("export({'procesess': []})\n", "procesess"),
    ] {
        let report = tasks(text).unwrap_err();
        assert!(report.to_string().contains(wanted), "{text}: {report}");
    }
    let library = ("lib.aurora", "export(SimpleTask('a', 'true'))\nx = 1\n");
    let main = std::path::Path::new("main.aurora");
    let files = [library, ("main.aurora", "load('lib.aurora', 'x')\n")];
    let report = Engine::default().evaluate(main, &Files(&files), &options()).unwrap_err();
    assert!(report.to_string().contains("cannot export() tasks"), "{report}");
    let files = [library, ("main.aurora", "include('lib.aurora')\n")];
    assert_eq!(
        names(&Engine::default().evaluate(main, &Files(&files), &options()).unwrap()),
        ["a"]
    );
}

#[test]
fn tasks_may_be_json() {
    let task = r#"{"name": "a", "processes": [{"name": "p", "cmdline": "true"}]}"#;
    let config = evaluate_json("task.json", task, &options()).unwrap();
    assert_eq!(names(&config), ["a"]);
    config.jobs()[0].ready("me").unwrap();
    let job =
        format!(r#"{{"jobs": [{{"name": "j", "role": "r", "cluster": "c", "task": {task}}}]}}"#);
    assert_eq!(names(&evaluate_json("job.json", &job, &options()).unwrap()), ["a"]);
    assert!(evaluate_json("task.json", r#"{"nmae": "a"}"#, &options()).is_err());
}
