//! What was meant by a job that is not there.

use aurora_api::v1;
use aurora_model::key::{ClusterJobKey, JobKey};
use aurora_template::types::{nearest, slips};

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
    let keys = scheduler.list(role).await.ok()?.into_iter().filter_map(|found| found.key);
    meant([job.role(), job.environment(), job.name()], keys)
}

/// The key that is most like some names. Each of its own must be near: most of a key may be right while its last
/// name is another one.
fn meant(names: [&str; 3], keys: impl Iterator<Item = v1::JobKey>) -> Option<String> {
    let distance = |key: &v1::JobKey| {
        let parts = [&key.role, &key.environment, &key.name];
        names.iter().zip(parts).map(|(name, part)| slips(name, part)).sum::<Option<usize>>()
    };
    keys.filter_map(|key| Some((distance(&key)?, key)))
        .map(|(distance, key)| (distance, format!("{}/{}/{}", key.role, key.environment, key.name)))
        .min()
        // It is there: nothing else was meant.
        .filter(|(distance, _)| *distance > 0)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_what_is_meant_is_near() {
        let found = |wanted: [&str; 3]| {
            let names = [("www", "prod", "big"), ("www", "prod", "j1"), ("www", "prod", "hello")];
            let keys = names.into_iter().map(|(role, environment, name)| v1::JobKey {
                role: role.to_owned(),
                environment: environment.to_owned(),
                name: name.to_owned(),
            });
            meant(wanted, keys)
        };
        assert_eq!(found(["www", "prod", "helo"]).unwrap(), "www/prod/hello");
        assert_eq!(found(["ww", "prd", "hallo"]).unwrap(), "www/prod/hello");
        for name in ["nope", "hc", "hello"] {
            assert_eq!(found(["www", "prod", name]), None, "{name}");
        }
        assert_eq!(found(["www", "test", "helo"]), None);
    }
}
