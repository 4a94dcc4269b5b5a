//! What is written, and what the interpreter gets.

use crate::support::desugared;

#[track_caller]
fn same(text: &str) {
    gives(text, text);
}

#[track_caller]
fn gives(text: &str, expected: &str) {
    let found = desugared(text).text;
    assert_eq!(found, expected, "from\n{text}");
}

#[test]
fn what_both_read_alike_is_kept() {
    for text in [
        "",
        "# only a comment",
        "jobs = [Job(name='n', task=Task(processes=[Process(name=\"p\")]))]  # ü\n",
        "if x and not y or z in 'd': pass\nelif not not x not in ['d', 1]:\n  pass\nelse:\n\n  v = 1\n",
        "x = y if z else [1, (2,), {}, {'a': 1}, d[1:2], d[::-1], -1, ~1, 1.5e3]\n",
        "x = 1 | 2\ny = 4 >> 1\nx |= 1\n",
        "x = 1024*1024\ny = 7 % 3\nz = 1 + 2 - 3\n",
        "f = lambda a, *b, c=1, **k: a\n",
        "x = '''a\n{{b}}\\\n''' ; y = r'\\d' ; z = '\\d\\n\\x41\\101\\''\n",
        "f(1, a=2, *d, **d)\n",
        "x.attr = x.y.bind(a=1)(b=2)\n",
        "(a, [b, c]), d['k'] = x, y\n",
        "load(\"@std//http.aurora\", \"http_service\", other=\"worker\")\n",
    ] {
        same(text);
    }
}

#[test]
fn operators() {
    gives("a = b = 1", "__au_v = 1; a = __au_v; b = __au_v");
    gives("x = 64*MB", "x = __au_mul(64,MB)");
    gives("x = 7 / 2", "x = __au_div(7 , 2)");
    gives("x = -7 / 2", "x = __au_div(-7 , 2)");
    gives("from __future__ import division\nx = 7 / y", "pass\nx = 7 / y");
    gives("x = 'a' + 'b' - y", "x = __au_sub(__au_add('a' , 'b') , y)");
    gives("x = 1 + 2 * y", "x = __au_add(1 , __au_mul(2 , y))");
    gives("x = (1 + y) * 2", "x = __au_mul((__au_add(1 , y)) , 2)");
    gives("x = y // 2 % z", "x = __au_mod(__au_floordiv(y , 2) , z)");
    gives("x = -y ** 2 ** -z", "x = -__au_pow(y , __au_pow(2 , -z))");
    gives(
        "x = y is None and z is  not None <> 1",
        "x = y == None and (z != None and __au_ne(None, 1))",
    );
    gives("x = y in z or y not in z", "x = __au_in(y , z) or (not __au_in(y , z))");
    gives("x = y < z | {1}", "x = __au_lt(y , __au_or(z , __au_set([1])))");
    gives("x = y == 1 or y != True", "x = __au_eq(y , 1) or __au_ne(y , True)");
    gives("if 0 <> y: pass", "if __au_ne(0 , y): pass");
    gives("x = y == 2 and y < 1 and y is True", "x = y == 2 and y < 1 and y == True");
    gives("x = 1 << 2 >> 3", "x = (__au_lshift(1 , 2) >> 3)");
    gives("x = y >> 2 << 3", "x = __au_lshift((y >> 2) , 3)");
    gives("v += 1", "v = __au_iadd(v, 1)");
    gives("v -= 1, 2", "v = __au_sub(v, (1, 2))");
    gives("v **= 2", "v = __au_pow(v, 2)");
    gives("d[x] /= 2", "d[x] = __au_div(d[x], 2)");
    gives(
        "f(x)[y] += 2",
        "__au_o = f(x); __au_k = y; __au_o[__au_k] = __au_iadd(__au_o[__au_k], 2)",
    );
    gives("x = ('a'  # first\n     + y)", "x = (__au_add('a'  # first\n     , y))");
}

