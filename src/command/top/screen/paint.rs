//! Styles and strokes: the sixteen colours of the terminal, which its user has chosen, or none of them.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::command::top::row::Mood;

/// What a style is for, and not what it looks like.
pub struct Palette {
    has_colours: bool,
}

impl Palette {
    pub fn new(has_colours: bool) -> Palette {
        Palette { has_colours }
    }

    fn colour(&self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub fn plain(&self) -> Style {
        Style::new()
    }

    pub fn title(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn quiet(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn chosen(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn stroke(&self) -> Style {
        self.colour(Color::Blue)
    }

    pub fn limit(&self) -> Style {
        self.colour(Color::Yellow)
    }

    pub fn bad(&self) -> Style {
        self.colour(Color::Red)
    }

    pub fn mood(&self, mood: Mood) -> Style {
        match mood {
            Mood::Going => self.stroke(),
            Mood::Waiting => self.colour(Color::Yellow),
            Mood::Good => self.colour(Color::Green),
            Mood::Bad => self.bad().add_modifier(Modifier::BOLD),
            Mood::Unknown => self.quiet(),
        }
    }
}

pub fn width_of(text: &str) -> usize {
    Span::raw(text).width()
}

/// So many cells at most, with a sign where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_string();
    }
    let mut kept = String::new();
    let mut cells = 0;
    for letter in text.chars() {
        cells += width_of(letter.encode_utf8(&mut [0; 4]));
        if cells + 1 > width {
            break;
        }
        kept.push(letter);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let blank = width.saturating_sub(width_of(&text));
    text + &" ".repeat(blank)
}

pub fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width.saturating_sub(width_of(&text))) + &text
}

pub fn put(buffer: &mut Buffer, x: u16, y: u16, line: &Line<'_>) {
    let area = buffer.area;
    if y < area.bottom() && x < area.right() {
        buffer.set_line(x, y, line, area.right() - x);
    }
}

/// `████▌    `, as exact as eighths of a cell.
pub fn bar(ratio: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (ratio.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths / 8 < width {
        bar.push(EIGHTHS[eighths % 8]);
    }
    left(&bar, width)
}

/// `▁▂▅█▇`: the last values, from zero to the largest one.
pub fn spark<'a>(values: impl DoubleEndedIterator<Item = &'a f64>, width: usize) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut last: Vec<f64> = values.rev().take(width).copied().collect();
    last.reverse();
    let max = last.iter().copied().fold(0.0, f64::max);
    let step = |value: f64| match max > 0.0 {
        true => ((value / max * 7.0).round() as usize).min(7),
        false => 0,
    };
    last.into_iter().map(|value| STEPS[step(value)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_wide_as_their_place() {
        for (text, width, expected) in [
            ("abc", 5, "abc  "),
            ("abcdef", 5, "abcd…"),
            ("数据流水线", 5, "数据…"),
            ("数据流水线", 6, "数据… "),
            ("a", 0, ""),
            ("", 2, "  "),
        ] {
            assert_eq!(left(text, width), expected, "{text}");
            assert_eq!(width_of(&right(text, width)), width, "{text}");
        }
    }

    #[test]
    fn strokes_say_how_much() {
        for (ratio, expected) in
            [(0.0, "    "), (0.5, "██  "), (0.53, "██▏ "), (1.0, "████"), (7.0, "████")]
        {
            assert_eq!(bar(ratio, 4), expected);
        }
        assert_eq!(spark([0.0, 1.0, 7.0, 3.5].iter(), 3), "▂█▅");
        assert_eq!(spark([0.0, 0.0].iter(), 5), "▁▁");
    }
}
