//! What is proposed at a cursor, and what the file is once a proposal was taken.

use aurora_ide::FileId;
use aurora_ide::complete::{Completion, complete, documentation};

use crate::fixture::Fixture;

fn proposals(case: &str) -> (Fixture, Vec<Completion>) {
    let mut fixture = Fixture::new(case);
    fixture.workspace.set_clusters(vec!["devcluster".to_owned(), "west".to_owned()]);
    fixture.world = fixture.workspace.snapshot();
    let found = complete(&fixture.world, &fixture.file, fixture.at);
    (fixture, found)
}

/// Each case with labels in the order in which they are proposed: all of them, or the first if `…`
/// stands at the end. `+label` is anywhere, `-label` nowhere.
fn check(cases: &[(&str, &str)]) {
    for (case, wanted) in cases {
        let (_, found) = proposals(case);
        let labels: Vec<&str> = found.iter().map(|proposal| &*proposal.label).collect();
        let mut first = Vec::new();
        let mut is_begin = false;
        for wanted in wanted.split(", ").filter(|wanted| !wanted.is_empty()) {
            if let Some(label) = wanted.strip_prefix('+') {
                assert!(labels.contains(&label), "{label} is not in {labels:?}\n{case}");
                is_begin = true;
            } else if let Some(label) = wanted.strip_prefix('-') {
                assert!(!labels.contains(&label), "{label} is in {labels:?}\n{case}");
                is_begin = true;
            } else if wanted == "…" {
                is_begin = true;
            } else {
                first.push(wanted);
            }
        }
        let shown = if is_begin { &labels[..first.len().min(labels.len())] } else { &labels[..] };
        assert_eq!(shown, first, "{labels:?}\n{case}");
        assert!(found.is_sorted_by(|a, b| a.sort < b.sort), "{case}");
    }
}

/// Each case with the label of a proposal and the file once it was taken.
fn taken(cases: &[(&str, &str, &str)]) {
    for (case, label, wanted) in cases {
        let (fixture, found) = proposals(case);
        let proposal = found.iter().find(|proposal| proposal.label == *label);
        let Some(proposal) = proposal else {
            let labels: Vec<&str> = found.iter().map(|proposal| &*proposal.label).collect();
            panic!("{label} is not in {labels:?}\n{case}");
        };
        let mut changes = vec![(proposal.replaced, proposal.text.clone())];
        changes.extend(proposal.edits.iter().map(|edit| {
            assert_eq!(edit.location.file, fixture.file, "{case}");
            (edit.location.span, edit.text.clone())
        }));
        changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for pair in changes.windows(2) {
            assert!(pair[1].0.end < pair[0].0.start, "changes touch: {changes:?}\n{case}");
        }
        let mut text = fixture.source().text.to_string();
        for (span, new) in changes {
            text.replace_range(span.range(), &new);
        }
        assert_eq!(text, *wanted, "{case}");
    }
}

/// The detail of a proposal.
fn detail(case: &str, label: &str) -> String {
    let (_, found) = proposals(case);
    let proposal = found.iter().find(|proposal| proposal.label == label);
    proposal.unwrap_or_else(|| panic!("{label}\n{case}")).detail.clone()
}

