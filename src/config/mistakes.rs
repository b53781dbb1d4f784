//! All that is wrong with the settings, said at once: who has three mistakes wants to run the
//! program twice, not four times.

use crate::error::{Error, Result};

#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    pub fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }

    /// One error a mistake.
    pub fn into_result(self) -> std::result::Result<(), Vec<Error>> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(self.0.into_iter().map(Error::config).collect())
    }

    /// Takes the value, or notes why there is none.
    pub fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error.to_string())).ok()
    }
}
