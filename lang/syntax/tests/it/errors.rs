//! What is wrong with a text, where, and how many complaints one mistake gives.

/// The code of each complaint with the text it is about.
fn complaints(text: &str) -> Vec<(&'static str, String)> {
    let parsed = aurora_syntax::parse(text);
    let desugared = aurora_syntax::desugar(&parsed, text, &|_| true);
    assert!(desugared.errors.is_empty() || desugared.text.is_empty());
    for error in &desugared.errors {
        assert!(aurora_syntax::CODES.contains(&error.code), "{}", error.code);
    }
    desugared.errors.into_iter().map(|error| (error.code, text[error.range].to_owned())).collect()
}

#[test]
fn each_mistake_gives_one_complaint_at_its_place() {
    for (text, code, place) in [
        ("x = = 1", "syntax/unexpected-token", "="),
        ("x = [1 2]", "syntax/unexpected-token", "2"),
        ("x = Job(a='b' c='d')", "syntax/unexpected-token", "c"),
        ("x = Job(a: 'b')", "syntax/unexpected-token", ":"),
        ("x = {'a' 1}", "syntax/unexpected-token", "1"),
        ("x = {'a': 1, 'b'}", "syntax/unexpected-token", "}"),
        ("if x = 1: pass", "syntax/unexpected-token", "="),
        ("if x\n  y = 1\n", "syntax/unexpected-token", "\n"),
        ("else:\n  y = 1\n", "syntax/unexpected-token", "else"),
        ("if x:\n  pass\nelse if y:\n  pass\n", "syntax/unexpected-token", "else if"),
        ("class = 1", "syntax/unexpected-token", "="),
        ("x = 1 if y", "syntax/unexpected-token", ""),
        ("f('a'=1)", "syntax/unexpected-token", "'a'"),
        ("x = 'a\ny = 1\n", "syntax/unterminated-string", "'a"),
        ("x = \"\"\"a\ny = )\n", "syntax/unterminated-string", "\"\"\""),
        ("x = (1, [2)\n", "syntax/unclosed-bracket", "["),
        ("x = (1, 2\n\ny = 3\nz = f(\n  1)\n", "syntax/unclosed-bracket", "("),
        ("jobs = [\n  Job(name='a'),\n", "syntax/unclosed-bracket", "["),
        ("x = (1]\n", "syntax/mismatched-bracket", "]"),
        ("x = 1)\ny = 2", "syntax/mismatched-bracket", ")"),
        ("x = 1\n  y = 2\nz = 3\n", "syntax/unexpected-indent", "  "),
        ("def g():\nx = 1\n", "syntax/expected-indent", "x"),
        ("if x:\n    y = 1\n  z = 2\n", "syntax/inconsistent-indent", "  "),
        ("if x:\n        y = 1\n\t z = 2\n", "syntax/unexpected-indent", "\t "),
        ("x = 08", "syntax/bad-number", "08"),
        ("x = 64MB", "syntax/bad-number", "64MB"),
        ("x = 3j", "syntax/bad-number", "3j"),
        ("x = '\\xg'", "syntax/bad-escape", "\\x"),
        ("x = u'\\u12'", "syntax/bad-escape", "\\u"),
        ("x = “a”", "syntax/unexpected-character", "“"),
        ("x = $a", "syntax/unexpected-character", "$"),
        ("größe = 1", "syntax/unexpected-character", "größe"),
        ("x = 1 + \\ \n  2", "syntax/unexpected-character", "\\ "),
        ("1 = x", "syntax/not-assignable", "1"),
        ("f() = x", "syntax/not-assignable", "f()"),
        ("a[1:2] = x", "syntax/not-assignable", "a[1:2]"),
        ("a[1:2] += x", "syntax/not-assignable", "a[1:2]"),
        ("None = x", "syntax/not-assignable", "None"),
        ("f(a=1, a=2)", "syntax/bad-arguments", "a"),
        ("f(a=1, 2)", "syntax/bad-arguments", "2"),
        ("def g(a, a): pass", "syntax/bad-arguments", "a"),
        ("def g(a=1, b): pass", "syntax/bad-arguments", "b"),
        ("return 1", "syntax/wrong-place", "return"),
        ("break", "syntax/wrong-place", "break"),
        ("for i in x:\n  def g():\n    break\n", "syntax/wrong-place", "break"),
        ("try:\n  x = 1\nexcept (A, B) as e:\n  pass\nfinally:\n  pass\n", "syntax/no-try", "try"),
        ("with open('f') as f: x = 1", "syntax/no-with", "with"),
        ("def g():\n  yield 1\n", "syntax/no-yield", "yield"),
        ("def g():\n  x = yield\n", "syntax/no-yield", "yield"),
        ("async def g(): pass", "syntax/no-async", "async"),
        ("@a.b(1)\ndef g(): pass", "syntax/no-decorator", "@a.b(1)"),
        ("def g():\n  global x\n", "syntax/no-global", "global"),
        ("def g():\n  nonlocal x\n", "syntax/no-global", "nonlocal"),
        ("class P: pass", "syntax/class-is-no-struct", "P"),
        ("class P(Struct):\n  if 1: a = String\n", "syntax/class-is-no-struct", "if 1: a = String"),
        ("class P(Struct):\n  class Q(Struct): pass\n", "syntax/class-is-no-struct", "class Q"),
        ("a, *b = x", "syntax/no-unpacking", "*b"),
        ("x = [*a]", "syntax/no-unpacking", "*a"),
        ("x = {**a}", "syntax/no-unpacking", "**a"),
        ("f(*a, b)", "syntax/no-unpacking", "b"),
        ("f(*a, *b)", "syntax/no-unpacking", "*b"),
        ("exec 'x'", "syntax/no-exec", "'x'"),
        ("if (n := 1): pass", "syntax/no-assignment-expression", ":="),
        ("x = a @ b", "syntax/no-operator", "@"),
        ("x[1:2, 3]", "syntax/no-operator", ","),
        ("x = ...", "syntax/no-operator", "..."),
        ("del x", "syntax/no-del", "x"),
        ("for i in x: pass\nelse: pass", "syntax/no-loop-else", "else"),
        ("from . import a", "syntax/no-import", "."),
        ("from ..a.b import c", "syntax/no-import", "..a.b"),
        ("print >>f, 1", "syntax/no-print-to", "print >>"),
        ("def g((a, b)): pass", "syntax/no-tuple-parameter", "(a, b)"),
        ("raise", "syntax/no-raise", "raise"),
        ("x = f'{y'", "syntax/unexpected-token", "{y"),
        ("x = f'{}'", "syntax/unexpected-token", "{}"),
        ("x = f'a}'", "syntax/unexpected-token", "}"),
        ("x = f'{y z}'", "syntax/unexpected-token", "z"),
    ] {
        assert_eq!(complaints(text), [(code, place.to_owned())], "of\n{text}");
    }
}

