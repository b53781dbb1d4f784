//! Rejected records by the column at fault: which one to look at first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::record::ErrorType;
use crate::report::RejectedColumn;

/// More than a table has that is to be mended. Names of fields may come from documents, so there is a limit, and
/// what is beyond it is counted without a name.
const COLUMNS_MAX: usize = 200;

/// Held for no longer than it takes to look.
#[derive(Debug, Default)]
pub struct RejectedColumns(Mutex<BTreeMap<(ErrorType, Option<String>), RejectedColumn>>);

impl RejectedColumns {
    pub fn note(&self, error_type: ErrorType, column: Option<&str>, records: u64, place: &str) {
        let mut columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (error_type, column.map(String::from));
        if columns.len() >= COLUMNS_MAX && !columns.contains_key(&key) {
            key.1 = None;
        }
        let found = columns.entry(key).or_insert_with_key(|(error_type, column)| RejectedColumn {
            column: column.clone(),
            error_type: *error_type,
            records: 0,
            first_place: place.to_string(),
        });
        found.records += records;
    }

    pub fn read(&self) -> Vec<RejectedColumn> {
        let columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        columns.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_with_their_first_place_up_to_a_limit() {
        let columns = RejectedColumns::default();
        columns.note(ErrorType::Null, Some("a"), 2, "in.csv, line 2");
        columns.note(ErrorType::Null, Some("a"), 3, "in.csv, line 9");
        columns.note(ErrorType::Parse, None, 1, "in.csv, line 3");
        for number in 0..2 * COLUMNS_MAX {
            columns.note(ErrorType::Null, Some(&format!("f{number}")), 1, "x");
        }
        let read = columns.read();
        let sum: u64 = read.iter().map(|column| column.records).sum();
        assert_eq!((read.len(), sum), (COLUMNS_MAX + 1, 6 + 2 * COLUMNS_MAX as u64));
        let first = read.iter().find(|column| column.column.as_deref() == Some("a")).unwrap();
        assert_eq!((first.records, &*first.first_place), (5, "in.csv, line 2"));
    }
}
