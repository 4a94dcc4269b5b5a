//! Changes that are offered, case by case: each leaves a text that parses, and that evaluates if it
//! did before.

use std::sync::Arc;

use aurora_eval::{Engine, Inputs, Options, Severity};
use aurora_ide::actions::{Action, ActionKind, actions};
use aurora_ide::diagnostics::{Diagnostic, merge, syntax};
use aurora_ide::evaluated::{Evaluated, evaluate};
use aurora_ide::source::applied;
use aurora_ide::{FileEdit, FileId, Location, Span, Workspace};

use crate::fixture::{Files, Fixture, ROOT};

/// A case with what is selected: from `$0` to `$1`, or nothing.
fn selected(case: &str) -> (Fixture, Span) {
    let (text, len) = match case.split_once("$1") {
        Some((before, after)) => {
            let start = before.find("$0").unwrap() + 2;
            (format!("{before}{after}"), before.len() - start)
        }
        None => (case.to_owned(), 0),
    };
    let fixture = Fixture::new(&text);
    let at = fixture.at;
    (fixture, Span::new(at, at + u32::try_from(len).unwrap()))
}

fn evaluated(workspace: &Workspace, main: &FileId) -> Evaluated {
    let options = Options {
        inputs: Inputs { user: "me".to_owned(), root: ROOT.into(), ..Inputs::default() },
        ..Options::default()
    };
    let none = Files::default();
    evaluate(&workspace.snapshot(), main, &Engine::default(), &none, &options)
}

fn errors(found: &Evaluated) -> Vec<String> {
    let errors = found.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.message.clone()).collect()
}

/// The actions of a case, and what it comes to. Diagnostics are those of the text and an evaluation.
fn offered(case: &str) -> (Fixture, Vec<Action>, Evaluated) {
    let (fixture, selection) = selected(case);
    let before = evaluated(&fixture.workspace, &fixture.file);
    let of_text = syntax(&fixture.world, &fixture.file);
    let mut told = merge(&fixture.file, &of_text, &before.findings);
    let told: Vec<Diagnostic> = told.remove(&fixture.file).unwrap_or_default();
    let found = actions(&fixture.world, &fixture.file, selection, &told, &ActionKind::ALL);
    (fixture, found, before)
}

/// The text after a change, which parses; it evaluates as before if it did before.
fn checked(fixture: &Fixture, action: &Action, before: &Evaluated) -> String {
    let source = fixture.source();
    let text = applied(&source.text, &source.id, &action.edits).expect("no two changes overlap");
    let parsed = aurora_syntax::parse(&text);
    let mistakes = parsed.errors.len() + parsed.refused.len();
    let old = source.parsed.errors.len() + source.parsed.refused.len();
    assert!(mistakes <= old, "{}: {text}\n{:?}", action.title, parsed.errors);
    let mut workspace = fixture.workspace.clone();
    workspace.open(source.id.clone(), text.clone(), 2);
    let after = evaluated(&workspace, &source.id);
    if errors(before).is_empty() {
        assert_eq!(errors(&after), Vec::<String>::new(), "{}: {text}", action.title);
        let jobs = |found: &Evaluated| found.config.as_ref().map(|config| config.jobs().len());
        assert_eq!(jobs(&after), jobs(before), "{}: {text}", action.title);
    }
    text
}

/// What the action whose title begins so makes of a case; its title must be there, or must not be.
fn changed(case: &str, title: &str) -> Option<String> {
    let (fixture, found, before) = offered(case);
    for action in &found {
        checked(&fixture, action, &before);
    }
    let action = found.iter().find(|action| action.title.starts_with(title))?;
    Some(checked(&fixture, action, &before))
}

