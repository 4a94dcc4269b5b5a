//! What answers mean for a task (`executor.md` 15.3). Pure: it is told the answers, one after the
//! other, and says what the task is by them.

use aurora_model::config::HealthCheckConfig;

use super::count;

/// What is said when the attempts to become healthy are used up.
pub(crate) const TOO_LATE: &str = "Not enough successful health checks in time.";

/// The shortest interval, in seconds: with less, a check would take the machine's time.
pub(crate) const MIN_INTERVAL_SECS: f64 = 0.1;

/// What a task is by its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// It has not answered well often enough.
    Starting,
    /// It has, once; it may answer badly again, but not too often.
    Healthy,
    /// It answered badly too often; why. It stays so.
    Unhealthy(String),
}

/// The answers so far, and how many bad ones are forgiven.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The attempts whose failure is forgiven, because the task may still come up.
    forgiving: u64,
    /// The attempts a task has to become healthy.
    max_attempts: u64,
    max_failures: u64,
    min_successes: u64,
    attempts: u64,
    /// In a row.
    successes: u64,
    /// In a row, and not forgiven.
    failures: u64,
    health: Health,
}

impl Machine {
    /// Nothing has been asked yet.
    pub(crate) fn new(config: &HealthCheckConfig) -> Self {
        let interval = config.interval_secs.max(MIN_INTERVAL_SECS);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is not negative"
        )]
        let forgiving = (config.initial_interval_secs.max(0.0) / interval).ceil() as u64;
        let max_failures = count(config.max_consecutive_failures);
        let min_successes = count(config.min_consecutive_successes);
        Self {
            forgiving,
            max_attempts: forgiving.saturating_add(max_failures).saturating_add(min_successes),
            max_failures,
            min_successes,
            attempts: 0,
            successes: 0,
            failures: 0,
            health: Health::Starting,
        }
    }

    /// Whether it is to be asked again: not when it is unhealthy, or has no attempts left to become
    /// healthy, which makes it unhealthy.
    pub(crate) fn asks_again(&mut self) -> bool {
        if self.health == Health::Starting && self.attempts > self.max_attempts {
            self.health = Health::Unhealthy(TOO_LATE.to_owned());
        }
        !matches!(self.health, Health::Unhealthy(_))
    }

    /// Takes in an answer; what was wrong with it is for people.
    pub(crate) fn answered(&mut self, answer: Result<(), String>) {
        if matches!(self.health, Health::Unhealthy(_)) {
            return;
        }
        self.attempts = self.attempts.saturating_add(1).min(self.max_attempts.saturating_add(1));
        match answer {
            Ok(()) => self.succeeded(),
            Err(reason) => self.failed(reason),
        }
    }

    /// Takes in a right answer to what was asked before the next attempt is due: it uses up none.
    pub(crate) fn answered_early(&mut self) {
        if !matches!(self.health, Health::Unhealthy(_)) {
            self.succeeded();
        }
    }

    fn succeeded(&mut self) {
        self.successes = self.successes.saturating_add(1);
        self.failures = 0;
        if self.successes >= self.min_successes {
            self.health = Health::Healthy;
        }
    }

    fn failed(&mut self, reason: String) {
        self.successes = 0;
        if self.attempts <= self.forgiving {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let left = self.max_attempts.saturating_sub(self.attempts);
        let hopeless = self.health == Health::Starting && left > 1 && self.min_successes > left;
        if hopeless || self.failures > self.max_failures {
            self.health = Health::Unhealthy(reason);
        }
    }

    /// What the task is.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the original made of these answers: grace, interval, failures forgiven, successes
    /// needed, answers, verdicts after each (the last may come without an answer), last reason.
    const VECTORS: &str = "
        15   10  0 1 T                 R
        15   10  0 1 FFT               SSR
        15   10  0 1 FFF               SSF                r3
        15   10  0 1 TFTF              RRRF               r4
        20   10  0 1 TFF               RRF                r3
        0    10  0 1 F                 F                  r1
        0    10  0 1 TTF               RRF                r3
        0    10  2 1 FFTFFF            SSRRRF             r6
        15   10  1 1 FFFT              SSSR
        15   10  1 1 FFFF              SSSF               r4
        15   10  0 2 TT                SR
        15   10  0 2 TFTF              SSSF               r4
        15   10  0 2 FFTT              SSSR
        15   10  0 2 FTT               SSR
        15   10  0 2 TFTT              SSSR
        15   10  1 2 TFTFTFT           SSSSSSF            late
        15   10  1 2 FFFTT             SSSSR
        15   10  1 2 FFTFTT            SSSSSR
        15   10  2 4 FFFFF             SSSSF              r5
        15   10  2 4 FFFTTTT           SSSSSSR
        15   10  0 3 FFTTT             SSSSR
        15   10  0 3 FFTF              SSSF               r4
        30   10  0 5 FFFTTTTT          SSSSSSSR
        30   10  0 5 FFFF              SSSF               r4
        5    10  0 1 FF                SF                 r2
        10.5 10  0 1 FFF               SSF                r3
        15   10  3 3 FFTTFTTFTTF       SSSSSSSSSF         late
        15   10  0 0 F                 S
        15   10  0 0 FFF               SSF                r3
        0.1  0.1 0 1 FF                SF                 r2
        15   10  4 1 FFFFFFTFFFFTFFFFF SSSSSSRRRRRRRRRRF  r17
        20   10  0 1 FT                SR
        20   10  0 1 FFT               SSR
        20   10  0 1 FFF               SSF                r3
        20   10  0 1 TF                RR
        15   10  4 1 FFFFFFTFFFFF      SSSSSSRRRRRF       r12
        15   10  2 2 TTFFF             SRRRF              r5
        15   10  2 2 FFFFF             SSSSF              r5
    ";

    #[test]
    fn s64_to_s69_verdicts_are_those_of_the_original() {
        let mut rows = 0;
        for row in VECTORS.lines().map(str::trim).filter(|row| !row.is_empty()) {
            let mut fields = row.split_whitespace();
            let mut next = || fields.next().unwrap();
            let mut machine = Machine::new(&HealthCheckConfig {
                initial_interval_secs: next().parse().unwrap(),
                interval_secs: next().parse().unwrap(),
                max_consecutive_failures: next().parse().unwrap(),
                min_consecutive_successes: next().parse().unwrap(),
                ..HealthCheckConfig::default()
            });
            let (answers, verdicts) = (next(), next());
            for (tick, (answer, expected)) in answers.chars().zip(verdicts.chars()).enumerate() {
                if machine.asks_again() {
                    let reason = format!("r{}", tick + 1);
                    machine.answered(if answer == 'T' { Ok(()) } else { Err(reason) });
                }
                let found = match machine.health() {
                    Health::Starting => 'S',
                    Health::Healthy => 'R',
                    Health::Unhealthy(_) => 'F',
                };
                assert_eq!(found, expected, "at {} in {row}", tick + 1);
            }
            let reason = match machine.health() {
                Health::Unhealthy(reason) if reason == TOO_LATE => Some("late"),
                Health::Unhealthy(reason) => Some(reason.as_str()),
                _ => None,
            };
            assert_eq!(reason, fields.next(), "{row}");
            rows += 1;
        }
        assert_eq!(rows, 38);
    }

    #[test]
    fn an_interval_of_nothing_forgives_as_one_that_is_short() {
        let config = HealthCheckConfig {
            initial_interval_secs: 0.2,
            interval_secs: 0.0,
            ..HealthCheckConfig::default()
        };
        let mut machine = Machine::new(&config);
        for expected in [Health::Starting, Health::Starting, Health::Unhealthy("no".to_owned())] {
            machine.answered(Err("no".to_owned()));
            assert_eq!(*machine.health(), expected);
        }
    }
}
