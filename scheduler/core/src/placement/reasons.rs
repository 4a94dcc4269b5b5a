//! Why tasks wait: what speaks against the hosts that offer something, how many of them, and what
//! would help.
//!
//! It is found out when somebody asks, for a group of equal tasks at once, and kept until an offer
//! changes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::job::{ConstraintRule, DEDICATED_ATTRIBUTE, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{AgentId, TaskId};

use super::fit::{Refusal, Resource, Site, Veto, VetoKind, Wanted, refusal};
use super::groups::Group;
use crate::input::Effect;
use crate::scheduler::{Scheduler, Turn};
use crate::state::Spread;

/// Hosts that are looked at for one answer. More would keep all others waiting, and say no more.
const SURVEYED: usize = 5_000;

/// What hosts are dedicated to that is named in one answer.
const NAMED: usize = 10;

/// What is said of tasks that wait for the places of those they replace.
const KEPT: &str = "Waiting for a place that an update keeps";

/// Why tasks wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingReason {
    /// All of it, for people.
    pub text: String,
    /// What speaks against hosts, and against how many.
    pub vetoes: Vec<VetoCount>,
    /// The host that came nearest to taking one, if any was refused.
    pub nearest: Option<String>,
    /// What would help.
    pub hint: Option<String>,
    /// How many hosts have been looked at.
    pub hosts: u32,
}

/// Against how many hosts something speaks. A host that lacks several resources counts for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VetoCount {
    /// What kind of thing.
    pub kind: VetoKind,
    /// Which attribute or resource, or what the host is for; empty if there is no more to say.
    pub detail: String,
    /// How many hosts.
    pub hosts: u32,
}

/// What was found on all hosts.
#[derive(Default)]
struct Survey {
    hosts: u32,
    /// Those that nothing speaks against.
    fitting: u32,
    /// Those that take some of the tasks that a place was tried for, and then no more.
    filled: u32,
    counts: BTreeMap<(VetoKind, String), u32>,
    /// Hosts that lack nothing but resources, and the most that one of them has of each.
    lacking: u32,
    most: [u64; Resource::ALL.len()],
}

impl Survey {
    fn add(&mut self, refusal: &Refusal<'_>, site: &Site<'_>, wanted: &Wanted) {
        let mut count = |kind, detail: &str| {
            *self.counts.entry((kind, detail.to_owned())).or_default() += 1;
        };
        match refusal {
            Refusal::Dedicated => {
                let values = site.attributes.get(DEDICATED_ATTRIBUTE);
                let values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
                count(VetoKind::Dedicated, &values.join(", "));
            }
            Refusal::Draining | Refusal::Drained => count(VetoKind::Maintenance, ""),
            Refusal::Reserved => count(VetoKind::Reserved, ""),
            Refusal::Constraint(name) => count(VetoKind::Constraint, name),
            Refusal::Limit(name) => count(VetoKind::Limit, name),
            Refusal::Lacks(has) => {
                for (what, most) in Resource::ALL.into_iter().zip(&mut self.most) {
                    *most = what.of(has).max(*most);
                    if what.of(has) < what.of(&wanted.resources) {
                        count(VetoKind::Resources, what.name());
                    }
                }
                self.lacking += 1;
            }
        }
    }

    /// What would help, by what speaks against most hosts.
    fn hint(&self, config: &TaskConfig, wanted: &Wanted) -> Option<String> {
        match self.fitting {
            0 => {}
            1 => return Some("1 host has room: tasks go there when it is their turn".to_owned()),
            hosts => {
                return Some(format!(
                    "{hosts} hosts have room: tasks go there when it is their turn"
                ));
            }
        }
        if self.lacking > 0 {
            return Some(self.resource_hint(wanted));
        }
        let ((kind, detail), _) = self.counts.iter().max_by_key(|(_, hosts)| **hosts)?;
        Some(match kind {
            VetoKind::Dedicated if config.is_dedicated() => return None,
            VetoKind::Dedicated => {
                "every host with something free is dedicated: give the job a constraint \
                 `dedicated` if it may use one of them"
                    .to_owned()
            }
            VetoKind::Maintenance => "hosts that end their maintenance would help".to_owned(),
            VetoKind::Reserved => {
                "the hosts are kept for tasks that others made room for".to_owned()
            }
            VetoKind::Constraint => format!(
                "no host that offers something meets the constraint {}",
                constraint(config, detail)
            ),
            VetoKind::Limit => format!(
                "more hosts with other values of {detail}, or a higher limit than {}, would help",
                constraint(config, detail)
            ),
            VetoKind::Resources => return None,
        })
    }

