//! A job is interpolated several times on its way, and each time takes away one level of escapes
//! (`dsl.md` 2.2).

use aurora_template::object::Object;
use aurora_template::scope::{Resolved, resolve, resolve_times};

use super::references::changes_again;

/// The interpolations of a job that are looked at, with how many went before.
#[derive(Debug)]
pub(super) struct Rounds {
    first: Resolved,
    /// The job after two, three and five, if they differ from the first.
    later: Option<[Resolved; 3]>,
}

impl Rounds {
    /// Interpolates a job once.
    pub(super) fn new(job: &Object) -> Self {
        Self { first: resolve(job), later: None }
    }

    /// Interpolates it again for what is found only then.
    pub(super) fn complete(&mut self, job: &Object) {
        if self.first.problems.is_empty() && changes_again(&self.first) {
            self.later = Some([2, 3, 5].map(|times| resolve_times(job, times)));
        }
    }

    /// The job as the client shows it.
    pub(super) fn first(&self) -> &Resolved {
        &self.first
    }

    /// The job as the conversion looks for ports and open references.
    pub(super) fn second(&self) -> &Resolved {
        self.later.as_ref().map_or(&self.first, |[second, _, _]| second)
    }

    /// The job as it is submitted.
    pub(super) fn third(&self) -> &Resolved {
        self.later.as_ref().map_or(&self.first, |[_, third, _]| third)
    }

    /// The job as its task is checked.
    pub(super) fn fifth(&self) -> &Resolved {
        self.later.as_ref().map_or(&self.first, |[_, _, fifth]| fifth)
    }
}
