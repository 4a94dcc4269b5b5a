//! How inputs and questions share the core's time.

use std::time::Duration;

/// How far ahead one of the two counts as at most, in nanoseconds.
const MOST: i64 = 2_000_000;

/// Who has had more of the core's time lately. Where both wait, who has had less comes next, so that
/// neither keeps the other from its half.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// By how much questions have had more, in nanoseconds.
    ahead: i64,
}

impl Turns {
    /// Whether a question comes before an input.
    pub(super) fn is_question_next(&self) -> bool {
        self.ahead <= 0
    }

    pub(super) fn asked(&mut self, took: Duration) {
        self.ahead = (self.ahead + nanos(took)).min(MOST);
    }

    pub(super) fn handled(&mut self, took: Duration) {
        self.ahead = (self.ahead - nanos(took)).max(-MOST);
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(MOST).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who comes next, `?` or `!`, while there are always both.
    fn order(question: Duration, input: Duration, count: usize) -> String {
        let mut turns = Turns::default();
        (0..count)
            .map(|_| {
                let is_question = turns.is_question_next();
                if is_question {
                    turns.asked(question);
                    '?'
                } else {
                    turns.handled(input);
                    '!'
                }
            })
            .collect()
    }

    #[test]
    fn each_has_half_of_the_time() {
        let ms = Duration::from_millis;
        assert_eq!(order(ms(1), ms(1), 6), "?!?!?!");
        assert_eq!(order(Duration::from_micros(500), ms(1), 6), "?!??!?");
        assert_eq!(order(ms(1), Duration::from_micros(400), 8), "?!!!?!!?");
        // What took long once does not count for ever.
        assert_eq!(order(ms(1), ms(500), 7), "?!??!??");
        assert_eq!(order(Duration::ZERO, Duration::ZERO, 4), "?!?!");
    }

    #[test]
    fn who_was_alone_is_not_made_to_wait_for_it() {
        let mut turns = Turns::default();
        (0..100).for_each(|_| turns.asked(Duration::from_millis(1)));
        turns.handled(Duration::from_millis(2));
        assert!(turns.is_question_next());
    }
}
