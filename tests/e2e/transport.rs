//! How calls reach the scheduler, and what happens when they do not (`client.md` 12 and 15).

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use aurora_api::v1;
use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::tls::Authority;
use crate::support::{Ran, role, service};

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

#[test]
fn a_scheduler_without_tls_is_told_from_one_that_is_away() {
    let cluster = Cluster::start();
    let plain = cluster.scheduler_address();
    let wrong = plain.replacen("http://", "https://", 1);
    // At once: no later try would be answered otherwise.
    let words = ["job", "list", "test", "--scheduler", &wrong, "--retry-for", "60"];
    let refused = cluster.home.run(&words).expect(7).err();
    let wanted = format!("the scheduler at {wrong} does not speak TLS there: try {plain}\n");
    assert!(refused.ends_with(&wanted), "{refused}");
}

/// A cluster with a job, a proxy before it, and an entry that names the proxy.
struct Setting {
    cluster: Cluster,
    proxy: Proxy,
    key: String,
}

impl Setting {
    fn start() -> Self {
        let cluster = Cluster::start();
        let proxy = Proxy::before(&cluster.scheduler_address());
        let setting = Self { cluster, proxy, key: format!("test/{}/prod/web", role()) };
        setting.entry(&format!("scheduler_uri = '{}'", setting.proxy.address()));
        setting
    }

    /// What the user's file says of the cluster.
    fn entry(&self, text: &str) {
        std::fs::create_dir_all(self.cluster.home.path().join(".aurora")).unwrap();
        self.cluster.home.file(".aurora/clusters.toml", &format!("[test]\n{text}\n"));
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.cluster.home.run(words)
    }

    /// Writes a file that only the user may read.
    fn secret(&self, name: &str, text: &str) {
        let path = self.cluster.home.file(name, text);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }
}

fn transient() -> Fault {
    Fault::refuse(Code::Unavailable, "the storage is not ready")
}

#[test]
fn c14_c115_to_c118_c120_c124_c125_c145_calls_are_made_again_for_so_long_and_no_longer() {
    let setting = Setting::start();
    let Setting { cluster, proxy, key } = &setting;
    let again = ["--retry-for", "1m"];
    let quota = ["quota", "get", "test/r"];

    // 115: a read that is answered with a transient error, twice.
    proxy.plan("GetQuota", 2, transient());
    let ran = setting.run(&[&quota[..], &again].concat()).expect(0);
    assert_eq!(proxy.calls("GetQuota"), 3);
    let told = " WARN] scheduler unreachable, trying again for ";
    assert_eq!(ran.err().matches(told).count(), 1, "{}", ran.err());
    assert!(ran.err().contains("the storage is not ready"), "{}", ran.err());

    // 118: and one whose connection is lost, before or after the scheduler has heard of it.
    for fault in [Fault::LostBefore, Fault::LostAfter] {
        proxy.forget();
        proxy.plan("GetQuota", 1, fault);
        setting.run(&[&quota[..], &again].concat()).expect(0);
        assert_eq!(proxy.calls("GetQuota"), 2);
    }

    // 116: a write, whose connection is lost besides. 145: a 503 is no other thing. All are one request.
    proxy.plan("SetQuota", 1, transient());
    proxy.plan("SetQuota", 1, Fault::LostBefore);
    proxy.plan("SetQuota", 1, Fault::Http(503, None));
    let set = ["quota", "set", "test/r", "1", "1GB", "1GB"];
    setting.run(&[&set[..], &again].concat()).expect(0);
    let sent: Vec<v1::SetQuotaRequest> = proxy.sent("SetQuota");
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|one| *one == sent[0]), "{sent:?}");

    // 117, 145: whoever does not want that has the original's code of such calls.
    for fault in [transient(), Fault::LostAfter, Fault::Http(503, None)] {
        proxy.forget();
        proxy.plan("SetQuota", 1, fault);
        let ran = setting.run(&[&set[..], &["--no-retry", "--retry-for", "1m"]].concat()).expect(7);
        assert!(ran.err().contains("failed to reach the scheduler at"), "{}", ran.err());
        assert_eq!(proxy.calls("SetQuota"), 1);
    }

    // The time is over: another code, and the time is said.
    proxy.plan("GetQuota", usize::MAX, transient());
    let ran = setting.run(&[&quota[..], &["--retry-for", "1s"]].concat()).expect(9);
    assert!(ran.err().contains("it was tried for 1s; is it running?"), "{}", ran.err());

    // 125, D16: one that hangs is not waited for without an end, and not asked again.
    proxy.forget();
    proxy.plan("*", 1, Fault::Silent);
    let hung = ["job", "status", key, "--request-timeout", "200ms", "--retry-for", "1m"];
    let ran = setting.run(&hung).expect(9);
    assert!(ran.err().contains("did not answer in time"), "{}", ran.err());
    assert_eq!(proxy.all().len(), 1);

    // A page of something else is no scheduler, however often it is asked.
    proxy.plan("*", 1, Fault::Http(404, None));
    let ran = setting.run(&[&["job", "status", key][..], &again].concat()).expect(7);
    assert!(ran.err().contains("HTTP status 404; is an Aurora scheduler there?"), "{}", ran.err());

    // 124: the calls of one command use one connection. 120: and say who asks.
    let file = cluster.home.file("web.aurora", &service(&role(), "web", 1, "exec sleep 1000"));
    let before = proxy.connections();
    proxy.forget();
    setting.run(&["job", "create", key, file.to_str().unwrap()]).expect(0);
    assert_eq!(proxy.connections(), before + 1);
    assert!(proxy.all().len() >= 2, "{:?}", proxy.all());
    for call in proxy.all() {
        let agent = call.headers["user-agent"].to_str().unwrap();
        let wanted = concat!("aurora/", env!("CARGO_PKG_VERSION"));
        assert!(agent.starts_with(wanted), "{agent}");
    }

    // 14: each call is told on request, wherever that stands.
    for words in [["job", "status", key, "-v"], ["-v", "job", "status", key]] {
        let ran = setting.run(&words).expect(0);
        let line = format!("DEBUG] {}/aurora.v1.Jobs/ListTasks: answered in ", proxy.address());
        assert!(ran.err().contains(&line), "{}", ran.err());
        assert!(!ran.out().contains("DEBUG]"), "{}", ran.out());
    }
    assert_eq!(setting.run(&["job", "status", key]).expect(0).err(), "");
}

