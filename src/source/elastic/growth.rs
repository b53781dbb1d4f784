//! Whether a page that is larger than its share of a segment is read on.

use super::body::More;
use crate::source::{Host, SegmentLimit};

/// What stands around a hit in an answer: mostly the name of the snapshot, which grows with the
/// number of shards.
const ENVELOPE_BYTES: usize = 1 << 20;
/// A page of a scroll may be as many times larger than was planned. It cannot be asked again.
const SCROLL_EXCESS: usize = 16;

/// What a page may become.
#[derive(Clone, Copy)]
pub struct Growth {
    /// Hits that were asked for.
    pub size: u64,
    /// Where it begins, and how many records stand in front of it.
    pub start: usize,
    pub records: u64,
    /// Its share.
    pub page_bytes: usize,
    pub limit: SegmentLimit,
    pub is_scroll: bool,
}

impl Growth {
    /// `length` is that of all lines. A page that can be asked for again is made smaller, down to a
    /// single document, and that one may have a segment for itself.
    pub fn further(self, length: usize, host: &mut dyn Host) -> More {
        let Growth { size, start, records, page_bytes, limit, is_scroll } = self;
        if size > 1 && !is_scroll {
            return More::No;
        }
        if length < limit.bytes {
            return More::UpTo(limit.bytes);
        }
        if start > 0 && !is_scroll {
            return More::No;
        }
        let single = limit.record_bytes.saturating_add(ENVELOPE_BYTES);
        let most = match is_scroll {
            true => single.max(page_bytes.saturating_mul(SCROLL_EXCESS)),
            false => single,
        };
        let next = length.saturating_mul(2).min(start + most);
        match length < next {
            true if host.room(next, records + size) => More::UpTo(next),
            true => More::Over,
            false => More::No,
        }
    }
}
