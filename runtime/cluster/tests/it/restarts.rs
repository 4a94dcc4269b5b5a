use std::time::Duration;

use aurora_cluster::resources::Resources;
use aurora_mesos::executor;
use aurora_mesos::v1;
use aurora_mesos::v1::TaskState::{self, TaskFinished, TaskRunning};
use aurora_mesos::v1::scheduler::{Call, call, event};

use crate::support::{FREE, Framework, start_agent, start_master};

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_comes_back_hears_at_once_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (master, _stop) = start_master(folder.path(), FREE).await;
    let (agent, _stop) = start_agent(folder.path(), master.addr(), FREE).await;
    let mut framework = Framework::subscribe(master.addr(), None).await;
    let mut executor = framework.launch(agent.addr()).await;
    let id = framework.id.clone();
    drop(framework);
    executor.send(TaskFinished);
    executor.acknowledged().await;

    let mut framework = Framework::subscribe(master.addr(), Some(&id)).await;
    let finished = framework.update().await;
    assert_eq!((finished.state(), framework.id.as_str()), (TaskFinished, id.as_str()));
    framework.acknowledge(finished).await;
    agent.shutdown_executors(Duration::ZERO).await;
    assert_eq!(framework.event(event::Type::Failure).await.failure.unwrap().status, Some(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_while_its_agent_is_away_has_not_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (master, _stop) = start_master(folder.path(), FREE).await;
    let (agent, stop) = start_agent(folder.path(), master.addr(), FREE).await;
    let address = agent.addr();
    let mut framework = Framework::subscribe(master.addr(), None).await;
    let executor = framework.launch(address).await;
    stop.cancel();
    agent.wait().await.unwrap();
    executor.send(TaskFinished);

    let (agent, _stop) = start_agent(folder.path(), master.addr(), address).await;
    let mut told = Vec::new();
    while told.last() != Some(&TaskFinished) {
        // The first again, if its acknowledgement had not reached the agent before it ended.
        let update = framework.update().await;
        told.push(update.state());
        framework.acknowledge(update).await;
    }
    told.dedup();
    assert!([&[TaskFinished][..], &[TaskRunning, TaskFinished]].contains(&&*told), "{told:?}");
    agent.shutdown_executors(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_is_told_what_runs_and_can_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let (master, stop) = start_master(folder.path(), FREE).await;
    let address = master.addr();
    let (agent, _stop) = start_agent(folder.path(), address, FREE).await;
    let mut framework = Framework::subscribe(address, None).await;
    let mut executor = framework.launch(agent.addr()).await;
    stop.cancel();
    master.wait().await.unwrap();

    let (_master, _stop) = start_master(folder.path(), address).await;
    framework.subscribed().await;
    let offer = framework.offer().await;
    let cpus = Resources::parse("cpus:1").unwrap();
    let free = Resources::of(&offer.resources);
    assert!(free.covers(&cpus) && !free.covers(&cpus.plus(&cpus)), "{free:?}");
    let kill = call::Kill {
        task_id: v1::TaskId { value: "task".to_owned() },
        agent_id: None,
        kill_policy: None,
    };
    framework
        .send(Call { r#type: Some(call::Type::Kill as i32), kill: Some(kill), ..Call::default() })
        .await;
    executor.event(|event| matches!(event, executor::SessionEvent::Kill { .. })).await;
    executor.send(TaskState::TaskKilled);
    let killed = framework.update().await;
    assert_eq!(killed.state(), TaskState::TaskKilled);
    framework.acknowledge(killed).await;
    agent.shutdown_executors(Duration::ZERO).await;
}
