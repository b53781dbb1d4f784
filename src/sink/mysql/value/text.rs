//! CHAR, VARCHAR and the TEXT family.

use super::{too_large, unfit};
use crate::convert::Unfit;
use crate::record::ErrorType;
use crate::sink::mysql::column::{Charset, Limit, Text};

/// Appends text, which is UTF-8.
pub fn put(text: &[u8], column: &Text, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let is_ascii = text.is_ascii();
    if !is_ascii {
        check_characters(text, &column.charset)?;
    }
    match column.limit {
        // No text has more characters than bytes, so most need not be counted.
        Limit::Characters(max) if text.len() as u64 > max => {
            let found = if is_ascii { text.len() as u64 } else { characters(text) };
            if found > max {
                return Err(too_large(format!("{found} characters, and the column takes {max}")));
            }
        }
        Limit::Bytes(max) => {
            let found = bytes(text, is_ascii, &column.charset);
            if found > max {
                return Err(too_large(format!("{found} bytes, and the column takes {max}")));
            }
        }
        Limit::Characters(_) => {}
    }
    if column.is_fixed && text.last() == Some(&b' ') {
        return Err(unfit(
            ErrorType::OutOfRange,
            "spaces at the end, which a CHAR column does not keep",
        ));
    }
    out.extend_from_slice(text);
    Ok(())
}

fn check_characters(text: &[u8], charset: &Charset) -> Result<(), Unfit> {
    let (fits, name) = match charset {
        Charset::Utf8mb4 | Charset::Other(_) => return Ok(()),
        // Only what is beyond three bytes begins with such a byte.
        Charset::Utf8mb3 => (text.iter().all(|byte| *byte < 0xF0), "utf8mb3"),
        Charset::Ascii => (false, "ascii"),
        Charset::Latin1 => {
            let text = std::str::from_utf8(text).unwrap_or("\u{FFFD}");
            (text.chars().all(is_latin1), "latin1")
        }
    };
    if fits {
        return Ok(());
    }
    Err(unfit(
        ErrorType::Encoding,
        format!("a character that the column's character set {name} does not have"),
    ))
}

/// The server's latin1 is windows-1252; its five holes are control characters.
fn is_latin1(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{7F}'
            | '\u{A0}'..='\u{FF}'
            | '\u{81}' | '\u{8D}' | '\u{8F}' | '\u{90}' | '\u{9D}'
            | '€' | '‚' | 'ƒ' | '„' | '…' | '†' | '‡' | 'ˆ' | '‰' | 'Š' | '‹' | 'Œ' | 'Ž'
            | '‘' | '’' | '“' | '”' | '•' | '–' | '—' | '˜' | '™' | 'š' | '›' | 'œ' | 'ž' | 'Ÿ'
    )
}

/// Everything but the bytes that continue a character.
pub fn characters(text: &[u8]) -> u64 {
    text.iter().filter(|byte| (**byte as i8) >= -0x40).count() as u64
}

/// How long the text is in a character set; the least it can be, where that is not known here and
/// the server has the last word.
fn bytes(text: &[u8], is_ascii: bool, charset: &Charset) -> u64 {
    let units = |of_astral: u64| {
        let astral = text.iter().filter(|byte| **byte >= 0xF0).count() as u64;
        2 * characters(text) + of_astral * astral
    };
    match charset {
        Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii => text.len() as u64,
        Charset::Other(name) if matches!(name.as_str(), "ucs2" | "utf16" | "utf16le") => units(2),
        Charset::Other(name) if name == "utf32" => 4 * characters(text),
        Charset::Latin1 | Charset::Other(_) if is_ascii => text.len() as u64,
        Charset::Latin1 | Charset::Other(_) => characters(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, charset: &str, limit: Limit, is_fixed: bool, expected: Option<&str>) {
        let column = Text { charset: Charset::named(charset), limit, is_fixed };
        let mut out = Vec::new();
        let found = put(text.as_bytes(), &column, &mut out).map_err(|unfit| unfit.reason);
        assert_eq!(found.err().as_deref(), expected, "{text:?} {charset}");
        assert_eq!(out.is_empty(), expected.is_some() || text.is_empty());
    }

    #[test]
    fn lengths_are_counted_as_the_type_does() {
        let three = Limit::Characters(3);
        for (text, limit, expected) in [
            ("", three, None),
            ("abc", three, None),
            ("abcd", three, Some("4 characters, and the column takes 3")),
            ("äöü", three, None),
            ("äöüß", three, Some("4 characters, and the column takes 3")),
            ("👍👍👍", three, None),
            ("ab ", three, None),
            ("abc ", three, Some("4 characters, and the column takes 3")),
            ("\0", three, None),
            ("ä", Limit::Bytes(2), None),
            ("äb", Limit::Bytes(2), Some("3 bytes, and the column takes 2")),
            ("", Limit::Characters(0), None),
        ] {
            check(text, "utf8mb4", limit, false, expected);
        }
    }

    #[test]
    fn narrow_character_sets_refuse_what_they_lack() {
        let wide = Limit::Characters(100);
        for (text, charset, fits) in [
            ("ä€", "utf8mb3", true),
            ("👍", "utf8mb3", false),
            ("👍", "utf8mb4", true),
            ("abc", "ascii", true),
            ("ä", "ascii", false),
            ("äß€œ\u{81}", "latin1", true),
            ("\u{80}", "latin1", false),
            ("ł", "latin1", false),
            ("ł", "latin2", true),
        ] {
            let reason =
                format!("a character that the column's character set {charset} does not have");
            check(text, charset, wide, false, (!fits).then_some(reason.as_str()));
        }
        check("äöü", "latin1", Limit::Bytes(3), false, None);
        check("ab", "utf16", Limit::Bytes(3), false, Some("4 bytes, and the column takes 3"));
        check("👍", "utf16", Limit::Bytes(4), false, None);
        check("日本", "sjis", Limit::Bytes(1), false, Some("2 bytes, and the column takes 1"));
    }

    #[test]
    fn char_does_not_keep_spaces_at_the_end() {
        let three = Limit::Characters(3);
        let reason = Some("spaces at the end, which a CHAR column does not keep");
        check("ab", "utf8mb4", three, true, None);
        check(" b", "utf8mb4", three, true, None);
        check("ab ", "utf8mb4", three, true, reason);
    }
}
