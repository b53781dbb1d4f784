//! How bytes are written so that the server reads them back whole.
//!
//! A LOAD DATA field is written for
//! `CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'`. The
//! clause has to be spelled out: the mode NO_BACKSLASH_ESCAPES changes its default.

use memchr::memchr3;

/// NULL as a LOAD DATA field; the text `\N` is escaped and never looks like this.
pub const NULL: &[u8] = b"\\N";

/// The letter behind the backslash, or 0 where a byte stands for itself. TAB and LF are what the
/// server takes a bare backslash before them for, too; NUL and 0x1A have letters of their own.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    letters[b'\\' as usize] = b'\\';
    letters[b'\t' as usize] = b't';
    letters[b'\n' as usize] = b'n';
    letters[b'\r' as usize] = b'r';
    letters[0] = b'0';
    letters[0x1A] = b'Z';
    letters
};

/// Appends a value as a LOAD DATA field.
pub fn field(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    while let Some(at) = next_special(rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', LETTERS[usize::from(rest[at])]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Where the next byte is that does not stand for itself. Most stretches have none, which is seen
/// many bytes at a time; control characters that need no letter are rare enough to be looked up.
fn next_special(bytes: &[u8]) -> Option<usize> {
    let is_suspect = |found: bool, byte: &u8| found | (*byte < 0x20) | (*byte == b'\\');
    let (stretches, _) = bytes.as_chunks::<16>();
    let clean = stretches.iter().take_while(|stretch| !stretch.iter().fold(false, is_suspect));
    let start = 16 * clean.count();
    let found = bytes[start..].iter().position(|byte| LETTERS[usize::from(*byte)] != 0)?;
    Some(start + found)
}

/// What the server reads in a field that is not `NULL`.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(field.len());
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(letter) => value.push(meant_by(letter)),
                None => value.push(byte),
            },
            _ => value.push(byte),
        }
    }
    value
}

fn meant_by(letter: u8) -> u8 {
    match letter {
        b'0' => 0,
        b'b' => 0x08,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'Z' => 0x1A,
        other => other,
    }
}

/// Appends text, a number or a date as an SQL literal, for a connection whose character set is
/// utf8mb4.
///
/// In quotes a backslash means one thing or another, by the mode NO_BACKSLASH_ESCAPES; so quotes
/// are kept for text without one, and everything else is hexadecimal. The introducer makes that a
/// string: a bare X'31' would be 49 in a column of numbers, and raw bytes in one of latin1.
pub fn text_literal(out: &mut Vec<u8>, value: &[u8]) {
    let is_plain = memchr3(b'\\', 0, 0x1A, value).is_none() && value.is_ascii();
    if !is_plain {
        out.extend_from_slice(b"_utf8mb4 ");
        return binary_literal(out, value);
    }
    out.push(b'\'');
    quoted(out, value, b'\'');
    out.push(b'\'');
}

/// Appends bytes as an SQL literal, for BINARY, BLOB and BIT.
pub fn binary_literal(out: &mut Vec<u8>, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"X'");
    out.reserve(2 * value.len() + 1);
    for byte in value {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'\'');
}

/// Appends the name of a table or column.
pub fn identifier(out: &mut Vec<u8>, name: &str) {
    out.push(b'`');
    quoted(out, name.as_bytes(), b'`');
    out.push(b'`');
}

fn quoted(out: &mut Vec<u8>, value: &[u8], quote: u8) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(quote, rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(quote);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_hold_no_byte_that_ends_them() {
        for (value, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a\tb\nc\rd\\e\0f\x1Ag", "a\\tb\\nc\\rd\\\\e\\0f\\Zg"),
            ("\\N", "\\\\N"),
            ("NULL", "NULL"),
            ("\\", "\\\\"),
            ("ä\"'`", "ä\"'`"),
        ] {
            assert_eq!(written(|out| field(out, value.as_bytes())), expected, "{value:?}");
        }
    }

    #[test]
    fn literals_mean_the_same_in_every_mode() {
        for (value, expected) in [
            ("", "''"),
            ("12", "'12'"),
            ("it's", "'it''s'"),
            ("a\nb", "'a\nb'"),
            ("a\\", "_utf8mb4 X'615C'"),
            ("\0", "_utf8mb4 X'00'"),
            ("ä", "_utf8mb4 X'C3A4'"),
        ] {
            assert_eq!(written(|out| text_literal(out, value.as_bytes())), expected, "{value:?}");
        }
        assert_eq!(written(|out| binary_literal(out, b"\x00\xFF")), "X'00FF'");
        assert_eq!(written(|out| binary_literal(out, b"")), "X''");
    }

    #[test]
    fn identifiers_are_closed_by_their_own_end_only() {
        for (name, expected) in
            [("a", "`a`"), ("a`b", "`a``b`"), ("`", "````"), ("x;DROP\\", "`x;DROP\\`")]
        {
            assert_eq!(written(|out| identifier(out, name)), expected);
        }
    }

    /// Also long stretches without anything to escape.
    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let plain = "[a-zä]{0,40}".prop_map(String::into_bytes);
        let stretch = prop_oneof![plain, proptest::collection::vec(any::<u8>(), 0..5)];
        proptest::collection::vec(stretch, 0..6).prop_map(|stretches| stretches.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_read_back(value in any_bytes()) {
            let mut out = Vec::new();
            field(&mut out, &value);
            prop_assert!(out != NULL);
            prop_assert!(!out.iter().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0 | 0x1A)));
            prop_assert_eq!(unescape(&out), value);
        }

        /// What a server reads, which ends a name or a text at the first quote that is alone.
        #[test]
        fn quotes_inside_are_never_alone(name in "[`'\\\\a-c]{0,8}") {
            let quoted = written(|out| identifier(out, &name));
            let inner = &quoted[1..quoted.len() - 1];
            prop_assert!(!inner.replace("``", "").contains('`'));
            prop_assert_eq!(inner.replace("``", "`"), name.clone());
            let literal = written(|out| text_literal(out, name.as_bytes()));
            if let Some(inner) = literal.strip_prefix('\'') {
                let inner = &inner[..inner.len() - 1];
                prop_assert!(!inner.replace("''", "").contains('\'') && !inner.contains('\\'));
                prop_assert_eq!(inner.replace("''", "'"), name);
            }
        }
    }
}
