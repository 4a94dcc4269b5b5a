//! Other names: what is changed, what is refused, and that files mean the same afterwards.

use aurora_ide::rename::{prepare, rename};

use crate::fixture::{Fixture, check};

/// The files after a renaming, those that are changed; or why it is refused. The name is what stands
/// before the first `|` of the case.
fn renamed(case: &str) -> String {
    let (name, case) = case.split_once('|').unwrap();
    let fixture = Fixture::new(case);
    let edits = match rename(&fixture.world, &fixture.file, fixture.at, name) {
        Ok(edits) => edits,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    let after = fixture.edited(&edits);
    let mut out = String::new();
    for file in after.world.files() {
        if fixture.world.file(&file.id).unwrap().text != file.text {
            out.push_str(&file.text);
        }
    }
    out
}

/// The same for files that come to jobs, which must come to the same jobs afterwards.
fn same(case: &str) -> String {
    let (name, text) = case.split_once('|').unwrap();
    let fixture = Fixture::new(text);
    let before = fixture.exported();
    assert!(before.contains("\"ok\":true"), "{text}\n{before}");
    match rename(&fixture.world, &fixture.file, fixture.at, name) {
        Ok(edits) => assert_eq!(fixture.edited(&edits).exported(), before, "{case}"),
        Err(refusal) => return format!("refused: {refusal}"),
    }
    renamed(case)
}

/// A job around what a case is about: a process with this command line, and what is bound.
fn job(before: &str, cmdline: &str, after: &str) -> String {
    format!(
        "{before}jobs = [Service(cluster = 'c', role = 'r', environment = 'prod', name = 'n', task = Task(\n\
         processes = [Process(name = 'p', cmdline = {cmdline})],\n\
         resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))){after}]\n"
    )
}

fn check_jobs(cases: &[(&str, [&str; 3], [&str; 3])]) {
    for (name, [before, cmdline, after], wanted) in cases {
        let case = format!("{name}|{}", job(before, cmdline, after));
        assert_eq!(same(&case), job(wanted[0], wanted[1], wanted[2]), "{case}");
    }
}

#[test]
fn variables_functions_and_parameters() {
    check_jobs(&[
        ("b", ["$0a = 'x'  # a\n", "a + 'a'", ""], ["b = 'x'  # a\n", "b + 'a'", ""]),
        ("b", ["a = 'x'\na += 'y'\n", "$0a", ""], ["b = 'x'\nb += 'y'\n", "b", ""]),
        (
            "b",
            ["a = ['x', 'y']\n", "' '.join([$0a for a in a])", ""],
            ["a = ['x', 'y']\n", "' '.join([b for b in a])", ""],
        ),
        (
            "b",
            ["def f(a, c = 'd'):\n  return a + c\n", "f($0a = 'x') + f('a')", ""],
            ["def f(b, c = 'd'):\n  return b + c\n", "f(b = 'x') + f('a')", ""],
        ),
        (
            "g",
            ["def f(x):\n  return x and f(x[1:]) or 'y'\n", "$0f('xy')", ""],
            ["def g(x):\n  return x and g(x[1:]) or 'y'\n", "g('xy')", ""],
        ),
        ("y", ["f = lambda $0x: x + x\n", "f('a')", ""], ["f = lambda y: y + y\n", "f('a')", ""]),
        ("b", ["a = 1\n", "f'{$0a} {{a}} {a!r}'", ""], ["b = 1\n", "f'{b} {{a}} {b!r}'", ""]),
        (
            "Spec",
            [
                "class P(Struct):\n  a = Default(String, 'b')\nclass Q(P):\n  pass\n",
                "'{{p.a}}'",
                ".bind(p = $0P())",
            ],
            [
                "class Spec(Struct):\n  a = Default(String, 'b')\nclass Q(Spec):\n  pass\n",
                "'{{p.a}}'",
                ".bind(p = Spec())",
            ],
        ),
        (
            "item",
            ["all = []\nfor $0i in ['a']:\n  all.append(i)\n", "all[0] + i", ""],
            ["all = []\nfor item in ['a']:\n  all.append(item)\n", "all[0] + item", ""],
        ),
        (
            "o",
            ["import os as $0os2\n", "os2.path.join('a', 'b')", ""],
            ["import os as o\n", "o.path.join('a', 'b')", ""],
        ),
    ]);
}

#[test]
fn names_of_several_files() {
    let main = |load: &str, cmdline: &str| job(load, cmdline, "");
    for (name, files, wanted) in [
        (
            "z",
            format!(
                "#- a.aurora\n{}#- b.aurora\nload('c.aurora', 'y')\n#- c.aurora\n$0y = 'x'\n",
                main("load('b.aurora', 'y')\n", "y")
            ),
            format!("{}load('c.aurora', 'z')\nz = 'x'\n", main("load('b.aurora', 'z')\n", "z")),
        ),
        // An alias is the file's own, whatever it stands for.
        (
            "z",
            format!(
                "#- a.aurora\n{}#- b.aurora\ny = 'x'\n",
                main("load('b.aurora', x = 'y')\n", "$0x")
            ),
            main("load('b.aurora', z = 'y')\n", "z"),
        ),
        (
            "z",
            format!(
                "#- a.aurora\n{}#- b.aurora\n$0y = 'x'\n",
                main("load('b.aurora', x = 'y')\n", "x")
            ),
            format!("{}z = 'x'\n", main("load('b.aurora', x = 'z')\n", "x")),
        ),
        (
            "z",
            format!(
                "#- a.aurora\n{}#- b.aurora\ny = 'x'\n",
                main("load('b.aurora', x = '$0y')\n", "x")
            ),
            format!("{}z = 'x'\n", main("load('b.aurora', x = 'z')\n", "x")),
        ),
        (
            "z",
            format!(
                "#- a.aurora\n{}#- b.aurora\ny = 'x'\ndef f():\n  return y + more\n#- d.aurora\nincludes = 1\n",
                main("more = 'm'\ninclude('b.aurora')\n", "f() + $0y")
            ),
            format!(
                "{}z = 'x'\ndef f():\n  return z + more\n",
                main("more = 'm'\ninclude('b.aurora')\n", "f() + z")
            ),
        ),
        (
            "count",
            format!(
                "#- a.aurora\n{}#- b.aurora\ndef f(n):\n  return 'x' * n\n",
                main("load('b.aurora', g = 'f')\n", "g($0n = 2)")
            ),
            format!(
                "{}def f(count):\n  return 'x' * count\n",
                main("load('b.aurora', g = 'f')\n", "g(count = 2)")
            ),
        ),
    ] {
        assert_eq!(same(&format!("{name}|{files}")), wanted, "{files}");
    }
}

#[test]
fn fields_of_classes() {
    let class = "class P(Struct):\n  $0host = Default(String, 'h')\n  url = Default(String, '{{host}}:80')\n";
    let other =
        "class P(Struct):\n  node = Default(String, 'h')\n  url = Default(String, '{{node}}:80')\n";
    check_jobs(&[
        (
            "node",
            [class, "'{{p.host}} {{p.url}}'", ".bind(p = P(host = 'x')(host = 'y'))"],
            [other, "'{{p.node}} {{p.url}}'", ".bind(p = P(node = 'x')(node = 'y'))"],
        ),
        (
            "node",
            [class, "'{{host}} {{url}}'", ".bind(P({'host': 'x'}))"],
            [other, "'{{node}} {{url}}'", ".bind(P({'node': 'x'}))"],
        ),
        (
            "node",
            [class, "str(P().host()) + str(P().has_host()) + str(getattr(P(), 'host')())", ""],
            [other, "str(P().node()) + str(P().has_node()) + str(getattr(P(), 'node')())", ""],
        ),
        (
            "node",
            [class, "'{{p.host}}'", ".bind({'p.host': 'z'}).bind(p = P())"],
            [other, "'{{p.node}}'", ".bind({'p.node': 'z'}).bind(p = P())"],
        ),
        (
            "count",
            [
                "class P(Struct):\n  $0instances = Default(Integer, 2)\n\
                 def of(service, p):\n  return service(instances = p.instances()).bind(p = p)\n",
                "'{{p.instances}} {{instances}}'",
                "]\njobs = [of(jobs[0], P(instances = 3))",
            ],
            [
                "class P(Struct):\n  count = Default(Integer, 2)\n\
                 def of(service, p):\n  return service(instances = p.count()).bind(p = p)\n",
                "'{{p.count}} {{instances}}'",
                "]\njobs = [of(jobs[0], P(count = 3))",
            ],
        ),
        (
            "count",
            [
                "P = struct_type('P', $0a = Default(Integer, 2))\n",
                "'{{p.a}}'",
                ".bind(p = P(a = 1))",
            ],
            [
                "P = struct_type('P', count = Default(Integer, 2))\n",
                "'{{p.count}}'",
                ".bind(p = P(count = 1))",
            ],
        ),
    ]);
}

#[test]
fn names_that_are_bound() {
    check_jobs(&[
        (
            "y",
            ["", "'x {{x}} {{x}}'", ".bind($0x = 'x', z = '{{x}}')"],
            ["", "'x {{y}} {{y}}'", ".bind(y = 'x', z = '{{y}}')"],
        ),
        (
            "y",
            ["v = dict(x = 1)\n", "'{{$0x}}'", ".bind(v)"],
            ["v = dict(y = 1)\n", "'{{y}}'", ".bind(v)"],
        ),
        (
            "y",
            ["", "'{{$0x.name}}'", ".bind({'x.name': 'z'}).bind(x = Process(name = 'q'))"],
            ["", "'{{y.name}}'", ".bind({'y.name': 'z'}).bind(y = Process(name = 'q'))"],
        ),
        (
            "y",
            ["x = 1\n", "f'{{{{x}}}} {x}'", ".bind($0x = x)"],
            ["x = 1\n", "f'{{{{y}}}} {x}'", ".bind(y = x)"],
        ),
        (
            "y",
            ["", "'{{a}}'", ".bind(a = '{{x}}').bind(Environment($0x = 1))"],
            ["", "'{{a}}'", ".bind(a = '{{y}}').bind(Environment(y = 1))"],
        ),
    ]);
}

#[test]
fn references_that_are_escaped() {
    // What an export tells as the text before the last interpolation has the new name.
    check(
        renamed,
        &[(
            "y|p = Process(cmdline = '{{x}} {{&$0x}} {{&&x&}}').bind({'x': 1})\n",
            "p = Process(cmdline = '{{y}} {{&y}} {{&&y&}}').bind({'y': 1})\n",
        )],
    );
}

#[test]
fn names_of_processes() {
    check(
        renamed,
        &[
            (
                "run|a = Process(name = '$0go')\nt = Task(name = 'go', processes = [a], constraints = order('go', 'b'))\n",
                "a = Process(name = 'run')\nt = Task(name = 'go', processes = [a], constraints = order('run', 'b'))\n",
            ),
            (
                "run|t = Task(processes = [Process(name = 'a')], constraints = [Constraint(order = [\"$0a\"])])\nu = Task(processes = [Process(name = 'a')], constraints = order('a'))\n",
                "t = Task(processes = [Process(name = 'run')], constraints = [Constraint(order = [\"run\"])])\nu = Task(processes = [Process(name = 'a')], constraints = order('a'))\n",
            ),
            (
                "b|t = Task(processes = [Process(name = '$0a'), Process(name = 'b')])\n",
                "refused: `b` is in use already: main.aurora, line 1",
            ),
            (
                "b|t = Task(processes = [Process(name = '$0a')])\nu = Task(processes = [Process(name = 'b')])\n",
                "t = Task(processes = [Process(name = 'b')])\nu = Task(processes = [Process(name = 'b')])\n",
            ),
            (
                "a/b|p = Process(name = '$0a')\n",
                "refused: `a/b` cannot name a process: it must be a name for a file, without `/`, quotes and braces and not beginning with `.`",
            ),
            (
                "a|p = Process(name = '$0{{x}}-a')\n",
                "refused: the name of this process has references: it is only known later",
            ),
        ],
    );
}

#[test]
fn tables_keep_their_keys() {
    let with = |name: &str| {
        job("", &format!("'{{{{{name}.k}}}}'"), &format!(".bind({name} = {{'k': 'v'}})"))
    };
    let case = with("d").replace(".bind(d", ".bind($0d");
    assert_eq!(same(&format!("e|{case}")), with("e"));
    let case = with("d").replace("d.k", "d.$0k");
    assert_eq!(same(&format!("e|{case}")), "refused: `k` is a key of a table: change it by hand");
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let taken = "refused: `b` is in use already: main.aurora, line 2";
    check(
        renamed,
        &[
            ("b|$0a = 1\nb = 2\nc = a\n", taken),
            ("b|$0a = 1\nc = b\n", taken),
            (
                "b|$0a = 1\ndef f(b):\n  return a + b\n",
                "refused: `b` means something else in main.aurora, line 3",
            ),
            ("b|$0a = 1\ndef f(b):\n  return b\n", "b = 1\ndef f(b):\n  return b\n"),
            ("b|def f(a):\n  return $0a + b\nb = 1\n", taken),
            (
                "b|def f($0a, b):\n  return 1\n",
                "refused: `b` is in use already: main.aurora, line 1",
            ),
            (
                "len|def f($0a):\n  return len(a)\n",
                "refused: `len` is in use already: main.aurora, line 2",
            ),
            ("len|def f($0a):\n  return a\n", "def f(len):\n  return len\n"),
            (
                "b|x = [$0a for a in [1] for b in [2]]\n",
                "refused: `b` is in use already: main.aurora, line 1",
            ),
            (
                "b|class P(Struct):\n  $0a = String\n  b = String\n",
                "refused: `b` is in use already: main.aurora, line 3",
            ),
            (
                "b|p = Process(cmdline = '{{$0a}}{{b}}').bind(a = 1)\n",
                "refused: `b` is in use already: main.aurora, line 1",
            ),
            (
                "name|p = Process(name = 'p', cmdline = '{{a}}').bind($0a = 1)\n",
                "refused: `name` means something else in main.aurora, line 1",
            ),
            (
                "b|#- a.aurora\ninclude('b.aurora')\n$0a = 1\n#- b.aurora\nb = 2\n",
                "refused: `b` is in use already: b.aurora, line 1",
            ),
            (
                "b|#- a.aurora\nload('c.aurora', 'a')\nb = 1\n#- c.aurora\n$0a = 1\n",
                "refused: `b` is in use already: a.aurora, line 2",
            ),
            (
                "_a|#- a.aurora\nload('c.aurora', 'a')\n#- c.aurora\n$0a = 1\n",
                "refused: a.aurora, line 1 loads it, and a name that begins with `_` cannot be loaded",
            ),
        ],
    );
}

#[test]
fn what_is_not_the_users_to_name_is_refused() {
    check(
        renamed,
        &[
            ("b|x = $0Process()\n", "refused: `Process` is a name of the language"),
            ("b|x = $0len('a')\n", "refused: `len` is a name of the language"),
            (
                "b|Process = 1\nx = $0Process\n",
                "refused: `Process` is a name of the language, too: the text does not tell which one is meant",
            ),
            ("b|$0jobs = []\n", "refused: the language reads the `jobs` of a file by this name"),
            ("jobs|$0a = []\n", "refused: `jobs` is a name of the language"),
            ("Process|$0a = []\n", "refused: `Process` is a name of the language"),
            (
                "b|x = Process($0name = 'a')\n",
                "refused: `name` is a field of Process, a struct of the language",
            ),
            (
                "b|x = Process(name = 'a', cmdline = '{{$0name}}')\n",
                "refused: `name` is a field of Process, a struct of the language",
            ),
            (
                "b|x = '{{$0mesos.instance}}'\n",
                "refused: `mesos` is what tasks find where they run",
            ),
            (
                "b|x = '{{thermos.ports[$0http]}}'\n",
                "refused: `http` is the name of a port, which others look for: change it by hand",
            ),
            (
                "b|x = '{{$0a}}'\n",
                "refused: no file binds `a`: whoever gives it a value, as with `--bind a=value`, would have to be told",
            ),
            (
                "mesos|x = Process(cmdline = '{{$0a}}').bind(a = 1)\n",
                "refused: `mesos` is a name of the language",
            ),
            (
                "bind|class P(Struct):\n  $0a = String\n",
                "refused: every struct has a method `bind`",
            ),
            ("b|x = $0a\n", "refused: nothing in sight defines `a`"),
            ("b|x = 1  # $0a\n", "refused: there is no name here"),
            ("b|x = '$0a'\n", "refused: there is no name here"),
            ("b|import os\nx = $0os\n", "refused: `os` is the name of a module of Python"),
            (
                "b|include('$0b.aurora')\n",
                "refused: this is the path of a file: rename the file instead",
            ),
            (
                "b|load('@std//service.aurora', 'worker')\nx = $0worker()\n",
                "refused: `worker` is a name of the library: load it as another with `load(\"@std//service.aurora\", other = \"worker\")`",
            ),
            (
                "w|load('@std//service.aurora', job = 'worker')\nx = $0job(name = 'a')\n",
                "load('@std//service.aurora', w = 'worker')\nx = w(name = 'a')\n",
            ),
            (
                "1b|$0a = 1\n",
                "refused: `1b` is not a name: letters, digits and `_`, no word of the language",
            ),
            (
                "if|$0a = 1\n",
                "refused: `if` is not a name: letters, digits and `_`, no word of the language",
            ),
            (
                "|$0a = 1\n",
                "refused: `` is not a name: letters, digits and `_`, no word of the language",
            ),
            ("a|$0a = 1\n", ""),
            (
                "b|class P(Struct):\n  $0cpu = Float\ndef f(p):\n  return p.cpu()\n",
                "refused: main.aurora, line 4 may mean this `cpu` or something else: the text does not tell",
            ),
            (
                "b|$0a = 1\nx = '%(a)s' % vars()\n",
                "refused: main.aurora, line 2 may mean this `a` or something else: the text does not tell",
            ),
            (
                "b|x = '{{$0role}}'\nj = Job(role = 'r').bind(role = 1)\n",
                "refused: main.aurora, line 1 may mean this `role` or something else: the text does not tell",
            ),
        ],
    );
}

#[test]
fn what_is_renamed_is_told_before() {
    for (case, wanted) in [
        ("a = 1\nb = $0a\n", "a"),
        ("p = Process(cmdline = '{{x.y}} {{$0x}}').bind(x = 1)\n", "x"),
        ("load('b.aurora', z = 'y')\nq = $0z\n", "z"),
        ("p = Process(name = 'r$0un')\n", "run"),
    ] {
        let fixture = Fixture::new(case);
        let found = prepare(&fixture.world, &fixture.file, fixture.at).unwrap();
        assert_eq!((fixture.slice(found.span), found.name.as_str()), (wanted, wanted), "{case}");
    }
}

/// Names of examples, renamed in all their files: these come to the same jobs.
#[test]
fn examples_mean_the_same_afterwards() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let files = format!(
        "#- profiles.aurora\n{}#- lib/common.aurora\n{}",
        read("profiles.aurora"),
        read("lib/common.aurora")
    );
    for name in [
        "verbosity",
        "greeting",
        "greeter",
        "in_environment",
        "small",
        "Profile",
        "profile",
        "service",
    ] {
        let fixture = Fixture::new(&files);
        let before = fixture.exported();
        assert!(before.contains("\"ok\":true"), "{before}");
        let source = fixture
            .world
            .files()
            .find(|source| {
                let definitions = &source.names.definitions;
                definitions.iter().any(|found| source.slice(found.name) == name)
            })
            .unwrap();
        let mut all = source.names.definitions.iter();
        let at = all.find(|found| source.slice(found.name) == name).unwrap().name.start;
        let edits = rename(&fixture.world, &source.id, at, "another").unwrap();
        assert!(edits.len() > 1, "{name}");
        let after = fixture.edited(&edits);
        assert_eq!(after.exported(), before, "{name}");
    }
}

