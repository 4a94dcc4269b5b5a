//! What operators were answered, on disk.

use aurora_api::convert::{ConvertError, task_state};
use aurora_api::v1;
use aurora_scheduler_core::AdminResponse;

use crate::proto;

pub(crate) fn response_to_proto(response: &AdminResponse) -> proto::AdminResponse {
    use proto::admin_response::Kind;
    let kind = match response {
        AdminResponse::Forced { from, to } => Kind::Forced(proto::Forced {
            from: v1::TaskState::from(*from) as i32,
            to: to.map(|to| v1::TaskState::from(to) as i32),
        }),
        AdminResponse::Reconciling { tasks } => Kind::Reconciling(*tasks),
        AdminResponse::Pruned { tasks, has_more } => {
            Kind::Pruned(proto::Pruned { tasks: *tasks, has_more: *has_more })
        }
    };
    proto::AdminResponse { kind: Some(kind) }
}

pub(crate) fn response_from_proto(
    response: proto::AdminResponse,
) -> Result<AdminResponse, ConvertError> {
    use proto::admin_response::Kind;
    Ok(match response.kind.ok_or(ConvertError::Missing("put_request.admin.kind"))? {
        Kind::Forced(forced) => AdminResponse::Forced {
            from: task_state(forced.from)?,
            to: forced.to.map(task_state).transpose()?,
        },
        Kind::Reconciling(tasks) => AdminResponse::Reconciling { tasks },
        Kind::Pruned(pruned) => {
            AdminResponse::Pruned { tasks: pruned.tasks, has_more: pruned.has_more }
        }
    })
}
