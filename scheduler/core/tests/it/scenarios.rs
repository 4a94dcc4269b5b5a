//! What the scheduler does, told as stories.

use aurora_model::job::{
    Constraint, ConstraintRule, Container, PartitionPolicy, TaskState, Volume,
};
use aurora_model::key::{AgentId, JobKey, TaskId};
use aurora_scheduler_core::{Effect, ErrorKind, Input, Op, Request, Response, Settings, Tier};

use crate::world::{World, job, launched};

#[test]
fn a_service_is_placed_runs_and_is_replaced_when_it_ends() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    let effects = world.status(&id, TaskState::Finished);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Acknowledge { task, .. } if *task == id))
    );
    assert_eq!(world.shown("web"), ["0:FINISHED", "0:PENDING"]);
    let effects = world.offer("A", 4);
    assert_eq!(launched(&effects), [world.task_in("web", TaskState::Assigned)]);
    let new = world.tasks("web")[1];
    assert_eq!(new.ancestor.as_ref(), Some(&id));
}

#[test]
fn a_batch_job_is_retried_up_to_its_failures() {
    let mut batch = job("batch", 1, false);
    batch.task.max_task_failures = 2;
    let (mut world, first) = World::with_running(batch);
    world.status(&first, TaskState::Failed);
    assert_eq!(world.shown("batch"), ["0:FAILED", "0:PENDING"]);
    world.offer("A", 4);
    let second = world.task_in("batch", TaskState::Assigned);
    world.status(&second, TaskState::Failed);
    assert_eq!(world.shown("batch"), ["0:FAILED", "0:FAILED"]);
    assert_eq!(world.tasks("batch")[1].failure_count, 2);
}

#[test]
fn flapping_services_are_penalised_from_the_second_time_on() {
    let (mut world, mut id) = World::with_running(job("web", 1, true));
    world.status(&id, TaskState::Failed);
    world.offer("A", 4);
    id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Running);
    world.status(&id, TaskState::Failed);
    let throttled = world.task_in("web", TaskState::Throttled);
    let reason = world.scheduler.pending_reason(&throttled).unwrap();
    assert!(reason.contains("ended too soon"), "{reason}");
    world.wait(29_999);
    assert_eq!(world.task_in("web", TaskState::Throttled), throttled);
    world.wait(30_001);
    assert_eq!(world.task_in("web", TaskState::Pending), throttled);
}

#[test]
fn tasks_wait_with_a_reason_that_says_what_is_missing() {
    let mut world = World::new();
    let mut big = job("big", 1, true);
    big.task.resources.cpus.0 = 8000;
    world.create(big).unwrap();
    let id = world.task_in("big", TaskState::Pending);
    let reason = |world: &World| said(&world.scheduler.pending_reason(&id).unwrap());
    assert_eq!(reason(&world), "Waiting for a Mesos master");
    world
        .put(Input::Registered { framework_id: aurora_model::key::FrameworkId::new("F").unwrap() });
    assert_eq!(reason(&world), "Waiting for offers of resources");
    world.offer("A", 4);
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 4.0 free)");
    // The rest of a machine comes as another offer: both count together.
    let effects = world.offer("A", 4);
    assert_eq!(launched(&effects), [id]);
    assert!(matches!(&effects[..], [.., Effect::Launch { offers, .. }] if offers.len() == 2));
}

#[test]
fn constraints_and_ports_are_kept() {
    let mut world = World::registered();
    let mut spread = job("spread", 3, true);
    spread.task.resources.ports.insert("http".into());
    spread
        .task
        .constraints
        .insert(Constraint { attribute: "host".into(), rule: ConstraintRule::Limit(1) });
    world.create(spread).unwrap();
    let offers = vec![world.an_offer("A", 4), world.an_offer("B", 4)];
    let effects = world.put(Input::Offers(offers));
    assert_eq!(launched(&effects).len(), 2, "one for each host");
    for task in world.tasks("spread").iter().filter(|task| task.state == TaskState::Assigned) {
        let port = task.assigned.assigned_ports["http"];
        assert!((31_000..31_100).contains(&port), "{port}");
    }
    let waiting = world.task_in("spread", TaskState::Pending);
    // The agents' rests are offered again; the limit still holds.
    world.offer("A", 3);
    let reason = world.scheduler.pending_reason(&waiting).unwrap();
    assert_eq!(reason, "Limit not satisfied: host");
}

