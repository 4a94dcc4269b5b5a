//! Whatever comes, in whatever order: no panic, no request without an answer, and right answers after.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::{Client, codes, place, published};

const GOOD: &str = "p = Process(name = 'a', cmdline = 'echo {{x}}')\n\
    jobs = [Service(cluster = 'c', role = 'www', environment = 'prod', name = 'hello',\n  \
    task = SequentialTask(name = 'a', processes = [p],\n  \
    resources = Resources(cpu = 1, ram = 1 * MB, disk = 1 * MB))).bind(x = 1)]\n";

const METHODS: [&str; 12] = [
    "textDocument/hover",
    "textDocument/completion",
    "textDocument/definition",
    "textDocument/documentSymbol",
    "textDocument/codeLens",
    "textDocument/semanticTokens/full",
    "textDocument/foldingRange",
    "textDocument/documentHighlight",
    "textDocument/signatureHelp",
    "textDocument/documentLink",
    "textDocument/formatting",
    "textDocument/prepareRename",
];

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn is_answered(answer: &Value) -> bool {
    match answer.get("error") {
        None => answer.get("result").is_some(),
        // Cancelled, or refused with a reason: nothing else.
        Some(error) => error["code"] == -32800 || error["code"] == -32803,
    }
}

#[test]
fn ten_thousand_requests_are_cancelled_at_random() {
    let mut client = Client::new(&[]);
    client.open("a.aurora", GOOD);
    let uri = client.uri("a.aurora");
    let mut random = Random(7);
    let mut open = Vec::new();
    let mut version = 1;
    for _ in 0..10_000 {
        let method = METHODS[random.below(METHODS.len() as u64) as usize];
        let line = u32::try_from(random.below(5)).unwrap();
        let column = u32::try_from(random.below(60)).unwrap();
        open.push(client.begin(method, place(&uri, line, column)));
        match random.below(20) {
            0..=9 => {
                // One of those that are under way, or that were answered long ago.
                let at = open.len() - 1 - random.below(open.len().min(8) as u64) as usize;
                client.cancel(open[at]);
            }
            10 => {
                version += 1;
                client.replace("a.aurora", version, &format!("{GOOD}y = {version}\n"));
            }
            11 => {
                client.close("a.aurora");
                client.open("a.aurora", GOOD);
                version = 1;
            }
            _ => {}
        }
        // The server may be asked only so much at once.
        if open.len() >= 200 {
            for id in open.drain(..100) {
                let answer = client.answer(id);
                assert!(is_answered(&answer), "{answer}");
            }
        }
    }
    for id in open {
        let answer = client.answer(id);
        assert!(is_answered(&answer), "{answer}");
    }
    client.replace("a.aurora", 999_999, &GOOD.replace("'a', cmdline", "'a', cmdlin"));
    client.wait_codes("a.aurora", &["unknown-field"]);
    let hover = client.ask("textDocument/hover", place(&uri, 0, 5));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("Process"));
    client.end();
}

#[test]
fn files_are_closed_while_they_are_worked_on() {
    let mut client = Client::new(&[]);
    let uri = client.uri("a.aurora");
    for _ in 0..100 {
        client.open("a.aurora", GOOD);
        let asked: Vec<i64> =
            METHODS.iter().map(|method| client.begin(method, place(&uri, 0, 6))).collect();
        client.close("a.aurora");
        for id in asked {
            let answer = client.answer(id);
            assert!(is_answered(&answer), "{answer}");
        }
    }
    // What was told of it last is nothing.
    let mut last = Vec::new();
    client.open("b.aurora", "x = (\n");
    client.wait_codes("b.aurora", &["syntax-error"]);
    client.close("b.aurora");
    client.wait_codes("b.aurora", &[]);
    for told in client.told.drain(..) {
        if let Some(params) = published(&told, &uri) {
            last = codes(params);
        }
    }
    assert_eq!(last, Vec::<String>::new());
    client.end();
}

/// A text and edits of it, at places that may not be there.
/// A change: the lines and columns of what is replaced, if it is not all, and by what.
type Change = (Option<[u32; 4]>, String);

fn edits() -> impl Strategy<Value = (String, Vec<Change>)> {
    let text = prop_oneof![
        ".{0,40}",
        Just(GOOD.to_owned()),
        "[a-z(){}\\[\\]'\"=.,:# \r\n\t\u{e9}\u{1f600}]{0,80}",
        proptest::collection::vec(any::<u8>(), 0..60)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    let range = proptest::option::weighted(0.8, proptest::array::uniform4(0u32..70));
    let inserted = "[a-z(){}\\[\\]'\"=.,:# \r\n\u{1f600}]{0,8}";
    (text, proptest::collection::vec((range, inserted), 0..6))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_text_and_any_edit_is_taken(all in proptest::collection::vec(edits(), 1..4), at in 0u32..70) {
        let mut client = Client::new(&[]);
        for (n, (text, edits)) in all.into_iter().enumerate() {
            let name = format!("{n}.aurora");
            let uri = client.uri(&name);
            client.open(&name, &text);
            for (version, (range, text)) in edits.into_iter().enumerate() {
                let range = range.map(|[line, column, end_line, end_column]| json!({
                    "start": {"line": line, "character": column},
                    "end": {"line": end_line, "character": end_column}}));
                let change = match range {
                    Some(range) => json!([{"range": range, "text": text}]),
                    None => json!([{"text": text}]),
                };
                client.edit(&name, i32::try_from(version).unwrap() + 2, change);
                for method in METHODS {
                    let id = client.begin(method, place(&uri, at % 5, at));
                    let answer = client.answer(id);
                    prop_assert!(is_answered(&answer), "{}: {}", method, answer);
                }
            }
        }
        prop_assert!(client.end().was_asked);
    }
}
