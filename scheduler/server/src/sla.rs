//! Shows how well services are served among the process's numbers.

use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::metrics::Metrics;
use aurora_scheduler_core::{Scheduler, SlaMetrics};

use crate::actor::{Core, Ended, now};

/// Tasks that are looked at, about, before it is somebody else's turn.
const PAGE: usize = 1000;

/// Makes the numbers again and again, for the first time after one interval.
pub(crate) async fn measure(core: Core, metrics: Metrics, which: SlaMetrics) {
    let every = Duration::from_millis(u64::try_from(which.interval_ms).unwrap_or(1).max(1));
    let which = Arc::new(which);
    let start = tokio::time::Instant::now() + every;
    let mut timer = tokio::time::interval_at(start, every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if measure_once(&core, &metrics, &which).await.is_err() {
            return;
        }
    }
}

async fn measure_once(
    core: &Core,
    metrics: &Metrics,
    which: &Arc<SlaMetrics>,
) -> Result<(), Ended> {
    let mut samples = Vec::new();
    let mut from = None;
    loop {
        let (wanted, start) = (which.clone(), from);
        let look =
            move |scheduler: &Scheduler| scheduler.sla_samples(start.as_ref(), PAGE, &wanted);
        let (more, next) = core.ask(look).await?;
        samples.extend(more);
        from = next;
        if from.is_none() {
            break;
        }
    }
    let which = which.clone();
    // With many tasks it takes a while, and nobody else is to wait for it.
    let computed = tokio::task::spawn_blocking(move || which.compute(&samples, now())).await;
    match computed {
        Ok(gauges) => metrics.replace("sla", Arc::new(gauges)),
        // The process is ending.
        Err(error) => tracing::debug!(%error, "SLA metrics were not made"),
    }
    #[expect(clippy::cast_precision_loss, reason = "times in milliseconds are below 2^53")]
    let countdowns = core
        .ask(|scheduler| scheduler.maintenance_countdowns(now()))
        .await?
        .into_iter()
        .map(|(name, ms)| (name, ms as f64))
        .collect();
    metrics.replace("maintenance_countdown_ms", Arc::new(countdowns));
    Ok(())
}
