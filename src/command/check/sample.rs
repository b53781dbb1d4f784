//! The first records of a source, and how many there are in all.

use std::sync::Arc;

use crate::error::{Error, Later, Result};
use crate::pipeline::Stop;
use crate::record::Segment;
use crate::report::text;
use crate::source::{Host, Onlooker, SegmentLimit, Source};

/// Read on behind the first records to count. Several times what a reader of a compressed file is
/// ahead, and read at once.
const COUNTED_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub struct Sample {
    /// The first records; none where the source has none.
    pub segment: Option<Segment>,
    pub total: Total,
    /// Behind the first records: a run would come to it, too.
    pub fault: Option<Error>,
}

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    Exactly(u64),
    About(u64),
    #[default]
    Unknown,
}

impl Total {
    pub fn known(self) -> Option<u64> {
        match self {
            Total::Exactly(records) | Total::About(records) => Some(records),
            Total::Unknown => None,
        }
    }

    /// `, 19 % of about 200,001`
    pub fn share(self, seen: u64) -> String {
        let (about, records) = match self {
            Total::Exactly(records) if records <= seen => return ", which are all".to_string(),
            Total::Exactly(records) => ("", records),
            Total::About(records) => ("about ", records),
            Total::Unknown => return String::new(),
        };
        let records = records.max(seen).max(1);
        let percent = seen as f64 / records as f64 * 100.0;
        let shown = match percent {
            percent if percent < 0.1 => "less than 0.1".to_string(),
            percent if percent < 10.0 => format!("{percent:.1}"),
            percent => format!("{percent:.0}"),
        };
        format!(", {shown} % of {about}{}", text::count(records))
    }
}

/// Reads the first records, and of files as many more as it takes to know how many there are.
pub fn sample(source: &dyn Source, limit: SegmentLimit, stop: &Arc<Stop>) -> Result<Sample> {
    let mut host = Listening { stop: Arc::clone(stop) };
    let expected = source.expected();
    let splits = source.splits().len();
    for split in 0..splits {
        let mut cursor = source.open(split, limit)?;
        let Some(segment) = cursor.next(Vec::new(), &mut host)? else { continue };
        let mut sample = Sample { segment: Some(segment), ..Sample::default() };
        let (stored, counted) = match (expected.records, expected.stored_bytes) {
            (Some(records), _) => {
                sample.total = Total::Exactly(records);
                return Ok(sample);
            }
            // A pipe may take its time.
            (None, None) => return Ok(sample),
            (None, Some(stored)) => (stored, sample.segment.as_ref()),
        };
        let first = counted.map_or((0, 0), |segment| (segment.bytes.len(), segment.records));
        let (mut bytes, mut records) = first;
        let mut is_ended = false;
        while bytes < COUNTED_BYTES_MAX && !stop.is_stopping() {
            match cursor.next(Vec::new(), &mut host) {
                Ok(Some(segment)) => {
                    bytes += segment.bytes.len();
                    records += segment.records;
                }
                Ok(None) => {
                    is_ended = true;
                    break;
                }
                Err(fault) => {
                    sample.fault = Some(fault);
                    break;
                }
            }
        }
        let tally = cursor.tally();
        sample.total = match is_ended && split + 1 == splits {
            true => Total::Exactly(records),
            false => estimated(stored, tally.stored_bytes, tally.decoded_bytes, bytes, records),
        };
        return Ok(sample);
    }
    Ok(Sample { total: Total::Exactly(0), ..Sample::default() })
}

/// By the bytes of a record, and by what a stored byte becomes.
fn estimated(stored: u64, read: u64, decoded: u64, bytes: usize, records: u64) -> Total {
    if read == 0 || bytes == 0 || records == 0 {
        return Total::Unknown;
    }
    let decoded_in_all = stored as f64 * decoded as f64 / read as f64;
    let each = bytes as f64 / records as f64;
    Total::About(((decoded_in_all / each).round() as u64).max(records))
}

/// An onlooker that hears signals.
struct Listening {
    stop: Arc<Stop>,
}

impl Host for Listening {
    fn room(&mut self, bytes: usize, records: u64) -> bool {
        Onlooker.room(bytes, records)
    }

    fn stopped(&self) -> Later<'static, ()> {
        let stop = Arc::clone(&self.stop);
        Box::pin(async move { stop.draining().await })
    }

    fn again(&mut self, error: Error) -> Result<()> {
        Onlooker.again(error)
    }

    fn succeeded(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_sample_is_said() {
        for (total, seen, expected) in [
            (Total::Unknown, 3, ""),
            (Total::Exactly(3), 3, ", which are all"),
            (Total::Exactly(0), 0, ", which are all"),
            (Total::Exactly(50_000), 37_284, ", 75 % of 50,000"),
            (Total::About(200_001), 37_284, ", 19 % of about 200,001"),
            (Total::About(10), 37, ", 100 % of about 37"),
            (Total::Exactly(1_000_000), 20_000, ", 2.0 % of 1,000,000"),
            (Total::About(1_000_000_000), 20, ", less than 0.1 % of about 1,000,000,000"),
        ] {
            assert_eq!(total.share(seen), expected, "{total:?}");
        }
    }

    #[test]
    fn compressed_bytes_are_weighed_by_what_they_become() {
        for (stored, read, decoded, bytes, records, expected) in [
            // Plain text.
            (1000, 100, 100, 100, 10, Total::About(100)),
            // Ten times as long when it is decompressed.
            (1000, 100, 1000, 1000, 10, Total::About(100)),
            // The reader is ahead of the records.
            (1000, 100, 1000, 500, 5, Total::About(100)),
            // UTF-16.
            (1000, 100, 50, 50, 5, Total::About(50)),
            (1000, 0, 0, 0, 0, Total::Unknown),
        ] {
            assert_eq!(estimated(stored, read, decoded, bytes, records), expected);
        }
    }
}