#[test]
fn names_that_other_things_have_or_lack_are_refused() {
    for name in ["cluster", "role", "task", "processes", "cmdline", "contact"] {
        let case = job("", "'{{$0greeting}}'", ".bind(greeting = 'hi')");
        let found = same(&format!("{name}|{case}"));
        assert!(found.starts_with(&format!("refused: `{name}` ")), "{found}");
    }
    check(
        renamed,
        &[
            (
                "c|def f($0a, b=1):\n  return a\nf(**dict(a=1))\nf(**{'a': 2, 'b': 3})\nf(a=1, **{'b': 1})\n",
                "def f(c, b=1):\n  return c\nf(**dict(c=1))\nf(**{'c': 2, 'b': 3})\nf(c=1, **{'b': 1})\n",
            ),
            (
                "c|def f($0a, b=1):\n  return a\nf(**x)\n",
                "refused: main.aurora, line 3 may mean this `a` or something else: the text does not tell",
            ),
            (
                "c|def f($0a, b=1):\n  return a\nf(**{k: 1})\n",
                "refused: main.aurora, line 3 may mean this `a` or something else: the text does not tell",
            ),
            (
                "b|p = Process(name = 'p', cmdline = '{{gree' 'ting}}').bind($0greeting = '1')\n",
                "refused: main.aurora, line 1 refers to `greeting` with its name in pieces: write it in one first",
            ),
            (
                "b|p = Process(name = 'p', cmdline = '{{\\x67reeting}}').bind($0greeting = '1')\n",
                "refused: main.aurora, line 1 refers to `greeting` with its name in pieces: write it in one first",
            ),
            (
                "b|p = Process(name = 'p', cmdline = '\\t{{greeting}}' ' {{&greeting}}').bind($0greeting = '1')\n",
                "p = Process(name = 'p', cmdline = '\\t{{b}}' ' {{&b}}').bind(b = '1')\n",
            ),
            (
                "b|p = Process(name = 'p', cmdline = '{{zone_{{k}}}}').bind($0zone_a = '1', k = 'a')\n",
                "refused: main.aurora, line 1 may refer to `zone_a`: the name of its reference is only known once it is evaluated",
            ),
            (
                "b|p = Process(name = 'p', cmdline = '{{gree' + 'ting}}').bind($0greeting = '1')\n",
                "refused: main.aurora, line 1 may refer to `greeting`: the name of its reference is only known once it is evaluated",
            ),
            (
                "b|c = String('hello {{who}}') % {'who': 'you'}\np = Process(name = 'p', cmdline = c).bind($0who = '1')\n",
                "refused: main.aurora, line 1 gives `who` a value behind `%`: change it by hand",
            ),
            (
                "b|class H(Struct):\n  $0port = Integer\np = Process(name = 'p', cmdline = '{{h[0].port}}').bind(h = List(H)([H(port = 1)]))\n",
                "refused: main.aurora, line 3 may mean this `port` or something else: nothing tells what stands before it",
            ),
            (
                "b|def mk(n):\n  return Process(name = n, cmdline = 'c')\n\
                 t = Task(processes = [mk('one'), mk('two')], constraints = order('one', '$0two'))\n",
                "refused: no process in sight is named by the text `two`: whoever makes it would have to be told",
            ),
        ],
    );
}
