//! What the other parts stand on: what is at the cursor, what names mean, what kind values are.

use aurora_ide::cursor::Cursor;
use aurora_ide::names::{Names, Scope};
use aurora_ide::resolve::{Meaning, meaning_at, origin};
use aurora_ide::template::{names_at, targets};
use aurora_ide::types::Fields;

use crate::fixture::Fixture;

/// The innermost call at the cursor: struct, argument, names that are given, whether a name may come.
fn call(case: &str) -> String {
    let fixture = Fixture::new(case);
    let cursor = Cursor::new(&fixture.world, fixture.source(), fixture.at);
    let Some(call) = cursor.call_here() else { return "none".to_owned() };
    let of = match call.fields() {
        Some(Fields::Declared(decl)) => decl.name.to_owned(),
        Some(Fields::Own(class)) => format!("class {}", class.name()),
        None => format!("function {}", call.name.map_or("?", |name| fixture.slice(name))),
    };
    let names: Vec<&str> = call.named.iter().map(|name| fixture.slice(*name)).collect();
    let argument = call.argument.map_or("-", |name| fixture.slice(name));
    format!("{of} {argument} [{}] {}", names.join(" "), if call.at_name { "name" } else { "value" })
}

#[test]
fn the_call_around_the_cursor_is_found_in_broken_text() {
    for (case, wanted) in [
        ("p = Process($0", "Process - [] name"),
        ("p = Process(na$0", "Process - [] name"),
        ("p = Process(name = 'a', $0)", "Process - [name] name"),
        ("p = Process(name = $0", "Process name [name] value"),
        ("p = Process(name = 'a', cmd$0, max_failures = 3)", "Process - [name max_failures] name"),
        ("t = Task(processes = [Process($0)])", "Process - [] name"),
        ("t = Task(processes = [$0])", "none"),
        ("t = Task(\n    name = 'x',\n    $0\n)\nz = 1\n", "Task - [name] name"),
        (
            "t = Task(\n    name = 'x',\n    res$0\n\nz = Process(name = 'y')\n",
            "Task - [name] name",
        ),
        ("base = Service(name = 'a')\nb = base($0)", "Job - [] name"),
        ("def make(x):\n    return Process(name = x)\np = make('a')($0)", "Process - [] name"),
        ("class P(Struct):\n    a = String\nq = P($0)", "class P - [] name"),
        ("t = SequentialTask($0)", "Task - [] name"),
        ("t = Tasks.concat(a, b)($0)", "Task - [] name"),
        ("j = Job(name = 'a').bind(x = 1)(inst$0)", "Job - [] name"),
        ("x = [1, 2$0]", "none"),
        ("x = foo(1, 2$0)", "function foo - [] value"),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base($0)\n#- b.aurora\nbase = Task(name = 'x')\n",
            "Task - [] name",
        ),
        (
            "load('@std//service.aurora', 'http_service')\ns = http_service($0)",
            "function http_service - [] name",
        ),
    ] {
        assert_eq!(call(case), wanted, "{case}");
    }
}

#[test]
fn a_reference_around_the_cursor_is_found_complete_or_not() {
    for (case, wanted) in [
        ("x = 'a {{$0'", "[] '' false"),
        ("x = 'a {{na$0'", "[] 'na' false"),
        ("x = 'a {{na$0me}} b'", "[] 'name' true"),
        ("x = '{{profile.c$0}}'", "[profile] 'c' true"),
        ("x = '{{thermos.ports[$0]}}'", "[thermos ports] '' true"),
        ("x = '{{thermos.ports[ht$0'", "[thermos ports] 'ht' false"),
        ("x = 'a {{b}} $0'", "none"),
        ("x = 'a { $0'", "none"),
        ("x = \"\"\"a\n{{b$0\n\"\"\"", "[] 'b' false"),
        ("p = Process(cmdline = '{{x$0", "[] 'x' false"),
        ("x = {{$0", "none"),
        ("x = '''{{a\rb$0'''", "none"),
        ("x = '''a {{b$0\rc}}'''", "[] 'b' false"),
    ] {
        let fixture = Fixture::new(case);
        let cursor = Cursor::new(&fixture.world, fixture.source(), fixture.at);
        let found = cursor.reference().map_or("none".to_owned(), |found| {
            let part = fixture.slice(found.part);
            format!("[{}] '{part}' {}", found.before.join(" "), found.is_closed)
        });
        assert_eq!(found, wanted, "{case}");
    }
}

