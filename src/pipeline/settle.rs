//! Where a durable segment becomes counts and rejected records: the one place that keeps the books
//! of a run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Run;
use super::worker::Prepared;
use crate::error::{Error, Result};
use crate::event::{Event, FileEnd};
use crate::record::{Counts, Interval, Rejected};
use crate::rejects::RejectLog;
use crate::sink::Receipt;

/// A segment that would survive a power cut.
pub struct Durable {
    pub segment: Prepared,
    pub receipt: Receipt,
    /// From the start of its commit.
    pub insert: Duration,
}

/// The books: what became of the records, and which tickets are closed.
#[derive(Default)]
pub struct Books {
    pub totals: Counts,
    /// Tickets below this are all settled.
    watermark: u64,
    beyond: BTreeSet<u64>,
    /// Splits that were read to their end, behind the first ticket after them.
    ended: BTreeSet<(u64, usize)>,
}

impl Books {
    /// Closes a ticket, and says which splits are thereby settled.
    fn close(&mut self, ticket: u64) -> Vec<usize> {
        self.beyond.insert(ticket);
        while self.beyond.remove(&self.watermark) {
            self.watermark += 1;
        }
        self.settled_splits()
    }

    fn settled_splits(&mut self) -> Vec<usize> {
        let mut settled = Vec::new();
        while let Some(&(end, split)) = self.ended.first()
            && end <= self.watermark
        {
            self.ended.pop_first();
            settled.push(split);
        }
        settled
    }
}

/// Shared by the room that settles and the reader, who says where splits end.
pub struct Ledger {
    run: Arc<Run>,
    books: Mutex<Books>,
    rejects: Mutex<Box<dyn RejectLog>>,
    /// Let go of amid a commit.
    unclear: Mutex<Vec<Prepared>>,
}

impl Ledger {
    pub fn new(run: &Arc<Run>, rejects: Box<dyn RejectLog>) -> Ledger {
        Ledger {
            run: Arc::clone(run),
            books: Mutex::default(),
            rejects: Mutex::new(rejects),
            unclear: Mutex::default(),
        }
    }

    /// Into the books. They have what the sink has, also when this side cannot keep what was rejected
    /// beside it; then the run ends.
    pub fn settle(&self, durable: Durable) {
        let Durable { segment, receipt, insert } = durable;
        let Receipt { mut counts, bytes_written, refused } = receipt;
        let late = segment.refused_late(&self.run, refused).unwrap_or_else(|error| {
            self.run.stop.fail(error);
            Vec::new()
        });
        let mut rejected = segment.rejected;
        rejected.extend(late);
        counts.failed += rejected.len() as u64;
        if counts.processed() != segment.records {
            self.run.stop.fail(Error::internal(format!(
                "a segment of {} records was settled with {}",
                segment.records,
                counts.processed()
            )));
        }
        if let Err(error) = self.keep(&segment.interval, &rejected) {
            self.run.stop.fail(error);
        }
        let ended = {
            let mut books = self.books();
            books.totals.add(&counts);
            books.close(segment.ticket)
        };
        self.run.observer.notice(&Event::Settled {
            counts,
            bytes: segment.bytes,
            bytes_written,
            insert,
            batch: segment.started.elapsed(),
        });
        self.tell_ended(ended);
    }

    pub fn keep(&self, interval: &Interval, rejected: &[Rejected]) -> Result<()> {
        self.rejects().append(interval, rejected)
    }

    /// A split was read to its end; all its tickets are below `tickets`.
    pub fn split_ended(&self, split: usize, tickets: u64) {
        let settled = {
            let mut books = self.books();
            books.ended.insert((tickets, split));
            books.settled_splits()
        };
        self.tell_ended(settled);
    }

    pub fn leave_unclear(&self, segment: Prepared) {
        self.unclear().push(segment);
    }

    pub fn take_unclear(&self) -> Vec<Prepared> {
        std::mem::take(&mut *self.unclear())
    }

    pub fn totals(&self) -> Counts {
        self.books().totals
    }

    pub fn publish_rejects(&self) -> Result<Option<PathBuf>> {
        self.rejects().publish()
    }

    pub fn discard_rejects(&self) -> Option<PathBuf> {
        self.rejects().discard()
    }

    fn tell_ended(&self, splits: Vec<usize>) {
        let files = splits.iter().filter(|&&split| self.run.source.splits()[split].is_file);
        for _ in files {
            self.run.observer.notice(&Event::FileEnded(FileEnd::Processed));
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics while holding the books")
    }

    fn unclear(&self) -> std::sync::MutexGuard<'_, Vec<Prepared>> {
        self.unclear.lock().expect("nobody panics while holding segments")
    }

    fn rejects(&self) -> std::sync::MutexGuard<'_, Box<dyn RejectLog>> {
        self.rejects.lock().expect("nobody panics while holding the rejects")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_settled_with_its_last_ticket_whatever_the_order() {
        let mut books = Books { ended: [(2, 0), (3, 1)].into(), ..Books::default() };
        assert!(books.close(1).is_empty());
        assert!(books.close(2).is_empty());
        assert_eq!(books.close(0), vec![0_usize, 1]);
        books.ended.insert((3, 2));
        assert_eq!(books.settled_splits(), vec![2_usize]);
    }
}