#[test]
fn several_mistakes_are_found_in_one_run() {
    let text = "a = = 1\nb = [1 2]\ndef g():\n  x = )\n  return 1 +\nc = f(a=1, a=2)\nd = ok\n";
    let codes: Vec<_> = complaints(text).into_iter().map(|complaint| complaint.0).collect();
    assert_eq!(
        codes,
        [
            "syntax/unexpected-token",
            "syntax/unexpected-token",
            "syntax/mismatched-bracket",
            "syntax/unexpected-token",
            "syntax/bad-arguments"
        ]
    );
    assert_eq!(aurora_syntax::parse(text).tree.len(), 5);
}

#[test]
fn the_checksum_idiom_has_a_replacement() {
    let text = "import hashlib\nwith open('a') as f:\n  m = hashlib.md5(f.read()).hexdigest()\n";
    let parsed = aurora_syntax::parse(text);
    let help = parsed.refused[0].help.as_deref().unwrap_or_default();
    assert!(help.contains("file_digest(path, \"md5\")"), "{help}");
}

#[test]
fn fixes_repair() {
    for text in [
        "x = [1 2]",
        "x = Job(a: 1)",
        "if x = 1: pass",
        "x = 64MB",
        "x = (1]",
        "if x: pass\nelse if y: pass",
        "x = f'a}'",
        "x = 1 + \\ \n  2",
        "f(1, i for i in x)",
    ] {
        let mut text = text.to_owned();
        let error = aurora_syntax::parse(&text).errors.remove(0);
        let mut edits = error.fix.unwrap_or_else(|| panic!("no fix of {text}"));
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.range.start));
        for edit in edits {
            text.replace_range(edit.range, &edit.text);
        }
        let again = aurora_syntax::parse(&text);
        assert!(again.errors.is_empty(), "{text}: {:?}", again.errors);
    }
}

