//! Laws that hold whatever the texts and names are.

use aurora_template::object::{Kind, Object};
use aurora_template::render::same;
use aurora_template::scope::resolve;
use aurora_template::types::Plain;
use aurora_template::{Address, Fragment, split};
use proptest::prelude::*;

use crate::make::{bind, build, job, list, map, names, object, string, text, types};

/// A piece of a template, as one would write it.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Reference(String),
    Escape(String),
}

impl Piece {
    fn print(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Reference(address) => format!("{{{{{address}}}}}"),
            Self::Escape(inner) => format!("{{{{&{inner}}}}}"),
        }
    }
}

fn address() -> impl Strategy<Value = String> {
    let step = prop_oneof!["\\.[a-zA-Z_][a-zA-Z0-9_]{0,4}", "\\[[a-zA-Z0-9_./-]{1,5}\\]"];
    ("[a-zA-Z_][a-zA-Z0-9_]{0,5}", prop::collection::vec(step, 0..4))
        .prop_map(|(first, steps)| first + &steps.concat())
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        "[a-z &%é$()]{1,8}".prop_map(Piece::Text),
        address().prop_map(Piece::Reference),
        ("&{0,2}", address()).prop_map(|(and, address)| Piece::Escape(and + &address)),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| {
        // Texts side by side are one text.
        pieces.into_iter().fold(Vec::new(), |mut all: Vec<Piece>, piece| {
            match (all.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => all.push(piece),
            }
            all
        })
    })
}

proptest! {
    #[test]
    fn a_printed_template_is_read_as_it_was(pieces in pieces()) {
        let printed: String = pieces.iter().map(Piece::print).collect();
        let read: Vec<Piece> = split(&printed).into_iter().map(|fragment| match fragment {
            Fragment::Text(text) => Piece::Text(text.to_owned()),
            Fragment::Reference { inner, .. } => Piece::Reference(inner.to_owned()),
            Fragment::Escape { inner } => Piece::Escape(inner.to_owned()),
        }).collect();
        prop_assert_eq!(read, pieces);
    }

    #[test]
    fn a_printed_address_is_read_as_it_was(text in address()) {
        let address: Address = text.parse().unwrap();
        prop_assert_eq!(address.to_string(), text.clone());
        prop_assert_eq!(Address::from_components(address.components().to_vec()), Some(address));
    }

    #[test]
    fn nothing_found_changes_nothing(pieces in pieces()) {
        let printed: String = pieces.iter().map(Piece::print).collect();
        let resolved = resolve(&string(&printed)).object;
        let expected: String = pieces.iter().map(|piece| match piece {
            Piece::Escape(inner) => format!("{{{{{inner}}}}}"),
            other => other.print(),
        }).collect();
        prop_assert_eq!(resolved.kind(), &Kind::Scalar(Plain::Text(expected)));
    }

    #[test]
    fn the_latest_binding_of_the_nearest_place_wins(
        steps in prop::collection::vec((0_usize..4, 0_usize..3), 0..10),
    ) {
        // Each step binds one of three names on one of four places.
        let mut bound: Vec<Vec<(String, Plain)>> = vec![Vec::new(); 4];
        for (number, (place, name)) in steps.iter().enumerate() {
            bound[*place].push((format!("n{name}"), text(&format!("v{number}"))));
        }
        let bind_all = |object: &Object, place: usize| {
            bound[place].iter().fold(object.clone(), |object, (name, value)| {
                bind(&object, &[(name, value.clone())])
            })
        };
        let types = types();
        let leaf = bind_all(&string("{{n0}} {{n1}} {{n2}}"), 0);
        let process = bind_all(&build(&types.process, map(&[("cmdline", object(&leaf))])), 1);
        let task = map(&[("processes", list(&[object(&process)]))]);
        let task = bind_all(&build(&types.task, task), 2);
        let job = bind_all(&build(&types.job, map(&[("task", object(&task))])), 3);
        let expected: Vec<String> = (0..3).map(|name| {
            let mut latest = steps.iter().enumerate().filter(|(_, (_, n))| *n == name);
            let nearest = latest.by_ref().map(|(number, (place, _))| (*place, usize::MAX - number)).min();
            match nearest {
                Some((_, number)) => format!("v{}", usize::MAX - number),
                None => format!("{{{{n{name}}}}}"),
            }
        }).collect();
        prop_assert_eq!(crate::make::at(&job, &crate::make::CMDLINE), expected.join(" "));
    }

    #[test]
    fn scopes_put_behind_lose_and_order_within_a_call_counts(a in 0..9, b in 0..9) {
        let scope = |value: i32| names(&[("x", Plain::Int(i64::from(value)))]);
        let text = string("{{x}}");
        let both = text.bound(vec![scope(a), scope(b)]);
        prop_assert_eq!(crate::make::shown(&both), a.to_string());
        let behind = text.bound(vec![scope(a)]).in_scope(vec![scope(b)]);
        prop_assert_eq!(crate::make::shown(&behind), a.to_string());
        prop_assert_eq!(crate::make::shown(&text.in_scope(vec![scope(b)])), b.to_string());
    }

    #[test]
    fn interpolating_twice_is_interpolating_once(pieces in pieces(), value in "[a-z]{0,4}") {
        let printed: String = pieces.iter()
            .filter(|piece| !matches!(piece, Piece::Escape(_)))
            .map(Piece::print)
            .collect();
        let once = resolve(&bind(&job(&printed), &[("a", text(&value))]));
        prop_assume!(once.problems.is_empty());
        let twice = resolve(&once.object);
        prop_assert!(same(&once.object, &twice.object));
        prop_assert_eq!(once.unbound, twice.unbound);
    }

    #[test]
    fn any_text_with_any_names_ends(
        text_ in "[{}&a-c.\\[\\] é]{0,30}",
        a in "[{}&a-c.\\[\\]]{0,12}",
        b in "[{}&a-c.\\[\\]]{0,12}",
    ) {
        let job = bind(&job(&text_), &[("a", text(&a)), ("b", text(&b)), ("c", text("{{a}}"))]);
        let resolved = resolve(&job);
        for problem in &resolved.problems {
            let span = problem.in_text.clone().unwrap_or(0..0);
            prop_assert!(text_.get(span.clone()).is_some(), "{span:?} of {text_:?}");
        }
        for open in resolved.open.iter().filter(|open| open.path.len() == 4) {
            prop_assert!(text_.get(open.in_text.clone()).is_some_and(|text| text.contains("{{")));
        }
    }
}
