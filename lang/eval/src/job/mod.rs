//! The jobs of a file, and how one becomes a request (`dsl.md` 7.3 and 8).

mod binding;
mod check;
mod file;

pub use binding::{Binding, BindingError};
pub(crate) use file::jobs;

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::config;
use aurora_model::convert::to_job_configuration;
use aurora_model::job::JobConfiguration;
use aurora_model::key::ClusterJobKey;
use aurora_template::{Address, Component};

use crate::codes::Code;
use crate::context::{Context, Reads};
use crate::limits::on_large_stack;
use crate::report::{MAX_REPORTS, Report};
use crate::sources::Sources;
use aurora_template::object::{Bound, Kind, Object, Origin, Scope};
use aurora_template::render::{check, to_json};
use aurora_template::scope::{Problem, ProblemKind, resolve};
use aurora_template::types::{Plain, Type, slips};

/// An evaluated file.
#[derive(Debug)]
pub struct Config {
    jobs: Vec<EvaluatedJob>,
    reads: Reads,
    printed: Vec<String>,
}

/// A job of a file, bound but not yet checked.
#[derive(Debug)]
pub struct EvaluatedJob {
    object: Object,
    sources: Arc<Sources>,
    /// Cluster, role, environment and name, each as far as it is known.
    key: [Option<String>; 4],
}

/// A job that can be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyJob {
    /// The job as written, interpolated.
    pub config: config::Job,
    /// The job as submitted.
    pub request: JobConfiguration,
    /// What the user should know although it is no error.
    pub warnings: Vec<String>,
}

impl ReadyJob {
    /// The job's full name.
    pub fn key(&self) -> ClusterJobKey {
        ClusterJobKey { cluster: self.config.cluster.clone(), job: self.request.key.clone() }
    }
}

impl Config {
    pub(crate) fn new(
        objects: Vec<Object>,
        sources: &Arc<Sources>,
        bindings: &[Binding],
        context: &Context<'_>,
    ) -> Self {
        let outside = Binding::scope(bindings);
        let jobs = objects
            .into_iter()
            .map(|object| EvaluatedJob::new(object.bound(vec![outside.clone()]), sources.clone()))
            .collect();
        Self { jobs, reads: context.reads(), printed: context.printed() }
    }

    /// What the evaluation has read of its inputs.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The lines that the file has printed.
    pub fn printed(&self) -> &[String] {
        &self.printed
    }

    /// The jobs, in the order of the file.
    pub fn jobs(&self) -> &[EvaluatedJob] {
        &self.jobs
    }

    /// The job of a full key.
    ///
    /// # Errors
    /// There is none, with the keys that there are; or several.
    pub fn find(&self, key: &ClusterJobKey) -> Result<&EvaluatedJob, Report> {
        let wanted = key.to_string();
        let mut matching = self.jobs.iter().filter(|job| job.key_text() == wanted);
        match (matching.next(), matching.next()) {
            (Some(job), None) => Ok(job),
            (Some(_), Some(_)) => {
                Err(Report::new(Code::AmbiguousJob, format!("several jobs are called {wanted}"))
                    .with_help("give each job of the file a key of its own"))
            }
            (None, _) => on_large_stack(|| Err(self.not_found(key))),
        }
    }

    fn not_found(&self, key: &ClusterJobKey) -> Report {
        let mut report = Report::new(Code::JobNotFound, format!("could not find job {key}"));
        let whole: Vec<&EvaluatedJob> =
            self.jobs.iter().filter(|job| job.key.iter().all(Option::is_some)).collect();
        let wanted = [&*key.cluster, key.job.role(), key.job.environment(), key.job.name()];
        let near = whole
            .iter()
            .filter_map(|job| {
                let parts = wanted.iter().zip(&job.key);
                let slips = parts.map(|(wanted, known)| match known.as_deref() {
                    Some(known) if known == *wanted => Some(0),
                    known => slips(wanted, known?),
                });
                Some((slips.sum::<Option<usize>>()?, job.key_text()))
            })
            .min();
        let known: Vec<String> = whole.iter().map(|job| job.key_text()).collect();
        if let Some((_, near)) = near {
            report = report.with_help(format!("did you mean {near}?"));
        } else if !known.is_empty() {
            report = report.with_help(format!("the file has {}", known.join(", ")));
        }
        // A job that lacks a part of its key may be the one that is meant.
        let incomplete = self.jobs.iter().filter_map(|job| job.check_required().err());
        let reports = std::iter::once(report).chain(incomplete).take(MAX_REPORTS).collect();
        Report::all(reports)
            .unwrap_or_else(|| Report::new(Code::JobNotFound, format!("could not find job {key}")))
    }
}

