//! Images by their digests: what `{{docker.image[name][tag]}}` stands for (`client.md` 11.6).
//!
//! A registry is asked as Docker's HTTP API V2 has it: whether it speaks that, then for the manifest of the tag, whose
//! digest is told in a header. One that wants to know who asks says where a token is had; none is given for private
//! images, as nobody's password is known here.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::address::Address;
use crate::clusters::Tls;
use crate::error::{Code, Error};
use crate::transport::Connector;

/// Docker's own.
const DEFAULT_REGISTRY: &str = "https://registry-1.docker.io";
/// Docker's and the Open Container Initiative's manifests: of one image, and of one for several machines.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.oci.image.index.v1+json";
/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest answer with a token, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// An image that is named by a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// Its name in the registry, such as `library/debian`.
    pub name: String,
    /// The tag.
    pub tag: String,
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// The image as Docker takes it, by its digest: `name@sha256:…`, with the registry before it unless that is Docker's own.
///
/// # Errors
/// The registry cannot be asked, has no such image, or wants a login.
pub async fn look_up(registry: Option<&str>, image: &Image) -> Result<String, Error> {
    let failed = |at: &str, why: &str| {
        let text = format!("failed to look up the image {image}{at}: {why}");
        Error::new(Code::InvalidConfiguration, text)
    };
    // What is wrong with it is not shown: it may hold a password.
    let at = Registry::new(registry.unwrap_or(DEFAULT_REGISTRY))
        .ok_or_else(|| failed("", "write docker_registry as https://registry.example.com:5000"))?;
    let digest = at.digest(image).await;
    let digest = digest.map_err(|why| failed(&format!(" at {}", at.address), &why))?;
    let name = &image.name;
    Ok(match registry {
        None => format!("{name}@{digest}"),
        Some(_) => format!("{}/{name}@{digest}", at.address.authority()),
    })
}

struct Registry {
    address: Address,
}

