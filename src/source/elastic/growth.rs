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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::error::{Error, Later, Result};

    /// Has room as long as the run is not over, and says what it was asked for.
    struct Room {
        is_over: bool,
        asked: Vec<(usize, u64)>,
    }

    impl Host for Room {
        fn room(&mut self, bytes: usize, records: u64) -> bool {
            self.asked.push((bytes, records));
            !self.is_over
        }

        fn stopped(&self) -> Later<'static, ()> {
            Box::pin(pending())
        }

        fn again(&mut self, error: Error) -> Result<()> {
            Err(error)
        }

        fn succeeded(&mut self) {}
    }

    const MIB: usize = 1 << 20;

    #[test]
    fn a_page_grows_where_it_cannot_be_asked_again_in_another_way() {
        let limit = SegmentLimit { records: 10, bytes: MIB, record_bytes: 4 * MIB };
        let page = |size, start, is_scroll| Growth {
            size,
            start,
            records: 3,
            page_bytes: MIB / 2,
            limit,
            is_scroll,
        };
        for (growth, length, expected) in [
            (page(2, 0, false), MIB / 2, None),
            // Alone, a document gets a segment for itself, and no more than it may have.
            (page(1, 0, false), MIB / 2, Some(MIB)),
            (page(1, 0, false), MIB, Some(2 * MIB)),
            (page(1, 0, false), 4 * MIB, Some(5 * MIB)),
            (page(1, 0, false), 5 * MIB, None),
            // Behind others it waits for the next segment.
            (page(1, 9, false), MIB, None),
            // A page of a scroll, wherever it begins.
            (page(2, 0, true), MIB / 2, Some(MIB)),
            (page(2, 9, true), MIB, Some(2 * MIB)),
            (page(2, 9, true), 6 * MIB, Some(8 * MIB + 9)),
            (page(2, 9, true), 8 * MIB + 9, None),
        ] {
            let mut room = Room { is_over: false, asked: Vec::new() };
            let most = match growth.further(length, &mut room) {
                More::UpTo(most) => Some(most),
                More::No => None,
                More::Over => panic!("there is room"),
            };
            assert_eq!(most, expected, "{} of {} from {}", length, growth.size, growth.start);
            let is_larger = most.filter(|most| *most > limit.bytes);
            assert_eq!(room.asked, is_larger.map(|most| (most, 3 + growth.size)).as_slice());
            let mut over = Room { is_over: true, asked: Vec::new() };
            let is_over = matches!(growth.further(length, &mut over), More::Over);
            assert_eq!(is_over, is_larger.is_some());
        }
    }
}
