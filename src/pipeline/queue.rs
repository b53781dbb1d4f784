//! The queue between the reader and the workers: bounded in number here and in bytes by the
//! budget, closed from either end, with its depth in sight.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::event::Vitals;
use crate::pipeline::budget::Reservation;
use crate::record::Segment;

/// A segment on its way, with its place in the order of the run.
pub struct QueuedSegment {
    pub ticket: u64,
    pub segment: Segment,
    pub reservation: Reservation,
}

pub struct Queue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    vitals: Arc<Vitals>,
}

#[derive(Default)]
struct Waiting {
    segments: VecDeque<QueuedSegment>,
    next_ticket: u64,
    /// Nothing more is read: what comes now was in the hands of a reader, and waits for no place.
    is_drained: bool,
    is_closed: bool,
}

impl Queue {
    pub fn new(capacity: usize, vitals: Arc<Vitals>) -> Arc<Queue> {
        Arc::new(Queue { capacity, waiting: Mutex::default(), changed: Condvar::new(), vitals })
    }

    /// Waits for a place and gives out the ticket; none once the queue is closed.
    pub fn push(&self, segment: Segment, reservation: Reservation) -> Option<u64> {
        let mut waiting = self.wait_while(|waiting| {
            let is_full = waiting.segments.len() >= self.capacity && !waiting.is_drained;
            is_full && !waiting.is_closed
        });
        if waiting.is_closed {
            return None;
        }
        let ticket = waiting.next_ticket;
        waiting.next_ticket += 1;
        self.vitals.queue_depth.add(1);
        self.vitals.queue_bytes.add(segment.bytes.len() as u64);
        waiting.segments.push_back(QueuedSegment { ticket, segment, reservation });
        drop(waiting);
        self.changed.notify_all();
        Some(ticket)
    }

    /// Waits for a segment; none once the queue is closed and empty.
    pub fn pop(&self) -> Option<QueuedSegment> {
        let mut waiting =
            self.wait_while(|waiting| waiting.segments.is_empty() && !waiting.is_closed);
        let queued = waiting.segments.pop_front()?;
        self.forget(&queued);
        drop(waiting);
        self.changed.notify_all();
        Some(queued)
    }

    /// Whoever waits for a place has one: its memory is reserved, and it is the last of its reader.
    pub fn drain(&self) {
        self.lock().is_drained = true;
        self.changed.notify_all();
    }

    /// Takes nothing more; what is in it will still be taken out.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Closes and throws away what is in it.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.segments.iter().for_each(|queued| self.forget(queued));
        // The segments' memory goes back to the budget, which has a lock of its own.
        let abandoned = std::mem::take(&mut waiting.segments);
        drop(waiting);
        drop(abandoned);
        self.changed.notify_all();
    }

    fn forget(&self, queued: &QueuedSegment) {
        self.vitals.queue_depth.sub(1);
        self.vitals.queue_bytes.sub(queued.segment.bytes.len() as u64);
    }

    fn wait_while(&self, condition: impl Fn(&Waiting) -> bool) -> MutexGuard<'_, Waiting> {
        let waiting = self.lock();
        self.changed
            .wait_while(waiting, |waiting| condition(waiting))
            .expect("nobody panics while holding the queue")
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics while holding the queue")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::pipeline::budget::Budget;
    use crate::record::{Flush, Interval};

    fn segment() -> Segment {
        Segment {
            interval: Interval::bytes(0, 0, 2),
            first_record: 1,
            first_line: 1,
            records: 1,
            bytes: b"a\n".to_vec(),
            flaws: Vec::new(),
            flush: Flush::End,
        }
    }

    #[test]
    fn who_waits_for_a_place_in_a_queue_that_is_drained_has_one() {
        let queue = Queue::new(1, Arc::default());
        let budget = Budget::new(100, Arc::default());
        let push = || queue.push(segment(), budget.reserve(1).unwrap());
        assert_eq!(push(), Some(0));
        thread::scope(|scope| {
            let waiting = scope.spawn(push);
            queue.drain();
            assert_eq!(waiting.join().unwrap(), Some(1));
        });
        queue.close();
        assert_eq!(push(), None);
        let tickets = [queue.pop(), queue.pop(), queue.pop()];
        assert_eq!(
            tickets.map(|queued| queued.map(|queued| queued.ticket)),
            [Some(0), Some(1), None]
        );
    }
}
