//! What has no end, or is too much, is refused, and at once.

use aurora_template::object::Object;
use aurora_template::scope::{Problem, ProblemKind, resolve};
use aurora_template::types::{Plain, Type};

use crate::make::{
    CMDLINE, at, bind, build, job, list, map, object, shown, string, structure, text,
};

fn only_problem(object: &Object) -> Problem {
    let mut problems = resolve(object).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

fn ring(problem: &Problem) -> Vec<String> {
    problem.cycle.iter().map(ToString::to_string).collect()
}

#[test]
fn chains_of_99_pass_and_of_100_do_not() {
    for (length, works) in [(99, true), (100, false)] {
        let names: Vec<(String, Plain)> = (0..length)
            .map(|n| (format!("x{n}"), text(&format!("{{{{x{}}}}}", n + 1))))
            .chain([(format!("x{length}"), text("end"))])
            .collect();
        // The last of them is what is found, so as many are replaced as there are names.
        let names: Vec<(&str, Plain)> =
            names.iter().skip(1).map(|(name, value)| (&**name, value.clone())).collect();
        let resolved = resolve(&bind(&string("{{x1}}"), &names));
        assert_eq!(resolved.problems.is_empty(), works, "{length}");
    }
}

#[test]
fn chains_within_a_struct_do_not_count_as_deep() {
    let names: Vec<String> = (0..99).map(|n| format!("f{n}")).collect();
    let fields: Vec<(&str, Type)> = names.iter().map(|name| (&**name, Type::String)).collect();
    let values: Vec<(&str, Plain)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let next = if n == 98 { "end".to_owned() } else { format!("{{{{f{}}}}}", n + 1) };
            (&**name, text(&next))
        })
        .collect();
    let chain = build(&structure("Chain", &fields), map(&values));
    assert_eq!(shown(&bind(&string("{{c.f0}}"), &[("c", object(&chain))])), "end");
}

#[test]
fn values_lead_to_values_a_hundred_deep() {
    let link = structure("Link", &[("f", Type::String)]);
    let mut value = build(&link, map(&[("f", text("end"))]));
    for _ in 0..90 {
        value = bind(&build(&link, map(&[("f", text("{{next.f}}"))])), &[("next", object(&value))]);
    }
    assert_eq!(shown(&bind(&string("{{next.f}}"), &[("next", object(&value))])), "end");
}

#[test]
fn rings_are_named_in_order() {
    let names = [("ping", text("{{pong}}")), ("pong", text("{{ping}}"))];
    let problem = only_problem(&bind(&job("go {{ping}}"), &names));
    assert_eq!(ring(&problem), ["ping", "pong"]);
    assert_eq!(problem.in_text, Some(3..11));
    assert!(problem.message.contains("{{ping}} leads back to itself through {{pong}}"));

    let problem = only_problem(&job("{{self.cmdline}}"));
    assert_eq!(ring(&problem), ["self.cmdline"]);
    let problem = only_problem(&job("{{self}}"));
    assert_eq!(ring(&problem), ["self"]);
}

#[test]
fn a_field_that_finds_itself_is_told_so() {
    let job = bind(&job("{{cmdline}}"), &[("cmdline", text("bound"))]);
    let problem = only_problem(&job);
    assert_eq!((problem.kind, ring(&problem)), (ProblemKind::Cycle, vec!["cmdline".to_owned()]));
    assert!(problem.message.contains("it is this very field"), "{problem:?}");
    assert!(problem.help.unwrap().contains("bind another name"));
}

#[test]
fn what_grows_is_stopped() {
    let doubled = [("x", text("{{x}}{{x}}"))];
    assert_eq!(ring(&only_problem(&bind(&job("{{x}}"), &doubled))), ["x"]);
    let whole = only_problem(&job("run {{task}} twice {{task}}"));
    assert_eq!(ring(&whole), ["task"]);
    // Not a ring, and never more than a few bytes: but as many references as there are grains.
    let link = structure("Link", &[("f", Type::String)]);
    let mut value = build(&link, map(&[("f", text(""))]));
    for _ in 0..60 {
        let twice = map(&[("f", text("{{next.f}}{{same.f}}"))]);
        let names = [("next", object(&value)), ("same", object(&value))];
        value = bind(&build(&link, twice), &names);
    }
    let job = bind(&job("{{next.f}}"), &[("next", object(&value))]);
    assert_eq!(only_problem(&job).kind, ProblemKind::Limit);
}

#[test]
fn the_size_of_an_object_counts_what_it_holds_each_time() {
    let mut ty = Type::String;
    let mut value = string("text");
    for level in 1..=10_u32 {
        ty = Type::list(ty).unwrap();
        value = build(&ty, list(&[object(&value), object(&value)]));
        assert_eq!(value.size().text, 4 << level);
        assert_eq!(value.depth(), level as usize + 1);
    }
}

#[test]
fn what_is_final_is_shared_and_not_copied() {
    let job = job("plain");
    let resolved = resolve(&job).object;
    assert_eq!(at(&job, &CMDLINE), "plain");
    let task = |job: &Object| job.field("task").unwrap().clone();
    assert!(task(&job).is(&task(&resolved)));
}
