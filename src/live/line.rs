//! Lines with colours, cut to a width.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A line, part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Style, String)>);

impl Line {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::default().and(text)
    }

    /// With this behind it.
    pub(crate) fn and(self, text: impl AsRef<str>) -> Self {
        self.styled(Style::new(), text)
    }

    /// With this behind it, in a style. What would move the cursor is left out.
    pub(crate) fn styled(mut self, style: Style, text: impl AsRef<str>) -> Self {
        let text = text.as_ref().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.0.push((style, text));
        self
    }

    /// With another line behind it.
    pub(crate) fn joined(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// How many columns it takes.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// As much of it as has room.
    pub(super) fn cut(self, width: usize) -> Self {
        let mut left = width;
        let mut parts = Vec::new();
        for (style, text) in self.0 {
            let mut kept = String::new();
            for char in text.chars() {
                let wide = char.width().unwrap_or(0);
                if wide > left {
                    parts.push((style, kept));
                    return Self(parts);
                }
                left -= wide;
                kept.push(char);
            }
            parts.push((style, kept));
        }
        Self(parts)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(style, text)| write!(f, "{style}{text}{style:#}"))
    }
}

/// How far something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) total: u32,
    pub(crate) good: u32,
    pub(crate) working: u32,
    pub(crate) failed: u32,
}

/// A bar of so many columns, and how many are done in numbers.
pub(crate) fn bar(of: Bar, columns: u32) -> Line {
    let inner = columns.saturating_sub(2);
    let cells = |count: u32| {
        u32::try_from(u64::from(inner) * u64::from(count) / u64::from(of.total.max(1))).unwrap_or(0)
    };
    // Cut by where the parts end, so that rounding leaves no hole between them.
    let ends = [
        cells(of.good),
        cells(of.good + of.failed),
        cells(of.good + of.failed + of.working),
        inner,
    ];
    let green = AnsiColor::Green.on_default();
    let red = AnsiColor::Red.on_default();
    let yellow = AnsiColor::Yellow.on_default();
    let mut line = Line::new("[");
    let mut from = 0;
    for (end, style, cell) in [
        (ends[0], green, "#"),
        (ends[1], red, "!"),
        (ends[2], yellow, "="),
        (ends[3], Style::new(), "."),
    ] {
        let end = end.clamp(from, inner);
        if end > from {
            line = line.styled(style, cell.repeat((end - from) as usize));
        }
        from = end;
    }
    let digits = of.total.to_string().len();
    line = line.and(format!("] {:digits$}/{}", of.good, of.total));
    if of.working > 0 {
        line = line.styled(yellow, format!("  {} under way", of.working));
    }
    if of.failed > 0 {
        line = line.styled(red, format!("  {} failed", of.failed));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &Line) -> String {
        line.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_bar_is_as_full_as_what_it_shows() {
        for (total, good, working, failed, expected) in [
            (10, 0, 0, 0, "[..........]  0/10"),
            (10, 3, 2, 1, "[###!==....]  3/10  2 under way  1 failed"),
            (10, 10, 0, 0, "[##########] 10/10"),
            (3, 1, 1, 0, "[###===....] 1/3  1 under way"),
            (1000, 999, 1, 0, "[#########=]  999/1000  1 under way"),
            (0, 0, 0, 0, "[..........] 0/0"),
        ] {
            assert_eq!(plain(&bar(Bar { total, good, working, failed }, 12)), expected);
        }
    }

    #[test]
    fn a_line_has_no_more_columns_than_there_are_and_moves_nothing() {
        let line = Line::new("ab\x1b[2J").styled(AnsiColor::Red.on_default(), "木木木");
        assert_eq!(plain(&line.clone().cut(8)), "ab [2J木");
        assert_eq!(plain(&line.clone().cut(3)), "ab ");
        assert_eq!(line.cut(100).width(), 12);
    }
}