    /// Puts it into words.
    fn tell(self, config: &TaskConfig, wanted: &Wanted, reason: &mut PendingReason) {
        reason.hosts = self.hosts;
        if self.fitting > 0 {
            // What spoke against the nearest host is not so any more, or matters no more.
            reason.text.clear();
        }
        reason.hint = self.hint(config, wanted);
        reason.vetoes = in_short(self.counts);
        // What speaks against the only host has been said.
        if self.hosts == 1 && !reason.text.is_empty() {
            return;
        }
        let filled = match self.filled {
            0 => None,
            1 => Some("1 host has room for some of them only".to_owned()),
            hosts => Some(format!("{hosts} hosts have room for some of them only")),
        };
        let counts = filled.into_iter().chain(reason.vetoes.iter().map(VetoCount::words));
        let counts = counts.collect::<Vec<_>>().join(", ");
        for more in [Some(&counts), reason.hint.as_ref()].into_iter().flatten() {
            if !reason.text.is_empty() && !more.is_empty() {
                reason.text.push_str("; ");
            }
            reason.text.push_str(more);
        }
    }

    fn resource_hint(&self, wanted: &Wanted) -> String {
        let matching = match self.lacking {
            1 => "the one matching host".to_owned(),
            hosts => format!("any of {hosts} matching hosts"),
        };
        let short: Vec<String> = Resource::ALL
            .into_iter()
            .zip(self.most)
            .map(|(what, most)| (what, what.of(&wanted.resources), most))
            .filter(|(_, asks, most)| asks > most)
            .map(|(what, asks, most)| {
                format!(
                    "needs {} of {} with its executor; the most that {matching} has free is {}",
                    what.amount(asks),
                    what.name(),
                    what.amount(most)
                )
            })
            .collect();
        if short.is_empty() {
            format!("each resource is free somewhere, but {matching} lacks one of them")
                .replace("any of", "each of")
        } else {
            short.join("; ")
        }
    }
}

/// What speaks against hosts. Of what they are dedicated to, which may be as many things as there are
/// hosts, the commonest are named.
fn in_short(counts: BTreeMap<(VetoKind, String), u32>) -> Vec<VetoCount> {
    let vetoes =
        counts.into_iter().map(|((kind, detail), hosts)| VetoCount { kind, detail, hosts });
    let (mut dedicated, others): (Vec<_>, Vec<_>) =
        vetoes.partition(|veto| veto.kind == VetoKind::Dedicated);
    if dedicated.len() > NAMED + 1 {
        dedicated.sort_by_key(|veto| Reverse(veto.hosts));
        let rest = dedicated.split_off(NAMED);
        let hosts = rest.iter().map(|veto| veto.hosts).sum();
        let detail = format!("{} other values", rest.len());
        dedicated.push(VetoCount { kind: VetoKind::Dedicated, detail, hosts });
    }
    dedicated.extend(others);
    dedicated
}

/// The rule of a constraint as a configuration has it.
fn constraint(config: &TaskConfig, attribute: &str) -> String {
    let rule = config.constraints.iter().find(|constraint| constraint.attribute == attribute);
    match rule.map(|constraint| &constraint.rule) {
        Some(ConstraintRule::Value { negated, values }) => {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let mark = if *negated { "!" } else { "" };
            format!("{attribute} = {mark}{}", values.join(","))
        }
        Some(ConstraintRule::Limit(limit)) => format!("{attribute} = limit:{limit}"),
        None => attribute.to_owned(),
    }
}

