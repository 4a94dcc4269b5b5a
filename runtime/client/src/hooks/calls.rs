//! Hooks of calls: what the scheduler is asked to change, before and after it is.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use super::{Event, Hook, When};
use crate::error::{Code, Error};

/// The calls that hooks are told of, by the original's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A job is created.
    CreateJob,
    /// Instances are added to a job.
    AddInstances,
    /// Instances of a job are killed.
    KillJob,
    /// Instances of a job are restarted.
    Restart,
    /// A run of a cron job is made.
    StartCronjob,
    /// An update of a job is started.
    StartJobUpdate,
}

impl Method {
    pub(crate) const ALL: [Self; 6] = [
        Self::CreateJob,
        Self::AddInstances,
        Self::KillJob,
        Self::Restart,
        Self::StartCronjob,
        Self::StartJobUpdate,
    ];

    /// As hooks know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateJob => "create_job",
            Self::AddInstances => "add_instances",
            Self::KillJob => "kill_job",
            Self::Restart => "restart",
            Self::StartCronjob => "start_cronjob",
            Self::StartJobUpdate => "start_job_update",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// What its request is called in the protocol.
    fn request(self) -> &'static str {
        match self {
            Self::CreateJob => "aurora.v1.CreateJobRequest",
            Self::AddInstances => "aurora.v1.AddInstancesRequest",
            Self::KillJob => "aurora.v1.KillTasksRequest",
            Self::Restart => "aurora.v1.RestartTasksRequest",
            Self::StartCronjob => "aurora.v1.StartCronJobRequest",
            Self::StartJobUpdate => "aurora.v1.StartUpdateRequest",
        }
    }
}

/// Makes a call between the hooks that are on it. All that are before it are asked, whatever one says; one that
/// does not agree keeps it from being made. What those say that come after it changes nothing.
pub(crate) async fn around<T>(
    cluster: &str,
    method: Method,
    request: &impl Message,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let event = |when| Event::Call(when, method.name().to_owned());
    let events = [When::Before, When::After, When::Failed].map(event);
    let mut hooks = super::read()?;
    hooks.retain(|hook| events.iter().any(|event| hook.is_on(event)));
    if hooks.is_empty() {
        return call.await;
    }
    let request = as_json(method, request)?;
    let mut told = json!({
        "version": 1, "event": "pre-call", "method": method.name(),
        "job": key(cluster, method, &request), "request": request,
    });
    let [before, after, failed] = events;
    let mut refusals = Vec::new();
    for hook in hooks.iter().filter(|hook| hook.is_on(&before)) {
        if let Some(why) = objection(hook, &told).await {
            refusals.push(format!("hook {} refuses {}: {why}", hook.name, method.name()));
        }
    }
    if !refusals.is_empty() {
        return Err(Error::new(Code::Error, refusals.join("; ") + "; this was not asked for"));
    }
    let result = call.await;
    let event = match &result {
        Ok(_) => after,
        Err(error) => {
            told["error"] = Value::from(error.to_string());
            failed
        }
    };
    told["event"] = Value::from(event.name());
    for hook in hooks.iter().filter(|hook| hook.is_on(&event)) {
        if let Some(why) = objection(hook, &told).await {
            tracing::warn!("hook {} failed on {} {}: {why}", hook.name, event.name(), event);
        }
    }
    result
}

/// What a hook has against it.
async fn objection(hook: &Hook, told: &Value) -> Option<String> {
    match hook.tell(told).await {
        Ok(done) if done.agrees() => None,
        Ok(done) => Some(done.why()),
        Err(trouble) => Some(trouble.to_string()),
    }
}

/// The key of the job that a request is about, with its cluster.
fn key(cluster: &str, method: Method, request: &Value) -> String {
    let key = match method {
        Method::CreateJob => &request["job"]["key"],
        Method::StartJobUpdate => &request["update"]["task"]["job"],
        _ => &request["job"],
    };
    let part = |name: &str| key[name].as_str().unwrap_or_default();
    [cluster, part("role"), part("environment"), part("name")].join("/")
}

/// A request as protobuf's JSON.
fn as_json(method: Method, request: &impl Message) -> Result<Value, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Code::Error, format!("failed to write a request for hooks: {error}"))
    };
    let pool = DescriptorPool::decode(aurora_api::FILE_DESCRIPTOR_SET);
    let pool = pool.map_err(|error| failed(&error))?;
    let name = method.request();
    let described =
        pool.get_message_by_name(name).ok_or_else(|| failed(&format!("{name} is unknown")))?;
    let message = DynamicMessage::decode(described, request.encode_to_vec().as_slice());
    let message = message.map_err(|error| failed(&error))?;
    serde_json::to_value(&message).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use aurora_api::v1;

    use super::*;

    #[test]
    fn each_request_is_known_to_the_protocol() {
        for method in Method::ALL {
            // A message without fields is one of every kind.
            assert_eq!(as_json(method, &()).unwrap(), json!({}), "{}", method.name());
        }
        let job = v1::JobKey { role: "r".into(), environment: "e".into(), name: "n".into() };
        let kill = v1::KillTasksRequest {
            job: Some(job),
            instances: vec![0, 2],
            ..v1::KillTasksRequest::default()
        };
        let written = as_json(Method::KillJob, &kill).unwrap();
        assert_eq!(written["instances"], json!([0, 2]));
        assert_eq!(key("c", Method::KillJob, &written), "c/r/e/n");
    }
}