#[test]
fn c119_who_asks_is_shown_to_those_who_may_know() {
    let setting = Setting::start();
    let Setting { cluster, proxy, key } = &setting;
    let file = cluster.home.file("web.aurora", &service(&role(), "web", 1, "exec sleep 1000"));
    let file = file.to_str().unwrap();
    let shown = |method: &str| {
        let call = proxy.of(method).pop().unwrap();
        call.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned())
    };

    // 146, D7: whatever is asked, and nothing is asked again.
    let commands = [
        &["job", "status", key][..],
        &["job", "create", key, file],
        &["job", "diff", key, file],
        &["job", "killall", key],
        &["update", "list", "test"],
        &["quota", "get", "test/r"],
    ];
    for status in [401, 403] {
        for words in commands {
            proxy.forget();
            proxy.plan("*", 1, Fault::Http(status, None));
            let ran = setting.run(&[words, &["--retry-for", "1m"]].concat()).expect(30);
            let hint = format!("HTTP status {status}; credentials come from $AURORA_TOKEN");
            assert!(ran.err().contains(&hint), "{words:?}: {}", ran.err());
            assert_eq!(proxy.all().len(), 1, "{words:?}");
        }
    }
    proxy.plan("*", 1, Fault::refuse(Code::PermissionDenied, "you are nobody"));
    let ran = setting.run(&["job", "status", key]).expect(30);
    assert!(ran.err().contains("you are nobody"), "{}", ran.err());

    // e22: HTTP Basic by ~/.netrc, and 30 when it has been moved away.
    let netrc =
        "machine 127.0.0.1 login me password pass\nmachine localhost login you password p2\n";
    setting.secret(".netrc", netrc);
    proxy.require("authorization", "Basic bWU6cGFzcw==");
    setting.run(&["job", "create", key, file]).expect(0);
    let away = cluster.home.path().join("netrc-away");
    std::fs::rename(cluster.home.path().join(".netrc"), &away).unwrap();
    setting.run(&["job", "status", key]).expect(30);
    std::fs::rename(&away, cluster.home.path().join(".netrc")).unwrap();
    setting.run(&["job", "status", key]).expect(0);
    // One that others may read is not used.
    let path = cluster.home.file(".netrc", netrc);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let open = setting.run(&["job", "status", key]).expect(3).err();
    assert!(open.contains("chmod 600") && !open.contains("pass\n"), "{open}");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();

    // A token goes before a password, and is never told.
    setting.entry(&format!("scheduler_uri = '{}'\nauth.token_file = 'token'", proxy.address()));
    setting.secret(".aurora/token", "t0ken\n");
    setting.run(&["job", "status", key]).expect(30);
    proxy.require("authorization", "Bearer t0ken");
    let ran = setting.run(&["job", "status", key, "--verbose"]).expect(0);
    assert!(ran.err().contains("is shown a token"), "{}", ran.err());
    assert!(!ran.err().contains("t0ken"), "{}", ran.err());
    let mut from_env = cluster.home.aurora(&["quota", "get", "test/r"]);
    let ran = Ran(from_env.env("AURORA_TOKEN", "other").output().unwrap()).expect(30);
    assert!(!ran.err().contains("other"), "{}", ran.err());
    assert_eq!(shown("GetQuota").unwrap(), "Bearer other");

    // 144: the same call goes to the one that leads, which is another host: it learns what is said to it only.
    let leader = Proxy::before(&cluster.scheduler_address());
    let address = leader.address().replace("127.0.0.1", "localhost");
    proxy.plan(
        "SetQuota",
        1,
        Fault::Http(307, Some(format!("{address}/aurora.v1.Quotas/SetQuota"))),
    );
    setting.run(&["quota", "set", "test/r", "1", "1GB", "1GB"]).expect(0);
    assert_eq!(shown("SetQuota").unwrap(), "Bearer t0ken");
    let there = leader.of("SetQuota").pop().unwrap();
    assert_eq!(there.headers["authorization"], "Basic eW91OnAy");
    let sent: [Vec<v1::SetQuotaRequest>; 2] = [proxy.sent("SetQuota"), leader.sent("SetQuota")];
    assert_eq!(sent[0].last(), sent[1].last());
}

