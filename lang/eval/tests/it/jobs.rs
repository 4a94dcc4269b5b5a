//! From a job to its request, rule by rule (`dsl.md` 8).

use std::path::Path;

use aurora_eval::{
    Disk, ExportOptions, Finding, Options, Report, evaluate, evaluate_json, evaluate_text, export,
};
use aurora_model::tiers::{Tier, Tiers};
use serde_json::{Value, json};

use crate::files::Files;

/// What is exported of a file.
fn exported(text: &str, options: &Options) -> Value {
    let config = evaluate_text("job.aurora", text, &Disk, options);
    let mut out = Vec::new();
    let owner = ExportOptions { owner: "me".to_owned(), ..ExportOptions::default() };
    export(config.as_deref(), &owner, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

const HEAD: &str = r#"
R = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB)
P = Process(name = "p", cmdline = "x")
T = Task(processes = [P], resources = R)
def cmd(text):
    return Task(processes = [Process(name = "p", cmdline = text)], resources = R)
J = Job(cluster = "c", role = "r", environment = "devel", name = "n", task = T)
"#;

/// What is exported of one job, an expression.
fn job(expression: &str) -> Value {
    let text = format!("{HEAD}jobs = [{expression}]\n");
    let file = exported(&text, &Options::default());
    assert!(file["error"].is_null(), "{expression}: {}", file["error"]);
    file["jobs"][0].clone()
}

#[test]
fn the_first_step_that_fails_decides() {
    let cases = [
        // Step 1.
        ("Job(role = 'r', environment = 'e', name = 'n', task = T)", "construct", "cluster"),
        ("J(task = Empty)", "construct", "task"),
        ("J(role = Empty)", "construct", "role"),
        ("J(task = Task(name = 't', resources = R))", "construct", "task.processes"),
        ("J(task = cmd('{{ x }}'))", "construct", "task.processes[0].cmdline"),
        ("J(task = T(max_failures = 'x'))", "construct", "task.max_failures"),
        ("J(task = T(max_failures = '{{x}}').bind(x = 1.5))", "construct", "task.max_failures"),
        // Step 4.
        ("J(instances = 'x')", "client_validation", "instances"),
        ("J(instances = 0)", "client_validation", "instances"),
        (
            "J(instances = 2, update_config = UpdateConfig(max_total_failures = 2))",
            "client_validation",
            "update_config.max_total_failures",
        ),
        ("J(instances = Empty)", "client_validation", "instances"),
        ("J(update_config = Empty)", "client_validation", "update_config"),
        ("J(health_check_config = Empty)", "client_validation", "health_check_config"),
        (
            "J(update_config = UpdateConfig(watch_secs = Empty))",
            "client_validation",
            "update_config.watch_secs",
        ),
        (
            "J(update_config = UpdateConfig(max_total_failures = '{{x}}'))",
            "client_validation",
            "update_config.max_total_failures",
        ),
        (
            "J(health_check_config = HealthCheckConfig(interval_secs = -0.5))",
            "client_validation",
            "health_check_config.interval_secs",
        ),
        (
            "J(instances = 100, constraints = {'dedicated': 'r/x'})",
            "client_validation",
            "update_config.max_total_failures",
        ),
        (
            "J(instances = '{{x}}', constraints = {'dedicated': 'r/x'})",
            "client_validation",
            "instances",
        ),
        ("J(constraints = {'host': '{{ x }}'})", "client_validation", "constraints"),
        // Step 5.
        ("J(announce = Announcer(portmap = {'x': 'x'}))", "client_validation", "announce.portmap"),
        (
            "J(announce = Announcer(portmap = {'a': 'b', 'b': 'c', 'c': 'b'}))",
            "client_validation",
            "announce.portmap",
        ),
        ("J(announce = Announcer(primary_port = ' 80 '))", "client_validation", "announce.portmap"),
        ("J(announce = Announcer(primary_port = '{{ x }}'))", "client_validation", "announce"),
        ("J(announce = Announcer(portmap = Empty))", "client_validation", "announce.portmap"),
        // Step 6.
        ("J(production = 'maybe')", "client_validation", "production"),
        ("J(production = Empty)", "client_validation", "production"),
        ("J(production = True, tier = '{{ x }}')", "client_validation", "tier"),
        // Step 7.
        ("J(tier = '{{ x }}')", "check", "tier"),
        ("J(instances = '{{x}}')", "check", "instances"),
        ("J(environment = Empty)", "check", "environment"),
        ("J(contact = '{{contact}}')", "check", "contact"),
        ("J(priority = '2.5')", "check", "priority"),
        ("J(priority = '{{mesos.instance}}')", "check", "priority"),
        ("J(container = Docker())", "check", "container"),
        // Step 8.
        ("J(name = Empty)", "convert", "name"),
        ("J(service = Empty)", "convert", "service"),
        ("J(executor_config = Empty)", "convert", "executor_config"),
        ("J(name = 'a b')", "convert", "name"),
        ("J(name = 'n\\n')", "convert", "name"),
        ("J(role = '{{x}}')", "convert", "role"),
        ("J(task = T(resources = Empty))", "convert", "task.resources"),
        ("J(task = T(resources = R(ram = 1)))", "convert", "task.resources.ram"),
        ("J(task = T(resources = R(cpu = 0)))", "convert", "task.resources.cpu"),
        ("J(task = T(resources = R(gpu = Empty)))", "convert", "task.resources.gpu"),
        ("J(priority = 4000000000)", "convert", "priority"),
        ("J(instances = 4000000000)", "convert", "instances"),
        ("J(priority = 99999999999999999999999)", "convert", "priority"),
        (
            "J(task = Task(processes = [P(min_duration = '99999999999999999999999')], resources = R))",
            "convert",
            "task.processes[0].min_duration",
        ),
        ("J(constraints = {'host': 'limit:'})", "convert", "constraints"),
        ("J(constraints = {'host': 'limit:4000000000'})", "convert", "constraints"),
        ("J(container = Container())", "convert", "container"),
        ("J(metadata = [Metadata(key = 'k', value = 'é')])", "convert", "metadata"),
        ("J(cron_collision_policy = 'never')", "convert", "cron_collision_policy"),
        ("J(task = cmd('{{x}}'))", "convert", "task.processes[0].cmdline"),
        ("J(task = cmd('{{thermos.ports.http}}'))", "convert", "task.processes[0].cmdline"),
        ("J(task = cmd('{{x[{{mesos.instance}}]}}'))", "convert", "task.processes[0].cmdline"),
        ("J(contact = '{{x}}')", "convert", "contact"),
        ("J(contact = '{{mesos.role}}{{mesos.environment}}')", "convert", "contact"),
        ("J(task = T(constraints = order('p', 'q')))", "convert", "task.constraints[0].order"),
        ("J(task = T(constraints = order('p', 'p')))", "convert", "task.constraints"),
    ];
    for (expression, stage, field) in cases {
        let job = job(expression);
        let error = &job["error"];
        assert_eq!(error["stage"], stage, "{expression}: {error}");
        let place = error["field"].as_str().unwrap_or_default();
        assert!(place.starts_with(field), "{expression}: {error}");
    }
}

#[test]
fn what_is_accepted() {
    let cases = [
        "J(lifecycle = Empty, metadata = Empty, enable_hooks = Empty)",
        "J(task = T(constraints = Empty))",
        "J(task = Task(name = 't', processes = [], resources = R))",
        "J(instances = 0, update_config = UpdateConfig(max_total_failures = -1))",
        "J(update_config = UpdateConfig(batch_size = 0))",
        "J(contact = '{{mesos.instance}} {{mesos.hostname}} {{thermos.task_id}} {{thermos.ports[a]}}')",
        "J(task = cmd('{{thermos.ports[a{{mesos.instance}}]}}'))",
        "J(task = cmd('{{thermos.user}} {{mesos.role}} {{mesos.cluster}}'))",
        "J(cluster = 'any text')",
        "J(cron_collision_policy = 'Cancel_New', cron_schedule = 'whenever')",
        "J(announce = Announcer(primary_port = 'unused', portmap = {}))",
        "J(task = T(constraints = order('no', 'such')))",
        "J(constraints = {'host': '!limit:x', 'rack': '', 'zone': 'limit: -1 '})",
    ];
    for expression in cases {
        let job = job(expression);
        assert!(job["error"].is_null(), "{expression}: {}", job["error"]);
        assert!(job["job_configuration"].is_object(), "{expression}");
    }
}

#[test]
fn each_interpolation_takes_away_one_escape() {
    let cmdline = |job: &Value| {
        job.pointer("/job_configuration/taskConfig/executorConfig/data/task/processes/0/cmdline")
            .cloned()
    };
    for (text, told) in [
        ("{{&x}}", Some("1")),
        ("{{&&x}}", Some("1")),
        ("{{&&&x}}", Some("{{x}}")),
        ("{{&thermos.ports[http]}}", Some("{{thermos.ports[http]}}")),
        ("{{instances}}", Some("1")),
    ] {
        let job = job(&format!("J(task = cmd('{text}')).bind(x = 1)"));
        assert_eq!(cmdline(&job), told.map(Value::from), "{text}: {}", job["error"]);
    }
    for (count, accepted) in [(1, false), (4, false), (5, true)] {
        let job = job(&format!("J(task = cmd('{{{{{}x}}}}'))", "&".repeat(count)));
        assert_eq!(job["error"].is_null(), accepted, "{count}: {}", job["error"]);
        if accepted {
            assert_eq!(cmdline(&job), Some("{{&&x}}".into()));
        }
        assert_eq!(job["unbound"], json!([]), "the first interpolation has no open reference");
    }
    assert_eq!(job("J(contact = '{{&x}}')")["error"]["stage"], "convert");
    let twice = job("J(contact = '{{&&x}}')");
    assert_eq!(twice["job_configuration"]["taskConfig"]["contactEmail"], "{{x}}");
    // What is bound to the task or the process is there each time, too.
    let near = job("J(task = cmd('{{&x}}').bind(x = 2))");
    assert_eq!(cmdline(&near), Some("2".into()), "{}", near["error"]);
}

#[test]
fn ports_are_those_of_processes_and_of_the_announcement() {
    let cases = [
        ("J(task = cmd('{{thermos.ports[a]}} {{thermos.ports[8080]}}'))", json!(["8080", "a"])),
        ("J(contact = '{{thermos.ports[a]}}')", json!([])),
        ("J(announce = Announcer())", json!(["http"])),
        ("J(announce = Announcer(primary_port = 'p'))", json!(["p"])),
        (
            "J(task = cmd('{{thermos.ports[a]}}'), announce = Announcer(portmap = {'a': 'b', 'b': 'c'}))",
            json!(["c"]),
        ),
        (
            "J(constraints = {'dedicated': 'r/x'}, task = cmd('{{thermos.ports[a]}}'),
               announce = Announcer(portmap = {'a': 'b', 'b': '80'}))",
            json!([]),
        ),
        ("J(task = cmd('{{thermos.ports[a{{mesos.instance}}]}}'))", json!([])),
    ];
    for (expression, ports) in cases {
        let job = job(expression);
        assert_eq!(job["ports"], ports, "{expression}: {}", job["error"]);
    }
}

