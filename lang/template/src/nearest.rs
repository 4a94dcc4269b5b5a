//! Which known name is meant by one that is not known.

/// The known name that is most like `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .filter_map(|candidate| Some((slips(name, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many slips of the hand lie between two names; [`None`] if it is too many for one to be meant
/// by the other.
pub fn slips(name: &str, candidate: &str) -> Option<usize> {
    let shorter = candidate.len().min(name.len());
    let distance = edit_distance(name, candidate);
    (distance <= 1 + shorter / 4 && distance < shorter.max(1)).then_some(distance)
}

/// Levenshtein's distance, for short names.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_near() {
        let fields = ["instances", "cpu", "ram", "disk", "x"];
        for (name, meant) in [
            ("instancs", Some("instances")),
            ("instence", Some("instances")),
            ("rma", None),
            ("rams", Some("ram")),
            ("y", None),
            ("gpu", Some("cpu")),
            ("priority", None),
        ] {
            assert_eq!(nearest(name, fields.into_iter()), meant, "{name}");
        }
    }
}