#[test]
fn chained_comparisons_compute_each_side_once() {
    gives("x = 1 < y <= 3", "x = (1 < y and y <= 3)");
    gives("x = f(1) < y.z < f(2)", "x = (__au_lt(f(1), y.z) and __au_lt(y.z, f(2)))");
    gives(
        "x = 1 < f(y) < f(z)",
        "x = (lambda __au_l, __au_r: __au_lt(__au_l, __au_r) and __au_lt(__au_r, f(z)))(1, f(y))",
    );
    gives(
        "x = 1 < f(y) == z in d",
        "x = (lambda __au_l, __au_r: __au_lt(__au_l, __au_r) and (lambda __au_l, __au_r: \
         __au_eq(__au_l, __au_r) and __au_in(__au_r, d))(__au_r, z))(1, f(y))",
    );
}

#[test]
fn text() {
    gives("x = u'a' ; y = b\"b\" ; z = R'c'", "x = 'a' ; y = \"b\" ; z = r'c'");
    gives("x = 'a' 'b\"'", "x = \"ab\\\"\"");
    gives("x = ('a'\n  'b')\n", "x = (\"ab\"\\\n)\n");
    gives("x = 'a' \\\n  'b'\n", "x = \"ab\"\\\n\n");
    // Python 2: `\u` names a character only in `u'…'`; bytes are read as UTF-8.
    gives("x = '\\u00e9'", "x = \"\\\\u00e9\"");
    gives("x = u'\\u00e9\\U0001F600\\xe9'", "x = \"é😀é\"");
    gives("x = '\\xc3\\xa9'", "x = \"é\"");
    gives("x = u'\\ud83d\\ude00'", "x = \"😀\"");
    gives("x = ur'\\u00e9\\d'", "x = \"é\\\\d\"");
    gives("x = r'it\\'s'", "x = \"it\\\\'s\"");
    gives("x = '\\377\\0'", "x = \"ÿ\\x00\"");
    gives("from __future__ import unicode_literals\nx = '\\u00e9'", "pass\nx = \"é\"");
    gives("x = `1, 2` + `y`", "x = __au_add(repr((1, 2)) , repr(y))");
    gives("x = '%s' % y", "x = __au_mod('%s' , y)");
    gives("x = 'a' 'b' % y", "x = __au_mod(\"ab\" , y)");
}

#[test]
fn f_strings() {
    gives("x = f'a{{b}}'", "x = __au_fstr(\"a{b}\")");
    gives(
        "x = f'{y}{z!r:>5}'",
        "x = __au_fstr(__au_fmt(y, \"\", \"\"), __au_fmt(z, \">5\", \"r\"))",
    );
    gives(
        "x = f'{y + 1:{z}}'",
        "x = __au_fstr(__au_fmt(__au_add(y , 1), __au_fstr(__au_fmt(z, \"\", \"\")), \"\"))",
    );
    gives("x = 'p\\n' f'{y = }'", "x = __au_fstr(\"p\\n\", \"y = \", __au_fmt(y, \"\", \"r\"))");
    gives("x = f'{d[\"k\"]}'", "x = __au_fstr(__au_fmt(d[\"k\"], \"\", \"\"))");
    gives("x = f'{y != z}'", "x = __au_fstr(__au_fmt(__au_ne(y , z), \"\", \"\"))");
    gives(
        "x = f'''\n{y}\n'''\n",
        "x = __au_fstr(\"\\n\", __au_fmt(y, \"\", \"\"), \"\\n\")\\\n\\\n\n",
    );
}

#[test]
fn numbers() {
    gives(
        "x = [0755, 0o17, 0xFFL, 10L, 00, 0, 1_000, 1_0.5]",
        "x = [0o755, 0o17, 0xFF, 10, 0o0, 0, 1000, 10.5]",
    );
}

#[test]
fn layout() {
    gives("if x:\n\ty = 1\n        z = 2\n", "if x:\n        y = 1\n        z = 2\n");
    gives("x =\t1\t# a\tb\n", "x = 1 # a\tb\n");
    gives("\u{feff}x = 1\r\ny = 'é'\r\n", "x = 1\r\ny = 'é'\r\n");
    gives("x = 1\ry = 2\r", "x = 1\ny = 2\n");
    gives("x = 1 + \\\n  y; z = 2;\n", "x = __au_add(1 , \\\n  y); z = 2;\n");
}