#[test]
fn the_request_says_it_in_the_words_of_the_interface() {
    let job = job(
        "J(instances = 3, service = True, priority = 7, contact = 'a@b', tier = 'preferred',
           cron_schedule = '* * * * *', cron_collision_policy = 'cancel_new',
           constraints = {'zone': '!b,a, ,', 'host': 'limit:2', 'abc': 'x'},
           metadata = [Metadata(key = 'b', value = '1'), Metadata(key = 'a', value = '2'),
                       Metadata(key = 'b', value = '1')],
           partition_policy = PartitionPolicy(delay_secs = 5),
           sla_policy = PercentageSlaPolicy(percentage = 99.5, duration_secs = 60),
           container = Mesos(image = DockerImage(name = 'i', tag = 't'),
                             volumes = [Volume(container_path = '/c', host_path = '/h', mode = 'RO')]),
           task = T(resources = R(cpu = 0.3333333333, gpu = 2, ram = 3 * MB - 1)))",
    );
    let request = &job["job_configuration"];
    assert!(request.is_object(), "{}", job["error"]);
    let expected = json!({
        "key": {"role": "r", "environment": "devel", "name": "n"},
        "owner": {"user": "me"},
        "cronSchedule": "* * * * *",
        "cronCollisionPolicy": "CANCEL_NEW",
        "instanceCount": 3,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(request[field], *value, "{field}");
    }
    let expected = json!({
        "job": {"role": "r", "environment": "devel", "name": "n"},
        "owner": {"user": "me"},
        "isService": true,
        "production": false,
        "priority": 7,
        "maxTaskFailures": 1,
        "contactEmail": "a@b",
        "tier": "preferred",
        "resources": [
            {"diskMb": 64}, {"numCpus": 0.3333333333}, {"numGpus": 2}, {"ramMb": 2},
        ],
        "constraints": [
            {"constraint": {"limit": {"limit": 2}}, "name": "host"},
            {"constraint": {"value": {"negated": false, "values": ["x"]}}, "name": "abc"},
            {"constraint": {"value": {"negated": true, "values": ["", " ", "a", "b"]}}, "name": "zone"},
        ],
        "container": {"mesos": {
            "image": {"docker": {"name": "i", "tag": "t"}},
            "volumes": [{"containerPath": "/c", "hostPath": "/h", "mode": "RO"}],
        }},
        "metadata": [{"key": "a", "value": "2"}, {"key": "b", "value": "1"}],
        "partitionPolicy": {"reschedule": true, "delaySecs": 5},
        "slaPolicy": {"percentageSlaPolicy": {"percentage": 99.5, "durationSecs": 60}},
        "taskLinks": {},
    });
    let mut task = request["taskConfig"].as_object().unwrap().clone();
    let executor = task.remove("executorConfig").unwrap();
    assert_eq!(Value::from(task), expected);
    let data = &executor["data"];
    assert_eq!(executor["name"], "AuroraExecutor");
    assert!(data["instances"].is_null() && data["update_config"].is_null(), "{data}");
    assert_eq!(data["task"]["resources"]["ram"], 3 * 1024 * 1024 - 1);
}

