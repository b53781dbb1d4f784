//! Where CSV records end, found without looking at fields.
//!
//! The rules are those of the crate `csv`, which decodes the records later; a property test holds
//! the two together. A quote opens only at the start of a field, so counting quotes would be wrong:
//! `a"b,1` is one record. What the crate lets pass and we reject, is noted as a flaw.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::CsvDialect;
use crate::record::{Flaw, lines_in};
use crate::source::text::{Boundaries, Scan};

impl Boundaries for CsvDialect {
    fn scan(&self, bytes: &[u8], is_last: bool, records_max: u64) -> Scan {
        let mut scan = Scan::default();
        while scan.records < records_max && scan.end < bytes.len() {
            if self.step(bytes, is_last, &mut scan).is_none() {
                break;
            }
        }
        scan
    }
}

impl CsvDialect {
    /// Over a record, or what is none.
    fn step(&self, bytes: &[u8], is_last: bool, scan: &mut Scan) -> Option<()> {
        match bytes[scan.end] {
            b'\n' | b'\r' => self.blank_line(bytes, is_last, scan),
            first if Some(first) == self.comment => self.comment(bytes, is_last, scan),
            _ => self.record(bytes, is_last, scan),
        }
    }

    /// The same for the crate, which ends a comment at a line feed only: where a carriage return ends
    /// one, all records behind it would be part of it. Such comments become empty lines.
    pub(super) fn legible<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut returns = memchr_iter(b'\r', bytes);
        let is_legible =
            self.comment.is_none() || returns.all(|at| bytes.get(at + 1) == Some(&b'\n'));
        if is_legible {
            return Cow::Borrowed(bytes);
        }
        let mut legible = bytes.to_vec();
        let mut scan = Scan::default();
        while scan.end < bytes.len() {
            let start = scan.end;
            if self.step(bytes, true, &mut scan).is_none() {
                break;
            }
            if Some(bytes[start]) == self.comment {
                legible[start..scan.end].fill(b'\n');
            }
        }
        Cow::Owned(legible)
    }

    fn blank_line(&self, bytes: &[u8], is_last: bool, scan: &mut Scan) -> Option<()> {
        let end = line_end(bytes, scan.end, is_last)?;
        scan.blank_lines += 1;
        scan.lone_returns += u64::from(bytes[end - 1] == b'\r');
        scan.lines += 1;
        scan.end = end;
        Some(())
    }

    fn comment(&self, bytes: &[u8], is_last: bool, scan: &mut Scan) -> Option<()> {
        let end = match memchr2(b'\n', b'\r', &bytes[scan.end..]) {
            Some(at) => line_end(bytes, scan.end + at, is_last)?,
            None if is_last => bytes.len(),
            None => return None,
        };
        scan.lone_returns += u64::from(bytes[end - 1] == b'\r');
        scan.lines += lines_in(&bytes[scan.end..end]);
        scan.end = end;
        Some(())
    }

    fn record(&self, bytes: &[u8], is_last: bool, scan: &mut Scan) -> Option<()> {
        let start = scan.end;
        let mut from = start;
        let mut lines = 0;
        let mut flaw = None;
        let end = loop {
            let Some(at) = self.next_mark(&bytes[from..]).map(|at| from + at) else {
                break is_last.then_some(bytes.len())?;
            };
            if Some(bytes[at]) != self.quote {
                let end = line_end(bytes, at, is_last)?;
                scan.lone_returns += u64::from(bytes[end - 1] == b'\r');
                lines += 1;
                break end;
            }
            let opens_field = at == start || bytes[at - 1] == self.delimiter;
            if !opens_field {
                flaw = flaw.or(Some(Flaw::StrayQuote));
                from = at + 1;
                continue;
            }
            let Some(close) = self.closing_quote(bytes, at + 1, is_last) else {
                scan.open_quote = Some(at);
                return None;
            };
            lines += lines_in(&bytes[at..close]);
            from = close + 1;
            match bytes.get(from) {
                None if is_last => break bytes.len(),
                None => return None,
                Some(&next) if next == self.delimiter || next == b'\n' || next == b'\r' => {}
                Some(_) => {
                    flaw = Some(Flaw::TextAfterQuote);
                    // Whatever follows belongs to the unquoted rest of the field, a quote too.
                    from += 1;
                }
            }
        };
        if let Some(flaw) = flaw {
            scan.flaws.push((scan.records, flaw));
        }
        scan.records += 1;
        scan.lines += lines;
        scan.end = end;
        Some(())
    }

    /// The next byte that may end the record or open a quote.
    fn next_mark(&self, bytes: &[u8]) -> Option<usize> {
        match self.quote {
            Some(quote) => memchr3(b'\n', b'\r', quote, bytes),
            None => memchr2(b'\n', b'\r', bytes),
        }
    }

    /// The quote that ends the field whose content begins at `from`.
    fn closing_quote(&self, bytes: &[u8], mut from: usize, is_last: bool) -> Option<usize> {
        let quote = self.quote?;
        loop {
            let at = match self.escape {
                None => memchr(quote, bytes.get(from..)?)?,
                Some(escape) => memchr2(quote, escape, bytes.get(from..)?)?,
            } + from;
            let is_escape = bytes[at] != quote;
            let is_doubled = bytes.get(at + 1) == Some(&quote);
            if is_escape || is_doubled {
                from = at + 2;
            } else if at + 1 == bytes.len() && !is_last {
                return None;
            } else {
                return Some(at);
            }
        }
    }
}