#[test]
fn loops_and_functions() {
    gives("for i in 'ab': f(i)", "for i in __au_iter('ab'): __au_tick(); f(i)");
    gives("for i, j in x, y:\n  f(i)\n", "for i, j in __au_iter((x, y)):\n  __au_tick(); f(i)\n");
    gives(
        "for i in x:\n  if i:\n    continue\n",
        "for i in __au_iter(x):\n  __au_tick()\n  if i:\n    continue\n",
    );
    gives(
        "while v < 3:\n  # why\n  v += 1\n",
        "for __au_w in __au_forever():\n  # why\n  if not (v < 3): break\n  __au_tick(); v = __au_iadd(v, 1)\n",
    );
    gives(
        "if x:\n  while y: f(1); break\n",
        "if x:\n  for __au_w in __au_forever():\n   if not (y): break\n   __au_tick(); f(1); break\n",
    );
    gives("def g(a, *, b: int = 1) -> str: return a", "def g(a, *, b = 1) : __au_tick(); return a");
    gives("def g(a, /, b):\n  return a\n", "def g(a, /, b):\n  __au_tick(); return a\n");
}

#[test]
fn comprehensions() {
    gives("a = [i for i in x]", "a = [i for i in __au_iter(x) if __au_tick()]");
    gives(
        "a = [i for i in x if i for j in i]",
        "a = [i for i in __au_iter(x) if __au_tick() if i for j in __au_iter(i) if __au_tick()]",
    );
    gives("a = f(i for i in x)", "a = f([i for i in __au_iter(x) if __au_tick()])");
    gives("a = (i for i in x)", "a = [i for i in __au_iter(x) if __au_tick()]");
    gives("a = {i for i in x}", "a = __au_set([i for i in __au_iter(x) if __au_tick()])");
    gives("a = {1, x}", "a = __au_set([1, x])");
    gives("a = {i: 1 for i in x}", "a = {i: 1 for i in __au_iter(x) if __au_tick()}");
    gives("a = [i for i in 1, 2]", "a = [i for i in __au_iter((1, 2)) if __au_tick()]");
    // The first of what is gone over does not see the names of the comprehension.
    gives("a = [b for b in b]", "a = [b for b in __au_iter(__au_name(\"b\")) if __au_tick()]");
}

#[test]
fn of_entries_with_one_key_the_last_counts() {
    same("a = {'b': 1, \"c\": 2, 3: x}");
    same("a = {x: 1}");
    gives("a = {x: 1, 'b': y + 1}", "a = dict([(x, 1), ('b', __au_add(y , 1))])");
    gives("a = {'b': 1, u'b': 2,}", "a = dict([('b', 1), ('b', 2),])");
    gives("dict = 1\na = {x: 1, y:\n 2}", "dict = 1\na = __au_name(\"dict\")([(x, 1), (y, \n2)])");
}

#[test]
fn structs() {
    gives(
        "class P(Struct):\n  a = Required(String)  # c\n\n  b = Default(Integer, 1)\nx = P",
        "\n__au_f_a = Required(String)  # c\n\n__au_f_b = Default(Integer, 1); P = __au_class(\"P\", \
         (Struct, ), [(\"a\", __au_f_a), (\"b\", __au_f_b), ])\nx = P",
    );
    gives(
        "class P(Struct): a = String; b = a\n",
        "__au_f_a = String; __au_f_b = __au_f_a; P = __au_class(\"P\", (Struct, ), [(\"a\", \
         __au_f_a), (\"b\", __au_f_b), ])\n",
    );
    gives(
        "if x:\n  class P(Struct):\n    \"\"\"Doc\n    more\"\"\"\n    pass\n",
        "if x:\n  \n  pass\n  pass; P = __au_class(\"P\", (Struct, ), [])\n",
    );
    gives(
        "class P(Struct):\n  a = b = String\n  def m(self):\n    return 1\n",
        "\n__au_v = String; __au_f_a = __au_v; __au_f_b = __au_v\npass; P = __au_class(\"P\", \
         (Struct, ), [(\"a\", __au_f_a), (\"b\", __au_f_b), ])\n",
    );
}

