//! Which tasks there are, and what is told of them.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use aurora_thermos::checkpoint::record::{JobInstance, ProcessChange};
use aurora_thermos::checkpoint::tasks_dir;
use aurora_thermos::state::TaskState;
use serde_json::{Value, json};

use crate::machine::{Living, Machine, failed};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn os01_without_tasks_all_answers_say_so() {
    let machine = Machine::new().await;
    let page = machine.page("/").await;
    assert!(page.contains("There is no folder") && page.contains("--checkpoint-root"), "{page}");
    assert!(machine.page("/main").await.contains("No tasks."));
    let listed = machine.json("/j/task_ids").await;
    let empty = json!({ "tasks": [], "type": "all", "offset": 0, "num": 20, "task_count": 0 });
    assert_eq!(listed, empty);
    assert_eq!(machine.page("/health").await, "OK\n");
    assert!(machine.page("/vars").await.contains("process_uptime_seconds"));
    assert!(machine.page("/metrics").await.contains("# TYPE process_uptime_seconds gauge"));
    assert!(machine.json("/vars.json").await.is_object());
}

#[tokio::test]
async fn os02_os03_a_task_is_seen_at_once_and_moves_when_it_ends() {
    let machine = Machine::new().await;
    let _old = machine.over("old");
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    std::fs::write(told.logs("p", 0).join("stdout"), "hello").unwrap();
    let listed = machine.json("/j/task_ids/active").await;
    let row = &listed["tasks"][0];
    assert_eq!((&row["task_id"], &row["cpu"]), (&json!("t"), &json!(0.0)));
    assert!(row["ram"].as_u64().unwrap() > 0, "{row}");
    for (field, value) in [
        ("name", json!("t")),
        ("role", json!("me")),
        ("launch_timestamp", json!(1)),
        ("state", json!("ACTIVE")),
        ("state_timestamp", json!(2)),
        ("ports", json!({ "http": 31_000 })),
        ("threads", json!(1)),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    told.process("p", 0, ProcessChange::Success).end(TaskState::Success);
    let listed = machine.json("/j/task_ids/finished").await;
    let row = &listed["tasks"][0];
    assert_eq!(row["task_id"], "t", "what ended last is first");
    for figure in ["cpu", "ram", "user", "system", "rss", "vms", "threads"] {
        assert_eq!(row[figure].as_f64(), Some(0.0), "{figure}");
    }
    assert_eq!(row["status"], "None");
    assert_eq!(machine.json("/logdata/t/p/0/stdout?offset=0").await["data"], "hello");
}

#[tokio::test]
async fn os04_os24_what_was_there_before_is_listed_in_the_same_order_by_the_next() {
    let mut machine = Machine::new().await;
    let _told: Vec<_> = ["b", "a", "c"].map(|id| machine.over(id)).into();
    let _active = machine.task("d");
    let before = machine.listed("all").await;
    assert_eq!(before.len(), 4);
    machine.restart().await;
    assert_eq!(machine.listed("all").await, before);
    assert_eq!(machine.listed("finished").await, pairs(&["c", "b", "a"].map(|id| (id, "FAILED"))));
}

#[tokio::test]
async fn os05_a_task_is_gone_with_its_sandbox() {
    let machine = Machine::new().await;
    let (told, _other) = (machine.over("t"), machine.over("other"));
    assert_eq!(machine.json("/j/task_id_count").await["all"], 2);
    std::fs::remove_dir_all(&told.sandbox).unwrap();
    assert_eq!(machine.json("/j/task_id_count").await["all"], 1);
    machine.expect_missing("/task/t", "Failed to find task t.  Try again shortly.").await;
    machine.expect_missing("/j/task/t", "Failed to find task t.").await;
    std::fs::remove_dir_all(tasks_dir(&machine.root()).join("other")).unwrap();
    machine.expect_missing("/task/other", "Failed to find task other.  Try again shortly.").await;
    assert_eq!(machine.json("/j/task_id_count").await["all"], 0);
}

#[tokio::test]
async fn os06_what_lies_among_the_tasks_counts_for_none() {
    let machine = Machine::new().await;
    let _told = machine.over("t");
    let tasks = tasks_dir(&machine.root());
    std::fs::write(tasks.join("stray"), "").unwrap();
    std::fs::create_dir(tasks.join("empty")).unwrap();
    symlink(machine.folder(), tasks.join("latest")).unwrap();
    assert_eq!(machine.listed("all").await, pairs(&[("t", "FAILED")]));
    assert_eq!(machine.json("/j/task_id_count").await["all"], 1);
}

#[tokio::test]
async fn os07_a_checkpoint_without_a_header_is_unknown_until_it_comes() {
    let machine = Machine::new().await;
    let _good = machine.over("good");
    let whole = std::fs::read(machine.checkpoint("good")).unwrap();
    let young = machine.checkpoint("young");
    std::fs::create_dir_all(young.parent().unwrap()).unwrap();
    std::fs::write(&young, "").unwrap();
    let counts = machine.json("/j/task_id_count").await;
    assert_eq!(counts, json!({ "active": 1, "finished": 1, "all": 2 }));
    let both = pairs(&[("good", "FAILED"), ("young", "unknown")]);
    assert_eq!(machine.listed("all").await, both);
    machine.page("/").await;
    machine.page("/task/good").await;
    machine.expect_missing("/task/young", "is not readable yet. Try again shortly.").await;
    machine.expect_missing("/rawtask/young", "is not readable").await;
    machine.expect_missing("/browse/young", "Sandbox does not exist.").await;
    assert_eq!(machine.json("/j/task/young").await["young"]["state"], "unknown");
    std::fs::write(&young, whole).unwrap();
    machine.page("/task/young").await;
}

#[tokio::test]
async fn os08_a_torn_record_counts_when_it_is_whole() {
    let machine = Machine::new().await;
    let mut told = machine.task("t");
    told.state(TaskState::Cleaning);
    let path = machine.checkpoint("t");
    let before = std::fs::metadata(&path).unwrap().len();
    told.state(TaskState::Killed);
    let whole = std::fs::read(&path).unwrap();
    let cut = usize::try_from(before).unwrap() + 3;
    for is_new in [false, true] {
        let id = if is_new { "new" } else { "t" };
        let path = machine.checkpoint(id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(machine.json(&format!("/j/task/{id}")).await[id]["state"], "CLEANING");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&whole[cut..]).unwrap();
        assert_eq!(machine.json(&format!("/j/task/{id}")).await[id]["state"], "KILLED");
    }
}

#[tokio::test]
async fn os09_damage_is_shown_and_harms_nobody_else() {
    let machine = Machine::new().await;
    let mut told = machine.task("t");
    told.process("p", 0, ProcessChange::Waiting).process("p", 0, ProcessChange::Forked);
    let _good = machine.over("good");
    let mut file = std::fs::OpenOptions::new().append(true).open(machine.checkpoint("t")).unwrap();
    file.write_all(&[0xff; 64]).unwrap();
    let nothing = machine.checkpoint("nothing");
    std::fs::create_dir_all(nothing.parent().unwrap()).unwrap();
    std::fs::write(&nothing, [0xff; 64]).unwrap();
    // A pipe that nobody writes to.
    let pipe = machine.checkpoint("pipe");
    std::fs::create_dir_all(pipe.parent().unwrap()).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    let task = machine.json("/j/task/t").await;
    assert_eq!(task["t"]["processes"]["running"], json!(["p"]), "what came before counts");
    assert!(task["t"]["damage"].as_str().unwrap().contains("offset"), "{task}");
    assert!(machine.page("/task/t").await.contains("The checkpoint is damaged"));
    assert!(machine.page("/").await.contains("checkpoint damaged"));
    machine.expect_missing("/task/nothing", "is not readable: ").await;
    assert_eq!(machine.get("/task/pipe").await.status, 500);
    machine.page("/task/good").await;
    assert_eq!(machine.listed("all").await.len(), 4);
}

#[tokio::test]
async fn a_task_whose_runner_is_gone_is_lost() {
    let machine = Machine::new().await;
    let mut told = machine.task_of("t", &["p"], |header| header.boot_id = "another".to_owned());
    told.process("p", 0, ProcessChange::Waiting);
    assert_eq!(machine.listed("active").await, []);
    assert_eq!(machine.listed("finished").await, pairs(&[("t", "LOST")]));
    assert_eq!(machine.json("/j/task/t").await["t"]["state_timestamp"], 3);
    assert!(machine.page("/task/t").await.contains("its runner is gone"));
}

#[tokio::test]
async fn os10_lists_come_in_pages_newest_first() {
    let machine = Machine::new().await;
    let mut told = Vec::new();
    for number in 0..45 {
        let mut task = machine.task(&format!("t{number:02}"));
        for run in 0..number {
            task.failed("p", run, 1);
        }
        task.end(TaskState::Killed);
        told.push(task);
    }
    let ids = async |list: &str| -> Vec<String> {
        machine.listed(list).await.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(ids("finished").await[..2], ["t44", "t43"]);
    assert_eq!(ids("all/-5").await, ["t04", "t03", "t02", "t01", "t00"]);
    assert_eq!(machine.json("/j/task_ids/all/-5").await["offset"], 40);
    assert_eq!(machine.json("/j/task_ids/all/-50").await["offset"], 0);
    assert_eq!(ids("all/0/1").await, ["t44"]);
    assert_eq!(ids("all/0/0").await.len(), 20);
    assert_eq!(ids("all/0/1000000").await.len(), 45);
    assert_eq!(ids("all/1000").await, [] as [String; 0]);
    for (path, newer, older, header) in [
        ("/main/finished", false, true, "1–20 of 45"),
        ("/main/finished/20", true, true, "21–40 of 45"),
        ("/main/finished/40", true, false, "41–45 of 45"),
        ("/main/all/0/7", false, true, "1–7 of 45"),
    ] {
        let page = machine.page(path).await;
        assert_eq!(page.contains("← newer"), newer, "{path}");
        assert_eq!(page.contains("older →"), older, "{path}");
        assert!(page.contains(header), "{path}");
    }
    assert!(machine.page("/main/all/0/7").await.contains("href=\"/main/all/7/7\""));
    machine.expect_missing("/main/all/0/-7", "Invalid count: -7").await;
}

#[tokio::test]
async fn os11_os12_runs_are_found_by_their_numbers_with_how_they_ended() {
    let machine = Machine::new().await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task_of("t", &["P", "k", "s"], |_| {});
    told.failed("P", 0, 3).failed("P", 1, 4).running("P", 2, process.identity());
    told.running("k", 0, process.identity()).process("k", 0, ProcessChange::Killed { signal: 15 });
    told.running("s", 0, process.identity()).process("s", 0, ProcessChange::Success);
    let page = machine.page("/process/t/P").await;
    let runs: Vec<usize> =
        [2, 1, 0].map(|run| page.find(&format!("/logs/t/P/{run}/stdout")).unwrap()).into();
    assert!(runs.is_sorted(), "the newest run is first");
    let latest = machine.json("/j/process/t/P").await;
    assert_eq!((&latest["process_run"], &latest["state"]), (&json!(2), &json!("RUNNING")));
    assert!(latest["used"]["ram"].as_u64().unwrap() > 0);
    assert_eq!(latest["used"].get("disk"), None);
    assert_eq!(machine.json("/j/process/t/P/-1").await["process_run"], 2);
    let first = machine.json("/j/process/t/P/0").await;
    assert_eq!((&first["state"], first.get("used")), (&json!("FAILED"), None));
    assert_eq!(machine.json("/j/process/t/P/3").await, json!({}));
    assert_eq!(machine.json("/j/process/t").await, json!({}));
    assert_eq!(machine.json("/j/process/t/none").await, json!({}));
    assert_eq!(machine.json("/j/process/none/P").await, json!({}));
    machine.expect_missing("/j/process/t/P/-4", "error").await;
    machine.expect_missing("/j/process/t/P/x", "Invalid run: x").await;
    for (path, code) in [("P/0", 3), ("k/0", -15), ("s/0", 0)] {
        let run = machine.json(&format!("/j/process/t/{path}")).await;
        assert_eq!(run["return_code"], code, "{path}");
        assert!(run["stop_time"].as_f64() > run["start_time"].as_f64(), "{path}");
    }
    let task = &machine.json("/j/task/t").await["t"];
    let groups =
        json!({ "waiting": [], "running": ["P"], "success": ["s"], "failed": [], "killed": ["k"] });
    assert_eq!(task["processes"], groups);
    assert_eq!(task["task"]["name"], "t");
    told.process("P", 2, failed(1));
    assert_eq!(machine.json("/j/process/t/P").await.get("used"), None);
}

#[tokio::test]
async fn os15_names_are_shown_as_they_are_and_links_to_them_work() {
    let machine = Machine::new().await;
    let name = "<b>&\"'ü #?%2f+";
    let id = "t <i>&\"'ü #?%41";
    let mut told = machine.task_of(id, &[name], |header| {
        header.user = "<u>".to_owned();
        header.hostname = "\"onclick=x".to_owned();
        header.ports = [("<script>".to_owned(), 1)].into();
        header.job = Some(JobInstance {
            role: "<r>".to_owned(),
            environment: "e".to_owned(),
            name: "n".to_owned(),
            instance: 0,
        });
    });
    told.failed(name, 0, 1);
    std::fs::write(told.logs(name, 0).join("stdout"), "<script>alert(1)</script>\n").unwrap();
    std::fs::create_dir(told.sandbox.join(name)).unwrap();
    std::fs::write(told.sandbox.join(name).join(name), "found me").unwrap();
    let mut pages = vec!["/".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = pages.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = machine.get(&path).await;
        assert_eq!(answer.status, 200, "{path} is linked to");
        if !answer.head.contains("content-type: text/html") {
            continue;
        }
        // Should a name ever get through, it cannot do anything.
        assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{path}");
        assert!(!answer.head.contains("unsafe"), "{path}");
        let page = answer.text();
        for raw in ["<b>", "<i>", "<u>", "<r>", "<script>", "\"onclick"] {
            assert!(!page.contains(raw), "{raw} in {path}: {page}");
        }
        let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let own = links.filter(|link| link.starts_with('/') && !link.starts_with("//"));
        pages.extend(own.map(|link| link.replace("&amp;", "&")));
    }
    for part in ["/task/", "/process/", "/logs/", "/file/", "/download/", "/browse/", "/rawtask/"] {
        assert!(seen.iter().any(|path| path.starts_with(part)), "{part}: {seen:?}");
    }
    let found = seen.iter().filter(|path| path.starts_with("/download/")).count();
    assert!(found >= 2, "the log and the file: {seen:?}");
}

#[tokio::test]
async fn os18_what_is_not_there_is_said_in_the_words_of_the_original() {
    let machine = Machine::new().await;
    let _told = machine.over("t");
    for (path, message) in [
        ("/logs/t/p/0/bogus", "No such log type: bogus"),
        ("/logs/t/p/7/stdout", "There is no run 7"),
        ("/logs/t/none/0/stdout", "There is no run 0"),
        ("/logs/t/p/x/stdout", "Invalid run: x"),
        ("/main/bogus", "Invalid task type: bogus"),
        ("/main/active/x", "Invalid offset: x"),
        ("/main/active/0/y", "Invalid count: y"),
        ("/task/none", "Failed to find task none.  Try again shortly."),
        ("/task/..", "Not found"),
        ("/task/..%2f..%2fetc", "Failed to find task"),
        ("/process/t/none", "Invalid task/process combination: t/none"),
        ("/assets/none", "Unknown asset: none"),
        ("/browse/none", "Sandbox does not exist."),
        ("/nosuch", "Not found: &#39;/nosuch&#39;"),
        ("/j/task_ids/bogus", "\"error\""),
        ("/j/task/none", "\"error\""),
    ] {
        let answer = machine.get(path).await;
        let text = answer.text();
        assert_eq!(answer.status, 404, "{path}: {text}");
        assert!(
            text.contains(message) || text.contains(&message.replace("&#39;", "'")),
            "{path}: {text}"
        );
    }
    assert_eq!(machine.ask("POST", "/task/t", &[]).await.status, 405);
    let head = machine.ask("HEAD", "/task/t", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let icon = machine.get("/favicon.ico").await;
    assert_eq!(icon.status, 303);
    let (_, rest) = icon.head.split_once("location: ").unwrap();
    let icon = machine.get(rest.lines().next().unwrap()).await;
    assert!(icon.status == 200 && icon.head.contains("image/svg+xml"), "{}", icon.head);
}

#[tokio::test]
async fn os19_of_several_tasks_those_that_are_there_are_told() {
    let machine = Machine::new().await;
    let _told = machine.over("a");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&machine.json("/j/task?task_id=a,b").await), ["a"]);
    assert_eq!(keys(&machine.json("/j/task?task_id=a%2Cb").await), ["a"]);
    let latest = machine.json("/j/processes?task_id=a,b").await;
    assert_eq!((&latest["a"]["p"]["return_code"], &latest["b"]), (&json!(3), &json!({})));
    assert_eq!(machine.json("/j/task").await, json!({}));
    assert_eq!(machine.json("/j/processes").await, json!({}));
}

#[tokio::test]
async fn a_task_links_to_its_instance_in_the_scheduler() {
    let machine = Machine::with(|config| {
        config.scheduler_url = Some("http://scheduler:8081".to_owned());
    })
    .await;
    let _plain = machine.task("plain");
    let _told = machine.task_of("t", &["p"], |header| {
        header.job = Some(JobInstance {
            role: "www".to_owned(),
            environment: "prod".to_owned(),
            name: "a b".to_owned(),
            instance: 7,
        });
    });
    let link = "href=\"http://scheduler:8081/scheduler/www/prod/a%20b/7\"";
    assert!(machine.page("/task/t").await.contains(link));
    assert!(!machine.page("/task/plain").await.contains("scheduler:8081"));
}
