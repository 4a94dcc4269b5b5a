//! What commands about updates make of what a scheduler answers, whatever it is (`client.md` 7, 13.4 and 15).

use aurora_api::v1::{self, UpdateStatus};
use serde_json::json;
use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Ran, role, service, wait_for};

/// The update of which is told.
const ID: &str = "8d5a1c1e-2f5c-4d60-9b1c-6a8a7f4f2f10";

/// A scheduler behind a proxy, and a job of which it may know nothing.
struct World {
    cluster: Cluster,
    proxy: Proxy,
    job: String,
}

impl World {
    fn start() -> Self {
        let cluster = Cluster::start();
        let proxy = Proxy::before(&cluster.scheduler_address());
        Self { cluster, proxy, job: format!("test/{}/prod/web", role()) }
    }

    /// Writes a version of the job.
    fn version(&self, name: &str, instances: u32, command: &str) -> String {
        let update = "update_config = UpdateConfig(watch_secs = 0), environment = 'prod'";
        let text = service(&role(), "web", instances, command);
        let text = text.replace("environment = 'prod'", update);
        let path = self.cluster.home.file(&format!("{name}.aurora"), &text);
        path.to_str().unwrap().to_owned()
    }

    /// The same, which waits for a place that nobody has.
    fn large_version(&self) -> String {
        let path = self.version("large", 1, "exec sleep 3000");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("cpu = 0.01", "cpu = 1000")).unwrap();
        path
    }

    /// Runs a command through the proxy, which has forgotten all before.
    fn run(&self, words: &[&str]) -> Ran {
        self.proxy.forget();
        self.proxy.run(&self.cluster.home, words)
    }

    /// The next question about updates is answered so.
    fn tell(&self, updates: &[v1::UpdateSummary]) {
        let answer =
            v1::ListUpdatesResponse { updates: updates.to_vec(), next_page_token: String::new() };
        self.proxy.plan("ListUpdates", 1, Fault::answer(&answer));
    }

    fn refuse(&self, method: &str) {
        self.proxy.plan(method, 1, Fault::refuse(Code::InvalidArgument, "not today"));
    }

    /// What was sent to start an update by the last command.
    fn started(&self) -> Vec<v1::StartUpdateRequest> {
        self.proxy.sent("StartUpdate")
    }

    fn page(&self) -> String {
        format!("{}/scheduler/{}/prod/web", self.cluster.scheduler_address(), role())
    }
}

fn key(environment: &str, id: &str) -> v1::UpdateKey {
    let job = v1::JobKey { role: role(), environment: environment.into(), name: "web".into() };
    v1::UpdateKey { job: Some(job), id: id.into() }
}

/// An update as a scheduler tells of it.
fn update(status: UpdateStatus) -> v1::UpdateSummary {
    v1::UpdateSummary {
        key: Some(key("prod", ID)),
        user: "ann".into(),
        status: status.into(),
        created_ms: 1_500_000_000_999,
        modified_ms: 1_500_000_061_000,
        ..v1::UpdateSummary::default()
    }
}

/// How each end of an update ends a command that waits for it to go forward.
const ENDS: [(UpdateStatus, i32, &str); 5] = [
    (UpdateStatus::RolledForward, 0, "ROLLED_FORWARD"),
    (UpdateStatus::RolledBack, 4, "ROLLED_BACK"),
    (UpdateStatus::Aborted, 20, "ABORTED"),
    (UpdateStatus::Failed, 20, "FAILED"),
    (UpdateStatus::Error, 20, "ERROR"),
];

#[track_caller]
fn assert_says(text: &str, wanted: &str) {
    assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
}

