//! What is wrong with the files, as it is found and told.
//!
//! What the text alone tells is published right after each change. Files are evaluated on a thread of
//! their own when nobody has typed for a moment; the next change ends that. What an evaluation has
//! found counts as long as every text that it has read is as it was then, so nothing is ever told of a
//! text that is no more: an old result is not shown, and it does not take away a newer one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use aurora_eval::{Cancel, Code, Disk, Engine, Inputs, Options, Project};
use aurora_ide::Snapshot;
use aurora_ide::diagnostics::{Diagnostic, Level, Tag, merge, syntax, together};
use aurora_ide::evaluated::{Evaluated, evaluate};
use aurora_ide::source::{FileId, Source};
use tower_lsp::Client;
use tower_lsp::lsp_types::{
    self as lsp, CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    NumberOrString, PublishDiagnosticsParams, Url,
};

use crate::convert::View;
use crate::settings::Settings;
use crate::state::{Core, State};

/// How many files with jobs are evaluated when one that they include is changed.
const MAX_MAINS: usize = 256;
/// By how much the priority of the thread that evaluates is lowered: it is given a third of what another
/// is that wants the same processor, so that it is not forgotten where many do.
#[cfg(target_os = "linux")]
const EVALUATION_NICENESS: i32 = 5;
/// What diagnostics say of who tells them.
const SOURCE: &str = "aurora";

/// What a file with jobs came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// [`None`] if its project's aurora.toml cannot be used.
    evaluated: Option<Arc<Evaluated>>,
    /// What is told of the files that it has read.
    found: BTreeMap<FileId, Vec<Diagnostic>>,
    settings_generation: u64,
}

/// What the client was told of a file.
#[derive(Debug)]
pub(crate) struct Published {
    uri: Url,
    version: Option<i32>,
    diagnostics: Vec<lsp::Diagnostic>,
    /// What of it the text alone tells, without places.
    written: Vec<(Option<Code>, String)>,
}

impl Outcome {
    /// Whether functions of the language have read files.
    pub(crate) fn reads_data(&self) -> bool {
        self.evaluated.as_ref().is_some_and(|evaluated| evaluated.reads_data())
    }

    fn is_current(&self, world: &Snapshot, settings_generation: u64) -> bool {
        self.settings_generation == settings_generation
            && self.evaluated.as_ref().is_none_or(|evaluated| evaluated.is_current(world))
    }
}

/// Evaluates files until the server stops.
pub(crate) fn evaluate_all(core: &Core) {
    yield_to_requests(core);
    let engine = Engine::default();
    while let Some((view, generation)) = wait(core) {
        let mains = mains(&view.world, core.lock().latest.clone());
        let (mut is_through, mut has_learnt) = (true, false);
        for main in &mains {
            let begun = Instant::now();
            let (outcome, cancel) = match begin(core, generation, main, &view.world) {
                Begun::Changed => {
                    is_through = false;
                    break;
                }
                Begun::Known(outcome, cancel) => (outcome, cancel),
                Begun::New(settings_generation, cancel) => {
                    let run = || run(&engine, &view, main, &cancel, core);
                    let result = core.guarded(&format!("evaluating {main}"), run);
                    let took = begun.elapsed().as_secs_f64() * 1000.0;
                    let Some((evaluated, found)) = result else {
                        core.lock().running = None;
                        continue;
                    };
                    let outcome = Arc::new(Outcome { evaluated, found, settings_generation });
                    let finish = || finish(core, &view, main, &outcome, &cancel);
                    let finished = core.guarded(&format!("keeping {main}"), finish);
                    let Finished { is_kept, has_learnt: learnt } = finished.unwrap_or_default();
                    has_learnt |= learnt;
                    let word = if is_kept { "evaluated" } else { "gave up" };
                    core.log.line(&format!("{word} {main} {took:.1} ms"));
                    if !is_kept {
                        continue;
                    }
                    (outcome, cancel)
                }
            };
            let keep = || keep(core, main, &outcome, &cancel);
            core.guarded(&format!("working out the values of {main}"), keep);
            let mut state = core.lock();
            if state.generation == generation {
                state.running = None;
            }
        }
        // What was learnt of the disk may be other than what the files before were evaluated with: they
        // are looked at again.
        if is_through && !has_learnt {
            settle(core, generation, &mains);
        }
    }
}