#[test]
fn statements() {
    gives("assert x", "__au_assert(x, None)");
    gives("assert x, 'no ' + y", "(x) or __au_assert(False, __au_add('no ' , y))");
    gives("raise ValueError('a', x)", "__au_raise(\"ValueError\", 'a', x)");
    gives("raise ValueError, 'a'", "__au_raise(\"ValueError\", 'a')");
    gives("raise ValueError", "__au_raise(\"ValueError\")");
    gives("del d[x], d['y']", "d.pop(x); d.pop('y')");
    gives("v, = x,\nx,", "(v,) = (x,)\n(x,)");
    gives("v, w = x", "v, w = __au_iter(x)");
    gives("for v, in x, y,: pass", "for (v,) in __au_iter((x, y,)): __au_tick(); pass");
    gives("print 'a', x", "print('a', x)");
    gives("print", "print()");
    gives("print -x,", "print(-x)");
    gives("print('a')", "print('a')");
    gives("x: int = 1\ny: str\n", "x = 1\npass\n");
}

#[test]
fn imports() {
    gives("import os", "os = __au_import(\"os\", None)");
    gives(
        "import os.path, math as m",
        "os = __au_import(\"os\", None); m = __au_import(\"math\", None)",
    );
    gives(
        "from os import path as p, environ",
        "p = __au_import(\"os\", \"path\"); environ = __au_import(\"os\", \"environ\")",
    );
    gives(
        "from math import *\na = floor(1)",
        "__au_import(\"math\", \"*\")\na = __au_name(\"floor\")(1)",
    );
    for own in [
        "from pystachio import Struct, String",
        "from apache.aurora.config.schema.base import *",
        "from apache.thermos.config.schema import (\n  Process,\n  Task)",
        "from twitter.mesos.config.schema import *",
        "import pystachio",
        "from __future__ import print_function",
    ] {
        gives(own, "pass");
    }
    gives("from pystachio import String as S\na = S", "S = String\na = S");
}

#[test]
fn calls() {
    gives("a = x.upper()", "a = __au_call(\"upper\", x)");
    gives(
        "a = x.strip().replace('a', y)[0].split(sep=',')",
        "a = __au_call(\"split\", __au_call(\"replace\", __au_call(\"strip\", x), 'a', y)[0], sep=',')",
    );
    gives("a = (x\n  .upper()\n  .y)", "a = (__au_call(\"upper\", x\n  )\n  .y)");
    gives(
        "a = ','.join(i for i in x)",
        "a = __au_call(\"join\", ',', [i for i in __au_iter(x) if __au_tick()])",
    );
    gives("x.append(1)", "x.append(1)");
    gives("f(*x, a=1, **y)", "f(a=1, *x, **y)");
    gives("f(async=1, a=2, load=f)", "f(a=2, **{\"async\": 1, \"load\": f})");
    gives("f(**x, a=1)", "f(a=1, **x)");
    gives("x[1, 2]", "x[(1, 2)]");
}

#[test]
fn names() {
    gives("a = other", "a = __au_name(\"other\")");
    gives(
        "def g(p):\n  q = p\n  return q, r\n",
        "def g(p):\n  __au_tick(); q = p\n  return q, __au_name(\"r\")\n",
    );
    gives(
        "order = order(1)\na = order",
        "order = __au_name(\"order\")(1)\na = __au_name(\"order\")",
    );
    gives(
        "def load(x): return x\na = load(1)",
        "def __au_load(x): __au_tick(); return x\na = __au_load(1)",
    );
    gives(
        "async = 1\nf(async=async).await",
        "__au_async = 1\ngetattr(f(**{\"async\": __au_async}), \"await\")",
    );
    gives("a = lambda v: v + w", "a = lambda v: __au_add(v , __au_name(\"w\"))");
}
