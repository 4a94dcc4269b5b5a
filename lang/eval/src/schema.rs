//! The structs of the language as one table (`dsl.md` 5).

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_template::object::{Kind, Object};
use aurora_template::types::{ChoiceType, EnumType, Field, Plain, StructType, Type};

/// Every struct type and the objects that stand beside them, by the names files use.
pub(crate) struct Schema {
    types: BTreeMap<&'static str, Arc<StructType>>,
    /// Ready-made objects: `Service`, `DefaultLifecycleConfig`, …
    pub(crate) objects: Vec<(&'static str, Object)>,
}

impl Schema {
    /// The struct of a name; [`None`] if there is none.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<StructType>> {
        self.types.get(name)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = (&'static str, &Arc<StructType>)> {
        self.types.iter().map(|(name, ty)| (*name, ty))
    }
}

/// A field's type and whether it must be given, or what it is when it is not.
enum Spec {
    Optional(Type),
    Required(Type),
    Default(Type, Plain),
    Object(Type, Object),
}

use Spec::{Default as D, Object as O, Optional as Opt, Required as R};

const S: Type = Type::String;
const I: Type = Type::Integer;
const F: Type = Type::Float;
const B: Type = Type::Boolean;

fn list(element: Type) -> Type {
    Type::List(Arc::new(element))
}

fn map(key: Type, value: Type) -> Type {
    Type::Map(Arc::new((key, value)))
}

fn one_of(name: &'static str, values: &'static [&'static str]) -> Type {
    Type::Enum(Arc::new(EnumType { name, values }))
}

fn choice(name: &'static str, alternatives: Vec<Type>) -> Type {
    Type::Choice(Arc::new(ChoiceType { name, alternatives }))
}

fn text(value: &str) -> Plain {
    Plain::Text(value.to_owned())
}

/// Defaults are of their field's type, so building one cannot fail; one that did would be absent,
/// which the test of the table would show.
fn field(name: &'static str, spec: Spec) -> Field {
    match spec {
        Opt(ty) => Field { name, ty, required: false, default: None },
        R(ty) => Field { name, ty, required: true, default: None },
        D(ty, value) => {
            let default = ty.build(value, None).ok();
            Field { name, ty, required: false, default }
        }
        O(ty, object) => Field { name, ty, required: false, default: Some(object) },
    }
}

struct Table(BTreeMap<&'static str, Arc<StructType>>);

impl Table {
    fn add(&mut self, name: &'static str, fields: Vec<(&'static str, Spec)>) -> Type {
        let fields = fields.into_iter().map(|(name, spec)| field(name, spec)).collect();
        let ty = Arc::new(StructType { name: name.to_owned(), fields });
        self.0.insert(name, ty.clone());
        Type::Struct(ty)
    }
}

fn object(ty: &Type, fields: Vec<(&str, Plain)>) -> Object {
    let fields = fields.into_iter().map(|(name, value)| (text(name), value)).collect();
    match ty.build(Plain::Map(fields), None) {
        Ok(object) => object,
        Err(_) => Object::new(ty.clone(), Kind::Struct(Vec::new()), None),
    }
}

/// The table.
#[expect(clippy::too_many_lines, reason = "one table, to be read beside the specification's")]
pub(crate) fn schema() -> Schema {
    let mut t = Table(BTreeMap::new());
    let n = Plain::Int;

    let resources =
        t.add("Resources", vec![("cpu", R(F)), ("ram", R(I)), ("disk", R(I)), ("gpu", D(I, n(0)))]);
    let rotate =
        t.add("RotatePolicy", vec![("log_size", D(I, n(100 << 20))), ("backups", D(I, n(5)))]);
    let logger = t.add(
        "Logger",
        vec![
            (
                "destination",
                D(one_of("LoggerDestination", &["file", "console", "both", "none"]), text("file")),
            ),
            ("mode", D(one_of("LoggerMode", &["standard", "rotate"]), text("standard"))),
            ("rotate", Opt(rotate)),
        ],
    );
    let process = t.add(
        "Process",
        vec![
            ("cmdline", R(S)),
            ("name", R(S)),
            ("resources", Opt(resources.clone())),
            ("max_failures", D(I, n(1))),
            ("daemon", D(B, Plain::Bool(false))),
            ("ephemeral", D(B, Plain::Bool(false))),
            ("min_duration", D(I, n(5))),
            ("final", D(B, Plain::Bool(false))),
            ("logger", Opt(logger)),
        ],
    );
    let constraint = t.add("Constraint", vec![("order", Opt(list(S)))]);
    let task = t.add(
        "Task",
        vec![
            ("name", D(S, text("{{processes[0].name}}"))),
            ("processes", Opt(list(process))),
            ("constraints", D(list(constraint), Plain::List(Vec::new()))),
            ("resources", Opt(resources)),
            ("max_failures", D(I, n(1))),
            ("max_concurrency", D(I, n(0))),
            ("finalization_wait", D(I, n(30))),
            ("user", Opt(S)),
        ],
    );

    let queue = t.add("QueueUpdateStrategy", vec![("batch_size", D(I, n(1)))]);
    let batch = t.add(
        "BatchUpdateStrategy",
        vec![("batch_size", D(I, n(1))), ("autopause_after_batch", D(B, Plain::Bool(false)))],
    );
    let variable = t.add(
        "VariableBatchUpdateStrategy",
        vec![("batch_sizes", R(list(I))), ("autopause_after_batch", D(B, Plain::Bool(false)))],
    );
    let update = t.add(
        "UpdateConfig",
        vec![
            ("batch_size", D(I, n(1))),
            ("watch_secs", D(I, n(45))),
            ("max_per_shard_failures", D(I, n(0))),
            ("max_total_failures", D(I, n(0))),
            ("rollback_on_failure", D(B, Plain::Bool(true))),
            ("wait_for_batch_completion", D(B, Plain::Bool(false))),
            ("pulse_interval_secs", Opt(I)),
            ("sla_aware", D(B, Plain::Bool(false))),
            ("update_strategy", Opt(choice("UpdateStrategy", vec![queue, batch, variable]))),
        ],
    );

    let http_checker = t.add(
        "HttpHealthChecker",
        vec![
            ("endpoint", D(S, text("/health"))),
            ("expected_response", D(S, text("ok"))),
            ("expected_response_code", D(I, n(0))),
        ],
    );
    let shell_checker = t.add("ShellHealthChecker", vec![("shell_command", R(S))]);
    let checker = t.add(
        "HealthCheckerConfig",
        vec![("http", Opt(http_checker.clone())), ("shell", Opt(shell_checker))],
    );
    let default_checker =
        object(&checker, vec![("http", Plain::Object(object(&http_checker, Vec::new())))]);
    let health = t.add(
        "HealthCheckConfig",
        vec![
            ("health_checker", O(checker, default_checker.clone())),
            ("initial_interval_secs", D(F, Plain::Float(15.0))),
            ("interval_secs", D(F, Plain::Float(10.0))),
            ("max_consecutive_failures", D(I, n(0))),
            ("min_consecutive_successes", D(I, n(1))),
            ("timeout_secs", D(F, Plain::Float(1.0))),
        ],
    );
    let announcer = t.add(
        "Announcer",
        vec![
            ("primary_port", D(S, text("http"))),
            ("portmap", D(map(S, S), Plain::Map(vec![(text("aurora"), text("{{primary_port}}"))]))),
            ("zk_path", Opt(S)),
        ],
    );
    let http_lifecycle = t.add(
        "HttpLifecycleConfig",
        vec![
            ("port", D(S, text("health"))),
            ("graceful_shutdown_endpoint", D(S, text("/quitquitquit"))),
            ("graceful_shutdown_wait_secs", D(I, n(5))),
            ("shutdown_endpoint", D(S, text("/abortabortabort"))),
            ("shutdown_wait_secs", D(I, n(5))),
        ],
    );
    let lifecycle = t.add("LifecycleConfig", vec![("http", Opt(http_lifecycle.clone()))]);
    let default_lifecycle =
        object(&lifecycle, vec![("http", Plain::Object(object(&http_lifecycle, Vec::new())))]);
    let metadata = t.add("Metadata", vec![("key", R(S)), ("value", R(S))]);
    let parameter = t.add("Parameter", vec![("name", R(S)), ("value", R(S))]);
    let docker = t.add(
        "Docker",
        vec![("image", R(S)), ("parameters", D(list(parameter), Plain::List(Vec::new())))],
    );
    let wrapper = t.add("Container", vec![("docker", Opt(docker.clone()))]);
    let appc = t.add("AppcImage", vec![("name", R(S)), ("image_id", R(S))]);
    let docker_image = t.add("DockerImage", vec![("name", R(S)), ("tag", R(S))]);
    let volume = t.add(
        "Volume",
        vec![
            ("container_path", R(S)),
            ("host_path", R(S)),
            ("mode", R(one_of("Mode", &["RO", "RW"]))),
        ],
    );
    let mesos = t.add(
        "Mesos",
        vec![
            ("image", Opt(choice("Image", vec![appc, docker_image]))),
            ("volumes", D(list(volume), Plain::List(Vec::new()))),
        ],
    );
    let partition = t.add(
        "PartitionPolicy",
        vec![("reschedule", D(B, Plain::Bool(true))), ("delay_secs", D(I, n(0)))],
    );
    let percentage =
        t.add("PercentageSlaPolicy", vec![("percentage", R(F)), ("duration_secs", R(I))]);
    let count = t.add("CountSlaPolicy", vec![("count", R(I)), ("duration_secs", R(I))]);
    let coordinator = t.add(
        "CoordinatorSlaPolicy",
        vec![("coordinator_url", R(S)), ("status_key", D(S, text("drain")))],
    );
    let executor = t.add(
        "ExecutorConfig",
        vec![("name", D(S, text(aurora_model::job::AURORA_EXECUTOR))), ("data", D(S, text("")))],
    );

    let job = t.add(
        "Job",
        vec![
            ("name", D(S, text("{{task.name}}"))),
            ("role", R(S)),
            ("contact", Opt(S)),
            ("cluster", R(S)),
            ("environment", R(S)),
            ("instances", D(I, n(1))),
            ("task", R(task)),
            ("announce", Opt(announcer)),
            ("tier", Opt(S)),
            ("cron_schedule", Opt(S)),
            ("cron_collision_policy", D(S, text("KILL_EXISTING"))),
            ("update_config", O(update.clone(), object(&update, Vec::new()))),
            ("constraints", Opt(map(S, S))),
            ("service", D(B, Plain::Bool(false))),
            ("max_task_failures", D(I, n(1))),
            ("production", D(B, Plain::Bool(false))),
            ("priority", D(I, n(0))),
            ("health_check_config", O(health.clone(), object(&health, Vec::new()))),
            ("lifecycle", O(lifecycle.clone(), default_lifecycle.clone())),
            ("task_links", Opt(map(S, S))),
            ("enable_hooks", D(B, Plain::Bool(false))),
            ("metadata", D(list(metadata), Plain::List(Vec::new()))),
            ("executor_config", O(executor.clone(), object(&executor, Vec::new()))),
            ("partition_policy", Opt(partition)),
            ("sla_policy", Opt(choice("SlaPolicy", vec![coordinator, count, percentage]))),
            ("container", Opt(choice("Container", vec![wrapper, docker, mesos]))),
        ],
    );
    if let Type::Struct(ty) = &job {
        t.0.insert("MesosJob", ty.clone());
    }
    let objects = vec![
        ("Service", object(&job, vec![("service", Plain::Bool(true))])),
        ("DefaultHealthChecker", default_checker),
        ("DefaultLifecycleConfig", default_lifecycle),
        ("DisableLifecycle", object(&lifecycle, Vec::new())),
    ];
    Schema { types: t.0, objects }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_made_object_is_whole() {
        let schema = schema();
        for (name, object) in &schema.objects {
            assert!(matches!(object.kind(), Kind::Struct(fields) if !fields.is_empty()), "{name}");
        }
        let job = schema.get("Job").unwrap();
        for field in ["update_config", "health_check_config", "lifecycle", "executor_config"] {
            let default = job.fields[job.position(field).unwrap()].default.as_ref().unwrap();
            assert!(
                matches!(default.kind(), Kind::Struct(fields) if !fields.is_empty()),
                "{field}"
            );
        }
    }
}