impl VetoCount {
    /// In words: how many hosts, and what of them.
    fn words(&self) -> String {
        let (be, hosts, have) = match self.hosts {
            1 => ("is", "host", "has"),
            _ => ("are", "hosts", "have"),
        };
        let (number, detail) = (self.hosts, &self.detail);
        match self.kind {
            VetoKind::Dedicated => format!("{number} {hosts} {be} dedicated to {detail}"),
            VetoKind::Maintenance => format!("{number} {hosts} {be} under maintenance"),
            VetoKind::Reserved => format!("{number} {hosts} {be} reserved for other tasks"),
            VetoKind::Constraint => {
                format!(
                    "{number} {hosts} {} meet the constraint on {detail}",
                    match self.hosts {
                        1 => "does not",
                        _ => "do not",
                    }
                )
            }
            VetoKind::Limit => {
                format!("{number} {hosts} {have} all that the limit on {detail} allows")
            }
            VetoKind::Resources => format!("{number} {hosts} {have} too little {detail}"),
        }
    }
}

impl Scheduler {
    /// Why a task waits; nothing if it does not.
    pub fn pending_reason(&self, id: &TaskId) -> Option<String> {
        self.pending(id).map(|reason| reason.text.clone())
    }

    /// Why a task waits, in parts; nothing if it does not. Equal tasks of a job share the answer.
    pub fn pending(&self, id: &TaskId) -> Option<Arc<PendingReason>> {
        let said =
            |text: &str| Arc::new(PendingReason { text: text.to_owned(), ..Default::default() });
        match self.state.task(id)?.state {
            TaskState::Throttled => {
                return Some(said("Waiting because its last runs ended too soon"));
            }
            TaskState::Pending => {}
            _ => return None,
        }
        if let Some(text) = self.kept_reason(id) {
            return Some(said(&text));
        }
        let group = self.groups.id_of(id).and_then(|group| self.groups.get(group));
        Some(match group {
            Some(group) => self.reason_of(group),
            None => said(&self.short_reason(None, Veto::reason)),
        })
    }

    /// Why the tasks of a group wait.
    pub(super) fn reason_of(&self, group: &Group) -> Arc<PendingReason> {
        let version = self.offers.version();
        if let Some((at, found)) = &*group.found.borrow()
            && *at == version
            && self.registered
            && self.launching
        {
            return found.clone();
        }
        let mut reason = PendingReason {
            text: self.short_reason(Some(group), Veto::reason),
            ..PendingReason::default()
        };
        let all_kept = self.all_kept(group);
        if self.registered && self.launching && !all_kept {
            self.survey(group, &mut reason);
        }
        let reason = Arc::new(reason);
        // What is kept may be let go of without any offer changing.
        *group.found.borrow_mut() = (!all_kept).then(|| (version, reason.clone()));
        reason
    }

    /// Why an instance waits that an update keeps a place for; nothing if none does.
    fn kept_reason(&self, id: &TaskId) -> Option<String> {
        if !self.registered || !self.launching || self.affinity.is_empty() {
            return None;
        }
        let instance = self.state.task(id)?.assigned.instance_key();
        let agent = self.affinity.agent_of(&instance)?;
        let host = self.host_of(agent).unwrap_or(agent.as_str());
        Some(format!(
            "{KEPT}: it goes to {host}, where the run before it was, as soon as there is room, and \
             elsewhere when the update keeps that place no longer"
        ))
    }

    /// Whether a place is kept for every task of a group.
    fn all_kept(&self, group: &Group) -> bool {
        let is_kept = |id: &TaskId| {
            let task = self.state.task(id);
            task.is_some_and(|t| self.affinity.agent_of(&t.assigned.instance_key()).is_some())
        };
        !self.affinity.is_empty() && group.tasks().all(is_kept)
    }

