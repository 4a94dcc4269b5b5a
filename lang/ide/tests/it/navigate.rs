//! Definitions, declarations, types, links.

use aurora_ide::Location;
use aurora_ide::calls::{incoming, item_at, outgoing};
use aurora_ide::linked::linked_ranges;
use aurora_ide::links::{LinkTarget, links};
use aurora_ide::navigate::{Way, declaration, definition, type_definition};
use aurora_ide::references::references;
use aurora_ide::rename::rename;

use crate::fixture::{Fixture, ROOT, check};

/// Where a way leads, as `file:line:name`, with the part of the text from which it does.
fn shown(fixture: &Fixture, way: Option<Way>) -> String {
    let Some(way) = way else { return "none".to_owned() };
    let places = way.to.iter().map(|to| {
        assert!(to.whole.start <= to.name.start && to.name.end <= to.whole.end);
        fixture.shown(&Location { file: to.file.clone(), span: to.name })
    });
    format!("{} -> {}", fixture.slice(way.from), places.collect::<Vec<_>>().join(", "))
}

fn defined(case: &str) -> String {
    let fixture = Fixture::new(case);
    shown(&fixture, definition(&fixture.world, &fixture.file, fixture.at))
}

#[test]
fn names_lead_to_the_definition_that_counts() {
    check(
        defined,
        &[
            ("a = 1\nb = a$0\n", "a -> main.aurora:1:a"),
            ("a = 1\na = 2\nb = $0a\na = 3\n", "a -> main.aurora:2:a"),
            ("a = 1\n$0a = 2\n", "a -> main.aurora:2:a"),
            ("a = 1\na += $0a\n", "a -> main.aurora:1:a"),
            ("def f():\n  return $0a\na = 1\na = 2\n", "a -> main.aurora:4:a"),
            ("def f(x):\n  x = x + 1\n  return $0x\n", "x -> main.aurora:2:x"),
            ("def f(x):\n  return [$0x for x in x]\n", "x -> main.aurora:2:x"),
            ("def f(x):\n  return [x for x in $0x]\n", "x -> main.aurora:1:x"),
            ("f = lambda x: $0x + 1\n", "x -> main.aurora:1:x"),
            ("def f(x, y = $0x):\n  return x\n", "none"),
            ("if 1:\n  a = 1\nelse:\n  a = 2\nb = $0a\n", "a -> main.aurora:2:a, main.aurora:4:a"),
            ("for i in [1]:\n  a = $0i\n", "i -> main.aurora:1:i"),
            ("x = f'{$0y}'\ny = 1\n", "y -> main.aurora:2:y"),
            ("class P(Struct):\n  a = String\np = $0P(a = '')\n", "P -> main.aurora:1:P"),
            ("x = $0Process(name = 'a')\n", "none"),
            ("x = 1 # $0x\n", "none"),
            ("x = $0y\n", "none"),
            ("$0", "none"),
        ],
    );
}

#[test]
fn names_lead_into_other_files() {
    check(
        defined,
        &[
            (
                "#- a.aurora\ninclude('b.aurora')\nx = $0y\n#- b.aurora\ny = 1\ny = 2\n",
                "y -> b.aurora:2:y",
            ),
            (
                "#- a.aurora\ninclude('b.aurora')\ny = 1\n#- b.aurora\nx = $0y\n",
                "y -> a.aurora:2:y",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'y')\nx = $0y\n#- b.aurora\ny = 1\n",
                "y -> b.aurora:1:y",
            ),
            ("#- a.aurora\nload('b.aurora', z = '$0y')\n#- b.aurora\ny = 1\n", "y -> b.aurora:1:y"),
            (
                "#- a.aurora\nload('b.aurora', z = 'y')\nx = $0z\n#- b.aurora\nload('c.aurora', 'y')\n#- c.aurora\ny = 1\n",
                "z -> c.aurora:1:y",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'f')\nx = f($0n = 1)\n#- b.aurora\ndef f(n):\n  return n\n",
                "n -> b.aurora:1:n",
            ),
            (
                "#- a.aurora\ninclude('$0b.aurora')\n#- b.aurora\ny = 1\n",
                "'b.aurora' -> b.aurora:1:",
            ),
            ("#- a.aurora\ninclude('$0c.aurora')\n#- b.aurora\ny = 1\n", "none"),
            (
                "load('@std//service$0.aurora', 'worker')\n",
                "'@std//service.aurora' -> @std//service.aurora:1:",
            ),
        ],
    );
}

