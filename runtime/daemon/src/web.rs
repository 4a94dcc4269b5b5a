//! The look of all pages: one layout, one stylesheet, and no scripts unless a daemon allows its own.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The stylesheet.
const STYLE: &str = include_str!("style.css");

/// Where pages find it. The name changes with the content, so that it can be kept for ever.
const STYLE_PATH: &str = concat!("/assets/style-", env!("AURORA_STYLE_HASH"), ".css");

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
                    link rel="stylesheet" href=(STYLE_PATH);
                    link rel="icon" href="data:,";
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
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Serves the stylesheet.
pub fn assets() -> Router {
    Router::new().route(
        STYLE_PATH,
        get(|| async {
            (
                [
                    (header::CONTENT_TYPE, "text/css; charset=utf-8"),
                    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                ],
                STYLE,
            )
        }),
    )
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

/// A part of a path, ready to be put into an address: whatever it holds, it stays one part.
pub fn segment(text: &str) -> impl std::fmt::Display + '_ {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT)
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
