//! What a run did: its outcome, its numbers, and how both are shown. Pure: it is given a
//! `Snapshot` and returns text.

pub mod json;
mod snapshot;
pub mod text;
mod verdict;

pub use snapshot::{Latencies, Sizes, Snapshot, StageTime, per_second};
pub use verdict::{Verdict, busy_share, verdict};

use crate::outcome::Outcome;
use crate::record::Published;

/// A run that is over.
#[derive(Debug)]
pub struct Report {
    pub pipeline_id: String,
    pub run_id: String,
    pub started_at_seconds: f64,
    pub outcome: Outcome,
    /// Why it did not complete.
    pub error: Option<String>,
    /// None when nothing was published.
    pub published: Option<Published>,
    /// The output is a stream: what was written is with its reader, complete or not.
    pub is_stream: bool,
    /// Where the rejected records are.
    pub rejects: Option<String>,
    pub run: Snapshot,
}

impl Report {
    /// One clause for the first line.
    pub fn what_happened(&self) -> String {
        let counts = &self.run.counts;
        let written = text::count(counts.inserted + counts.updated);
        match &self.published {
            Some(Published { name: Some(name), replaced_bytes: None }) => {
                format!("{written} records in '{name}'")
            }
            Some(Published { name: Some(name), replaced_bytes: Some(before) }) => {
                format!("{written} records in '{name}', which replaced {}", text::bytes(*before))
            }
            Some(Published { name: None, .. }) => format!("{written} records"),
            None if self.is_stream => format!(
                "{written} of {} records read were written",
                text::count(self.run.records_read)
            ),
            None => format!(
                "nothing was published; {} of {} records read had been written and were let go",
                written,
                text::count(self.run.records_read)
            ),
        }
    }

    /// `read = inserted + updated + skipped + failed`, with what is missing.
    pub fn balance(&self) -> String {
        let counts = &self.run.counts;
        let mut balance = format!(
            "read {} = inserted {} + updated {} + skipped {} + failed {}",
            text::count(self.run.records_read),
            text::count(counts.inserted),
            text::count(counts.updated),
            text::count(counts.skipped()),
            text::count(counts.failed)
        );
        if self.run.residual() > 0 {
            balance.push_str(&format!(" + {} not settled", text::count(self.run.residual())));
        }
        balance
    }
}
