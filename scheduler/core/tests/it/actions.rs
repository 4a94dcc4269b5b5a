//! What may happen to a scheduler, drawn at random.

use aurora_model::job::{
    Constraint, ConstraintRule, CronCatchUp, CronCollisionPolicy, MilliCpus, SlaPolicy, TaskState,
};
use aurora_model::key::{JobKey, Role, TaskId};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{CronRequest, Effect, Input, MaintenanceRequest, Request};
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
    ]
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
                    },
                    _ => MaintenanceRequest::End { hosts },
                }),
            );
            Vec::new()
        }
    }
}