/// Just behind the line end that begins at `at`; unknown while a line feed may still follow.
fn line_end(bytes: &[u8], at: usize, is_last: bool) -> Option<usize> {
    if bytes[at] == b'\n' {
        return Some(at + 1);
    }
    match bytes.get(at + 1) {
        Some(b'\n') => Some(at + 2),
        Some(_) => Some(at + 1),
        None => is_last.then_some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &str) -> Scan {
        CsvDialect::default().scan(text.as_bytes(), true, u64::MAX)
    }

    #[test]
    fn records_lines_and_ends() {
        for (text, records, lines) in [
            ("", 0, 0),
            ("a", 1, 0),
            ("a,b\n", 1, 1),
            ("a\r\nb\r\n", 2, 2),
            ("a\rb\rc", 3, 2),
            ("\n\n\r\na\n", 1, 4),
            ("\"a\nb\",c\nd\n", 2, 3),
            ("a\"b,1\nc\n", 2, 2),
            ("\"a\"\"b\"\n\"\"\n", 2, 2),
            ("\"a\"b\"\nc\"\n", 2, 2),
        ] {
            let found = scan(text);
            assert_eq!((found.records, found.lines), (records, lines), "{text:?}");
            assert_eq!(found.end, text.len(), "{text:?}");
        }
    }

    #[test]
    fn flaws_name_their_record() {
        let found = scan("ok,1\n\"a\"b,2\na\"b,3\n\"x\"\"\",4\n");
        assert_eq!(found.flaws, [(1, Flaw::TextAfterQuote), (2, Flaw::StrayQuote)]);
    }

    #[test]
    fn an_open_quote_is_left_where_it_is() {
        let found = scan("a,b\nc,\"d\ne\n");
        assert_eq!((found.records, found.end, found.open_quote), (1, 4, Some(6)));
    }

    #[test]
    fn an_end_that_may_change_is_left_for_later() {
        for text in ["a\r", "\"a\"", "a", "\"a", "#c", "\r"] {
            let dialect = CsvDialect { comment: Some(b'#'), ..CsvDialect::default() };
            assert_eq!(dialect.scan(text.as_bytes(), false, 9).end, 0, "{text:?}");
        }
    }

    fn dialects() -> impl Strategy<Value = CsvDialect> {
        let delimiter = prop_oneof![Just(b','), Just(b';'), Just(b'\t')];
        let quote = prop_oneof![4 => Just(Some(b'"')), 1 => Just(Some(b'\'')), 1 => Just(None)];
        let escape = prop_oneof![2 => Just(None), 1 => Just(Some(b'\\'))];
        let comment = prop_oneof![2 => Just(None), 1 => Just(Some(b'#'))];
        (delimiter, quote, escape, comment).prop_map(|(delimiter, quote, escape, comment)| {
            CsvDialect { delimiter, quote, escape, comment, ..CsvDialect::default() }
        })
    }

    /// Bytes among which everything that matters is frequent.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            6 => prop::sample::select(b"\"',;\t\\#\n\ra \xef\xbb\xbf".to_vec()),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// For any bytes and dialect: the crate, given one record's bytes after another, finds what
        /// it finds in the whole.
        #[test]
        fn boundaries_are_those_of_the_crate(dialect in dialects(), mut text in texts()) {
            let whole = dialect.scan(&text, true, u64::MAX);
            if whole.open_quote.is_none() {
                // To the crate, a comment that the end of the file ends is a record.
                text.push(b'\n');
            }
            let mut expected = Vec::new();
            for record in dialect.reader(&dialect.legible(&text)).into_byte_records() {
                expected.push(record.unwrap());
            }
            let mut found = Vec::new();
            let mut rest = &text[..];
            loop {
                let one = dialect.scan(rest, true, 1);
                let bytes = match one.open_quote {
                    Some(_) => rest,
                    None => &rest[..one.end],
                };
                for record in dialect.reader(&dialect.legible(bytes)).into_byte_records() {
                    found.push(record.unwrap());
                }
                if one.open_quote.is_some() || one.end == 0 {
                    break;
                }
                rest = &rest[one.end..];
            }
            prop_assert_eq!(&found, &expected);
            let open = u64::from(whole.open_quote.is_some());
            prop_assert_eq!(whole.records + open, expected.len() as u64);
            prop_assert!(whole.open_quote.is_some() || whole.end + 1 == text.len());
        }

        /// Cutting the bytes anywhere and going on later changes nothing.
        #[test]
        fn a_cut_changes_nothing(dialect in dialects(), text in texts(), cut in 0..60_usize) {
            let whole = dialect.scan(&text, true, u64::MAX);
            let first = dialect.scan(&text[..cut.min(text.len())], false, u64::MAX);
            let second = dialect.scan(&text[first.end..], true, u64::MAX);
            prop_assert_eq!(first.records + second.records, whole.records);
            prop_assert_eq!(first.lines + second.lines, whole.lines);
            prop_assert_eq!(first.end + second.end, whole.end);
        }
    }
}
