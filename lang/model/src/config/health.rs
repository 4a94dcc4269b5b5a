//! Health checks, and how instances are announced and asked to end (`dsl.md` 5.3).

use std::collections::BTreeMap;

use crate::declare::declare;

declare! {
    /// How it is found out that an instance works: what is asked, how often, and how many wrong
    /// answers are forgiven. An instance that is found unhealthy fails, and that of a service is
    /// run again.
    ///
    /// The default check by HTTP asks the port named `health`. A task without such a port, and
    /// without a shell check, is not checked: it counts as healthy as soon as it runs.
    pub struct HealthCheckConfig: Default {
        /// What is asked.
        pub health_checker: HealthCheckerConfig = HealthCheckerConfig {
            http: Some(HttpHealthChecker::default()),
            shell: None,
            grpc: None,
            tcp: None,
        },
        /// The time an instance has to come up: wrong answers during it are forgiven. It is
        /// `RUNNING` once `min_consecutive_successes` checks have succeeded, which may be earlier.
        pub initial_interval_secs: f64 [Seconds, AtLeast(0)] = 15.0,
        /// The time between two checks.
        pub interval_secs: f64 [Seconds, AtLeast(0)] = 10.0,
        /// How many wrong answers in a row are forgiven: one more, and the instance fails. 0 means
        /// that the first wrong answer after the initial interval is fatal.
        pub max_consecutive_failures: i64 [AtLeast(0)] = 0,
        /// How many right answers in a row an instance needs to become `RUNNING`.
        pub min_consecutive_successes: i64 [AtLeast(0)] = 1,
        /// How long one check may take. A check that takes longer is a wrong answer.
        pub timeout_secs: f64 [Seconds, MoreThan(0)] = 1.0,
    }
}

declare! {
    /// Whether an instance takes work, asked once it is `RUNNING`. While it does not, it goes on
    /// running but is not announced. Without it an instance takes work as soon as it runs.
    pub struct ReadinessConfig: Default {
        /// What is asked. It must be something that the task has.
        pub health_checker: HealthCheckerConfig = HealthCheckerConfig {
            http: Some(HttpHealthChecker::default()),
            shell: None,
            grpc: None,
            tcp: None,
        },
        /// The time between two checks.
        pub interval_secs: f64 [Seconds, AtLeast(0)] = 10.0,
        /// How many wrong answers in a row are forgiven: one more, and the instance is not ready.
        pub max_consecutive_failures: i64 [AtLeast(0)] = 0,
        /// How many right answers in a row an instance needs to be ready.
        pub min_consecutive_successes: i64 [AtLeast(0)] = 1,
        /// How long one check may take. A check that takes longer is a wrong answer.
        pub timeout_secs: f64 [Seconds, MoreThan(0)] = 1.0,
    }
}

declare! {
    /// What a health check asks: an HTTP endpoint, a command, a gRPC server or a port. If several
    /// are given, one is asked: the command, or else the gRPC server, or else the port.
    #[derive(Eq)]
    pub struct HealthCheckerConfig {
        /// An HTTP endpoint on the port named `health`.
        pub http: Option<HttpHealthChecker>,
        /// A command. It wins over all others.
        pub shell: Option<ShellHealthChecker>,
        /// A gRPC server.
        pub grpc: Option<GrpcHealthChecker>,
        /// A port that takes connections.
        pub tcp: Option<TcpHealthChecker>,
    }
}

declare! {
    /// A health check by gRPC: a call of `grpc.health.v1.Health/Check`, without TLS. `SERVING` means
    /// healthy.
    #[derive(Eq)]
    pub struct GrpcHealthChecker: Default {
        /// The name of the port. One that is only named here is not asked for: name it in a process
        /// or announce it.
        pub port: String = "health",
        /// The service whose health is asked for. An empty text asks for that of the server.
        pub service: String = "",
    }
}

declare! {
    /// A health check by a connection: a port that takes one is healthy.
    #[derive(Eq)]
    pub struct TcpHealthChecker: Default {
        /// The name of the port. One that is only named here is not asked for: name it in a process
        /// or announce it.
        pub port: String = "health",
    }
}

declare! {
    /// A health check by HTTP: a `GET` of `http://localhost:PORT`, where the port is the one named
    /// `health`.
    #[derive(Eq)]
    pub struct HttpHealthChecker: Default {
        /// The path that is asked for, with a leading `/`.
        pub endpoint: String = "/health",
        /// What the body must be, blanks around it and letter case aside. An empty text accepts any
        /// body.
        pub expected_response: String = "ok",
        /// What the status must be, as in `200`. 0 accepts any status.
        pub expected_response_code: i64 [AtLeast(0)] = 0,
    }
}

declare! {
    /// A health check by a command: exit status 0 means healthy.
    #[derive(Eq)]
    pub struct ShellHealthChecker {
        /// What bash runs. It may refer to `{{thermos.ports[name]}}`, `{{thermos.task_id}}` and
        /// `{{mesos.instance}}`. A port that is only named here is not asked for: name it in a
        /// process or announce it.
        pub shell_command: String,
    }
}

declare! {
    /// Makes instances known under their job's name in ZooKeeper, so that clients find their
    /// addresses. The primary port is asked for even if no process names it.
    #[derive(Eq)]
    pub struct Announcer {
        /// The name of the port that stands for the instance.
        pub primary_port: String = "http",
        /// Other names for ports: from alias to the name of a port, which may be an alias too. A
        /// number is a port of the machine itself, which only dedicated jobs may use. A table that
        /// is given replaces the default one whole.
        pub portmap: BTreeMap<String, String> =
            BTreeMap::from([("aurora".to_owned(), "{{primary_port}}".to_owned())]),
        /// The path in ZooKeeper. By default one made of role, environment and name. The cluster
        /// must be set up to allow others.
        pub zk_path: Option<String>,
    }
}

declare! {
    /// How an instance is asked to end before it is made to. Without `http` its processes just get
    /// SIGTERM, and SIGKILL if they are still there after `finalization_wait`.
    #[derive(Eq)]
    pub struct LifecycleConfig: Default {
        /// By requests to an HTTP endpoint.
        pub http: Option<HttpLifecycleConfig>,
    }
}

declare! {
    /// How an instance is asked to end by HTTP: a `POST` to one endpoint, a wait, a `POST` to
    /// another, a wait, and then signals. A task that has no port of the name is not asked.
    #[derive(Eq)]
    pub struct HttpLifecycleConfig: Default {
        /// The name of the port the requests go to.
        pub port: String = "health",
        /// The path of the first request, upon which the instance should finish what it does and
        /// end.
        pub graceful_shutdown_endpoint: String = "/quitquitquit",
        /// The path of the second request, upon which the instance should end at once.
        pub shutdown_endpoint: String = "/abortabortabort",
        /// How long the instance has to end after the first request was answered.
        pub graceful_shutdown_wait_secs: i64 [Seconds, AtLeast(0)] = 5,
        /// How long it has after the second request was answered.
        pub shutdown_wait_secs: i64 [Seconds, AtLeast(0)] = 5,
    }
}
