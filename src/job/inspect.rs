//! `aurora job inspect`: what a file means, without a scheduler.

use std::fmt::Write;

use aurora_client::Connection;
use aurora_model::config::Job;
use aurora_model::key::ClusterJobKey;

use super::File;
use super::meaning::meaning;
use crate::failure::{Code, Failure};
use crate::output::{Output, print, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    file: File,
    /// Print the request that would be sent to the scheduler, as JSON.
    #[arg(long)]
    raw: bool,
    /// The same as --output json, on one line.
    #[arg(long)]
    write_json: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let job = self.file.job(&self.key, &Connection::of_environment()).await?;
        if self.raw {
            return print_json(&job.request);
        }
        if self.write_json {
            let text = serde_json::to_string(&job.config)
                .map_err(|error| Failure::new(Code::Error, error.to_string()))?;
            return print(&(text + "\n"));
        }
        if self.output.is_data() {
            return self.output.print(&job.config);
        }
        print(&(describe(&job.config) + &meaning(&job)))
    }
}

/// A job for people, in the original's words and order.
pub(crate) fn describe(job: &Job) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_job(&mut text, job);
    text
}

fn python(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn write_job(text: &mut String, job: &Job) -> std::fmt::Result {
    writeln!(text, "Job level information")?;
    writeln!(text, "  name:       '{}'", job.name)?;
    writeln!(text, "  role:       '{}'", job.role)?;
    if let Some(contact) = &job.contact {
        writeln!(text, "  contact:    '{contact}'")?;
    }
    writeln!(text, "  cluster:    '{}'", job.cluster)?;
    writeln!(text, "  instances:  '{}'", job.instances.unwrap_or(1))?;
    if let Some(schedule) = &job.cron_schedule {
        writeln!(text, "  cron:")?;
        writeln!(text, "    schedule: '{schedule}'")?;
        writeln!(text, "    policy:   '{}'", job.cron_collision_policy)?;
    }
    if let Some(constraints) = job.constraints.as_ref().filter(|found| !found.is_empty()) {
        writeln!(text, "  constraints:")?;
        for (name, value) in constraints {
            writeln!(text, "    '{name}': '{value}'")?;
        }
    }
    if let Some(policy) = &job.partition_policy {
        writeln!(text, "  partition_policy:")?;
        writeln!(text, "    reschedule: {}", python(policy.reschedule))?;
        writeln!(text, "    delay_secs: '{}'", policy.delay_secs)?;
    }
    writeln!(text, "  service:    {}", python(job.service))?;
    writeln!(text, "  production: {}", python(job.production))?;
    writeln!(text)?;
    writeln!(text, "Task level information")?;
    writeln!(text, "  name: '{}'", job.task.name)?;
    if let Some(constraints) = job.task.constraints.as_ref().filter(|found| !found.is_empty()) {
        writeln!(text, "  constraints:")?;
        for constraint in constraints {
            writeln!(text, "  {}", constraint.order.join(" < "))?;
        }
    }
    writeln!(text)?;
    for process in &job.task.processes {
        writeln!(text, "Process '{}':", process.name)?;
        for (name, is_set) in [
            ("daemon", process.daemon),
            ("ephemeral", process.ephemeral),
            ("final", process.is_final),
        ] {
            if is_set {
                writeln!(text, "  {name}")?;
            }
        }
        writeln!(text, "  cmdline:")?;
        for line in process.cmdline.lines() {
            writeln!(text, "    {line}")?;
        }
        writeln!(text)?;
    }
    Ok(())
}