/// What a registry says without a body.
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Registry {
    /// A scheme, a host and maybe a port; nothing else.
    fn new(url: &str) -> Option<Self> {
        let address = Address::parse(url).ok()?;
        let (_, rest) = url.split_once("://")?;
        (rest.trim_end_matches('/') == address.authority()).then_some(Self { address })
    }

    async fn digest(&self, image: &Image) -> Result<String, String> {
        let Image { name, tag } = image;
        let is_plain = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !is_plain(name, "._-/") || !is_plain(tag, "._-") || name.split('/').any(|it| it == "..")
        {
            return Err("a name is of letters, digits and ._-/, a tag of letters, digits and ._-"
                .to_owned());
        }
        let scope = format!("repository:{name}:pull");
        let mut token = None;
        let said = self.ask("/v2/", &scope, &mut token).await?;
        if said.status != StatusCode::OK {
            return Err(format!(
                "it does not speak version 2 of the API of registries ({})",
                said.status
            ));
        }
        let said = self.ask(&format!("/v2/{name}/manifests/{tag}"), &scope, &mut token).await?;
        match said.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err("there is no image of this name and tag".to_owned());
            }
            status => return Err(format!("it answers with {status}")),
        }
        let digest =
            said.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
        let digest = digest.ok_or("it does not tell the digest")?;
        // It becomes a part of what is run.
        let is_digest = digest.split_once(':').is_some_and(|(kind, hex)| {
            is_plain(kind, "+._-") && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
        });
        if is_digest { Ok(digest.to_owned()) } else { Err("what it tells is no digest".to_owned()) }
    }

    /// Asks for what a path has; with a token, if that is wanted first. It may be used again.
    async fn ask(
        &self,
        path: &str,
        scope: &str,
        token: &mut Option<String>,
    ) -> Result<Said, String> {
        let said = send(&self.address, Method::HEAD, path, token.as_deref()).await?;
        if said.status != StatusCode::UNAUTHORIZED {
            return Ok(said);
        }
        let challenge = said.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = challenge.ok_or("it wants a login, and does not say which")?;
        *token = Some(self.token(challenge, scope).await?);
        let said = send(&self.address, Method::HEAD, path, token.as_deref()).await?;
        if said.status == StatusCode::UNAUTHORIZED {
            return Err("the image is private: only public ones are looked up. Write its digest, or bind it with \
                        --bind 'docker.image[name][tag]=name@sha256:…'"
                .to_owned());
        }
        Ok(said)
    }

    /// What whoever is named in a challenge gives to everybody.
    async fn token(&self, challenge: &str, scope: &str) -> Result<String, String> {
        let parameters = bearer(challenge).ok_or_else(|| {
            format!("it wants a login that is not known here: {}", shown(challenge))
        })?;
        let of = |name: &str| {
            parameters.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
        };
        let realm = of("realm").ok_or("it does not say where a token is had")?;
        let wrong =
            || format!("it says that a token is had at {}, which is no place", shown(realm));
        let address = Address::parse(realm).map_err(|_| wrong())?;
        let uri: Uri = realm.parse().map_err(|_| wrong())?;
        let place = shown(realm);
        if self.address.is_tls() && !address.is_tls() {
            return Err(format!("a token is had at {place}, where others can read it"));
        }
        let mut query: Vec<String> = uri.query().map(ToOwned::to_owned).into_iter().collect();
        for (name, value) in
            [("service", of("service")), ("scope", Some(of("scope").unwrap_or(scope)))]
        {
            query.extend(
                value.map(|value| {
                    format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
                }),
            );
        }
        let path = format!("{}?{}", uri.path(), query.join("&"));
        let said = send(&address, Method::GET, &path, None).await?;
        if said.status != StatusCode::OK {
            return Err(format!("{place} gives no token, but {}", said.status));
        }
        let given: Token =
            serde_json::from_slice(&said.body).map_err(|_| format!("{place} gives no token"))?;
        given.token.or(given.access_token).ok_or_else(|| format!("{place} gives no token"))
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

async fn send(
    address: &Address,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> Result<Said, String> {
    let asked = tokio::time::timeout(TIMEOUT, exchange(address, method, path, token)).await;
    asked.map_err(|_| format!("{address} does not answer within {} s", TIMEOUT.as_secs()))?
}

async fn exchange(
    address: &Address,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> Result<Said, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{address} cannot be asked: {error}");
    let connector = Connector::http1(address, &Tls::default()).map_err(|error| failed(&error))?;
    let stream = connector.connect().await.map_err(|error| failed(&error))?;
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|error| failed(&error))?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.authority())
        .header(ACCEPT, MANIFESTS)
        .header(USER_AGENT, concat!("aurora/", env!("CARGO_PKG_VERSION")));
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
    let exchanged = async {
        let (head, body) =
            sender.send_request(request).await.map_err(|error| failed(&error))?.into_parts();
        let body =
            Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| failed(&error))?;
        Ok(Said { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    // The connection ends by itself when it is not used any more; before, it fails with the exchange.
    tokio::select! {
        said = exchanged => said,
        Err(error) = connection => Err(failed(&error)),
    }
}

/// The parameters of a challenge of the scheme Bearer (RFC 6750, 3).
fn bearer(challenge: &str) -> Option<Vec<(String, String)>> {
    let (scheme, mut rest) = challenge.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        let Some((name, after)) = rest.split_once('=') else { return Some(found) };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        rest = after;
    }
}

/// What somebody else has said, for people: as much as can be read.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let read = |text| {
            let found = bearer(text)?;
            Some(
                found
                    .into_iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        };
        for (challenge, wanted) in [
            (
                r#"Bearer realm="https://a.example/token",service="r.example",scope="repository:a/b:pull,push""#,
                Some(
                    "realm: https://a.example/token; service: r.example; scope: repository:a/b:pull,push",
                ),
            ),
            (
                "bearer REALM=https://a.example , error=x",
                Some("realm: https://a.example; error: x"),
            ),
            ("Bearer", None),
            (r#"Bearer realm="x"#, None),
            (r#"Basic realm="x""#, None),
            ("", None),
        ] {
            assert_eq!(read(challenge).as_deref(), wanted, "{challenge}");
        }
    }
}
