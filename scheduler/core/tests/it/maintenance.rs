//! Maintenance of hosts (`scheduler.md` 12).

use std::collections::BTreeSet;

use aurora_model::job::{TaskState, Timestamp};
use aurora_model::key::{AgentId, OfferId};
use aurora_model::maintenance::{MaintenanceCause, MaintenanceMode};
use aurora_scheduler_core::{
    Effect, ErrorKind, Input, InverseOffer, MaintenanceRequest, Request, State,
};

use crate::upkeep::{MINUTE, coordinator, killed, percentage, settings};
use crate::world::{World, job, launched};

#[test]
fn a_host_that_will_be_drained_is_used_last() {
    let mut world = World::with(settings());
    world.register();
    for agent in ["A", "B", "C", "D", "E"] {
        world.offer(agent, 1);
    }
    let request = MaintenanceRequest::Start { hosts: ["host-C".into(), "host-X".into()].into() };
    let (modes, unknown) = world.maintain(request).unwrap();
    assert_eq!(modes, [("host-C".to_owned(), MaintenanceMode::Scheduled)]);
    assert_eq!(unknown, ["host-X"]);
    world.create(job("first", 4, true)).unwrap();
    assert_eq!(world.on("host-C"), []);
    world.create(job("second", 1, true)).unwrap();
    assert_eq!(world.on("host-C").len(), 1);
}

#[test]
fn a_host_is_emptied_at_once_and_takes_nothing_until_it_is_taken_back() {
    let mut world = World::with_service(&[2], None);
    world.offer("A", 2);
    world.effects.clear();
    world.drain("host-A");
    assert_eq!(killed(&world.effects), 2);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Draining);
    let tasks = world.on("host-A");
    let event = world.scheduler.state().task(&tasks[0]).unwrap().latest_event().unwrap();
    assert_eq!(event.message.as_deref(), Some("Draining machine for maintenance."));
    world.status(&tasks[0], TaskState::Killed);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Draining);
    let pending = world.task_in("web", TaskState::Pending);
    let reason = world.scheduler.pending_reason(&pending).unwrap();
    assert_eq!(reason, "Host draining for maintenance");
    world.status(&tasks[1], TaskState::Killed);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    let status = world.scheduler.host_status("host-A").unwrap();
    assert_eq!((status.tasks, status.maintenance.drain), (0, None));
    assert_eq!(world.count_in(TaskState::Pending), 2);
    let request = MaintenanceRequest::End { hosts: ["host-A".into()].into() };
    let (modes, _) = world.maintain(request).unwrap();
    assert_eq!(modes, [("host-A".to_owned(), MaintenanceMode::None)]);
    // The offer that was there all the time is looked at again.
    assert_eq!(world.on("host-A").len(), 2);
    assert_eq!(world.scheduler.state().maintenance().hosts().count(), 0);
}

#[test]
fn an_empty_host_is_drained_at_once() {
    let mut world = World::with(settings());
    world.register();
    world.offer("A", 1);
    let request = MaintenanceRequest::Drain { hosts: ["host-A".into()].into() };
    let (modes, _) = world.maintain(request).unwrap();
    assert_eq!(modes, [("host-A".to_owned(), MaintenanceMode::Drained)]);
    world.create(job("web", 1, true)).unwrap();
    let pending = world.task_in("web", TaskState::Pending);
    let reason = world.scheduler.pending_reason(&pending).unwrap();
    assert_eq!(reason, "Host drained for maintenance");
}

#[test]
fn a_drain_at_once_heeds_no_policy() {
    // The original waits for its next look if a task has a policy of its own.
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    world.drain("host-A");
    assert_eq!(world.count_in(TaskState::Draining), 20);
    let mut world = World::with_service(&[2], Some(coordinator("http://c/")));
    world.effects.clear();
    world.drain("host-A");
    assert_eq!(world.count_in(TaskState::Draining), 2);
    assert!(!world.effects.iter().any(|effect| matches!(effect, Effect::AskCoordinator(_))));
}

#[test]
fn hosts_of_one_call_give_each_other_no_tasks() {
    let mut world = World::with_service(&[1, 1], None);
    world.offer("A", 1);
    world.offer("B", 1);
    let hosts: BTreeSet<String> = ["host-A".into(), "host-B".into()].into();
    world.maintain(MaintenanceRequest::Drain { hosts }).unwrap();
    world.end_all();
    assert_eq!(world.count_in(TaskState::Pending), 2);
    for host in ["host-A", "host-B"] {
        assert_eq!(world.mode(host), MaintenanceMode::Drained);
    }
}

