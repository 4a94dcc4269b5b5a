//! `sla_probe_hosts` and `sla_list_safe_domain`: what becomes of jobs without some hosts (`admin.md` 6).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_client::duration;
use aurora_client::hosts::{Grouping, bounded, in_file, lines, listed};
use aurora_client::sla::{Demand, Prediction};
use aurora_model::key::{ClusterJobKey, JobKey};
use serde_json::{Value, json};

use super::hosts::Hosts;
use super::target::Target;
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{Format, Output, print};

/// What jobs must keep, and which are looked at.
#[derive(Debug, clap::Args)]
struct Terms {
    /// How many percent of the instances of a job must be up: above 0, up to 100.
    #[arg(value_name = "PERCENT", value_parser = percentage)]
    percentage: f64,
    /// How long they must have been up, such as 30m.
    #[arg(value_name = "TIME", value_parser = duration::parse)]
    duration: Duration,
    /// Which hosts are gone at the same time: by_host, none (all), or by_name:REGEX.
    #[arg(long, value_name = "HOW", default_value = "by_host")]
    grouping: Grouping,
    /// Jobs with fewer production instances are not looked at.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = number::from::<usize>(0))]
    min_job_instance_count: usize,
}

impl Terms {
    fn demand(&self) -> Demand {
        Demand { percent: self.percentage, duration: self.duration }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    hosts: Hosts,
    #[command(flatten)]
    output: Output,
}

impl ProbeArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let hosts = self.hosts.names()?;
        let scheduler = self.target.scheduler().await?;
        let fleet = scheduler.fleet(Some(&hosts), self.terms.min_job_instance_count).await?;
        let demand = self.terms.demand();
        let groups = self.terms.grouping.groups(hosts);
        let found = groups.iter().flat_map(|group| fleet.probe(group, |_| demand));
        let cluster = &self.target.name;
        if self.output.is_data() {
            let rows = found.map(|(host, it)| as_json(cluster, &host, &it, demand));
            return self.output.print(&rows.collect::<Vec<_>>());
        }
        print(&found.map(|(host, it)| row(cluster, &host, &it) + "\n").collect::<String>())
    }
}

/// Host, job, what would be left, whether that is enough and when it is, with tabs between.
pub(super) fn row(cluster: &str, host: &str, it: &Prediction) -> String {
    let (percent, is_safe) = (it.percent, if it.is_safe { "True" } else { "False" });
    let safe_in = match it.safe_in {
        _ if it.is_safe => "0".to_owned(),
        Some(seconds) => format!("{seconds}.0"),
        None => "n/a".to_owned(),
    };
    format!("{host}\t{cluster}/{}\t{percent:.2}\t{is_safe}\t{safe_in}", it.job)
}

fn as_json(cluster: &str, host: &str, it: &Prediction, demand: Demand) -> Value {
    json!({
        "host": host,
        "job": format!("{cluster}/{}", it.job),
        "percentage": it.percent,
        "safe": it.is_safe,
        "safeInSecs": it.safe_in,
        "demandedPercentage": demand.percent,
        "demandedSecs": demand.duration.as_secs(),
    })
}

#[derive(Debug, clap::Args)]
pub(crate) struct DomainArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    terms: Terms,
    /// Do not print these hosts.
    #[arg(long, short = 'x', value_name = "HOST,…", value_parser = listed)]
    exclude_hosts: Option<BTreeSet<String>>,
    /// Do not print the hosts in this file.
    #[arg(long, short = 'X', value_name = "FILE", conflicts_with = "exclude_hosts")]
    exclude_file: Option<PathBuf>,
    /// Look at these hosts only.
    #[arg(long, short = 'i', value_name = "HOST,…", value_parser = listed)]
    include_hosts: Option<BTreeSet<String>>,
    /// Look at the hosts in this file only.
    #[arg(long, short = 'I', value_name = "FILE", conflicts_with = "include_hosts")]
    include_file: Option<PathBuf>,
    /// Print what would be left of each job.
    #[arg(long, short = 'l')]
    list_jobs: bool,
    /// What some jobs must keep instead, one on each line: cluster/role/env/job percent time.
    #[arg(long, short = 'o', visible_alias = "override-jobs", value_name = "FILE")]
    override_file: Option<PathBuf>,
    /// The form of the result on standard output.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

