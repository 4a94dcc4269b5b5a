//! Ensembles of several servers.

use aurora_zookeeper::State;
use aurora_zookeeper::testing::Server;

use crate::support::{client, joined, member, set, wait};

#[tokio::test]
async fn a_member_outlives_the_leader_of_the_ensemble() {
    let servers = tokio::task::spawn_blocking(|| Server::start_ensemble(3));
    let mut servers = servers.await.unwrap().unwrap();
    let connect: Vec<String> = servers.iter().map(Server::connect_string).collect();
    let connect = connect.join(",");
    let set = set(&connect, "/aurora/www/prod/job");
    let membership = set.join(&member(0)).unwrap();
    let watch = set.watch();
    let mut view = watch.view();
    let mut state = membership.state();
    joined(&mut state).await;
    wait(&mut view, |view| view.members.len() == 1).await;
    let leads = |server: &Server| server.mode().unwrap().as_deref() == Some("leader");
    let leader = servers.iter().position(leads).unwrap();
    let leader = servers.remove(leader);
    tokio::task::spawn_blocking(move || drop(leader)).await.unwrap();
    // Who joins now joins what the others have elected.
    let second = set.join(&member(1)).unwrap();
    joined(&mut second.state()).await;
    wait(&mut view, |view| view.members.len() == 2).await;
    let State::Joined(path) = state.borrow_and_update().clone() else { panic!("not joined") };
    let client = client(&connect).await;
    assert!(client.check_stat(&path).await.unwrap().is_some());
    membership.leave().await;
    second.leave().await;
    wait(&mut view, |view| view.members.is_empty()).await;
}
