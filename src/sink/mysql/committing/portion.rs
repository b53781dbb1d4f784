//! How many rows a statement may have: fewer, once one with more took the server longer than
//! `--db-timeout`, or than it allows itself. Shared by all lanes, so that each need not wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// For the rest of the run.
pub struct Portion(AtomicUsize);

impl Default for Portion {
    fn default() -> Portion {
        Portion(AtomicUsize::new(usize::MAX))
    }
}

impl Portion {
    pub fn rows_max(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A whole segment is too much.
    pub fn is_cut(&self) -> bool {
        self.rows_max() < usize::MAX
    }

    /// So many rows took too long.
    pub fn was_slow(&self, rows: usize) {
        let half = (rows / 2).max(1);
        if self.0.fetch_min(half, Ordering::Relaxed) == usize::MAX {
            tracing::warn!(
                "{rows} rows took the server longer than --db-timeout, or than it allows: \
                 they go by INSERT of fewer rows from here on"
            );
        }
    }
}

/// What a lane has sent and not been answered.
#[derive(Default)]
pub struct Sent(AtomicUsize);

impl Sent {
    pub fn rows(&self, count: usize) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub fn answered(&self) {
        self.rows(0);
    }

    /// How many rows, if any. From here on there are none.
    pub fn take(&self) -> Option<usize> {
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|count| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_only_shrinks_and_has_a_row_at_least() {
        let portion = Portion::default();
        assert!(!portion.is_cut());
        for (slow, expected) in [(100, 50), (500, 50), (50, 25), (1, 1), (1, 1)] {
            portion.was_slow(slow);
            assert_eq!((portion.rows_max(), portion.is_cut()), (expected, true), "{slow}");
        }
    }

    #[test]
    fn what_was_sent_is_there_until_it_is_answered() {
        let sent = Sent::default();
        assert_eq!(sent.take(), None);
        sent.rows(7);
        assert_eq!((sent.take(), sent.take()), (Some(7), None));
        sent.rows(7);
        sent.answered();
        assert_eq!(sent.take(), None);
    }
}