    fn survey(&self, group: &Group, reason: &mut PendingReason) {
        // One that has not looked yet may be told of a host too few, not of one too many.
        let at = group.nearest.as_ref().map_or(Timestamp(i64::MAX), |nearest| nearest.at);
        let spread = self.state.spread_of(&group.config.job);
        let own = group.tasks().next().and_then(|task| self.groups.id_of(task));
        let survey = self.look_around(at, &group.config, &group.wanted, spread, own);
        if survey.hosts == 0 && group.nearest.is_none() {
            return;
        }
        reason.nearest = group.nearest.as_ref().map(|nearest| nearest.host.clone());
        survey.tell(&group.config, &group.wanted, reason);
    }

    /// Why tasks of a configuration would wait that do not fit.
    pub(super) fn reason_for(
        &self,
        now: Timestamp,
        config: &TaskConfig,
        wanted: &Wanted,
        spread: &Spread,
    ) -> PendingReason {
        let mut reason = PendingReason::default();
        let mut survey = self.look_around(now, config, wanted, Some(spread), None);
        // What fits there has been counted.
        survey.filled = std::mem::take(&mut survey.fitting);
        if survey.hosts == 0 {
            reason.text = self.short_reason(None, Veto::reason);
        }
        survey.tell(config, wanted, &mut reason);
        reason
    }

    /// Whether an agent is kept for others than a group.
    fn is_kept_from(&self, group: Option<u64>, agent: &AgentId) -> bool {
        let kept = self.reservations.group_of(agent).is_some_and(|kept| Some(kept) != group);
        kept || self.affinity.is_kept(agent)
    }

    fn look_around(
        &self,
        now: Timestamp,
        config: &TaskConfig,
        wanted: &Wanted,
        spread: Option<&Spread>,
        own: Option<u64>,
    ) -> Survey {
        let mut survey = Survey::default();
        for offer in self.offers.iter().take(SURVEYED) {
            survey.hosts += 1;
            let site = Site::of(offer, wanted);
            match refusal(config, wanted, &site, spread, self.moment(now)) {
                Some(refusal) => survey.add(&refusal, &site, wanted),
                None if self.is_kept_from(own, &offer.agent) => {
                    survey.add(&Refusal::Reserved, &site, wanted);
                }
                None => survey.fitting += 1,
            }
        }
        survey
    }

    /// Why the tasks of a group wait, by what came nearest to taking them, in words that `of_veto`
    /// chooses.
    fn short_reason(&self, group: Option<&Group>, of_veto: fn(&Veto) -> String) -> String {
        if !self.registered {
            return "Waiting for a Mesos master".to_owned();
        }
        if !self.launching {
            return "The scheduler is not launching tasks".to_owned();
        }
        if group.is_some_and(|group| self.all_kept(group)) {
            return KEPT.to_owned();
        }
        match group.and_then(|group| group.nearest.as_ref()) {
            Some(nearest) => nearest.vetoes.iter().map(of_veto).collect::<Vec<_>>().join(", "),
            None if group.is_some() && self.offers.iter().next().is_some() => {
                "Waiting for its turn to be placed".to_owned()
            }
            None => "Waiting for offers of resources".to_owned(),
        }
    }
}

impl Turn<'_> {
    /// Tells those who watch of every group that now waits for another kind of reason. Numbers in
    /// a reason are no news: they would make some of every offer, for each task of a large group.
    pub(crate) fn tell_reasons(&mut self) {
        for id in self.scheduler.groups.take_untold() {
            let group = self.scheduler.groups.get(id);
            let reason = self.scheduler.short_reason(group, Veto::gist);
            let Some(group) = self.scheduler.groups.get_mut(id) else { continue };
            if group.told.as_ref() == Some(&reason) {
                continue;
            }
            *group.found.get_mut() = None;
            // The tasks of a new group have changed in this step already.
            if group.told.replace(reason).is_some() {
                self.step.effects.extend(group.tasks().cloned().map(Effect::Changed));
            }
        }
    }
}
