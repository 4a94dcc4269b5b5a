//! A recorded editing session, replayed against the program over its standard input and output, and
//! how long everything took: `benches/editor` runs it.
//!
//! The workspace has 5,000 lines in one file with jobs and 200 files that it includes. 2,000 keys are
//! typed at many places of the large file and of some included ones; after each, completion and a
//! hover are asked for at once, as editors do. Each edit that makes or mends a syntax error is
//! measured to its diagnostics, and each tenth edit to those of its evaluation, before the next key.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark: it measures, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const FILES: usize = 200;
const LINES: usize = 5000;
const EDITS: usize = 2000;
/// How many of the included files are typed in.
const OPEN: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
/// What only an evaluation tells of the workspace.
const EVALUATED: &str = "production-without-tier";
/// For how long the server is watched doing nothing.
const IDLE: Duration = Duration::from_secs(5);

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(program) = words.next() else {
        // `cargo test` runs it without the program: there is nothing to do.
        println!("usage: session PROGRAM");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::generate(folder.path());
    println!(
        "{} lines, {} included files, {EDITS} edits",
        workspace.lines(),
        workspace.files.len() - 1
    );
    let mut session = Session::start(Path::new(&program), folder.path());
    let figures = session.replay(workspace);
    let mut is_met = true;
    for (name, bar, times) in figures {
        is_met &= report(name, bar, times);
    }
    is_met &= session.report_process();
    session.end();
    if !is_met {
        std::process::exit(1);
    }
}

fn report(name: &str, bar: f64, mut times: Vec<f64>) -> bool {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
    let (half, most, last) = (at(0.5), at(0.99), at(1.0));
    let is_met = most <= bar;
    let word = if is_met { "ok" } else { "MISSED" };
    println!(
        "{name:<24} p50 {half:7.2} ms   p99 {most:7.2} ms   max {last:7.2} ms   n {:5}   bar {bar} ms {word}",
        times.len()
    );
    is_met
}

/// The texts as the editor has them.
struct Workspace {
    root: PathBuf,
    files: Vec<(String, String)>,
}

impl Workspace {
    fn generate(root: &Path) -> Self {
        let mut files = Vec::new();
        let mut main = String::new();
        for n in 0..FILES {
            let mut text = String::new();
            let _ = write!(
                text,
                "class Profile{n}(Struct):\n  heap = Default(String, '{n}m')\n  threads = Default(Integer, {n})\n\n\
                 profile_{n} = Profile{n}(threads = 4)\n\n\
                 server_{n} = Process(\n  name = 'server-{n}',\n  \
                 cmdline = './serve --port {{{{thermos.ports[http]}}}} --heap {{{{profile_{n}.heap}}}}',\n  \
                 max_failures = 3,\n)\n\n\
                 def task_{n}(name):\n  return SequentialTask(\n    name = name,\n    processes = [server_{n}],\n    \
                 resources = Resources(cpu = 1.5, ram = 512 * MB, disk = 1 * GB),\n  )\n"
            );
            let _ = writeln!(main, "include('lib/part_{n}.aurora')");
            files.push((format!("lib/part_{n}.aurora"), text));
        }
        main.push_str("\njobs = []\n\n");
        let used: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        let mut n = 0;
        while used + main.lines().count() + 12 <= LINES {
            let part = n % FILES;
            let _ = write!(
                main,
                "# The service number {n}.\njobs.append(Service(\n  cluster = 'devcluster',\n  role = 'www-data',\n  \
                 environment = 'prod',\n  name = 'service-{n}',\n  instances = 3,\n  \
                 task = task_{part}('service-{n}'),\n).bind(profile_{part} = profile_{part}))\n\n"
            );
            n += 1;
        }
        main = main.replacen("  instances = 3,\n", "  production = True,\n", 1);
        while used + main.lines().count() < LINES {
            main.push_str("# The end.\n");
        }
        files.insert(0, ("main.aurora".to_owned(), main));
        let root = root.join("project");
        for (name, text) in &files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { root, files }
    }

    fn lines(&self) -> usize {
        self.files.iter().map(|(_, text)| text.lines().count()).sum()
    }

    fn uri(&self, file: usize) -> String {
        format!("file://{}", self.root.join(&self.files[file].0).display())
    }
}

