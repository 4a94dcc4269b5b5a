//! Numbers of options and arguments, and what is told of those that are none.

/// A number that is not below the least.
pub(crate) fn from<T: TryFrom<u64>>(
    least: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| read(text, least, u64::MAX)
}

/// A number that is neither below the least nor above the most.
pub(crate) fn between<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| read(text, least, most)
}

/// A number that may be negative, where that has a meaning which is no use to tell of.
pub(crate) fn signed(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| wanted(text, 0, u64::MAX))
}

fn read<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| wanted(text, least, most))
}

fn wanted(text: &str, least: u64, most: u64) -> String {
    if most != u64::MAX {
        return format!("give a number from {least} to {most}");
    }
    let is_great = text.parse::<u64>().is_ok_and(|number| number >= least)
        || text.len() > 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_great {
        return "it is too great a number".to_owned();
    }
    format!("give a number from {least} on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_told_what_is_expected() {
        assert_eq!(from::<u32>(0)("0"), Ok(0));
        assert_eq!(from::<usize>(1)("12"), Ok(12));
        assert_eq!(signed("-3"), Ok(-3));
        for wrong in ["", "x", "-5", "1.5", "5 "] {
            assert_eq!(from::<u32>(0)(wrong).unwrap_err(), "give a number from 0 on", "{wrong:?}");
        }
        assert_eq!(from::<u32>(1)("0").unwrap_err(), "give a number from 1 on");
        assert_eq!(signed("x").unwrap_err(), "give a number from 0 on");
        for wrong in ["4294967296", "99999999999999999999999"] {
            assert_eq!(from::<u32>(0)(wrong).unwrap_err(), "it is too great a number", "{wrong}");
        }
        assert_eq!(between::<u8>(0, 3)("3"), Ok(3));
        for wrong in ["4", "x", "-1", "99999999999999999999999"] {
            assert_eq!(between::<u8>(0, 3)(wrong).unwrap_err(), "give a number from 0 to 3");
        }
    }
}
