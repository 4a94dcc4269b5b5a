//! What pipelines run, taken from the examples of docs/ci and run as they run it.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::{Ran, role, service, wait_for};

fn key() -> String {
    format!("test/{}/prod/web", role())
}

/// One of the examples.
fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci").join(name);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A step's shell, which finds this program and nothing of the machine's clusters.
fn bash(cluster: &Cluster, script: &str) -> Command {
    let home = cluster.home.path();
    let bin = home.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_aurora"), bin.join("aurora")).unwrap();
    }
    let mut command = Command::new("bash");
    command
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("AURORA_CONFIG_ROOT", home)
        .current_dir(home);
    command
}

/// What stands between `${{` and `}}`, with its value in place.
fn expanded(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        let (name, behind) = behind.split_once("}}").unwrap();
        let value =
            values.get(name.trim()).unwrap_or_else(|| panic!("{name} of {text:?} is not known"));
        out.push_str(before);
        out.push_str(value);
        rest = behind;
    }
    out + rest
}

/// Runs the GitHub action: all of its steps until one fails. Gives how the last one has ended and all values.
fn action(cluster: &Cluster, given: &[(&str, &str)]) -> (Ran, BTreeMap<String, String>) {
    let action = example("action.yml");
    let home = cluster.home.path();
    let mut values = BTreeMap::from([
        ("github.sha".to_owned(), "0a1b2c".to_owned()),
        ("github.repository".to_owned(), "acme/web".to_owned()),
    ]);
    for (name, input) in action["inputs"].as_object().unwrap() {
        let given = given.iter().find(|(of, _)| of == name).map(|(_, value)| *value);
        let value =
            given.or(input["default"].as_str()).unwrap_or_else(|| panic!("{name} is required"));
        values.insert(format!("inputs.{name}"), expanded(value, &values));
    }
    let mut last = None;
    for step in action["runs"]["steps"].as_array().unwrap() {
        if let Some(condition) = step["if"].as_str() {
            let (name, wanted) = condition.split_once(" == ").unwrap();
            if values[name] != wanted.trim_matches('\'') {
                continue;
            }
        }
        let output = home.join("github-output");
        std::fs::write(&output, "").unwrap();
        assert_eq!(step["shell"], "bash");
        let mut command = bash(cluster, step["run"].as_str().unwrap());
        command
            .env("RUNNER_TEMP", home)
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", home.join("github-summary"));
        for (name, value) in step["env"].as_object().unwrap() {
            command.env(name, expanded(value.as_str().unwrap(), &values));
        }
        let ran = Ran(command.output().unwrap());
        for line in std::fs::read_to_string(&output).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            values.insert(
                format!("steps.{}.outputs.{name}", step["id"].as_str().unwrap()),
                value.to_owned(),
            );
        }
        let has_failed = ran.code() != 0;
        last = Some(ran);
        if has_failed {
            break;
        }
    }
    (last.unwrap(), values)
}

/// Writes the file that is deployed.
fn write(cluster: &Cluster, command: &str, watch_secs: u32) {
    let update =
        format!("update_config = UpdateConfig(watch_secs = {watch_secs}), environment = 'prod'");
    let text = service(&role(), "web", 1, command).replace("environment = 'prod'", &update);
    cluster.home.file("web.aurora", &text);
}

