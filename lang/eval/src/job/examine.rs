//! A job through all steps, in order (`dsl.md` 8).

use std::collections::BTreeSet;

use aurora_model::config;
use aurora_model::rules::{Checked, check};
use aurora_template::Address;
use aurora_template::object::{Bound, Kind, Object, Scope};
use aurora_template::render;
use aurora_template::scope::{Problem, Resolved};
use aurora_template::types::{Plain, Type};
use std::sync::Arc;

use super::announce::{check_announce, requested};
use super::meant::suggest;
use super::numbers::is_true;
use super::references::{open_in_job, open_in_task, referenced_ports};
use super::required::{check_emptied, check_required, emptied};
use super::resolution::Rounds;
use super::stage::{Fault, Stage};
use super::update::{UpdateSettings, check_update, settings};
use super::write::to_text;
use crate::codes::Code;

/// What came of a job.
#[derive(Debug)]
pub(crate) struct Examined {
    rounds: Rounds,
    /// Everything that is wrong, what is wrong first at the front.
    pub(crate) faults: Vec<Fault>,
    /// What the user should know although it is no error.
    pub(crate) warnings: Vec<String>,
    /// The ports to ask for, if that can be said.
    pub(crate) ports: Option<BTreeSet<String>>,
    /// What the request is made of, if the conversion alone succeeds.
    pub(crate) converted: Option<Converted>,
}

/// What the request is made of.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) config: config::Job,
    pub(crate) checked: Checked,
}

/// Takes a job through all steps.
pub(crate) fn examine(job: &Object) -> Examined {
    let mut faults = check_required(job);
    let job = with_client_names(job);
    let mut rounds = Rounds::new(&job);
    rounds.complete(&job);
    let mut warnings = Vec::new();
    let first = rounds.first();
    let production = is_true(&first.object, "production");
    let broken = &first.problems;
    let stage = |problem: &Problem| first_touch(&problem.path, production);
    faults.extend(broken.iter().map(|problem| Fault::of(stage(problem), problem.clone())));
    let ports = requested_ports(&rounds);
    let asked = ports.as_ref().and_then(|ports| ports.as_ref().ok());
    let mut rules = check_update(&first.object);
    rules.extend(check_announce(&first.object, asked, &mut warnings));
    rules.extend(deprecated(&first.object, &mut warnings));
    // A rule about a value that has no text says nothing.
    rules.retain(|rule| broken.iter().all(|problem| !problem.path.starts_with(&rule.path)));
    faults.extend(rules);
    let untyped = type_problems(first);
    let can_convert = broken.is_empty()
        && untyped.is_empty()
        && faults.iter().all(|fault| fault.stage != Stage::Construct);
    faults.extend(untyped.into_iter().map(|problem| Fault::of(Stage::Check, problem)));
    let ports = match ports {
        Some(Err(fault)) => {
            faults.push(fault);
            None
        }
        Some(Ok(ports)) => Some(ports),
        None => None,
    };
    let mut converted = None;
    if can_convert {
        match convert(&rounds) {
            Ok(read) => converted = ports.is_some().then_some(read),
            Err(more) => faults.extend(more),
        }
    }
    drop_derived(&mut faults);
    suggest(&job, &mut faults);
    // A fault of the conversion may have been found before.
    let mut seen = BTreeSet::new();
    faults.retain(|fault| seen.insert((fault.path.clone(), fault.message.clone())));
    faults.sort_by_key(|fault| fault.stage);
    Examined { rounds, faults, warnings, ports, converted }
}

/// Drops what is wrong with defaults because something that is given is: they are made of it.
fn drop_derived(faults: &mut Vec<Fault>) {
    let given: BTreeSet<(Code, String)> = faults
        .iter()
        .filter(|fault| fault.origin.is_some())
        .map(|fault| (fault.code, fault.message.clone()))
        .collect();
    faults.retain(|fault| {
        !fault.is_nameless
            || fault.origin.is_some()
            || !given.contains(&(fault.code, fault.message.clone()))
    });
}

/// The ports to ask for; [`None`] if what says so has no text.
fn requested_ports(rounds: &Rounds) -> Option<Result<BTreeSet<String>, Fault>> {
    let touches = |problem: &Problem| {
        matches!(problem.path.first().map(String::as_str), Some("announce" | "task"))
    };
    let second = rounds.second();
    if rounds.first().problems.iter().chain(&second.problems).any(touches) {
        return None;
    }
    let ports = referenced_ports(second)
        .and_then(|referenced| requested(&second.object, &referenced))
        .map_err(|fault| {
            // An announcement looks at the ports before the conversion does.
            let announces = second.object.field("announce").is_some();
            let stage = if announces { Stage::ClientValidation } else { fault.stage };
            Fault { stage, ..fault }
        });
    Some(ports)
}

