//! Values that may be of several types (`dsl.md` 1.4).

use aurora_template::object::Object;
use aurora_template::render::{check_whole, to_json};
use aurora_template::scope::{ProblemKind, resolve, resolve_times, text_form};
use aurora_template::types::{Field, Plain, StructType, Type};

use crate::make::{at, bind, build, fine, list, map, object, string, structure, text};

fn policy(name: &str, field: &str, ty: Type) -> Type {
    Type::Struct(StructType::new(name, vec![Field::required(field, ty)]).unwrap())
}

fn policies() -> Type {
    let alternatives = vec![
        policy("Coordinator", "url", Type::String),
        policy("Count", "count", Type::Integer),
        policy("Share", "share", Type::Float),
    ];
    Type::choice(Some("Policy"), alternatives).unwrap()
}

fn holder(value: Plain) -> Object {
    let holder = structure("Holder", &[("policy", policies()), ("text", Type::String)]);
    build(&holder, map(&[("policy", value), ("text", text("{{policy.count}}"))]))
}

fn json(object: &Object) -> String {
    to_json(&fine(object).object).to_string()
}

#[test]
fn a_mapping_becomes_the_first_alternative_that_it_fits() {
    let cases = [
        (map(&[("url", text("u"))]), r#"{"url":"u"}"#),
        (map(&[("count", text("{{n}}"))]), r#"{"count":3}"#),
        (map(&[("share", Plain::Int(5))]), r#"{"share":5.0}"#),
    ];
    for (value, expected) in cases {
        let choice = bind(&build(&policies(), value), &[("n", Plain::Int(3))]);
        assert_eq!(json(&choice), expected);
    }
    for value in [map(&[("other", text("x"))]), text("x"), Plain::Int(3), list(&[])] {
        let problems = resolve(&build(&policies(), value)).problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].kind, ProblemKind::Choice);
    }
}

#[test]
fn what_is_wrong_within_a_given_alternative_is_told() {
    let share = policy("Share", "share", Type::Float);
    let cases = [
        (map(&[]), ProblemKind::Required),
        (map(&[("share", text("{{p}}"))]), ProblemKind::Open),
        (map(&[("share", text("a lot"))]), ProblemKind::Coercion),
        (map(&[("share", text("{{share}}"))]), ProblemKind::Cycle),
        (map(&[("share", text("{{ x }}"))]), ProblemKind::Address),
    ];
    for (value, kind) in cases {
        let given = object(&build(&share, value.clone()));
        let problems = check_whole(&holder(given));
        assert_eq!(problems.len(), 1, "{value}: {problems:?}");
        assert_eq!(problems[0].kind, kind);
        assert_eq!(problems[0].path, ["policy", "share"]);
    }
}

#[test]
fn the_parts_of_a_choice_are_never_found() {
    let count = build(&policy("Count", "count", Type::Integer), map(&[("count", Plain::Int(3))]));
    assert_eq!(at(&holder(object(&count)), &["text"]), "{{policy.count}}");
    let whole =
        bind(&string("{{policy}}"), &[("policy", object(&build(&policies(), object(&count))))]);
    assert_eq!(at(&whole, &[]), "Count(count=3)");
}

#[test]
fn scalars_are_tried_in_order() {
    let choice = Type::choice(None, vec![Type::Integer, Type::String]).unwrap();
    for (value, expected) in [
        (text("7"), "7"),
        (text("seven"), "\"seven\""),
        (object(&string("7")), "\"7\""),
        (text("{{x}}"), "\"{{x}}\""),
    ] {
        assert_eq!(json(&build(&choice, value)), expected);
    }
    let unbound = fine(&build(&choice, text("{{x}}"))).unbound;
    assert_eq!(unbound.len(), 1);
}

#[test]
fn a_choice_fits_a_field_of_the_same_choice() {
    let made = build(&policies(), map(&[("count", Plain::Int(3))]));
    let holder = holder(object(&made));
    assert!(json(&holder).contains(r#""policy":{"count":3}"#));
}

/// As the original's `interpolate()`, its texts and the references that it tells of.
#[test]
fn what_is_chosen_loses_one_more_level_of_escapes() {
    let image = structure("Docker", &[("image", Type::String)]);
    let container = Type::choice(Some("Container"), vec![image.clone()]).unwrap();
    let job = structure("Job", &[("container", container)]);
    for (written, once, unbound, twice) in [
        ("{{&a}}", "A", 0, "A"),
        ("{{&&a}}", "{{a}}", 0, "A"),
        ("{{&&&a}}", "{{&a}}", 0, "{{a}}"),
        ("{{&b}}", "{{b}}", 0, "{{b}}"),
        ("{{a}}-{{&a}}", "A-A", 0, "A-A"),
        ("{{b}}-{{&a}}", "{{b}}-{{a}}", 1, "{{b}}-{{a}}"),
        ("{{b}}-{{&&a}}", "{{b}}-{{a}}", 1, "{{b}}-{{a}}"),
    ] {
        let docker = object(&build(&image, map(&[("image", text(written))])));
        let job = bind(&build(&job, map(&[("container", docker)])), &[("a", text("A"))]);
        let image = |resolved: &Object| {
            text_form(resolved.field("container").and_then(|it| it.field("image")).unwrap())
        };
        let resolved = fine(&job);
        assert_eq!((image(&resolved.object).as_str(), resolved.unbound.len()), (once, unbound));
        assert_eq!(image(&resolve_times(&job, 2).object), twice, "{written}");
    }
}