#[test]
fn a_drain_ends_by_its_deadline() {
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    world.sla_drain(&["host-A"], percentage(0.0, 0), 600);
    assert_eq!(world.count_in(TaskState::Draining), 1);
    let gauges = world.scheduler.maintenance_countdowns(world.now);
    assert_eq!(gauges.len(), 20);
    assert_eq!(gauges[0], ("maintenance_countdown_ms_www/prod/web/0".to_owned(), 600_000));
    world.wait(599_999);
    assert_eq!(world.count_in(TaskState::Running), 19);
    // The timer is set for the deadline itself, not for some look after it.
    assert_eq!(world.scheduler.next_wakeup(), Some(world.now.plus_ms(1)));
    world.wait(1);
    assert_eq!(world.count_in(TaskState::Running), 0);
    world.end_all();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
}

#[test]
fn tasks_without_a_policy_have_the_one_of_the_drain() {
    let mut world = World::with_service(&[20], None);
    world.sla_drain(&["host-A"], percentage(80.0, 60), 600);
    assert_eq!(world.count_in(TaskState::Draining), 4);
}

#[test]
fn a_partitioned_task_is_given_up_when_its_host_is_drained() {
    let mut patient = job("web", 1, true);
    patient.task.partition_policy =
        Some(aurora_model::job::PartitionPolicy { reschedule: false, delay_secs: 0 });
    let (mut world, id) = World::with_running(patient);
    world.status(&id, TaskState::Partitioned);
    world.drain("host-A");
    assert_eq!(world.shown("web"), ["0:LOST", "0:PENDING"]);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
}

#[test]
fn a_drain_outlives_its_scheduler() {
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    world.sla_drain(&["host-A"], percentage(0.0, 0), 600);
    world.end_all();
    world.wait(100_000);
    world.restart();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Draining);
    // Nothing is stopped while nobody can be told to stop it.
    world.wait(499_999);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    world.register();
    assert_eq!(world.count_in(TaskState::Draining), 0);
    assert_eq!(world.reasons("host-A").len(), 19);
    world.wait(1);
    assert_eq!(world.count_in(TaskState::Draining), 19);
    let replayed = |log: &[Vec<aurora_scheduler_core::Op>]| {
        let mut state = State::default();
        log.iter().flatten().for_each(|op| state.apply(op).unwrap());
        state
    };
    assert_eq!(&replayed(&world.log), world.scheduler.state());
    let snapshot: Vec<_> = world.scheduler.state().to_ops().collect();
    assert_eq!(&replayed(&[snapshot]), world.scheduler.state());
}

#[test]
fn a_deadline_that_passed_without_a_master_is_kept_when_there_is_one() {
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    world.sla_drain(&["host-A"], percentage(0.0, 0), 600);
    world.put(Input::Disconnected);
    world.wait(1_000_000);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    let effects = world.register();
    assert!(killed(&effects) >= 19);
}

#[test]
fn starting_maintenance_again_ends_a_drain() {
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    world.sla_drain(&["host-A"], percentage(0.0, 0), 600);
    world.maintain(MaintenanceRequest::Start { hosts: ["host-A".into()].into() }).unwrap();
    world.end_all();
    world.wait(700_000);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Scheduled);
    assert_eq!(world.count_in(TaskState::Draining), 0);
}

#[test]
fn agents_that_share_a_host_are_drained_together() {
    let mut world = World::with(settings());
    world.register();
    let first = world.an_offer("A", 1);
    let mut second = world.an_offer("B", 1);
    second.host = "host-A".into();
    world.put(Input::Offers(vec![first, second]));
    world.create(job("web", 2, true)).unwrap();
    world.run_placed();
    world.drain("host-A");
    assert_eq!(world.count_in(TaskState::Draining), 2);
    world.end_all();
    let again: Vec<_> = ["A", "B"]
        .into_iter()
        .map(|agent| {
            let mut offer = world.an_offer(agent, 1);
            offer.host = "host-A".into();
            offer
        })
        .collect();
    assert_eq!(launched(&world.put(Input::Offers(again))), []);
    world.end("host-A");
    assert_eq!(world.on("host-A").len(), 2, "both agents' offers are looked at again");
}

