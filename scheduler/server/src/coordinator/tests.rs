//! Asks real servers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aurora_model::job::{AssignedTask, TaskConfig, TaskEvent, TaskResources, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, TaskId};
use aurora_scheduler_core::QuestionId;
use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;

use super::*;

fn task() -> ScheduledTask {
    let job = JobKey::new("www", "prod", "db").unwrap();
    ScheduledTask {
        assigned: AssignedTask {
            task_id: TaskId::new("www-prod-db-3-x").unwrap(),
            agent: Some((AgentId::new("S1").unwrap(), "host-a".into())),
            task: Arc::new(TaskConfig {
                is_service: true,
                priority: 7,
                production: true,
                tier: Some("preferred".into()),
                metadata: [("shard".to_owned(), "blue".to_owned())].into(),
                ..TaskConfig::plain(job, "me", TaskResources::default())
            }),
            assigned_ports: [("http".to_owned(), 31_001)].into(),
            instance: 3,
        },
        state: TaskState::Running,
        failure_count: 2,
        times_partitioned: 0,
        events: vec![TaskEvent {
            timestamp: Timestamp(1234),
            state: TaskState::Running,
            message: None,
            scheduler: Some("s1".into()),
        }],
        ancestor: None,
    }
}

type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// A coordinator of this machine that gives one answer to everything.
async fn coordinator(
    answer: impl IntoResponse + Clone + Send + Sync + 'static,
) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let recorded = seen.clone();
    let router = Router::new().route(
        "/ask",
        post(move |uri: Uri, axum::Json(body): axum::Json<Value>| {
            recorded.lock().unwrap().push((uri.to_string(), body));
            let answer = answer.clone();
            async move { answer }
        }),
    );
    (serve(router).await, seen)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn ask_at(url: String, key: &str) -> CoordinatorAnswer {
    let question = CoordinatorQuestion {
        id: QuestionId(1),
        url,
        status_key: key.to_owned(),
        task: task(),
        params: [("forceMaintenanceCountdownMs".to_owned(), "5000".to_owned())].into(),
    };
    let coordinators = Coordinators::new("my cluster".to_owned(), Duration::from_millis(500));
    coordinators.answer(&question).await
}

async fn failure_at(url: String) -> String {
    match ask_at(url, "drain").await {
        CoordinatorAnswer::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_told_of_the_task_and_its_word_counts() {
    let (address, seen) = coordinator(r#"{"drain": true, "move": false}"#).await;
    assert_eq!(ask_at(format!("http://{address}/ask"), "").await, CoordinatorAnswer::Allowed);
    assert_eq!(ask_at(format!("http://{address}/ask"), "drain").await, CoordinatorAnswer::Allowed);
    let other = ask_at(format!("http://{address}/ask?team=a%20b"), "move").await;
    assert_eq!(other, CoordinatorAnswer::Denied);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0, "/ask?task=my%20cluster/www/prod/db/3");
    assert_eq!(seen[2].0, "/ask?team=a%20b&task=my%20cluster/www/prod/db/3");
    let body = &seen[0].1;
    assert_eq!(body["task"], "my cluster/www/prod/db/3");
    assert_eq!(body["forceMaintenanceCountdownMs"], "5000");
    let told = &body["taskConfig"];
    assert_eq!(told["status"], "RUNNING");
    assert_eq!(told["failureCount"], 2);
    assert_eq!(told["taskEvents"][0]["timestamp"], 1234);
    let assigned = &told["assignedTask"];
    assert_eq!(assigned["taskId"], "www-prod-db-3-x");
    assert_eq!(assigned["slaveHost"], "host-a");
    assert_eq!(assigned["instanceId"], 3);
    assert_eq!(assigned["assignedPorts"], json!({ "http": 31001 }));
    let job = json!({ "role": "www", "environment": "prod", "name": "db" });
    assert_eq!(assigned["task"]["job"], job);
    assert_eq!(assigned["task"]["metadata"], json!([{ "key": "shard", "value": "blue" }]));
}

#[tokio::test]
async fn an_answer_without_a_verdict_is_no_yes() {
    for (body, expected) in [
        ("yes", "not a JSON object"),
        ("[true]", "not a JSON object"),
        ("", "not a JSON object"),
        ("{}", "no true or false under \"drain\""),
        (r#"{"drain": "true"}"#, "no true or false under \"drain\""),
        (r#"{"Drain": true}"#, "no true or false under \"drain\""),
    ] {
        let (address, _) = coordinator(body).await;
        let reason = failure_at(format!("http://{address}/ask")).await;
        assert!(reason.contains(expected), "{body}: {reason}");
    }
    let (address, _) = coordinator("x".repeat(MAX_ANSWER + 1)).await;
    let reason = failure_at(format!("http://{address}/ask")).await;
    assert!(reason.contains("length limit"), "{reason}");
}

#[test]
fn e1_an_answer_may_be_spelled_as_python_does() {
    for (body, wanted) in [
        (r#"{"drain":True}"#, Some(true)),
        (r#"{"why": "True \" None", "drain": False, "more": [None, True]}"#, Some(false)),
        (r#"{"True": 1, "drain": true}"#, Some(true)),
        (r#"{"drain": Truely}"#, None),
        (r#"{'drain': True}"#, None),
    ] {
        assert_eq!(verdict(&Bytes::from(body), "").ok(), wanted, "{body}");
    }
}

#[tokio::test]
async fn any_status_but_ok_is_no_yes() {
    let yes = r#"{"drain": true}"#;
    for status in [StatusCode::ACCEPTED, StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR] {
        let (address, _) = coordinator((status, yes)).await;
        let reason = failure_at(format!("http://{address}/ask")).await;
        assert!(reason.contains(status.as_str()), "{reason}");
    }
    // Nobody is asked whom the job does not name.
    let (elsewhere, seen) = coordinator(yes).await;
    let (address, _) = coordinator(Redirect::permanent(&format!("http://{elsewhere}/ask"))).await;
    let reason = failure_at(format!("http://{address}/ask")).await;
    assert!(reason.contains("308"), "{reason}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_is_slow_or_not_there_says_nothing() {
    let never = Router::new().route("/ask", post(std::future::pending::<()>));
    let address = serve(never).await;
    let reason = failure_at(format!("http://{address}/ask")).await;
    assert!(reason.contains("did not answer within 500ms"), "{reason}");
    let gone = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let reason = failure_at(format!("http://{gone}/ask")).await;
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn an_address_that_cannot_be_asked_is_named() {
    for url in ["", "host:80/ask", "https://host/ask", "http://", "/ask", "ftp://host/"] {
        let reason = failure_at(url.to_owned()).await;
        assert!(reason.contains(&format!("{url:?}")) && reason.contains("http://"), "{reason}");
    }
    let plain = address("http://h:1#part", "c/r").unwrap();
    assert_eq!(plain.to_string(), "http://h:1/?task=c/r");
    assert_eq!(address("http://h/p?", "t").unwrap().to_string(), "http://h/p?task=t");
}
