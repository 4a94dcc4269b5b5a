//! `aurora why`: why a job is as it is.

use std::fmt::Write as _;
use std::process::ExitCode;

use aurora_client::{
    Connection, Scheduler,
    keys::InstancesKey,
    why::{self, Case, Condition, CronCase, Death, UpdateCase, Why},
};

use crate::failure::Failure;
use crate::lines::clean;
use crate::output::{Output, print, utc};
use crate::runtime;
use crate::timeout::words;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(self.tell()).map(|()| ExitCode::SUCCESS)
    }

    /// The same, where things are waited for already.
    pub(crate) async fn tell(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.key.job.cluster, &self.connection).await?;
        let why = why::ask(&scheduler, &self.key).await?;
        if self.output.is_data() {
            return self.output.print(&why);
        }
        print(&text(&why, jiff::Timestamp::now().as_millisecond()))
    }
}

fn text(why: &Why, now_ms: i64) -> String {
    let mut text = format!("{}\n", why.job);
    for case in &why.instances {
        tell_case(&mut text, case, now_ms);
    }
    if let Some(update) = &why.update {
        tell_update(&mut text, update);
    }
    if let Some(cron) = &why.cron {
        tell_cron(&mut text, cron);
    }
    text
}

/// Much of it was said by others: a terminal does what control characters say.
fn line(text: &mut String, indent: usize, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{}", "", clean(line));
}

fn tell_case(text: &mut String, case: &Case, now_ms: i64) {
    let one = case.instances.bytes().all(|byte| byte.is_ascii_digit());
    let (noun, be, have) =
        if one { ("Instance", "is", "has") } else { ("Instances", "are", "have") };
    let (instances, state) = (&case.instances, case.state);
    let since = span(now_ms - case.since_ms);
    line(
        text,
        0,
        &match case.condition {
            Condition::Dead => format!("{noun} {instances} {have} ended as {state}, {since} ago"),
            Condition::Flapping => format!(
                "{noun} {instances} {be} {state} for {since}: begun anew later, as the last runs ended too soon"
            ),
            Condition::Ended => format!("{noun} {instances} {have} ended as {state}, {since} ago"),
            _ => format!("{noun} {instances} {be} {state} for {since}"),
        },
    );
    if let Some(waits) = &case.waits {
        line(text, 2, &format!("waits: {}", waits.reason));
        if let Some(nearest) = &waits.nearest_host {
            line(text, 2, &format!("nearest: {nearest}, of {} hosts", waits.hosts));
        }
    }
    if let Some(death) = &case.death {
        tell_death(text, death, case.failures);
    }
    for advice in &case.advice {
        line(text, 2, &format!("next: {advice}"));
    }
}

fn tell_death(text: &mut String, death: &Death, failures: u32) {
    let host = death.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
    let ran = match death.ran_ms {
        Some(ran) => format!(", after it had run for {}", span(ran)),
        None => ", before it ran".to_owned(),
    };
    let at = utc(death.at_ms);
    let times = if failures > 1 { format!(" ({failures} times so far)") } else { String::new() };
    line(text, 2, &format!("last end: {} at {at}Z{host}{ran}{times}", death.state));
    if let Some(reason) = &death.reason {
        line(text, 4, reason);
    }
    for words in &death.stderr {
        line(text, 4, &format!("stderr | {words}"));
    }
    if let Some(problem) = &death.stderr_problem {
        line(text, 4, &format!("no more of its stderr can be read: {problem}"));
    }
    line(text, 2, "what happened to that run:");
    for event in &death.events {
        let message = event.message.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
        line(text, 4, &format!("{}Z {}{message}", utc(event.at_ms), event.state));
    }
}

fn tell_update(text: &mut String, update: &UpdateCase) {
    let reason = update.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    line(text, 0, &format!("Update {} is {}{reason}", update.id, update.status));
    for (instance, why) in &update.failed {
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        line(text, 2, &format!("instance {instance} has failed in it{why}"));
    }
    for advice in &update.advice {
        line(text, 2, &format!("next: {advice}"));
    }
}

fn tell_cron(text: &mut String, cron: &CronCase) {
    let due = match (&cron.problem, cron.next_ms) {
        (Some(problem), _) => format!("it cannot be said when it is due: {problem}"),
        (None, Some(next)) => format!("due next at {}Z", utc(next)),
        (None, None) => "not due again".to_owned(),
    };
    line(text, 0, &format!("Cron job, {:?}: {due}", cron.schedule));
    if let Some(skipped) = &cron.skipped {
        line(text, 2, &format!("the last run was not started: {skipped}"));
    }
}

/// How long something takes; clocks of two machines differ.
fn span(ms: i64) -> String {
    words(std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default()))
}
