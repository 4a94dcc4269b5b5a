//! More instances of a job.

use aurora_model::key::JobKey;

use crate::input::{ErrorKind, RecordedResponse, RequestError};
use crate::scheduler::Turn;
use crate::validate::check_ids;

impl Turn<'_> {
    /// Adds instances that are what `like` is, with the numbers after the greatest one in use: holes
    /// that kills have left are not filled.
    pub(crate) fn add_instances(
        &mut self,
        job: &JobKey,
        like: u32,
        count: u32,
    ) -> Result<RecordedResponse, RequestError> {
        if count == 0 {
            return Err(RequestError::invalid("instance count must be positive"));
        }
        self.check_no_cron(job)?;
        self.scheduler.check_not_updating(job)?;
        let state = &self.scheduler.state;
        let Some(template) = state.active_instance(job, like) else {
            return Err(RequestError {
                kind: ErrorKind::NotFound,
                message: format!(
                    "{job} has no active instance {like} that others could be made like: name one \
                     that is active"
                ),
            });
        };
        let config = template.assigned.task.clone();
        // A stand-in has the next number already: it stays, as the first of those that are added.
        let greatest = state.active_of(job).map(|task| task.assigned.instance).max();
        let stand_in = self.scheduler.lasting_stand_in(job).filter(|at| Some(*at) == greatest);
        let active = state.active_count(job) - usize::from(stand_in.is_some());
        let active = u32::try_from(active).unwrap_or(u32::MAX);
        let max = self.scheduler.settings.max_tasks_per_job;
        if active.checked_add(count).is_none_or(|total| total > max) {
            return Err(RequestError::invalid(format!(
                "{job} has {active} active instances and would have {count} more; a job may have at \
                 most {max}"
            )));
        }
        let first = match stand_in {
            Some(number) => Some(number),
            None => greatest.map_or(Some(0), |greatest| greatest.checked_add(1)),
        };
        let Some((first, end)) = first.and_then(|first| Some((first, first.checked_add(count)?)))
        else {
            return Err(RequestError::invalid(format!("{job} has no more numbers for instances")));
        };
        check_ids(job, end - 1)?;
        let made = first + u32::from(stand_in.is_some());
        self.scheduler.check_quota(&config, end - made)?;
        if stand_in.is_some() {
            self.keep_stand_in(job);
        }
        if made < end {
            self.insert_pending(config, made..end);
        }
        Ok(RecordedResponse::Added { instances: (first..end).collect() })
    }
}
