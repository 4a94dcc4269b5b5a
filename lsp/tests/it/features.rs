//! Each request once, as editors send it: what the answers say is tested in `lang/ide`.

use serde_json::{Value, json};

use crate::client::{Client, path_of, place};

const LIB: &str = "greeter = Process(name = 'greeter', cmdline = 'echo {{greeting}}')\n";
const MAIN: &str = "include('lib.aurora')
load('@std//service.aurora', 'http_service')

def make(name):
  return Service(cluster = 'c', role = 'www', environment = 'prod', name = name,
    task = SequentialTask(name = name, processes = [greeter],
      resources = Resources(cpu = 1, ram = 1 * MB, disk = 1 * MB))).bind(greeting = 'hi')

jobs = [make('hello')]
";

fn opened() -> Client {
    let can = json!({"textDocument": {
        "completion": {"completionItem": {"snippetSupport": true}},
        "definition": {"linkSupport": true},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": true},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
        "workspace": {"workspaceEdit": {"documentChanges": true}}});
    let mut client = Client::with(&[("lib.aurora", LIB)], can);
    client.open("main.aurora", MAIN);
    client.wait_codes("main.aurora", &[]);
    client
}

/// The place of a text in `MAIN`, with the line and column of its first byte.
fn at(client: &Client, text: &str) -> Value {
    let start = MAIN.find(text).unwrap();
    let before = &MAIN[..start];
    let line = before.matches('\n').count();
    let column = start - before.rfind('\n').map_or(0, |at| at + 1);
    place(&client.uri("main.aurora"), u32::try_from(line).unwrap(), u32::try_from(column).unwrap())
}

fn of_file(client: &Client) -> Value {
    place(&client.uri("main.aurora"), 0, 0)
}

#[test]
fn names_lead_to_where_they_are_defined_and_used() {
    let mut client = opened();
    let there = at(&client, "greeter]");
    let links = client.ask("textDocument/definition", there.clone());
    let lib = client.uri("lib.aurora");
    assert_eq!((&links[0]["targetUri"], links.as_array().unwrap().len()), (&json!(lib), 1));
    assert_eq!(links[0]["targetSelectionRange"]["end"], json!({"line": 0, "character": 7}));
    let mut with_context = there.clone();
    with_context["context"] = json!({"includeDeclaration": true});
    let references = client.ask("textDocument/references", with_context);
    assert_eq!(references.as_array().unwrap().len(), 2, "{references}");
    let highlights = client.ask("textDocument/documentHighlight", there);
    assert_eq!(highlights.as_array().unwrap().len(), 1, "{highlights}");
    client.end();
}

#[test]
fn modules_of_the_library_are_files_that_can_be_read_and_asked_about() {
    let mut client = opened();
    let there = at(&client, "http_service'");
    let links = client.ask("textDocument/definition", there);
    let uri = links[0]["targetUri"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(path_of(&uri)).unwrap();
    assert_eq!(text, aurora_eval::std_module("service.aurora").unwrap());
    let document = json!({"uri": uri, "languageId": "aurora", "version": 1, "text": text});
    client.tell("textDocument/didOpen", json!({"textDocument": document}));
    let of_copy = json!({"textDocument": {"uri": uri}});
    let symbols = client.ask("textDocument/documentSymbol", of_copy.clone());
    let names: Vec<&str> =
        symbols.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"http_service"), "{names:?}");
    client.tell("textDocument/didClose", of_copy);
    client.end();
}

#[test]
fn a_name_is_changed_in_all_files_or_not_at_all() {
    let mut client = opened();
    let mut there = at(&client, "greeter]");
    let range = client.ask("textDocument/prepareRename", there.clone());
    assert_eq!(range["placeholder"], "greeter");
    there["newName"] = json!("welcomer");
    let edit = client.ask("textDocument/rename", there.clone());
    let files = edit["documentChanges"].as_array().unwrap();
    let versions: Vec<&Value> = files.iter().map(|it| &it["textDocument"]["version"]).collect();
    assert_eq!(versions, [&Value::Null, &json!(1)], "{edit:#}");
    there["newName"] = json!("not a name");
    let id = client.begin("textDocument/rename", there);
    let refused = client.answer(id);
    assert_eq!(refused["error"]["code"], -32803, "{refused}");
    client.end();
}

