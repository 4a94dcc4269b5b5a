//! How large an update may be: it is written down whole, and looked at again and again.

use std::collections::BTreeSet;
use std::fmt::Write;

use aurora_model::update::{JobUpdateRequest, UpdateInstructions, UpdateStrategy};

use crate::input::RequestError;

/// Ranges of instances that a request may name.
const MAX_SCOPE_RANGES: usize = 5_000;

/// Sizes of batches that a request may name.
const MAX_GROUP_SIZES: usize = 1_000;

/// Entries of metadata that a request may have.
const MAX_METADATA: usize = 1_000;

/// How large these may be together, in bytes.
const MAX_METADATA_BYTES: usize = 64 << 10;

/// How large the descriptions of tasks may be together that an update must remember to undo what it
/// does, in bytes. One record of the log holds them all, as the tests of `aurora-scheduler-storage`
/// show.
const MAX_CONFIG_BYTES: usize = 64 << 20;

/// Refuses what is too large before it is looked at.
pub(super) fn check_request(request: &JobUpdateRequest) -> Result<(), RequestError> {
    check("ranges of instances", request.settings.only_instances.len(), MAX_SCOPE_RANGES)?;
    if let UpdateStrategy::VariableBatch { group_sizes, .. } = &request.settings.strategy {
        check("sizes of batches", group_sizes.len(), MAX_GROUP_SIZES)?;
    }
    check_metadata(&request.metadata)
}

fn check_metadata(metadata: &BTreeSet<(String, String)>) -> Result<(), RequestError> {
    check("entries of metadata", metadata.len(), MAX_METADATA)?;
    let bytes = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    check("bytes of metadata", bytes, MAX_METADATA_BYTES)
}

/// Refuses an update of a job whose instances are too many different things.
pub(super) fn check_configs(instructions: &UpdateInstructions) -> Result<(), RequestError> {
    let mut room = Room(MAX_CONFIG_BYTES);
    let mut configs = instructions.initial.iter().chain(&instructions.desired);
    // All of each counts, and rather more than in the log, as names and quotes do.
    if configs.all(|config| write!(room, "{:?}", config.task).is_ok()) {
        return Ok(());
    }
    Err(RequestError::invalid(format!(
        "the instances that the update changes are of {} configurations, whose descriptions are more \
         than {MAX_CONFIG_BYTES} bytes long together: update some instances at a time",
        instructions.initial.len()
    )))
}

/// So many bytes of text have room in it. Nothing is kept, and it is over with what does not fit.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}

fn check(what: &str, count: usize, max: usize) -> Result<(), RequestError> {
    if count <= max {
        return Ok(());
    }
    Err(RequestError::invalid(format!("the update has {count} {what}; at most {max} are allowed")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aurora_model::job::{Constraint, ConstraintRule, TaskConfig, TaskResources};
    use aurora_model::key::JobKey;
    use aurora_model::update::{InstanceConfig, UpdateSettings};

    use super::*;

    #[test]
    fn whatever_is_long_of_a_task_counts() {
        let key = JobKey::new("www", "prod", "web").unwrap();
        let plain = TaskConfig::plain(key, "me", TaskResources::default());
        let long = || "x".repeat(MAX_CONFIG_BYTES);
        let value = ConstraintRule::Value { negated: false, values: [long()].into() };
        let constraint = Constraint { attribute: "rack".to_owned(), rule: value };
        let resources = TaskResources { ports: [long()].into(), ..TaskResources::default() };
        let all = [
            TaskConfig { constraints: [constraint].into(), ..plain.clone() },
            TaskConfig { resources, ..plain.clone() },
            TaskConfig { contact_email: Some(long()), ..plain.clone() },
            TaskConfig { metadata: [("a".to_owned(), long())].into(), ..plain.clone() },
        ];
        let instructions = |task: TaskConfig| UpdateInstructions {
            initial: vec![InstanceConfig { task: Arc::new(task), instances: Vec::new() }],
            desired: None,
            surge: None,
            settings: UpdateSettings::default(),
        };
        assert_eq!(check_configs(&instructions(plain)), Ok(()));
        for task in all {
            let refused = check_configs(&instructions(task)).unwrap_err();
            assert!(refused.message.contains("update some instances at a time"), "{refused}");
        }
    }
}