#[test]
fn updates_send_sensible_settings() {
    let settings = |expression: &str| {
        let job = job(&format!("J(instances = 9, update_config = UpdateConfig({expression}))"));
        (job["update_settings"].clone(), job["update_settings_error"].clone())
    };
    let cases = [
        ("batch_size = 3", 3, false, json!({"queueStrategy": {"groupSize": 3}})),
        (
            "batch_size = 3, wait_for_batch_completion = True",
            3,
            true,
            json!({"batchStrategy": {"groupSize": 3, "autopauseAfterBatch": false}}),
        ),
        (
            "update_strategy = QueueUpdateStrategy(batch_size = 4)",
            4,
            false,
            json!({"queueStrategy": {"groupSize": 4}}),
        ),
        (
            "update_strategy = BatchUpdateStrategy(batch_size = 5, autopause_after_batch = True)",
            5,
            true,
            json!({"batchStrategy": {"groupSize": 5, "autopauseAfterBatch": true}}),
        ),
        (
            "update_strategy = VariableBatchUpdateStrategy(batch_sizes = [1, 2])",
            1,
            false,
            json!({"varBatchStrategy": {"groupSizes": [1, 2], "autopauseAfterBatch": false}}),
        ),
        (
            "update_strategy = {'batch_size': 2}",
            2,
            false,
            json!({"queueStrategy": {"groupSize": 2}}),
        ),
    ];
    for (expression, size, waits, strategy) in cases {
        let (settings, error) = settings(expression);
        assert!(error.is_null(), "{expression}: {error}");
        assert_eq!(settings["updateGroupSize"], size, "{expression}");
        assert_eq!(settings["waitForBatchCompletion"], waits, "{expression}");
        assert_eq!(settings["updateStrategy"], strategy, "{expression}");
    }
    for (expression, field) in [
        ("batch_size = 0", "update_config.batch_size"),
        ("watch_secs = -1", "update_config.watch_secs"),
        ("watch_secs = 3000000", "update_config.watch_secs"),
        ("pulse_interval_secs = 59", "update_config.pulse_interval_secs"),
        ("batch_size = Empty", "update_config.batch_size"),
        (
            "wait_for_batch_completion = True, update_strategy = QueueUpdateStrategy()",
            "update_config.wait_for_batch_completion",
        ),
        ("batch_size = 2, update_strategy = QueueUpdateStrategy()", "update_config.batch_size"),
    ] {
        let (settings, error) = settings(expression);
        assert!(settings.is_null(), "{expression}: {settings}");
        assert_eq!(error["field"], field, "{expression}: {error}");
    }
}

