//! Which clusters are known, and where their schedulers are (`client.md` 12 and 15).

use aurora_zookeeper::testing::Server;
use aurora_zookeeper::{Endpoint, Ensemble, Joined, Member, NodePath, Status};
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Home, free_port, role, service, wait_for};

/// An entry in `~/.aurora/clusters.toml` of the user of a test.
fn write_toml(home: &Home, text: &str) {
    std::fs::create_dir_all(home.path().join(".aurora")).unwrap();
    home.file(".aurora/clusters.toml", text);
}

#[test]
fn c130_the_files_of_clusters_are_read_in_both_layouts_and_entries_replaced_as_a_whole() {
    let home = Home::new();
    home.file(
        "clusters.json",
        &json!([
            { "name": "a", "scheduler_uri": "http://old:1", "rack": 7, "proxy_url": "http://p" },
            { "scheduler_uri": "http://nameless:1" },
            { "name": "b", "scheduler_uri": "http://b:1" },
        ])
        .to_string(),
    );
    std::fs::create_dir_all(home.path().join(".aurora")).unwrap();
    let user = json!({ "x": { "name": "a", "scheduler_uri": "http://127.0.0.1:1", "extra": "y" } });
    let path = home.file(".aurora/clusters.json", &user.to_string());
    write_toml(&home, "[c]\nzk = 'z1,z2:3'\nscheduler_zk_path = '/aurora/scheduler'\n");
    let listed = home.run(&["cluster", "list", "-o", "json"]).expect(0).json();
    let root = home.path().display();
    assert_eq!(
        listed,
        json!([
            { "name": "a", "from": format!("{root}/.aurora/clusters.json"), "at": "http://127.0.0.1:1" },
            { "name": "b", "from": format!("{root}/clusters.json"), "at": "http://b:1" },
            { "name": "c", "from": format!("{root}/.aurora/clusters.toml"),
              "at": "zk://z1:2181,z2:3/aurora/scheduler" },
        ])
    );
    // The whole entry was replaced, and what means nothing is kept.
    let shown = home.run(&["cluster", "show", "a", "-o", "json"]).expect(7);
    assert_eq!(shown.json()["entry"], user["x"]);
    assert!(shown.json()["error"].as_str().unwrap().contains("Connection refused"));
    let unknown = home.run(&["job", "list", "nowhere"]).expect(3).err();
    assert!(unknown.contains("unknown cluster nowhere: known are a, b, c"), "{unknown}");

    // D22: a file that cannot be read is told only to those who need a cluster.
    std::fs::write(path, "{").unwrap();
    home.run(&["--help"]).expect(0);
    home.run(&["job", "list", "--help"]).expect(0);
    let file = home.file("web.aurora", &service(&role(), "web", 1, "true"));
    home.run(&["config", "list", file.to_str().unwrap()]).expect(0);
    let given = ["job", "list", "a", "--scheduler", "http://127.0.0.1:1"];
    home.run(&given).expect(7);
    let wrong = home.run(&["job", "list", "a"]).expect(3).err();
    assert!(wrong.contains(".aurora/clusters.json: EOF while parsing"), "{wrong}");
}

