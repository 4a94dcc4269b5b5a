//! The service `Plan`.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_api::v1::plan_server::Plan as PlanService;
use aurora_model::job::TaskConfig;
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Plan, PlanAction, QuotaEffect};
use serde_json::Value;
use tonic::{Request, Response, Status};

use crate::actor::now;
use crate::grpc::{Api, ended, invalid, job};
use crate::{json, queries};

/// Instances that a request may name.
const MAX_INSTANCES: usize = 100_000;
/// Changes of fields that are told of a group of instances. More are for nobody to read.
const MAX_CHANGES: usize = 200;

fn scope(ranges: &[v1::InstanceRange]) -> Result<BTreeSet<u32>, Status> {
    let mut scope = BTreeSet::new();
    for range in ranges {
        let v1::InstanceRange { first, last } = *range;
        if first > last {
            return Err(invalid(format!("instances has the range {first} to {last}")));
        }
        let length = usize::try_from(last - first).unwrap_or(usize::MAX);
        if scope.len().saturating_add(length) >= MAX_INSTANCES {
            return Err(invalid(format!("instances names more than {MAX_INSTANCES}")));
        }
        scope.extend(first..=last);
    }
    Ok(scope)
}

#[tonic::async_trait]
impl PlanService for Api {
    async fn plan_job(
        &self,
        request: Request<v1::PlanJobRequest>,
    ) -> Result<Response<v1::PlanJobResponse>, Status> {
        let request = request.into_inner();
        let scope = scope(&request.instances)?;
        let job = job(request.job)?;
        let (plan, version) = self
            .core
            .ask(move |scheduler| (scheduler.plan(*job, &scope), scheduler.state().version()))
            .await
            .map_err(ended)?;
        let wanted = plan.placed();
        let mut answer = to_proto(&plan, version);
        if !request.without_placement && wanted > 0 && plan.problems.is_empty() {
            let task = plan.job.task;
            let trial = self
                .core
                .ask(move |scheduler| scheduler.trial(now(), &task, wanted))
                .await
                .map_err(ended)?;
            let reason = trial.reason.as_ref();
            answer.placement = Some(v1::TrialPlacement {
                wanted,
                fits: trial.fits,
                reason: reason.map(|reason| queries::reason_parts(String::new(), reason)),
            });
        }
        Ok(Response::new(answer))
    }
}

fn to_proto(plan: &Plan, version: u64) -> v1::PlanJobResponse {
    let action = match plan.action {
        PlanAction::Create => v1::PlanAction::Create,
        PlanAction::Update => v1::PlanAction::Update,
        PlanAction::Schedule => v1::PlanAction::Schedule,
    };
    let new = shown(&plan.job.task);
    let update = plan.update.iter().map(|(running, instances)| {
        let mut fields = Vec::new();
        add_changes(String::new(), Some(&shown(running)), Some(&new), &mut fields);
        v1::InstanceChange {
            instances: queries::ranges(instances),
            running: Some(v1::TaskConfig::from(&**running)),
            fields,
        }
    });
    v1::PlanJobResponse {
        problems: plan.problems.iter().map(ToString::to_string).collect(),
        conflicts: plan.conflicts.iter().map(ToString::to_string).collect(),
        job: Some(v1::JobConfiguration::from(&plan.job)),
        action: action as i32,
        add: queries::ranges(&plan.add),
        remove: queries::ranges(&plan.remove),
        unchanged: queries::ranges(&plan.unchanged),
        update: update.collect(),
        quota: plan.quota.as_ref().map(quota_to_proto),
        placement: None,
        version,
    }
}

fn quota_to_proto(effect: &QuotaEffect) -> v1::QuotaEffect {
    let amounts = |amounts: &ResourceAggregate| Some(v1::ResourceAggregate::from(amounts));
    let is_exceeded = effect.exceeded != ResourceAggregate::default();
    v1::QuotaEffect {
        limit: effect.limit.as_ref().map(v1::ResourceAggregate::from),
        before: amounts(&effect.before),
        after: amounts(&effect.after),
        exceeded_by: is_exceeded.then(|| v1::ResourceAggregate::from(&effect.exceeded)),
    }
}

/// A configuration as its fields are compared: the executor's part taken apart.
fn shown(config: &TaskConfig) -> Value {
    let mut shown = json::config(config);
    if let Some(data) = shown.pointer_mut("/executorConfig/data")
        && let Some(parsed) = data.as_str().and_then(|text| serde_json::from_str(text).ok())
    {
        *data = parsed;
    }
    shown
}

/// Every field that differs, by its path.
fn add_changes(
    path: String,
    old: Option<&Value>,
    new: Option<&Value>,
    changes: &mut Vec<v1::FieldChange>,
) {
    if old == new || changes.len() >= MAX_CHANGES {
        return;
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = match path.as_str() {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                add_changes(path, old.get(name), new.get(name), changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                let path = format!("{path}[{index}]");
                add_changes(path, old.get(index), new.get(index), changes);
            }
        }
        (old, new) => changes.push(v1::FieldChange {
            path,
            old: old.map(ToString::to_string),
            new: new.map(ToString::to_string),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_told_by_their_paths() {
        let old = json!({ "a": { "b": [1, { "c": "x" }] }, "gone": true, "same": 1 });
        let new = json!({ "a": { "b": [1, { "c": "y" }, 3] }, "new": null, "same": 1 });
        let mut changes = Vec::new();
        add_changes(String::new(), Some(&old), Some(&new), &mut changes);
        let shown: Vec<String> = changes
            .into_iter()
            .map(|change| {
                let side = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
                format!("{} {} {}", change.path, side(change.old), side(change.new))
            })
            .collect();
        assert_eq!(shown, ["a.b[1].c \"x\" \"y\"", "a.b[2] - 3", "gone true -", "new - null"]);
    }

    #[test]
    fn scopes_have_an_end() {
        let range = |first, last| v1::InstanceRange { first, last };
        assert_eq!(scope(&[range(1, 2), range(2, 3)]).unwrap(), [1, 2, 3].into());
        assert!(scope(&[range(0, u32::MAX)]).unwrap_err().message().contains("more than"));
        assert!(scope(&[range(2, 1)]).unwrap_err().message().contains("2 to 1"));
    }
}
