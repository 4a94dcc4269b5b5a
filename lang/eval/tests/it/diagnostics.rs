//! What is said about files that are wrong, word for word.

use std::path::Path;

use crate::files::Files;
use aurora_eval::{Disk, Options, Report, evaluate, evaluate_json};
use miette::{GraphicalReportHandler, GraphicalTheme};

fn report(files: &[(&str, &str)]) -> Report {
    match evaluate(Path::new("job.aurora"), &Files(files), &Options::default()) {
        Err(report) => report,
        Ok(config) => config
            .jobs()
            .iter()
            .find_map(|job| job.ready("someone").err())
            .expect("something is wrong with it"),
    }
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, &report(&[("job.aurora", text)]))
        .unwrap();
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A job with one line changed.
fn job(resources: &str, cmdline: &str, extra: &str) -> String {
    format!(
        r#"hello = Process(name = "hello", cmdline = "{cmdline}")
task = Task(
    processes = [hello],
    resources = Resources({resources}),
)
jobs = [Service(
    cluster = "devcluster", role = "www-data", environment = "prod", name = "hello",
    task = task,{extra}
)]
"#
    )
}

const FINE: &str = "cpu = 0.1, ram = 16 * MB, disk = 16 * MB";

#[test]
fn a_syntax_error() {
    insta::assert_snapshot!(shown("x = [1,\njobs = x)\n"));
}

#[test]
fn python_that_is_not_in_the_language() {
    insta::assert_snapshot!(shown(
        "import subprocess\nwith open('x') as f:\n    pass\njobs = []\n"
    ));
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    instancs = 3,")));
}

#[test]
fn a_missing_field() {
    insta::assert_snapshot!(shown(&job("cpu = 0.1, ram = 16 * MB", "echo", "")));
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    instances = \"three\",")));
}

#[test]
fn a_wrong_struct() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    update_config = hello,")));
}

#[test]
fn resources_without_a_unit() {
    insta::assert_snapshot!(shown(&job("cpu = 0.1, ram = 16, disk = 16 * MB", "echo", "")));
}

#[test]
fn a_reference_that_nothing_is_bound_to() {
    insta::assert_snapshot!(shown(&job(FINE, "echo {{profile.name}}", "")));
}

#[test]
fn braces_of_another_language() {
    insta::assert_snapshot!(shown(&job(FINE, "awk '{{print $1}}'", "")));
}

#[test]
fn a_field_that_refers_to_itself() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    contact = \"{{contact}}\",")));
}

