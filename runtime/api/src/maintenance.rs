//! Between the wire and the model: maintenance of hosts.

use aurora_model::job::Timestamp;
use aurora_model::maintenance as model;

use crate::convert::ConvertError;
use crate::v1;

impl From<model::MaintenanceMode> for v1::MaintenanceMode {
    fn from(mode: model::MaintenanceMode) -> Self {
        match mode {
            model::MaintenanceMode::None => Self::None,
            model::MaintenanceMode::Scheduled => Self::Scheduled,
            model::MaintenanceMode::Draining => Self::Draining,
            model::MaintenanceMode::Drained => Self::Drained,
        }
    }
}

/// What a number from the wire means.
///
/// # Errors
/// [`ConvertError::Unknown`] if nothing.
pub fn maintenance_mode(value: i32) -> Result<model::MaintenanceMode, ConvertError> {
    let found = model::MaintenanceMode::ALL
        .into_iter()
        .find(|mode| v1::MaintenanceMode::from(*mode) as i32 == value);
    found.ok_or(ConvertError::Unknown { field: "mode", value })
}

impl From<model::MaintenanceCause> for v1::MaintenanceCause {
    fn from(cause: model::MaintenanceCause) -> Self {
        match cause {
            model::MaintenanceCause::Operator => Self::Operator,
            model::MaintenanceCause::Mesos => Self::Mesos,
        }
    }
}

fn cause(value: i32) -> Result<model::MaintenanceCause, ConvertError> {
    match v1::MaintenanceCause::try_from(value) {
        Ok(v1::MaintenanceCause::Operator) => Ok(model::MaintenanceCause::Operator),
        Ok(v1::MaintenanceCause::Mesos) => Ok(model::MaintenanceCause::Mesos),
        Err(_) => Err(ConvertError::Unknown { field: "cause", value }),
    }
}

impl From<&model::Drain> for v1::Drain {
    fn from(drain: &model::Drain) -> Self {
        Self {
            default_policy: Some(v1::SlaPolicy::from(&drain.default_policy)),
            created_ms: drain.created.0,
            timeout_secs: drain.timeout_secs,
            surge: drain.surge,
        }
    }
}

impl TryFrom<v1::Drain> for model::Drain {
    type Error = ConvertError;

    fn try_from(drain: v1::Drain) -> Result<Self, ConvertError> {
        let policy = drain.default_policy.ok_or(ConvertError::Missing("drain.default_policy"))?;
        Ok(Self {
            default_policy: policy.try_into()?,
            created: Timestamp(drain.created_ms),
            timeout_secs: drain.timeout_secs,
            surge: drain.surge,
        })
    }
}

impl From<model::StandIn> for v1::StandIn {
    fn from(stand_in: model::StandIn) -> Self {
        let model::StandIn { instance, number, duration_secs } = stand_in;
        Self { instance, number, duration_secs }
    }
}

impl From<v1::StandIn> for model::StandIn {
    fn from(stand_in: v1::StandIn) -> Self {
        let v1::StandIn { instance, number, duration_secs } = stand_in;
        Self { instance, number, duration_secs }
    }
}

impl From<&model::HostMaintenance> for v1::HostMaintenance {
    fn from(host: &model::HostMaintenance) -> Self {
        Self {
            mode: v1::MaintenanceMode::from(host.mode) as i32,
            cause: v1::MaintenanceCause::from(host.cause) as i32,
            drain: host.drain.as_ref().map(v1::Drain::from),
        }
    }
}

impl TryFrom<v1::HostMaintenance> for model::HostMaintenance {
    type Error = ConvertError;

    fn try_from(host: v1::HostMaintenance) -> Result<Self, ConvertError> {
        Ok(Self {
            mode: maintenance_mode(host.mode)?,
            cause: cause(host.cause)?,
            drain: host.drain.map(TryInto::try_into).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use aurora_model::job::SlaPolicy;

    use super::*;

    #[test]
    fn what_is_done_with_a_host_comes_back_as_it_was() {
        for mode in model::MaintenanceMode::ALL {
            for cause in [model::MaintenanceCause::Operator, model::MaintenanceCause::Mesos] {
                let drain = model::Drain {
                    default_policy: SlaPolicy::Count { count: 3, duration_secs: 60 },
                    created: Timestamp(17),
                    timeout_secs: 99,
                    surge: true,
                };
                let host = model::HostMaintenance { mode, cause, drain: Some(drain) };
                let wire = v1::HostMaintenance::from(&host);
                assert_eq!(model::HostMaintenance::try_from(wire).unwrap(), host);
            }
        }
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        let error = |host: v1::HostMaintenance| {
            model::HostMaintenance::try_from(host).unwrap_err().to_string()
        };
        let none = v1::HostMaintenance { mode: 1, ..Default::default() };
        assert!(error(v1::HostMaintenance { mode: 0, ..none.clone() }).contains("mode"));
        assert!(error(v1::HostMaintenance { cause: 9, ..none.clone() }).contains("cause"));
        let drain = Some(v1::Drain::default());
        assert!(error(v1::HostMaintenance { drain, ..none }).contains("default_policy"));
    }
}
