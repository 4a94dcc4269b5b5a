//! The library: what its modules make and refuse, and that its page says what they are.

use std::path::{Path, PathBuf};

use aurora_eval::{Loader, Options, ReadyJob, Report, evaluate};
use miette::GraphicalReportHandler;
use serde_json::{Value, json};

/// A text as the only file.
struct Text(String);

impl Loader for Text {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

const BEFORE: &str = r#"
load("@std//batch.aurora", "batch_job", "cron_job")
load("@std//environments.aurora", "staged")
load("@std//jvm.aurora", "jvm_process")
load("@std//logs.aurora", "log_shipper", "rotating")
load("@std//python.aurora", "python_process")
load("@std//service.aurora", "http_service", "worker")
load("@std//sidecars.aurora", "sidecar", "with_sidecars")
load("@std//updates.aurora", "canary", "careful", "fast")

where = dict(cluster = "x", role = "r", environment = "test")
"#;

/// The jobs of a list, ready to be submitted.
fn jobs(list: &str) -> Result<Vec<ReadyJob>, Report> {
    let text = format!("{BEFORE}\njobs = {list}\n");
    let config = evaluate(Path::new("job.aurora"), &Text(text), &Options::default())?;
    config.jobs().iter().map(|job| job.ready("someone")).collect()
}

#[track_caller]
fn job(expression: &str) -> Value {
    let made = jobs(&format!("[{expression}]")).unwrap_or_else(|e| panic!("{expression}: {e}"));
    serde_json::to_value(&made[0].config).unwrap()
}

#[test]
fn a_service_is_announced_and_checked_at_its_port() {
    let made = job("http_service('web', 'serve {{thermos.ports[http]}}', health = '/well', \
                    health_check = {'interval_secs': 3}, instances = 4, **where)");
    assert_eq!(made["service"], true);
    assert_eq!(made["instances"], 4);
    assert_eq!(made["announce"]["primary_port"], "http");
    assert_eq!(made["announce"]["portmap"], json!({"aurora": "http", "health": "http"}));
    assert_eq!(made["health_check_config"]["health_checker"]["http"]["endpoint"], "/well");
    assert_eq!(made["health_check_config"]["interval_secs"], 3.0);
    assert_eq!(made["lifecycle"]["http"], Value::Null);

    let made =
        job("http_service('web', 'serve', port = 'admin', health = None, announce = False, \
                    graceful_shutdown = '/quit', **where)");
    assert_eq!(made["announce"], Value::Null);
    assert_eq!(made["lifecycle"]["http"]["port"], "admin");
    assert_eq!(made["lifecycle"]["http"]["graceful_shutdown_endpoint"], "/quit");
}

#[test]
fn what_is_given_counts_more_than_what_the_library_would_take() {
    let made =
        job("worker('w', Process(name = 'p', cmdline = 'x'), lifecycle = DefaultLifecycleConfig, \
         cpu = 2, task = {'max_failures': 9, 'name': 't'}, priority = 5, **where)"
            .replace("name = 'other', ", "")
            .as_str());
    assert_eq!(made["lifecycle"]["http"]["port"], "health");
    assert_eq!(made["task"]["max_failures"], 9);
    assert_eq!(made["task"]["name"], "t");
    assert_eq!(made["task"]["resources"]["cpu"], 2.0);
    assert_eq!(made["priority"], 5);
}

#[test]
fn steps_run_in_order_and_the_clean_up_at_the_end() {
    let made =
        job("cron_job('nightly', '0 3 * * *', ['one', 'two'], cleanup = 'rm x', retries = 2, \
                    env = {'A': \"it's\"}, **where)");
    assert_eq!(made["cron_schedule"], "0 3 * * *");
    assert_eq!(made["cron_collision_policy"], "CANCEL_NEW");
    assert_eq!(made["max_task_failures"], 3);
    let task = &made["task"];
    assert_eq!(task["constraints"], json!([{"order": ["nightly-1", "nightly-2"]}]));
    assert_eq!(task["processes"][0]["cmdline"], "export A='it'\\''s'\none");
    assert_eq!(task["processes"][2]["name"], "cleanup");
    assert_eq!(task["processes"][2]["final"], true);
    assert_eq!(job("batch_job('b', 'x', retries = -1, **where)")["max_task_failures"], -1);
}

#[test]
fn sidecars_bring_their_resources_and_leave_the_heap_alone() {
    let made =
        job("worker('w', jvm_process('w', jar = 'a.jar', heap_share = 0.5), ram = 100 * MB, \
                    sidecars = [sidecar('s', 'side', ram = 28 * MB)], **where)");
    let task = &made["task"];
    assert_eq!(task["name"], "w");
    assert_eq!(task["resources"]["ram"], 128 << 20);
    let processes = task["processes"].as_array().unwrap();
    let side = processes.iter().find(|process| process["name"] == "s").unwrap();
    assert_eq!((&side["daemon"], &side["ephemeral"]), (&json!(true), &json!(true)));
    let main = processes.iter().find(|process| process["name"] == "w").unwrap();
    let line = main["cmdline"].as_str().unwrap();
    assert!(line.contains("heap=$(( 104857600 / 1048576 * 50 / 100 ))"), "{line}");
    assert!(line.contains("-jar 'a.jar'"), "{line}");
}

#[test]
fn environments_share_a_base_and_differ_where_they_say() {
    let made = jobs(
        "staged(worker, dict(cluster = 'x', role = 'r', name = 'w', run = '{{x}} {{environment}}', \
           env = {'A': 1, 'B': 2}), \
           staging = dict(bind = dict(x = 's'), env = {'B': 3}), \
           prod = dict(bind = dict(x = 'p'), instances = 9, update_config = canary([1, 4])))",
    )
    .unwrap();
    let keys: Vec<String> = made.iter().map(|job| job.key().to_string()).collect();
    assert_eq!(keys, ["x/r/staging/w", "x/r/prod/w"]);
    let line = |index: usize| made[index].config.task.processes[0].cmdline.clone();
    assert_eq!(line(0), "export A='1'\nexport B='3'\ns staging");
    assert_eq!(line(1), "export A='1'\nexport B='2'\np prod");
    assert_eq!(made[1].request.instance_count, 9);
    // A job can be the base of others, too.
    let made =
        jobs("staged(worker('w', 'x', **where), {}, test = {}, prod = {'instances': 2})").unwrap();
    assert_eq!(made[1].key().to_string(), "x/r/prod/w");
}

#[test]
fn updates_are_what_their_names_say() {
    for (preset, expected) in [
        (
            "careful()",
            json!({"batch_size": 1, "watch_secs": 120, "wait_for_batch_completion": true}),
        ),
        ("careful(watch_secs = 5)", json!({"watch_secs": 5})),
        (
            "canary([1, 3], pause = True)",
            json!({"update_strategy": {"batch_sizes": [1, 3], "autopause_after_batch": true}}),
        ),
        ("fast(20, max_total_failures = 2)", json!({"batch_size": 20, "max_total_failures": 2})),
    ] {
        let made =
            job(&format!("worker('w', 'x', instances = 9, update_config = {preset}, **where)"));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&made["update_config"][name], value, "{preset}");
        }
    }
}

