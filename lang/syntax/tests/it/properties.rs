//! What holds for every text.

use proptest::prelude::*;

use crate::support::{desugared, interpreter_error, known};

/// Expressions without syntax errors.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "x",
            "y",
            "other",
            "1",
            "2.5",
            "'a'",
            "u'é'",
            "'a' \"b\"",
            "'''q\n'''",
            "r'\\d'",
            "0755",
            "None",
            "f'{x}-{y!r:>3}'",
            "[]",
            "{}",
            "()",
            "load",
            "(\n  x  # c\n)",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let op = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", "<>", "is", "is not", "in",
            "not in", "and", "or", "|", "&", "<<", "**",
        ]);
        prop_oneof![
            (inner.clone(), op.clone(), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), op.clone(), inner.clone(), op, inner.clone())
                .prop_map(|(a, p, b, q, c)| format!("({a} {p} {b} {q} {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f({a}, k={b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f(*{a}, k={b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).replace({b}).z")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}, {b}}}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("[{a} for v in {b} if {c}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f({a} for v, w in {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(lambda v, w={a}: {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("d[{a}:{b}]")),
            inner.clone().prop_map(|a| format!("(-{a})")),
            inner.clone().prop_map(|a| format!("(not {a})")),
            inner.clone().prop_map(|a| format!("`{a}`")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let simple = prop_oneof![
        expression().prop_map(|a| format!("a = {a}\n")),
        expression().prop_map(|a| format!("a, b = {a}\n")),
        expression().prop_map(|a| format!("a = b = {a}\n")),
        expression().prop_map(|a| format!("a += {a}; b = 1;\n")),
        (expression(), expression()).prop_map(|(a, b)| format!("d[{a}] -= {b}  # d\n")),
        expression().prop_map(|a| format!("assert {a}, 'm'\n")),
        expression().prop_map(|a| format!("print {a}\n")),
        expression().prop_map(|a| format!("raise ValueError({a})\n")),
        Just("import os, math as m\n".to_owned()),
        Just("\n# c\n".to_owned()),
    ];
    simple.prop_recursive(3, 12, 3, |inner| {
        let body = prop::collection::vec(inner, 1..3).prop_map(|stmts| {
            let text = stmts.concat();
            // Lines of a text over several lines are moved, too, which changes the text only.
            let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
            format!("{lines}  pass\n")
        });
        prop_oneof![
            (expression(), body.clone()).prop_map(|(a, b)| format!("if {a}:\n{b}else:\n\tpass\n")),
            (expression(), body.clone()).prop_map(|(a, b)| format!("for v in {a}:\n{b}")),
            (expression(), body.clone()).prop_map(|(a, b)| format!("while {a}:\n{b}")),
            (expression(), body).prop_map(|(a, b)| format!("def g(p, q={a}, *r):\n{b}")),
            expression().prop_map(|a| format!("class P(Struct):\n  a = {a}\n  b = a  # c\n")),
        ]
    })
}

fn file() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..5).prop_map(|stmts| stmts.concat())
}

/// Pieces of text in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "x",
        " ",
        "\n",
        "\n  ",
        "\t",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        "=",
        ",",
        ".",
        "'",
        "\"",
        "\"\"\"",
        "#",
        "\\",
        "\\\n",
        "f'",
        "{x}",
        "if ",
        "for ",
        " in ",
        "class ",
        "def ",
        "lambda ",
        "print ",
        "é",
        "1",
        "0x",
        "1e",
        "+",
        "**",
        "*",
        "not ",
        "is ",
        "import ",
        "from ",
        "@",
        "else",
        "return ",
        "\r",
        "\r\n",
        "\u{feff}",
        "\u{c}",
        "`",
        ";",
        "u'",
        "->",
        ":=",
        "load(",
        "with ",
        "try",
        "yield ",
        "try:\n  x\n",
        "\0",
        "a=1",
        "del ",
        "raise ",
        "assert ",
        "<>",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn check_map(text: &str, desugared: &aurora_syntax::Desugared) {
    for (copy, source) in desugared.map.copies() {
        assert_eq!(&desugared.text[copy.clone()], &text[source.clone()], "{text}");
        assert_eq!(desugared.map.original(copy), source);
    }
    for start in (0..desugared.text.len()).step_by(3) {
        for len in [0, 1, 7] {
            let range = desugared.map.original(start..(start + len).min(desugared.text.len()));
            assert!(range.start <= range.end && range.end <= text.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_program_is_rewritten_into_one_that_the_interpreter_takes(text in file()) {
        check_map(&text, &desugared(&text));
    }

    #[test]
    fn laying_out_keeps_the_words_and_is_done_at_once(text in prop_oneof![file(), soup()]) {
        if let Ok(once) = aurora_syntax::format(&text) {
            prop_assert!(aurora_syntax::same_words(&text, &once), "{}", once);
            prop_assert_eq!(aurora_syntax::format(&once).unwrap(), once, "of {}", text);
        }
    }

    #[test]
    fn migrating_is_done_at_once(text in prop_oneof![file(), soup()]) {
        if let Ok(once) = aurora_syntax::migrate(&text) {
            let parsed = aurora_syntax::parse(&once.text);
            prop_assert!(parsed.errors.is_empty(), "{}", once.text);
            let was = aurora_syntax::parse(&text).refused.len();
            prop_assert!(parsed.refused.len() <= was);
            let stuck = once.notes.iter().any(|note| note.message.contains("by itself"));
            prop_assert!(!stuck, "{}", text);
            let again = aurora_syntax::migrate(&once.text).unwrap();
            prop_assert_eq!(&again.text, &once.text, "of {}", text);
            let mut edited = text.clone();
            for edit in once.edits.iter().rev() {
                edited.replace_range(edit.range.clone(), &edit.text);
            }
            prop_assert_eq!(edited, once.text);
        }
    }

    #[test]
    fn any_text_is_read(text in soup()) {
        let parsed = aurora_syntax::parse(&text);
        for error in parsed.errors.iter().chain(&parsed.refused) {
            prop_assert!(text.get(error.range.clone()).is_some(), "{error:?}");
        }
        let desugared = aurora_syntax::desugar(&parsed, &text, &known);
        if desugared.errors.is_empty() {
            prop_assert_eq!(interpreter_error(&desugared.text), None, "{}", desugared.text);
            check_map(&text, &desugared);
        }
    }
}
