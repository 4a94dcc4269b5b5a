//! The common layout.

use crate::support::fixtures;

#[track_caller]
fn gives(text: &str, expected: &str) {
    let once = aurora_syntax::format(text).expect("a text without errors");
    assert_eq!(once, expected, "from\n{text}");
    assert!(aurora_syntax::same_words(text, &once));
    assert_eq!(aurora_syntax::format(&once).expect("a text without errors"), once);
}

#[test]
fn blanks_stand_between_words() {
    gives("x=1+2 *-y\n", "x = 1 + 2 * -y\n");
    gives("f ( a,b = 1 , * c , ** d )", "f(a, b=1, *c, **d)\n");
    gives("x = d [ 1 : -1 ] [ 'a' ] . b ( )", "x = d[1:-1]['a'].b()\n");
    gives("x = { 'a' :1, }\n", "x = {\n  'a': 1,\n}\n");
    gives("x=[1,2 , 3]", "x = [1, 2, 3]\n");
    gives("ram = 64 * MB + 1.5 *GB + n*GB", "ram = 64*MB + 1.5*GB + n * GB\n");
    gives("f=lambda a,b=1,*c:a*b", "f = lambda a, b=1, *c: a * b\n");
    gives("if not(x)and(y)or -1 in(1,):pass", "if not (x) and (y) or -1 in (1,): pass\n");
    gives("def g( a,b = 2,* ,c )->int :\n return a", "def g(a, b=2, *, c) -> int:\n  return a\n");
    gives("a ;b;", "a; b;\n");
    gives("print 'a',x ; print -1 ; print(2)", "print 'a', x; print -1; print(2)\n");
    gives("x = ` y `+1 is   not 3", "x = `y` + 1 is not 3\n");
    gives("x = u'a'  \"b\" f'{ x }'", "x = u'a' \"b\" f'{ x }'\n");
    gives("x = 'a'%(b)", "x = 'a' % (b)\n");
    gives("x**=2**-y;a<>b", "x **= 2 ** -y; a <> b\n");
    gives("@ a.b\ndef g(): pass", "@a.b\ndef g(): pass\n");
}

#[test]
fn blocks_and_empty_lines() {
    gives("\n\n\nx = 1\n\n\n\n\ny = 2\n\n\n", "x = 1\n\n\ny = 2\n");
    gives(
        "if x:\n\n\ty = 1\n\telse_ = 2\nelse:\n      z = 3\n",
        "if x:\n  y = 1\n  else_ = 2\nelse:\n  z = 3\n",
    );
    gives("\u{feff}x = 1\r\ny = '''a\r\nb'''\r\n", "x = 1\ny = '''a\nb'''\n");
    gives("", "");
}

#[test]
fn comments_stay_where_they_belong() {
    gives("#a\n\n#  b\nx = 1 # c\n# d", "#a\n\n#  b\nx = 1  # c\n# d\n");
    gives(
        "if x:\n    # in\n    y = 1\n    # after\n\n# out\nz = 1\n",
        "if x:\n  # in\n  y = 1\n  # after\n\n# out\nz = 1\n",
    );
    gives(
        "x = [ # first\n 1, # one\n # before two\n\n 2 # two\n # last\n]\n",
        "x = [  # first\n  1,  # one\n  # before two\n  2,  # two\n  # last\n]\n",
    );
    gives("f(a, # why\n  b)", "f(\n  a,  # why\n  b,\n)\n");
    gives("x = ('a' # c\n 'b')\n", "x = (\n  'a'  # c\n  'b'\n)\n");
}

#[test]
fn long_calls_have_one_argument_a_line() {
    let name = "n".repeat(60);
    gives(
        &format!("x = Job(name='{name}', cluster='cluster', role='role', *args)"),
        &format!("x = Job(\n  name='{name}',\n  cluster='cluster',\n  role='role',\n  *args\n)\n"),
    );
    gives(
        &format!("x = f(a).bind(name='{name}', cluster='cluster', role='role')"),
        &format!("x = f(a).bind(\n  name='{name}',\n  cluster='cluster',\n  role='role',\n)\n"),
    );
    gives(
        &format!("jobs.append(Job(name='{name}', cluster='cluster', role='a role'))"),
        &format!(
            "jobs.append(Job(\n  name='{name}',\n  cluster='cluster',\n  role='a role',\n))\n"
        ),
    );
    gives(
        &format!("x = [Job(name='{name}', key=key) for key in keys if key.value != other]"),
        &format!(
            "x = [\n  Job(name='{name}', key=key)\n  for key in keys\n  if key.value != other\n]\n"
        ),
    );
    gives("x = Job(a=1,\n  b=2)", "x = Job(a=1, b=2)\n");
    gives("x = Job(\n  a=1, b=2)", "x = Job(\n  a=1,\n  b=2,\n)\n");
    gives("x = Job(a=1, b=2,)", "x = Job(\n  a=1,\n  b=2,\n)\n");
    gives("x = Job(\n  a=1,\n\n\n  b=2).bind(c=3)", "x = Job(\n  a=1,\n\n  b=2,\n).bind(c=3)\n");
    gives("x = [Job(\n  a=1)\n  .bind(c=3)]", "x = [\n  Job(\n    a=1,\n  ).bind(c=3),\n]\n");
    gives("x = f('a'\n  'b', c)", "x = f(\n  'a'\n      'b',\n  c,\n)\n");
    gives("x = dedent('''\n  a\n''')\n", "x = dedent('''\n  a\n''')\n");
    gives("x = (a,)\ny = d[\n  1]", "x = (a,)\ny = d[1]\n");
    gives("x = 1 + \\\n  2", "x = 1 + 2\n");
    gives(&format!("x = '{name}' + \\\n  '{name}'"), &format!("x = '{name}' + \\\n    '{name}'\n"));
}

#[test]
fn every_file_keeps_its_meaning() {
    for (path, text) in fixtures() {
        let Ok(once) = aurora_syntax::format(&text) else { continue };
        assert!(aurora_syntax::same_words(&text, &once), "{path}");
        assert_eq!(aurora_syntax::format(&once).expect("a text without errors"), once, "{path}");
        let meaning = |text: &str| {
            let parsed = aurora_syntax::parse(text);
            aurora_syntax::desugar(&parsed, text, &|_| true).text
        };
        assert!(aurora_syntax::same_words(&meaning(&text), &meaning(&once)), "{path}");
    }
}