#[test]
fn what_may_be_written_is_proposed_and_told_of() {
    let mut client = opened();
    client.edit(
        "main.aurora",
        2,
        json!([{"range": {"start": {"line": 9, "character": 0}, "end": {"line": 9, "character": 0}},
            "text": "p = Process(na"}]),
    );
    let there = place(&client.uri("main.aurora"), 9, 14);
    let list = client.ask("textDocument/completion", there);
    let items = list["items"].as_array().unwrap();
    let name = items.iter().find(|it| it["label"] == "name").unwrap();
    let range = json!({"start": {"line": 9, "character": 12}, "end": {"line": 9, "character": 14}});
    assert_eq!(name["textEdit"]["range"], range, "{name}");
    let told = client.ask("completionItem/resolve", name.clone());
    assert_eq!(told["documentation"]["kind"], "markdown", "{told}");
    client.end();
}

#[test]
fn what_stands_at_a_place_is_told() {
    let mut client = opened();
    let there = at(&client, "Service(");
    let hover = client.ask("textDocument/hover", there);
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(said.contains("Service"), "{said}");
    let there = at(&client, "cluster = 'c'");
    let help = client.ask("textDocument/signatureHelp", there);
    let label = help["signatures"][0]["label"].as_str().unwrap();
    assert!(label.starts_with("Service("), "{label}");
    client.end();
}

