//! Numbers, of Python 2 and 3.

use super::{Lexer, is_name, span};
use crate::error::{SyntaxError, code};
use crate::token::Kind;

impl Lexer<'_> {
    pub(super) fn number(&mut self) {
        let start = self.at;
        let digits = |at: usize, digit: fn(&u8) -> bool| {
            let rest = self.bytes.get(at..).unwrap_or_default();
            at + rest.iter().take_while(|b| digit(b) || **b == b'_').count()
        };
        let mut kind = Kind::Int;
        let mut end;
        let mut wrong = None;
        match (self.byte(0), self.byte(1)) {
            (b'0', b'x' | b'X') => end = digits(start + 2, u8::is_ascii_hexdigit),
            (b'0', b'o' | b'O' | b'b' | b'B') => end = digits(start + 2, u8::is_ascii_digit),
            _ => {
                end = digits(start, u8::is_ascii_digit);
                if self.bytes.get(end) == Some(&b'.') {
                    kind = Kind::Float;
                    end = digits(end + 1, u8::is_ascii_digit);
                }
                if matches!(self.bytes.get(end), Some(b'e' | b'E')) {
                    let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
                    if self.bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                        kind = Kind::Float;
                        end = digits(end + 1 + sign, u8::is_ascii_digit);
                    }
                }
            }
        }
        if kind == Kind::Int {
            wrong = bad_int(&self.text[start..end]);
            if matches!(self.bytes.get(end), Some(b'l' | b'L')) {
                end += 1;
            }
        }
        let rest = self.bytes.get(end..).unwrap_or_default();
        let tail = rest.iter().take_while(|b| is_name(**b)).count();
        let word = &self.text[end..end + tail];
        if matches!(word, "j" | "J") {
            wrong = Some("the language has no complex numbers");
            end += tail;
        } else if tail > 0
            && !matches!(word, "if" | "else" | "and" | "or" | "in" | "is" | "for" | "not")
        {
            wrong = Some("a name does not begin with a digit, and no unit follows a number");
            end += tail;
        }
        if let Some(message) = wrong {
            let at = span(start, end);
            let error = SyntaxError::new(code::NUMBER, message, at);
            let unit = match word.to_ascii_lowercase().as_str() {
                "b" => "BYTES",
                "k" | "kb" => "KB",
                "m" | "mb" => "MB",
                "g" | "gb" => "GB",
                "t" | "tb" => "TB",
                _ => "",
            };
            self.error(if unit.is_empty() {
                error
            } else {
                let number = &self.text[start..end - tail];
                error.help(format!("write {number}*{unit}")).fix(at, format!("{number}*{unit}"))
            });
        }
        self.at = end;
        self.push(kind, start, end);
    }
}

/// What is wrong with the digits of a whole number.
fn bad_int(text: &str) -> Option<&'static str> {
    let digits = text.replace('_', "");
    let (base, rest) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    if rest.is_empty() {
        return Some("digits are missing");
    }
    if digits.len() > 4000 {
        return Some("the number has too many digits");
    }
    match (base, rest.chars().all(|c| c.is_digit(base))) {
        (_, true) => None,
        (8, _) => Some("a number that begins with 0 is octal: it has only the digits 0 to 7"),
        (2, _) => Some("a binary number has only the digits 0 and 1"),
        _ => Some("this is no number"),
    }
}
