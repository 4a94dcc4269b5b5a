//! Laying files out by small changes.

use aurora_ide::formatting::{document, range};
use aurora_ide::{FileEdit, Span};

use crate::fixture::Fixture;

fn applied(text: &str, edits: &[FileEdit]) -> String {
    let mut out = text.to_owned();
    for edit in edits.iter().rev() {
        out.replace_range(edit.location.span.range(), &edit.text);
    }
    out
}

#[test]
fn a_file_is_laid_out_by_small_changes() {
    for (case, count) in [
        ("x=1\n", 2),
        ("x = 1\n", 0),
        ("x = Job(name='a',\n   task = 1 )\n", 4),
        ("def f( a ):\n      return a\n", 3),
        ("x = (\n", 0),
        ("with a: pass\n", 0),
        ("\u{feff}x=1\n", 2),
        ("\u{feff}x = 1\n", 0),
        ("", 0),
    ] {
        let fixture = Fixture::new(case);
        let edits = document(&fixture.world, &fixture.file);
        let found = applied(case, &edits);
        assert_eq!(found, aurora_syntax_format(case), "{case}");
        assert!(edits.len() <= count.max(1) + 3, "{case}: {edits:?}");
        assert_eq!(edits.is_empty(), count == 0, "{case}: {edits:?}");
        // The first word stays.
        let first = case.find(|c: char| c.is_alphabetic()).unwrap_or(case.len());
        assert!(
            edits.iter().all(|edit| edit.location.span.end as usize > first),
            "{case}: {edits:?}"
        );
    }
}

#[test]
fn the_ends_of_lines_stay_as_they_are() {
    for (case, wanted) in [
        ("x=['é',2]\r\n", "x = ['é', 2]\r\n"),
        ("p=1\r\n\r\n\r\n\r\nq=1\r\n", "p = 1\r\n\r\n\r\nq = 1\r\n"),
        ("p=f('''a\r\nb''', 1)\r\n", "p = f('''a\r\nb''', 1)\r\n"),
        ("p = 1\r\n", "p = 1\r\n"),
    ] {
        let fixture = Fixture::new(case);
        let edits = document(&fixture.world, &fixture.file);
        assert_eq!(applied(case, &edits), wanted);
        assert_eq!(edits.is_empty(), case == wanted, "{edits:?}");
    }
}

/// The text as it should be; itself if it does not parse.
fn aurora_syntax_format(text: &str) -> String {
    let (mark, rest) = text.split_at(if text.starts_with('\u{feff}') { 3 } else { 0 });
    let formatted = aurora_syntax::format(rest).unwrap_or_else(|_| rest.to_owned());
    format!("{mark}{formatted}")
}

#[test]
fn a_part_is_laid_out_by_whole_statements() {
    for (case, wanted) in [
        ("a=1\n$0b=2\nc=3\n", "a=1\nb = 2\nc=3\n"),
        ("a=1\ndef f():\n    x=1\n    $0y=2\nc=3\n", "a=1\ndef f():\n  x = 1\n  y = 2\nc=3\n"),
        ("a=[\n1,\n$02]\nb=1\n", "a = [\n  1,\n  2,\n]\nb=1\n"),
        ("a=1\n$0\nb=2\n", "a=1\n\nb=2\n"),
    ] {
        let fixture = Fixture::new(case);
        let text = case.replace("$0", "");
        let edits = range(&fixture.world, &fixture.file, Span::new(fixture.at, fixture.at));
        assert_eq!(applied(&text, &edits), wanted, "{case}");
    }
    // A line that is only touched is no part.
    for text in ["a=1\nb=2\n", "a=1\r\nb=2\r\n"] {
        let fixture = Fixture::new(text);
        let next = u32::try_from(text.find('b').unwrap()).unwrap();
        for (end, wanted) in [(next, ["a = 1", "b=2"]), (next + 1, ["a = 1", "b = 2"])] {
            let edits = range(&fixture.world, &fixture.file, Span::new(0, end));
            let laid_out = applied(text, &edits);
            assert_eq!(laid_out.lines().collect::<Vec<_>>(), wanted, "{text:?} {end}");
        }
    }
}