#[test]
fn the_make_of_a_file_is_told() {
    let mut client = opened();
    let file = of_file(&client);
    for (method, count) in [
        ("textDocument/documentSymbol", 2),
        ("textDocument/foldingRange", 1),
        ("textDocument/documentLink", 2),
        ("textDocument/formatting", 0),
    ] {
        let found = client.ask(method, file.clone());
        let found = found.as_array().unwrap();
        assert!(found.len() >= count, "{method}: {found:?}");
    }
    let mut places = file.clone();
    places["positions"] = json!([{"line": 4, "character": 12}, {"line": 99, "character": 0}]);
    let selections = client.ask("textDocument/selectionRange", places);
    assert_eq!(selections.as_array().unwrap().len(), 2);
    let symbols = client.ask("workspace/symbol", json!({"query": "greeter"}));
    assert!(!symbols.as_array().unwrap().is_empty());
    let mut part = file;
    part["range"] =
        json!({"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}});
    let hints = client.ask("textDocument/inlayHint", part.clone());
    assert!(hints.is_array(), "{hints}");
    part["options"] = json!({"tabSize": 2, "insertSpaces": true, "other": 1.5});
    assert!(client.ask("textDocument/rangeFormatting", part).is_array());
    client.end();
}

fn titles(lenses: &Value) -> Vec<&str> {
    let lenses = lenses.as_array().unwrap().iter();
    lenses.map(|it| it["command"]["title"].as_str().unwrap()).collect()
}

#[test]
fn what_a_cluster_says_of_a_job_is_a_lens() {
    let can = json!({"workspace": {"codeLens": {"refreshSupport": true}}});
    let mut client = Client::with(&[("lib.aurora", LIB)], can);
    client.open("main.aurora", MAIN);
    let settings = json!({"settings": {"aurora": {"cluster": {"enabled": true}}}});
    client.tell("workspace/didChangeConfiguration", settings);
    let file = of_file(&client);
    let lenses = loop {
        client.wait(|told| (told["method"] == "workspace/codeLens/refresh").then_some(()));
        let lenses = client.ask("textDocument/codeLens", file.clone());
        if lenses.as_array().unwrap().len() > 3 {
            break lenses;
        }
    };
    let status = "cluster c cannot be found";
    assert_eq!(titles(&lenses), ["c/www/prod/hello: inspect", "diff", "deploy", status]);
    let argument = json!({"uri": client.uri("main.aurora"), "job": "c/www/prod/hello"});
    let command = json!({"title": status, "command": "aurora.status", "arguments": [argument]});
    assert_eq!(lenses[3]["command"], command);
    client.end();
}

#[test]
fn lenses_are_asked_for_again_once_the_jobs_are_known() {
    let can = json!({"workspace": {"codeLens": {"refreshSupport": true}}});
    let mut client = Client::with(&[("lib.aurora", LIB)], can);
    client.open("main.aurora", MAIN);
    let file = of_file(&client);
    // One may come before the file is there.
    let lenses = loop {
        client.wait(|told| (told["method"] == "workspace/codeLens/refresh").then_some(()));
        let lenses = client.ask("textDocument/codeLens", file.clone());
        if lenses.as_array().unwrap().len() > 1 {
            break lenses;
        }
    };
    // Nobody has set that clusters are asked.
    assert_eq!(titles(&lenses), ["c/www/prod/hello: inspect", "diff", "deploy"]);
    let argument = json!({"uri": client.uri("main.aurora"), "job": "c/www/prod/hello"});
    assert_eq!(lenses[2]["command"]["arguments"], json!([argument]));
    client.end();
}

#[test]
fn tokens_are_told_whole_or_as_what_has_changed() {
    let mut client = opened();
    let mut file = of_file(&client);
    let all = client.ask("textDocument/semanticTokens/full", file.clone());
    let count = all["data"].as_array().unwrap().len();
    assert!(count > 0 && count.is_multiple_of(5), "{all}");
    file["previousResultId"] = all["resultId"].clone();
    let delta = client.ask("textDocument/semanticTokens/full/delta", file.clone());
    assert_eq!(delta["edits"], json!([]), "{delta}");
    // That result is no longer the last.
    let whole = client.ask("textDocument/semanticTokens/full/delta", file.clone());
    assert_eq!(whole["data"], all["data"]);
    file["range"] =
        json!({"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}});
    let part = client.ask("textDocument/semanticTokens/range", file);
    assert!(part["data"].as_array().unwrap().len() < count, "{part}");
    client.end();
}

#[test]
fn names_of_clusters_are_known_without_any_setting() {
    let mut client = Client::new(&[]);
    client.open("a.aurora", "j = Job(cluster = '')\n");
    let there = crate::client::place(&client.uri("a.aurora"), 0, 19);
    let found = client.ask("textDocument/completion", there);
    let all = found["items"].as_array().or(found.as_array()).unwrap();
    assert!(all.iter().any(|it| it["label"] == "devcluster"), "{found}");
    client.end();
}

#[test]
fn a_lens_of_a_job_without_a_whole_key_asks_for_the_only_one() {
    let can = json!({"workspace": {"codeLens": {"refreshSupport": true}}});
    let mut client = Client::with(&[], can);
    let job = "jobs = [Service(\n  cluster = 'c', role = '{{who}}', environment = 'prod', name = 'n',\n  \
        task = SimpleTask('t', 'x'),\n)]\n";
    client.open("main.aurora", job);
    let lenses = loop {
        client.wait(|told| (told["method"] == "workspace/codeLens/refresh").then_some(()));
        let lenses = client.ask("textDocument/codeLens", of_file(&client));
        if !lenses.as_array().unwrap().is_empty() {
            break lenses;
        }
    };
    assert_eq!(lenses[0]["data"]["lastLine"], 3);
    let arguments = &lenses[0]["command"]["arguments"];
    assert_eq!(arguments[0]["job"], Value::Null);
    let params = json!({"command": "aurora.inspect", "arguments": arguments});
    let shown = client.ask("workspace/executeCommand", params);
    assert!(shown["text"].as_str().unwrap().contains("{{who}}"), "{shown}");
    client.end();
}

#[test]
fn what_is_told_is_plain_for_clients_without_markdown() {
    let can = json!({"textDocument": {"hover": {"contentFormat": ["plaintext"]}}});
    let mut client = Client::with(&[], can);
    client.open("a.aurora", "p = Process(name = 'a')\n");
    let there = crate::client::place(&client.uri("a.aurora"), 0, 6);
    let found = client.ask("textDocument/hover", there);
    assert_eq!(found["contents"]["kind"], "plaintext");
    assert!(!found["contents"]["value"].as_str().unwrap().contains("**"), "{found}");
    client.end();
}

#[test]
fn calls_are_followed() {
    let mut client = opened();
    let there = at(&client, "make(name)");
    let items = client.ask("textDocument/prepareCallHierarchy", there);
    let item = json!({"item": items[0]});
    assert_eq!(items[0]["name"], "make");
    let callers = client.ask("callHierarchy/incomingCalls", item.clone());
    assert_eq!(callers.as_array().unwrap().len(), 1, "{callers:#}");
    let called = client.ask("callHierarchy/outgoingCalls", item);
    assert_eq!(called[0]["to"]["name"], "greeter", "{called:#}");
    // What comes back may be anything.
    for data in [
        json!(null),
        json!({"kind": "x"}),
        json!({"kind": "file", "file": "/none", "whole": [9, 1],
        "selection": [-1, 1.5]}),
    ] {
        let mut item = items[0].clone();
        item["data"] = data;
        let none = client.ask("callHierarchy/incomingCalls", json!({"item": item}));
        assert_eq!(none, Value::Null);
    }
    client.end();
}

#[test]
fn commands_are_carried_out_and_their_result_is_shown() {
    let mut client = opened();
    let uri = client.uri("main.aurora");
    let command =
        |name: &str, job: Value| json!({"command": name, "arguments": [{"uri": uri, "job": job}]});
    let result = client.ask("workspace/executeCommand", command("aurora.inspect", Value::Null));
    let wanted = json!({"title": "c/www/prod/hello", "text": "the job hello\n", "ok": true});
    assert_eq!(result, wanted);
    let shown = client.wait(|told| {
        let is_it = told["method"] == "window/showMessage";
        is_it.then(|| told["params"]["message"].as_str().unwrap().to_owned())
    });
    assert_eq!(shown, "c/www/prod/hello\nthe job hello\n");
    let none = client.ask("workspace/executeCommand", command("aurora.inspect", json!("c/a/b/d")));
    assert_eq!(none["ok"], false, "{none}");
    // The program that is run here is one that fails, and there is no way to a scheduler.
    for (name, title) in [
        ("aurora.deploy", "aurora job create c/www/prod/hello /"),
        ("aurora.status", "aurora job status c/www/prod/hello"),
    ] {
        let failed = client.ask("workspace/executeCommand", command(name, Value::Null));
        assert_eq!(failed["ok"], false, "{failed}");
        let shown = failed["title"].as_str().unwrap();
        assert!(shown.starts_with(title), "{shown}");
    }
    // What is not saved cannot be deployed, but compared.
    client.replace("main.aurora", 2, &MAIN.replace("'hello'", "'other'"));
    let compared = client.ask("workspace/executeCommand", command("aurora.diff", Value::Null));
    let text = "cluster c cannot be reached from here";
    assert_eq!(compared, json!({"title": "diff c/www/prod/other", "text": text, "ok": false}));
    let refused = client.ask("workspace/executeCommand", command("aurora.deploy", Value::Null));
    let text = refused["text"].as_str().unwrap();
    assert!(text.starts_with("save ") && refused["ok"] == false, "{refused}");
    for wrong in [
        json!({"command": "aurora.none", "arguments": [{"uri": uri}]}),
        json!({"command": "aurora.inspect"}),
        json!({"command": "aurora.inspect", "arguments": [{"uri": uri, "job": "x"}]}),
    ] {
        let id = client.begin("workspace/executeCommand", wrong);
        assert_eq!(client.answer(id)["error"]["code"], -32602);
    }
    client.end();
}

#[test]
fn results_are_shown_as_documents_where_the_client_can() {
    let can = json!({"window": {"showDocument": {"support": true}}});
    let mut client = Client::with(&[("lib.aurora", LIB)], can);
    client.open("main.aurora", MAIN);
    let uri = client.uri("main.aurora");
    client.ask(
        "workspace/executeCommand",
        json!({"command": "aurora.inspect", "arguments": [{"uri": uri}]}),
    );
    let shown = client.wait(|told| {
        let is_it = told["method"] == "window/showDocument";
        is_it.then(|| told["params"]["uri"].as_str().unwrap().to_owned())
    });
    assert_eq!(std::fs::read_to_string(path_of(&shown)).unwrap(), "the job hello\n");
    client.end();
}

#[test]
fn files_that_are_not_known_have_no_answers() {
    let mut client = opened();
    let there = place("file:///none/x.aurora", 0, 0);
    for method in ["hover", "completion", "definition", "documentSymbol", "codeLens", "rename"] {
        let mut params = there.clone();
        params["newName"] = json!("x");
        let answer = client.ask(&format!("textDocument/{method}"), params);
        assert_eq!(answer, Value::Null, "{method}");
    }
    client.end();
}

#[test]
fn what_is_wrong_is_mended_on_request() {
    let mut client = opened();
    let broken = "jobs = [Job(cluser = 'c')]\n";
    client.open("broken.aurora", broken);
    client.wait_codes("broken.aurora", &["unknown-field"]);
    let mut there = place(&client.uri("broken.aurora"), 0, 13);
    there["range"] = json!({"start": there["position"], "end": there["position"]});
    there["context"] = json!({"diagnostics": [], "only": ["quickfix"]});
    let found = client.ask("textDocument/codeAction", there);
    let fix = found
        .as_array()
        .unwrap()
        .iter()
        .find(|action| action["edit"].to_string().contains("\"cluster\""))
        .unwrap_or_else(|| panic!("{found}"));
    assert_eq!(
        (&fix["kind"], &fix["diagnostics"][0]["code"]),
        (&json!("quickfix"), &json!("unknown-field"))
    );
    client.end();
}
