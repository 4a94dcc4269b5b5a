//! Tasks, the processes they consist of, and what they need (`dsl.md` 5.1).

use crate::declare::declare;

declare! {
    /// What an instance runs: processes that share one sandbox, the order between them and the
    /// resources they need together.
    ///
    /// Processes run at the same time unless `constraints` puts them in order. The task succeeds
    /// when every process that counts has succeeded, and fails once `max_failures` processes have
    /// failed. Final processes run afterwards in either case.
    pub struct Task {
        /// The name, shown in the sandbox and the pages. By default that of the first process; a
        /// job's name is by default that of its task.
        pub name: String = "{{processes[0].name}}",
        /// The processes. The task of a job must have some, even if the list is empty.
        pub processes: Vec<Process> [Optional],
        /// The order between processes, written with `order(a, b, …)`: each waits until the one
        /// before it has succeeded. Processes that no constraint names run at once.
        pub constraints: Option<Vec<Constraint>> = Vec::<Constraint>::new(),
        /// What one instance needs of a machine. The task of a job must say.
        pub resources: Option<Resources>,
        /// How many processes may fail before the task has failed: the task fails with this many
        /// failed processes. 0 means that failed processes do not fail the task.
        pub max_failures: i64 [AtLeast(0)] = 1,
        /// How many processes may run at the same time. 0 means all of them.
        pub max_concurrency: i64 [AtLeast(0)] = 0,
        /// How long processes have to end by themselves once the task is over or is stopped, and
        /// how long final processes may run, before they are killed. At most 60 under a job.
        pub finalization_wait: i64 [Seconds, AtLeast(0)] = 30,
        /// The Unix user the processes run as. Only for tasks outside a job: in a job it is the
        /// role.
        pub user: Option<String>,
    }
}

declare! {
    /// One command line of a task, run by bash in the task's sandbox, restarted as its fields say.
    pub struct Process {
        /// The name, by which the task's constraints, the log files and the pages know the process.
        /// It becomes the name of a folder, and must be its own within the task: of two processes
        /// of one name only the last one runs.
        pub name: String [FileName],
        /// What bash runs. It may span lines, and may refer to what is only known on the machine:
        /// `{{thermos.ports[http]}}` asks for a port named `http` and becomes its number,
        /// `{{mesos.instance}}` becomes the number of the instance. Braces that are not meant as a
        /// reference, such as those of `awk '{{print $1}}'`, need another spelling.
        pub cmdline: String,
        /// How many runs may fail before the process has failed: it is run again after each earlier
        /// failure. 0 means no limit. Under a job any process, a daemon too, has failed after 100
        /// runs.
        pub max_failures: i64 [AtLeast(0)] = 1,
        /// Whether the process is run again after it has succeeded, too. A process cannot be
        /// ordered after a daemon, which never ends by itself.
        pub daemon: bool = false,
        /// Whether the process does not count for the end of the task: once all others have ended,
        /// it is killed, and its failure is no failure of the task. For log savers and other
        /// helpers. Only ephemeral processes can be ordered after an ephemeral one.
        pub ephemeral: bool = false,
        /// The least time between the end of a run and the start of the next, so that a process
        /// that fails at once does not use up the machine. 0 means at once.
        pub min_duration: i64 [Seconds, AtLeast(0)] = 5,
        /// Whether the process runs when the others have ended, however they did: to clean up, or to
        /// save what they leave. Final processes are ordered among themselves only, and together
        /// have `finalization_wait` seconds.
        pub is_final as "final": bool = false,
        /// Has no effect: resources belong to the task. Templates of the process may refer to it, as
        /// in `{{resources.ram}}`.
        pub resources: Option<Resources>,
        /// Where the output goes. Without it, to files of the sandbox that grow without limit,
        /// unless the machine's executor is set up otherwise.
        pub logger: Option<Logger>,
    }
}

declare! {
    /// Processes that run one after the other. Rarely written out: `order(a, b)` makes one.
    #[derive(Eq)]
    pub struct Constraint: Default {
        /// Names of processes, first to last: each starts when the one before it has succeeded. All
        /// must be processes of the task, and either all final or none; a constraint that names
        /// none of the task's processes is ignored.
        pub order: Vec<String> [Optional],
    }
}

declare! {
    /// What one instance needs of a machine. The scheduler only starts it where that much is free.
    #[derive(Copy)]
    pub struct Resources {
        /// Processor cores; parts of one are allowed, as in `0.5`.
        pub cpu: f64 [Cores, MoreThan(0)],
        /// Memory. Write it with a unit, as in `512 * MB`; parts of a MiB are cut off, and 1 MiB is
        /// the least. A task that uses more may be killed.
        pub ram: i64 [Bytes, AtLeast(1 << 20)],
        /// Space for the sandbox, with the logs in it. Write it with a unit, as in `2 * GB`; parts
        /// of a MiB are cut off, and 1 MiB is the least.
        pub disk: i64 [Bytes, AtLeast(1 << 20)],
        /// Graphics processors. Clusters take jobs that ask for some only if they are set up for it.
        pub gpu: i64 [AtLeast(0)] = 0,
    }
}

declare! {
    /// Where the output of a process goes. A process that has a logger takes nothing from the
    /// settings of the machine's executor.
    #[derive(Eq)]
    pub struct Logger {
        /// Where standard output and standard error go.
        pub destination: LoggerDestination = LoggerDestination::File,
        /// Whether log files grow or are rotated.
        pub mode: LoggerMode = LoggerMode::Standard,
        /// When a file is rotated and how many old ones are kept. Only read if `mode` is `rotate`.
        pub rotate: Option<RotatePolicy>,
    }
}

declare! {
    /// Where standard output and standard error of a process go.
    pub enum LoggerDestination {
        /// To the files `stdout` and `stderr` of the process in the sandbox.
        File = "file",
        /// To the output of the executor, with that of all other processes.
        Console = "console",
        /// To the files and to the executor's output.
        Both = "both",
        /// Nowhere.
        None = "none",
    }
}

declare! {
    /// Whether log files grow or are rotated.
    pub enum LoggerMode {
        /// They grow as long as the process runs.
        Standard = "standard",
        /// They are rotated when they reach a size, and the oldest are removed.
        Rotate = "rotate",
    }
}

declare! {
    /// When a log file is rotated, and how many old ones are kept. Standard output and standard
    /// error are rotated each for itself.
    #[derive(Copy, Eq)]
    pub struct RotatePolicy: Default {
        /// The size at which a file is put aside and a new one begun.
        pub log_size: i64 [Bytes, MoreThan(0)] = 100 << 20,
        /// How many files that were put aside are kept. What is older is lost.
        pub backups: i64 [MoreThan(0)] = 5,
    }
}
