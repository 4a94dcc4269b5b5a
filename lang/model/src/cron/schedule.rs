//! The text of a schedule.

use std::fmt;
use std::str::FromStr;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The most days that each month can have.
const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// What a schedule looks like, for people who wrote another one.
const EXAMPLE: &str =
    "write minute, hour, day of month, month and day of week, as in \"*/15 * * * *\"";

/// What one field may hold.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// Names of the values from `first` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of month", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    Field { name: "day of week", first: 0, last: 6, names: &WEEKDAYS },
];

/// Which values of a field are meant: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Values(u64);

impl Values {
    pub(super) fn has(self, value: u32) -> bool {
        value < u64::BITS && self.0 & (1 << value) != 0
    }

    /// The least value that is meant and not less than `from`.
    pub(super) fn at_least(self, from: u32) -> Option<u32> {
        let rest = if from < u64::BITS { self.0 >> from << from } else { 0 };
        (rest != 0).then(|| rest.trailing_zeros())
    }
}

impl Field {
    fn all(&self) -> Values {
        Values((self.first..=self.last).fold(0, |bits, value| bits | 1 << value))
    }

    fn parse(&self, text: &str) -> Result<Values, ScheduleError> {
        let mut bits = 0;
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (first, last, step) = self.item(item)?;
            let mut value = first;
            while value <= last {
                bits |= 1 << value;
                value = value.saturating_add(step);
            }
        }
        if bits == 0 {
            return Err(ScheduleError::Empty { field: self.name });
        }
        Ok(Values(bits))
    }

    /// First value, last value and step of one item of a list.
    fn item(&self, item: &str) -> Result<(u32, u32, u32), ScheduleError> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let wrong = |reason: String| ScheduleError::Item {
            field: self.name,
            item: item.to_owned(),
            reason,
        };
        let step = step
            .map(|step| match number(step) {
                Some(0) => Err(wrong("the step must be more than 0".to_owned())),
                Some(step) => Ok(step),
                None => Err(wrong(format!("{step:?} is not a number"))),
            })
            .transpose()?;
        if range == "*" {
            return Ok((self.first, self.last, step.unwrap_or(1)));
        }
        let Some((first, last)) = range.split_once('-') else {
            let value = self.value(range).map_err(wrong)?;
            return match step {
                None => Ok((value, value, 1)),
                Some(step) => Err(wrong(format!(
                    "a step needs a range: write {value}-{}/{step} or */{step}",
                    self.last
                ))),
            };
        };
        let (first, last) = (self.value(first).map_err(wrong)?, self.value(last).map_err(wrong)?);
        if first > last {
            return Err(wrong(format!("{first} is after {last}")));
        }
        match step {
            Some(step) if step >= last => {
                Err(wrong(format!("the step must be less than the range's end, {last}")))
            }
            step => Ok((first, last, step.unwrap_or(1))),
        }
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named =
            self.names.iter().zip(self.first..).find(|(name, _)| text.eq_ignore_ascii_case(name));
        let value = match named {
            Some((_, value)) => value,
            None if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                number(text).unwrap_or(u32::MAX)
            }
            None => return Err(format!("{text:?} is not a value")),
        };
        if !(self.first..=self.last).contains(&value) {
            return Err(format!("{text} is not between {} and {}", self.first, self.last));
        }
        Ok(value)
    }

    /// The shortest text of the values: `*`, or numbers and ranges.
    fn show(&self, values: Values) -> String {
        if values == self.all() {
            return "*".to_owned();
        }
        let mut parts = Vec::new();
        let mut next = values.at_least(self.first);
        while let Some(first) = next {
            let mut last = first;
            while values.has(last + 1) {
                last += 1;
            }
            parts.push(if first == last { first.to_string() } else { format!("{first}-{last}") });
            next = values.at_least(last + 1);
        }
        parts.join(",")
    }
}