#[test]
fn hostile_texts_are_refused_at_once() {
    for (text, code) in [
        ("(".repeat(100_000), "syntax/too-deep"),
        (format!("x = {}1{}", "[".repeat(300), "]".repeat(300)), "syntax/too-deep"),
        (format!("x = {}1", "-".repeat(100_000)), "syntax/too-deep"),
        (format!("x = {}1", "not ".repeat(100_000)), "syntax/too-deep"),
        (format!("x = {}1", "lambda: ".repeat(100_000)), "syntax/too-deep"),
        (format!("x = 1{}", " if 1 else 1".repeat(100_000)), "syntax/too-deep"),
        (format!("x = 1{}", "**1".repeat(100_000)), "syntax/too-deep"),
        (format!("x = 1{}", " + 1".repeat(100_000)), "syntax/too-long"),
        (format!("x = a{}", ".b".repeat(100_000)), "syntax/too-long"),
        (format!("x = a{}", "()".repeat(100_000)), "syntax/too-long"),
        (format!("x = {}", "1 < ".repeat(200) + "1"), "syntax/too-long"),
        (
            (0..200).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect::<String>(),
            "syntax/too-deep",
        ),
        (format!("if x: pass\n{}", "elif x: pass\n".repeat(10_000)), "syntax/too-long"),
    ] {
        let found = complaints(&text);
        assert!(found.iter().any(|complaint| complaint.0 == code), "{:.40}: {found:.200?}", text);
    }
}

#[test]
fn long_texts_take_time_in_proportion() {
    for text in [
        "a = 'b' 'c'\n".repeat(50_000),
        format!("f({})", "a, ".repeat(200_000)),
        format!("f({})", (0..100_000).map(|i| format!("a{i}=1,")).collect::<String>()),
        format!("x = ({})", "'a'\n".repeat(100_000)),
        format!("x = {}1{}", "f(".repeat(190), ")".repeat(190)),
        "x = (\n".repeat(50_000),
        "x = )\n".repeat(50_000),
        "\t".repeat(200_000),
        format!(
            "class A(Struct):\n{}",
            (0..20_000).map(|i| format!("  a{i} = String\n")).collect::<String>()
        ),
        format!("x = f'{}'", "{a}".repeat(50_000)),
    ] {
        complaints(&text);
    }
}

#[test]
fn what_is_just_deep_enough_needs_no_large_stack() {
    let nested = |open: &str, close: &str, count: usize| {
        format!("x = {}1{}\n", open.repeat(count), close.repeat(count))
    };
    for text in [
        nested("[{(lambda: ", ")}]", 45),
        nested("f(a=[1 if y else ", "])", 60),
        nested("-(not ", ")", 60),
        nested("a.join(", ")", 195),
        nested("{1: ", "}", 195),
        nested("[a for a in ", "]", 195),
        (0..95).map(|depth| format!("{}for i in x:\n", " ".repeat(depth))).collect::<String>()
            + &" ".repeat(95)
            + "pass\n",
    ] {
        assert_eq!(complaints(&text), [], "{text}");
        assert!(aurora_syntax::format(&text).is_ok());
        assert!(aurora_syntax::migrate(&text).is_ok());
    }
}
