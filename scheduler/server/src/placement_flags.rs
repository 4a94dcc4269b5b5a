//! The flags that decide where tasks go, and which of them make room for others.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aurora_scheduler_core::{OfferOrder, Settings, Tier};
use serde_json::{Map, Value};

use crate::flags::{FlagsError, positive, read_file, whole_seconds};

/// See the module.
#[derive(Debug, Clone, clap::Args)]
pub struct PlacementFlags {
    /// Which agents are tried first, by one of these or by several with commas between them: RANDOM
    /// takes the first that fits, CPU, MEMORY, DISK and REVOCABLE_CPU the fullest, SPREAD the
    /// emptiest.
    #[arg(long, value_name = "ORDERS", default_value = "RANDOM", value_delimiter = ',',
        value_parser = order)]
    pub offer_order: Vec<OfferOrder>,
    /// Holds offers until they are used.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub hold_offers_forever: bool,
    /// How much longer than the least time an offer is held at most; how long is drawn at random.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub offer_hold_jitter_window: u32,
    /// Tasks of one job that are placed before it is the next job's turn.
    #[arg(long, value_name = "COUNT", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tasks_per_schedule_attempt: u32,
    /// Whether tasks of revocable tiers use CPU that agents may take back.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub enable_revocable_cpus: bool,
    /// Whether they use memory that agents may take back.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub enable_revocable_ram: bool,
    /// A JSON file with the tiers of the cluster and the name of the default one.
    #[arg(long, value_name = "FILE")]
    pub tier_config: Option<PathBuf>,
    /// Whether tasks are stopped to make room for more important ones.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub enable_preemptor: bool,
    /// How long a task waits before others are stopped for it.
    #[arg(long, value_name = "DURATION", default_value = "3mins", value_parser = whole_seconds)]
    pub preemption_delay: u32,
    /// How long after room was looked for in vain it is looked for again.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub preemption_slot_search_interval: u32,
    /// How long after it has registered the scheduler stops nobody for others: until then it does not
    /// know what is free.
    #[arg(long, value_name = "DURATION", default_value = "3mins", value_parser = whole_seconds)]
    pub preemption_slot_search_initial_delay: u32,
    /// Tasks of one job for which room is made at once.
    #[arg(long, value_name = "COUNT", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub preemption_reservation_max_batch_size: u32,
    /// Whether production tasks may be stopped for more important production tasks of their role.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub preempt_production_tasks: bool,
    /// How long an agent is kept for the task that others were stopped for.
    #[arg(long, value_name = "DURATION", default_value = "3mins", value_parser = whole_seconds)]
    pub offer_reservation_duration: u32,
}

fn order(text: &str) -> Result<OfferOrder, String> {
    text.trim().parse().map_err(|error: aurora_scheduler_core::UnknownOrder| error.to_string())
}

impl PlacementFlags {
    /// Makes settings of the flags.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<(), FlagsError> {
        positive(&[
            ("preemption-delay", self.preemption_delay),
            ("preemption-slot-search-interval", self.preemption_slot_search_interval),
        ])?;
        let ms = |seconds: u32| i64::from(seconds) * 1000;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        settings.offer_order = self.offer_order.clone();
        settings.hold_offers_forever = self.hold_offers_forever;
        settings.offer_hold_jitter_ms = ms(self.offer_hold_jitter_window);
        settings.max_tasks_per_schedule_attempt = count(self.max_tasks_per_schedule_attempt);
        settings.revocable_cpus = self.enable_revocable_cpus;
        settings.revocable_ram = self.enable_revocable_ram;
        settings.enable_preemptor = self.enable_preemptor;
        settings.preemption_delay_ms = ms(self.preemption_delay);
        settings.preemption_search_interval_ms = ms(self.preemption_slot_search_interval);
        settings.preemption_initial_delay_ms = ms(self.preemption_slot_search_initial_delay);
        settings.preemption_batch_size = count(self.preemption_reservation_max_batch_size);
        settings.preempt_production = self.preempt_production_tasks;
        settings.offer_reservation_ms = ms(self.offer_reservation_duration);
        if let Some(path) = &self.tier_config {
            (settings.default_tier, settings.tiers) = read_file("tier-config", path, parse)?;
        }
        Ok(())
    }
}