#[test]
fn c147_an_entry_that_cannot_be_used_says_what_to_do() {
    let home = Home::new();
    write_toml(
        &home,
        "[none]\nslave_root = '/x'\n\
         [kerberos]\nscheduler_uri = 'http://h'\nauth_mechanism = 'KERBEROS'\n\
         [pem]\nscheduler_uri = 'https://127.0.0.1:1'\ntls = { ca_file = 'ca.pem' }\n\
         [secret]\nscheduler_uri = 'http://192.0.2.1:1'\nauth = { token_file = 'token' }\n\
         [typo]\nscheduler_uri = 'http://h'\nauth = { tokenfile = 'token' }\n\
         [slip]\nschedulr_uri = 'http://h'\n\
         [port]\nscheduler_uri = 'http://127.0.0.1:99999'\n",
    );
    home.file(".aurora/token", "s3cret\n");
    for (cluster, wanted) in [
        ("none", "add its scheduler_uri, schedulers or zk"),
        ("kerberos", "KERBEROS, which this client does not speak; use a token"),
        ("pem", ".aurora/ca.pem: No such file"),
        ("secret", "where others can read it: use https://, or set auth.allow_plain_http"),
        ("typo", "unknown field `tokenfile`"),
        ("slip", "schedulr_uri: did you mean scheduler_uri?"),
        ("port", "99999 is no port: a port is a number from 1 to 65535"),
        ("nonne", "unknown cluster nonne: did you mean none? Known are kerberos, none, "),
    ] {
        // D28: whichever command meets it.
        for words in [["job", "status", cluster], ["quota", "get", &format!("{cluster}/r")]] {
            let refused = home.run(&words).expect(3).err();
            assert!(refused.contains(wanted) && !refused.contains("s3cret"), "{refused}");
        }
    }
}

#[test]
fn of_several_addresses_the_one_that_leads_is_found() {
    let cluster = Cluster::start();
    let (one, two) =
        (Proxy::before(&cluster.scheduler_address()), Proxy::before(&cluster.scheduler_address()));
    let dead = format!("http://127.0.0.1:{}", free_port());
    write_toml(
        &cluster.home,
        &format!(
            "[test]\nschedulers = ['{dead}', '{}', '{}']\n\
             [one]\nscheduler_uri = '{}'\n",
            one.address(),
            two.address(),
            one.address(),
        ),
    );
    let home = &cluster.home;
    // The first is away, and that is no reason to wait.
    home.run(&["quota", "get", "test/r", "--no-retry"]).expect(0);
    assert_eq!((one.calls("GetQuota"), two.calls("GetQuota")), (1, 0));

    // One that does not lead names the one that does.
    let leads = Fault::Refuse(
        tonic::Code::Unavailable,
        "this scheduler does not lead".to_owned(),
        vec![("aurora-leader", two.address())],
    );
    one.plan("GetQuota", 1, leads.clone());
    home.run(&["quota", "get", "one/r", "--no-retry"]).expect(0);
    assert_eq!((one.calls("GetQuota"), two.calls("GetQuota")), (2, 1));

    // So does HTTP.
    for status in [307, 308] {
        let there = format!("{}/aurora.v1.Quotas/GetQuota", two.address());
        one.plan("GetQuota", 1, Fault::Http(status, Some(there)));
        home.run(&["quota", "get", "one/r", "--no-retry"]).expect(0);
    }
    assert_eq!((one.calls("GetQuota"), two.calls("GetQuota")), (4, 3));

    // Two that send to each other are found out.
    one.plan("GetQuota", 9, leads);
    let back = vec![("aurora-leader", one.address())];
    two.plan("GetQuota", 9, Fault::Refuse(tonic::Code::Unavailable, "no".to_owned(), back));
    let lost = home.run(&["quota", "get", "one/r"]).expect(7).err();
    assert!(lost.contains("say that another one leads"), "{lost}");
    assert!(one.calls("GetQuota") + two.calls("GetQuota") <= 7 + 6, "{lost}");

    // What clusters there are, and how they do.
    let listed = home.run(&["cluster", "list", "--check"]).expect(0).out();
    assert!(listed.contains("reachable, version"), "{listed}");
    let shown = home.run(&["cluster", "show", "test"]).expect(0).out();
    assert!(shown.contains(&format!("scheduler: {}, version", one.address())), "{shown}");
    let other = home.run(&["cluster", "show", "one"]).expect(0).err();
    assert!(other.contains("says that it is of cluster test"), "{other}");
    let version = home.run(&["version", "test", "-o", "json"]).expect(0).json();
    let here = env!("CARGO_PKG_VERSION");
    assert_eq!(
        version,
        json!({
            "client": { "version": here },
            "server": { "version": here, "cluster": "test", "address": one.address() },
        })
    );
    assert_eq!(home.run(&["version"]).expect(0).out(), format!("client: {here}\n"));
    assert_eq!(home.run(&["--version"]).expect(0).out(), format!("aurora {here}\n"));
}

