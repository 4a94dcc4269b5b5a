//! What is wrong is told at once, right, and never of a text that is no more.

use serde_json::{Value, json};

use crate::client::{Client, codes, published};

/// A file that needs a name from outside.
const OUTSIDE: &str = "jobs = [Job(cluster = 'c', role = 'r', environment = 'prod', name = 'n', \
                       task = SimpleTask('n', 'ls {{folder}}'))]\n";
const GOOD: &str = "jobs = [Service(cluster = 'c', role = 'www', environment = 'prod', name = 'hello',\n  \
    task = SimpleTask('hello', 'echo'))]\n";

#[test]
fn a_mistake_is_told_and_taken_back() {
    let mut client = Client::new(&[]);
    client.open("a.aurora", "x = (\n");
    let told = client.wait_codes("a.aurora", &["syntax-error"]);
    assert_eq!(told["version"], 1);
    let found = &told["diagnostics"][0];
    assert_eq!((&found["severity"], &found["source"]), (&json!(1), &json!("aurora")));
    let page = found["codeDescription"]["href"].as_str().unwrap();
    let page = std::fs::read_to_string(crate::client::path_of(page)).unwrap();
    assert!(page.starts_with('#'), "{page}");
    client.replace("a.aurora", 2, "x = 1\njobs = []\n");
    let told = client.wait_codes("a.aurora", &[]);
    assert_eq!(told["version"], 2);
    client.end();
}

#[test]
fn what_an_evaluation_finds_is_told_in_every_file() {
    let mut client = Client::new(&[("lib.aurora", "x = None.y\n")]);
    client.open("main.aurora", &format!("include('lib.aurora')\n{GOOD}"));
    let told = client.wait_codes("lib.aurora", &["unknown-attribute"]);
    assert_eq!(told["version"], Value::Null);
    assert_eq!(told["diagnostics"][0]["range"]["start"], json!({"line": 0, "character": 9}));
    // Opened and mended there, it is gone, though the file on disk is as it was.
    client.open("lib.aurora", "x = 1\n");
    client.wait_codes("lib.aurora", &[]);
    client.close("lib.aurora");
    client.wait_codes("lib.aurora", &["unknown-attribute"]);
    client.close("main.aurora");
    client.wait_codes("lib.aurora", &[]);
    client.end();
}

#[test]
fn what_one_file_finds_changed_on_disk_counts_for_all() {
    let mut client = Client::new(&[("lib.aurora", "x = 1\n")]);
    let main = format!("include('lib.aurora')\ny = x\n{GOOD}");
    client.open("a.aurora", &main);
    client.open("b.aurora", &main);
    client.wait_codes("a.aurora", &[]);
    client.wait_codes("b.aurora", &[]);
    // Nobody has told of it.
    client.write("lib.aurora", "z = 1\n");
    client.replace("b.aurora", 2, &format!("{main}# more\n"));
    client.wait_codes("b.aurora", &["unknown-name"]);
    client.wait_codes("a.aurora", &["unknown-name"]);
    client.end();
}

#[test]
fn a_file_is_checked_as_part_of_what_includes_it() {
    let main = "include('lib.aurora')\njobs = [make(1)]\n";
    let mut client = Client::new(&[("main.aurora", main)]);
    client.open("lib.aurora", "def make(x):\n  return x.y\n");
    // The folder is searched meanwhile.
    client.wait_codes("lib.aurora", &["unknown-attribute"]);
    client.end();
}

#[test]
fn files_on_disk_are_read_again_when_they_are_said_to_change() {
    let mut client = Client::new(&[("lib.aurora", "x = 1\n")]);
    client.open("main.aurora", &format!("include('lib.aurora')\n{GOOD}"));
    client.wait_codes("main.aurora", &[]);
    let change = |client: &mut Client, kind: i32| {
        let uri = client.uri("lib.aurora");
        let changes = json!({"changes": [{"uri": uri, "type": kind}]});
        client.tell("workspace/didChangeWatchedFiles", changes);
    };
    client.write("lib.aurora", "x = None.y\n");
    change(&mut client, 2);
    client.wait_codes("lib.aurora", &["unknown-attribute"]);
    std::fs::remove_file(client.path("lib.aurora")).unwrap();
    change(&mut client, 3);
    client.wait_codes("main.aurora", &["unreadable-file"]);
    client.write("lib.aurora", "x = 2\n");
    change(&mut client, 1);
    client.wait_codes("main.aurora", &[]);
    client.end();
}

