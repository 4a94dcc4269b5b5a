//! The address of a scheduler.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;

use crate::error::{Code, Error};

/// Where a scheduler listens: `http` or `https`, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Address {
    /// Reads a URL; `http` is meant where it has no scheme.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| {
            Error::new(
                Code::InvalidConfiguration,
                format!("the scheduler's address {text:?} cannot be used: {reason}"),
            )
        };
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri =
            full.parse().map_err(|_| wrong("write something like http://127.0.0.1:8081"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("this client speaks http and https only")),
        };
        let Some(authority) = uri.authority() else {
            return Err(wrong("it names no host; write something like http://127.0.0.1:8081"));
        };
        if authority.as_str().contains('@') {
            return Err(Error::new(
                Code::InvalidConfiguration,
                "the scheduler's address must hold no password: put user and password into \
                 ~/.netrc",
            ));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong("it names no host; write something like http://127.0.0.1:8081"));
        }
        let written = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match written.trim_start_matches(':') {
            "" if is_tls => 443,
            "" => 80,
            port => port.parse().map_err(|_| {
                wrong(&format!("{port} is no port: a port is a number from 1 to 65535"))
            })?,
        };
        Ok(Self { host, port, is_tls, uri })
    }

    /// The name or address of the machine, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port, as written.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or(self.host.as_str(), |authority| authority.as_str())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether what is said there can be read by nobody else.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether both are the same server.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.is_tls == other.is_tls
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// What is asked for there has this in front.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri.to_string().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, shown, host, port) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081", "127.0.0.1", 8081),
            ("http://h/", "http://h", "h", 80),
            ("https://h", "https://h", "h", 443),
            ("https://[::1]:1", "https://[::1]:1", "::1", 1),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.host(), address.port()),
                (shown, host, port)
            );
        }
        for (text, local) in
            [("localhost:1", true), ("127.9.0.1:1", true), ("[::1]:1", true), ("h:1", false)]
        {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), local, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_shown() {
        for text in ["", "ftp://h", "http://", "http://a b", "http://:1"] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.code, Code::InvalidConfiguration, "{text}");
        }
        for text in ["h:99999", "https://[::1]:99999"] {
            let refused = Address::parse(text).unwrap_err().to_string();
            assert!(refused.ends_with("99999 is no port: a port is a number from 1 to 65535"));
        }
        let refused = Address::parse("http://me:secret@h").unwrap_err().to_string();
        assert!(!refused.contains("secret") && refused.contains(".netrc"), "{refused}");
    }
}
