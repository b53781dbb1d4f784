//! A CSV segment to rows, by the crate `csv`. Pure.

use std::sync::Arc;

use super::{CsvDialect, InvalidText, Quoting, Ragged, guard};
use crate::convert::{Unfit, Values};
use crate::error::{Error, Result};
use crate::record::{
    ErrorType, Flaw, Flush, Place, Places, Rejected, Rows, Segment, Shape, without_line_end,
};
use crate::source::Decode;
use crate::source::text::decode_value;

pub struct CsvDecode {
    pub dialect: CsvDialect,
    pub columns: Arc<[String]>,
    /// By split.
    pub layouts: Vec<Layout>,
    /// What the splits are called.
    pub names: Vec<String>,
    pub values: Values,
    pub ragged: Ragged,
    pub invalid_text: InvalidText,
    /// Values are turned from this encoding one by one.
    pub encoding: Option<&'static encoding_rs::Encoding>,
}

/// Where one file keeps the columns of the run.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Fields in each of the file's records.
    pub width: usize,
    /// The field of each column; none where they agree one to one.
    pub map: Option<Vec<usize>>,
}

/// Why a record is not a row.
pub(super) struct CsvFault {
    error_type: ErrorType,
    reason: String,
    column: Option<usize>,
}

impl CsvFault {
    fn parse(reason: impl Into<String>) -> CsvFault {
        CsvFault { error_type: ErrorType::Parse, reason: reason.into(), column: None }
    }

    fn encoding(field: usize, byte: usize) -> CsvFault {
        let reason = format!(
            "not valid UTF-8 at byte {byte} of the field; if the file is in another encoding, set --csv-encoding, for example windows-1252"
        );
        CsvFault { error_type: ErrorType::Encoding, reason, column: Some(field) }
    }
}

impl Decode for CsvDecode {
    fn shape(&self) -> Shape {
        Shape::Columns(Arc::clone(&self.columns))
    }

    /// A byte of a single-byte encoding becomes up to three of UTF-8, as does one that is replaced.
    fn text_growth(&self) -> usize {
        let grows = self.encoding.is_some() || self.invalid_text == InvalidText::Replace;
        if grows { 3 } else { 1 }
    }

    fn copies_max(&self) -> usize {
        let copies = self.layouts.iter().flat_map(|layout| &layout.map).map(|map| {
            let mut fields = map.clone();
            fields.sort_unstable();
            fields.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap_or(1)
        });
        copies.max().unwrap_or(1)
    }

    /// A quoted field may hold line ends.
    fn record_end(&self, bytes: &[u8], start: usize) -> usize {
        let rest = &bytes[start..];
        let mut reader = self.dialect.reader(rest);
        // Whatever it finds is the record: it was read in the same way before.
        let _ = reader.read_byte_record(&mut csv::ByteRecord::new());
        start + reader.position().byte() as usize - guard(rest)
    }

    fn decode(&self, segment: &Segment, rows: &mut Rows) -> Result<()> {
        let is_ascii = self.encoding.is_none() && segment.bytes.is_ascii();
        let mut flaws = segment.flaws.iter().peekable();
        let split = segment.interval.split;
        let mut places = Places::new(&self.names[split], segment);
        let mut scratch = Scratch::default();
        let bytes = &segment.bytes;
        let guard = guard(bytes);
        if let Some((offset, refusal)) = self.refuse_unread(segment) {
            let place = places.of(0, offset);
            rows.rejected.push(self.reject(segment, place, offset..bytes.len(), refusal));
            return Ok(());
        }
        let legible = self.dialect.legible(bytes);
        let mut reader = self.dialect.reader(&legible);
        let mut record = csv::ByteRecord::new();
        let mut index = 0;
        loop {
            let before = (reader.position().byte() as usize).saturating_sub(guard);
            let is_record = reader.read_byte_record(&mut record).map_err(|cause| {
                Error::internal("the csv crate refused a record").because(cause)
            })?;
            if !is_record {
                return Ok(());
            }
            let offset = self.dialect.record_start(bytes, before);
            if offset == bytes.len() {
                // To the crate, a comment that the end of the file ends is a record.
                return Ok(());
            }
            let flaw = flaws.next_if(|(flawed, _)| *flawed == index).map(|(_, flaw)| *flaw);
            rows.begin(index, offset);
            let outcome = self
                .check_flaw(flaw)
                .and_then(|()| self.row(split, &record, is_ascii, &mut scratch, rows));
            if let Err(refusal) = outcome {
                rows.abandon();
                let end = reader.position().byte() as usize - guard;
                let place = places.of(index, offset);
                let rejected = self.reject(segment, place, offset..end, refusal);
                rows.rejected.push(rejected);
            }
            index += 1;
        }
    }
}

/// Memory for one record that must be changed before it is stored.
#[derive(Default)]
struct Scratch {
    text: Vec<u8>,
}

