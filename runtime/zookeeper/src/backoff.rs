//! How long to wait before the next session.

use std::time::Duration;

/// How long until something is asked again that was refused.
pub(crate) const RETRY_REFUSED: Duration = Duration::from_secs(15);

/// What has come of an attempt to begin a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// There was a session.
    Session,
    /// The servers do not take who asks.
    Refused,
    /// The servers do not answer.
    Unanswered,
}

/// Waits that double up to a limit while nobody answers, spread so that many clients do not come back
/// at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The wait after an attempt, by a random byte. A refusal says nothing of how long nobody answers
    /// elsewhere: it has a wait of its own, and those that double go on after it where they were.
    pub(crate) fn after(&mut self, attempt: Attempt, random: u8) -> Duration {
        match attempt {
            Attempt::Refused => return RETRY_REFUSED,
            Attempt::Session => self.next = self.min,
            Attempt::Unanswered => {}
        }
        let full = self.next.min(self.max);
        self.next = full.saturating_mul(2).min(self.max);
        full / 2 + (full / 2).saturating_mul(u32::from(random)) / u32::from(u8::MAX)
    }
}

/// A random byte.
pub(crate) fn random() -> u8 {
    let [byte, ..] = *uuid::Uuid::new_v4().as_bytes();
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_millis(300))
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        let mut backoff = backoff();
        let mut after = |attempt, random| backoff.after(attempt, random).as_millis();
        assert_eq!(after(Attempt::Unanswered, 0), 50);
        assert_eq!(after(Attempt::Unanswered, 255), 200);
        assert_eq!(after(Attempt::Unanswered, 255), 300);
        assert_eq!(after(Attempt::Unanswered, 255), 300);
        assert_eq!(after(Attempt::Session, 255), 100);
    }

    #[test]
    fn a_refusal_has_its_own_wait_and_changes_no_other() {
        let mut backoff = backoff();
        let mut after = |attempt| backoff.after(attempt, 255).as_millis();
        assert_eq!(after(Attempt::Unanswered), 100);
        for _ in 0..3 {
            assert_eq!(after(Attempt::Refused), RETRY_REFUSED.as_millis());
        }
        assert_eq!(after(Attempt::Unanswered), 200);
    }
}