#[test]
fn elements_of_the_list_that_are_no_jobs() {
    let file = format!("{HEAD}jobs = [J, T, 3]\n");
    let all = exported(&file, &Options::default());
    assert!(all["error"].is_null() && all["jobs"][0]["error"].is_null(), "{}", all["error"]);
    for job in [&all["jobs"][1], &all["jobs"][2]] {
        assert_eq!(job["error"]["stage"], "construct");
        assert_eq!(job["key"], json!([null, null, null, null]));
    }
    let bound = Options { bindings: vec!["x=1".parse().unwrap()], ..Options::default() };
    assert_eq!(exported(&file, &bound)["error"]["stage"], "jobs", "nothing can be bound on 3");
    assert!(exported(&file.replace(", 3]", "]"), &bound)["error"].is_null());
    for (jobs, stage) in [("jobs = []", "jobs"), ("job = 1", "jobs"), ("jobs = J", "jobs")] {
        let file = exported(&format!("{HEAD}{jobs}\n"), &Options::default());
        assert_eq!(file["error"]["stage"], stage, "{jobs}");
    }
}

#[test]
fn production_jobs_are_told_by_their_tier_or_else_by_what_is_set() {
    for (fields, wanted) in [
        ("", false),
        ("production = True", true),
        ("tier = 'preferred'", true),
        ("tier = 'preemptible', production = True", false),
        ("tier = '{{x}}'", false),
        ("production = False", false),
    ] {
        let text = format!("jobs = [Job(name = 'a', {fields})]\n");
        let config = evaluate_text("job.aurora", &text, &Disk, &Options::default()).unwrap();
        assert_eq!(config.jobs()[0].is_production(), wanted, "{fields}");
    }
}

