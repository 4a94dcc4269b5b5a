//! What users ask of updates (`updates.md` 5 and 11).

use aurora_model::update::{UpdateKey, UpdateStatus};

use super::store::UpdateOp;
use super::table::{ActionVerdict, UpdateAction, on_action, rolling};
use super::{UpdateRequest, UpdateResponse};
use crate::input::{ErrorKind, Op, RequestError};
use crate::scheduler::Turn;

/// The longest message of a change of an update, in characters.
const MAX_MESSAGE: usize = 1024;

impl Turn<'_> {
    pub(crate) fn updates_request(
        &mut self,
        user: &str,
        request: UpdateRequest,
    ) -> Result<UpdateResponse, RequestError> {
        match request {
            UpdateRequest::Start { request, message } => self.start_update(user, *request, message),
            UpdateRequest::Act { key, action, message } => {
                self.act_on_update(user, &key, action, message).map(UpdateResponse::Acted)
            }
            UpdateRequest::Pulse(key) => Ok(UpdateResponse::Pulsed { finished: !self.pulse(&key) }),
        }
    }

    fn act_on_update(
        &mut self,
        user: &str,
        key: &UpdateKey,
        action: UpdateAction,
        message: Option<String>,
    ) -> Result<UpdateStatus, RequestError> {
        check_message(message.as_deref())?;
        let Some(update) = self.scheduler.state.updates.get(key) else {
            return Err(RequestError {
                kind: ErrorKind::NotFound,
                message: format!("{} has no update {}", key.job, key.id),
            });
        };
        let status = update.status();
        match on_action(action, status, update.lacks_pulse(self.now)) {
            ActionVerdict::Go(to) => {
                self.enter(key, to, Some(user.to_owned()), message, false);
                let update = self.scheduler.state.updates.get(key);
                Ok(update.map_or(to, |update| update.status()))
            }
            ActionVerdict::Already => Ok(status),
            ActionVerdict::Refused => Err(RequestError {
                kind: ErrorKind::FailedPrecondition,
                message: format!(
                    "cannot {action} update {} of {}: it is {status}{}",
                    key.id,
                    key.job,
                    match status.is_terminal() {
                        true => ", which is final",
                        false => "",
                    }
                ),
            }),
        }
    }

    /// An update may go on; gives whether it takes pulses at all.
    fn pulse(&mut self, key: &UpdateKey) -> bool {
        let Some(update) = self.scheduler.state.updates.get(key) else { return false };
        let status = update.status();
        if status.is_terminal() || update.pulse_ends().is_none() {
            return false;
        }
        self.apply(Op::Update(UpdateOp::Pulse { key: key.clone(), at: self.now }));
        if status.awaits_pulse() {
            self.enter(key, rolling(status), None, None, false);
        } else {
            self.watch_pulse(key);
        }
        true
    }
}

pub(super) fn check_message(message: Option<&str>) -> Result<(), RequestError> {
    let length = message.map_or(0, |message| message.chars().count());
    if length > MAX_MESSAGE {
        return Err(RequestError::invalid(format!(
            "the message is {length} characters long; at most {MAX_MESSAGE} are allowed"
        )));
    }
    Ok(())
}
