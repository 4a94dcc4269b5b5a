//! Connections: TCP, and TLS upon it where the address says so.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::Service;

use super::{Pending, tls};
use crate::address::Address;
use crate::clusters::Tls;
use crate::error::{Code, Error};

/// A connection, with or without TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to one server.
#[derive(Clone)]
pub(crate) struct Connector {
    host: String,
    port: u16,
    tls: Option<(tokio_rustls::TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// For gRPC.
    pub(crate) fn new(address: &Address, with: &Tls) -> Result<Self, Error> {
        Self::speaking(b"h2", address, with)
    }

    /// For plain HTTP.
    pub(crate) fn http1(address: &Address, with: &Tls) -> Result<Self, Error> {
        Self::speaking(b"http/1.1", address, with)
    }

    fn speaking(protocol: &[u8], address: &Address, with: &Tls) -> Result<Self, Error> {
        let tls = if address.is_tls() {
            let name = with.server_name.as_deref().unwrap_or(address.host());
            let name = ServerName::try_from(name.to_owned()).map_err(|_| {
                Error::new(
                    Code::InvalidConfiguration,
                    format!("{name:?} is no name that a certificate can have: set tls.server_name"),
                )
            })?;
            Some((tokio_rustls::TlsConnector::from(Arc::new(tls::config(with, protocol)?)), name))
        } else {
            None
        };
        Ok(Self { host: address.host().to_owned(), port: address.port(), tls })
    }

    pub(crate) async fn connect(self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match self.tls {
            Some((tls, name)) => Ok(Box::new(tls.connect(name, stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = io::Error;
    type Future = Pending<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}
