//! Any path that anybody may ask for, against the observer as it is: nothing of the outside is ever given,
//! no answer is an error of the observer's, and every file of a sandbox can be had by its name.

use std::cell::Cell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use aurora_daemon::web::segment;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::machine::{Answer, Machine};

/// What lies outside of the sandbox.
const SECRET: &str = "nobody may read this 6f3a";
/// What lies inside.
const MINE: &str = "everybody may read this 91c4";

/// The routes with a path below a sandbox.
const BELOW: [&str; 7] =
    ["browse", "file", "searchfile", "download", "filedata", "followfile", "nosuch"];
/// Those with a run of a process.
const OF_A_RUN: [&str; 4] = ["logs", "search", "logdata", "follow"];
/// All others that take anything.
const OTHERS: [&str; 8] =
    ["task", "rawtask", "process", "main", "j/task", "j/process", "j/task_ids", "assets"];

/// A sandbox with links and ways to the outside.
async fn machine() -> (Machine, PathBuf) {
    let machine = Machine::new().await;
    let told = machine.over("t");
    let sandbox = told.sandbox.clone();
    let outside = sandbox.with_file_name("sandbox-evil");
    std::fs::create_dir(&outside).unwrap();
    for folder in [&outside, machine.folder(), sandbox.parent().unwrap()] {
        std::fs::write(folder.join("secret"), SECRET).unwrap();
    }
    std::fs::create_dir_all(sandbox.join("a/b")).unwrap();
    for file in ["file", "a/file", "a/b/file", ".logs/p/0/stdout"] {
        std::fs::write(sandbox.join(file), MINE).unwrap();
    }
    for (to, link) in [
        (outside.as_path(), "absolute"),
        (Path::new("../sandbox-evil"), "relative"),
        (Path::new("../../sandbox-evil"), "a/relative"),
        (Path::new(".."), "up"),
        (Path::new("/"), "root"),
        (Path::new("/proc/self/root"), "magic"),
        (Path::new("a/b/../../.."), "back"),
        (Path::new("loop"), "loop"),
        (Path::new("a"), "inside"),
    ] {
        symlink(to, sandbox.join(link)).unwrap();
    }
    symlink("../../../../sandbox-evil/secret", sandbox.join(".logs/p/0/stderr")).unwrap();
    (machine, sandbox)
}

fn holds(answer: &Answer, text: &str) -> bool {
    answer.body.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Pieces that paths of attacks are made of, as bytes of a request's line.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<&[u8]> = vec![
        b"..",
        b".",
        b"/",
        b"//",
        b"%2e%2e",
        b"%2E.",
        b"%2f",
        b"%2F..%2f",
        b"%5c",
        b"\\",
        b"%00",
        b"%0a",
        b"%0d%0a",
        b"%",
        b"%2",
        b"%zz",
        b"%ff%fe",
        b"%c0%ae%c0%ae",
        b"%25%32%65",
        b";",
        b"?",
        b"#",
        b"&",
        b"+",
        b"~",
        b"*",
        b"\xc3\xa9",
        b"\xff",
        b"\xf0\x9f\x98\x80",
        b"file",
        b"a",
        b"b",
        b"secret",
        b"sandbox-evil",
        b"sandbox",
        b"absolute",
        b"relative",
        b"up",
        b"root",
        b"magic",
        b"back",
        b"loop",
        b"inside",
        b"etc",
        b"passwd",
        b".logs",
        b"p",
        b"0",
        b"-1",
        b"stdout",
        b"stderr",
        b"t",
        b"proc",
        b"self",
        b"environ",
        b"9223372036854775808",
    ];
    // Many ways must lead somewhere, for others to be tried from there.
    let inside: Vec<&[u8]> = vec![b"file", b"a", b"a/b", b"inside", b".", b".logs/p/0", b"stdout"];
    prop_oneof![
        20 => prop::sample::select(fixed).prop_map(<[u8]>::to_vec),
        20 => prop::sample::select(inside).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| format!("%{byte:02x}").into_bytes()),
        // Whatever may stand in a line without ending it.
        1 => any::<u8>().prop_filter("a line", |byte| !b"\r\n ".contains(byte)).prop_map(|byte| vec![byte]),
        1 => (b'a'..=b'z', 200..5000_usize).prop_map(|(byte, times)| vec![byte; times]),
    ]
}

