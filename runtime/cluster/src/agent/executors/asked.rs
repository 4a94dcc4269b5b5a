//! What executors ask of their agent: to be subscribed, and to pass on how their tasks are.

use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, Event, event};

use super::container::{Doom, Executor};
use super::{ExecutorKey, Executors, Inner};
use crate::api::Events;

/// Why a call of an executor is refused, in Mesos's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallRefused {
    #[error("Framework cannot be found")]
    UnknownFramework,
    #[error("Executor cannot be found")]
    Unknown,
    #[error("Executor is not subscribed")]
    NotSubscribed,
    /// Not in Mesos's words: it ends itself then.
    #[error("The agent cannot write the update down")]
    NotWritten,
}

impl Executors {
    /// Takes an executor's subscription.
    pub(crate) fn subscribe(&self, call: Call, events: Events) -> Result<(), CallRefused> {
        let key = (call.framework_id.value, call.executor_id.value);
        let mut inner = self.lock();
        let agent = inner.agent.clone();
        let unknown = inner.unknown(&key);
        let executor = inner
            .executors
            .get_mut(&key)
            .filter(|executor| executor.ended_ms == 0)
            .ok_or(unknown)?;
        if let Some(old) = executor.events.replace(events) {
            old.end();
        }
        executor.subscribed = true;
        if let Some((_, Doom::NeverSubscribed | Doom::NeverCameBack)) = executor.deadline {
            executor.deadline = None;
        }
        executor.send(&Event {
            r#type: Some(event::Type::Subscribed as i32),
            subscribed: Some(event::Subscribed {
                executor_info: executor.info.clone(),
                framework_info: executor.framework.clone(),
                agent_info: agent,
                container_id: Some(v1::ContainerId {
                    value: executor.container.clone(),
                    ..Default::default()
                }),
            }),
            ..Event::default()
        });
        let subscribe = call.subscribe.unwrap_or_default();
        let told: Vec<String> =
            subscribe.unacknowledged_tasks.iter().map(|task| task.task_id.value.clone()).collect();
        for update in subscribe.unacknowledged_updates {
            if let Err(refused) = inner.take_update(&key, update.status) {
                // It has to come again, and say it again.
                if let Some(executor) = inner.executors.get_mut(&key) {
                    executor.events = None;
                }
                return Err(refused);
            }
        }
        // A task that was sent, but of which the executor knows nothing, never arrived.
        let lost: Vec<String> = inner
            .executors
            .get(&key)
            .into_iter()
            .flat_map(|executor| &executor.tasks)
            .filter(|(id, task)| task.delivered && task.latest.is_none() && !told.contains(id))
            .map(|(id, _)| id.clone())
            .collect();
        for task in lost {
            inner.make_update(
                &key,
                &task,
                v1::TaskState::TaskDropped,
                "The executor never received the task",
                v1::task_status::Reason::AgentRestarted,
            );
        }
        if let Some(executor) = inner.executors.get_mut(&key) {
            for (id, task) in &mut executor.tasks {
                task.delivered |= told.contains(id);
            }
            executor.deliver();
        }
        Ok(())
    }

    /// Takes in that an executor's stream has ended, if it is still the executor's.
    pub(crate) fn stream_closed(&self, key: &ExecutorKey, events: &Events) {
        let mut inner = self.lock();
        if let Some(executor) = inner.executors.get_mut(key)
            && executor.events.as_ref().is_some_and(|known| known.is(events))
        {
            executor.events = None;
        }
    }

    /// Takes an executor's update.
    pub(crate) fn update(&self, call: Call) -> Result<(), CallRefused> {
        let key = (call.framework_id.value, call.executor_id.value);
        let mut inner = self.lock();
        inner.check(&key)?;
        match call.update {
            Some(update) => inner.take_update(&key, update.status),
            None => Ok(()),
        }
    }

    /// Whether an executor is known, and whether it has ever subscribed.
    pub(crate) fn check(&self, framework: &str, executor: &str) -> Result<(), CallRefused> {
        self.lock().check(&(framework.to_owned(), executor.to_owned()))
    }
}

impl Inner {
    fn check(&self, key: &ExecutorKey) -> Result<(), CallRefused> {
        match self.executors.get(key) {
            Some(executor) if executor.ended_ms == 0 && executor.subscribed => Ok(()),
            Some(executor) if executor.ended_ms == 0 => Err(CallRefused::NotSubscribed),
            _ => Err(self.unknown(key)),
        }
    }

    fn unknown(&self, key: &ExecutorKey) -> CallRefused {
        let is_framework = |(known, executor): (&ExecutorKey, &Executor)| {
            known.0 == key.0 && executor.ended_ms == 0
        };
        match self.executors.iter().any(is_framework) {
            true => CallRefused::Unknown,
            false => CallRefused::UnknownFramework,
        }
    }
}
