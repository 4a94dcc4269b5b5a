//! Checkpoints as others read them.

use std::fs::File;
use std::path::Path;

use aurora_thermos::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent,
};
use aurora_thermos::checkpoint::{self, Writer, read_from};
use aurora_thermos::history::History;
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::state::TaskState;
use aurora_thermos::view::Tasks;

fn header(id: &str, sandbox: &Path) -> Header {
    Header {
        task_id: id.to_owned(),
        task_json: r#"{"name":"t","processes":[{"name":"p","cmdline":"true"}]}"#.to_owned(),
        job: None,
        sandbox: sandbox.to_owned(),
        log_dir: sandbox.join(".logs"),
        hostname: "box".to_owned(),
        user: "me".to_owned(),
        uid: 0,
        ports: [("http".to_owned(), 31_000)].into(),
        runner: identify(std::process::id().cast_signed()).unwrap(),
        boot_id: boot_id().unwrap(),
    }
}

/// A header of a runner that is no more.
fn abandoned(id: &str, sandbox: &Path) -> Header {
    Header { boot_id: "another".to_owned(), ..header(id, sandbox) }
}

fn story(header: Header) -> Vec<Record> {
    let process = |change| Event::Process(ProcessEvent { process: "p".to_owned(), run: 0, change });
    let task = |state| Event::Task(TaskEvent { state, reason: "why".to_owned() });
    let events = [
        Event::Header(Box::new(header)),
        task(TaskState::Active),
        process(ProcessChange::Waiting),
        process(ProcessChange::Forked),
        process(ProcessChange::Running(ProcessIdentity { pid: 7, start_ticks: 8 })),
        process(ProcessChange::Killed { signal: 34 }),
        task(TaskState::Cleaning),
        task(TaskState::Success),
    ];
    events.into_iter().zip(1000..).map(|(event, time_ms)| Record { time_ms, event }).collect()
}

fn write(root: &Path, records: &[Record]) {
    let Event::Header(header) = &records[0].event else { panic!("no header") };
    let mut writer = Writer::create(root, &header.task_id, &records[0]).unwrap();
    for record in &records[1..] {
        writer.append(record).unwrap();
    }
}

#[test]
fn a_cut_at_any_byte_leaves_a_prefix_and_the_rest_is_read_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let records = story(header("t", folder.path()));
    write(&whole, &records);
    let bytes = std::fs::read(checkpoint::path(&whole, "t")).unwrap();
    let path = checkpoint::path(&cut, "t");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let growing = Tasks::new(&cut);
    let mut longest = 0;
    for end in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let mut read = Vec::new();
        let tail = read_from(&File::open(&path).unwrap(), 0, |record| {
            read.push(record);
            Ok(())
        })
        .unwrap();
        assert_eq!(read, records[..read.len()]);
        assert_eq!(tail.torn, tail.offset != end as u64, "cut at {end}");
        assert!(read.len() >= longest, "a longer file tells no less");
        longest = read.len();
        let mut expected = History::default();
        for record in &records[..read.len()] {
            expected.apply(record.clone()).unwrap();
        }
        for view in [&growing, &Tasks::new(&cut)] {
            let task = view.get("t").unwrap().unwrap();
            assert_eq!((task.history(), task.damage()), (&expected, None), "cut at {end}");
        }
    }
    assert_eq!(longest, records.len());
}

#[test]
fn one_that_cannot_be_read_does_not_hide_the_others() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &story(header("good", root.path())));
    let tasks = checkpoint::tasks_dir(root.path());
    std::fs::write(tasks.join("stray"), "no directory").unwrap();
    std::fs::create_dir_all(tasks.join("odd/checkpoint")).unwrap();
    std::fs::create_dir(tasks.join("coming")).unwrap();
    std::fs::create_dir(tasks.join("junk")).unwrap();
    std::fs::write(tasks.join("junk/checkpoint"), "something else").unwrap();
    let all = Tasks::new(root.path()).all().unwrap();
    let told: Vec<(&str, bool, bool)> =
        all.iter().map(|task| (task.id(), task.damage().is_some(), task.is_live())).collect();
    assert_eq!(told, [("good", false, false), ("junk", true, false), ("odd", true, false)]);
}

#[test]
fn a_task_without_its_runner_is_not_live() {
    let root = tempfile::tempdir().unwrap();
    let dead = header("dead", root.path());
    let dead = Header { runner: ProcessIdentity { start_ticks: 1, ..dead.runner }, ..dead };
    for header in [header("live", root.path()), abandoned("rebooted", root.path()), dead] {
        write(root.path(), &story(header)[..5]);
    }
    let all = Tasks::new(root.path()).all().unwrap();
    let live: Vec<&str> = all.iter().filter(|task| task.is_live()).map(|task| task.id()).collect();
    assert_eq!(live, ["live"]);
    assert!(all.iter().all(|task| task.is_active()));
}

#[test]
fn checkpoints_without_sandbox_and_runner_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let gone = root.path().join("gone");
    write(root.path(), &story(abandoned("collected", &gone)));
    write(root.path(), &story(abandoned("crashed", &gone))[..4]);
    write(root.path(), &story(abandoned("kept", root.path())));
    write(root.path(), &story(header("runs", &gone))[..4]);
    let tasks = checkpoint::tasks_dir(root.path());
    std::fs::create_dir(tasks.join("coming")).unwrap();
    assert_eq!(checkpoint::clean(root.path(), "d").unwrap(), 2);
    let mut left: Vec<_> =
        std::fs::read_dir(&tasks).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["coming", "kept", "runs"]);
    assert_eq!(checkpoint::clean(&root.path().join("none"), "d").unwrap(), 0);
}
