//! `textwrap`: paragraphs laid out.

use starlark::values::Value;

use super::super::call::{Call, Res, check_text, refuse};
use super::super::native::Kind::General;
use super::{Member, Module};

pub(super) const TEXTWRAP: Module = Module {
    name: "textwrap",
    members: &[
        ("dedent", Member::Function(General(dedent))),
        ("fill", Member::Function(General(fill))),
        ("wrap", Member::Function(General(wrap))),
        ("indent", Member::Function(General(indent))),
    ],
};

/// Takes away the blanks that all lines begin with.
pub(in super::super) fn dedent<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let text = call.one()?;
    let text = call.text(text)?;
    call.new_text(&dedented(text))
}

fn dedented(text: &str) -> String {
    let blank = |line: &str| line.chars().all(|c| c == ' ' || c == '\t');
    let margin = text
        .split('\n')
        .filter(|line| !blank(line))
        .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
        .reduce(|a, b| {
            let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
            &a[..common]
        })
        .unwrap_or("");
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| if blank(line) { "" } else { line.strip_prefix(margin).unwrap_or(line) })
        .collect();
    lines.join("\n")
}

fn indent<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [text, prefix] = call.exactly(["text", "prefix"])?;
    let (text, prefix) = (call.text(text)?, call.text(prefix)?);
    check_text(text.len() + prefix.len().saturating_mul(text.matches('\n').count() + 1))?;
    let lines: Vec<String> = text
        .split_inclusive('\n')
        .map(
            |line| if line.trim().is_empty() { line.to_owned() } else { format!("{prefix}{line}") },
        )
        .collect();
    call.new_text(&lines.concat())
}

fn fill<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let lines = lines(call)?;
    call.new_text(&lines.join("\n"))
}

fn wrap<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let lines = lines(call)?;
    call.texts(lines)
}

fn lines(call: &mut Call<'_, '_, '_, '_>) -> Res<Vec<String>> {
    let [text, width, first, others, long, hyphens] = call.args(
        [
            "text",
            "width",
            "initial_indent",
            "subsequent_indent",
            "break_long_words",
            "break_on_hyphens",
        ],
        1,
    )?;
    let text = call.text(text.unwrap_or(Value::new_none()))?;
    let width = width.map_or(Ok(70), |width| call.count(width))?;
    if width == 0 {
        return refuse(format!("{}() takes a width above 0", call.name));
    }
    let prefix =
        |value: Option<Value<'_>>| value.and_then(|v| v.unpack_str()).unwrap_or("").to_owned();
    let layout = Layout {
        width,
        first: prefix(first),
        others: prefix(others),
        long: long.is_none_or(Value::to_bool),
        hyphens: hyphens.is_none_or(Value::to_bool),
    };
    layout.check(text)?;
    Ok(layout.wrap(text))
}

struct Layout {
    width: usize,
    first: String,
    others: String,
    /// Whether words that are too long are broken.
    long: bool,
    /// Whether a line may end behind a hyphen.
    hyphens: bool,
}

impl Layout {
    fn check(&self, text: &str) -> Res<()> {
        let indents = self.first.len() + self.others.len() + 1;
        check_text(text.len().saturating_mul(9).saturating_add(indents.saturating_mul(text.len())))
    }

    fn wrap(&self, text: &str) -> Vec<String> {
        let text: String = text
            .replace('\t', "        ")
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .collect();
        let mut chunks = chunks(&text, self.hyphens);
        chunks.reverse();
        let mut lines: Vec<String> = Vec::new();
        while !chunks.is_empty() {
            let indent = if lines.is_empty() { &self.first } else { &self.others };
            let room = self.width.saturating_sub(indent.chars().count()).max(1);
            if !lines.is_empty() && chunks.last().is_some_and(|chunk| chunk.trim().is_empty()) {
                chunks.pop();
            }
            let (mut line, mut len) = (String::new(), 0);
            while let Some(chunk) = chunks.pop_if(|chunk| !is_longer(chunk, room - len)) {
                line.push_str(chunk);
                len += chunk.chars().count();
            }
            if let Some(chunk) = chunks.pop_if(|chunk| is_longer(chunk, room)) {
                if self.long {
                    let at = chunk.char_indices().nth(room - len).map_or(chunk.len(), |(at, _)| at);
                    line.push_str(&chunk[..at]);
                    chunks.push(&chunk[at..]);
                } else if line.is_empty() {
                    line.push_str(chunk);
                } else {
                    chunks.push(chunk);
                }
            }
            let line = line.trim_end();
            if !line.is_empty() {
                lines.push(format!("{indent}{line}"));
            }
        }
        lines
    }
}

/// Whether a text has more than so many characters, without counting the rest.
fn is_longer(text: &str, len: usize) -> bool {
    text.char_indices().nth(len).is_some()
}

/// Words and the blanks between them; words with hyphens in pieces.
fn chunks(text: &str, hyphens: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let Some((next, following)) = chars.peek().copied() else { break };
        let hyphen = hyphens
            && c == '-'
            && at > from
            && before.is_some_and(char::is_alphanumeric)
            && following.is_alphabetic();
        if hyphen || (c == ' ') != (following == ' ') {
            found.push(&text[from..next]);
            from = next;
        }
        before = Some(c);
    }
    if from < text.len() {
        found.push(&text[from..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_taken_away() {
        assert_eq!(dedented("\n  a\n    b\n   \n  c\n"), "\na\n  b\n\nc\n");
        assert_eq!(dedented("  a\n\tb"), "  a\n\tb");
        assert_eq!(dedented(""), "");
    }

    #[test]
    fn words_are_laid_out_in_lines() {
        let layout = |width| Layout {
            width,
            first: String::new(),
            others: "  ".to_owned(),
            long: true,
            hyphens: true,
        };
        assert_eq!(layout(10).wrap("aaa bbb  ccc\nddd"), ["aaa bbb", "  ccc ddd"]);
        assert_eq!(layout(4).wrap("abcdefgh"), ["abcd", "  ef", "  gh"]);
        assert_eq!(layout(8).wrap("well-known x"), ["well-", "  known", "  x"]);
    }
}
