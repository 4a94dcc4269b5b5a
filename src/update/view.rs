//! How an update is shown while it goes on: a bar for all of it, and one for each batch.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use aurora_api::v1;
use aurora_client::updates::{Update, batches, is_back};
use aurora_model::update::UpdateStatus;

use crate::live::{Bar, Line, Size, bar};
use crate::timeout::words;

/// The widest bar.
const BAR: usize = 42;
/// The batches that are shown at most, the one under way among them.
const BATCHES: usize = 12;

/// What is known of an update, and when its batches began.
#[derive(Debug)]
pub(super) struct View {
    job: String,
    /// The sizes of the batches, once they are known.
    sizes: Option<Vec<u32>>,
    times: Vec<Times>,
    update: Option<Update>,
}

/// When a batch began, and when it was done, as far as that was seen or is told.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    has_begun: bool,
    began_ms: Option<i64>,
    ended_ms: Option<i64>,
}

impl View {
    pub(super) fn new(job: String) -> Self {
        Self { job, sizes: None, times: Vec::new(), update: None }
    }

    /// Whether it is still to be told how the update goes about it.
    pub(super) fn wants_instructions(&self) -> bool {
        self.sizes.is_none() && self.update.is_some()
    }

    /// Tells of the batches, and of what has become of them before they were looked at.
    pub(super) fn instruct(&mut self, details: &v1::GetUpdateResponse) {
        // The events and the tally are of the same moment.
        if let Some(Ok(update)) = details.summary.as_ref().map(Update::read) {
            self.update = Some(update);
        }
        let tally = self.update.as_ref().map(|update| update.tally).unwrap_or_default();
        let instructions = details.update.as_ref().and_then(|update| update.instructions.as_ref());
        let sizes = instructions.map(|of| batches(of, tally.total)).unwrap_or_default();
        self.sizes = Some(sizes);
        let (begun, done) = moments(&details.instance_events, &tally);
        let mut first = 0;
        let times = self.bars().into_iter().map(|bar| {
            let size = usize::try_from(bar.total).unwrap_or(usize::MAX);
            let began_ms = begun.get(first).copied();
            first += size;
            let ended_ms = first.checked_sub(1).and_then(|last| done.get(last)).copied();
            Times { has_begun: bar.good + bar.working > 0, began_ms, ended_ms }
        });
        self.times = times.collect();
    }

    pub(super) fn take(&mut self, update: Update, now_ms: i64) {
        self.update = Some(update);
        for (bar, times) in self.bars().into_iter().zip(&mut self.times) {
            let is_done = bar.good == bar.total;
            if !times.has_begun && bar.good + bar.working > 0 {
                times.has_begun = true;
                // Of one that is done at first sight the beginning was not seen.
                times.began_ms = (!is_done).then_some(now_ms);
            }
            if is_done {
                times.ended_ms.get_or_insert(now_ms);
            }
        }
    }

    /// How far each batch has come: they are taken up one after the other, so the tally of all says it. On
    /// the way back there are others, which nobody waits for.
    fn bars(&self) -> Vec<Bar> {
        let Some(update) = &self.update else { return Vec::new() };
        if is_back(update.status) {
            return Vec::new();
        }
        let v1::UpdateTally { good, working, failed, .. } = update.tally;
        let taken = good + working + failed;
        let mut begin = 0;
        let mut bars = Vec::new();
        for size in self.sizes.iter().flatten().copied() {
            let of_this = taken.saturating_sub(begin).min(size);
            begin += size;
            // Only the last that was begun is under way.
            let working = if taken <= begin && of_this > 0 { working.min(of_this) } else { 0 };
            // Those that have failed are not told one by one: they count as done here, as failed above.
            bars.push(Bar { total: size, good: of_this - working, working, failed: 0 });
        }
        bars
    }