/// A whole number of digits alone.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // What is too large for this is too large for every field.
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It has more fields than five, or fewer.
    #[error("the cron schedule {text:?} has {found} fields instead of five: {EXAMPLE}")]
    Fields {
        /// The schedule.
        text: String,
        /// How many it has.
        found: usize,
    },
    /// It begins or ends with a blank.
    #[error("the cron schedule {text:?} begins or ends with white space: leave that out")]
    Blank {
        /// The schedule.
        text: String,
    },
    /// A field without any value.
    #[error("the cron schedule's {field} names no value: write * for all of them")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// An item of a field's list.
    #[error("the cron schedule's {field} cannot be {item:?}: {reason}")]
    Item {
        /// The field.
        field: &'static str,
        /// The item.
        item: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Both kinds of days are chosen.
    #[error(
        "the cron schedule chooses days of the month ({days}) and of the week ({weekdays}): one of \
         the two must be *"
    )]
    BothDays {
        /// The days of the month.
        days: String,
        /// The days of the week.
        weekdays: String,
    },
    /// No month that is meant has a day that is meant.
    #[error("the cron schedule never comes: no month of {months} has a day {days}")]
    Never {
        /// The days.
        days: String,
        /// The months.
        months: String,
    },
}

/// When a job is due: the minutes, hours and days that are meant. Its text is the shortest that
/// means the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schedule {
    pub(super) minutes: Values,
    pub(super) hours: Values,
    pub(super) days: Values,
    pub(super) months: Values,
    pub(super) weekdays: Values,
}

impl Schedule {
    /// Whether every hour is meant, so that it goes by what the clock shows.
    pub(super) fn is_hourly(&self) -> bool {
        let [_, hours, ..] = &FIELDS;
        self.hours == hours.all()
    }

