//! The numbers of this process, as `/vars` (the original's plain text), `/vars.json` and
//! `/metrics` (Prometheus) show them.
//!
//! Code counts with the macros of the crate `metrics`; this is the recorder behind them. A value is
//! an atomic; looking one up takes a lock for reading, so hot paths keep their handles.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// The upper ends of a histogram's buckets, in seconds.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// All numbers of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    values: RwLock<BTreeMap<Series, Value>>,
    help: RwLock<BTreeMap<String, String>>,
    sets: RwLock<BTreeMap<&'static str, Arc<BTreeMap<String, f64>>>>,
}

/// A name with its labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Value {
    Counter(Arc<Atomic>),
    Gauge(Arc<Atomic>),
    Histogram(Arc<Buckets>),
}

/// A counter as it is, or a gauge as the bits of a float.
#[derive(Debug, Default)]
struct Atomic(AtomicU64);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    /// The bits of a float.
    sum: AtomicU64,
}

impl CounterFn for Atomic {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        // What is counted elsewhere may begin anew within a process; readers know counters that do.
        self.0.store(value, Ordering::Relaxed);
    }
}

fn change(bits: &AtomicU64, f: impl Fn(f64) -> f64) {
    // The closure always gives a value, so this cannot fail.
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some(f(f64::from_bits(bits)).to_bits())
    });
}

impl GaugeFn for Atomic {
    fn increment(&self, value: f64) {
        change(&self.0, |old| old + value);
    }

    fn decrement(&self, value: f64) {
        change(&self.0, |old| old - value);
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        if let Some(bucket) = BUCKETS.iter().position(|end| value <= *end) {
            self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        change(&self.sum, |old| old + value);
    }
}

impl Registry {
    fn get(&self, key: &Key, make: fn() -> Value) -> Value {
        let series = Series {
            name: key.name().to_owned(),
            labels: key.labels().map(|l| (l.key().to_owned(), l.value().to_owned())).collect(),
        };
        if let Some(value) = self.values.read().unwrap_or_else(PoisonError::into_inner).get(&series)
        {
            return value.clone();
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        values.entry(series).or_insert_with(make).clone()
    }

    fn describe(&self, name: KeyName, text: SharedString) {
        self.help
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.as_str().to_owned(), text.into_owned());
    }
}

impl Recorder for Metrics {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(name, text);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(name, text);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(name, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.0.get(key, || Value::Counter(Arc::default())) {
            Value::Counter(counter) => Counter::from_arc(counter),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.0.get(key, || Value::Gauge(Arc::default())) {
            Value::Gauge(gauge) => Gauge::from_arc(gauge),
            _ => Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.0.get(key, || Value::Histogram(Arc::default())) {
            Value::Histogram(histogram) => Histogram::from_arc(histogram),
            _ => Histogram::noop(),
        }
    }
}

static PROCESS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics::default();
    // Should another recorder be there already, ours stays empty and the pages say so.
    let _ = metrics::set_global_recorder(metrics.clone());
    metrics
});

/// The numbers of this process. Several daemons in one process share them.
pub fn install() -> Metrics {
    PROCESS.clone()
}

impl Metrics {
    /// Shows these gauges instead of those that the set had: what is not among them is gone. It is
    /// meant for gauges of things that come and go. Prometheus, whose names cannot be any text, sees
    /// one metric with the set's name and the gauges' names as labels.
    pub fn replace(&self, set: &'static str, gauges: Arc<BTreeMap<String, f64>>) {
        self.0.sets.write().unwrap_or_else(PoisonError::into_inner).insert(set, gauges);
    }

    fn sets(&self) -> BTreeMap<&'static str, Arc<BTreeMap<String, f64>>> {
        self.0.sets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As Prometheus reads it (text format 0.0.4).
    pub fn prometheus(&self) -> String {
        let help = self.0.help.read().unwrap_or_else(PoisonError::into_inner);
        let values = self.0.values.read().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let mut last = None;
        for (series, value) in &*values {
            let name = sanitized(&series.name);
            if last.as_ref() != Some(&name) {
                if let Some(text) = help.get(&series.name) {
                    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
                    let _ = writeln!(out, "# HELP {name} {text}");
                }
                let kind = match value {
                    Value::Counter(_) => "counter",
                    Value::Gauge(_) => "gauge",
                    Value::Histogram(_) => "histogram",
                };
                let _ = writeln!(out, "# TYPE {name} {kind}");
                last = Some(name.clone());
            }
            let labels = |extra: Option<(&str, String)>| labels(&series.labels, extra);
            match value {
                Value::Counter(counter) => {
                    let _ = writeln!(
                        out,
                        "{name}{} {}",
                        labels(None),
                        counter.0.load(Ordering::Relaxed)
                    );
                }
                Value::Gauge(gauge) => {
                    let value = f64::from_bits(gauge.0.load(Ordering::Relaxed));
                    let _ = writeln!(out, "{name}{} {value}", labels(None));
                }
                Value::Histogram(histogram) => {
                    let mut sum = 0;
                    for (end, count) in BUCKETS.iter().zip(&histogram.counts) {
                        sum += count.load(Ordering::Relaxed);
                        let _ = writeln!(
                            out,
                            "{name}_bucket{} {sum}",
                            labels(Some(("le", end.to_string())))
                        );
                    }
                    let count = histogram.count.load(Ordering::Relaxed);
                    let total = f64::from_bits(histogram.sum.load(Ordering::Relaxed));
                    let _ = writeln!(
                        out,
                        "{name}_bucket{} {count}",
                        labels(Some(("le", "+Inf".to_owned())))
                    );
                    let _ = writeln!(out, "{name}_sum{} {total}", labels(None));
                    let _ = writeln!(out, "{name}_count{} {count}", labels(None));
                }
            }
        }
        for (set, gauges) in self.sets() {
            let set = sanitized(set);
            let _ = writeln!(out, "# TYPE {set} gauge");
            for (name, value) in gauges.iter() {
                let _ =
                    writeln!(out, "{set}{} {value}", labels(&[], Some(("name", escaped(name)))));
            }
        }
        out
    }

