//! Small plots as SVG. They fill the width they are given and hold no text, which is set beside them, where
//! it keeps its size.

use std::fmt::Write;

use super::{Element, element};

/// Of a plot, in its own units.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 200.0;

/// A line of a plot: points with rising x, and a class that says how it looks.
pub struct Curve {
    pub class: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// Curves from 0 to `x_max` and from 0 to `y_max`, the first with the area below it.
pub fn curves(label: &str, x_max: f64, y_max: f64, curves: &[Curve]) -> Element {
    let mut svg = image(label, WIDTH, HEIGHT).class("plot");
    for level in [0.0, HEIGHT / 2.0, HEIGHT] {
        let line = element("path").class("grid").with("d", format!("M0 {level}H{WIDTH}"));
        svg = svg.child(line);
    }
    for (index, curve) in curves.iter().enumerate() {
        let path = outline(&curve.points, x_max, y_max);
        if let (0, Some(first), Some(last)) = (index, curve.points.first(), curve.points.last()) {
            let x = |point: &(f64, f64)| scaled(point.0, x_max, WIDTH);
            let area = format!("{path}L{} {HEIGHT}L{} {HEIGHT}Z", x(last), x(first));
            svg = svg.child(element("path").class("area").with("d", area));
        }
        svg = svg.child(element("path").class(curve.class).with("d", path));
    }
    svg
}

/// A share between 0 and 1 as a bar.
pub fn bar(share: f64, class: &str) -> Element {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let part = |class: &str, width: f64| {
        element("rect").class(class).with("width", rounded(width)).with("height", 4)
    };
    hidden(100.0, 4.0).class("bar").child(part("track", 100.0)).child(part(class, share * 100.0))
}

/// Two numbers of one thing, each against the most there is of it: one goes up from the middle, the other down.
pub fn up_and_down(up: f64, down: f64, class: &str) -> Element {
    let length = |share: f64| if share > 0.0 { (share.min(1.0) * 36.0).max(2.0) } else { 0.0 };
    let (up, down) = (length(up), length(down));
    let column = |class: &str, y: f64, height: f64| {
        element("rect")
            .class(class)
            .with("x", 2)
            .with("y", rounded(y))
            .with("width", 8)
            .with("height", rounded(height))
    };
    hidden(12.0, 78.0)
        .class(class)
        .child(column("up", 38.0 - up, up))
        .child(column("down", 40.0, down))
}

fn image(label: &str, width: f64, height: f64) -> Element {
    svg(width, height).with("role", "img").with("aria-label", label)
}

/// What says nothing that does not stand beside it as text.
fn hidden(width: f64, height: f64) -> Element {
    svg(width, height).with("aria-hidden", "true")
}

fn svg(width: f64, height: f64) -> Element {
    element("svg")
        .with("viewBox", format!("0 0 {width} {height}"))
        .with("preserveAspectRatio", "none")
}

fn outline(points: &[(f64, f64)], x_max: f64, y_max: f64) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        let (x, y) = (scaled(*x, x_max, WIDTH), HEIGHT - scaled(*y, y_max, HEIGHT));
        // A String takes everything.
        let _ = write!(path, "{letter}{x} {y}");
    }
    path
}

/// Whole units are finer than a pixel.
fn scaled(value: f64, most: f64, size: f64) -> f64 {
    let share = if most > 0.0 && value.is_finite() { value / most } else { 0.0 };
    (share.clamp(0.0, 1.0) * size).round()
}

fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_stays_within_its_frame() {
        let points = vec![(0.0, 0.0), (5.0, 20.0), (10.0, f64::NAN), (20.0, 5.0)];
        let svg = curves("rate", 10.0, 10.0, &[Curve { class: "line", points }]).html();
        assert!(svg.contains("class=\"line\" d=\"M0 200L480 0L960 200L960 100\""), "{svg}");
        assert!(svg.contains("class=\"area\" d=\"M0 200L480 0L960 200L960 100L960 200L0 200Z\""));
        assert!(svg.contains("role=\"img\" aria-label=\"rate\""));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let svg = curves("rate", 0.0, 0.0, &[Curve { class: "line", points: Vec::new() }]).html();
        assert!(svg.contains("class=\"line\" d=\"\"") && !svg.contains("NaN"), "{svg}");
        assert!(bar(f64::NAN, "fill").html().contains("class=\"fill\" width=\"0\""));
        assert!(bar(7.0, "fill").html().contains("class=\"fill\" width=\"100\""));
    }
}
