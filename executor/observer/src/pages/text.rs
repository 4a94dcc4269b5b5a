//! What a process prints, and files: read, followed and searched.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_daemon::beneath::{self, blocking};
use aurora_daemon::web::{Crumb, bytes, segment};
use aurora_thermos::view::{Stream, Task};
use axum::extract::{self, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{App, failed, joined, missing, not_found, page, sandbox, script, unreadable, way};
use crate::assets::scripted;
use crate::files;
use crate::follow::unfinished;
use crate::place::{Named, Place};
use crate::search::{self, Answer, Pattern};
use crate::tasks::{Observed, Seen, run_numbered};

/// How much of a file one page shows, in bytes.
const SHOWN: u64 = 64 << 10;
/// How long one search may take.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// How long a search may wait for others to end.
const SEARCH_WAIT: Duration = Duration::from_secs(2);

/// Which part of a file a page shows: up to an offset, or from one on; the last part if nothing is
/// said.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(super) struct Window {
    until: Option<u64>,
    from: Option<u64>,
}

/// A part of a file.
struct Text {
    text: String,
    from: u64,
    until: u64,
    size: u64,
    inode: u64,
}

fn read(file: &File, window: Window) -> io::Result<Text> {
    use std::os::unix::fs::MetadataExt as _;
    let found = file.metadata()?;
    let (size, inode) = (found.len(), found.ino());
    let (mut from, until) = match window {
        Window { from: Some(from), .. } => (from.min(size), from.saturating_add(SHOWN).min(size)),
        Window { until, .. } => {
            let until = until.unwrap_or(size).min(size);
            (until.saturating_sub(SHOWN), until)
        }
    };
    let mut bytes = beneath::read(file, from, until - from)?;
    // A part begins and ends with lines, if it can.
    if from > 0
        && window.from.is_none()
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
        && end + 1 < bytes.len()
    {
        bytes.drain(..=end);
        from += end as u64 + 1;
    }
    if until < size
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    bytes.truncate(bytes.len() - unfinished(&bytes));
    let until = from + bytes.len() as u64;
    Ok(Text { text: String::from_utf8_lossy(&bytes).into_owned(), from, until, size, inode })
}

/// The addresses of all that can be done with a file.
struct Addresses {
    read: String,
    follow: String,
    search: String,
    download: Option<String>,
}

fn shown(text: &Text, at: &Addresses, is_last: bool) -> Markup {
    let follow =
        is_last.then(|| format!("{}?offset={}&inode={}", at.follow, text.until, text.inode));
    html! {
        nav.pager aria-label="Parts of the file" {
            @if text.from > 0 {
                a href={ (at.read) "?from=0" } { "⇤ beginning" }
                a rel="prev" href={ (at.read) "?until=" (text.from) } { "↑ earlier" }
            }
            span.faint { "bytes " (text.from) "–" (text.until) " of " (text.size) " (" (bytes(text.size)) ")" }
            @if text.until < text.size {
                a rel="next" href={ (at.read) "?from=" (text.until) } { "↓ later" }
            }
            @if !is_last { a href=(at.read) { "end ⇥" } }
        }
        @if follow.is_some() {
            div.pager #tail hidden {
                button #follow type="button" aria-pressed="true" { "Follow" }
                button #end type="button" { "Jump to the end" }
                span #said.faint role="status" {}
            }
        }
        pre #text tabindex="0" role="log" aria-live="off" aria-label="Content" data-follow=[follow] {
            (text.text)
        }
    }
}

fn search_form(at: &Addresses, asked: Option<&Asked>) -> Markup {
    html! {
        form.search role="search" action=(at.search) method="get" {
            label for="q" { "Find" }
            input #q type="search" name="q" required maxlength=(search::MAX_PATTERN)
                value=[asked.map(|asked| asked.q.as_str())];
            label { input type="checkbox" name="regex" value="1" checked[asked.is_some_and(Asked::is_regex)]; " regular expression" }
            label { input type="checkbox" name="case" value="1" checked[asked.is_some_and(Asked::has_case)]; " match case" }
            button type="submit" { "Find" }
        }
    }
}

fn log_addresses(
    task: &Task,
    process: &str,
    run: &str,
    stream: Stream,
    place: &Place,
) -> Addresses {
    let path =
        format!("{}/{}/{}/{}", segment(task.id()), segment(process), segment(run), stream.name());
    let below = task.header().and_then(|header| place.within(&header.sandbox));
    Addresses {
        read: format!("/logs/{path}"),
        follow: format!("/follow/{path}"),
        search: format!("/search/{path}"),
        download: below.map(|below| format!("/download/{}/{}", segment(task.id()), joined(below))),
    }
}