    pub(super) fn lines(&self, size: Size, now_ms: i64) -> Vec<Line> {
        let Some(update) = &self.update else { return Vec::new() };
        let v1::UpdateTally { total, good, working, failed } = update.tally;
        let end_ms = if update.status.is_terminal() { update.modified_ms } else { now_ms };
        let columns = u32::try_from(BAR.min(size.columns / 2)).unwrap_or(0);
        let head = Line::new(format!("{}  update {}  ", self.job, update.key.id))
            .styled(style(update.status), update.status.name());
        let all = bar(Bar { total, good, working, failed }, columns)
            .and(format!("  {}", span(end_ms - update.created_ms)));
        let mut lines = vec![head, Line::new("  all      ").joined(all)];
        let bars = self.bars();
        if bars.len() < 2 {
            return lines;
        }
        let room = size.rows.saturating_sub(lines.len() + 1).min(BATCHES);
        let current = bars.iter().position(|bar| bar.good < bar.total).unwrap_or(bars.len());
        let from = (current + 1 + room / 2).min(bars.len()).saturating_sub(room);
        for (index, of) in bars.iter().enumerate().skip(from).take(room) {
            let took = self.times.get(index).and_then(|times| {
                let began = times.began_ms?;
                Some(format!("  {}", span(times.ended_ms.unwrap_or(end_ms) - began)))
            });
            let name = format!("  batch {:<3}", index + 1);
            lines.push(Line::new(name).joined(bar(*of, columns)).and(took.unwrap_or_default()));
        }
        if bars.len() > room {
            lines.push(Line::new(format!("  of {} batches", bars.len())));
        }
        lines
    }
}

/// When instances were taken up, and when they were done with, each in the order of time: as batches are taken up one
/// after the other, that is the order of the batches. Nothing if not all of the tally are told of, as those that needed
/// nothing are not.
fn moments(events: &[v1::InstanceEvent], tally: &v1::UpdateTally) -> (Vec<i64>, Vec<i64>) {
    use v1::InstanceAction::{UpdateFailed, Updated, Updating};
    let (mut begun, mut done) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        match event.action() {
            Updating => {
                begun.entry(event.instance).or_insert(event.timestamp_ms);
            }
            Updated | UpdateFailed => {
                done.insert(event.instance, event.timestamp_ms);
            }
            _ => {}
        }
    }
    let v1::UpdateTally { working, good, failed, .. } = *tally;
    let is_told = |moments: &BTreeMap<u32, i64>, count: u32| {
        u32::try_from(moments.len()).is_ok_and(|told| told == count)
    };
    if !is_told(&begun, good + working + failed) || !is_told(&done, good + failed) {
        return (Vec::new(), Vec::new());
    }
    let sorted = |moments: BTreeMap<u32, i64>| {
        let mut moments: Vec<i64> = moments.into_values().collect();
        moments.sort_unstable();
        moments
    };
    (sorted(begun), sorted(done))
}

