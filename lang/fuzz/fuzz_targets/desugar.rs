//! Any text: parsed, rewritten, formatted; every place in what comes out is one in what went in.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = aurora_syntax::parse(text);
    let desugared = aurora_syntax::desugar(&parsed, text, &|name| name == "Job");
    let len = desugared.text.len();
    for step in 0..16 {
        let (start, end) = (len * step / 16, len * (step + 1) / 16);
        let place = desugared.map.original(start..end);
        assert!(place.start <= place.end && place.end <= text.len(), "{place:?}");
    }
    if let Ok(formatted) = aurora_syntax::format(text) {
        assert_eq!(aurora_syntax::format(&formatted).as_deref().ok(), Some(&*formatted), "idempotent");
    }
    _ = aurora_syntax::migrate(text);
});
