//! A segment of hits, one a line, to rows. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::clash::Clash;
use super::malformed;
use crate::error::Result;
use crate::record::{ErrorType, Place, Rows, Segment, Shape, Value};
use crate::source::Decode;
use crate::source::document::{JsonText, Picker, RecordFault};

/// What stands beside a document in a hit.
pub const METADATA_FIELDS: &[&str] = &["_id", "_index", "_routing", "_version"];

pub struct HitDecode {
    /// What the splits are called.
    pub names: Vec<String>,
    pub picker: Picker,
    /// Of `METADATA_FIELDS`, what goes in front of the fields of whole documents.
    pub metadata: Vec<String>,
    pub clash: Clash,
}

/// A hit as it is served. Other fields of it, such as `sort`, are no part of the record.
#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(borrow, rename = "_index")]
    index: JsonText<'a>,
    #[serde(borrow, rename = "_id")]
    id: JsonText<'a>,
    #[serde(borrow, rename = "_routing")]
    routing: Option<JsonText<'a>>,
    #[serde(borrow, rename = "_version")]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "_source")]
    source: &'a RawValue,
}

impl Hit<'_> {
    fn metadata(&self, name: &str) -> Value<'_> {
        match name {
            "_id" => Value::Text(self.id.0.as_bytes()),
            "_index" => Value::Text(self.index.0.as_bytes()),
            "_routing" => match &self.routing {
                Some(routing) => Value::Text(routing.0.as_bytes()),
                None => Value::Absent,
            },
            _ => match self.version {
                Some(version) if name == "_version" => Value::Number(version.get().as_bytes()),
                _ => Value::Absent,
            },
        }
    }
}

impl Decode for HitDecode {
    fn shape(&self) -> Shape {
        self.picker.shape()
    }

    fn copies_max(&self) -> usize {
        self.picker.copies_max()
    }

    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()> {
        let mut spliced = Vec::new();
        let mut offset = 0;
        let mut index = 0;
        while offset < segment.bytes.len() {
            let end = self.record_end(&segment.bytes, offset);
            let line = &segment.bytes[offset..end];
            rows.begin(index, offset);
            if let Err(refusal) = self.row(line, &mut spliced, rows) {
                rows.abandon();
                let place = Place {
                    record: Some(segment.first_record + index),
                    ..Place::split(&self.names[segment.interval.split])
                };
                let raw = malformed::framed(line).map_or(line, |(framed, _)| framed.raw);
                rows.rejected.push(refusal.reject(self.locate(line, place), raw)?);
            }
            offset = end;
            index += 1;
        }
        Ok(())
    }

    fn record_end(&self, bytes: &[u8], start: usize) -> usize {
        let rest = &bytes[start..];
        if let Some((_, length)) = malformed::framed(rest) {
            return start + length;
        }
        memchr::memchr(b'\n', rest).map_or(bytes.len(), |at| start + at + 1)
    }

    /// The index and the document's own name say more than a split and a line.
    fn locate(&self, raw: &[u8], mut place: Place) -> Place {
        place.line = None;
        place.byte = None;
        let named = malformed::framed(raw).map_or(raw, |(framed, _)| framed.head);
        if let Ok(hit) = serde_json::from_slice::<Named>(named) {
            place.split = hit.index.0.into_owned();
            place.document = Some(hit.id.0.into_owned());
        }
        place
    }
}

/// As much of a hit as names it.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, rename = "_index")]
    index: JsonText<'a>,
    #[serde(borrow, rename = "_id")]
    id: JsonText<'a>,
}

impl HitDecode {
    fn row(
        &self,
        line: &[u8],
        spliced: &mut Vec<u8>,
        rows: &mut Rows,
    ) -> std::result::Result<(), RecordFault> {
        if let Some((framed, _)) = malformed::framed(line) {
            return Err(bad(framed.raw));
        }
        let text = std::str::from_utf8(line)
            .map_err(|_| RecordFault::new(ErrorType::Encoding, "the hit is not valid UTF-8"))?;
        let hit: Hit = serde_json::from_str(text).map_err(|cause| {
            let words = cause.to_string();
            let what = words.split(" at line ").next().unwrap_or_default();
            RecordFault::new(ErrorType::Parse, format!("the hit cannot be read: {what}"))
        })?;
        let source = hit.source.get();
        if !self.picker.is_whole() {
            return self.picker.row(source, |name| hit.metadata(name), rows);
        }
        // Reading the hit has read the document to its end, so it need not be read once more.
        if !source.starts_with('{') {
            return Err(RecordFault::new(ErrorType::Parse, "not a JSON object"));
        }
        self.picker.saw_whole(source);
        if self.metadata.is_empty() {
            rows.json(source.as_bytes());
            return Ok(());
        }
        if let Some(name) = self.clash.find(source) {
            let reason = format!(
                "the document has a field '{name}' of its own; --es-meta none copies documents as they are"
            );
            return Err(RecordFault::new(ErrorType::Parse, reason));
        }
        self.metadata(&hit, spliced);
        // Behind its brace, the document goes on in its own words.
        let fields = &source[1..];
        let comma: &[u8] = match spliced.is_empty() || fields.trim_start().starts_with('}') {
            true => b"",
            false => b",",
        };
        rows.json_parts(&[b"{", spliced, comma, fields.as_bytes()]);
        Ok(())
    }

    /// What stands beside the document, as fields of it, without a comma at the end.
    fn metadata(&self, hit: &Hit, fields: &mut Vec<u8>) {
        fields.clear();
        for name in &self.metadata {
            let (words, is_text) = match hit.metadata(name) {
                Value::Text(text) => (text, true),
                Value::Number(digits) => (digits, false),
                _ => continue,
            };
            if !fields.is_empty() {
                fields.push(b',');
            }
            fields.push(b'"');
            fields.extend_from_slice(name.as_bytes());
            fields.extend_from_slice(b"\":");
            match is_text {
                true => quote(words, fields),
                false => fields.extend_from_slice(words),
            }
        }
    }
}

/// Why a document is none that can be taken.
fn bad(raw: &[u8]) -> RecordFault {
    match std::str::from_utf8(raw) {
        Err(_) => RecordFault::new(ErrorType::Encoding, "the document is not valid UTF-8"),
        Ok(_) => RecordFault::new(
            ErrorType::Parse,
            "the document is not JSON, which has no comments and begins with no byte order mark",
        ),
    }
}

/// Text as JSON writes it.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.iter().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    let text = std::str::from_utf8(text).expect("names of documents were read as text");
    let quoted = serde_json::to_string(text).expect("text can always be written as JSON");
    out.extend_from_slice(quoted.as_bytes());
}

#[cfg(test)]
mod tests;