#[test]
fn a_bad_order() {
    let text = job(FINE, "echo", "").replace(
        "processes = [hello],",
        "processes = [hello], constraints = order(\"hello\", \"helo\"),",
    );
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn an_error_within_a_function() {
    insta::assert_snapshot!(shown("def f(x):\n    return x + 1\n\njobs = [f(\"a\")]\n"));
}

#[test]
fn no_jobs() {
    insta::assert_snapshot!(shown("job = 1\n"));
}

#[test]
fn a_missing_include() {
    insta::assert_snapshot!(shown("include(\"other.aurora\")\njobs = []\n"));
}

#[test]
fn includes_share_one_namespace_and_keep_their_places() {
    let outer = format!(
        "include('parts/base.aurora')\n{}",
        job("cpu = CPU, ram = RAM, disk = RAM", "x", "")
    );
    let files = [
        ("job.aurora", outer.as_str()),
        ("parts/base.aurora", "include('../units.aurora')\nCPU = 0.5\n"),
        ("units.aurora", "RAM = 64 * MB\n"),
    ];
    let config = evaluate(Path::new("job.aurora"), &Files(&files), &Options::default()).unwrap();
    let ready = config.jobs()[0].ready("someone").unwrap();
    assert_eq!(
        (ready.request.task.resources.cpus.0, ready.request.task.resources.ram_mb),
        (500, 64)
    );

    let report =
        report(&[("job.aurora", "include('a.aurora')\n"), ("a.aurora", "include('job.aurora')\n")]);
    assert!(report.to_string().contains("lead back to themselves"), "{report}");
}

#[test]
fn hostile_files_are_stopped() {
    let nested_lists = format!("x = {}{}\njobs = []\n", "[".repeat(20_000), "]".repeat(20_000));
    let long_sum = format!("x = 1{}\njobs = []\n", " + 1".repeat(50_000));
    let elifs = format!("if 1 == 2:\n  x = 1\n{}", "elif 1 == 3:\n  x = 2\n".repeat(5_000));
    let doubled = job(FINE, "echo", "\n    metadata = x,");
    let doubled = format!("x = [0]\nfor i in range(26):\n    x = [x, x]\n{doubled}");
    let itself = job(FINE, "echo", "\n    metadata = x,");
    let itself = format!("x = []\nx.append(x)\n{itself}");
    let many_texts = "t = Process(name = \"a\", cmdline = \"a\")\nb = \"b\" * 3000000\n\
                      jobs = [t(cmdline = b) for i in range(400)]\n";
    for (text, message) in [
        ("def f():\n    f()\nf()\n", "too deep"),
        (
            "x = [0]\nfor i in x:\n    pass\ndef g():\n    for i in range(1000000000):\n        pass\ng()\n",
            "turns of loops",
        ),
        ("jobs = [[[[[]]]]]\n", "must be a job"),
        ("jobs = 3\n", "must be a list, got 3"),
        ("a = {}\na['a'] = a\njobs = [Job(a)]\n", "deep"),
        (&nested_lists, "brackets stand more than"),
        (&long_sum, "more than 1000 operators"),
        (&elifs, "`elif`"),
        (&doubled, "more than 2000000 parts"),
        (&itself, "deep in each other"),
        (many_texts, "more than 512 mb"),
        (
            "q = Process(name = 'q')\np = q\nfor i in range(300000):\n    p = q.bind(a = p)\n",
            "deep",
        ),
        ("p = Process()\nfor i in range(300000):\n    p = p.bind(a = 1)\n", "times"),
        ("a = Job()\nfor i in range(300000):\n    a = Job(container = a)\n", "deep"),
        ("x = []\nfor i in range(100000):\n    x = [x]\njobs = x\n", "deep in each other"),
    ] {
        let report = report(&[("job.aurora", text)]);
        let start = &text[..text.len().min(60)];
        assert!(report.to_string().to_lowercase().contains(message), "{start}: {report}");
    }
    let doubling = job(FINE, "{{a0}}", "").replace(
        "task = task,",
        "task = task.bind({\"a%d\" % i: (\"{{a%d}}\" % (i + 1)) * 2 for i in range(60)}),",
    );
    assert!(report(&[("job.aurora", doubling.as_str())]).to_string().contains("longer than"));
    let spread = job(FINE, "{{big}}", "").replace(
        "processes = [hello],",
        "processes = [hello(name = \"p%d\" % i) for i in range(400)],",
    );
    let spread = spread.replace("task = task,", "task = task.bind(big = \"a\" * 3000000),");
    let report = report(&[("job.aurora", spread.as_str())]);
    assert!(report.to_string().contains("more than 64 MB"), "{report}");
}

#[test]
fn functions_that_have_too_much_to_do_are_stopped() {
    for (text, message) in [
        ("x = range(1000000)\nfor i in range(1000000):\n    x.pop(0)\n", "too much to do"),
        ("x = []\nfor i in range(1000000):\n    x.insert(0, i)\n", "too much to do"),
        ("x = 'a' * 10000000\nfor i in range(10000000):\n    x.find('b')\n", "too much to do"),
        (
            "x = {i: i for i in range(100000)}\nfor i in range(1000):\n    y = dict(x)\n",
            "more than 512 mb of memory",
        ),
        ("x = zip(*([range(1000000)] * 100))\n", "more than 512 mb of memory"),
        // Whoever goes through it must not call itself for each list.
        ("x = []\nfor i in range(300000):\n    x = [[[[[[[[[[x]]]]]]]]]]\njobs = []\n", "no jobs"),
    ] {
        let report = report(&[("job.aurora", text)]);
        assert!(report.to_string().to_lowercase().contains(message), "{text}: {report}");
    }
    // A list may be used as a stack, however long it is.
    let stack = "x = range(100000)\nfor i in range(100000):\n    x.pop()\njobs = x\n";
    let report = report(&[("job.aurora", stack)]);
    assert!(report.to_string().contains("its list of jobs is empty"), "{report}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("x = [{}nought]\njobs = []\n", "1, ".repeat(20_000));
    let shown = shown(&text);
    assert!(shown.len() < 2000, "{} bytes are shown", shown.len());
    assert!(shown.contains("[job.aurora:1:60006]"), "{shown}");
    assert!(shown.contains("1, 1, nought]"), "{shown}");
}

#[test]
fn slips_are_told_what_was_meant() {
    for (text, help) in [
        (job(FINE, "echo", "").replace("[hello]", "hello"), "write the list with brackets"),
        (
            job(FINE, "echo", "").replace("[hello],", "[hello], constraints = [order(hello)],"),
            "take the brackets around it away",
        ),
        (job("cpu = 1, ram = '64MB', disk = 1", "echo", ""), "write 64 * MB, without quotes"),
        (job(FINE, "echo", "").replace("jobs = [", "Jobs = ["), "did you mean `jobs`?"),
        (job(FINE, "echo", "").replace("jobs = [", "job = [")[..].to_owned(), "not `job`"),
        ("p = Process(name = 'a')\nx = p.name + 'b'\n".to_owned(), "write () behind its name"),
        ("x = True < 2\n".to_owned(), "is the greater"),
    ] {
        let shown = shown(&text);
        let words = shown.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>();
        assert!(words.join(" ").contains(help), "{shown}");
    }
}

#[test]
fn what_leads_back_to_itself_is_refused_wherever_it_is_found() {
    let whole = "unable to interpolate";
    for (text, address) in [
        (job(FINE, "run {{task}}", ""), "task"),
        (job(FINE, "{{processes}}", ""), "processes"),
        (
            job(
                FINE,
                "echo",
                "\n    metadata = [Metadata(key = \"a\", value = \"{{metadata}}\")],",
            ),
            "metadata",
        ),
        (job("cpu = 1, ram = \"{{resources}}\", disk = 1", "echo", ""), "resources"),
    ] {
        let report = report(&[("job.aurora", text.as_str())]);
        let message = report.to_string();
        assert!(message.contains(whole), "{message}");
        assert!(message.contains(&format!("{{{{{address}}}}} leads back to itself")), "{message}");
    }
}

#[test]
fn one_fault_is_told_once() {
    let own = shown(&job("cpu = \"{{cpu}}\", ram = 16 * MB, disk = 16 * MB", "echo", ""));
    assert!(own.contains("{{cpu}} leads back to itself"), "{own}");
    assert!(!own.contains("nothing is bound") && !own.contains("Error:"), "{own}");
    // The names of task and job come from that of the process.
    let text =
        job(FINE, "echo", "").replace("name = \"hello\", cmdline", "name = \"{{x}}\", cmdline");
    let name = shown(&text);
    assert!(name.contains("task.processes[0].name: nothing is bound to {{x}}"), "{name}");
    assert_eq!(name.matches("nothing is bound").count(), 1, "{name}");
}

#[test]
fn many_faults_are_counted() {
    let text =
        job(FINE, "{{x}}", "").replace("[hello]", "[hello(name = \"p%d\" % i) for i in range(30)]");
    let shown = shown(&text);
    assert_eq!(shown.matches("nothing is bound").count(), 20, "{shown}");
    assert!(shown.contains("and 10 more"), "{shown}");
}

#[test]
fn a_fault_is_shown_where_the_value_was_given() {
    let text = job(FINE, "echo", "\n    max_task_failures = 99999999999,")
        .replace("jobs = [Service(", "base = Service(")
        .replace(")]\n", ")\njobs = [base(instances = 2)]\n");
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn a_bad_process_name() {
    let text = job(FINE, "echo", "")
        .replace("[hello]", "[hello, Process(name = \"a/b\", cmdline = \"x\")]");
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn a_job_that_is_none() {
    insta::assert_snapshot!(shown("task = Task()\njobs = [\n    task,\n]\n"));
}

#[test]
fn an_error_of_a_call_within_a_function() {
    insta::assert_snapshot!(shown(
        "def make(n):\n    return Process(nam = n)\n\njobs = [make(\"a\")]\n"
    ));
}

#[test]
fn include_that_is_no_statement() {
    insta::assert_snapshot!(shown("if True:\n    include(\"a.aurora\")\njobs = []\n"));
}

#[test]
fn help_fits_what_is_wrong() {
    let cases = [
        ("from_env = undefined_thing\n", Some("define it above")),
        ("x = 1\ny = z1\n", Some("define it above")),
        ("jbos = 1\ny = jobs\n", Some("did you mean `jbos`")),
        ("import socket\nx = socket.gethostname()\n", Some("--bind")),
        ("def f(a):\n    return a\nf()\n", Some("`f` needs the argument `a`")),
        ("load('@std//service.aurora', 'htp_service')\n", Some("did you mean `http_service`")),
        ("load('@std//service.aurora', 'x')\n", Some("the module defines no `x`")),
        ("x = [1][5]\n", Some("there is no element 5: the list is shorter")),
        ("try:\n    x = 1\nexcept ValueError:\n    x = 2\n", Some("")),
    ];
    for (text, help) in cases {
        let shown = shown(text);
        match help {
            Some(help) => assert!(shown.contains(help), "{shown}"),
            None => assert!(!shown.contains("help:"), "{shown}"),
        }
    }
}

#[test]
fn a_long_value_is_shown_by_its_beginning() {
    let report = report(&[("job.aurora", &job(FINE, "echo", "\n    instances = \"x\" * 100000,"))]);
    assert!(report.to_string().len() < 200, "{report}");
}

#[test]
fn a_job_that_is_not_found() {
    let incomplete = job(FINE, "echo", "").replace("environment = \"prod\", ", "");
    let files = [("job.aurora", incomplete.as_str())];
    let config = evaluate(Path::new("job.aurora"), &Files(&files), &Options::default()).unwrap();
    let report = config.find(&"devcluster/www-data/prod/hello".parse().unwrap()).unwrap_err();
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .render_report(&mut out, &report)
        .unwrap();
    assert!(out.contains("Job[environment] is required"), "{out}");
    assert!(!out.contains("did you mean"), "{out}");

    let whole = job(FINE, "echo", "");
    let files = [("job.aurora", whole.as_str())];
    let config = evaluate(Path::new("job.aurora"), &Files(&files), &Options::default()).unwrap();
    for (key, help) in [
        ("devcluster/www-data/prod/helo", "did you mean devcluster/www-data/prod/hello?"),
        ("devcluster/www-data/prod/web", "the file has devcluster/www-data/prod/hello"),
    ] {
        let report = config.find(&key.parse().unwrap()).unwrap_err();
        assert_eq!(miette::Diagnostic::help(&report).unwrap().to_string(), help);
    }
}

#[test]
fn included_files_share_one_count_of_turns() {
    let turns = "def f():\n    for i in range(15000000):\n        pass\nf()\n";
    let files = [
        ("job.aurora", "include('a.aurora')\ninclude('b.aurora')\njobs = []\n"),
        ("a.aurora", turns),
        ("b.aurora", turns),
    ];
    let report = report(&files);
    assert!(report.to_string().contains("turns of loops"), "{report}");
    // It says where it was stopped, and how it got there.
    let finding = &report.findings()[0];
    let place = finding.location.as_ref().map(|at| (&*at.file, at.start.line));
    assert_eq!(place, Some(("a.aurora", 2)));
}

#[test]
fn memory_that_is_used_up_has_a_place() {
    let text = "x = []\nwhile True:\n    x.append('a' * 100000)\n";
    let report = report(&[("job.aurora", text)]);
    let finding = &report.findings()[0];
    assert!(finding.message.contains("MB of memory"), "{report}");
    assert_eq!(finding.location.as_ref().map(|at| at.start.line), Some(2), "{finding:?}");
}

#[test]
fn references_that_nothing_is_bound_to_get_the_nearest_name() {
    let bound = "profile = {\"name\": 1, \"heap.size\": 2}";
    for (reference, near) in [
        ("profile.nmae", "profile.name"),
        ("profile.heap.siz", "profile.heap.size"),
        ("rol", "role"),
        ("task.resources.cpuu", ""),
        ("task.max_failure", "task.max_failures"),
        ("maxfailures", "max_failures"),
        ("something_else", ""),
    ] {
        let text = job(FINE, &format!("echo {{{{{reference}}}}}"), "");
        let text = text.replace("    task = task,", &format!("    task = task.bind({bound}),"));
        let shown = shown(&text);
        match near {
            "" => assert!(!shown.contains("did you mean"), "{shown}"),
            near => assert!(shown.contains(&format!("did you mean {{{{{near}}}}}?")), "{shown}"),
        }
    }
}

#[test]
fn includes_go_where_the_system_goes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("far/inner")).unwrap();
    std::os::unix::fs::symlink(at("far/inner"), at("link")).unwrap();
    std::fs::write(at("far/x.aurora"), "jobs = 'behind the link'\n").unwrap();
    std::fs::write(at("x.aurora"), "jobs = 'beside it'\n").unwrap();
    std::fs::write(at("job.aurora"), "include('link/../x.aurora')\n").unwrap();
    let report = evaluate(&at("job.aurora"), &Disk, &Options::default()).unwrap_err();
    assert!(report.to_string().contains("behind the link"), "{report}");

    std::fs::write(at("far/x.aurora"), "include('../link/../../job.aurora')\n").unwrap();
    let report = evaluate(&at("job.aurora"), &Disk, &Options::default()).unwrap_err();
    assert!(report.to_string().contains("lead back to themselves"), "{report}");

    std::fs::write(at("job.aurora"), "include('/dev/null')\n").unwrap();
    let report = evaluate(&at("job.aurora"), &Disk, &Options::default()).unwrap_err();
    assert!(report.to_string().contains("not a regular file"), "{report}");
}

#[test]
fn names_of_the_executor_that_it_does_not_know_get_a_hint() {
    for (reference, hint) in [
        ("mesos.environment", "write {{environment}}"),
        ("mesos.instnce", "did you mean {{mesos.instance}}?"),
        ("thermos.port[http]", "did you mean {{thermos.ports[http]}}?"),
        ("thermos.nothing_such", "there are {{mesos.instance}}"),
    ] {
        let shown = shown(&job(FINE, &format!("echo {{{{{reference}}}}}"), ""));
        assert!(shown.contains(hint), "{shown}");
    }
}

#[test]
fn what_is_wrong_in_json_is_shown_there() {
    let text = "{\"name\": \"a\",\n  \"instancs\": 2}\n";
    let report = evaluate_json("job.json", text, &Options::default()).unwrap_err();
    let finding = &report.findings()[0];
    assert_eq!(finding.code.id(), "unknown-field");
    assert_eq!(finding.location.as_ref().map(|at| (at.start.line, at.start.column)), Some((2, 3)));
    assert_eq!(finding.help.as_deref(), Some("did you mean `instances`?"));
    assert_eq!(finding.fixes.len(), 1);
}

#[test]
fn all_wrong_fields_of_a_file_are_told_at_once() {
    let text = "p = Process(nme = 'a', cmdlin = 'x')\n\
                for i in range(3):\n    q = Task(resources = 3)\n\
                r = p(daemn = True)\n\
                t = p.name().upper() + 1\n\
                s = Nothing()\n";
    let told = |text: &str| -> Vec<String> {
        let findings = report(&[("job.aurora", text)]).findings();
        let line = |finding: &aurora_eval::Finding| finding.location.as_ref().unwrap().start.line;
        findings.iter().map(|finding| format!("{} {}", line(finding), finding.code)).collect()
    };
    let fields = ["1 unknown-field", "1 unknown-field", "3 type-mismatch", "4 unknown-field"];
    // What goes wrong after that with the values themselves may come of it.
    assert_eq!(told(text), fields);
    assert_eq!(told(&text.replace("t = ", "# ")), [&fields[..], &["6 unknown-name"]].concat());
    // What the file could not go on after is not told twice, and a fault of a file before ends it.
    let report = report(&[
        ("job.aurora", "include('a.aurora')\np = Process(nme = 'a')\n"),
        ("a.aurora", "def f():\n    return Process(nme = 'a', cmdlin = 'x')\n\nf()\n"),
    ]);
    for finding in report.findings() {
        let steps: Vec<String> = finding
            .path
            .iter()
            .map(|step| {
                format!("{}:{} {}", step.location.file, step.location.start.line, step.message)
            })
            .collect();
        assert_eq!(steps, ["a.aurora:4 in `f`, called here", "job.aurora:1 included here"]);
        assert_eq!(finding.fixes.len(), 1);
    }
    assert_eq!(report.findings().len(), 2);
}

#[test]
fn columns_count_characters() {
    assert!(shown("x = 'ä€𝄞' + nothing\n").contains("job.aurora:1:13]"));
}

#[test]
fn a_file_that_fails_has_read_what_it_has_read() {
    let files =
        [("job.aurora", "include('a.aurora')\nimport getpass\nx = getpass.getuser() + 1\n")];
    let files = [files[0], ("a.aurora", "y = 1\n")];
    let report = report(&files);
    let reads = report.reads().unwrap();
    assert!(reads.user && reads.included.contains_key("a.aurora"), "{reads:?}");
}

#[test]
fn a_file_that_is_no_text_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.aurora");
    std::fs::write(&file, b"jobs = []\nx = '\xc3\xa9\xff'\n").unwrap();
    let report = evaluate(&file, &Disk, &Options::default()).unwrap_err();
    assert!(report.to_string().contains("line 2, column 7"), "{report}");
}

#[test]
fn a_byte_order_mark_is_part_of_the_file_and_stands_in_no_column() {
    let text = "\u{feff}x = nought\njobs = []\n";
    for (line, case) in [("1:5", text.to_owned()), ("2:5", text.replacen("x", "y = 1\nx", 1))] {
        let found = report(&[("job.aurora", &case)]).findings();
        let place = found[0].location.as_ref().unwrap();
        assert_eq!(&case[place.start.offset..place.end.offset], "nought");
        assert_eq!(format!("{}:{}", place.start.line, place.start.column), line);
        let shown = shown(&case);
        assert!(shown.contains(&format!("[job.aurora:{line}]")), "{shown}");
    }
}
