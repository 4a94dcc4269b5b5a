//! Joining, leaving, and coming back.

use aurora_zookeeper::testing::{Server, free_port};
use aurora_zookeeper::{Member, State};
use tokio::sync::watch;
use zookeeper_client as zk;

use crate::proxy::Proxy;
use crate::support::{PATIENCE, client, gone, joined, member, server, set, wait};

#[tokio::test]
async fn s75_a_member_has_an_ephemeral_node_until_it_leaves() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let membership = set(&connect, "/joins//www/prod/hello").join(&member(3)).unwrap();
    let path = joined(&mut membership.state()).await;
    assert_eq!(path, "/joins/www/prod/hello/member_0000000000");
    let (data, stat) = client.get_data(&path).await.unwrap();
    assert_eq!(
        String::from_utf8(data).unwrap(),
        r#"{"status": "ALIVE", "additionalEndpoints": {"http": {"host": "box", "port": 31000}}, "serviceEndpoint": {"host": "box", "port": 31000}, "shard": 3}"#
    );
    assert_ne!(stat.ephemeral_owner, 0);
    for parent in ["/joins", "/joins/www", "/joins/www/prod", "/joins/www/prod/hello"] {
        let (acl, stat) = client.get_acl(parent).await.unwrap();
        assert_eq!(stat.ephemeral_owner, 0, "{parent}");
        assert_eq!(acl, zk::Acls::anyone_all().to_vec(), "{parent}");
    }
    let mut state = membership.state();
    membership.leave().await;
    assert_eq!(client.check_stat(&path).await.unwrap(), None);
    assert_eq!(*state.borrow_and_update(), State::Left);
}

#[tokio::test]
async fn a_membership_that_is_dropped_leaves() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let membership = set(&connect, "/dropped").join(&member(0)).unwrap();
    let path = joined(&mut membership.state()).await;
    drop(membership);
    gone(&client, &path).await;
}

#[tokio::test]
async fn paths_are_below_the_root_of_the_ensemble() {
    let connect = server().connect_string();
    let membership = set(&format!("{connect}/rooted/here"), "/svc").join(&member(0)).unwrap();
    let path = joined(&mut membership.state()).await;
    assert_eq!(path, "/rooted/here/svc/member_0000000000");
    membership.leave().await;
}

#[tokio::test]
async fn s75_a_node_that_others_delete_comes_back() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let membership = set(&connect, "/deleted").join(&member(0)).unwrap();
    let mut state = membership.state();
    let first = joined(&mut state).await;
    let began = tokio::time::Instant::now();
    client.delete(&first, None).await.unwrap();
    wait(&mut state, |state| matches!(state, State::Joined(path) if *path != first)).await;
    // About a second, on a machine with a lot to do.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    // A node whose content others change is still there.
    let second = joined(&mut state).await;
    client.set_data(&second, b"x", None).await.unwrap();
    client.delete(&second, None).await.unwrap();
    let third =
        wait(&mut state, |state| matches!(state, State::Joined(path) if *path != second)).await;
    membership.leave().await;
    let State::Joined(third) = third else { panic!("{third:?}") };
    assert_eq!(client.check_stat(&third).await.unwrap(), None);
}

#[tokio::test]
async fn s75_the_set_itself_may_be_deleted() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let membership = set(&connect, "/gone/www/prod/job").join(&member(0)).unwrap();
    let mut state = membership.state();
    let first = joined(&mut state).await;
    client.delete(&first, None).await.unwrap();
    // It may be back already; then the set stays.
    let _ = client.delete("/gone/www/prod/job", None).await;
    wait(&mut state, |state| *state != State::Joined(first.clone())).await;
    let path = joined(&mut state).await;
    assert!(client.check_stat(&path).await.unwrap().is_some());
    membership.leave().await;
}

#[tokio::test]
async fn s75_an_expired_session_is_replaced() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let proxy = Proxy::start(server().address()).await;
    let membership = set(&proxy.address.to_string(), "/expired").join(&member(0)).unwrap();
    let mut state = membership.state();
    let first = joined(&mut state).await;
    proxy.go_dead();
    gone(&client, &first).await;
    proxy.recover();
    let began = tokio::time::Instant::now();
    wait(&mut state, |state| matches!(state, State::Joined(path) if *path != first)).await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(client.list_children("/expired").await.unwrap().len(), 1);
    membership.leave().await;
    assert!(client.list_children("/expired").await.unwrap().is_empty());
}

