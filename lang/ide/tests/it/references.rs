//! Uses of what stands at a place, in its file and in others; places that are edited together.

use aurora_ide::linked::linked_ranges;
use aurora_ide::references::{Occurrence, highlights, references};
use aurora_ide::text::Encoding;

use crate::fixture::{Fixture, check};

/// Places as `line:column`, with `!` where one declares and `=` where one writes; those of another
/// file behind its name.
fn shown(fixture: &Fixture, all: &[Occurrence]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut last = &fixture.file;
    let mut sorted: Vec<&Occurrence> = all.iter().collect();
    sorted.sort_by_key(|found| (found.location.file != fixture.file, &found.location));
    for found in sorted {
        let file = &found.location.file;
        let source = fixture.world.file(file).unwrap();
        if file != last {
            out.push(format!("{}", file.path().file_name().unwrap().display()));
            last = file;
        }
        let place = source.lines.place(&source.text, found.location.span.start, Encoding::Utf8);
        let declares = if found.is_declaration { "!" } else { "" };
        let writes = if found.is_write { "=" } else { "" };
        out.push(format!("{}:{}{declares}{writes}", place.line + 1, place.column));
    }
    out.join(" ")
}

fn used(case: &str) -> String {
    let fixture = Fixture::new(case);
    shown(&fixture, &references(&fixture.world, &fixture.file, fixture.at, true))
}

#[test]
fn names_are_found_in_their_scopes() {
    check(
        used,
        &[
            ("a$0 = 1\nb = a + a\n# a\nc = 'a'\n", "1:0!= 2:4 2:8"),
            ("a = 1\na += 1\n$0a = 2\n", "1:0!= 2:0= 3:0!="),
            ("a = 1\ndef f(a):\n  return a\nb = $0a\n", "1:0!= 4:4"),
            ("a = 1\ndef f(a):\n  return $0a\nb = a\n", "2:6!= 3:9"),
            ("a = 1\ndef f():\n  a = 2\n  return a\nb = $0a\n", "1:0!= 5:4"),
            ("def f():\n  return $0a\na = 1\n", "2:9 3:0!="),
            ("def f(a, b = a$0):\n  return a\na = 1\n", "1:13 3:0!="),
            ("a = [1]\nb = [a for a in $0a]\n", "1:0!= 2:16"),
            ("a = [1]\nb = [$0a for a in a if a]\n", "2:5 2:11!= 2:21"),
            ("b = [x for y in [[1]] for x in $0y]\n", "1:11!= 1:31"),
            ("f = lambda $0x, y = 1: x + y\n", "1:11!= 1:21"),
            ("def f():\n  def g():\n    return $0a\n  a = 1\n  return g\n", "3:11 4:2!="),
            ("for i in [1]:\n  a = $0i\nb = i\n", "1:4!= 2:6 3:4"),
            ("x = f'{$0a} {{a}} {a:>{a}}'\na = 1\n", "1:7 1:17 1:21 2:0!="),
            ("class P(Struct):\n  a = String\na = 1\nx = $0a\n", "3:0!= 4:4"),
            // A file that cannot be read has what can be read of it.
            ("a = 1\nb = (a,\nc = $0a\n", "1:0!= 2:5 3:4"),
            ("$0", ""),
            ("x = 1  # $0x\n", ""),
        ],
    );
}

