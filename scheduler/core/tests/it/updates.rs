//! Updates of jobs, told as stories by the sections of `updates.md`.

use aurora_model::update::UpdateStatus;

use crate::updates_world::queue;
use crate::world::World;

#[test]
fn an_update_goes_from_instance_to_instance() {
    let mut world = World::with_web(3);
    world.started(3, queue(1));
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    assert_eq!(world.web(), ["0:v1:KILLING", "1:v1:RUNNING", "2:v1:RUNNING"]);
    world.run_all();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING", "2:v2:RUNNING"]);
    assert_eq!(
        world.instance_events(),
        ["0:UPDATING", "0:UPDATED", "1:UPDATING", "1:UPDATED", "2:UPDATING", "2:UPDATED"]
    );
}
