//! The last error of each kind: what a count alone cannot say.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::event::Stage;
use crate::record::ErrorType;
use crate::report::LastError;

/// Of a message; most have less.
const MESSAGE_CHARS_MAX: usize = 500;

/// One for each pair of stage and error type, of which there are few. Held for no longer than it takes
/// to look.
#[derive(Debug, Default)]
pub struct LastErrors(Mutex<BTreeMap<(Stage, ErrorType), LastError>>);

impl LastErrors {
    pub fn note(&self, stage: Stage, error_type: ErrorType, message: &str, is_final: bool) {
        let now = SystemTime::now();
        let message = message.chars().take(MESSAGE_CHARS_MAX).collect();
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first_at = errors.get(&(stage, error_type)).map_or(now, |before| before.first_at);
        let last = LastError { stage, error_type, first_at, last_at: now, message, is_final };
        errors.insert((stage, error_type), last);
    }

    pub fn read(&self) -> Vec<LastError> {
        let errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        errors.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_kind_is_kept_with_the_time_of_the_first() {
        let errors = LastErrors::default();
        errors.note(Stage::Insert, ErrorType::Timeout, "no answer", false);
        let first_at = errors.read()[0].first_at;
        errors.note(Stage::Fetch, ErrorType::Timeout, &"é".repeat(600), false);
        errors.note(Stage::Insert, ErrorType::Timeout, "still no answer", true);
        let read = errors.read();
        let messages: Vec<_> = read.iter().map(|error| error.message.chars().count()).collect();
        assert_eq!(messages, [500, 15]);
        assert!(read[1].is_final && read[1].first_at == first_at);
        assert!(read[1].last_at >= first_at);
    }
}