#[test]
fn fields_of_structs() {
    check(&[
        ("p = Process($0)", "name, cmdline, max_failures, daemon, ephemeral, …"),
        ("p = Process($0", "name, cmdline, max_failures, …"),
        ("p = Process(name='a', $0)", "cmdline, max_failures, -name, …"),
        ("p = Process(name='a', $0, cmdline='b')", "max_failures, -name, -cmdline, …"),
        ("p = Process(na$0", "name"),
        ("p = Process(na$0='a')", "name, …"),
        ("p = Process(name='a', res$0)", "resources, …"),
        ("p = Process(\n  name='a',\n  $0\n)\nx = 1\n", "cmdline, -name, …"),
        ("p = Process(\n  name='a',\n  cm$0\n\nx = 1\n", "cmdline"),
        ("j = Job($0)", "role, cluster, environment, task, name, instances, …"),
        ("j = Job($0)", "+production, …"),
        ("s = Service($0)", "role, cluster, environment, task, -service, …"),
        ("s = MesosJob(cl$0)", "cluster, cron_schedule, …"),
        ("t = SequentialTask($0)", "name, processes, -constraints, …"),
        ("t = Tasks.concat(a, b, na$0)", "name, …"),
        ("t = combine_tasks(a, max_f$0)", "max_failures, …"),
        ("base = Service(name='a')\nb = base(inst$0)", "instances"),
        ("base = Service(name='a')\nb = base($0)", "name, role, cluster, …"),
        ("j = Job(name='a')(pr$0)", "priority, +production, …"),
        ("def make(x):\n  return Process(name=x)\np = make('a')(cm$0)", "cmdline"),
        ("j = Job(task=Task(resources=Resources($0)))", "cpu, ram, disk, gpu"),
        (
            "j = Job(update_config=UpdateConfig(batch_size=1, w$0",
            "watch_secs, wait_for_batch_completion, …",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base(inst$0)\n#- b.aurora\nbase = Job()\n",
            "instances",
        ),
    ]);
    assert_eq!(detail("j = Job($0)", "instances"), "Integer = 1");
    assert_eq!(detail("j = Job($0)", "role"), "String, required");
    assert_eq!(detail("j = Job($0)", "container"), "Container | Docker | Mesos");
    assert_eq!(detail("j = Job($0)", "lifecycle"), "LifecycleConfig = DefaultLifecycleConfig");
    let (_, found) = proposals("j = Job($0)");
    let production = found.iter().find(|proposal| proposal.label == "production").unwrap();
    assert!(production.is_deprecated);
    assert_eq!(found.last().unwrap().label, "production");
}

#[test]
fn fields_come_with_a_value_to_begin_with() {
    taken(&[
        ("p = Process($0)", "name", "p = Process(name=\"$0\")"),
        ("p = Process(name='a', $0)", "cmdline", "p = Process(name='a', cmdline='$0')"),
        ("p = Process(name = 'a', cm$0)", "cmdline", "p = Process(name = 'a', cmdline = '$0')"),
        ("p = Process(na$0 = 'a')", "name", "p = Process(name = 'a')"),
        ("p = Process(na$0me)", "name", "p = Process(name=\"$0\")"),
        ("p = Process($0)", "max_failures", "p = Process(max_failures=${1:1})"),
        ("p = Process($0)", "daemon", "p = Process(daemon=${1:True})"),
        (
            "u = UpdateConfig($0)",
            "rollback_on_failure",
            "u = UpdateConfig(rollback_on_failure=${1:False})",
        ),
        ("p = Process($0)", "resources", "p = Process(resources=Resources($0))"),
        ("t = Task($0)", "processes", "t = Task(processes=[$0])"),
        ("j = Job($0)", "constraints", "j = Job(constraints={$0})"),
        ("j = Job($0)", "container", "j = Job(container=$0)"),
        ("j = Job($0)", "task", "j = Job(task=Task($0))"),
        ("t = Task(name='a')\nj = Job($0)", "task", "t = Task(name='a')\nj = Job(task=$0)"),
        ("r = Resources($0)", "ram", "r = Resources(ram=${1:256}*${2:MB})"),
        ("r = Resources(cpu = 1, $0)", "ram", "r = Resources(cpu = 1, ram = ${1:256} * ${2:MB})"),
        ("r = Resources($0)", "cpu", "r = Resources(cpu=$0)"),
        (
            "p = Process(\n  name=\"a\",\n  cm$0\n)",
            "cmdline",
            "p = Process(\n  name=\"a\",\n  cmdline=\"$1\",\n)",
        ),
        (
            "p = Process(\n  cm$0\n  name=\"a\",\n)",
            "cmdline",
            "p = Process(\n  cmdline=\"$1\",\n  name=\"a\",\n)",
        ),
        (
            "p = Process(\n  name=\"a\", cm$0,\n)",
            "cmdline",
            "p = Process(\n  name=\"a\", cmdline=\"$0\",\n)",
        ),
    ]);
    let again = |case, label: &str| {
        let (_, found) = proposals(case);
        found.iter().find(|proposal| proposal.label == label).unwrap().again
    };
    assert!(again("j = Job($0)", "tier"));
    assert!(again("p = Process($0)", "logger"));
    assert!(!again("p = Process($0)", "daemon"));
}

