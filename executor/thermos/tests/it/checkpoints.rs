//! Checkpoints as others read them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use aurora_thermos::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent, Told,
};
use aurora_thermos::checkpoint::{self, Opened, WriteError, Writer, read_from};
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
fn a_task_that_was_told_to_end_lives_no_longer_when_the_clock_is_set_back() {
    let mut history = History::default();
    let [header, active, ..] = &story(header("t", Path::new("/s")))[..] else { panic!() };
    for record in [header, active] {
        history.apply(record.clone()).unwrap();
    }
    assert_eq!(history.time_left(1000), None);
    let told = Told { state: TaskState::Killed, reason: String::new(), until_ms: 62_000 };
    history.apply(Record { time_ms: 2_000, event: Event::Told(told) }).unwrap();
    for (now_ms, secs) in [
        (2_000, 60),
        (32_000, 30),
        (62_000, 0),
        (i64::MAX, 0),
        (1_000, 60),
        (-9_000_000, 60),
        (i64::MIN, 60),
    ] {
        assert_eq!(history.time_left(now_ms), Some(Duration::from_secs(secs)), "{now_ms}");
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

/// What a reader knows after each number of records.
fn prefixes(records: &[Record]) -> Vec<History> {
    let mut history = History::default();
    let mut all = vec![history.clone()];
    for record in records {
        history.apply(record.clone()).unwrap();
        all.push(history.clone());
    }
    all
}

#[test]
fn s36_a_writer_goes_on_after_a_cut_at_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let header = header("t", folder.path());
    // Without the end of the task, so that there is something to go on with.
    let records = &story(header.clone())[..7];
    write(folder.path(), records);
    let path = checkpoint::path(folder.path(), "t");
    let bytes = std::fs::read(&path).unwrap();
    let prefixes = prefixes(records);
    let mut longest = 0;
    for end in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let mut writer = match Writer::open(folder.path(), 1000, &header).unwrap() {
            Opened::New(writer) => {
                assert_eq!(longest, 0);
                writer
            }
            Opened::Existing(writer, history) => {
                let known = prefixes.iter().position(|prefix| *prefix == *history).unwrap();
                assert!(known >= longest.max(1), "a longer file tells no less");
                longest = known;
                writer
            }
        };
        // What is written now can be read.
        let next = longest.max(1);
        for record in &records[next..] {
            writer.append(record).unwrap();
        }
        drop(writer);
        let task = Tasks::new(folder.path()).get("t").unwrap().unwrap();
        assert_eq!((task.history(), task.damage()), (&prefixes[records.len()], None), "at {end}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(longest, records.len());
}

#[test]
fn s36b_a_flipped_bit_leaves_the_last_good_state() {
    let folder = tempfile::tempdir().unwrap();
    let header = header("t", folder.path());
    let records = story(header.clone());
    write(folder.path(), &records);
    let path = checkpoint::path(folder.path(), "t");
    let bytes = std::fs::read(&path).unwrap();
    let prefixes = prefixes(&records);
    let mut reached = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).unwrap();
        let task = Tasks::new(folder.path()).get("t").unwrap().unwrap();
        let known = prefixes.iter().position(|prefix| prefix == task.history());
        let known = known.unwrap_or_else(|| panic!("bit {bit}: something that never was"));
        assert!(known >= reached && known < records.len(), "bit {bit}");
        reached = known;
        // Only the last record may look as if it had not been written to its end.
        assert!(task.damage().is_some() || known == records.len() - 1, "bit {bit}");
        match Writer::open(folder.path(), 1000, &header) {
            Ok(Opened::Existing(_, history)) => assert_eq!(*history, prefixes[known], "bit {bit}"),
            Ok(Opened::New(_)) => panic!("bit {bit}: begun anew"),
            Err(WriteError::Damaged { .. }) => {
                assert_eq!(std::fs::read(&path).unwrap(), flipped, "bit {bit}");
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    assert_eq!(reached, records.len() - 1);
}

#[test]
fn s36b_records_that_cannot_follow_are_damage() {
    let process =
        |run, change| Event::Process(ProcessEvent { process: "p".to_owned(), run, change });
    let folder = tempfile::tempdir().unwrap();
    let good = story(header("t", folder.path()));
    let again = Event::Header(Box::new(header("t", folder.path())));
    let waiting = || process(0, ProcessChange::Waiting);
    for (from, event, why) in [
        (2, again, "a second header"),
        (3, process(0, ProcessChange::Success), "state SUCCESS after WAITING"),
        (3, waiting(), "starts out of order"),
        (3, process(1, ProcessChange::Forked), "run 1 of process \"p\" is not known"),
        (8, waiting(), "while its task does not run"),
        (8, Event::Task(TaskEvent { state: TaskState::Active, reason: String::new() }), "after"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut records = good[..from].to_vec();
        records.push(Record { time_ms: 2000, event });
        write(root.path(), &records);
        let task = Tasks::new(root.path()).get("t").unwrap().unwrap();
        assert_eq!(task.history(), prefixes(&good[..from]).last().unwrap(), "{why}");
        assert!(task.damage().is_some_and(|damage| damage.contains(why)), "{:?}", task.damage());
    }
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
    // What is no file is not waited for.
    std::fs::create_dir(tasks.join("pipe")).unwrap();
    nix::unistd::mkfifo(&tasks.join("pipe/checkpoint"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(checkpoint::clean(root.path(), "d").unwrap(), 2);
    let mut left: Vec<_> =
        std::fs::read_dir(&tasks).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["coming", "kept", "pipe", "runs"]);
    assert_eq!(checkpoint::clean(&root.path().join("none"), "d").unwrap(), 0);
}

#[test]
fn a_checkpoint_that_another_runner_goes_on_with_is_not_removed() {
    let root = tempfile::tempdir().unwrap();
    let gone = root.path().join("gone");
    let header = abandoned("taken-over", &gone);
    write(root.path(), &story(header.clone())[..4]);
    let opened = Writer::open(root.path(), 2000, &header).unwrap();
    assert!(matches!(opened, Opened::Existing(..)));
    assert_eq!(checkpoint::clean(root.path(), "d").unwrap(), 0);
    drop(opened);
    assert_eq!(checkpoint::clean(root.path(), "d").unwrap(), 1);
}
