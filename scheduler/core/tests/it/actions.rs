//! What may happen to a scheduler, drawn at random.

use aurora_model::job::{
    Constraint, ConstraintRule, CronCatchUp, CronCollisionPolicy, MilliCpus, SlaPolicy, TaskState,
};
use aurora_model::key::{JobKey, Role, TaskId};
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::{
    Canary, InstanceRange, JobUpdateRequest, UpdateKey, UpdateSettings, UpdateStrategy,
};
use aurora_scheduler_core::{
    CronRequest, Effect, Input, MaintenanceRequest, Request, UpdateAction, UpdateRequest,
};
use proptest::prelude::*;

use crate::world::{World, job};

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Create {
        name: u8,
        instances: u8,
        service: bool,
        production: bool,
        dedicated: bool,
    },
    /// For so many tasks.
    SetQuota(u8),
    Kill(u8),
    Schedule {
        name: u8,
        instances: u8,
        production: bool,
        policy: CronCollisionPolicy,
        catch_up: CronCatchUp,
    },
    Deschedule(u8),
    StartCron(u8),
    Add(u8, u8, u8),
    RestartTasks(u8, u8),
    RemoveQuota,
    Offer(u8, u8),
    Status(usize, TaskState),
    Wait(i64),
    Disconnect,
    Register,
    Pause(bool),
    Restart,
    /// What is done with a host: one of four things.
    Maintain(u8, u8),
    Update {
        name: u8,
        instances: u8,
        /// What it makes of the job's tasks.
        version: u8,
        settings: UpdateSettings,
    },
    ActOnUpdate(u8, UpdateAction),
    Pulse(u8),
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let state = prop::sample::select(vec![
        TaskState::Starting,
        TaskState::Running,
        TaskState::Running,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Killed,
        TaskState::Lost,
        TaskState::Partitioned,
    ]);
    prop_oneof![
        2 => (0_u8..3, 1_u8..6, any::<bool>(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(name, instances, service, production, dedicated)| Action::Create {
                name,
                instances,
                service,
                production,
                dedicated,
            }
        ),
        1 => (0_u8..9).prop_map(Action::SetQuota),
        1 => (0_u8..3).prop_map(Action::Kill),
        1 => (
            0_u8..3,
            1_u8..4,
            any::<bool>(),
            prop::sample::select(vec![
                CronCollisionPolicy::KillExisting,
                CronCollisionPolicy::CancelNew,
            ]),
            prop::sample::select(vec![
                CronCatchUp::RunLatest,
                CronCatchUp::RunAll,
                CronCatchUp::Skip,
            ]),
        )
            .prop_map(|(name, instances, production, policy, catch_up)| Action::Schedule {
                name,
                instances,
                production,
                policy,
                catch_up,
            }),
        1 => (0_u8..3).prop_map(Action::Deschedule),
        1 => (0_u8..3).prop_map(Action::StartCron),
        1 => (0_u8..3, 0_u8..6, 0_u8..4).prop_map(|(job, like, n)| Action::Add(job, like, n)),
        1 => (0_u8..3, 0_u8..6).prop_map(|(job, n)| Action::RestartTasks(job, n)),
        1 => Just(Action::RemoveQuota),
        1 => (0_u8..3, 1_u8..5).prop_map(|(a, c)| Action::Offer(a, c)),
        1 => (any::<prop::sample::Index>(), state).prop_map(|(i, s)| Action::Status(i.index(1000), s)),
        1 => (any::<prop::sample::Index>(), Just(TaskState::Running))
            .prop_map(|(i, s)| Action::Status(i.index(1000), s)),
        1 => (0_i64..400_000).prop_map(Action::Wait),
        1 => Just(Action::Disconnect),
        1 => Just(Action::Register),
        1 => any::<bool>().prop_map(Action::Pause),
        1 => Just(Action::Restart),
        1 => (0_u8..3, 0_u8..4).prop_map(|(host, what)| Action::Maintain(host, what)),
        2 => (0_u8..3, 1_u8..6, 0_u8..6, settings()).prop_map(
            |(name, instances, version, settings)| Action::Update {
                name,
                instances,
                version,
                settings,
            }
        ),
        1 => (0_u8..3, prop::sample::select(UpdateAction::ALL.to_vec()))
            .prop_map(|(name, action)| Action::ActOnUpdate(name, action)),
        1 => (0_u8..3).prop_map(Action::Pulse),
    ]
}

