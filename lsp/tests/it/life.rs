//! How a server begins and ends, and what it makes of messages that are none.

use serde_json::{Value, json};

use crate::client::Client;

#[test]
fn it_ends_at_exit_and_says_whether_it_was_asked() {
    let mut client = Client::new(&[]);
    assert!(client.end().was_asked);
    // Its input is still open in both cases.
    let mut client = Client::new(&[]);
    client.tell("exit", Value::Null);
    assert!(!client.ended().was_asked);
    let mut client = Client::silent();
    client.tell("exit", Value::Null);
    assert!(!client.ended().was_asked);
}

#[test]
fn it_ends_when_its_input_does() {
    let mut client = Client::new(&[]);
    client.hang_up();
    assert!(!client.ended().was_asked);
    let mut client = Client::silent();
    client.raw(b"Content-Length: 100\r\n\r\n{");
    client.hang_up();
    assert!(!client.ended().was_asked);
}

#[test]
fn what_was_asked_before_the_end_of_the_input_is_answered() {
    let mut client = Client::new(&[]);
    let id = client.begin("shutdown", Value::Null);
    client.hang_up();
    assert_eq!(client.answer(id)["result"], Value::Null);
    assert!(client.ended().was_asked);
}

#[test]
fn nothing_is_answered_before_initialize_and_after_shutdown() {
    let mut client = Client::silent();
    let id = client.begin("textDocument/hover", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32002);
    client.initialize(json!({}));
    let id = client.begin("initialize", json!({"capabilities": {}}));
    assert_eq!(client.answer(id)["error"]["code"], -32600);
    client.ask("shutdown", Value::Null);
    let id = client.begin("textDocument/hover", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32600);
    client.tell("exit", Value::Null);
    assert!(client.ended().was_asked);
}

#[test]
fn messages_that_are_none_are_refused_and_the_next_is_answered() {
    let mut client = Client::silent();
    let frame =
        |body: &[u8]| [format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    for (bytes, code) in [
        (frame(b"{\"jsonrpc\":"), -32700),
        (frame(b"\xff\xfe"), -32700),
        (frame(b"[]"), -32600),
        (frame(b"{\"jsonrpc\": \"1.0\", \"method\": \"x\"}"), -32600),
        (b"Content-Type: x\r\n\r\n".to_vec(), -32700),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), -32700),
    ] {
        client.raw(&bytes);
        let answer = client.answer(-1);
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    client.raw(b"\r\n\r\n");
    let answer = client.initialize(json!({}));
    assert_eq!(answer["serverInfo"]["name"], "aurora");
    // What answers nothing is not answered.
    client.raw(&frame(b"{\"jsonrpc\": \"2.0\", \"id\": 77}"));
    let id = client.begin("aurora/none", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32601);
    client.tell("$/none", json!({}));
    assert!(!client.is_answered(77));
    assert!(client.end().was_asked);
}

#[test]
fn numbers_and_texts_name_requests() {
    let mut client = Client::silent();
    client.initialize(json!({}));
    client.message(&json!({"jsonrpc": "2.0", "id": "one", "method": "shutdown", "params": {}}));
    let answer = client.answer(-1);
    assert_eq!((&answer["id"], &answer["result"]), (&json!("one"), &Value::Null));
    client.tell("exit", Value::Null);
    client.ended();
}

#[test]
fn the_encoding_of_places_is_agreed_upon() {
    for (offered, wanted) in [(json!(["utf-8", "utf-16"]), "utf-8"), (json!(["x"]), "utf-16")] {
        let mut client = Client::silent();
        let answer = client.initialize(json!({"general": {"positionEncodings": offered}}));
        assert_eq!(answer["capabilities"]["positionEncoding"], wanted);
        client.end();
    }
}

#[test]
fn work_is_traced_if_the_client_wants_it() {
    let mut client = Client::new(&[]);
    client.tell("$/setTrace", json!({"value": "messages"}));
    client.open("a.aurora", "jobs = []\n");
    let line = client.wait(|told| {
        let is_trace = told["method"] == "$/logTrace";
        let line = told["params"]["message"].as_str().unwrap_or_default();
        (is_trace && line.contains("didOpen")).then(|| line.to_owned())
    });
    assert!(line.starts_with("textDocument/didOpen") && line.ends_with(" ms"), "{line}");
    client.end();
}
