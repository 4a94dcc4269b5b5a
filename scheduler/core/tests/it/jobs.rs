//! Jobs: more instances, restarts, and the order of checks (`scheduler.md` 7).

use std::collections::BTreeSet;

use aurora_model::job::{MilliCpus, TaskState};
use aurora_model::key::{JobKey, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Effect, ErrorKind, Request, RequestError, Response, Settings};

use crate::world::{World, job};

fn web() -> JobKey {
    JobKey::new("www", "prod", "web").unwrap()
}

fn add(world: &mut World, like: u32, count: u32) -> Result<Vec<u32>, RequestError> {
    match world.ask(Request::AddInstances { job: web(), like, count })? {
        Response::Added { instances } => Ok(instances),
        other => panic!("{other:?}"),
    }
}

fn restart(world: &mut World, instances: &[u32]) -> Result<Vec<u32>, RequestError> {
    let instances = instances.iter().copied().collect();
    match world.ask(Request::RestartTasks { job: web(), instances })? {
        Response::Restarted { instances } => Ok(instances),
        other => panic!("{other:?}"),
    }
}

fn kill(world: &mut World, instances: &[u32]) {
    let instances: BTreeSet<u32> = instances.iter().copied().collect();
    world.ask(Request::KillTasks { job: web(), instances, message: None }).unwrap();
}

#[test]
fn instances_are_added_after_the_greatest_and_holes_stay() {
    let mut world = World::registered();
    let mut first = job("web", 4, true);
    first.task.priority = 7;
    world.create(first).unwrap();
    kill(&mut world, &[1, 3]);
    assert_eq!(add(&mut world, 0, 2).unwrap(), [3, 4]);
    assert_eq!(world.shown("web"), ["0:PENDING", "2:PENDING", "3:PENDING", "4:PENDING"]);
    assert!(world.tasks("web").iter().all(|task| task.assigned.task.priority == 7));
    assert_eq!(add(&mut world, 4, 1).unwrap(), [5]);
}

#[test]
fn instances_are_refused_with_a_reason_in_the_order_of_the_checks() {
    let mut world = World::with(Settings { max_tasks_per_job: 5, ..Settings::default() });
    let refused = add(&mut world, 9, 0).unwrap_err();
    assert_eq!(refused.message, "instance count must be positive");
    let refused = add(&mut world, 0, 1).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    world
        .ask(Request::SetQuota {
            role: Role::new("www").unwrap(),
            quota: ResourceAggregate { cpus: MilliCpus(3000), ram_mb: 1000, disk_mb: 1000 },
        })
        .unwrap();
    let mut production = job("web", 3, true);
    production.task.tier = Some("preferred".into());
    world.create(production).unwrap();
    let refused = add(&mut world, 3, 9).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "the instance is looked at before the limit");
    let refused = add(&mut world, 0, 3).unwrap_err();
    assert_eq!(
        refused.message,
        "www/prod/web has 3 active instances and would have 3 more; a job may have at most 5"
    );
    let refused = add(&mut world, 0, u32::MAX).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    let refused = add(&mut world, 0, 2).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::QuotaExceeded, "the quota is looked at last");
    assert_eq!(world.tasks("web").len(), 3);
}

#[test]
fn a_restart_ends_instances_and_begins_them_anew() {
    let mut world = World::registered();
    world.create(job("web", 3, true)).unwrap();
    world.offer("A", 2);
    let ids: Vec<_> = world.tasks("web").iter().map(|task| task.id().clone()).collect();
    world.status(&ids[0], TaskState::Running);
    world.status(&ids[1], TaskState::Running);
    // The last one waits for a place: nothing to restart.
    assert_eq!(restart(&mut world, &[1, 2]).unwrap(), [1]);
    let message = world.tasks("web")[1].latest_event().unwrap().message.clone();
    assert_eq!(message.as_deref(), Some("Restarted by tester"));
    assert!(
        world.effects.iter().any(|e| matches!(e, Effect::Kill { task, .. } if *task == ids[1]))
    );
    world.status(&ids[1], TaskState::Killed);
    assert_eq!(world.shown("web"), ["0:RUNNING", "1:KILLED", "1:PENDING", "2:PENDING"]);
}

