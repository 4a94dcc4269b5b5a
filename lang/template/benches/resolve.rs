//! How long it takes to put references into place: a job of ten processes whose command lines go
//! through two levels of references, as `config export` does it for every job of a file.

#![allow(clippy::panic, reason = "a benchmark that cannot be set up ends")]

use std::sync::Arc;

use aurora_template::environment::Environment;
use aurora_template::object::{Object, Scope};
use aurora_template::render::{check, to_json};
use aurora_template::scope::resolve;
use aurora_template::types::{Field, Plain, StructType, Type};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const COMMAND: &str = "fetch {{profile[url]}} && exec ./{{profile[package]}} {{profile[flags]}} \
    --name={{name}} --task={{task.name}} \
    --key={{cluster}}/{{role}}/{{environment}}/{{zone_{{environment}}}} --peer={{hosts[1]}} \
    --instance={{mesos.instance}} --port={{thermos.ports[http]}} --admin={{thermos.ports[admin]}} \
    --step=3 --greeting=\"{{greeting}}\"";

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

fn map(entries: &[(&str, Plain)]) -> Plain {
    Plain::Map(entries.iter().map(|(key, value)| (text(key), value.clone())).collect())
}

fn made<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

fn job_type() -> Type {
    let default = |name: &str, ty: Type, value: Plain| made(Field::with_default(name, ty, value));
    let process = StructType::new(
        "Process",
        vec![
            Field::required("name", Type::String),
            Field::required("cmdline", Type::String),
            default("max_failures", Type::Integer, Plain::Int(1)),
            default("daemon", Type::Boolean, Plain::Bool(false)),
            default("ephemeral", Type::Boolean, Plain::Bool(false)),
            default("min_duration", Type::Integer, Plain::Int(5)),
            default("final", Type::Boolean, Plain::Bool(false)),
        ],
    );
    let task = StructType::new(
        "Task",
        vec![
            default("name", Type::String, text("{{processes[0].name}}")),
            Field::optional("processes", made(Type::list(Type::Struct(made(process))))),
            default("max_failures", Type::Integer, Plain::Int(1)),
        ],
    );
    let job = StructType::new(
        "Job",
        vec![
            default("name", Type::String, text("{{task.name}}")),
            Field::required("role", Type::String),
            Field::required("cluster", Type::String),
            Field::required("environment", Type::String),
            Field::required("task", Type::Struct(made(task))),
            default("instances", Type::Integer, Plain::Int(1)),
            Field::optional("contact", Type::String),
        ],
    );
    Type::Struct(made(job))
}

fn job(ty: &Type, number: i64) -> Object {
    let processes = (0..10).map(|process| {
        map(&[
            ("name", Plain::Text(format!("p{process}"))),
            ("cmdline", text(COMMAND)),
            ("max_failures", Plain::Int(process + 1)),
        ])
    });
    let task = map(&[("processes", Plain::List(processes.collect()))]);
    let fields = map(&[
        ("cluster", text("c1")),
        ("role", text("team{{team}}")),
        ("environment", text("prod")),
        ("name", Plain::Text(format!("job-{number}"))),
        ("contact", text("{{role}}@{{cluster}}.example")),
        ("task", task),
    ]);
    let strings = made(Type::map(Type::String, Type::String));
    let hosts = made(Type::list(Type::String));
    let profile = map(&[
        ("package", text("pkg1")),
        ("version", text("1.1")),
        (
            "url",
            text(
                "http://repo.example/{{profile[package]}}/{{profile[version]}}/\
                 {{profile[package]}}-{{profile[version]}}.tgz",
            ),
        ),
        ("heap", text("512")),
        ("flags", text("-Xmx{{profile[heap]}}m -Dpackage={{profile[package]}}")),
    ]);
    let profile = Plain::Object(made(strings.build(profile, None)));
    let hosts = made(hosts.build(Plain::List(vec![text("h0"), text("h1"), text("h2")]), None));
    let mut names = Environment::default();
    let bound = [
        ("profile", profile),
        ("hosts", Plain::Object(hosts)),
        ("team", Plain::Int(number)),
        ("zone_prod", text("east")),
        ("zone_devel", text("west")),
        ("greeting", text("hello {{role}} in {{zone_{{environment}}}}")),
    ];
    made(names.add(bound.map(|(name, value)| (text(name), value)).into()));
    made(ty.build(fields, None)).bound(vec![Scope::Names(Arc::new(names))])
}

#[divan::bench]
fn resolve_a_job(bencher: Bencher<'_, '_>) {
    let job = job(&job_type(), 7);
    bencher.bench_local(|| resolve(black_box(&job)).object);
}

#[divan::bench]
fn check_a_job(bencher: Bencher<'_, '_>) {
    let job = resolve(&job(&job_type(), 7)).object;
    bencher.bench_local(|| check(black_box(&job)));
}

#[divan::bench]
fn json_of_a_job(bencher: Bencher<'_, '_>) {
    let job = resolve(&job(&job_type(), 7)).object;
    bencher.bench_local(|| to_json(black_box(&job)));
}

#[divan::bench]
fn build_a_job(bencher: Bencher<'_, '_>) {
    let ty = job_type();
    bencher.bench_local(|| job(black_box(&ty), 7));
}