#[test]
fn names_lead_into_the_library() {
    let found = defined("load('@std//service.aurora', 'worker')\nx = $0worker()\n");
    assert!(found.starts_with("worker -> @std//service.aurora:"), "{found}");
    assert!(found.ends_with(":worker"), "{found}");
}

#[test]
fn references_in_texts_lead_to_what_gives_them_a_value() {
    check(
        defined,
        &[
            (
                "p = Process(cmdline = '{{$0x}}')\nj = Job(task = p).bind(x = 1)\n",
                "x -> main.aurora:2:x",
            ),
            (
                "p = Process(cmdline = '{{&x$0}}')\nj = Job(task = p).bind({'x': 1})\n",
                "x -> main.aurora:2:x",
            ),
            (
                "p = Process(cmdline = '{{$0x}}')\nj = [Job().bind(x = 1), Job().bind(x = 2)]\n",
                "x -> main.aurora:2:x, main.aurora:2:x",
            ),
            // What is bound on the process itself comes before what is bound elsewhere.
            (
                "p = Process(cmdline = '{{$0x}}').bind(x = 2)\nj = Job().bind(x = 1)\n",
                "x -> main.aurora:1:x",
            ),
            ("p = Process(name = 'a', cmdline = '{{$0name}}')\n", "name -> main.aurora:1:name"),
            // What is bound on another struct is nothing to this one.
            (
                "p = Process(cmdline = '{{v}}')\nq = Process(cmdline = '{{$0v}}')\n\
                 a = p.bind(v = 1)\nb = q.bind(v = 2)\n",
                "v -> main.aurora:4:v",
            ),
            (
                "p = Process(cmdline = '{{$0v}}')\nq = p(name = 'b')\na = q.bind(v = 1)\n\
                 j = Job(name = 'a').bind(v = 2)\n",
                "v -> main.aurora:3:v, main.aurora:4:v",
            ),
            (
                "p = Process(cmdline = '{{$0v}}')\nq = Process(cmdline = 'c').bind(v = 1)\n",
                "v -> main.aurora:2:v",
            ),
            (
                "p = Process(cmdline = '{{d.$0k}}')\nj = Job(task = p).bind(d = {'k': 1})\n",
                "k -> main.aurora:2:k",
            ),
            (
                "p = Process(cmdline = '{{role$0}}')\nj = Job(role = 'a', name = 'b')\n",
                "role -> main.aurora:2:role",
            ),
            (
                "class P(Struct):\n  cpu = Float\np = Process(cmdline = '{{profile.cpu$0}}')\n\
                 j = Job().bind(profile = P(cpu = 1))\n",
                "cpu -> main.aurora:2:cpu",
            ),
            (
                "class P(Struct):\n  cpu = Float\np = Process(cmdline = '{{pro$0file.cpu}}')\n\
                 j = Job().bind(profile = P(cpu = 1))\n",
                "profile -> main.aurora:4:profile",
            ),
            (
                "class P(Struct):\n  cpu = Float\nj = Job().bind({'profile.$0cpu': 2}).bind(profile = P())\n",
                "cpu -> main.aurora:2:cpu",
            ),
            (
                "t = Task(name = 'a', processes = [Process(name = 'b', cmdline = '{{task.name$0}}')])\n\
                 j = Job(task = t)\n",
                "name -> main.aurora:1:name",
            ),
            ("p = Process(cmdline = '{{$0x}}')\n", "none"),
            ("p = Process(cmdline = '{{$0mesos.instance}}')\n", "none"),
            (
                "p = Process(cmdline = '{{thermos.ports[$0http]}}')\nj = Job(announce = Announcer(primary_port = 'http'))\n",
                "http -> main.aurora:2:http",
            ),
            (
                "p = Process(cmdline = '{{thermos.ports[$0a]}}')\nq = Process(cmdline = '{{thermos.ports[a]}}')\n",
                "a -> main.aurora:2:a",
            ),
            (
                "p = Process(cmdline = '{{thermos.ports[$0a]}}')\nx = Announcer(portmap = {'a': 'b'})\n",
                "a -> main.aurora:2:a",
            ),
        ],
    );
}