#[test]
fn jobs_written_as_json() {
    let job = json!({"cluster": "c", "role": "r", "environment": "devel", "name": "n",
        "task": {"processes": [{"name": "p", "cmdline": "echo {{role}} {{x}}"}],
                 "resources": {"cpu": 1, "ram": 1_048_576, "disk": 1_048_576}}});
    let options = Options { bindings: vec!["x=1".parse().unwrap()], ..Options::default() };
    for text in [job.to_string(), json!({"jobs": [job]}).to_string()] {
        let config = evaluate_json("job.json", &text, &options).unwrap();
        let ready = config.jobs()[0].ready("me").unwrap();
        assert_eq!(ready.config.task.processes[0].cmdline, "echo r 1");
    }
    for (text, message) in [
        ("{", "no JSON"),
        ("{\"jobs\": []}", "no jobs"),
        (&json!({"clustr": "c"}).to_string(), "clustr"),
        (&json!({"task": {"processes": [{"cmdlin": "x"}]}}).to_string(), "cmdlin"),
        ("{\"jobs\": [[]]}", "Job"),
    ] {
        let error = evaluate_json("job.json", text, &options).unwrap_err();
        assert!(error.message().contains(message), "{text}: {error}");
    }
}

#[test]
fn several_faults_are_told_at_once_in_the_order_of_the_steps() {
    let job = job(
        "J(name = 'a b', instances = 0, environment = Empty, task = T(resources = R(disk = Empty)))",
    );
    let fields: Vec<&str> =
        job["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    assert_eq!(fields, ["instances", "environment", "task.resources.disk"], "{}", job["errors"]);
}

#[test]
fn the_executor_is_told_the_tier_of_the_cluster() {
    let text = format!("{HEAD}jobs = [J(production = True)]\n");
    let config = evaluate_text("job.aurora", &text, &Disk, &Options::default()).unwrap();
    let ready = config.jobs()[0].ready("me").unwrap();
    assert_eq!(ready.request.task.tier, None);
    let preferred = Tier { name: "best".to_owned(), preemptible: false, revocable: false };
    let tiers = Tiers { tiers: vec![preferred], default: "best".to_owned() };
    let ready = ready.in_tiers(&tiers).unwrap();
    let task = &ready.request.task;
    assert_eq!((task.tier.as_deref(), task.production), (Some("best"), true));
    assert!(task.executor.as_ref().unwrap().data.contains(r#""tier":"best""#));
}

/// What is told of one job: the code, the message, what mends it, and what else has to do with it.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let options = Options::default();
    let reports = match evaluate(Path::new("job.aurora"), &Files(files), &options) {
        Ok(config) => config.check("me", None),
        Err(report) => vec![report],
    };
    let findings = reports.iter().flat_map(Report::findings);
    let one = |found: Finding| {
        let fixes = found.fixes.iter().flat_map(|fix| {
            fix.edits.iter().map(|edit| {
                let name = &edit.location.file;
                let text = files.iter().find(|(file, _)| file == name).map_or("", |(_, text)| text);
                let (start, end) = (edit.location.start.offset, edit.location.end.offset);
                format!(" [{} -> {}]", &text[start..end], edit.text)
            })
        });
        let related = found.related.iter().map(|label| format!(" ({})", label.message));
        let more: String = fixes.chain(related).collect();
        format!("{}{more}", found.code)
    };
    findings.map(one).collect()
}

#[test]
fn what_becomes_a_reference_uses_what_is_bound() {
    let text = |cmdline: &str| format!("{HEAD}jobs = [J(task = cmd('{cmdline}')).bind(x = '1')]\n");
    for (cmdline, wanted) in
        [("{{&x}}", &[][..]), ("{{&&x}}", &[]), ("{{x}}", &[]), ("y", &["unused-binding"])]
    {
        assert_eq!(told(&[("job.aurora", &text(cmdline))]), wanted, "{cmdline}");
    }
}

#[test]
fn references_that_are_put_together_use_what_they_come_to() {
    let text = |bound: &str| {
        format!(
            "{HEAD}jobs = [J(task = cmd('{{{{x_{{{{y}}}}}}}}')).bind(y = 'a', x_a = '1'{bound})]\n"
        )
    };
    assert_eq!(told(&[("job.aurora", &text(""))]), Vec::<String>::new());
    assert_eq!(told(&[("job.aurora", &text(", z_a = '2'"))]), ["unused-binding"]);
}

#[test]
fn what_is_wrong_with_references_and_sizes_can_be_mended() {
    let process = |cmdline: &str| format!("J(task = T(processes = [P(cmdline = '{cmdline}')]))");
    for (job, wanted) in [
        (process("a {{ name }}"), "bad-reference [{{ name }} -> {{name}}]"),
        (process("a {{nmae}}"), "unbound-reference [{{nmae}} -> {{name}}]"),
        (
            process("{{mesos.instnce}}"),
            "unbound-reference [{{mesos.instnce}} -> {{mesos.instance}}]",
        ),
        ("J(task = T(resources = R(ram = 64)))".to_owned(), "bad-resources [64 -> 64 * MB]"),
        ("J(task = T(resources = R(ram=64)))".to_owned(), "bad-resources [64 -> 64 * MB]"),
        ("J(task = T(resources = R(ram = 8 * 8)))".to_owned(), "bad-resources"),
    ] {
        let text = format!("{HEAD}jobs = [{job}]\n");
        assert_eq!(told(&[("job.aurora", &text)]), [wanted], "{job}");
    }
}

#[test]
fn what_is_wrong_in_another_file_names_the_job() {
    let lib = format!("{HEAD}K = J(task = cmd('{{{{who}}}}'))\n");
    let main = "include('lib.aurora')\njobs = [J, K(name = 'k')]\n";
    let found = told(&[("job.aurora", main), ("lib.aurora", &lib)]);
    assert_eq!(found, ["unbound-reference (in the job c/r/devel/k)"]);
}
