//! Any text as a file: it evaluates or is refused, and so is each of its jobs.

#![no_main]

use aurora_eval::{Disk, Options, evaluate_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let options = Options { bindings: vec!["x={{y}}".parse().expect("a binding")], ..Options::default() };
    if let Ok(config) = evaluate_text("fuzz.aurora", text, &Disk, &options) {
        for job in config.jobs().iter().take(20) {
            _ = job.ready("someone");
        }
    }
});
