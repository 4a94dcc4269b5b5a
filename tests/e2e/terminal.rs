//! Views on a real terminal: drawn in place, of the right size, and gone without a trace (`client.md` 18, 4).

use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::tmux::Terminal;
use crate::support::{role, service, wait_for};

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

fn create(cluster: &Cluster, name: &str, instances: u32, command: &str) -> String {
    let text = service(&role(), name, instances, command);
    let file = cluster.home.file(&format!("{name}.aurora"), &text);
    let words = ["job", "create", &key(name), file.to_str().unwrap(), "--wait-until", "RUNNING"];
    cluster.run(&words).expect(0);
    key(name)
}

#[test]
fn the_tasks_of_a_job_are_shown_as_they_change() {
    let cluster = Cluster::start();
    let web = create(&cluster, "web", 3, "exec sleep 1000");
    let words = cluster.words(&["job", "status", &web, "--watch"]);
    let terminal = Terminal::start(&cluster.home, &words, 100, 12);
    let screen = terminal.expect("3 instances: 3 RUNNING");
    assert_eq!(screen.len(), 4, "{screen:#?}");
    assert!(terminal.colours().contains("\x1b[32mRUNNING"), "{}", terminal.colours());

    // What changes is drawn in its place.
    cluster.run(&["job", "kill", &format!("{web}/1")]).expect(0);
    wait_for("the end of the instance", || {
        let screen = terminal.screen();
        let line = screen.iter().find(|line| line.contains(&format!("{web}/1")))?;
        (line.contains("KILLED") && screen[0].contains("2 RUNNING") && screen.len() == 4)
            .then_some(())
    });

    // No more than there is room for, however large the terminal is now.
    terminal.resize(30, 4);
    let screen = terminal.expect("and 2 more");
    assert!(screen.len() <= 4 && screen.iter().all(|line| line.len() <= 30), "{screen:#?}");
    terminal.resize(100, 12);
    wait_for("the whole view again", || {
        let screen = terminal.screen();
        let whole = screen.iter().any(|line| line.contains(&format!("{web}/2")));
        (whole && !screen.iter().any(|line| line.contains("more"))).then_some(())
    });

    // Ctrl-C leaves the view where it is, says so once, and the prompt comes below it.
    terminal.press("C-c");
    let screen = terminal.expect("status 130");
    let errors = screen.iter().filter(|line| line.contains("error: interrupted")).count();
    assert_eq!(errors, 1, "{screen:#?}");
    assert_eq!(screen.last().unwrap(), "status 130");
    assert_eq!(cluster.active(&web).len(), 2);
}

