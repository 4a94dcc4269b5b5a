//! Quotas: what is counted, what is refused, and in which words.

use std::collections::BTreeSet;

use aurora_model::job::{Constraint, ConstraintRule, JobConfiguration, MilliCpus, TaskState};
use aurora_model::key::{JobKey, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{
    Consumption, ErrorKind, Op, Request, RequestError, Response, RoleQuota, Settings, State,
};

use crate::world::{World, job};

fn production(name: &str, instances: u32) -> JobConfiguration {
    let mut job = job(name, instances, true);
    job.task.tier = Some("preferred".into());
    job
}

fn dedicated(mut job: JobConfiguration) -> JobConfiguration {
    job.task.constraints.insert(Constraint {
        attribute: "dedicated".into(),
        rule: ConstraintRule::Value { negated: false, values: BTreeSet::from(["*/gpu".into()]) },
    });
    job
}

fn amounts(millicpus: u64, ram_mb: u64, disk_mb: u64) -> ResourceAggregate {
    ResourceAggregate { cpus: MilliCpus(millicpus), ram_mb, disk_mb }
}

fn set(world: &mut World, quota: ResourceAggregate) -> Result<Response, RequestError> {
    world.ask(Request::SetQuota { role: Role::new("www").unwrap(), quota })
}

fn used(world: &World) -> ResourceAggregate {
    world.scheduler.role_quota("www").consumption.production_shared
}

#[test]
fn without_a_quota_production_jobs_are_refused_with_what_to_do() {
    let mut world = World::registered();
    let refused = world.create(production("web", 2)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::QuotaExceeded);
    assert_eq!(
        refused.message,
        "Insufficient resource quota: CPU quota exceeded by 2.00 core(s); RAM quota exceeded by \
         200.00 MB; disk quota exceeded by 200.00 MB. Production jobs need quota, and no quota is \
         set for www: set at least `aurora quota set devcluster/www 2.0 200MB 200MB`, or give the job \
         a tier that is not production"
    );
    assert!(world.tasks("web").is_empty());
    // What it says is what it takes.
    set(&mut world, amounts(2000, 200, 200)).unwrap();
    world.create(production("web", 2)).unwrap();
    assert_eq!(used(&world), amounts(2000, 200, 200));
}

#[test]
fn a_quota_is_used_up_to_the_last_bit_and_no_further() {
    let mut world = World::registered();
    set(&mut world, amounts(3000, 10_000, 300)).unwrap();
    world.create(production("one", 1)).unwrap();
    let refused = world.create(production("two", 3)).unwrap_err();
    assert_eq!(
        refused.message,
        "Insufficient resource quota: CPU quota exceeded by 1.00 core(s); disk quota exceeded by \
         100.00 MB. Production jobs need quota, and www has 3.0 core(s), 10000 MB of RAM and 300 MB \
         of disk, of which 1.0 core(s), 100 MB of RAM and 100 MB of disk are in use: set at least \
         `aurora quota set devcluster/www 4.0 400MB 400MB`, or give the job a tier that is not \
         production"
    );
    world.create(production("two", 2)).unwrap();
    assert_eq!(used(&world), amounts(3000, 300, 300));
    let mut least = production("least", 1);
    least.task.resources.cpus.0 = 1;
    assert_eq!(world.create(least).unwrap_err().kind, ErrorKind::QuotaExceeded);
}

#[test]
fn other_tiers_and_dedicated_hosts_are_free_and_counted_apart() {
    let mut world = World::registered();
    world.create(job("batch", 1, false)).unwrap();
    world.create(dedicated(production("own", 2))).unwrap();
    world.create(dedicated(job("own-batch", 3, false))).unwrap();
    assert_eq!(
        world.scheduler.role_quota("www"),
        RoleQuota {
            set: None,
            limit: Some(ResourceAggregate::default()),
            consumption: Consumption {
                production_shared: ResourceAggregate::default(),
                non_production_shared: amounts(1000, 100, 100),
                production_dedicated: amounts(2000, 200, 200),
                non_production_dedicated: amounts(3000, 300, 300),
            },
        }
    );
    // Other roles have nothing to do with it.
    let other = world.scheduler.role_quota("ww");
    assert_eq!(other.consumption, Consumption::default());
}

#[test]
fn executors_ports_and_gpus_do_not_count() {
    let mut world = World::with(Settings::default());
    assert!(Settings::default().executor_overhead.cpus.0 > 0);
    set(&mut world, amounts(1000, 100, 100)).unwrap();
    let mut web = production("web", 1);
    web.task.resources.ports.insert("http".into());
    world.create(web).unwrap();
    assert_eq!(used(&world), amounts(1000, 100, 100));
}

#[test]
fn a_task_counts_until_it_has_ended_and_its_replacement_takes_its_place() {
    let mut world = World::registered();
    set(&mut world, amounts(1000, 100, 100)).unwrap();
    world.create(production("web", 1)).unwrap();
    world.offer("A", 4);
    let id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Running);
    world.status(&id, TaskState::Lost);
    assert_eq!(world.shown("web"), ["0:LOST", "0:PENDING"]);
    assert_eq!(used(&world), amounts(1000, 100, 100));
    world.offer("A", 4);
    let id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Running);
    world.kill("web").unwrap();
    assert!(world.create(production("next", 1)).is_err(), "what is being killed still runs");
    world.status(&id, TaskState::Killed);
    assert_eq!(used(&world), ResourceAggregate::default());
    world.create(production("next", 1)).unwrap();
}

