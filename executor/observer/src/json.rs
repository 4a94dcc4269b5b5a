//! What programs ask for: `/j/…` (`observer.md` 6).

use std::io;
use std::sync::Arc;

use aurora_daemon::beneath::{self, blocking};
use aurora_thermos::view::{Run, Task};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::tasks::{Observed, Seen, Which, configuration, group, run_numbered};

/// The most tasks that one request may name.
const MAX_NAMED: usize = 1000;

type App = State<Arc<Observed>>;

pub(crate) fn router(observed: Arc<Observed>) -> Router {
    Router::new()
        .route("/j/task_ids", get(task_ids))
        .route("/j/task_ids/{which}", get(task_ids))
        .route("/j/task_ids/{which}/{offset}", get(task_ids))
        .route("/j/task_ids/{which}/{offset}/{num}", get(task_ids))
        .route("/j/task_id_count", get(task_id_count))
        .route("/j/task", get(tasks))
        .route("/j/task/{id}", get(task))
        .route("/j/process/{id}", get(process))
        .route("/j/process/{id}/{process}", get(process))
        .route("/j/process/{id}/{process}/{run}", get(process))
        .route("/j/processes", get(processes))
        .with_state(observed)
}

fn error(status: StatusCode, text: String) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

fn unreadable(reason: &io::Error) -> Response {
    beneath::later(error(beneath::logged_status(reason, "tasks"), reason.to_string()))
}

#[derive(Debug, Deserialize)]
struct Part {
    which: Option<String>,
    offset: Option<String>,
    num: Option<String>,
}

async fn task_ids(State(observed): App, Path(part): Path<Part>) -> Response {
    let which = part.which.as_deref().unwrap_or("all");
    let Some(which) = Which::parse(which) else {
        return error(StatusCode::NOT_FOUND, format!("Invalid task type: {which}"));
    };
    let offset = part.offset.as_deref().unwrap_or("0");
    let Ok(from) = offset.parse::<i64>() else {
        return error(StatusCode::NOT_FOUND, format!("Invalid offset: {offset}"));
    };
    let num = part.num.as_deref().unwrap_or("0");
    let Ok(size) = num.parse::<usize>() else {
        return error(StatusCode::NOT_FOUND, format!("Invalid count: {num}"));
    };
    let listed = match observed.list(which, from, size).await {
        Ok(listed) => listed,
        Err(reason) => return unreadable(&reason),
    };
    let (offset, size, total) = (listed.offset, listed.size, listed.total);
    let rows = blocking(move || {
        Ok(listed.tasks.iter().map(|task| row(&observed, task)).collect::<Vec<_>>())
    });
    match rows.await {
        Ok(rows) => Json(json!({
            "tasks": rows,
            "type": which.name(),
            "offset": offset,
            "num": size,
            "task_count": total,
        }))
        .into_response(),
        Err(reason) => unreadable(&reason),
    }
}

async fn task_id_count(State(observed): App) -> Response {
    match observed.counts().await {
        Ok((active, all)) => {
            Json(json!({ "active": active, "finished": all - active, "all": all })).into_response()
        }
        Err(reason) => unreadable(&reason),
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    task_id: Option<String>,
}

impl Named {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.task_id
            .iter()
            .flat_map(|ids| ids.split(','))
            .filter(|id| !id.is_empty())
            .take(MAX_NAMED)
    }
}

async fn tasks(State(observed): App, Query(named): Query<Named>) -> Response {
    let mut found = Map::new();
    for id in named.ids() {
        match observed.task(id).await {
            Ok(Some(task)) => {
                match described(&observed, task).await {
                    Ok(described) => found.insert(id.to_owned(), described),
                    Err(reason) => return unreadable(&reason),
                };
            }
            Ok(None) => {}
            // The others are there all the same.
            Err(reason) => tracing::warn!(%reason, task = id, "left out"),
        }
    }
    Json(found).into_response()
}

async fn task(State(observed): App, Path(id): Path<String>) -> Response {
    match observed.task(&id).await {
        Ok(Some(task)) => match described(&observed, task).await {
            Ok(described) => Json(json!({ id: described })).into_response(),
            Err(reason) => unreadable(&reason),
        },
        Ok(None) => error(StatusCode::NOT_FOUND, format!("Failed to find task {id}.")),
        Err(reason) => unreadable(&reason),
    }
}

#[derive(Debug, Deserialize)]
struct Process {
    id: String,
    process: Option<String>,
    run: Option<String>,
}

async fn process(State(observed): App, Path(wanted): Path<Process>) -> Response {
    let task = match observed.task(&wanted.id).await {
        Ok(Some(task)) => task,
        Ok(None) => return Json(json!({})).into_response(),
        Err(reason) => return unreadable(&reason),
    };
    let Some(name) = wanted.process else { return Json(json!({})).into_response() };
    let number = wanted.run.as_deref().unwrap_or("-1");
    let Ok(number) = number.parse::<i64>() else {
        return error(StatusCode::NOT_FOUND, format!("Invalid run: {number}"));
    };
    let described = blocking(move || {
        let found = run_numbered(task.runs(&name), number);
        Ok(found.map(|run| run_object(&observed, &task, &name, run)))
    });
    match described.await {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) if number < -1 => {
            error(StatusCode::NOT_FOUND, format!("There are no {} runs.", number.unsigned_abs()))
        }
        Ok(None) => Json(json!({})).into_response(),
        Err(reason) => unreadable(&reason),
    }
}