#[test]
fn an_update_is_shown_batch_by_batch() {
    let cluster = Cluster::start();
    let web = key("web");
    let version = |seconds: u32, watch_secs: u32| {
        let update = format!(
            "update_config = UpdateConfig(watch_secs = {watch_secs}, update_strategy = \
             BatchUpdateStrategy(batch_size = 2)), environment = 'prod'"
        );
        let text = service(&role(), "web", 5, &format!("exec sleep {seconds}"));
        let text = text.replace("environment = 'prod'", &update);
        cluster.home.file("web.aurora", &text).to_str().unwrap().to_owned()
    };
    let first = version(1000, 2);
    let words = cluster.words(&["update", "start", &web, &first, "--wait"]);
    let terminal = Terminal::start(&cluster.home, &words, 120, 30);
    terminal.expect("Current state ROLLING_FORWARD");
    let screen = terminal.expect("  batch 1");
    assert!(screen.iter().any(|line| line.contains("  batch 3")), "{screen:#?}");
    // The second batch is under way when the first is done.
    let screen = wait_for("the second batch", || {
        let screen = terminal.screen();
        let of = |batch: &str| screen.iter().find(|line| line.contains(batch));
        let first = of("  batch 1").is_some_and(|line| line.contains("] 2/2"));
        let second = of("  batch 2").is_some_and(|line| line.contains("2 under way"));
        (first && second).then_some(screen)
    });
    assert_eq!(screen.iter().filter(|line| line.contains("  batch 2")).count(), 1, "{screen:#?}");
    assert!(age_of(&screen, "  batch 1 ") >= 2, "{screen:#?}");
    let screen = terminal.expect("status 0");
    // The last view stays, between the states and the prompt.
    let at = |text: &str| screen.iter().rposition(|line| line.contains(text)).unwrap();
    assert!(screen[at("  all ")].contains("[########"), "{screen:#?}");
    assert!(screen[at("  all ")].contains("] 5/5"), "{screen:#?}");
    assert!(at("Current state ROLLED_FORWARD") < at("  all ") && at("  all ") < at("status 0"));
    assert_eq!(screen.iter().filter(|line| line.contains("  all ")).count(), 1, "{screen:#?}");
    drop(terminal);

    // `info --watch` shows the same; Ctrl-C ends the looking, not the update.
    // Batches that nobody saw have taken what they have taken.
    let second = version(2000, 4);
    cluster.run(&["update", "start", &web, &second]).expect(0);
    wait_for("the end of the first batch", || {
        let info = cluster.run(&["update", "info", &web, "-o", "json"]).expect(0).json();
        let events = info["instance_update_events"].as_array().unwrap();
        let done = events.iter().filter(|event| event["action"] == "INSTANCE_UPDATED").count();
        (done >= 2).then_some(())
    });
    let words = cluster.words(&["update", "info", &web, "--watch"]);
    let terminal = Terminal::start(&cluster.home, &words, 120, 30);
    let screen = terminal.expect("  batch 1");
    assert!(age_of(&screen, "  batch 1 ") >= 4, "{screen:#?}");
    terminal.press("C-c");
    let screen = terminal.expect("status 130");
    assert!(screen.iter().any(|line| line.contains("error: interrupted")), "{screen:#?}");
    cluster.run(&["update", "wait", &web]).expect(0);
}

#[test]
fn lines_are_printed_where_no_view_is_wanted() {
    let cluster = Cluster::start();
    let web = create(&cluster, "web", 1, "exec sleep 1000");
    let watch = cluster.words(&["job", "status", &web, "--watch"]);
    let plain = [watch.as_slice(), &["--no-progress".to_owned()]].concat();
    for (words, environment) in [
        (&plain, None),
        (&watch, Some(("CI", "true"))),
        (&watch, Some(("NO_COLOR", "1"))),
        (&watch, Some(("TERM", "dumb"))),
    ] {
        let environment: Vec<_> = environment.into_iter().collect();
        let terminal = Terminal::start_with(&cluster.home, words, 200, 12, &environment);
        let screen = terminal.expect(&format!("Z {web}/0 RUNNING on "));
        assert!(!screen.iter().any(|line| line.contains("instances:")), "{screen:#?}");
        assert!(!terminal.colours().contains("\x1b[32m"), "{environment:?}");
        terminal.press("C-c");
        terminal.expect("status 130");
    }
}

/// User and system time that a process has had.
fn cpu_time(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap();
    Duration::from_secs_f64(ticks as f64 / per_second as f64)
}

/// For how many seconds the first instance is shown to be as it is.
fn age(screen: &[String]) -> u64 {
    let line =
        screen.iter().find(|line| line.contains("/large/") && line.contains(" PENDING ")).unwrap();
    let parts = line.split_whitespace().skip(2);
    parts.map_while(|part| humantime::parse_duration(part).ok()).sum::<Duration>().as_secs()
}

/// For how many seconds an update is shown to go on.
fn update_age(screen: &[String]) -> u64 {
    age_of(screen, "  all ")
}

/// The seconds at the end of a line that begins so.
fn age_of(screen: &[String], begin: &str) -> u64 {
    let line = screen.iter().find(|line| line.starts_with(begin)).unwrap();
    let (_, age) = line.rsplit_once("  ").unwrap();
    humantime::parse_duration(age).unwrap_or_else(|_| panic!("{line:?} has no time")).as_secs()
}