#[tokio::test]
async fn s75_a_lost_connection_changes_nothing() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let mut proxy = Proxy::start(server().address()).await;
    let membership = set(&proxy.address.to_string(), "/lost").join(&member(0)).unwrap();
    let mut state = membership.state();
    let path = joined(&mut state).await;
    let (_, before) = client.get_data(&path).await.unwrap();
    for _ in 0..3 {
        let so_far = *proxy.connections.borrow();
        proxy.cut();
        wait(&mut proxy.connections, |connections| *connections > so_far).await;
    }
    let (_, after) = client.get_data(&path).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(*state.borrow_and_update(), State::Joined(path.clone()));
    // The connection is found to be lost while leaving, too.
    proxy.cut();
    membership.leave().await;
    gone(&client, &path).await;
}

#[tokio::test]
async fn leaving_does_not_wait_for_a_zookeeper_that_is_away() {
    let proxy = Proxy::start(server().address()).await;
    let membership = set(&proxy.address.to_string(), "/away").join(&member(0)).unwrap();
    let path = joined(&mut membership.state()).await;
    proxy.go_dead();
    let began = tokio::time::Instant::now();
    membership.leave().await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    gone(&client(&server().connect_string()).await, &path).await;
}

#[tokio::test]
async fn s75_a_server_that_starts_late_is_found() {
    let port = free_port().unwrap();
    let membership = set(&format!("127.0.0.1:{port}"), "/late").join(&member(0)).unwrap();
    let mut state = membership.state();
    assert_eq!(*state.borrow(), State::Connecting);
    let server =
        tokio::task::spawn_blocking(move || Server::start_on(port)).await.unwrap().unwrap();
    joined(&mut state).await;
    membership.leave().await;
    drop(server);
}

#[tokio::test]
async fn s75_who_leaves_before_the_connection_does_not_come_later() {
    let port = free_port().unwrap();
    let connect = format!("127.0.0.1:{port}");
    let early = set(&connect, "/early").join(&member(0)).unwrap();
    let mut state = early.state();
    tokio::task::yield_now().await;
    let began = tokio::time::Instant::now();
    early.leave().await;
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    assert_eq!(*state.borrow_and_update(), State::Left);
    let server =
        tokio::task::spawn_blocking(move || Server::start_on(port)).await.unwrap().unwrap();
    // The next that joins is the first that ever was there.
    let next = set(&connect, "/early").join(&member(1)).unwrap();
    assert_eq!(joined(&mut next.state()).await, "/early/member_0000000000");
    assert_eq!(client(&connect).await.list_children("/early").await.unwrap().len(), 1);
    next.leave().await;
    drop(server);
}

#[tokio::test]
async fn who_leaves_while_it_joins_leaves_nothing() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    // Each is stopped a little later than the one before.
    for polls in 0..40 {
        let membership = set(&connect, "/hasty").join(&member(polls)).unwrap();
        for _ in 0..polls * polls {
            tokio::task::yield_now().await;
        }
        membership.leave().await;
        match client.list_children("/hasty").await {
            Ok(children) => assert!(children.is_empty(), "{children:?}"),
            Err(zk::Error::NoNode) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_member_is_there_while_it_is_wanted() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let (want, wanted) = watch::channel(false);
    let membership = set(&connect, "/wanted").join_while(&member(0), wanted).unwrap();
    let mut state = membership.state();
    wait(&mut state, |state| *state == State::Connected).await;
    assert!(client.check_stat("/wanted").await.unwrap().is_none());
    for _ in 0..2 {
        want.send_replace(true);
        let path = joined(&mut state).await;
        assert_eq!(Member::from_json(&client.get_data(&path).await.unwrap().0).unwrap(), member(0));
        want.send_replace(false);
        wait(&mut state, |state| *state == State::Connected).await;
        assert!(client.list_children("/wanted").await.unwrap().is_empty());
    }
    // Nobody can change it any more: it stays as it is.
    drop(want);
    tokio::time::timeout(PATIENCE, membership.leave()).await.unwrap();
}

#[tokio::test]
async fn a_zookeeper_that_has_forgotten_everything_is_joined_anew() {
    let port = free_port().unwrap();
    let start = move || Server::start_on(port).unwrap();
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let membership = set(&server.connect_string(), "/forgotten/job").join(&member(0)).unwrap();
    joined(&mut membership.state()).await;
    let server = tokio::task::spawn_blocking(move || {
        drop(server);
        start()
    });
    let server = server.await.unwrap();
    let client = client(&server.connect_string()).await;
    let node = "/forgotten/job/member_0000000000";
    let coming = async {
        loop {
            let (stat, watcher) = client.check_and_watch_stat(node).await.unwrap();
            if stat.is_some() {
                return;
            }
            watcher.changed().await;
        }
    };
    tokio::time::timeout(PATIENCE, coming).await.unwrap();
    membership.leave().await;
    drop(server);
}
