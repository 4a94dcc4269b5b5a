//! What tests of updates have in common: updates in a line, and agents that do as they are told.

use std::sync::Arc;

use aurora_model::job::{ScheduledTask, TaskConfig, TaskState};
use aurora_model::key::{JobKey, TaskId};
use aurora_model::update::{
    InstanceAction, JobUpdateRequest, UpdateKey, UpdateSettings, UpdateStatus, UpdateStrategy,
};
use aurora_scheduler_core::{
    Request, RequestError, Response, Update, UpdateAction, UpdateRequest, UpdateResponse,
};

use crate::world::{World, job};

/// The job that is updated.
pub(crate) fn web() -> JobKey {
    JobKey::new("www", "prod", "web").unwrap()
}

/// A version of the job's task: they differ in what they run.
pub(crate) fn version(version: &str) -> TaskConfig {
    let mut task = job("web", 1, true).task;
    task.executor.as_mut().unwrap().data = version.to_owned();
    task
}

pub(crate) fn queue(group_size: u32) -> UpdateSettings {
    UpdateSettings { strategy: UpdateStrategy::Queue { group_size }, ..Default::default() }
}

pub(crate) fn batch(group_size: u32, autopause: bool) -> UpdateSettings {
    let strategy = UpdateStrategy::Batch { group_size, autopause_after_batch: autopause };
    UpdateSettings { strategy, ..UpdateSettings::default() }
}

impl World {
    /// A job of the first version whose instances all run.
    pub(crate) fn with_web(instances: u32) -> Self {
        let mut world = Self::registered();
        world.create_web(instances);
        world
    }

    pub(crate) fn create_web(&mut self, instances: u32) {
        let mut first = job("web", instances, true);
        first.task = version("v1");
        self.create(first).unwrap();
        self.obey();
    }

    pub(crate) fn start(
        &mut self,
        task: TaskConfig,
        instance_count: u32,
        settings: UpdateSettings,
    ) -> Result<UpdateResponse, RequestError> {
        // No two updates begin at the same time.
        self.wait(1);
        let metadata = [("ticket".to_owned(), "1".to_owned())].into();
        let request = Box::new(JobUpdateRequest { task, instance_count, settings, metadata });
        let ask = Request::Update(UpdateRequest::Start { request, message: Some("go".into()) });
        match self.ask(ask)? {
            Response::Update(response) => Ok(response),
            other => panic!("{other:?}"),
        }
    }

    /// Starts an update to the second version that is expected to begin.
    pub(crate) fn started(&mut self, instances: u32, settings: UpdateSettings) -> UpdateKey {
        match self.start(version("v2"), instances, settings) {
            Ok(UpdateResponse::Started(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn act(&mut self, action: UpdateAction) -> Result<UpdateStatus, RequestError> {
        let key = self.update().update().key.clone();
        let ask = Request::Update(UpdateRequest::Act { key, action, message: None });
        match self.ask(ask)? {
            Response::Update(UpdateResponse::Acted(status)) => Ok(status),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pulse(&mut self) -> bool {
        let key = self.update().update().key.clone();
        match self.ask(Request::Update(UpdateRequest::Pulse(key))) {
            Ok(Response::Update(UpdateResponse::Pulsed { finished })) => finished,
            other => panic!("{other:?}"),
        }
    }

    /// The job's last update.
    pub(crate) fn update(&self) -> &Update {
        let query = aurora_scheduler_core::UpdateQuery {
            job: Some(web()),
            ..aurora_scheduler_core::UpdateQuery::default()
        };
        let mut all = self.scheduler.updates(&query, None, usize::MAX);
        all.sort_by_key(|update| (update.created(), update.modified()));
        all.last().expect("there is an update")
    }

    pub(crate) fn at(&self) -> UpdateStatus {
        self.update().status()
    }

    /// What happened to the instances, as `instance:ACTION`.
    pub(crate) fn instance_events(&self) -> Vec<String> {
        let events = self.update().instance_events().iter();
        let short =
            |action: InstanceAction| action.name().trim_start_matches("INSTANCE_").to_owned();
        events.map(|event| format!("{}:{}", event.instance, short(event.action))).collect()
    }

    /// The active tasks of the job as `instance:version:STATE`.
    pub(crate) fn web(&self) -> Vec<String> {
        self.active_web().into_iter().map(shown_task).collect()
    }

    pub(crate) fn active_web(&self) -> Vec<&ScheduledTask> {
        self.scheduler.state().active_of(&web()).collect()
    }

    pub(crate) fn instance(&self, instance: u32) -> Option<&ScheduledTask> {
        self.scheduler.state().active_instance(&web(), instance)
    }

    pub(crate) fn set(&mut self, instance: u32, state: TaskState) {
        let id = self.instance(instance).expect("the instance is there").id().clone();
        self.status(&id, state);
    }

    /// What agents do: whatever was launched runs, whatever is to end ends, and there is room.
    /// Gives whether anything was left to do.
    pub(crate) fn obey_once(&mut self) -> bool {
        let tasks: Vec<(TaskId, TaskState)> =
            self.scheduler.state().tasks().map(|task| (task.id().clone(), task.state)).collect();
        let mut did = false;
        for (id, state) in tasks {
            let next = match state {
                TaskState::Assigned | TaskState::Starting => TaskState::Running,
                TaskState::Killing
                | TaskState::Restarting
                | TaskState::Draining
                | TaskState::Preempting => TaskState::Killed,
                _ => continue,
            };
            self.status(&id, next);
            did = true;
        }
        if self.scheduler.state().counts().contains_key(&TaskState::Pending) {
            self.offer("A", 1000);
            did = true;
        }
        did
    }

    pub(crate) fn obey(&mut self) {
        while self.obey_once() {}
    }

    /// The same, but instances that run this version fail instead of running.
    pub(crate) fn obey_but(&mut self, bad: &str) {
        loop {
            let failing: Vec<TaskId> = self
                .active_web()
                .into_iter()
                .filter(|task| task.state == TaskState::Assigned && runs(&task.assigned.task, bad))
                .map(|task| task.id().clone())
                .collect();
            for id in &failing {
                self.status(id, TaskState::Failed);
            }
            let over = self.update().status().is_terminal();
            if over || (failing.is_empty() && !self.obey_once()) {
                // What is throttled comes back.
                if over || !self.active_web().iter().any(|task| task.state == TaskState::Throttled)
                {
                    return;
                }
                self.wait(300_000);
            }
        }
    }

    pub(crate) fn statuses(&self) -> Vec<&'static str> {
        self.update().events().iter().map(|event| event.status.name()).collect()
    }
}

pub(crate) fn runs(task: &Arc<TaskConfig>, version: &str) -> bool {
    task.executor.as_ref().is_some_and(|executor| executor.data == version)
}

pub(crate) fn shown_task(task: &ScheduledTask) -> String {
    let data = task.assigned.task.executor.as_ref().map_or("", |executor| &executor.data);
    format!("{}:{data}:{}", task.assigned.instance, task.state)
}