#[test]
fn a_quota_is_not_set_below_what_is_used() {
    let mut world = World::registered();
    set(&mut world, amounts(9000, 9000, 9000)).unwrap();
    world.create(production("web", 2)).unwrap();
    let refused = set(&mut world, amounts(1500, 9000, 199)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    assert_eq!(
        refused.message,
        "the quota of www cannot be less than what its production tasks use: CPU quota exceeded by \
         0.50 core(s); disk quota exceeded by 1.00 MB. End some of them first, or set at least \
         `aurora quota set devcluster/www 2.0 200MB 200MB`"
    );
    assert_eq!(world.scheduler.role_quota("www").set, Some(amounts(9000, 9000, 9000)));
    set(&mut world, amounts(2000, 200, 200)).unwrap();
    // Only what counts against the quota stands in the way.
    world.create(dedicated(production("own", 1))).unwrap();
    world.kill("web").unwrap();
    set(&mut world, ResourceAggregate::default()).unwrap();
}

#[test]
fn the_quota_is_looked_at_last() {
    let mut world = World::registered();
    set(&mut world, amounts(1000, 100, 100)).unwrap();
    world.create(production("web", 1)).unwrap();
    let kind = world.create(production("web", 1)).unwrap_err().kind;
    assert_eq!(kind, ErrorKind::AlreadyExists);
    let refused = world.create(production("many", 4001)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("at most 4000"), "{refused}");
}

#[test]
fn a_refused_job_may_be_sent_again_and_an_accepted_one_counts_once() {
    let mut world = World::registered();
    let create = || Request::CreateJob(Box::new(production("web", 1)));
    assert!(world.ask_as(Some("id"), create()).is_err());
    set(&mut world, amounts(1000, 100, 100)).unwrap();
    world.ask_as(Some("id"), create()).unwrap();
    world.ask_as(Some("id"), create()).unwrap();
    assert_eq!(used(&world), amounts(1000, 100, 100));
}

#[test]
fn roles_without_a_quota_can_be_left_unlimited() {
    let mut world = World::with(Settings { unset_quota: None, ..Settings::default() });
    let mut huge = production("huge", 4000);
    huge.task.resources.ram_mb = u64::MAX;
    world.create(huge).unwrap();
    assert_eq!(world.scheduler.role_quota("www").limit, None);
    assert_eq!(used(&world).ram_mb, u64::MAX);
    // Sums beyond what can be shown are still exact.
    world.create(production("web", 1)).unwrap();
    world.kill("huge").unwrap();
    assert_eq!(used(&world), amounts(1000, 100, 100));
    // A quota that is set holds all the same.
    set(&mut world, amounts(1000, 100, 100)).unwrap();
    assert_eq!(world.create(production("more", 1)).unwrap_err().kind, ErrorKind::QuotaExceeded);
}

#[test]
fn who_used_more_before_limits_came_goes_on_but_gets_no_more() {
    let unlimited = Settings { unset_quota: None, ..Settings::default() };
    let mut world = World::with(unlimited);
    world.create(production("web", 2)).unwrap();
    let mut limited = World::with(Settings::default());
    limited.take_over(world.scheduler.state().clone());
    assert_eq!(used(&limited), amounts(2000, 200, 200));
    assert!(limited.create(production("more", 1)).is_err());
    assert!(set(&mut limited, amounts(1000, 100, 100)).is_err());
    set(&mut limited, amounts(2000, 200, 200)).unwrap();
}

#[test]
fn a_quota_that_is_set_again_is_not_written_again() {
    let mut world = World::registered();
    let quota = amounts(1000, 100, 100);
    set(&mut world, quota).unwrap();
    let role = Role::new("www").unwrap();
    assert_eq!(world.log.last().unwrap(), &[Op::PutQuota { role: role.clone(), quota }]);
    set(&mut world, quota).unwrap();
    assert!(world.log.last().unwrap().is_empty());
    let mut restored = State::default();
    world.scheduler.state().to_ops().for_each(|op| restored.apply(&op).unwrap());
    assert_eq!(restored.quota("www"), Some(&quota));
    assert_eq!(restored.quotas().collect::<Vec<_>>(), [(&role, &quota)]);
}

#[test]
fn usage_is_counted_by_role() {
    let mut world = World::registered();
    let mut other = job("web", 1, true);
    other.key = JobKey::new("www2", "prod", "web").unwrap();
    other.task.job = other.key.clone();
    world.create(other).unwrap();
    world.create(job("web", 2, true)).unwrap();
    let used = |role: &str| world.scheduler.role_quota(role).consumption.non_production_shared;
    assert_eq!(used("www"), amounts(2000, 200, 200));
    assert_eq!(used("www2"), amounts(1000, 100, 100));
}

fn nightly(instances: u32) -> aurora_scheduler_core::CronRequest {
    let mut nightly = job("nightly", instances, false);
    nightly.task.tier = Some("preferred".into());
    nightly.cron_schedule = Some("0 3 * * *".into());
    aurora_scheduler_core::CronRequest::Schedule(Box::new(nightly))
}

#[test]
fn a_cron_job_has_room_for_a_run_at_any_time() {
    use aurora_scheduler_core::CronRequest;
    let mut world = World::registered();
    set(&mut world, amounts(5000, 500, 500)).unwrap();
    world.ask(Request::Cron(nightly(3))).unwrap();
    assert_eq!(used(&world), amounts(3000, 300, 300), "though nothing runs");
    assert!(world.create(production("web", 3)).is_err());
    world.create(production("web", 2)).unwrap();
    let key = JobKey::new("www", "prod", "nightly").unwrap();
    world.ask(Request::Cron(CronRequest::Start(key.clone()))).unwrap();
    assert_eq!(used(&world), amounts(5000, 500, 500), "what runs has taken that room");
    // A smaller one makes room when what runs has ended.
    world.ask(Request::Cron(nightly(1))).unwrap();
    assert_eq!(used(&world), amounts(5000, 500, 500));
    world.kill("nightly").unwrap();
    assert_eq!(used(&world), amounts(3000, 300, 300));
    let refused = world.ask(Request::Cron(nightly(4))).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::QuotaExceeded);
    assert!(refused.message.contains("CPU quota exceeded by 1.00 core(s)"), "{refused}");
    assert!(set(&mut world, amounts(2000, 300, 300)).is_err());
    world.ask(Request::Cron(CronRequest::Deschedule(key))).unwrap();
    assert_eq!(used(&world), amounts(2000, 200, 200));
}

