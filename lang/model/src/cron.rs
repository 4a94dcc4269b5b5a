//! When a cron job is due: the five fields of a schedule, and the time zone they are meant in
//! (`scheduler.md` 9).
//!
//! [`Schedule`] is the parsed text, [`Zone`] a time zone of the tables that the program carries, and
//! [`Schedule::after`] the times at which a job is due. The tables are those of the build, not of
//! the machine, so that every scheduler finds the same times in the same log.
//!
//! [`CronRun`] is what became of a due time.
//!
//! **When clocks change.** A schedule whose hour is `*` goes by the minutes that the clock shows: it
//! runs in each of them, also in those of an hour that comes twice. Any other schedule names times
//! of a day: one that comes twice is due the first time, and one that the clock leaves out is due in
//! the moment in which the clock goes on, together with all others that it leaves out.

mod due;
mod run;
mod schedule;
mod zone;

pub use due::Dues;
pub use run::{CronDue, CronOutcome, CronRun, CronSkip, CronTrigger};
pub use schedule::{Schedule, ScheduleError};
pub use zone::{UnknownZone, Zone};
