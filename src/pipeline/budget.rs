//! The memory of a run: one number of bytes, reserved before it is used.
//!
//! What a segment may need at worst is reserved before it is read, in the order of the source, and
//! given back as its needs become known and when it has left. Only the oldest reservation may grow
//! beyond the limit; everybody ahead of it in the path needs nothing more, so it gets to its end
//! and gives everything back. That is why this cannot deadlock.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::event::Vitals;

pub struct Budget {
    limit: usize,
    reserved: Mutex<Reserved>,
    changed: Condvar,
    vitals: Arc<Vitals>,
}

#[derive(Default)]
struct Reserved {
    bytes: usize,
    /// By age.
    reservations: BTreeMap<u64, usize>,
    next: u64,
    is_closed: bool,
}

impl Budget {
    pub fn new(limit: usize, vitals: Arc<Vitals>) -> Arc<Budget> {
        Arc::new(Budget { limit, reserved: Mutex::default(), changed: Condvar::new(), vitals })
    }

    /// Waits until there is room for another segment; alone, it may have any size. None once the
    /// budget is closed.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let mut reserved = self.wait_until(|reserved| {
            let has_room = reserved.bytes + bytes <= self.limit;
            reserved.is_closed || has_room || reserved.reservations.is_empty()
        });
        if reserved.is_closed {
            return None;
        }
        let id = reserved.next;
        reserved.next += 1;
        reserved.reservations.insert(id, bytes);
        self.note(&mut reserved, bytes as isize);
        Some(Reservation { budget: Arc::clone(self), id, bytes })
    }

    /// Nothing is reserved any more; who waits is let go.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn wait_until(&self, is_ready: impl Fn(&Reserved) -> bool) -> MutexGuard<'_, Reserved> {
        let reserved = self.lock();
        self.changed
            .wait_while(reserved, |reserved| !is_ready(reserved))
            .expect("nobody panics while holding the budget")
    }

    fn lock(&self) -> MutexGuard<'_, Reserved> {
        self.reserved.lock().expect("nobody panics while holding the budget")
    }

    fn note(&self, reserved: &mut Reserved, change: isize) {
        reserved.bytes = reserved.bytes.saturating_add_signed(change);
        self.vitals.memory_used_bytes.set(reserved.bytes as u64);
    }
}

/// Memory that is set aside for one segment; dropping it gives it back.
pub struct Reservation {
    budget: Arc<Budget>,
    id: u64,
    bytes: usize,
}

impl Reservation {
    /// Waits for more; the oldest reservation gets it at once.
    pub fn grow(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        let mut reserved = self.budget.wait_until(|reserved| {
            let is_oldest = reserved.reservations.keys().next() == Some(&self.id);
            reserved.is_closed || is_oldest || reserved.bytes + more <= self.budget.limit
        });
        self.budget.note(&mut reserved, more as isize);
        self.bytes += more;
        reserved.reservations.insert(self.id, self.bytes);
    }

    /// What is needed from here on, as is known now. Should it be more than was thought, it is taken
    /// already, and whoever comes next waits for it.
    pub fn settle(&mut self, bytes: usize) {
        let mut reserved = self.budget.lock();
        self.budget.note(&mut reserved, bytes as isize - self.bytes as isize);
        self.bytes = bytes;
        reserved.reservations.insert(self.id, self.bytes);
        drop(reserved);
        self.budget.changed.notify_all();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self.budget.lock();
        reserved.reservations.remove(&self.id);
        self.budget.note(&mut reserved, -(self.bytes as isize));
        drop(reserved);
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn budget(limit: usize) -> Arc<Budget> {
        Budget::new(limit, Arc::default())
    }

    #[test]
    fn a_segment_alone_may_have_any_size() {
        let budget = budget(10);
        let reservation = budget.reserve(25).unwrap();
        assert_eq!(budget.vitals.memory_used_bytes.get(), 25);
        drop(reservation);
        assert_eq!(budget.vitals.memory_used_bytes.get(), 0);
    }

    #[test]
    fn the_next_waits_for_room() {
        let budget = budget(10);
        let mut first = budget.reserve(8).unwrap();
        let (sender, granted) = mpsc::channel();
        let waiting = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                let second = budget.reserve(5).unwrap();
                sender.send(second.bytes).unwrap();
            })
        };
        assert!(granted.try_recv().is_err());
        first.settle(5);
        assert_eq!(granted.recv().unwrap(), 5);
        waiting.join().unwrap();
    }

    #[test]
    fn only_the_oldest_grows_beyond_the_limit() {
        let budget = budget(10);
        let mut oldest = budget.reserve(5).unwrap();
        let mut younger = budget.reserve(5).unwrap();
        oldest.grow(50);
        assert_eq!(budget.vitals.memory_used_bytes.get(), 55);
        let waiting = thread::spawn(move || {
            younger.grow(20);
            younger.bytes
        });
        drop(oldest);
        assert_eq!(waiting.join().unwrap(), 20);
    }

    /// What is read already gets its memory, so that it can be written.
    #[test]
    fn closing_lets_everybody_go_who_needs_more() {
        let budget = budget(10);
        let oldest = budget.reserve(5).unwrap();
        let mut younger = budget.reserve(5).unwrap();
        let waiting = thread::spawn(move || {
            younger.grow(20);
            younger.bytes
        });
        budget.close();
        assert_eq!(waiting.join().unwrap(), 20);
        drop(oldest);
        assert_eq!(budget.vitals.memory_used_bytes.get(), 0);
    }

    #[test]
    fn closing_lets_everybody_go() {
        let budget = budget(10);
        let first = budget.reserve(10);
        let waiting = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.reserve(1).is_none())
        };
        budget.close();
        assert!(waiting.join().unwrap());
        drop(first);
    }
}
