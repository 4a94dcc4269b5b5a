//! Sockets to listen on.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Where a daemon listens.
#[derive(Debug)]
pub enum Listen {
    /// On an address, yet to be bound; port 0 is any free one.
    Address(SocketAddr),
    /// On a socket that is bound already.
    Bound(TcpListener),
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address}: {source}{}", match .source.kind() {
    io::ErrorKind::AddrInUse => "; choose another port, or stop what uses it",
    io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
    _ => "",
})]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

impl Listen {
    /// Binds the socket, unless it is bound.
    ///
    /// # Errors
    /// The address is in use, not this machine's, or not allowed.
    pub fn bind(self) -> Result<TcpListener, ListenError> {
        match self {
            Self::Bound(listener) => Ok(listener),
            Self::Address(address) => {
                TcpListener::bind(address).map_err(|source| ListenError { address, source })
            }
        }
    }
}

/// The host of an address as a URL has it: the address itself, in brackets if it is IPv6; where all
/// addresses are listened on, this machine's `name`.
pub fn url_host(ip: IpAddr, name: &str) -> String {
    match ip {
        _ if ip.is_unspecified() => name.to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Binds an address, or any free port of its host if that one is in use. Gives whether it moved.
///
/// # Errors
/// Neither can be bound.
pub fn bind_or_free(address: SocketAddr) -> Result<(TcpListener, bool), ListenError> {
    match TcpListener::bind(address) {
        Ok(listener) => Ok((listener, false)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(address.ip(), 0);
            TcpListener::bind(free)
                .map(|listener| (listener, true))
                .map_err(|source| ListenError { address, source })
        }
        Err(source) => Err(ListenError { address, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::url_host;

    #[test]
    fn hosts_are_what_a_url_can_hold() {
        for (ip, host) in
            [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "here"), ("::", "here")]
        {
            assert_eq!(url_host(ip.parse().unwrap(), "here"), host);
        }
    }
}
