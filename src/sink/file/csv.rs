//! Rows to CSV: comma or tab, double quotes where they are needed, a line feed. Pure.

use crate::record::{Rows, Value};

pub struct CsvEncoder {
    header: Vec<u8>,
    width: usize,
    null: Vec<u8>,
    delimiter: u8,
    /// By byte: a text that holds it is put in quotes.
    is_mark: Box<[bool; 256]>,
}

impl CsvEncoder {
    pub fn new(names: &[String], null: &str, delimiter: u8) -> CsvEncoder {
        let (width, null) = (names.len(), null.as_bytes().to_vec());
        let mut is_mark = Box::new([false; 256]);
        for mark in [delimiter, b'"', b'\n', b'\r'] {
            is_mark[usize::from(mark)] = true;
        }
        let mut encoder = CsvEncoder { header: Vec::new(), width, null, delimiter, is_mark };
        let mut header = Vec::new();
        for (column, name) in names.iter().enumerate() {
            encoder.separate(column, &mut header);
            encoder.text(name.as_bytes(), &mut header);
        }
        // Where there is not even a header, an empty line would be one.
        if !names.is_empty() {
            header.push(b'\n');
        }
        encoder.header = header;
        encoder
    }

    pub fn header(&self) -> &[u8] {
        &self.header
    }

    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// A quote doubles; a field gets two quotes and a comma, or is the text for NULL.
    pub fn footprint(&self, bytes: usize, records: u64) -> usize {
        bytes * 2 + records as usize * (self.width * (self.null.len() + 5) + 1)
    }

    /// What rows become in which nothing is quoted, so that no buffer grows to twice its size.
    pub fn usual_bytes(&self, rows: &Rows) -> usize {
        rows.bytes() + rows.len() * self.width.max(1) * (self.null.len() + 1)
    }

    pub fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        for row in 0..rows.len() {
            for (column, value) in rows.row(row).enumerate() {
                self.separate(column, out);
                match value {
                    Value::Text(text) | Value::Json(text) => self.text(text, out),
                    Value::Number(words) => self.bare(words, out),
                    Value::Bool(true) => self.bare(b"true", out),
                    Value::Bool(false) => self.bare(b"false", out),
                    // A line of nothing would be no record at all.
                    Value::Null | Value::Absent if self.null.is_empty() && self.width == 1 => {
                        out.extend_from_slice(b"\"\"");
                    }
                    Value::Null | Value::Absent => self.quoted_if_needed(&self.null, out),
                }
            }
            out.push(b'\n');
        }
    }

    fn separate(&self, column: usize, out: &mut Vec<u8>) {
        if column > 0 {
            out.push(self.delimiter);
        }
    }

    /// What needs no quotes, but where it could be taken for NULL.
    fn bare(&self, words: &[u8], out: &mut Vec<u8>) {
        match words == self.null {
            true => quote(words, out),
            false => out.extend_from_slice(words),
        }
    }

    /// Text that could be taken for NULL is quoted, so that a careful reader can tell them apart.
    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        if text == self.null || text.is_empty() {
            quote(text, out);
        } else {
            self.quoted_if_needed(text, out);
        }
    }

    fn quoted_if_needed(&self, text: &[u8], out: &mut Vec<u8>) {
        // A byte order mark at the start of the file would be taken off.
        let needs = text.iter().any(|&byte| self.is_mark[usize::from(byte)])
            || text.starts_with(b"\xef\xbb\xbf");
        if needs {
            quote(text, out);
        } else {
            out.extend_from_slice(text);
        }
    }
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Shape;

    #[test]
    fn null_and_empty_text_are_told_apart() {
        for (null, expected) in
            [("", ",\"\",x\n"), ("\\N", "\\N,\"\",x\n"), ("a,b", "\"a,b\",\"\",x\n")]
        {
            let names = ["a", "b", "c"].map(String::from);
            let encoder = CsvEncoder::new(&names, null, b',');
            let mut rows = Rows::new(Shape::Columns(names.into()));
            rows.begin(0, 0);
            rows.null();
            rows.text(b"");
            rows.text(b"x");
            let mut out = Vec::new();
            encoder.encode(&rows, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_and_words_that_look_like_null_are_quoted() {
        let names = ["a", "b", "c"].map(String::from);
        for (null, expected) in [("0", "\"0\",true,0\n"), ("true", "0,\"true\",true\n")] {
            let encoder = CsvEncoder::new(&names, null, b',');
            let mut rows = Rows::new(Shape::Columns(names.clone().into()));
            rows.begin(0, 0);
            rows.number(b"0");
            rows.bool(true);
            rows.null();
            let mut out = Vec::new();
            encoder.encode(&rows, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    proptest! {
        /// The crate reads back what was written, and it is no larger than promised.
        #[test]
        fn text_survives(table in prop::collection::vec(prop::collection::vec("[\\PC,\"\n\r\\x00\u{feff}]{0,6}", 2), 1..4)) {
            let names = ["a\"b", "c,d"].map(String::from);
            let encoder = CsvEncoder::new(&names, "", b',');
            let mut rows = Rows::new(Shape::Columns(names.clone().into()));
            for values in &table {
                rows.begin(0, 0);
                values.iter().for_each(|value| rows.text(value.as_bytes()));
            }
            let mut out = Vec::new();
            encoder.encode(&rows, &mut out);
            let bytes = table.iter().flatten().map(String::len).sum();
            prop_assert!(out.len() <= encoder.footprint(bytes, table.len() as u64));
            let file = [encoder.header(), &out].concat();
            let mut reader = csv::Reader::from_reader(&file[..]);
            prop_assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(names.to_vec()));
            let read: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
            let expected: Vec<_> = table.into_iter().map(csv::StringRecord::from).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