/// Has the thread that evaluates run after those that answer what somebody waits for, where there are
/// not enough processors for all.
fn yield_to_requests(core: &Core) {
    // Only Linux takes a thread for a process here; elsewhere all of the server would be slower.
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), EVALUATION_NICENESS)
    {
        core.log.line(&format!("the thread that evaluates keeps its priority: {error}"));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = core;
}

/// Waits until nothing was typed for a moment and something is to be evaluated; [`None`] once the
/// server stops.
fn wait(core: &Core) -> Option<(View, u64)> {
    let mut state = core.lock();
    loop {
        if state.is_stopped {
            return None;
        }
        if state.settled == state.generation {
            state = core.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let now = Instant::now();
        match state.due {
            Some(due) if due > now => {
                let waited = core.work.wait_timeout(state, due - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            _ => {
                let generation = state.generation;
                drop(state);
                let view = core.view();
                // A change in between is in the view; the evaluation of it is begun again.
                return Some((view, generation));
            }
        }
    }
}

/// The files with jobs that the open files are part of: those of the file that was changed last first.
fn mains(world: &Snapshot, latest: Option<FileId>) -> Vec<FileId> {
    let mut open: Vec<&FileId> = world.open_files().filter(|id| !id.is_std()).collect();
    open.sort_by_key(|id| Some(*id) != latest.as_ref());
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for id in open {
        let mut mains = world.mains_of(id);
        if mains.is_empty() {
            // Files that include each other: none of them is the first.
            mains.push(id.clone());
        }
        // What is on the screen comes first.
        mains.sort_by_key(|main| (main != id, !world.is_open(main)));
        found.extend(mains.into_iter().filter(|main| seen.insert(main.clone())));
    }
    found.truncate(MAX_MAINS);
    found
}

/// How it is with a file that is to be evaluated.
enum Begun {
    /// There was a change meanwhile: the files are looked at anew.
    Changed,
    /// What it came to before is so still.
    Known(Arc<Outcome>, Cancel),
    /// It is evaluated, for the settings of this generation.
    New(u64, Cancel),
}

fn begin(core: &Core, generation: u64, main: &FileId, world: &Snapshot) -> Begun {
    let mut state = core.lock();
    let settings_generation = state.settings_generation;
    if state.generation != generation || state.is_stopped {
        return Begun::Changed;
    }
    let cancel = Cancel::default();
    state.running = Some(cancel.clone());
    match state.outcomes.get(main) {
        Some(known) if known.is_current(world, settings_generation) => {
            Begun::Known(known.clone(), cancel)
        }
        _ => Begun::New(settings_generation, cancel),
    }
}

type Run = (Option<Arc<Evaluated>>, BTreeMap<FileId, Vec<Diagnostic>>);

fn run(engine: &Engine, view: &View, main: &FileId, cancel: &Cancel, core: &Core) -> Run {
    match options(main, &view.settings, &core.options.user, cancel) {
        Ok(options) => {
            core.log.hide(options.inputs.env.values().flatten().map(String::as_str));
            let evaluated = evaluate(&view.world, main, engine, &Disk, &options);
            let found = merge(main, &[], &evaluated.findings);
            (Some(Arc::new(evaluated)), found)
        }
        Err(report) => (None, merge(main, &[], &report.findings())),
    }
}

/// What a file may see of the outside, as the client's commands let it.
pub(crate) fn options(
    main: &FileId,
    settings: &Settings,
    user: &str,
    cancel: &Cancel,
) -> Result<Options, aurora_eval::Report> {
    let project = Project::of(main.path())?;
    let (root, declared) = project.map(|found| (found.root, found.env)).unwrap_or_default();
    let mut env: BTreeMap<String, Option<String>> = declared
        .into_iter()
        .map(|name| {
            let value = std::env::var(&name).ok();
            (name, value)
        })
        .collect();
    env.extend(settings.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
    let user = if settings.user.is_empty() { user } else { &settings.user };
    Ok(Options {
        bindings: settings.bindings.clone(),
        inputs: Inputs { user: user.to_owned(), env, root },
        cancel: cancel.clone(),
        tasks: false,
    })
}

/// What became of the result of an evaluation.
#[derive(Default)]
struct Finished {
    /// Whether it counts.
    is_kept: bool,
    /// Whether files are on disk otherwise than was known.
    has_learnt: bool,
}

/// Has the client told of what a file came to, if no text that was read has changed meanwhile.
fn finish(
    core: &Core,
    view: &View,
    main: &FileId,
    outcome: &Arc<Outcome>,
    cancel: &Cancel,
) -> Finished {
    // What was found on disk is known from now on; texts that the client holds were taken from it.
    let read = || outcome.evaluated.iter().flat_map(|evaluated| evaluated.texts());
    let is_new = |id, text: &Arc<str>| view.world.file(id).is_none_or(|it| it.text != *text);
    let learnt: Vec<Source> = read()
        .filter_map(|(id, text)| Some((id, text?)))
        .filter(|(id, text)| !cancel.is_cancelled() && is_new(id, text))
        .map(|(id, text)| Source::new(id.clone(), text.clone(), None))
        .collect();
    let gone = read().filter(|(id, text)| text.is_none() && view.world.file(id).is_some());
    let mut state = core.lock();
    if cancel.is_cancelled() {
        return Finished::default();
    }
    let mut has_learnt = false;
    for source in learnt {
        // One that nobody knew is new to no other result.
        let is_other = state.workspace.file(&source.id).is_some();
        has_learnt |= state.workspace.read(source) && is_other;
        state.forget_snapshot();
    }
    for (id, _) in gone {
        has_learnt |= state.workspace.remove(id);
        state.forget_snapshot();
    }
    let world = state.snapshot();
    if !outcome.is_current(&world, state.settings_generation) {
        return Finished { is_kept: false, has_learnt };
    }
    let old = state.outcomes.insert(main.clone(), outcome.clone());
    if world.evaluated(main).is_none() {
        // Nothing is known that could be shown instead.
        show(&mut state, main, outcome);
    }
    for outcome in old.iter().chain([outcome]) {
        state.touched.extend(outcome.found.keys().cloned());
        let read = outcome.evaluated.iter().flat_map(|evaluated| evaluated.texts());
        let open: Vec<FileId> =
            read.map(|(id, _)| id).filter(|id| world.is_open(id)).cloned().collect();
        state.touched.extend(open);
    }
    core.publish.notify_one();
    Finished { is_kept: true, has_learnt }
}

/// Has requests see what a file came to, once the values of its texts are worked out: until then they
/// see what it came to before, and do not wait. A change ends that.
fn keep(core: &Core, main: &FileId, outcome: &Arc<Outcome>, cancel: &Cancel) {
    let is_whole =
        outcome.evaluated.iter().all(|evaluated| evaluated.work_out(&|| !cancel.is_cancelled()));
    let mut state = core.lock();
    let before = state.snapshot();
    let is_last = state.outcomes.get(main).is_some_and(|last| Arc::ptr_eq(last, outcome));
    if is_whole && is_last {
        show(&mut state, main, outcome);
    }
    // Nobody waits while what the file came to before is freed, which may be much.
    drop(state);
    drop(before);
}

/// Has requests see what a file came to.
fn show(state: &mut State, main: &FileId, outcome: &Outcome) {
    let world = state.snapshot();
    match (&outcome.evaluated, world.evaluated(main)) {
        (Some(new), Some(seen)) if Arc::ptr_eq(new, seen) => return,
        (Some(new), _) => state.workspace.set_evaluated(main.clone(), new.clone()),
        (None, _) => state.workspace.forget_evaluated(main),
    }
    state.forget_snapshot();
    state.is_news = true;
}

/// All is evaluated: what belongs to no open file any more is forgotten.
fn settle(core: &Core, generation: u64, mains: &[FileId]) {
    let mut state = core.lock();
    if state.generation != generation {
        return;
    }
    state.settled = generation;
    let gone: Vec<FileId> =
        state.outcomes.keys().filter(|main| !mains.contains(main)).cloned().collect();
    for main in gone {
        state.workspace.forget_evaluated(&main);
        state.is_news = true;
        if let Some(outcome) = state.outcomes.remove(&main) {
            state.touched.extend(outcome.found.keys().cloned());
        }
    }
    // What was told of a file that nobody holds any more goes, too; and no file that is held stays
    // with what was told of an older text.
    let is_over = |(id, told): (&FileId, &Published)| {
        let is_old = match state.version(id) {
            Some(version) => told.version != Some(version),
            None => !state.outcomes.values().any(|outcome| outcome.found.contains_key(id)),
        };
        is_old.then(|| id.clone())
    };
    let over: Vec<FileId> = state.published.iter().filter_map(is_over).collect();
    state.touched.extend(over);
    state.forget_snapshot();
    core.publish.notify_one();
    core.lookout.look_again();
}

/// Tells the client what it has not asked for, until the server stops.
///
/// It is done by a thread of its own, one file at a time and in order: what is told last is newest, and
/// nothing that is sent waits for what is worked out after it.
pub(crate) async fn publish_all(core: &Core, connection: &Client) {
    loop {
        core.publish.notified().await;
        while let Some((id, why)) = next(core) {
            let publication =
                core.guarded(&format!("telling of {id}"), || publication(core, &id, why));
            if let Some(publication) = publication.flatten() {
                let PublishDiagnosticsParams { uri, diagnostics, version } = publication;
                connection.publish_diagnostics(uri, diagnostics, version).await;
            }
        }
        if core.lock().is_stopped {
            return;
        }
        refresh(connection, core);
    }
}

/// Has the client ask again for what an evaluation tells, once there is a new one.
fn refresh(connection: &Client, core: &Core) {
    let client = core.client();
    if !core.take_refresh() {
        return;
    }
    // The client answers when it likes; nobody waits.
    if client.refresh_tokens {
        let connection = connection.clone();
        tokio::spawn(async move { connection.semantic_tokens_refresh().await });
    }
    if client.refresh_hints {
        let connection = connection.clone();
        tokio::spawn(async move { connection.inlay_hint_refresh().await });
    }
    if client.refresh_lenses {
        let connection = connection.clone();
        tokio::spawn(async move { connection.code_lens_refresh().await });
    }
}

/// Why a file may have to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its text has changed, and nothing else.
    Edited,
    /// An evaluation has found something else.
    Touched,
}

/// The file that is looked at next: those in which somebody types before all others.
fn next(core: &Core) -> Option<(FileId, Why)> {
    let mut state = core.lock();
    if let Some(id) = state.edited.pop_first() {
        let why = if state.touched.remove(&id) { Why::Touched } else { Why::Edited };
        return Some((id, why));
    }
    state.touched.pop_first().map(|id| (id, Why::Touched))
}

/// What the client has to be told of a file now. It is told nothing twice.
fn publication(core: &Core, id: &FileId, why: Why) -> Option<PublishDiagnosticsParams> {
    let (outcomes, settings_generation) = outcomes(core);
    let view = core.view();
    let written = match view.world.file(id) {
        Some(_) if view.world.is_open(id) => written(core, &view, id),
        _ => Arc::default(),
    };
    let shown: Vec<(Option<Code>, String)> =
        written.iter().map(|diagnostic| (diagnostic.code, diagnostic.message.clone())).collect();
    // The client moves what it was told with the text. It is told again once the evaluation is
    // done, unless the text itself tells something else now.
    let is_told = |told: &Published| told.written == shown;
    if why == Why::Edited && core.lock().published.get(id).is_some_and(is_told) {
        return None;
    }
    let current: Vec<&Outcome> = outcomes
        .iter()
        .map(|outcome| &**outcome)
        .filter(|outcome| outcome.is_current(&view.world, settings_generation))
        .collect();
    let all = of_file(id, &current, &written);
    let diagnostics: Vec<lsp::Diagnostic> =
        all.iter().filter_map(|found| diagnostic(core, &view, found)).collect();
    told_anew(&mut core.lock(), &view, id, diagnostics, shown)
}

fn outcomes(core: &Core) -> (Vec<Arc<Outcome>>, u64) {
    let state = core.lock();
    (state.outcomes.values().cloned().collect(), state.settings_generation)
}

/// What the text of a file tells, worked out once for the same texts.
fn written(core: &Core, view: &View, id: &FileId) -> Arc<[Diagnostic]> {
    let revision = view.world.revision();
    if let Some((of, known)) = core.lock().written.get(id)
        && *of == revision
    {
        return known.clone();
    }
    let found: Arc<[Diagnostic]> = syntax(&view.world, id).into();
    let mut state = core.lock();
    // Of a file that was closed meanwhile nobody asks again.
    if state.version(id).is_some() {
        state.written.insert(id.clone(), (revision, found.clone()));
    }
    found
}

/// What is wrong with a file: what evaluations have found, and what its text tells.
fn of_file(id: &FileId, outcomes: &[&Outcome], written: &[Diagnostic]) -> Vec<Diagnostic> {
    let found = outcomes.iter().filter_map(|outcome| outcome.found.get(id)).flatten();
    together(found.cloned().collect(), written)
}

/// What is wrong with a file in these texts, as far as that is known by now.
pub(crate) fn known(core: &Core, view: &View, id: &FileId) -> Vec<Diagnostic> {
    let (outcomes, settings_generation) = outcomes(core);
    let current = outcomes.iter().map(|outcome| &**outcome);
    let current: Vec<&Outcome> =
        current.filter(|it| it.is_current(&view.world, settings_generation)).collect();
    of_file(id, &current, &written(core, view, id))
}

fn told_anew(
    state: &mut State,
    view: &View,
    id: &FileId,
    diagnostics: Vec<lsp::Diagnostic>,
    written: Vec<(Option<Code>, String)>,
) -> Option<PublishDiagnosticsParams> {
    let is_open = view.world.is_open(id);
    let version = view.world.file(id).filter(|_| is_open).and_then(|source| source.version);
    let (uri, is_same) = match state.published.get(id) {
        Some(told) => {
            let uri = view.uri(id).unwrap_or_else(|| told.uri.clone());
            let is_same =
                told.version == version && told.diagnostics == diagnostics && told.uri == uri;
            (uri, is_same)
        }
        None if diagnostics.is_empty() && !is_open => return None,
        None => (view.uri(id)?, false),
    };
    if is_same {
        return None;
    }
    let params = PublishDiagnosticsParams::new(uri.clone(), diagnostics.clone(), version);
    if diagnostics.is_empty() && !is_open {
        state.published.remove(id);
    } else {
        let told = Published { uri, version, diagnostics, written };
        state.published.insert(id.clone(), told);
    }
    Some(params)
}

/// What helps against references that nothing binds, where nothing better is known.
const BINDINGS: &str = "bind it, or give it in the setting aurora.bindings if it comes with --bind";

/// A diagnostic as the protocol has it.
pub(crate) fn diagnostic(core: &Core, view: &View, found: &Diagnostic) -> Option<lsp::Diagnostic> {
    let place = view.location(&found.location)?;
    let of_setting = (found.code == Some(Code::UnboundReference)).then_some(BINDINGS);
    let message = match found.help.as_deref().or(of_setting) {
        Some(help) => format!("{}\n{help}", found.message),
        None => found.message.clone(),
    };
    let related = found.related.iter().filter_map(|related| {
        let location = view.location(&related.location)?;
        Some(DiagnosticRelatedInformation { location, message: related.message.clone() })
    });
    let related: Vec<_> = related.collect();
    let page = found.code.and_then(|code| page(core, code));
    Some(lsp::Diagnostic {
        range: place.range,
        severity: Some(match found.level {
            Level::Error => DiagnosticSeverity::ERROR,
            Level::Warning => DiagnosticSeverity::WARNING,
            Level::Hint => DiagnosticSeverity::HINT,
        }),
        code: found.code.map(|code| NumberOrString::String(code.id().to_owned())),
        code_description: page.map(|href| CodeDescription { href }),
        source: Some(SOURCE.to_owned()),
        message,
        related_information: Some(related).filter(|related| !related.is_empty()),
        tags: found.tag.map(|tag| {
            vec![match tag {
                Tag::Unnecessary => DiagnosticTag::UNNECESSARY,
                Tag::Deprecated => DiagnosticTag::DEPRECATED,
            }]
        }),
        data: None,
    })
}

/// The page about a code: on the web if the program was built so, else a copy.
fn page(core: &Core, code: Code) -> Option<Url> {
    match core.options.pages {
        Some(pages) => Url::parse(&format!("{}/{code}.md", pages.trim_end_matches('/'))).ok(),
        None => Url::from_file_path(core.library.page(code)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;

    const TEXT: &str = "jobs = [Service(cluster = 'c', role = 'r', environment = 'prod', name = 'a', \
                        task = SimpleTask('t', 'x'))]\n";

    fn core() -> Core {
        let options = crate::Options {
            user: "me".to_owned(),
            cache: None,
            log: None,
            pages: None,
            program: "false".into(),
            inspect: |job| job.name.to_string(),
            clusters: |_| Ok(Vec::new()),
            schedulers: Arc::new(crate::Offline),
        };
        Core::new(options, Log::new(None).0)
    }

    #[test]
    fn files_in_which_somebody_types_are_told_of_before_others() {
        let core = core();
        let [a, b, c] = ["/a", "/b", "/c"].map(FileId::new);
        {
            let mut state = core.lock();
            state.touched.extend([a.clone(), b.clone()]);
            state.edited.extend([b.clone(), c.clone()]);
        }
        let all: Vec<_> = std::iter::from_fn(|| next(&core)).collect();
        assert_eq!(all, [(b, Why::Touched), (c, Why::Edited), (a, Why::Touched)]);
    }

    #[test]
    fn what_a_file_came_to_is_seen_until_the_values_of_the_next_are_there() {
        let core = core();
        let main = FileId::new("/project/main.aurora");
        core.lock().workspace.open(main.clone(), TEXT.to_owned(), 1);
        let engine = Engine::default();
        let evaluated = || {
            let (view, cancel) = (core.view(), Cancel::default());
            let (evaluated, found) = run(&engine, &view, &main, &cancel, &core);
            let outcome = Arc::new(Outcome { evaluated, found, settings_generation: 0 });
            assert!(finish(&core, &view, &main, &outcome, &cancel).is_kept);
            (outcome, cancel)
        };
        let is_seen = |outcome: &Outcome| {
            let world = core.view().world;
            let (new, seen) = (outcome.evaluated.as_ref().unwrap(), world.evaluated(&main));
            seen.is_some_and(|seen| Arc::ptr_eq(new, seen))
        };
        let (first, _) = evaluated();
        assert!(is_seen(&first), "there was nothing else to see");
        let (second, cancel) = evaluated();
        assert!(is_seen(&first));
        cancel.cancel();
        keep(&core, &main, &second, &cancel);
        assert!(is_seen(&first), "a change has ended the work");
        keep(&core, &main, &second, &Cancel::default());
        assert!(is_seen(&second));
        keep(&core, &main, &first, &Cancel::default());
        assert!(is_seen(&second), "it is no longer the last");
    }
}
