//! What a run did: its outcome, its numbers, and how both are shown. Pure: it is given a
//! `RunNumbers` and returns text.

mod bottleneck;
pub mod counters;
pub mod json;
mod restore;
mod route_report;
mod run_numbers;
mod silence;
mod stage_table;
mod summary;
pub mod text;

pub use bottleneck::{Bottleneck, bottleneck, busy_share};
pub use restore::Restore;
pub use route_report::{LEDGER_ROUTE, RouteReport};
pub use run_numbers::{
    LastError, Latencies, RejectedColumn, RunNumbers, Sizes, StageTime, per_second,
};
pub use silence::{LastSign, SILENCE_MIN, Silence};
pub use summary::summary;

use crate::outcome::Outcome;
use crate::record::Published;
use crate::shown::Line;

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Report {
    pub pipeline_id: String,
    pub run_id: String,
    pub started_at_seconds: f64,
    /// Unknown while it is on.
    pub ended_at_seconds: Option<f64>,
    pub outcome: Outcome,
    /// Why it did not complete.
    pub error: Option<String>,
    /// None when nothing was published.
    pub published: Option<Published>,
    /// Kinds of the two ends, as in `--source-type` and `--sink-type`.
    pub source: &'static str,
    pub sink: &'static str,
    pub output: OutputKind,
    /// Where the rejected records are.
    pub rejects: Option<String>,
    /// Rejected records that are in no file.
    pub rejects_lost: u64,
    /// What restores the dates of the backup that was written.
    pub restore: Option<Restore>,
    /// Rows of which nobody knows whether they are in the table.
    pub unclear: u64,
    /// Lines of the log that could not be written, up to the end of the run.
    pub log_lines_dropped: u64,
    /// There are more cores than workers.
    pub has_idle_cores: bool,
    /// Standard input or a pipe is read: whoever writes to it may be what the run waits for.
    pub reads_pipe: bool,
    /// Who else was told of the end, as far as that is known.
    pub reports: Vec<RouteReport>,
    pub requires_reports: bool,
    /// The same of its row in the ledger.
    pub requires_ledger: bool,
    pub run: RunNumbers,
}

/// What becomes of records that were written when a run does not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// They are let go with the file that did not get its name.
    File,
    /// They are with the reader of the stream.
    Stream,
    /// They stay in the table of this name.
    Table(String),
}

impl Report {
    /// What the program ends with: it says no more than the outcome, but that somebody was not told.
    pub fn exit(&self) -> Outcome {
        let is_required = |report: &RouteReport| match report.route {
            LEDGER_ROUTE => self.requires_ledger,
            _ => self.requires_reports,
        };
        let is_told = self.reports.iter().all(|report| report.is_ok() || !is_required(report));
        if is_told { self.outcome } else { self.outcome.unreported() }
    }

    /// What comes first of a run that did not complete.
    pub fn alarm(&self) -> &'static str {
        match self.outcome {
            Outcome::Complete => "",
            Outcome::Interrupted(_) => "STOPPED ",
            _ => "FAILED ",
        }
    }

    /// One clause for the first line.
    pub fn what_happened(&self) -> String {
        let counts = &self.run.counts;
        let all_written = counts.inserted + counts.updated;
        let written = text::count(all_written);
        let whole = text::counted(all_written, "record");
        let read = text::counted(self.run.records_read, "record");
        if let OutputKind::Table(table) = &self.output {
            let table = Line(table);
            return match self.outcome {
                Outcome::Complete => format!("{whole} written to '{table}'"),
                _ if self.unclear > 0 => format!(
                    "{written} of {read} read were written to '{table}' and stay there; \
                     unknown whether {} more were committed",
                    text::count(self.unclear)
                ),
                _ => format!(
                    "{written} of {read} read were written to '{table}' and stay there{}",
                    self.others()
                ),
            };
        }
        match &self.published {
            Some(Published { name: Some(name), replaced_bytes: None, .. }) => {
                format!("{whole} in '{}'", Line(name))
            }
            Some(Published { name: Some(name), replaced_bytes: Some(before), .. }) => {
                let (name, before) = (Line(name), text::bytes(*before));
                format!("{whole} in '{name}', which replaced {before}")
            }
            Some(Published { name: None, .. }) => whole,
            None if self.output == OutputKind::Stream => {
                format!("{written} of {read} read were written")
            }
            None => format!(
                "nothing was published; {written} of {read} read had been written and were let go"
            ),
        }
    }

    /// Records that are not to be written, which a run that is stopped has no fault in.
    fn others(&self) -> String {
        let counts = &self.run.counts;
        let others = [
            (counts.duplicate + counts.unchanged, "there already"),
            (counts.filtered, "left out"),
            (counts.failed, "rejected"),
        ];
        let others = others.iter().filter(|(records, _)| *records > 0);
        others.map(|(records, what)| format!(", {} {what}", text::count(*records))).collect()
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
        let skipped = [
            (counts.duplicate, "duplicate"),
            (counts.unchanged, "unchanged"),
            (counts.filtered, "filtered"),
        ];
        let skipped: Vec<_> = skipped
            .iter()
            .filter(|(records, _)| *records > 0)
            .map(|(records, why)| format!("{} {why}", text::count(*records)))
            .collect();
        if !skipped.is_empty() {
            balance.push_str(&format!("; skipped: {}", skipped.join(", ")));
        }
        if self.run.residual() > 0 {
            balance.push_str(&format!(" + not settled {}", text::count(self.run.residual())));
        }
        balance
    }
}
