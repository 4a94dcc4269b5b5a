//! `aurora job status --watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_client::watch::{Seen, Tasks};
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::lines::clean;
use crate::live::{Line, Live, Size};
use crate::output::{print_on, utc};
use crate::timeout::words;

/// Shows the tasks of some jobs, for ever: on a terminal all of them, drawn again and again; otherwise a line
/// whenever one changes.
pub(super) async fn watch(
    scheduler: &Scheduler,
    cluster: &str,
    jobs: Vec<JobKey>,
    mut live: Live,
    is_data: bool,
) -> Result<(), Failure> {
    let query = v1::TaskQuery {
        jobs: jobs.iter().map(v1::JobKey::from).collect(),
        ..v1::TaskQuery::default()
    };
    let mut tasks = Tasks::open(scheduler, query).await?;
    let mut rows = Rows { cluster: cluster.to_owned(), ..Rows::default() };
    loop {
        let seen = live.during(tasks.next(), |size| rows.lines(size, now_ms())).await?;
        let change = rows.take(seen)?;
        live.touch();
        if let Some(change) = change.filter(|_| !live.is_on()) {
            let line = if is_data { change.json().to_string() } else { change.text() };
            if !print_on(&(line + "\n"))? {
                return Ok(());
            }
        }
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The tasks that have not ended, and the last end of each instance that has none.
#[derive(Debug, Default)]
struct Rows {
    cluster: String,
    rows: BTreeMap<(String, u32), BTreeMap<String, Row>>,
    /// Those that were told since all was told anew.
    told: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    state: TaskState,
    born_ms: i64,
    since_ms: i64,
    host: String,
    /// Why it waits, or what was said last.
    said: String,
}

/// A task that has gone to another state, or waits for another reason.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    job: String,
    instance: u32,
    task_id: String,
    from: Option<TaskState>,
    row: Row,
}

impl Rows {
    /// Takes in what was told. Gives what has changed by it.
    fn take(&mut self, seen: Seen) -> Result<Option<Change>, Failure> {
        match seen {
            Seen::Anew => {
                self.told = Some(Vec::new());
                Ok(None)
            }
            Seen::All => {
                let told = self.told.take().unwrap_or_default();
                let told: std::collections::BTreeSet<String> = told.into_iter().collect();
                for runs in self.rows.values_mut() {
                    runs.retain(|id, _| told.contains(id));
                }
                self.rows.retain(|_, runs| !runs.is_empty());
                Ok(None)
            }
            Seen::Gone(id) => {
                for runs in self.rows.values_mut() {
                    runs.remove(&id);
                }
                self.rows.retain(|_, runs| !runs.is_empty());
                Ok(None)
            }
            Seen::Task(task, reason) => self.take_task(&task, reason),
        }
    }

    fn take_task(
        &mut self,
        task: &v1::ScheduledTask,
        reason: Option<String>,
    ) -> Result<Option<Change>, Failure> {
        let Some(assigned) = &task.assigned else { return Ok(None) };
        let Some(job) = assigned.task.as_ref().and_then(|task| task.job.as_ref()) else {
            return Ok(None);
        };
        let state =
            task_state(task.state).map_err(|error| Failure::new(Code::Api, error.to_string()))?;
        let time = |event: Option<&v1::TaskEvent>| event.map_or(0, |event| event.timestamp_ms);
        let said = reason.or_else(|| task.events.last()?.message.clone()).unwrap_or_default();
        let row = Row {
            state,
            born_ms: time(task.events.first()),
            since_ms: time(task.events.last()),
            host: assigned.agent_host.clone(),
            said,
        };
        if let Some(told) = &mut self.told {
            told.push(assigned.task_id.clone());
        }
        let job = format!("{}/{}/{}/{}", self.cluster, job.role, job.environment, job.name);
        let runs = self.rows.entry((job.clone(), assigned.instance)).or_default();
        let before = runs.insert(assigned.task_id.clone(), row.clone());
        // What had ended before this began is no news.
        let is_old = before.is_none() && state.is_terminal() && self.told.is_some();
        if is_old || before.as_ref() == Some(&row) {
            return Ok(None);
        }
        Ok(Some(Change {
            job,
            instance: assigned.instance,
            task_id: assigned.task_id.clone(),
            from: before.map(|before| before.state),
            row,
        }))
    }

    /// The latest run of each instance, those that do not run first.
    fn latest(&self) -> Vec<(&str, u32, &Row)> {
        let mut latest: Vec<(&str, u32, &Row)> = self
            .rows
            .iter()
            .filter_map(|((job, instance), runs)| {
                let row = runs.values().max_by_key(|row| (row.born_ms, row.state.is_active()))?;
                Some((job.as_str(), *instance, row))
            })
            .collect();
        latest.sort_by_key(|(_, _, row)| row.state == TaskState::Running);
        latest
    }

    fn lines(&self, size: Size, now_ms: i64) -> Vec<Line> {
        let latest = self.latest();
        let mut counts: BTreeMap<TaskState, usize> = BTreeMap::new();
        for (_, _, row) in &latest {
            *counts.entry(row.state).or_default() += 1;
        }
        let mut head = Line::new(format!("{} instances:", latest.len()));
        for (state, count) in counts {
            head = head.and(format!(" {count} ")).styled(style(state), state.name());
        }
        let room = size.rows.saturating_sub(1);
        let shown = if latest.len() > room { room.saturating_sub(1) } else { latest.len() };
        let name = |job: &str, instance: u32| format!("{job}/{instance}");
        let widest =
            latest.iter().take(shown).map(|(job, instance, _)| name(job, *instance).len()).max();
        let widest = widest.unwrap_or(0);
        let mut lines = vec![head];
        for (job, instance, row) in latest.iter().take(shown) {
            let since = words(Duration::from_millis(
                u64::try_from(now_ms - row.since_ms).unwrap_or_default(),
            ));
            lines.push(
                Line::new(format!("  {:widest$}  ", name(job, *instance)))
                    .styled(style(row.state), format!("{:<11}", row.state.name()))
                    .and(format!(" {since:<9} {}  {}", row.host, clean(&row.said))),
            );
        }
        if latest.len() > shown {
            lines.push(Line::new(format!("  and {} more", latest.len() - shown)));
        }
        lines
    }
}

impl Change {
    fn text(&self) -> String {
        let Self { job, instance, from, row, .. } = self;
        let from = from.map(|from| format!("{} -> ", from.name())).unwrap_or_default();
        let mut text =
            format!("{}Z {job}/{instance} {from}{}", utc(row.since_ms), row.state.name());
        if !row.host.is_empty() {
            text.push_str(&format!(" on {}", row.host));
        }
        if !row.said.is_empty() {
            text.push_str(&format!(": {}", clean(&row.said)));
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "job": self.job,
            "instance": self.instance,
            "taskId": self.task_id,
            "from": self.from.map(TaskState::name),
            "status": self.row.state.name(),
            "timestamp": self.row.since_ms,
            "host": (!self.row.host.is_empty()).then_some(&self.row.host),
            "message": (!self.row.said.is_empty()).then_some(&self.row.said),
        })
    }
}