fn table(title: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (case, wanted) in cases {
        let found = changed(case, title).unwrap_or_else(|| "-".to_owned());
        if found != *wanted {
            let titles: Vec<String> =
                offered(case).1.into_iter().map(|action| action.title).collect();
            wrong.push(format!("=== {case}\n--- {found}\n--- {wanted}\n{titles:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn diagnostics_are_mended() {
    for (title, case, wanted) in [
        ("Write `name`", "p = Process($0nmae='a')\n", "p = Process(name='a')\n"),
        ("Write \"rotate\"", "l = Logger(mode='rot$0at')\n", "l = Logger(mode='rotate')\n"),
        ("Write `Process`", "p = Proc$0es()\n", "p = Process()\n"),
        (
            "Write `http_service`",
            "load('@std//service.aurora', 'http_$0servce')\n",
            "load('@std//service.aurora', 'http_service')\n",
        ),
        (
            "Write `@std//service.aurora`",
            "lo$0ad('@std//srvice.aurora', 'a')\n",
            "load('@std//service.aurora', 'a')\n",
        ),
        (
            "Remove the second value",
            "p = Process(name='a', $0name='b')\n",
            "p = Process(name='a')\n",
        ),
        (
            "Remove the second value",
            "p = Process(\n  name='a',\n  $0name='b',\n  cmdline='c',\n)\n",
            "p = Process(\n  name='a',\n  cmdline='c',\n)\n",
        ),
        ("Remove `a`", "load('b.aurora', '$0a', 'c')\nx = c\n", "load('b.aurora', 'c')\nx = c\n"),
        ("Remove `a`", "x = 1\nload('b.aurora', '$0a')\ny = 1\n", "x = 1\ny = 1\n"),
        (
            "Remove `y`, which",
            "def f():\n  x = 1\n  $0y = [\n    x,\n  ]\n  return x\n",
            "def f():\n  x = 1\n  return x\n",
        ),
        ("Write it as a tier", "j = Job($0production=True)\n", "j = Job(tier=\"preferred\")\n"),
        (
            "Write it as a tier",
            "j = Job(name='a', $0production=True)\n",
            "j = Job(name='a', tier='preferred')\n",
        ),
        ("Remove `production`", "j = Job(name='a', $0production=False)\n", "j = Job(name='a')\n"),
        (
            "Load `http_service`",
            "jobs = [$0http_service()]\n",
            "load(\"@std//service.aurora\", \"http_service\")\n\njobs = [http_service()]\n",
        ),
        (
            "Include b.aurora",
            "#- a.aurora\nx = 1\ny = $0zz\n#- b.aurora\nzz = 1\n",
            "include(\"b.aurora\")\n\nx = 1\ny = zz\n",
        ),
        (
            "Include lib/b.aurora",
            "#- a.aurora\ninclude('c.aurora')\ny = $0zz\n#- lib/b.aurora\nzz = 1\n#- c.aurora\nc = 1\n",
            "include('c.aurora')\ninclude('lib/b.aurora')\ny = zz\n",
        ),
        (
            "Include c.aurora",
            "#- a.aurora\ninclude('b.aurora'); y = $0zz\n#- b.aurora\nb = 1\n#- c.aurora\nzz = 1\n",
            "include('b.aurora'); include('c.aurora'); y = zz\n",
        ),
        (
            "Include b.aurora",
            "#- a.aurora\n\u{feff}y = $0zz\n#- b.aurora\nzz = 1\n",
            "\u{feff}include(\"b.aurora\")\n\ny = zz\n",
        ),
        (
            "Load `zz` from b.aurora",
            "#- a.aurora\nload('b.aurora', 'c')\ny = $0zz + c\n#- b.aurora\nzz = 1\nc = 1\n",
            "load('b.aurora', 'c', 'zz')\ny = zz + c\n",
        ),
    ] {
        let found =
            changed(case, title).unwrap_or_else(|| panic!("{title}: {:?}", offered(case).1));
        assert_eq!(found, wanted, "{case}");
    }
}

#[test]
fn files_that_cannot_be_taken_are_not_offered() {
    for case in [
        "#- a.aurora\nq = 1\nx = $0zzz\n#- b.aurora\nload('a.aurora', 'q')\nzzz = q\n",
        "#- a.aurora\nx = $0zzz\n#- b.aurora\ninclude('c.aurora')\nzzz = 1\njobs = []\n#- c.aurora\ny = 1\n",
    ] {
        for title in ["Include", "Load"] {
            assert_eq!(changed(case, title), None, "{case}");
        }
    }
}

#[test]
fn only_what_is_wanted_is_offered() {
    let fixture = Fixture::new("$0x = 0777\nj = Job(name = x)\n");
    let at = Span::new(fixture.at, fixture.at);
    let found = |kinds: &[ActionKind]| {
        let all = actions(&fixture.world, &fixture.file, at, &[], kinds).into_iter();
        all.map(|action| action.kind).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        found(&ActionKind::ALL).into_iter().collect::<Vec<_>>(),
        [ActionKind::Inline, ActionKind::Rewrite, ActionKind::Source]
    );
    for kind in found(&ActionKind::ALL) {
        assert_eq!(found(&[kind]).into_iter().collect::<Vec<_>>(), [kind]);
    }
}

#[test]
fn a_warning_is_allowed_on_a_line_of_its_own_unless_the_line_before_goes_on() {
    let text = |before: &str| {
        let job = job("Process(name='p', cmdline='x')", "");
        job.replace(")]\n", &format!(").bind(  # why\n{before}$0nope='1')]\n"))
    };
    let title = "Allow `unused-binding` here";
    let behind = text("").replace("$0nope='1')]", "nope='1')]  # aurora: allow unused-binding");
    assert_eq!(changed(&text(""), title).unwrap(), behind);
    let case = text("# \\\n").replace(")]\n", ")]  # b\n");
    let wanted = case.replace("$0nope", "# aurora: allow unused-binding\nnope");
    assert_eq!(changed(&case, title).unwrap(), wanted);
    let case = text("\\\n").replace(")]\n", ")]  # b\n");
    assert_eq!(changed(&case, title), None);
}

/// A job that evaluates, with a part that is put in.
fn job(process: &str, rest: &str) -> String {
    format!(
        "jobs = [Service(cluster='c', role='r', environment='prod', name='n', \
         task=Task(processes=[{process}], resources=Resources(cpu=1, ram=64*MB, disk=64*MB)){rest})]\n"
    )
}

#[test]
fn what_does_something_is_not_removed() {
    for case in [
        "def f():\n  $0y = g()\n  return 1\n",
        "def f():\n  $0y = z = 1\n  return z\n",
        "def f():\n  $0y = 1; return 1\n",
        "def f():\n  $0y = 1  # why\n  return 1\n",
        "def f():\n  $0y = 1\n",
    ] {
        assert_eq!(changed(case, "Remove `y`"), None, "{case}");
    }
}

#[test]
fn what_the_evaluation_tells_is_mended() {
    let process = "Process(name='p', cmdline='x')";
    let unbound = job(process, "").replace(")]\n", ").bind($0nope='1')]\n");
    assert_eq!(changed(&unbound, "Remove the binding `nope`").unwrap(), job(process, ""));
    let two = job("Process(name='p', cmdline='{{x}}')", "")
        .replace(")]\n", ").bind(x='1', $0nope='1')]\n");
    let wanted = job("Process(name='p', cmdline='{{x}}')", "").replace(")]\n", ").bind(x='1')]\n");
    assert_eq!(changed(&two, "Remove the binding `nope`").unwrap(), wanted);
    let allowed = unbound.replace("$0", "").replace('\n', "  # aurora: allow unused-binding\n");
    assert_eq!(changed(&unbound, "Allow `unused-binding` here").unwrap(), allowed);
    // Then it is told no more.
    let (_, found, before) = offered(&allowed);
    assert!(before.findings.is_empty(), "{found:?}");
    // Two diagnostics say that the task is missing.
    let (_, found, _) = offered("jobs = [J$0ob(name='a', cluster='c', role='r')]\n");
    let titles: Vec<&str> = found.iter().map(|action| action.title.as_str()).collect();
    let tasks = titles.iter().filter(|title| **title == "Add `task` to `Job`").count();
    assert_eq!(tasks, 1, "{titles:?}");
    // What is taken away is not added again.
    let emptied = job("Process(name='p', cmdline='x')", ", $0service=Empty");
    assert_eq!(changed(&emptied, "Add `service`"), None);
    let missing = job("$0Process(name='p')", "");
    let wanted = job("Process(name='p', cmdline='echo hello')", "");
    assert_eq!(changed(&missing, "Add `cmdline` to `Process`").unwrap(), wanted);
}

#[test]
fn needed_fields_are_added() {
    table(
        "Add `",
        &[
            ("p = Process($0)\n", "p = Process(name=\"name\", cmdline=\"echo hello\")\n"),
            ("p = Process(name = 'a'$0)\n", "p = Process(name = 'a', cmdline = 'echo hello')\n"),
            ("p = Process(name='a',$0 )\n", "p = Process(name='a', cmdline='echo hello' )\n"),
            (
                "p = Process(\n  name='a',$0\n)\n",
                "p = Process(\n  name='a',\n  cmdline='echo hello',\n)\n",
            ),
            (
                "p = Process(\n  name='a'$0\n)\n",
                "p = Process(\n  name='a',\n  cmdline='echo hello',\n)\n",
            ),
            (
                "p = Process(\n  name='a'$0  # why\n)\n",
                "p = Process(\n  name='a',  # why\n  cmdline='echo hello',\n)\n",
            ),
            (
                "p = Process(\n  name='a')$0\n",
                "p = Process(\n  name='a',\n  cmdline='echo hello')\n",
            ),
            ("p = Process($0**x)\n", "-"),
            ("p = Process(name='a', $0cmdline='b')\n", "-"),
            ("r = Resources(cpu=0.5$0)\n", "r = Resources(cpu=0.5, ram=64*MB, disk=64*MB)\n"),
            ("base = Process()\np = base($0)\n", "-"),
            (
                "t = Task(name=\"t\"$0)\n",
                "t = Task(name=\"t\", processes=[Process(name=\"name\", cmdline=\"echo hello\")], \
                 resources=Resources(cpu=1, ram=64*MB, disk=64*MB))\n",
            ),
            (
                "t = SequentialTask($0name=\"t\", processes=[])\n",
                "t = SequentialTask(name=\"t\", processes=[], \
                 resources=Resources(cpu=1, ram=64*MB, disk=64*MB))\n",
            ),
        ],
    );
    let mut fixture = Fixture::new("jobs = [Job($0)]\n");
    fixture.workspace.set_clusters(vec!["west".to_owned()]);
    let world = fixture.workspace.snapshot();
    let at = Span::new(fixture.at, fixture.at);
    let found = actions(&world, &fixture.file, at, &[], &ActionKind::ALL);
    let added = found.iter().find(|action| action.title.starts_with("Add `role`")).unwrap();
    let source = fixture.source();
    let text = applied(&source.text, &source.id, &added.edits).unwrap();
    assert!(text.contains("cluster=\"west\""), "{text}");
    let mut workspace = fixture.workspace.clone();
    workspace.open(fixture.file.clone(), text, 2);
    assert_eq!(errors(&evaluated(&workspace, &fixture.file)), Vec::<String>::new());
}

#[test]
fn single_values_are_put_in_lists() {
    table(
        "Put the value of",
        &[
            ("t = Task(processes=$0Process(name='a'))\n", "-"),
            (
                "t = Task(process$0es=Process(name='a'))\n",
                "t = Task(processes=[Process(name='a')])\n",
            ),
            (
                "p = Process(name='a')\nt = Task(process$0es=p)\n",
                "p = Process(name='a')\nt = Task(processes=[p])\n",
            ),
            ("t = Task(process$0es=[Process(name='a')])\n", "-"),
            ("t = Task(process$0es=ps)\n", "-"),
            ("t = Task(na$0me='a')\n", "-"),
        ],
    );
}

#[test]
fn fields_are_sorted_as_they_are_declared() {
    table(
        "Sort the fields",
        &[
            ("p = Process(cmdline='b', $0name='a')\n", "p = Process(name='a', cmdline='b')\n"),
            ("p = Process($0name='a', cmdline='b')\n", "-"),
            (
                "p = Process(\n  cmdline='''\n    b\n  ''',\n  $0name='a',\n)\n",
                "p = Process(\n  name='a',\n  cmdline='''\n    b\n  ''',\n)\n",
            ),
            ("p = Process(\n  cmdline='b',  # why\n  $0name='a',\n)\n", "-"),
            (
                "t = Task(\n  resources=Resources(\n    cpu=1,  # why\n  ),\n  $0name='a',\n)\n",
                "t = Task(\n  name='a',\n  resources=Resources(\n    cpu=1,  # why\n  ),\n)\n",
            ),
            ("p = Process($0cmdline='b', name='a', **x)\n", "-"),
            ("p = Process($0cmdline='b', nope='a')\n", "-"),
            ("p = q($0cmdline='b', name='a')\n", "-"),
            ("p = Process($0cmdline=g(), name=g())\n", "-"),
            ("p = Process($0cmdline=g(), name='a')\n", "p = Process(name='a', cmdline=g())\n"),
            ("t = Task($0resources=Resources(cpu=1), processes=[g()], name=h())\n", "-"),
            (
                "class P(Struct):\n  a = String\n  b = String\np = P($0b='1', a='2')\n",
                "class P(Struct):\n  a = String\n  b = String\np = P(a='2', b='1')\n",
            ),
        ],
    );
}

#[test]
fn services_are_given_what_they_lack() {
    let plain = "Process(name='p', cmdline='x')";
    let check = "health_check_config=HealthCheckConfig(initial_interval_secs=15.0, \
                 interval_secs=10.0, max_consecutive_failures=0)";
    let at = |text: String| text.replace("name='n'", "$0name='n'");
    for (before, after) in [
        (
            job(plain, ""),
            job(
                "Process(name='p', cmdline='export HEALTH_PORT={{thermos.ports[health]}}; x')",
                &format!(", {check}"),
            ),
        ),
        (
            job("Process(name='p', cmdline='x {{thermos.ports[health]}}')", ""),
            job("Process(name='p', cmdline='x {{thermos.ports[health]}}')", &format!(", {check}")),
        ),
        (
            job("Process(name='p', cmdline='x {{thermos.ports[http]}}')", ""),
            job(
                "Process(name='p', cmdline='x {{thermos.ports[http]}}')",
                &format!(
                    ", {check}, announce=Announcer(primary_port='http', portmap={{'aurora': 'http', 'health': 'http'}})"
                ),
            ),
        ),
        (
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                ", announce=Announcer(primary_port='web')",
            ),
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                &format!(
                    ", announce=Announcer(primary_port='web', portmap={{'aurora': '{{{{primary_port}}}}', 'health': 'web'}}), {check}"
                ),
            ),
        ),
        (
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                ", announce=Announcer(primary_port='web', portmap={'health': 'web'})",
            ),
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                &format!(
                    ", announce=Announcer(primary_port='web', portmap={{'health': 'web'}}), {check}"
                ),
            ),
        ),
        (
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                ", announce=Announcer(primary_port='web', portmap={})",
            ),
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                &format!(
                    ", announce=Announcer(primary_port='web', portmap={{'health': 'web'}}), {check}"
                ),
            ),
        ),
        (
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                ", announce=Announcer(primary_port='web', portmap={'a': 'web'})",
            ),
            job(
                "Process(name='p', cmdline='x {{thermos.ports[web]}}')",
                &format!(
                    ", announce=Announcer(primary_port='web', portmap={{'a': 'web', 'health': 'web'}}), {check}"
                ),
            ),
        ),
    ] {
        let found = changed(&at(before), "Add a health check").unwrap();
        assert_eq!(found, after);
        // The check runs: nothing is told of it.
        let (_, _, evaluated) = offered(&found);
        let messages: Vec<&str> = evaluated.findings.iter().map(|f| f.code.id()).collect();
        assert!(!messages.contains(&"health-check-without-port"), "{messages:?}");
    }
    assert_eq!(changed(&at(job(plain, &format!(", {check}"))), "Add a health check"), None);
    // It may be in there.
    assert_eq!(changed(&at(job(plain, ", **more")), "Add a health check"), None);
    // What another job runs as well stays as it is.
    let shared = "p = Process(name='p', cmdline='x')\nt = Task(processes=[p])\n\
                  a = Service(name='a', task=t)\nb = Service($0name='b', task=t)\n";
    assert_eq!(changed(shared, "Add a health check"), None);
    // A check without a port would never run.
    let other = "#- main.aurora\ninclude('t.aurora')\njobs = [Service($0name='b', task=t)]\n\
                 #- t.aurora\nt = Task(processes=[Process(name='p', cmdline='x')])\n";
    assert_eq!(changed(other, "Add a health check"), None);
    let mapped = "pm = {'a': 'b'}\np = Process(name='p', cmdline='x {{thermos.ports[http]}}')\n\
                  j = Service(name='n', $0task=Task(processes=[p]), \
                  announce=Announcer(primary_port='http', portmap=pm))\n";
    assert_eq!(changed(mapped, "Add a health check"), None);
    let update = "update_config=UpdateConfig(batch_size=1, watch_secs=45, \
                  max_per_shard_failures=0, max_total_failures=0)";
    assert_eq!(
        changed(&at(job(plain, "")), "Add `update_config`").unwrap(),
        job(plain, &format!(", {update}")),
    );
    assert_eq!(changed(&at(job(plain, &format!(", {update}"))), "Add `update_config`"), None);
    let batch = at(job(plain, "")).replace("Service(", "Job(");
    assert_eq!(changed(&batch, "Add `update_config`"), None);
    let variable = "p = Process(name='p', cmdline='''\n  x\n''')\nt = Task(processes=[p])\n\
                    j = Service(name='n', $0task=t)\n";
    let found = changed(variable, "Add a health check").unwrap();
    assert!(
        found.contains("'''\n  export HEALTH_PORT={{thermos.ports[health]}}; x\n'''"),
        "{found}"
    );
}

