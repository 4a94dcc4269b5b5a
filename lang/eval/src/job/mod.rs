//! The jobs of a file, and how one becomes a request (`dsl.md` 7.3 and 8).

mod announce;
mod binding;
mod check;
mod examine;
mod file;
mod json;
mod meant;
mod numbers;
mod pick;
mod place;
mod references;
mod required;
mod resolution;
mod stage;
mod update;
pub(crate) mod write;
mod written;

use std::sync::{Arc, OnceLock};

use aurora_model::config;
use aurora_model::convert::to_job_configuration;
use aurora_model::job::JobConfiguration;
use aurora_model::key::ClusterJobKey;
use aurora_model::tiers::Tiers;
use aurora_template::object::{Kind, Object, Origin};
use aurora_template::scope::resolve_field;
use aurora_template::types::Plain;

pub use binding::{Binding, BindingError, UnboundImage};
use examine::examine;
pub(crate) use examine::{Converted, Examined};
pub use file::evaluate_json;
pub(crate) use file::{exported, jobs};
pub(crate) use stage::Fault;
pub use stage::Stage;
pub use update::{UpdateSettings, UpdateStrategy};
pub use written::WrittenValue;

use crate::codes::{Code, of_field};
use crate::context::Reads;
use crate::limits::on_large_stack;
use crate::report::Report;
use crate::sources::Sources;

/// The tier of production tasks in the tiers that a scheduler has by default.
const PRODUCTION_TIER: &str = "preferred";

/// An evaluated file.
#[derive(Debug)]
pub struct Config {
    jobs: Vec<EvaluatedJob>,
    bindings: Vec<Binding>,
    reads: Reads,
    printed: Vec<String>,
}

/// A job of a file, bound but not yet checked.
#[derive(Debug)]
pub struct EvaluatedJob {
    content: Content,
    sources: Arc<Sources>,
    /// The file, and which element of its list `jobs` this is.
    place: (Arc<str>, usize),
    /// Cluster, role, environment and name, each as far as it is known, once it was asked for: of the jobs of a large file
    /// most are not the one that is meant, which one part tells.
    key: [OnceLock<Option<String>>; 4],
}

/// A part of a job's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Cluster,
    Role,
    Environment,
    Name,
}

impl Part {
    /// In the order of a key.
    const ALL: [Self; 4] = [Self::Cluster, Self::Role, Self::Environment, Self::Name];

    const fn field(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Role => "role",
            Self::Environment => "environment",
            Self::Name => "name",
        }
    }
}

/// An element of the list of jobs.
#[derive(Debug)]
enum Content {
    Job(Object),
    /// Something else, as messages show it.
    Other(String),
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

    /// The job with the tier and `production` that fit each other in its cluster (`dsl.md` 8, step
    /// 9). The executor is told them, too.
    ///
    /// # Errors
    /// With them the job cannot be submitted.
    pub fn in_tiers(mut self, tiers: &Tiers) -> Result<Self, Report> {
        tiers.fill(&mut self.config);
        let request = &self.request;
        self.request =
            to_job_configuration(&self.config, &request.owner, &request.task.resources.ports)
                .map_err(|errors| {
                    let reports = errors.into_iter().map(|error| {
                        Report::new(of_field(&error.field, &error.message), error.message)
                    });
                    Report::all(reports.collect())
                        .unwrap_or_else(|| Report::new(Code::InvalidJob, "the job is refused"))
                })?;
        Ok(self)
    }
}