#[test]
fn the_project_says_which_variables_may_be_read() {
    let mut client = Client::new(&[]);
    let text = format!("import os\nx = os.environ.get('AURORA_TEST_NONE')\n{GOOD}");
    client.open("main.aurora", &text);
    client.wait_codes("main.aurora", &["undeclared-input"]);
    client.write("aurora.toml", "[config]\nenv = ['AURORA_TEST_NONE']\n");
    let uri = client.uri("aurora.toml");
    client.tell("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri, "type": 1}]}));
    client.wait_codes("main.aurora", &[]);
    client.write("aurora.toml", "[config\n");
    client.tell("textDocument/didSave", json!({"textDocument": {"uri": uri}}));
    client.wait_codes("aurora.toml", &["bad-project-file"]);
    std::fs::remove_file(client.path("aurora.toml")).unwrap();
    client.tell("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri, "type": 3}]}));
    client.wait_codes("main.aurora", &["undeclared-input"]);
    let settings = json!({"settings": {"aurora": {"env": {"AURORA_TEST_NONE": "1"}}}});
    client.tell("workspace/didChangeConfiguration", settings);
    client.wait_codes("main.aurora", &[]);
    client.end();
}

#[test]
fn names_that_come_from_outside_are_set() {
    let mut client = Client::new(&[]);
    client.open("main.aurora", OUTSIDE);
    let told = client.wait_codes("main.aurora", &["unbound-reference"]);
    let message = told["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("the setting aurora.bindings"), "{message}");
    let settings = json!({"settings": {"aurora": {"bindings": {"folder": "/tmp"}}}});
    client.tell("workspace/didChangeConfiguration", settings);
    client.wait_codes("main.aurora", &[]);
    client.end();
}

#[test]
fn texts_that_were_never_saved_are_checked() {
    let mut client = Client::new(&[]);
    let document = json!({"uri": "untitled:Untitled-1", "languageId": "aurora", "version": 1,
        "text": "jobs = [Job(nmae = 'x')]\n"});
    client.tell("textDocument/didOpen", json!({"textDocument": document}));
    client.wait(|told| {
        let params = published(told, "untitled:Untitled-1")?;
        codes(params).contains(&"unknown-field".to_owned()).then_some(())
    });
    client.end();
}

/// Every text has a mistake of its own, which names the version. Nothing that is told may name
/// another one, and in the end what is told is that of the last.
#[test]
fn what_is_told_is_always_of_the_text_that_it_is_told_of() {
    let text = |version: i32| {
        let name = format!("name_{version}");
        // Now the text alone tells it, now only the evaluation does.
        match version % 3 {
            0 => format!("{GOOD}x = = '{name}'\n"),
            1 => format!("{GOOD}x = [v for v in [1]][0]\nfail('{name}')\n"),
            _ => format!("{GOOD}x = {name}\n"),
        }
    };
    let mut client = Client::new(&[]);
    client.open("a.aurora", &text(1));
    let last = 500;
    for version in 2..=last {
        client.replace("a.aurora", version, &text(version));
    }
    let uri = client.uri("a.aurora");
    let mut newest = 0;
    client.wait(|told| {
        let params = published(told, &uri)?;
        let version = params["version"].as_i64().unwrap();
        assert!(version >= newest, "{version} was told after {newest}");
        newest = version;
        let found = params["diagnostics"].as_array().unwrap();
        for found in found {
            let message = found["message"].as_str().unwrap();
            if let Some((_, name)) = message.split_once("name_") {
                let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
                assert_eq!(digits, version.to_string(), "{params:#}");
            }
        }
        let is_there = found.iter().any(|it| it["message"].as_str().unwrap().contains("name_500"));
        (version == i64::from(last) && is_there).then_some(())
    });
    client.end();
}
