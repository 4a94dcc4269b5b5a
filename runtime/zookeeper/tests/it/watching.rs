//! Following who is part of a set.

use aurora_zookeeper::testing::digest;
use aurora_zookeeper::{Freshness, View};
use zookeeper_client as zk;

use crate::proxy::Proxy;
use crate::support::{client, joined, member, server, set, wait};

fn shards(view: &View) -> Vec<i64> {
    view.members.values().filter_map(|member| member.shard).collect()
}

#[tokio::test]
async fn who_comes_and_goes_is_seen() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let set = set(&connect, "/seen/www/job");
    // Before there is such a set.
    let membership = set.watch();
    let mut view = membership.view();
    wait(&mut view, |view| view.freshness == Freshness::Current).await;
    assert!(view.borrow().members.is_empty());
    let first = set.join(&member(0)).unwrap();
    wait(&mut view, |view| shards(view) == [0]).await;
    let second = set.join(&member(1)).unwrap();
    let seen = wait(&mut view, |view| shards(view) == [0, 1]).await;
    assert_eq!(seen.members.get("member_0000000001"), Some(&member(1)));
    // What is no member is left out.
    let open = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    for (name, data) in [("member_junk", "junk"), ("other", "{}")] {
        client.create(&format!("/seen/www/job/{name}"), data.as_bytes(), &open).await.unwrap();
    }
    first.leave().await;
    wait(&mut view, |view| shards(view) == [1]).await;
    second.leave().await;
    wait(&mut view, |view| view.members.is_empty()).await;
}

#[tokio::test]
async fn what_was_seen_last_stays_while_zookeeper_is_away() {
    let connect = server().connect_string();
    let proxy = Proxy::start(server().address()).await;
    let first = set(&connect, "/unseen").join(&member(0)).unwrap();
    joined(&mut first.state()).await;
    let membership = set(&proxy.address.to_string(), "/unseen").watch();
    let mut view = membership.view();
    wait(&mut view, |view| shards(view) == [0]).await;
    proxy.go_dead();
    wait(&mut view, |view| view.freshness == Freshness::Stale).await;
    let second = set(&connect, "/unseen").join(&member(1)).unwrap();
    joined(&mut second.state()).await;
    first.leave().await;
    assert_eq!(shards(&view.borrow()), [0]);
    proxy.recover();
    wait(&mut view, |view| shards(view) == [1] && view.freshness == Freshness::Current).await;
    second.leave().await;
}

#[tokio::test]
async fn a_set_with_a_member_that_cannot_be_read_is_incomplete_until_it_can() {
    let connect = server().connect_string();
    let set = set(&connect, "/hidden");
    let open = set.join(&member(0)).unwrap();
    joined(&mut open.state()).await;
    let admin = zk::Client::connector().with_auth("digest", b"admin:x");
    let admin = admin.connect(&connect).await.unwrap();
    let only_admin =
        [zk::Acl::new(zk::Permission::ALL, zk::AuthId::new("digest", &digest("admin", "x")))];
    let node = zk::CreateMode::EphemeralSequential.with_acls(zk::Acls::new(&only_admin));
    admin.create("/hidden/member_", &member(1).to_json().unwrap(), &node).await.unwrap();
    let membership = set.watch();
    let mut view = membership.view();
    let seen = wait(&mut view, |view| view.freshness != Freshness::Unknown).await;
    let why = "failed to read member_0000000001: not authorized".to_owned();
    assert_eq!(seen.freshness, Freshness::Incomplete(why));
    assert_eq!(shards(&seen), [0]);
    // What others come to see is no change of the set.
    admin.set_acl("/hidden/member_0000000001", &zk::Acls::anyone_all(), None).await.unwrap();
    let seen = wait(&mut view, |view| view.freshness == Freshness::Current).await;
    assert_eq!(shards(&seen), [0, 1]);
    open.leave().await;
}

#[tokio::test]
async fn a_large_set_is_seen_whole() {
    let connect = server().connect_string();
    let client = client(&connect).await;
    let open = zk::Acls::anyone_all();
    let parent = zk::CreateMode::Persistent.with_acls(open);
    client.create("/large", b"", &parent).await.unwrap();
    let node = zk::CreateMode::EphemeralSequential.with_acls(open);
    let all = (0..1000).map(|shard| {
        let json = member(shard).to_json().unwrap();
        client.create("/large/member_", &json, &node)
    });
    for created in futures::future::join_all(all).await {
        created.unwrap();
    }
    let membership = set(&connect, "/large").watch();
    let seen = wait(&mut membership.view(), |view| view.freshness == Freshness::Current).await;
    assert_eq!(shards(&seen), (0..1000).collect::<Vec<_>>());
}
