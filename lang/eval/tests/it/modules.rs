//! Files that load and include others, and what an engine keeps of them.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aurora_eval::{Cancel, Engine, Inputs, Loader, Options, evaluate, evaluate_text};

use crate::files::Files;

const BASE: &str = r#"
_secret = "hidden"
def service(name, cpu = 1):
    return Job(cluster = "c", role = "r", environment = "devel", name = name, task = Task(
        processes = [Process(name = "p", cmdline = "echo " + _secret)],
        resources = Resources(cpu = cpu, ram = 64 * MB, disk = 64 * MB),
    ))
"#;

fn keys(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    evaluate(Path::new("job.aurora"), &Files(files), &Options::default())
        .map(|config| config.jobs().iter().map(|job| job.key_text()).collect())
        .map_err(|report| report.to_string())
}

#[test]
fn names_are_loaded_from_other_files() {
    let main = r#"load("lib/base.aurora", "service", other = "service")
jobs = [service("a"), other("b", cpu = 2)]"#;
    assert_eq!(
        keys(&[("job.aurora", main), ("lib/base.aurora", BASE)]),
        Ok(vec!["c/r/devel/a".to_owned(), "c/r/devel/b".to_owned()])
    );
    // Paths are those of the file that loads.
    let inner = r#"load("base.aurora", base = "service")
def service(name):
    return base(name)"#;
    let main = r#"load("lib/inner.aurora", "service")
jobs = [service("x")]"#;
    assert_eq!(
        keys(&[("job.aurora", main), ("lib/inner.aurora", inner), ("lib/base.aurora", BASE)]),
        Ok(vec!["c/r/devel/x".to_owned()])
    );
    // A file that is included loads from where it stands, for everybody.
    let included = r#"load("base.aurora", "service")
service_of_team = service"#;
    let main = r#"include("lib/included.aurora")
jobs = [service_of_team("y")]"#;
    assert_eq!(
        keys(&[("job.aurora", main), ("lib/included.aurora", included), ("lib/base.aurora", BASE)]),
        Ok(vec!["c/r/devel/y".to_owned()])
    );
}

#[test]
fn what_cannot_be_loaded_is_told() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("cannot read lib.aurora: no such file", &[("job.aurora", "load('lib.aurora', 'x')")]),
        (
            "there is no module @std//nothing.aurora in the library",
            &[("job.aurora", "load('@std//nothing.aurora', 'x')")],
        ),
        (
            "files lead back to themselves: a.aurora -> b.aurora -> a.aurora",
            &[
                ("job.aurora", "load('a.aurora', 'x')"),
                ("a.aurora", "load('b.aurora', 'y')\nx = 1"),
                ("b.aurora", "load('a.aurora', 'x')\ny = 1"),
            ],
        ),
        (
            "a module that is loaded cannot include() files",
            &[("job.aurora", "load('a.aurora', 'x')"), ("a.aurora", "include('b.aurora')\nx = 1")],
        ),
    ];
    for (expected, files) in cases {
        assert_eq!(keys(files).unwrap_err(), *expected);
    }
    let missing = keys(&[("job.aurora", "load('a.aurora', 'thee')"), ("a.aurora", "three = 3")]);
    assert!(missing.unwrap_err().contains("thee"));
    let error = evaluate_text("-", "include('b.aurora')", &Files(&[]), &Options::default());
    assert_eq!(error.unwrap_err().to_string(), "b.aurora cannot be found from here");
}

#[test]
fn included_files_are_part_of_the_file_wherever_they_are_asked_for() {
    let main = r#"
names = []
for part in ["a", "b"]:
    include("parts/" + part + ".aurora")
    names.append(name)
def more():
    include("parts/c.aurora")
more()
names.append(name)
jobs = [service(n) for n in names]
"#;
    let files = [
        ("job.aurora", main),
        ("parts/a.aurora", "name = 'first'\ninclude('../lib/base.aurora')"),
        ("parts/b.aurora", "name = 'second'"),
        ("parts/c.aurora", "name = 'third'\nnames.append('from-c')"),
        ("lib/base.aurora", BASE),
    ];
    let expected = ["first", "second", "from-c", "third"].map(|name| format!("c/r/devel/{name}"));
    assert_eq!(keys(&files), Ok(expected.to_vec()));
}

#[test]
fn no_file_outside_of_the_root_is_read() {
    let files = [
        ("/p/team/job.aurora", "include('../lib.aurora')\njobs = [service('a')]"),
        ("/p/lib.aurora", BASE),
    ];
    let run = |root: &str| {
        let inputs = Inputs { root: root.into(), ..Inputs::default() };
        let options = Options { inputs, ..Options::default() };
        evaluate(Path::new("/p/team/job.aurora"), &Files(&files), &options)
            .map(|config| config.jobs().len())
            .map_err(|report| report.to_string())
    };
    assert_eq!(run("/p"), Ok(1));
    assert_eq!(run(""), Ok(1));
    assert_eq!(run("/p/team"), Err("/p/team/../lib.aurora is outside of /p/team".to_owned()));
}

