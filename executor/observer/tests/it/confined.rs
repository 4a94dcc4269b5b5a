//! Attacks of jobs, and of those who know addresses: nothing but the sandbox is served.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::machine::{Living, Machine, wait_for};

#[tokio::test]
async fn os16_no_path_and_no_link_leads_out_of_the_sandbox() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let (sandbox, logs) = (&told.sandbox, told.logs("p", 0));
    let evil = sandbox.with_file_name("sandbox-evil");
    std::fs::create_dir(&evil).unwrap();
    std::fs::write(evil.join("s"), "secret").unwrap();
    symlink("/etc/passwd", sandbox.join("absolute")).unwrap();
    symlink("../sandbox-evil/s", sandbox.join("relative")).unwrap();
    symlink("/", sandbox.join("root")).unwrap();
    symlink("/proc/self/root", sandbox.join("magic")).unwrap();
    symlink("/proc/self/environ", logs.join("stderr")).unwrap();
    symlink("../../../../sandbox-evil/s", logs.join("stdout")).unwrap();
    for path in [
        "absolute",
        "relative",
        "root/etc/passwd",
        "magic/etc/passwd",
        "../sandbox-evil/s",
        "..%2fsandbox-evil%2fs",
        "%2e%2e/sandbox-evil/s",
        ".logs/../../sandbox-evil/s",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "a%00b",
        ".logs/p/0/stdout",
    ] {
        for route in ["browse", "file", "download", "searchfile"] {
            let query = if route == "searchfile" { "?q=s" } else { "" };
            let answer = machine.get(&format!("/{route}/t/{path}{query}")).await;
            assert_eq!(answer.status, 404, "{route} {path}: {}", answer.text());
        }
        let data = machine.get(&format!("/filedata/t/{path}?offset=0")).await;
        assert_eq!(data.text(), "{}", "{path}");
    }
    for stream in ["stdout", "stderr"] {
        let data = machine.json(&format!("/logdata/t/p/0/{stream}?offset=0")).await;
        assert_eq!(data, json!({}), "{stream}");
        machine.expect_missing(&format!("/logs/t/p/0/{stream}"), "cannot be read").await;
        machine.expect_missing(&format!("/search/t/p/0/{stream}?q=s"), "No such file").await;
    }

    // The whole sandbox is another one now.
    std::fs::rename(sandbox, sandbox.with_file_name("moved")).unwrap();
    symlink("/etc", sandbox).unwrap();
    assert_eq!(machine.json("/filedata/t/passwd?offset=0").await, json!({}));
    for path in ["/browse/t", "/download/t/passwd", "/file/t/passwd"] {
        assert_eq!(machine.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn pipes_devices_and_sockets_neither_stop_the_observer_nor_are_read() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let make = |name: &str, kind, device| {
        let path = told.sandbox.join(name);
        rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::RWXU, device)
    };
    make("fifo", rustix::fs::FileType::Fifo, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(told.sandbox.join("socket")).unwrap();
    let mut names = vec!["fifo", "socket"];
    // Only who may make devices can test them.
    if make("zero", rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 5)).is_ok() {
        names.push("zero");
    }
    for name in names {
        machine.expect_missing(&format!("/file/t/{name}"), "No such file").await;
        machine.expect_missing(&format!("/download/t/{name}"), "No such file").await;
        assert_eq!(machine.json(&format!("/filedata/t/{name}?offset=0")).await, json!({}));
        assert!(machine.page("/browse/t").await.contains(name));
    }
}

