//! `aurora sla …`: for how long the instances of a job have been up (`client.md` 10).

use std::process::ExitCode;
use std::time::Duration;

use aurora_client::sla::Uptimes;
use aurora_client::{duration, near};
use serde_json::json;

use crate::failure::Failure;
use crate::one_job::OneJob;
use crate::output::{note, print};
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show how many percent of the instances have been up for some times.
    GetTaskUpCount(CountArgs),
    /// Show for how long so many percent of the instances have been up.
    GetJobUptime(UptimeArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::GetTaskUpCount(args) => args.run().await,
                Self::GetJobUptime(args) => args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    job: OneJob,
    /// The times, such as 10m,1h30m; an empty list is the usual one.
    #[arg(long, value_name = "TIME,…", default_value = COUNTS, value_parser = times)]
    durations: Times,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UptimeArgs {
    #[command(flatten)]
    job: OneJob,
    /// The shares in percent, such as 95,99.5; an empty list is the usual one.
    #[arg(long, value_name = "PERCENT,…", default_value = PERCENTILES, value_parser = shares)]
    percentiles: Shares,
}

/// The times and shares that are shown if none are given.
const COUNTS: &str = "1m,10m,1h,12h,7d";
const PERCENTILES: &str = "99,95,90,85,75,60,50,30,10";

#[derive(Debug, Clone, PartialEq)]
struct Times(Vec<Duration>);

#[derive(Debug, Clone, PartialEq)]
struct Shares(Vec<f64>);

/// The shortest first.
fn times(text: &str) -> Result<Times, String> {
    let text = if text.is_empty() { COUNTS } else { text };
    let mut times =
        text.split(',').map(|part| duration::parse(part.trim())).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    times.dedup();
    Ok(Times(times))
}

/// The greatest first.
fn shares(text: &str) -> Result<Shares, String> {
    let text = if text.is_empty() { PERCENTILES } else { text };
    let share = |part: &str| {
        let share: Option<f64> = part.trim().parse().ok();
        share
            .filter(|share| *share > 0.0 && *share < 100.0)
            .ok_or_else(|| format!("{part:?} is no percentile: give numbers between 0 and 100"))
    };
    let mut shares = text.split(',').map(share).collect::<Result<Vec<_>, _>>()?;
    shares.sort_by(|a, b| b.total_cmp(a));
    shares.dedup();
    Ok(Shares(shares))
}

impl CountArgs {
    async fn run(self) -> Result<(), Failure> {
        let up = uptimes(&self.job).await?;
        let counts = self.durations.0.iter().map(|time| (*time, up.percent_up(*time, up.len())));
        if self.job.output.is_data() {
            let row = |(time, percent): (Duration, f64)| json!({ "secs": time.as_secs(), "percent": percent });
            return self.job.output.print(&json!({
                "job": self.job.key.to_string(),
                "instances": up.len(),
                "upCounts": counts.map(row).collect::<Vec<_>>(),
            }));
        }
        let line = |(time, percent)| format!("{}\t- {percent:.2} %\n", duration::shown(time));
        print(&counts.map(line).collect::<String>())
    }
}

impl UptimeArgs {
    async fn run(self) -> Result<(), Failure> {
        let up = uptimes(&self.job).await?;
        if self.job.output.is_data() {
            let row = |share: &f64| json!({ "percentile": share, "secs": up.percentile(*share) });
            return self.job.output.print(&json!({
                "job": self.job.key.to_string(),
                "instances": up.len(),
                "uptimes": self.percentiles.0.iter().map(row).collect::<Vec<_>>(),
            }));
        }
        print(&self.percentiles.0.iter().map(|share| line(&up, *share)).collect::<String>())
    }
}

/// For how long the instances of a job have been up. As with the original, none is no failure.
async fn uptimes(of: &OneJob) -> Result<Uptimes, Failure> {
    let scheduler = of.scheduler().await?;
    let up = scheduler.uptimes(&of.key.job).await?;
    if up.is_empty() {
        let near = near::hint_of(&scheduler, &of.key).await;
        note(&format!("{} has no instances that run{near}", of.key));
    }
    Ok(up)
}

fn line(up: &Uptimes, share: f64) -> String {
    let seconds = match up.percentile(share) {
        0 if up.is_empty() => "0".to_owned(),
        seconds => format!("{seconds}.0"),
    };
    format!("{share:?} percentile\t- {seconds} seconds\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c143_lines_have_the_original_form() {
        let up: Uptimes = [100, 200, 300, 400].into_iter().collect();
        assert_eq!(line(&up, 99.0), "99.0 percentile\t- 100.0 seconds\n");
        assert_eq!(line(&up, 95.5), "95.5 percentile\t- 100.0 seconds\n");
        assert_eq!(line(&Uptimes::default(), 50.0), "50.0 percentile\t- 0 seconds\n");
    }

    #[test]
    fn lists_are_sorted() {
        let secs =
            |text: &str| times(text).unwrap().0.iter().map(Duration::as_secs).collect::<Vec<_>>();
        assert_eq!(secs("3m,10s, 1h3m10s"), [10, 180, 3790]);
        assert_eq!(secs(""), secs(COUNTS));
        assert_eq!(shares("10,95.5,50").unwrap().0, [95.5, 50.0, 10.0]);
        assert_eq!(shares("").unwrap(), shares(PERCENTILES).unwrap());
        for wrong in ["0", "100", "-1", "x", "5,,6"] {
            assert!(shares(wrong).unwrap_err().contains("between 0 and 100"), "{wrong}");
        }
        assert!(times("1h,5").unwrap_err().contains("such as 1h30m"));
    }
}
