//! How many documents the next page asks for: as many as fit into its share of a segment, found
//! out while reading. Pure.

/// The first page is small: nothing is known of the documents yet.
const FIRST: u64 = 1_000;
/// What servers give at most.
pub const PAGE_RECORDS_MAX: u64 = 10_000;
/// Documents may become larger, so a page is not planned to fill its limit.
const FILLED_OF_TEN: u64 = 8;
/// A page grows by at most this much over the last one.
const GROWTH: u64 = 4;

#[derive(Clone, Copy, Debug)]
pub struct PageSizer {
    size: u64,
    records_max: u64,
    bytes_max: u64,
}

impl PageSizer {
    pub fn new(records_max: u64, bytes_max: usize) -> PageSizer {
        let records_max = records_max.clamp(1, PAGE_RECORDS_MAX);
        PageSizer { size: FIRST.min(records_max), records_max, bytes_max: bytes_max as u64 }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// A page of so many records and bytes arrived.
    pub fn arrived(&mut self, records: u64, bytes: u64) {
        if records == 0 {
            return;
        }
        let average = (bytes / records).max(1);
        let fitting = self.bytes_max / 10 * FILLED_OF_TEN / average;
        let grown = self.size.saturating_mul(GROWTH);
        self.size = fitting.min(grown).clamp(1, self.records_max);
    }

    /// The page was too large, and about so many records of it had come until then.
    pub fn too_large(&mut self, came: u64) {
        self.halve();
        // A record that came in part counts, so one less.
        self.size = self.size.min(came.saturating_sub(1)).max(1);
    }

    pub fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
    }
}

/// The size of all pages of a scroll, from what a sample of it weighs.
pub fn fixed(records_max: u64, bytes_max: usize, sampled: u64, bytes: u64) -> u64 {
    let mut page_sizer =
        PageSizer { size: PAGE_RECORDS_MAX, ..PageSizer::new(records_max, bytes_max / 2) };
    page_sizer.arrived(sampled, bytes);
    page_sizer.size.min(page_sizer.records_max)
}

/// Hits that came before an answer was given up. A guess: documents may hold the same words.
pub fn hits_in(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"_index\":").count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_to_their_limit_and_shrink_when_documents_are_large() {
        let mut page_sizer = PageSizer::new(20_000, 1_000_000);
        assert_eq!(page_sizer.size(), 1_000);
        page_sizer.arrived(1_000, 10_000);
        assert_eq!(page_sizer.size(), 4_000);
        page_sizer.arrived(4_000, 40_000);
        assert_eq!(page_sizer.size(), 10_000);
        page_sizer.arrived(10_000, 1_000_000);
        assert_eq!(page_sizer.size(), 8_000);
        page_sizer.too_large(5_000);
        assert_eq!(page_sizer.size(), 4_000);
        page_sizer.too_large(12);
        assert_eq!(page_sizer.size(), 11);
        page_sizer.too_large(1);
        assert_eq!(page_sizer.size(), 1);
        page_sizer.too_large(0);
        assert_eq!(page_sizer.size(), 1);
        page_sizer.arrived(1, 900_000);
        assert_eq!(page_sizer.size(), 1);
        page_sizer.arrived(1, 10);
        assert_eq!(page_sizer.size(), 4);
        page_sizer.arrived(0, 0);
        assert_eq!(page_sizer.size(), 4);
    }

    #[test]
    fn small_limits_hold() {
        assert_eq!(PageSizer::new(10, 1_000).size(), 10);
        assert_eq!(PageSizer::new(0, 0).size(), 1);
        assert_eq!(fixed(5_000, 1_000_000, 100, 10_000), 4_000);
        assert_eq!(fixed(5_000, 1_000_000, 0, 0), 5_000);
        assert_eq!(fixed(5_000, 1_000, 1, 1 << 30), 1);
    }
}
