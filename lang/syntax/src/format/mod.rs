//! Lays a file out anew: the same words and comments, on lines of a common style.
//!
//! Blocks stand two columns further right. A line has at most 100 columns where brackets let it be
//! divided: then each element has a line and a comma of its own. What was written over several
//! lines from its opening bracket on stays so. Quotes stay as written.

mod items;
mod spaces;

use crate::error::SyntaxError;
use crate::lexer::{Lexed, lex};
use crate::parser::parse;
use crate::span::Span;
use crate::token::{Kind, Token};
use items::{Element, Group, Item, Reader, Width};

/// How wide a line should be at most.
const LIMIT: usize = 100;
/// By how much a block, or what stands in brackets, is moved to the right.
const STEP: usize = 2;
/// By how much a line is moved that goes on with the one before.
const CONTINUED: usize = 4;
/// How many empty lines may follow one another.
const MAX_EMPTY: usize = 2;

/// The text in the common layout.
///
/// # Errors
/// What is wrong with the text, which cannot be laid out then.
pub fn format(text: &str) -> Result<String, Vec<SyntaxError>> {
    let parsed = parse(text);
    if !parsed.errors.is_empty() {
        return Err(parsed.errors);
    }
    let formatted = layout(text);
    // Whatever happens, no word is lost.
    Ok(if same_words(text, &formatted) { formatted } else { text.to_owned() })
}

/// Whether two texts have the same words in the same blocks: they differ in layout only.
pub fn same_words(one: &str, other: &str) -> bool {
    words(one) == words(other)
}

fn words(text: &str) -> (Vec<(Kind, String)>, Vec<String>) {
    let lexed = lex(text);
    let mut words: Vec<(Kind, String)> = Vec::with_capacity(lexed.tokens.len());
    for token in &lexed.tokens {
        let closes = matches!(token.kind, Kind::RParen | Kind::RBracket | Kind::RBrace);
        // A comma may stand before a closing bracket or not, except in `(a,)`.
        if closes && words.last().is_some_and(|(kind, _)| *kind == Kind::Comma) {
            words.pop();
            words.push((Kind::Semi, String::new()));
        } else if closes {
            words.push((Kind::Semi, String::new()));
        }
        let word = match token.kind {
            Kind::Newline | Kind::Broken | Kind::Indent | Kind::Dedent => String::new(),
            Kind::IsNot => "is not".to_owned(),
            _ => token.span.of(text).replace("\r\n", "\n").replace('\r', "\n"),
        };
        words.push((token.kind, word));
    }
    let comments =
        lexed.comments.iter().map(|comment| comment.of(text).trim_end().to_owned()).collect();
    (words, comments)
}

fn layout(text: &str) -> String {
    let Lexed { tokens, comments, .. } = lex(text);
    let blanks = spaces::blanks(text, &tokens);
    let reader =
        Reader { text, tokens: &tokens, blanks: &blanks, comments: &comments, at: 0, comment: 0 };
    let mut printer = Printer { reader, out: String::with_capacity(text.len()), column: 0 };
    printer.file();
    printer.out
}

struct Printer<'a> {
    reader: Reader<'a>,
    out: String,
    column: usize,
}

/// Where items are written.
struct Place {
    /// The column at which they begin.
    indent: usize,
    /// The column at which a line begins that goes on with them.
    continued: usize,
    /// The width of what follows on the line in any case.
    suffix: usize,
    /// Whether they stand in brackets.
    within: bool,
}