#[test]
fn tasks_that_want_gpus_go_where_there_are_enough() {
    let mut world = World::with(Settings { allow_gpu_resource: true, ..Settings::default() });
    world.register();
    let mut train = job("train", 3, false);
    train.task.resources.gpus = 2;
    world.create(train).unwrap();
    let mut offers = vec![world.an_offer("A", 100), world.an_offer("B", 100)];
    offers[1].fixed.gpus = 5;
    let effects = world.put(Input::Offers(offers));
    let placed = world.tasks("train").into_iter().filter_map(|task| task.assigned.agent.clone());
    let hosts: Vec<String> = placed.map(|(_, host)| host.to_string()).collect();
    assert_eq!((launched(&effects).len(), hosts), (2, vec!["host-B".to_owned(); 2]));
    let waiting = world.task_in("train", TaskState::Pending);
    // What is left of both is offered again.
    let mut rest = vec![world.an_offer("A", 100), world.an_offer("B", 100)];
    rest[1].fixed.gpus = 1;
    world.put(Input::Offers(rest));
    let reason = world.scheduler.pending(&waiting).unwrap();
    assert_eq!(reason.vetoes.len(), 1);
    assert_eq!((reason.vetoes[0].detail.as_str(), reason.vetoes[0].hosts), ("GPU", 2));
    assert!(reason.text.contains("needs 2 of GPU"), "{}", reason.text);
}

#[test]
fn of_what_hosts_are_dedicated_to_the_commonest_is_told() {
    let mut world = World::registered();
    world.create(job("web", 1, true)).unwrap();
    let waiting = world.task_in("web", TaskState::Pending);
    let offers = (0..40).map(|number| {
        let mut offer = world.an_offer(&format!("agent{number}"), 4);
        // Eleven hosts of the last one, and one of each other.
        let value = format!("www/{:02}", number.min(29));
        offer.attributes.insert("dedicated".to_owned(), [value].into());
        offer
    });
    let offers: Vec<_> = offers.collect();
    world.put(Input::Offers(offers));
    let reason = world.scheduler.pending(&waiting).unwrap();
    let told: Vec<_> = reason.vetoes.iter().map(|v| (v.detail.as_str(), v.hosts)).collect();
    assert_eq!(told.len(), 11);
    assert_eq!(
        (told[0], told[1], told[10]),
        (("www/29", 11), ("www/00", 1), ("20 other values", 20))
    );
    assert!(reason.text.contains("20 hosts are dedicated to 20 other values"), "{}", reason.text);
}

#[test]
fn a_kill_goes_out_and_is_repeated_until_it_is_answered() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    let killed = world.kill("web").unwrap();
    assert_eq!(killed, Response::Killed { instances: vec![0] });
    let kills = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Kill { task, .. } if *task == id))
            .count()
    };
    assert_eq!(kills(&world.effects), 1);
    assert_eq!(kills(&world.wait(30_001)), 1);
    world.status(&id, TaskState::Killed);
    assert_eq!(kills(&world.wait(600_000)), 0);
    assert_eq!(world.shown("web"), ["0:KILLED"]);
    assert_eq!(world.kill("web").unwrap(), Response::Killed { instances: vec![] });
}

#[test]
fn killing_a_task_that_waits_forgets_it() {
    let mut world = World::registered();
    world.create(job("web", 2, true)).unwrap();
    world.kill("web").unwrap();
    assert!(world.tasks("web").is_empty());
    assert!(launched(&world.offer("A", 4)).is_empty());
}

#[test]
fn an_unknown_task_that_runs_is_killed_where_it_runs() {
    let mut world = World::registered();
    let id = aurora_model::key::TaskId::new("ghost").unwrap();
    let effects = world.status(&id, TaskState::Running);
    let agent = Some(AgentId::new("A").unwrap());
    assert!(effects.contains(&Effect::Kill { task: id.clone(), agent }), "{effects:?}");
    assert!(matches!(effects.last(), Some(Effect::Acknowledge { .. })));
}

#[test]
fn a_repeated_request_is_carried_out_once() {
    let mut world = World::registered();
    let create = || Request::CreateJob(Box::new(job("web", 2, true)));
    let first = world.ask_as(Some("r1"), create()).unwrap();
    assert_eq!(world.ask_as(Some("r1"), create()).unwrap(), first);
    assert_eq!(world.tasks("web").len(), 2);
    let error = world.ask_as(Some("r2"), create()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists);
}

