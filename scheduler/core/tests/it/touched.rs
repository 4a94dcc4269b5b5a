//! An answer changes only with a change that touches what it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, Role, TaskId};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{
    CronOp, Op, Scheduler, Scope, Settings, State, TaskQuery, TaskRecord, UpdateQuery,
};
use proptest::prelude::*;

use crate::actions::{action, run};
use crate::world::{World, job};

/// What is asked about, whether it is there or not.
struct Asked {
    jobs: Vec<JobKey>,
    roles: Vec<String>,
    hosts: Vec<String>,
}

/// What is found, and since which version it has been so.
type Answers = BTreeMap<String, (String, u64)>;

fn answers(scheduler: &Scheduler, asked: &Asked) -> Answers {
    let state = scheduler.state();
    let mut all = Answers::new();
    let mut tell = |what: String, found: String, touched: u64| {
        assert!(touched <= state.version(), "{what}: {touched}");
        all.insert(what, (found, touched));
    };
    for key in &asked.jobs {
        let query = UpdateQuery { job: Some(key.clone()), ..Default::default() };
        let found = (
            scheduler.job_configuration(key),
            scheduler.job_counts(key),
            scheduler.cron(key),
            scheduler.updates(&query, None, 10),
            state.tasks_of(key).collect::<Vec<_>>(),
        );
        tell(format!("job {key}"), format!("{found:?}"), state.touched(Scope::Job(key)));
        let query = TaskQuery::of_job(key);
        let found = format!("{:?}", scheduler.tasks(&query));
        tell(format!("tasks of {key}"), found, scheduler.tasks_touched(&query));
    }
    for role in &asked.roles {
        let jobs = scheduler.jobs_page(role, None, 10);
        let configs: Vec<_> =
            jobs.iter().map(|(key, _)| scheduler.job_configuration(key)).collect();
        let crons: Vec<_> = scheduler.crons(role, None).collect();
        let found = (jobs, configs, crons, scheduler.role_quota(role));
        tell(format!("role {role}"), format!("{found:?}"), state.touched(Scope::Role(role)));
        let query = TaskQuery { role: role.clone(), ..Default::default() };
        let found = format!("{:?}", scheduler.tasks_page(&query, None, 10));
        tell(format!("tasks of {role}"), found, scheduler.tasks_touched(&query));
    }
    for host in &asked.hosts {
        let tasks: Vec<_> = state.tasks_on(host).collect();
        let found = format!("{tasks:?} {:?}", state.host(host));
        tell(format!("host {host}"), found, state.touched(Scope::Host(host)));
        let query = TaskQuery { hosts: [host.clone()].into(), ..Default::default() };
        let found = format!("{:?}", scheduler.tasks(&query));
        tell(format!("tasks on {host}"), found, scheduler.tasks_touched(&query));
    }
    all
}

/// Carries out one op after the other, and looks at all that is asked after each.
fn check(asked: &Asked, ops: &[Op]) -> State {
    let mut scheduler = Scheduler::new(Settings::default(), State::default());
    let mut before = answers(&scheduler, asked);
    for op in ops {
        let mut state = scheduler.state().clone();
        state.apply(op).unwrap();
        scheduler = Scheduler::new(Settings::default(), state);
        let after = answers(&scheduler, asked);
        for (what, (found, touched)) in &after {
            let (was, _) = &before[what];
            let version = scheduler.state().version();
            assert!(
                found == was || *touched == version,
                "{what}: touched at {touched}, and other at {version}, after {op:?}"
            );
        }
        before = after;
    }
    scheduler.state().clone()
}

fn key(role: u8, name: u8) -> JobKey {
    JobKey::new(&format!("role{role}"), "prod", &format!("job{name}")).unwrap()
}

fn id(number: u8) -> TaskId {
    TaskId::new(format!("task{number}")).unwrap()
}

fn record(number: u8) -> TaskRecord {
    TaskRecord {
        id: id(number),
        instance: number.into(),
        state: TaskState::Pending,
        agent: None,
        ports: BTreeMap::new(),
        failure_count: 0,
        times_partitioned: 0,
        events: vec![at(TaskState::Pending)],
        ancestor: None,
    }
}

fn at(state: TaskState) -> TaskEvent {
    TaskEvent { timestamp: Timestamp(1000), state, message: None, scheduler: None }
}

fn config(key: &JobKey) -> aurora_model::job::JobConfiguration {
    let mut job = job("x", 1, true);
    job.key = key.clone();
    job.task.job = key.clone();
    job
}