impl CsvDecode {
    fn check_flaw(&self, flaw: Option<Flaw>) -> std::result::Result<(), CsvFault> {
        match (flaw, self.dialect.quoting) {
            (Some(Flaw::TextAfterQuote), Quoting::Normal | Quoting::Strict) => {
                Err(CsvFault::parse(
                    "text after a closing quote; --csv-quotes lenient takes it as it is",
                ))
            }
            (Some(Flaw::StrayQuote), Quoting::Strict) => {
                Err(CsvFault::parse("a quote inside a field that does not begin with one"))
            }
            _ => Ok(()),
        }
    }

    fn row(
        &self,
        split: usize,
        record: &csv::ByteRecord,
        is_ascii: bool,
        scratch: &mut Scratch,
        rows: &mut Rows,
    ) -> std::result::Result<(), CsvFault> {
        let layout = &self.layouts[split];
        self.check_width(layout, record.len())?;
        if !is_ascii && self.encoding.is_none() && self.invalid_text == InvalidText::Reject {
            check_utf8(record)?;
        }
        let is_plain = layout.map.is_none()
            && record.len() == layout.width
            && self.values.are_all_plain_text()
            && self.encoding.is_none()
            && (is_ascii || self.invalid_text == InvalidText::Reject);
        if is_plain {
            rows.texts(record.as_slice(), record.iter().map(<[u8]>::len));
            return Ok(());
        }
        for column in 0..self.columns.len() {
            let field = layout.map.as_ref().map_or(column, |map| map[column]);
            let raw = record.get(field).unwrap_or(b"");
            let value = self.value(raw, is_ascii, field, &mut scratch.text)?;
            self.values.put(column, value, rows).map_err(|unfit: Unfit| CsvFault {
                error_type: unfit.error_type,
                reason: unfit.reason,
                column: Some(field),
            })?;
        }
        Ok(())
    }

    /// A large record that is mostly delimiters is refused before the crate lists its fields, which
    /// takes eight times its size. Without a quote in it, delimiters are all there is to know.
    fn refuse_unread(&self, segment: &Segment) -> Option<(usize, CsvFault)> {
        if segment.flush != Flush::Large || segment.records == 0 {
            return None;
        }
        let offset = self.dialect.record_start(&segment.bytes, 0);
        let record = &segment.bytes[offset..];
        let has_quote =
            self.dialect.quote.is_some_and(|quote| memchr::memchr(quote, record).is_some());
        if has_quote || self.ragged == Ragged::Truncate {
            return None;
        }
        let fields = memchr::memchr_iter(self.dialect.delimiter, record).count() + 1;
        let layout = &self.layouts[segment.interval.split];
        let refusal = (fields > layout.width).then(|| self.check_width(layout, fields).err())?;
        refusal.map(|refusal| (offset, refusal))
    }

    pub(super) fn check_width(
        &self,
        layout: &Layout,
        found: usize,
    ) -> std::result::Result<(), CsvFault> {
        let is_fitting = match self.ragged {
            Ragged::Reject => found == layout.width,
            Ragged::Pad => found <= layout.width,
            Ragged::Truncate => found >= layout.width,
        };
        if is_fitting {
            return Ok(());
        }
        let fields = if found == 1 { "field" } else { "fields" };
        Err(CsvFault::parse(format!("{found} {fields} where there are {} columns", layout.width)))
    }

    /// The field as UTF-8.
    fn value<'a>(
        &self,
        raw: &'a [u8],
        is_ascii: bool,
        field: usize,
        scratch: &'a mut Vec<u8>,
    ) -> std::result::Result<&'a [u8], CsvFault> {
        if let Some(encoding) = self.encoding {
            scratch.clear();
            decode_value(encoding, raw, scratch).map_err(|_| CsvFault {
                error_type: ErrorType::Encoding,
                reason: format!("not {}; check --csv-encoding", encoding.name()),
                column: Some(field),
            })?;
            return Ok(scratch);
        }
        if is_ascii || self.invalid_text == InvalidText::Reject || std::str::from_utf8(raw).is_ok()
        {
            return Ok(raw);
        }
        scratch.clear();
        scratch.extend_from_slice(String::from_utf8_lossy(raw).as_bytes());
        Ok(scratch)
    }

    fn reject(
        &self,
        segment: &Segment,
        mut place: Place,
        range: std::ops::Range<usize>,
        refusal: CsvFault,
    ) -> Rejected {
        if let Some(field) = refusal.column {
            place = place.column(self.column_name(segment.interval.split, field));
        }
        Rejected {
            place,
            error_type: refusal.error_type,
            reason: refusal.reason,
            raw: without_line_end(&segment.bytes[range]).to_vec(),
        }
    }

    fn column_name(&self, split: usize, field: usize) -> String {
        let column = match &self.layouts[split].map {
            None => Some(field),
            Some(map) => map.iter().position(|&mapped| mapped == field),
        };
        match column.and_then(|column| self.columns.get(column)) {
            Some(name) => name.clone(),
            None => format!("{}", field + 1),
        }
    }
}

