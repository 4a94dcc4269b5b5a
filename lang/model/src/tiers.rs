//! What the client fills in from the tiers of the cluster (`dsl.md` 8, step 9).

use crate::config::Job;

/// A tier of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// Whether its tasks may be stopped to make room.
    pub preemptible: bool,
    /// Whether they use resources that can be taken away.
    pub revocable: bool,
}

/// The tiers of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    /// All of them, in the cluster's order.
    pub tiers: Vec<Tier>,
    /// The name of the one that tasks without a tier are in.
    pub default: String,
}

impl Tiers {
    /// Gives a job without a tier the one that fits `production`, and makes `production` what the
    /// tier says. A tier that the cluster does not have is left to the scheduler.
    pub fn fill(&self, job: &mut Job) {
        match &job.tier {
            None => {
                let fitting = self
                    .tiers
                    .iter()
                    .find(|tier| !tier.revocable && tier.preemptible != job.production);
                job.tier = Some(fitting.map_or(&self.default, |tier| &tier.name).clone());
            }
            Some(name) => {
                if let Some(tier) = self.tiers.iter().find(|tier| tier.name == *name) {
                    job.production = !tier.preemptible;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tier_and_production_are_made_to_fit() {
        let tier = |name: &str, preemptible, revocable| Tier {
            name: name.to_owned(),
            preemptible,
            revocable,
        };
        let all = Tiers {
            tiers: vec![
                tier("revocable", true, true),
                tier("preemptible", true, false),
                tier("preferred", false, false),
            ],
            default: "revocable".to_owned(),
        };
        let few = Tiers { tiers: vec![tier("only", false, true)], default: "only".to_owned() };
        let json = r#"{"name":"n","role":"r","cluster":"c","environment":"e","task":{"name":"t"}}"#;
        let plain: Job = serde_json::from_str(json).unwrap();
        for (tiers, given, production, expected) in [
            (&all, None, false, ("preemptible", false)),
            (&all, None, true, ("preferred", true)),
            (&all, Some("revocable"), true, ("revocable", false)),
            (&all, Some("preferred"), false, ("preferred", true)),
            (&all, Some("unknown"), true, ("unknown", true)),
            (&few, None, true, ("only", true)),
        ] {
            let tier = given.map(str::to_owned);
            let mut job = Job { tier, production, ..plain.clone() };
            tiers.fill(&mut job);
            assert_eq!((job.tier.as_deref(), job.production), (Some(expected.0), expected.1));
        }
    }
}