#[test]
fn names_of_processes_lead_to_the_processes() {
    check(
        defined,
        &[
            (
                "a = Process(name = 'run', cmdline = '')\nt = Task(processes = [a], constraints = order('$0run', 'b'))\n",
                "run -> main.aurora:1:run",
            ),
            (
                "t = Task(processes = [Process(name = 'a')], constraints = [Constraint(order = ['$0a'])])\n",
                "a -> main.aurora:1:a",
            ),
            (
                "t = Task(processes = [{'name': 'a'}], constraints = [{'order': ['$0a']}])\n",
                "a -> main.aurora:1:a",
            ),
            // Each task has its own.
            (
                "t = Task(processes = [Process(name = 'a')])\nu = Task(processes = [Process(name = 'a')],\n  constraints = Processes.order('$0a'))\n",
                "a -> main.aurora:2:a",
            ),
            (
                "base = Process(name = 'base')\na = base(name = 'a').bind(x = 1)\nt = Task(processes = [base, a], constraints = order('base', '$0a'))\n",
                "a -> main.aurora:2:a",
            ),
            ("o = order('$0a')\np = Process(name = 'a')\n", "a -> main.aurora:2:a"),
            ("t = SimpleTask('a', 'true')\no = order('$0a', 'b')\n", "a -> main.aurora:1:a"),
            ("x = foo('$0a')\np = Process(name = 'a')\n", "none"),
        ],
    );
}

#[test]
fn fields_lead_to_their_class() {
    check(
        defined,
        &[
            ("class P(Struct):\n  a = String\np = P($0a = '')\n", "a -> main.aurora:2:a"),
            ("class P(Struct):\n  a = String\np = P()\nx = p.$0a()\n", "a -> main.aurora:2:a"),
            ("class P(Struct):\n  a = String\np = P()\nx = p.has_$0a()\n", "a -> main.aurora:2:a"),
            ("class P(Struct):\n  a = String\np = P({'$0a': 1})\n", "a -> main.aurora:2:a"),
            (
                "class P(Struct):\n  a = String\nclass Q(Struct):\n  p = P\nq = Q(p = {'$0a': 1})\n",
                "a -> main.aurora:2:a",
            ),
            ("P = struct_type('P', a = String)\np = P($0a = '')\n", "a -> main.aurora:1:a"),
            ("p = Process($0name = 'a')\n", "none"),
        ],
    );
}

#[test]
fn declarations_are_loads_and_first_definitions() {
    let declared = |case: &str| {
        let fixture = Fixture::new(case);
        shown(&fixture, declaration(&fixture.world, &fixture.file, fixture.at))
    };
    check(
        declared,
        &[
            ("a = 1\na = 2\nb = $0a\n", "a -> main.aurora:1:a"),
            (
                "#- a.aurora\nload('b.aurora', z = 'y')\nx = $0z\n#- b.aurora\ny = 1\n",
                "z -> a.aurora:1:z",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'y')\nx = $0y\n#- b.aurora\ny = 1\n",
                "y -> a.aurora:1:y",
            ),
            ("p = Process(cmdline = '{{$0x}}').bind(x = 1)\n", "x -> main.aurora:1:x"),
        ],
    );
}

