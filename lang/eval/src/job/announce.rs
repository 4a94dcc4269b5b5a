//! Ports and how a job is announced (`dsl.md` 8.2).

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::rules::whole_number;
use aurora_template::object::{Kind, Object};
use aurora_template::scope::text_form;

use super::numbers::text;
use super::required::emptied;
use super::stage::{Fault, Stage};
use super::update::is_dedicated;
use crate::codes::Code;

/// From alias to port, as a job announces them; [`None`] if it does not announce itself.
fn portmap(job: &Object) -> Option<BTreeMap<String, String>> {
    let portmap = job.field("announce")?.field("portmap");
    Some(match portmap.map(Object::kind) {
        Some(Kind::Map(entries)) => {
            entries.iter().map(|(alias, port)| (text_form(alias), text_form(port))).collect()
        }
        _ => BTreeMap::new(),
    })
}

fn is_number(port: &str) -> bool {
    whole_number(port).is_some()
}

/// The rules of an announcement (step 5). `ports` are those to be requested.
pub(super) fn check_announce(
    job: &Object,
    ports: Option<&BTreeSet<String>>,
    warnings: &mut Vec<String>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (Some(announce), Some(portmap)) = (job.field("announce"), portmap(job)) else {
        return faults;
    };
    let stage = Stage::ClientValidation;
    emptied(announce, "announce", &["primary_port", "portmap"], stage, &mut faults);
    if let (Some(primary), Some(ports)) = (text(announce, "primary_port"), ports)
        && !ports.contains(primary)
        && !portmap.contains_key(primary)
    {
        warnings.push(format!(
            "no process listens on the announced port {primary:?}: use {{{{thermos.ports[{primary}]}}}}"
        ));
    }
    if let Some((alias, number)) = portmap.iter().find(|(_, port)| is_number(port))
        && !is_dedicated(job)
    {
        faults.push(Fault::at(
            stage,
            "announce.portmap",
            format!(
                "announce.portmap gives {alias:?} the static port {number}: only dedicated jobs may \
                 have static ports"
            ),
        )
        .coded(Code::StaticPort));
    }
    faults
}

/// The ports to ask for: those the processes refer to and those announced, aliases followed to
/// their ends, numbers left out.
///
/// # Errors
/// Aliases lead back to themselves.
pub(super) fn requested(
    job: &Object,
    referenced: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Fault> {
    let Some(portmap) = portmap(job) else { return Ok(referenced.clone()) };
    let mut ports = BTreeSet::new();
    // Aliases that were followed to their ends need not be followed again.
    let mut seen = BTreeSet::new();
    for start in portmap.keys().chain(referenced) {
        let mut round = BTreeSet::new();
        let mut port = start.as_str();
        while !seen.contains(port) {
            if !round.insert(port) {
                return Err(Fault::at(
                    Stage::ClientValidation,
                    "announce.portmap",
                    format!("announce.portmap has a cycle at {start:?}"),
                )
                .coded(Code::PortmapCycle));
            }
            match portmap.get(port) {
                Some(number) if is_number(number) => break,
                Some(next) => port = next,
                None => {
                    ports.insert(port.to_owned());
                    break;
                }
            }
        }
        seen.append(&mut round);
    }
    Ok(ports)
}
