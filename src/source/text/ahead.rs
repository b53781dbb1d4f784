//! Reading ahead: the first records of an input, whole.

use super::cursor::Boundaries;
use super::stream::Stream;
use crate::error::Result;

/// Enough for most first looks; small enough to read of each of a thousand files.
const STEP_BYTES: usize = 256 * 1024;

/// Reads until `ahead`, which begins with other things up to `start`, has so many records, or so many
/// bytes. Gives where the last whole one ends.
pub fn read_ahead(
    stream: &mut Stream,
    ahead: &mut Vec<u8>,
    start: usize,
    boundaries: &dyn Boundaries,
    records_max: u64,
    bytes_max: usize,
) -> Result<usize> {
    let mut is_last = false;
    loop {
        let scan = boundaries.scan(ahead.get(start..).unwrap_or_default(), is_last, records_max);
        if is_last || scan.records >= records_max || ahead.len() >= bytes_max {
            return Ok((start + scan.end).min(ahead.len()));
        }
        let target = (ahead.len() * 2).max(STEP_BYTES).min(bytes_max);
        is_last = !stream.fill(ahead, target)?;
    }
}
