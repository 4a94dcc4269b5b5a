//! What holds of maintenance whatever happens: S1, no task is stopped that its job's policy protects,
//! and S2, a drain ends by its deadline. The decisions are judged one by one, on the state as the log
//! has it at the time of each, by rules written anew here.

use aurora_model::job::{ScheduledTask, SlaPolicy, TaskState, Timestamp};
use aurora_model::key::OfferId;
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{
    Input, InverseOffer, MaintenanceRequest, Op, Request, Settings, State,
};
use proptest::prelude::*;

use crate::upkeep::{MINUTE, settings};
use crate::world::{World, job};

const AGENTS: [&str; 4] = ["A", "B", "C", "D"];

#[derive(Debug, Clone)]
enum Event {
    Drain(usize),
    SlaDrain {
        hosts: [bool; 4],
        percentage: u32,
        timeout_secs: u64,
    },
    Start(usize),
    End(usize),
    Inverse(usize, i64),
    Offer(usize, u64),
    Wait(i64),
    /// So many of the tasks that have a place begin to run, the others go on waiting for it.
    Run(usize),
    /// The tasks that were told to end do.
    Finish,
    /// A task that runs comes to this.
    Strike(prop::sample::Index, TaskState),
    /// As an update or a user would.
    Kill(u32),
    Restart,
    Disconnect,
}

fn event() -> impl Strategy<Value = Event> {
    let struck =
        prop::sample::select(vec![TaskState::Failed, TaskState::Lost, TaskState::Partitioned]);
    prop_oneof![
        1 => (0_usize..4).prop_map(Event::Drain),
        4 => (any::<[bool; 4]>(), 0_u32..=1000, 1_u64..2000).prop_map(
            |(hosts, percentage, timeout_secs)| Event::SlaDrain { hosts, percentage, timeout_secs }
        ),
        1 => (0_usize..4).prop_map(Event::Start),
        1 => (0_usize..4).prop_map(Event::End),
        1 => (0_usize..4, 0_i64..20 * MINUTE).prop_map(|(host, ms)| Event::Inverse(host, ms)),
        4 => (0_usize..4, 1_u64..12).prop_map(|(host, cpus)| Event::Offer(host, cpus)),
        4 => (1_i64..5 * MINUTE).prop_map(Event::Wait),
        4 => (0_usize..40).prop_map(Event::Run),
        3 => Just(Event::Finish),
        3 => (any::<prop::sample::Index>(), struck).prop_map(|(at, state)| Event::Strike(at, state)),
        1 => (0_u32..30).prop_map(Event::Kill),
        1 => Just(Event::Restart),
        1 => Just(Event::Disconnect),
    ]
}

fn host(index: usize) -> String {
    format!("host-{}", AGENTS[index])
}

fn act(world: &mut World, event: &Event) {
    match event {
        Event::Drain(index) => {
            maintain(world, MaintenanceRequest::Drain { hosts: [host(*index)].into() })
        }
        Event::SlaDrain { hosts, percentage, timeout_secs } => {
            let hosts =
                hosts.iter().zip(0..).filter(|(is, _)| **is).map(|(_, n)| host(n)).collect();
            let default_policy = SlaPolicy::Percentage {
                percentage: f64::from(*percentage) / 10.0,
                duration_secs: 30,
            };
            let timeout_secs = *timeout_secs;
            maintain(
                world,
                MaintenanceRequest::SlaDrain { hosts, default_policy, timeout_secs, surge: true },
            );
        }
        Event::Start(index) => {
            maintain(world, MaintenanceRequest::Start { hosts: [host(*index)].into() })
        }
        Event::End(index) => {
            maintain(world, MaintenanceRequest::End { hosts: [host(*index)].into() })
        }
        Event::Inverse(index, ms) => {
            let unavailable_from = world.now.plus_ms(*ms);
            let id = OfferId::new("I").unwrap();
            let host = Some(host(*index));
            world.put(Input::InverseOffers(vec![InverseOffer {
                id,
                agent: None,
                host,
                unavailable_from,
            }]));
        }
        Event::Offer(index, cpus) => {
            world.offer(AGENTS[*index], *cpus);
        }
        Event::Wait(ms) => {
            // Timers run at their times, one after the other.
            let until = world.now.plus_ms(*ms);
            while let Some(next) = world.scheduler.next_wakeup().filter(|next| *next < until) {
                world.now = world.now.max(next);
                world.put(Input::Wakeup);
            }
            world.now = until;
            world.put(Input::Wakeup);
        }
        Event::Run(count) => {
            for id in
                world.ids_in(&[TaskState::Assigned, TaskState::Starting]).into_iter().take(*count)
            {
                world.status(&id, TaskState::Running);
            }
        }
        Event::Finish => world.end_all(),
        Event::Strike(at, state) => {
            let ids = world.ids_in(&[TaskState::Running]);
            if !ids.is_empty() {
                world.status(&ids[at.index(ids.len())], *state);
            }
        }
        Event::Kill(instance) => world.kill_instances("web", &[*instance]),
        Event::Restart => {
            world.restart();
            world.register();
        }
        Event::Disconnect => {
            world.put(Input::Disconnected);
            world.register();
        }
    }
}

fn maintain(world: &mut World, request: MaintenanceRequest) {
    // A call that names no hosts is refused.
    let _ = world.ask(Request::Maintenance(request));
}

