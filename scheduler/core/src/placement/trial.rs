//! How many tasks would fit now, without placing any.

use aurora_model::job::{ConstraintRule, TaskConfig, Timestamp};

use super::fit::{Site, Wanted, refusal};
use super::reasons::PendingReason;
use crate::scheduler::Scheduler;
use crate::state::Spread;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// So many of the instances would find a place in what is on offer.
    pub fits: u32,
    /// Why the others would wait; nothing if there are none.
    pub reason: Option<PendingReason>,
}

impl Scheduler {
    /// How many tasks of a configuration would find a place in what is on offer at a time. Nobody's
    /// place is taken for it, and other waiting tasks are not thought of. The configuration is one as
    /// the scheduler keeps it: see [`crate::Request::ValidateJob`].
    pub fn trial(&self, now: Timestamp, config: &TaskConfig, instances: u32) -> Trial {
        let wanted = Wanted::of(config, &self.settings);
        let mut spread = self.trial_spread(config);
        let moment = self.moment(now);
        let mut fits = 0;
        for offer in self.offers.iter() {
            if fits >= instances {
                break;
            }
            if self.reservations.group_of(&offer.agent).is_some()
                || self.affinity.is_kept(&offer.agent)
            {
                continue;
            }
            let mut site = Site::of(offer, &wanted);
            while fits < instances
                && refusal(config, &wanted, &site, Some(&spread), moment).is_none()
            {
                fits += 1;
                site.free = site.free.minus(wanted.resources);
                spread.add(site.attributes);
            }
        }
        let reason = (fits < instances).then(|| self.reason_for(now, config, &wanted, &spread));
        Trial { fits, reason }
    }

    /// How the job is spread now, over all that the configuration has limits on.
    fn trial_spread(&self, config: &TaskConfig) -> Spread {
        let mut spread = self.state.spread_of(&config.job).cloned().unwrap_or_default();
        let has_limit =
            config.constraints.iter().any(|c| matches!(c.rule, ConstraintRule::Limit(_)));
        if has_limit {
            for attribute in spread.missing(config) {
                let hosts = self.state.active_of(&config.job).filter_map(|task| {
                    let (_, host) = task.assigned.agent.as_ref()?;
                    self.state.host(host).filter(|_| task.state.is_slave_assigned())
                });
                spread.track(attribute, hosts);
            }
        }
        spread
    }
}
