//! Who asks: a token, or a user with a password (`client.md` 12).
//!
//! A token is the cluster's, and goes to nobody but the schedulers that were found by what is configured. A
//! password is a host's: that of the host that is asked, whoever sent us there. The one for all other hosts goes
//! only where the token goes.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use super::netrc::Netrc;
use crate::address::Address;
use crate::clusters;
use crate::discovery::Cluster;
use crate::error::{Code, Error};

/// The longest token, in bytes.
const MAX_TOKEN_LEN: u64 = 64 << 10;

/// What is said to a scheduler about who asks. `is_found` is one that was found by what is configured.
pub(crate) fn of(
    cluster: &Cluster,
    address: &Address,
    is_found: bool,
) -> Result<Option<HeaderValue>, Error> {
    let token = if is_found { token(cluster)? } else { None };
    let (what, value) = match token {
        Some(token) => ("token", format!("Bearer {token}")),
        None => match password(cluster, address, is_found)? {
            Some(login) => ("password", format!("Basic {}", STANDARD.encode(login))),
            None => return Ok(None),
        },
    };
    if !address.is_tls() && !address.is_loopback() && !cluster.auth.allow_plain_http {
        return Err(wrong(format!(
            "your {what} would go to {address} where others can read it: use https://, or set \
             auth.allow_plain_http = true for cluster {} if nobody can listen",
            cluster.name
        )));
    }
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| wrong(format!("your {what} holds characters that HTTP does not take")))?;
    value.set_sensitive(true);
    tracing::debug!("{address} is shown a {what}");
    Ok(Some(value))
}

/// `$AURORA_TOKEN`, then what the cluster's file of it holds.
fn token(cluster: &Cluster) -> Result<Option<String>, Error> {
    if let Ok(token) = std::env::var("AURORA_TOKEN")
        && !token.trim().is_empty()
    {
        return Ok(Some(token.trim().to_owned()));
    }
    let Some(file) = &cluster.auth.token_file else { return Ok(None) };
    let failed = |why: &str| {
        let (name, file) = (&cluster.name, file.display());
        wrong(format!("failed to read the token of cluster {name} from {file}: {why}"))
    };
    let read = crate::file::read_text(file, MAX_TOKEN_LEN);
    let (text, _) = read.map_err(|error| failed(&error.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty")),
        token => Ok(Some(token.to_owned())),
    }
}

/// `USER:PASSWORD` for a host.
fn password(cluster: &Cluster, address: &Address, is_found: bool) -> Result<Option<String>, Error> {
    let named = cluster.auth.netrc_file.clone();
    let usual = || {
        let named = std::env::var_os("NETRC").filter(|file| !file.is_empty()).map(PathBuf::from);
        named.or_else(|| clusters::home().map(|home| home.join(".netrc")))
    };
    let must_be = named.is_some();
    let Some(file) = named.or_else(usual) else { return Ok(None) };
    Netrc::read(&file, must_be)?.login(&file, address.host(), is_found)
}

fn wrong(message: String) -> Error {
    Error::new(Code::InvalidConfiguration, message)
}
