//! Expressions.

use super::Migrator;
use crate::desugar::is_simple;
use crate::lexer::lex_within;
use crate::literal::{Literal, Style, decode, differs, encode};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{
    Arg, Chain, CompKind, Expr, ExprKind, PostKind, Postfix, Stmt, StmtKind, StrPiece,
};

impl Migrator<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> bool {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Int => self.int(span),
            ExprKind::Str(pieces) => self.string(span, pieces),
            ExprKind::Chain(chain) => self.chain(span, chain),
            ExprKind::Unary { operand, .. } => self.operand(operand),
            ExprKind::Power(power) => {
                self.operand(&power.0);
                self.operand(&power.2);
            }
            ExprKind::Backtick(inner) => {
                let tuple = matches!(inner.kind, ExprKind::Tuple { parens: false, .. });
                let (open, close) = if tuple { ("repr((", "))") } else { ("repr(", ")") };
                self.edit(Span::new(span.start, span.start + 1), open);
                self.edit(Span::new(span.end - 1, span.end), close);
            }
            ExprKind::Set(_) => self.brackets(span, "set([", "])"),
            ExprKind::Comp(comp) => match comp.kind {
                CompKind::Generator => self.brackets(span, "[", "]"),
                CompKind::Set => self.brackets(span, "set([", "])"),
                CompKind::Argument => {
                    self.before(span.start, "[");
                    self.after(span.end, "]");
                }
                CompKind::List | CompKind::Dict => {}
            },
            ExprKind::Postfix(postfix) => {
                self.operand(&postfix.base);
                return self.postfix(expr, postfix);
            }
            ExprKind::Name => self.bare_name(expr),
            _ => {}
        }
        true
    }

    fn brackets(&mut self, span: Span, open: &str, close: &str) {
        self.edit(Span::new(span.start, span.start + 1), open);
        self.edit(Span::new(span.end - 1, span.end), close);
    }

    /// Notes that what stands here needs parentheses if it becomes more than one word.
    fn operand(&mut self, expr: &Expr) {
        self.operands.insert(expr.span.start);
    }

    fn int(&mut self, span: Span) {
        let text = self.word(span);
        let plain = plain_int(text);
        if plain != text {
            self.edit(span, plain);
        }
    }

    fn string(&mut self, span: Span, pieces: &[StrPiece]) {
        for piece in pieces {
            self.piece(piece);
        }
        let Some((_, rest)) = pieces.split_first() else { return };
        if rest.is_empty() {
            return;
        }
        let parens = self.operands.contains(&span.start);
        if parens {
            self.before(span.start, "(");
        }
        for piece in &pieces[..pieces.len() - 1] {
            self.after(piece.span.end, " +");
        }
        for pair in pieces.windows(2) {
            if let [one, next] = pair
                && one.span.end == next.span.start
            {
                self.before(next.span.start, " ");
            }
        }
        if parens {
            self.after(span.end, ")");
        }
    }

    /// Prefixes go, and `\u` becomes the character it names.
    fn piece(&mut self, piece: &StrPiece) {
        if piece.fields.is_some() {
            return;
        }
        let text = self.word(piece.span);
        let bytes = text.starts_with(['b', 'B']);
        let unicode = piece.unicode || (self.unicode && !bytes);
        let as_unicode = StrPiece { unicode, ..piece.clone() };
        if unicode && differs(self.text, &as_unicode) {
            let mut literal = Literal::default();
            let style = Style { raw: piece.raw, unicode, braces: false };
            decode(self.text, piece.inner(), style, &mut literal);
            let mut out = String::new();
            encode(&literal.value, &mut out);
            self.edit(piece.span, out);
            return;
        }
        let kept = if piece.raw { "r" } else { "" };
        let prefix = Span::new(piece.span.start, piece.span.start + u32::from(piece.prefix));
        if self.word(prefix) != kept {
            self.edit(prefix, kept);
        }
    }

    fn chain(&mut self, span: Span, chain: &Chain) {
        let kind = chain.rest.first().map(|(op, _)| op.kind);
        let parens = self.operands.contains(&span.start);
        if !matches!(kind, Some(Kind::And | Kind::Or)) {
            self.operand(&chain.first);
            chain.rest.iter().for_each(|(_, operand)| self.operand(operand));
        }
        let mut left = &chain.first;
        for (op, right) in &chain.rest {
            match op.kind {
                Kind::LtGt | Kind::IsNot => self.edit(op.span, "!="),
                Kind::Is => self.edit(op.span, "=="),
                Kind::Slash if !self.division => {
                    let whole = std::ptr::eq(left, &chain.first)
                        && matches!((&left.kind, &right.kind), (ExprKind::Int, ExprKind::Int));
                    if whole {
                        self.edit(op.span, "//");
                    }
                }
                _ => {}
            }
            left = right;
        }
        if !kind.is_some_and(Kind::is_comparison) || chain.rest.len() < 2 {
            return;
        }
        let Some((_, inner)) = chain.rest.split_last() else { return };
        let simple = |operand: &Expr| {
            matches!(operand.kind, ExprKind::Name | ExprKind::Int | ExprKind::Float)
                || (matches!(operand.kind, ExprKind::Postfix(_)) && is_simple(operand))
        };
        if let Some((_, operand)) = inner.iter().find(|(_, operand)| !simple(operand)) {
            self.note(
                operand.span,
                "this chain of comparisons was left as it is: give the value in the middle a name, \
                 and write a < name and name < b",
            );
            return;
        }
        if parens {
            self.before(span.start, "(");
        }
        for (_, operand) in inner {
            let text = plain_int(self.word(operand.span));
            self.after(operand.span.end, &format!(" and {text}"));
        }
        if parens {
            self.after(span.end, ")");
        }
    }

    /// A name of another module that is used without a call.
    fn bare_name(&mut self, expr: &Expr) {
        if let Some((path, 0)) = self.module_path(expr)
            && path == "textwrap.dedent"
            && self.is_free("dedent", expr.span)
        {
            if self.word(expr.span) != "dedent" {
                self.edit(expr.span, "dedent");
            }
            self.spend(expr.span);
        }
    }

    /// Functions of other modules. Says whether to look at the parts of the expression.
    fn postfix(&mut self, expr: &Expr, postfix: &Postfix) -> bool {
        if self.digest(expr, postfix) {
            return false;
        }
        let Some((path, count)) = self.module_path(expr) else { return true };
        let base = postfix.base.span;
        let Some(next) = postfix.ops.get(count) else { return true };
        let head = Span::new(base.start, next.span.start + 1);
        let replacement = match (&next.kind, path.as_str()) {
            (PostKind::Call(args), "getpass.getuser") if args.is_empty() => "user",
            (PostKind::Call(_), "os.path.join") => "path_join",
            (PostKind::Call(_), "textwrap.dedent") => "dedent",
            (PostKind::Index(_), "os.environ") if self.is_free("env", base) => {
                self.edit(head, "env(");
                self.edit(Span::new(next.span.end - 1, next.span.end), ")");
                self.spend(base);
                return true;
            }
            (PostKind::Call(args), "os.environ.get" | "os.getenv")
                if matches!(args.len(), 1 | 2) && args.iter().all(is_positional) =>
            {
                if args.len() == 1 && !self.assigned.contains("env") {
                    self.after(args[0].span.end, ", None");
                }
                "env"
            }
            _ => return true,
        };
        if self.is_free(replacement, base) {
            self.edit(head, format!("{replacement}("));
            self.spend(base);
        }
        // The name is gone: it is not looked at again.
        for op in &postfix.ops[count..] {
            let stmt =
                |value: &Expr| Stmt { span: value.span, kind: StmtKind::Expr(value.clone()) };
            let values: Vec<Stmt> = match &op.kind {
                PostKind::Call(args) => args.iter().map(|arg| stmt(&arg.value)).collect(),
                PostKind::Index(index) => vec![stmt(index)],
                PostKind::Slice(bounds) => bounds.iter().flatten().map(stmt).collect(),
                PostKind::Attr(_) => Vec::new(),
            };
            crate::walk::nodes(&values, &mut |node| self.node(node));
        }
        false
    }

    /// `hashlib.md5(open(path).read()).hexdigest()`.
    fn digest(&mut self, expr: &Expr, postfix: &Postfix) -> bool {
        let Some((algorithm, content)) = self.hashed(expr) else { return false };
        let Some(path) = self.opened(content) else { return false };
        if !self.is_free("file_digest", expr.span) {
            return false;
        }
        let call = format!("file_digest({}, \"{algorithm}\")", self.word(path));
        self.edit(expr.span, call);
        self.spend(postfix.base.span);
        true
    }

    /// The algorithm, and the place of the only argument, of `hashlib.algorithm(…).hexdigest()`.
    fn hashed<'t>(&self, expr: &'t Expr) -> Option<(String, &'t Expr)> {
        let ExprKind::Postfix(postfix) = &expr.kind else { return None };
        let (path, count) = self.module_path(expr)?;
        let algorithm = path.strip_prefix("hashlib.")?.to_owned();
        let [call, attribute, last] = postfix.ops.get(count..)? else { return None };
        let PostKind::Call(args) = &call.kind else { return None };
        let PostKind::Attr(name) = attribute.kind else { return None };
        let PostKind::Call(none) = &last.kind else { return None };
        let [arg] = args.as_slice() else { return None };
        (self.word(name) == "hexdigest" && none.is_empty() && is_positional(arg))
            .then_some((algorithm, &arg.value))
    }

    /// The path of `open(path).read()`.
    fn opened(&self, expr: &Expr) -> Option<Span> {
        let ExprKind::Postfix(postfix) = &expr.kind else { return None };
        let [open, attribute, read] = postfix.ops.as_slice() else { return None };
        let PostKind::Call(args) = &open.kind else { return None };
        let PostKind::Attr(name) = attribute.kind else { return None };
        let PostKind::Call(none) = &read.kind else { return None };
        let opens = matches!(self.word(postfix.base.span), "open" | "file");
        let first = args.first().filter(|arg| is_positional(arg))?;
        (opens && self.word(name) == "read" && none.is_empty()).then_some(first.value.span)
    }

    /// `with open(path) as f: sum = hashlib.md5(f.read()).hexdigest()`, as one line.
    pub(super) fn checksum(&mut self, stmt: &Stmt) -> bool {
        let Some((target, path, algorithm, base)) = self.checksum_parts(stmt) else { return false };
        if !self.is_free("file_digest", stmt.span) {
            return false;
        }
        let target = self.word(target);
        let path = self.word(path);
        self.edit(stmt.span, format!("{target} = file_digest({path}, \"{algorithm}\")"));
        self.spend(base);
        self.replaced.push(stmt.span);
        true
    }

    fn checksum_parts(&self, stmt: &Stmt) -> Option<(Span, Span, String, Span)> {
        let StmtKind::Refused(bodies) = &stmt.kind else { return None };
        let [body] = bodies.as_slice() else { return None };
        let [inner] = body.stmts.as_slice() else { return None };
        let StmtKind::Assign { targets, value } = &inner.kind else { return None };
        let [target] = targets.as_slice() else { return None };
        let (algorithm, content) = self.hashed(value)?;
        // with open(path, …) as name:
        let tokens = lex_within(self.text, Span::new(stmt.span.start, body.colon.start)).tokens;
        let [with, open, paren, first, .., alias, name, _] = tokens.as_slice() else { return None };
        let known = with.kind == Kind::With
            && matches!(self.word(open.span), "open" | "file")
            && paren.kind == Kind::LParen
            && alias.kind == Kind::As;
        if !known {
            return None;
        }
        let read: String = self.word(content.span).split_whitespace().collect();
        if read != format!("{}.read()", self.word(name.span)) {
            return None;
        }
        let mut depth = 0_usize;
        let end = tokens.iter().skip(3).find_map(|token| {
            match token.kind {
                Kind::LParen | Kind::LBracket | Kind::LBrace => depth += 1,
                Kind::RParen | Kind::Comma if depth == 0 => return Some(token.span.start),
                Kind::RParen | Kind::RBracket | Kind::RBrace => depth = depth.saturating_sub(1),
                _ => {}
            }
            None
        })?;
        let ExprKind::Postfix(postfix) = &value.kind else { return None };
        let path = Span::new(first.span.start, end);
        Some((target.span, path, algorithm, postfix.base.span))
    }
}

/// A whole number as Python 3 writes it; anything else as it is.
fn plain_int(text: &str) -> String {
    let digits = text.trim_end_matches(['l', 'L']);
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        text.to_owned()
    } else if digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        format!("0o{}", &digits[1..])
    } else {
        digits.to_owned()
    }
}

fn is_positional(arg: &Arg) -> bool {
    arg.name.is_none() && arg.star == crate::tree::Star::No
}