#[test]
fn expressions_are_given_names() {
    table(
        "Extract",
        &[
            ("x = f($01 + 2$1)\n", "value = 1 + 2\nx = f(value)\n"),
            ("def f():\n  return g($0[1]$1)\n", "def f():\n  value = [1]\n  return g(value)\n"),
            ("t = Task(name = $0'a' + b$1)\n", "name = 'a' + b\nt = Task(name = name)\n"),
            ("value = 1\nx = f($01 + 2$1)\n", "value = 1\nvalue_2 = 1 + 2\nx = f(value_2)\n"),
            (
                "t = Task(processes=[$0Process(name='web server', cmdline='x')])\n",
                "web_server = Process(name='web server', cmdline='x')\nt = Task(processes=[web_server])\n",
            ),
            (
                "t = Task(resources=Re$0sources(cpu=1))\n",
                "resources = Resources(cpu=1)\nt = Task(resources=resources)\n",
            ),
            (
                "t = Task(\n  resources=$0Resources(\n    cpu=1,\n  ),\n)\n",
                "resources = Resources(\n  cpu=1,\n)\nt = Task(\n  resources=resources,\n)\n",
            ),
            (
                "t = Task(\n  processes=[\n    $0Process(\n      cmdline='''\n    a\n''',\n    ),\n  ],\n)\n",
                "process = Process(\n  cmdline='''\n    a\n''',\n)\nt = Task(\n  processes=[\n    process,\n  ],\n)\n",
            ),
            ("x = f(1 +\n      $02 *\n  3$1)\n", "value = (2 *\n  3)\nx = f(1 +\n      value)\n"),
            ("if $0f(1)$1:\n  pass\n", "value = f(1)\nif value:\n  pass\n"),
            ("for x in $0f(1)$1:\n  pass\n", "value = f(1)\nfor x in value:\n  pass\n"),
            ("a = 1; x = f($01 + 2$1)\n", "-"),
            ("if y: x = f($01 + 2$1)\n", "-"),
            ("x = [f($01 + y$1) for y in z]\n", "-"),
            ("x = [y for y in $0f(1)$1]\n", "value = f(1)\nx = [y for y in value]\n"),
            ("x = lambda: $0f(1)$1\n", "-"),
            ("x = a and $0f(1)$1\n", "-"),
            ("x = $0f(1)$1 if a else b\n", "-"),
            ("x = b if $0f(1)$1 else c\n", "value = f(1)\nx = b if value else c\n"),
            ("while $0f(1)$1:\n  pass\n", "-"),
            ("if a:\n  pass\nelif $0f(1)$1:\n  pass\n", "-"),
            ("x = $0f(1)$1\n", "-"),
            ("class P(Struct):\n  a = Default(String, $0'a'$1)\n", "-"),
            ("load($0'@std//service.aurora'$1, 'http_service')\n", "-"),
            ("x = $0y$1\n", "-"),
            ("\u{feff}x = f($01 + 2$1)\n", "\u{feff}value = 1 + 2\nx = f(value)\n"),
            // What is done before it may matter to it, and it to what is read before.
            ("x = f(y.pop(), $0len(y) + 1$1)\n", "-"),
            ("x = f(y[0], $0y.pop()$1)\n", "-"),
            ("x = y.pop().f($0len(y)$1)\n", "-"),
            ("x = f(y, $0y.pop()$1)\n", "value = y.pop()\nx = f(y, value)\n"),
            ("x = f(y.pop(), $01 + 2$1)\n", "value = 1 + 2\nx = f(y.pop(), value)\n"),
            ("x = f(y.pop(), Proc$0ess(name='a'))\n", "a = Process(name='a')\nx = f(y.pop(), a)\n"),
            ("x = Job(name='a').bind(b=$0f(1)$1)\n", "b = f(1)\nx = Job(name='a').bind(b=b)\n"),
            ("y[0] += $0y.pop()$1\n", "-"),
            ("p = Pro$0cess(name='a')\n", "-"),
        ],
    );
}

