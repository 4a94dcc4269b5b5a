//! Names in scope and of other files, what follows a dot, paths.

use aurora_ide::FileId;
use aurora_ide::complete::complete;

use super::{check, detail, proposals, taken};

#[test]
fn names_in_scope() {
    check(&[
        ("apple = 1\nx = ap$0", "apple, …"),
        ("apple = 1\nx = [ap$0]", "apple, …"),
        ("x = ap$0\napple = 1\n", "-apple, …"),
        ("def f():\n  return ap$0\napple = 1\n", "apple, …"),
        ("apple = ap$0", "-apple, …"),
        ("def f(apple):\n  $0", "+apple, +return, …"),
        ("def f(apple):\n  x = 1\n  y = ap$0", "apple, …"),
        ("def f(apple):\n  return 1\nx = ap$0", "-apple, …"),
        ("def f(apple):\n  return 1\n$0", "-apple, -return, …"),
        ("x = [apple for apple in [1] if ap$0]", "apple, …"),
        ("for apple in [1]:\n  x = ap$0", "apple, …"),
        ("class P(Struct):\n  apple = Integer\nx = ap$0", "-apple, …"),
        ("#- a.aurora\ninclude('b.aurora')\nx = ap$0\n#- b.aurora\napple = 1\n", "apple, …"),
        ("#- a.aurora\ninclude('b.aurora')\napple = 1\n#- b.aurora\nx = ap$0\n", "apple, …"),
        ("load('@std//shell.aurora', w='words')\nx = w$0", "w, …"),
        ("x = Reso$0", "Resources, …"),
        ("x = sor$0", "sorted, …"),
        ("x = ope$0", "-open, …"),
        ("x = Tru$0", "True, …"),
        ("x = not $0", "+True, +Process, …"),
        ("Process = 1\nx = Proces$0", "Process, …"),
        ("print $0", "+Process, …"),
        ("apple = 1\nprint ap$0", "apple, …"),
        ("x = f\"{ap$0}\"\napple = 1", "-apple, …"),
        ("apple = 1\nx = f\"{ap$0}\"", "apple, …"),
        ("apple = 1\nx = f\"a {ap$0", "apple, …"),
    ]);
    taken(&[
        ("apple = 1\nx = a$0pp", "apple", "apple = 1\nx = apple"),
        ("def make(a):\n  return a\nx = ma$0", "make", "def make(a):\n  return a\nx = make($0)"),
        ("def make():\n  return 1\nx = ma$0", "make", "def make():\n  return 1\nx = make()"),
        ("def make(a):\n  return a\nx = ma$0(1)", "make", "def make(a):\n  return a\nx = make(1)"),
        ("x = Proc$0", "Process", "x = Process($0)"),
        ("x = Proc$0(name='a')", "Process", "x = Process(name='a')"),
        ("x = G$0", "GB", "x = GB"),
        ("x = us$0", "user", "x = user()"),
    ]);
    assert_eq!(detail("t = Task()\nx = $0", "t"), "Task");
    assert_eq!(detail("n = 3 + 1\nx = $0", "n"), "Number = 3 + 1");
    assert_eq!(detail("def f(a=1):\n  return a\nx = $0", "f"), "function f");
}

#[test]
fn nothing_where_nothing_is_known() {
    check(&[
        ("# a comm$0ent", ""),
        ("x = 1  # Process($0", ""),
        ("x = 'text $0'", ""),
        ("x = 'name$0'", ""),
        ("\"\"\"What this is: na$0\n\"\"\"\nx = 1", ""),
        ("p = Process(cmdline='run na$0')", ""),
        ("p = Process(cmdline='run $0", ""),
        ("x = 12$0", ""),
        ("x = foo()$0", ""),
        ("x = 'a'$0", ""),
        ("def na$0", ""),
        ("def f(na$0): pass", ""),
        ("def f(a, na$0): pass", ""),
        ("class Na$0", ""),
        ("for na$0", ""),
        ("import os as na$0", ""),
        ("x = 'a { na$0'", ""),
        ("x = '{{a}} na$0'", ""),
        ("x = f'{{na$0'", ""),
        ("x = lambda na$0", ""),
    ]);
    let (fixture, _) = proposals("x = 1");
    assert!(complete(&fixture.world, &FileId::new("/nowhere.aurora"), 0).is_empty());
    assert!(complete(&fixture.world, &fixture.file, 999).is_empty());
}