/// Reads a job by the rules of the conversion (step 8).
fn convert(rounds: &Rounds) -> Result<Converted, Vec<Fault>> {
    let mut faults = check_emptied(&rounds.first().object);
    for round in [rounds.second(), rounds.third(), rounds.fifth()] {
        let problems = round.problems.iter();
        faults.extend(problems.map(|problem| Fault::of(Stage::Convert, problem.clone())));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut open = open_in_task(rounds.fifth());
    open.extend(open_in_job(rounds.second()));
    let told = &rounds.third().object;
    let config: config::Job = serde_json::from_str(&to_text(told)).map_err(|error| {
        let mut large = Vec::new();
        too_large(told, &mut Vec::new(), &mut large);
        if large.is_empty() {
            large.push(Fault::at(Stage::Convert, "", error.to_string()));
        }
        large
    })?;
    match check(&config) {
        Ok(checked) if open.is_empty() => Ok(Converted { config, checked }),
        Ok(_) => Err(open),
        Err(errors) => {
            // A name with an open reference is no name: the reference is the fault.
            let is_open: BTreeSet<&[String]> = open.iter().map(|open| &*open.path).collect();
            let errors = errors.into_iter().map(Fault::of_rule);
            faults.extend(errors.filter(|fault| !is_open.contains(&*fault.path)));
            faults.extend(open);
            Err(faults)
        }
    }
}

/// Numbers that no request has room for.
fn too_large(object: &Object, path: &mut Vec<String>, found: &mut Vec<Fault>) {
    match (object.kind(), object.ty()) {
        (Kind::Scalar(Plain::Big(digits)), _) => {
            let digits = aurora_template::beginning(digits);
            let message = format!("it is out of range: {digits}");
            let fault = Fault::at(Stage::Convert, &path.join("."), message).coded(Code::BadValue);
            found.push(Fault { is_nameless: true, origin: object.origin().cloned(), ..fault });
        }
        (Kind::List(items), _) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                too_large(item, path, found);
                path.pop();
            }
        }
        (Kind::Struct(fields), Type::Struct(ty)) => {
            for (value, field) in fields.iter().zip(&ty.fields) {
                if let Some(value) = value {
                    path.push(field.name.to_string());
                    too_large(value, path, found);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

impl Examined {
    /// The job after the client's bindings, if all of it could be interpolated.
    pub(crate) fn interpolated(&self) -> Option<&Object> {
        self.first_sound().map(|first| &first.object)
    }

    /// The references that are still open, if all could be interpolated.
    pub(crate) fn unbound(&self) -> Option<BTreeSet<String>> {
        self.open().map(|open| open.map(ToString::to_string).collect())
    }

    /// The same as addresses.
    pub(crate) fn open(&self) -> Option<impl Iterator<Item = &Address>> {
        self.first_sound().map(|first| first.unbound.iter())
    }

    fn first_sound(&self) -> Option<&Resolved> {
        Some(self.rounds.first()).filter(|first| first.problems.is_empty())
    }

    /// The job as far as it could be interpolated.
    pub(crate) fn object(&self) -> &Object {
        &self.rounds.first().object
    }

    /// Whether a field of the job itself could not be interpolated.
    pub(crate) fn is_broken(&self, field: &str) -> bool {
        let problems = &self.rounds.first().problems;
        problems.iter().any(|problem| matches!(&*problem.path, [name] if name == field))
    }

    /// The job as its executor is told it, but for the fields that it is not told.
    pub(crate) fn told(&self) -> &Object {
        &self.rounds.third().object
    }

    /// What an update of the job sends.
    pub(crate) fn update_settings(&self) -> Result<UpdateSettings, Vec<Fault>> {
        settings(&self.rounds.third().object)
    }

    /// The first thing that is wrong at a stage.
    pub(crate) fn first_fault(&self, stage: Stage) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.stage == stage)
    }
}

/// What the client knows of every job (step 2).
fn with_client_names(job: &Object) -> Object {
    let names = [
        ("mesos.role", "{{role}}"),
        ("mesos.cluster", "{{cluster}}"),
        ("thermos.user", "{{role}}"),
    ];
    let names = names
        .into_iter()
        .filter_map(|(name, value)| {
            let address: Address = name.parse().ok()?;
            Some((address, Bound::Text(value.to_owned())))
        })
        .collect();
    job.bound(vec![Scope::Names(Arc::new(names))])
}

/// The stage whose step is the first to look at a field.
fn first_touch(path: &[String], production: bool) -> Stage {
    match path.first().map(String::as_str) {
        Some("task") => Stage::Construct,
        Some(
            "instances"
            | "update_config"
            | "health_check_config"
            | "constraints"
            | "announce"
            | "production",
        ) => Stage::ClientValidation,
        Some("tier") if production => Stage::ClientValidation,
        _ => Stage::Check,
    }
}

/// What is missing or open where it may not be (step 7).
fn type_problems(first: &Resolved) -> Vec<Problem> {
    // What could not be interpolated is left open, which is no second fault.
    let broken: BTreeSet<&[String]> = first.problems.iter().map(|broken| &*broken.path).collect();
    let found = render::check(&first.object).into_iter();
    found.filter(|found| !broken.contains(&*found.path)).collect()
}

/// `production` without a tier (step 6).
fn deprecated(job: &Object, warnings: &mut Vec<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    emptied(job, "", &["production"], Stage::ClientValidation, &mut faults);
    if is_true(job, "production") && job.field("tier").is_none() {
        warnings.push("`production` is deprecated: use `tier = \"preferred\"`".to_owned());
    }
    faults
}