/// Something that is typed, key by key, and taken back key by key.
const TYPED: [&str; 5] = [
    "max_concurrency = 1, ",
    "x = [server_1, ",
    "y = 'a {{profile_3.heap}} b'",
    "z = Process(name = 'q')",
    "if True:",
];

struct Session {
    child: Child,
    to: ChildStdin,
    from: Receiver<(Instant, Value)>,
    next_id: i64,
    versions: BTreeMap<usize, i32>,
}

/// What is known of the diagnostics that came.
#[derive(Clone)]
struct Told {
    at: Instant,
    version: i64,
    codes: Vec<String>,
}

impl Session {
    fn start(program: &Path, home: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("lsp")
            .env("XDG_CACHE_HOME", home.join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let out = child.stdout.take().unwrap();
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if out.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    match line.trim_end().strip_prefix("Content-Length: ") {
                        Some(number) => length = number.parse().unwrap(),
                        None if line.trim_end().is_empty() => break,
                        None => {}
                    }
                }
                let mut body = vec![0; length];
                if out.read_exact(&mut body).is_err() {
                    return;
                }
                let at = Instant::now();
                if send.send((at, serde_json::from_slice(&body).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self { child, to, from, next_id: 0, versions: BTreeMap::new() }
    }

    fn message(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.message(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn receive(&mut self) -> (Instant, Value) {
        let (at, message) = self.from.recv_timeout(PATIENCE).expect("the server said nothing");
        if message.get("method").is_some() && message.get("id").is_some() {
            self.message(&json!({"jsonrpc": "2.0", "id": message["id"], "result": null}));
        }
        (at, message)
    }

    /// Receives until all of these are answered and what is wanted was told.
    fn wait(
        &mut self,
        ids: &[i64],
        uri: &str,
        wants: impl Fn(&Told) -> bool,
        wanted: usize,
    ) -> (BTreeMap<i64, Instant>, Option<Told>) {
        let mut answers = BTreeMap::new();
        let mut found = None;
        while answers.len() < ids.len() || (wanted > 0 && found.is_none()) {
            let (at, message) = self.receive();
            if message["method"] == "textDocument/publishDiagnostics" {
                let params = &message["params"];
                let told = Told {
                    at,
                    version: params["version"].as_i64().unwrap_or(-1),
                    codes: params["diagnostics"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|it| it["code"].as_str().unwrap_or_default().to_owned())
                        .collect(),
                };
                if params["uri"] == uri && found.is_none() && wants(&told) {
                    found = Some(told);
                }
            } else if let Some(id) = message["id"].as_i64()
                && message.get("method").is_none()
            {
                assert!(message.get("error").is_none(), "{message}");
                answers.insert(id, at);
            }
        }
        (answers, found)
    }

    fn replay(&mut self, mut workspace: Workspace) -> Vec<(&'static str, f64, Vec<f64>)> {
        let root = format!("file://{}", workspace.root.display());
        let id = self.begin(
            "initialize",
            json!({"processId": null, "rootUri": null, "capabilities": {},
                "workspaceFolders": [{"uri": root, "name": "project"}]}),
        );
        let capabilities = loop {
            let (_, message) = self.receive();
            if message["id"] == id {
                break message["result"]["capabilities"].clone();
            }
        };
        let can = |name: &str| !capabilities[name].is_null();
        self.tell("initialized", json!({}));
        let begun = Instant::now();
        for file in 0..=OPEN {
            self.versions.insert(file, 1);
            let document = json!({"uri": workspace.uri(file), "languageId": "aurora", "version": 1,
                "text": workspace.files[file].1});
            self.tell("textDocument/didOpen", json!({"textDocument": document}));
        }
        let main = workspace.uri(0);
        let is_evaluated = |told: &Told| told.codes.iter().any(|code| code == EVALUATED);
        let (_, first) = self.wait(&[], &main, is_evaluated, 1);
        let first = first.unwrap().at - begun;
        println!("first evaluation after {:.0} ms", first.as_secs_f64() * 1000.0);
        let [mut completion, mut hover, mut syntax, mut evaluated] = [const { Vec::new() }; 4];
        let mut random = Random(42);
        let mut edits = 0;
        while edits < EDITS {
            let file = if random.below(4) == 0 { 1 + random.below(OPEN) } else { 0 };
            let words = TYPED[random.below(TYPED.len())];
            let lines = workspace.files[file].1.lines().count();
            // A line of its own, at the first column, where a statement can begin.
            let starts: Vec<usize> = workspace.files[file]
                .1
                .lines()
                .enumerate()
                .filter(|(_, line)| line.is_empty())
                .map(|(at, _)| at)
                .collect();
            let line = starts[random.below(starts.len())].min(lines);
            let keys: Vec<char> = words.chars().collect();
            let there = (0..keys.len()).map(|at| (at, true));
            let back = (0..keys.len()).rev().map(|at| (at, false));
            for (at, is_typed) in there.chain(back) {
                if edits == EDITS {
                    break;
                }
                edits += 1;
                let now = &words[..if is_typed { at + 1 } else { at }];
                let (start, end, text) = if is_typed {
                    (at, at, keys[at].to_string())
                } else {
                    (at, at + 1, String::new())
                };
                let before = workspace.files[file].1.clone();
                apply(&mut workspace.files[file].1, line, start, end, &text);
                let version = *self.versions.entry(file).and_modify(|it| *it += 1).or_default();
                let uri = workspace.uri(file);
                let is_broken = |text: &str| is_broken(text);
                let toggles = is_broken(&before) != is_broken(&workspace.files[file].1);
                let sent = Instant::now();
                self.tell(
                    "textDocument/didChange",
                    json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{
                        "range": {"start": {"line": line, "character": start},
                            "end": {"line": line, "character": end}}, "text": text}]}),
                );
                let place = json!({"textDocument": {"uri": uri},
                    "position": {"line": line, "character": now.len()}});
                let mut asked = Vec::new();
                let (mut completing, mut hovering) = (None, None);
                if can("completionProvider") {
                    completing = Some((
                        self.begin("textDocument/completion", place.clone()),
                        Instant::now(),
                    ));
                }
                if can("hoverProvider") {
                    let there = json!({"textDocument": {"uri": workspace.uri(0)},
                        "position": {"line": FILES + 8 + random.below(500), "character": 4}});
                    hovering = Some((self.begin("textDocument/hover", there), Instant::now()));
                }
                asked.extend(completing.iter().chain(&hovering).map(|(id, _)| *id));
                let of_version = |told: &Told| told.version == i64::from(version);
                let (answers, told) = self.wait(&asked, &uri, of_version, usize::from(toggles));
                let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1000.0;
                if let Some((id, from)) = completing {
                    completion.push(ms(from, answers[&id]));
                }
                if let Some((id, from)) = hovering {
                    hover.push(ms(from, answers[&id]));
                }
                if let Some(told) = told {
                    syntax.push(ms(sent, told.at));
                }
                if edits % 10 == 0 && !toggles {
                    // What the file itself is told, with its version: by the evaluation, because what
                    // the text tells is the same as before.
                    let (_, told) = self.wait(&[], &uri, of_version, 1);
                    evaluated.push(ms(sent, told.unwrap().at));
                }
            }
        }
        let mut figures =
            vec![("syntax diagnostics", 10.0, syntax), ("evaluated diagnostics", 150.0, evaluated)];
        if !completion.is_empty() {
            figures.push(("completion", 20.0, completion));
        }
        if !hover.is_empty() {
            figures.push(("hover", 10.0, hover));
        }
        figures
    }

    fn report_process(&mut self) -> bool {
        let pid = self.child.id();
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
        let is_met = most <= 150 && idle == 0;
        let word = if is_met { "ok" } else { "MISSED" };
        println!(
            "memory {now} MiB, at most {most} MiB (bar 150); {idle} ticks of CPU in {} idle seconds {word}",
            IDLE.as_secs()
        );
        is_met
    }

    fn end(mut self) {
        let id = self.begin("shutdown", Value::Null);
        while self.receive().1["id"] != id {}
        let begun = Instant::now();
        self.tell("exit", Value::Null);
        let status = self.child.wait().unwrap();
        println!("ended {status} after {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    }
}

/// The ticks of the CPU that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn is_broken(text: &str) -> bool {
    let parsed = aurora_syntax::parse(text);
    !parsed.errors.is_empty() || !parsed.refused.is_empty()
}

/// Replaces a part of a line, which is of ASCII there.
fn apply(text: &mut String, line: usize, start: usize, end: usize, new: &str) {
    let begin: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    text.replace_range(begin + start..begin + end, new);
}

/// The same keys in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
