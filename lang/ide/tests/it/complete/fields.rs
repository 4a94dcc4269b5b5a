//! What structs and functions take: fields, their values, texts.

use super::{check, detail, proposals, taken};

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
