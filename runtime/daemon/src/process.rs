//! What this process uses, by the names that Prometheus's own clients give it.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use procfs::process::Process;
use procfs::{Current, LoadAverage};

/// When the first of this process's daemons began to show numbers.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long the use of processors is looked at together, at least, in seconds.
const WINDOW: f64 = 1.0;

/// What was used before anybody looked counts for nothing.
static LOOKED: Mutex<CpuUse> = Mutex::new(CpuUse::UNSEEN);

/// How many processors this process has kept busy.
#[derive(Debug)]
struct CpuUse {
    /// When this was looked at last, and how much it had used then, in seconds.
    at: f64,
    used: f64,
    cores: f64,
}

impl CpuUse {
    const UNSEEN: Self = Self { at: f64::NEG_INFINITY, used: 0.0, cores: 0.0 };

    /// How many it was since the last look; the same as then if that was only a moment ago, as time
    /// is counted in ticks.
    fn cores(&mut self, at: f64, used: f64) -> f64 {
        if at - self.at >= WINDOW {
            *self = Self { at, used, cores: ((used - self.used) / (at - self.at)).max(0.0) };
        }
        self.cores
    }
}

/// Brings the gauges of this process up to date; called when somebody looks. What the kernel does
/// not tell stays as it was.
pub(crate) fn measure() {
    let uptime = STARTED.elapsed().as_secs_f64();
    metrics::gauge!("process_uptime_seconds").set(uptime);
    // The original's name, which operators' alerts watch.
    metrics::gauge!("jvm_uptime_secs").set(uptime.floor());
    if let Ok(load) = LoadAverage::current() {
        metrics::gauge!("system_load_avg").set(f64::from(load.one));
    }
    let Ok(process) = Process::myself() else { return };
    if let Ok(count) = process.fd_count() {
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        metrics::gauge!("process_open_fds").set(count as f64);
    }
    let Ok(stat) = process.stat() else { return };
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    metrics::counter!("process_cpu_seconds_total").absolute((stat.utime + stat.stime) / ticks);
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    {
        let used = (stat.utime + stat.stime) as f64 / ticks as f64;
        let cores = LOOKED.lock().unwrap_or_else(PoisonError::into_inner).cores(uptime, used);
        metrics::gauge!("process_cpu_cores_utilized").set(cores);
        let resident = stat.rss * rustix::param::page_size() as u64;
        metrics::gauge!("process_resident_memory_bytes").set(resident as f64);
        metrics::gauge!("process_virtual_memory_bytes").set(stat.vsize as f64);
        metrics::gauge!("process_threads").set(stat.num_threads as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_use_of_processors_is_that_since_the_last_look() {
        let mut looked = CpuUse::UNSEEN;
        for (at, used, cores) in [
            (0.5, 60.4, 0.0),
            (2.0, 61.0, 0.4),
            // Too soon: a tick more or less would be seen as a lot.
            (2.1, 61.3, 0.4),
            (4.0, 67.0, 3.0),
            (6.0, 67.0, 0.0),
        ] {
            assert!((looked.cores(at, used) - cores).abs() < 1e-9, "{at}: {}", looked.cores);
        }
    }
}
