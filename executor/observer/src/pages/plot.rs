//! Figures over time as a picture, and in words.

use std::fmt::Write as _;

use aurora_daemon::web::duration;
use maud::{Markup, html};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 80.0;
/// The shortest time that a picture spans, in milliseconds.
const SHORTEST: u64 = 60_000;

/// Draws figures, oldest first, each with how many milliseconds ago it was; nothing if there are
/// fewer than two.
pub(super) fn plot(name: &str, points: &[(u64, f64)], text: impl Fn(f64) -> String) -> Markup {
    let (Some((oldest, _)), Some((newest, last))) = (points.first(), points.last()) else {
        return html! {};
    };
    if points.len() < 2 {
        return html! {};
    }
    let span = (*oldest).max(SHORTEST);
    let values = || points.iter().map(|(_, value)| *value);
    let (least, most) = values()
        .fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    #[expect(clippy::cast_precision_loss, reason = "a picture has a few hundred points")]
    let mean = values().sum::<f64>() / points.len() as f64;
    let path = path(points, span, most);
    let ago = |ms: u64| duration(i64::try_from(ms).unwrap_or(i64::MAX));
    let words = format!(
        "{name}: {} at last; from {} ago to {} ago between {} and {}, {} on average",
        text(*last),
        ago(*oldest),
        ago(*newest),
        text(least),
        text(most),
        text(mean),
    );
    html! {
        figure.plot {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(words) {
                title { (words) }
                polyline points=(path) fill="none" stroke="currentColor" stroke-width="1.5"
                    vector-effect="non-scaling-stroke" {}
            }
            figcaption { (words) }
        }
    }
}

/// The corners of the line. The top is the largest of the figures, the right end is now.
#[expect(clippy::cast_precision_loss, reason = "a picture has a few hundred points")]
fn path(points: &[(u64, f64)], span: u64, most: f64) -> String {
    let scale = if most > 0.0 { (HEIGHT - 4.0) / most } else { 0.0 };
    points.iter().fold(String::new(), |mut path, (ago, value)| {
        let x = WIDTH * (1.0 - *ago as f64 / span as f64);
        let y = HEIGHT - 2.0 - value * scale;
        // Writing to a string cannot fail.
        let _ = write!(path, "{x:.1},{y:.1} ");
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_in_words_what_it_shows() {
        let points = [(90_000, 1.0), (60_000, 0.0), (30_000, 3.0), (0, 2.0)];
        let drawn = plot("CPU", &points, |value| format!("{value:.1}")).into_string();
        let words =
            "CPU: 2.0 at last; from 1m 30s ago to 0s ago between 0.0 and 3.0, 1.5 on average";
        assert_eq!(drawn.matches(words).count(), 3, "{drawn}");
        assert!(drawn.contains("0.0,52.7 200.0,78.0 400.0,2.0 600.0,27.3"), "{drawn}");
        assert_eq!(plot("CPU", &points[..1], |_| String::new()).into_string(), "");
        let flat = plot("CPU", &[(5, 0.0), (0, 0.0)], |value| value.to_string()).into_string();
        assert!(!flat.contains("NaN"), "{flat}");
    }
}
