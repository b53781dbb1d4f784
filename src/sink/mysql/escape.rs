//! How bytes are written so that the server reads them back whole.
//!
//! A LOAD DATA field is written for
//! `CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'`. The
//! clause has to be spelled out: the mode NO_BACKSLASH_ESCAPES changes its default.

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
/// utf8mb4 and whose `sql_mode` lacks NO_BACKSLASH_ESCAPES: both are what every session is set to.
///
/// No byte of a longer character of UTF-8 looks like a quote or a backslash. What is not UTF-8 is
/// hexadecimal; the introducer makes that a string, because a bare X'31' would be 49 in a column of
/// numbers.
pub fn text_literal(out: &mut Vec<u8>, value: &[u8]) {
    if std::str::from_utf8(value).is_err() {
        out.extend_from_slice(b"_utf8mb4 ");
        return binary_literal(out, value);
    }
    let is_special = |byte: &u8| QUOTED[usize::from(*byte)] != 0;
    // Exactly, because a large value would leave twice its bytes behind by doubling.
    out.reserve(value.len() + value.iter().filter(|byte| is_special(byte)).count() + 2);
    out.push(b'\'');
    let mut rest = value;
    while let Some(at) = rest.iter().position(is_special) {
        out.extend_from_slice(&rest[..at]);
        // A quote is doubled, which is right whatever a backslash means.
        let before = if rest[at] == b'\'' { b'\'' } else { b'\\' };
        out.extend_from_slice(&[before, QUOTED[usize::from(rest[at])]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'\'');
}

/// As `LETTERS`, between quotes.
const QUOTED: [u8; 256] = {
    let mut letters = [0; 256];
    letters[b'\\' as usize] = b'\\';
    letters[b'\'' as usize] = b'\'';
    letters[0] = b'0';
    letters[0x1A] = b'Z';
    letters
};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::table_name::quoted;
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
    fn literals_are_of_the_session_that_every_connection_has() {
        for (value, expected) in [
            ("", "''"),
            ("12", "'12'"),
            ("it's", "'it''s'"),
            ("a\nb", "'a\nb'"),
            ("a\\", "'a\\\\'"),
            ("\\'", "'\\\\'''"),
            ("\0\x1A", "'\\0\\Z'"),
            ("ä中😀", "'ä中😀'"),
        ] {
            assert_eq!(written(|out| text_literal(out, value.as_bytes())), expected, "{value:?}");
        }
        let mut out = Vec::new();
        text_literal(&mut out, b"\xE4'");
        assert_eq!(out, b"_utf8mb4 X'E427'");
        assert_eq!(written(|out| binary_literal(out, b"\x00\xFF")), "X'00FF'");
        assert_eq!(written(|out| binary_literal(out, b"")), "X''");
    }

    #[test]
    fn identifiers_are_closed_by_their_own_end_only() {
        for (name, expected) in
            [("a", "`a`"), ("a`b", "`a``b`"), ("`", "````"), ("x;DROP\\", "`x;DROP\\`")]
        {
            assert_eq!(quoted(name), expected);
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
            let quoted = quoted(&name);
            let inner = &quoted[1..quoted.len() - 1];
            prop_assert!(!inner.replace("``", "").contains('`'));
            prop_assert_eq!(inner.replace("``", "`"), name);
        }

        /// What a server reads between quotes: up to the first one that is alone.
        #[test]
        fn a_literal_is_read_back_whole(value in any_bytes(), text in "[\\x00-\\x7F'\\\\ä中😀]{0,40}") {
            for value in [value, text.into_bytes()] {
                let mut out = Vec::new();
                text_literal(&mut out, &value);
                prop_assert!(std::str::from_utf8(&out).is_ok());
                match out.strip_prefix(b"_utf8mb4 X'") {
                    Some(digits) => {
                        prop_assert!(std::str::from_utf8(&value).is_err());
                        prop_assert_eq!(digits.len(), 2 * value.len() + 1);
                    }
                    None => {
                        let (read, rest) = read_literal(&out);
                        prop_assert_eq!((read, rest), (value, &b""[..]));
                    }
                }
            }
        }
    }

    /// What a server with backslashes reads, and what is left behind the closing quote.
    fn read_literal(text: &[u8]) -> (Vec<u8>, &[u8]) {
        let mut value = Vec::new();
        let mut at = 1;
        loop {
            match (text[at], text.get(at + 1)) {
                (b'\\', Some(letter)) => value.push(meant_by(*letter)),
                (b'\'', Some(b'\'')) => value.push(b'\''),
                (b'\'', _) => return (value, &text[at + 1..]),
                (byte, _) => {
                    value.push(byte);
                    at += 1;
                    continue;
                }
            }
            at += 2;
        }
    }
}
