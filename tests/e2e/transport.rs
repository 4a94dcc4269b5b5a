//! How calls reach the scheduler, and what happens when they do not (`client.md` 12 and 15).

use std::time::Duration;

use aurora_api::v1;
use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{role, service};

#[test]
fn calls_that_went_wrong_are_counted_kept_and_made_again() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let file = cluster.home.file("web.aurora", &service(&role(), "web", 1, "exec sleep 1000"));
    let (key, file) = (format!("test/{}/prod/web", role()), file.to_str().unwrap().to_owned());

    proxy.plan("CreateJob", 1, Fault::refuse(Code::InvalidArgument, "not today"));
    let refused = proxy.run(&cluster.home, &["job", "create", &key, &file]).expect(4);
    assert!(refused.err().contains("not today"), "{}", refused.err());
    assert_eq!(proxy.calls("CreateJob"), 1);

    // Lost on the way there, lost on the way back, and late: one job, by one request.
    proxy.forget();
    proxy.plan("CreateJob", 1, Fault::LostBefore);
    proxy.plan("CreateJob", 1, Fault::LostAfter);
    proxy.plan("CreateJob", 1, Fault::Late(Duration::from_millis(50)));
    let words = ["job", "create", &key, &file, "--retry-for", "60"];
    proxy.run(&cluster.home, &words).expect(0);
    let sent: Vec<v1::CreateJobRequest> = proxy.sent("CreateJob");
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(sent.iter().all(|one| *one == sent[0]) && sent[0].request_id.is_some(), "{sent:?}");
    assert_eq!(cluster.active(&key).len(), 1);
    assert_eq!(proxy.of("CreateJob")[0].path, "/aurora.v1.Jobs/CreateJob");

    // Streams pass through.
    proxy.run(&cluster.home, &["job", "killall", &key]).expect(0);
    assert!(proxy.calls("WatchTasks") >= 1);

    proxy.require("authorization", "Bearer let-me-in");
    proxy.run(&cluster.home, &["job", "status", &key]).expect(30);
    assert!(proxy.connections() >= 5, "{}", proxy.connections());
}
