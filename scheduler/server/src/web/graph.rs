//! How numbers went: as data, and drawn.

use std::collections::BTreeMap;
use std::fmt::Write;

use aurora_daemon::web::{Crumb, Page, segment, utc};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use maud::{Markup, html};
use serde_json::json;

use super::{Pages, SERVICE};

/// Numbers that are asked for at once.
const NAMES: usize = 50;
/// Of a drawing.
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 160.0;

fn wanted(asked: &BTreeMap<String, String>) -> Vec<String> {
    let names = asked.get("metrics").map(String::as_str).unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).take(NAMES).collect()
}

pub(super) async fn data(
    State(pages): State<Pages>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let names = wanted(&asked);
    if names.is_empty() {
        return Json(pages.history.names()).into_response();
    }
    let since = match asked.get("since").map(|since| since.parse::<i64>()) {
        None => 0,
        Some(Ok(since)) => since,
        Some(Err(_)) => {
            let text = "since must be a number of milliseconds since the epoch\n";
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    let rows = pages.history.rows(&names, since);
    let names: Vec<&str> =
        std::iter::once("time").chain(names.iter().map(String::as_str)).collect();
    Json(json!({ "names": names, "data": rows })).into_response()
}

pub(super) async fn page(
    State(pages): State<Pages>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let names = wanted(&asked);
    let rows = pages.history.rows(&names, 0);
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Graphs")];
    let page = Page { service: SERVICE, title: "Graphs", crumbs: &crumbs };
    page.render(&html! {
        @for (index, name) in names.iter().enumerate() {
            h2 { (name) }
            (drawing(name, rows.iter().filter_map(|row| Some((*row.first()?, *row.get(index + 1)?)))))
        }
        h2 { "Numbers" }
        p.faint { "Each leads to how it went. Several are put into the address, separated by commas." }
        ul {
            @for name in pages.history.names() {
                li { a href={ "/graphview?metrics=" (segment(&name)) } { (name) } }
            }
        }
    })
}

/// A line from the first sample to the last. What it shows is said in words too.
fn drawing(name: &str, samples: impl Iterator<Item = (f64, f64)> + Clone) -> Markup {
    let fold = |pick: fn(f64, f64) -> f64, start: f64, of: fn((f64, f64)) -> f64| {
        samples.clone().map(of).fold(start, pick)
    };
    let (begin, end) = (fold(f64::min, f64::MAX, |s| s.0), fold(f64::max, f64::MIN, |s| s.0));
    let (low, high) = (fold(f64::min, f64::MAX, |s| s.1), fold(f64::max, f64::MIN, |s| s.1));
    if begin > end {
        return html! { p.empty { "Nothing has been sampled yet." } };
    }
    let scale = |value: f64, from: f64, to: f64, size: f64| match to > from {
        true => (value - from) / (to - from) * size,
        false => size / 2.0,
    };
    let points = samples.fold(String::new(), |mut points, (time, value)| {
        let x = scale(time, begin, end, WIDTH);
        let y = HEIGHT - scale(value, low, high, HEIGHT);
        // Writing to a string cannot fail.
        let _ = write!(points, "{x:.1},{y:.1} ");
        points
    });
    #[expect(clippy::cast_possible_truncation, reason = "it was a time before")]
    let (begin, end) = (utc(begin as i64), utc(end as i64));
    let label = format!("{name} from {begin} to {end}: lowest {low}, highest {high}");
    html! {
        p.faint { "from " (low) " to " (high) ", " (begin) " to " (end) }
        svg viewBox={ "0 -4 " (WIDTH) " " (HEIGHT + 8.0) } width="100%" role="img" aria-label=(label) {
            polyline points=(points) fill="none" stroke="currentColor" stroke-width="1.5" {}
        }
    }
}