#[test]
fn names_of_other_files_come_with_what_takes_them() {
    check(&[
        ("#- a.aurora\nx = ap$0\n#- b.aurora\napple = 1\n", "+apple, …"),
        ("#- a.aurora\nx = $0\n#- b.aurora\napple = 1\n", "-apple, …"),
        ("#- a.aurora\nx = _ap$0\n#- b.aurora\n_apple = 1\n", "-_apple, …"),
        ("#- a.aurora\nx = job$0\n#- b.aurora\njobs = 1\n", "-jobs, …"),
        ("x = http_s$0", "http_service"),
        // These cannot be taken: they lead back, or include and would have to be loaded.
        ("#- a.aurora\nq = 1\nx = zz$0\n#- b.aurora\nload('a.aurora', 'q')\nzzz = q\n", "-zzz, …"),
        (
            "#- a.aurora\nx = zz$0\n#- b.aurora\ninclude('c.aurora')\nzzz = 1\njobs = []\n#- c.aurora\ny = 1\n",
            "-zzz, …",
        ),
        ("z = [por$0 for portal in ports]\n", "portal, …"),
        ("P = struct_type('P', a = f([por$0 for portal in ports]))\n", "portal, …"),
        ("x = f([por$0])\nportal = 1\n", "-portal, …"),
    ]);
    taken(&[
        (
            "x = http_s$0\n",
            "http_service",
            "load(\"@std//service.aurora\", \"http_service\")\n\nx = http_service($0)\n",
        ),
        (
            "# The web.\n\nx = 1\ny = http_s$0\n",
            "http_service",
            "# The web.\n\nload(\"@std//service.aurora\", \"http_service\")\n\nx = 1\ny = http_service($0)\n",
        ),
        (
            "#!/usr/bin/env aurora\n# x is one.\nx = 1\ny = http_s$0\n",
            "http_service",
            "#!/usr/bin/env aurora\nload(\"@std//service.aurora\", \"http_service\")\n\n# x is one.\nx = 1\ny = http_service($0)\n",
        ),
        (
            "'''What it is.'''\n\ny = http_s$0\n",
            "http_service",
            "'''What it is.'''\n\nload('@std//service.aurora', 'http_service')\n\ny = http_service($0)\n",
        ),
        (
            "include('b.aurora')  # first\n\ny = http_s$0\n",
            "http_service",
            "include('b.aurora')  # first\nload('@std//service.aurora', 'http_service')\n\ny = http_service($0)\n",
        ),
        (
            "load('@std//service.aurora', 'worker')\ny = http_s$0\n",
            "http_service",
            "load('@std//service.aurora', 'worker', 'http_service')\ny = http_service($0)\n",
        ),
        (
            "load(\n  '@std//service.aurora',\n  'worker',\n)\ny = http_s$0\n",
            "http_service",
            "load(\n  '@std//service.aurora',\n  'worker', 'http_service'\n)\ny = http_service($0)\n",
        ),
        (
            "y = 1\r\nx = http_s$0\r\n",
            "http_service",
            "load(\"@std//service.aurora\", \"http_service\")\r\n\r\ny = 1\r\nx = http_service($0)\r\n",
        ),
        (
            "#- a.aurora\nx = ap$0\n#- lib/b.aurora\napple = 1\n",
            "apple",
            "include(\"lib/b.aurora\")\n\nx = apple\n",
        ),
        (
            "#- lib/a.aurora\nx = ap$0\n#- b.aurora\napple = 1\n",
            "apple",
            "include(\"../b.aurora\")\n\nx = apple\n",
        ),
        (
            "#- a.aurora\nx = ap$0\n#- b.aurora\napple = 1\njobs = []\n",
            "apple",
            "load(\"b.aurora\", \"apple\")\n\nx = apple\n",
        ),
        (
            "#- a.aurora\nload('c.aurora', 'z')\nx = ap$0\n#- b.aurora\napple = 1\n#- c.aurora\nz = 1\n",
            "apple",
            "load('c.aurora', 'z')\nload('b.aurora', 'apple')\nx = apple\n",
        ),
        (
            "#- a.aurora\ninclude('b.aurora'); x = ap$0\n#- b.aurora\nb = 1\n#- c.aurora\napple = 1\n",
            "apple",
            "include('b.aurora'); include('c.aurora'); x = apple\n",
        ),
        (
            "'''What it is.'''; x = http_s$0\n",
            "http_service",
            "'''What it is.'''; load('@std//service.aurora', 'http_service'); x = http_service($0)\n",
        ),
        (
            "\u{feff}x = 1\ny = http_s$0\n",
            "http_service",
            "\u{feff}load(\"@std//service.aurora\", \"http_service\")\n\nx = 1\ny = http_service($0)\n",
        ),
        // A file that others load cannot include.
        (
            "#- a.aurora\nx = ap$0\n#- b.aurora\napple = 1\n#- c.aurora\nload('a.aurora', 'x')\n",
            "apple",
            "load(\"b.aurora\", \"apple\")\n\nx = apple\n",
        ),
        // Most lines count.
        (
            "# a\r\n\ny = 1\nx = http_s$0\n",
            "http_service",
            "# a\r\n\nload(\"@std//service.aurora\", \"http_service\")\n\ny = 1\nx = http_service($0)\n",
        ),
        (
            "y = r'a'\rx = http_s$0\r",
            "http_service",
            "load('@std//service.aurora', 'http_service')\r\ry = r'a'\rx = http_service($0)\r",
        ),
        (
            "j = 1\nk = Job(\n  update_config=can$0\n)\n",
            "canary",
            "load(\"@std//updates.aurora\", \"canary\")\n\nj = 1\nk = Job(\n  update_config=canary($0)\n)\n",
        ),
    ]);
}

