//! Inverse offers: the master asks to leave agents that go into maintenance.

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, call};
use aurora_model::job::Timestamp;
use aurora_model::key::{AgentId, KeyError, OfferId};
use aurora_scheduler_core::InverseOffer;

/// When the master repeats an inverse offer that was agreed to, in seconds: often enough for the core
/// to know by its silence that the maintenance was called off.
const REPEAT_SECS: f64 = 30.0;

/// An inverse offer as the core reads it.
///
/// # Errors
/// Its id is empty.
pub(crate) fn core_inverse(offer: v1::InverseOffer) -> Result<InverseOffer, KeyError> {
    let named = offer.url.and_then(|url| url.address.hostname).filter(|name| !name.is_empty());
    Ok(InverseOffer {
        id: OfferId::new(offer.id.value)?,
        agent: offer.agent_id.and_then(|id| AgentId::new(id.value).ok()),
        host: named,
        unavailable_from: Timestamp(offer.unavailability.start.nanoseconds / 1_000_000),
    })
}

/// The call that agrees to leave.
pub(crate) fn accept(offer: &OfferId) -> Call {
    Call {
        r#type: Some(call::Type::AcceptInverseOffers as i32),
        accept_inverse_offers: Some(call::AcceptInverseOffers {
            inverse_offer_ids: vec![v1::OfferId { value: offer.to_string() }],
            filters: Some(v1::Filters { refuse_seconds: Some(REPEAT_SECS) }),
        }),
        ..Call::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_offer_names_its_agent_and_host_as_far_as_it_knows_them() {
        let mut offer = v1::InverseOffer {
            id: v1::OfferId { value: "I1".into() },
            url: Some(v1::Url {
                scheme: "http".into(),
                address: v1::Address { hostname: Some("host-a".into()), ip: None, port: 5051 },
                ..Default::default()
            }),
            agent_id: Some(v1::AgentId { value: "A".into() }),
            ..Default::default()
        };
        offer.unavailability.start.nanoseconds = 1_795_340_823_708_226_560;
        let read = core_inverse(offer.clone()).unwrap();
        assert_eq!(read.agent, Some(AgentId::new("A").unwrap()));
        assert_eq!(read.host.as_deref(), Some("host-a"));
        assert_eq!(read.unavailable_from, Timestamp(1_795_340_823_708));
        offer.url = None;
        offer.agent_id = None;
        let read = core_inverse(offer.clone()).unwrap();
        assert_eq!((read.agent, read.host), (None, None));
        offer.id.value.clear();
        assert!(core_inverse(offer).is_err());
    }
}
