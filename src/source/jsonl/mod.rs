//! JSON lines: one object a line. Where the sink takes whole documents they travel as they are,
//! checked and not printed again; where it wants columns, they are taken apart in the workers.

mod decode;
mod sample;

use std::sync::Arc;

use self::decode::JsonDecode;
use super::document::Picker;
use super::text::{Boundaries, FileCursor, Input, Kept, Scan, Start, Stream, StreamSettings, find};
use super::{Cursor, Decode, SegmentLimit, Source, Split, Wanted};
use crate::error::Result;
use crate::event::Expected;
use crate::record::{Dates, Field};

#[derive(Clone, Debug)]
pub struct JsonlSettings {
    pub files: Vec<String>,
    pub stream: StreamSettings,
    pub limit: SegmentLimit,
    /// Objects in objects are their fields, named `outer.inner`.
    pub flatten: bool,
    /// Fields that hold times, and how these are written.
    pub dates: Vec<(String, Dates)>,
}

pub struct JsonlSource {
    splits: Vec<Split>,
    files: Vec<JsonlFile>,
    settings: JsonlSettings,
    fields: Vec<Field>,
}

struct JsonlFile {
    input: Input,
    kept: Kept,
}

/// Enough records to learn the names of the fields from.
const SAMPLE_BYTES: usize = 256 * 1024;

impl JsonlSource {
    pub fn open(settings: JsonlSettings) -> Result<JsonlSource> {
        let inputs = find(&settings.files, "jsonl-file")?;
        let mut files = Vec::new();
        let mut sample = Vec::new();
        for input in inputs {
            let mut stream = Stream::open(&input, &settings.stream)?;
            let needs_sample = sample.is_empty();
            let mut ahead = Vec::new();
            if needs_sample || !input.is_rereadable() {
                stream.fill(&mut ahead, SAMPLE_BYTES)?;
            }
            if needs_sample {
                sample = ahead.clone();
            }
            let kept = Kept::new(&input, stream, ahead);
            files.push(JsonlFile { input, kept });
        }
        Ok(JsonlSource {
            splits: files.iter().map(|file| Split::file(&file.input.name)).collect(),
            files,
            fields: sample::with_dates(sample::fields(&sample, settings.flatten), &settings.dates),
            settings,
        })
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

    fn decoder(&self, wanted: &Wanted) -> Result<Arc<dyn Decode>> {
        let names = self.splits.iter().map(|split| split.name.clone()).collect();
        let picker = Picker::new(wanted, &[], self.settings.flatten);
        Ok(Arc::new(JsonDecode { names, picker }))
    }

    fn expected(&self) -> Expected {
        let sizes = self.files.iter().map(|file| file.input.size);
        Expected { records: None, stored_bytes: sizes.sum() }
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
