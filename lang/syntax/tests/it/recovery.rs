//! What is read of texts that are wrong.

use aurora_syntax::{Kind, parse, tokens};

use crate::shown::shown;

/// Each text has one mistake to tell, and a tree.
fn check(cases: &[(&str, &str)]) {
    for (text, tree) in cases {
        assert_eq!(shown(text), *tree, "of\n{text}");
        let parsed = parse(text);
        let told = parsed.errors.len() + parsed.refused.len();
        assert_eq!(told, 1, "of\n{text}\n{:#?}\n{:#?}", parsed.errors, parsed.refused);
        assert!(aurora_syntax::format(text).is_err() || parsed.errors.is_empty());
        assert!(!aurora_syntax::desugar(&parsed, text, &|_| true).errors.is_empty());
    }
}

#[test]
fn arguments() {
    check(&[
        ("f(cmdline = )", "f(cmdline=?)"),
        ("f(name = 'a', cmdline = )", "f(name='a', cmdline=?)"),
        ("f(cmdline = , name = 'a')", "f(cmdline=?, name='a')"),
        ("f(name = 'a' cmdline = 'b')", "f(name='a', cmdline='b')"),
        ("f(a b, c)", "f(a, b, c)"),
        ("f('a' 1, [2] (3))", "f('a', 1, [2](3))"),
        ("f(cmdline = \n  name = 'a')", "f(cmdline=?, name='a')"),
        ("f(cmdline = name = 'a', b = 1)", "f(cmdline=?, name='a', b=1)"),
        ("f(a = 1 +\n  b = 2)", "f(a=1 + ?, b=2)"),
        ("f(a = x.\n  b = 2)", "f(a=x._, b=2)"),
        ("f(a = x.b = 2)", "f(a=x.b)"),
        ("f(a = not\n  b = 2)", "f(a=not ?, b=2)"),
        ("f(a = 1 if x else\n  b = 2)", "f(a=1 if x else ?, b=2)"),
        ("f(a = lambda x:\n  b = 2)", "f(a=lambda x: ?, b=2)"),
        ("f(a = 2 **\n  b = 2)", "f(a=2 ** ?, b=2)"),
        ("f(x.\n  b = 2)", "f(x._, b=2)"),
        ("f(a: 'b', c = 1)", "f(a='b', c=1)"),
        ("f(a: , c = 1)", "f(a=?, c=1)"),
        ("f('a' = 1, b = 2)", "f(1, b=2)"),
        ("f(class = 1, b = 2)", "f(class=1, b=2)"),
        ("f(, b = 2)", "f(?, b=2)"),
        ("f(a, , b)", "f(a, ?, b)"),
        ("f(= 3, b = 2)", "f(?= 3, b=2)"),
        ("f(a = ) + g(1)", "f(a=?) + g(1)"),
        ("f(a ! (b, c), d)", "f(a, d)"),
        ("f(! (b, c), d)", "f(?! (b, c), d)"),
        ("f(*, b = 1)", "f(*?, b=1)"),
        ("f(**)", "f(**?)"),
        ("f(a = g(b = , c), d = 1)", "f(a=g(b=?, c), d=1)"),
        ("f(x for in y)", "f(<x for ? in y>)"),
        ("f(x for y)", "f(<x for y in ?>)"),
        ("f(x for y in )", "f(<x for y in ?>)"),
        ("f(x for y in z if )", "f(<x for y in z if ?>)"),
        ("f(i for i in x, 1)", "f(<i for i in x>, 1)"),
        ("f(a = 1, a = 2)", "f(a=1, a=2)"),
        ("f(lambda)", "f(lambda : ?)"),
        ("f(lambda x)", "f(lambda x: ?)"),
        ("f(lambda x 1: x, 2)", "f(lambda x: x, 2)"),
    ]);
}

#[test]
fn brackets_that_are_never_closed() {
    check(&[
        ("f(", "f()"),
        ("f(a = ", "f(a=?)"),
        ("f(a = 1, b", "f(a=1, b)"),
        ("f(a = 1, b =", "f(a=1, b=?)"),
        (
            "f(a = 1, b = g(c = 2, \n\ndef g():\n  return 1\n",
            "f(a=1, b=g(c=2)); def g() { return 1 }",
        ),
        ("x = f(a = 1,\ny = 2\n", "x = f(a=1); y = 2"),
        ("jobs = [\n  Job(name = 'a'),\n", "jobs = [Job(name='a')]"),
        ("jobs = [\n  Job(name = 'a', task = ", "jobs = [Job(name='a', task=?)]"),
        ("x = {'a': [1, ", "x = {'a': [1]}"),
        ("x = {'a': ", "x = {'a': ?}"),
        ("x = {'a'", "x = {'a'}"),
        ("x = {'a': 1, 'b'", "x = {'a': 1, 'b': ?}"),
        ("x = (", "x = (?)"),
        ("x = (1, ", "x = (1,)"),
        ("x = y[", "x = y[?]"),
        ("x = y[1:", "x = y[1:?:]"),
        ("x = [a for b in ", "x = <a for b in ?>"),
        ("x = (1, [2)\ny = 3\n", "x = (1, [2],); y = 3"),
        ("def f(\ndef g(): pass\n", "def f() {  }; def g() { pass }"),
        ("def f(a, b = \n  return 1\n", "def f(a, b=?) { return 1 }"),
        ("class X(\nclass Y(Struct): pass\n", "class X() {  }; class Y(Struct) { pass }"),
        ("for x in f(\n  pass\n", "for x in f() { pass }"),
    ]);
}

