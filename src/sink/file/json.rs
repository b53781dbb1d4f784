//! Rows to JSON lines. Pure.

use crate::record::{Rows, Shape, TextRow, Value};

pub struct JsonEncoder {
    /// `,"name":"` for each column; none where rows are documents.
    keys: Vec<Vec<u8>>,
    /// What stands before each value of a row that is all text: `{"name":"` and `","name":"`.
    joints: Vec<Vec<u8>>,
}

impl JsonEncoder {
    pub fn new(shape: &Shape, names: &[String]) -> JsonEncoder {
        let key = |name: &String| {
            let mut key = b",\"".to_vec();
            escape(name.as_bytes(), &mut key);
            key.extend_from_slice(b"\":\"");
            key
        };
        let keys: Vec<Vec<u8>> = match shape {
            Shape::Columns(_) => names.iter().map(key).collect(),
            Shape::Documents => Vec::new(),
        };
        let joint = |(column, key): (usize, &Vec<u8>)| match column {
            0 => [b"{", &key[1..]].concat(),
            _ => [b"\"", &key[..]].concat(),
        };
        JsonEncoder { joints: keys.iter().enumerate().map(joint).collect(), keys }
    }

    /// A control character becomes six bytes; everything else grows less.
    pub fn footprint(&self, bytes: usize, records: u64) -> usize {
        let keys: usize = self.keys.iter().map(|key| key.len() + 1).sum();
        bytes * 6 + records as usize * (keys + 2)
    }

    /// What rows become in which nothing is escaped, so that no buffer grows to twice its size.
    pub fn usual_bytes(&self, rows: &Rows) -> usize {
        let keys: usize = self.keys.iter().map(|key| key.len() + 1).sum();
        rows.bytes() + rows.len() * (keys + 2)
    }

    pub fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        if *rows.shape() == Shape::Documents {
            for row in 0..rows.len() {
                out.extend_from_slice(rows.row_bytes(row));
                out.push(b'\n');
            }
            return;
        }
        if let Some(rows) = rows.texts_only() {
            rows.for_each(|row| self.encode_texts(&row, out));
            return;
        }
        for row in 0..rows.len() {
            let start = out.len();
            let is_plain = is_plain(rows.row_bytes(row));
            for (key, value) in self.keys.iter().zip(rows.row(row)) {
                put(key, value, is_plain, out);
            }
            // Every key brings its comma; the first one is where the object opens.
            match out.get_mut(start) {
                Some(first) => *first = b'{',
                None => out.push(b'{'),
            }
            out.extend_from_slice(b"}\n");
        }
    }
}

impl JsonEncoder {
    fn encode_texts(&self, row: &TextRow<'_>, out: &mut Vec<u8>) {
        let is_plain = is_plain(row.bytes());
        for (joint, text) in self.joints.iter().zip(row.values()) {
            out.extend_from_slice(joint);
            if is_plain {
                out.extend_from_slice(text);
            } else {
                escape(text, out);
            }
        }
        out.extend_from_slice(b"\"}\n");
    }
}

fn put(key: &[u8], value: Value<'_>, is_plain: bool, out: &mut Vec<u8>) {
    let bare_key = &key[..key.len() - 1];
    match value {
        Value::Text(text) => {
            out.extend_from_slice(key);
            if is_plain {
                out.extend_from_slice(text);
            } else {
                escape(text, out);
            }
            out.push(b'"');
        }
        Value::Number(words) | Value::Json(words) => {
            out.extend_from_slice(bare_key);
            out.extend_from_slice(words);
        }
        Value::Bool(value) => {
            out.extend_from_slice(bare_key);
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        Value::Null => {
            out.extend_from_slice(bare_key);
            out.extend_from_slice(b"null");
        }
        Value::Absent => {}
    }
}

/// Nothing in it needs an escape. Looks at all bytes without stopping, so that it is vectorised.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes
        .iter()
        .fold(false, |found, &byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends UTF-8 text as the inside of a JSON string.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut written = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&text[written..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(names: &[&str], fill: impl Fn(&mut Rows)) -> String {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let shape = Shape::Columns(names.clone().into());
        let mut rows = Rows::new(shape.clone());
        fill(&mut rows);
        let mut out = Vec::new();
        JsonEncoder::new(&shape, &names).encode(&rows, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_kind_of_value() {
        let line = encode(&["t", "n", "b", "z", "gone", "j\"k"], |rows| {
            rows.begin(0, 0);
            rows.text("é\u{1}\"\\\n".as_bytes());
            rows.number(b"0.10");
            rows.bool(true);
            rows.null();
            rows.absent();
            rows.json(b"[1]");
        });
        assert_eq!(
            line,
            "{\"t\":\"é\\u0001\\\"\\\\\\n\",\"n\":0.10,\"b\":true,\"z\":null,\"j\\\"k\":[1]}\n"
        );
    }

    #[test]
    fn a_row_of_nothing_is_an_empty_object() {
        assert_eq!(
            encode(&["a"], |rows| {
                rows.begin(0, 0);
                rows.absent();
            }),
            "{}\n"
        );
    }

    proptest! {
        /// What comes out is JSON that reads back as what went in, and no larger than promised.
        #[test]
        fn text_survives(values in prop::collection::vec("\\PC{0,8}|[\\x00-\\x7f]{0,8}", 1..5)) {
            let names: Vec<String> = (0..values.len()).map(|column| format!("c{column}")).collect();
            let shape = Shape::Columns(names.clone().into());
            let mut rows = Rows::new(shape.clone());
            rows.begin(0, 0);
            values.iter().for_each(|value| rows.text(value.as_bytes()));
            let encoder = JsonEncoder::new(&shape, &names);
            let mut out = Vec::new();
            encoder.encode(&rows, &mut out);
            let bytes = values.iter().map(String::len).sum();
            prop_assert!(out.len() <= encoder.footprint(bytes, 1));
            let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
            for (name, value) in names.iter().zip(&values) {
                prop_assert_eq!(object[name].as_str(), Some(value.as_str()));
            }
            prop_assert_eq!(memchr::memchr(b'\n', &out), Some(out.len() - 1));
        }
    }
}