#[test]
fn bad_jobs_are_refused_with_a_reason() {
    let mut world = World::registered();
    type Change = fn(&mut aurora_model::job::JobConfiguration);
    let cases: [(Change, &str); 8] = [
        (|job| job.instance_count = 0, "instance count must be positive"),
        (|job| job.instance_count = 4001, "at most 4000"),
        (|job| job.task.tier = Some("gold".into()), "unknown tier \"gold\""),
        (|job| job.task.resources.ram_mb = 0, "ram must be more than 0"),
        (|job| job.task.executor = None, "needs an executor"),
        (|job| job.cron_schedule = Some("* * * * *".into()), "cannot be a service"),
        (
            |job| {
                job.task.container = Container::Mesos {
                    image: None,
                    volumes: vec![Volume {
                        container_path: "/c".into(),
                        host_path: "/h".into(),
                        read_only: true,
                    }],
                }
            },
            "container volumes are not allowed on this cluster (volume \"/c\")",
        ),
        (
            |job| {
                // With "www-prod-", "-0-", a UUID and "thermos-" one byte more than a name may have.
                job.key = JobKey::new("www", "prod", &"n".repeat(200)).unwrap();
                job.task.job = job.key.clone();
            },
            "are 1 bytes too long together",
        ),
    ];
    for (change, message) in cases {
        let mut bad = job("bad", 1, true);
        change(&mut bad);
        let error = world.create(bad.clone()).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        // Who asks beforehand is told the same.
        assert_eq!(world.ask(Request::ValidateJob(Box::new(bad))).unwrap_err(), error);
    }
    assert!(world.tasks("bad").is_empty());
}

#[test]
fn partitioned_tasks_are_replaced_by_their_policy() {
    let mut patient = job("patient", 1, true);
    patient.task.partition_policy = Some(PartitionPolicy { reschedule: true, delay_secs: 60 });
    let (mut world, id) = World::with_running(patient);
    world.status(&id, TaskState::Partitioned);
    world.wait(59_000);
    assert_eq!(world.shown("patient"), ["0:PARTITIONED"]);
    world.status(&id, TaskState::Running);
    world.wait(5_000);
    assert_eq!(world.shown("patient"), ["0:RUNNING"]);
    world.status(&id, TaskState::Partitioned);
    world.wait(60_000);
    assert_eq!(world.shown("patient"), ["0:LOST", "0:PENDING"]);
    let effects = world.status(&id, TaskState::Running);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Kill { .. })),
        "it came back too late"
    );
}

#[test]
fn a_task_that_is_never_heard_of_is_given_up() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.create(job("web", 1, true)).unwrap();
    world.wait(300_000);
    assert_eq!(world.shown("web"), ["0:LOST", "0:PENDING"]);
}

#[test]
fn ended_tasks_are_forgotten_in_time() {
    let mut batch = job("batch", 1, false);
    batch.task.max_task_failures = 1;
    let (mut world, id) = World::with_running(batch);
    world.status(&id, TaskState::Finished);
    world.wait(48 * 3_600_000 - 1);
    assert_eq!(world.shown("batch"), ["0:FINISHED"]);
    world.wait(1);
    assert!(world.tasks("batch").is_empty());
}

#[test]
fn registering_asks_about_every_task_on_an_agent() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    world.put(Input::Disconnected);
    let effects = world
        .put(Input::Registered { framework_id: aurora_model::key::FrameworkId::new("F").unwrap() });
    let agent = Some(AgentId::new("A").unwrap());
    assert!(effects.contains(&Effect::Reconcile(vec![(id, agent)])), "{effects:?}");
}

#[test]
fn offers_are_given_back_in_the_end_and_none_is_used_after_a_rescind() {
    let mut world = World::registered();
    let offer = world.an_offer("A", 4);
    let id = offer.id.clone();
    world.put(Input::Offers(vec![offer]));
    let effects = world.wait(360_000);
    assert_eq!(effects, [Effect::Decline(id)]);
    let offer = world.an_offer("A", 4);
    let id = offer.id.clone();
    world.put(Input::Offers(vec![offer]));
    world.put(Input::Rescinded(id));
    world.create(job("web", 1, true)).unwrap();
    assert_eq!(world.shown("web"), ["0:PENDING"]);
}

