//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double up to a limit, spread so that many clients do not come back at once.
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

    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next wait: between a half and the whole of it, by a random byte.
    pub(crate) fn next(&mut self, random: u8) -> Duration {
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

    #[test]
    fn waits_double_up_to_their_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        let next = |backoff: &mut Backoff, random| backoff.next(random).as_millis();
        assert_eq!(next(&mut backoff, 0), 50);
        assert_eq!(next(&mut backoff, 255), 200);
        assert_eq!(next(&mut backoff, 255), 300);
        assert_eq!(next(&mut backoff, 255), 300);
        backoff.reset();
        assert_eq!(next(&mut backoff, 255), 100);
    }
}