#[test]
fn a_repeated_request_is_answered_as_the_first_time() {
    let mut world = World::with_service(&[1], None);
    let drain =
        || Request::Maintenance(MaintenanceRequest::Drain { hosts: ["host-A".into()].into() });
    let first = world.ask_as(Some("r1"), drain()).unwrap();
    world.end_all();
    world.end("host-A");
    assert_eq!(world.ask_as(Some("r1"), drain()).unwrap(), first);
    assert_eq!(world.mode("host-A"), MaintenanceMode::None);
    let error = world.maintain(MaintenanceRequest::End { hosts: BTreeSet::new() }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[test]
fn hosts_are_listed_in_pages() {
    let mut world = World::with(settings());
    world.register();
    for agent in ["A", "B", "C", "D", "E"] {
        world.offer(agent, 1);
    }
    world.drain("host-B");
    world.drain("host-D");
    let names = |only, after, limit| -> Vec<String> {
        let page = world.scheduler.host_statuses(only, after, limit);
        page.into_iter().map(|status| status.host).collect()
    };
    assert_eq!(names(false, None, 2), ["host-A", "host-B"]);
    assert_eq!(names(false, Some("host-B"), 9), ["host-C", "host-D", "host-E"]);
    assert_eq!(names(true, None, 1), ["host-B"]);
    assert_eq!(names(true, Some("host-B"), 9), ["host-D"]);
    assert_eq!(world.scheduler.host_status("host-X"), None);
}

fn inverse(world: &World, host: Option<&str>, agent: Option<&str>, in_ms: i64) -> Input {
    Input::InverseOffers(vec![InverseOffer {
        id: OfferId::new("I1").unwrap(),
        agent: agent.map(|agent| AgentId::new(agent).unwrap()),
        host: host.map(str::to_owned),
        unavailable_from: world.now.plus_ms(in_ms),
    }])
}

/// Repeats an inverse offer as a master does, for some time.
fn announce(world: &mut World, from: Timestamp, for_ms: i64) {
    let until = world.now.plus_ms(for_ms);
    while world.now < until {
        let in_ms = from.ms_since(world.now);
        let offer = inverse(world, None, Some("A"), in_ms);
        world.put(offer);
        world.wait(30_000);
    }
}

#[test]
fn an_agent_is_left_before_its_maintenance() {
    let mut world = World::with_service(&[20], Some(percentage(95.0, 60)));
    let from = world.now.plus_ms(10 * MINUTE);
    let offer = inverse(&world, None, Some("A"), 10 * MINUTE);
    let effects = world.put(offer);
    assert!(effects.contains(&Effect::AcceptInverse(OfferId::new("I1").unwrap())));
    assert_eq!(world.mode("host-A"), MaintenanceMode::None);
    let status = world.scheduler.host_status("host-A").unwrap();
    assert_eq!(status.unavailable_from, Some(from));
    announce(&mut world, from, 4 * MINUTE);
    // Six minutes before, it is left as policies allow; in the end whatever they say.
    assert_eq!(world.mode("host-A"), MaintenanceMode::Draining);
    assert_eq!(world.count_in(TaskState::Draining), 1);
    let cause = world.scheduler.host_status("host-A").unwrap().maintenance.cause;
    assert_eq!(cause, MaintenanceCause::Mesos);
    announce(&mut world, from, 6 * MINUTE);
    assert_eq!(world.count_in(TaskState::Running), 0);
    world.end_all();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    // While the schedule holds, offers say so.
    let mut offer = world.an_offer("A", 20);
    offer.unavailable_from = Some(from);
    assert_eq!(launched(&world.put(Input::Offers(vec![offer]))), []);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    assert!(!launched(&world.offer("A", 20)).is_empty());
    assert_eq!(world.mode("host-A"), MaintenanceMode::None);
}

#[test]
fn maintenance_that_is_called_off_moves_nothing() {
    let mut world = World::with_service(&[1], None);
    let offer = inverse(&world, Some("host-A"), None, 10 * MINUTE);
    world.put(offer);
    world.wait(5 * MINUTE);
    assert_eq!(world.mode("host-A"), MaintenanceMode::None, "it was not repeated");
    world.wait(20 * MINUTE);
    assert_eq!(world.count_in(TaskState::Running), 1);
    // A late repetition counts at once.
    let offer = inverse(&world, Some("host-A"), None, MINUTE);
    world.put(offer);
    assert_eq!(world.count_in(TaskState::Draining), 1);
}

#[test]
fn what_an_operator_wants_is_not_ended_by_mesos() {
    let mut world = World::with_service(&[1], None);
    world.drain("host-A");
    world.end_all();
    let offer = inverse(&world, Some("host-A"), None, 0);
    world.put(offer);
    assert_eq!(launched(&world.offer("A", 1)), []);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
}

#[test]
fn an_inverse_offer_of_nobody_knows_what_is_agreed_to_and_counted() {
    let mut world = World::with_service(&[1], None);
    let offer = inverse(&world, None, Some("Z"), 0);
    let effects = world.put(offer);
    assert_eq!(effects, [Effect::AcceptInverse(OfferId::new("I1").unwrap())]);
    assert_eq!(world.scheduler.counters()["inverse_offers_without_host"], 1);
    assert_eq!(world.count_in(TaskState::Running), 1);
}