#[test]
fn the_library_can_be_loaded_whatever_the_root_is() {
    let text = r#"load("@std//service.aurora", "worker")
jobs = [worker("a", "b", cluster = "c", role = "r", environment = "devel")]"#;
    let outside = r#"load("/q/base.aurora", "service")
jobs = [service("a")]"#;
    let run = |text: &str| {
        let inputs = Inputs { root: "/p".into(), ..Inputs::default() };
        let options = Options { inputs, ..Options::default() };
        let files = [("/p/job.aurora", text), ("/q/base.aurora", BASE)];
        evaluate(Path::new("/p/job.aurora"), &Files(&files), &options)
            .map(|config| config.jobs()[0].key_text())
            .map_err(|report| report.to_string())
    };
    assert_eq!(run(text), Ok("c/r/devel/a".to_owned()));
    assert_eq!(run(outside), Err("/q/base.aurora is outside of /p".to_owned()));
}

/// Files that change, and a count of what is asked for.
struct Changing(Mutex<RefCell<Vec<(&'static str, String)>>>);

impl Changing {
    fn set(&self, file: &'static str, text: &str) {
        let files = self.0.lock().unwrap();
        let mut files = files.borrow_mut();
        files.retain(|(name, _)| *name != file);
        files.push((file, text.to_owned()));
    }
}

impl Loader for Changing {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let files = self.0.lock().unwrap();
        let files = files.borrow();
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
    }
}

#[test]
fn an_engine_evaluates_once_what_does_not_change() {
    let files = Changing(Mutex::default());
    files.set("base.aurora", BASE);
    files.set("mid.aurora", "load('base.aurora', 'service')\ndef make(n):\n    return service(n)");
    files.set("job.aurora", "load('mid.aurora', 'make')\njobs = [make('a')]");
    let engine = Engine::default();
    let run =
        |options: &Options| engine.evaluate(Path::new("job.aurora"), &files, options).unwrap();
    let first = run(&Options::default());
    assert!(std::sync::Arc::ptr_eq(&first, &run(&Options::default())));
    // Other inputs, another result.
    let bound = Options { bindings: vec!["x=1".parse().unwrap()], ..Options::default() };
    assert!(!std::sync::Arc::ptr_eq(&first, &run(&bound)));
    // What lies two loads away has changed.
    files.set("base.aurora", &BASE.replace("devel", "test"));
    let keys: Vec<_> = run(&Options::default()).jobs().iter().map(|job| job.key_text()).collect();
    assert_eq!(keys, ["c/r/test/a"]);
    files.set("job.aurora", "load('mid.aurora', 'make')\njobs = [make('b')]");
    let keys: Vec<_> = run(&Options::default()).jobs().iter().map(|job| job.key_text()).collect();
    assert_eq!(keys, ["c/r/test/b"]);
}

#[test]
fn an_evaluation_can_be_cancelled() {
    let cancel = Cancel::default();
    let options = Options { cancel: cancel.clone(), ..Options::default() };
    let begun = Instant::now();
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let text = "def f():\n    for i in range(100000000):\n        pass\nf()\njobs = []";
            evaluate_text("-", text, &Files(&[]), &options).unwrap_err().to_string()
        });
        cancel.cancel();
        run.join().unwrap()
    });
    assert!(error.contains("the evaluation was stopped"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_file_is_never_the_main_program_of_python() {
    let main = "if __name__ == '__main__':\n    jobs = [nothing]\nelse:\n    jobs = []\n";
    let error = keys(&[("job.aurora", main)]).unwrap_err();
    assert!(error.contains("its list of jobs is empty"), "{error}");
}

#[test]
fn values_that_share_their_parts_are_compared_within_the_limits() {
    let twice = "x = [1]\ny = [1]\nz = set(range(100000))\nfor i in range(60):\n    x = [x, x]\n    y = [y, y]\n";
    for compared in
        ["x == y", "x != y", "x < y", "x in [y]", "x <= y <= x", "[x].count(y)", "x is y"]
    {
        let error =
            keys(&[("job.aurora", &format!("{twice}a = {compared}\njobs = []\n"))]).unwrap_err();
        assert!(
            error.contains("nest more than") || error.contains("too much to do"),
            "{compared}: {error}"
        );
    }
    let unions = format!("{twice}for i in range(100000):\n    z = z | set([i])\njobs = []\n");
    let error = keys(&[("job.aurora", &unions)]).unwrap_err();
    assert!(error.contains("memory") || error.contains("too much to do"), "{error}");
}