#[test]
fn names_are_found_in_the_files_that_share_them() {
    check(
        used,
        &[
            (
                "#- a.aurora\ninclude('b.aurora')\nx = y\n#- b.aurora\n$0y = 1\nz = y\n",
                "1:0!= 2:4 a.aurora 2:4",
            ),
            // Files that include the same have names of their own.
            (
                "#- a.aurora\ninclude('c.aurora')\n$0y = 1\n#- b.aurora\ninclude('c.aurora')\ny = 1\n#- c.aurora\nz = 1\n",
                "2:0!=",
            ),
            // Unless it reads them.
            (
                "#- a.aurora\ninclude('c.aurora')\n$0y = 1\n#- b.aurora\ninclude('c.aurora')\ny = 1\n#- c.aurora\nz = y\n",
                "2:0!= b.aurora 2:0!= c.aurora 1:4",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'y')\nx = y\n#- b.aurora\n$0y = 1\n",
                "1:0!= a.aurora 1:18= 2:4",
            ),
            (
                "#- a.aurora\nload('b.aurora', z = 'y')\nx = z\n#- b.aurora\n$0y = 1\n",
                "1:0!= a.aurora 1:22",
            ),
            (
                "#- a.aurora\nload('b.aurora', z = 'y')\nx = $0z\n#- b.aurora\ny = 1\nz = 2\n",
                "1:17!= 2:4",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'y')\nx = $0y\n#- b.aurora\nload('c.aurora', 'y')\n#- c.aurora\ny = 1\n",
                "1:18= 2:4 b.aurora 1:18= c.aurora 1:0!=",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'f')\nx = f(n = 1)\n#- b.aurora\ndef f($0n):\n  return n\ny = f(n = 2)\n",
                "1:6!= 2:9 3:6= a.aurora 2:6=",
            ),
            (
                "#- a.aurora\nload('b.aurora', g = 'f')\nx = g($0n = 1)\n#- b.aurora\ndef f(n):\n  return n\n",
                "2:6= b.aurora 1:6!= 2:9",
            ),
            (
                "#- a.aurora\ninclude('b.aurora')\n#- c.aurora\nload('$0b.aurora', 'y')\n#- b.aurora\ny = 1\n",
                "1:5 a.aurora 1:8",
            ),
            (
                "#- a.aurora\nx = $0Process()\n#- b.aurora\ny = Process()\n#- c.aurora\nProcess = 1\n",
                "1:4 b.aurora 1:4",
            ),
        ],
    );
}

#[test]
fn bound_names_are_found_in_texts() {
    check(
        used,
        &[
            (
                "p = Process(cmdline = 'x {{x}} {{&x}} {{x.y}} {{y.x}}')\nj = Job(task = p).bind($0x = 1)\n",
                "1:27 1:34 1:40 2:23!=",
            ),
            (
                "p = Process(cmdline = '{{$0x}}')\nv = {'x': 1}\nj = Job().bind(v)\nk = Job().bind({'x': 2}, y = 3)\n",
                "1:25 2:6!= 4:17!=",
            ),
            ("p = Process(cmdline = f'{{{{$0x}}}} {x}').bind(dict(x = 1))\n", "1:28 1:50!="),
            (
                "#- a.aurora\ninclude('b.aurora')\nj = base.bind($0x = 2)\n#- b.aurora\nbase = Process(cmdline = '{{x}}')\n",
                "2:14!= b.aurora 1:28",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'base')\nj = base.bind($0x = 2)\n#- b.aurora\nbase = Process(cmdline = '{{x}}')\n",
                "2:14!= b.aurora 1:28",
            ),
            // In a process its own name is meant.
            (
                "p = Process(name = 'a', cmdline = '{{name}}')\nt = 'echo {{name}}'\nj = Job().bind($0name = 1)\n",
                "2:12 3:15!=",
            ),
            ("p = Process(cmdline = '{{x}} {{$0x}}')\n", "1:25 1:31"),
            (
                "p = Process(cmdline = '{{$0mesos.instance}}', name = '{{mesos.hostname}}')\n",
                "1:25 1:54",
            ),
        ],
    );
}

#[test]
fn fields_are_found_in_calls_attributes_tables_and_texts() {
    let class = "class P(Struct):\n  cpu = Float\n";
    check(
        |case| used(&format!("{class}{case}")),
        &[
            ("p = P($0cpu = 1)\nq = p(cpu = 2)\nr = Resources(cpu = 1)\n", "2:2!= 3:6= 4:6="),
            ("p = P({'cpu': 1})\nx = p.$0cpu() + p.has_cpu() + p.cpus\n", "2:2!= 3:8= 4:6 4:20"),
            ("j = Job().bind(p = P())\nx = '{{p.$0cpu}} {{cpu}} {{q.cpu}}'\n", "2:2!= 4:9"),
            ("j = Job().bind(P())\nx = '{{$0cpu}} {{p.cpu}}'\n", "2:2!= 4:7"),
            (
                "def f(job, p):\n  return job(instances = p.$0cpu()).bind(p = p)\nx = f(Job(), P())\ny = '{{p.cpu}}'\n",
                "2:2!= 4:27 6:9",
            ),
            ("j = Job().bind({'p.$0cpu': 1}).bind(p = P())\n", "2:2!= 3:19="),
            (
                "class Q(Struct):\n  ps = List(P)\nq = Q(ps = [{'$0cpu': 1}, P(cpu = 2)])\n",
                "2:2!= 5:14= 5:26=",
            ),
            ("class Q(P):\n  pass\nq = Q($0cpu = 1)\n", "2:2!= 5:6="),
            ("x = getattr(P(), '$0cpu')\ny = hasattr(Resources(), 'cpu')\n", "2:2!= 3:18"),
        ],
    );
    check(
        used,
        &[
            (
                "class P(Struct):\n  host = String\n  url = Default(String, 'http://{{$0host}}')\n  both = Default(String, '{{host}} {{url}}')\n",
                "2:2!= 3:34 4:28",
            ),
            // Nothing else has a field of this name.
            ("class P(Struct):\n  zone = String\ndef f(p):\n  return p.$0zone()\n", ""),
            ("class P(Struct):\n  $0zone = String\ndef f(p):\n  return p.zone()\n", "2:2!= 4:11"),
            ("class P(Struct):\n  $0cpu = Float\ndef f(p):\n  return p.cpu()\n", "2:2!="),
            (
                "p = Process($0name = 'a', cmdline = '{{name}}')\nq = p(name = 'b')\nt = Task(name = 'c')\n",
                "1:12= 1:37 2:6=",
            ),
            (
                "p = Process(cmdline = '{{$0role}}')\nj = Job(role = 'a')\nx = j.role()\n",
                "1:25 2:8= 3:6",
            ),
        ],
    );
}

