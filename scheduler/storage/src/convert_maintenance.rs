//! Between ops of maintenance and what is on disk.

use aurora_api::convert::ConvertError;
use aurora_api::maintenance::maintenance_mode;
use aurora_api::v1;
use aurora_scheduler_core::{MaintenanceOp, MaintenanceResponse};

use crate::proto;

pub(crate) fn to_proto(op: &MaintenanceOp) -> proto::MaintenanceOp {
    use proto::maintenance_op::Kind;
    let kind = match op {
        MaintenanceOp::Put { host, maintenance } => Kind::Put(proto::PutHostMaintenance {
            host: host.clone(),
            maintenance: Some(v1::HostMaintenance::from(maintenance)),
        }),
    };
    proto::MaintenanceOp { kind: Some(kind) }
}

pub(crate) fn from_proto(op: proto::MaintenanceOp) -> Result<MaintenanceOp, ConvertError> {
    use proto::maintenance_op::Kind;
    match op.kind.ok_or(ConvertError::Missing("maintenance.kind"))? {
        Kind::Put(put) => Ok(MaintenanceOp::Put {
            host: put.host,
            maintenance: put
                .maintenance
                .ok_or(ConvertError::Missing("maintenance.put.maintenance"))?
                .try_into()?,
        }),
    }
}

pub(crate) fn response_to_proto(response: &MaintenanceResponse) -> proto::MaintenanceResponse {
    use proto::maintenance_response::Kind;
    let kind = match response {
        MaintenanceResponse::Hosts { modes, unknown } => Kind::Hosts(proto::HostsMaintained {
            modes: modes
                .iter()
                .map(|(host, mode)| v1::HostMode {
                    host: host.clone(),
                    mode: v1::MaintenanceMode::from(*mode) as i32,
                })
                .collect(),
            unknown: unknown.clone(),
        }),
    };
    proto::MaintenanceResponse { kind: Some(kind) }
}

pub(crate) fn response_from_proto(
    response: proto::MaintenanceResponse,
) -> Result<MaintenanceResponse, ConvertError> {
    use proto::maintenance_response::Kind;
    match response.kind.ok_or(ConvertError::Missing("put_request.maintenance.kind"))? {
        Kind::Hosts(hosts) => Ok(MaintenanceResponse::Hosts {
            modes: hosts
                .modes
                .into_iter()
                .map(|host| Ok((host.host, maintenance_mode(host.mode)?)))
                .collect::<Result<_, ConvertError>>()?,
            unknown: hosts.unknown,
        }),
    }
}
