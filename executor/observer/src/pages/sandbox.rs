//! The files of a task: `/browse/…`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use aurora_daemon::beneath::{Entry, Listing, MAX_COUNTED, blocking};
use aurora_daemon::web::{Crumb, bytes, segment, utc};
use aurora_thermos::view::Task;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::{App, failed, joined, page};
use crate::place::{Named, Place};

/// The way to a file or folder of a sandbox.
pub(super) fn way(task: &Task, path: &Path) -> Vec<Crumb> {
    let mut at = format!("/browse/{}", segment(task.id()));
    let mut crumbs = super::way(task);
    crumbs.push(Crumb::link("sandbox", at.clone()));
    for part in path.as_os_str().as_bytes().split(|byte| *byte == b'/').filter(|p| !p.is_empty()) {
        at = format!("{at}/{}", segment(part));
        crumbs.push(Crumb::link(String::from_utf8_lossy(part), at.clone()));
    }
    if let Some(last) = crumbs.last_mut() {
        last.href = None;
    }
    crumbs
}

pub(super) async fn browse(State(observed): App, Named { id, path }: Named) -> Response {
    let path = PathBuf::from(OsStr::from_bytes(trimmed(path.as_os_str().as_bytes())));
    let is_top = path.as_os_str().is_empty();
    let title = if is_top { "Sandbox".to_owned() } else { path.display().to_string() };
    let shown = async {
        let task = observed.task(&id).await?.ok_or(io::ErrorKind::NotFound)?;
        let place = Place::in_sandbox(&task, path.clone())?;
        let crumbs = way(&task, &path);
        let shown = blocking(move || Ok(listed(&id, &path, &place.list()?))).await?;
        io::Result::Ok((crumbs, shown))
    };
    match shown.await {
        Ok((crumbs, shown)) => page(&title, &crumbs).render(&shown),
        Err(error) => failed(&error, "Sandbox does not exist."),
    }
}

/// What a folder of a task's sandbox holds.
fn listed(id: &str, path: &Path, listing: &Listing) -> Markup {
    let id = segment(id).to_string();
    let is_top = path.as_os_str().is_empty();
    let base = if is_top { id.clone() } else { format!("{id}/{}", joined(path)) };
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    html! {
        @if listing.is_cut() {
            p role="status" {
                "The first " (listing.entries.len()) " entries by name are shown, of "
                @if listing.total == MAX_COUNTED { "more than " }
                (listing.total) ". The others can be reached by their addresses."
            }
        }
        div.scroll tabindex="0" role="region" aria-label="Files" { table {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Mode" } th.number scope="col" { "Links" }
                th scope="col" { "User" } th scope="col" { "Group" } th.number scope="col" { "Size" }
                th scope="col" { "Changed" } th scope="col" { "Save" }
            } }
            tbody {
                @if !is_top {
                    tr { td colspan="8" {
                        a href={ "/browse/" (id) @if let Some(above) = above { "/" (joined(above)) } }
                            aria-label="the folder above" { ".." }
                    } }
                }
                @if listing.entries.is_empty() { tr { td colspan="8" { span.faint { "empty" } } } }
                @for entry in &listing.entries { (row(&base, entry)) }
            }
        } }
    }
}

fn row(base: &str, entry: &Entry) -> Markup {
    let path = format!("{base}/{}", segment(entry.name.as_bytes()));
    let name = entry.name.display();
    // Where a link leads is found when somebody goes there.
    let is_readable = entry.mode.starts_with(['-', 'l']);
    html! {
        tr {
            td {
                @if entry.is_folder() {
                    a href={ "/browse/" (path) } { (name) "/" }
                } @else if is_readable {
                    a href={ "/file/" (path) } { (name) }
                } @else {
                    (name)
                }
            }
            td { code { (entry.mode) } }
            td.number { (entry.links) }
            td { (entry.user) } td { (entry.group) }
            td.number { (bytes(entry.size)) }
            td { (utc(entry.modified.saturating_mul(1000))) }
            td {
                @if is_readable {
                    a href={ "/download/" (path) } aria-label={ "download " (name) } { "download" }
                }
            }
        }
    }
}

/// Without slashes at both ends.
fn trimmed(path: &[u8]) -> &[u8] {
    let is_other = |byte: &u8| *byte != b'/';
    let first = path.iter().position(is_other).unwrap_or(path.len());
    let end = path.iter().rposition(is_other).map_or(first, |last| last + 1);
    path.get(first..end).unwrap_or_default()
}
