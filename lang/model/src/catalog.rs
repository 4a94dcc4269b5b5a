//! Everything that is declared, by area: what the evaluator offers to files, and what the
//! reference has a page of.

use serde_json::{Value, json};

use crate::config::{
    Announcer, AppcImage, BatchUpdateStrategy, Constraint, Container, ContainerWrapper,
    CoordinatorSlaPolicy, CountSlaPolicy, Docker, DockerImage, ExecutorConfig, GrpcHealthChecker,
    HealthCheckConfig, HealthCheckerConfig, HttpHealthChecker, HttpLifecycleConfig, Image, Job,
    LifecycleConfig, Logger, LoggerDestination, LoggerMode, Mesos, MesosContext, MesosTaskInstance,
    Metadata, Parameter, PartitionPolicy, PercentageSlaPolicy, Process, QueueUpdateStrategy,
    ReadinessConfig, Resources, RotatePolicy, ShellHealthChecker, SlaPolicy, Task,
    TcpHealthChecker, ThermosContext, UpdateConfig, UpdateStrategy, VariableBatchUpdateStrategy,
    Volume, VolumeMode,
};
use crate::declare::{ChoiceDecl, Declared, Doc, EnumDecl, StructDecl, TypeDecl};

/// Declarations that belong together: a page of the reference.
#[derive(Debug)]
pub struct Area {
    /// The name of the page's file, without ending.
    pub page: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What one should know first.
    pub intro: &'static str,
    /// Its structs, enumerations and choices, in the order in which they are explained.
    pub types: &'static [TypeDecl],
}

/// An object that files find ready-made.
#[derive(Debug)]
pub struct ObjectDecl {
    /// The name that files use.
    pub name: &'static str,
    /// The struct it is of.
    pub ty: &'static StructDecl,
    /// What it is.
    pub doc: Doc,
    /// The fields that are given.
    pub fields: fn() -> Value,
}

/// The areas of the language.
pub static AREAS: &[Area] = &[
    Area {
        page: "jobs",
        title: "Jobs",
        intro: "A file lists its jobs in `jobs`. `Job(…)` makes a batch job, `Service(…)` one that \
                runs for ever; a job is called like a function to make a copy with other fields, as \
                in `base(instances = 2)`.",
        types: &[Job::TYPE, Metadata::TYPE, ExecutorConfig::TYPE],
    },
    Area {
        page: "tasks",
        title: "Tasks and processes",
        intro: "A job has one task, which is what each of its instances runs: processes in one \
                sandbox. `SimpleTask`, `SequentialTask` and `Tasks.…` make tasks of less text; see \
                [functions](functions.md).",
        types: &[
            Task::TYPE,
            Process::TYPE,
            Resources::TYPE,
            Constraint::TYPE,
            Logger::TYPE,
            LoggerDestination::TYPE,
            LoggerMode::TYPE,
            RotatePolicy::TYPE,
        ],
    },
    Area {
        page: "updates",
        title: "Updates",
        intro: "How the running instances of a job are replaced by those of a new version. It is \
                part of the job, as `update_config`, but no part of what instances are told: a \
                change of it alone restarts nothing.",
        types: &[
            UpdateConfig::TYPE,
            UpdateStrategy::TYPE,
            QueueUpdateStrategy::TYPE,
            BatchUpdateStrategy::TYPE,
            VariableBatchUpdateStrategy::TYPE,
        ],
    },
    Area {
        page: "health",
        title: "Health checks, announcing and ending",
        intro: "How it is found out that an instance works, how others find it, and how it is asked \
                to end.",
        types: &[
            HealthCheckConfig::TYPE,
            ReadinessConfig::TYPE,
            HealthCheckerConfig::TYPE,
            HttpHealthChecker::TYPE,
            ShellHealthChecker::TYPE,
            GrpcHealthChecker::TYPE,
            TcpHealthChecker::TYPE,
            Announcer::TYPE,
            LifecycleConfig::TYPE,
            HttpLifecycleConfig::TYPE,
        ],
    },
    Area {
        page: "containers",
        title: "Containers",
        intro: "What instances run in, given to a job as `container`.",
        types: &[
            Container::TYPE,
            Docker::TYPE,
            Parameter::TYPE,
            Mesos::TYPE,
            Image::TYPE,
            AppcImage::TYPE,
            DockerImage::TYPE,
            Volume::TYPE,
            VolumeMode::TYPE,
            ContainerWrapper::TYPE,
        ],
    },
    Area {
        page: "policies",
        title: "Availability",
        intro: "What the scheduler promises of the instances of a job when machines are drained or \
                lost.",
        types: &[
            SlaPolicy::TYPE,
            CountSlaPolicy::TYPE,
            PercentageSlaPolicy::TYPE,
            CoordinatorSlaPolicy::TYPE,
            PartitionPolicy::TYPE,
        ],
    },
    Area {
        page: "contexts",
        title: "What is known where a task runs",
        intro: "Names that files refer to as `{{mesos.…}}` and `{{thermos.…}}` and that are bound \
                where the task runs. They may stand in every text field, but in no number.",
        types: &[MesosContext::TYPE, ThermosContext::TYPE, MesosTaskInstance::TYPE],
    },
];