    fn fields(&self) -> [Values; 5] {
        [self.minutes, self.hours, self.days, self.months, self.weekdays]
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
        if text.starts_with(is_blank) || text.ends_with(is_blank) {
            return Err(ScheduleError::Blank { text: text.to_owned() });
        }
        let parts: Vec<&str> = text.split(is_blank).filter(|part| !part.is_empty()).collect();
        let [minutes, hours, days, months, weekdays] = parts.as_slice() else {
            return Err(ScheduleError::Fields { text: text.to_owned(), found: parts.len() });
        };
        let [minute, hour, day, month, weekday] = &FIELDS;
        let schedule = Self {
            minutes: minute.parse(minutes)?,
            hours: hour.parse(hours)?,
            days: day.parse(days)?,
            months: month.parse(months)?,
            weekdays: weekday.parse(weekdays)?,
        };
        if schedule.days != day.all() && schedule.weekdays != weekday.all() {
            return Err(ScheduleError::BothDays {
                days: day.show(schedule.days),
                weekdays: weekday.show(schedule.weekdays),
            });
        }
        let comes = LONGEST.iter().zip(1..).any(|(longest, number)| {
            schedule.months.has(number)
                && schedule.days.at_least(1).is_some_and(|first| first <= *longest)
        });
        if !comes {
            return Err(ScheduleError::Never {
                days: day.show(schedule.days),
                months: month.show(schedule.months),
            });
        }
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (field, values)) in FIELDS.iter().zip(self.fields()).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&field.show(values))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_written_in_the_shortest_way() {
        for (text, canonical) in [
            ("* * * * *", "* * * * *"),
            ("*/1 0-23 1-31 1-12 0-6", "* * * * *"),
            ("*\t*  *\n* \r\x0b\x0c *", "* * * * *"),
            ("0 0 1 1 *", "0 0 1 1 *"),
            ("007 00 01 012 *", "7 0 1 12 *"),
            ("*/15 * * * *", "0,15,30,45 * * * *"),
            ("*/100 */24 * * *", "0 0 * * *"),
            ("* * */10 */5 *", "* * 1,11,21,31 1,6,11 *"),
            ("1,2,3 * * * *", "1-3 * * * *"),
            ("3,,1, * * * *", "1,3 * * * *"),
            ("0-10,5-20,22 * * * *", "0-20,22 * * * *"),
            ("10-50/20 8-18/2 * * *", "10,30,50 8,10,12,14,16,18 * * *"),
            ("5-5 5-5/1 * * *", "5 5 * * *"),
            ("0 0 * JAN,mar-May SUN", "0 0 * 1,3-5 0"),
            ("0 0 * * mon-fri/2", "0 0 * * 1,3,5"),
            ("0 0 * jan-DEC Sun-sAT", "0 0 * * *"),
            ("0 0 1-31 * MON", "0 0 * * 1"),
            ("0 0 29 2 *", "0 0 29 2 *"),
            ("0 0 30 2,4 *", "0 0 30 2,4 *"),
        ] {
            let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(schedule.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse(), Ok(schedule), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        for (text, message) in [
            ("", "\"\" has 0 fields instead of five"),
            ("* * * *", "has 4 fields"),
            ("* * * * * *", "has 6 fields"),
            ("@daily", "has 1 fields instead of five: write minute, hour"),
            (" * * * * *", "begins or ends with white space"),
            ("* * * * *\n", "begins or ends with white space"),
            ("60 * * * *", "minute cannot be \"60\": 60 is not between 0 and 59"),
            ("* 24 * * *", "hour cannot be \"24\""),
            ("* * 0 * *", "day of month cannot be \"0\": 0 is not between 1 and 31"),
            ("* * 32 * *", "day of month cannot be \"32\""),
            ("* * * 0 *", "month cannot be \"0\""),
            ("* * * 13 *", "month cannot be \"13\""),
            ("* * * * 7", "day of week cannot be \"7\": 7 is not between 0 and 6"),
            ("5-60 * * * *", "minute cannot be \"5-60\": 60 is not"),
            ("9-5 * * * *", "minute cannot be \"9-5\": 9 is after 5"),
            ("* * * * fri-mon", "day of week cannot be \"fri-mon\": 5 is after 1"),
            ("*/0 * * * *", "minute cannot be \"*/0\": the step must be more than 0"),
            ("0-9/0 * * * *", "the step must be more than 0"),
            (
                "0-9/9 * * * *",
                "minute cannot be \"0-9/9\": the step must be less than the range's end, 9",
            ),
            ("5/15 * * * *", "a step needs a range: write 5-59/15 or */15"),
            ("*/x * * * *", "\"x\" is not a number"),
            ("*/ * * * *", "\"\" is not a number"),
            ("1/2/3 * * * *", "\"2/3\" is not a number"),
            ("1- * * * *", "\"\" is not a value"),
            ("-1 * * * *", "\"\" is not a value"),
            ("1-2-3 * * * *", "\"2-3\" is not a value"),
            ("+1 * * * *", "\"+1\" is not a value"),
            ("? * * * *", "\"?\" is not a value"),
            ("*-5 * * * *", "\"*\" is not a value"),
            ("JAN * * * *", "minute cannot be \"JAN\": \"JAN\" is not a value"),
            ("* * * JANUARY *", "\"JANUARY\" is not a value"),
            ("99999999999 * * * *", "99999999999 is not between 0 and 59"),
            (", * * * *", "the cron schedule's minute names no value: write * for all of them"),
            ("* * * * ,,,", "day of week names no value"),
            (
                "* * 1 * 1",
                "chooses days of the month (1) and of the week (1): one of the two must be *",
            ),
            ("* * 1-30 * 1-6", "days of the month (1-30) and of the week (1-6)"),
            ("* * 30,31 2 *", "never comes: no month of 2 has a day 30-31"),
            ("* * 31 2,4,6,9,11 *", "never comes"),
            ("é * * * *", "\"é\" is not a value"),
        ] {
            let error = text.parse::<Schedule>().expect_err(text).to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