#[test]
fn names_lead_to_their_definitions() {
    for (case, wanted) in [
        ("a = 1\nb = $0a\n", "main.aurora:1:a"),
        ("a = 1\ndef f(a):\n    return $0a\n", "main.aurora:2:a"),
        ("a = 1\nb = [$0a for a in [1]]\n", "main.aurora:2:a"),
        ("def f():\n    return $0g()\ndef g():\n    return 1\n", "main.aurora:3:g"),
        ("#- a.aurora\ninclude('b.aurora')\nx = $0y\n#- b.aurora\ny = 1\n", "b.aurora:1:y"),
        ("#- a.aurora\ninclude('b.aurora')\ny = 1\n#- b.aurora\nx = $0y\n", "a.aurora:2:y"),
        ("#- a.aurora\nload('b.aurora', z = 'y')\nx = $0z\n#- b.aurora\ny = 1\n", "b.aurora:1:y"),
        ("#- a.aurora\nx = $0y\n#- b.aurora\ny = 1\n", "none"),
        ("x = $0Process(name = 'a')\n", "builtin Process"),
        ("Process = 1\nx = $0Process\n", "main.aurora:1:Process"),
        // Who includes the same file shares nothing else.
        (
            "#- a.aurora\ninclude('c.aurora')\nx = $0y\n#- b.aurora\ninclude('c.aurora')\ny = 1\n#- c.aurora\nz = 1\n",
            "none",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\ninclude('c.aurora')\n#- b.aurora\nx = $0y\n#- c.aurora\ny = 1\n",
            "c.aurora:1:y",
        ),
        // What a module defines last is what it gives.
        (
            "#- a.aurora\nload('b.aurora', 'y')\nx = $0y\n#- b.aurora\ny = 1\ny = 2\n#- c.aurora\ninclude('b.aurora')\ny = 3\n",
            "b.aurora:2:y",
        ),
        ("class P(Struct):\n    a = String\nx = a$0\n", "none"),
    ] {
        let fixture = Fixture::new(case);
        let found = match meaning_at(&fixture.world, fixture.source(), fixture.at) {
            Some((_, Meaning::Defined(all))) => {
                fixture.shown(&origin(&fixture.world, &all[0]).location())
            }
            Some((_, Meaning::Builtin(name, _))) => format!("builtin {name}"),
            None => "none".to_owned(),
        };
        assert_eq!(found, wanted, "{case}");
    }
}