#[test]
fn the_github_action_plans_and_deploys() {
    let cluster = Cluster::start();
    let (key, at) = (key(), cluster.scheduler_address());
    // A plan finds the scheduler by the runner's file.
    let clusters = format!("[{{\"name\": \"test\", \"scheduler_uri\": \"{at}\"}}]");
    cluster.home.file("clusters.json", &clusters);
    let run = |mode: &str| {
        let at = if mode == "plan" { "" } else { at.as_str() };
        let given =
            [("job", key.as_str()), ("file", "web.aurora"), ("scheduler", at), ("mode", mode)];
        action(&cluster, &given)
    };
    write(&cluster, "exec sleep 1000", 0);
    let (ran, values) = run("plan");
    assert!(ran.expect(0).out().contains("would be created"));
    assert_eq!(values["steps.plan.outputs.changes"], "true");
    assert!(cluster.active(&key).is_empty(), "a plan deploys nothing");

    let (ran, values) = run("deploy");
    ran.expect(0);
    assert_eq!(values["steps.deploy.outputs.result"], "deployed");
    let id = &values["steps.deploy.outputs.update-id"];
    let info = cluster.run(&["update", "info", &key, id]).expect(0).out();
    assert!(info.contains("message: acme/web 0a1b2c\n"), "{info}");
    assert!(info.contains("org.apache.aurora.client.idempotency_key: 0a1b2c\n"), "{info}");
    cluster.wait_running(&key, 1);
    let summary = std::fs::read_to_string(cluster.home.path().join("github-summary")).unwrap();
    assert!(
        summary.contains("```diff\n") && summary.contains("\"result\": \"deployed\""),
        "{summary}"
    );

    let (ran, values) = run("deploy");
    ran.expect(0);
    assert_eq!(values["steps.plan.outputs.changes"], "false");
    assert_eq!(values["steps.deploy.outputs.result"], "unchanged");

    write(&cluster, "exit 3", 5);
    let (ran, values) = run("deploy");
    ran.expect(4);
    assert_eq!(values["steps.deploy.outputs.result"], "rolled_back");
    assert_eq!(values["steps.deploy.outputs.exit-code"], "4");

    cluster.home.file("web.aurora", "jobs = [");
    let (ran, values) = run("deploy");
    ran.expect(3);
    assert!(!values.contains_key("steps.plan.outputs.changes"), "the check ends it: {values:?}");
}

fn file(cluster: &Cluster) -> PathBuf {
    cluster.home.path().join("web.aurora")
}

fn plan_id(plan: &str) -> &str {
    plan.lines().find_map(|line| line.strip_prefix("Plan id: ")).unwrap()
}

#[test]
fn the_gitlab_jobs_plan_and_deploy() {
    let cluster = Cluster::start();
    let key = key();
    let pipeline = example("gitlab-ci.yml");
    let command = |job: &str| {
        let lines = pipeline[job]["script"].as_array().unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap().trim()).collect();
        let mut command = bash(&cluster, &lines.join("\n"));
        for (name, value) in [
            ("JOB", key.as_str()),
            ("FILE", "web.aurora"),
            ("CI_COMMIT_SHA", "3d4e5f"),
            ("CI_PROJECT_PATH", "acme/web"),
            ("AURORA_SCHEDULER", &cluster.scheduler_address()),
        ] {
            command.env(name, value);
        }
        command
    };
    let run = |job: &str| Ran(command(job).output().unwrap());
    for variable in pipeline["variables"].as_object().unwrap().keys() {
        assert!(["JOB", "FILE"].contains(&variable.as_str()), "{variable} is not set here");
    }
    write(&cluster, "exec sleep 1000", 0);
    let planned = run("plan").expect(0).out();
    assert!(planned.contains("would be created"), "{planned}");
    run("deploy").expect(0);
    cluster.wait_running(&key, 1);
    let summary = std::fs::read(cluster.home.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!((&summary["result"], &summary["job"]), (&"deployed".into(), &key.as_str().into()));
    // A step that is repeated follows what goes on.
    write(&cluster, "exec sleep 1500", 20);
    let planned = run("plan").expect(0).out();
    let mut lost = Process::start(&mut command("deploy"));
    lost.expect("ROLLING_FORWARD: ");
    wait_for("another plan", || {
        let now = cluster.run(&["plan", &key, file(&cluster).to_str().unwrap()]).expect(0).out();
        (plan_id(&now) != plan_id(&planned)).then_some(())
    });
    let again = run("deploy").expect(0).err();
    assert!(again.contains("This deployment goes on already"), "{again}");
    assert_eq!(lost.ended(), 0, "{:?}", lost.lines());
    // What was planned before the file changed is not deployed.
    run("plan").expect(0);
    write(&cluster, "exec sleep 2000", 0);
    let refused = run("deploy").expect(4).err();
    assert!(refused.contains("not what was planned"), "{refused}");
}
