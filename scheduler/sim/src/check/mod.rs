//! The invariants, each looked at from outside: what is checked here is worked out from ops, effects and
//! what agents run, never by asking the code that is checked.

pub(crate) mod cron;
pub(crate) mod end;
pub(crate) mod log;
pub(crate) mod offers;
pub(crate) mod queries;
pub(crate) mod quota;
pub(crate) mod rules;
pub(crate) mod truth;
pub(crate) mod updates;
pub(crate) mod voluntary;
pub(crate) mod watch;
