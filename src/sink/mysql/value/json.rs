//! JSON columns. MariaDB keeps the text; MySQL keeps its own form of it, in which a number may
//! become another one and all but one of equal keys are gone.

use std::borrow::Cow;

use super::json_number::{self, StoredNumber};
use super::{out_of_range, unfit};
use crate::convert::Unfit;
use crate::record::ErrorType;

/// How deep MySQL lets arrays and objects stand in each other, and what JSON_VALID of MariaDB does.
const MYSQL_DEPTH_MAX: usize = 100;
const MARIADB_DEPTH_MAX: usize = 31;

/// The longest key MySQL takes, in bytes.
const MYSQL_KEY_BYTES_MAX: usize = 65_535;

/// What the server does with a JSON value.
#[derive(Clone, Copy, Debug)]
pub struct JsonServer {
    pub is_mariadb: bool,
    /// Numbers may come out of MySQL as another double.
    pub is_near: bool,
}

impl JsonServer {
    /// Checks JSON text that nobody has read yet.
    pub fn check_text(self, text: &[u8]) -> Result<u64, Unfit> {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
        if !is_json {
            return Err(unfit(ErrorType::TypeMismatch, "not valid JSON"));
        }
        self.check(text)
    }

    /// Checks that it keeps a valid JSON value as it is; how many numbers it does not.
    pub fn check(self, json: &[u8]) -> Result<u64, Unfit> {
        // Most values are small, and have nothing that could go wrong.
        Walk { json, at: 0, server: self, near: 0, keys: Vec::new(), open: Vec::new() }.run()
    }
}

/// Appends text as a JSON string.
pub fn put_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Goes through valid JSON once, without recursion.
struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    server: JsonServer,
    /// Numbers that come out as others.
    near: u64,
    /// The keys of all objects that are open, the outermost first.
    keys: Vec<Cow<'a, [u8]>>,
    /// For each array or object that is open, how many keys there were before.
    open: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn run(mut self) -> Result<u64, Unfit> {
        let depth_max = if self.server.is_mariadb { MARIADB_DEPTH_MAX } else { MYSQL_DEPTH_MAX };
        while let Some(byte) = self.json.get(self.at).copied() {
            match byte {
                b'{' | b'[' => {
                    if self.open.len() == depth_max {
                        return Err(out_of_range(format!(
                            "arrays and objects more than {depth_max} deep, and the server takes no more"
                        )));
                    }
                    self.open.push(self.keys.len());
                    self.at += 1;
                }
                b'}' | b']' => {
                    let first = self.open.pop().unwrap_or_default().min(self.keys.len());
                    check_keys(&mut self.keys[first..])?;
                    self.keys.truncate(first);
                    self.at += 1;
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                _ => self.at += 1,
            }
        }
        Ok(self.near)
    }

    fn string(&mut self) -> Result<(), Unfit> {
        let start = self.at;
        let mut at = start + 1;
        let mut has_escapes = false;
        loop {
            match memchr::memchr2(b'"', b'\\', self.json.get(at..).unwrap_or_default()) {
                None => return Err(unfit(ErrorType::TypeMismatch, "not valid JSON")),
                Some(step) if self.json[at + step] == b'"' => {
                    at += step + 1;
                    break;
                }
                Some(step) => {
                    has_escapes = true;
                    at += step + 2;
                }
            }
        }
        self.at = at;
        let quoted = &self.json[start..at];
        let rest = &self.json[at..];
        let next = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let is_key = next == Some(&b':');
        if !has_escapes {
            if is_key {
                self.key(Cow::Borrowed(&quoted[1..quoted.len() - 1]))?;
            }
            return Ok(());
        }
        // Whoever skips a string does not look at its surrogates.
        let text = serde_json::from_slice::<String>(quoted).map_err(|_| {
            unfit(ErrorType::Encoding, "a JSON string with half of a surrogate pair")
        })?;
        if is_key {
            self.key(Cow::Owned(text.into_bytes()))?;
        }
        Ok(())
    }

    fn key(&mut self, key: Cow<'a, [u8]>) -> Result<(), Unfit> {
        if !self.server.is_mariadb && key.len() > MYSQL_KEY_BYTES_MAX {
            return Err(out_of_range(format!(
                "an object's key of {} bytes, and the server takes {MYSQL_KEY_BYTES_MAX}",
                key.len()
            )));
        }
        self.keys.push(key);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Unfit> {
        let rest = &self.json[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        self.at += length;
        if !self.server.is_mariadb {
            let kept = json_number::check(&rest[..length], self.server.is_near)?;
            self.near += u64::from(kept == StoredNumber::Nearly);
        }
        Ok(())
    }
}

fn check_keys(keys: &mut [Cow<'_, [u8]>]) -> Result<(), Unfit> {
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(unfit(
            ErrorType::DuplicateKey,
            "an object with the same key twice, of which only one would be found again",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MYSQL: JsonServer = JsonServer { is_mariadb: false, is_near: false };
    const MARIADB: JsonServer = JsonServer { is_mariadb: true, is_near: false };

    fn nested(depth: usize) -> String {
        format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn values_are_kept_whole_or_refused() {
        for (json, mysql, mariadb) in [
            ("null", true, true),
            ("\"\"", true, true),
            ("{}", true, true),
            (" [1, \"a\", {\"b\": null}] ", true, true),
            ("{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":1}]}", true, true),
            ("{\"a\":1,\"a\":1}", false, false),
            ("{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", false, false),
            ("{\"a\":1, \"\\u0061\" : 2}", false, false),
            ("[\"a\",\"a\"]", true, true),
            ("{\"a\":\"a\"}", true, true),
            ("{\"a\":\"\\\\\",\"b\":\"\\\":\"}", true, true),
            ("\"\\ud83d\\ude00\"", true, true),
            ("\"\\ud83d\"", false, false),
            ("{\"\\ud83d\":1}", false, false),
            ("12345678901234567890123", false, true),
            ("{\"a\":[0.12345678901234567890]}", false, true),
            ("1e400", false, true),
            (&nested(31), true, true),
            (&nested(32), true, false),
            (&nested(100), true, false),
            (&nested(101), false, false),
            ("", false, false),
            ("{", false, false),
            ("'a'", false, false),
            ("NaN", false, false),
            ("{\"a\":1}{", false, false),
        ] {
            assert_eq!(MYSQL.check_text(json.as_bytes()).is_ok(), mysql, "MySQL {json}");
            assert_eq!(MARIADB.check_text(json.as_bytes()).is_ok(), mariadb, "MariaDB {json}");
        }
    }

    #[test]
    fn numbers_that_come_out_as_others_are_counted() {
        let json = b"{\"a\":[90.42857142857143,0.1,0.12345678901234567],\"b\":1e-300}";
        let near = JsonServer { is_near: true, ..MYSQL };
        assert_eq!(near.check(json), Ok(2));
        assert_eq!(MARIADB.check(json), Ok(0));
        assert!(MYSQL.check(json).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn a_string_is_read_back(text in "(?s).{0,20}") {
            let mut out = Vec::new();
            put_string(text.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            prop_assert!(MYSQL.check(&out).is_ok());
        }

        #[test]
        fn bytes_that_are_no_json_end_in_a_reason(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'{'), Just(b'\\'), Just(b']')], 0..40)) {
            let _ = MYSQL.check(&bytes);
            let _ = MARIADB.check_text(&bytes);
        }
    }
}
