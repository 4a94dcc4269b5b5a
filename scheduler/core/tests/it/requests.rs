//! Requests that come more than once.

use aurora_model::key::{JobKey, RequestId};
use aurora_scheduler_core::{
    ErrorKind, Op, RecordedResponse, Request, Response, State, UpdateAction, UpdateRequest,
};

use crate::updates_world::queue;
use crate::world::{World, job};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn kill(name: &str) -> Request {
    let job = JobKey::new("www", "prod", name).unwrap();
    Request::KillTasks { job, instances: [].into(), message: None }
}

/// Nothing has been done.
fn is_refused(world: &mut World, id: &str, request: Request) {
    let refused = world.ask_as(Some(id), request).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::RequestIdReused, "{refused}");
    assert!(refused.message.contains(&format!("{id:?}")), "{refused}");
    assert!(world.log.last().unwrap().is_empty(), "{refused}");
}

#[test]
fn an_id_is_good_for_one_request_only() {
    let mut world = World::registered();
    for name in ["a", "b"] {
        world.create(job(name, 1, true)).unwrap();
    }
    let first = world.ask_as(Some("id"), kill("a")).unwrap();
    // What has the same kind of answer is another request all the same.
    is_refused(&mut world, "id", kill("b"));
    is_refused(&mut world, "id", Request::CreateJob(Box::new(job("c", 1, true))));
    assert_eq!(world.tasks("b").len(), 1);
    world.restart();
    world.register();
    is_refused(&mut world, "id", kill("b"));
    assert_eq!(world.ask_as(Some("id"), kill("a")).unwrap(), first);
    world.ask_as(Some("other"), kill("b")).unwrap();
}

#[test]
fn an_update_that_was_paused_under_an_id_is_not_aborted_under_it() {
    let mut world = World::with_web(2);
    let key = world.started(2, queue(1));
    let act =
        |action| Request::Update(UpdateRequest::Act { key: key.clone(), action, message: None });
    world.ask_as(Some("id"), act(UpdateAction::Pause)).unwrap();
    let paused = world.at();
    is_refused(&mut world, "id", act(UpdateAction::Abort));
    is_refused(&mut world, "id", act(UpdateAction::Resume));
    assert_eq!(world.at(), paused);
}

#[test]
fn a_request_that_was_written_down_without_what_it_was_is_repeated_as_before() {
    let op = Op::PutRequest {
        id: RequestId::new("id").unwrap(),
        fingerprint: None,
        at: None,
        response: RecordedResponse::Killed { instances: vec![4] },
    };
    let mut state = State::default();
    state.apply(&op).unwrap();
    let mut world = World::registered();
    world.take_over(state);
    world.register();
    world.create(job("a", 1, true)).unwrap();
    let answer = world.ask_as(Some("id"), kill("a")).unwrap();
    assert_eq!(answer, Response::Killed { instances: vec![4] });
    assert_eq!(world.tasks("a").len(), 1, "nothing was killed");
}

#[test]
fn an_id_is_free_again_when_others_have_come_a_day_later() {
    let mut world = World::registered();
    for name in ["a", "b"] {
        world.create(job(name, 1, true)).unwrap();
    }
    world.ask_as(Some("id"), kill("a")).unwrap();
    world.wait(DAY_MS + 1);
    is_refused(&mut world, "id", kill("b"));
    world.ask_as(Some("other"), kill("none")).unwrap();
    let snapshot: Vec<Op> = world.scheduler.state().to_ops().collect();
    let mut restored = State::default();
    snapshot.iter().for_each(|op| restored.apply(op).unwrap());
    assert_eq!(restored, *world.scheduler.state(), "times are kept");
    world.ask_as(Some("id"), kill("b")).unwrap();
    assert!(world.tasks("b").is_empty());
}
