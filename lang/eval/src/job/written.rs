//! What the values that a file writes come to in a job: what an editor shows beside them.

use std::ops::Range;
use std::sync::Arc;

use aurora_template::object::{Kind, Object};
use aurora_template::types::{Plain, Type};

use super::EvaluatedJob;
use crate::limits::on_large_stack;
use crate::report::written_argument;

/// How many values of one job are told.
const MAX_VALUES: usize = 10_000;

/// A value that stands in a file as an argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenValue {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The bytes of the value in the file.
    pub span: Range<usize>,
    /// The field of the job that it is given for, with the names of those around it; elements of
    /// lists as `[n]`, values of tables as `[key]`.
    pub path: Vec<String>,
    /// What it comes to, its references replaced as far as the client knows them: text as it is,
    /// without quotes.
    pub value: String,
}

impl EvaluatedJob {
    /// What the values of the job come to that stand as arguments in files of the user: those of
    /// text, numbers and the like. At most 10,000.
    pub fn written_values(&self) -> Vec<WrittenValue> {
        on_large_stack(|| Ok(self.written_here())).unwrap_or_default()
    }

    fn written_here(&self) -> Vec<WrittenValue> {
        let (Some(raw), Ok(examined)) = (self.object(), self.examined()) else { return Vec::new() };
        let mut walk = Walk { job: self, path: Vec::new(), out: Vec::new() };
        // What is escaped is a reference only in the end, if the job comes that far.
        let is_whole = examined.converted.is_some();
        walk.object(raw, if is_whole { examined.told() } else { examined.object() });
        walk.out
    }
}

struct Walk<'a> {
    job: &'a EvaluatedJob,
    path: Vec<String>,
    out: Vec<WrittenValue>,
}

impl Walk<'_> {
    fn object(&mut self, raw: &Object, resolved: &Object) {
        match (raw.kind(), resolved.kind()) {
            (Kind::Struct(_), Kind::Struct(_)) => {
                let Type::Struct(ty) = raw.ty() else { return };
                for field in &ty.fields {
                    if let (Some(raw), Some(resolved)) =
                        (raw.field(&field.name), resolved.field(&field.name))
                    {
                        self.path.push(field.name.to_string());
                        self.object(raw, resolved);
                        self.path.pop();
                    }
                }
            }
            (Kind::List(raws), Kind::List(items)) => {
                for (index, (raw, resolved)) in raws.iter().zip(items).enumerate() {
                    self.path.push(format!("[{index}]"));
                    self.object(raw, resolved);
                    self.path.pop();
                }
            }
            (Kind::Map(raws), Kind::Map(entries)) if raws.len() == entries.len() => {
                for ((key, raw), (_, resolved)) in raws.iter().zip(entries) {
                    let Kind::Scalar(key) = key.kind() else { continue };
                    self.path.push(format!("[{}]", text_of(key)));
                    self.object(raw, resolved);
                    self.path.pop();
                }
            }
            (_, Kind::Scalar(value)) => {
                let field = self.path.iter().rev().find(|step| !step.starts_with('['));
                let (Some(origin), Some(field)) = (raw.origin(), field) else { return };
                if self.out.len() >= MAX_VALUES {
                    return;
                }
                if let Some(span) = written_argument(&self.job.sources, origin, field) {
                    self.out.push(WrittenValue {
                        file: origin.file.clone(),
                        span,
                        path: self.path.clone(),
                        value: text_of(value),
                    });
                }
            }
            (Kind::Choice(given), _) => {
                if let Plain::Object(given) = &**given {
                    self.object(given, resolved);
                }
            }
            _ => {}
        }
    }
}

fn text_of(value: &Plain) -> String {
    match value {
        Plain::Text(text) => text.clone(),
        other => other.to_string(),
    }
}
