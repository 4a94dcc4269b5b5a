//! The files of a task: `/browse/…`.

use aurora_daemon::beneath::{Entry, blocking};
use aurora_daemon::web::{Crumb, bytes, segment, utc};
use aurora_thermos::view::Task;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use super::{App, joined, missing, page};
use crate::place::Place;

/// The way to a file or folder of a sandbox.
pub(super) fn way(task: &Task, path: &str) -> Vec<Crumb> {
    let mut at = format!("/browse/{}", segment(task.id()));
    let mut crumbs = super::way(task);
    crumbs.push(Crumb::link("sandbox", at.clone()));
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = format!("{at}/{}", segment(part));
        crumbs.push(Crumb::link(part, at.clone()));
    }
    if let Some(last) = crumbs.last_mut() {
        last.href = None;
    }
    crumbs
}

pub(super) async fn browse(
    State(observed): App,
    Path(part): Path<Vec<(String, String)>>,
) -> Response {
    let of = |wanted: &str| {
        part.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
    };
    let (id, path) = (of("id").to_owned(), of("path").trim_matches('/').to_owned());
    let gone = || missing("Sandbox does not exist.");
    let Ok(Some(task)) = observed.task(&id).await else { return gone() };
    let place = Place::in_sandbox(&task, &path);
    let listed = blocking(move || place?.list());
    let Ok(entries) = listed.await else { return gone() };
    let title = if path.is_empty() { "Sandbox".to_owned() } else { path.clone() };
    let id = segment(&id).to_string();
    let base = if path.is_empty() { id.clone() } else { format!("{id}/{}", joined(&path)) };
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    page(&title, &way(&task, &path)).render(&html! {
        div.scroll tabindex="0" role="region" aria-label="Files" { table {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Mode" } th.number scope="col" { "Links" }
                th scope="col" { "User" } th scope="col" { "Group" } th.number scope="col" { "Size" }
                th scope="col" { "Changed" } th scope="col" { "Save" }
            } }
            tbody {
                @if !path.is_empty() {
                    tr { td colspan="8" {
                        a href={ "/browse/" (id) @if !above.is_empty() { "/" (joined(above)) } }
                            aria-label="the folder above" { ".." }
                    } }
                }
                @if entries.is_empty() { tr { td colspan="8" { span.faint { "empty" } } } }
                @for entry in &entries { (row(&base, entry)) }
            }
        } }
    })
}

fn row(base: &str, entry: &Entry) -> Markup {
    let path = format!("{base}/{}", segment(&entry.name));
    // Where a link leads is found when somebody goes there.
    let is_readable = entry.mode.starts_with(['-', 'l']);
    html! {
        tr {
            td {
                @if entry.is_folder() {
                    a href={ "/browse/" (path) } { (entry.name) "/" }
                } @else if is_readable {
                    a href={ "/file/" (path) } { (entry.name) }
                } @else {
                    (entry.name)
                }
            }
            td { code { (entry.mode) } }
            td.number { (entry.links) }
            td { (entry.user) } td { (entry.group) }
            td.number { (bytes(entry.size)) }
            td { (utc(entry.modified.saturating_mul(1000))) }
            td {
                @if is_readable {
                    a href={ "/download/" (path) } aria-label={ "download " (entry.name) } { "download" }
                }
            }
        }
    }
}