#[test]
fn what_follows_a_dot() {
    check(&[
        ("x = Tasks.$0", "simple, sequential, combine, concat"),
        ("x = Tasks.con$0", "concat, combine"),
        ("x = Units.res$0", "resources_sum, resources_max, …"),
        ("x = Processes.$0", "order"),
        ("import os\nx = os.$0", "environ, getenv, path, …"),
        (
            "x = Job(name='a').$0",
            "bind, in_scope, check, interpolate, get, json_dumps, name, role, …",
        ),
        ("j = Job()\nx = j.ta$0", "task, task_links, +has_task, -contact, …"),
        ("j = Job()\nx = j.bind(a=1).ch$0", "check, …"),
        ("j = Job()\nx = j.task().$0", "+processes, +bind, …"),
        ("x = Job.$0", "json_loads"),
        ("class P(Struct):\n  port = Integer\np = P()\nx = p.po$0", "port, …"),
        ("x = 'a'.sp$0", "split, splitlines, …"),
        ("x = [1].ap$0", "append, …"),
        ("x = {}.it$0", "items, …"),
        ("x = y().$0", "bind, in_scope, check, …"),
        ("x = Job(name=j.$0\nj = Task()\n", "bind, in_scope, …"),
    ]);
    taken(&[
        ("x = Tasks.con$0", "concat", "x = Tasks.concat($0)"),
        ("x = Tasks.con$0(a)", "concat", "x = Tasks.concat(a)"),
        ("x = Job().bi$0", "bind", "x = Job().bind($0)"),
        ("x = Job().ro$0", "role", "x = Job().role()"),
        ("x = Job().che$0", "check", "x = Job().check()"),
        ("x = os.pa$0", "path", "x = os.path."),
    ]);
}

