//! How many rejected records a run may have, and how many it has: one account for the sequencer,
//! which learns of most of them, and for the lanes, which refuse some at the last moment.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sink::Allowance;

/// How many rejected records a run may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ErrorBudget {
    Count(u64),
    /// Judged once enough records were seen for a share to mean something, and at the end.
    Percent(f64),
}

/// A bad first page should not end a run that allows one percent.
const PERCENT_RECORDS_MIN: u64 = 10_000;

impl ErrorBudget {
    pub fn is_exceeded(&self, failed: u64, records: u64, is_end: bool) -> bool {
        match *self {
            ErrorBudget::Count(max) => failed > max,
            ErrorBudget::Percent(max) => {
                let is_judged = is_end || records >= PERCENT_RECORDS_MIN;
                is_judged && failed as f64 * 100.0 > max * records as f64
            }
        }
    }
}

impl fmt::Display for ErrorBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorBudget::Count(max) => write!(f, "{max}"),
            ErrorBudget::Percent(max) => write!(f, "{max}%"),
        }
    }
}

/// The records a run has let through so far, and those it has rejected.
pub struct Account {
    budget: ErrorBudget,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    records: u64,
    failed: u64,
}

impl Account {
    pub fn new(budget: ErrorBudget) -> Account {
        Account { budget, seen: Mutex::default() }
    }

    /// Adds a segment that is about to pass, unless it would be too much.
    pub fn let_pass(&self, records: u64, failed: u64) -> bool {
        let mut seen = self.lock();
        seen.records += records;
        seen.failed += failed;
        !self.budget.is_exceeded(seen.failed, seen.records, false)
    }

    pub fn failed(&self) -> u64 {
        self.lock().failed
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
    fn a_share_is_judged_when_it_means_something() {
        let one_percent = ErrorBudget::Percent(1.0);
        for (failed, records, is_end, exceeded) in [
            (50, 100, false, false),
            (50, 100, true, true),
            (1, 100, true, false),
            (100, 10_000, false, false),
            (101, 10_000, false, true),
        ] {
            assert_eq!(
                one_percent.is_exceeded(failed, records, is_end),
                exceeded,
                "{failed}/{records}"
            );
        }
        assert!(!ErrorBudget::Count(2).is_exceeded(2, 2, false));
        assert!(ErrorBudget::Count(0).is_exceeded(1, 1_000_000, false));
    }

    #[test]
    fn a_second_question_about_a_segment_replaces_the_first() {
        let account = Arc::new(Account::new(ErrorBudget::Count(3)));
        assert!(account.let_pass(10, 1));
        let (one, other) = (SegmentAllowance::new(&account), SegmentAllowance::new(&account));
        assert!(one.allows(2));
        assert!(!other.allows(1));
        assert!(one.allows(1));
        assert!(other.allows(1));
        assert!(!account.let_pass(10, 1));
    }
}