#[test]
fn each_kind_of_resource_counts_as_a_run_needs_or_as_runs_use_whichever_is_more() {
    use aurora_scheduler_core::CronRequest;
    let mut world = World::registered();
    set(&mut world, amounts(9000, 9000, 9000)).unwrap();
    world.ask(Request::Cron(nightly(2))).unwrap();
    let key = JobKey::new("www", "prod", "nightly").unwrap();
    world.ask(Request::Cron(CronRequest::Start(key))).unwrap();
    let mut other = job("nightly", 1, false);
    other.task.tier = Some("preferred".into());
    other.task.resources.ram_mb = 1000;
    other.cron_schedule = Some("0 3 * * *".into());
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(other)))).unwrap();
    assert_eq!(used(&world), amounts(2000, 1000, 200));
}

#[test]
fn cron_jobs_of_other_tiers_and_on_dedicated_hosts_are_free() {
    use aurora_scheduler_core::CronRequest;
    let mut world = World::registered();
    let mut cron = dedicated(production("nightly", 2));
    cron.task.is_service = false;
    cron.cron_schedule = Some("0 3 * * *".into());
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron.clone())))).unwrap();
    let consumption = world.scheduler.role_quota("www").consumption;
    assert_eq!(consumption.production_dedicated, amounts(2000, 200, 200));
    assert_eq!(consumption.production_shared, ResourceAggregate::default());
    // In place of it one that needs quota is not cheaper by what that used elsewhere.
    cron.task.constraints.clear();
    let refused = world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap_err();
    assert!(refused.message.contains("CPU quota exceeded by 2.00 core(s)"), "{refused}");
}

