//! Quotas.

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_scheduler_server::start;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create, page};

#[tokio::test]
async fn quotas_are_set_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let (mut jobs, mut quotas) =
        (JobsClient::new(channel_to.clone()), QuotasClient::new(channel_to));
    let get = || v1::GetQuotaRequest { role: "www".into() };
    let zero = Some(v1::ResourceAggregate::default());
    let unset = quotas.get_quota(get()).await.unwrap().into_inner();
    let expected = v1::GetQuotaResponse {
        quota: zero,
        is_limited: true,
        production_shared: zero,
        non_production_shared: zero,
        production_dedicated: zero,
        non_production_dedicated: zero,
        ..v1::GetQuotaResponse::default()
    };
    assert_eq!(unset, expected);
    let mut production = create("one", "a");
    production.job.as_mut().unwrap().task.as_mut().unwrap().tier = Some("preferred".into());
    let refused = jobs.create_job(production.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("CPU quota exceeded by 0.20 core(s)"), "{refused}");
    assert!(refused.message().contains("aurora quota set test/www 0.2 32MB 32MB"), "{refused}");

    let amounts = |cpus, ram_mb, disk_mb| Some(v1::ResourceAggregate { cpus, ram_mb, disk_mb });
    let set = |quota| v1::SetQuotaRequest { role: "www".into(), quota, request_id: None };
    for (request, wanted) in [
        (set(None), "quota is missing"),
        (set(amounts(-1.0, 0, 0)), "quota.cpus is out of range: -1"),
        (set(amounts(f64::NAN, 0, 0)), "quota.cpus is out of range: NaN"),
        (set(amounts(0.0, u64::MAX, 0)), "quota.ram_mb is out of range"),
        (
            v1::SetQuotaRequest { role: "a b".into(), quota: zero, request_id: None },
            "invalid role \"a b\"",
        ),
        (
            v1::SetQuotaRequest { role: String::new(), quota: zero, request_id: None },
            "invalid role \"\"",
        ),
    ] {
        let refused = quotas.set_quota(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }
    let nobody = v1::GetQuotaRequest { role: " ".into() };
    assert_eq!(quotas.get_quota(nobody).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(page(&scheduler, "/quotas").await, serde_json::json!({}));

    quotas.set_quota(set(amounts(1.5, 64, 32))).await.unwrap();
    quotas.set_quota(set(amounts(1.5, 64, 32))).await.unwrap();
    let other =
        v1::SetQuotaRequest { role: "ads".into(), quota: amounts(1.0, 2, 3), request_id: None };
    quotas.set_quota(other).await.unwrap();
    jobs.create_job(production).await.unwrap();
    let refused = quotas.set_quota(set(zero)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut quotas = QuotasClient::new(channel(&scheduler).await);
    let kept = quotas.get_quota(get()).await.unwrap().into_inner();
    let expected = v1::GetQuotaResponse {
        quota: amounts(1.5, 64, 32),
        is_set: true,
        production_shared: amounts(0.2, 32, 32),
        ..expected
    };
    assert_eq!(kept, expected);
    let www = serde_json::json!({ "cpu_cores": 1.5, "ram_mb": 64, "disk_mb": 32 });
    let ads = serde_json::json!({ "cpu_cores": 1.0, "ram_mb": 2, "disk_mb": 3 });
    for (path, expected) in [
        ("/quotas", serde_json::json!({ "ads": ads, "www": www })),
        ("/quotas?role=www", serde_json::json!({ "www": www })),
        ("/quotas?role=nobody", serde_json::json!({})),
    ] {
        assert_eq!(page(&scheduler, path).await, expected, "{path}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}