#[test]
fn nothing_is_launched_while_launching_is_paused() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.put(Input::Launching(false));
    world.create(job("web", 1, true)).unwrap();
    assert_eq!(world.shown("web"), ["0:PENDING"]);
    let effects = world.put(Input::Launching(true));
    assert_eq!(launched(&effects).len(), 1);
}

#[test]
fn a_name_that_just_fits_is_accepted() {
    let mut world = World::registered();
    let mut long = job("long", 10, true);
    long.key = JobKey::new("www", "prod", &"n".repeat(199)).unwrap();
    long.task.job = long.key.clone();
    world.create(long).unwrap();
    let longest = world.scheduler.state().tasks().map(|task| task.id().as_str().len()).max();
    assert_eq!(longest, Some(255 - "thermos-".len()));
}

#[test]
fn production_is_what_can_neither_be_stopped_nor_lose_its_resources() {
    let mut settings = Settings::default();
    settings.tiers.insert("lent".into(), Tier { preemptible: false, revocable: true });
    let mut world = World::with(settings);
    for (tier, production) in
        [("preferred", true), ("preemptible", false), ("revocable", false), ("lent", false)]
    {
        let mut job = job("web", 1, true);
        job.task.tier = Some(tier.into());
        let Ok(Response::Validated(job)) = world.ask(Request::ValidateJob(Box::new(job))) else {
            panic!("{tier} is refused")
        };
        assert_eq!(job.task.production, production, "{tier}");
    }
}

#[test]
fn a_job_without_a_tier_gets_the_one_that_fits_its_production() {
    for (production, tier) in [(true, "preferred"), (false, "preemptible")] {
        let mut world = World::with(Settings::default());
        let mut job = job("web", 1, true);
        (job.task.tier, job.task.production) = (None, production);
        let Ok(Response::Validated(job)) = world.ask(Request::ValidateJob(Box::new(job))) else {
            panic!("{tier} is refused")
        };
        assert_eq!((job.task.tier.as_deref(), job.task.production), (Some(tier), production));
    }
}

#[test]
fn a_task_that_was_being_killed_is_not_replaced_when_its_agent_goes() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    world.kill("web").unwrap();
    let effects = world.status(&id, TaskState::Partitioned);
    let kills = effects.iter().filter(|effect| matches!(effect, Effect::Kill { .. })).count();
    assert_eq!(kills, 1);
    assert_eq!(world.shown("web"), ["0:LOST"]);
}

#[test]
fn a_task_that_is_lost_at_once_is_not_waited_for() {
    let mut patient = job("patient", 1, true);
    patient.task.partition_policy = Some(PartitionPolicy { reschedule: false, delay_secs: 0 });
    let (mut world, id) = World::with_running(patient);
    world.status(&id, TaskState::Partitioned);
    world.kill("patient").unwrap();
    assert_eq!(world.shown("patient"), ["0:LOST"]);
    // The first reconciliation, not another kill.
    assert_eq!(world.scheduler.next_wakeup(), Some(world.now.plus_ms(60_000)));
}

#[test]
fn timers_without_a_wait_do_not_go_round_for_ever() {
    let settings = Settings {
        initial_kill_retry_ms: 0,
        transient_timeout_ms: 0,
        reconciliation_explicit_interval_ms: 0,
        reconciliation_implicit_interval_ms: 0,
        ..Settings::default()
    };
    let mut world = World::with(settings);
    world.register();
    world.offer("A", 4);
    world.create(job("web", 1, true)).unwrap();
    world.kill("web").unwrap();
    world.wait(10_000_000);
    assert!(world.scheduler.next_wakeup() > Some(world.now));
}

#[test]
fn the_reason_to_wait_outlives_another_task_of_the_group() {
    let mut world = World::registered();
    let mut big = job("big", 2, true);
    big.task.resources.cpus.0 = 8000;
    world.create(big).unwrap();
    world.offer("A", 4);
    let instances = [0].into();
    let job = JobKey::new("www", "prod", "big").unwrap();
    world.ask(Request::KillTasks { job, instances, message: None }).unwrap();
    let id = world.task_in("big", TaskState::Pending);
    let reason = world.scheduler.pending_reason(&id).unwrap();
    assert_eq!(reason, "Insufficient: CPU (asks for 8.0, 4.0 free)");
    let groups = world.scheduler.pending_groups();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!((&groups[0].tasks, &groups[0].reasons), (&vec![id], &vec![reason]));
}

