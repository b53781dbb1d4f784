//! Numbers of an AUTO_INCREMENT column that the server has given in this run. A record that says one of
//! them knows nothing of the record that got it, and must not write over its row.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sink::mysql::encoding::text::{EncodedField, fields};

/// More ranges than this are put together, and hold numbers then that nobody was given. So do those of a
/// server that counts in steps. A record that says one of them and meets a row is refused all the same: it
/// cannot be told whose row that is.
const RANGES_MAX: usize = 4096;

/// Of all lanes.
#[derive(Debug, Default)]
pub struct AssignedNumbers(Mutex<Ranges>);

/// From and to, ascending, with numbers between them that were not given.
#[derive(Debug, Default)]
struct Ranges(Vec<(u64, u64)>);

impl AssignedNumbers {
    fn ranges(&self) -> MutexGuard<'_, Ranges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of one statement.
    pub fn add(&self, first: u64, last: u64) {
        self.ranges().add(first, last);
    }

    /// How many rows do not say such a number in that column, up to the first that does.
    pub fn before<'a>(&self, column: usize, rows: impl Iterator<Item = &'a [u8]>) -> usize {
        let ranges = self.ranges();
        match ranges.0.is_empty() {
            true => rows.count(),
            false => rows.take_while(|row| !ranges.is_said(column, row)).count(),
        }
    }
}

impl Ranges {
    fn add(&mut self, first: u64, last: u64) {
        let last = last.max(first);
        // Those that touch it become one with it.
        let from = self.0.partition_point(|range| range.1.saturating_add(1) < first);
        let to = self.0.partition_point(|range| range.0 <= last.saturating_add(1));
        let touched = &self.0[from..to.max(from)];
        let first = touched.first().map_or(first, |range| range.0.min(first));
        let last = touched.last().map_or(last, |range| range.1.max(last));
        self.0.splice(from..to.max(from), [(first, last)]);
        if self.0.len() > RANGES_MAX {
            self.0[0].1 = self.0[1].1;
            self.0.remove(1);
        }
    }

    fn has(&self, number: u64) -> bool {
        let at = self.0.partition_point(|range| range.1 < number);
        self.0.get(at).is_some_and(|range| range.0 <= number)
    }

    fn is_said(&self, column: usize, row: &[u8]) -> bool {
        let Some(EncodedField::Text(text)) = fields(row).nth(column) else { return false };
        let text = str::from_utf8(&text).unwrap_or_default();
        match text.parse::<u64>() {
            Ok(number) => self.has(number),
            // Not every counter counts in whole numbers.
            Err(_) => {
                text.parse().is_ok_and(|number: f64| number >= 0.0 && self.has(number as u64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_looked_at_up_to_the_first_that_says_a_number_that_was_given() {
        let given = AssignedNumbers::default();
        let rows: [&[u8]; 5] = [b"a\t5", b"a\t-7", b"a\t\\N", b"a\t\\D", b"a\t7"];
        let before = |given: &AssignedNumbers| given.before(1, rows.iter().copied());
        assert_eq!(before(&given), 5);
        given.add(6, 8);
        assert_eq!(before(&given), 4);
        given.add(1, 5);
        assert_eq!(before(&given), 0);
    }

    #[test]
    fn too_many_ranges_hold_more_numbers() {
        let mut ranges = Ranges::default();
        (0..5000).for_each(|at| ranges.add(10 * at, 10 * at + 1));
        assert_eq!(ranges.0.len(), RANGES_MAX);
        assert!((0..5000).all(|at| ranges.has(10 * at) && ranges.has(10 * at + 1)));
        assert!(ranges.has(5) && !ranges.has(49_995));
    }

    proptest! {
        #[test]
        fn what_was_given_is_known(added in prop::collection::vec((0_u64..60, 0_u64..5), 0..20)) {
            let mut ranges = Ranges::default();
            let mut numbers = BTreeSet::new();
            for (first, more) in added {
                ranges.add(first, first + more);
                numbers.extend(first..=first + more);
            }
            for number in 0..70 {
                prop_assert_eq!(ranges.has(number), numbers.contains(&number), "{} {:?}", number, ranges);
            }
            prop_assert!(ranges.0.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{:?}", ranges);
        }
    }
}
