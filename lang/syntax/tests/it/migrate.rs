//! Files as Python 2 has them, and in the plain form of the language.

use crate::support::{fixtures, interpreter_error};

#[track_caller]
fn gives(text: &str, expected: &str) {
    let once = aurora_syntax::migrate(text).expect("a text without errors");
    assert_eq!(once.text, expected, "from\n{text}");
    assert_eq!(once.notes, [], "of\n{text}");
    let again = aurora_syntax::migrate(expected).expect("a text without errors");
    assert_eq!((again.text.as_str(), again.edits.len()), (expected, 0));
}

/// What stays as it is, with a note about a part of it.
#[track_caller]
fn notes(text: &str, place: &str) {
    let migration = aurora_syntax::migrate(text).expect("a text without errors");
    assert_eq!(migration.text, text);
    let places: Vec<&str> = migration.notes.iter().map(|note| &text[note.range.clone()]).collect();
    assert_eq!(places, [place], "of\n{text}");
}

#[test]
fn structs() {
    gives(
        "class P(Struct):\n  a = String  # what\n  # how\n  b = Required(String)\n\n  c = Default(Integer, 3);\n\nx = P()\n",
        "P = struct_type(\n  \"P\",\n  a=String,  # what\n  # how\n  b=Required(String),\n\n  c=Default(Integer, 3),\n)\n\nx = P()\n",
    );
    gives(
        "if x:\n  class P(Struct):  # why\n    '''One.\n\n    Two.\n    '''\n    a = String; b = Integer\n",
        "if x:\n  P = struct_type(\n    \"P\",  # why\n    # One.\n    #\n    # Two.\n    a=String, b=Integer,\n  )\n",
    );
    gives("class P(Struct): pass", "P = struct_type(\"P\")");
    gives(
        "class P(Struct): a = String; b = Integer",
        "P = struct_type(\"P\", a=String, b=Integer)",
    );
    gives(
        "class P(Struct):\n\ta = u'' 'x'.y\n\n",
        "P = struct_type(\n        \"P\",\n        a=('' + 'x').y,\n)\n\n",
    );
    notes("class P(Q):\n  pass\n", "class P(Q):");
    notes("class P(Struct):\n  a = String\n  b = Default(Integer, a)\n", "a");
    notes("class P(Struct):\n  def m(self): pass\n", "def m(self): pass");
    for value in ["3", "-3", "3 * MB", "[String]", "{}", "None", "(True)", "lambda: 1", "x == y"] {
        notes(&format!("class P(Struct):\n  a = String\n  n = {value}\n"), value);
    }
    notes("class P(Struct): a = String; n = 3\n", "3");
    notes("N = 3\nclass P(Struct):\n  n: Integer = N\n", "N");
}

#[test]
fn imports() {
    gives(
        "# c\nimport os, math\nfrom pystachio import *\nfrom apache.aurora.config.schema.base import Job\n\nx = os.getenv('A') + math.pi\n",
        "# c\nimport math\n\nx = env('A', None) + math.pi\n",
    );
    gives("import getpass\nx = getpass.getuser()", "x = user()");
    gives("from getpass import getuser as g\nx = g()", "x = user()");
    gives(
        "import os\nx = os.environ[u'A']\ny = os.environ.get('B', 'c')",
        "x = env('A')\ny = env('B', 'c')",
    );
    gives(
        "from os import environ, path\nx = environ['A'] + path.join('b', *c)",
        "x = env('A') + path_join('b', *c)",
    );
    gives(
        "from os.path import join, basename\nx = join(basename(a), b)",
        "from os.path import basename\nx = path_join(basename(a), b)",
    );
    gives("from textwrap import dedent\nx = dedent('''\n a''')", "x = dedent('''\n a''')");
    gives(
        "import textwrap\nx = map(textwrap.dedent, [textwrap.dedent(u'a')])",
        "import textwrap\nx = map(textwrap.dedent, [dedent('a')])",
    );
    gives("import os\nx = os.path.join(os.environ['A'], 'b')", "x = path_join(env('A'), 'b')");
    gives("def f():\n  import pystachio\n", "def f():\n  pass\n");
    gives(
        "from __future__ import division, print_function\nx = 7 / 2",
        "from __future__ import division\nx = 7 / 2",
    );
    gives(
        "import hashlib\nwith open('a', 'rb') as f:\n  # sum\n  m = hashlib.md5(f.read()).hexdigest()\n",
        "m = file_digest('a', \"md5\")\n",
    );
    gives(
        "import hashlib\nm = hashlib.sha1(open(a).read()).hexdigest()",
        "m = file_digest(a, \"sha1\")",
    );
    // What the file calls by a name of the language stays.
    notes("import os\nenv = os.environ['A']\n", "os");
    notes("try:\n  x = 1\nexcept E:\n  pass\n", "try");
}

#[test]
fn words() {
    gives("x = u'a' + b\"b\" + ur'c' + R'd'", "x = 'a' + \"b\" + r'c' + r'd'");
    gives("x = u'\\u00e9' + '\\u00e9'", "x = \"é\" + '\\u00e9'");
    gives("from __future__ import unicode_literals\nx = '\\u00e9'", "x = \"é\"");
    gives("x = 'a' 'b'", "x = 'a' + 'b'");
    gives("x = 'a''b' % c", "x = ('a' + 'b') % c");
    gives("x = ('a'  # c\n     u'b')", "x = ('a' +  # c\n     'b')");
    gives("x = f('a'\n  'b'.join(c))", "x = f(('a' +\n  'b').join(c))");
    gives("x = [0755, 10L, 0xFFL, 00]", "x = [0o755, 10, 0xFF, 0o0]");
    gives("x = a <> b or a is b and a is not c", "x = a != b or a == b and a != c");
    gives("x = 7 / 2 + a / 2", "x = 7 // 2 + a / 2");
    gives("x = `a` + `b, c`", "x = repr(a) + repr((b, c))");
    gives("x = 1 < a <= 3", "x = 1 < a and a <= 3");
    gives("x = not 1 < a.b < 3", "x = not (1 < a.b and a.b < 3)");
    notes("x = 1 < f() < 3", "f()");
    gives("print 'a', b\nprint\nprint('c')", "print('a', b)\nprint()\nprint('c')");
    gives("raise ValueError, 'a'", "raise ValueError('a')");
    gives(
        "x = f(i for i in a), (i for i in a), {1, 2}, {i for i in a}",
        "x = f([i for i in a]), [i for i in a], set([1, 2]), set([i for i in a])",
    );
    gives("x = f(i for i in a if not 1 < i < 3)", "x = f([i for i in a if not (1 < i and i < 3)])");
    gives("\u{feff}if a:\n\tx =\t1\n", "if a:\n        x = 1\n");
    gives("x = '%05d' % y  # é\r\n", "x = '%05d' % y  # é\r\n");
}

#[test]
fn every_file_can_be_run_as_before() {
    for (path, text) in fixtures() {
        let Ok(once) = aurora_syntax::migrate(&text) else { continue };
        let again = aurora_syntax::migrate(&once.text).expect("a text without errors");
        assert_eq!(again.text, once.text, "{path}");
        let desugared =
            |text: &str| aurora_syntax::desugar(&aurora_syntax::parse(text), text, &|_| true);
        let (before, after) = (desugared(&text), desugared(&once.text));
        assert!(after.errors.len() <= before.errors.len(), "{path}");
        if after.errors.is_empty() {
            assert_eq!(interpreter_error(&after.text), None, "{path}");
        }
    }
}