    /// Every number by a flat name, as the original's `/vars`: labels are appended with `_`.
    pub fn vars(&self) -> BTreeMap<String, f64> {
        let values = self.0.values.read().unwrap_or_else(PoisonError::into_inner);
        let mut vars = BTreeMap::new();
        for (series, value) in &*values {
            let mut name = series.name.clone();
            for (_, value) in &series.labels {
                name.push('_');
                name.push_str(value);
            }
            #[expect(clippy::cast_precision_loss, reason = "counters stay below 2^53")]
            match value {
                Value::Counter(counter) => {
                    vars.insert(name, counter.0.load(Ordering::Relaxed) as f64);
                }
                Value::Gauge(gauge) => {
                    vars.insert(name, f64::from_bits(gauge.0.load(Ordering::Relaxed)));
                }
                Value::Histogram(histogram) => {
                    let count = histogram.count.load(Ordering::Relaxed) as f64;
                    let sum = f64::from_bits(histogram.sum.load(Ordering::Relaxed));
                    vars.insert(format!("{name}_events"), count);
                    vars.insert(format!("{name}_seconds_total"), sum);
                }
            }
        }
        for gauges in self.sets().into_values() {
            vars.extend(gauges.iter().map(|(name, value)| (name.clone(), *value)));
        }
        vars
    }
}

/// A label's value as Prometheus reads it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn sanitized(name: &str) -> String {
    let mut clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | ':') { c } else { '_' })
        .collect();
    if clean.starts_with(|c: char| c.is_ascii_digit()) {
        clean.insert(0, '_');
    }
    clean
}

fn labels(labels: &[(String, String)], extra: Option<(&str, String)>) -> String {
    let mut all: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{}=\"{}\"", sanitized(name), escaped(value)))
        .collect();
    if let Some((name, value)) = extra {
        all.push(format!("{name}=\"{value}\""));
    }
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_all_forms() {
        let all = Metrics::default();
        metrics::with_local_recorder(&all, || {
            metrics::describe_counter!("tasks", "Tasks so far.\nAll of them.");
            metrics::counter!("tasks", "state" => "RUN\"NING").increment(2);
            metrics::gauge!("open offers").set(1.5);
            metrics::histogram!("append").record(0.004);
        });
        let text = all.prometheus();
        for line in [
            "# HELP tasks Tasks so far.\\nAll of them.",
            "# TYPE tasks counter",
            "tasks{state=\"RUN\\\"NING\"} 2",
            "open_offers 1.5",
            "append_bucket{le=\"0.0025\"} 0",
            "append_bucket{le=\"0.005\"} 1",
            "append_bucket{le=\"+Inf\"} 1",
            "append_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert_eq!(all.vars()["append_events"], 1.0);
    }

    #[test]
    fn gauges_of_what_is_gone_are_gone() {
        let all = Metrics::default();
        let gauges =
            |names: &[&str]| Arc::new(names.iter().map(|name| ((*name).to_owned(), 1.5)).collect());
        all.replace("sla", gauges(&["sla_a/b/c_mtta_ms", "sla_a/b/d_mtta_ms"]));
        all.replace("sla", gauges(&["sla_a/b/d_mtta_ms"]));
        all.replace("other", gauges(&["with \"quotes\""]));
        assert_eq!(
            all.vars().into_keys().collect::<Vec<_>>(),
            ["sla_a/b/d_mtta_ms", "with \"quotes\""]
        );
        let text = all.prometheus();
        assert!(text.contains("# TYPE sla gauge\nsla{name=\"sla_a/b/d_mtta_ms\"} 1.5\n"), "{text}");
        assert!(text.contains(r#"other{name="with \"quotes\""} 1.5"#), "{text}");
        assert!(!text.contains("sla_a/b/c"), "{text}");
    }
}
