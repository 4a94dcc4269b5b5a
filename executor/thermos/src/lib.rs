//! A task as processes: planner, runner, checkpoints and process supervision.