impl EvaluatedJob {
    fn new(object: Object, sources: Arc<Sources>) -> Self {
        let resolved = resolve(&object).object;
        let part = |name: &str| match resolved.field(name).map(Object::kind) {
            Some(Kind::Scalar(Plain::Text(text))) => Some(text.clone()),
            _ => None,
        };
        let key = [part("cluster"), part("role"), part("environment"), part("name")];
        Self { object, sources, key }
    }

    /// The job's full name, with `?` for what is not known.
    pub fn key_text(&self) -> String {
        self.key.each_ref().map(|part| part.as_deref().unwrap_or("?")).join("/")
    }

    /// The cluster the job is meant for.
    pub fn cluster(&self) -> Option<&str> {
        self.key[0].as_deref()
    }

    /// Binds what the client knows, checks everything and makes the request (`dsl.md` 8).
    ///
    /// `owner` is the Unix user who runs the client.
    ///
    /// # Errors
    /// Everything that is wrong with the job, each with its place.
    pub fn ready(&self, owner: &str) -> Result<ReadyJob, Report> {
        on_large_stack(|| self.ready_here(owner))
    }

    fn ready_here(&self, owner: &str) -> Result<ReadyJob, Report> {
        self.check_required()?;
        let resolved = resolve(&self.with_client_names());
        let mut problems = resolved.problems;
        // What could not be interpolated is left open, which is no second fault.
        let open = check(&resolved.object)
            .into_iter()
            .filter(|open| problems.iter().all(|problem| problem.path != open.path))
            .collect::<Vec<_>>();
        problems.extend(open);
        if let Some(report) = self.all_of(problems) {
            return Err(report);
        }
        if let Some(report) = self.all_of(open_references(&resolved.object)) {
            return Err(report);
        }
        let json = to_json(&resolved.object);
        let config: config::Job = serde_json::from_value(json).map_err(|error| {
            Report::new(Code::InvalidJob, format!("{} is invalid: {error}", self.key_text()))
        })?;
        let ports = ports(&resolved.object);
        let request = to_job_configuration(&config, owner, &ports).map_err(|error| {
            let path = error.field.replace('[', ".[");
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            let origin = self.origin_of(&path);
            let field = path.iter().rev().find(|step| !step.starts_with('['));
            let field = field.map(String::as_str);
            Report::new(crate::codes::of_field(&error.field, &error.message), error.message)
                .at_field(&self.sources, origin.as_ref(), field)
        })?;
        Ok(ReadyJob { warnings: warnings(&config), config, request })
    }

    /// The fields without which nothing else can be said (`dsl.md` 8, step 1).
    fn check_required(&self) -> Result<(), Report> {
        let missing = |field: &str, origin: Option<&Origin>| {
            Err(Report::new(
                Code::MissingField,
                format!("{field} required for job {:?}", self.key_text()),
            )
            .at_field(&self.sources, origin, None)
            .with_help(format!("add `{field} = …`")))
        };
        for field in ["cluster", "role", "environment", "task", "name"] {
            if self.object.field(field).is_none() {
                return missing(field, self.object.origin());
            }
        }
        match self.object.field("task") {
            Some(task) if task.field("processes").is_none() => missing("processes", task.origin()),
            _ => Ok(()),
        }
    }

