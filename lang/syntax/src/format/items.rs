//! The words of a line, with brackets as units of their own.

use crate::span::Span;
use crate::token::{Kind, Token};

/// A part of a line.
pub(super) enum Item {
    /// A word or sign: its number.
    Word { token: usize, newline: bool },
    /// Brackets and what stands in them.
    Group(Box<Group>),
    /// A comment after which the line ends.
    Comment(Span),
}

/// Brackets.
pub(super) struct Group {
    pub(super) open: usize,
    pub(super) close: usize,
    /// Whether a line ends before the opening bracket.
    pub(super) newline: bool,
    /// A comment on the line of the opening bracket.
    pub(super) comment: Option<Span>,
    pub(super) elements: Vec<Element>,
    /// Comments before the closing bracket.
    pub(super) dangling: Vec<Span>,
    /// Whether commas separate elements, so that one may stand after the last.
    pub(super) separated: bool,
    /// Whether one stands there.
    pub(super) comma: bool,
    /// Whether it is written over several lines in any case.
    pub(super) broken: bool,
    /// Whether it is never written over several lines by choice.
    pub(super) solid: bool,
    /// Whether its only element ends with brackets, which are broken in its place.
    pub(super) hugs: bool,
    /// How wide it is on one line, if it may stand there.
    pub(super) width: Option<Width>,
}

/// What stands between two commas.
#[derive(Default)]
pub(super) struct Element {
    pub(super) blank_before: bool,
    pub(super) leading: Vec<Span>,
    pub(super) items: Vec<Item>,
    pub(super) trailing: Option<Span>,
    /// Whether a comprehension's `for` or `if` begins it.
    pub(super) clause: bool,
}

/// The width of a text, which may itself have lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Width {
    /// Up to its first line end.
    pub(super) first: usize,
    /// After its last line end.
    pub(super) last: Option<usize>,
}

impl Width {
    pub(super) fn of(text: &str) -> Self {
        let first = text.split('\n').next().unwrap_or_default().chars().count();
        let last = text.rsplit_once('\n').map(|(_, last)| last.chars().count());
        Self { first, last }
    }

    pub(super) fn then(self, next: Self) -> Self {
        match (self.last, next.last) {
            (None, _) => Self { first: self.first + next.first, last: next.last },
            (Some(last), None) => Self { last: Some(last + next.first), ..self },
            (Some(_), last) => Self { last, ..self },
        }
    }

    pub(super) fn fits(self, column: usize, limit: usize) -> bool {
        column + self.first <= limit && self.last.unwrap_or(0) <= limit
    }
}

/// Whether there is one element, whose last part alone has lines.
fn hugs(elements: &[Element]) -> bool {
    let [element] = elements else { return false };
    let plain = element.leading.is_empty() && element.trailing.is_none();
    let Some((Item::Group(last), before)) = element.items.split_last() else { return false };
    let word = |item: &Item| matches!(item, Item::Word { newline: false, .. });
    plain && !last.newline && !last.solid && !last.elements.is_empty() && before.iter().all(word)
}

/// Reads tokens and comments as items.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
    pub(super) blanks: &'a [bool],
    pub(super) comments: &'a [Span],
    pub(super) at: usize,
    pub(super) comment: usize,
}

