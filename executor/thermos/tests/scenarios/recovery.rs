//! Runners that die, and others that go on: scenarios 31 to 36.

use std::io::Write as _;
use std::time::Duration;

use aurora_thermos::checkpoint::record::{
    Event, ProcessChange, ProcessEvent, ProcessIdentity, Record,
};
use aurora_thermos::checkpoint::{Writer, frame};
use aurora_thermos::process::tree::{self, boot_id, identify};
use aurora_thermos::state::{ProcessState, TaskState};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::finals::DEAF;
use crate::place::{Place, Runner, ends, orders, process, states, task, wait_until};

fn kill(runner: Runner) {
    runner.signal(Signal::KILL);
    assert_eq!(runner.wait().code, None);
}

/// What runs until it is told to go on, and does not run long a second time.
const ONCE: &str = "[ -e ran ] && exit 0; touch ran; sleep 600; true";

#[test]
fn s31_another_runner_goes_on() {
    let place = Place::new(task([process("m", ONCE, json!({ "min_duration": 1 }))], json!({})));
    let runner = place.start();
    place.wait_for_file("ran");
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    kill(runner);
    let runner = place.start();
    let pid = runner.pid();
    let ended = place.ended(&runner.wait());
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING SUCCESS");
    let runs = ended.runs("m");
    assert_eq!(runs[0].state, ProcessState::Lost);
    assert_eq!(runs[1].state, ProcessState::Success);
    assert_eq!(runs.len(), 2);
    assert!(runs[1].waiting_ms - runs[0].stopped_ms.unwrap() >= 999);
    assert_eq!(ended.header().unwrap().runner.pid, pid);
}

#[test]
fn s31_nothing_is_left_of_what_the_dead_runner_started() {
    let leaves =
        "[ -e ran ] && exit 0; setsid sleep 600 & sleep 600 & (sleep 600 &); touch ran; wait";
    let place = Place::new(task([process("m", leaves, json!({ "min_duration": 0 }))], json!({})));
    let runner = place.start();
    place.wait_for_file("ran");
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    kill(runner);
    wait_until("the shell to end with its runner", || place.left().len() == 3);
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
}

#[test]
fn s31a_final_processes_are_run_again() {
    let last = process("f", ONCE, json!({ "final": true, "min_duration": 0 }));
    let place = Place::new(task([process("m", "true", json!({})), last], json!({})));
    let runner = place.start();
    place.wait_for_file("ran");
    place.wait_for(TaskState::Finalizing, "f", ProcessState::Running);
    kill(runner);
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING SUCCESS");
    assert_eq!(ends(&ended, "m"), "SUCCESS", "it is not run again");
    assert_eq!(ended.runs("f").len(), 2);
    assert_eq!(ended.runs("f")[1].state, ProcessState::Success);
}

#[test]
fn s31_what_a_task_was_told_outlives_its_runner() {
    let last = process("f", "touch last", json!({ "final": true }));
    let place = Place::new(task([process("y", DEAF, json!({})), last], json!({})));
    let runner = place.start();
    place.wait_for_file("deaf");
    runner.signal(Signal::USR1);
    place.wait_for(TaskState::Cleaning, "y", ProcessState::Running);
    kill(runner);
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING KILLED");
    assert_eq!(ended.history().statuses().last().unwrap().reason, "asked to");
    assert_eq!(ended.runs("y").len(), 1);
    assert!(place.path("last").exists());
}

#[test]
fn s31_failures_are_counted_on() {
    let fails = "[ $(wc -l < runs) = 1 ] && { touch second; sleep 600; }; echo >> runs; exit 3";
    let fields = json!({ "max_failures": 2, "min_duration": 0 });
    let place = Place::new(task([process("m", fails, fields)], json!({})));
    std::fs::write(place.path("runs"), "").unwrap();
    let runner = place.start();
    place.wait_for_file("second");
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    kill(runner);
    std::fs::write(place.path("runs"), "\n\n").unwrap();
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert_eq!(ended.runs("m").len(), 3);
    let reason = &ended.history().statuses().last().unwrap().reason;
    assert_eq!(reason, "process \"m\" failed with exit code 3");
}