#[test]
fn parts_of_texts_are_bound() {
    table(
        "Extract to a binding",
        &[
            (
                "p = Process(name='p', cmdline='echo $0hello$1 world')\n",
                "p = Process(name='p', cmdline='echo {{hello}} world').bind(hello='hello')\n",
            ),
            (
                "p = Process(cmdline = 'run $08080$1')\n",
                "p = Process(cmdline = 'run {{text}}').bind(text = '8080')\n",
            ),
            (
                "p = Process(cmdline='a {{x}} $0b$1').bind(x=1)\n",
                "p = Process(cmdline='a {{x}} {{b}}').bind(x=1, b='b')\n",
            ),
            (
                "t = Task(processes=[Process(cmdline=r'a $0b c$1')])\n",
                "t = Task(processes=[Process(cmdline=r'a {{b_c}}').bind(b_c=r'b c')])\n",
            ),
            (
                "j = Job(constraints={'host': 'limit:$05$1'})\n",
                "j = Job(constraints={'host': 'limit:{{text}}'}).bind(text='5')\n",
            ),
            // The name of a field means the field.
            (
                "p = Process(cmdline='echo $0name$1')\n",
                "p = Process(cmdline='echo {{name_2}}').bind(name_2='name')\n",
            ),
            ("p = Process(cmdline='echo {{$0name$1}}')\n", "-"),
            ("p = Process(cmdline='echo \\$0n$1')\n", "-"),
            ("p = Process(cmdline=f'echo $0a$1')\n", "-"),
            ("p = Process(cmdline='echo $0a$1' % b)\n", "-"),
            ("p = Process(cmdline=f('echo $0a$1'))\n", "-"),
            ("x = 'echo $0a$1'\n", "-"),
            ("p = Process(cmdline='echo $0').bind(x='a$1')\n", "-"),
        ],
    );
    let text = job("Process(name='p', cmdline='echo $0hello$1')", "");
    let found = changed(&text, "Extract to a binding").unwrap();
    assert!(found.contains("cmdline='echo {{hello}}').bind(hello='hello')"), "{found}");
}