#[test]
fn what_is_wrong_is_shown_where_it_is_written() {
    for (call, message, place) in [
        ("http_service('w', 7)", "run: must be a command line", "http_service"),
        ("http_service('w', run = 7)", "run: must be a command line", "run = 7"),
        ("http_service('w', run = ' ')", "is empty", "run = ' '"),
        ("http_service(name = '', run = 'x')", "name: must be a text", "name = ''"),
        ("http_service('w', 'x', port = '')", "port: must be a text", "port = ''"),
        ("http_service('w', 'x', health = 'ok')", "begins with /", "health = 'ok'"),
        ("http_service('w', 'x', announce = False)", "called \"health\"", "announce = False"),
        (
            "worker('w', 'x', health_check = {'interval_secs': 3})",
            "there is no check",
            "health_check = ",
        ),
        (
            "worker('w', 'x', env = {'a-b': 1})",
            "no name of an environment variable",
            "env = {'a-b': 1}",
        ),
        (
            "worker('w', 'x', sidecars = sidecar('s', 'x'))",
            "must be a list",
            "sidecars = sidecar('s', 'x')",
        ),
        ("worker('w', 'x', task = Task())", "must be a dict", "task = Task()"),
        ("worker('w', 'x', instancs = 3)", "no field `instancs`", "instancs = 3"),
        ("worker('w')", "run", "worker('w')"),
        ("cron_job('w', run = 'x', schedule = '@daily')", "five parts", "schedule = '@daily'"),
        (
            "cron_job('w', '* * * * *', 'x', overlap = 'RUN_OVERLAP')",
            "overlap: must be",
            "overlap = 'RUN_OVERLAP'",
        ),
        ("batch_job('w', 'x', retries = 'many')", "retries: must be", "retries = 'many'"),
        ("worker('w', jvm_process('p', jar = 'a', main = 'b'))", "either jar or main", "jar = 'a'"),
        (
            "worker('w', jvm_process('p', jar = 'a', heap_share = 1.5))",
            "above 0 and below 1",
            "heap_share = 1.5",
        ),
        ("worker('w', python_process('p'))", "module, script and code", "python_process"),
        (
            "worker('w', python_process('p', module = 'm', heap_share = '1'))",
            "at most 1",
            "heap_share = '1'",
        ),
        (
            "worker('w', 'x', update_config = canary(sizes = [1, 0]))",
            "whole number from 1",
            "sizes = [1, 0]",
        ),
        (
            "worker('w', 'x', update_config = fast(batch_size = 0))",
            "whole number from 1",
            "batch_size = 0",
        ),
        (
            "worker('w', 'x', sidecars = [log_shipper('cat', of = 'w')])",
            "must be a list",
            "of = 'w'",
        ),
        ("staged(worker, {})[0]", "at least one", "staged"),
        ("staged(worker, {}, prod = 3)[0]", "prod: must be a dict", "prod = 3"),
    ] {
        let report = jobs(&format!("[{call}]")).expect_err(call);
        let mut shown = String::new();
        GraphicalReportHandler::new().with_width(300).render_report(&mut shown, &report).unwrap();
        assert!(shown.contains(message), "{call}: {shown}");
        assert!(!shown.contains("[@std//"), "{call}: {shown}");
        // The marked text is as long as the line of marks.
        let data =
            miette::Diagnostic::labels(&report).and_then(|mut labels| labels.next()).unwrap();
        let text = format!("{BEFORE}\njobs = [{call}]\n");
        let marked = &text[data.offset()..data.offset() + data.len()];
        assert!(marked.contains(place) && marked.len() < place.len() + 30, "{call}: {marked:?}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The page of the library, made of what its modules say of themselves. `UPDATE_DOCS=1` writes it.
#[test]
fn the_page_of_the_library_is_up_to_date() {
    let mut page = "# The library\n\nModules that every file can load, whatever folder it is in. An argument that is wrong is refused\nwhere it is written. What the functions give are ordinary objects: a copy with other fields is made by\ncalling it, as with every job.\n\n<!-- Made of the texts in stdlib/ by the tests: UPDATE_DOCS=1 cargo test -p aurora-eval stdlib -->\n"
        .to_owned();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("stdlib"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let about = docstring(&text).unwrap_or_else(|| panic!("{name} says nothing of itself"));
        page += &format!("\n## {name}\n\n{about}\n");
        let example = root().join("examples/stdlib").join(name);
        if example.exists() {
            page += &format!("\nExample: [examples/stdlib/{name}](../examples/stdlib/{name}).\n");
        }
        for part in text.split("\ndef ").skip(1) {
            if part.starts_with('_') {
                continue;
            }
            let (signature, body) = part.split_once("):\n").unwrap();
            let said =
                docstring(body).unwrap_or_else(|| panic!("{name}: {signature} is undocumented"));
            let function = signature.split('(').next().unwrap();
            let signature = signature.split_whitespace().collect::<Vec<_>>().join(" ");
            let signature = signature.replace("( ", "(").trim_end_matches([' ', ',']).to_owned();
            for argument in arguments(&signature) {
                assert!(said.contains(&argument), "{name}: {function} does not explain {argument}");
            }
            page += &format!(
                "\n### `{function}`\n\n```\n{}\n```\n\n{}\n",
                wrapped(&signature),
                listed(&said)
            );
        }
    }
    let path = root().join("docs/stdlib.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/stdlib.md is out of date: run this test with UPDATE_DOCS=1");
}

/// The text between the first quotes, without the indentation of its lines.
fn docstring(text: &str) -> Option<String> {
    let inside = text.trim_start().strip_prefix("\"\"\"")?;
    let indented = text.starts_with(' ');
    let inside = inside.split("\"\"\"").next()?;
    let lines = inside
        .lines()
        .map(|line| if indented { line.strip_prefix("  ").unwrap_or(line) } else { line });
    Some(lines.collect::<Vec<_>>().join("\n").trim_end().to_owned())
}

/// The names of what a function takes.
fn arguments(signature: &str) -> Vec<String> {
    let inside = signature.split_once('(').map_or("", |(_, inside)| inside);
    let mut depth = 0;
    let mut names = vec![String::new()];
    for letter in inside.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ => names.last_mut().unwrap().push(letter),
        }
    }
    names
        .iter()
        .map(|name| name.split('=').next().unwrap().trim().trim_start_matches('*').to_owned())
        .collect()
}

/// A long signature on several lines.
fn wrapped(signature: &str) -> String {
    let mut lines = vec![String::new()];
    for word in signature.split_inclusive(", ") {
        if lines.last().unwrap().len() + word.trim_end().len() > 98 {
            lines.push("    ".to_owned());
        }
        lines.last_mut().unwrap().push_str(word);
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n") + ")"
}

/// The explanations of arguments as a list.
fn listed(text: &str) -> String {
    let Some((before, arguments)) = text.split_once("\n\n") else { return text.to_owned() };
    let lines = arguments.lines().map(|line| match line.split_once(": ") {
        Some((names, rest)) if !line.starts_with(' ') => {
            let names = names.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>();
            format!("- {}: {rest}", names.join(", "))
        }
        _ => match line.strip_prefix("  ") {
            Some(rest) => format!("  {rest}"),
            None => format!("- {line}"),
        },
    });
    format!("{before}\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}
