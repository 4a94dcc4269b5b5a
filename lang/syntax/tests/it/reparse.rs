//! Reading anew after a change gives what reading all of the text gives.

use std::sync::LazyLock;

use aurora_syntax::tree::StmtKind;
use aurora_syntax::{Kind, Token, parse, reparse, tokens, tokens_around};
use proptest::prelude::*;

use crate::support::fixtures;

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut texts = Vec::new();
    for (_, text) in fixtures() {
        texts.push(format!("\u{feff}{text}"));
        texts.push(text.replace('\n', "\r\n"));
        texts.push(text.replace('\n', "\r"));
        texts.push(text);
    }
    texts.push(
        "if x:\n  y = 1\nelse:\n  z = 2\n\n# c\nfor i in x: pass\n@d\ndef f(): pass\n".repeat(3),
    );
    texts.push(
        "x = (\ny = 1\n)\ndef g(a, (b)):\n\treturn [1\nz = {\n}\nclass X(Struct):\n  a = 1\n"
            .to_owned(),
    );
    texts.push("x = 1\ny = f(\n  [2,\n\nz = '''a\n'''\nw = 1\n".repeat(2));
    texts
});

/// What is put into a text, besides what a key gives.
const PIECES: &[&str] = &[
    "",
    "",
    "x",
    " ",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "  ",
    "\t",
    "\u{c}",
    "\n  ",
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
    "'''",
    "#",
    "\\",
    "\\\n",
    "f'",
    "{x}",
    "else:\n",
    "else",
    "elif x:\n",
    "except",
    "def f(",
    "class X(Struct):\n",
    "if x:\n",
    "x = 1\n",
    "\nx = 1\n",
    "@d\n",
    "é",
    "“",
    "$",
    "\u{feff}",
    "1e",
    "lambda ",
    "is ",
    "not ",
    "try:\n",
    "return",
    "break\n",
    "print ",
    "  y = 2\n",
    ")]}\n",
];