impl DomainArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { target, terms, list_jobs, .. } = &self;
        let output = Output { output: self.output };
        let overrides = match &self.override_file {
            Some(file) => overrides(file, &target.name)?,
            None => BTreeMap::new(),
        };
        let excluded = names(self.exclude_hosts.as_ref(), self.exclude_file.as_deref())?;
        let excluded = excluded.unwrap_or_default();
        let included = names(self.include_hosts.as_ref(), self.include_file.as_deref())?;
        let scheduler = target.scheduler().await?;
        let fleet = scheduler.fleet(included.as_ref(), terms.min_job_instance_count).await?;
        let demand = |job: &JobKey| overrides.get(job).copied().unwrap_or_else(|| terms.demand());
        let is_included = |host: &String| included.as_ref().is_none_or(|some| some.contains(host));
        let hosts = fleet.hosts().into_iter().filter(is_included);

        let mut safe = Vec::new();
        for group in terms.grouping.groups(hosts) {
            let found = fleet.probe(&group, demand);
            if found.iter().all(|(_, prediction)| prediction.is_safe) {
                safe.extend(found.into_iter().filter(|(host, _)| !excluded.contains(host)));
            }
        }
        let cluster = &target.name;
        if output.is_data() {
            let rows = safe.iter().map(|(host, it)| as_json(cluster, host, it, demand(&it.job)));
            return output.print(&rows.collect::<Vec<_>>());
        }
        if *list_jobs {
            let row = |(host, it): &(String, Prediction)| {
                let seconds = demand(&it.job).duration.as_secs();
                format!("{host}\t{cluster}/{}\t{:.2}\t{seconds}\n", it.job, it.percent)
            };
            return print(&safe.iter().map(row).collect::<String>());
        }
        // A host has a row for each of its jobs.
        let mut hosts: Vec<&String> = safe.iter().map(|(host, _)| host).collect();
        hosts.dedup();
        print(&hosts.into_iter().map(|host| format!("{host}\n")).collect::<String>())
    }
}

/// The hosts of a list or a file, if either is given.
fn names(
    list: Option<&BTreeSet<String>>,
    file: Option<&Path>,
) -> Result<Option<BTreeSet<String>>, Failure> {
    match (list, file) {
        (Some(list), _) => Ok(Some(list.clone())),
        (None, Some(file)) => Ok(Some(in_file(file)?)),
        (None, None) => Ok(None),
    }
}

/// What some jobs must keep.
fn overrides(file: &Path, cluster: &str) -> Result<BTreeMap<JobKey, Demand>, Failure> {
    let wrong = |reason: String| {
        Failure::new(Code::Usage, format!("the override file {}: {reason}", file.display()))
    };
    let text = bounded(file).map_err(wrong)?;
    let mut found = BTreeMap::new();
    for (number, line) in lines(&text) {
        let (job, demand) = override_line(line, cluster)
            .map_err(|reason| wrong(format!("line {number}: {reason}")))?;
        found.insert(job, demand);
    }
    Ok(found)
}

fn override_line(line: &str, cluster: &str) -> Result<(JobKey, Demand), String> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let [key, percent, duration] = parts.as_slice() else {
        return Err(format!("{line:?} is not cluster/role/env/job percent time"));
    };
    let key: ClusterJobKey =
        key.parse().map_err(|error: aurora_model::key::KeyError| error.to_string())?;
    if key.cluster != cluster {
        return Err(format!("{key} is of another cluster than {cluster}"));
    }
    let demand = Demand { percent: percentage(percent)?, duration: duration::parse(duration)? };
    Ok((key.job, demand))
}

/// Above 0, up to 100.
pub(super) fn percentage(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.parse().ok();
    percent
        .filter(|percent| *percent > 0.0 && *percent <= 100.0)
        .ok_or_else(|| format!("{text:?} is no percentage: give a number above 0 and up to 100"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a16_a_row_is_what_scripts_read() {
        let prediction = |percent, is_safe, safe_in| Prediction {
            job: "www/prod/web".parse().unwrap(),
            percent,
            is_safe,
            safe_in,
        };
        for (it, wanted) in [
            (prediction(60.0, false, Some(400)), "h\tc/www/prod/web\t60.00\tFalse\t400.0"),
            (prediction(100.0 / 3.0, false, None), "h\tc/www/prod/web\t33.33\tFalse\tn/a"),
            (prediction(100.0, true, Some(0)), "h\tc/www/prod/web\t100.00\tTrue\t0"),
        ] {
            assert_eq!(row("c", "h", &it), wanted);
        }
    }

    #[test]
    fn a14_override_lines_have_three_words() {
        let (job, demand) = override_line("c/www/prod/web  50\t10m", "c").unwrap();
        assert_eq!(job.to_string(), "www/prod/web");
        assert_eq!(demand, Demand { percent: 50.0, duration: Duration::from_secs(600) });
        for (line, wanted) in [
            ("c/www/prod/web 50", "is not cluster/role/env/job percent time"),
            ("c/www/prod 50 10m", "job key"),
            ("d/www/prod/web 50 10m", "of another cluster than c"),
            ("c/www/prod/web 0 10m", "above 0 and up to 100"),
            ("c/www/prod/web 50 10", "no duration"),
        ] {
            let refused = override_line(line, "c").unwrap_err();
            assert!(refused.contains(wanted), "{line}: {refused}");
        }
    }

    #[test]
    fn a15_percentages_are_above_0_and_up_to_100() {
        assert_eq!(percentage("100"), Ok(100.0));
        assert_eq!(percentage("0.5"), Ok(0.5));
        for text in ["0", "-1", "100.1", "NaN", "x", ""] {
            assert!(percentage(text).unwrap_err().contains("up to 100"), "{text}");
        }
    }
}
