//! `aurora update info`.

use std::fmt::Write as _;

use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_client::updates::{self, Following, Update};
use aurora_model::key::{ClusterJobKey, UpdateId};
use aurora_model::update::{InstanceEvent, UpdateEvent};
use serde_json::{Value, json};

use super::view::View;
use super::wait::{instruct, now_ms};
use crate::failure::{Code, Failure};
use crate::live::Progress;
use crate::one_job::OneJob;
use crate::output::{Format, print, print_json, print_on, utc};

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
    /// Show how it goes on, until it is over.
    #[arg(long, short = 'w')]
    watch: bool,
    #[command(flatten)]
    progress: Progress,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.of.scheduler().await?;
        let update = updates::named(&scheduler, &self.of.key, self.id.as_ref()).await?;
        if self.watch {
            return self.follow(&scheduler, &update.key).await;
        }
        let details = Details::read(&self.of.key, scheduler.update(&update.key).await?)?;
        if self.write_json {
            return print_json(&details.json(details.update.created_ms.into()));
        }
        if self.of.output.is_data() {
            return self.of.output.print(&details.json(utc(details.update.created_ms).into()));
        }
        print(&details.text())
    }

    async fn follow(&self, scheduler: &Scheduler, key: &v1::UpdateKey) -> Result<(), Failure> {
        let mut live = self.progress.on_stdout();
        let is_data = self.write_json || self.of.output.is_data();
        if self.of.output.output == Format::Yaml {
            return Err(Failure::new(
                Code::Usage,
                "--watch prints text, or a line of JSON for each event",
            ));
        }
        if is_data || !live.is_on() {
            return self.tell_events(scheduler, key, is_data).await;
        }
        let mut following = Following::open(scheduler, key).await?;
        let mut view = View::new(self.of.key.to_string());
        loop {
            let update = live.during(following.next(), |size| view.lines(size, now_ms())).await?;
            let is_over = update.status.is_terminal();
            view.take(update, now_ms());
            instruct(&mut view, scheduler, key, true).await?;
            live.touch();
            if is_over {
                live.finish(|size| view.lines(size, now_ms()));
                return Ok(());
            }
        }
    }

    /// Tells each event when it happens.
    async fn tell_events(
        &self,
        scheduler: &Scheduler,
        key: &v1::UpdateKey,
        is_data: bool,
    ) -> Result<(), Failure> {
        let mut following = Following::open(scheduler, key).await?;
        let (mut events, mut instances) = (0, 0);
        loop {
            let is_over = following.next().await?.status.is_terminal();
            let details = Details::read(&self.of.key, scheduler.update(key).await?)?;
            let new: Vec<&UpdateEvent> = details.events.iter().skip(events).collect();
            let new_instances: Vec<&InstanceEvent> =
                details.instance_events.iter().skip(instances).collect();
            (events, instances) = (details.events.len(), details.instance_events.len());
            let text = if is_data {
                let lines = new.iter().map(|event| event_json(event));
                let lines = lines.chain(new_instances.iter().map(|event| instance_json(event)));
                lines.fold(String::new(), |text, line| text + &line.to_string() + "\n")
            } else {
                let mut text = String::new();
                new.iter().for_each(|event| event_text(&mut text, event));
                new_instances.iter().for_each(|event| instance_text(&mut text, event));
                text
            };
            if !print_on(&text)? || is_over {
                return Ok(());
            }
        }
    }
}

fn add_words(text: &mut String, message: Option<&str>) {
    if let Some(message) = message {
        let _ = writeln!(text, "      message: {message}");
    }
}

fn event_text(text: &mut String, event: &UpdateEvent) {
    let _ = writeln!(text, "  Status: {} at {}", event.status, utc(event.timestamp.0));
    add_words(text, event.message.as_deref());
}

fn instance_text(text: &mut String, event: &InstanceEvent) {
    let (at, action) = (utc(event.timestamp.0), event.action);
    let _ = writeln!(text, "  Instance {} at {at}: {action}", event.instance);
    add_words(text, event.message.as_deref());
}

fn event_json(event: &UpdateEvent) -> Value {
    let mut found = json!({ "status": event.status.name(), "timestampMs": event.timestamp.0 });
    add_message(&mut found, event.message.as_ref());
    found
}

fn instance_json(event: &InstanceEvent) -> Value {
    let mut found = json!({
        "instance": event.instance,
        "timestamp": event.timestamp.0,
        "action": event.action.name(),
    });
    add_message(&mut found, event.message.as_ref());
    found
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
        self.events.iter().for_each(|event| event_text(&mut text, event));
        text.push_str("Instance events:\n");
        self.instance_events.iter().for_each(|event| instance_text(&mut text, event));
        if !self.metadata.is_empty() {
            text.push_str("Metadata:\n");
            for (key, value) in &self.metadata {
                let _ = writeln!(text, "  {key}: {value}");
            }
        }
        text
    }

    /// The original's object, and what instance events say beside it. The original has the time of the start in
    /// another form than that of the last change.
    fn json(&self, started: Value) -> Value {
        let events = self.events.iter().map(event_json);
        let instances = self.instance_events.iter().map(instance_json);
        let metadata = self.metadata.iter().map(|(key, value)| json!({ key: value }));
        json!({
            "updateId": self.update.key.id,
            "job": self.job,
            "started": started,
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
