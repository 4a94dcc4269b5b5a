//! `aurora quota get`.

use aurora_api::v1;
use aurora_client::{Connection, Scheduler, keys::ClusterRole};
use serde_json::json;

use super::{as_json, shown};
use crate::failure::Failure;
use crate::output::{Output, note, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role: cluster/role.
    #[arg(value_name = "ROLE")]
    role: ClusterRole,
    /// The same as --output json, on one line.
    #[arg(long)]
    write_json: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.role.cluster, &self.connection).await?;
        let found = scheduler.quota(&self.role.role).await?;
        if self.write_json || self.output.is_data() {
            let document = json!({
                "quota": as_json(&found.quota.unwrap_or_default()),
                "isSet": found.is_set,
                "isLimited": found.is_limited,
                "prodSharedConsumption": as_json(&found.production_shared.unwrap_or_default()),
                "nonProdSharedConsumption":
                    as_json(&found.non_production_shared.unwrap_or_default()),
                "prodDedicatedConsumption":
                    as_json(&found.production_dedicated.unwrap_or_default()),
                "nonProdDedicatedConsumption":
                    as_json(&found.non_production_dedicated.unwrap_or_default()),
            });
            return if self.write_json {
                print(&format!("{document}\n"))
            } else {
                self.output.print(&document)
            };
        }
        print(&text(&found))?;
        if !found.is_set && found.is_limited {
            note(&format!(
                "No quota is set for {key}: its production jobs are refused. Set one with \
                 `aurora quota set {key} CPU RAM DISK`",
                key = self.role
            ));
        }
        Ok(())
    }
}

/// For people, in the original's words and order.
fn text(found: &v1::GetQuotaResponse) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: &[String]| {
        text.push_str(&format!("{title}\n"));
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
    };
    if found.is_limited || found.is_set {
        section("Allocated:", &shown(&found.quota.unwrap_or_default()));
    } else {
        section("Allocated:", &["unlimited: no quota is set".to_owned()]);
    }
    for (class, amounts) in [
        ("Production shared", found.production_shared),
        ("Production dedicated", found.production_dedicated),
        ("Non-production shared", found.non_production_shared),
        ("Non-production dedicated", found.non_production_dedicated),
    ] {
        if let Some(amounts) = amounts {
            section(&format!("{class} pool resources consumed:"), &shown(&amounts));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(cpus: f64, ram_mb: u64, disk_mb: u64) -> Option<v1::ResourceAggregate> {
        Some(v1::ResourceAggregate { cpus, ram_mb, disk_mb })
    }

    #[test]
    fn the_text_is_the_originals() {
        let found = v1::GetQuotaResponse {
            quota: amounts(5.0, 20480, 40960),
            is_set: true,
            is_limited: true,
            production_shared: amounts(1.0, 512, 1024),
            non_production_dedicated: amounts(0.25, 1, 2),
            ..v1::GetQuotaResponse::default()
        };
        assert_eq!(
            text(&found),
            "Allocated:\n  CPU: 5.0 core(s)\n  RAM: 20480 MB\n  Disk: 40960 MB\n\
             Production shared pool resources consumed:\n  CPU: 1.0 core(s)\n  RAM: 512 MB\n  \
             Disk: 1024 MB\n\
             Non-production dedicated pool resources consumed:\n  CPU: 0.25 core(s)\n  RAM: 1 MB\n  \
             Disk: 2 MB\n"
        );
        let unlimited = v1::GetQuotaResponse::default();
        assert_eq!(text(&unlimited), "Allocated:\n  unlimited: no quota is set\n");
    }
}
