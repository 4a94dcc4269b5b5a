//! `config export`: what a file comes to, job by job, as one JSON object.
//!
//! Jobs are resolved, written and dropped one at a time: the memory that it takes does not grow with
//! their number.

use std::collections::BTreeSet;
use std::io::{self, Write};

use aurora_model::job::AURORA_EXECUTOR;
use aurora_model::request::Request;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::codes::Code;
use crate::job::write::{Json, JsonWithout, NOT_TOLD};
use crate::job::{Config, Converted, EvaluatedJob, Examined, Fault, Stage, key_of};
use crate::limits::on_large_stack;
use crate::report::Report;

/// How many faults of one job are told.
const MAX_ERRORS: usize = 100;

/// What `config export` is told beside the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// The Unix user who would submit the jobs.
    pub owner: String,
    /// The arguments, to be repeated in the output.
    pub args: Vec<String>,
    /// A job to choose, as `cluster/role/environment/name`.
    pub pick: Option<String>,
}

/// Writes what a file comes to, or why it comes to nothing.
///
/// # Errors
/// It cannot be written.
pub fn export(
    config: Result<&Config, &Report>,
    options: &ExportOptions,
    out: &mut (impl Write + Send),
) -> io::Result<()> {
    let written = on_large_stack(|| {
        let mut serializer = serde_json::Serializer::new(&mut *out);
        Ok(Document { config, options }.serialize(&mut serializer))
    });
    match written {
        Ok(result) => result?,
        Err(report) => return Err(io::Error::other(report.message().to_owned())),
    }
    out.write_all(b"\n")
}

struct Document<'a> {
    config: Result<&'a Config, &'a Report>,
    options: &'a ExportOptions,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("args", &self.options.args)?;
        match self.config {
            Err(report) => {
                map.serialize_entry("bindings", &[(); 0])?;
                map.serialize_entry("error", &FileError(report))?;
                map.serialize_entry("jobs", &[(); 0])?;
                if let Some(reads) = report.reads() {
                    map.serialize_entry("inputs", reads)?;
                }
            }
            Ok(config) => {
                let bindings: Vec<String> = config
                    .bindings()
                    .iter()
                    .map(|binding| format!("{}={}", binding.address, binding.value))
                    .collect();
                map.serialize_entry("bindings", &bindings)?;
                map.serialize_entry("error", &())?;
                if let Some(wanted) = &self.options.pick {
                    map.serialize_entry("pick", &Pick { config, wanted })?;
                }
                map.serialize_entry("jobs", &Jobs { config, owner: &self.options.owner })?;
                map.serialize_entry("inputs", config.reads())?;
            }
        }
        map.serialize_entry("nondeterministic", &[(); 0])?;
        map.end()
    }
}

struct FileError<'a>(&'a Report);

impl Serialize for FileError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stage = match self.0.code() {
            Code::NoJobs | Code::NotAJob => "jobs",
            _ => "load",
        };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("stage", stage)?;
        map.serialize_entry("code", &self.0.code())?;
        map.serialize_entry("message", self.0.message())?;
        map.end()
    }
}

struct Pick<'a> {
    config: &'a Config,
    wanted: &'a str,
}

impl Serialize for Pick<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let found = self.config.find_text(self.wanted);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("job", self.wanted)?;
        map.serialize_entry("ok", &found.is_ok())?;
        if let Err(report) = found {
            map.serialize_entry("error", &ReportError(&report))?;
        }
        map.end()
    }
}

struct ReportError<'a>(&'a Report);

impl Serialize for ReportError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", &self.0.code())?;
        map.serialize_entry("message", self.0.message())?;
        map.end()
    }
}

struct Jobs<'a> {
    config: &'a Config,
    owner: &'a str,
}

impl Serialize for Jobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for job in self.config.jobs() {
            seq.serialize_element(&Job { job, owner: self.owner })?;
        }
        seq.end()
    }
}

struct Job<'a> {
    job: &'a EvaluatedJob,
    owner: &'a str,
}

