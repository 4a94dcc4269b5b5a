//! What an editor waits for, in a workspace of 5,000 lines: a file with jobs that includes 200 others.
//! Each is measured right after a key, when nothing is known of the new texts but what reading them
//! gives.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark fails by panicking"
)]

use std::fmt::Write as _;

use aurora_eval::{Disk, Engine, Options};
use aurora_ide::evaluated::evaluate;
use aurora_ide::{FileId, Snapshot, Source, Workspace};
use divan::{Bencher, black_box};

const FILES: usize = 200;
/// Services of ten lines each.
const SERVICES: usize = 300;

fn main() {
    divan::main();
}

/// The files, and the one with the jobs.
fn workspace() -> (Workspace, FileId) {
    let mut workspace = Workspace::default();
    let mut main = String::new();
    for n in 0..FILES {
        let text = format!(
            "class Profile{n}(Struct):\n  heap = Default(String, '{n}m')\n  threads = Default(Integer, {n})\n\n\
             profile_{n} = Profile{n}(threads = 4)\n\n\
             server_{n} = Process(\n  name = 'server-{n}',\n  \
             cmdline = './serve --port {{{{thermos.ports[http]}}}} --heap {{{{profile_{n}.heap}}}}',\n)\n"
        );
        let id = FileId::new(format!("/project/lib/part_{n}.aurora"));
        workspace.open(id, text, 1);
        let _ = writeln!(main, "include('lib/part_{n}.aurora')");
    }
    main += "\nclass Shared(Struct):\n  zone = Default(String, 'a')\n\njobs = []\n\n";
    for n in 0..SERVICES {
        let part = n % FILES;
        let _ = write!(
            main,
            "# The service number {n}.\nshared_{n} = Shared(zone = 'b')\njobs.append(Service(\n  \
             cluster = 'devcluster', role = 'www-data', environment = 'prod', name = 'service-{n}',\n  \
             task = SequentialTask(\n    name = '{{{{shared.zone}}}}', processes = [server_{part}],\n    \
             resources = Resources(cpu = 1.5, ram = 512 * MB, disk = 1 * GB),\n  ),\n\
             ).bind(profile_{part} = profile_{part}, shared = shared_{n}))\n\n"
        );
    }
    let id = FileId::new("/project/main.aurora");
    workspace.open(id.clone(), main, 1);
    (workspace, id)
}

/// The workspace, and how its main file is when something stands on a line of its own.
struct Case {
    workspace: Workspace,
    main: FileId,
    text: String,
    at: usize,
}

impl Case {
    fn new(typed: &str) -> Self {
        let (workspace, main) = workspace();
        let old = workspace.file(&main).unwrap().text.to_string();
        let at = old.find("# The service number 150.").unwrap();
        let mut text = old;
        text.insert_str(at, typed);
        text.insert(at + typed.len(), '\n');
        Self { workspace, main, text, at: at + typed.len() }
    }

    /// The texts right after the last key.
    fn snapshot(&self) -> Snapshot {
        let mut workspace = self.workspace.clone();
        workspace.change(Source::new(self.main.clone(), self.text.as_str().into(), Some(2)));
        workspace.snapshot()
    }

    fn find(&self, text: &str) -> u32 {
        u32::try_from(self.text.find(text).unwrap()).unwrap()
    }

    /// Measures what is asked of the texts right after a key.
    fn bench<T>(&self, bencher: Bencher<'_, '_>, ask: impl Fn(&Snapshot) -> T + Sync) {
        bencher.with_inputs(|| self.snapshot()).bench_local_refs(|world| black_box(ask(world)));
    }
}

fn complete(bencher: Bencher<'_, '_>, typed: &str) {
    let case = Case::new(typed);
    let at = u32::try_from(case.at).unwrap();
    case.bench(bencher, |world| aurora_ide::complete::complete(world, &case.main, at));
}

#[divan::bench]
fn completion_of_a_statement(bencher: Bencher<'_, '_>) {
    complete(bencher, "s");
}

#[divan::bench]
fn completion_of_a_value(bencher: Bencher<'_, '_>) {
    complete(bencher, "x = [server_1, ");
}

#[divan::bench]
fn completion_of_a_reference(bencher: Bencher<'_, '_>) {
    complete(bencher, "y = 'a {{");
}

#[divan::bench]
fn completion_of_a_field(bencher: Bencher<'_, '_>) {
    complete(bencher, "y = 'a {{profile_3.");
}

#[divan::bench]
fn hover(bencher: Bencher<'_, '_>) {
    let (workspace, main) = workspace();
    let world = workspace.snapshot();
    let evaluated = evaluate(&world, &main, &Engine::default(), &Disk, &Options::default());
    assert!(evaluated.config.is_some(), "{:?}", evaluated.findings);
    evaluated.work_out(&|| true);
    let mut case = Case::new("s");
    case.workspace.set_evaluated(main, evaluated.into());
    let at = case.find("'service-200'") + 3;
    case.bench(bencher, |world| aurora_ide::hover::hover(world, &case.main, at).unwrap());
}

#[divan::bench]
fn syntax_diagnostics(bencher: Bencher<'_, '_>) {
    let case = Case::new("unknown = nobody");
    case.bench(bencher, |world| aurora_ide::diagnostics::syntax(world, &case.main));
}

#[divan::bench]
fn syntax_diagnostics_of_an_included_file(bencher: Bencher<'_, '_>) {
    let case = Case::new("s");
    let part = FileId::new("/project/lib/part_100.aurora");
    case.bench(bencher, |world| aurora_ide::diagnostics::syntax(world, &part));
}

#[divan::bench]
fn semantic_tokens(bencher: Bencher<'_, '_>) {
    let case = Case::new("s");
    case.bench(bencher, |world| aurora_ide::tokens::full(world, &case.main));
}

/// Of a field that is used at 600 places.
#[divan::bench]
fn references(bencher: Bencher<'_, '_>) {
    let case = Case::new("s");
    let at = case.find("zone = Default");
    case.bench(bencher, |world| {
        let found = aurora_ide::references::references(world, &case.main, at, true);
        assert_eq!(found.len(), 1 + 2 * SERVICES);
    });
}

#[divan::bench]
fn rename(bencher: Bencher<'_, '_>) {
    let case = Case::new("s");
    let at = case.find("zone = Default");
    case.bench(bencher, |world| {
        aurora_ide::rename::rename(world, &case.main, at, "area").unwrap().len()
    });
}

/// Reading the texts anew after one key.
#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    let case = Case::new("s");
    let world = case.snapshot();
    let old = world.file(&case.main).unwrap().clone();
    let mut text = case.text.clone();
    text.insert(case.at, 'e');
    bencher.bench_local(|| {
        let edited = old.edited(case.at..case.at, text.as_str().into(), Some(3));
        let mut workspace = case.workspace.clone();
        workspace.change(edited);
        workspace.snapshot()
    });
}
