//! The state table, beside a second transcription of the specification's.

use aurora_model::job::TaskState;
use aurora_scheduler_core::table::{Action, Verdict, verdict};

/// `scheduler.md` 3.2 with its quirks of PARTITIONED mended, row by row: the state, then each allowed target with its effects. SAVE_STATE
/// is implied unless the target has a `-`. `DELETED` is "not in the store".
const SPECIFICATION: &str = "
INIT: PENDING, THROTTLED
THROTTLED: PENDING; KILLING -D
PENDING: ASSIGNED; KILLING -D
ASSIGNED: STARTING; RUNNING; FINISHED S; FAILED F; RESTARTING K; DRAINING K; PREEMPTING K; KILLING K; KILLED R; LOST R K; PARTITIONED
STARTING: RUNNING; FINISHED S; FAILED F; RESTARTING K; DRAINING K; PREEMPTING K; KILLING K; KILLED R; LOST R; PARTITIONED
RUNNING: FINISHED S; FAILED F; RESTARTING K; DRAINING K; PREEMPTING K; KILLING K; KILLED R; LOST R; PARTITIONED
PARTITIONED: RUNNING; STARTING; ASSIGNED; FINISHED S; FAILED F; KILLED R; LOST U K; RESTARTING L; DRAINING L; PREEMPTING L; KILLING L
PREEMPTING: FINISHED R; FAILED R; KILLED R; LOST K R; PARTITIONED L; KILLING
RESTARTING: FINISHED R; FAILED R; KILLED R; LOST K R; PARTITIONED L; KILLING
DRAINING: FINISHED R; FAILED R; KILLED R; LOST K R; PARTITIONED L; KILLING
KILLING: FINISHED; FAILED; KILLED; LOST; PARTITIONED L; DELETED -D
FINISHED: DELETED -D
FAILED: DELETED -D
KILLED: DELETED -D
LOST: DELETED -D
DELETED:
";

fn state(name: &str) -> Option<TaskState> {
    (name != "DELETED").then(|| name.parse().unwrap())
}

fn action(letter: &str) -> Action {
    match letter {
        "K" => Action::Kill,
        "R" => Action::Reschedule,
        "U" => Action::RescheduleUnlessKilled,
        "S" => Action::RescheduleService,
        "F" => Action::CountFailure,
        "D" => Action::Delete,
        "L" => Action::GoLost,
        other => panic!("unknown effect {other}"),
    }
}

#[test]
fn every_pair_of_states_is_as_specified() {
    let mut targets: Vec<Option<TaskState>> = TaskState::ALL.into_iter().map(Some).collect();
    targets.push(None);
    let mut rows = 0;
    let mut allowed = 0;
    for line in SPECIFICATION.trim().lines() {
        let (from, rest) = line.split_once(':').unwrap();
        let from = state(from);
        rows += 1;
        let mut expected = Vec::new();
        for target in rest.split([';', ',']).map(str::trim).filter(|text| !text.is_empty()) {
            let mut words = target.split_whitespace();
            let to = state(words.next().unwrap());
            let mut actions = Vec::new();
            let mut saves = true;
            for word in words {
                if let Some(letter) = word.strip_prefix('-') {
                    saves = false;
                    actions.push(action(letter));
                } else {
                    actions.push(action(word));
                }
            }
            if saves {
                actions.push(Action::Save);
            }
            actions.sort();
            expected.push((to, actions));
        }
        for to in &targets {
            let got = verdict(from, *to);
            if from == *to {
                assert_eq!(got, Verdict::Already);
                continue;
            }
            match expected.iter().find(|(target, _)| target == to) {
                Some((_, actions)) => {
                    let Verdict::Go(found) = got else { panic!("{from:?} to {to:?}: {got:?}") };
                    let mut found = found.to_vec();
                    found.sort();
                    assert_eq!(&found, actions, "{from:?} to {to:?}");
                    allowed += 1;
                }
                None => {
                    // "From PREEMPTING, RESTARTING, DRAINING, KILLING, from any terminal state and
                    // from DELETED, a request to ASSIGNED, STARTING or RUNNING emits K."
                    let over = from.is_none_or(|state| {
                        [
                            "PREEMPTING",
                            "RESTARTING",
                            "DRAINING",
                            "KILLING",
                            "FINISHED",
                            "FAILED",
                            "KILLED",
                            "LOST",
                        ]
                        .contains(&state.name())
                    });
                    let runs = to
                        .is_some_and(|to| ["ASSIGNED", "STARTING", "RUNNING"].contains(&to.name()));
                    let kill: &[Action] = if over && runs { &[Action::Kill] } else { &[] };
                    assert_eq!(got, Verdict::Illegal(kill), "{from:?} to {to:?}");
                }
            }
        }
    }
    assert_eq!((rows, allowed), (16, 75));
}