#[test]
fn references_lead_to_what_binds_them() {
    for (case, parts, wanted) in [
        ("p = Process(name = 'a', cmdline = '{{$0name}}')\n", &["name"][..], "main.aurora:1:name"),
        (
            "p = Process(cmdline = '{{$0x}}')\nj = Job(task = p).bind(x = 1)\n",
            &["x"],
            "main.aurora:2:x",
        ),
        (
            "class P(Struct):\n    cpu = Float\np = Process(cmdline = '{{$0profile.cpu}}')\n\
             j = Job().bind(profile = P(cpu = 1))\n",
            &["profile", "cpu"],
            "main.aurora:2:cpu",
        ),
        (
            "class P(Struct):\n    cpu = Float\np = Process(cmdline = '{{$0cpu}}')\nj = Job().bind(P(cpu = 1))\n",
            &["cpu"],
            "main.aurora:2:cpu",
        ),
        (
            "class P(Struct):\n    host = String\n    url = Default(String, '{{$0host}}:80')\n",
            &["host"],
            "main.aurora:2:host",
        ),
        (
            "P = struct_type('P', cpu = Float)\np = Process(cmdline = '{{$0p.cpu}}')\nj = Job().bind(p = P())\n",
            &["p", "cpu"],
            "main.aurora:1:cpu",
        ),
        (
            "class P(Struct):\n    cpu: Float = Default(Float, 1)\nclass Q(P):\n    other = String\n\
             p = Process(cmdline = '{{$0q.cpu}}')\nj = Job().bind(q = Q())\n",
            &["q", "cpu"],
            "main.aurora:2:cpu",
        ),
        (
            "class A(Struct):\n    x = String\nclass B(Struct):\n    a = Required(A)\n\
             p = Process(cmdline = '{{$0b.a.x}}')\nj = Job().bind(b = B())\n",
            &["b", "a", "x"],
            "main.aurora:2:x",
        ),
        (
            "j = Job(name = 'a', task = Task(name = 'b', user = '{{$0self.name}}'))\n",
            &["self", "name"],
            "main.aurora:1:name",
        ),
        (
            "names = {'x': 1}\np = Process(cmdline = '{{$0x}}')\nj = Job().bind(names)\n",
            &["x"],
            "main.aurora:1:x",
        ),
        (
            "load('@std//environments.aurora', 'staged')\np = Process(cmdline = '{{$0x}}')\n\
             jobs = staged(p, prod = dict(bind = dict(x = 1)))\n",
            &["x"],
            "main.aurora:3:x",
        ),
        // What a function is called with tells what its parameters are.
        (
            "class P(Struct):\n    cpu = Float\ndef of(job, profile):\n    return job.bind(p = profile)\n\
             p = Process(cmdline = '{{$0p.cpu}}')\nj = of(Job(), P(cpu = 1))\n",
            &["p", "cpu"],
            "main.aurora:2:cpu",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base.bind(x = 2)\n#- b.aurora\nbase = Process(cmdline = '{{$0x}}')\n",
            &["x"],
            "a.aurora:2:x",
        ),
    ] {
        let fixture = Fixture::new(case);
        let found = targets(&fixture.world, fixture.source(), fixture.at, parts, parts.len() - 1);
        let shown = found.iter().find_map(|target| target.location());
        assert_eq!(shown.map_or("none".to_owned(), |at| fixture.shown(&at)), wanted, "{case}");
    }
}

#[test]
fn references_are_read_where_braces_are_doubled_or_escaped() {
    for (case, wanted) in [
        ("x = '{{a.b[c]}} {{&d}} {{&&e&}}'\n", "{{a.b[c]}}: a b c; {{&d}}: d; {{&&e&}}: e"),
        ("x = f'{{{{a.b}}}} {y} \u{e9}{{{{&c}}}}'\n", "{{{{a.b}}}}: a b; {{{{&c}}}}: c"),
        ("x = f'{{a}} {y}'\n", ""),
        ("x = ['{{b}}' for y in ['{{a}}']]\n", "{{b}}: b; {{a}}: a"),
    ] {
        let fixture = Fixture::new(case);
        let templates = &fixture.source().names.templates;
        let all = templates.iter().flat_map(|found| found.references.iter().chain(&found.escaped));
        let shown = all.map(|found| {
            let parts: Vec<&str> = found.parts.iter().map(|part| fixture.slice(*part)).collect();
            format!("{}: {}", fixture.slice(found.span), parts.join(" "))
        });
        assert_eq!(shown.collect::<Vec<_>>().join("; "), wanted, "{case}");
    }
}