/// All fields are checked at once; that fields do not share a character is checked where one begins.
fn check_utf8(record: &csv::ByteRecord) -> std::result::Result<(), CsvFault> {
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    let is_valid = std::str::from_utf8(record.as_slice()).is_ok()
        && !record.iter().any(|field| field.first().is_some_and(is_continuation));
    if is_valid {
        return Ok(());
    }
    for (index, field) in record.iter().enumerate() {
        if let Err(error) = std::str::from_utf8(field) {
            return Err(CsvFault::encoding(index, error.valid_up_to()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Interval, Value};

    fn decoder(ragged: Ragged, invalid_text: InvalidText) -> CsvDecode {
        let columns: Arc<[String]> = ["a", "b"].map(String::from).into();
        CsvDecode {
            dialect: CsvDialect::default(),
            values: Values::text(&columns, None),
            columns,
            layouts: vec![Layout { width: 2, map: None }],
            names: vec!["x.csv".to_string()],
            ragged,
            invalid_text,
            encoding: None,
        }
    }

    fn decode(text: &[u8], ragged: Ragged, invalid_text: InvalidText) -> Rows {
        let decoder = decoder(ragged, invalid_text);
        let segment = Segment {
            interval: Interval::bytes(0, 100, 100 + text.len() as u64),
            first_record: 11,
            first_line: 21,
            records: 0,
            bytes: text.to_vec(),
            flaws: Vec::new(),
            flush: Flush::End,
        };
        let mut rows = Rows::new(decoder.shape());
        decoder.decode(&segment, &mut rows).unwrap();
        rows
    }

    fn texts(rows: &Rows) -> Vec<Vec<&[u8]>> {
        let text = |value| match value {
            Value::Text(text) => text,
            other => panic!("{other:?} is not text"),
        };
        (0..rows.len()).map(|row| rows.row(row).map(text).collect()).collect()
    }

    #[test]
    fn fields_become_cells_and_bad_records_rejections() {
        let rows = decode(
            b"1,x\r\n2\r\n\"3\",\"y\"\"\n\"\r\n4,\xff\n",
            Ragged::Reject,
            InvalidText::Reject,
        );
        assert_eq!(texts(&rows), [[&b"1"[..], b"x"], [b"3", b"y\"\n"]]);
        assert_eq!((rows.record(1), rows.offset(1)), (2, 8));
        let [short, foreign] = &rows.rejected[..] else { panic!("{:?}", rows.rejected) };
        assert_eq!(short.place.to_string(), "x.csv, line 22, byte 105");
        assert_eq!(short.reason, "1 field where there are 2 columns");
        assert_eq!(short.raw, b"2");
        assert_eq!(foreign.place.to_string(), "x.csv, line 25, byte 120, column 'b'");
        assert_eq!(foreign.raw, b"4,\xff");
    }

    #[test]
    fn a_character_torn_over_two_fields_is_not_utf8() {
        let rows = decode(b"\xc3,\xa9\n", Ragged::Reject, InvalidText::Reject);
        assert_eq!(rows.rejected.len(), 1);
    }

    #[test]
    fn a_mark_in_the_middle_of_a_file_is_data() {
        let rows =
            decode(b"\xef\xbb\xbf1,x\n\xef\xbb\xbf2,y\n", Ragged::Reject, InvalidText::Reject);
        assert_eq!(texts(&rows), [["\u{feff}1".as_bytes(), b"x"], ["\u{feff}2".as_bytes(), b"y"]]);
        assert_eq!((rows.offset(0), rows.offset(1)), (0, 7));
    }

    #[test]
    fn a_large_record_of_delimiters_is_refused_as_others_are() {
        let segment = |text: &[u8], flush| Segment {
            interval: Interval::bytes(0, 0, text.len() as u64),
            first_record: 1,
            first_line: 1,
            records: 1,
            bytes: text.to_vec(),
            flaws: Vec::new(),
            flush,
        };
        for text in ["\n1,2,3\n", "1,2,\"3\"\n", "1\n"] {
            let reject = |flush| {
                let decoder = decoder(Ragged::Reject, InvalidText::Reject);
                let mut rows = Rows::new(decoder.shape());
                decoder.decode(&segment(text.as_bytes(), flush), &mut rows).unwrap();
                rows.rejected
            };
            let found = reject(Flush::Large);
            assert_eq!(found.len(), 1, "{text:?}");
            assert_eq!(found, reject(Flush::End), "{text:?}");
        }
    }

    #[test]
    fn what_to_do_with_the_rest_is_a_choice() {
        let pad = decode(b"1\n1,2,3\n", Ragged::Pad, InvalidText::Reject);
        assert_eq!(texts(&pad), [[&b"1"[..], b""]]);
        assert_eq!(pad.rejected.len(), 1);
        let truncate = decode(b"1\n1,2,3\n", Ragged::Truncate, InvalidText::Reject);
        assert_eq!(texts(&truncate), [[&b"1"[..], b"2"]]);
        let replace = decode(b"1,\xff\n", Ragged::Reject, InvalidText::Replace);
        assert_eq!(texts(&replace), [[&b"1"[..], "\u{fffd}".as_bytes()]]);
    }
}