#[test]
fn a_restart_of_what_is_not_there_restarts_nothing() {
    let (mut world, _) = World::with_running(job("web", 1, true));
    let refused = restart(&mut world, &[]).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    let refused = restart(&mut world, &[0, 1, 7]).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert_eq!(refused.message, "www/prod/web has no active instance 1, 7: nothing was restarted");
    assert_eq!(world.shown("web"), ["0:RUNNING"]);
}

#[test]
fn the_number_of_instances_is_looked_at_after_whether_the_job_is_there() {
    let mut world = World::registered();
    world.create(job("web", 1, true)).unwrap();
    let refused = world.create(job("web", 4001, true)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
    let mut empty = job("other", 1, false);
    empty.cron_schedule = Some(String::new());
    let refused = world.create(empty).unwrap_err();
    assert!(refused.message.contains("it is scheduled, not created"), "{refused}");
}

#[test]
fn every_change_is_made_once_however_often_it_is_asked_for() {
    let mut world = World::registered();
    world.create(job("web", 2, true)).unwrap();
    world.offer("A", 4);
    for id in world.tasks("web").iter().map(|task| task.id().clone()).collect::<Vec<_>>() {
        world.status(&id, TaskState::Running);
    }
    let role = Role::new("www").unwrap();
    let quota = ResourceAggregate { cpus: MilliCpus(1), ram_mb: 1, disk_mb: 1 };
    for (id, request) in [
        ("add", Request::AddInstances { job: web(), like: 0, count: 1 }),
        ("restart", Request::RestartTasks { job: web(), instances: [0].into() }),
        ("set", Request::SetQuota { role: role.clone(), quota }),
        ("remove", Request::RemoveQuota { role }),
    ] {
        let first = world.ask_as(Some(id), request.clone()).unwrap();
        let shown = world.shown("web");
        assert_eq!(world.ask_as(Some(id), request).unwrap(), first, "{id}");
        assert!(world.log.last().unwrap().is_empty(), "{id}");
        assert_eq!(world.shown("web"), shown);
    }
}

#[test]
fn what_a_cluster_must_allow_is_allowed_by_its_settings() {
    use aurora_model::job::{Container, Volume};
    let mut greedy = job("web", 1, true);
    greedy.task.resources.gpus = 1;
    let mut nosy = job("web", 1, true);
    nosy.task.container = Container::Mesos {
        image: None,
        volumes: vec![Volume {
            container_path: "/c".into(),
            host_path: "/h".into(),
            read_only: true,
        }],
    };
    for job in [greedy, nosy] {
        let mut world = World::registered();
        let refused = world.create(job.clone()).unwrap_err();
        assert!(refused.message.contains("not allowed on this cluster"), "{refused}");
        let settings = Settings {
            allow_gpu_resource: true,
            allow_container_volumes: true,
            ..Settings::default()
        };
        World::with(settings).create(job).unwrap();
    }
}

#[test]
fn ports_that_pages_know_are_linked_unless_the_job_has_links() {
    let mut world = World::registered();
    let mut linked = job("web", 1, true);
    linked.task.resources.ports = ["http", "health", "admin"].map(str::to_owned).into();
    let mut links = |job: &aurora_model::job::JobConfiguration| {
        let validated = world.ask(Request::ValidateJob(Box::new(job.clone())));
        let Ok(Response::Validated(job)) = validated else { panic!("{validated:?}") };
        job.task.task_links
    };
    let expected =
        [("health", "http://%host%:%port:health%"), ("http", "http://%host%:%port:http%")]
            .map(|(name, link)| (name.to_owned(), link.to_owned()));
    assert_eq!(links(&linked), expected.into());
    let own = [("mine".to_owned(), "http://x".to_owned())];
    linked.task.task_links = own.clone().into();
    assert_eq!(links(&linked), own.into());
    assert!(links(&job("web", 1, true)).is_empty());
}