#[test]
fn fields_of_classes_and_parameters_of_functions() {
    let class = "class P(Struct):\n  kind = Required(Enum('a', 'b'))\n  on = Default(Boolean, True)\n  n = Integer\n";
    check(&[
        (&format!("{class}p = P($0)"), "kind, on, n"),
        (&format!("{class}p = P(kind='a', $0)"), "on, n"),
        (&format!("{class}p = P(kind='a')(o$0)"), "on"),
        (
            "#- a.aurora\nload('b.aurora', 'Q')\np = Q($0)\n#- b.aurora\nclass Q(Struct):\n  port = Integer\n",
            "port",
        ),
        ("def f(a, b=1, *c):\n  return a\nx = f($0)", "a, b, f, -c"),
        ("def f(a, b=1):\n  return a\nx = f(1, $0)", "b, f, -a"),
        ("def f(a, b=1):\n  return a\nx = f(b=2, $0)", "a, f, -b"),
        (
            "load('@std//service.aurora', 'http_service')\ns = http_service($0)",
            "name, run, role, cluster, environment, port, …",
        ),
        (
            "load('@std//service.aurora', 'http_service')\ns = http_service('a', 'b', $0)",
            "role, cluster, environment, port, -name, -run, …",
        ),
        (
            "load('@std//service.aurora', 'http_service')\ns = http_service(name='a', inst$0)",
            "instances, …",
        ),
        ("load('@std//updates.aurora', c='canary')\ns = c($0)", "sizes, watch_secs, pause, …"),
        (
            "p = Process(cmdline='{{greeting}} {{name}} {{mesos.instance}}')\nj = Job().bind($0)",
            "greeting, …",
        ),
        ("p = Process(cmdline='{{a}} {{b}}')\nj = Job().bind(a=1, $0)", "b, -a, …"),
    ]);
    assert_eq!(detail(&format!("{class}p = P($0)"), "kind"), "a | b, required");
    assert_eq!(detail(&format!("{class}p = P($0)"), "on"), "Boolean = True");
    taken(&[
        (&format!("{class}p = P($0)"), "kind", &format!("{class}p = P(kind='$0')")),
        (&format!("{class}p = P($0)"), "on", &format!("{class}p = P(on=${{1:False}})")),
        (
            "def f(a, b=1, c='x', d=[]):\n  return a\nx = f(c$0)",
            "c",
            "def f(a, b=1, c='x', d=[]):\n  return a\nx = f(c='$0')",
        ),
        (
            "def f(a, b=1):\n  return a\nx = f(b$0)",
            "b",
            "def f(a, b=1):\n  return a\nx = f(b=${1:1})",
        ),
    ]);
}