impl Printer<'_> {
    fn file(&mut self) {
        // The columns at which the blocks begin in the source.
        let mut columns: Vec<usize> = vec![0];
        let mut end = 0;
        let mut block_start = true;
        loop {
            let token = self.reader.token();
            match token.kind {
                Kind::End if self.reader.next_comment().is_none() => return,
                Kind::Indent | Kind::Dedent | Kind::Newline | Kind::Broken | Kind::End => {
                    if let Some(comment) = self.reader.next_comment() {
                        self.own_comment(comment, &columns, &mut end, &mut block_start);
                        continue;
                    }
                    match token.kind {
                        Kind::Indent => columns.push(self.source_column(token.span.end)),
                        Kind::Dedent if columns.len() > 1 => {
                            columns.pop();
                        }
                        _ => {}
                    }
                    self.reader.at += 1;
                    continue;
                }
                _ => {}
            }
            if let Some(comment) = self.reader.next_comment() {
                self.own_comment(comment, &columns, &mut end, &mut block_start);
                continue;
            }
            self.empty_lines(end, token.span.start, block_start);
            let indent = (columns.len() - 1) * STEP;
            self.start_line(indent);
            let items = self.reader.line();
            let continued = indent + CONTINUED;
            self.items(&items, &Place { indent, continued, suffix: 0, within: false });
            self.out.push('\n');
            end = self.end_of(&items).unwrap_or(token.span.end);
            let last = items.iter().rev().find_map(|item| match item {
                Item::Word { token, .. } => Some(self.reader.tokens[*token].kind),
                Item::Group(_) => Some(Kind::RParen),
                Item::Comment(_) => None,
            });
            block_start = last == Some(Kind::Colon);
        }
    }

    fn end_of(&self, items: &[Item]) -> Option<u32> {
        items.last().map(|item| match item {
            Item::Word { token, .. } => self.reader.tokens[*token].span.end,
            Item::Group(group) => self.reader.tokens[group.close].span.end,
            Item::Comment(comment) => comment.end,
        })
    }

    /// A comment that has its line for itself. It belongs to the block at whose column it stands.
    fn own_comment(
        &mut self,
        comment: Span,
        columns: &[usize],
        end: &mut u32,
        block_start: &mut bool,
    ) {
        self.reader.comment += 1;
        let column = self.source_column(comment.start);
        // The blocks that end or begin before the next statement.
        let mut levels = columns.to_vec();
        let upcoming = self.reader.tokens.get(self.reader.at..).unwrap_or_default();
        let mut least = levels.len();
        for token in upcoming {
            match token.kind {
                Kind::Indent => {
                    levels.push(self.source_column(token.span.end));
                    least = levels.len();
                }
                Kind::Dedent => least -= usize::from(least > 1),
                Kind::Newline | Kind::Broken => {}
                _ => break,
            }
        }
        let deepest = levels.iter().rposition(|level| *level <= column).unwrap_or(0) + 1;
        let level = deepest.max(least).min(levels.len());
        self.empty_lines(*end, comment.start, *block_start);
        self.start_line((level - 1) * STEP);
        self.comment(comment);
        self.out.push('\n');
        *end = comment.end;
        *block_start = false;
    }

    fn source_column(&self, at: u32) -> usize {
        let before = self.reader.text.get(..at as usize).unwrap_or_default();
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        line.chars().fold(0, |column, c| match c {
            '\t' => (column / 8 + 1) * 8,
            '\u{feff}' => column,
            '\u{c}' => 0,
            _ => column + 1,
        })
    }

    fn empty_lines(&mut self, from: u32, to: u32, block_start: bool) {
        if self.out.is_empty() || block_start {
            return;
        }
        let lines = self.reader.lines(from, to).saturating_sub(1);
        for _ in 0..lines.min(MAX_EMPTY) {
            self.out.push('\n');
        }
    }

    fn start_line(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn newline(&mut self, indent: usize) {
        self.out.push('\n');
        self.start_line(indent);
    }

    fn write(&mut self, text: &str) {
        let width = Width::of(text);
        self.out.push_str(text);
        self.column = width.last.unwrap_or(self.column + width.first);
    }

    fn comment(&mut self, comment: Span) {
        let text = comment.of(self.reader.text).trim_end();
        self.out.push_str(text);
    }

    fn word(&mut self, token: usize) {
        let Token { kind, span } = self.reader.tokens[token];
        match kind {
            Kind::IsNot => self.write("is not"),
            _ => {
                let text = span.of(self.reader.text);
                if text.contains('\r') {
                    self.write(&text.replace("\r\n", "\n").replace('\r', "\n"));
                } else {
                    self.write(text);
                }
            }
        }
    }

    fn blank(&mut self, token: usize) {
        if self.reader.blanks[token] {
            self.write(" ");
        }
    }

    /// Items one after the other.
    fn items(&mut self, items: &[Item], place: &Place) {
        let Place { indent, continued, suffix, within } = *place;
        let total = items.iter().try_fold(Width::default(), |width, item| match item {
            // A comment at the end may be as long as it likes.
            Item::Comment(_) => Some(width),
            item => Some(width.then(self.reader.width(item)?)),
        });
        let fits = total.is_some_and(|width| width.fits(self.column, LIMIT.saturating_sub(suffix)));
        let mut before_text = false;
        let mut after_comment = false;
        let mut after_broken = false;
        // The column at which the present line begins.
        let mut line = indent;
        for (at, item) in items.iter().enumerate() {
            let (token, newline) = match item {
                Item::Word { token, newline } => (*token, *newline),
                Item::Group(group) => (group.open, group.newline),
                Item::Comment(comment) => {
                    if after_comment {
                        self.newline(continued);
                    } else {
                        self.write("  ");
                    }
                    self.comment(*comment);
                    after_comment = true;
                    continue;
                }
            };
            let is_text = self.reader.tokens[token].kind == Kind::Str;
            // What is called on a value stands right behind its closing bracket.
            let behind = after_broken && self.reader.tokens[token].kind == Kind::Dot;
            let divide = newline && !behind && (!fits || (within && before_text && is_text));
            if at > 0 && (after_comment || divide) {
                if !within {
                    // Outside of brackets only a backslash continues a line.
                    self.out.push_str(" \\");
                }
                self.newline(continued);
                line = continued;
            } else if at > 0 {
                self.blank(token);
            }
            (after_comment, after_broken) = (false, false);
            before_text = is_text;
            match item {
                Item::Word { token, .. } => self.word(*token),
                Item::Group(group) => {
                    let rest = self.rest(&items[at + 1..], suffix);
                    let limit = LIMIT.saturating_sub(rest);
                    match group.width {
                        Some(width)
                            if group.solid
                                || group.elements.is_empty()
                                || width.fits(self.column, limit) =>
                        {
                            self.flat(group);
                        }
                        _ => {
                            self.broken(group, line);
                            after_broken = true;
                        }
                    }
                }
                Item::Comment(_) => {}
            }
        }
    }

    /// The width of what follows up to where the line may end next.
    fn rest(&self, items: &[Item], suffix: usize) -> usize {
        let mut rest = 0;
        for item in items {
            match item {
                Item::Word { newline: true, .. } | Item::Comment(_) => return rest,
                Item::Word { token, .. } => {
                    let width = self.reader.word_width(*token);
                    rest += usize::from(self.reader.blanks[*token]) + width.first;
                    if width.last.is_some() {
                        return rest;
                    }
                }
                Item::Group(group) if group.solid || group.elements.is_empty() => {
                    rest += group.width.map_or(1, |width| width.first);
                }
                Item::Group(group) => {
                    return rest + 1 + usize::from(self.reader.blanks[group.open]);
                }
            }
        }
        rest + suffix
    }

    fn flat(&mut self, group: &Group) {
        self.word(group.open);
        let count = group.elements.len();
        for (at, element) in group.elements.iter().enumerate() {
            for item in &element.items {
                match item {
                    Item::Word { token, .. } => {
                        self.blank(*token);
                        self.word(*token);
                    }
                    Item::Group(inner) => {
                        self.blank(inner.open);
                        self.flat(inner);
                    }
                    Item::Comment(_) => {}
                }
            }
            let next_is_clause = group.elements.get(at + 1).is_some_and(|next| next.clause);
            if (at + 1 < count && !next_is_clause) || (at + 1 == count && group.comma) {
                self.write(",");
            }
        }
        self.word(group.close);
    }

    /// Each element on a line of its own.
    fn broken(&mut self, group: &Group, indent: usize) {
        self.word(group.open);
        if let Some(comment) = group.comment {
            self.write("  ");
            self.comment(comment);
        }
        if let [Element { items, .. }] = group.elements.as_slice()
            && group.hugs
        {
            let place = Place { indent, continued: indent, suffix: 1, within: true };
            self.items(items, &place);
            return self.word(group.close);
        }
        let inner = indent + STEP;
        let count = group.elements.len();
        for (at, element) in group.elements.iter().enumerate() {
            if at > 0 && element.blank_before {
                self.out.push('\n');
            }
            for comment in &element.leading {
                self.newline(inner);
                self.comment(*comment);
            }
            self.newline(inner);
            let comma = if at + 1 < count {
                !group.elements[at + 1].clause
            } else {
                group.comma || (group.separated && !self.is_starred(element))
            };
            let continued = if group.separated { inner + CONTINUED } else { inner };
            let suffix = usize::from(comma);
            self.items(&element.items, &Place { indent: inner, continued, suffix, within: true });
            if comma {
                self.write(",");
            }
            if let Some(comment) = element.trailing {
                self.write("  ");
                self.comment(comment);
            }
        }
        for comment in &group.dangling {
            self.newline(inner);
            self.comment(*comment);
        }
        self.newline(indent);
        self.word(group.close);
    }

    /// Python 2 takes no comma after `*args` and `**kwargs`.
    fn is_starred(&self, element: &Element) -> bool {
        matches!(element.items.first(), Some(Item::Word { token, .. })
            if matches!(self.reader.tokens[*token].kind, Kind::Star | Kind::StarStar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Files full of comments and brackets, most of them without errors.
    fn file() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "x",
            "'a'",
            "1",
            ",",
            ",\n",
            " # c\n",
            "\n# own\n",
            "\n\n",
            " + ",
            " \\\n + ",
            "a=",
            " for x in ",
            " if ",
            "'t'\n't'",
            "\"\"\"q\nr\"\"\"",
            "-",
            "*y",
            ".b",
            "lambda x: ",
        ]);
        let inner = prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat());
        let call = inner.prop_recursive(3, 20, 3, |inner| {
            prop::collection::vec(
                prop_oneof![
                    inner.clone().prop_map(|text| format!("f({text}),")),
                    inner.clone().prop_map(|text| format!("[{text}],\n")),
                    inner.clone().prop_map(|text| format!("({text}).y")),
                    inner.clone().prop_map(|text| format!("z=f(\n{text}\n)")),
                    inner,
                ],
                0..4,
            )
            .prop_map(|parts| parts.concat())
        });
        let line = call.prop_map(|text| format!("x = f({text})\n# after\n"));
        prop::collection::vec(line, 1..3).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]

        #[test]
        fn no_word_and_no_comment_is_lost(text in file()) {
            if parse(&text).errors.is_empty() {
                let once = layout(&text);
                prop_assert!(same_words(&text, &once), "{}\n---\n{}", text, once);
                prop_assert_eq!(layout(&once), once);
            }
        }
    }
}