/// The objects that files find ready-made.
pub static OBJECTS: &[ObjectDecl] = &[
    ObjectDecl {
        name: "Service",
        ty: Job::DECL,
        doc: Doc("A job whose instances are run again whenever they end: `Job(service = True)`. \
                  Call it with the other fields, as in `Service(name = \"web\", …)`."),
        fields: || json!({"service": true}),
    },
    ObjectDecl {
        name: "DefaultHealthChecker",
        ty: HealthCheckerConfig::DECL,
        doc: Doc("The health check by HTTP with all its defaults: \
                  `HealthCheckerConfig(http = HttpHealthChecker())`."),
        fields: || json!({"http": {}}),
    },
    ObjectDecl {
        name: "DefaultLifecycleConfig",
        ty: LifecycleConfig::DECL,
        doc: Doc("Asks instances to end by HTTP, with all defaults: \
                  `LifecycleConfig(http = HttpLifecycleConfig())`. What a job has if nothing else \
                  is given."),
        fields: || json!({"http": {}}),
    },
    ObjectDecl {
        name: "DisableLifecycle",
        ty: LifecycleConfig::DECL,
        doc: Doc("Ends instances by signals alone, without asking them by HTTP: \
                  `LifecycleConfig()`."),
        fields: || json!({}),
    },
];

/// Second names of structs.
pub static ALIASES: &[(&str, &StructDecl)] = &[("MesosJob", Job::DECL)];

/// All structs.
pub fn structs() -> impl Iterator<Item = &'static StructDecl> {
    types().filter_map(|(_, ty)| match ty {
        TypeDecl::Struct(decl) => Some(*decl),
        _ => None,
    })
}

/// All enumerations.
pub fn enums() -> impl Iterator<Item = &'static EnumDecl> {
    types().filter_map(|(_, ty)| match ty {
        TypeDecl::Enum(decl) => Some(*decl),
        _ => None,
    })
}

/// All choices.
pub fn choices() -> impl Iterator<Item = &'static ChoiceDecl> {
    types().filter_map(|(_, ty)| match ty {
        TypeDecl::Choice(decl) => Some(*decl),
        _ => None,
    })
}

/// All declared types, with the area each belongs to.
pub fn types() -> impl Iterator<Item = (&'static Area, &'static TypeDecl)> {
    AREAS.iter().flat_map(|area| area.types.iter().map(move |ty| (area, ty)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::declare::{Presence, Rule};

    fn each_inner(ty: &TypeDecl, visit: &mut dyn FnMut(&TypeDecl)) {
        visit(ty);
        match ty {
            TypeDecl::List(element) => each_inner(element, visit),
            TypeDecl::Map(key, value) => {
                each_inner(key, visit);
                each_inner(value, visit);
            }
            _ => {}
        }
    }

    #[test]
    fn what_a_declaration_refers_to_is_declared_too() {
        let mut known = BTreeSet::new();
        for (_, ty) in types() {
            assert!(known.insert(ty.name()), "{ty} is there twice");
        }
        let is_known = |ty: &TypeDecl| match ty {
            TypeDecl::Enum(_) | TypeDecl::Struct(_) | TypeDecl::Choice(_) => {
                known.contains(ty.name())
            }
            _ => true,
        };
        for decl in structs() {
            for field in decl.fields {
                each_inner(&field.ty, &mut |ty| {
                    assert!(is_known(ty), "{}.{}: {ty}", decl.name, field.name);
                });
            }
        }
        for decl in choices() {
            for ty in decl.alternatives {
                assert!(is_known(ty), "{}: {ty}", decl.name);
            }
        }
    }

    #[test]
    fn every_field_is_explained_and_keeps_its_own_rules() {
        for decl in structs() {
            assert!(!decl.doc.paragraphs().is_empty(), "{}", decl.name);
            for field in decl.fields {
                let place = format!("{}.{}", decl.name, field.name);
                let doc = field.doc.to_string();
                assert!(doc.len() > 8 && doc.ends_with('.'), "{place}: {doc}");
                let Some(default) = field.default() else { continue };
                assert!(!matches!(field.presence, Presence::Required), "{place}");
                assert!(!default.is_null(), "{place}");
                for rule in field.rules {
                    let number = default.as_f64();
                    #[expect(clippy::cast_precision_loss, reason = "limits are small")]
                    match rule {
                        Rule::AtLeast(least) => assert!(number >= Some(*least as f64), "{place}"),
                        Rule::MoreThan(bound) => assert!(number > Some(*bound as f64), "{place}"),
                        Rule::AnyCaseOf(values) => {
                            assert!(values.contains(&default.as_str().unwrap()), "{place}");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}
