//! What jobs would do.

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::plan_client::PlanClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_scheduler_server::start;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create, job};

fn ranges(ranges: &[(u32, u32)]) -> Vec<v1::InstanceRange> {
    ranges.iter().map(|(first, last)| v1::InstanceRange { first: *first, last: *last }).collect()
}

#[tokio::test]
async fn a_plan_tells_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let mut jobs = JobsClient::new(channel_to.clone());
    let mut quotas = QuotasClient::new(channel_to.clone());
    let mut plans = PlanClient::new(channel_to);
    let plan =
        |job: v1::JobConfiguration| v1::PlanJobRequest { job: Some(job), ..Default::default() };

    // A new production job for which there is no quota.
    let mut production = job("a");
    production.task.as_mut().unwrap().tier = Some("preferred".into());
    let found = plans.plan_job(plan(production.clone())).await.unwrap().into_inner();
    assert_eq!(found.problems, [] as [&str; 0]);
    assert_eq!(found.action(), v1::PlanAction::Create);
    assert_eq!((&found.add, &found.update), (&ranges(&[(0, 1)]), &vec![]));
    let amounts = |cpus, ram_mb, disk_mb| v1::ResourceAggregate { cpus, ram_mb, disk_mb };
    let zero = amounts(0.0, 0, 0);
    let effect = v1::QuotaEffect {
        limit: Some(zero),
        before: Some(zero),
        after: Some(amounts(0.2, 32, 32)),
        exceeded_by: Some(amounts(0.2, 32, 32)),
    };
    assert_eq!(found.quota, Some(effect));
    let placement = found.placement.unwrap();
    assert_eq!((placement.wanted, placement.fits), (2, 0));
    assert_eq!(placement.reason.unwrap().reason, "Waiting for a Mesos master");
    let list = jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    assert!(list.jobs.is_empty(), "a plan changes nothing");

    // What runs and what would: more instances, one of them otherwise.
    let set = v1::SetQuotaRequest {
        role: "www".into(),
        quota: Some(amounts(1.0, 100, 100)),
        request_id: None,
    };
    quotas.set_quota(set).await.unwrap();
    let mut request = create("one", "a");
    request.job = Some(production.clone());
    jobs.create_job(request).await.unwrap();
    let same = plans.plan_job(plan(production.clone())).await.unwrap().into_inner();
    assert_eq!(same.action(), v1::PlanAction::Update);
    assert_eq!(same.unchanged, ranges(&[(0, 1)]), "{same:?}");
    assert!(same.add.is_empty() && same.update.is_empty() && same.placement.is_none());
    let mut other = production.clone();
    other.instance_count = 3;
    let task = other.task.as_mut().unwrap();
    task.resources.as_mut().unwrap().ram_mb = 40;
    task.executor.as_mut().unwrap().data = r#"{"name": "new"}"#.into();
    let found = plans.plan_job(plan(other.clone())).await.unwrap().into_inner();
    assert_eq!(found.add, ranges(&[(2, 2)]));
    let [change] = found.update.as_slice() else { panic!("{found:?}") };
    assert_eq!(change.instances, ranges(&[(0, 1)]));
    let fields: Vec<String> = change
        .fields
        .iter()
        .map(|field| {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            format!("{}: {} > {}", field.path, side(&field.old), side(&field.new))
        })
        .collect();
    assert_eq!(fields, ["executorConfig.data.name: - > \"new\"", "resources[1].ramMb: 16 > 40"]);
    let effect = found.quota.unwrap();
    assert_eq!(effect.before, Some(amounts(0.2, 32, 32)));
    assert_eq!(effect.after, Some(amounts(0.3, 120, 48)));
    assert_eq!(effect.exceeded_by, Some(amounts(0.0, 20, 0)));
    // Of some instances only.
    let scoped = v1::PlanJobRequest { instances: ranges(&[(1, 1)]), ..plan(other) };
    let found = plans.plan_job(scoped).await.unwrap().into_inner();
    assert_eq!(found.update[0].instances, ranges(&[(1, 1)]));
    assert_eq!((found.unchanged, found.add), (ranges(&[(0, 0)]), vec![]));
    // Fewer.
    let mut fewer = production;
    fewer.instance_count = 1;
    let found = plans.plan_job(plan(fewer)).await.unwrap().into_inner();
    assert_eq!((found.remove, found.unchanged), (ranges(&[(1, 1)]), ranges(&[(0, 0)])));

    // All that is wrong at once.
    let mut wrong = job("b");
    wrong.instance_count = 0;
    wrong.key.as_mut().unwrap().environment = "nowhere".into();
    let task = wrong.task.as_mut().unwrap();
    task.job.as_mut().unwrap().environment = "nowhere".into();
    task.tier = Some("golden".into());
    task.resources.as_mut().unwrap().disk_mb = 0;
    let found = plans.plan_job(plan(wrong)).await.unwrap().into_inner();
    let wanted =
        ["instance count", "environment \"nowhere\"", "unknown tier \"golden\"", "disk must"];
    assert_eq!(found.problems.len(), wanted.len(), "{:?}", found.problems);
    for (problem, wanted) in found.problems.iter().zip(wanted) {
        assert!(problem.contains(wanted), "{wanted}: {problem}");
    }
    let refused = plans.plan_job(v1::PlanJobRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    stop.cancel();
    scheduler.wait().await.unwrap();
}