#[test]
fn simple_variables_are_inlined() {
    table(
        "Put the value of `x`",
        &[
            ("$0x = 1\ny = x + x\n", "y = 1 + 1\n"),
            ("x = 1\ny = $0x\n", "y = 1\n"),
            ("$0x = 'a' 'b'\ny = x.upper()\n", "y = ('a' 'b').upper()\n"),
            ("$0x = -1\ny = x ** 2\n", "y = (-1) ** 2\n"),
            (
                "$0x = Process(name='a')\nt = Task(processes=[x])\n",
                "t = Task(processes=[Process(name='a')])\n",
            ),
            ("$0x = Process(name='a')\nt = [x, x]\n", "-"),
            ("$0x = [1]\ny = [x]\n", "y = [[1]]\n"),
            ("$0x = [1]\nx.append(2)\n", "-"),
            // What stands between may matter to it.
            ("items = [1]\n$0x = list(items)\nitems.append(2)\njobs = [x]\n", "-"),
            ("items = [1]\n$0x = list(items)\njobs = [x]\n", "items = [1]\njobs = [list(items)]\n"),
            ("y = [1]\n$0x = len(y)\nz = [y.pop(), x]\n", "-"),
            ("y = [1]\n$0x = y.pop()\nz = [y[0], x]\n", "-"),
            (
                "$0x = Process(name='a')\ny = f()\nt = Task(processes=[x])\n",
                "y = f()\nt = Task(processes=[Process(name='a')])\n",
            ),
            ("$0x = f()\nfor y in [1]:\n  z = x\n", "-"),
            ("$0x = f()\ndef g():\n  return x\n", "-"),
            ("$0x = 1\ndef g():\n  return x\n", "def g():\n  return 1\n"),
            ("$0x = 1\nx = 2\ny = x\n", "-"),
            ("$0x = 1\nx += 2\ny = x\n", "-"),
            ("y = 1\n$0x = y\ny = 2\nz = x\n", "-"),
            ("y = 1\n$0x = y\nz = x\n", "y = 1\nz = y\n"),
            ("def f(y):\n  $0x = y\n  return x\n", "def f(y):\n  return y\n"),
            ("def f():\n  $0x = 1\nf()\n", "-"),
            ("$0x = 1\ndef f(x):\n  return x\ny = x\n", "def f(x):\n  return x\ny = 1\n"),
            ("$0x = 1  # why\ny = x\n", "-"),
            ("$0x = y = 1\nz = x\n", "-"),
            ("$0x = 1\n", "-"),
            ("#- a.aurora\ninclude('b.aurora')\ny = x\n#- b.aurora\n$0x = 1\n", "-"),
            ("#- a.aurora\nload('b.aurora', 'x')\ny = x\n#- b.aurora\n$0x = 1\nz = x\n", "-"),
            (
                "y = [1 for z in [2]]\n$0x = [z for z in [1]]\nw = [x]\n",
                "y = [1 for z in [2]]\nw = [[z for z in [1]]]\n",
            ),
        ],
    );
}