fn style(status: UpdateStatus) -> Style {
    let color = match status {
        UpdateStatus::RolledForward => AnsiColor::Green,
        UpdateStatus::RollingForward => AnsiColor::Cyan,
        UpdateStatus::Failed | UpdateStatus::Error | UpdateStatus::Aborted => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    color.on_default().bold()
}

/// How long something takes; clocks of two machines differ.
fn span(ms: i64) -> String {
    words(Duration::from_secs(u64::try_from(ms / 1000).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(status: UpdateStatus, good: u32, working: u32, failed: u32) -> v1::UpdateSummary {
        let job = v1::JobKey { role: "r".into(), environment: "e".into(), name: "n".into() };
        v1::UpdateSummary {
            key: Some(v1::UpdateKey { job: Some(job), id: "u".into() }),
            status: v1::UpdateStatus::from(status) as i32,
            tally: Some(v1::UpdateTally { total: 7, working, good, failed }),
            created_ms: 1_000,
            modified_ms: 61_000,
            ..v1::UpdateSummary::default()
        }
    }

    fn update(status: UpdateStatus, good: u32, working: u32, failed: u32) -> Update {
        Update::read(&summary(status, good, working, failed)).unwrap()
    }

    /// Three batches: of three, of three, and of one.
    fn details() -> v1::GetUpdateResponse {
        let batch = v1::BatchStrategy { group_size: 3, autopause_after_batch: false };
        let settings = v1::UpdateSettings {
            strategy: Some(v1::update_settings::Strategy::Batch(batch)),
            ..v1::UpdateSettings::default()
        };
        let instructions =
            v1::UpdateInstructions { settings: Some(settings), ..Default::default() };
        v1::GetUpdateResponse {
            update: Some(v1::JobUpdate {
                instructions: Some(instructions),
                ..v1::JobUpdate::default()
            }),
            ..v1::GetUpdateResponse::default()
        }
    }

    fn view() -> View {
        let mut view = View::new("c/r/e/n".into());
        view.take(update(UpdateStatus::RollingForward, 0, 0, 0), 1_000);
        assert!(view.wants_instructions());
        view.instruct(&details());
        view
    }

    const SIZE: Size = Size { columns: 24, rows: 20 };

    fn plain(lines: &[Line]) -> Vec<String> {
        let text = |line: &Line| anstream::adapter::strip_str(&line.to_string()).to_string();
        lines.iter().map(text).collect()
    }

    #[test]
    fn there_is_a_bar_for_all_and_one_for_each_batch() {
        let mut view = view();
        view.take(update(UpdateStatus::RollingForward, 0, 3, 0), 2_000);
        view.take(update(UpdateStatus::RollingForward, 4, 2, 0), 12_000);
        assert_eq!(
            plain(&view.lines(SIZE, 15_000)),
            [
                "c/r/e/n  update u  ROLLING_FORWARD",
                "  all      [#####===..] 4/7  2 under way  14s",
                "  batch 1  [##########] 3/3  10s",
                "  batch 2  [###=======] 1/3  2 under way  3s",
                "  batch 3  [..........] 0/1",
            ]
        );
    }

    #[test]
    fn what_was_not_seen_has_the_times_of_the_events_or_none() {
        use v1::InstanceAction::{Updated, Updating};
        let event = |instance, timestamp_ms, action: v1::InstanceAction| v1::InstanceEvent {
            instance,
            timestamp_ms,
            action: action as i32,
            ..v1::InstanceEvent::default()
        };
        let begun = [(0, 1_000), (1, 1_100), (2, 1_200), (3, 9_000), (4, 9_000), (5, 9_000)];
        let mut events: Vec<_> = begun.map(|(instance, at)| event(instance, at, Updating)).into();
        // Somebody was asked for leave to stop it.
        events.push(event(2, 1_300, Updating));
        let done = [(2, 6_000), (0, 7_000), (1, 8_000), (3, 19_000)];
        events.extend(done.map(|(instance, at)| event(instance, at, Updated)));
        for (events, first, second) in [
            (events.clone(), "  batch 1  [##########] 3/3  7s", "  2 under way  11s"),
            (events[1..].to_vec(), "  batch 1  [##########] 3/3", "  2 under way"),
        ] {
            let mut view = View::new("c/r/e/n".into());
            view.take(update(UpdateStatus::RollingForward, 3, 3, 0), 18_000);
            let summary = summary(UpdateStatus::RollingForward, 4, 2, 0);
            view.instruct(&v1::GetUpdateResponse {
                summary: Some(summary),
                instance_events: events,
                ..details()
            });
            view.take(update(UpdateStatus::RollingForward, 4, 2, 0), 20_000);
            let lines = plain(&view.lines(SIZE, 20_000));
            assert_eq!(lines[2], first);
            assert!(lines[3].ends_with(second), "{lines:#?}");
            // What is seen from its beginning on is not affected; what is over at first sight has no time.
            view.take(update(UpdateStatus::RollingForward, 6, 1, 0), 30_000);
            assert!(plain(&view.lines(SIZE, 34_000))[4].ends_with("  1 under way  4s"));
        }
        let mut view = view();
        view.take(update(UpdateStatus::RollingForward, 4, 2, 0), 20_000);
        let lines = plain(&view.lines(SIZE, 25_000));
        assert_eq!(lines[2], "  batch 1  [##########] 3/3");
        assert!(lines[3].ends_with("  5s"), "{lines:#?}");
    }

    #[test]
    fn what_is_over_stands_still_and_what_goes_back_has_no_batches() {
        let mut view = view();
        view.take(update(UpdateStatus::RolledForward, 7, 0, 0), 61_000);
        let lines = plain(&view.lines(SIZE, 999_000));
        assert_eq!(lines[1], "  all      [##########] 7/7  1m");
        assert_eq!(lines.len(), 5);
        view.take(update(UpdateStatus::RollingBack, 1, 1, 1), 70_000);
        assert_eq!(plain(&view.lines(SIZE, 71_000)).len(), 2);
    }

    #[test]
    fn of_many_batches_those_around_the_one_under_way_are_shown() {
        let mut view = view();
        view.sizes = Some(vec![1; 7]);
        view.take(update(UpdateStatus::RollingForward, 4, 1, 0), 2_000);
        let lines = plain(&view.lines(Size { rows: 6, ..SIZE }, 3_000));
        assert!(lines.len() == 6 && lines[2].starts_with("  batch 4 "), "{lines:#?}");
        assert_eq!(lines[5], "  of 7 batches");
    }
}
