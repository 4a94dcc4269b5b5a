//! Quantiles of whole numbers.

/// Far below 2^53, whatever clocks say.
#[expect(clippy::cast_precision_loss, reason = "times in milliseconds are below 2^53")]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

/// The value below which so many percent of the sorted values lie, between two of them on the line
/// from one to the other; 0 if there are none.
pub(super) fn quantile(sorted: &[i64], percent: usize) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = last * percent.min(100);
    let (index, rest) = (position / 100, position % 100);
    let low = sorted.get(index).copied().unwrap_or_default();
    let high = sorted.get(index + 1).copied().unwrap_or(low);
    let rest = i64::try_from(rest).unwrap_or(0);
    float(low) + float(high.saturating_sub(low)) * float(rest) / 100.0
}

/// The value in the middle.
pub(super) fn median(sorted: &[i64]) -> f64 {
    quantile(sorted, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_values() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[7]), 7.0);
        assert_eq!(median(&[1, 2]), 1.5);
        assert_eq!(median(&[1, 5, 100]), 5.0);
        assert_eq!(quantile(&[0, 100], 5), 5.0);
        assert_eq!(quantile(&[0, 10, 20, 30, 40], 25), 10.0);
        assert_eq!(quantile(&[3, 9], 0), 3.0);
        assert_eq!(quantile(&[3, 9], 100), 9.0);
    }
}
