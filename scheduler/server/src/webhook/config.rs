//! The file that says where changes of tasks are sent (`api-and-http.md` 5.1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_model::job::TaskState;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde::Deserialize;

/// Where changes of tasks are sent, and which.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub(crate) target: Uri,
    /// For the whole of one request.
    pub(crate) timeout: Duration,
    pub(crate) headers: HeaderMap,
    /// The states that are told of.
    pub(crate) states: BTreeSet<TaskState>,
}

/// The file as it is written, with the original's names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(non_snake_case, reason = "the names of the file")]
struct File {
    targetURL: String,
    timeoutMsec: u64,
    headers: BTreeMap<String, String>,
    statuses: Option<Vec<String>>,
}

impl Webhook {
    /// Reads the text of the file. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let target: Uri = file
            .targetURL
            .parse()
            .map_err(|error| format!("targetURL {:?} is no address: {error}", file.targetURL))?;
        match target.scheme_str() {
            Some("http") if target.authority().is_some() => {}
            Some("https") => {
                return Err(format!(
                    "targetURL {target} wants TLS, which this scheduler does not speak: send to a \
                     proxy on this machine with http://, which passes it on"
                ));
            }
            _ => {
                return Err(format!("targetURL {target} must be like http://host:port/path"));
            }
        }
        if file.timeoutMsec == 0 {
            return Err("timeoutMsec must be more than 0".to_owned());
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &file.headers {
            let key = HeaderName::try_from(name)
                .map_err(|_| format!("headers has {name:?}, which cannot be a header's name"))?;
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("the value of header {name:?} cannot be sent"))?;
            headers.insert(key, value);
        }
        let states = match file.statuses {
            None => TaskState::ALL.into(),
            Some(names) if names.iter().any(|name| name == "*") => TaskState::ALL.into(),
            Some(names) => names
                .iter()
                .map(|name| {
                    name.parse::<TaskState>().map_err(|_| {
                        let known = TaskState::ALL.map(TaskState::name).join(", ");
                        format!("statuses has {name:?}: use \"*\" or some of {known}")
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        let timeout = Duration::from_millis(file.timeoutMsec);
        Ok(Self { target, timeout, headers, states })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str, more: &str) -> String {
        format!(r#"{{"targetURL": "{url}", "timeoutMsec": 50, "headers": {{"X-A": "b"}}{more}}}"#)
    }

    #[test]
    fn files_of_the_original_are_read() {
        let all = Webhook::parse(&file("http://localhost:5000/", "")).unwrap();
        assert_eq!(all.states.len(), TaskState::ALL.len());
        assert_eq!(all.headers["x-a"], "b");
        assert_eq!(all.timeout, Duration::from_millis(50));
        let star = Webhook::parse(&file("http://a/b?c", r#", "statuses": ["LOST", "*"]"#)).unwrap();
        assert_eq!(star.states, all.states);
        let some =
            Webhook::parse(&file("http://a", r#", "statuses": ["LOST", "failed"]"#)).unwrap();
        assert_eq!(some.states, [TaskState::Failed, TaskState::Lost].into());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, wanted) in [
            ("{}".to_owned(), "targetURL"),
            ("nothing".to_owned(), "line 1"),
            (file("https://a", ""), "wants TLS"),
            (file("localhost:5000", ""), "must be like http://host:port/path"),
            (file("/path", ""), "must be like"),
            (file("http://a b", ""), "is no address"),
            (file("http://a", r#", "statuses": ["GONE"]"#), "statuses has \"GONE\""),
            (file("http://a", r#", "retries": 1"#), "retries"),
            (file("http://a", "").replace("50", "0"), "timeoutMsec must be more than 0"),
            (file("http://a", "").replace("X-A", "X A"), "headers has \"X A\""),
            (file("http://a", "").replace("\"b\"", "\"b\\n\""), "the value of header \"X-A\""),
        ] {
            let error = Webhook::parse(&text).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }
}
