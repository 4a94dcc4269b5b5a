//! What a member says of itself: the content of its node (`executor.md` 17.3, 24.4).

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Deserializer, Serialize};

/// The longest content of a member's node that is read, in bytes.
const MAX_MEMBER_LEN: usize = 64 << 10;

/// Why the content of a node is not that of a member.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// It is too long.
    #[error("{0} bytes are too long for a member: {MAX_MEMBER_LEN} are read")]
    TooLong(usize),
    /// It is not the JSON of a member.
    #[error("not a member: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// How a member is. Only [`Status::Alive`] is ever written by Aurora.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It has ended.
    Dead,
    /// It begins.
    Starting,
    /// It serves.
    #[default]
    Alive,
    /// It is about to end.
    Stopping,
    /// It has ended as it should.
    Stopped,
    /// It serves, and is not well.
    Warning,
}

/// Where something is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The name or address of the machine.
    pub host: String,
    /// The TCP port; 0 if there is none.
    pub port: u16,
    /// The IPv4 address. Read if others have written it; Aurora does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inet: Option<String>,
    /// The IPv6 address, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inet6: Option<String>,
}

impl Endpoint {
    /// A port of a machine.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, inet: None, inet6: None }
    }
}

/// One member of a server set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// How it is.
    #[serde(default)]
    pub status: Status,
    /// All that it serves, by name.
    #[serde(rename = "additionalEndpoints", default, deserialize_with = "or_none")]
    pub additional_endpoints: BTreeMap<String, Endpoint>,
    /// The endpoint that stands for it.
    #[serde(rename = "serviceEndpoint")]
    pub service_endpoint: Endpoint,
    /// Which of its set it is: an instance's number, and any whole number if others have written it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<i64>,
}

/// Some writers say that there is nothing by `null`.
fn or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Endpoint>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Member {
    /// As the node holds it: JSON in ASCII, with a blank after each `,` and `:`, as the original's
    /// readers know it. Endpoints are in the order of their names.
    ///
    /// # Errors
    /// It is longer than 64 KiB.
    pub fn to_json(&self) -> Result<Vec<u8>, MemberError> {
        let mut json = Vec::new();
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Spaced))?;
        if json.len() > MAX_MEMBER_LEN {
            return Err(MemberError::TooLong(json.len()));
        }
        Ok(json)
    }

    /// Reads the content of a node. Keys that are not known are left alone.
    ///
    /// # Errors
    /// It is longer than 64 KiB, or not what members write.
    pub fn from_json(json: &[u8]) -> Result<Self, MemberError> {
        if json.len() > MAX_MEMBER_LEN {
            return Err(MemberError::TooLong(json.len()));
        }
        Ok(serde_json::from_slice(json)?)
    }
}

/// JSON as Python writes it.
struct Spaced;

fn separate<W: ?Sized + io::Write>(writer: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { writer.write_all(b", ") }
}

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            if c.is_ascii() && c != '\u{7f}' {
                write!(writer, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        let on = |port| Endpoint::new("h.example", port);
        Member {
            status: Status::Alive,
            additional_endpoints: [
                ("http".to_owned(), on(31_000)),
                ("aurora".to_owned(), on(31_000)),
                ("health".to_owned(), on(31_001)),
            ]
            .into(),
            service_endpoint: on(31_000),
            shard: Some(3),
        }
    }

    #[test]
    fn s75_a_member_is_written_as_the_original_does() {
        let text = r#"{"status": "ALIVE", "additionalEndpoints": {"aurora": {"host": "h.example", "port": 31000}, "health": {"host": "h.example", "port": 31001}, "http": {"host": "h.example", "port": 31000}}, "serviceEndpoint": {"host": "h.example", "port": 31000}, "shard": 3}"#;
        assert_eq!(String::from_utf8(member().to_json().unwrap()).unwrap(), text);
    }

    #[test]
    fn s75_what_the_original_has_written_is_read() {
        let text = r#"{"status": "ALIVE", "additionalEndpoints": {"health": {"host": "h.example", "port": 31001}, "aurora": {"host": "h.example", "port": 31000}, "http": {"host": "h.example", "port": 31000}}, "serviceEndpoint": {"host": "h.example", "port": 31000}, "shard": 3}"#;
        assert_eq!(Member::from_json(text.as_bytes()).unwrap(), member());
    }

    #[test]
    fn s75_no_ports_are_an_empty_object_and_port_0() {
        let member = Member {
            status: Status::Alive,
            additional_endpoints: BTreeMap::new(),
            service_endpoint: Endpoint::new("h", 0),
            shard: Some(0),
        };
        assert_eq!(
            String::from_utf8(member.to_json().unwrap()).unwrap(),
            r#"{"status": "ALIVE", "additionalEndpoints": {}, "serviceEndpoint": {"host": "h", "port": 0}, "shard": 0}"#
        );
    }

    #[test]
    fn what_others_add_is_read_or_left_alone() {
        let text = r#"{"serviceEndpoint":{"host":"h","port":80,"inet":"10.0.0.1","inet6":"::1","weight":1.5},
            "additionalEndpoints":null,"status":"WARNING","vector":{"weight":1.0},"metadata":{}}"#;
        let member = Member::from_json(text.as_bytes()).unwrap();
        assert_eq!(member.status, Status::Warning);
        assert_eq!(member.service_endpoint.inet.as_deref(), Some("10.0.0.1"));
        assert_eq!(member.service_endpoint.inet6.as_deref(), Some("::1"));
        assert_eq!(member.shard, None);
        assert!(member.additional_endpoints.is_empty());
        assert_eq!(Member::from_json(&member.to_json().unwrap()).unwrap(), member);
    }

    #[test]
    fn what_is_no_member_is_refused() {
        for text in ["", "{}", "[]", r#"{"serviceEndpoint":{"host":"h","port":65536}}"#] {
            assert!(Member::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let long = vec![b' '; MAX_MEMBER_LEN + 1];
        assert!(matches!(Member::from_json(&long), Err(MemberError::TooLong(_))));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_ascii_and_read_as_it_was(
            host in ".*", name in ".*", port: u16, shard: Option<i64>,
        ) {
            let member = Member {
                status: Status::Alive,
                additional_endpoints: [(name, Endpoint::new(host.clone(), port))].into(),
                service_endpoint: Endpoint::new(host, port),
                shard,
            };
            let json = member.to_json().unwrap();
            proptest::prop_assert!(json.is_ascii());
            proptest::prop_assert_eq!(Member::from_json(&json).unwrap(), member);
        }

        #[test]
        fn whatever_is_read_is_a_member_or_refused(json: Vec<u8>, text in ".*") {
            let _ = Member::from_json(&json);
            let _ = Member::from_json(text.as_bytes());
        }
    }

    #[test]
    fn text_beyond_ascii_is_escaped_as_python_does() {
        let mut member = member();
        member.additional_endpoints.clear();
        member.service_endpoint.host = "ü\"😀".to_owned();
        let json = member.to_json().unwrap();
        let text = String::from_utf8(json.clone()).unwrap();
        assert!(text.contains(r#""\u00fc\"\ud83d\ude00""#), "{text}");
        assert_eq!(Member::from_json(&json).unwrap(), member);
    }
}