/// Reads what a file of tiers says.
fn parse(text: &str) -> Result<(String, BTreeMap<String, Tier>), String> {
    let file: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("it is not a JSON object: {error}"))?;
    known("the file", &file, &["default", "tiers"])?;
    let default = file
        .get("default")
        .and_then(Value::as_str)
        .ok_or("it does not name the default tier: add \"default\": \"NAME\"")?;
    let listed =
        file.get("tiers").and_then(Value::as_object).filter(|tiers| !tiers.is_empty()).ok_or(
            "it has no tiers: add \"tiers\": {\"NAME\": {\"preemptible\": …, \"revocable\": …}}",
        )?;
    let mut tiers = BTreeMap::new();
    for (name, says) in listed {
        if !aurora_model::key::is_identifier(name) {
            return Err(format!("{name:?} cannot be the name of a tier"));
        }
        let says = says.as_object().ok_or_else(|| format!("tier {name} is not an object"))?;
        known(&format!("tier {name}"), says, &["preemptible", "revocable"])?;
        let is = |field: &str| match says.get(field) {
            None => Ok(false),
            Some(Value::Bool(is)) => Ok(*is),
            Some(other) => Err(format!("{field} of tier {name} is true or false, not {other}")),
        };
        let tier = Tier { preemptible: is("preemptible")?, revocable: is("revocable")? };
        tiers.insert(name.clone(), tier);
    }
    if !tiers.contains_key(default) {
        return Err(format!("the default tier {default:?} is not one of its tiers"));
    }
    Ok((default.to_owned(), tiers))
}

/// A name that is not known is a slip of the pen, which should not be found out in production.
fn known(what: &str, object: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("{what} has {key:?}, which is none of {}", names.join(" and "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::tests::config;

    #[test]
    fn tiers_are_read_from_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiers.json");
        let text = r#"{"default": "b", "tiers": {
            "a": {"preemptible": false, "revocable": false}, "b": {"preemptible": true}}}"#;
        std::fs::write(&path, text).unwrap();
        let flag = format!("--tier-config={}", path.display());
        let settings = config(&[&flag]).unwrap().settings;
        assert_eq!(settings.default_tier, "b");
        assert_eq!(settings.tiers["b"], Tier { preemptible: true, revocable: false });
        assert_eq!(settings.tiers.len(), 2);
        std::fs::remove_file(&path).unwrap();
        let error = config(&[&flag]).unwrap_err().to_string();
        assert!(error.starts_with("failed to read --tier-config /"), "{error}");
    }

    #[test]
    fn bad_tiers_are_refused_with_what_is_wrong() {
        for (text, what) in [
            ("[]", "it is not a JSON object"),
            (r#"{"tiers": {}}"#, "it does not name the default tier"),
            (r#"{"default": "a", "tiers": {}}"#, "it has no tiers"),
            (r#"{"default": "a", "tiers": {"b": {}}}"#, "the default tier \"a\" is not one of"),
            (
                r#"{"default": "a", "tiers": {"a": {"preemtible": true}}}"#,
                "tier a has \"preemtible\"",
            ),
            (
                r#"{"default": "a", "tiers": {"a": {"revocable": 1}}}"#,
                "revocable of tier a is true or",
            ),
            (r#"{"default": "a b", "tiers": {"a b": {}}}"#, "\"a b\" cannot be the name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(what), "{text}: {error}");
        }
    }

    #[test]
    fn orders_are_a_list() {
        let settings = config(&["--offer-order=CPU, memory"]).unwrap().settings;
        assert_eq!(settings.offer_order, [OfferOrder::Cpu, OfferOrder::Memory]);
        let error = config(&["--preemption-delay=0"]).unwrap_err().to_string();
        assert_eq!(error, "--preemption-delay is out of range: 0");
        let jitter = config(&["--offer-hold-jitter-window=0"]).unwrap().settings;
        assert_eq!(jitter.offer_hold_jitter_ms, 0);
    }

    #[test]
    fn nobody_is_stopped_for_others_for_so_long_after_a_registration() {
        assert_eq!(config(&[]).unwrap().settings.preemption_initial_delay_ms, 180_000);
        for (said, ms) in [("10secs", 10_000), ("0secs", 0)] {
            let flag = format!("--preemption-slot-search-initial-delay={said}");
            assert_eq!(config(&[&flag]).unwrap().settings.preemption_initial_delay_ms, ms);
        }
    }
}
