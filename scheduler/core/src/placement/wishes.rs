//! Where tasks would rather run: what a host costs by the preferences of a job.
//!
//! A missed value costs its weight, and so does each task of the job on a host with the same value
//! of an attribute to be spread over. The host that costs least is taken. Only sums of a job are
//! compared with each other, so a job with one preference need not think of weights.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{PreferenceRule, TaskConfig};

use crate::state::Spread;

/// What it costs to put a task on a host with these attributes. Never less after more tasks of the
/// job have been placed.
pub(super) fn cost(
    config: &TaskConfig,
    attributes: &BTreeMap<String, BTreeSet<String>>,
    spread: Option<&Spread>,
) -> u64 {
    let mut sum = 0_u64;
    for preference in &config.preferences {
        let name = &preference.attribute;
        let has = attributes.get(name);
        let missed = match (&preference.rule, has) {
            (PreferenceRule::Value { negated, values }, has) => {
                u64::from(has.is_none_or(|has| has.is_disjoint(values)) != *negated)
            }
            (PreferenceRule::Spread, Some(values)) => {
                let count = |value: &String| spread.map_or(0, |spread| spread.count(name, value));
                values.iter().map(count).max().map_or(0, u64::from)
            }
            // Nobody knows whom it is with: it counts as the fullest and one more.
            (PreferenceRule::Spread, None) => {
                1 + u64::from(spread.map_or(0, |spread| spread.largest(name)))
            }
        };
        sum = sum.saturating_add(missed.saturating_mul(u64::from(preference.weight)));
    }
    sum
}