impl Config {
    /// The elements of a file's list of jobs, each bound; the last argument is what
    /// was read and printed.
    pub(crate) fn new(
        items: Vec<Plain>,
        file: &str,
        sources: &Arc<Sources>,
        bindings: &[Binding],
        (reads, printed): (Reads, Vec<String>),
    ) -> Result<Self, Report> {
        let file: Arc<str> = file.into();
        let jobs = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                Ok(EvaluatedJob {
                    content: file::content(index, item, bindings, sources, &file)?,
                    sources: sources.clone(),
                    place: (file.clone(), index),
                    key: Default::default(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { jobs, bindings: bindings.to_vec(), reads, printed })
    }

    /// What was bound on every job.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The jobs, in the order of the file.
    pub fn jobs(&self) -> &[EvaluatedJob] {
        &self.jobs
    }

    /// What the evaluation has read of its inputs.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The lines that the file has printed.
    pub fn printed(&self) -> &[String] {
        &self.printed
    }
}

impl EvaluatedJob {
    /// A part of the key, if it is known; only the first interpolation counts.
    fn part(&self, part: Part) -> Option<&str> {
        let known = self.key[part as usize].get_or_init(|| {
            let resolved = resolve_field(self.object()?, part.field())?;
            resolved.problems.is_empty().then(|| text_of(&resolved.object)).flatten()
        });
        known.as_deref()
    }

    /// The parts of the key as far as they are known.
    fn key(&self) -> [Option<&str>; 4] {
        Part::ALL.map(|part| self.part(part))
    }

    /// The job's full name, with `?` for what is not known.
    pub fn key_text(&self) -> String {
        self.key().map(|part| part.unwrap_or("?")).join("/")
    }

    /// Whether every part of the key is known.
    pub fn has_key(&self) -> bool {
        self.key().iter().all(Option::is_some)
    }

    /// Where the job was made: the last call that made it or a copy of it. [`None`] if it is no job,
    /// or was made by none.
    pub fn origin(&self) -> Option<&Origin> {
        self.object()?.origin()
    }

    /// The cluster the job is meant for.
    pub fn cluster(&self) -> Option<&str> {
        self.part(Part::Cluster)
    }

    /// The job's name, as far as it is known.
    pub fn name(&self) -> Option<&str> {
        self.part(Part::Name)
    }

    /// The name of its task, as far as it is known.
    pub fn task_name(&self) -> Option<String> {
        let task = resolve_field(self.object()?, "task")?;
        text_of(task.object.field("name")?)
    }

    /// Whether its tasks are production ones, as far as the file says: they are if its tier is the
    /// one of them that clusters have, or without a tier if `production` is set.
    pub fn is_production(&self) -> bool {
        let field = |name| resolve_field(self.object()?, name).map(|found| found.object);
        match field("tier").as_ref().and_then(text_of) {
            Some(tier) => tier == PRODUCTION_TIER,
            None => matches!(
                field("production").as_ref().map(Object::kind),
                Some(Kind::Scalar(Plain::Bool(true)))
            ),
        }
    }

    /// The job as the file made it, if it is one.
    fn object(&self) -> Option<&Object> {
        match &self.content {
            Content::Job(object) => Some(object),
            Content::Other(_) => None,
        }
    }

    /// The images that the job names by their tags and nobody has bound: the client looks them up (`client.md` 11.6).
    /// None if the job cannot be interpolated.
    pub fn images(&self) -> Vec<UnboundImage> {
        // What is too deep to be looked at is told by whoever makes it ready.
        on_large_stack(|| Ok(self.images_here())).unwrap_or_default()
    }

    fn images_here(&self) -> Vec<UnboundImage> {
        let examined = self.examined().ok();
        let open = examined.as_ref().and_then(Examined::open);
        open.into_iter().flatten().filter_map(UnboundImage::of).collect()
    }

    /// The same as [`Self::ready`] for those who look nothing up: images that are named by their tags stay so.
    ///
    /// # Errors
    /// As there.
    pub fn ready_by_tags(&self, owner: &str) -> Result<ReadyJob, Report> {
        on_large_stack(|| self.ready_by_tags_here(owner))
    }

    fn ready_by_tags_here(&self, owner: &str) -> Result<ReadyJob, Report> {
        self.ready_here(owner).or_else(|report| {
            let images = self.images_here().into_iter();
            let tags: Vec<Binding> = images
                .map(|UnboundImage { address, name, tag }| Binding {
                    address,
                    value: format!("{name}:{tag}"),
                })
                .collect();
            if tags.is_empty() { Err(report) } else { self.bound(&tags).ready_here(owner) }
        })
    }

    /// The same job with more bound from outside.
    #[must_use]
    pub fn bound(&self, bindings: &[Binding]) -> Self {
        let content = match &self.content {
            Content::Job(object) => Content::Job(object.bound(vec![Binding::scope(bindings)])),
            Content::Other(other) => Content::Other(other.clone()),
        };
        let (sources, place) = (self.sources.clone(), self.place.clone());
        Self { content, sources, place, key: Default::default() }
    }

    /// Takes the job through all steps; [`None`] if it is no job.
    pub(crate) fn examined(&self) -> Result<Examined, Fault> {
        match &self.content {
            Content::Job(object) => Ok(examine(object)),
            Content::Other(other) => Err(Fault::at(
                Stage::Construct,
                "",
                format!("jobs[{}] must be a Job, got {other}", self.place.1),
            )
            .coded(Code::NotAJob)),
        }
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

    /// Checks what an update of the job would send, which a job that is only created need not have right
    /// (`dsl.md` 8.1).
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn check_update(&self) -> Result<(), Report> {
        on_large_stack(|| self.check_update_here())
    }

    fn check_update_here(&self) -> Result<(), Report> {
        let examined = self.examined().map_err(|fault| self.report(&fault))?;
        match examined.update_settings() {
            Ok(_) => Ok(()),
            Err(faults) => self.all_of(&faults).map_or(Ok(()), Err),
        }
    }

    fn ready_here(&self, owner: &str) -> Result<ReadyJob, Report> {
        let examined = self.examined().map_err(|fault| self.report(&fault))?;
        if let Some(report) = self.all_of(&examined.faults) {
            return Err(report);
        }
        let ports = examined.ports.unwrap_or_default();
        let config = examined.converted.map(|converted| converted.config).ok_or_else(|| {
            Report::new(Code::InvalidJob, format!("{} cannot be converted", self.key_text()))
        })?;
        let request = match to_job_configuration(&config, owner, &ports) {
            Ok(request) => request,
            Err(errors) => {
                let faults: Vec<Fault> = errors.into_iter().map(Fault::of_rule).collect();
                let report = self.all_of(&faults);
                return Err(report.unwrap_or_else(|| {
                    Report::new(Code::InvalidJob, "the job cannot be converted")
                }));
            }
        };
        let name = &config.name;
        let warnings =
            examined.warnings.iter().map(|warning| format!("job {name:?}: {warning}")).collect();
        Ok(ReadyJob { warnings, config, request })
    }
}

/// Cluster, role, environment and name of an interpolated job.
pub(crate) fn key_of(job: &Object) -> [Option<String>; 4] {
    ["cluster", "role", "environment", "name"].map(|name| text_of(job.field(name)?))
}

fn text_of(value: &Object) -> Option<String> {
    match value.kind() {
        Kind::Scalar(Plain::Text(text)) => Some(text.clone()),
        _ => None,
    }
}
