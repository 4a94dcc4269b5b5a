//! Texts with references: splitting is exact, and interpolation ends whatever is bound.

#![no_main]

use aurora_template::{Fragment, InterpolateError, interpolate, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, [&str; 4])| {
    let (text, values) = input;
    for fragment in split(text) {
        if let Fragment::Reference { span, .. } = fragment {
            assert!(text.get(span).is_some_and(|found| found.starts_with("{{")));
        }
    }
    _ = interpolate::<InterpolateError>(text, |address| {
        let names = ["a", "b", "c", "d"];
        let found = names.iter().position(|name| address.to_string() == *name);
        Ok(found.map(|index| values[index].to_owned()))
    });
});
