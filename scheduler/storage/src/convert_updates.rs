//! Updates of jobs, between ops and what is on disk.

use std::sync::Arc;

use aurora_api::convert::ConvertError;
use aurora_api::updates::update_status;
use aurora_api::v1;
use aurora_model::job::Timestamp;
use aurora_model::key::TaskId;
use aurora_model::update::UpdateKey;
use aurora_scheduler_core::{Phase, Taken, Tally, UpdateOp, UpdateResponse, UpdateSnapshot};

use crate::proto;
use crate::proto::update_op::Kind;

pub(crate) fn to_proto(op: &UpdateOp) -> proto::UpdateOp {
    let key = |key: &UpdateKey| Some(v1::UpdateKey::from(key));
    let kind = match op {
        UpdateOp::Put(snapshot) => Kind::Put(snapshot_to_proto(snapshot)),
        UpdateOp::Status { key: of, event, between_batches } => {
            Kind::Status(proto::UpdateStatusChange {
                key: key(of),
                event: Some(event.into()),
                between_batches: *between_batches,
            })
        }
        UpdateOp::Phase { key: of, instance, phase } => Kind::Phase(proto::UpdatePhase {
            key: key(of),
            instance: *instance,
            phase: phase_to_proto(*phase).into(),
        }),
        UpdateOp::Failure { key: of, instance } => {
            Kind::Failure(proto::UpdateInstance { key: key(of), instance: *instance })
        }
        UpdateOp::Events { key: of, events } => Kind::Events(proto::UpdateInstanceEvents {
            key: key(of),
            events: events.iter().map(Into::into).collect(),
        }),
        UpdateOp::Pulse { key: of, at } => {
            Kind::Pulse(proto::UpdatePulse { key: key(of), at_ms: at.0 })
        }
        UpdateOp::Add { key: of, instance, task } => Kind::Add(proto::UpdateAdd {
            key: key(of),
            instance: *instance,
            task_id: task.to_string(),
        }),
        UpdateOp::Remove(keys) => {
            Kind::Remove(proto::RemoveUpdates { keys: keys.iter().map(Into::into).collect() })
        }
    };
    proto::UpdateOp { kind: Some(kind) }
}

fn snapshot_to_proto(snapshot: &UpdateSnapshot) -> proto::PutUpdate {
    let UpdateSnapshot { update, events, taken, acted, last_pulse, tally } = snapshot;
    proto::PutUpdate {
        update: Some((&**update).into()),
        events: events.iter().map(Into::into).collect(),
        taken: taken
            .iter()
            .map(|(instance, taken)| proto::TakenInstance {
                instance: *instance,
                phase: phase_to_proto(taken.phase).into(),
                failures: taken.failures,
            })
            .collect(),
        acted: *acted,
        last_pulse_ms: last_pulse.map(|at| at.0),
        tally: tally.map(|Tally { total, working, good, failed }| v1::UpdateTally {
            total,
            working,
            good,
            failed,
        }),
    }
}

fn phase_to_proto(phase: Phase) -> proto::Phase {
    match phase {
        Phase::Working => proto::Phase::Working,
        Phase::Good => proto::Phase::Good,
        Phase::Failed => proto::Phase::Failed,
    }
}

pub(crate) fn from_proto(op: proto::UpdateOp) -> Result<UpdateOp, ConvertError> {
    Ok(match op.kind.ok_or(ConvertError::Missing("update.kind"))? {
        Kind::Put(put) => UpdateOp::Put(Box::new(snapshot_from_proto(put)?)),
        Kind::Status(inner) => UpdateOp::Status {
            key: key(inner.key)?,
            event: inner.event.ok_or(ConvertError::Missing("update.event"))?.try_into()?,
            between_batches: inner.between_batches,
        },
        Kind::Phase(inner) => UpdateOp::Phase {
            key: key(inner.key)?,
            instance: inner.instance,
            phase: phase(inner.phase)?,
        },
        Kind::Failure(inner) => {
            UpdateOp::Failure { key: key(inner.key)?, instance: inner.instance }
        }
        Kind::Events(inner) => UpdateOp::Events {
            key: key(inner.key)?,
            events: inner.events.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        },
        Kind::Pulse(inner) => UpdateOp::Pulse { key: key(inner.key)?, at: Timestamp(inner.at_ms) },
        Kind::Add(inner) => UpdateOp::Add {
            key: key(inner.key)?,
            instance: inner.instance,
            task: TaskId::new(inner.task_id)?,
        },
        Kind::Remove(inner) => UpdateOp::Remove(
            inner.keys.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        ),
    })
}

fn snapshot_from_proto(put: proto::PutUpdate) -> Result<UpdateSnapshot, ConvertError> {
    let update = put.update.ok_or(ConvertError::Missing("update.update"))?;
    Ok(UpdateSnapshot {
        update: Arc::new(update.try_into()?),
        events: put.events.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        taken: put
            .taken
            .into_iter()
            .map(|taken| {
                let phase = phase(taken.phase)?;
                Ok((taken.instance, Taken { phase, failures: taken.failures }))
            })
            .collect::<Result<_, ConvertError>>()?,
        acted: put.acted,
        last_pulse: put.last_pulse_ms.map(Timestamp),
        tally: put.tally.map(|v1::UpdateTally { total, working, good, failed }| Tally {
            total,
            working,
            good,
            failed,
        }),
    })
}

fn key(key: Option<v1::UpdateKey>) -> Result<UpdateKey, ConvertError> {
    key.ok_or(ConvertError::Missing("update.key"))?.try_into()
}

fn phase(number: i32) -> Result<Phase, ConvertError> {
    match proto::Phase::try_from(number) {
        Ok(proto::Phase::Working) => Ok(Phase::Working),
        Ok(proto::Phase::Good) => Ok(Phase::Good),
        Ok(proto::Phase::Failed) => Ok(Phase::Failed),
        _ => Err(ConvertError::Unknown { field: "update phase", value: number }),
    }
}

pub(crate) fn response_to_proto(response: &UpdateResponse) -> proto::UpdateResponse {
    use proto::update_response::Kind;
    proto::UpdateResponse {
        kind: Some(match response {
            UpdateResponse::Started(key) => Kind::Started(key.into()),
            UpdateResponse::Unchanged => Kind::Unchanged(proto::Unchanged {}),
            UpdateResponse::Acted(status) => Kind::Acted(v1::UpdateStatus::from(*status).into()),
            UpdateResponse::Pulsed { finished } => Kind::Pulsed(*finished),
        }),
    }
}

pub(crate) fn response_from_proto(
    response: proto::UpdateResponse,
) -> Result<UpdateResponse, ConvertError> {
    use proto::update_response::Kind;
    Ok(match response.kind.ok_or(ConvertError::Missing("update response"))? {
        Kind::Started(key) => UpdateResponse::Started(key.try_into()?),
        Kind::Unchanged(proto::Unchanged {}) => UpdateResponse::Unchanged,
        Kind::Acted(status) => UpdateResponse::Acted(update_status(status)?),
        Kind::Pulsed(finished) => UpdateResponse::Pulsed { finished },
    })
}
