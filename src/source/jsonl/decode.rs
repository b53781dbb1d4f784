//! A segment of JSON lines to rows. Pure.

use super::is_blank;
use crate::error::Result;
use crate::record::{ErrorType, Places, Rows, Segment, Shape, Value};
use crate::source::Decode;
use crate::source::document::{Picker, RecordFault};

pub struct JsonDecode {
    /// What the splits are called.
    pub names: Vec<String>,
    pub picker: Picker,
}

impl Decode for JsonDecode {
    fn shape(&self) -> Shape {
        self.picker.shape()
    }

    fn copies_max(&self) -> usize {
        self.picker.copies_max()
    }

    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()> {
        let mut places = Places::new(&self.names[segment.interval.split], segment);
        let mut index = 0;
        let mut offset = 0;
        while offset < segment.bytes.len() {
            let rest = &segment.bytes[offset..];
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let line = &rest[..length];
            if !is_blank(line) {
                rows.begin(index, offset);
                let outcome = match std::str::from_utf8(line) {
                    Ok(text) => self.picker.row(text, |_| Value::Absent, rows),
                    Err(error) => Err(RecordFault::new(
                        ErrorType::Encoding,
                        format!(
                            "not valid UTF-8 at byte {} of the line; if the file is in another encoding, set --jsonl-encoding",
                            error.valid_up_to()
                        ),
                    )),
                };
                if let Err(refusal) = outcome {
                    rows.abandon();
                    let rejected = refusal.reject(places.of(index, offset), line)?;
                    rows.rejected.push(rejected);
                }
                index += 1;
            }
            offset += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Flush, Interval};
    use crate::source::{Others, Wanted};

    fn decode(wanted: &Wanted, text: &str) -> Rows {
        let picker = Picker::new(wanted, &[], false);
        let decoder = JsonDecode { names: vec!["x".to_string()], picker };
        let segment = Segment {
            interval: Interval::bytes(0, 0, text.len() as u64),
            first_record: 1,
            first_line: 1,
            records: 0,
            bytes: text.as_bytes().to_vec(),
            flaws: Vec::new(),
            flush: Flush::End,
        };
        let mut rows = Rows::new(decoder.shape());
        decoder.decode(&segment, &mut rows).unwrap();
        rows
    }

    fn chosen(names: &[&str]) -> Wanted {
        let names = names.iter().map(|name| name.to_string()).collect();
        Wanted::Fields { names, others: Others::Ignore }
    }

    fn reasons(rows: &Rows) -> Vec<String> {
        rows.rejected
            .iter()
            .map(|rejected| format!("{}: {}", rejected.place, rejected.reason))
            .collect()
    }

    #[test]
    fn documents_keep_their_own_words() {
        let rows = decode(&Wanted::Everything, " {\"a\": 1.50,\"a\":2} \r\n\n[1]\n{\"b\"\n{}");
        assert_eq!(rows.row(0).next(), Some(Value::Json(b"{\"a\": 1.50,\"a\":2}")));
        assert_eq!(rows.row(1).next(), Some(Value::Json(b"{}")));
        assert_eq!(
            reasons(&rows),
            [
                "x, line 3, byte 22: not a JSON object",
                "x, line 4, byte 26: not valid JSON at byte 4 of the line: EOF while parsing an object",
            ]
        );
    }

    #[test]
    fn fields_become_cells_of_their_own_type() {
        let chosen = chosen(&["t", "n", "o", "z", "gone"]);
        let rows = decode(
            &chosen,
            "{\"n\":1e400,\"t\":\"a\\u00e9\\n\",\"o\":{\"x\": [1]},\"z\":null,\"more\":1}\n",
        );
        assert_eq!(
            rows.row(0).collect::<Vec<_>>(),
            [
                Value::Text("aé\n".as_bytes()),
                Value::Number(b"1e400"),
                Value::Json(b"{\"x\": [1]}"),
                Value::Null,
                Value::Absent,
            ]
        );
    }

    #[test]
    fn a_field_that_cannot_be_placed_rejects_its_record() {
        let rows = decode(&chosen(&["a"]), "{\"a\":1,\"a\":2}\n{\"a\":\"\\ud800\"}\n3\n");
        assert_eq!(
            reasons(&rows),
            [
                "x, line 1, byte 0, column 'a': the field occurs twice in one object",
                "x, line 2, byte 14, column 'a': the string holds half of a surrogate pair, which is no text",
                "x, line 3, byte 29: not a JSON object",
            ]
        );
    }
}
