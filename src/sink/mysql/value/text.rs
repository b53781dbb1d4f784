//! CHAR, VARCHAR and the TEXT family.

use super::{too_large, unfit};
use crate::convert::Unfit;
use crate::record::ErrorType;
use crate::sink::mysql::column::{Charset, Limit, TextColumn, charset};

/// Appends text, which is UTF-8.
pub fn put(text: &[u8], column: &TextColumn, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let bytes = bytes(text, &column.charset)?;
    match column.limit {
        // No text has more characters than bytes, so most need not be counted.
        Limit::Characters(max) if text.len() as u64 > max => {
            let found = charset::count(text);
            if found > max {
                return Err(too_large(format!("{found} characters, and the column takes {max}")));
            }
        }
        // Beyond its limit the server would cut spaces without a word.
        Limit::Bytes(max) if bytes > max => {
            return Err(too_large(format!("{bytes} bytes, and the column takes {max}")));
        }
        _ => {}
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

/// How many bytes a text has in a character set, which must have all of its characters.
pub fn bytes(text: &[u8], charset: &Charset) -> Result<u64, Unfit> {
    charset.bytes(text).map_err(|_| {
        let reason =
            format!("a character that the column's character set {} does not have", charset.name());
        unfit(ErrorType::Encoding, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, charset: &str, limit: Limit, is_fixed: bool, expected: Option<&str>) {
        let column = TextColumn { charset: Charset::new(charset, None), limit, is_fixed };
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
    fn bytes_are_those_of_the_character_set() {
        let reason = |charset: &str| {
            format!("a character that the column's character set {charset} does not have")
        };
        let wide = Limit::Characters(100);
        check("äß€", "latin1", wide, false, None);
        check("ł", "latin1", wide, false, Some(&reason("latin1")));
        check("a", "nobody-asked", wide, false, Some(&reason("nobody-asked")));
        check("äöü", "latin1", Limit::Bytes(3), false, None);
        check("ab", "utf16", Limit::Bytes(3), false, Some("4 bytes, and the column takes 3"));
        check("👍", "utf16", Limit::Bytes(4), false, None);
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
