//! What became of a deployment, for the programs that have started it.

use std::path::Path;
use std::time::Instant;

use aurora_client::plan::Plan;
use aurora_model::key::ClusterJobKey;
use serde::Serialize;

use crate::failure::{Code, Failure};

/// The version of the form of a summary.
const VERSION: u32 = 1;

/// What became of a deployment.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    version: u32,
    job: String,
    result: &'static str,
    exit_code: u8,
    message: Option<String>,
    plan_id: Option<String>,
    pub(super) update_id: Option<String>,
    /// Where the update is.
    pub(super) status: Option<&'static str>,
    changes: Option<Changes>,
    instances: Option<Instances>,
    pub(super) url: Option<String>,
    duration_ms: u64,
    #[serde(skip)]
    begun: Instant,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Changes {
    add: usize,
    change: usize,
    remove: usize,
    unchanged: usize,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Instances {
    total: u32,
    good: u32,
    failed: u32,
}

impl Summary {
    pub(super) fn begin(key: &ClusterJobKey) -> Self {
        Self {
            version: VERSION,
            job: key.to_string(),
            result: "error",
            exit_code: 0,
            message: None,
            plan_id: None,
            update_id: None,
            status: None,
            changes: None,
            instances: None,
            url: None,
            duration_ms: 0,
            begun: Instant::now(),
        }
    }

    pub(super) fn plan(&mut self, plan: &Plan) {
        let found = &plan.found;
        self.plan_id = Some(plan.id.to_string());
        self.changes = Some(Changes {
            add: found.add.len(),
            change: found.update.iter().map(|update| update.instances.len()).sum(),
            remove: found.remove.len(),
            unchanged: found.same.len(),
        });
    }

    /// How it went, in one word.
    pub(super) fn result(&mut self, word: &'static str) {
        self.result = word;
    }

    pub(super) fn instances(&mut self, total: u32, good: u32, failed: u32) {
        self.instances = Some(Instances { total, good, failed });
    }

    pub(super) fn end(&mut self, ended: &Result<(), Failure>) {
        self.duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Err(failure) = ended {
            self.exit_code = failure.code as u8;
            if failure.code == Code::Interrupted {
                self.result = "interrupted";
            }
            self.message = Some(failure.to_string());
        }
    }

    /// What went well, for people.
    pub(super) fn text(&self) -> String {
        let job = &self.job;
        let page = self.url.as_deref().unwrap_or_default();
        match self.result {
            "unchanged" => format!("{job} is what the file says: there is nothing to deploy\n"),
            "scheduled" => format!("{job} has been scheduled. Its page: {page}\n"),
            "finished" => format!("{job} has run, and all of its instances have finished\n"),
            "started" => match &self.update_id {
                Some(id) => format!(
                    "{job} is being deployed; `aurora update wait {job} {id}` follows it. Its page: {page}\n"
                ),
                None => format!("{job} has been created. Its page: {page}\n"),
            },
            _ => format!("{job} has been deployed. Its page: {page}\n"),
        }
    }

    /// Writes it to a file.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                Code::Error,
                format!("failed to write the summary to {}: {error}", file.display()),
            )
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        std::fs::write(file, text + "\n").map_err(|error| failed(&error))
    }
}
