//! Doubts about a job as a whole.

use aurora_model::config::HealthCheckerConfig;

use super::View;
use crate::codes::Code;
use crate::report::Report;

/// The port that HTTP health checks ask.
const HEALTH_PORT: &str = "health";

pub(super) fn warnings(view: &View<'_>) -> Vec<Report> {
    let checks: [fn(&View<'_>) -> Option<Report>; 10] = [
        health_check_without_port,
        readiness_without_port,
        port_only_in_health_check,
        short_watch,
        production_without_tier,
        update_of_batch_job,
        unrequested_port,
        cron_service,
        impossible_limit,
        too_many_for_limit,
    ];
    checks.iter().filter_map(|check| check(view)).collect()
}

/// Whether something has a number or an alias behind `port`: the executor asks nobody else.
fn has_port(view: &View<'_>, port: &str) -> bool {
    let aliases = view.job().announce.as_ref().map(|announce| &announce.portmap);
    view.ready.request.task.resources.ports.contains(port)
        || aliases.is_some_and(|aliases| aliases.contains_key(port))
}

/// The port that a check asks, if it is not a command.
fn asked_port(checker: &HealthCheckerConfig) -> Option<&str> {
    match checker {
        HealthCheckerConfig { shell: Some(_), .. } => None,
        HealthCheckerConfig { grpc: Some(grpc), .. } => Some(&grpc.port),
        HealthCheckerConfig { tcp: Some(tcp), .. } => Some(&tcp.port),
        _ => Some(HEALTH_PORT),
    }
}

fn is_health_checked(view: &View<'_>) -> bool {
    asked_port(&view.job().health_check_config.health_checker)
        .is_none_or(|port| has_port(view, port))
}

fn health_check_without_port(view: &View<'_>) -> Option<Report> {
    // Every job has a default check: only one that the file asks for is missed.
    if is_health_checked(view) || !view.is_given("health_check_config") {
        return None;
    }
    let checker = &view.job().health_check_config.health_checker;
    let port = asked_port(checker)?;
    let what = if checker.grpc.is_some() || checker.tcp.is_some() {
        format!(
            "the task cannot start: no process asks for the port `{port}`, which its health check \
             asks"
        )
    } else {
        format!(
            "the health check never runs: no process asks for the port `{port}`, which it would ask"
        )
    };
    let report = view.report(Code::HealthCheckWithoutPort, &["health_check_config"], what);
    Some(report.with_help(format!(
        "let a process listen on {{{{thermos.ports[{port}]}}}}, give `announce` a portmap with \
         `{port}`, or check with a ShellHealthChecker"
    )))
}

fn readiness_without_port(view: &View<'_>) -> Option<Report> {
    let port = asked_port(&view.job().readiness.as_ref()?.health_checker)?;
    if has_port(view, port) {
        return None;
    }
    let report = view.report(
        Code::HealthCheckWithoutPort,
        &["readiness"],
        format!(
            "the task cannot start: no process asks for the port `{port}`, which `readiness` asks"
        ),
    );
    Some(report.with_help(format!(
        "let a process listen on {{{{thermos.ports[{port}]}}}}, or give `announce` a portmap with \
         `{port}`"
    )))
}

fn port_only_in_health_check(view: &View<'_>) -> Option<Report> {
    let shell = view.job().health_check_config.health_checker.shell.as_ref()?;
    let port = ports_in(&shell.shell_command)
        .find(|port| !view.ready.request.task.resources.ports.contains(port))?;
    let report = view.report(
        Code::PortOnlyInHealthCheck,
        &["health_check_config", "health_checker", "shell", "shell_command"],
        format!("the health check asks for the port `{port}`, which no process asks for"),
    );
    Some(report.with_help(format!(
        "only processes bring ports about: let one listen on {{{{thermos.ports[{port}]}}}}"
    )))
}

/// The ports that a text refers to.
fn ports_in(text: &str) -> impl Iterator<Item = String> {
    aurora_template::references(text).filter_map(|(inner, _)| {
        let port = inner.strip_prefix("thermos.ports[")?.strip_suffix(']')?;
        Some(port.to_owned())
    })
}

fn short_watch(view: &View<'_>) -> Option<Report> {
    let update = view.job().update_config.as_ref()?;
    let health = &view.job().health_check_config;
    #[expect(clippy::cast_precision_loss, reason = "seconds and counts of people")]
    let (watch, failures) = (update.watch_secs as f64, health.max_consecutive_failures as f64);
    let needed = health.initial_interval_secs + failures * health.interval_secs;
    // Without a time to watch, an update goes by the health checks alone.
    if watch <= 0.0 || watch >= needed || !view.job().service || !is_health_checked(view) {
        return None;
    }
    let report = view.report(
        Code::ShortWatch,
        &["update_config", "watch_secs"],
        format!(
            "an update watches each instance for {watch} s, but the health check takes {needed} s \
             to find one unhealthy"
        ),
    );
    Some(report.with_help(format!(
        "watch for at least {} s, or set watch_secs = 0 to go by the health checks alone",
        needed.ceil()
    )))
}

fn production_without_tier(view: &View<'_>) -> Option<Report> {
    if !view.job().production || view.job().tier.is_some() {
        return None;
    }
    let report = view.report(
        Code::ProductionWithoutTier,
        &["production"],
        "`production` is deprecated: it only chooses a tier",
    );
    Some(report.with_help("write `tier = \"preferred\"` instead"))
}

fn update_of_batch_job(view: &View<'_>) -> Option<Report> {
    if view.job().service || !view.is_given("update_config") {
        return None;
    }
    let report = view.report(
        Code::UpdateOfBatchJob,
        &["update_config"],
        "only services are updated bit by bit: an instance of this job that ends counts as failed",
    );
    Some(report.with_help("make it a Service, or leave `update_config` out"))
}

fn unrequested_port(view: &View<'_>) -> Option<Report> {
    let announce = view.job().announce.as_ref()?;
    let port = &announce.primary_port;
    if has_port(view, port) {
        return None;
    }
    let report = view.report(
        Code::UnrequestedPort,
        &["announce", "primary_port"],
        format!("nothing listens on the primary port `{port}`: the instances are not announced"),
    );
    Some(report.with_help(format!(
        "let a process listen on {{{{thermos.ports[{port}]}}}}, or name `{port}` in the portmap"
    )))
}

fn cron_service(view: &View<'_>) -> Option<Report> {
    if !view.job().service || view.job().cron_schedule.is_none() {
        return None;
    }
    let report = view.report(
        Code::CronService,
        &["cron_schedule"],
        "the scheduler refuses a service with a cron schedule: a service never ends by itself",
    );
    Some(report.with_help("make it a Job, or leave `cron_schedule` out"))
}

/// The number of each constraint that is a limit.
fn limits<'a>(view: &'a View<'_>) -> impl Iterator<Item = (&'a str, i64)> {
    let constraints = view.job().constraints.iter().flatten();
    constraints.filter_map(|(name, value)| {
        let limit = value.strip_prefix("limit:")?.trim().parse().ok()?;
        Some((name.as_str(), limit))
    })
}

fn impossible_limit(view: &View<'_>) -> Option<Report> {
    let (name, limit) = limits(view).find(|(_, limit)| *limit < 1)?;
    let report = view.report(
        Code::ImpossibleLimit,
        &["constraints"],
        format!("`{name}` may have at most {limit} instances: none of them is ever placed"),
    );
    Some(report.with_help("write `limit:1` for one instance on each"))
}

fn too_many_for_limit(view: &View<'_>) -> Option<Report> {
    let instances = view.job().instances.unwrap_or(1);
    // On one host with a dedicated name there is nowhere else to go.
    let wanted = view.job().constraints.as_ref()?.get("host")?;
    if wanted.starts_with(['!']) || wanted.starts_with("limit:") || instances < 2 {
        return None;
    }
    let hosts = wanted.split(',').count();
    (hosts == 1).then(|| {
        view.report(
            Code::OneHost,
            &["constraints"],
            format!("all {instances} instances run on the one host `{wanted}`: it takes all down"),
        )
        .with_help("name several hosts, or bound their number with `limit:1` on `host`")
    })
}