#[test]
fn python_is_written_plainly() {
    table(
        "Write the class `P`",
        &[
            (
                "class $0P(Struct):\n  a = String\n  b = Default(Integer, 1)\np = P(a='1')\n",
                "P = struct_type(\n  \"P\",\n  a=String,\n  b=Default(Integer, 1),\n)\np = P(a='1')\n",
            ),
            ("class $0P(Job):\n  pass\n", "-"),
        ],
    );
    table(
        "Write this in the plain language",
        &[
            ("x = 1\nprint $0x\n", "x = 1\nprint(x)\n"),
            ("x = 0$0777\n", "x = 0o777\n"),
            ("x = $01\nprint x\n", "-"),
            ("from __future__ import division\nx = $00777\n", "-"),
        ],
    );
    table(
        "Write the file in the plain language",
        &[
            ("x = 1\nprint x\ny = 0777\n$0", "x = 1\nprint(x)\ny = 0o777\n"),
            ("x = $01\n", "-"),
            ("\u{feff}x = $01\n", "-"),
        ],
    );
}

#[test]
fn nothing_is_offered_where_nothing_can_be_done() {
    for case in ["$0", "x = $0(\n", "$0# a\n", "def $0\n", "x = '$0"] {
        let (_, found, _) = offered(case);
        let titles: Vec<String> = found.into_iter().map(|action| action.title).collect();
        assert!(titles.is_empty(), "{case}: {titles:?}");
    }
    let fixture = Fixture::new("x = 1\n");
    let unknown = FileId::new("/nowhere.aurora");
    assert_eq!(actions(&fixture.world, &unknown, Span::new(3, 1), &[], &ActionKind::ALL), []);
    assert_eq!(
        actions(&fixture.world, &fixture.file, Span::new(900, 1000), &[], &ActionKind::ALL),
        []
    );
}

