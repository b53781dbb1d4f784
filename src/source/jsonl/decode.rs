//! A segment of JSON lines to rows. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::is_blank;
use crate::convert::without_line_ends;
use crate::error::Result;
use crate::record::{ErrorType, Place, Places, Rejected, Rows, Segment, Shape, without_line_end};
use crate::source::Decode;

/// What the sink takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Whole objects, in their own words.
    Documents,
    /// These fields; others are left out.
    Chosen(Vec<String>),
    /// All fields that occur in a sample; a record with others is rejected.
    Sampled,
}

pub struct JsonDecode {
    names: Vec<String>,
    shape: Shape,
    /// Columns by field name: with `a=x,b=x` one field feeds two.
    columns: HashMap<String, Vec<usize>>,
    /// A field that is no column rejects its record.
    is_closed: bool,
}

/// Why a line is not a row.
struct Refusal {
    error_type: ErrorType,
    reason: String,
    column: Option<String>,
}

impl JsonDecode {
    pub fn new(fields: &Fields, names: Vec<String>, sample: &[u8]) -> Result<JsonDecode> {
        let columns = match fields {
            Fields::Documents => None,
            Fields::Chosen(columns) => Some(columns.clone()),
            Fields::Sampled => Some(sampled(sample)),
        };
        Ok(JsonDecode {
            names,
            columns: by_name(columns.as_deref().unwrap_or_default()),
            shape: match columns {
                Some(columns) => Shape::Columns(columns.into()),
                None => Shape::Documents,
            },
            is_closed: *fields == Fields::Sampled,
        })
    }

    fn row(&self, line: &str, rows: &mut Rows) -> std::result::Result<(), Refusal> {
        let line = line.trim_end();
        if !line.trim_start().starts_with('{') {
            return Err(Refusal {
                error_type: ErrorType::Parse,
                reason: "not a JSON object".to_string(),
                column: None,
            });
        }
        let Shape::Columns(columns) = &self.shape else {
            serde_json::from_str::<IgnoredAny>(line).map_err(|cause| parse_refusal(&cause))?;
            rows.json(line.trim_start().as_bytes());
            return Ok(());
        };
        let object: Object = serde_json::from_str(line).map_err(|cause| parse_refusal(&cause))?;
        let mut values: Vec<Option<&RawValue>> = vec![None; columns.len()];
        for (name, value) in object.0 {
            let Some(fed) = self.columns.get(name.as_ref()) else {
                if self.is_closed {
                    return Err(Refusal {
                        error_type: ErrorType::TypeMismatch,
                        reason: "a field that the first records do not have; choose the fields with --select".to_string(),
                        column: Some(name.into_owned()),
                    });
                }
                continue;
            };
            let is_repeated = values[fed[0]].is_some();
            fed.iter().for_each(|&column| values[column] = Some(value));
            if is_repeated {
                return Err(Refusal {
                    error_type: ErrorType::Parse,
                    reason: "the field occurs twice in one object".to_string(),
                    column: Some(name.into_owned()),
                });
            }
        }
        for (column, value) in values.into_iter().enumerate() {
            put(value, rows).map_err(|reason| Refusal {
                error_type: ErrorType::Encoding,
                reason,
                column: Some(columns[column].clone()),
            })?;
        }
        Ok(())
    }
}

impl Decode for JsonDecode {
    fn shape(&self) -> Shape {
        self.shape.clone()
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
                    Ok(text) => self.row(text, rows),
                    Err(error) => Err(Refusal {
                        error_type: ErrorType::Encoding,
                        reason: format!(
                            "not valid UTF-8 at byte {} of the line",
                            error.valid_up_to()
                        ),
                        column: None,
                    }),
                };
                if let Err(refusal) = outcome {
                    rows.abandon();
                    rows.rejected.push(reject(places.of(index, offset), line, refusal));
                }
                index += 1;
            }
            offset += length;
        }
        Ok(())
    }
}

fn reject(place: Place, line: &[u8], refusal: Refusal) -> Rejected {
    Rejected {
        place: match refusal.column {
            Some(column) => place.column(column),
            None => place,
        },
        error_type: refusal.error_type,
        reason: refusal.reason,
        raw: without_line_end(line).to_vec(),
    }
}

fn by_name(columns: &[String]) -> HashMap<String, Vec<usize>> {
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, name) in columns.iter().enumerate() {
        by_name.entry(name.clone()).or_default().push(index);
    }
    by_name
}

/// The parser's words hold a line and a column; the line is always 1 and the column is the byte.
fn parse_refusal(cause: &serde_json::Error) -> Refusal {
    let text = cause.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    Refusal {
        error_type: ErrorType::Parse,
        reason: format!("not valid JSON at byte {} of the line: {what}", cause.column()),
        column: None,
    }
}

fn put(value: Option<&RawValue>, rows: &mut Rows) -> std::result::Result<(), String> {
    let Some(value) = value else {
        rows.absent();
        return Ok(());
    };
    let words = value.get().as_bytes();
    match words[0] {
        b'n' => rows.null(),
        b't' => rows.bool(true),
        b'f' => rows.bool(false),
        b'"' => {
            let text: Cow<str> =
                serde_json::from_str::<Text>(value.get()).map(|text| text.0).map_err(|_| {
                    "the string holds half of a surrogate pair, which is no text".to_string()
                })?;
            rows.text(text.as_bytes());
        }
        b'{' | b'[' => rows.json(&without_line_ends(words)),
        _ => rows.number(words),
    }
    Ok(())
}

/// The fields of the first records, in the order in which they first occur.
fn sampled(sample: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in sample.split(|&byte| byte == b'\n') {
        let Ok(object) = serde_json::from_slice::<Object>(line) else { continue };
        for (name, _) in object.0 {
            if !names.iter().any(|known| *known == name) {
                names.push(name.into_owned());
            }
        }
    }
    names
}

/// A string, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of an object as they stand, repeated ones included.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text, &RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Flush, Interval, Value};

    fn decode(fields: &Fields, text: &str) -> Rows {
        let decoder = JsonDecode::new(fields, vec!["x".to_string()], text.as_bytes()).unwrap();
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

    fn reasons(rows: &Rows) -> Vec<String> {
        rows.rejected
            .iter()
            .map(|rejected| format!("{}: {}", rejected.place, rejected.reason))
            .collect()
    }

    #[test]
    fn documents_keep_their_own_words() {
        let rows = decode(&Fields::Documents, " {\"a\": 1.50,\"a\":2} \r\n\n[1]\n{\"b\"\n{}");
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
        let chosen = Fields::Chosen(["t", "n", "o", "z", "gone"].map(String::from).to_vec());
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
        let rows = decode(
            &Fields::Chosen(vec!["a".to_string()]),
            "{\"a\":1,\"a\":2}\n{\"a\":\"\\ud800\"}\n3\n",
        );
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
