//! What tests of maintenance share: clusters of hosts with a production service on them.

use aurora_model::job::{ResourceBag, SlaPolicy, TaskState};
use aurora_model::key::{JobKey, TaskId};
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{
    Effect, MaintenanceRequest, MaintenanceResponse, Request, RequestError, Response, Settings,
};

use crate::world::{World, job};

pub(crate) const MINUTE: i64 = 60_000;

pub(crate) fn settings() -> Settings {
    Settings {
        executor_overhead: ResourceBag::default(),
        unset_quota: None,
        // Offers stay, so that only what a test does makes a difference.
        min_offer_hold_ms: 1_000 * MINUTE,
        ..Default::default()
    }
}

pub(crate) fn percentage(percentage: f64, duration_secs: u64) -> SlaPolicy {
    SlaPolicy::Percentage { percentage, duration_secs }
}

pub(crate) fn coordinator(url: &str) -> SlaPolicy {
    SlaPolicy::Coordinator { coordinator_url: url.into(), status_key: "drain".into() }
}

/// Hosts and their modes.
type Modes = Vec<(String, MaintenanceMode)>;

impl World {
    /// A service named `web` whose instances run on hosts A, B, …, as many on each as given; after
    /// it has run for a day.
    pub(crate) fn with_service(per_host: &[u32], policy: Option<SlaPolicy>) -> Self {
        let mut world = Self::with(settings());
        world.register();
        let mut service = job("web", per_host.iter().sum(), true);
        service.task.tier = Some("preferred".into());
        service.task.sla_policy = policy;
        world.create(service).unwrap();
        for (agent, count) in ('A'..).zip(per_host) {
            world.offer(&agent.to_string(), u64::from(*count));
        }
        world.run_placed();
        world.wait(24 * 60 * MINUTE);
        world
    }

    /// Lets every task run that has a place.
    pub(crate) fn run_placed(&mut self) {
        for id in self.ids_in(&[TaskState::Assigned, TaskState::Starting]) {
            self.status(&id, TaskState::Running);
        }
    }

    /// Ends every task that was told to.
    pub(crate) fn end_all(&mut self) {
        let going =
            [TaskState::Draining, TaskState::Killing, TaskState::Preempting, TaskState::Restarting];
        for id in self.ids_in(&going) {
            self.status(&id, TaskState::Killed);
        }
    }

    pub(crate) fn ids_in(&self, states: &[TaskState]) -> Vec<TaskId> {
        let tasks = self.scheduler.state().tasks();
        tasks.filter(|task| states.contains(&task.state)).map(|task| task.id().clone()).collect()
    }

    pub(crate) fn count_in(&self, state: TaskState) -> usize {
        self.ids_in(&[state]).len()
    }

    /// The tasks of `web` on a host.
    pub(crate) fn on(&self, host: &str) -> Vec<TaskId> {
        self.scheduler.state().tasks_on(host).map(|task| task.id().clone()).collect()
    }

    pub(crate) fn mode(&self, host: &str) -> MaintenanceMode {
        self.scheduler.state().host_mode(host)
    }

    pub(crate) fn maintain(
        &mut self,
        request: MaintenanceRequest,
    ) -> Result<(Modes, Vec<String>), RequestError> {
        match self.ask(Request::Maintenance(request))? {
            Response::Maintenance(MaintenanceResponse::Hosts { modes, unknown }) => {
                Ok((modes, unknown))
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn drain(&mut self, host: &str) {
        self.maintain(MaintenanceRequest::Drain { hosts: [host.into()].into() }).unwrap();
    }

    pub(crate) fn sla_drain(&mut self, hosts: &[&str], policy: SlaPolicy, timeout_secs: u64) {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let request = MaintenanceRequest::SlaDrain {
            hosts,
            default_policy: policy,
            timeout_secs,
            surge: false,
        };
        self.maintain(request).unwrap();
    }

    /// As [`World::sla_drain`], with stand-ins for services of a single instance.
    pub(crate) fn surge_drain(&mut self, host: &str, policy: SlaPolicy, timeout_secs: u64) {
        let hosts = [host.to_owned()].into();
        let surge = true;
        let request =
            MaintenanceRequest::SlaDrain { hosts, default_policy: policy, timeout_secs, surge };
        self.maintain(request).unwrap();
    }

    pub(crate) fn end(&mut self, host: &str) {
        self.maintain(MaintenanceRequest::End { hosts: [host.into()].into() }).unwrap();
    }

    /// Ends the instances of a job by hand.
    pub(crate) fn kill_instances(&mut self, name: &str, instances: &[u32]) {
        self.ask(Request::KillTasks {
            job: JobKey::new("www", "prod", name).unwrap(),
            instances: instances.iter().copied().collect(),
            message: None,
        })
        .unwrap();
    }

    /// Why tasks on a host may not be moved now.
    pub(crate) fn reasons(&self, host: &str) -> Vec<String> {
        let status = self.scheduler.host_status(host).unwrap();
        status.waiting.into_iter().map(|task| task.reason).collect()
    }
}

/// The tasks that Mesos is told to end.
pub(crate) fn killed(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Kill { .. })).count()
}