fn file_addresses(task: &Task, path: &Path) -> Addresses {
    let path = format!("{}/{}", segment(task.id()), joined(path));
    Addresses {
        read: format!("/file/{path}"),
        follow: format!("/followfile/{path}"),
        search: format!("/searchfile/{path}"),
        download: Some(format!("/download/{path}")),
    }
}

/// What a run printed, as it was asked for.
struct Log {
    task: Seen,
    process: String,
    run: String,
    number: i64,
    stream: Stream,
}

impl Log {
    async fn find(
        observed: &Observed,
        (id, process, run, name): (String, String, String, String),
    ) -> Result<Self, Response> {
        let Some(stream) = files::stream(&name) else {
            return Err(missing(&format!("No such log type: {name}")));
        };
        let task = match observed.task(&id).await {
            Ok(Some(task)) => task,
            Ok(None) => return Err(not_found(&id)),
            Err(error) => return Err(unreadable(&error)),
        };
        let number = run.parse::<i64>();
        let Ok(number) = number else { return Err(missing(&format!("Invalid run: {run}"))) };
        if run_numbered(task.runs(&process), number).is_none() {
            return Err(missing(&format!("There is no run {run} of {id}/{process}.")));
        }
        Ok(Self { task, process, run, number, stream })
    }

    fn place(&self) -> io::Result<Place> {
        Place::of_log(&self.task, &self.process, self.number, self.stream)
    }

    fn title(&self) -> String {
        format!("{}: {} of run {}", self.process, self.stream.name(), self.run)
    }

    fn addresses(&self, place: &Place) -> Addresses {
        log_addresses(&self.task, &self.process, &self.run, self.stream, place)
    }

    fn crumbs(&self) -> Vec<Crumb> {
        let mut crumbs = way(&self.task);
        let process = format!("/process/{}/{}", segment(self.task.id()), segment(&self.process));
        crumbs.push(Crumb::link(self.process.clone(), process));
        crumbs.push(Crumb::here(format!("run {} {}", self.run, self.stream.name())));
        crumbs
    }

    /// What else the process has printed: the other stream, and older files of this one.
    fn others(&self, rotated: &[Place]) -> Markup {
        let id = segment(self.task.id()).to_string();
        let sandbox = self.task.header().map(|header| header.sandbox.as_path());
        html! {
            @for stream in Stream::ALL.into_iter().filter(|stream| *stream != self.stream) {
                a href={ "/logs/" (id) "/" (segment(&self.process)) "/" (segment(&self.run)) "/" (stream.name()) } {
                    (stream.name())
                }
            }
            @for older in rotated {
                @if let Some(below) = sandbox.and_then(|sandbox| older.within(sandbox)) {
                    a href={ "/file/" (id) "/" (joined(below)) } {
                        (below.file_name().unwrap_or_default().display())
                    }
                }
            }
        }
    }
}

pub(super) async fn log(
    State(observed): App,
    extract::Path(asked): extract::Path<(String, String, String, String)>,
    Query(window): Query<Window>,
) -> Response {
    let log = match Log::find(&observed, asked).await {
        Ok(log) => log,
        Err(answer) => return answer,
    };
    let found = blocking(move || {
        let place = log.place()?;
        let (text, is_there) = match place.open() {
            Ok(file) => (read(&file, window)?, true),
            // Its logger sends it elsewhere, or nothing came yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (Text { text: String::new(), from: 0, until: 0, size: 0, inode: 0 }, false)
            }
            Err(error) => return Err(error),
        };
        // The file itself may be read although its folder may not.
        let rotated = place.rotated().unwrap_or_else(|error| {
            beneath::logged_status(&error, "older files of a log");
            Vec::new()
        });
        Ok((log, place, text, is_there, rotated))
    });
    let (log, place, text, is_there, rotated) = match found.await {
        Ok(found) => found,
        Err(error) => {
            return failed(&error, &format!("What it printed cannot be read: {error}"));
        }
    };
    let at = log.addresses(&place);
    let is_last = window.from.is_none() && window.until.is_none();
    scripted(page(&log.title(), &log.crumbs()).render(&html! {
        p.pager {
            @if let Some(download) = at.download.as_ref().filter(|_| is_there) {
                a href=(download) { "download" }
            }
            (log.others(&rotated))
        }
        (search_form(&at, None))
        (shown(&text, &at, is_last))
        (script())
    }))
}

