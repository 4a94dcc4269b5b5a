//! What is told of what is at the cursor.

use aurora_ide::hover::hover;

use crate::fixture::Fixture;

/// What is told at the cursor of a case, in one line: what it is told of, then the Markdown with
/// `¶` between its lines.
fn told(fixture: &Fixture) -> String {
    match hover(&fixture.world, &fixture.file, fixture.at) {
        Some(found) => {
            let markdown = found.markdown.replace("```aurora\n", "‹").replace("\n```", "›");
            format!("{} | {}", fixture.slice(found.span), markdown.replace('\n', "¶"))
        }
        None => "none".to_owned(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (case, wanted) in cases {
        let found = told(&Fixture::new(case));
        match *wanted {
            "none" => assert_eq!(found, "none", "{case}"),
            wanted => assert!(found.contains(wanted), "{case}\n{found}\nhas no {wanted}"),
        }
    }
}

#[test]
fn names_of_the_language() {
    check(&[
        ("p = $0Process(name = 'a')\n", "Process | **Process**¶¶One command line"),
        (
            "p = $0Process(name = 'a')\n",
            "¶¶Must be given: `name`, `cmdline`¶¶May be given: `max_failures`, ",
        ),
        ("t = Resources$0\n", "¶¶Must be given: `cpu`, `ram`, `disk`¶¶May be given: `gpu`"),
        ("s = Serv$0ice(name = 'a')\n", "Service | **Service**: Job¶¶A job whose"),
        ("m = $0Mode\n", "- `\"RW\"`: "),
        ("x = 2 * $0MB\n", "MB | ‹MB = 1024 * KB›¶¶1024 KB."),
        ("c = ord$0er(a, b)\n", "‹order(first, second, …) -> [Constraint]›"),
        ("n = le$0n([1])\n", "len | ‹len(x)›¶¶How many"),
        ("f = op$0en('x')\n", "open | **open** is not there: files are not read"),
        ("t = $0Tasks.concat(a, b)\n", "- `Tasks.concat`: A task that does what the tasks do"),
        ("t = Tasks.con$0cat(a, b)\n", "concat | ‹Tasks.concat(task, …, name = …) -> Task›"),
        ("j = MesosJ$0ob(name = 'a')\n", "**Job**¶¶A job: a task"),
        ("x = Tr$0ue\n", "‹True›"),
        ("x = $0nobody\n", "none"),
        ("# $0Process\n", "none"),
        ("x = 1 + $0\n", "none"),
    ]);
}

#[test]
fn the_definition_that_counts_is_told() {
    check(&[
        // Functions run later.
        ("x = 1\ndef f():\n  return x$0\nx = 'a'\n", "x: String = 'a'"),
        ("x = 1\ny = x$0\nx = 'a'\n", "x: Number = 1"),
        ("x = 1\nx = str(x$0)\n", "x: Number = 1"),
        ("def f():\n  x = 1\n  y = x$0\n  x = 'a'\n", "x: Number = 1"),
    ]);
}

#[test]
fn the_quotes_of_a_text_belong_to_it() {
    for (text, marks) in [
        ("\"{{mesos.instance}}\"", vec!["\""]),
        ("'{{mesos.instance}}'", vec!["'"]),
        ("\"\"\"{{mesos.instance}}\"\"\"", vec!["\"\"\"", "\"\"", "\""]),
        ("r'''{{mesos.instance}}'''", vec!["r", "'''", "''", "'"]),
    ] {
        for mark in marks {
            let text = text.replacen(mark, &format!("$0{mark}"), 1);
            let case = format!("p = Process(name = 'a', cmdline = {text})\n");
            let found = told(&Fixture::new(&case));
            assert!(found.contains(" | **Process.cmdline**: String"), "{case}{found}");
        }
    }
}

#[test]
fn members_of_values() {
    check(&[
        ("j = Job(name = 'a')\nk = j.bi$0nd(x = 1)\n", "bind | ‹x.bind(name = value, …)›"),
        ("j = Job(name = 'a')\nk = j.na$0me()\n", "name | **Job.name**: String"),
        ("j = Job(name = 'a')\nk = j.has_na$0me()\n", "has_name | **Job.name**: String"),
        ("j = Job(name = 'a')\nk = j.task$0()\n", "**Job.task**: Task, required"),
        (
            "class P(Struct):\n  # Cores.\n  cpu = Float\nx = P(cpu = 1).cp$0u()\n",
            "‹P.cpu = Float›¶¶Cores.",
        ),
        ("x = 'a'.upp$0er()\n", "‹text.upper()›¶¶The text in large letters."),
        ("x = [1].app$0end(2)\n", "‹list.append(element)›"),
        ("x = {}.ge$0t('a')\n", "‹dict.get(key, default)›"),
        ("x = nobody.spl$0it()\n", "‹text.split(separator, maxsplit)›"),
        ("x = Process.json_l$0oads('')\n", "‹Type.json_loads(text, strict = False)›"),
        ("j = Job(name = 'a')\nk = j.nothi$0ng\n", "none"),
    ]);
}

#[test]
fn fields_where_they_are_given() {
    check(&[
        ("p = Process(na$0me = 'a')\n", "name | **Process.name**: String, required"),
        ("p = Process(na$0me = ", "name | **Process.name**: String, required"),
        ("t = Task(processes = [Process(cmd$0line = 'a')])\n", "**Process.cmdline**"),
        (
            "b = Service(name = 'a')\nc = b(inst$0ances = 2)\n",
            "**Job.instances**: Integer, default 1",
        ),
        ("v = Volume(mo$0de = 'RW')\n", "- `\"RO\"`: "),
        ("j = Job(cont$0ainer = Docker(image = 'x'))\n", "- `Docker`: "),
        ("t = SequentialTask(res$0ources = r)\n", "**Task.resources**"),
        ("t = Tasks.concat(a, na$0me = 'x')\n", "**Task.name**"),
        ("r = Resources(r$0am = 512 * MB)\n", "at least 1 * MB¶¶"),
        ("r = Resources(r$0am = 512 * MB)\n", "¶¶512 MB"),
        ("r = Resources(ram = $01073741824)\n", "1073741824 | **Resources.ram**: Integer¶¶1 GB"),
        (
            "r = Resources(ram = 1$00 * MB + 5 * KB)\n",
            "10 * MB + 5 * KB | **Resources.ram**: Integer¶¶about 10 MB",
        ),
        ("MB = 3\nr = Resources(ram = 51$02 * MB)\n", "512 * MB | **Resources.ram**: Integer"),
        ("t = Task(finalization_wait = 9$00)\n", "**Task.finalization_wait**: Integer¶¶1 min 30 s"),
        ("v = Volume(mode = 'R$0W')\n", "'RW' | **Mode** `\"RW\"`¶¶"),
        ("p = Process(cmdline = 'a$0b')\n", "'ab' | **Process.cmdline**: String"),
        ("p = Process(nothi$0ng = 'a')\n", "none"),
        ("x = le$0n(y = 'a')\n", "‹len(x)›"),
        ("x = sorted(a, rev$0erse = True)\n", "‹sorted(iterable, cmp, key, reverse = False)›"),
    ]);
}

#[test]
fn what_files_define() {
    check(&[
        ("# The port.\nport = 80\nx = po$0rt\n", "port | ‹port: Number = 80›¶¶The port."),
        ("$0port = 80\n", "port | ‹port: Number = 80›"),
        (
            "t = Task(\n    # its name\n    name = 'a',\n)\nu = $0t\n",
            "‹t: Task = Task(name = 'a')›",
        ),
        ("x = 1\nx = 'b'\ny = $0x\n", "‹x: String = 'b'›"),
        ("def f(a, b = 1):\n  'Does it.'\nx = $0f(1)\n", "f | ‹def f(a, b = 1)›¶¶Does it."),
        ("def f(a = 1):\n  'It.\\n\\na: the first'\nx = f($0a = 2)\n", "a | ‹a = 1›¶¶the first"),
        ("def f(a = 1):\n  'It.\\n\\na: the first'\n  return $0a\n", "a | ‹a = 1›¶¶the first"),
        (
            "class P(Struct):\n  'Kinds.'\n  a = String\n  b = Float\nx = $0P()\n",
            "‹class P(Struct):¶    a = String¶    b = Float›¶¶Kinds.",
        ),
        (
            "class P(Struct):\n  a = Required(String)  # The first.\nx = P($0a = 'x')\n",
            "‹P.a = Required(String)›¶¶The first.",
        ),
        ("for x in ['a']:\n  y = $0x\n", "‹x: String  # for x in ['a']›"),
        ("y = [$0x for x in ['a']]\n", "‹x: String  # for x in ['a']›"),
        ("import os\nx = $0os\n", "‹import os›"),
        ("jo$0bs = []\n", "The jobs of the file."),
        (
            "#- a.aurora\ninclude('b.aurora')\nx = $0y\n#- b.aurora\ny = 1\n",
            "y | ‹y: Number = 1›¶¶in `b.aurora`",
        ),
        (
            "load('@std//service.aurora', 'worker')\ns = $0worker()\n",
            "‹def worker(¶    name,¶    run,¶    health=None,",
        ),
        ("load('@std//service.aurora', 'worker')\ns = $0worker()\n", "¶- `run`: a command line, "),
        ("load('@std//service.aurora', 'worker')\ns = $0worker()\n", "¶¶in `@std//service.aurora`"),
        ("load('@std//service.aurora', 'work$0er')\n", "worker | ‹def worker("),
        (
            "load('@std//service.aurora', 'worker')\ns = worker(r$0un = 'a')\n",
            "run | ‹run›¶¶a command line, ",
        ),
        (
            "load('@std//service.aurora', 'worker')\ns = worker(instan$0ces = 2)\n",
            "**Job.instances**",
        ),
        ("load('nowhere.aurora', '$0x')\n", "‹load(…, 'x')›"),
        ("x = f'{por$0t}'\nport = 80\n", "‹port: Number = 80›"),
        ("e = 'p'\nis$0p = e == 'p'\n", "‹isp: Boolean = e == 'p'›"),
        ("e = 'p'\nis$0p = e not in ['p']\n", "‹isp: Boolean = e not in ['p']›"),
        ("is$0p = not 'p'\n", "‹isp: Boolean = not 'p'›"),
        ("x$0 = 1 + 2\n", "‹x: Number = 1 + 2›"),
        ("x$0 = -1\n", "‹x: Number = -1›"),
    ]);
}

#[test]
fn files() {
    check(&[
        (
            "#- a.aurora\ninclude('b.au$0rora')\n#- b.aurora\n'Profiles.'\ny = 1\n_z = 2\ndef f():\n  return 1\n",
            "'b.aurora' | `/project/b.aurora`¶¶Profiles.¶¶Defines `y`, `f`",
        ),
        (
            "load('@std//serv$0ice.aurora', 'worker')\n",
            "`@std//service.aurora`¶¶Services: jobs that run",
        ),
        ("load('@std//serv$0ice.aurora', 'worker')\n", "Defines `http_service`, `worker`"),
        ("include('nowhere.au$0rora')\n", "`/project/nowhere.aurora` is not known"),
        ("x = $0y\n#- other.aurora\ny = 1\n", "none"),
    ]);
}

#[test]
fn references_of_templates() {
    check(&[
        (
            "p = Process(name = 'a', cmdline = 'x {{na$0me}}')\n",
            "name | ‹name = 'a'›¶¶**Process.name**",
        ),
        (
            "p = Process(cmdline = '{{po$0rt}}')\nj = Job(task = p).bind(port = 80)\n",
            "port | ‹port = 80›",
        ),
        (
            "p = Process(cmdline = '{{x$0}}')\na = p.bind(x = 1)\nb = p.bind(x = 2)\n",
            "‹x = 1›¶¶‹x = 2›",
        ),
        (
            "j = Job().bind(po$0rt = 80)\n",
            "port | ‹port = 80›¶¶Bound: templates refer to it as `{{port}}`.",
        ),
        ("j = Job().bind({'po$0rt': 80})\n", "port | ‹port = 80›¶¶Bound"),
        (
            "class P(Struct):\n  cpu = Float  # Cores.\np = Process(cmdline = '{{profile.cp$0u}}')\nj = Job().bind(profile = P(cpu = 1))\n",
            "cpu | ‹P.cpu = Float›¶¶Cores.",
        ),
        ("p = Process(cmdline = '{{mesos.inst$0ance}}')\n", "instance | **MesosContext.instance**"),
        ("p = Process(cmdline = '{{me$0sos.instance}}')\n", "mesos | **mesos**: MesosContext¶¶"),
        (
            "p = Process(cmdline = '{{mesos.ro$0le}}')\n",
            "role | ‹{{mesos.role}}›¶¶The role of the job.",
        ),
        (
            "p = Process(cmdline = '{{thermos.ports[ht$0tp]}}')\n",
            "http | **http**: a port¶¶**ThermosContext.ports**",
        ),
        ("p = Process(cmdline = '{{nobo$0dy}}')\n", "none"),
        ("p = Process(cmdline = '{{d.$0k}}')\nj = Job().bind(d = {'k': 1})\n", "k | ‹k = 1›"),
        (
            "p = Process(cmdline = '{{$0v}}')\nq = Process(cmdline = '{{v}}')\n\
             a = p.bind(v = 1)\nb = q.bind(v = 2)\n",
            "v | ‹v = 1›",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base.bind(x = 2)\n#- b.aurora\nbase = Process(cmdline = '{{$0x}}')\n",
            "‹x = 2›¶¶in `a.aurora`",
        ),
    ]);
}

/// A file with two jobs of one task, and a cursor.
fn two(fields: &str) -> String {
    format!(
        "p = Process(name = 'p', {fields})\n\
         t = Task(processes = [p], resources = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB))\n\
         j = Job(task = t, cluster = 'c', role = 'r', environment = 'test')\n\
         jobs = [j(name = 'a').bind(x = 1), j(name = 'b').bind(x = 2)]\n"
    )
}

fn check_evaluated(cases: &[(String, &str)]) {
    for (case, wanted) in cases {
        let found = told(&Fixture::evaluated(case));
        assert!(found.contains(wanted), "{case}\n{found}\nhas no {wanted}");
    }
}

#[test]
fn what_values_come_to_in_the_jobs() {
    let shared = |text: &str| format!("#- a.aurora\ninclude('t.aurora')\n{text}#- t.aurora\n");
    check_evaluated(&[
        (
            two("cmdline = 'run {{$0x}}'"),
            "x | ‹x = 1›¶¶‹x = 2›¶¶- `1` in `c/r/test/a`¶- `2` in `c/r/test/b`",
        ),
        (
            two("cmdline = 'r$0un {{x}}'"),
            "'run {{x}}' | **Process.cmdline**: String¶¶- `run 1` in `c/r/test/a`¶- `run 2` in `c/r/test/b`",
        ),
        (two("cmd$0line = 'run {{x}}'"), "¶¶- `run 1` in `c/r/test/a`¶- `run 2` in `c/r/test/b`"),
        (two("cmdline = 'r$0un'"), "¶¶`run` in `c/r/test/a`, `c/r/test/b`"),
        (two("cmdline = '{{$0x}}{{x}}'"), "The text comes to:¶¶- `11` in `c/r/test/a`"),
        (two("cmdline = '{{x}}:{{mesos.inst$0ance}}'"), "The number of the instance"),
        (
            two("cmdline = 'x', min_duration = 9$00"),
            "**Process.min_duration**: Integer¶¶1 min 30 s¶¶`90` (1 min 30 s) in `c/r/test/a`, ",
        ),
        (two("cmdline = 'a\\n{{$0x}}'"), "- `1` in `c/r/test/a`"),
        (two("cmdline = 'a\\n{{x}}$0'"), "- `c/r/test/a`:¶  ```¶  a¶  1¶  ```"),
        (
            format!("cmd = 'run {{{{$0x}}}}'\n{}", two("cmdline = cmd")),
            "- `1` in `c/r/test/a`¶- `2` in `c/r/test/b`",
        ),
        (
            format!("cmd = 'run {{{{x}}}}'\n{}", two("cmdline = $0cmd")),
            "cmd | ‹cmd: String = 'run {{x}}'›¶¶- `run 1` in `c/r/test/a`",
        ),
        (
            format!(
                "{}t = Task(name = 't', processes = [Process(name = 'p', cmdline = 'go {{{{$0x}}}}')], \
                 resources = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB))\n",
                shared(
                    "jobs = [Job(task = t, cluster = 'c', role = 'r', environment = 'test').bind(x = 3)]\n"
                )
            ),
            "x | ‹x = 3›¶¶in `a.aurora`¶¶`3` in `c/r/test/t`",
        ),
    ]);
}

#[test]
fn ram_is_told_in_units() {
    let case = two("cmdline = 'x'").replace("ram = 64", "ram = 6$04");
    let found = told(&Fixture::evaluated(&case));
    assert!(found.contains("¶¶64 MB¶¶`67108864` (64 MB) in `c/r/test/a`, `c/r/test/b`"), "{found}");
}

#[test]
fn no_byte_of_any_text_is_too_much() {
    let cases = [
        "p = Process(name = 'a {{x.y[z]}}', cmdline = f'{a!r:>{b}}') if x else [Job(\n",
        "load('a', 'b', c = 'd')\ninclude(\ndef f(a, *b, **c):\n  \"\"\"x\n",
        "class P(Struct):\n  a = Required(\n\u{e9}\u{1f600} = {{\n'\u{e9}{{\u{e9}'",
        "x.bind({'a': 1}, b = {{c}})(d = [e for f in g",
    ];
    for case in cases {
        let fixture = Fixture::new(case);
        for at in 0..=u32::try_from(case.len() + 2).unwrap() {
            hover(&fixture.world, &fixture.file, at);
        }
    }
    let fixture = Fixture::new("x = 1\n");
    assert_eq!(hover(&fixture.world, &aurora_ide::FileId::new("/nowhere"), 0), None);
}

#[test]
fn the_values_of_jobs_are_worked_out_before_somebody_asks_or_then() {
    let text = "jobs = [Service(cluster = 'c', role = 'r', environment = 'prod', name = 'a{{n}}',\n  \
        task = SimpleTask('t', 'x')).bind(n = i) for i in range(3)]\n";
    let fixture = Fixture::evaluated(text);
    let evaluated = fixture.world.evaluated(&fixture.file).unwrap();
    let asked = std::cell::Cell::new(0);
    let twice = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    assert!(!evaluated.work_out(&twice), "it goes on though it is told to stop");
    assert_eq!(asked.get(), 3);
    assert!(evaluated.work_out(&|| true));
    // What is there is not worked out again.
    assert!(evaluated.work_out(&|| false));
    let later = Fixture::evaluated(text);
    let later = later.world.evaluated(&fixture.file).unwrap();
    let shown = |all: &[aurora_ide::evaluated::JobValue]| format!("{all:?}");
    let wanted = shown(later.values(&fixture.file));
    assert!(wanted.contains("a2"), "{wanted}");
    assert_eq!(shown(evaluated.values(&fixture.file)), wanted);
}