/// Since when the task has run without a break.
fn runs_since(task: &ScheduledTask) -> Option<Timestamp> {
    let last = task.events.iter().rfind(|event| event.state == TaskState::Running)?;
    (task.state == TaskState::Running).then_some(last.timestamp)
}

fn has_flapped(run: &ScheduledTask, settings: &Settings) -> bool {
    let began = run.events.iter().rfind(|event| event.state.is_active()).unwrap().timestamp;
    let told =
        |state| matches!(state, TaskState::Restarting | TaskState::Killing | TaskState::Draining);
    run.state.is_terminal()
        && !run.events.iter().any(|event| told(event.state))
        && run.latest_event().unwrap().timestamp.ms_since(began) < settings.flapping_threshold_ms
}

/// Whether a drain may stop the task, with the state as it is.
fn may_be_stopped(
    state: &State,
    task: &ScheduledTask,
    now: Timestamp,
    settings: &Settings,
) -> bool {
    let (_, host) = task.assigned.agent.as_ref().unwrap();
    let drain = state.maintenance().host(host).unwrap().drain.as_ref().unwrap();
    if drain.created.0 + 1000 * i64::try_from(drain.timeout_secs).unwrap() <= now.0 {
        return true;
    }
    let policy = task.assigned.task.sla_policy.as_ref().unwrap_or(&drain.default_policy);
    let (share, secs) = match policy {
        SlaPolicy::Percentage { percentage, duration_secs } => (*percentage, *duration_secs),
        other => panic!("{other:?}"),
    };
    let up_after = 1000 * i64::try_from(secs).unwrap();
    let is_up =
        |task: &ScheduledTask| runs_since(task).is_some_and(|since| now.0 - since.0 > up_after);
    let all: Vec<&ScheduledTask> =
        state.tasks().filter(|task| task.job().name() == "web" && task.state.is_active()).collect();
    if all.len() < 20 || task.state != TaskState::Running {
        return true;
    }
    let ancestor = task.ancestor.as_ref().and_then(|id| state.task(id));
    if !is_up(task) && ancestor.is_some_and(|run| has_flapped(run, settings)) {
        return true;
    }
    let others = all.iter().filter(|other| other.id() != task.id() && is_up(other)).count();
    // In tenths of a percent, which is what this test draws.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let tenths = (share * 10.0).round() as usize;
    others * 1000 >= tenths * all.len() || others + 1 == all.len()
}

/// Judges every decision that the log has got since it was `seen` long, and keeps `state` up with it.
fn judge(world: &World, state: &mut State, seen: &mut usize) {
    for op in world.log[*seen..].iter().flatten() {
        if let Op::Transition { id, event } = op
            && event.state == TaskState::Draining
        {
            let task = state.task(id).unwrap();
            let now = event.timestamp;
            assert!(
                may_be_stopped(state, task, now, &settings()),
                "S1: {id} is stopped at {now:?}: {:?}",
                task.assigned.agent
            );
        }
        state.apply(op).unwrap();
    }
    *seen = world.log.len();
    assert_eq!(state, world.scheduler.state());
    for (host, maintenance) in state.maintenance().hosts() {
        let tasks = state.tasks_on(host);
        let states: Vec<TaskState> = tasks.map(|task| task.state).collect();
        match maintenance.mode {
            MaintenanceMode::Draining => {
                let drain = maintenance.drain.as_ref().unwrap();
                assert!(!states.is_empty(), "{host} has nothing left to drain");
                if drain.deadline() <= world.now {
                    let gone = |state: &TaskState| {
                        !matches!(
                            state,
                            TaskState::Assigned
                                | TaskState::Starting
                                | TaskState::Running
                                | TaskState::Partitioned
                        )
                    };
                    assert!(states.iter().all(gone), "S2: {host} still has {states:?}");
                }
            }
            MaintenanceMode::Drained => {
                assert_eq!(states, [], "{host} is drained");
                assert_eq!(maintenance.drain, None);
            }
            MaintenanceMode::Scheduled => assert_eq!(maintenance.drain, None),
            MaintenanceMode::None => panic!("{host} needs no record"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_drain_breaks_a_policy_and_each_ends_in_time(
        instances in 18_u32..28,
        own in prop::option::of((500_u32..=960, 0_u64..120)),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::with(settings());
        world.register();
        let mut service = job("web", instances, true);
        service.task.tier = Some("preferred".into());
        service.task.sla_policy = own.filter(|_| instances >= 20).map(|(share, duration_secs)| {
            SlaPolicy::Percentage { percentage: f64::from(share) / 10.0, duration_secs }
        });
        // As strict a policy as the job may have.
        if world.create(service.clone()).is_err() {
            service.task.sla_policy = None;
            world.create(service).unwrap();
        }
        for agent in AGENTS {
            world.offer(agent, 7);
        }
        world.run_placed();
        let mut state = State::default();
        let mut seen = 0;
        judge(&world, &mut state, &mut seen);
        for event in &events {
            act(&mut world, event);
            judge(&world, &mut state, &mut seen);
        }
        // Without anything new, all that is being drained is empty by its deadline, and what Mesos
        // is asked to end has ended.
        for _ in 0..4 {
            act(&mut world, &Event::Wait(40 * MINUTE));
            judge(&world, &mut state, &mut seen);
            world.end_all();
            judge(&world, &mut state, &mut seen);
        }
        let draining = state.maintenance().hosts().filter(|(_, host)| host.mode == MaintenanceMode::Draining);
        prop_assert_eq!(draining.count(), 0);
    }
}