#[test]
fn values_in_brackets() {
    check(&[
        ("x = [1 2]", "x = [1, 2]"),
        ("x = [1, , 2]", "x = [1, ?, 2]"),
        ("x = [a.]", "x = [a._]"),
        ("x = [a., b]", "x = [a._, b]"),
        ("x = [1 +, 2]", "x = [1 + ?, 2]"),
        ("x = [a = 1, b]", "x = [a, b]"),
        ("x = [if, b]", "x = [? if ? else ?, b]"),
        ("x = [a if b, c]", "x = [a if b else ?, c]"),
        ("x = [a for b c in d]", "x = <a for b in ?>"),
        ("x = (1 2)", "x = (1, 2,)"),
        ("x = (1, =, 2)", "x = (1, ?=, 2,)"),
        ("x = (1 =)", "x = (1)"),
        ("x = (, 1)", "x = (?, 1,)"),
        ("x = {1 2}", "x = {1, 2}"),
        ("x = {'a' 1}", "x = {'a', 1}"),
        ("x = {'a' 1, 'b': 2}", "x = {'a': ?, 1: ?, 'b': 2}"),
        ("x = {'a': , 'b': 2}", "x = {'a': ?, 'b': 2}"),
        ("x = {'a': 1, 'b'}", "x = {'a': 1, 'b': ?}"),
        ("x = {'a': 1, 'b' = 2, 'c': 3}", "x = {'a': 1, 'b': 2, 'c': 3}"),
        ("x = {'a': 1 'b': 2}", "x = {'a': 1, 'b': 2}"),
        ("x = {a, b: 1}", "x = {a: ?, b: 1}"),
        ("x = {a: b: c}", "x = {a: b}"),
        ("x = y[]", "x = y[?]"),
        ("x = y[a b]", "x = y[a]"),
        ("x = y[1 +]", "x = y[1 + ?]"),
        ("x = y[1:2:3:4]", "x = y[1:2:3]"),
        ("x = y[1:2, 3]", "x = y[1:2:]"),
        ("x = y[=]", "x = y[?=]"),
        ("x = (1]", "x = (1)"),
        ("x = `a", "x = `a`"),
    ]);
}

#[test]
fn lines() {
    check(&[
        ("foo.", "foo._"),
        ("foo.\nbar = 1\n", "foo._; bar = 1"),
        ("foo.bar.", "foo.bar._"),
        ("foo.class", "foo._; !class"),
        ("x = ", "x = ?"),
        ("x = \ny = 2\n", "x = ?; y = 2"),
        ("x = = 1", "x = ? = 1"),
        ("x = y.", "x = y._"),
        ("x = 1 +", "x = 1 + ?"),
        ("x = not", "x = not ?"),
        ("x = a b", "x = a; !b"),
        ("x += ", "x += ?"),
        ("x: ", "x; !:"),
        ("x: String = ", "x: String = ?"),
        ("x = 1 if y", "x = 1 if y else ?"),
        (": y", "!: y"),
        ("a b; c d\ne = 1\n", "a; !b; c d; e = 1"),
        ("exec 'x'", "exec; !'x'"),
        ("del ", "del ?"),
        ("assert ", "assert ?"),
        ("assert x, ", "assert x, ?"),
        ("import ", "import _"),
        ("import a.", "import a."),
        ("import a as ", "import a as _"),
        ("from a ", "from a import _"),
        ("from a import ", "from a import _"),
        ("from a import (b c)", "from a import b"),
        ("from ", "from _ import _"),
        ("x = a b\n    y = 1\nz = 2\n", "x = a; !b; y = 1; z = 2"),
        ("x = 'a", "x = ?'a"),
        ("x = \"\"\"a\nb", "x = ?\"\"\"a\nb"),
        ("x = f'{y'", "x = f'{y|}'"),
        ("x = f'{y.}'", "x = f'{y._|}'"),
        ("x = f'a{}b'", "x = f'a{?|}b'"),
        ("x = f'{f(a=)}b'", "x = f'{f(a=?)|}b'"),
        ("x = f'{a b}c{d}'", "x = f'{a|}c{d|}'"),
        ("x = f'{a!z:>3}c{d}'", "x = f'{a|>3}c{d|}'"),
        ("x = f'a}b{c}'", "x = f'a}b{c|}'"),
    ]);
}

