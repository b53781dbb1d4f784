//! JSON lines: one object a line. Where the sink takes whole documents they travel as they are,
//! checked and not printed again; where it wants columns, they are taken apart in the workers.

mod decode;
mod sample;

use std::path::PathBuf;
use std::sync::Arc;

use self::decode::JsonDecode;
use super::document::Picker;
use super::named_fields::{FieldCheck, NamedFields};
use super::sample::{Sampled, declare, declare_bytes, name_columns, records_of, share};
use super::text::{
    Boundaries, FileCursor, Input, OpenedStream, Scan, Start, Stream, StreamSettings, find,
    read_ahead,
};
use super::{Cursor, Decode, SegmentLimit, Source, Split, Wanted};
use crate::error::Result;
use crate::event::Expected;
use crate::infer::{Origin, Sample};
use crate::record::{ColumnType, Dates, Field, FieldKind};

#[derive(Clone, Debug)]
pub struct JsonlSettings {
    pub files: Vec<String>,
    /// What the run writes, which no glob among the files stands for.
    pub written: Vec<PathBuf>,
    /// A glob may stand for nothing.
    pub allow_empty: bool,
    pub stream: StreamSettings,
    pub limit: SegmentLimit,
    /// Objects in objects are their fields, named `outer.inner`.
    pub flatten: bool,
    /// What stands between the names of such fields where they are columns, if that is no dot.
    pub separator: Option<String>,
    /// Fields that hold times, and how these are written.
    pub dates: Vec<(String, Dates)>,
    /// What columns are to be that are made for these.
    pub types: Vec<(String, ColumnType)>,
    /// Fields that the user named.
    pub asked: Vec<NamedFields>,
}

pub struct JsonlSource {
    splits: Vec<Split>,
    files: Vec<JsonlFile>,
    settings: JsonlSettings,
    fields: Vec<Field>,
    asked: FieldCheck,
}

struct JsonlFile {
    input: Input,
    kept: OpenedStream,
}

/// Enough records to learn the names of the fields from; where they are larger, one will do.
const SAMPLE_BYTES: usize = 256 * 1024;

/// The option that names the files.
const FLAG: &str = "jsonl-file";

impl JsonlSource {
    pub fn open(settings: JsonlSettings) -> Result<JsonlSource> {
        let found = find(&settings.files, FLAG, &settings.written, settings.allow_empty)?;
        found.say_left_out(FLAG);
        let mut files = Vec::new();
        let mut fields = Vec::new();
        for input in found.inputs {
            let mut stream = Stream::open(&input, &settings.stream)?;
            let mut ahead = Vec::new();
            if fields.is_empty() {
                fields = learn(&mut stream, &mut ahead, &settings)?;
            } else if !input.is_rereadable() {
                stream.fill(&mut ahead, SAMPLE_BYTES)?;
            }
            let kept = OpenedStream::new(&input, stream, ahead);
            files.push(JsonlFile { input, kept });
        }
        Ok(JsonlSource {
            splits: files.iter().map(|file| Split::file(&file.input.name)).collect(),
            files,
            fields: {
                let mut fields = sample::with_dates(fields, &settings.dates);
                for name in declare_bytes(&mut fields, &settings.types) {
                    // One that these records lack may still come.
                    let known = Field::new(name, FieldKind::Base64, "base64");
                    fields.push(Field { is_declared: true, ..known });
                }
                name_columns(&mut fields, settings.separator.as_deref());
                fields
            },
            asked: FieldCheck::new(&settings.asked),
            settings,
        })
    }
}

/// The fields of the first records of a stream. Reads `ahead` until there is one with fields, or where
/// a record would be too large.
fn learn(stream: &mut Stream, ahead: &mut Vec<u8>, settings: &JsonlSettings) -> Result<Vec<Field>> {
    let mut target = SAMPLE_BYTES;
    loop {
        let is_last = !stream.fill(ahead, target)?;
        let fields = sample::fields(ahead, settings.flatten);
        if !fields.is_empty() || is_last || ahead.len() > settings.limit.record_bytes {
            return Ok(fields);
        }
        target = (ahead.len() * 2).min(settings.limit.record_bytes + 1);
    }
}