#[test]
fn paths_and_loaded_names() {
    check(&[
        (
            "#- a.aurora\ninclude('$0')\n#- lib/b.aurora\nx = 1\n#- c.aurora\nx = 1\n",
            "c.aurora, lib/b.aurora",
        ),
        (
            "#- lib/a.aurora\ninclude('$0')\n#- lib/b.aurora\nx = 1\n#- c.aurora\nx = 1\n",
            "b.aurora, ../c.aurora",
        ),
        ("#- a.aurora\ninclude($0)\n#- b.aurora\nx = 1\n", "\"b.aurora\""),
        ("#- a.aurora\ninclude('c$0')\n#- b.aurora\nx = 1\n#- c.aurora\nx = 1\n", "c.aurora"),
        (
            "#- a.aurora\ninclude('b.aurora')\ninclude('$0')\n#- b.aurora\nx = 1\n#- c.aurora\nx = 1\n",
            "c.aurora, b.aurora",
        ),
        ("load('$0')", "@std//batch.aurora, @std//environments.aurora, …"),
        ("load('@std//ser$0')", "@std//service.aurora, …"),
        ("load('serv$0", "@std//service.aurora"),
        ("load('@std//service.aurora', '$0')", "http_service, worker"),
        ("load('@std//service.aurora', $0)", "'http_service', 'worker'"),
        ("load('@std//service.aurora', 'worker', '$0')", "http_service"),
        ("load('@std//service.aurora', w='$0')", "http_service, worker"),
        ("load(r'@std//service.aurora', '$0')", "http_service, worker"),
        ("load('@std//service.aurora', r'worker', '$0')", "http_service"),
        // What leads back to the file, or includes where it is loaded, cannot be taken.
        (
            "#- c.aurora\ninclude('$0')\n#- a.aurora\ninclude('b.aurora')\n#- b.aurora\ninclude('c.aurora')\n#- d.aurora\nx = 1\n",
            "d.aurora, a.aurora, b.aurora",
        ),
        (
            "#- a.aurora\nload('$0')\n#- b.aurora\ninclude('c.aurora')\n#- c.aurora\nx = 1\n",
            "c.aurora, @std//batch.aurora, …",
        ),
        (
            "#- a.aurora\nload('b.aurora', '$0')\n#- b.aurora\ninclude('c.aurora')\ny = 1\n#- c.aurora\nx = 1\n",
            "y",
        ),
        (
            "#- a.aurora\nload('b.aurora', '$0')\n#- b.aurora\nx = 1\ndef f(): pass\n_y = 2\n",
            "f, x",
        ),
        // The last definition of a name counts, and functions come first.
        ("#- a.aurora\nload('b.aurora', '$0')\n#- b.aurora\na = 1\nf = 1\ndef f(): pass\n", "f, a"),
        ("#- a.aurora\nload('none.aurora', '$0')\n#- b.aurora\nx = 1\n", ""),
    ]);
    taken(&[
        (
            "#- a.aurora\ninclude('$0')\n#- lib/b.aurora\nx = 1\n",
            "lib/b.aurora",
            "include('lib/b.aurora')\n",
        ),
        (
            "#- a.aurora\ninclude('li$0b/old.aurora')\n#- lib/b.aurora\nx = 1\n",
            "lib/b.aurora",
            "include('lib/b.aurora')\n",
        ),
        (
            "#- a.aurora\ninclude(\"li$0\n#- lib/b.aurora\nx = 1\n",
            "lib/b.aurora",
            "include(\"lib/b.aurora\"\n",
        ),
        ("load('@std//service.aurora', 'w$0", "worker", "load('@std//service.aurora', 'worker'"),
        (
            "#- a.aurora\ninclude(r\"b$0\n#- b.aurora\nx = 1\n",
            "b.aurora",
            "include(r\"b.aurora\"\n",
        ),
    ]);
}

#[test]
fn values_of_python_have_no_methods_of_structs() {
    for value in ["[]", "{}", "'abc'", "('a' + 'b')", "[x for x in 'ab']", "v"] {
        let case = format!("v = ['a']\ny = {value}.$0\n");
        check(&[(&*case, "-bind, -in_scope, -check, -interpolate, -json_dumps, …")]);
    }
    check(&[
        ("j = Job(name='a')\ny = j.name().$0\n", "+bind, …"),
        ("def f(v):\n  return v.$0\n", "+bind, …"),
    ]);
}
