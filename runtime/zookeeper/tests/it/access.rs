//! Who may do what.

use aurora_zookeeper::testing::{Options, Server, digest};
use aurora_zookeeper::{Access, Ensemble, NodePath, State};
use zookeeper_client as zk;

use crate::support::{client, joined, member, server, set, wait};

const FILE: &str = r#"{
    "auth": [{"scheme": "digest", "credential": "aurora:secret"}],
    "acl": [{"scheme": "digest", "credential": "aurora:secret",
             "permissions": {"read": true, "write": true, "create": true, "delete": true,
                             "admin": true}},
            {"scheme": "world", "credential": "anyone", "permissions": {"read": true}}]
}"#;

#[tokio::test]
async fn s75_nodes_have_the_acl_of_the_file_and_its_credentials_open_them() {
    let connect = server().connect_string();
    let stranger = client(&connect).await;
    let ensemble = Ensemble::new(&connect).unwrap().with_access(Access::parse(FILE).unwrap());
    let set = ensemble.server_set(NodePath::new("/acl/www/prod/job").unwrap());
    let first = set.join(&member(0)).unwrap();
    let path = joined(&mut first.state()).await;
    let expected = [
        zk::Acl::new(zk::Permission::ALL, zk::AuthId::new("digest", &digest("aurora", "secret"))),
        zk::Acl::new(zk::Permission::READ, zk::AuthId::anyone()),
    ];
    for node in ["/acl", "/acl/www", "/acl/www/prod", "/acl/www/prod/job", &path] {
        // Servers show others less of an ACL than there is.
        let owner = zk::Client::connector().with_auth("digest", b"aurora:secret");
        let owner = owner.connect(&connect).await.unwrap();
        assert_eq!(owner.get_acl(node).await.unwrap().0, expected, "{node}");
    }
    assert!(stranger.get_data(&path).await.is_ok());
    assert_eq!(stranger.set_data(&path, b"x", None).await.unwrap_err(), zk::Error::NoAuth);
    assert_eq!(stranger.delete(&path, None).await.unwrap_err(), zk::Error::NoAuth);
    // Who has the credentials may add to it, and take itself away.
    let second = set.join(&member(1)).unwrap();
    joined(&mut second.state()).await;
    second.leave().await;
    first.leave().await;
    assert!(stranger.list_children("/acl/www/prod/job").await.unwrap().is_empty());
}

#[tokio::test]
async fn s75_who_is_refused_asks_again_and_says_so() {
    let connect = server().connect_string();
    let admin = client(&connect).await;
    admin.auth("digest", b"admin:x").await.unwrap();
    let only_admin =
        [zk::Acl::new(zk::Permission::ALL, zk::AuthId::new("digest", &digest("admin", "x")))];
    let closed = zk::CreateMode::Persistent.with_acls(zk::Acls::new(&only_admin));
    admin.create("/closed", b"", &closed).await.unwrap();
    let membership = set(&connect, "/closed/job").join(&member(0)).unwrap();
    let mut state = membership.state();
    let refused = wait(&mut state, |state| matches!(state, State::Refused(_))).await;
    let State::Refused(reason) = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "failed to create /closed/job/member_: not authorized");
    assert!(admin.list_children("/closed").await.unwrap().is_empty());
    admin.set_acl("/closed", &zk::Acls::anyone_all(), None).await.unwrap();
    let began = tokio::time::Instant::now();
    joined(&mut state).await;
    assert!(began.elapsed().as_secs() < 25, "{:?}", began.elapsed());
    membership.leave().await;
}

#[tokio::test]
async fn s75_credentials_that_are_wrong_are_said_and_those_that_are_right_join() {
    let sasl_user = Some(("aurora".to_owned(), "secret".to_owned()));
    let options = Options { sasl_user, ..Options::default() };
    let server = tokio::task::spawn_blocking(move || Server::start_with(&options));
    let server = server.await.unwrap().unwrap();
    let sasl = |credential: &str| {
        let file = format!(r#"{{"auth":[{{"scheme":"sasl","credential":"{credential}"}}]}}"#);
        Ensemble::new(&server.connect_string())
            .unwrap()
            .with_access(Access::parse(&file).unwrap())
            .server_set(NodePath::new("/sasl").unwrap())
    };
    let refused = sasl("aurora:wrong").join(&member(0)).unwrap();
    let state = wait(&mut refused.state(), |state| matches!(state, State::Rejected(_))).await;
    assert_eq!(state, State::Rejected("authentication failed".to_owned()));
    let taken = sasl("aurora:secret").join(&member(1)).unwrap();
    joined(&mut taken.state()).await;
    taken.leave().await;
    refused.leave().await;
}
