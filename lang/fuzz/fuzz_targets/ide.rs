//! Two files of any text and changes of the first: every question at every place has an answer, which
//! is of the text, and the same whether the text was read anew or changed.

#![no_main]

use std::sync::Arc;

use aurora_ide::complete::{complete, documentation};
use aurora_ide::diagnostics::syntax;
use aurora_ide::hints::{HintOptions, hints};
use aurora_ide::{
    FileEdit, FileId, Snapshot, Source, Span, Workspace, actions, calls, folding, formatting, hover, lenses,
    linked, links, navigate, references, rename, selection, signature, symbols, tokens,
};
use aurora_lang_fuzz::{Edit, is_part};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, Vec<Edit<'_>>, [u16; 3])| {
    let (text, other, edits, places) = input;
    let (file, beside) = (FileId::new("/project/main.aurora"), FileId::new("/project/other.aurora"));
    let mut source = Source::new(file.clone(), text.into(), Some(1));
    for (edit, version) in edits.iter().take(4).zip(2..) {
        let (replaced, new) = edit.apply(&source.text);
        source = source.edited(replaced, new.into(), Some(version));
    }
    let text = source.text.clone();
    let world = world(source, &beside, other);
    let fresh = world_of(&file, &text, &beside, other);
    assert_eq!(whole(&world, &file), whole(&fresh, &file), "{text:?}");
    for place in places {
        let at = u32::try_from(usize::from(place) % (text.len() + 2)).expect("it is small");
        assert_eq!(at_place(&world, &file, at), at_place(&fresh, &file, at), "{at} of {text:?}");
    }
});

fn world_of(file: &FileId, text: &Arc<str>, beside: &FileId, other: &str) -> Snapshot {
    world(Source::new(file.clone(), text.clone(), None), beside, other)
}

fn world(source: Source, beside: &FileId, other: &str) -> Snapshot {
    let mut workspace = Workspace::default();
    workspace.change(source);
    workspace.open(beside.clone(), other.to_owned(), 1);
    workspace.snapshot()
}

fn check(world: &Snapshot, file: &FileId, spans: impl IntoIterator<Item = Span>) {
    let text = &world.file(file).expect("it is known").text;
    for span in spans {
        assert!(is_part(text, span.range()), "{span:?} is not of {text:?}");
    }
}

fn check_edits(world: &Snapshot, edits: &[FileEdit]) {
    for edit in edits {
        check(world, &edit.location.file, [edit.location.span]);
    }
}

/// What is told of a file.
fn whole(world: &Snapshot, file: &FileId) -> String {
    let all = Span::new(0, u32::MAX);
    let options = HintOptions { values: true, defaults: true, types: true };
    let told = syntax(world, file);
    check(world, file, told.iter().map(|told| told.location.span));
    told.iter().flat_map(|told| &told.fixes).for_each(|fix| check_edits(world, &fix.edits));
    let tokens = tokens::full(world, file);
    assert!(tokens.is_sorted_by(|a, b| a.span.end <= b.span.start), "{tokens:?}");
    check(world, file, tokens.iter().map(|token| token.span));
    let folds = folding::folds(world, file);
    check(world, file, folds.iter().map(|fold| fold.span));
    let laid_out = formatting::document(world, file);
    check_edits(world, &laid_out);
    let links = links::links(world, file);
    check(world, file, links.iter().map(|link| link.span));
    let lenses = lenses::lenses(world, file);
    check(world, file, lenses.iter().map(|lens| lens.span));
    let hints = hints(world, file, all, options);
    let symbols = symbols::document(world, file);
    let found = symbols::workspace(world, "a", 20);
    format!("{told:?} {tokens:?} {folds:?} {laid_out:?} {links:?} {lenses:?} {hints:?} {symbols:?} {found:?}")
}

/// What is told of a place.
fn at_place(world: &Snapshot, file: &FileId, at: u32) -> String {
    let proposals = complete(world, file, at);
    for proposal in proposals.iter().take(5) {
        _ = proposal.origin.as_ref().map(|origin| documentation(world, origin));
    }
    let hover = hover::hover(world, file, at);
    check(world, file, hover.iter().map(|hover| hover.span));
    let signature = signature::signature(world, file, at);
    let ways = [navigate::definition, navigate::declaration, navigate::type_definition]
        .map(|way| way(world, file, at));
    for way in ways.iter().flatten() {
        check(world, file, [way.from]);
        way.to.iter().for_each(|to| check(world, &to.file, [to.name, to.whole]));
    }
    let uses = references::references(world, file, at, true);
    uses.iter().for_each(|found| check(world, &found.location.file, [found.location.span]));
    let renamed = rename::rename(world, file, at, "another");
    renamed.iter().for_each(|edits| check_edits(world, edits));
    let linked = linked::linked_ranges(world, file, at);
    check(world, file, linked.iter().copied());
    let selected = selection::ranges(world, file, at);
    check(world, file, selected.iter().copied());
    let part = Span::new(at, at.saturating_add(9));
    let changes = actions::actions(world, file, part, &syntax(world, file), &actions::ActionKind::ALL);
    changes.iter().for_each(|change| check_edits(world, &change.edits));
    let item = calls::item_at(world, file, at);
    let called = item.iter().map(|item| (calls::incoming(world, item), calls::outgoing(world, item)));
    let called: Vec<_> = called.collect();
    format!(
        "{proposals:?} {hover:?} {signature:?} {ways:?} {uses:?} {renamed:?} {linked:?} {selected:?} {changes:?} \
         {called:?}"
    )
}