impl Source for JsonlSource {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, split: usize, limit: SegmentLimit) -> Result<Box<dyn Cursor + '_>> {
        let file = &self.files[split];
        let (stream, ahead) = match file.kept.take() {
            Some(kept) => kept,
            None => (Stream::open(&file.input, &self.settings.stream)?, Vec::new()),
        };
        let start = Start { byte: 0, line: 1 };
        Ok(Box::new(FileCursor::new(split, stream, Lines, limit, ahead, start)))
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn sample(&self, columns: &[String]) -> Result<Sampled> {
        let (flatten, stream) = (self.settings.flatten, &self.settings.stream);
        let mut sample = Sample::default();
        let dates = self.settings.dates.iter().map(|(name, dates)| (&name[..], dates));
        super::sample::expect_dates(&mut sample, dates);
        let (records_max, bytes_max) =
            (share(self.files.len()), self.settings.limit.record_bytes / self.files.len().max(1));
        for file in &self.files {
            file.kept.look(&file.input, stream, |stream, ahead| {
                let end = read_ahead(stream, ahead, 0, &Lines, records_max, bytes_max)?;
                sample::note(&ahead[..end], flatten, &mut sample);
                Ok(())
            })?;
        }
        let mut fields = super::sample::fields(&sample, flatten);
        let separator = self.settings.separator.as_deref();
        name_columns(&mut fields, separator);
        // Else an object is one value, and a name with a dot a field of its own.
        let notes = match flatten {
            true => super::sample::fold(&mut fields, &sample, columns, separator),
            false => Vec::new(),
        };
        let mut notes: Vec<String> = notes.iter().map(|name| super::sample::folded(name)).collect();
        notes.extend(super::sample::overflow(&sample));
        let mut fields = sample::with_dates(fields, &self.settings.dates);
        for name in declare(&mut fields, &self.settings.types) {
            // One that the sample lacks may still come.
            fields.push(Field::new(name, FieldKind::Unknown, "declared"));
        }
        declare(&mut fields, &self.settings.types);
        let widened = super::sample::widen_declared(&mut fields, &sample);
        name_columns(&mut fields, separator);
        let of = records_of(sample.records, "first");
        let mut doubts = super::sample::doubts(&fields, &sample, Origin::Json);
        doubts.extend(widened);
        let is_of_nothing = sample.records == 0;
        Ok(Sampled { fields, of, notes, doubts, is_of_nothing })
    }

    fn decoder(&self, wanted: &Wanted) -> Result<Arc<dyn Decode>> {
        let names = self.splits.iter().map(|split| split.name.clone()).collect();
        let separator = self.settings.separator.as_deref();
        let picker = Picker::new(wanted, &[], self.settings.flatten).joined_by(separator);
        let watch = self.asked.watch(&picker.shape(), &[]);
        Ok(Arc::new(JsonDecode { names, picker: picker.watched(watch) }))
    }

    fn expected(&self) -> Expected {
        let sizes = self.files.iter().map(|file| file.input.size);
        Expected { records: None, stored_bytes: sizes.sum() }
    }

    fn confirm(&self, _records: u64) -> Result<()> {
        self.asked.judge()
    }
}

/// A record a line; JSON escapes line ends in strings, so every line feed ends one.
pub struct Lines;

impl Boundaries for Lines {
    fn scan(&self, bytes: &[u8], is_last: bool, records_max: u64) -> Scan {
        let mut scan = Scan::default();
        while scan.records < records_max && scan.end < bytes.len() {
            let rest = &bytes[scan.end..];
            let (length, ended) = match memchr::memchr(b'\n', rest) {
                Some(at) => (at + 1, true),
                None if is_last => (rest.len(), false),
                None => break,
            };
            if is_blank(&rest[..length]) {
                scan.blank_lines += 1;
            } else {
                scan.records += 1;
            }
            scan.lines += u64::from(ended);
            scan.end += length;
        }
        scan
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records_and_blank_ones_are_not() {
        for (text, is_last, records, lines, end) in [
            ("", true, 0, 0, 0),
            ("{}\n\n{}", true, 2, 2, 6),
            ("{}\n\n{}", false, 1, 2, 4),
            ("{}\r\n \t\r\n", true, 1, 2, 8),
        ] {
            let scan = Lines.scan(text.as_bytes(), is_last, u64::MAX);
            assert_eq!((scan.records, scan.lines, scan.end), (records, lines, end), "{text:?}");
        }
    }
}
