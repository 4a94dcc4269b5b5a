//! What the numbers of this process were, for a while back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers that are kept at most. Those that come up later have no history.
const NAMES: usize = 2048;

/// The last samples of every number. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct History(Arc<Mutex<Samples>>);

#[derive(Debug)]
struct Samples {
    /// In milliseconds since the epoch, oldest first.
    times: VecDeque<i64>,
    /// As many as there are times; not a number where there was none.
    values: BTreeMap<String, VecDeque<f64>>,
    capacity: usize,
}

impl History {
    /// Keeps so many samples.
    pub(crate) fn new(capacity: usize) -> Self {
        let (times, values) = Default::default();
        Self(Arc::new(Mutex::new(Samples { times, values, capacity: capacity.max(1) })))
    }

    /// Takes a sample.
    pub(crate) fn add(&self, at: i64, vars: &BTreeMap<String, f64>) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Samples { times, values, capacity } = &mut *samples;
        times.push_back(at);
        let is_full = times.len() > *capacity;
        if is_full {
            times.pop_front();
        }
        for (name, column) in values.iter_mut() {
            column.push_back(vars.get(name).copied().unwrap_or(f64::NAN));
            if is_full {
                column.pop_front();
            }
        }
        for (name, value) in vars {
            if values.len() >= NAMES {
                break;
            }
            if !values.contains_key(name) {
                let mut column: VecDeque<f64> = vec![f64::NAN; times.len() - 1].into();
                column.push_back(*value);
                values.insert(name.clone(), column);
            }
        }
        values.retain(|_, column| column.iter().any(|value| !value.is_nan()));
    }

    /// The numbers that have a history.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values.keys().cloned().collect()
    }

    /// The samples of some numbers after a time, each with its time first. What is not known is
    /// zero, as in the original.
    pub(crate) fn rows(&self, names: &[String], since: i64) -> Vec<Vec<f64>> {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = samples.times.partition_point(|time| *time < since);
        let columns: Vec<_> = names.iter().map(|name| samples.values.get(name)).collect();
        #[expect(clippy::cast_precision_loss, reason = "times are below 2^53")]
        samples
            .times
            .iter()
            .enumerate()
            .skip(begin)
            .map(|(index, time)| {
                let values = columns.iter().map(|column| {
                    let value = column.and_then(|column| column.get(index)).copied();
                    value.filter(|value| !value.is_nan()).unwrap_or(0.0)
                });
                std::iter::once(*time as f64).chain(values).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_an_end_and_numbers_may_come_and_go() {
        let history = History::new(3);
        let vars = |pairs: &[(&str, f64)]| -> BTreeMap<String, f64> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        history.add(1, &vars(&[("a", 1.0)]));
        history.add(2, &vars(&[("a", 2.0), ("b", 20.0)]));
        history.add(3, &vars(&[("b", 30.0)]));
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(history.names(), names[..2]);
        assert_eq!(history.rows(&names, 2), [vec![2.0, 2.0, 20.0, 0.0], vec![3.0, 0.0, 30.0, 0.0]]);
        history.add(4, &vars(&[("b", 40.0)]));
        history.add(5, &vars(&[("b", 50.0)]));
        // The last sample of `a` is gone, and with it its name.
        assert_eq!(history.names(), names[1..2]);
        assert_eq!(history.rows(&names[1..2], 0).len(), 3);
    }
}