pub(crate) fn strategy() -> impl Strategy<Value = UpdateStrategy> {
    let size = 1_u32..4;
    prop_oneof![
        size.clone().prop_map(|group_size| UpdateStrategy::Queue { group_size }),
        (size.clone(), any::<bool>()).prop_map(|(group_size, autopause_after_batch)| {
            UpdateStrategy::Batch { group_size, autopause_after_batch }
        }),
        (prop::collection::vec(size, 1..4), any::<bool>()).prop_map(
            |(group_sizes, autopause_after_batch)| UpdateStrategy::VariableBatch {
                group_sizes,
                autopause_after_batch,
            }
        ),
    ]
}

pub(crate) fn settings() -> impl Strategy<Value = UpdateSettings> {
    let scope = prop::option::weighted(0.2, (0_u32..3, 0_u32..3));
    let canary = prop::option::weighted(0.3, (1_u32..3, 0_u32..90_000));
    (
        strategy(),
        (0_u32..3, 0_u32..3),
        prop::sample::select(vec![0, 0, 45_000]),
        any::<bool>(),
        scope,
        prop::option::weighted(0.3, 60_000_u32..200_000),
        prop::sample::select(vec![0, 0, 1, 2]),
        canary,
    )
        .prop_map(|(strategy, failures, wait, back, scope, pulse, surge, canary)| {
            let (max_per_instance_failures, max_failed_instances) = failures;
            let range = |(first, more)| InstanceRange { first, last: first + more };
            UpdateSettings {
                strategy,
                max_per_instance_failures,
                max_failed_instances,
                min_wait_in_running_ms: wait,
                rollback_on_failure: back,
                only_instances: scope.into_iter().map(range).collect(),
                pulse_timeout_ms: pulse,
                sla_aware: false,
                surge,
                canary: canary.map(|(instances, watch_ms)| Canary { instances, watch_ms }),
            }
        })
}

fn update_of(world: &World, name: u8) -> Option<UpdateKey> {
    let key = job(&format!("job{name}"), 1, true).key;
    world.scheduler.update_of(&key).map(|update| update.update().key.clone())
}

fn key(name: u8) -> JobKey {
    JobKey::new("www", "prod", &format!("job{name}")).unwrap()
}

