//! The text of a segment, as LOAD DATA reads it, read back: whoever cannot use LOAD DATA makes its
//! statements from the same bytes. Pure.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::sink::mysql::escape;

pub const FIELD_END: u8 = b'\t';
pub const ROW_END: u8 = b'\n';

/// A field that the server computes. Only INSERT can say so; no value is ever written like this.
pub const DEFAULT: &[u8] = b"\\D";

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodedField<'a> {
    Null,
    Default,
    Text(Cow<'a, [u8]>),
}

/// The rows of a segment, by their index.
pub struct TextRows<'a> {
    text: &'a [u8],
    /// Where each row ends, behind its line end.
    ends: Vec<u32>,
}

impl<'a> TextRows<'a> {
    pub fn new(text: &'a [u8]) -> TextRows<'a> {
        let ends = memchr_iter(ROW_END, text).map(|at| at as u32 + 1).collect();
        TextRows { text, ends }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A row without its line end.
    pub fn row(&self, row: usize) -> &'a [u8] {
        let range = self.range(row, row + 1);
        &self.text[range.start..range.end - 1]
    }

    /// Where the rows from `first` to before `end` are, of which there is at least one.
    pub fn range(&self, first: usize, end: usize) -> Range<usize> {
        let start = if first == 0 { 0 } else { self.ends[first - 1] as usize };
        start..self.ends[end - 1] as usize
    }
}

/// The fields of a row, left to right.
pub fn fields(row: &[u8]) -> impl Iterator<Item = EncodedField<'_>> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let text = rest?;
        let field = match memchr(FIELD_END, text) {
            Some(end) => {
                rest = Some(&text[end + 1..]);
                &text[..end]
            }
            None => {
                rest = None;
                text
            }
        };
        Some(field_of(field))
    })
}

fn field_of(field: &[u8]) -> EncodedField<'_> {
    if field == escape::NULL {
        EncodedField::Null
    } else if field == DEFAULT {
        EncodedField::Default
    } else if memchr(b'\\', field).is_none() {
        EncodedField::Text(Cow::Borrowed(field))
    } else {
        EncodedField::Text(Cow::Owned(escape::unescape(field)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let text = b"1\t\\N\ta\\tb\n\t\\D\t\\\\N\n";
        let rows = TextRows::new(text);
        let found: Vec<Vec<EncodedField>> =
            (0..rows.len()).map(|row| fields(rows.row(row)).collect()).collect();
        let text = |text: &'static [u8]| EncodedField::Text(Cow::Borrowed(text));
        assert_eq!(
            found,
            [
                vec![text(b"1"), EncodedField::Null, text(b"a\tb")],
                vec![text(b""), EncodedField::Default, text(b"\\N")],
            ]
        );
        assert_eq!(TextRows::new(b"").len(), 0);
    }
}