fn boundary(text: &str, part: f64) -> usize {
    let mut at = (part * (text.len() + 1) as f64) as usize;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[derive(Debug, Clone)]
struct Change {
    at: f64,
    /// Whether it stands at the start of a line.
    line: bool,
    gone: usize,
    piece: &'static str,
}

fn change() -> impl Strategy<Value = Change> {
    let gone = prop_oneof![4 => Just(0), 4 => 1..4_usize, 2 => 0..80_usize, 1 => 0..1000_usize];
    (0.0..1.0, any::<bool>(), gone, prop::sample::select(PIECES))
        .prop_map(|(at, line, gone, piece)| Change { at, line, gone, piece })
}

fn apply(text: &str, change: &Change) -> (std::ops::Range<usize>, String) {
    let mut start = boundary(text, change.at);
    if change.line {
        start = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    }
    let mut end = (start + change.gone).min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let mut new = text.to_owned();
    new.replace_range(start..end, change.piece);
    (start..end, new)
}

/// Makes changes one after the other.
fn check(text: &str, changes: &[Change]) {
    let mut text = text.to_owned();
    let mut parsed = parse(&text);
    for change in changes {
        let (edit, new) = apply(&text, change);
        parsed = reparse(parsed, &text, edit.clone(), &new);
        let all = parse(&new);
        if parsed != all {
            let note = format!("of\n{text}\n{edit:?} by {:?}", change.piece);
            assert_eq!(parsed.errors, all.errors, "{note}");
            assert_eq!(parsed.refused, all.refused, "{note}");
            assert_eq!(parsed.comments, all.comments, "{note}");
            assert_eq!(parsed.tree, all.tree, "{note}");
            assert_eq!(parsed, all, "{note}");
        }
        text = new;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn files(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        check(file.get::<String>(&TEXTS), &changes);
    }

    #[test]
    fn texts_of_any_pieces(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        check(&pieces.concat(), &changes);
    }
}

#[test]
fn what_is_no_change_of_the_text_is_read_as_a_whole() {
    let old = "x = 1\ny = 2\nz = 3\n";
    let (from, to) = (4, 99);
    for (edit, new) in [
        (0..0, "a = 1\n"),
        (0..99, "a = 1\n"),
        (from..from - 1, "x = 12\ny = 2\nz = 3\n"),
        (to..to, "x = 1\ny = 2\nz = 3\n"),
        (6..7, "x = 2\nw = 2\nz = 3\n"),
        (6..7, "x = 1\nw = 2\nz = 4\n"),
    ] {
        assert_eq!(reparse(parse(old), old, edit, new), parse(new));
    }
}

#[test]
fn many_mistakes_are_left_out_alike() {
    for count in [48, 49, 50, 51, 60] {
        for line in ["x = [1 2]\n", "x = $\n", "try: pass\n", "x = “a”\n", "x = )\n"] {
            let old = line.repeat(count) + "y = 1\n" + line;
            for new in [
                old.replace("y = 1", line.trim()),
                old.replacen(line, "", 2),
                line.repeat(2) + &old,
            ] {
                let start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
                let same =
                    old.bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
                let same = same.min(old.len() - start).min(new.len() - start);
                let parsed = reparse(parse(&old), &old, start..old.len() - same, &new);
                assert_eq!(parsed, parse(&new), "{count} of {line}");
            }
        }
    }
}

/// What is kept cannot be told from what was read again, unless it says something else.
#[test]
fn only_what_the_change_touches_is_read() {
    let calls: String = (0..9).map(|n| format!("x{n} = f(\n  {n},\n)\n")).collect();
    let cases = [
        ("4,", "x", 4..5),
        ("4,", ")\ny = (", 4..6),
        ("x4", "y", 3..5),
        ("x4", "else", 3..5),
        ("x4", "y = 1\n", 3..5),
        ("  4,", "  4, # c\n", 4..5),
        ("  4,", "'''", 0..5),
        ("x4", "'''", 3..5),
        ("x0", "# c\n", 0..0),
        ("4,", "(", 0..9),
    ];
    cases.into_iter().for_each(|(find, piece, read)| check_read(&calls, find, piece, read));
    let blocks: String = (0..9).map(|n| format!("if x{n}:\n  y{n}\n  z{n}\n")).collect();
    for (find, piece, read) in [
        ("4\n", " ", 4..5),
        ("y4", "if x:\n    ", 4..5),
        ("z4", "else:\n", 4..6),
        ("  z4", "else:\n", 4..5),
        ("  y4", "  ", 4..6),
        ("  z4", "z = 1\n", 4..7),
        ("if x4", "  ", 3..4),
        ("if x4", "el", 3..4),
    ] {
        check_read(&blocks, find, piece, read);
    }
}

/// Puts a piece before what is found; only some statements may be read.
fn check_read(old: &str, find: &str, piece: &str, read: std::ops::Range<usize>) {
    let mut parsed = parse(old);
    parsed.tree.iter_mut().for_each(|stmt| stmt.kind = StmtKind::Pass);
    let at = old.find(find).expect("a place");
    let mut new = old.to_owned();
    new.insert_str(at, piece);
    let parsed = reparse(parsed, old, at..at, &new);
    for (at, stmt) in parsed.tree.iter().enumerate() {
        let kept = matches!(stmt.kind, StmtKind::Pass);
        assert_eq!(kept, !read.contains(&at), "{at} after {piece:?} before {find:?}");
    }
}

#[test]
fn tokens_of_the_statement_at_a_place() {
    for text in TEXTS.iter() {
        let parsed = parse(text);
        let all = tokens(text);
        let solid = |token: &Token| !matches!(token.kind, Kind::Dedent | Kind::End);
        for at in all.iter().filter(|token| solid(token)).step_by(7) {
            let mut around = tokens_around(&parsed, text, at.span.start as usize);
            around.retain(solid);
            assert!(around.contains(at), "{at:?} of\n{text}");
            let first = all.iter().position(|token| *token == around[0]).expect("the first");
            let same = all[first..].iter().filter(|token| solid(token)).copied();
            let same: Vec<Token> = same.take(around.len()).collect();
            assert_eq!(around, same, "{at:?} of\n{text}");
        }
    }
    let text = "x = 1\ny = f(a, 'b\nz = 2\n";
    let kinds = |at| -> Vec<Kind> {
        tokens_around(&parse(text), text, at).into_iter().map(|token| token.kind).collect()
    };
    use Kind::{BadStr, Broken, Comma, End, Eq, Int, LParen, Name, Newline};
    assert_eq!(kinds(13), [Name, Eq, Name, LParen, Name, Comma, BadStr, Broken, End]);
    assert_eq!(kinds(text.len()), [Name, Eq, Int, Newline, End]);
}

#[test]
fn marks_of_byte_order() {
    let bom = "\u{feff}";
    for (old, edit, piece) in [
        ("x\n[y", 0..2, bom),
        ("\u{feff}x = 1\ny = 2\n", 0..3, ""),
        ("\u{feff}x = 1\ny = 2\n", 0..0, "\n"),
        ("\u{feff}x = 1\ny = 2\n", 3..3, "\n"),
        ("\u{feff}x = 1\ny = 2\n", 9..9, bom),
        ("x = 1\ny = 2\n", 0..0, bom),
        ("x = 1\ny = 2\n", 6..6, bom),
    ] {
        let mut new = old.to_owned();
        new.replace_range(edit.clone(), piece);
        assert_eq!(reparse(parse(old), old, edit, &new), parse(&new), "{new:?}");
    }
}