#[test]
fn texts_that_fit() {
    check(&[
        ("l = Logger(destination='$0')", "file, console, both, none"),
        ("l = Logger(destination=$0)", "\"file\", \"console\", \"both\", \"none\""),
        ("l = Logger(destination=\"c$0\")", "console"),
        ("l = Logger(destination='fi$0le')", "file"),
        ("l = Logger(mode=r$0)", "\"rotate\", …"),
        ("v = Volume(mode='$0')", "RO, RW"),
        ("j = Job(cron_collision_policy='k$0')", "KILL_EXISTING"),
        ("j = Job(cron_collision_policy=$0)", "\"KILL_EXISTING\", \"CANCEL_NEW\", \"RUN_OVERLAP\""),
        ("j = Job(cluster='$0')", "devcluster, west"),
        ("j = Job(cluster=$0)", "\"devcluster\", \"west\""),
        ("j = Job(tier='$0", "preferred, preemptible, revocable"),
        ("j = Job(environment='$0')", "prod, devel, test, staging"),
        ("i = Job(role='www')\nj = Job(role='$0')", "www"),
        (
            "#- a.aurora\nj = Job(contact='$0')\n#- b.aurora\nj = Job(contact='me@x.org')\n",
            "me@x.org",
        ),
        ("h = HttpHealthChecker(endpoint='$0')", "/health"),
        ("a = Announcer(primary_port='$0')\nx = '{{thermos.ports[http]}}'", "http"),
        (
            "a = Announcer(portmap={'aurora': '$0'})\nx = '{{thermos.ports[b]}} {{thermos.ports[a]}}'",
            "a, b",
        ),
        ("a = Announcer(portmap={'$0'})", "health, aurora"),
        ("j = Job(constraints={'$0': 'x'})", "host, rack, dedicated"),
        ("j = Job(constraints={'host': '$0'})", "limit:1, limit:2"),
        ("i = Job(role='www', name='web')\nj = Job(constraints={'dedicated': '$0'})", "www/web"),
        ("a = Process(name='x')\nb = Process(name='y')\nc = Constraint(order=['x', '$0'])", "x, y"),
        ("a = Process(name='x')\nc = Constraint(order=[$0])", "'x', a"),
        ("a = Process(name='x')\nc = order('$0')", "x"),
        ("a = Process(name='x')\nc = order($0)", "a, 'x', Process, …"),
        ("class P(Struct):\n  kind = Required(Enum('a', 'b'))\np = P(kind='$0')", "a, b"),
        ("K = Enum('K', ('a', 'b'))\nclass P(Struct):\n  kind = K\np = P(kind=$0)", "'a', 'b', …"),
        ("t = Task(resources={'$0': 1})", "cpu, ram, disk, gpu"),
        ("t = Task(resources={'cpu': 1, '$0': 1})", "cpu, ram, disk, gpu"),
        ("j = Job({'cl$0'})", "cluster, …"),
        ("j = Job({'tier': '$0'})", "preferred, preemptible, revocable"),
        ("j = Job(task={'processes': [{'logger': {'mode': '$0'}}]})", "standard, rotate"),
        ("x = '{{greeting}}'\nj = Job().bind({'$0': 1})", "greeting"),
        ("j = Job(\n  tier='pre$0\n  role='x',\n)\n", "preferred, preemptible"),
        ("class P(Struct):\n  mode = LoggerMode\np = P(mode='$0')", "standard, rotate"),
        (
            "load('@std//service.aurora', 'worker')\ns = worker(name='a', tier='$0')",
            "preferred, preemptible, revocable",
        ),
    ]);
    taken(&[
        ("l = Logger(destination='$0')", "both", "l = Logger(destination='both')"),
        ("l = Logger(destination='fi$0le')", "file", "l = Logger(destination='file')"),
        ("l = Logger(destination='fi$0", "file", "l = Logger(destination='file'"),
        ("l = Logger(destination=\"fi$0)\n", "file", "l = Logger(destination=\"file\")\n"),
        ("l = Logger(destination=fi$0)", "\"file\"", "l = Logger(destination=\"file\")"),
        (
            "l = Logger(mode='x', destination=$0)",
            "'file'",
            "l = Logger(mode='x', destination='file')",
        ),
    ]);
}