#[test]
fn the_reason_to_wait_is_of_what_is_on_offer_now() {
    let mut world = World::registered();
    let mut big = job("big", 1, true);
    big.task.resources.cpus.0 = 8000;
    world.create(big).unwrap();
    let id = world.task_in("big", TaskState::Pending);
    let reason = |world: &World| said(&world.scheduler.pending_reason(&id).unwrap());
    let first = world.an_offer("A", 6);
    let offer = first.id.clone();
    world.put(Input::Offers(vec![first]));
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 6.0 free)");
    world.offer("B", 2);
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 6.0 free)", "A is nearer");
    // A newer word of the same agent counts.
    world.put(Input::Rescinded(offer));
    world.offer("A", 1);
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 1.0 free)");
    world.offer("C", 4);
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 4.0 free)");
    world.wait(600_000);
    world.offer("D", 3);
    assert_eq!(reason(&world), "Insufficient: CPU (asks for 8.0, 3.0 free)", "C's is old");
    world.put(Input::Disconnected);
    world.register();
    assert_eq!(reason(&world), "Waiting for offers of resources");
}

#[test]
fn who_watches_hears_of_every_new_kind_of_reason_to_wait_once() {
    let mut world = World::new();
    let mut big = job("big", 3, true);
    big.task.resources.cpus.0 = 8000;
    world.create(big).unwrap();
    let id = world.tasks("big")[1].id().clone();
    let told = |world: &World, effects: Vec<Effect>, times: usize, reason: &str| {
        let changed: Vec<TaskId> = effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Changed(task) => Some(task),
                _ => None,
            })
            .collect();
        assert!(world.scheduler.pending_reason(&id).unwrap().starts_with(reason), "{reason}");
        assert_eq!(changed.len(), times * 3, "{reason}");
        assert_eq!(changed.contains(&id), times > 0, "{reason}");
    };
    let effects = world.register();
    told(&world, effects, 1, "Waiting for offers of resources");
    let effects = world.offer("A", 2);
    told(&world, effects, 1, "Insufficient: CPU (asks for 8.0, 2.0 free)");
    // How much is free varies all the time; what is missing is the same.
    let effects = world.offer("B", 4);
    told(&world, effects, 0, "Insufficient: CPU (asks for 8.0, 4.0 free)");
    let effects = world.wait(1000);
    told(&world, effects, 0, "Insufficient: CPU (asks for 8.0, 4.0 free)");
    let effects = world.put(Input::Launching(false));
    told(&world, effects, 1, "The scheduler is not launching tasks");
    let effects = world.put(Input::Disconnected);
    told(&world, effects, 1, "Waiting for a Mesos master");
    let effects = world.put(Input::Disconnected);
    told(&world, effects, 0, "Waiting for a Mesos master");
}

#[test]
fn agents_that_share_a_host_are_written_down_once_each() {
    let mut world = World::registered();
    let offer = |world: &mut World, agent: &str| {
        let mut offer = world.an_offer(agent, 4);
        offer.host = "shared".into();
        world.put(Input::Offers(vec![offer]));
        let ops = world.log.last().unwrap();
        ops.iter().filter(|op| matches!(op, Op::PutHost { .. })).count()
    };
    let written = ["A", "B", "A", "B", "A"].map(|agent| offer(&mut world, agent));
    assert_eq!(written, [1, 1, 0, 0, 0]);
}

#[test]
fn where_an_agent_listens_is_known_without_offers_too() {
    let mut world = World::registered();
    let agent = |name: &str| AgentId::new(name).unwrap();
    let address = |world: &World, name: &str| {
        world.scheduler.address_of(&agent(name), "host-A").map(str::to_owned)
    };
    assert_eq!(address(&world, "A"), None);
    world.offer("A", 4);
    world.restart();
    assert_eq!(address(&world, "A").as_deref(), Some("host-A:5051"));
    assert_eq!(address(&world, "B"), None, "another agent on the host");
    let mut moved = world.an_offer("A", 4);
    moved.address = "host-A:6061".into();
    world.register();
    world.put(Input::Offers(vec![moved]));
    assert_eq!(address(&world, "A").as_deref(), Some("host-A:6061"));
}

/// What is said of the host that came nearest, without how it is with all others.
fn said(reason: &str) -> String {
    reason.split(';').next().unwrap_or_default().to_owned()
}
