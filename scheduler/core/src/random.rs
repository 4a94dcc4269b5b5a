//! The scheduler's own randomness (SplitMix64, Steele et al. 2014): small, seeded, reproducible.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Numbers that come of a text alone (FNV-1a, Fowler et al. 1991).
    pub(crate) fn of_text(text: &str) -> Self {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to `limit`, both included; 0 if the limit is negative.
    pub(crate) fn up_to(&mut self, limit: i64) -> i64 {
        let Ok(limit) = u64::try_from(limit) else { return 0 };
        let drawn = match limit.checked_add(1) {
            Some(count) => self.next() % count,
            None => self.next(),
        };
        i64::try_from(drawn).unwrap_or(i64::MAX)
    }

    /// Text in the form of a random UUID (RFC 9562, version 4).
    pub(crate) fn uuid(&mut self) -> String {
        let high = (self.next() & !0xf000) | 0x4000;
        let low = (self.next() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// The next wait of a truncated binary backoff (`scheduler.md` 3.5): between once and twice the
    /// last one, which is `initial` the first time, and never more than `max`.
    pub(crate) fn backoff(&mut self, last: i64, initial: i64, max: i64) -> i64 {
        let half = if last == 0 { initial } else { last };
        max.min(half.saturating_add(self.up_to(half)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_4() {
        let mut random = Random::new(1);
        for _ in 0..100 {
            let uuid = random.uuid();
            assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
            assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
        }
    }

    #[test]
    fn backoff_grows_to_its_limit() {
        let mut random = Random::new(7);
        let first = random.backoff(0, 100, 1000);
        assert!((100..=200).contains(&first), "{first}");
        assert_eq!(random.backoff(900, 100, 1000), 1000.min(random.backoff(900, 100, 1000)));
        assert_eq!(random.up_to(-5), 0);
    }
}
