//! What a plan says is what the request is answered.

use std::collections::BTreeSet;

use aurora_model::job::{CronCollisionPolicy, JobConfiguration, MilliCpus};
use aurora_model::key::Role;
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::UpdateSettings;
use aurora_scheduler_core::{CronRequest, ErrorKind, Plan, PlanAction, Request, RequestError};

use crate::world::{World, job};

fn production(name: &str, instances: u32, ram_mb: u64) -> JobConfiguration {
    let mut job = job(name, instances, true);
    job.task.tier = Some("preferred".into());
    job.task.resources.ram_mb = ram_mb;
    job
}

fn cron(name: &str, instances: u32) -> JobConfiguration {
    let mut job = production(name, instances, 100);
    job.task.is_service = false;
    job.cron_schedule = Some("0 * * * *".into());
    job
}

fn set_quota(world: &mut World, cpus: u64, ram_mb: u64) {
    let quota = ResourceAggregate { cpus: MilliCpus(cpus * 1000), ram_mb, disk_mb: 10_000 };
    world.ask(Request::SetQuota { role: Role::new("www").unwrap(), quota }).unwrap();
}

fn schedule(world: &mut World, job: &JobConfiguration) -> Result<(), RequestError> {
    let request = CronRequest::Schedule(Box::new(job.clone()));
    world.ask(Request::Cron(request)).map(|_| ())
}

fn update(world: &mut World, job: &JobConfiguration) -> Result<(), RequestError> {
    let (task, instances) = (job.task.clone(), job.instance_count);
    world.start(task, instances, UpdateSettings::default()).map(|_| ())
}

fn plan(world: &World, job: &JobConfiguration) -> Plan {
    world.scheduler.plan(job.clone(), &BTreeSet::new())
}

/// Whether the quota is what the plan says is in the way.
fn exceeds(plan: &Plan) -> bool {
    plan.quota.as_ref().is_some_and(|quota| quota.exceeded != ResourceAggregate::default())
}

fn only(errors: &[RequestError]) -> RequestError {
    let [error] = errors else { panic!("{errors:?}") };
    error.clone()
}

fn set(instances: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    instances.into_iter().collect()
}

#[test]
fn a_cron_job_is_compared_with_its_template_and_counted_once() {
    let mut world = World::registered();
    set_quota(&mut world, 3, 1000);
    let nightly = cron("nightly", 2);
    let new = plan(&world, &nightly);
    assert_eq!((new.action, &new.add), (PlanAction::Schedule, &set([0, 1])));
    assert!(!exceeds(&new), "{:?}", new.quota);
    schedule(&mut world, &nightly).unwrap();

    let same = plan(&world, &nightly);
    assert!(same.add.is_empty() && same.update.is_empty(), "{same:?}");
    assert_eq!(same.unchanged, set([0, 1]));
    let quota = same.quota.unwrap();
    assert_eq!(quota.before, quota.after, "what is reserved already is not reserved again");
    assert_eq!(quota.exceeded, ResourceAggregate::default());

    // Whatever runs of it now.
    world.ask(Request::Cron(CronRequest::Start(nightly.key.clone()))).unwrap();
    let mut other = nightly.clone();
    other.instance_count = 3;
    other.task.resources.ram_mb = 50;
    let changed = plan(&world, &other);
    assert_eq!((changed.add, changed.remove), (set([2]), set([])));
    assert_eq!(changed.update[0].1, set([0, 1]));
    other.instance_count = 4;
    assert!(exceeds(&plan(&world, &other)));
    assert_eq!(schedule(&mut world, &other).unwrap_err().kind, ErrorKind::QuotaExceeded);
}

#[test]
fn what_cannot_be_scheduled_is_said_as_it_is_refused() {
    let mut world = World::registered();
    set_quota(&mut world, 100, 10_000);
    let changes: [fn(&mut JobConfiguration); 3] = [
        |job| job.cron_schedule = Some("every day".into()),
        |job| job.cron_time_zone = Some("Moon/Tycho".into()),
        |job| job.cron_collision_policy = CronCollisionPolicy::RunOverlap,
    ];
    for change in changes {
        let mut job = cron("nightly", 1);
        change(&mut job);
        let refused = schedule(&mut world, &job).unwrap_err();
        assert_eq!(only(&plan(&world, &job).problems), refused);
    }
    world.create(production("web", 1, 100)).unwrap();
    let taken = cron("web", 1);
    let refused = schedule(&mut world, &taken).unwrap_err();
    assert_eq!(only(&plan(&world, &taken).conflicts), refused);
}

#[test]
fn what_cannot_be_created_or_updated_as_things_are_is_said_as_it_is_refused() {
    let mut world = World::registered();
    set_quota(&mut world, 100, 10_000);
    schedule(&mut world, &cron("nightly", 1)).unwrap();
    let taken = production("nightly", 1, 100);
    let refused = world.create(taken.clone()).unwrap_err();
    assert_eq!(only(&plan(&world, &taken).conflicts), refused);
    world.ask(Request::Cron(CronRequest::Start(taken.key.clone()))).unwrap();
    let running = plan(&world, &taken);
    assert_eq!(running.action, PlanAction::Update);
    assert_eq!(only(&running.conflicts), update(&mut world, &taken).unwrap_err());

    // What ends by itself.
    let mut batch = job("batch", 1, false);
    world.create(batch.clone()).unwrap();
    assert!(plan(&world, &batch).conflicts.is_empty(), "there is nothing to do");
    batch.task.resources.ram_mb = 50;
    assert_eq!(only(&plan(&world, &batch).conflicts), update(&mut world, &batch).unwrap_err());

    // What is being updated.
    world.create(production("web", 2, 100)).unwrap();
    update(&mut world, &production("web", 2, 200)).unwrap();
    let third = production("web", 2, 300);
    let refused = update(&mut world, &third).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::JobUpdating);
    assert_eq!(only(&plan(&world, &third).conflicts), refused);

    // Instances that nobody knows.
    let scoped = world.scheduler.plan(production("api", 2, 100), &set([5]));
    assert!(scoped.conflicts.is_empty(), "a job is created whole");
    world.create(production("api", 2, 100)).unwrap();
    let scoped = world.scheduler.plan(production("api", 2, 50), &set([0, 5]));
    assert!(only(&scoped.conflicts).message.contains("instances 5 are neither"), "{scoped:?}");
}

#[test]
fn the_quota_must_have_room_for_what_an_update_is_on_its_way() {
    let mut world = World::registered();
    set_quota(&mut world, 2, 300);
    world.create(production("web", 2, 100)).unwrap();
    let less_memory = |cpus| {
        let mut job = production("web", 2, 50);
        job.task.resources.cpus = MilliCpus(cpus);
        job
    };
    let fits = plan(&world, &less_memory(1000));
    let quota = fits.quota.unwrap();
    assert_eq!(quota.after.ram_mb, 200, "some of it is what it was as long as it is updated");
    assert_eq!(quota.exceeded, ResourceAggregate::default());
    let exceeding = less_memory(1500);
    assert!(exceeds(&plan(&world, &exceeding)));
    assert_eq!(update(&mut world, &exceeding).unwrap_err().kind, ErrorKind::QuotaExceeded);
    // What only goes is never refused.
    assert!(!exceeds(&plan(&world, &production("web", 1, 100))));
    update(&mut world, &less_memory(1000)).unwrap();
}