#[test]
fn c86_to_c91_c93_an_update_is_started_once_or_not_at_all() {
    let world = World::start();
    let (job, first) = (world.job.as_str(), world.version("first", 1, "exec sleep 1000"));
    let summary = "This job update will:\nadd instances: [0]\n";
    let link = format!("Job update has started. View your update progress at {}\n", world.page());

    // 88
    world.refuse("StartUpdate");
    let refused = world.run(&["update", "start", job, &first, "--wait"]).expect(10);
    assert_says(&refused.err(), "not today");
    assert_eq!((refused.out().as_str(), world.started().len()), (summary, 1));
    assert_eq!(world.proxy.calls("ListUpdates"), 0);

    // 86: the summary first, then the link; the message goes along.
    let started = world.run(&["update", "start", job, &first, "-m", "version 1"]).expect(0);
    assert!(started.out().starts_with(&format!("{summary}{link}")), "{}", started.out());
    assert_eq!(world.started()[0].message.as_deref(), Some("version 1"));
    world.cluster.run(&["job", "wait", job, "--for", "update"]).expect(0);

    // 91: if the scheduler has nothing to do, that is said after the summary, and nothing is waited for.
    let same = world.run(&["update", "start", job, &first, "--wait"]).expect(0);
    let nothing = format!("{job} is what the file says: there is nothing to update\n");
    assert_eq!(same.out(), format!("This job update will:\nnot change instances: [0]\n{nothing}"));
    assert_eq!((world.started().len(), world.proxy.calls("ListUpdates")), (1, 0));

    // 89: the answer to our own call was lost, and that it is ours is known by its id.
    let second = world.version("second", 1, "exec sleep 2000");
    world.proxy.plan("StartUpdate", 1, Fault::LostAfter);
    let again = ["--retry-for", "60", "--wait"];
    let words = [&["update", "start", job, &second][..], &again].concat();
    let started = world.run(&words).expect(0);
    let sent = world.started();
    assert!(sent.len() == 2 && sent[0] == sent[1], "{sent:?}");
    let marks = &sent[0].update.as_ref().unwrap().metadata;
    let mark = marks.iter().find(|it| it.key == "org.apache.aurora.client.update_id").unwrap();
    assert_eq!(Some(&mark.value), sent[0].request_id.as_ref());
    assert_says(&started.err(), &link);
    let listed = world.cluster.run(&["update", "list", job, "-o", "json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "one for each version: {listed:#}");

    // 87: another update is in the way, which is named with what can be done about it.
    let started = world.run(&["update", "start", job, &world.large_version(), "-o", "json"]);
    let active = started.expect(0).json()["id"].as_str().unwrap().to_owned();
    let locked = world.run(&["update", "start", job, &first]).expect(10);
    let why = format!(
        "is being updated: update {active} is ROLLING_FORWARD. Wait for its end, or \
         abort it first"
    );
    assert_says(&locked.err(), &why);
    assert!(!locked.out().contains("View your update progress"), "{}", locked.out());
    // 90: that is no answer to our own call, though a call of ours was lost before.
    world.proxy.plan("StartUpdate", 1, Fault::LostBefore);
    let locked = world.run(&["update", "start", job, &first, "--retry-for", "60"]).expect(10);
    assert_says(&locked.err(), &why);
    assert_eq!(world.started().len(), 2);
    world.cluster.run(&["update", "abort", job]).expect(0);

    // 93: only those that are named, of which nobody asks whether they run. 1 and 2: in any order, each once, and
    // all if none is named.
    let many = world.version("many", 5, "exec sleep 1000");
    for (instances, wanted) in [
        ("/0-2,4", &[(0, 2), (4, 4)][..]),
        ("/4,1-2,0-0", &[(0, 2), (4, 4)]),
        ("/0-3", &[(0, 3)]),
        ("/", &[]),
        ("", &[]),
    ] {
        let nothing = Fault::answer(&v1::StartUpdateResponse::default());
        world.proxy.plan("StartUpdate", 1, nothing);
        let some = format!("{job}{instances}");
        world.run(&["update", "start", &some, &many, "--strict"]).expect(0);
        let settings = world.started()[0].update.clone().unwrap().settings.unwrap();
        let only: Vec<_> =
            settings.only_instances.iter().map(|range| (range.first, range.last)).collect();
        assert_eq!(only, wanted, "{some}");
        let asked = ["ListTasks", "StreamTasks", "WatchTasks"].map(|it| world.proxy.calls(it));
        assert_eq!(asked, [0; 3], "{some}");
    }
}

#[test]
fn c92_c96_c97_the_end_of_an_update_is_that_of_the_command_that_waits() {
    let world = World::start();
    let (job, file) = (world.job.as_str(), world.version("web", 1, "exec sleep 1000"));
    let active = update(UpdateStatus::RollingForward);
    for (status, code, name) in ENDS {
        let says = format!("Current state {name}\n");
        // 92
        let started = v1::StartUpdateResponse { key: Some(key("prod", ID)) };
        world.proxy.plan("StartUpdate", 1, Fault::answer(&started));
        world.tell(&[update(status)]);
        let ran = world.run(&["update", "start", job, &file, "--wait"]).expect(code);
        assert!(ran.out().ends_with(&says), "{}", ran.out());
        // 97
        world.tell(&[update(status)]);
        world.tell(&[update(status)]);
        let ran = world.run(&["update", "wait", job, ID]).expect(code);
        assert_eq!(ran.out(), says);
        // 96: what is good for one is bad for the other.
        let back = v1::ChangeUpdateResponse { status: UpdateStatus::RollingBack.into() };
        world.tell(std::slice::from_ref(&active));
        world.proxy.plan("RollBackUpdate", 1, Fault::answer(&back));
        world.tell(&[update(status)]);
        let ran = world.run(&["update", "rollback", job, "--wait"]);
        let ran = ran.expect(match status {
            UpdateStatus::RolledForward => 4,
            UpdateStatus::RolledBack => 0,
            _ => 20,
        });
        assert_eq!(ran.out(), format!("Update rollback has started.\n{says}"));
    }

    // 97: each state is told once, however often it is seen.
    world.cluster.run(&["update", "start", job, &world.large_version()]).expect(0);
    world.proxy.forget();
    for _ in 0..3 {
        world.tell(std::slice::from_ref(&active));
    }
    world.tell(&[update(UpdateStatus::RolledForward)]);
    let address = world.proxy.address();
    let words = ["update", "wait", job, "--scheduler", &address];
    let mut waiting = Process::start(&mut world.cluster.home.aurora(&words));
    // The first question is which update is meant. Whenever something happens there is another.
    for (seen, verb) in [(2, "pause"), (3, "resume")] {
        wait_for("the next look", || (world.proxy.calls("ListUpdates") >= seen).then_some(()));
        world.cluster.run(&["update", verb, job]).expect(0);
    }
    assert_eq!(waiting.ended(), 0);
    let states: Vec<String> =
        waiting.lines().into_iter().filter(|line| line.starts_with("Current state")).collect();
    assert_eq!(states, ["Current state ROLLING_FORWARD", "Current state ROLLED_FORWARD"]);
}

#[test]
fn c95_c97_c99_the_one_active_update_is_meant() {
    let world = World::start();
    let job = world.job.as_str();
    let active = update(UpdateStatus::RollingForward);
    let other = v1::UpdateSummary { key: Some(key("prod", "other")), ..active.clone() };
    for verb in ["pause", "resume", "abort", "rollback", "wait", "info"] {
        let methods = match verb {
            "pause" => &["PauseUpdate"][..],
            "resume" => &["ResumeUpdate"],
            "abort" => &["AbortUpdate"],
            "rollback" => &["RollBackUpdate"],
            _ => &[],
        };
        let changes = || methods.iter().map(|it| world.proxy.calls(it)).sum::<usize>();
        let words = ["update", verb, job];
        // There is none.
        world.tell(&[]);
        let none = world.run(&words).expect(6);
        assert_says(&none.err(), &format!("{job} has no active update"));
        // Nobody can tell which of two is meant.
        world.tell(&[active.clone(), other.clone()]);
        let two = world.run(&words).expect(10);
        assert_says(&two.err(), "has 2 active updates");
        assert_eq!((none.out() + &two.out(), changes()), (String::new(), 0), "{verb}");
        // It is not told.
        world.refuse("ListUpdates");
        assert_says(&world.run(&words).expect(10).err(), "not today");
        assert_eq!(changes(), 0, "{verb}");
        let asked: Vec<v1::ListUpdatesRequest> = world.proxy.sent("ListUpdates");
        let query = asked[0].query.clone().unwrap();
        assert_eq!((query.job, query.statuses.len()), (key("prod", ID).job, 6), "{verb}");
    }

    for (verb, method, status, line) in [
        ("pause", "PauseUpdate", UpdateStatus::RollForwardPaused, "Update has been paused.\n"),
        ("resume", "ResumeUpdate", UpdateStatus::RollingForward, "Update has been resumed.\n"),
        ("abort", "AbortUpdate", UpdateStatus::Aborted, "Update has been aborted.\n"),
        ("rollback", "RollBackUpdate", UpdateStatus::RollingBack, "Update rollback has started.\n"),
    ] {
        let words = ["update", verb, job, "-m", "why"];
        world.tell(std::slice::from_ref(&active));
        world.refuse(method);
        let refused = world.run(&words).expect(10);
        assert_says(&refused.err(), "not today");
        assert_eq!(refused.out(), "");
        world.tell(std::slice::from_ref(&active));
        let done = v1::ChangeUpdateResponse { status: status.into() };
        world.proxy.plan(method, 1, Fault::answer(&done));
        assert_eq!(world.run(&words).expect(0).out(), line);
        let sent: Vec<v1::ChangeUpdateRequest> = world.proxy.sent(method);
        assert_eq!(sent.len(), 1);
        assert_eq!(
            (sent[0].key.as_ref(), sent[0].message.as_deref()),
            (active.key.as_ref(), Some("why"))
        );
    }

    // 97 and 99: one that is not known, and one of which nothing can be had.
    for verb in ["wait", "info"] {
        world.tell(&[]);
        let unknown = world.run(&["update", verb, job, ID]).expect(6).err();
        assert_says(&unknown, &format!("there is no update {ID} of {job}"));
    }
    world.tell(std::slice::from_ref(&active));
    world.run(&["update", "info", job]).expect(6);
}

#[test]
fn c98_c99_updates_are_listed_and_shown_as_scripts_read_them() {
    let world = World::start();
    let job = world.job.as_str();
    let owner = role();
    let paused = update(UpdateStatus::RollForwardPaused);
    let elsewhere =
        v1::UpdateSummary { key: Some(key("test", "2")), ..update(UpdateStatus::Error) };
    let both = [paused.clone(), elsewhere];

    // 98: columns have their widths, and states are united into one question.
    world.tell(&both);
    let states = ["--status", "paused", "--status", "ERROR", "--user", "ann"];
    let words = [&["update", "list", "test"][..], &states].concat();
    let listed = world.run(&words).expect(0).out();
    let line = |job: &str, id: &str, status: &str, user: &str, times: [&str; 2]| {
        let [started, modified] = times;
        format!("{job:47} {id:36} {status:15} {user:11} {started:19} {modified}\n")
    };
    let times = ["2017-07-14T02:40:00", "2017-07-14T02:41:01"];
    assert_eq!(
        listed,
        line("JOB", "UPDATE ID", "STATUS", "CREATED BY", ["STARTED", "LAST MODIFIED"])
            + &line(job, ID, "ROLL_FORWARD_PAUSED", "ann", times)
            + &line(&format!("test/{owner}/test/web"), "2", "ERROR", "ann", times)
    );
    let sent: Vec<v1::ListUpdatesRequest> = world.proxy.sent("ListUpdates");
    assert_eq!(sent.len(), 1);
    let query = sent[0].query.clone().unwrap();
    let mut statuses: Vec<UpdateStatus> = query.statuses().collect();
    statuses.sort_by_key(|status| *status as i32);
    assert_eq!(
        statuses,
        [UpdateStatus::RollForwardPaused, UpdateStatus::RollBackPaused, UpdateStatus::Error]
    );
    assert_eq!((query.user.as_str(), query.role.as_str(), query.job), ("ann", "", None));
    // An environment is chosen here; of none at all there is no heading either.
    world.tell(&both);
    let listed = world.run(&["update", "list", &format!("test/{owner}/test")]).expect(0).out();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let sent: Vec<v1::ListUpdatesRequest> = world.proxy.sent("ListUpdates");
    assert_eq!(sent[0].query.clone().unwrap().role, owner);
    world.tell(&both);
    let none = world.run(&["update", "list", &format!("test/{owner}/devel")]).expect(0);
    assert_eq!(none.out(), "");
    // As JSON.
    world.tell(std::slice::from_ref(&paused));
    let listed = world.run(&["update", "list", job, "--write-json"]).expect(0);
    let shown = json!([{
        "job": job, "id": ID, "user": "ann", "started": times[0], "last_modified": times[1],
        "status": "ROLL_FORWARD_PAUSED",
    }]);
    assert_eq!(listed.json(), shown);
    assert!(listed.out().starts_with("[\n  {\n"), "{}", listed.out());
    let sent: Vec<v1::ListUpdatesRequest> = world.proxy.sent("ListUpdates");
    assert_eq!(sent[0].query.clone().unwrap().job, key("prod", ID).job);
    world.tell(&[]);
    let none = world.run(&["update", "list", job, "--write-json"]).expect(0);
    assert_eq!(none.out(), "[]\n");
    world.refuse("ListUpdates");
    world.run(&["update", "list", "test"]).expect(10);
    for wrong in [&["update", "list", "test", "--status", "soon"][..], &["update", "list", ""]] {
        world.run(wrong).expect(2);
    }

    // 99: by its id, and the active one.
    let pair = |key: &str, value: &str| v1::Metadata { key: key.into(), value: value.into() };
    let event = |status: UpdateStatus, timestamp_ms: i64, message: Option<&str>| v1::UpdateEvent {
        status: status.into(),
        timestamp_ms,
        user: None,
        message: message.map(ToOwned::to_owned),
    };
    let details = v1::GetUpdateResponse {
        summary: Some(v1::UpdateSummary {
            metadata: vec![pair("z", "1"), pair("a", "2"), pair("a", "1")],
            ..paused.clone()
        }),
        update: None,
        events: vec![
            event(UpdateStatus::RollingForward, 1_500_000_000_999, None),
            event(UpdateStatus::RollForwardPaused, 1_500_000_061_000, Some("lunch")),
        ],
        instance_events: vec![v1::InstanceEvent {
            instance: 3,
            timestamp_ms: 1_500_000_060_000,
            action: v1::InstanceAction::Updating.into(),
            message: None,
        }],
    };
    let show = |words: &[&str]| {
        world.tell(std::slice::from_ref(&paused));
        world.proxy.plan("GetUpdate", 1, Fault::answer(&details));
        let shown = world.run(&[&["update", "info"], words].concat()).expect(0);
        let sent: Vec<v1::GetUpdateRequest> = world.proxy.sent("GetUpdate");
        assert_eq!(sent[0].key, paused.key);
        shown
    };
    let text = format!(
        "Job: {job}, UpdateID: {ID}\n\
         Started 2017-07-14T02:40:00, last activity: 2017-07-14T02:41:01\n\
         Current status: ROLL_FORWARD_PAUSED\n\
         Update events:\n  \
         Status: ROLLING_FORWARD at 2017-07-14T02:40:00\n  \
         Status: ROLL_FORWARD_PAUSED at 2017-07-14T02:41:01\n      \
         message: lunch\n\
         Instance events:\n  \
         Instance 3 at 2017-07-14T02:41:00: INSTANCE_UPDATING\n\
         Metadata:\n  a: 1\n  a: 2\n  z: 1\n"
    );
    for words in [&[job, ID][..], &[job]] {
        assert_eq!(show(words).out(), text);
        assert_eq!(
            show(&[words, &["--write-json"]].concat()).json(),
            json!({
                "updateId": ID,
                "job": job,
                "started": 1_500_000_000_999_i64,
                "last_modified": times[1],
                "status": "ROLL_FORWARD_PAUSED",
                "update_events": [
                    { "status": "ROLLING_FORWARD", "timestampMs": 1_500_000_000_999_i64 },
                    {
                        "status": "ROLL_FORWARD_PAUSED", "timestampMs": 1_500_000_061_000_i64,
                        "message": "lunch",
                    },
                ],
                "instance_update_events": [
                    { "instance": 3, "timestamp": 1_500_000_060_000_i64, "action": "INSTANCE_UPDATING" },
                ],
                "metadata": [{ "a": "1" }, { "a": "2" }, { "z": "1" }],
            })
        );
    }
}