/// Announces a scheduler as schedulers do.
fn announce(ensemble: &Ensemble, path: &str, address: &str, scheme: &str) -> Joined {
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let endpoint = Endpoint::new("127.0.0.1", port);
    let member = Member {
        status: Status::Alive,
        additional_endpoints: [(scheme.to_owned(), endpoint.clone())].into(),
        service_endpoint: endpoint,
        shard: None,
    };
    ensemble.server_set(NodePath::new(path).unwrap()).join(&member).unwrap()
}

#[test]
fn c123_schedulers_are_found_in_zookeeper_and_followed_when_they_move() {
    let zookeeper = Server::start().unwrap();
    let cluster = Cluster::start();
    let home = &cluster.home;
    let (old, new) =
        (Proxy::before(&cluster.scheduler_address()), Proxy::before(&cluster.scheduler_address()));
    let entry = |zk: &str| {
        json!([{
            "name": "test", "zk": zk, "zk_port": zookeeper.address().port(),
            "scheduler_zk_path": "/aurora/scheduler", "proxy_url": "https://pages.example/x",
        }])
        .to_string()
    };
    home.file("clusters.json", &entry("127.0.0.1"));
    let key = format!("test/{}/prod/web", role());

    let nobody = home.run(&["job", "status", &key]).expect(7).err();
    assert!(nobody.contains("no schedulers detected"), "{nobody}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ensemble = Ensemble::new(&zookeeper.connect_string()).unwrap();
    let entered = runtime.enter();
    let announced = announce(&ensemble, "/aurora/scheduler", &old.address(), "http");
    drop(entered);
    wait_for("the scheduler to be announced", || {
        (home.run(&["quota", "get", "test/r"]).code() == 0).then_some(())
    });
    assert!(old.calls("GetQuota") >= 1);

    // Pages are where the entry says, calls where the scheduler is.
    let file = home.file("web.aurora", &service(&role(), "web", 1, "exec sleep 1000"));
    let created = home.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0).out();
    let page = format!("https://pages.example/scheduler/{}/prod/web", role());
    assert!(created.contains(&page), "{created}");
    assert_eq!(old.calls("CreateJob"), 1);

    // It stops answering, and another one takes over while a command waits.
    old.plan("*", usize::MAX, Fault::LostBefore);
    let words = ["job", "status", &key, "--retry-for", "60"];
    let before = old.all().len();
    let mut waiting = Process::start(&mut home.aurora(&words));
    wait_for("the command to ask the old one", || (old.all().len() > before).then_some(()));
    waiting.expect("scheduler unreachable, trying again for");
    runtime.block_on(announced.leave());
    let entered = runtime.enter();
    let announced = announce(&ensemble, "/aurora/scheduler", &new.address(), "http");
    drop(entered);
    assert_eq!(waiting.ended(), 0, "{}", waiting.lines().join("\n"));
    assert_eq!(new.calls("ListTasks"), 1);
    runtime.block_on(announced.leave());

    // ZooKeeper itself is away: said, with why, in bounded time.
    drop(zookeeper);
    let away = home.run(&["job", "status", &key]).expect(7).err();
    assert!(away.contains("ZooKeeper does not answer within 10 s: 127.0.0.1:"), "{away}");
    // Ctrl-C does not wait for it.
    let mut waiting = Process::start(&mut home.aurora(&words));
    waiting.expect("scheduler unreachable, trying again for");
    waiting.signal(nix::sys::signal::Signal::SIGINT);
    assert!(matches!(waiting.ended(), -2 | 130));
}