#[test]
fn values_that_fit() {
    check(&[
        ("j = Job(service=$0)", "True, False"),
        ("u = UpdateConfig(rollback_on_failure=$0)", "False, True"),
        ("r = Resources(ram=$0)", "256*MB, 1*GB"),
        ("r = Resources(cpu = 1, ram = $0)", "256 * MB, 1 * GB"),
        ("r = Resources(ram=512$0)", "512*MB, 512*GB, 512*KB, 512*TB"),
        ("r = Resources(ram = 512 $0)", "* MB, * GB, * KB, * TB"),
        ("r = Resources(ram=512*$0)", "MB, GB, KB, TB"),
        ("r = Resources(ram=512*m$0)", "MB"),
        ("r = Resources(cpu=1$0)", ""),
        ("j = Job(instances=$0)", "1"),
        ("n = 3\nj = Job(instances=$0)", "n, 1"),
        ("t = Task(name='a')\nn = 1\nj = Job(task=$0)", "t, Task, SequentialTask, SimpleTask, …"),
        ("def t():\n  return Task(name='a')\nj = Job(task=$0)", "t, Task, …"),
        ("p = Process(name='a')\nt = Task(processes=[$0])", "p, Process, …"),
        ("p = Process(name='a')\nt = Task(processes=[p, $0])", "p, Process, …"),
        ("ps = [Process(name='a')]\nt = Task(processes=$0)", "ps, […], …"),
        ("t = Task(constraints=$0)", "order, […], …"),
        ("j = Job(sla_policy=$0)", "CoordinatorSlaPolicy, CountSlaPolicy, PercentageSlaPolicy"),
        ("d = Docker(image='i')\nj = Job(container=$0)", "d, Docker, Mesos, Container"),
        ("j = Job(lifecycle=$0)", "DefaultLifecycleConfig, DisableLifecycle, LifecycleConfig, …"),
        (
            "h = HealthCheckConfig(health_checker=$0)",
            "DefaultHealthChecker, HealthCheckerConfig, …",
        ),
        ("j = Job(update_config=$0)", "UpdateConfig, careful, canary, fast"),
        ("s = Service(name='a')\njobs = [$0]", "s, Service, Job, …"),
        ("s = Service(name='a')\njobs = [s, $0]", "s, Service, …"),
        ("t = Task(name='a')\nx = Tasks.concat($0)", "t, Task, …"),
        ("t = Task(name='a')\nx = Tasks.concat(t, $0)", "+t, +Task, …"),
        ("def f(on=True):\n  return on\nx = f(on=$0)", "True, False, …"),
        (
            "class Q(Struct):\n  n = Integer\nclass P(Struct):\n  q = Q\nq = Q(n=1)\np = P(q=$0)",
            "q, Q, …",
        ),
        ("s = Service(name='a')\njobs = []\njobs.append($0)", "s, Service, …"),
        ("load('@std//service.aurora', 'worker')\ns = worker(ram=$0)", "256*MB, 1*GB, …"),
        ("load('@std//service.aurora', 'worker')\ns = worker(ram=5$0)", "5*MB, 5*GB, 5*KB, 5*TB"),
        ("N = struct_type('N', port=$0)", "String, Integer, …"),
        ("p = Process(name='a')\nps = [p]\nps.append($0)", "p, …"),
        ("x = Job(task=y if z else $0)", "Task, …"),
    ]);
    taken(&[
        ("r = Resources(ram=512$0)", "512*MB", "r = Resources(ram=512*MB)"),
        ("r = Resources(ram = 512 $0)", "* GB", "r = Resources(ram = 512 * GB)"),
        ("r = Resources(ram = 512 *$0)", "GB", "r = Resources(ram = 512 *GB)"),
        ("t = Task(constraints=$0)", "order", "t = Task(constraints=order($0))"),
    ]);
}

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
fn references_in_texts() {
    let bound = "p = Process(name='a', cmdline='{{$0}}')\nclass Q(Struct):\n  cpu = Float\n  port = Integer\n\
        j = Job(task=Task(processes=[p])).bind(profile=Q(cpu=1), x=1)\n";
    check(&[
        (bound, "profile, x, name, profile.cpu, profile.port, mesos.instance, mesos.hostname, …"),
        (bound, "-cmdline, +daemon, +mesos, +thermos, +role, +thermos.ports, +self, …"),
        (&bound.replace("$0", "profile.$0"), "cpu, port"),
        (&bound.replace("$0", "prof$0"), "profile, profile.cpu, profile.port"),
        (&bound.replace("$0", "profile.p$0ort"), "port"),
        ("x = '{{mesos.$0}}'", "instance, hostname, role, cluster"),
        ("x = '{{mesos.$0", "instance, hostname, role, cluster"),
        ("x = '{{thermos.$0", "ports, task_id, user"),
        ("x = '{{thermos.ports[$0]}} {{thermos.ports[http]}}'", "http"),
        (
            "x = '{{thermos.ports[$0'\ny = '{{thermos.ports[http]}}'\na = Announcer(primary_port='admin')",
            "admin, http",
        ),
        ("x = '{{thermos.ports[http]}} {{$0'", "+thermos.ports[http], …"),
        ("x = '{{docker.$0", "image"),
        ("p = Process(name='a', cmdline='{{self.$0}}')", "+name, +role, …"),
        ("t = Task(name='{{processes[0].$0}}')", "name, cmdline, …"),
        (
            "t = Task(name='a', resources=Resources(cpu=1, ram=2, disk='{{$0}}'))",
            "cpu, ram, name, …",
        ),
        (
            "#- a.aurora\ninclude('b.aurora')\nj = base.bind(zone=2)\n#- b.aurora\nbase = Process(cmdline='{{zo$0}}')\n",
            "zone, …",
        ),
        ("j = Job().bind(x=1).bind(x=2)\ny = '{{x$0", "x, …"),
        ("p = Process(cmdline=\"\"\"\n  run {{na$0\n\"\"\")", "name, …"),
        ("x = '{{&me$0", "+mesos.instance, …"),
        ("x = f'{{{{me$0", "+mesos.instance, …"),
        ("x = f'{{{{&me$0", "+mesos.instance, …"),
        // Entries of tables.
        ("p = Process(cmdline='{{$0}}').bind(d={'k': 1})\n", "+d.k, +d, …"),
        ("p = Process(cmdline='{{d.$0}}').bind(d={'k': 1, 'l': {'m': 2}})\n", "k, l"),
        ("p = Process(cmdline='{{d.l.$0}}').bind(d=dict(l={'m': 2}))\n", "m"),
        // What nothing gives, nothing finds.
        ("p = Process(cmdline='{{$0}}')\n", "+role, -instance, -contact, -tier, -user, …"),
        ("p = Process(cmdline='{{$0}}')\nj = Job(contact = 'a')\n", "+contact, -tier, …"),
        // What leads back, or is known too late.
        (
            "j = Job(role='{{$0}}')\n",
            "-mesos.role, -thermos.user, -mesos.instance, +mesos.cluster, …",
        ),
        ("j = Job(cluster='{{mesos.$0}}')\n", "role"),
        ("j = Job(name='{{thermos.$0}}')\n", "user"),
        ("j = Job(contact='{{mesos.$0}}')\n", "instance, hostname, role, cluster"),
    ]);
    taken(&[(
        "p = Process(cmdline='{{$0}}').bind(d={'k': 1})\n",
        "d",
        "p = Process(cmdline='{{d.}}').bind(d={'k': 1})\n",
    )]);
    taken(&[
        ("x = '{{mesos.ins$0'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0}}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0tance}}'", "instance", "x = '{{mesos.instance}}'"),
        ("x = '{{mesos.ins$0 and so on'", "instance", "x = '{{mesos.instance}} and so on'"),
        ("x = '{{mesos.ins$0", "instance", "x = '{{mesos.instance}}"),
        ("x = '{{$0}}'", "mesos", "x = '{{mesos.}}'"),
        ("x = '{{thermos.po$0'", "ports", "x = '{{thermos.ports[$0]}}'"),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0]'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[h$0]}}'",
            "http",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        (
            "y = '{{thermos.ports[http]}}'\nx = '{{$0'",
            "thermos.ports[http]",
            "y = '{{thermos.ports[http]}}'\nx = '{{thermos.ports[http]}}'",
        ),
        ("x = f'{{{{mesos.ins$0'", "instance", "x = f'{{{{mesos.instance}}}}'"),
        ("x = f'{{{{mesos.ins$0}}}}'", "instance", "x = f'{{{{mesos.instance}}}}'"),
        ("x = '{{dock$0'", "docker.image", "x = '{{docker.image[${1:name}][${2:tag}]}}'"),
    ]);
}