/// A path of an attack on any of the routes.
fn attack() -> impl Strategy<Value = Vec<u8>> {
    let joint = prop_oneof![6 => Just(&b"/"[..]), 1 => Just(&b""[..]), 1 => Just(&b"%2f"[..])];
    let more = prop::collection::vec((joint, piece()), 0..7);
    let any = (piece(), more).prop_map(|(mut path, more)| {
        for (joint, piece) in more {
            path.extend_from_slice(joint);
            path.extend_from_slice(&piece);
        }
        path
    });
    // What would lead outside if it was followed.
    let begin = prop::sample::select(vec!["", "a/../", "./", "inside/../", "/", "a/b/../../"]);
    let way = prop::sample::select(vec![
        "absolute",
        "relative",
        "a/relative",
        "inside/relative",
        "up",
        "root",
        "magic",
        "back",
        "..",
        "%2e%2e",
        "a/../..",
        "a%2f..%2f..",
        "inside%2f%2e%2e%2f..",
        "",
        ".logs/../..",
    ]);
    let target = prop::sample::select(vec![
        "/secret",
        "%2fsecret",
        "//secret",
        "/sandbox-evil/secret",
        "/../secret",
        "/etc/passwd",
        "",
    ]);
    let out = (begin, way, target).prop_map(|(begin, way, target)| [begin, way, target].concat());
    let path = prop_oneof![3 => any, 1 => out.prop_map(String::into_bytes)];
    let begin = prop_oneof![
        4 => prop::sample::select(BELOW.to_vec()).prop_map(|route| format!("/{route}/t/")),
        2 => prop::sample::select(OF_A_RUN.to_vec()).prop_map(|route| format!("/{route}/t/p/0/")),
        1 => prop::sample::select(OF_A_RUN.to_vec()).prop_map(|route| format!("/{route}/")),
        2 => prop::sample::select(OTHERS.to_vec()).prop_map(|route| format!("/{route}/")),
        1 => Just("/".to_owned()),
    ];
    let query =
        prop::sample::select(vec![&b""[..], b"?q=may", b"?offset=0", b"?q=%ff&from=x", b"?"]);
    (begin, path, query)
        .prop_map(|(begin, path, query): (_, Vec<u8>, _)| [begin.as_bytes(), &path, query].concat())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn whatever_path_is_asked_for_nothing_of_the_outside_is_given_and_nothing_breaks() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (machine, _) = runtime.block_on(machine());
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let of_root = passwd.lines().next().unwrap();
    let inside = Cell::new(0);
    runner(3000)
        .run(&attack(), |path| {
            // An observer that panicked would not answer.
            let answer = runtime.block_on(machine.get(&path));
            let shown = String::from_utf8_lossy(&path).into_owned();
            prop_assert!((200..500).contains(&answer.status), "{}: {}", shown, answer.text());
            prop_assert!(!holds(&answer, SECRET), "{} gives what lies outside", shown);
            prop_assert!(!holds(&answer, of_root), "{} gives the users of the machine", shown);
            inside.set(inside.get() + u32::from(holds(&answer, MINE)));
            Ok(())
        })
        .unwrap();
    assert!(inside.get() > 0, "no path led anywhere: nothing was shown");
}

/// A name that a file can have.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(b"%/?#&+;:\\\"'<>\n\r\t .~*\x7f\xff\xc3\xa9aZ0-_".to_vec());
    let byte = prop_oneof![odd, any::<u8>()];
    prop::collection::vec(byte.prop_filter("a name", |byte| !b"/\0".contains(byte)), 1..40)
        .prop_filter("a name", |name| name != b"." && name != b"..")
}

#[test]
fn every_file_is_had_by_its_name_byte_for_byte() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (machine, sandbox) = runtime.block_on(machine());
    let files = (prop::collection::vec(name(), 0..3), name(), any::<Vec<u8>>());
    let number = Cell::new(0);
    runner(300)
        .run(&files, |(folders, name, content)| {
            // Each in a folder of its own: one's name may be a folder of another.
            number.set(number.get() + 1);
            let mut path = PathBuf::from(format!("n{}", number.get()));
            path.extend(folders.iter().map(|folder| OsStr::from_bytes(folder)));
            std::fs::create_dir_all(sandbox.join(&path)).unwrap();
            let encoded = |path: &Path| {
                let parts = path.iter().map(|part| segment(part.as_bytes()).to_string());
                parts.collect::<Vec<_>>().join("/")
            };
            let folder = encoded(&path);
            path.push(OsStr::from_bytes(&name));
            std::fs::write(sandbox.join(&path), &content).unwrap();
            let file = encoded(&path);
            let get = |path: String| runtime.block_on(machine.get(&path));

            let whole = get(format!("/download/t/{file}"));
            prop_assert_eq!((whole.status, &whole.body), (200, &content), "{}", file);
            let data = get(format!("/filedata/t/{file}"));
            let data: serde_json::Value = serde_json::from_slice(&data.body).unwrap();
            prop_assert_eq!(data["offset"].as_u64(), Some(content.len() as u64), "{}", file);
            for route in ["file", "searchfile"] {
                let page = get(format!("/{route}/t/{file}?q=a"));
                prop_assert_eq!(page.status, 200, "{} {}: {}", route, file, page.text());
            }
            // The page of the folder leads to it.
            let page = get(format!("/browse/t/{folder}"));
            let link = format!("href=\"/download/t/{file}\"");
            prop_assert!(page.text().contains(&link), "{}: {}", link, page.text());
            Ok(())
        })
        .unwrap();
}
