//! Cron jobs between the wire and the model.

use aurora_model::cron as model;
use aurora_model::job::Timestamp;

use crate::convert::ConvertError;
use crate::v1;

/// The two enums side by side: one row, one reason.
const SKIPS: [(model::CronSkip, v1::CronSkip); 7] = [
    (model::CronSkip::Collision, v1::CronSkip::Collision),
    (model::CronSkip::Waiting, v1::CronSkip::Waiting),
    (model::CronSkip::Superseded, v1::CronSkip::Superseded),
    (model::CronSkip::Policy, v1::CronSkip::Policy),
    (model::CronSkip::CatchUpLimit, v1::CronSkip::CatchUpLimit),
    (model::CronSkip::Replaced, v1::CronSkip::Replaced),
    (model::CronSkip::Quota, v1::CronSkip::Quota),
];

impl From<model::CronSkip> for v1::CronSkip {
    fn from(reason: model::CronSkip) -> Self {
        SKIPS
            .into_iter()
            .find_map(|(model, wire)| (model == reason).then_some(wire))
            .unwrap_or(Self::Unspecified)
    }
}

fn skip(number: i32) -> Result<model::CronSkip, ConvertError> {
    SKIPS
        .into_iter()
        .find_map(|(model, wire)| (wire as i32 == number).then_some(model))
        .ok_or(ConvertError::Unknown { field: "cron.skipped.reason", value: number })
}

impl From<&model::CronTrigger> for v1::CronTrigger {
    fn from(trigger: &model::CronTrigger) -> Self {
        use v1::CronTriggerKind as Kind;
        let (kind, user) = match trigger {
            model::CronTrigger::Schedule => (Kind::Schedule, String::new()),
            model::CronTrigger::CatchUp => (Kind::CatchUp, String::new()),
            model::CronTrigger::User(user) => (Kind::User, user.clone()),
        };
        Self { kind: kind.into(), user }
    }
}

fn trigger(trigger: Option<v1::CronTrigger>) -> Result<model::CronTrigger, ConvertError> {
    use v1::CronTriggerKind as Kind;
    let trigger = trigger.ok_or(ConvertError::Missing("cron.trigger"))?;
    match Kind::try_from(trigger.kind) {
        Ok(Kind::Schedule) => Ok(model::CronTrigger::Schedule),
        Ok(Kind::CatchUp) => Ok(model::CronTrigger::CatchUp),
        Ok(Kind::User) => Ok(model::CronTrigger::User(trigger.user)),
        Ok(Kind::Unspecified) | Err(_) => {
            Err(ConvertError::Unknown { field: "cron.trigger.kind", value: trigger.kind })
        }
    }
}

impl From<&model::CronDue> for v1::CronDue {
    fn from(due: &model::CronDue) -> Self {
        Self { due_ms: due.due.0, trigger: Some((&due.trigger).into()), in_turn: due.in_turn }
    }
}

impl TryFrom<v1::CronDue> for model::CronDue {
    type Error = ConvertError;

    fn try_from(due: v1::CronDue) -> Result<Self, ConvertError> {
        Ok(Self {
            due: Timestamp(due.due_ms),
            trigger: trigger(due.trigger)?,
            in_turn: due.in_turn,
        })
    }
}

impl From<&model::CronOutcome> for v1::CronOutcome {
    fn from(outcome: &model::CronOutcome) -> Self {
        use v1::cron_outcome::Kind;
        let kind = match *outcome {
            model::CronOutcome::Started { instances } => {
                Kind::Started(v1::CronStarted { instances })
            }
            model::CronOutcome::Skipped { reason, count, last } => Kind::Skipped(v1::CronSkipped {
                reason: v1::CronSkip::from(reason).into(),
                message: String::new(),
                count,
                last_ms: last.0,
            }),
        };
        Self { kind: Some(kind) }
    }
}

/// An outcome with what it means in words, for an answer.
pub fn told(outcome: &model::CronOutcome) -> v1::CronOutcome {
    let mut told = v1::CronOutcome::from(outcome);
    if let (
        Some(v1::cron_outcome::Kind::Skipped(skipped)),
        model::CronOutcome::Skipped { reason, .. },
    ) = (&mut told.kind, outcome)
    {
        reason.text().clone_into(&mut skipped.message);
    }
    told
}

impl TryFrom<v1::CronOutcome> for model::CronOutcome {
    type Error = ConvertError;

    fn try_from(outcome: v1::CronOutcome) -> Result<Self, ConvertError> {
        use v1::cron_outcome::Kind;
        match outcome.kind.ok_or(ConvertError::Missing("cron.outcome.kind"))? {
            Kind::Started(started) => Ok(Self::Started { instances: started.instances }),
            Kind::Skipped(skipped) => Ok(Self::Skipped {
                reason: skip(skipped.reason)?,
                count: skipped.count,
                last: Timestamp(skipped.last_ms),
            }),
        }
    }
}

impl From<&model::CronRun> for v1::CronRun {
    fn from(run: &model::CronRun) -> Self {
        Self {
            due_ms: run.due.0,
            at_ms: run.at.0,
            trigger: Some((&run.trigger).into()),
            outcome: Some((&run.outcome).into()),
        }
    }
}

impl TryFrom<v1::CronRun> for model::CronRun {
    type Error = ConvertError;

    fn try_from(run: v1::CronRun) -> Result<Self, ConvertError> {
        let outcome = run.outcome.ok_or(ConvertError::Missing("cron.run.outcome"))?;
        Ok(Self {
            due: Timestamp(run.due_ms),
            at: Timestamp(run.at_ms),
            trigger: trigger(run.trigger)?,
            outcome: outcome.try_into()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_survive_the_wire() {
        let outcomes = SKIPS
            .iter()
            .map(|(reason, _)| model::CronOutcome::Skipped {
                reason: *reason,
                count: 3,
                last: Timestamp(30),
            })
            .chain([model::CronOutcome::Started { instances: 7 }]);
        let triggers = [
            model::CronTrigger::Schedule,
            model::CronTrigger::CatchUp,
            model::CronTrigger::User("me".into()),
        ];
        for (outcome, trigger) in outcomes.zip(triggers.into_iter().cycle()) {
            let due = Timestamp(10);
            let run = model::CronRun { due, at: Timestamp(20), trigger: trigger.clone(), outcome };
            assert_eq!(model::CronRun::try_from(v1::CronRun::from(&run)).unwrap(), run);
            let waiting = model::CronDue { due, trigger, in_turn: true };
            assert_eq!(model::CronDue::try_from(v1::CronDue::from(&waiting)).unwrap(), waiting);
        }
    }

    #[test]
    fn what_is_malformed_is_refused_by_name() {
        let run = model::CronRun {
            due: Timestamp(1),
            at: Timestamp(2),
            trigger: model::CronTrigger::Schedule,
            outcome: model::CronOutcome::Started { instances: 1 },
        };
        let good = || v1::CronRun::from(&run);
        let refusal = |run: v1::CronRun| model::CronRun::try_from(run).unwrap_err().to_string();
        assert_eq!(refusal(v1::CronRun { trigger: None, ..good() }), "cron.trigger is missing");
        assert_eq!(refusal(v1::CronRun { outcome: None, ..good() }), "cron.run.outcome is missing");
        let unknown = v1::CronTrigger { kind: 9, user: String::new() };
        assert_eq!(
            refusal(v1::CronRun { trigger: Some(unknown), ..good() }),
            "cron.trigger.kind has the unknown value 9"
        );
        assert!(skip(0).is_err() && skip(99).is_err());
    }
}