#[test]
fn changes_are_made_if_they_fit() {
    let id = FileId::new("/a");
    let edit = |start, end, text: &str| FileEdit {
        location: Location { file: id.clone(), span: Span::new(start, end) },
        text: text.to_owned(),
    };
    assert_eq!(applied("abc", &id, &[edit(2, 3, "x"), edit(0, 1, "y")]).as_deref(), Some("ybx"));
    assert_eq!(applied("abc", &id, &[edit(0, 2, "x"), edit(1, 3, "y")]), None);
    assert_eq!(applied("abc", &id, &[edit(2, 9, "x")]), None);
    assert_eq!(applied("\u{e9}", &id, &[edit(1, 1, "x")]), None);
}

/// Every place of the examples: nothing panics, and what is offered parses and evaluates.
#[test]
fn what_is_offered_in_the_examples_is_sound() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "aurora") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let fixture = Fixture::new(&text);
        let before = evaluated(&fixture.workspace, &fixture.file);
        let told = syntax(&fixture.world, &fixture.file);
        let mut seen = std::collections::BTreeSet::new();
        for token in fixture.source().tokens() {
            let at = Span::new(token.span.start, token.span.start);
            for selection in [at, token.span] {
                for action in
                    actions(&fixture.world, &fixture.file, selection, &told, &ActionKind::ALL)
                {
                    if seen.insert(format!("{:?}", action.edits)) {
                        checked(&fixture, &action, &before);
                        tried += 1;
                    }
                }
            }
        }
        let _keep = Arc::new(before);
    }
    assert!(tried > 100, "{tried}");
}
