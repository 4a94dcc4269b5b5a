//! Words, whole jobs, and what holds of all proposals.

use aurora_ide::complete::{complete, documentation};

use super::{check, proposals, taken};
use crate::fixture::Fixture;

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
