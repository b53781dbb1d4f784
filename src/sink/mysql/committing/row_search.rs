//! Which rows to try next, so that those the server does not take are found with few statements.
//! Pure.
//!
//! Where the server names a row, that one is tried alone, because a trigger's own statement counts
//! its rows, too. Where it does not, halves are tried.

use crate::record::Counts;
use crate::sink::mysql::trouble::RowTrouble;
use crate::sink::{Allowance, Refused};

/// When more rows are refused than the run allows, so many more are found and told.
const MORE_REFUSED: usize = 100;

/// How far it has come.
pub struct RowSearch {
    pub next: usize,
    /// Rows to try at once.
    pub window: usize,
    /// Rows taken since one was refused: where they are dense, long statements are sent in vain.
    taken: usize,
    /// One of the rows before this is not taken.
    suspect_before: Option<usize>,
    /// The server named the last of the suspects.
    is_last_named: bool,
    pub counts: Counts,
    pub refused: Vec<Refused>,
    denied_at: Option<usize>,
}

impl RowSearch {
    pub fn new(window: usize) -> RowSearch {
        RowSearch {
            next: 0,
            window,
            taken: 0,
            suspect_before: None,
            is_last_named: false,
            counts: Counts::default(),
            refused: Vec::new(),
            denied_at: None,
        }
    }

    /// How many rows to try next.
    pub fn limit(&self) -> usize {
        let Some(end) = self.suspect_before else { return self.window.max(1) };
        let suspects = end.saturating_sub(self.next).max(1);
        let part = if self.is_last_named { suspects - 1 } else { suspects / 2 };
        part.min(self.window).max(1)
    }

    /// So many rows took the server too long: it is tried with fewer.
    pub fn was_slow(&mut self, count: usize) {
        self.window = count / 2;
    }

    pub fn took(&mut self, count: usize, window_max: usize) {
        self.next += count;
        self.taken += count;
        match self.suspect_before {
            // The suspect was taken after all, and all is open again.
            Some(end) if self.next >= end => self.suspect_before = None,
            Some(_) => {}
            None => self.window = self.window.saturating_mul(2).min(window_max),
        }
    }

    pub fn suspect(&mut self, count: usize, named: Option<u64>) {
        let named = named.map(|row| row as usize).filter(|row| (1..=count).contains(row));
        self.suspect_before = Some(self.next + named.unwrap_or(count));
        self.is_last_named = named.is_some();
    }

    /// The next row is there already.
    pub fn passed_over(&mut self) {
        self.counts.duplicate += 1;
        self.leave_out();
    }

    fn leave_out(&mut self) {
        self.next += 1;
        self.window = self.taken.max(1).min(self.window);
        self.taken = 0;
        self.suspect_before = None;
    }

    /// Leaves out the next row. True when enough is known of a run that will stop.
    pub fn refuse(&mut self, trouble: RowTrouble, allowance: &dyn Allowance) -> bool {
        self.refused.push(Refused {
            row: self.next,
            column: trouble.column,
            error_type: trouble.error_type,
            reason: trouble.reason,
        });
        self.leave_out();
        let count = self.refused.len();
        if self.denied_at.is_none() && !allowance.allows(count as u64) {
            self.denied_at = Some(count);
        }
        self.denied_at.is_some_and(|denied| count >= denied + MORE_REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ErrorType;

    struct Allows(u64);

    impl Allowance for Allows {
        fn allows(&self, refused: u64) -> bool {
            refused <= self.0
        }
    }

    fn trouble(row: Option<u64>) -> RowTrouble {
        RowTrouble {
            error_type: ErrorType::Constraint,
            code: 1062,
            row,
            column: None,
            key: None,
            reason: "a key is there".to_string(),
        }
    }

    /// Goes through rows, of which some are bad, and gives those that were refused and how many
    /// statements that took.
    fn search(rows: usize, bad: &[usize], names: Option<u64>) -> (Vec<usize>, usize) {
        let mut search = RowSearch::new(usize::MAX);
        let mut statements = 0;
        while search.next < rows {
            statements += 1;
            let count = search.limit().min(rows - search.next);
            let first = (search.next..search.next + count).find(|row| bad.contains(row));
            match first {
                None => search.took(count, usize::MAX),
                Some(_) if count == 1 => {
                    search.refuse(trouble(None), &Allows(u64::MAX));
                }
                Some(row) => {
                    let truth = (row - search.next) as u64 + 1;
                    // 0 stands for a server that tells the truth.
                    let named = names.map(|lie| if lie == 0 { truth } else { lie });
                    search.suspect(count, named);
                }
            }
        }
        (search.refused.iter().map(|refused| refused.row).collect(), statements)
    }

    #[test]
    fn bad_rows_are_found_whether_the_server_names_them_or_not() {
        let all: Vec<usize> = (0..50).collect();
        for bad in [&[][..], &[0], &[49], &[7], &[0, 1, 2, 48], &all] {
            for names in [None, Some(0), Some(1), Some(99)] {
                assert_eq!(search(50, bad, names).0, bad, "{bad:?} {names:?}");
            }
        }
        assert_eq!(search(0, &[], None).1, 0);
        assert_eq!(search(1000, &[], None).1, 1);
        assert_eq!(search(1000, &[500], Some(0)).1, 4);
        assert!(search(1000, &[500], None).1 <= 13);
        let all: Vec<usize> = (0..1000).collect();
        assert!(search(1000, &all, None).1 <= 1010 + 10);
    }

    /// A server that gives up on more than `fast` rows, and refuses one that it names or not.
    #[test]
    fn what_is_too_slow_is_tried_with_fewer_rows_whatever_is_suspected() {
        for (fast, names) in [(1, true), (1, false), (3, true), (3, false)] {
            let mut search = RowSearch::new(usize::MAX);
            search.suspect(100, names.then_some(100));
            let mut statements = 0;
            while search.next < 100 {
                statements += 1;
                assert!(statements < 500, "{fast} {names}: no end, at {}", search.next);
                let count = search.limit().min(100 - search.next);
                let is_bad = search.next + count == 100;
                match count {
                    _ if count > fast => search.was_slow(count),
                    1 if is_bad => drop(search.refuse(trouble(None), &Allows(9))),
                    _ if is_bad => search.suspect(count, None),
                    _ => search.took(count, usize::MAX),
                }
            }
            assert_eq!(search.refused.len(), 1);
        }
    }

    #[test]
    fn a_run_that_will_stop_looks_for_a_hundred_more() {
        let mut search = RowSearch::new(usize::MAX);
        let found = (0..999).position(|_| search.refuse(trouble(None), &Allows(3)));
        assert_eq!(found, Some(103));
        assert_eq!(search.denied_at, Some(4));
    }
}