async fn processes(State(observed): App, Query(named): Query<Named>) -> Response {
    let mut found = Map::new();
    for id in named.ids() {
        let task = match observed.task(id).await {
            Ok(task) => task,
            // The others are there all the same.
            Err(reason) => {
                tracing::warn!(%reason, task = id, "left out");
                continue;
            }
        };
        let observed = Arc::clone(&observed);
        let latest = blocking(move || {
            let mut latest = Map::new();
            let Some(task) = task else { return Ok(latest) };
            for (name, runs) in task.history().processes() {
                if let Some(run) = runs.last() {
                    latest.insert(name.clone(), run_object(&observed, &task, name, run));
                }
            }
            Ok(latest)
        });
        match latest.await {
            Ok(latest) => found.insert(id.to_owned(), Value::Object(latest)),
            Err(reason) => return unreadable(&reason),
        };
    }
    Json(found).into_response()
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

fn row(observed: &Observed, task: &Seen) -> Value {
    let header = task.header();
    let mut row = Map::new();
    row.insert("task_id".to_owned(), json!(task.id()));
    row.insert("name".to_owned(), json!(name(task)));
    row.insert("role".to_owned(), json!(header.map(|header| &header.user)));
    row.insert("launch_timestamp".to_owned(), json!(task.started_ms().map(seconds)));
    row.insert("state".to_owned(), json!(task.state_name()));
    row.insert("state_timestamp".to_owned(), json!(state_since(task)));
    row.insert("ports".to_owned(), json!(header.map(|header| &header.ports)));
    row.extend(observed.sampler.of_task(task).json());
    Value::Object(row)
}

fn name(task: &Task) -> Option<String> {
    let job = task.header().and_then(|header| header.job.as_ref()).map(|job| job.name.clone());
    job.or_else(|| Some(configuration(task)?.get("name")?.as_str()?.to_owned()))
}

/// Since when the task is in its state, in seconds: a repeated record does not change it.
fn state_since(task: &Seen) -> Option<i64> {
    if task.is_abandoned() {
        // The last that is known of it.
        return task.history().last_ms().map(seconds);
    }
    let state = task.state()?;
    let statuses = task.history().statuses();
    let since = statuses.iter().rev().take_while(|status| status.state == state).last()?;
    Some(seconds(since.time_ms))
}

async fn described(observed: &Arc<Observed>, task: Seen) -> io::Result<Value> {
    let observed = Arc::clone(observed);
    blocking(move || Ok(task_object(&observed, &task))).await
}

fn task_object(observed: &Observed, task: &Seen) -> Value {
    let header = task.header();
    let mut groups: Map<String, Value> = ["waiting", "running", "success", "failed", "killed"]
        .into_iter()
        .map(|group| (group.to_owned(), json!([])))
        .collect();
    for (process, runs) in task.history().processes() {
        if let Some(run) = runs.last()
            && let Some(Value::Array(names)) = groups.get_mut(group(run.state))
        {
            names.push(json!(process));
        }
    }
    json!({
        "task_id": task.id(),
        "name": name(task),
        "job": header.and_then(|header| header.job.as_ref()).map(|job| {
            json!({
                "role": job.role,
                "environment": job.environment,
                "name": job.name,
                "instance": job.instance,
            })
        }),
        "user": header.map(|header| &header.user),
        "hostname": header.map(|header| &header.hostname),
        "sandbox": header.map(|header| &header.sandbox),
        "launch_timestamp": task.started_ms().map(seconds),
        "state": task.state_name(),
        "state_timestamp": state_since(task),
        "abandoned": task.is_abandoned(),
        "damage": task.damage(),
        "ports": header.map(|header| &header.ports),
        "resource_consumption": observed.sampler.of_task(task).json(),
        "processes": groups,
        "task": configuration(task),
    })
}

fn run_object(observed: &Observed, task: &Seen, process: &str, run: &Run) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
    let time = |ms: i64| ms as f64 / 1000.0;
    let mut object = Map::new();
    object.insert("process_name".to_owned(), json!(process));
    object.insert("process_run".to_owned(), json!(run.number));
    object.insert("state".to_owned(), json!(run.state.name()));
    let known = [
        ("start_time", run.started_ms.map(|ms| json!(time(ms)))),
        ("stop_time", run.stopped_ms.map(|ms| json!(time(ms)))),
        ("return_code", run.return_code().map(|code| json!(code))),
        ("pid", run.process.map(|process| json!(process.pid))),
        ("used", observed.sampler.of_run(task, process, run).map(|used| json!(used))),
    ];
    for (key, value) in known {
        if let Some(value) = value {
            object.insert(key.to_owned(), value);
        }
    }
    Value::Object(object)
}
