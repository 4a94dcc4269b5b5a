//! Between ops and what is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_api::convert::{ConvertError, task_state};
use aurora_api::v1;
use aurora_model::key::{AgentId, FrameworkId, Role, TaskId};
use aurora_scheduler_core::{Op, TaskRecord};

use crate::{
    convert_cron, convert_jobs, convert_maintenance, convert_request, convert_updates, proto,
};

pub(crate) fn to_proto(op: &Op) -> proto::Op {
    use proto::op::Kind;
    let kind = match op {
        Op::SaveFrameworkId(id) => Kind::SaveFrameworkId(id.to_string()),
        Op::PutTasks { config, tasks } => Kind::PutTasks(proto::PutTasks {
            config: Some(v1::TaskConfig::from(&**config)),
            tasks: tasks.iter().map(record_to_proto).collect(),
        }),
        Op::Reschedule { ancestor, id } => Kind::Reschedule(proto::Reschedule {
            ancestor: ancestor.to_string(),
            id: id.to_string(),
        }),
        Op::Transition { id, event } => Kind::Transition(proto::Transition {
            id: id.to_string(),
            event: Some(v1::TaskEvent::from(event)),
        }),
        Op::Assign { id, agent, host, ports } => Kind::Assign(proto::Assign {
            id: id.to_string(),
            agent_id: agent.to_string(),
            host: host.clone(),
            ports: ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        }),
        Op::CountFailure(id) => Kind::CountFailure(id.to_string()),
        Op::Remove(ids) => {
            Kind::Remove(proto::Remove { ids: ids.iter().map(ToString::to_string).collect() })
        }
        Op::PutHost { name, agent, address, attributes } => Kind::PutHost(proto::PutHost {
            name: name.clone(),
            agent_id: agent.to_string(),
            address: address.clone(),
            attributes: attributes
                .iter()
                .map(|(name, values)| {
                    let values = values.iter().cloned().collect();
                    (name.clone(), proto::AttributeValues { values })
                })
                .collect(),
        }),
        Op::PutQuota { role, quota } => Kind::PutQuota(proto::PutQuota {
            role: role.to_string(),
            quota: Some(v1::ResourceAggregate::from(quota)),
        }),
        Op::RemoveQuota(role) => Kind::Jobs(convert_jobs::remove_quota(role)),
        Op::Cron(op) => Kind::Cron(convert_cron::to_proto(op)),
        Op::Version(version) => Kind::Version(*version),
        Op::Update(op) => Kind::Update(convert_updates::to_proto(op)),
        Op::Maintenance(op) => Kind::Maintenance(convert_maintenance::to_proto(op)),
        Op::PutRequest { id, fingerprint, at, response } => {
            Kind::PutRequest(convert_request::to_proto(id, *fingerprint, *at, response))
        }
    };
    proto::Op { kind: Some(kind) }
}

fn record_to_proto(task: &TaskRecord) -> proto::TaskRecord {
    let (agent_id, agent_host) = match &task.agent {
        Some((agent, host)) => (agent.to_string(), host.clone()),
        None => Default::default(),
    };
    proto::TaskRecord {
        id: task.id.to_string(),
        instance: task.instance,
        state: v1::TaskState::from(task.state) as i32,
        agent_id,
        agent_host,
        ports: task.ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        failure_count: task.failure_count,
        times_partitioned: task.times_partitioned,
        events: task.events.iter().map(v1::TaskEvent::from).collect(),
        ancestor: task.ancestor.as_ref().map(ToString::to_string),
    }
}

pub(crate) fn from_proto(op: proto::Op) -> Result<Op, ConvertError> {
    use proto::op::Kind;
    Ok(match op.kind.ok_or(ConvertError::Missing("op.kind"))? {
        Kind::SaveFrameworkId(id) => Op::SaveFrameworkId(FrameworkId::new(id)?),
        Kind::PutTasks(put) => Op::PutTasks {
            config: Arc::new(
                put.config.ok_or(ConvertError::Missing("put_tasks.config"))?.try_into()?,
            ),
            tasks: put.tasks.into_iter().map(record_from_proto).collect::<Result<_, _>>()?,
        },
        Kind::Reschedule(inner) => {
            Op::Reschedule { ancestor: TaskId::new(inner.ancestor)?, id: TaskId::new(inner.id)? }
        }
        Kind::Transition(inner) => Op::Transition {
            id: TaskId::new(inner.id)?,
            event: inner.event.ok_or(ConvertError::Missing("transition.event"))?.try_into()?,
        },
        Kind::Assign(inner) => Op::Assign {
            id: TaskId::new(inner.id)?,
            agent: AgentId::new(inner.agent_id)?,
            host: inner.host,
            ports: ports(inner.ports)?,
        },
        Kind::CountFailure(id) => Op::CountFailure(TaskId::new(id)?),
        Kind::Remove(inner) => {
            Op::Remove(inner.ids.into_iter().map(TaskId::new).collect::<Result<_, _>>()?)
        }
        Kind::PutHost(inner) => Op::PutHost {
            name: inner.name,
            agent: AgentId::new(inner.agent_id)?,
            address: inner.address,
            attributes: inner
                .attributes
                .into_iter()
                .map(|(name, values)| (name, values.values.into_iter().collect()))
                .collect(),
        },
        Kind::PutQuota(inner) => Op::PutQuota {
            role: Role::new(&inner.role)?,
            quota: inner.quota.ok_or(ConvertError::Missing("put_quota.quota"))?.try_into()?,
        },
        Kind::Jobs(op) => convert_jobs::from_proto(op)?,
        Kind::Cron(op) => Op::Cron(convert_cron::from_proto(op)?),
        Kind::Update(op) => Op::Update(convert_updates::from_proto(op)?),
        Kind::Version(version) => Op::Version(version),
        Kind::Maintenance(op) => Op::Maintenance(convert_maintenance::from_proto(op)?),
        Kind::PutRequest(inner) => convert_request::from_proto(inner)?,
    })
}

fn record_from_proto(task: proto::TaskRecord) -> Result<TaskRecord, ConvertError> {
    Ok(TaskRecord {
        id: TaskId::new(task.id)?,
        instance: task.instance,
        state: task_state(task.state)?,
        agent: match task.agent_id.as_str() {
            "" => None,
            id => Some((AgentId::new(id)?, task.agent_host)),
        },
        ports: ports(task.ports)?,
        failure_count: task.failure_count,
        times_partitioned: task.times_partitioned,
        events: task.events.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        ancestor: task.ancestor.map(TaskId::new).transpose()?,
    })
}

fn ports(ports: BTreeMap<String, u32>) -> Result<BTreeMap<String, u16>, ConvertError> {
    ports
        .into_iter()
        .map(|(name, port)| match u16::try_from(port) {
            Ok(port) => Ok((name, port)),
            Err(_) => Err(ConvertError::Range { field: "ports", value: port.to_string() }),
        })
        .collect()
}