#[test]
fn types_are_classes() {
    let typed = |case: &str| {
        let fixture = Fixture::new(case);
        shown(&fixture, type_definition(&fixture.world, &fixture.file, fixture.at))
    };
    let class = "class P(Struct):\n  a = String\n";
    let all = [
        ("p = P()\nx = $0p\n", "p -> main.aurora:1:P"),
        ("$0p = P()\n", "p -> main.aurora:1:P"),
        ("x = [$0p for p in [P()]]\n", "p -> main.aurora:1:P"),
        ("def f(p):\n  return $0p\nx = f(P())\n", "p -> main.aurora:1:P"),
        ("def f(p):\n  return p\nx = f($0p = P())\n", "p -> main.aurora:1:P"),
        ("j = Job().bind(p = P())\nx = '{{$0p.a}}'\n", "p -> main.aurora:1:P"),
        ("class Q(Struct):\n  p = Required(P)\nq = Q($0p = P())\n", "p -> main.aurora:1:P"),
        ("t = Task()\nx = $0t\n", "none"),
        ("x = 1\ny = $0x\n", "none"),
    ];
    check(|case| typed(&format!("{class}{case}")), &all);
}

#[test]
fn paths_and_addresses_are_links() {
    let fixture = Fixture::new(
        "# See https://example.com/a_(b), (http://x.org/?q=1#f). https:// is none.\n\
         include('lib/b.aurora')\ninclude(x + 'c')\nload(\"@std//service.aurora\", 'worker')\n\
         u = 'http://no.comment'\n",
    );
    let found = links(&fixture.world, &fixture.file);
    let shown = found.iter().map(|link| {
        let to = match &link.target {
            LinkTarget::File(file) => file.name().trim_start_matches(ROOT).to_owned(),
            LinkTarget::Url(url) => url.clone(),
        };
        format!("{} -> {to}", fixture.slice(link.span))
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "https://example.com/a_(b) -> https://example.com/a_(b)",
            "http://x.org/?q=1#f -> http://x.org/?q=1#f",
            "lib/b.aurora -> /lib/b.aurora",
            "@std//service.aurora -> @std//service.aurora",
        ]
    );
}

/// Asks for everything at every place of a text, complete or broken off: nothing may panic, and what
/// is found must be parts of texts.
#[test]
fn nothing_fails_at_any_place() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (profiles, common) = (read("profiles.aurora"), read("lib/common.aurora"));
    let odd = "f'{{{{\u{e9}.b}}}} {x' '{{&&\u{1f600}[&}}' \"\"\"{{a.b[\nload('', x='')\n\
               class \u{e9}(P):\n  a: = 1\nj.bind({'': 1, 'a..b': 2}, **x)(order=['', order('\u{e9}')])\n";
    for end in [0, profiles.len() / 3, profiles.len() / 2, profiles.len()] {
        let text = format!("{}\n{odd}", &profiles[..end]);
        let fixture = Fixture::new(&format!("#- a.aurora\n{text}#- lib/common.aurora\n{common}"));
        let (world, file) = (&fixture.world, &fixture.file);
        let whole = |location: &Location| {
            let source = world.file(&location.file).unwrap();
            assert!(source.text.get(location.span.range()).is_some(), "{location:?}");
        };
        links(world, file).iter().for_each(|link| whole(&fixture.source().at(link.span)));
        let places = 0..=u32::try_from(text.len()).unwrap() + 1;
        for at in places.chain([u32::MAX]) {
            for way in [definition, declaration, type_definition] {
                for to in way(world, file, at).into_iter().flat_map(|way| way.to) {
                    whole(&Location { file: to.file.clone(), span: to.name });
                    whole(&Location { file: to.file, span: to.whole });
                }
            }
            for found in references(world, file, at, true) {
                whole(&found.location);
            }
            linked_ranges(world, file, at);
            for edit in rename(world, file, at, "another").into_iter().flatten() {
                whole(&edit.location);
            }
            if let Some(item) = item_at(world, file, at) {
                incoming(world, &item);
                outgoing(world, &item);
            }
        }
    }
}