/// What a view costs to go on being drawn, not to begin: less than 5 % of a core. `shown_age` is what the view shows of
/// the time that goes by, in seconds.
#[track_caller]
fn assert_costs_little(cluster: &Cluster, terminal: &Terminal, shown_age: fn(&[String]) -> u64) {
    let pid = crate::support::process::processes_of(cluster.home.path())
        .into_iter()
        .find(|(_, command)| command.contains(" --watch") && !command.contains("sh -c"))
        .map(|(pid, _)| pid)
        .unwrap();
    let (begin, before) = (Instant::now(), cpu_time(pid));
    let shown = shown_age(&terminal.screen());
    wait_for("four seconds to be drawn", || {
        (shown_age(&terminal.screen()) >= shown + 4).then_some(())
    });
    let (took, used) = (begin.elapsed(), cpu_time(pid) - before);
    assert!(used.as_secs_f64() < 0.05 * took.as_secs_f64(), "{used:?} of {took:?}");
    terminal.press("C-c");
    terminal.expect("status 130");
}

/// A thousand instances, none of which has room.
#[test]
fn views_of_a_thousand_instances_cost_little() {
    let cluster = Cluster::start();
    let large = key("large");
    let text = |command| {
        let update = "environment = 'prod', update_config = UpdateConfig(update_strategy = \
                      BatchUpdateStrategy(batch_size = 10))";
        service(&role(), "large", 1000, command)
            .replace("cpu = 0.01", "cpu = 1000")
            .replace("environment = 'prod'", update)
    };
    let file = cluster.home.file("large.aurora", &text("true"));
    let file = file.to_str().unwrap();
    cluster.run(&["job", "create", &large, file]).expect(0);
    let words = cluster.words(&["job", "status", &large, "--watch"]);
    let terminal = Terminal::start(&cluster.home, &words, 120, 30);
    terminal.expect("1000 instances: 1000 PENDING");
    assert_costs_little(&cluster, &terminal, age);

    cluster.home.file("large.aurora", &text("false"));
    cluster.run(&["update", "start", &large, file]).expect(0);
    let words = cluster.words(&["update", "info", &large, "--watch"]);
    let terminal = Terminal::start(&cluster.home, &words, 120, 30);
    terminal.expect("  of 100 batches");
    assert_costs_little(&cluster, &terminal, update_age);
}

/// Nobody waits for an answer who does not want to give one.
#[test]
fn a_question_is_ended_by_ctrl_c() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let address = proxy.address();
    let words = ["admin", "set_quota", "test", "other", "1", "1g", "1g", "--scheduler", &address];
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let terminal = Terminal::start(&cluster.home, &words, 120, 12);
    terminal.expect("Go on? [y/N]");
    terminal.press("C-c");
    terminal.expect("error: interrupted");
    terminal.expect("status 130");
    assert_eq!(proxy.calls("SetQuota"), 0);
}

/// What is told beside a view stands above it, whole, and the view is drawn once.
#[test]
fn lines_beside_a_view_are_told_above_it() {
    let mut cluster = Cluster::start();
    let web = create(&cluster, "web", 3, "exec sleep 1000");
    let words = cluster.words(&["job", "status", &web, "--watch"]);
    let terminal = Terminal::start(&cluster.home, &words, 150, 40);
    terminal.expect("3 instances: 3 RUNNING");
    cluster.scheduler.kill();
    let screen = wait_for("the view below a warning", || {
        let screen = terminal.screen();
        let warned = screen.iter().position(|line| line.starts_with(" WARN] "))?;
        let below = screen[warned..].iter().any(|line| line.contains("3 instances: 3 RUNNING"));
        below.then_some(screen)
    });
    for once in ["3 instances:", &format!("{web}/1")] {
        let shown = screen.iter().filter(|line| line.contains(once)).count();
        assert_eq!(shown, 1, "{once}: {screen:#?}");
    }
    terminal.press("C-c");
    terminal.expect("status 130");
}
