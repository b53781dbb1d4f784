//! Text from elsewhere - data, headers, names of files, settings, servers - as people are shown it:
//! what a terminal would obey instead of printing, and what would make one line look like two, is
//! written as an escape.
//!
//! Everything that goes to a terminal or a log passes here; what is put into a place of its own in
//! between, such as a name in a table, passes here on its own, so that it cannot leave that place.

use std::fmt::{self, Display, Write};

/// One line: no line end in it either.
pub struct Line<T>(pub T);

/// Several lines of our own making: line ends and tabs stay.
pub struct Block<T>(pub T);

/// A document of JSON: what its strings need not escape, and a terminal obeys. Its own line ends
/// stay, because within a string they are escaped already.
pub struct Json<T>(pub T);

impl<T: Display> Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, manner: Manner::Line }, "{}", self.0)
    }
}

impl<T: Display> Display for Block<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, manner: Manner::Block }, "{}", self.0)
    }
}

impl<T: Display> Display for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, manner: Manner::Json }, "{}", self.0)
    }
}

/// Whether somebody who is shown it would see something else than it is.
pub fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // Line ends to some, though not to all.
            '\u{2028}' | '\u{2029}'
            // What changes the direction of writing.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[derive(Clone, Copy)]
enum Manner {
    Line,
    Block,
    Json,
}

impl Manner {
    fn escapes(self, letter: char) -> bool {
        let may_stay = match self {
            Manner::Line => false,
            Manner::Block => letter == '\n' || letter == '\t',
            Manner::Json => letter < ' ',
        };
        !may_stay && is_obeyed(letter)
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    manner: Manner,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|letter| self.manner.escapes(letter)) {
            let (plain, escaped) = rest.split_at(at);
            self.out.write_str(plain)?;
            let mut letters = escaped.chars();
            if let Some(letter) = letters.next() {
                self.escape(letter)?;
            }
            rest = letters.as_str();
        }
        self.out.write_str(rest)
    }
}

impl Escaping<'_, '_> {
    fn escape(&mut self, letter: char) -> fmt::Result {
        let code = u32::from(letter);
        match (self.manner, letter) {
            // All that is escaped is in the basic plane.
            (Manner::Json, _) => write!(self.out, "\\u{code:04x}"),
            (_, '\n') => self.out.write_str("\\n"),
            (_, '\r') => self.out.write_str("\\r"),
            (_, '\t') => self.out.write_str("\\t"),
            (_, '\0'..='\x7f') => write!(self.out, "\\x{code:02x}"),
            _ => write!(self.out, "\\u{{{code:x}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, line, block) in [
            ("plain – ünï 'x' \\ \"", "plain – ünï 'x' \\ \"", "plain – ünï 'x' \\ \""),
            ("", "", ""),
            ("a\nb\tc\r", "a\\nb\\tc\\r", "a\nb\tc\\r"),
            ("\x1b[31m\x07\0\x7f", "\\x1b[31m\\x07\\x00\\x7f", "\\x1b[31m\\x07\\x00\\x7f"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}", "\\u{9b}31m\\u{85}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("\u{2028}\u{200f}", "\\u{2028}\\u{200f}", "\\u{2028}\\u{200f}"),
        ] {
            assert_eq!(Line(text).to_string(), line);
            assert_eq!(Block(text).to_string(), block);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_obeyed_is_left_and_a_line_is_shown_once(text in any::<String>()) {
            let line = Line(&text).to_string();
            prop_assert!(!line.chars().any(is_obeyed));
            prop_assert_eq!(&Line(&line).to_string(), &line);
            let block = Block(&text).to_string();
            prop_assert!(!block.chars().any(|c| is_obeyed(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn json_stays_what_it_says(text in any::<String>()) {
            let document = serde_json::json!({ text.as_str(): [text.as_str()] });
            for json in [format!("{document}"), format!("{document:#}")] {
                let shown = Json(&json).to_string();
                prop_assert!(!shown.chars().any(|c| is_obeyed(c) && c != '\n'));
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown).unwrap(), &document);
            }
        }
    }
}