#[test]
fn statements_and_words() {
    check(&[
        ("$0", "service, cron, batch, task, process, class, jobs, …"),
        ("serv$0", "service, …"),
        ("x = 1\n\nproc$0", "process, …"),
        ("jobs = []\n$0", "+jobs, …"),
        ("x = 1\nfo$0", "for, …"),
        ("ret$0", "-return, …"),
        ("def f():\n  ret$0", "return, -service, …"),
        ("for x in y:\n  $0", "+break, +continue, -return, -service, …"),
        ("def f():\n  $0", "+return, -break, …"),
        ("if x:\n  y = 1\nel$0", "elif, else, …"),
        ("x = 1\nel$0", "-else, -elif, …"),
        ("if x: $0", "+pass, -service, …"),
        ("x = 1; pa$0", "pass, …"),
        ("class P(Struct):\n  $0", "field, pass"),
        ("class P($0", "Struct"),
        ("class Q(Struct):\n  x = Integer\nclass P($0", "Struct, Q"),
        (
            "class P(Struct):\n  x = $0",
            "Required, Default, String, Integer, Float, Boolean, Enum, List, Map, Choice, …",
        ),
        (
            "class P(Struct):\n  x = Required($0)",
            "String, Integer, -Required, +Process, +LoggerMode, …",
        ),
        ("class P(Struct):\n  x = Li$0", "List, …"),
        ("x = [y $0]", "and, or, in, not in, is, if, else, for"),
        ("x = y $0", "and, or, in, not in, is, if, else"),
        ("x = y i$0", "in, is, if, …"),
        ("import $0", "os, getpass, textwrap, hashlib, math, itertools, json"),
        ("from ma$0", "math"),
        ("x = Job(name=serv$0)", "-service, …"),
        ("x = 1 + lam$0", "lambda, …"),
        ("inc$0", "include, …"),
        ("x = inc$0", "-include, …"),
    ]);
    taken(&[
        ("def f():\n  ret$0", "return", "def f():\n  return $0"),
        ("inc$0", "include", "include($0)"),
        ("class P(Struct):\n  x = Req$0", "Required", "class P(Struct):\n  x = Required($0)"),
        ("class P(Str$0", "Struct", "class P(Struct"),
        ("jo$0", "jobs", "jobs = [$0]"),
    ]);
}

