//! The order in which scopes are asked, and what is found in each (`dsl.md` 3).

use aurora_template::object::{Object, Scope};
use aurora_template::scope::{ProblemKind, resolve, resolve_field};
use aurora_template::types::{Plain, Type};

use crate::make::{
    CMDLINE, at, bind, build, fine, job, list, map, names, object, shown, string, structure, text,
    types,
};

/// What is bound on the job, the task, the list of processes, the process and its command line.
type Bound<'a> = [&'a [(&'a str, Plain)]; 5];

/// A job with what is given bound on the job, the task, the list of processes, the process and its
/// command line.
fn bound_everywhere(cmdline: &str, bound: Bound<'_>) -> Object {
    let types = types();
    let [on_job, on_task, on_list, on_process, on_leaf] = bound;
    let leaf = bind(&string(cmdline), on_leaf);
    let process = map(&[("name", text("p")), ("cmdline", object(&leaf))]);
    let process = bind(&build(&types.process, process), on_process);
    let processes = bind(&build(&types.processes, list(&[object(&process)])), on_list);
    let task = map(&[("name", text("t")), ("processes", object(&processes))]);
    let task = bind(&build(&types.task, task), on_task);
    let job = map(&[("name", text("j")), ("role", text("r")), ("task", object(&task))]);
    bind(&build(&types.job, job), on_job)
}

#[test]
fn nearer_bindings_win() {
    let values = ["job", "task", "list", "process", "leaf"];
    for nearest in 0..values.len() {
        let entries = values.map(|value| [("x", text(value))]);
        let bound: [&[(&str, Plain)]; 5] =
            std::array::from_fn(|at| if at <= nearest { &entries[at][..] } else { &[] });
        assert_eq!(at(&bound_everywhere("{{x}}", bound), &CMDLINE), values[nearest]);
    }
}

#[test]
fn own_fields_beat_what_is_bound_on_the_struct_and_around_it() {
    let names = [("name", text("n")), ("role", text("b"))];
    let bound = [&names[..], &names[..], &names[..], &names[..], &[]];
    assert_eq!(at(&bound_everywhere("{{name}}", bound), &CMDLINE), "p");
    let only_job = [&names[..], &[], &[], &[], &[]];
    assert_eq!(at(&bound_everywhere("{{role}}", only_job), &CMDLINE), "r");
    assert_eq!(at(&bound_everywhere("{{role}}", bound), &CMDLINE), "b");
}

#[test]
fn what_surrounds_a_struct_is_asked_from_the_outside_inwards() {
    let x = |value: &str| [("x", text(value)), ("name", text(value))];
    let (j, t, l, p, f) = (x("job"), x("task"), x("list"), x("process"), x("leaf"));
    let cases: [(Bound<'_>, &str, &str); 8] = [
        ([&j, &t, &l, &p, &f], "{{super.x}}", "job"),
        ([&[], &t, &l, &p, &f], "{{super.x}}", "task"),
        ([&[], &[], &l, &p, &f], "{{super.x}}", "process"),
        ([&[], &[], &l, &[], &f], "{{super.x}}", "list"),
        ([&[], &[], &[], &[], &f], "{{super.x}}", "{{super.x}}"),
        ([&[], &[], &[], &[], &[]], "{{super.name}}", "j"),
        ([&[], &t, &[], &[], &[]], "{{super.name}}", "task"),
        ([&[], &[], &[], &p, &[]], "{{super.name}}", "j"),
    ];
    for (bound, reference, expected) in cases {
        assert_eq!(at(&bound_everywhere(reference, bound), &CMDLINE), expected, "{bound:?}");
    }
}

#[test]
fn in_a_task_by_itself_the_task_surrounds_its_processes() {
    let types = types();
    let process = map(&[("name", text("p")), ("cmdline", text("{{super.name}} {{super.x}}"))]);
    let task = map(&[("name", text("t")), ("processes", list(&[process]))]);
    let task = build(&types.task, task);
    assert_eq!(at(&task, &CMDLINE[1..]), "t {{super.x}}");
    assert_eq!(at(&bind(&task, &[("x", text("1")), ("name", text("b"))]), &CMDLINE[1..]), "b 1");
}

#[test]
fn self_is_the_nearest_struct_that_has_the_field() {
    let cases = [
        ("{{self.name}}", "p"),
        ("{{self.role}}", "r"),
        ("{{self.task.name}}", "t"),
        ("{{self.instances}}", "3"),
        ("{{self.other}}", "{{self.other}}"),
        ("{{self.constraints[host]}}", "limit:1"),
    ];
    for (reference, expected) in cases {
        assert_eq!(at(&job(reference), &CMDLINE), expected, "{reference}");
    }
}

#[test]
fn the_kind_of_an_address_matters() {
    let cases = [
        ("{{constraints[host]}}", "limit:1"),
        ("{{constraints[0]}}", "first"),
        ("{{constraints[-1]}}", "first"),
        ("{{constraints[00]}}", "first"),
        ("{{constraints[-2]}}", "{{constraints[-2]}}"),
        ("{{constraints[1]}}", "{{constraints[1]}}"),
        ("{{name.x}}", "{{name.x}}"),
        ("{{name[0]}}", "{{name[0]}}"),
        ("{{task.processes[0].name}}", "p"),
        ("{{task[name]}}", "{{task[name]}}"),
        ("{{constraints}}", "StringList(first)"),
        ("{{.name}}", "p"),
        ("{{.Names}}", "{{Names}}"),
    ];
    for (reference, expected) in cases {
        assert_eq!(at(&job(reference), &CMDLINE), expected, "{reference}");
    }
}

#[test]
fn a_dotted_name_covers_one_address_and_nothing_made_of_it() {
    let db = structure("Db", &[("host", Type::String), ("url", Type::String)]);
    let db = build(&db, map(&[("host", text("h1")), ("url", text("db://{{host}}"))]));
    let job = bind(&job("{{db.host}} {{db.url}}"), &[("db", object(&db))]);
    assert_eq!(at(&job, &CMDLINE), "h1 db://h1");
    let job = bind(&job, &[("db.host", text("h9"))]);
    assert_eq!(at(&job, &CMDLINE), "h9 db://h1");
}

#[test]
fn plain_text_cannot_be_asked_but_what_is_behind_it_can() {
    let strings = Type::map(Type::String, Type::String).unwrap();
    let deep = build(&strings, map(&[("k", text("deep"))]));
    let table = names(&[("a", object(&deep)), ("a[x]", text("exact")), ("a[k][z]", text("far"))]);
    let job = job("{{a[k]}} {{a[x]}} {{a[k][z]}} {{a[x].y}}").bound(vec![table]);
    assert_eq!(at(&job, &CMDLINE), "deep exact far {{a[x].y}}");
}

#[test]
fn structs_lists_and_maps_are_scopes_themselves() {
    let profile = structure("Profile", &[("package", Type::String), ("url", Type::String)]);
    let profile = build(&profile, map(&[("package", text("x")), ("url", text("u/{{package}}"))]));
    let strings = build(&Type::list(Type::String).unwrap(), list(&[text("zero"), text("one")]));
    let keys = Type::map(Type::String, Type::String).unwrap();
    let keys = build(&keys, map(&[("k", text("v"))]));
    let scopes = [profile, strings, keys].map(Scope::Object).to_vec();
    let text = "{{url}} {{[1]}} {{[k]}} {{[none]}}";
    assert_eq!(at(&job(text).bound(scopes), &CMDLINE), "u/x one v {{[none]}}");
}

#[test]
fn keys_are_compared_once_they_are_of_their_type() {
    let numbers = Type::map(Type::Integer, Type::String).unwrap();
    let entries = vec![
        (Plain::Int(1), text("one")),
        (text("02"), text("two")),
        (text("{{three}}"), text("three")),
    ];
    let numbers = build(&numbers, Plain::Map(entries));
    let with =
        |text: &str| bind(&string(text), &[("n", object(&numbers)), ("three", text_of("3"))]);
    assert_eq!(shown(&with("{{n[1]}} {{n[01]}} {{n[2]}} {{n[3]}}")), "one one two {{n[3]}}");
    let wrong = resolve(&with("a {{n[x]}}"));
    assert_eq!(wrong.problems.len(), 1, "{wrong:?}");
    assert_eq!(wrong.problems[0].kind, ProblemKind::Coercion);
    assert_eq!(wrong.problems[0].in_text, Some(2..10));
}

fn text_of(value: &str) -> Plain {
    text(value)
}

#[test]
fn a_found_value_is_interpolated_at_home_first() {
    let home = structure("Home", &[("x", Type::String), ("y", Type::String)]);
    let home = build(&home, map(&[("x", text("{{y}} {{z}} {{w}}")), ("y", text("own"))]));
    let home = bind(&home, &[("z", text("bound at home"))]);
    let names =
        [("home", object(&home)), ("y", text("no")), ("z", text("no")), ("w", text("here"))];
    assert_eq!(at(&bind(&job("{{home.x}}"), &names), &CMDLINE), "own bound at home here");
}

#[test]
fn a_field_of_a_held_struct_does_not_see_what_surrounds_its_holder_until_the_text_does() {
    let types = types();
    let process = map(&[("name", text("p")), ("cmdline", text("{{task.name}}"))]);
    let process = bind(&build(&types.process, process), &[("role", text("near"))]);
    let task = map(&[("name", text("of-{{role}}")), ("processes", list(&[object(&process)]))]);
    let job = build(&types.job, map(&[("role", text("far")), ("task", task)]));
    assert_eq!(at(&job, &CMDLINE), "of-near");
    assert_eq!(at(&job, &["task", "name"]), "of-far");
}

#[test]
fn scalars_that_are_found_are_values_of_their_type() {
    let cases = [
        (Type::Integer, Plain::Float(2.9), "2"),
        (Type::Integer, text(" 7 "), "7"),
        (Type::Float, text("1"), "1.0"),
        (Type::Float, Plain::Float(1.0 / 3.0), "0.333333333333"),
        (Type::Boolean, text("TRUE"), "True"),
        (Type::String, Plain::Bool(false), "False"),
    ];
    for (ty, value, expected) in cases {
        let value = object(&build(&ty, value));
        assert_eq!(shown(&bind(&string("{{v}}"), &[("v", value)])), expected);
    }
    let bad = object(&build(&Type::Integer, text("abc")));
    let resolved = resolve(&bind(&string("{{v}}"), &[("v", bad)]));
    assert_eq!(resolved.problems[0].kind, ProblemKind::Coercion);
}

#[test]
fn a_value_that_comes_through_a_reference_is_text_first() {
    let cases = [
        (Type::Integer, Plain::Float(5.5), false),
        (Type::Integer, Plain::Float(1_610_612_736.0), false),
        (Type::Integer, Plain::Bool(true), false),
        (Type::Integer, Plain::Int(5), true),
        (Type::Boolean, Plain::Bool(true), true),
        (Type::Float, Plain::Int(5), true),
    ];
    for (ty, value, works) in cases {
        let number = bind(&build(&ty, text("{{x}}")), &[("x", value.clone())]);
        assert_eq!(resolve(&number).problems.is_empty(), works, "{ty} of {value}");
    }
}

#[test]
fn objects_of_another_scalar_type_are_refused_when_interpolated() {
    let types = types();
    let wrong = object(&string("3"));
    let job =
        build(&types.job, map(&[("instances", wrong), ("role", Plain::Other("None".into()))]));
    let problems = resolve(&job).problems;
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
    assert_eq!(paths, ["role", "instances"]);
    let same = object(&build(&Type::Integer, text("3")));
    let job = build(&types.job, map(&[("instances", same)]));
    assert_eq!(at(&job, &["instances"]), "3");
}

#[test]
fn escapes_last_for_one_interpolation() {
    let host = structure("D", &[("host", Type::String)]);
    let d = build(&host, map(&[("host", text("{{&y}}"))]));
    let names = [
        ("d", object(&d)),
        ("x", text("{{&y}}")),
        ("y", text("why")),
        ("s", object(&string("{{&&y}}"))),
    ];
    let cases = [
        ("{{&y}}", "{{y}}"),
        ("{{&&y}}", "{{&y}}"),
        ("{{&y&}}", "{{y}}"),
        ("{{d.host}}", "why"),
        ("{{x}}", "{{y}}"),
        ("{{s}}", "{{y}}"),
        ("{{&no such thing}}", "{{no such thing}}"),
    ];
    for (text, expected) in cases {
        assert_eq!(at(&bind(&job(text), &names), &CMDLINE), expected, "{text}");
    }
    let once = fine(&bind(&job("{{&y}}"), &names)).object;
    assert_eq!(at(&bind(&once, &names), &CMDLINE), "why");
}

#[test]
fn what_is_left_open_is_told_with_its_place() {
    let job = bind(&job("run {{a}} {{mesos.instance}}"), &[("a", text("{{b}}")), ("c", text(""))]);
    let resolved = fine(&job);
    let unbound: Vec<_> = resolved.unbound.iter().map(ToString::to_string).collect();
    assert_eq!(unbound, ["b", "mesos.instance"]);
    let open: Vec<_> = resolved
        .open
        .iter()
        .map(|open| (open.address.to_string(), open.path.join("."), open.in_text.clone()))
        .collect();
    let path = "task.processes.[0].cmdline".to_owned();
    assert_eq!(
        open,
        [("b".to_owned(), path.clone(), 4..9), ("mesos.instance".to_owned(), path, 10..28)]
    );
    assert_eq!(resolved.used.iter().map(|name| &**name).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn one_field_is_interpolated_without_the_others() {
    let types = types();
    let fields = [("name", text("{{name}}")), ("role", text("r-{{x}}-{{y}}"))];
    let job = bind(&build(&types.job, map(&fields)), &[("x", text("1"))]);
    assert_eq!(resolve(&job).problems.len(), 1);
    let field = resolve_field(&job, "role").unwrap();
    assert_eq!(field.problems, []);
    assert_eq!(shown(&bind(&field.object, &[("y", text("2"))])), "r-1-2");
    assert!(field.object.scopes().is_empty());
    assert!(resolve_field(&job, "task").is_none() && resolve_field(&job, "other").is_none());
}

#[test]
fn what_is_bound_to_a_default_is_lost() {
    let inner = structure("Inner", &[("x", Type::String)]);
    let value = bind(&build(&inner, map(&[("x", text("{{v}}"))])), &[("v", text("bound"))]);
    let field = aurora_template::types::Field::with_default("f", inner, object(&value)).unwrap();
    let outer = aurora_template::types::StructType::new("Outer", vec![field]).unwrap();
    let outer = Object::blank(&outer, None);
    assert_eq!(at(&outer, &["f", "x"]), "{{v}}");
}
