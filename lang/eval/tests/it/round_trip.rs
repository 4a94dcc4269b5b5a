//! What `config export` writes of a job is a job written as JSON: read again, it means the same.

use std::sync::Arc;

use aurora_eval::{
    Config, Disk, ExportOptions, Options, Report, evaluate_json, evaluate_text, export,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What of an exported job must be the same.
const PARTS: [&str; 7] =
    ["key", "interpolated", "unbound", "check", "ports", "job_configuration", "update_settings"];

fn exported(config: &Result<Arc<Config>, Report>) -> Value {
    let options = ExportOptions { owner: "someone".to_owned(), ..ExportOptions::default() };
    let mut out = Vec::new();
    export(config.as_deref(), &options, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// A text as a field may have it: references that stay open, letters of any script, line ends.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -z|~]{0,12}",
        1 => "[äß€𝄞\\n\\t]{1,3}",
        1 => Just("{{mesos.instance}}".to_owned()),
        1 => Just("{{thermos.ports[http]}}".to_owned()),
        1 => Just("{{thermos.task_id}}".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// A literal of the language: that of JSON is one.
fn literal(value: impl Into<Value>) -> String {
    value.into().to_string()
}

fn process(index: usize) -> impl Strategy<Value = String> {
    (text(), 0..5u32, any::<bool>(), any::<bool>(), 5..90u32).prop_map(
        move |(cmdline, failures, daemon, ephemeral, duration)| {
            let truth = |value: bool| if value { "True" } else { "False" };
            format!(
                "Process(name = 'p{index}', cmdline = {}, max_failures = {failures}, daemon = {}, \
                 ephemeral = {}, min_duration = {duration})",
                literal(cmdline),
                // Nothing can come after these.
                truth(daemon && index == 1),
                truth(ephemeral && index == 1),
            )
        },
    )
}

/// The arguments of a job beside those that every job has.
fn more() -> impl Strategy<Value = String> {
    let some = |strategy: BoxedStrategy<String>| prop::option::of(strategy);
    (
        some(text().prop_map(|text| format!("contact = {}", literal(text))).boxed()),
        some((1..50u32).prop_map(|n| format!("instances = {n}")).boxed()),
        some((0..9u32).prop_map(|n| format!("priority = {n}")).boxed()),
        some((-1..9i32).prop_map(|n| format!("max_task_failures = {n}")).boxed()),
        some(
            (1..9u32, 30..90u32)
                .prop_map(|(n, watch)| {
                    format!("update_config = UpdateConfig(batch_size = {n}, watch_secs = {watch})")
                })
                .boxed(),
        ),
        some(
            ("[a-z]{1,8}", "[a-z0-9]{1,8}(,[a-z]{1,4})?")
                .prop_map(|(name, value)| format!("constraints = {}", json!({ name: value })))
                .boxed(),
        ),
        some(
            ("[a-z]{1,8}", "[ -z]{0,12}")
                .prop_map(|(key, value)| {
                    let (key, value) = (literal(key), literal(value));
                    format!("metadata = [Metadata(key = {key}, value = {value})]")
                })
                .boxed(),
        ),
        some(Just("announce = Announcer(primary_port = 'http')".to_owned()).boxed()),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| {
            let given: Vec<String> = [a, b, c, d, e, f, g, h].into_iter().flatten().collect();
            given.join(", ")
        })
}

fn file() -> impl Strategy<Value = String> {
    let processes = (process(0), prop::option::of(process(1)));
    (prop_oneof![Just("Job"), Just("Service")], processes, 1..64u32, more()).prop_map(
        |(kind, (first, second), size, more)| {
            let processes: Vec<String> = std::iter::once(first).chain(second).collect();
            format!(
                "jobs = [{kind}(cluster = 'c', role = 'r', environment = 'prod', name = 'n', \
                 task = SequentialTask(name = 't', processes = [{}], resources = Resources(\
                 cpu = 0.{size}, ram = {size} * MB, disk = {size} * MB)), {more})]\n",
                processes.join(", "),
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_means_the_same_when_it_is_read(text in file()) {
        let options = Options::default();
        let before = exported(&evaluate_text("job.aurora", &text, &Disk, &options));
        // A job that is refused is none; nearly all are not.
        prop_assume!(before["jobs"][0]["error"].is_null());
        let job = before["jobs"][0]["interpolated"].to_string();
        let after = exported(&evaluate_json("job.json", &job, &options));
        for part in PARTS {
            let (before, after) = (&before["jobs"][0][part], &after["jobs"][0][part]);
            prop_assert_eq!(before, after, "{} of {}", part, text);
            prop_assert!(part == "unbound" || part == "ports" || !before.is_null(), "{}", part);
        }
    }
}
