//! `aurora quota set`.

use aurora_api::v1;
use aurora_client::{Connection, Scheduler, keys::ClusterRole};
use aurora_model::job::MilliCpus;
use aurora_model::quota::ResourceAggregate;
use serde_json::json;

use super::{as_json, shown, size};
use crate::failure::Failure;
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The role: cluster/role.
    #[arg(value_name = "ROLE")]
    role: ClusterRole,
    /// Cores, such as 2.5.
    #[arg(value_name = "CPU", value_parser = cores)]
    cpus: MilliCpus,
    /// Memory, such as 512MB or 1.5GB.
    #[arg(value_name = "RAM", value_parser = size::megabytes)]
    ram_mb: u64,
    /// Disk, such as 20GB.
    #[arg(value_name = "DISK", value_parser = size::megabytes)]
    disk_mb: u64,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { role, cpus, ram_mb, disk_mb, connection, output } = self;
        let scheduler = Scheduler::of_cluster(&role.cluster, &connection).await?;
        let quota = v1::ResourceAggregate::from(&ResourceAggregate { cpus, ram_mb, disk_mb });
        scheduler.set_quota(&role.role, quota).await?;
        if output.is_data() {
            output.print(&json!({ "role": role.to_string(), "quota": as_json(&quota) }))
        } else {
            print(&format!("Quota of {role} set: {}\n", shown(&quota).join(", ")))
        }
    }
}

fn cores(text: &str) -> Result<MilliCpus, String> {
    let cores: Option<f64> = text.parse().ok();
    let millis = cores.unwrap_or_default() * 1000.0;
    if (millis - millis.round()).abs() > 1e-6 {
        return Err("cores are given in thousandths, such as 2.125".to_owned());
    }
    cores
        .and_then(MilliCpus::from_cores)
        .ok_or_else(|| format!("give cores from 0 to {}, such as 2.5", MilliCpus::MAX_CORES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_a_number_that_makes_sense() {
        assert_eq!(cores("2.5"), Ok(MilliCpus(2500)));
        assert_eq!(cores("0"), Ok(MilliCpus(0)));
        assert_eq!(cores("0.001"), Ok(MilliCpus(1)));
        assert_eq!(cores("0.0001").unwrap_err(), "cores are given in thousandths, such as 2.125");
        for wrong in ["", "-1", "NaN", "inf", "1e12", "2,5", "2 cores"] {
            let refused = cores(wrong).unwrap_err();
            assert_eq!(refused, "give cores from 0 to 1000000000, such as 2.5", "{wrong:?}");
        }
    }
}