#[test]
fn tls_is_spoken_with_those_who_are_trusted() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let (ours, theirs) = (Authority::new(), Authority::new());
    let client = ours.issue("client", false);
    for (name, text) in [
        ("ca.pem", ours.pem()),
        ("other-ca.pem", theirs.pem()),
        ("cert.pem", client.pem()),
        ("key.pem", client.key_pem()),
        ("alien.pem", theirs.issue("client", false).pem()),
    ] {
        home.file(name, &text);
    }
    let scheduler = cluster.scheduler_address();
    let proxy = |identity: &crate::support::tls::Identity, clients: Option<&Authority>| {
        Proxy::with_tls(&scheduler, identity.server(clients))
    };
    let good = proxy(&ours.issue("127.0.0.1", false), None);
    let expired = proxy(&ours.issue("127.0.0.1", true), None);
    let named = proxy(&ours.issue("aurora.example", false), None);
    let mutual = proxy(&ours.issue("127.0.0.1", false), Some(&ours));
    let entry = |name: &str, proxy: &Proxy, tls: &str| {
        format!("[{name}]\nscheduler_uri = '{}'\ntls = {{ {tls} }}\n", proxy.address())
    };
    home.file(
        "clusters.toml",
        &[
            entry("good", &good, "ca_file = 'ca.pem'"),
            entry("system", &good, ""),
            entry("wrong", &good, "ca_file = 'other-ca.pem'"),
            entry("expired", &expired, "ca_file = 'ca.pem'"),
            entry("elsewhere", &named, "ca_file = 'ca.pem'"),
            entry("named", &named, "ca_file = 'ca.pem', server_name = 'aurora.example'"),
            entry("anonymous", &mutual, "ca_file = 'ca.pem'"),
            entry("half", &mutual, "ca_file = 'ca.pem', cert_file = 'cert.pem'"),
            entry(
                "mine",
                &mutual,
                "ca_file = 'ca.pem', cert_file = 'cert.pem', key_file = 'key.pem'",
            ),
            entry("empty", &good, "ca_file = 'key.pem'"),
        ]
        .concat(),
    );
    // Whoever is not trusted is not asked again.
    for (name, code, wanted) in [
        ("good", 0, ""),
        ("wrong", 7, "cannot be trusted: invalid peer certificate: "),
        ("system", 7, "cannot be trusted: invalid peer certificate: "),
        ("expired", 7, "cannot be trusted: invalid peer certificate: certificate expired"),
        ("elsewhere", 7, "cannot be trusted: invalid peer certificate: "),
        ("named", 0, ""),
        ("anonymous", 30, "refuses this client's certificate"),
        ("half", 3, "tls.cert_file needs tls.key_file"),
        ("mine", 0, ""),
        ("empty", 3, "holds no certificate in PEM"),
    ] {
        let role = format!("{name}/r");
        let mut command = home.aurora(&["quota", "get", &role, "--retry-for", "1m"]);
        // Who the system trusts, wherever this runs.
        command.env("SSL_CERT_FILE", home.path().join("other-ca.pem"));
        let ran = Ran(command.output().unwrap());
        assert_eq!(ran.code(), code, "{name}: {}", ran.err());
        assert!(ran.err().contains(wanted), "{name}: {}", ran.err());
    }
    assert_eq!((good.calls("GetQuota"), mutual.calls("GetQuota")), (1, 1));
}