impl Reader<'_> {
    pub(super) fn token(&self) -> Token {
        let end = Token { kind: Kind::End, span: Span::default() };
        self.tokens.get(self.at).or(self.tokens.last()).copied().unwrap_or(end)
    }

    /// The comment before the next token, if there is one.
    pub(super) fn next_comment(&self) -> Option<Span> {
        let next = self.token();
        let comment = self.comments.get(self.comment).copied()?;
        (comment.start < next.span.start || next.kind == Kind::End).then_some(comment)
    }

    /// How many lines end between two places.
    pub(super) fn lines(&self, from: u32, to: u32) -> usize {
        let bytes = Span::new(from, to).of(self.text).as_bytes();
        let returns = bytes
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        bytes.iter().filter(|byte| **byte == b'\n').count() + returns.count()
    }

    fn end_before(&self) -> u32 {
        let token = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let comment = self.comment.checked_sub(1).and_then(|at| self.comments.get(at));
        let token = token.map_or(0, |token| token.span.end);
        token.max(comment.map_or(0, |comment| comment.end))
    }

    /// The items up to the end of the line.
    pub(super) fn line(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            if let Some(comment) = self.next_comment() {
                self.comment += 1;
                items.push(Item::Comment(comment));
                continue;
            }
            match self.token().kind {
                Kind::Newline | Kind::Broken | Kind::End | Kind::Indent | Kind::Dedent => {
                    return items;
                }
                _ => items.push(self.item()),
            }
        }
    }

    fn item(&mut self) -> Item {
        let token = self.token();
        let newline = self.lines(self.end_before(), token.span.start) > 0;
        if token.kind.closer().is_some() {
            return Item::Group(Box::new(self.group(newline)));
        }
        self.at += 1;
        Item::Word { token: self.at - 1, newline }
    }

    fn group(&mut self, newline: bool) -> Group {
        let open = self.at;
        let kind = self.token().kind;
        let after_value = open > 0 && !self.blanks[open] && {
            let before = self.tokens[open - 1].kind;
            super::spaces::ends_value(before, false)
        };
        let index = kind == Kind::LBracket && after_value;
        self.at += 1;
        let mut group = Group {
            open,
            close: open,
            newline,
            comment: None,
            elements: Vec::new(),
            dangling: Vec::new(),
            separated: false,
            comma: false,
            broken: false,
            solid: index,
            hugs: false,
            width: None,
        };
        let mut element = Element::default();
        let mut fresh = true;
        let mut leading: Vec<Span> = Vec::new();
        let mut comma = false;
        let mut first_newline = false;
        let mut lambdas = 0_usize;
        let mut clauses = false;
        loop {
            let end = self.end_before();
            if let Some(comment) = self.next_comment() {
                let own = self.lines(end, comment.start) > 0;
                if own && fresh && leading.is_empty() {
                    element.blank_before = self.lines(end, comment.start) > 1;
                }
                self.comment += 1;
                match (own, fresh) {
                    (false, true) if group.elements.is_empty() => group.comment = Some(comment),
                    (false, true) => match group.elements.last_mut() {
                        Some(last) if last.trailing.is_none() && leading.is_empty() => {
                            last.trailing = Some(comment);
                        }
                        _ => leading.push(comment),
                    },
                    (true, true) => leading.push(comment),
                    (_, false) => element.items.push(Item::Comment(comment)),
                }
                continue;
            }
            let token = self.token();
            let lines = self.lines(end, token.span.start);
            match token.kind {
                Kind::RParen | Kind::RBracket | Kind::RBrace | Kind::End | Kind::Broken => break,
                Kind::Newline | Kind::Indent | Kind::Dedent => break,
                Kind::Comma if lambdas == 0 && !clauses => {
                    self.at += 1;
                    comma = true;
                    group.separated = true;
                    element.leading = std::mem::take(&mut leading);
                    leading = self.finish(&mut element);
                    group.elements.push(std::mem::take(&mut element));
                    fresh = true;
                    continue;
                }
                _ => {}
            }
            if fresh {
                first_newline |= group.elements.is_empty() && lines > 0;
                element.blank_before |= lines > 1 && leading.is_empty();
            }
            comma = false;
            match token.kind {
                Kind::Lambda => lambdas += 1,
                Kind::Colon => lambdas = lambdas.saturating_sub(1),
                Kind::For if !group.separated && !fresh => {
                    clauses = true;
                    self.clause(&mut group, &mut element, &mut leading);
                }
                Kind::If if clauses && !self.has_else() => {
                    self.clause(&mut group, &mut element, &mut leading);
                }
                _ => {}
            }
            fresh = false;
            let item = self.item();
            element.items.push(item);
        }
        if !fresh {
            element.leading = std::mem::take(&mut leading);
            leading = self.finish(&mut element);
            group.elements.push(element);
        }
        group.dangling = leading;
        group.close = self.at;
        group.comma = comma;
        if matches!(self.token().kind, Kind::RParen | Kind::RBracket | Kind::RBrace) {
            self.at += 1;
        }
        if clauses {
            group.separated = false;
        } else if after_value && kind == Kind::LParen
            || matches!(kind, Kind::LBracket | Kind::LBrace)
        {
            group.separated = true;
        }
        let single = kind == Kind::LParen && !after_value && group.elements.len() == 1;
        let commented = group.comment.is_some() || !group.dangling.is_empty();
        group.broken = (first_newline && !group.elements.is_empty() && !index)
            || (comma && !single && !index)
            || commented
            || group.elements.iter().any(|element| self.forces_lines(element));
        group.separated &= !index;
        group.hugs = !commented && !comma && !first_newline && hugs(&group.elements);
        if !group.broken {
            group.width = self.group_width(&group);
        }
        group
    }

    /// Takes the comments from the end of an element: one may follow it on its line, the others
    /// stand before what comes next.
    fn finish(&self, element: &mut Element) -> Vec<Span> {
        let mut comments = Vec::new();
        while let Some(Item::Comment(comment)) = element.items.last() {
            comments.push(*comment);
            element.items.pop();
        }
        let first = comments.last().copied();
        if let Some(first) = first.filter(|first| !self.has_own_line(*first)) {
            comments.pop();
            element.trailing = Some(first);
        }
        comments.reverse();
        comments
    }

    fn has_own_line(&self, comment: Span) -> bool {
        let before = self.text.get(..comment.start as usize).unwrap_or_default();
        before.rsplit(['\n', '\r']).next().unwrap_or_default().trim().is_empty()
    }

    /// Ends an element where a `for` or `if` of a comprehension begins.
    fn clause(&self, group: &mut Group, element: &mut Element, leading: &mut Vec<Span>) {
        element.leading = std::mem::take(leading);
        *leading = self.finish(element);
        group.elements.push(std::mem::take(element));
        element.clause = true;
    }

    /// Whether the `if` here has an `else`, before its bracket closes and another `for` or `if`
    /// comes.
    fn has_else(&self) -> bool {
        let mut depth = 0_usize;
        for token in self.tokens.iter().skip(self.at + 1).take(1000) {
            match token.kind {
                Kind::LParen | Kind::LBracket | Kind::LBrace => depth += 1,
                Kind::RParen | Kind::RBracket | Kind::RBrace => {
                    let Some(outer) = depth.checked_sub(1) else { return false };
                    depth = outer;
                }
                Kind::Else if depth == 0 => return true,
                Kind::For | Kind::If if depth == 0 => return false,
                _ => {}
            }
        }
        false
    }

    fn forces_lines(&self, element: &Element) -> bool {
        if !element.leading.is_empty() || element.trailing.is_some() {
            return true;
        }
        let mut before_text = false;
        for item in &element.items {
            match item {
                Item::Comment(_) => return true,
                Item::Group(group) => {
                    if group.broken {
                        return true;
                    }
                    before_text = false;
                }
                Item::Word { token, newline } => {
                    let text = self.tokens[*token].kind == Kind::Str;
                    if text && before_text && *newline {
                        return true;
                    }
                    before_text = text;
                }
            }
        }
        false
    }

    /// How wide a word is.
    pub(super) fn word_width(&self, token: usize) -> Width {
        let token = self.tokens[token];
        match token.kind {
            Kind::IsNot => Width { first: 6, last: None },
            _ => Width::of(token.span.of(self.text)),
        }
    }

    fn blank(&self, token: usize) -> Width {
        Width { first: usize::from(self.blanks[token]), last: None }
    }

    /// How wide an item is, with the blank before it.
    pub(super) fn width(&self, item: &Item) -> Option<Width> {
        match item {
            Item::Word { token, .. } => Some(self.blank(*token).then(self.word_width(*token))),
            Item::Group(group) => Some(self.blank(group.open).then(group.width?)),
            Item::Comment(_) => None,
        }
    }

    fn group_width(&self, group: &Group) -> Option<Width> {
        let mut width = Width { first: 1, last: None };
        let count = group.elements.len();
        for (at, element) in group.elements.iter().enumerate() {
            for item in &element.items {
                width = width.then(self.width(item)?);
            }
            let next_is_clause = group.elements.get(at + 1).is_some_and(|next| next.clause);
            if (at + 1 < count && !next_is_clause) || (at + 1 == count && group.comma) {
                width = width.then(Width { first: 1, last: None });
            }
        }
        Some(width.then(Width { first: 1, last: None }))
    }
}
