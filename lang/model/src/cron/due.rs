//! The times at which a schedule is due.
//!
//! Time is looked at in stretches in which the zone's offset stays: within one, local time is the
//! universal time and a constant, so that the next due time is found by fields alone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{Timestamp as Instant, ToSpan};

use super::{Schedule, Zone};
use crate::job::Timestamp;

/// The due times of a schedule, one after the other. It ends where the calendar does.
#[derive(Debug, Clone)]
pub struct Dues<'a> {
    schedule: Schedule,
    zone: &'a Zone,
    stretch: Option<Stretch>,
}

/// A time in which the offset stays.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    offset: Offset,
    /// When the clock is turned the next time, in seconds since the epoch.
    end: Option<i64>,
    /// The first local time that counts, in seconds since the epoch of the local clock.
    from: i64,
    /// Local times that the clock leaves out when this stretch begins: from the first to before the
    /// second. They are due in that moment.
    left_out: Option<(i64, i64)>,
}

impl Schedule {
    /// The times after a time at which this is due.
    pub fn after<'a>(&self, time: Timestamp, zone: &'a Zone) -> Dues<'a> {
        let second = time.0.div_euclid(1000).saturating_add(1);
        Dues { schedule: *self, zone, stretch: Stretch::at(self, zone, second) }
    }

    /// The first local time that is meant and is not before `from`; both in seconds of the local
    /// clock.
    fn at_least(&self, from: i64) -> Option<i64> {
        let minute = from.div_euclid(60) + i64::from(from.rem_euclid(60) > 0);
        let from = Offset::UTC.to_datetime(Instant::from_second(minute * 60).ok()?);
        let mut date = from.date();
        let mut time = self.time_at_least(from.hour(), from.minute());
        // A leap day comes within eight years.
        let end = date.year().checked_add(9)?;
        while date.year() < end {
            if !self.months.has(number(date.month())) {
                date = date.last_of_month().tomorrow().ok()?;
                time = self.time_at_least(0, 0);
                continue;
            }
            if self.is_on(date)
                && let Some(time) = time
            {
                return Some(seconds(DateTime::from_parts(date, time)));
            }
            date = date.tomorrow().ok()?;
            time = self.time_at_least(0, 0);
        }
        None
    }

    fn is_on(&self, date: Date) -> bool {
        let weekday = number(date.weekday().to_sunday_zero_offset());
        self.days.has(number(date.day())) && self.weekdays.has(weekday)
    }

    fn time_at_least(&self, hour: i8, minute: i8) -> Option<Time> {
        let (hour, minute) = (number(hour), number(minute));
        let same = || Some((hour, self.minutes.at_least(minute)?));
        let (hour, minute) = self
            .hours
            .has(hour)
            .then(same)
            .flatten()
            .or_else(|| Some((self.hours.at_least(hour + 1)?, self.minutes.at_least(0)?)))?;
        Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
    }
}

fn number(field: i8) -> u32 {
    u32::from(field.unsigned_abs())
}

fn seconds(local: DateTime) -> i64 {
    Offset::UTC.to_timestamp(local).map_or(i64::MAX, Instant::as_second)
}

impl Stretch {
    /// The stretch that a second lies in, from that second on.
    fn at(schedule: &Schedule, zone: &Zone, second: i64) -> Option<Self> {
        let instant = Instant::from_second(second).ok()?;
        let rules = &zone.rules;
        let offset = rules.to_offset(instant);
        let end = rules.following(instant).next().map(|next| next.timestamp().as_second());
        let seconds = |offset: Offset| i64::from(offset.seconds());
        let mut from = second + seconds(offset);
        let mut left_out = None;
        // The turn that began the stretch.
        let turn = instant
            .checked_add(1.nanoseconds())
            .ok()
            .and_then(|after| rules.preceding(after).next())
            .map(|turn| turn.timestamp());
        if !schedule.is_hourly()
            && let Some(turn) = turn
            && let Ok(before) = turn.checked_sub(1.seconds())
        {
            let old = turn.as_second() + seconds(rules.to_offset(before));
            let new = turn.as_second() + seconds(offset);
            // What the clock shows for the second time counts no more.
            from = from.max(old);
            if old < new && turn.as_second() == second {
                left_out = Some((old, new));
            }
        }
        Some(Self { offset, end, from, left_out })
    }
}

impl Iterator for Dues<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            let stretch = self.stretch.as_mut()?;
            let offset = i64::from(stretch.offset.seconds());
            if let Some((first, end)) = stretch.left_out.take()
                && self.schedule.at_least(first).is_some_and(|due| due < end)
            {
                // The moment itself may be meant too: it is the same.
                stretch.from = stretch.from.max(end + 1);
                return Some(Timestamp((end - offset).saturating_mul(1000)));
            }
            let due = self.schedule.at_least(stretch.from);
            let due = due.filter(|due| stretch.end.is_none_or(|end| due - offset < end));
            if let Some(local) = due {
                stretch.from = local + 1;
                return Some(Timestamp((local - offset).saturating_mul(1000)));
            }
            // Without another turn of the clock the calendar has ended.
            let end = stretch.end?;
            self.stretch = Stretch::at(&self.schedule, self.zone, end);
        }
    }
}
