//! A look at a process with everything that descends from it.

use aurora_thermos::process::tree;
use aurora_thermos::view::ProcessIdentity;

use super::Usage;

/// Looks at a tree; the sum of it without `cpu`, which takes two looks. A process that ends meanwhile
/// or may not be looked at uses nothing; so does one whose id is another's now, or that is not
/// `owner`'s, if that matters.
pub(super) fn look(root: ProcessIdentity, owner: Option<u32>) -> Usage {
    let mut usage = Usage::NONE;
    if owner.is_some_and(|owner| user(root.pid) != Some(owner)) || !tree::is_alive(root) {
        return usage;
    }
    let descendants = tree::descendants(root.pid).unwrap_or_default().found;
    for descendant in descendants {
        add(&mut usage, descendant.identity.pid);
    }
    // The last, whose priority and status are shown.
    add(&mut usage, root.pid);
    usage
}

fn add(usage: &mut Usage, pid: i32) {
    let Ok(stat) = procfs::process::Process::new(pid).and_then(|process| process.stat()) else {
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
    let seconds = |ticks: u64| ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    let ended = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
    let rss = stat.rss * rustix::param::page_size() as u64;
    usage.merge(&Usage {
        cpu: 0.0,
        ram: rss,
        rss,
        vms: stat.vsize,
        user: seconds(stat.utime + ended(stat.cutime)),
        system: seconds(stat.stime + ended(stat.cstime)),
        nice: stat.nice,
        status: status(stat.state),
        threads: stat.num_threads,
        open_files: open_files(pid),
        processes: 1,
    });
}

/// How many files a process has open. Who may not be looked at, as others' processes for an observer that is not
/// root, has none.
fn open_files(pid: i32) -> u64 {
    let folder = format!("/proc/{pid}/fd");
    // The kernel tells since 6.2; before, they are counted.
    match std::fs::metadata(&folder).map(|found| found.len()) {
        Ok(0) => std::fs::read_dir(folder).map_or(0, |files| files.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

/// Whose a process is.
fn user(pid: i32) -> Option<u32> {
    procfs::process::Process::new(pid).and_then(|process| process.uid()).ok()
}

fn status(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk-sleep",
        'T' => "stopped",
        't' => "tracing-stop",
        'Z' => "zombie",
        'X' | 'x' => "dead",
        'I' => "idle",
        _ => "unknown",
    }
}

/// Processors kept busy between two looks, `seconds` apart. Less was used than before when processes
/// have gone that were not their parents' to collect: that counts for nothing.
pub(super) fn rate(before: &Usage, now: &Usage, seconds: f64) -> f64 {
    let spent = (now.user + now.system) - (before.user + before.system);
    if seconds > 0.0 { (spent / seconds).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn os23_a_tree_is_summed_whatever_ends_meanwhile() {
        let script = "sleep 1000 & echo $!; wait $!; echo over; exec sleep 1000";
        let mut root =
            Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(root.stdout.take().unwrap()).lines();
        let child: i32 = lines.next().unwrap().unwrap().parse().unwrap();
        let identity = tree::identify(root.id().cast_signed()).unwrap();
        let both = look(identity, None);
        assert_eq!((both.processes, both.threads), (2, 2));
        assert!(both.ram > 0 && both.vms >= both.ram && both.ram == both.rss);
        // Standard input, output and error of each.
        assert!(both.open_files >= 6, "{}", both.open_files);
        tree::signal(tree::identify(child).unwrap(), rustix::process::Signal::KILL).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "over");
        let one = look(identity, None);
        let me = rustix::process::geteuid().as_raw();
        assert_eq!(look(identity, Some(me)).processes, 1);
        assert_eq!(look(identity, Some(me + 1)), Usage::NONE, "it is somebody else's");
        assert_eq!(one.processes, 1);
        root.kill().unwrap();
        root.wait().unwrap();
        assert_eq!(look(identity, None), Usage::NONE, "it is gone");
        let other = ProcessIdentity { start_ticks: 1, ..identity };
        assert_eq!(look(other, None), Usage::NONE);
    }

    #[test]
    fn os23_what_short_lived_children_have_computed_counts() {
        let script = "echo; while :; do (i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done); done";
        let mut root =
            Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let identity = tree::identify(root.id().cast_signed()).unwrap();
        let (before, begun) = (look(identity, None), Instant::now());
        let busy = loop {
            let busy = rate(&before, &look(identity, None), begun.elapsed().as_secs_f64());
            if busy > 0.0 || begun.elapsed() > Duration::from_secs(60) {
                break busy;
            }
            std::thread::yield_now();
        };
        root.kill().unwrap();
        root.wait().unwrap();
        assert!(busy > 0.0);
    }

    #[test]
    fn a_rate_is_never_below_nothing() {
        let used = |user| Usage { user, ..Usage::NONE };
        for (before, now, seconds, expected) in
            [(0.0, 1.0, 2.0, 0.5), (3.0, 1.0, 2.0, 0.0), (0.0, 1.0, 0.0, 0.0)]
        {
            assert!((rate(&used(before), &used(now), seconds) - expected).abs() < 1e-9);
        }
    }
}