/// Exchanges two names until it is told to stop, and then says how often it did.
fn exchanging(
    a: std::path::PathBuf,
    b: std::path::PathBuf,
    stop: std::sync::Arc<AtomicBool>,
) -> std::thread::JoinHandle<u32> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    std::thread::spawn(move || {
        let mut times = 0_u32;
        while !stop.load(Ordering::Relaxed) {
            renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
            times += 1;
        }
        times
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_swapped_for_a_link_while_it_is_opened_stays_the_file() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let (secret, link) = (machine.folder().join("secret"), told.sandbox.join("link"));
    let file = told.sandbox.join("file");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::write(&file, "mine").unwrap();
    symlink(&secret, &link).unwrap();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let swapping = exchanging(file, link, std::sync::Arc::clone(&stop));
    let (mut read, mut refused) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while (read < 20 || refused < 20) && Instant::now() < deadline {
        for path in ["/filedata/t/file?offset=0", "/download/t/file", "/file/t/file"] {
            let text = machine.get(path).await.text();
            assert!(!text.contains("secret"), "{path}: {text}");
            if text.contains("mine") { read += 1 } else { refused += 1 }
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapping.join().unwrap() > 0);
    assert!(read >= 20 && refused >= 20, "{read} read, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_swapped_for_a_link_all_the_time_leads_nowhere_outside() {
    let machine = Machine::new().await;
    for (id, swapped, path) in [("folder", "dir", "dir/sub"), ("whole", "", "sub")] {
        let told = machine.over(id);
        let outside = machine.folder().join(format!("outside-{id}"));
        let real =
            if swapped.is_empty() { told.sandbox.clone() } else { told.sandbox.join(swapped) };
        // The same files here and there, with another content.
        let there = outside.join(path.strip_prefix("dir/").unwrap_or(path));
        for (folder, text) in [(told.sandbox.join(path), "mine"), (there, "secret")] {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("file"), text).unwrap();
            std::fs::write(folder.join(format!("name-{text}")), text).unwrap();
        }
        let link = machine.folder().join(format!("link-{id}"));
        symlink(&outside, &link).unwrap();
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let swapping = exchanging(real, link, std::sync::Arc::clone(&stop));
        let (mut read, mut refused) = (0, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        while (read < 50 || refused < 50) && Instant::now() < deadline {
            for (route, query) in [
                ("filedata", "file?offset=0"),
                ("download", "file"),
                ("file", "file"),
                ("searchfile", "file?q=e"),
                ("browse", ""),
            ] {
                let answer = machine.get(&format!("/{route}/{id}/{path}/{query}")).await;
                let text = answer.text();
                assert!(!text.contains("secret"), "{route}: {text}");
                assert!(answer.status < 500, "{route}: {text}");
                if text.contains("mine") { read += 1 } else { refused += 1 }
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(swapping.join().unwrap() > 0);
        assert!(read >= 50 && refused >= 50, "{id}: {read} read, {refused} refused");
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_user_can_name_only_what_is_that_users() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::fs::write(told.sandbox.join("file"), "text").unwrap();
    let whose = |path: &std::path::Path, user: u32| {
        let user = Some(rustix::fs::Uid::from_raw(user));
        rustix::fs::chown(path, user, None)
    };
    // Only root can give files away; an observer of somebody else is tested as that.
    if whose(&machine.checkpoint("t"), 54_321).is_err() {
        machine.page("/file/t/file").await;
        return;
    }
    machine.expect_missing("/file/t/file", "No such file").await;
    machine.expect_missing("/browse/t", "Sandbox does not exist.").await;
    assert_eq!(machine.json("/filedata/t/file?offset=0").await, json!({}));
    whose(&told.sandbox, 54_321).unwrap();
    machine.page("/file/t/file").await;
    machine.page("/browse/t").await;
}

#[tokio::test]
async fn of_what_is_not_its_writers_a_checkpoint_gets_no_figures() {
    let machine = Machine::with(|config| {
        config.process_interval = Duration::from_secs(1);
        config.disk_interval = Duration::from_secs(1);
    })
    .await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut tasks = Vec::new();
    // Those that come first are looked at first.
    for id in ["foreign", "own"] {
        let mut told = machine.task(id);
        told.running("p", 0, process.identity());
        std::fs::write(told.sandbox.join("file"), vec![1; 1 << 20]).unwrap();
        tasks.push(told);
    }
    let user = Some(rustix::fs::Uid::from_raw(54_321));
    // Only root can give files away.
    if rustix::fs::chown(machine.checkpoint("foreign"), user, None).is_err() {
        return;
    }
    let figures = async |id: &str| {
        let task = machine.json(&format!("/j/task/{id}")).await;
        let figures = &task[id]["resource_consumption"];
        (figures["ram"].as_u64().unwrap(), figures["disk"].as_u64().unwrap())
    };
    let measured = async |id: &str| {
        wait_for(id, async || (figures(id).await.1 >= 1 << 20).then_some(())).await;
    };
    measured("own").await;
    assert!(figures("own").await.0 > 0);
    assert_eq!(figures("foreign").await, (0, 0));
    rustix::fs::chown(&tasks[0].sandbox, user, None).unwrap();
    measured("foreign").await;
    assert_eq!(figures("foreign").await.0, 0, "the process is still ours");
}