#[test]
fn a_run_that_no_quota_covers_any_more_is_skipped() {
    let unlimited = Settings { unset_quota: None, ..Settings::default() };
    let mut world = World::with(unlimited);
    world.ask(Request::Cron(nightly(3))).unwrap();
    let mut limited = World::with(Settings::default());
    limited.take_over(world.scheduler.state().clone());
    limited.wait(24 * 3_600_000);
    limited.wait(24 * 3_600_000);
    assert!(limited.tasks("nightly").is_empty());
    let key = JobKey::new("www", "prod", "nightly").unwrap();
    let runs = limited.scheduler.cron(&key).unwrap().runs;
    assert!(!runs.is_empty());
    for run in runs {
        assert!(format!("{run:?}").contains("reason: Quota"), "{run:?}");
    }
}

#[test]
fn a_quota_can_be_removed_if_what_is_used_is_within_what_others_have() {
    let mut world = World::registered();
    let remove = || Request::RemoveQuota { role: Role::new("www").unwrap() };
    set(&mut world, amounts(2000, 200, 200)).unwrap();
    world.create(production("web", 2)).unwrap();
    let refused = world.ask(remove()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    assert!(refused.message.contains("CPU quota exceeded by 2.00 core(s)"), "{refused}");
    assert_eq!(world.scheduler.role_quota("www").set, Some(amounts(2000, 200, 200)));
    world.kill("web").unwrap();
    assert_eq!(world.ask(remove()), Ok(Response::QuotaRemoved));
    assert_eq!(world.scheduler.role_quota("www").set, None);
    assert_eq!(world.ask(remove()), Ok(Response::QuotaRemoved));
    assert!(world.log.last().unwrap().is_empty());
}

#[test]
fn all_roles_that_have_or_use_something_are_told() {
    let mut world = World::registered();
    world.create(job("web", 1, true)).unwrap();
    let quota = amounts(1, 1, 1);
    world.ask(Request::SetQuota { role: Role::new("ads").unwrap(), quota }).unwrap();
    let roles: Vec<String> =
        world.scheduler.role_quotas().iter().map(|(role, _)| role.to_string()).collect();
    assert_eq!(roles, ["ads", "www"]);
}