#[test]
fn statements_with_blocks() {
    check(&[
        ("if ", "if ? {  }"),
        ("if x", "if x {  }"),
        ("if x\n  y = 1\n", "if x { y = 1 }"),
        ("if :\n  y = 1\n", "if ? { y = 1 }"),
        ("if x y:\n  y = 1\nelse:\n  z = 1\n", "if x { y = 1 } else { z = 1 }"),
        ("if x\n  y = 1\nelif z:\n  pass\n", "if x { y = 1 } elif z { pass }"),
        (
            "if x:\n  y = 1\nelif \n  pass\nelse:\n  z = 1\n",
            "if x { y = 1 } elif ? { pass } else { z = 1 }",
        ),
        ("if x = 1: pass", "if x { pass }"),
        ("if x: y = [1 2]\nelse: z = 1\n", "if x { y = [1, 2] } else { z = 1 }"),
        ("if x:\n", "if x {  }"),
        ("if x:\ny = 1\n", "if x {  }; y = 1"),
        ("else:\n  y = 1\n", "!else:; y = 1"),
        ("for ", "for ? in ? {  }"),
        ("for x", "for x in ? {  }"),
        ("for x in ", "for x in ? {  }"),
        ("for x in \n  y = x\n", "for x in ? { y = x }"),
        ("for x in y\n  break\n", "for x in y { break }"),
        ("for x y in z:\n  continue\n", "for x in ? { continue }"),
        ("while \n  x = 1\n", "while ? { x = 1 }"),
        ("def ", "def _() {  }"),
        ("def f", "def f() {  }"),
        ("def f:\n  return 1\n", "def f() { return 1 }"),
        ("def f(a b, c):\n  return a\n", "def f(a, b, c) { return a }"),
        ("def f(a, = 1, c):\n  return a\n", "def f(a, _=1, c) { return a }"),
        ("def f(a, 1, c):\n  return a\n", "def f(a, _, c) { return a }"),
        ("def f(a = , c = 1):\n  return a\n", "def f(a=?, c=1) { return a }"),
        ("def f(a)\n  return a\n", "def f(a) { return a }"),
        ("def f(a):\n  return a.\n", "def f(a) { return a._ }"),
        ("class ", "class _() {  }"),
        ("class X(Struct)\n  a = String\n", "class X(Struct) { a = String }"),
        ("class X(Struct):\n  a = \n  b = String\n", "class X(Struct) { a = ?; b = String }"),
        ("class X(Struct b):\n  a = String\n", "class X(Struct) { a = String }"),
        ("class X(:\n  a = String\n", "class X(?:\n  a = String) {  }"),
        ("@\ndef f(): pass\n", "refused; def f() { pass }"),
        ("x = 1\n  y = 2\nz = 3\n", "x = 1; y = 2; z = 3"),
    ]);
}

#[test]
fn a_text_without_its_end_hides_a_bracket() {
    let text = "f('a, b = 1)\nx = 1\n";
    assert_eq!(shown(text), "f(?'a, b = 1)); x = 1");
    assert_eq!(parse(text).errors.len(), 2);
}

#[test]
fn each_line_of_a_block_tells_its_mistake() {
    let text = "def f(a b):\n  x = [1 2]\n  if = 1:\n    y = \n  return x.\n";
    assert_eq!(shown(text), "def f(a, b) { x = [1, 2]; if ? { y = ? }; return x._ }");
    assert_eq!(parse(text).errors.len(), 5);
}

#[test]
fn tokens_around_a_place() {
    let kinds = |text: &str| {
        let found = tokens(text);
        for pair in found.windows(2) {
            assert!(pair[0].span.start <= pair[1].span.start, "{text}");
        }
        found.into_iter().map(|token| token.kind).collect::<Vec<_>>()
    };
    use Kind::{
        BadStr, Broken, Comma, Dedent, Dot, End, Eq, Indent, LBracket, LParen, Name, Newline,
    };
    assert_eq!(kinds("f(a = 'b"), [Name, LParen, Name, Eq, BadStr, Broken, End]);
    assert_eq!(kinds("f(a, [b.\nx = 1\n")[..7], [Name, LParen, Name, Comma, LBracket, Name, Dot]);
    assert_eq!(kinds("x = \"\"\"a\nb"), [Name, Eq, BadStr, Newline, End]);
    assert_eq!(
        kinds("if x:\n  y"),
        [Kind::If, Name, Kind::Colon, Newline, Indent, Name, Newline, Dedent, End]
    );
    assert_eq!(kinds(""), [End]);
}
