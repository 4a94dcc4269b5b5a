//! `aurora update info`.

use std::fmt::Write as _;

use aurora_api::v1;
use aurora_client::updates::{self, Update};
use aurora_model::key::{ClusterJobKey, UpdateId};
use aurora_model::update::{InstanceEvent, UpdateEvent};
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::one_job::OneJob;
use crate::output::{print, utc};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OneJob,
    /// The update; by default the active one.
    #[arg(value_name = "ID")]
    id: Option<UpdateId>,
    /// The same as --output json.
    #[arg(long)]
    write_json: bool,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.of.scheduler().await?;
        let update = updates::named(&scheduler, &self.of.key, self.id.as_ref()).await?;
        let details = Details::read(&self.of.key, scheduler.update(&update.key).await?)?;
        if self.write_json || self.of.output.is_data() {
            return self.of.output.print(&details.json());
        }
        print(&details.text())
    }
}

/// An update with all that happened to it.
struct Details {
    job: String,
    update: Update,
    events: Vec<UpdateEvent>,
    instance_events: Vec<InstanceEvent>,
    /// Sorted.
    metadata: Vec<(String, String)>,
}

impl Details {
    fn read(job: &ClusterJobKey, answer: v1::GetUpdateResponse) -> Result<Self, Failure> {
        let improper = |what: String| Failure::new(Code::Api, what);
        let summary = answer.summary.ok_or_else(|| improper("no summary was given".to_owned()))?;
        let events = answer.events.into_iter().map(UpdateEvent::try_from);
        let instances = answer.instance_events.into_iter().map(InstanceEvent::try_from);
        let mut metadata: Vec<(String, String)> =
            summary.metadata.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
        metadata.sort();
        Ok(Self {
            job: job.to_string(),
            update: Update::read(&summary)?,
            events: events
                .collect::<Result<_, _>>()
                .map_err(|error| improper(error.to_string()))?,
            instance_events: instances
                .collect::<Result<_, _>>()
                .map_err(|error| improper(error.to_string()))?,
            metadata,
        })
    }

    fn text(&self) -> String {
        let update = &self.update;
        let mut text = format!(
            "Job: {}, UpdateID: {}\nStarted {}, last activity: {}\nCurrent status: {}\nUpdate events:\n",
            self.job,
            update.key.id,
            utc(update.created_ms),
            utc(update.modified_ms),
            update.status,
        );
        let message = |text: &mut String, message: &Option<String>| {
            if let Some(message) = message {
                let _ = writeln!(text, "      message: {message}");
            }
        };
        for event in &self.events {
            let _ = writeln!(text, "  Status: {} at {}", event.status, utc(event.timestamp.0));
            message(&mut text, &event.message);
        }
        text.push_str("Instance events:\n");
        for event in &self.instance_events {
            let (at, action) = (utc(event.timestamp.0), event.action);
            let _ = writeln!(text, "  Instance {} at {at}: {action}", event.instance);
            message(&mut text, &event.message);
        }
        if !self.metadata.is_empty() {
            text.push_str("Metadata:\n");
            for (key, value) in &self.metadata {
                let _ = writeln!(text, "  {key}: {value}");
            }
        }
        text
    }

    /// The original's object, and what instance events say beside it.
    fn json(&self) -> Value {
        let events = self.events.iter().map(|event| {
            let mut found =
                json!({ "status": event.status.name(), "timestampMs": event.timestamp.0 });
            add_message(&mut found, event.message.as_ref());
            found
        });
        let instances = self.instance_events.iter().map(|event| {
            let mut found = json!({
                "instance": event.instance,
                "timestamp": event.timestamp.0,
                "action": event.action.name(),
            });
            add_message(&mut found, event.message.as_ref());
            found
        });
        let metadata = self.metadata.iter().map(|(key, value)| json!({ key: value }));
        json!({
            "updateId": self.update.key.id,
            "job": self.job,
            "started": self.update.created_ms,
            "last_modified": utc(self.update.modified_ms),
            "status": self.update.status.name(),
            "update_events": events.collect::<Vec<_>>(),
            "instance_update_events": instances.collect::<Vec<_>>(),
            "metadata": metadata.collect::<Vec<_>>(),
        })
    }
}

fn add_message(object: &mut Value, message: Option<&String>) {
    if let (Some(object), Some(message)) = (object.as_object_mut(), message) {
        object.insert("message".to_owned(), message.as_str().into());
    }
}