/// A snippet with the texts that its places have.
fn filled(snippet: &str) -> String {
    let mut out = String::new();
    let mut texts = std::collections::BTreeMap::new();
    let mut rest = snippet;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let inner = rest.strip_prefix('{');
        let begin = inner.unwrap_or(rest);
        let digits = begin.find(|c: char| !c.is_ascii_digit()).unwrap_or(begin.len());
        let number = begin[..digits].to_owned();
        rest = &begin[digits..];
        if inner.is_some() {
            let mut text = String::new();
            let mut characters = rest.strip_prefix(':').unwrap_or(rest).char_indices();
            let base = rest.len() - rest.strip_prefix(':').unwrap_or(rest).len();
            let end = loop {
                match characters.next().unwrap() {
                    (_, '\\') => text.push(characters.next().unwrap().1),
                    (at, '}') => break base + at + 1,
                    (_, other) => text.push(other),
                }
            };
            rest = &rest[end..];
            texts.insert(number.clone(), text);
        }
        out.push_str(texts.get(&number).map_or("", String::as_str));
    }
    out + rest
}

#[test]
fn whole_jobs_are_right_as_they_stand() {
    for (word, list) in [
        ("service", "web"),
        ("cron", "nightly"),
        ("batch", "batch"),
        ("task", "Job(role='r', cluster='c', environment='prod', task=task)"),
        (
            "process",
            "Job(role='r', cluster='c', environment='prod', task=Task(processes=[process], resources=Resources(cpu=1, ram=64*MB, disk=64*MB)))",
        ),
        (
            "class",
            "Job(role='r', cluster='c', environment='prod', task=SimpleTask('x', '{{p.name}}')).bind(p=Profile(name='y'))",
        ),
    ] {
        for style in ["", "x = dict(a = 'b', c = 'd')\n"] {
            let (_, found) = proposals(&format!("{style}$0"));
            let found = found.iter().find(|proposal| proposal.label == word).unwrap();
            let text = filled(&found.text);
            if style.is_empty() {
                assert_eq!(aurora_syntax::format(&text).unwrap(), format!("{text}\n"), "{word}");
            } else {
                assert!(!text.contains('"'), "{text}");
            }
            let case = format!("{style}{text}\njobs = [{list}]\n");
            let fixture = Fixture::evaluated(&case);
            let evaluated = fixture.world.evaluated(&fixture.file).unwrap();
            assert!(evaluated.findings.is_empty(), "{case}\n{:?}", evaluated.findings);
            assert_eq!(evaluated.config.as_ref().unwrap().jobs().len(), 1);
        }
    }
}

