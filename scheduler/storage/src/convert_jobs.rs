//! Between what is said of instances and quotas and what is on disk.

use aurora_api::convert::ConvertError;
use aurora_model::key::Role;
use aurora_scheduler_core::{Op, RecordedResponse};

use crate::proto;

pub(crate) fn remove_quota(role: &Role) -> proto::JobsOp {
    proto::JobsOp { kind: Some(proto::jobs_op::Kind::RemoveQuota(role.to_string())) }
}

pub(crate) fn from_proto(op: proto::JobsOp) -> Result<Op, ConvertError> {
    match op.kind.ok_or(ConvertError::Missing("jobs.kind"))? {
        proto::jobs_op::Kind::RemoveQuota(role) => Ok(Op::RemoveQuota(Role::new(&role)?)),
    }
}

/// Nothing of answers that are kept elsewhere.
pub(crate) fn response_to_proto(response: &RecordedResponse) -> proto::JobsResponse {
    use proto::jobs_response::Kind;
    let instances = |instances: &[u32]| proto::Instances { instances: instances.to_vec() };
    let kind = match response {
        RecordedResponse::Added { instances: added } => Some(Kind::Added(instances(added))),
        RecordedResponse::Restarted { instances: began } => Some(Kind::Restarted(instances(began))),
        RecordedResponse::QuotaSet => Some(Kind::QuotaSet(proto::QuotaChanged {})),
        RecordedResponse::QuotaRemoved => Some(Kind::QuotaRemoved(proto::QuotaChanged {})),
        _ => None,
    };
    proto::JobsResponse { kind }
}

pub(crate) fn response_from_proto(
    response: proto::JobsResponse,
) -> Result<RecordedResponse, ConvertError> {
    use proto::jobs_response::Kind;
    Ok(match response.kind.ok_or(ConvertError::Missing("put_request.jobs.kind"))? {
        Kind::Added(added) => RecordedResponse::Added { instances: added.instances },
        Kind::Restarted(began) => RecordedResponse::Restarted { instances: began.instances },
        Kind::QuotaSet(_) => RecordedResponse::QuotaSet,
        Kind::QuotaRemoved(_) => RecordedResponse::QuotaRemoved,
    })
}
