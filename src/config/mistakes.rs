//! All that is wrong with the settings, said at once: who has three mistakes wants to run the
//! program twice, not four times.

use crate::error::Error;

#[derive(Debug, Default)]
pub struct Mistakes {
    said: Vec<String>,
    /// More than are said.
    more: usize,
}

/// Who has more of them has given a file that is none of settings.
const SAID_MAX: usize = 100;

impl Mistakes {
    /// The same is said once, however many meet it.
    pub fn add(&mut self, mistake: impl Into<String>) {
        if self.are_enough() {
            self.more += 1;
            return;
        }
        let mistake = mistake.into();
        if !self.said.contains(&mistake) {
            self.said.push(mistake);
        }
    }

    /// Whether no more of them are said.
    pub fn are_enough(&self) -> bool {
        self.said.len() >= SAID_MAX
    }

    /// One error a mistake.
    pub fn into_result(mut self) -> Result<(), Vec<Error>> {
        if self.said.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            self.said.push(format!("and {} more mistakes in the settings", self.more));
        }
        Err(self.said.into_iter().map(Error::config).collect())
    }
}
