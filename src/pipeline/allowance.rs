//! How many records were rejected so far, against how many may be: one account for the sequencer,
//! which learns of most of them, and for the lanes, which refuse some at the last moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::max_errors::MaxErrors;
use crate::sink::Allowance;

/// The records a run has let through so far, and those it has rejected.
pub struct Account {
    budget: MaxErrors,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    records: u64,
    failed: u64,
}

impl Account {
    pub fn new(budget: MaxErrors) -> Account {
        Account { budget, seen: Mutex::default() }
    }

    /// Adds a segment that is about to pass, unless it would be too much.
    pub fn let_pass(&self, records: u64, failed: u64) -> bool {
        let mut seen = self.lock();
        seen.records += records;
        seen.failed += failed;
        !self.budget.is_exceeded(seen.failed, seen.records, false)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics while holding the account")
    }
}

/// What a lane may refuse of one segment.
pub struct SegmentAllowance {
    account: Arc<Account>,
    granted: AtomicU64,
}

impl SegmentAllowance {
    pub fn new(account: &Arc<Account>) -> SegmentAllowance {
        SegmentAllowance { account: Arc::clone(account), granted: AtomicU64::new(0) }
    }
}

impl Allowance for SegmentAllowance {
    fn allows(&self, refused: u64) -> bool {
        let mut seen = self.account.lock();
        // A segment that is tried again may refuse other rows than before.
        let others = seen.failed - self.granted.load(Ordering::Relaxed);
        if self.account.budget.is_exceeded(others + refused, seen.records, false) {
            return false;
        }
        seen.failed = others + refused;
        self.granted.store(refused, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_question_about_a_segment_replaces_the_first() {
        let account = Arc::new(Account::new(MaxErrors::Count(3)));
        assert!(account.let_pass(10, 1));
        let (one, other) = (SegmentAllowance::new(&account), SegmentAllowance::new(&account));
        assert!(one.allows(2));
        assert!(!other.allows(1));
        assert!(one.allows(1));
        assert!(other.allows(1));
        assert!(!account.let_pass(10, 1));
    }
}
