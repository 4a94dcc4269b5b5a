//! What this process uses, by the names that Prometheus's own clients give it.

use std::sync::LazyLock;
use std::time::Instant;

use procfs::process::Process;

/// When the first of this process's daemons began to show numbers.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Brings the gauges of this process up to date; called when somebody looks. What the kernel does
/// not tell stays as it was.
pub(crate) fn measure() {
    let uptime = STARTED.elapsed().as_secs_f64();
    metrics::gauge!("process_uptime_seconds").set(uptime);
    // The original's name, which operators' alerts watch.
    metrics::gauge!("jvm_uptime_secs").set(uptime.floor());
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
        let resident = stat.rss * rustix::param::page_size() as u64;
        metrics::gauge!("process_resident_memory_bytes").set(resident as f64);
        metrics::gauge!("process_virtual_memory_bytes").set(stat.vsize as f64);
        metrics::gauge!("process_threads").set(stat.num_threads as f64);
    }
}
