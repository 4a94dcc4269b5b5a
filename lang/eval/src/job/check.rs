//! Everything that is wrong or doubtful about the jobs of a file, for a person who wants to know it
//! all at once.

use std::collections::BTreeMap;

use aurora_model::key::ClusterJobKey;
use aurora_template::object::Object;

use super::{Config, EvaluatedJob};
use crate::limits::on_large_stack;
use crate::report::Report;
use crate::warnings;

impl Config {
    /// What is wrong and what is doubtful about the file and its jobs, or about one of them. What
    /// comments in the file allow is left out.
    ///
    /// `owner` is the Unix user who would submit them.
    pub fn check(&self, owner: &str, only: Option<&ClusterJobKey>) -> Vec<Report> {
        let checked = on_large_stack(|| Ok(self.check_here(owner, only)));
        checked.unwrap_or_else(|report| vec![report])
    }

    fn check_here(&self, owner: &str, only: Option<&ClusterJobKey>) -> Vec<Report> {
        let mut reports = Vec::new();
        let found;
        let jobs: Vec<&EvaluatedJob> = match only {
            None => self.jobs.iter().collect(),
            Some(key) => {
                found = self.find(key).map_err(Report::apart);
                match &found {
                    Ok(job) => vec![*job],
                    Err(wrong) => return wrong.clone(),
                }
            }
        };
        for job in &jobs {
            match job.ready_by_tags_here(owner) {
                Ok(ready) => {
                    let warnings =
                        job.object().map(|object| warnings::of_job(object, &job.sources, &ready));
                    reports.extend(warnings.into_iter().flatten());
                    // A service that runs is brought to another version some day.
                    if ready.config.service
                        && let Err(report) = job.check_update_here()
                    {
                        reports.extend(report.apart());
                    }
                }
                Err(report) => reports.extend(report.apart()),
            }
        }
        if let Some(job) = self.jobs.first() {
            reports.extend(warnings::of_files(&job.sources, &self.jobs_objects()));
            if only.is_none() {
                reports.extend(self.twice());
            }
            reports = warnings::without_allowed(reports, &job.sources);
        }
        reports
    }

    fn jobs_objects(&self) -> Vec<&Object> {
        self.jobs.iter().filter_map(EvaluatedJob::object).collect()
    }

    /// The jobs whose key another job of the file has, too.
    fn twice(&self) -> Vec<Report> {
        let mut seen: BTreeMap<String, &Object> = BTreeMap::new();
        let mut found = Vec::new();
        for job in self.jobs.iter().filter(|job| job.key().iter().all(Option::is_some)) {
            let Some(object) = job.object() else { continue };
            let key = job.key_text();
            if let Some(first) = seen.get(&key) {
                found.push(warnings::duplicate_job(&key, object, first, &job.sources));
            } else {
                seen.insert(key, object);
            }
        }
        found
    }
}
