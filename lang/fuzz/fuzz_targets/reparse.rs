//! A text and changes of it, one after the other: reading only what a change touches gives what
//! reading all gives.

#![no_main]

use aurora_lang_fuzz::Edit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<Edit<'_>>)| {
    let (text, edits) = input;
    let mut text = text.to_owned();
    let mut parsed = aurora_syntax::parse(&text);
    for edit in edits.into_iter().take(8) {
        let (replaced, new) = edit.apply(&text);
        parsed = aurora_syntax::reparse(parsed, &text, replaced.clone(), &new);
        assert_eq!(parsed, aurora_syntax::parse(&new), "{replaced:?} of {text:?} makes {new:?}");
        text = new;
    }
});
