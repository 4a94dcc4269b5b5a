//! `aurora sla`: for how long the instances of a job have been up (`client.md` 10 and 15).

use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Home, free_port, role, service};

/// The first and last parts of lines such as `10 mins<TAB>- 95.36 %`.
fn lines<'a>(shown: &'a str, last: &str) -> Vec<(&'a str, f64)> {
    shown
        .lines()
        .map(|line| {
            let (first, rest) = line.split_once("\t- ").unwrap();
            (first, rest.strip_suffix(last).unwrap().parse().unwrap())
        })
        .collect()
}

#[test]
fn c10_c105_c142_c143_d17_uptimes_of_a_job() {
    let cluster = Cluster::start();
    let key = format!("test/{}/prod/web", role());
    let file = cluster.home.file("web.aurora", &service(&role(), "web", 2, "exec sleep 1000"));
    let run = |words: &[&str]| cluster.run(words);
    run(&["job", "create", &key, file.to_str().unwrap(), "--wait-until", "RUNNING"]).expect(0);
    cluster.wait_running(&key, 2);

    let shown = run(&["sla", "get-task-up-count", &key]).expect(0).out();
    let times: Vec<&str> = lines(&shown, " %").into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, ["1 mins", "10 mins", "1 hrs", "12 hrs", "7 days"]);
    let shown = run(&["sla", "get-task-up-count", &key, "--durations=0s,3650d"]).expect(0).out();
    assert_eq!(shown, "0 days\t- 100.00 %\n3650 days\t- 0.00 %\n");
    let names = |list: &str| {
        let list = format!("--durations={list}");
        let shown = run(&["sla", "get-task-up-count", &key, &list]).expect(0).out();
        lines(&shown, " %").into_iter().map(|(time, _)| time.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("3m,10s,1h3m10s"), ["10 secs", "3 mins", "3790 secs"]);
    assert_eq!(names("1h30m,60m,24h,0m,90S"), ["0 days", "90 secs", "1 hrs", "90 mins", "1 days"]);

    let shown = run(&["sla", "get-job-uptime", &key]).expect(0).out();
    let found = lines(&shown, " seconds");
    let wanted = [99, 95, 90, 85, 75, 60, 50, 30, 10].map(|at| format!("{at}.0 percentile"));
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), wanted);
    assert!(found.is_sorted_by(|a, b| a.1 <= b.1), "fewer are up for longer: {shown}");
    assert!(found.iter().all(|(_, seconds)| *seconds < 600.0), "{shown}");
    let shown = run(&["sla", "get-job-uptime", &key, "--percentiles=10,95.5"]).expect(0).out();
    assert!(shown.starts_with("95.5 percentile\t- ") && shown.contains("\n10.0 percentile"));
    let data = run(&["sla", "get-job-uptime", &key, "--percentiles=50", "-o", "json"]).expect(0);
    assert_eq!((&data.json()["instances"], &data.json()["job"]), (&2.into(), &key.as_str().into()));

    // A job that is not there has no instances.
    let none = format!("test/{}/prod/none", role());
    let shown = run(&["sla", "get-job-uptime", &none, "--percentiles=50"]).expect(0).out();
    assert_eq!(shown, "50.0 percentile\t- 0 seconds\n");
    let shown = run(&["sla", "get-task-up-count", &none, "--durations=1m"]).expect(0).out();
    assert_eq!(shown, "1 mins\t- 0.00 %\n");

    // D17: what the scheduler refuses is no zero.
    let proxy = Proxy::before(&cluster.scheduler_address());
    for (fault, code, wanted) in [
        (Fault::refuse(Code::InvalidArgument, "not today"), 10, "not today"),
        (Fault::refuse(Code::Internal, "a mistake"), 10, "a mistake"),
        (Fault::refuse(Code::PermissionDenied, "who are you"), 30, "who are you"),
        (Fault::LostBefore, 7, "failed to reach the scheduler"),
    ] {
        for verb in ["get-task-up-count", "get-job-uptime"] {
            proxy.plan("ListTasks", 1, fault.clone());
            let words = ["sla", verb, key.as_str(), "--retry-for", "0"];
            let refused = proxy.run(&cluster.home, &words).expect(code);
            assert_eq!(refused.out(), "");
            assert!(refused.err().contains(wanted), "{}", refused.err());
        }
    }
}

#[test]
fn c8_c9_lists_that_make_no_sense_are_refused() {
    let home = Home::new();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    for (words, wanted) in [
        // 9
        (["get-task-up-count", "--durations=1x"], "such as 1h30m"),
        (["get-task-up-count", "--durations=5"], "such as 1h30m"),
        (["get-task-up-count", "--durations=1h,,"], "such as 1h30m"),
        // 8
        (["get-job-uptime", "--percentiles=50,101"], "between 0 and 100"),
        (["get-job-uptime", "--percentiles=100"], "between 0 and 100"),
        (["get-job-uptime", "--percentiles=0"], "between 0 and 100"),
        (["get-job-uptime", "--percentiles=x"], "between 0 and 100"),
    ] {
        let words = ["sla", words[0], words[1], "c/r/e/n", "--scheduler", &nobody];
        let refused = home.run(&words).expect(2).err();
        assert!(refused.contains(wanted), "{words:?}: {refused}");
    }
    home.run(&["sla", "get-job-uptime", "c/r/e"]).expect(2);
}
