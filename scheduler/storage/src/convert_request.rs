//! Requests that were carried out, between ops and what is on disk.

use aurora_api::convert::ConvertError;
use aurora_api::v1;
use aurora_model::job::Timestamp;
use aurora_model::key::{JobKey, RequestId};
use aurora_scheduler_core::{Fingerprint, Op, RecordedResponse};

use crate::proto::put_request::Response;
use crate::{
    convert_admin, convert_cron, convert_jobs, convert_maintenance, convert_updates, proto,
};

pub(crate) fn to_proto(
    id: &RequestId,
    fingerprint: Option<Fingerprint>,
    at: Option<Timestamp>,
    response: &RecordedResponse,
) -> proto::PutRequest {
    proto::PutRequest {
        id: id.to_string(),
        fingerprint: fingerprint.map(|print| print.0.to_vec()).unwrap_or_default(),
        at_ms: at.map(|at| at.0),
        response: Some(response_to_proto(response)),
    }
}

fn response_to_proto(response: &RecordedResponse) -> Response {
    match response {
        RecordedResponse::Cron(response) => {
            Response::Cron(convert_cron::response_to_proto(response))
        }
        RecordedResponse::Update(response) => {
            Response::Update(convert_updates::response_to_proto(response))
        }
        RecordedResponse::Maintenance(response) => {
            Response::Maintenance(convert_maintenance::response_to_proto(response))
        }
        RecordedResponse::Added { .. }
        | RecordedResponse::Restarted { .. }
        | RecordedResponse::QuotaSet
        | RecordedResponse::QuotaRemoved => {
            Response::Jobs(convert_jobs::response_to_proto(response))
        }
        RecordedResponse::Admin(response) => {
            Response::Admin(convert_admin::response_to_proto(response))
        }
        RecordedResponse::Created { key, instances } => Response::Created(proto::Created {
            key: Some(v1::JobKey::from(key)),
            instances: *instances,
        }),
        RecordedResponse::Killed { instances } => {
            Response::Killed(proto::Killed { instances: instances.clone() })
        }
    }
}

pub(crate) fn from_proto(put: proto::PutRequest) -> Result<Op, ConvertError> {
    Ok(Op::PutRequest {
        id: RequestId::new(put.id)?,
        fingerprint: fingerprint(&put.fingerprint)?,
        at: put.at_ms.map(Timestamp),
        response: response_from_proto(
            put.response.ok_or(ConvertError::Missing("put_request.response"))?,
        )?,
    })
}

fn fingerprint(bytes: &[u8]) -> Result<Option<Fingerprint>, ConvertError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let range = |_| ConvertError::Range {
        field: "put_request.fingerprint",
        value: format!("{} bytes", bytes.len()),
    };
    bytes.try_into().map(Fingerprint).map(Some).map_err(range)
}

fn response_from_proto(response: Response) -> Result<RecordedResponse, ConvertError> {
    Ok(match response {
        Response::Created(created) => RecordedResponse::Created {
            key: JobKey::try_from(&created.key.ok_or(ConvertError::Missing("created.key"))?)?,
            instances: created.instances,
        },
        Response::Killed(killed) => RecordedResponse::Killed { instances: killed.instances },
        Response::Cron(response) => {
            RecordedResponse::Cron(convert_cron::response_from_proto(response)?)
        }
        Response::Jobs(response) => convert_jobs::response_from_proto(response)?,
        Response::Update(response) => {
            RecordedResponse::Update(convert_updates::response_from_proto(response)?)
        }
        Response::Admin(response) => {
            RecordedResponse::Admin(convert_admin::response_from_proto(response)?)
        }
        Response::Maintenance(response) => {
            RecordedResponse::Maintenance(convert_maintenance::response_from_proto(response)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(fingerprint: Option<Fingerprint>, at: Option<Timestamp>) -> Op {
        let response = RecordedResponse::Killed { instances: vec![1, 3] };
        Op::PutRequest { id: RequestId::new("r").unwrap(), fingerprint, at, response }
    }

    fn put(op: &Op) -> proto::PutRequest {
        match crate::convert::to_proto(op).kind {
            Some(proto::op::Kind::PutRequest(put)) => put,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_asked_and_when_comes_back() {
        for (fingerprint, at) in [
            (Some(Fingerprint([7; Fingerprint::LENGTH])), Some(Timestamp(5))),
            (Some(Fingerprint([0; Fingerprint::LENGTH])), Some(Timestamp(-1))),
            (None, None),
        ] {
            let op = op(fingerprint, at);
            assert_eq!(from_proto(put(&op)).unwrap(), op);
        }
    }

    #[test]
    fn a_record_of_an_older_release_is_read_and_a_broken_one_is_not() {
        use prost::Message;

        // Field 1 is "r", field 3 has the instances 1 and 3.
        let old = [0x0a, 1, b'r', 0x1a, 4, 0x0a, 2, 1, 3];
        let read = proto::PutRequest::decode(&old[..]).unwrap();
        assert_eq!(from_proto(read).unwrap(), op(None, None));
        let mut broken = put(&op(Some(Fingerprint([7; Fingerprint::LENGTH])), None));
        broken.fingerprint.pop();
        let error = from_proto(broken).unwrap_err().to_string();
        assert!(error.contains("put_request.fingerprint"), "{error}");
    }
}
