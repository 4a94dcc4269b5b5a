//! Who calls whom.

use aurora_ide::calls::{Call, Item, incoming, item_at, outgoing};

use crate::fixture::{Fixture, check};

fn named(item: &Item) -> String {
    format!("{:?} {}", item.kind, item.name)
}

fn shown(calls: &[Call]) -> String {
    let all = calls.iter().map(|call| format!("{} x{}", named(&call.item), call.places.len()));
    let mut all: Vec<String> = all.collect();
    all.sort();
    all.join(", ")
}

fn called(case: &str) -> String {
    let fixture = Fixture::new(case);
    let Some(item) = item_at(&fixture.world, &fixture.file, fixture.at) else {
        return "none".to_owned();
    };
    let (from, to) = (incoming(&fixture.world, &item), outgoing(&fixture.world, &item));
    format!("{} <- [{}] -> [{}]", named(&item), shown(&from), shown(&to))
}

#[test]
fn functions_call_each_other() {
    check(
        called,
        &[
            (
                "def f():\n  return g() + g()\ndef $0g():\n  return h()\ndef h():\n  return 1\nx = g()\n",
                "Function g <- [File main.aurora x1, Function f x2] -> [Function h x1]",
            ),
            (
                "def $0f(n):\n  return f(n - 1)\n",
                "Function f <- [Function f x1] -> [Function f x1]",
            ),
            // What is not called is only handed on.
            ("def $0f():\n  return 1\nx = f\n", "Function f <- [] -> []"),
            (
                "def f():\n  return [g() for x in [1]] + [(lambda: g())()]\ndef g$0():\n  return 1\n",
                "Function g <- [Function f x2] -> []",
            ),
            (
                "#- a.aurora\nload('b.aurora', 'f')\nx = $0f()\n#- b.aurora\ninclude('c.aurora')\ndef f():\n  return g()\n#- c.aurora\ndef g():\n  return 1\n",
                "Function f <- [File a.aurora x1] -> [Function g x1]",
            ),
            (
                "load('@std//service.aurora', 'worker')\ndef $0f():\n  return worker()\n",
                "Function f <- [] -> [Function worker x1]",
            ),
            ("x$0 = 1\n", "none"),
            ("x = $0len([])\n", "none"),
        ],
    );
}

#[test]
fn jobs_take_in_tasks_and_tasks_take_in_processes() {
    let case = |at: &str| {
        let text = "a = Process(name = 'a')\nb = a(name = 'b')\n\
                    t = Task(processes = [a, b], constraints = order(a, b))\n\
                    def make():\n  return Job(task = t)\n\
                    j = Job(task = t)\njobs = [j, make()]\n";
        called(&text.replacen(at, &format!("$0{at}"), 1))
    };
    check(
        case,
        &[
            ("a = ", "Process a <- [Process b x1, Task t x2] -> []"),
            ("t = Task", "Task t <- [Function make x1, Job j x1] -> [Process a x2, Process b x2]"),
            ("j = ", "Job j <- [Jobs jobs x1] -> [Task t x1]"),
            ("jobs = ", "Jobs jobs <- [] -> [Function make x1, Job j x1]"),
            ("make", "Function make <- [Jobs jobs x1] -> [Task t x1]"),
        ],
    );
}

#[test]
fn an_item_of_an_older_text_is_not_taken_for_another() {
    let old = Fixture::new("def $0f():\n  return 1\nx = f()\n");
    let item = item_at(&old.world, &old.file, old.at).unwrap();
    assert_eq!(incoming(&old.world, &item).len(), 1);
    let new = Fixture::new("def g():\n  return 1\nx = g()\n");
    assert_eq!(incoming(&new.world, &item), Vec::new());
}