pub(super) async fn file(
    State(observed): App,
    Named { id, path }: Named,
    Query(window): Query<Window>,
) -> Response {
    let found = async {
        let task = observed.task(&id).await?.ok_or(io::ErrorKind::NotFound)?;
        let place = Place::in_sandbox(&task, path.clone())?;
        io::Result::Ok((task, blocking(move || read(&place.open()?, window)).await?))
    };
    let (task, text) = match found.await {
        Ok(found) => found,
        // A link to a folder is shown like a file where it lies.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let folder = format!("/browse/{}/{}", segment(&id), joined(&path));
            return Redirect::to(&folder).into_response();
        }
        Err(error) => return failed(&error, "No such file."),
    };
    let at = file_addresses(&task, &path);
    let is_last = window.from.is_none() && window.until.is_none();
    scripted(page(&path.to_string_lossy(), &sandbox::way(&task, &path)).render(&html! {
        p.pager { @if let Some(download) = &at.download { a href=(download) { "download" } } }
        (search_form(&at, None))
        (shown(&text, &at, is_last))
        (script())
    }))
}

/// What is looked for, and from where on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    regex: String,
    case: String,
    from: u64,
}

impl Asked {
    fn is_regex(&self) -> bool {
        !self.regex.is_empty()
    }

    fn has_case(&self) -> bool {
        !self.case.is_empty()
    }

    /// The same search from an offset on.
    fn from(&self, offset: u64) -> String {
        let mut query = format!("?q={}&from={offset}", segment(&self.q));
        if self.is_regex() {
            query.push_str("&regex=1");
        }
        if self.has_case() {
            query.push_str("&case=1");
        }
        query
    }
}

/// Searches the file at a place for so long as a page may take.
async fn searched(
    observed: &Arc<Observed>,
    asked: &Asked,
    place: io::Result<Place>,
) -> Result<(Place, Answer), Response> {
    let pattern = Pattern::new(&asked.q, asked.is_regex(), asked.has_case()).map_err(|error| {
        page("Invalid expression", &[Crumb::link("Tasks", "/")])
            .error(StatusCode::BAD_REQUEST, &error)
    })?;
    let from = asked.from;
    let answer = async {
        let permit = observed.limits.read(SEARCH_WAIT).await?;
        let observed = Arc::clone(observed);
        blocking(move || {
            let _permit = permit;
            let (place, begun) = (place?, Instant::now());
            let is_over = || begun.elapsed() >= SEARCH_TIME || observed.stop.is_cancelled();
            let answer = search::search(&place.open()?, &pattern, from, is_over)?;
            Ok((place, answer))
        })
        .await
    };
    answer.await.map_err(|error| failed(&error, "No such file."))
}

fn found(answer: &Answer, at: &Addresses, asked: &Asked) -> Markup {
    html! {
        (search_form(at, Some(asked)))
        p role="status" {
            (answer.found.len())
            @if answer.found.len() == 1 { " line" } @else { " lines" }
            " in bytes " (asked.from.min(answer.size)) "–" (answer.until) " of " (answer.size) ". "
            @if answer.until < answer.size {
                a rel="next" href={ (at.search) (asked.from(answer.until)) } { "Search on" }
            }
        }
        @if !answer.found.is_empty() {
            ol.found {
                @for line in &answer.found {
                    li {
                        a href={ (at.read) "?from=" (line.offset) } { (line.offset) }
                        " " code { (line.text) }
                    }
                }
            }
        }
        p { a href=(at.read) { "Back to the end of the file" } }
    }
}

pub(super) async fn search_log(
    State(observed): App,
    extract::Path(wanted): extract::Path<(String, String, String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let log = match Log::find(&observed, wanted).await {
        Ok(log) => log,
        Err(answer) => return answer,
    };
    match searched(&observed, &asked, log.place()).await {
        Ok((place, answer)) => {
            let shown = found(&answer, &log.addresses(&place), &asked);
            scripted(page(&log.title(), &log.crumbs()).render(&shown))
        }
        Err(answer) => answer,
    }
}

pub(super) async fn search_file(
    State(observed): App,
    Named { id, path }: Named,
    Query(asked): Query<Asked>,
) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return missing("No such file."),
        Err(error) => return unreadable(&error),
    };
    match searched(&observed, &asked, Place::in_sandbox(&task, path.clone())).await {
        Ok((_, answer)) => {
            let shown = found(&answer, &file_addresses(&task, &path), &asked);
            let crumbs = sandbox::way(&task, &path);
            scripted(page(&path.to_string_lossy(), &crumbs).render(&shown))
        }
        Err(answer) => answer,
    }
}