/// Changes the records of a checkpoint, which stays the same file.
fn rewrite(place: &Place, change: impl FnMut(&mut Record)) {
    let mut records = place.records();
    records.iter_mut().for_each(change);
    let (header, rest) = records.split_first().unwrap();
    let root = place.folder().join("rewritten");
    let mut writer = Writer::create(&root, &place.setup.id, header).unwrap();
    for record in rest {
        writer.append(record).unwrap();
    }
    let written = std::fs::read(writer.path()).unwrap();
    std::fs::write(place.checkpoint(), written).unwrap();
}

/// A process that is none of the task's.
struct Stranger(std::process::Child);

impl Stranger {
    fn new() -> Self {
        Self(std::process::Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        identify(self.0.id().cast_signed()).unwrap()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _collected = self.0.wait();
    }
}

/// Says that the run of `m` was another process, in the boot `boot` unless it was this one.
fn say_it_was(place: &Place, other: ProcessIdentity, boot: Option<&str>) {
    rewrite(place, |record| match &mut record.event {
        Event::Header(header) => {
            header.boot_id = boot.map_or_else(|| header.boot_id.clone(), str::to_owned);
        }
        Event::Process(ProcessEvent { change: ProcessChange::Running(identity), .. }) => {
            *identity = other;
        }
        _ => {}
    });
}

#[test]
fn s51_after_a_reboot_no_id_means_anything() {
    let (place, mut stranger) = (interrupted(), Stranger::new());
    say_it_was(&place, stranger.identity(), Some("another"));
    let ended = place.run();
    assert!(
        stranger.0.try_wait().unwrap().is_none(),
        "it lives, though it is the same to the tick"
    );
    assert_eq!(ends(&ended, "m"), "LOST SUCCESS");
    assert_eq!(ended.header().unwrap().boot_id, boot_id().unwrap());
}

#[test]
fn s51_whoever_has_the_id_of_a_lost_process_is_left_alone() {
    let (place, mut stranger) = (interrupted(), Stranger::new());
    let its = stranger.identity();
    say_it_was(&place, ProcessIdentity { start_ticks: its.start_ticks - 1, ..its }, None);
    let ended = place.run();
    assert!(stranger.0.try_wait().unwrap().is_none());
    assert_eq!(ends(&ended, "m"), "LOST SUCCESS");
}

#[test]
fn s51_a_shell_that_is_left_ends_with_its_session() {
    let place = interrupted();
    // As a process that has cleared its environment and is not tied to the runner any more.
    let mut command = std::process::Command::new("setsid");
    let shell = command.args(["bash", "-c", "sleep 600 & wait"]).env_clear().spawn().unwrap();
    let mut shell = Stranger(shell);
    let its = shell.identity();
    wait_until("it to lead its session", || {
        tree::stat(its.pid).is_ok_and(|stat| stat.session == its.pid)
            && !tree::descendants(its.pid).unwrap().found.is_empty()
    });
    let below = tree::descendants(its.pid).unwrap().found;
    say_it_was(&place, its, None);
    place.run();
    assert!(shell.0.try_wait().unwrap().is_some());
    assert!(below.iter().all(|process| !tree::is_alive(process.identity)));
}

#[test]
fn s33_a_task_has_one_runner() {
    let waits = "until [ -e go ]; do sleep 0.05; done";
    let place = Place::new(task([process("m", waits, json!({}))], json!({})));
    let first = place.start();
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    let second = place.start().wait();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("is being run by another process"), "{}", second.stderr);
    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended(&first.wait());
    assert_eq!(ends(&ended, "m"), "SUCCESS");
}

#[test]
fn s34_a_task_that_has_ended_has_ended() {
    let place = Place::new(task([process("m", "exit 1", json!({}))], json!({})));
    let ended = place.run();
    let length = || std::fs::metadata(place.checkpoint()).unwrap().len();
    let before = length();
    assert_eq!(place.run().history(), ended.history());
    assert_eq!(length(), before);
}

#[test]
fn s35_another_task_of_the_same_id_is_refused() {
    let waits = "until [ -e go ]; do sleep 0.05; done";
    let mut place = Place::new(task([process("m", waits, json!({}))], json!({})));
    let first = place.start();
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    let own = std::mem::replace(
        &mut place.setup.task,
        task([process("m", "true", json!({}))], json!({})),
    );
    let second = place.start().wait();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("differs from its copy on disk"), "{}", second.stderr);
    place.setup.task = own;
    std::fs::write(place.path("go"), "").unwrap();
    assert_eq!(ends(&place.ended(&first.wait()), "m"), "SUCCESS");
}

