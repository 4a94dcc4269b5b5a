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

/// How many letters are to be added, left out, changed, or swapped with their neighbour to come from one short name to
/// another; each of them once at most (the optimal string alignment distance).
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = row[j] + usize::from(x != y);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
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
            ("rma", Some("ram")),
            ("mar", None),
            ("rams", Some("ram")),
            ("y", None),
            ("gpu", Some("cpu")),
            ("priority", None),
        ] {
            assert_eq!(nearest(name, fields.into_iter()), meant, "{name}");
        }
    }
}