pub(crate) fn run(world: &mut World, action: &Action) -> Vec<Effect> {
    match action {
        Action::Create { name, instances, service, production, dedicated } => {
            let mut new = job(&format!("job{name}"), u32::from(*instances), *service);
            new.task.tier = production.then(|| "preferred".into());
            if *dedicated {
                new.task.constraints.insert(Constraint {
                    attribute: "dedicated".into(),
                    rule: ConstraintRule::Value { negated: true, values: ["*/a".into()].into() },
                });
            }
            new.task.max_task_failures = 3;
            new.task.resources.ports.insert("http".into());
            let _ = world.create(new);
            Vec::new()
        }
        Action::SetQuota(tasks) => {
            let tasks = u64::from(*tasks);
            let quota = ResourceAggregate {
                cpus: MilliCpus(tasks * 1000),
                ram_mb: tasks * 100,
                disk_mb: 1000,
            };
            let _ = world.ask(Request::SetQuota { role: Role::new("www").unwrap(), quota });
            Vec::new()
        }
        Action::Kill(name) => {
            let _ = world.kill(&format!("job{name}"));
            Vec::new()
        }
        Action::Schedule { name, instances, production, policy, catch_up } => {
            let mut new = job(&format!("job{name}"), u32::from(*instances), false);
            new.task.tier = production.then(|| "preferred".into());
            new.cron_schedule = Some("*/2 * * * *".into());
            new.cron_collision_policy = *policy;
            new.cron_catch_up = *catch_up;
            let _ = world.ask(Request::Cron(CronRequest::Schedule(Box::new(new))));
            Vec::new()
        }
        Action::Deschedule(name) => {
            let _ = world.ask(Request::Cron(CronRequest::Deschedule(key(*name))));
            Vec::new()
        }
        Action::StartCron(name) => {
            let _ = world.ask(Request::Cron(CronRequest::Start(key(*name))));
            Vec::new()
        }
        Action::Add(name, like, count) => {
            let (like, count) = (u32::from(*like), u32::from(*count));
            let _ = world.ask(Request::AddInstances { job: key(*name), like, count });
            Vec::new()
        }
        Action::RestartTasks(name, instance) => {
            let instances = [u32::from(*instance)].into();
            let _ = world.ask(Request::RestartTasks { job: key(*name), instances });
            Vec::new()
        }
        Action::RemoveQuota => {
            let _ = world.ask(Request::RemoveQuota { role: Role::new("www").unwrap() });
            Vec::new()
        }
        Action::Offer(agent, cpus) => world.offer(&format!("A{agent}"), u64::from(*cpus)),
        Action::Status(index, state) => {
            let ids: Vec<TaskId> =
                world.scheduler.state().tasks().map(|t| t.id().clone()).collect();
            if ids.is_empty() {
                Vec::new()
            } else {
                world.status(&ids[index % ids.len()].clone(), *state)
            }
        }
        Action::Wait(ms) => world.wait(*ms),
        Action::Disconnect => world.put(Input::Disconnected),
        Action::Register => world.register(),
        Action::Restart => world.restart(),
        Action::Pause(launch) => world.put(Input::Launching(*launch)),
        Action::Maintain(host, what) => {
            let hosts = [format!("host-A{host}")].into();
            let _ = world.ask_as(
                Some(&format!("maintain-{}", world.log.len())),
                Request::Maintenance(match what {
                    0 => MaintenanceRequest::Start { hosts },
                    1 => MaintenanceRequest::Drain { hosts },
                    2 => MaintenanceRequest::SlaDrain {
                        hosts,
                        default_policy: SlaPolicy::Count { count: 1, duration_secs: 60 },
                        timeout_secs: 600,
                        surge: true,
                    },
                    _ => MaintenanceRequest::End { hosts },
                }),
            );
            Vec::new()
        }
        Action::Update { name, instances, version, settings } => {
            let mut task = job(&format!("job{name}"), 1, true).task;
            task.tier = (version % 2 == 0).then(|| "preferred".into());
            task.resources.cpus = MilliCpus(500 * u64::from(1 + version % 3));
            task.executor.as_mut().unwrap().data = format!("v{version}");
            let request = Box::new(JobUpdateRequest {
                task,
                instance_count: u32::from(*instances),
                settings: settings.clone(),
                metadata: [("version".to_owned(), version.to_string())].into(),
            });
            let _ = world.ask(Request::Update(UpdateRequest::Start { request, message: None }));
            Vec::new()
        }
        Action::ActOnUpdate(name, action) => {
            if let Some(key) = update_of(world, *name) {
                let (action, message) = (*action, Some("because".to_owned()));
                let _ = world.ask(Request::Update(UpdateRequest::Act { key, action, message }));
            }
            Vec::new()
        }
        Action::Pulse(name) => {
            if let Some(key) = update_of(world, *name) {
                let _ = world.ask(Request::Update(UpdateRequest::Pulse(key)));
            }
            Vec::new()
        }
    }
}
