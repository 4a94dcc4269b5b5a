//! The tables of updates against a second transcription of `updates.md`.

use aurora_model::job::TaskState;
use aurora_model::update::{UpdateStatus, UpdateStrategy};
use aurora_scheduler_core::{
    ActionVerdict, Need, Observed, UpdateAction, group_size, judge, may_go, on_action,
};

/// Section 4, row by row.
const MOVES: [(&str, &str); 6] = [
    (
        "ROLLING_FORWARD",
        "ROLLING_BACK ROLL_FORWARD_PAUSED ROLL_FORWARD_AWAITING_PULSE ROLLED_FORWARD ABORTED FAILED \
         ERROR",
    ),
    ("ROLLING_BACK", "ROLL_BACK_PAUSED ROLL_BACK_AWAITING_PULSE ROLLED_BACK ABORTED FAILED ERROR"),
    (
        "ROLL_FORWARD_PAUSED",
        "ROLLING_BACK ROLLING_FORWARD ROLL_FORWARD_AWAITING_PULSE ABORTED ERROR",
    ),
    ("ROLL_BACK_PAUSED", "ROLLING_BACK ROLL_BACK_AWAITING_PULSE ABORTED ERROR"),
    (
        "ROLL_FORWARD_AWAITING_PULSE",
        "ROLLING_BACK ROLLING_FORWARD ROLL_FORWARD_PAUSED ABORTED ERROR",
    ),
    ("ROLL_BACK_AWAITING_PULSE", "ROLLING_BACK ROLL_BACK_PAUSED ABORTED ERROR"),
];

#[test]
fn section_4_updates_go_where_the_table_says() {
    for from in UpdateStatus::ALL {
        let row = MOVES.iter().find(|(status, _)| *status == from.name());
        let targets: Vec<&str> = row.map_or(vec![], |(_, targets)| targets.split(' ').collect());
        assert_eq!(targets.is_empty(), from.is_terminal());
        for to in UpdateStatus::ALL {
            assert_eq!(may_go(from, to), targets.contains(&to.name()), "{from} to {to}");
        }
    }
}

#[test]
fn section_5_users_may_do_what_the_table_says() {
    let is_paused = |status: UpdateStatus| status.name().ends_with("PAUSED");
    let way =
        |status: UpdateStatus| if status.name().contains("BACK") { "BACK" } else { "FORWARD" };
    for from in UpdateStatus::ALL {
        for action in UpdateAction::ALL {
            for lacks_pulse in [false, true] {
                let name = match action {
                    _ if from.is_terminal() => None,
                    UpdateAction::Pause => Some(format!("ROLL_{}_PAUSED", way(from))),
                    UpdateAction::Resume => {
                        let expected = match lacks_pulse {
                            true => format!("ROLL_{}_AWAITING_PULSE", way(from)),
                            false => format!("ROLLING_{}", way(from)),
                        };
                        (is_paused(from) || expected == from.name()).then_some(expected)
                    }
                    UpdateAction::Abort => Some("ABORTED".to_owned()),
                    UpdateAction::RollBack => Some("ROLLING_BACK".to_owned()),
                };
                let expected = match name {
                    None => ActionVerdict::Refused,
                    Some(name) if name == from.name() => ActionVerdict::Already,
                    Some(name) => ActionVerdict::Go(name.parse().unwrap()),
                };
                let found = on_action(action, from, lacks_pulse);
                assert_eq!(found, expected, "{action} in {from}, without pulse: {lacks_pulse}");
                if let ActionVerdict::Go(to) = found {
                    assert!(may_go(from, to), "{from} to {to}");
                }
            }
        }
    }
}

#[test]
fn section_7_instances_need_what_the_table_says() {
    for is_there in [true, false] {
        let nothing = judge(is_there, None, 1000);
        assert_eq!(nothing, if is_there { Need::Add } else { Need::Nothing });
        for state in TaskState::ALL.into_iter().filter(|state| state.is_active()) {
            let killable = state != TaskState::Killing;
            for (is_wanted, since_ms) in [(true, 999), (true, 1000), (false, 0), (false, 5000)] {
                let expected = match (is_there, is_wanted) {
                    (true, true) if state == TaskState::Running => match since_ms {
                        1000 => Need::Nothing,
                        _ => Need::Watch(1),
                    },
                    (true, true) => Need::Await,
                    _ if killable => Need::Kill,
                    _ => Need::Await,
                };
                let observed = Some(Observed { is_wanted, state, since_ms });
                assert_eq!(judge(is_there, observed, 1000), expected, "{is_there} {observed:?}");
            }
        }
    }
    // 0 trusts that what runs is good, even when a clock has gone back.
    let observed =
        |since_ms| Some(Observed { is_wanted: true, state: TaskState::Running, since_ms });
    assert_eq!(judge(true, observed(0), 0), Need::Nothing);
    assert_eq!(judge(true, observed(-5), 0), Need::Watch(5));
}

/// The sizes of all batches of an update of so many instances.
fn batches(strategy: &UpdateStrategy, back: bool, count: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut done = 0;
    while done < count {
        let size = group_size(strategy, back, done, count - done, 0);
        assert!(size > 0 && group_size(strategy, back, done, count - done, 1) == 0);
        sizes.push(size);
        done += size;
    }
    sizes
}

#[test]
fn section_8_groups_are_as_large_as_their_strategy_says() {
    let queue = UpdateStrategy::Queue { group_size: 3 };
    for (waiting, working, expected) in [(9, 0, 3), (9, 2, 1), (9, 3, 0), (9, 4, 0), (2, 0, 2)] {
        assert_eq!(group_size(&queue, false, 0, waiting, working), expected);
        assert_eq!(group_size(&queue, true, 0, waiting, working), expected);
    }
    let batch = UpdateStrategy::Batch { group_size: 3, autopause_after_batch: false };
    assert_eq!(batches(&batch, false, 7), [3, 3, 1]);
    let variable = |sizes: &[u32]| UpdateStrategy::VariableBatch {
        group_sizes: sizes.to_vec(),
        autopause_after_batch: false,
    };
    for (sizes, count, forward) in [
        (&[1, 2, 4][..], 13, &[1, 2, 4, 4, 2][..]),
        (&[1, 2, 4], 7, &[1, 2, 4]),
        (&[1, 2, 4], 2, &[1, 1]),
        (&[5, 1], 8, &[5, 1, 1, 1]),
        (&[10], 3, &[3]),
        (&[u32::MAX, u32::MAX], 3, &[3]),
    ] {
        assert_eq!(batches(&variable(sizes), false, count), forward, "{sizes:?}");
        // The way back has the same batches, the last one first.
        let mut back = batches(&variable(sizes), true, count);
        back.reverse();
        assert_eq!(back, forward, "{sizes:?} back");
    }
}
