//! Past failures stay mended.

use aurora_sim::simulate;

const CORPUS: &str = include_str!("../corpus");
const DAY_MS: f64 = 86_400_000.0;

#[test]
fn what_was_found_once_is_not_found_again() {
    for line in CORPUS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut words = line.split(' ');
        let seed: u64 = words.next().unwrap().parse().unwrap();
        let days: f64 = words.next().unwrap().parse().unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "days are few")]
        let outcome = simulate(seed, (days * DAY_MS) as u64, false);
        crate::hold(seed, &outcome);
    }
}