#[test]
fn what_may_be_referred_to_is_known() {
    let fixture =
        Fixture::new("p = Process(name = 'a', cmdline = '{{$0}}')\nj = Job().bind(x = 1)\n");
    let all = names_at(&fixture.world, fixture.source(), fixture.at);
    let names: Vec<&str> = all.iter().map(|target| target.name()).collect();
    for wanted in ["cmdline", "x", "role", "environment", "mesos", "thermos"] {
        assert!(names.contains(&wanted), "{wanted}: {names:?}");
    }
}

#[test]
fn what_files_say_of_their_definitions_is_found() {
    for (case, wanted) in [
        ("# The port.\n# For all.\n$0port = 1\n", "The port.\nFor all."),
        ("$0port = 1  # The port.\n", "The port."),
        ("# Of the file.\n\n$0port = 1\n", ""),
        ("x = 1  # Another.\n$0port = 1\n", ""),
        (
            "def $0f(a):\n    \"\"\"Does it.\n\n    a: how.\n    \"\"\"\n    return a\n",
            "Does it.\n\n- `a`: how.",
        ),
        ("class $0P(Struct):\n    'A profile.'\n    cpu = Float\n", "A profile."),
        ("class P(Struct):\n    # Cores.\n    $0cpu = Float\n", "Cores."),
    ] {
        let fixture = Fixture::new(case);
        let Some((_, Meaning::Defined(all))) =
            meaning_at(&fixture.world, fixture.source(), fixture.at)
        else {
            panic!("{case}");
        };
        assert_eq!(aurora_ide::docs::of_definition(&all[0]).markdown(), wanted, "{case}");
    }
}

#[test]
fn an_evaluation_says_what_it_has_read_and_whether_that_is_so_still() {
    let mut fixture = Fixture::evaluated(
        "#- a.aurora\ninclude('b.aurora')\ninclude('none.aurora')\njobs = []$0\n#- b.aurora\ny = 1\n#- c.aurora\nz = 1\n",
    );
    let found = fixture.world.evaluated(&fixture.file).unwrap().clone();
    let read: Vec<String> = found
        .texts()
        .map(|(id, text)| format!("{} {}", id.path().display(), text.is_some()))
        .collect();
    let wanted = ["a.aurora true", "b.aurora true", "none.aurora false"];
    assert_eq!(read, wanted.map(|name| format!("/project/{name}")));
    for (name, text, is_current) in [
        ("c", "z = 2\n", true),
        ("b", "y = 2\n", false),
        ("b", "y = 1\n", true),
        ("none", "", false),
    ] {
        let id = aurora_ide::FileId::new(format!("/project/{name}.aurora"));
        fixture.workspace.open(id, text.to_owned(), 2);
        assert_eq!(found.is_current(&fixture.workspace.snapshot()), is_current, "{name} {text}");
    }
}

#[test]
fn the_scope_around_a_byte_is_the_last_of_all_that_hold_it() {
    for text in [
        "",
        "x = 1\n",
        "def f(a = [x for x in y], *b):\n  return [z for z in [w for w in b]]\n\nclass C(D):\n  d = 1\n",
        "S = struct_type('S', f = Default(List(Integer), [i for i in (lambda: j)()]))\n",
        "a = (lambda: k for k in l)\nb = {m: [n for n in m] for m in (lambda o: o)(p) if [q for q in m]}\n",
        "def f():\n  def g(h = lambda: h):\n    return lambda: [i for i in g]\n  return f'{[j for j in g]}'\n",
        "c = [x for x in y][z for z in w]\nd = [lambda: [e for e in lambda: f]\n",
        "class A(B):\n  def c(d):\n    pass\ndef e(): return [f for f in e]",
    ] {
        let names = Names::of(text, &aurora_syntax::parse(text));
        for at in 0..=u32::try_from(text.len()).unwrap() + 1 {
            let holds = |scope: &Scope| scope.span.start <= at && at <= scope.span.end;
            let wanted = names.scopes.iter().rposition(holds).unwrap_or(0);
            assert_eq!(names.scope_at(at), wanted, "{text:?} at {at}");
        }
    }
}
