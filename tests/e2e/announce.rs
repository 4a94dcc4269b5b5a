//! Where a job serves is said in a real ZooKeeper (`client.md` 16).

use std::collections::{BTreeMap, BTreeSet};

use aurora_zookeeper::testing::Server;
use aurora_zookeeper::{Ensemble, Member, NodePath, View};

use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::{PATIENCE, role, service};

#[test]
fn e13_an_instance_whose_announcement_is_deleted_announces_itself_again() {
    let zookeeper = Server::start().unwrap();
    let checkpoints = tempfile::tempdir().unwrap();
    let flags = format!(
        "executor --checkpoint-root {} --announcer-ensemble {}",
        checkpoints.path().display(),
        zookeeper.connect_string()
    );
    let scheduler = ["--thermos-executor-flags", &flags];
    let cluster = Cluster::start_with(Flags { scheduler: &scheduler, ..Flags::default() });
    let key = format!("test/{}/prod/web", role());
    let announced = service(&role(), "web", 3, "echo {{thermos.ports[http]}}; exec sleep 1000")
        .replace(
            "environment = 'prod'",
            "environment = 'prod', announce = Announcer(primary_port = 'http')",
        );
    let file = cluster.home.file("web.aurora", &announced);
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let tasks = cluster.wait_running(&key, 3);

    let folder = format!("/aurora/{}/prod/web", role());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let set = Ensemble::new(&zookeeper.connect_string()).unwrap();
    let set = set.server_set(NodePath::new(&folder).unwrap());
    let membership = runtime.block_on(async { set.watch() });
    let mut view = membership.view();
    let mut until = |is: &mut dyn FnMut(&View) -> bool| {
        let seen = async { tokio::time::timeout(PATIENCE, view.wait_for(is)).await };
        runtime.block_on(seen).unwrap().unwrap().clone().members
    };
    let before = until(&mut |view| view.members.len() == 3);
    let ports = |members: &BTreeMap<String, Member>| -> BTreeSet<(i64, i64)> {
        let port = |it: &Member| (it.shard.unwrap(), it.service_endpoint.port.into());
        members.values().map(port).collect()
    };
    let assigned: BTreeSet<(i64, i64)> = tasks
        .iter()
        .map(|task| {
            let task = &task["assignedTask"];
            let (instance, port) = (&task["instanceId"], &task["assignedPorts"]["http"]);
            (instance.as_i64().unwrap(), port.as_i64().unwrap())
        })
        .collect();
    assert_eq!(ports(&before), assigned);

    let first = before.keys().next().unwrap();
    runtime.block_on(async {
        let client = zookeeper_client::Client::connect(&zookeeper.connect_string()).await.unwrap();
        client.delete(&format!("{folder}/{first}"), None).await.unwrap();
    });
    // It is not enough that there are three: the deletion may not have been seen yet.
    let after = until(&mut |view| view.members.len() == 3 && !view.members.contains_key(first));
    assert_eq!(ports(&after), assigned, "the same instances serve at the same places");
    assert!(before.keys().skip(1).all(|name| after.contains_key(name)), "others are left alone");
    let ids = |tasks: &[serde_json::Value]| tasks.iter().map(task_id).collect::<Vec<_>>();
    assert_eq!(ids(&cluster.wait_running(&key, 3)), ids(&tasks), "no task has ended for it");

    cluster.run(&["job", "killall", &key, "--no-batching"]).expect(0);
    assert!(until(&mut |view| view.members.is_empty()).is_empty());
}
