//! Between ops of maintenance and what is on disk.

use aurora_api::convert::ConvertError;
use aurora_api::maintenance::maintenance_mode;
use aurora_api::v1;
use aurora_model::key::JobKey;
use aurora_scheduler_core::{MaintenanceOp, MaintenanceResponse};

use crate::proto;

pub(crate) fn to_proto(op: &MaintenanceOp) -> proto::MaintenanceOp {
    use proto::maintenance_op::Kind;
    let kind = match op {
        MaintenanceOp::Put { host, maintenance } => Kind::Put(proto::PutHostMaintenance {
            host: host.clone(),
            maintenance: Some(v1::HostMaintenance::from(maintenance)),
        }),
        MaintenanceOp::PutStandIn { job, stand_in } => Kind::PutStandIn(proto::PutStandIn {
            job: Some(v1::JobKey::from(job)),
            stand_in: Some(v1::StandIn::from(*stand_in)),
        }),
        MaintenanceOp::EndStandIn { job } => Kind::EndStandIn(v1::JobKey::from(job)),
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
        Kind::PutStandIn(put) => Ok(MaintenanceOp::PutStandIn {
            job: JobKey::try_from(
                &put.job.ok_or(ConvertError::Missing("maintenance.put_stand_in.job"))?,
            )?,
            stand_in: put
                .stand_in
                .ok_or(ConvertError::Missing("maintenance.put_stand_in.stand_in"))?
                .into(),
        }),
        Kind::EndStandIn(job) => Ok(MaintenanceOp::EndStandIn { job: JobKey::try_from(&job)? }),
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

#[cfg(test)]
mod tests {
    use aurora_model::job::{SlaPolicy, Timestamp};
    use aurora_model::maintenance::{
        Drain, HostMaintenance, MaintenanceCause, MaintenanceMode, StandIn,
    };

    use super::*;

    #[test]
    fn ops_and_answers_come_back_as_they_were() {
        let job = JobKey::new("www", "prod", "web").unwrap();
        let drain = Drain {
            default_policy: SlaPolicy::Percentage { percentage: 12.5, duration_secs: 7 },
            created: Timestamp(1),
            timeout_secs: 2,
            surge: true,
        };
        let maintenance = HostMaintenance {
            mode: MaintenanceMode::Draining,
            cause: MaintenanceCause::Mesos,
            drain: Some(drain),
        };
        let stand_in = StandIn { instance: 0, number: 1, duration_secs: 7 };
        for op in [
            MaintenanceOp::Put { host: "h".into(), maintenance },
            MaintenanceOp::Put { host: "h".into(), maintenance: HostMaintenance::default() },
            MaintenanceOp::PutStandIn { job: job.clone(), stand_in },
            MaintenanceOp::EndStandIn { job },
        ] {
            assert_eq!(from_proto(to_proto(&op)).unwrap(), op);
        }
        let response = MaintenanceResponse::Hosts {
            modes: vec![("h".into(), MaintenanceMode::Drained)],
            unknown: vec!["x".into()],
        };
        assert_eq!(response_from_proto(response_to_proto(&response)).unwrap(), response);
    }
}
