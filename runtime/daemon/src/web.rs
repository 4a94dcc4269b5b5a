//! The look of all pages: one layout, one stylesheet, and no scripts unless a daemon allows its own.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What pages load beside themselves. Its name changes with its content, so that browsers may keep it
/// for ever.
#[derive(Debug, Clone)]
pub struct Asset {
    path: String,
    kind: &'static str,
    content: &'static str,
}

impl Asset {
    /// Of a name such as `style`, an extension such as `css`, and a media type.
    pub fn new(name: &str, extension: &str, kind: &'static str, content: &'static str) -> Self {
        let path = format!("/assets/{name}-{:016x}.{extension}", fnv(content.as_bytes()));
        Self { path, kind, content }
    }

    /// Where it is served.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Serves it.
    pub fn router(&self) -> Router {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, max-age=31536000, immutable"),
            ),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        let content = self.content;
        Router::new().route(&self.path, get(move || async move { (headers, content) }))
    }
}

/// FNV-1a: tells contents apart that nobody wants to be the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_str!("style.css"))
});

static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")));

/// A step of the way to a page: its name and address.
#[derive(Debug, Clone)]
pub struct Crumb {
    /// What is shown.
    pub name: String,
    /// Where it leads; none for the page itself.
    pub href: Option<String>,
}

impl Crumb {
    /// A step that leads somewhere.
    pub fn link(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self { name: name.into(), href: Some(href.into()) }
    }

    /// The page itself.
    pub fn here(name: impl Into<String>) -> Self {
        Self { name: name.into(), href: None }
    }
}

/// A page of a daemon.
#[derive(Debug)]
pub struct Page<'a> {
    /// The daemon, such as `Scheduler`.
    pub service: &'a str,
    /// What the page is about.
    pub title: &'a str,
    /// The way to it.
    pub crumbs: &'a [Crumb],
}

impl Page<'_> {
    /// The page with its content.
    pub fn render(&self, content: &Markup) -> Response {
        self.render_with(StatusCode::OK, content)
    }

    fn render_with(&self, status: StatusCode, content: &Markup) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " · Aurora " (self.service) }
                    link rel="stylesheet" href=(STYLE.path());
                    link rel="icon" href=(ICON.path());
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header {
                        a.brand href="/" { "Aurora " span { (self.service) } }
                        nav aria-label="Breadcrumb" {
                            ol {
                                @for crumb in self.crumbs {
                                    li {
                                        @if let Some(href) = &crumb.href {
                                            a href=(href) { (crumb.name) }
                                        } @else {
                                            span aria-current="page" { (crumb.name) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    main #main { h1 { (self.title) } (content) }
                }
            }
        };
        let mut answer = (status, page).into_response();
        harden(&mut answer);
        answer
    }

    /// A page that says what went wrong.
    pub fn error(&self, status: StatusCode, message: &str) -> Response {
        self.render_with(status, &html! { p.empty { (message) } })
    }
}

/// Nothing but the page's own style may run or be loaded.
fn harden(answer: &mut Response) {
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Serves the stylesheet, and the icon also where browsers look for one.
pub fn assets() -> Router {
    Router::new()
        .merge(STYLE.router())
        .merge(ICON.router())
        .route("/favicon.ico", get(|| async { Redirect::to(ICON.path()) }))
}

/// A state as a badge, coloured by what it means.
pub fn state_badge(state: &str) -> Markup {
    let class = match state {
        "RUNNING" | "ACTIVE" | "SUCCESS" | "FINISHED" => "good",
        "FAILED" | "LOST" => "bad",
        "KILLED" | "KILLING" => "over",
        _ => "waiting",
    };
    html! { span class={ "badge " (class) } { (state) } }
}

/// A part of a path, ready to be put into an address: whatever bytes it holds, it stays one part.
pub fn segment<T: AsRef<[u8]> + ?Sized>(text: &T) -> impl std::fmt::Display + '_ {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encode(text.as_ref(), KEPT)
}

/// A point in time, given in milliseconds since the Unix epoch.
pub fn utc(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

/// Bytes with a unit.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = count as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A span of time in its two largest units: `3d 4h`, `12s`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(amount, _)| *amount == 0)
        .take(2)
        .map(|(amount, unit)| format!("{amount}{unit}"))
        .collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(16 << 20), "16.0 MB");
        assert_eq!(duration(12_345), "12s");
        assert_eq!(duration(90_061_000), "1d 1h");
        assert_eq!(duration(-5), "0s");
    }
}