#[derive(Debug, Clone)]
enum Change {
    Put(u8, u8, u8),
    Assign(u8, u8),
    To(u8, TaskState),
    CountFailure(u8),
    Remove(u8),
    PutCron(u8, u8),
    RemoveCron(u8, u8),
    Quota(u8),
    RemoveQuota(u8),
    Host(u8, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let states = vec![
        TaskState::Pending,
        TaskState::Assigned,
        TaskState::Running,
        TaskState::Running,
        TaskState::Failed,
        TaskState::Finished,
    ];
    prop_oneof![
        3 => (0_u8..3, 0_u8..2, 0_u8..6).prop_map(|(role, name, id)| Change::Put(role, name, id)),
        3 => (0_u8..6, 0_u8..3).prop_map(|(id, host)| Change::Assign(id, host)),
        5 => (0_u8..6, prop::sample::select(states)).prop_map(|(id, to)| Change::To(id, to)),
        1 => (0_u8..6).prop_map(Change::CountFailure),
        4 => (0_u8..6).prop_map(Change::Remove),
        1 => (0_u8..3, 0_u8..2).prop_map(|(role, name)| Change::PutCron(role, name)),
        1 => (0_u8..3, 0_u8..2).prop_map(|(role, name)| Change::RemoveCron(role, name)),
        1 => (0_u8..3).prop_map(Change::Quota),
        1 => (0_u8..3).prop_map(Change::RemoveQuota),
        1 => (0_u8..3, 0_u8..2).prop_map(|(host, rack)| Change::Host(host, rack)),
    ]
}

impl Change {
    /// The op; nothing if it is about what is not there.
    fn op(&self, state: &State) -> Option<Op> {
        let known = |number: u8| state.task(&id(number));
        Some(match *self {
            Self::Put(role, name, number) => Op::PutTasks {
                config: Arc::new(config(&key(role, name)).task),
                tasks: vec![record(number)],
            },
            Self::Assign(number, host) => {
                known(number).filter(|task| task.assigned.agent.is_none())?;
                Op::Assign {
                    id: id(number),
                    agent: AgentId::new(format!("agent{host}")).unwrap(),
                    host: format!("host{host}"),
                    ports: BTreeMap::new(),
                }
            }
            Self::To(number, state) => {
                let has_place = known(number)?.assigned.agent.is_some();
                let state = if has_place { state } else { TaskState::Pending };
                Op::Transition { id: id(number), event: at(state) }
            }
            Self::CountFailure(number) => known(number).map(|_| Op::CountFailure(id(number)))?,
            Self::Remove(number) => known(number).map(|_| Op::Remove(vec![id(number)]))?,
            Self::PutCron(role, name) => {
                let mut job = config(&key(role, name));
                job.cron_schedule = Some("* * * * *".into());
                Op::Cron(CronOp::Put { job: Arc::new(job), handled: Timestamp(0) })
            }
            Self::RemoveCron(role, name) => {
                let key = key(role, name);
                state.crons().get(&key)?;
                Op::Cron(CronOp::Remove(key))
            }
            Self::Quota(role) => Op::PutQuota {
                role: Role::new(&format!("role{role}")).unwrap(),
                quota: ResourceAggregate::default(),
            },
            Self::RemoveQuota(role) => {
                let role = format!("role{role}");
                state.quota(&role)?;
                Op::RemoveQuota(Role::new(&role).unwrap())
            }
            Self::Host(host, rack) => Op::PutHost {
                name: format!("host{host}"),
                agent: AgentId::new(format!("agent{host}")).unwrap(),
                address: String::new(),
                attributes: [("rack".to_owned(), [rack.to_string()].into())].into(),
            },
        })
    }
}

fn asked() -> Asked {
    let all = |name: &str| (0..4).map(|number| format!("{name}{number}")).collect();
    Asked {
        jobs: (0..4).flat_map(|role| (0..3).map(move |name| key(role, name))).collect(),
        roles: all("role"),
        hosts: all("host"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Among a few jobs of a few roles on a few hosts, which come and go.
    #[test]
    fn what_comes_and_goes_touches_all_that_tells_of_it(
        changes in prop::collection::vec(change(), 1..60),
    ) {
        let mut state = State::default();
        let mut ops = Vec::new();
        for change in &changes {
            if let Some(op) = change.op(&state) {
                state.apply(&op).unwrap();
                ops.push(op);
            }
        }
        prop_assert_eq!(check(&asked(), &ops), state);
    }

    /// With all that a scheduler does.
    #[test]
    fn what_a_scheduler_does_touches_all_that_tells_of_it(
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let mut world = World::with(Settings::default());
        world.register();
        for action in &actions {
            run(&mut world, action);
        }
        let ops: Vec<Op> = world.log.concat();
        let tasks = world.scheduler.state().tasks();
        let mut jobs: BTreeSet<JobKey> = tasks.map(|task| task.job().clone()).collect();
        jobs.extend(world.scheduler.state().crons().iter().map(|(key, _)| key.clone()));
        jobs.extend((0..3).map(|name| job(&format!("job{name}"), 1, true).key));
        let hosts = world.scheduler.state().hosts().map(|(name, _)| name.to_owned()).collect();
        let asked = Asked {
            jobs: jobs.into_iter().collect(),
            roles: vec!["www".to_owned(), "nobody".to_owned()],
            hosts,
        };
        let replayed = check(&asked, &ops);
        prop_assert_eq!(&replayed, world.scheduler.state());
    }
}

#[test]
fn what_happens_elsewhere_touches_nothing() {
    let mut state = State::default();
    let mut apply = |change: Change| {
        let op = change.op(&state).unwrap();
        state.apply(&op).unwrap();
        state.clone()
    };
    apply(Change::Put(0, 0, 0));
    apply(Change::Put(0, 1, 1));
    apply(Change::Put(1, 0, 2));
    apply(Change::Assign(0, 0));
    apply(Change::To(0, TaskState::Assigned));
    let before = apply(Change::Assign(1, 1));
    let after = apply(Change::To(1, TaskState::Assigned));
    let (mine, other, far) = (key(0, 0), key(0, 1), key(1, 0));
    for scope in [Scope::Job(&mine), Scope::Job(&far), Scope::Role("role1"), Scope::Host("host0")] {
        assert_eq!(after.touched(scope), before.touched(scope), "{scope:?}");
        assert!(after.touched(scope) < after.version(), "{scope:?}");
    }
    for scope in [Scope::All, Scope::Job(&other), Scope::Role("role0"), Scope::Host("host1")] {
        assert_eq!(after.touched(scope), after.version(), "{scope:?}");
    }
    // What is gone was touched when it went, and not by what happens to others since.
    apply(Change::To(2, TaskState::Failed));
    let gone = apply(Change::Remove(2));
    let later = apply(Change::CountFailure(0));
    for scope in [Scope::Job(&far), Scope::Role("role1")] {
        assert_eq!(later.touched(scope), gone.version(), "{scope:?}");
    }
}