fn style(state: TaskState) -> Style {
    let color = match state {
        TaskState::Running => AnsiColor::Green,
        TaskState::Failed | TaskState::Lost => AnsiColor::Red,
        TaskState::Finished | TaskState::Killed => return Style::new().dimmed(),
        _ => AnsiColor::Yellow,
    };
    color.on_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(instance: u32, id: &str, state: TaskState, at_ms: i64) -> Seen {
        let job = v1::JobKey { role: "r".into(), environment: "e".into(), name: "n".into() };
        let task = v1::TaskConfig { job: Some(job), ..v1::TaskConfig::default() };
        Seen::Task(
            Box::new(v1::ScheduledTask {
                assigned: Some(v1::AssignedTask {
                    task_id: id.to_owned(),
                    agent_host: "host0".to_owned(),
                    task: Some(task),
                    instance,
                    ..v1::AssignedTask::default()
                }),
                state: v1::TaskState::from(state) as i32,
                events: vec![v1::TaskEvent { timestamp_ms: at_ms, ..v1::TaskEvent::default() }],
                ..v1::ScheduledTask::default()
            }),
            None,
        )
    }

    fn rows(seen: impl IntoIterator<Item = Seen>) -> (Rows, Vec<String>) {
        let mut rows = Rows { cluster: "c".to_owned(), ..Rows::default() };
        let changes = seen.into_iter().filter_map(|seen| rows.take(seen).unwrap());
        let changes = changes.map(|change| change.text()).collect();
        (rows, changes)
    }

    #[test]
    fn what_changes_is_told_and_what_had_ended_is_not() {
        use TaskState::{Failed, Pending, Running};
        let (_, told) = rows([
            Seen::Anew,
            seen(0, "old", Failed, 500),
            seen(0, "a", Running, 1_000),
            Seen::All,
            seen(0, "a", Running, 1_000),
            seen(0, "a", Failed, 2_000),
            seen(0, "b", Pending, 3_000),
            // After a lost connection only what is new is told.
            Seen::Anew,
            seen(0, "b", Running, 4_000),
            Seen::All,
        ]);
        assert_eq!(
            told,
            [
                "1970-01-01T00:00:01Z c/r/e/n/0 RUNNING on host0",
                "1970-01-01T00:00:02Z c/r/e/n/0 RUNNING -> FAILED on host0",
                "1970-01-01T00:00:03Z c/r/e/n/0 PENDING on host0",
                "1970-01-01T00:00:04Z c/r/e/n/0 PENDING -> RUNNING on host0",
            ]
        );
    }

    #[test]
    fn what_others_say_does_nothing_to_the_terminal() {
        let mut seen = seen(0, "a", TaskState::Failed, 1_000);
        if let Seen::Task(task, _) = &mut seen {
            task.events[0].message = Some("a\u{1b}]0;title\u{7}\nb".to_owned());
        }
        let (_, told) = rows([seen]);
        assert_eq!(told, ["1970-01-01T00:00:01Z c/r/e/n/0 FAILED on host0: a]0;title b"]);
    }

    #[test]
    fn the_view_has_trouble_first_and_no_more_than_there_is_room() {
        use TaskState::{Failed, Pending, Running};
        let mut all = vec![Seen::Anew];
        all.extend((0..5).map(|instance| seen(instance, &format!("a{instance}"), Running, 1_000)));
        all.push(seen(3, "b3", Pending, 2_000));
        all.push(seen(4, "a4", Failed, 2_000));
        all.push(Seen::All);
        let (rows, _) = rows(all);
        let lines = |rows: &Rows, high| -> Vec<String> {
            let lines = rows.lines(Size { columns: 80, rows: high }, 61_000);
            let text = |line: &Line| anstream::adapter::strip_str(&line.to_string()).to_string();
            lines.iter().map(|line| text(line).trim_end().to_owned()).collect()
        };
        assert_eq!(
            lines(&rows, 5),
            [
                "5 instances: 1 PENDING 3 RUNNING 1 FAILED",
                "  c/r/e/n/3  PENDING     59s       host0",
                "  c/r/e/n/4  FAILED      59s       host0",
                "  c/r/e/n/0  RUNNING     1m        host0",
                "  and 2 more",
            ]
        );
        assert_eq!(lines(&rows, 40).len(), 6);
    }

    #[test]
    fn what_is_no_longer_known_is_not_shown() {
        use TaskState::Running;
        let (rows, _) = rows([
            Seen::Anew,
            seen(0, "a", Running, 1),
            seen(1, "b", Running, 1),
            seen(2, "c", Running, 1),
            Seen::All,
            Seen::Gone("a".to_owned()),
            Seen::Anew,
            seen(1, "b", Running, 1),
            Seen::All,
        ]);
        assert_eq!(rows.latest().len(), 1);
    }
}