    fn with_client_names(&self) -> Object {
        let names = [
            ("mesos.role", "{{role}}"),
            ("mesos.cluster", "{{cluster}}"),
            ("thermos.user", "{{role}}"),
        ];
        let names = names
            .into_iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, Bound::Text(value.to_owned()))))
            .collect();
        self.object.bound(vec![Scope::Names(Arc::new(names))])
    }

    /// The call in which the value at `path` was given; that of what is around it for a default.
    fn origin_of(&self, path: &[String]) -> Option<Origin> {
        let mut object = &self.object;
        let mut origin = object.origin();
        for step in path {
            let index = step.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let inner = match (object.kind(), index) {
                (Kind::List(items), Some(index)) => {
                    index.parse::<usize>().ok().and_then(|index| items.get(index))
                }
                _ => object.field(step),
            };
            let Some(inner) = inner else { break };
            object = inner;
            origin = object.origin().or(origin);
        }
        origin.cloned()
    }

    /// The reports of what is wrong with the job, as one.
    fn all_of(&self, mut problems: Vec<Problem>) -> Option<Report> {
        // Defaults are made of what is given: what is wrong with them is wrong there.
        if problems.iter().any(|problem| problem.origin.is_some()) {
            problems.retain(|problem| problem.origin.is_some());
        }
        let more = problems.len().saturating_sub(MAX_REPORTS);
        problems.truncate(MAX_REPORTS);
        let mut reports: Vec<Report> =
            problems.iter().map(|problem| self.report(problem)).collect();
        if more > 0 {
            reports.push(Report::new(Code::InvalidJob, format!("and {more} more")));
        }
        Report::all(reports)
    }

    fn report(&self, problem: &Problem) -> Report {
        let field = problem.path.iter().rev().find(|step| !step.starts_with('['));
        let place = problem.path.join(".").replace(".[", "[");
        let origin = problem.origin.clone().or_else(|| self.origin_of(&problem.path));
        let code = code_of(problem);
        let report = Report::new(code, format!("{place}: {}", problem.message));
        let report = report.at_field(&self.sources, origin.as_ref(), field.map(String::as_str));
        match &problem.help {
            Some(help) => report.with_help(help),
            None => report,
        }
    }
}

/// What kind of problem it is.
fn code_of(problem: &Problem) -> Code {
    match problem.kind {
        ProblemKind::Cycle => Code::ReferenceCycle,
        ProblemKind::Open => Code::UnboundReference,
        ProblemKind::Required => Code::MissingField,
        ProblemKind::Address => Code::BadReference,
        ProblemKind::Limit => Code::LimitExceeded,
        ProblemKind::Coercion | ProblemKind::Choice | ProblemKind::Other => Code::BadValue,
    }
}

/// The references that nothing is bound to and that nobody later on binds.
fn open_references(object: &Object) -> Vec<Problem> {
    let mut found = Vec::new();
    each_text(object, &mut Vec::new(), &mut |path, text, origin| {
        for (inner, _) in aurora_template::references(text) {
            let known = inner.parse().is_ok_and(|address| is_bound_later(&address));
            if !known {
                let message =
                    format!("nothing is bound to {{{{{}}}}}", aurora_template::beginning(inner));
                found.push(Problem {
                    origin: origin.cloned(),
                    ..Problem::new(ProblemKind::Open, path.to_vec(), message)
                });
            }
        }
    });
    found
}

/// What the executor knows and the client does not (`dsl.md` 9).
fn is_bound_later(address: &Address) -> bool {
    let name = |component: &Component, wanted: &str| matches!(component, Component::Name(name) if name == wanted);
    match address.components() {
        [space, field] => {
            (name(space, "thermos") && (name(field, "task_id") || name(field, "user")))
                || (name(space, "mesos") && (name(field, "instance") || name(field, "hostname")))
        }
        [space, ports, Component::Index(_)] => name(space, "thermos") && name(ports, "ports"),
        _ => false,
    }
}

/// The ports that the processes refer to.
fn ports(job: &Object) -> BTreeSet<String> {
    let mut ports = BTreeSet::new();
    if let Some(processes) = job.field("task").and_then(|task| task.field("processes")) {
        each_text(processes, &mut Vec::new(), &mut |_, text, _| {
            for (inner, _) in aurora_template::references(text) {
                if let Ok(address) = inner.parse::<Address>()
                    && is_bound_later(&address)
                    && let [_, _, Component::Index(port)] = address.components()
                {
                    ports.insert(port.clone());
                }
            }
        });
    }
    ports
}

fn each_text(
    object: &Object,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&[String], &str, Option<&Origin>),
) {
    match object.kind() {
        Kind::Scalar(Plain::Text(text)) => visit(path, text, object.origin()),
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                each_text(item, path, visit);
                path.pop();
            }
        }
        Kind::Map(entries) => {
            for (key, value) in entries {
                each_text(key, path, visit);
                each_text(value, path, visit);
            }
        }
        Kind::Struct(fields) => {
            let Type::Struct(ty) = object.ty() else { return };
            for (value, field) in fields.iter().zip(&ty.fields) {
                if let Some(value) = value {
                    path.push(field.name.to_string());
                    each_text(value, path, visit);
                    path.pop();
                }
            }
        }
        Kind::Scalar(_) | Kind::Choice(_) => {}
    }
}

fn warnings(job: &config::Job) -> Vec<String> {
    let mut warnings = Vec::new();
    if job.production && job.tier.is_none() {
        warnings.push(format!(
            "job {:?}: `production` is deprecated: use `tier = \"preferred\"`",
            job.name
        ));
    }
    warnings
}
