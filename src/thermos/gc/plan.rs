//! Which tasks that have ended are to go (`executor.md` 14): a decision about ages and sizes alone.

use std::time::Duration;

/// A task that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// How long nothing has been written down of it.
    pub(super) age: Duration,
    /// How many bytes its deletion would free.
    pub(super) bytes: u64,
}

/// What may stay. Each limit is none if it is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) max_age: Option<Duration>,
    pub(super) max_space: Option<u64>,
    pub(super) max_tasks: Option<usize>,
}

/// Why a task is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It was asked for.
    Named,
    /// It is older than may be.
    Age,
    /// Younger ones take all the space there may be.
    Space,
    /// There are as many younger ones as there may be.
    Count,
}

impl Reason {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Named => "it was named",
            Self::Age => "older than --max-age",
            Self::Space => "beyond --max-space",
            Self::Count => "beyond --max-tasks",
        }
    }
}

/// Why each of the tasks is to go, if it is: first those that are too old, then the oldest of the
/// rest until what stays fits, then the oldest until there are few enough.
pub(super) fn plan(tasks: &[Candidate], policy: &Policy) -> Vec<Option<Reason>> {
    let mut reasons: Vec<Option<Reason>> = tasks
        .iter()
        .map(|task| policy.max_age.is_some_and(|max| task.age > max).then_some(Reason::Age))
        .collect();
    let mut rest: Vec<(usize, Candidate)> = tasks
        .iter()
        .copied()
        .enumerate()
        .filter(|(index, _)| reasons.get(*index).is_some_and(Option::is_none))
        .collect();
    // The oldest comes first.
    rest.sort_by_key(|(index, task)| (std::cmp::Reverse(task.age), *index));
    let mut total: u64 = rest.iter().map(|(_, task)| task.bytes).fold(0, u64::saturating_add);
    let mut left = rest.len();
    for (index, task) in &rest {
        // What frees nothing helps nobody.
        let is_too_much = policy.max_space.is_some_and(|max| total > max) && task.bytes > 0;
        if is_too_much && let Some(reason) = reasons.get_mut(*index) {
            *reason = Some(Reason::Space);
            total = total.saturating_sub(task.bytes);
            left -= 1;
        }
    }
    for (index, _) in &rest {
        let is_too_many = policy.max_tasks.is_some_and(|max| left > max);
        if is_too_many && let Some(reason @ None) = reasons.get_mut(*index) {
            *reason = Some(Reason::Count);
            left -= 1;
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(tasks: &[(u64, u64)], limits: [Option<u64>; 3]) -> String {
        let tasks: Vec<Candidate> = tasks
            .iter()
            .map(|&(age, bytes)| Candidate { age: Duration::from_secs(age), bytes })
            .collect();
        let [age, space, count] = limits;
        let policy = Policy {
            max_age: age.map(Duration::from_secs),
            max_space: space,
            max_tasks: count.map(|count| usize::try_from(count).unwrap()),
        };
        let letter = |reason: Option<Reason>| match reason {
            None => '-',
            Some(Reason::Named) => 'n',
            Some(Reason::Age) => 'a',
            Some(Reason::Space) => 's',
            Some(Reason::Count) => 'c',
        };
        plan(&tasks, &policy).into_iter().map(letter).collect()
    }

    #[test]
    fn the_oldest_go_until_every_limit_is_kept() {
        // Pairs of age and size, out of order.
        let tasks = [(20, 4), (40, 1), (10, 3), (30, 2)];
        for (limits, wanted) in [
            ([None, None, None], "----"),
            // Older than, not as old as.
            ([Some(30), None, None], "-a--"),
            ([Some(9), None, None], "aaaa"),
            ([None, Some(10), None], "----"),
            ([None, Some(9), None], "-s--"),
            ([None, Some(7), None], "-s-s"),
            ([None, Some(0), None], "ssss"),
            ([None, None, Some(4)], "----"),
            ([None, None, Some(1)], "cc-c"),
            ([None, None, Some(0)], "cccc"),
            // Each limit sees what the one before has left.
            ([Some(35), Some(7), Some(1)], "ca-s"),
            ([Some(35), Some(9), Some(3)], "-a--"),
        ] {
            assert_eq!(planned(&tasks, limits), wanted, "{limits:?}");
        }
        assert_eq!(planned(&[], [Some(0), Some(0), Some(0)]), "");
        // One that is empty stays: nothing would fit better without it.
        assert_eq!(planned(&[(9, 0), (8, 5)], [None, Some(4), None]), "-s");
        assert_eq!(planned(&[(9, u64::MAX), (8, 5)], [None, Some(5), None]), "s-");
    }
}