#[test]
fn proposals_are_documented_once_somebody_looks_at_them() {
    for (case, label, said) in [
        ("j = Job($0)", "instances", "numbered from 0"),
        ("l = Logger(destination='$0')", "both", "To the files and to the executor"),
        ("x = Proc$0", "Process", "One command line of a task"),
        ("x = Tasks.con$0", "concat", "one after the other"),
        ("x = Job().bi$0", "bind", "A copy in which"),
        ("x = 'a'.sp$0", "split", "parts between separators"),
        ("x = http_s$0", "http_service", "A service that answers HTTP"),
        ("load('$0')", "@std//service.aurora", "jobs that run until they are stopped"),
        ("# Of all.\nport = 1\nx = po$0", "port", "Of all."),
        ("load('@std//service.aurora', 'worker')\nx = worker($0)", "run", "a command line"),
        ("x = '{{mesos.$0'", "instance", "The number of the instance"),
        ("x = '{{mesos.$0'", "role", "The role of the job"),
        ("class P(Struct):\n  # The port.\n  port = Integer\nx = P($0)", "port", "The port."),
        ("r = Resources(ram=512$0)", "512*MB", "1024 KB"),
        ("x = sorte$0", "sorted", "in order"),
    ] {
        let (fixture, found) = proposals(case);
        let proposal = found.iter().find(|proposal| proposal.label == label);
        let origin = proposal.unwrap_or_else(|| panic!("{label}\n{case}")).origin.as_ref();
        let text = documentation(&fixture.world, origin.unwrap()).unwrap();
        assert!(text.contains(said), "{said:?} is not in {text:?}\n{case}");
    }
}

#[test]
fn every_place_of_every_text_has_an_answer() {
    let texts = [
        "load('@std//service.aurora', 'http_service')\nj = Job(task=Task(processes=[Process(name='a{{b.c[d]}}e')]))\n",
        "class P(Struct):\n  x = Required(Enum('a', 'b'))\ndef f(a, *b, **c):\n  for x in y:\n    if x: return f'{a.b}{{{{c}}}}'\n",
        "x = Job(name='é😀', \n  cluster=\n\n]) {'a': [1, 2 * MB\n\tif else lambda: .. {{ }} '{{' \"\"\"{{x",
        "\u{feff}x = (\r\n  1,\r\n  include('a\r\nz = \\\ny = '\\",
    ];
    for text in texts {
        for at in 0..=text.len() + 1 {
            let (fixture, _) = proposals(text);
            let found = complete(&fixture.world, &fixture.file, u32::try_from(at).unwrap());
            for proposal in found {
                let range = proposal.replaced.range();
                assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
                assert!(range.start <= at && !proposal.label.is_empty());
                assert!(
                    proposal
                        .edits
                        .iter()
                        .all(|edit| edit.location.span.end < proposal.replaced.start)
                );
            }
        }
    }
}

#[test]
fn names_that_are_bound_from_outside_are_proposed_in_references() {
    let mut fixture = Fixture::new("p = Process(cmdline='{{fol$0}}')\n");
    fixture.workspace.set_outside(vec!["folder".to_owned()]);
    let found = complete(&fixture.workspace.snapshot(), &fixture.file, fixture.at);
    let folder = found.iter().find(|found| found.label == "folder").unwrap();
    assert_eq!(folder.detail, "bound from outside");
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
