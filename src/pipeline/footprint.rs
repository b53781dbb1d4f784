//! What a segment needs at worst, all the way, and how large one may be so that a few of them fit into
//! the memory of the run. Pure.

use std::sync::Arc;

use super::max_errors::MaxErrors;
use crate::error::{Error, Result};
use crate::record::ARENA_BYTES_MAX;
use crate::sink::Sink;
use crate::source::{Decode, SegmentLimit};

/// One packed cell of `Rows`.
const CELL_BYTES: usize = 4;
/// Offset and index of a row's record.
const ROW_BYTES: usize = 8;
/// What the csv crate keeps of each field of the record it is at, growing by doubling.
const FIELD_BYTES: usize = 12;
/// What a decoder keeps of each column for the record that it is at.
const COLUMN_BYTES: usize = 64;
/// A rejection's place and reason, about.
pub const REJECTED_BYTES: usize = 256;

/// The share of the memory that the rows of one segment may need beside their text. Where rows are
/// wide, a segment has fewer of them.
const ROWS_SHARE: usize = 4;

/// The largest share of the memory that a single row may need beside its text.
const ROW_SHARE_MAX: usize = 2;

pub struct Footprint {
    sink: Arc<dyn Sink>,
    /// Columns of a row.
    width: usize,
    /// Bytes of text that a byte of source may become.
    text_growth: usize,
    /// Larger segments are single records.
    segment_bytes: usize,
    /// What becomes of a record that is rejected, where the run goes on.
    rejected_bytes: usize,
}

impl Footprint {
    pub fn new(
        decoder: &dyn Decode,
        sink: &Arc<dyn Sink>,
        limit: SegmentLimit,
        max_errors: MaxErrors,
    ) -> Footprint {
        Footprint {
            sink: Arc::clone(sink),
            width: decoder.shape().width(),
            text_growth: decoder.text_growth() * decoder.copies_max(),
            segment_bytes: limit.bytes,
            rejected_bytes: match max_errors {
                MaxErrors::Count(0) => 0,
                _ => REJECTED_BYTES,
            },
        }
    }

    /// Its bytes, its rows, and what is prepared of them or kept of them as rejected.
    pub fn of(&self, bytes: usize, records: u64) -> usize {
        let records = records.min(bytes as u64);
        let text = bytes.saturating_mul(self.text_growth);
        let cells = (records as usize).saturating_mul(self.width * CELL_BYTES + ROW_BYTES);
        // A record that travels alone may be nothing but delimiters, and is looked at as a whole.
        let is_large = bytes > self.segment_bytes;
        let fields = if is_large { bytes * FIELD_BYTES } else { 0 };
        let prepared = cells.saturating_add(self.sink.footprint(text, records));
        let rejected = (records as usize).saturating_mul(self.rejected_bytes);
        let decoder = self.width * COLUMN_BYTES;
        (bytes + fields + decoder).saturating_add(text).saturating_add(prepared.max(rejected))
    }

    /// What each record adds to that.
    fn row_bytes(&self) -> usize {
        let prepared = self.sink.footprint(0, 2) - self.sink.footprint(0, 1);
        (self.width * CELL_BYTES + ROW_BYTES + prepared).max(self.rejected_bytes)
    }
}

/// The limit as it is for this decoder and sink: with fewer records where rows are wide, with fewer
/// bytes where a field fills several columns. An error where not even one row fits.
pub fn fit(
    limit: SegmentLimit,
    memory: usize,
    decoder: &dyn Decode,
    sink: &Arc<dyn Sink>,
    max_errors: MaxErrors,
) -> Result<SegmentLimit> {
    let footprint = Footprint::new(decoder, sink, limit, max_errors);
    let row = footprint.row_bytes();
    let need = row.saturating_add(footprint.width * COLUMN_BYTES);
    let most = memory / ROW_SHARE_MAX;
    if need > most {
        let width = footprint.width;
        return Err(Error::config(format!(
            "a row of {width} columns may need {need} bytes of memory, and may have {most}, which is half of the limit"
        ))
        .help("raise --memory-limit, or choose fewer columns with --select"));
    }
    let fitting = (memory / ROWS_SHARE / row.max(1)).max(1) as u64;
    let copies = decoder.copies_max();
    let in_arena = ARENA_BYTES_MAX / footprint.text_growth.max(1);
    let bytes = |limit: usize| (limit / copies).min(in_arena).max(1);
    Ok(SegmentLimit {
        records: limit.records.min(fitting),
        bytes: bytes(limit.bytes),
        record_bytes: bytes(limit.record_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Rows, Segment, Shape};
    use crate::sink::memory::MemorySink;

    struct Table {
        width: usize,
        copies: usize,
    }

    impl Decode for Table {
        fn shape(&self) -> Shape {
            Shape::Columns((0..self.width).map(|column| format!("c{column}")).collect())
        }

        fn text_growth(&self) -> usize {
            3
        }

        fn copies_max(&self) -> usize {
            self.copies
        }

        fn decode(&self, _segment: &Segment, _rows: &mut Rows) -> Result<()> {
            Ok(())
        }
    }

    fn fitted(
        width: usize,
        copies: usize,
        memory: usize,
        limit: SegmentLimit,
    ) -> Result<SegmentLimit> {
        let sink: Arc<dyn Sink> = Arc::new(MemorySink::new(1));
        fit(limit, memory, &Table { width, copies }, &sink, MaxErrors::Count(0))
    }

    #[test]
    fn wide_rows_make_for_short_segments() {
        let limit = SegmentLimit { records: 50_000, bytes: 1 << 19, record_bytes: 1 << 19 };
        assert_eq!(fitted(16, 1, 256 << 20, limit).unwrap(), limit);
        let records = |width| fitted(width, 1, 8 << 20, limit).map(|limit| limit.records);
        assert!(records(20_000).unwrap() < 30);
        assert_eq!(records(50_000).unwrap(), 10);
        let refused = records(100_000).unwrap_err();
        assert!(refused.to_string().contains("--memory-limit"), "{refused}");
    }

    #[test]
    fn text_that_is_multiplied_makes_for_small_segments() {
        let limit = SegmentLimit { records: 9, bytes: 1 << 20, record_bytes: 1 << 24 };
        let fitted_to = |copies, limit| fitted(50, copies, 1 << 40, limit).unwrap();
        let shorter = SegmentLimit { bytes: 1 << 18, record_bytes: 1 << 22, ..limit };
        assert_eq!(fitted_to(4, limit), shorter);
        let huge = SegmentLimit { bytes: 160 << 20, record_bytes: 160 << 20, ..limit };
        let SegmentLimit { bytes, record_bytes, .. } = fitted_to(10, huge);
        assert!(bytes * 30 <= ARENA_BYTES_MAX && record_bytes * 30 <= ARENA_BYTES_MAX);
    }
}