/// A task whose runner has died while `m` ran.
fn interrupted() -> Place {
    let place = Place::new(task([process("m", ONCE, json!({ "min_duration": 0 }))], json!({})));
    let runner = place.start();
    place.wait_for_file("ran");
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    kill(runner);
    place
}

#[test]
fn s36_a_torn_end_is_cut_off() {
    let place = interrupted();
    let file = std::fs::File::options().append(true).open(place.checkpoint()).unwrap();
    file.set_len(file.metadata().unwrap().len() - 3).unwrap();
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(ended.runs("m").len(), 2);
    assert_eq!(ended.runs("m")[0].process, None, "its start was torn");
}

#[test]
fn s36_damage_is_refused() {
    let place = interrupted();
    let mut longer = Vec::new();
    frame::encode(&[0; 30], &mut longer).unwrap();
    longer[..4].fill(0xff);
    let mut file = std::fs::File::options().append(true).open(place.checkpoint()).unwrap();
    file.write_all(&longer).unwrap();
    let length = file.metadata().unwrap().len();
    let ended = place.start().wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is damaged: corrupt at offset"), "{}", ended.stderr);
    assert_eq!(file.metadata().unwrap().len(), length);
}

#[test]
fn what_cannot_be_written_down_does_not_go_on() {
    let daemon = json!({ "daemon": true, "min_duration": 0 });
    let held = "[ -e enough ] && exit; setsid sleep 600 & touch ready; wait";
    let place = Place::new(task(
        [
            process("d", "until [ -e ready ]; do sleep 0.01; done", daemon),
            process("m", held, json!({ "min_duration": 0 })),
        ],
        json!({}),
    ));
    let ended = place.start_with_small_files(2).wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("failed to append to"), "{}", ended.stderr);
    assert_eq!(place.left(), Vec::<i32>::new(), "nothing runs that nobody can account for");
    // With room for it the next runner goes on, behind what fitted.
    let before = place.task();
    assert_eq!(before.state(), Some(TaskState::Active));
    std::fs::write(place.path("enough"), "").unwrap();
    let ended = place.run();
    assert_eq!(ends(&ended, "m"), "LOST SUCCESS");
    assert!(ended.runs("d").len() >= before.runs("d").len());
}

/// Numbers that look random, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Twenty processes in some order, one of which fails, with two final ones.
fn twenty() -> Value {
    let mut processes: Vec<Value> = (0..18)
        .map(|number| {
            let command = match number {
                7 => "sleep 0.02; exit 1",
                n if n % 3 == 0 => "(setsid sleep 0.2 &); sleep 0.01",
                n if n % 3 == 1 => "sleep 0.05 & wait",
                _ => "true",
            };
            process(&format!("p{number:02}"), command, json!({ "min_duration": 0 }))
        })
        .collect();
    for name in ["f1", "f2"] {
        processes.push(process(name, "sleep 0.02", json!({ "final": true, "min_duration": 0 })));
    }
    let mut fields =
        orders(&[&["p00", "p01", "p02", "p03"], &["p04", "p05", "p06"], &["f1", "f2"]]);
    fields["max_failures"] = 2.into();
    fields["max_concurrency"] = 6.into();
    task(processes, fields)
}

#[test]
fn s32_a_runner_that_is_killed_at_any_moment_leaves_nothing_unaccounted() {
    const KILLS: usize = 200;
    const KILLS_OF_ONE: usize = 20;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut kills = 0;
    while kills < KILLS {
        let place = Place::new(twenty());
        let mut of_one = 0;
        let ended = loop {
            let runner = place.start();
            if of_one < KILLS_OF_ONE && kills < KILLS {
                // A moment of the task, unless it ends before.
                runner.ends_within(Duration::from_micros(numbers.below(120_000)));
                runner.signal(Signal::KILL);
            }
            let ended = runner.wait();
            if ended.code.is_some() {
                break ended;
            }
            (of_one, kills) = (of_one + 1, kills + 1);
        };
        let task = place.ended(&ended);
        assert_eq!(states(&task), "ACTIVE CLEANING FINALIZING SUCCESS");
        for name in task.process_names() {
            let runs = task.runs(&name);
            let (last, before) = runs.split_last().unwrap();
            let expected = if name == "p07" { ProcessState::Failed } else { ProcessState::Success };
            assert_eq!(last.state, expected, "{name}");
            for run in before {
                assert_eq!(run.state, ProcessState::Lost, "{name} ended twice: {runs:?}");
            }
        }
    }
}
