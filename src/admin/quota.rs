//! `set_quota` and `increase_quota`.

use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_model::job::MilliCpus;
use aurora_model::key::Role;
use aurora_model::quota::{MAX_QUOTA_MB, ResourceAggregate};
use serde_json::json;

use super::amounts::{megabytes, millicores};
use super::consent::Consent;
use super::target::{Stream, Target};
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::quota::{as_json, shown};

#[derive(Debug, clap::Args)]
struct Amounts {
    /// The role.
    #[arg(value_name = "ROLE")]
    role: Role,
    /// Cores, such as 2.5.
    #[arg(value_name = "CPU", allow_hyphen_values = true, value_parser = millicores)]
    cpu: i64,
    /// Memory, such as 512mb; a number alone is of bytes.
    #[arg(value_name = "RAM", allow_hyphen_values = true, value_parser = megabytes)]
    ram: i64,
    /// Disk, such as 20gb; a number alone is of bytes.
    #[arg(value_name = "DISK", allow_hyphen_values = true, value_parser = megabytes)]
    disk: i64,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    amounts: Amounts,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IncreaseArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    amounts: Amounts,
}

impl SetArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let quota = self.amounts.on_top_of(ResourceAggregate::default())?;
        let scheduler = self.target.scheduler().await?;
        let before = quota_of(&scheduler, &self.amounts.role).await?;
        self.amounts.change(&scheduler, before, quota).await
    }
}

impl IncreaseArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.target.scheduler().await?;
        let before = quota_of(&scheduler, &self.amounts.role).await?;
        let quota = self.amounts.on_top_of(before)?;
        self.amounts.change(&scheduler, before, quota).await
    }
}

/// What a role may use as it was set; nothing if it was not.
async fn quota_of(scheduler: &Scheduler, role: &Role) -> Result<ResourceAggregate, Failure> {
    let found = scheduler.quota(role).await?;
    let set = found.quota.filter(|_| found.is_set).unwrap_or_default();
    ResourceAggregate::try_from(set).map_err(|error| Failure::new(Code::Api, error.to_string()))
}

impl Amounts {
    /// These amounts and others.
    fn on_top_of(&self, before: ResourceAggregate) -> Result<ResourceAggregate, Failure> {
        let add = |name: &str, before: u64, by: i64, max: u64| {
            let sum = i128::from(before) + i128::from(by);
            u64::try_from(sum).ok().filter(|sum| *sum <= max).ok_or_else(|| {
                let why = if sum < 0 { "below 0" } else { "more than can be counted" };
                Failure::new(
                    Code::InvalidParameter,
                    format!("the {name} of {} would be {why}; nothing was done", self.role),
                )
            })
        };
        Ok(ResourceAggregate {
            cpus: MilliCpus(add("CPU", before.cpus.0, self.cpu, 1_000_000_000_000)?),
            ram_mb: add("RAM", before.ram_mb, self.ram, MAX_QUOTA_MB)?,
            disk_mb: add("disk", before.disk_mb, self.disk, MAX_QUOTA_MB)?,
        })
    }

    async fn change(
        &self,
        scheduler: &Scheduler,
        before: ResourceAggregate,
        after: ResourceAggregate,
    ) -> Result<(), Failure> {
        let role = &self.role;
        let (before, after) =
            (v1::ResourceAggregate::from(&before), v1::ResourceAggregate::from(&after));
        let words = |amounts| shown(amounts).join(", ");
        if !self.consent.dry_run {
            self.consent
                .ask(&format!(
                    "The quota of {role} is {}; this makes it {}.",
                    words(&before),
                    words(&after)
                ))
                .await?;
            scheduler.set_quota(role, after).await?;
        }
        if self.output.is_data() {
            return self.output.print(&json!({
                "role": role.to_string(),
                "before": as_json(&before),
                "quota": as_json(&after),
                "dryRun": self.consent.dry_run,
            }));
        }
        let verb = if self.consent.dry_run { "Would set" } else { "Set" };
        self.stream.line(&format!("Quota of {role} was: {}", words(&before)))?;
        self.stream.line(&format!("{verb} quota of {role} to: {}", words(&after)))
    }
}
