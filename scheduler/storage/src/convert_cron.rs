//! Between ops of cron jobs and what is on disk.

use std::sync::Arc;

use aurora_api::convert::ConvertError;
use aurora_api::v1;
use aurora_model::job::Timestamp;
use aurora_model::key::JobKey;
use aurora_scheduler_core::{CronOp, CronResponse};

use crate::proto;

pub(crate) fn to_proto(op: &CronOp) -> proto::CronOp {
    use proto::cron_op::Kind;
    let kind = match op {
        CronOp::Put { job, handled } => Kind::Put(proto::PutCronJob {
            job: Some(v1::JobConfiguration::from(&**job)),
            handled_ms: handled.0,
        }),
        CronOp::Remove(job) => Kind::Remove(job.into()),
        CronOp::Due { job, handled, queued } => Kind::Due(proto::CronJobDue {
            job: Some(job.into()),
            handled_ms: handled.0,
            queued: queued.iter().map(Into::into).collect(),
        }),
        CronOp::Record { job, runs, taken } => Kind::Record(proto::RecordCronRuns {
            job: Some(job.into()),
            runs: runs.iter().map(Into::into).collect(),
            taken: *taken,
        }),
    };
    proto::CronOp { kind: Some(kind) }
}

pub(crate) fn from_proto(op: proto::CronOp) -> Result<CronOp, ConvertError> {
    use proto::cron_op::Kind;
    Ok(match op.kind.ok_or(ConvertError::Missing("cron.kind"))? {
        Kind::Put(put) => CronOp::Put {
            job: Arc::new(put.job.ok_or(ConvertError::Missing("cron.put.job"))?.try_into()?),
            handled: Timestamp(put.handled_ms),
        },
        Kind::Remove(job) => CronOp::Remove(key(Some(job))?),
        Kind::Due(due) => CronOp::Due {
            job: key(due.job)?,
            handled: Timestamp(due.handled_ms),
            queued: due.queued.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        },
        Kind::Record(record) => CronOp::Record {
            job: key(record.job)?,
            runs: record.runs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            taken: record.taken,
        },
    })
}

pub(crate) fn response_to_proto(response: &CronResponse) -> proto::CronResponse {
    use proto::cron_response::Kind;
    let kind = match response {
        CronResponse::Scheduled { key, next } => Kind::Scheduled(proto::CronJobScheduled {
            key: Some(key.into()),
            next_ms: next.map(|time| time.0),
        }),
        CronResponse::Descheduled { existed } => {
            Kind::Descheduled(proto::CronJobDescheduled { existed: *existed })
        }
        CronResponse::Triggered { outcome } => {
            Kind::Triggered(proto::CronJobTriggered { outcome: outcome.as_ref().map(Into::into) })
        }
    };
    proto::CronResponse { kind: Some(kind) }
}

pub(crate) fn response_from_proto(
    response: proto::CronResponse,
) -> Result<CronResponse, ConvertError> {
    use proto::cron_response::Kind;
    Ok(match response.kind.ok_or(ConvertError::Missing("put_request.cron.kind"))? {
        Kind::Scheduled(scheduled) => CronResponse::Scheduled {
            key: key(scheduled.key)?,
            next: scheduled.next_ms.map(Timestamp),
        },
        Kind::Descheduled(gone) => CronResponse::Descheduled { existed: gone.existed },
        Kind::Triggered(triggered) => CronResponse::Triggered {
            outcome: triggered.outcome.map(TryInto::try_into).transpose()?,
        },
    })
}

fn key(key: Option<v1::JobKey>) -> Result<JobKey, ConvertError> {
    JobKey::try_from(&key.ok_or(ConvertError::Missing("cron.job"))?)
}