impl Serialize for Job<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let examined = match self.job.examined() {
            Ok(examined) => examined,
            Err(fault) => {
                map.serialize_entry("key", &[(); 4])?;
                map.serialize_entry("error", &FaultError(&fault, true))?;
                return map.end();
            }
        };
        map.serialize_entry("key", &key(&examined))?;
        map.serialize_entry("interpolated", &examined.interpolated().map(Json))?;
        map.serialize_entry("unbound", &examined.unbound())?;
        map.serialize_entry("check", &Check(&examined))?;
        map.serialize_entry("ports", &examined.ports)?;
        map.serialize_entry("stages", &Stages(&examined))?;
        let first = examined.faults.first().map(|fault| FaultError(fault, true));
        map.serialize_entry("error", &first)?;
        if examined.faults.len() > 1 {
            let all: Vec<FaultError<'_>> = examined
                .faults
                .iter()
                .take(MAX_ERRORS)
                .map(|fault| FaultError(fault, true))
                .collect();
            map.serialize_entry("errors", &all)?;
        }
        map.serialize_entry("warnings", &examined.warnings)?;
        map.serialize_entry("job_configuration", &request(&examined, self.owner))?;
        match examined.update_settings() {
            Ok(settings) => map.serialize_entry("update_settings", &settings)?,
            Err(faults) => {
                map.serialize_entry("update_settings", &())?;
                let first = faults.first().map(|fault| FaultError(fault, false));
                map.serialize_entry("update_settings_error", &first)?;
            }
        }
        map.end()
    }
}

/// The parts of the key that have a text.
fn key(examined: &Examined) -> [Option<String>; 4] {
    let mut key = key_of(examined.object());
    for (part, name) in key.iter_mut().zip(["cluster", "role", "environment", "name"]) {
        if examined.is_broken(name) {
            *part = None;
        }
    }
    key
}

/// What the executor is told.
enum Data<'a> {
    Job(JsonWithout<'a>),
    Text(&'a str),
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Job(job) => job.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

fn request<'a>(examined: &'a Examined, owner: &'a str) -> Option<Request<'a, Data<'a>>> {
    static NO_PORTS: BTreeSet<String> = BTreeSet::new();
    let Converted { config, checked } = examined.converted.as_ref()?;
    let data = if config.executor_config.name == AURORA_EXECUTOR {
        Data::Job(JsonWithout(examined.told(), &NOT_TOLD))
    } else {
        Data::Text(&config.executor_config.data)
    };
    let ports = examined.ports.as_ref().unwrap_or(&NO_PORTS);
    Some(Request::new(config, checked, owner, ports, data))
}

/// A fault, with its stage or without.
struct FaultError<'a>(&'a Fault, bool);

impl Serialize for FaultError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.1 {
            map.serialize_entry("stage", self.0.stage.name())?;
        }
        map.serialize_entry("code", &self.0.code)?;
        if !self.0.path.is_empty() {
            map.serialize_entry("field", &self.0.place())?;
        }
        map.serialize_entry("message", &self.0.message)?;
        map.end()
    }
}

struct Check<'a>(&'a Examined);

impl Serialize for Check<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fault = self.0.first_fault(Stage::Check);
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("ok", &fault.is_none())?;
        map.serialize_entry("message", fault.map_or("", |fault| &fault.message))?;
        map.end()
    }
}

struct Stages<'a>(&'a Examined);

impl Serialize for Stages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        for stage in [Stage::Construct, Stage::ClientValidation, Stage::Convert] {
            // A job that cannot be checked cannot be converted either.
            let fault = self.0.first_fault(stage).or_else(|| {
                let fails = stage == Stage::Convert && self.0.converted.is_none();
                fails.then(|| self.0.faults.first()).flatten()
            });
            map.serialize_entry(stage.name(), &StageResult(fault))?;
        }
        map.end()
    }
}

struct StageResult<'a>(Option<&'a Fault>);

impl Serialize for StageResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ok", &self.0.is_none())?;
        if let Some(fault) = self.0 {
            map.serialize_entry("error", &FaultError(fault, false))?;
        }
        map.end()
    }
}
