//! A recorded editing session, replayed against the program over its standard input and output, and
//! how long everything took: `benches/editor` runs it.
//!
//! The workspace has 5,000 lines: a file with jobs and 200 files that it includes. Two thousand keys are
//! typed at many places of the first and of some others, faster than people type. With each key
//! completion and a hover are asked for at once. What the text tells is measured at each key that
//! makes or mends a syntax error, and what the evaluation tells at each key after which there is a
//! pause. Whatever is told of a version of a file is compared with what is true of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark: it measures, and fails by panicking"
)]

mod script;
mod server;
mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::script::{OPEN, Script, Step, Then};
use crate::server::{Came, Server};
use crate::workspace::{EVALUATED, Workspace};

/// For how long the server is watched doing nothing.
const IDLE: Duration = Duration::from_secs(5);
/// How much memory the server may use.
const MAX_MIB: u64 = 150;
/// What is asked for once nobody has typed for a moment.
const AFTERWARDS: [&str; 6] = [
    "textDocument/documentSymbol",
    "textDocument/foldingRange",
    "textDocument/semanticTokens/full",
    "textDocument/codeLens",
    "textDocument/codeAction",
    "textDocument/inlayHint",
];

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(program) = words.next() else {
        // `cargo test` runs it without the program: there is nothing to do.
        println!("usage: session PROGRAM");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::generate(folder.path());
    let script = Script::new(&workspace);
    println!(
        "{} lines, {} included files, {} edits",
        workspace.lines(),
        workspace.files.len() - 1,
        script.steps.len()
    );
    let mut session = Session {
        server: Server::start(Path::new(&program), folder.path()),
        uris: (0..workspace.files.len()).map(|file| workspace.uri(file)).collect(),
        sent: BTreeMap::new(),
        told: BTreeMap::new(),
        stale: Vec::new(),
        times: BTreeMap::new(),
        workspace,
        script,
    };
    session.open();
    session.replay();
    let is_met = [session.report_times(), session.report_stale(), session.report_process()];
    let (status, took) = session.server.end();
    println!("ended {status} after {:.1} ms", took.as_secs_f64() * 1000.0);
    if is_met.contains(&false) {
        std::process::exit(1);
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    Completion,
    Hover,
    Syntax,
    Evaluated,
    /// What is asked for in a pause: there is no bar for it.
    Afterwards,
}

impl Figure {
    /// What it is called, and within how many milliseconds 99 of 100 must be.
    fn bar(self) -> (&'static str, Option<f64>) {
        match self {
            Self::Completion => ("completion", Some(20.0)),
            Self::Hover => ("hover", Some(10.0)),
            Self::Syntax => ("syntax diagnostics", Some(10.0)),
            Self::Evaluated => ("evaluated diagnostics", Some(150.0)),
            Self::Afterwards => ("requests in a pause", None),
        }
    }
}

struct Session {
    server: Server,
    workspace: Workspace,
    script: Script,
    uris: Vec<String>,
    /// The versions that the server knows of.
    sent: BTreeMap<usize, i64>,
    /// The version of which something was told last.
    told: BTreeMap<usize, i64>,
    /// What was told and is not true.
    stale: Vec<String>,
    times: BTreeMap<Figure, Vec<f64>>,
}

/// The diagnostics of a file.
struct Told {
    file: usize,
    version: i64,
    codes: BTreeSet<String>,
}

impl Session {
    fn open(&mut self) {
        let id = self.server.begin(
            "initialize",
            json!({"processId": null, "rootUri": null, "capabilities": {},
                "workspaceFolders": [{"uri": self.workspace.folder(), "name": "project"}]}),
        );
        while !matches!(self.server.receive(), Came::Answer(answered, _) if answered == id) {}
        self.server.tell("initialized", json!({}));
        let begun = Instant::now();
        for file in 0..=OPEN {
            self.sent.insert(file, 1);
            let document = json!({"uri": self.uris[file], "languageId": "aurora", "version": 1,
                "text": self.workspace.files[file].1});
            self.server.tell("textDocument/didOpen", json!({"textDocument": document}));
        }
        let mut left: BTreeSet<usize> = (0..=OPEN).collect();
        while !left.is_empty() {
            let came = self.server.receive();
            if let Some((told, _)) = self.told(came)
                && told.codes.contains(EVALUATED[usize::from(told.file > 0)])
            {
                left.remove(&told.file);
            }
        }
        println!("first evaluation after {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);
    }

    fn replay(&mut self) {
        for step in std::mem::take(&mut self.script.steps) {
            self.key(&step);
            if let Then::Pause(_) = step.then {
                self.ask_afterwards(&step);
            }
        }
    }

    /// Types a key, and waits for what it leads to.
    fn key(&mut self, step: &Step) {
        let uri = self.uris[step.file].clone();
        let [start, end] = step.replaced.map(position);
        self.sent.insert(step.file, step.version);
        let begun = Instant::now();
        self.server.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": step.version},
                "contentChanges": [{"range": {"start": start, "end": end}, "text": step.text}]}),
        );
        let mut waits = BTreeMap::new();
        let asked = [
            (Figure::Completion, "textDocument/completion", &uri, step.cursor),
            (Figure::Hover, "textDocument/hover", &self.uris[0].clone(), step.mouse),
        ];
        for (figure, method, uri, place) in asked {
            let place = json!({"textDocument": {"uri": uri}, "position": position(place)});
            let asked = Instant::now();
            waits.insert(self.server.begin(method, place), (figure, asked));
        }
        let mut is_syntax_told = !step.toggles;
        let mut is_evaluated_told = !matches!(step.then, Then::Pause(_));
        while !(waits.is_empty() && is_syntax_told && is_evaluated_told) {
            let came = self.server.receive();
            if let Some((figure, asked, at)) = self.answered(&came, &mut waits) {
                self.note(figure, asked, at);
            }
            let Some((told, at)) = self.told(came) else { continue };
            if (told.file, told.version) != (step.file, step.version) {
                continue;
            }
            if !is_syntax_told {
                is_syntax_told = true;
                self.note(Figure::Syntax, begun, at);
            }
            if let Then::Pause(code) = step.then
                && !is_evaluated_told
                && told.codes.contains(code)
            {
                is_evaluated_told = true;
                self.note(Figure::Evaluated, begun, at);
            }
        }
        if let Then::Key(later) = step.then {
            while let Some(came) = self.server.receive_by(begun + later) {
                self.told(came);
            }
        }
    }

    fn ask_afterwards(&mut self, step: &Step) {
        let start = position((0, 0));
        let end = position((step.cursor.0 + 40, 0));
        let mut waits = BTreeMap::new();
        for method in AFTERWARDS {
            let params = json!({"textDocument": {"uri": self.uris[step.file]},
                "range": {"start": start, "end": end}, "context": {"diagnostics": []}});
            waits.insert(self.server.begin(method, params), (Figure::Afterwards, Instant::now()));
        }
        while !waits.is_empty() {
            let came = self.server.receive();
            if let Some((figure, asked, at)) = self.answered(&came, &mut waits) {
                self.note(figure, asked, at);
            }
            self.told(came);
        }
    }

    fn answered(
        &self,
        came: &Came,
        waits: &mut BTreeMap<i64, (Figure, Instant)>,
    ) -> Option<(Figure, Instant, Instant)> {
        let Came::Answer(id, at) = came else { return None };
        waits.remove(id).map(|(figure, asked)| (figure, asked, *at))
    }

    fn note(&mut self, figure: Figure, from: Instant, to: Instant) {
        let took = (to - from).as_secs_f64() * 1000.0;
        self.times.entry(figure).or_default().push(took);
    }

    /// What was told of an open file, if that came: it is compared with what is true.
    fn told(&mut self, came: Came) -> Option<(Told, Instant)> {
        let Came::Diagnostics(params, at) = came else { return None };
        let uri = params["uri"].as_str().unwrap_or_default();
        let file = self.workspace.file(uri).filter(|file| *file <= OPEN)?;
        let version = params["version"].as_i64().unwrap_or(-1);
        let all = params["diagnostics"].as_array().unwrap();
        let code = |found: &Value| found["code"].as_str().unwrap_or_default().to_owned();
        if let Err(why) = self.compare(file, version, all) {
            self.stale.push(format!("{}, version {version}: {why}", self.workspace.files[file].0));
        }
        self.told.insert(file, version);
        Some((Told { file, version, codes: all.iter().map(code).collect() }, at))
    }

    /// Whether what is told of a version of a file is true of it, and of no older one.
    fn compare(&self, file: usize, version: i64, all: &[Value]) -> Result<(), String> {
        let last = self.told.get(&file).copied().unwrap_or_default();
        if version < last {
            return Err(format!("told after version {last}"));
        }
        let Some(truth) = self.script.truth.get(&(file, version)) else {
            return Err("there is no such version".to_owned());
        };
        if version > self.sent[&file] {
            return Err("told before it was there".to_owned());
        }
        let line = |found: &Value| found["range"]["start"]["line"].as_u64().unwrap_or(u64::MAX);
        let is_syntax = |found: &&Value| found["code"] == "syntax-error";
        let broken: BTreeSet<u64> = all.iter().filter(is_syntax).map(line).collect();
        if broken != truth.broken {
            return Err(format!(
                "lines {broken:?} are no program, and {:?} are none",
                truth.broken
            ));
        }
        for found in all {
            let here = |(_, code): &&(u64, &str)| found["code"] == *code;
            let mut known = truth.evaluated.iter().filter(here).peekable();
            let is_meant = EVALUATED.iter().any(|code| found["code"] == *code);
            if (known.peek().is_some() || is_meant) && !known.any(|(at, _)| *at == line(found)) {
                return Err(format!("{} on line {}", found["code"], line(found)));
            }
        }
        Ok(())
    }

    fn report_times(&mut self) -> bool {
        let mut is_met = true;
        for (figure, times) in &mut self.times {
            times.sort_by(f64::total_cmp);
            let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
            let (half, most, last) = (at(0.5), at(0.99), at(1.0));
            let (name, bar) = figure.bar();
            let word = match bar {
                None => String::new(),
                Some(bar) if most <= bar => format!("bar {bar} ms ok"),
                Some(bar) => format!("bar {bar} ms MISSED"),
            };
            is_met &= bar.is_none_or(|bar| most <= bar);
            println!(
                "{name:<24} p50 {half:7.2} ms   p99 {most:7.2} ms   max {last:7.2} ms   n {:5}   {word}",
                times.len()
            );
        }
        is_met
    }

    fn report_stale(&self) -> bool {
        let word = if self.stale.is_empty() { "ok" } else { "MISSED" };
        println!("{} diagnostics that are not true of their version {word}", self.stale.len());
        self.stale.iter().take(10).for_each(|stale| println!("  {stale}"));
        self.stale.is_empty()
    }

    fn report_process(&mut self) -> bool {
        let pid = self.server.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mib = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
        };
        let (now, most) = (mib("VmRSS:"), mib("VmHWM:"));
        // What it still has to do is done by then.
        std::thread::sleep(Duration::from_secs(1));
        let begun = ticks(pid);
        std::thread::sleep(IDLE);
        let idle = ticks(pid) - begun;
        let is_met = most <= MAX_MIB && idle == 0;
        let word = if is_met { "ok" } else { "MISSED" };
        println!(
            "memory {now} MiB, at most {most} MiB (bar {MAX_MIB}); {idle} ticks of CPU in {} idle \
             seconds {word}",
            IDLE.as_secs()
        );
        is_met
    }
}

fn position((line, character): (usize, usize)) -> Value {
    json!({"line": line, "character": character})
}

/// The ticks of the CPU that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
