//! What was meant by a job that is not there.

use aurora_model::key::{ClusterJobKey, JobKey};
use aurora_template::types::nearest;

use crate::Scheduler;

/// The end of a sentence about a job that is not there: which one may have been meant. Empty if none is near, or if
/// the scheduler does not say.
pub async fn hint(scheduler: &Scheduler, cluster: &str, job: &JobKey) -> String {
    match near(scheduler, job).await {
        Some(meant) => format!("; did you mean {cluster}/{meant}?"),
        None => String::new(),
    }
}

/// The same of a job of a cluster.
pub async fn hint_of(scheduler: &Scheduler, job: &ClusterJobKey) -> String {
    hint(scheduler, &job.cluster, &job.job).await
}

/// A job of the same role, or of one that is near: all jobs of a cluster may be too many to look through.
async fn near(scheduler: &Scheduler, job: &JobKey) -> Option<String> {
    let roles = scheduler.roles().await.ok()?;
    let role = nearest(job.role(), roles.iter().map(String::as_str))?;
    let keys: Vec<String> = scheduler
        .list(role)
        .await
        .ok()?
        .into_iter()
        .filter_map(|found| found.key)
        .map(|key| format!("{}/{}/{}", key.role, key.environment, key.name))
        .collect();
    let wanted = job.to_string();
    let meant = nearest(&wanted, keys.iter().map(String::as_str))?;
    (meant != wanted).then(|| meant.to_owned())
}
