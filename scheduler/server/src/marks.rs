//! What makes calls safe to repeat: the caller's id of a call, and what was called for under it.

use aurora_model::key::RequestId;
use aurora_scheduler_core::{Fingerprint, RequestMark};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;

use crate::grpc::invalid;

/// The longest id of a request, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// The mark of a user's call of a method.
pub(crate) fn mark(
    user: &str,
    method: &'static str,
    id: &str,
    message: &impl Message,
) -> Result<RequestMark, Status> {
    if id.len() > MAX_REQUEST_ID {
        return Err(invalid(format!("request_id is longer than {MAX_REQUEST_ID} bytes")));
    }
    let id = RequestId::new(id).map_err(invalid)?;
    let fingerprint = fingerprint(user, method, &message.encode_to_vec());
    Ok(RequestMark { id, fingerprint })
}

/// The beginning of a SHA-256 of the user, the method's name and the message as it is encoded here:
/// fields by their number, maps by key, what is not set left out; each after its length as eight bytes,
/// the least first. A message whose sender knows no more fields than this gives the same under a release that
/// does. It is written down, so it never changes.
fn fingerprint(user: &str, method: &str, message: &[u8]) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [user.as_bytes(), method.as_bytes(), message] {
        // With their lengths, so that no two lists of parts look alike.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut print = Fingerprint([0; Fingerprint::LENGTH]);
    print.0.iter_mut().zip(hash).for_each(|(byte, from)| *byte = from);
    print
}

#[cfg(test)]
mod tests {
    use aurora_api::v1;

    use super::*;

    fn kill(name: &str) -> v1::KillTasksRequest {
        let job = v1::JobKey { role: "www".into(), environment: "prod".into(), name: name.into() };
        v1::KillTasksRequest {
            request_id: Some("id".into()),
            job: Some(job),
            instances: vec![1, 2],
            message: None,
        }
    }

    fn print(user: &str, method: &'static str, message: &impl Message) -> String {
        let mark = mark(user, method, "id", message).unwrap();
        mark.fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn what_is_written_down_is_the_same_in_every_release() {
        let mut create = v1::CreateJobRequest { request_id: Some("id".into()), job: None };
        let mut task = v1::TaskConfig::default();
        for link in ["c", "a", "b", "d"] {
            task.task_links.insert(link.into(), "x".into());
        }
        create.job = Some(v1::JobConfiguration { task: Some(task), ..Default::default() });
        // Computed by another program from the encoding as it is described above.
        assert_eq!(print("me", "KillTasks", &kill("web")), "18613abac453489ac08f3e44e488a40e");
        assert_eq!(print("me", "CreateJob", &create), "3a4ca9a674cd5bd3b6bae896d1d7e24d");
    }

    #[test]
    fn another_user_method_or_message_is_another_request() {
        let first = print("me", "KillTasks", &kill("a"));
        assert_eq!(print("me", "KillTasks", &kill("a")), first);
        for other in [
            print("you", "KillTasks", &kill("a")),
            print("me", "RestartTasks", &kill("a")),
            print("me", "KillTasks", &kill("b")),
            print("meK", "illTasks", &kill("a")),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn ids_have_bounds() {
        let long = "x".repeat(MAX_REQUEST_ID + 1);
        assert!(mark("me", "KillTasks", &long[1..], &kill("a")).is_ok());
        for id in ["", &long] {
            let refused = mark("me", "KillTasks", id, &kill("a")).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        }
    }
}
