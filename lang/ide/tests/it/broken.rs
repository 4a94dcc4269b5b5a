//! No text is too broken and no place too odd for what is told of it.

use aurora_ide::hints::{HintOptions, hints};
use aurora_ide::hover::hover;
use aurora_ide::lenses::lenses;
use aurora_ide::signature::signature;
use aurora_ide::{FileId, Span, Workspace};
use proptest::prelude::*;

/// Texts that have a bit of everything.
const TEXTS: [&str; 3] = [
    include_str!("../../../../examples/profiles.aurora"),
    include_str!("../../../../stdlib/service.aurora"),
    "load('@std//service.aurora', 'worker', w = 'worker')\n\
     include('other.aurora')\n\
     class P(Struct):\n  'é'\n  a = Required(String)\n\
     def f(a, b = {'x': 1}, *c, **d):\n  '''é\n\n  a: one\n  '''\n  return [g(x) for x in a if b]\n\
     j = Service(name = f'{a!r:>{b}}', task = t(cmdline = \"\"\"{{x.y[z]}}\n{{&q}}\"\"\"))\n\
     jobs = [j.bind(x = 1, P(a = 'é')), w('a', 'b', cluster = 'c')(role = '\u{1f600}{{é}}')]\n",
];
/// What is put in somewhere.
const PIECES: [&str; 12] =
    ["(", ")", "[", "{{", "}}", "'", "\"\"\"", "\n", ",", "= ", "é", "lambda x: f("];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_text_is_told_of(
        text in 0..TEXTS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len(), 0usize..9), 0..4),
        places in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let mut text = TEXTS[text].to_owned();
        for (at, piece, cut) in edits {
            let boundary = |mut at: usize| {
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let start = boundary(at.index(text.len() + 1));
            let end = boundary((start + cut).min(text.len())).max(start);
            text.replace_range(start..end, PIECES[piece]);
        }
        let file = FileId::new("/project/main.aurora");
        let mut workspace = Workspace::default();
        workspace.open(file.clone(), text.clone(), 1);
        let world = workspace.snapshot();
        let inside = |span: Span| text.get(span.range()).is_some();
        for place in places {
            // Places within characters and behind the end, too.
            let at = u32::try_from(place.index(text.len() + 3)).unwrap();
            if let Some(found) = hover(&world, &file, at) {
                prop_assert!(inside(found.span) && !found.markdown.is_empty());
            }
            if let Some(found) = signature(&world, &file, at) {
                let label = |parameter: &aurora_ide::signature::Parameter| {
                    found.label.get(parameter.label.range()).is_some()
                };
                prop_assert!(found.parameters.iter().all(label));
                prop_assert!(found.active.is_none_or(|active| active < found.parameters.len()));
            }
            let part = Span::new(at.saturating_sub(40), at);
            for hint in hints(&world, &file, part, HintOptions::default()) {
                prop_assert!(part.start <= hint.at && hint.at <= part.end);
                prop_assert!(text.is_char_boundary(hint.at as usize));
            }
        }
        prop_assert!(lenses(&world, &file).iter().all(|lens| inside(lens.span)));
    }
}