#[test]
fn names_of_processes_and_ports_are_found_in_texts() {
    check(
        used,
        &[
            (
                "a = Process(name = '$0a')\nt = Task(name = 'a', processes = [a], constraints = order('a', 'b'))\n",
                "1:20!= 2:59",
            ),
            (
                "t = Task(processes = [Process(name = '$0a')], constraints = order('a'))\nu = Task(processes = [Process(name = 'a')], constraints = order('a'))\n",
                "1:38!= 1:65",
            ),
            (
                "t = Task(processes = [Process(name = 'a')], constraints = order('a'))\nc = order('$0a')\n",
                "1:38!= 1:65 2:11",
            ),
            (
                "#- a.aurora\ninclude('b.aurora')\nt = Task(processes = [a], constraints = order('$0a'))\n#- b.aurora\na = Process(name = 'a')\n",
                "2:47 b.aurora 1:20!=",
            ),
            (
                "p = Process(cmdline = '{{thermos.ports[$0http]}} http')\n\
                 a = Announcer(primary_port = 'http', portmap = {'aurora': 'http', 'http': 80})\n\
                 l = HttpLifecycleConfig(port = 'http')\n",
                "1:39 2:30!= 2:59!= 2:67!= 3:32!=",
            ),
        ],
    );
}

#[test]
fn declarations_may_be_left_out_and_other_files_too() {
    let case = "#- a.aurora\ninclude('b.aurora')\nx = $0y\ny = 2\n#- b.aurora\ny = 1\nz = y\n";
    let fixture = Fixture::new(case);
    let of = |with| references(&fixture.world, &fixture.file, fixture.at, with);
    assert_eq!(shown(&fixture, &of(true)), "2:4 3:0!= b.aurora 1:0!= 2:4");
    assert_eq!(shown(&fixture, &of(false)), "2:4 b.aurora 2:4");
    let here = highlights(&fixture.world, &fixture.file, fixture.at);
    assert_eq!(shown(&fixture, &here), "2:4 3:0!=");
}

#[test]
fn what_is_changed_together_is_within_one_statement() {
    let linked = |case: &str| {
        let fixture = Fixture::new(case);
        let found = linked_ranges(&fixture.world, &fixture.file, fixture.at);
        let places: Vec<String> = found.iter().map(|span| span.start.to_string()).collect();
        places.join(" ")
    };
    check(
        linked,
        &[
            ("def f(a$0):\n  return a\n", "6 19"),
            ("def f():\n  b = 1\n  return $0b\n", "11 26"),
            ("x = [y$0 for y in [1]]\n", "5 11"),
            // Calls name the parameter.
            ("def f(a$0):\n  return a\nf(a = 1)\n", ""),
            ("a$0 = 1\nb = a\n", ""),
            ("j = Process(cmdline = '{{$0x}}').bind(x = 1)\n", "25 36"),
            ("j = Process(cmdline = '{{$0x}}').bind(x = 1)\nk = '{{x}}'\n", ""),
            ("def f(a$0):\n  return 1\n", ""),
            ("$0", ""),
        ],
    );
}
