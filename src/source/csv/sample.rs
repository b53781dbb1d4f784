//! The first records of all files, for types to be guessed from.

use super::decode::CsvDecode;
use super::{CsvFile, CsvSettings};
use crate::error::Result;
use crate::infer::{Sample, Value};
use crate::source::sample::{expect_dates, share};
use crate::source::text::{decode_value, read_ahead};

/// What the values of each column have in common, by their names.
pub fn take(files: &[CsvFile], settings: &CsvSettings, decoder: &CsvDecode) -> Result<Sample> {
    let mut sample = Sample::default();
    let dates = settings.typing.dates.iter().map(|(name, dates)| (&name[..], dates));
    expect_dates(&mut sample, dates);
    // In the order of the columns, whatever a file has first.
    decoder.columns.iter().for_each(|column| sample.expect(column));
    let (records_max, bytes_max) =
        (share(files.len()), settings.limit.record_bytes / files.len().max(1));
    for (split, file) in files.iter().enumerate().filter(|(_, file)| !file.head.names.is_empty()) {
        let start = file.head.start.byte as usize;
        file.kept.look(&file.input, &settings.stream, |stream, ahead| {
            let dialect = &settings.dialect;
            let end = read_ahead(stream, ahead, start, dialect, records_max, bytes_max)?;
            decoder.note(
                split,
                ahead.get(start..end).unwrap_or_default(),
                records_max,
                &mut sample,
            );
            Ok(())
        })?;
    }
    Ok(sample)
}

impl CsvDecode {
    /// Records that would be rejected say nothing.
    fn note(&self, split: usize, bytes: &[u8], records_max: u64, sample: &mut Sample) {
        let layout = &self.layouts[split];
        let legible = self.dialect.legible(bytes);
        let mut reader = self.dialect.reader(&legible);
        let mut record = csv::ByteRecord::new();
        let mut decoded = Vec::new();
        for _ in 0..records_max {
            if !matches!(reader.read_byte_record(&mut record), Ok(true)) {
                return;
            }
            if self.check_width(layout, record.len()).is_err() {
                continue;
            }
            sample.records += 1;
            for column in 0..self.columns.len() {
                let place = layout.map.as_ref().map_or(column, |map| map[column]);
                let field = record.get(place).unwrap_or(b"");
                decoded.clear();
                let value = match self.encoding {
                    Some(encoding) => match decode_value(encoding, field, &mut decoded) {
                        Ok(()) => &decoded[..],
                        Err(_) => b"",
                    },
                    None => field,
                };
                if !value.is_empty() && !self.values.is_null(value) {
                    sample.see_at(column, Value::Text(value));
                }
            }
        }
    }
}
