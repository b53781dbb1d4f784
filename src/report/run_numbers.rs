//! The numbers of a run at one moment: what every reader - scrape, log line, progress, summary -
//! is given, so that no two of them can disagree.

use std::time::{Duration, SystemTime};

use super::silence::WaitsFor;
use super::{LastSign, SILENCE_MIN, Silence};
use crate::event::{
    Counter, LedgerOperation, Operation, RunState, SchemaOperation, SqlOperation, Stage, Wait,
};
use crate::outcome::Outcome;
use crate::record::{Counts, ErrorType};

/// A latency distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    pub count: u64,
    pub sum: Duration,
    pub p50: Duration,
    pub p95: Duration,
    pub p99: Duration,
    /// Counts up to and including each upper bound in seconds, cumulative, ascending.
    pub buckets: Vec<(f64, u64)>,
}

/// A distribution of sizes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    pub count: u64,
    pub sum: u64,
    /// Counts up to and including each upper bound, cumulative, ascending.
    pub buckets: Vec<(f64, u64)>,
}

/// Where the time of one stage went, summed over its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTime {
    pub busy: Duration,
    /// Indexed as `Wait::ALL`.
    pub waits: [Duration; Wait::COUNT],
}

impl StageTime {
    pub fn waited(&self, wait: Wait) -> Duration {
        self.waits[wait as usize]
    }
}

/// The last error of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct LastError {
    pub stage: Stage,
    pub error_type: ErrorType,
    /// Of the first of its kind.
    pub first_at: SystemTime,
    pub last_at: SystemTime,
    /// Ours: it holds no value of a record and no secret.
    pub message: String,
    /// It was not tried again.
    pub is_final: bool,
}

/// Rejected records of one type, by the column at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedColumn {
    /// None where no single column is.
    pub column: Option<String>,
    pub error_type: ErrorType,
    pub records: u64,
    pub first_place: String,
}

#[derive(Clone, Debug, Default)]
pub struct RunNumbers {
    pub state: RunState,
    /// Set once the run has ended.
    pub outcome: Option<Outcome>,
    /// Why it did not complete.
    pub error: Option<String>,
    /// The output is public as a whole; unknown before the end.
    pub is_published: Option<bool>,
    pub elapsed: Duration,
    /// Since something last moved.
    pub quiet: Duration,
    pub last_sign: LastSign,
    pub records_read: u64,
    pub counts: Counts,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub stored_position: u64,
    pub stored_expected: Option<u64>,
    pub records_expected: Option<u64>,
    pub fetch: Latencies,
    pub insert: Latencies,
    pub batch: Latencies,
    pub run: Latencies,
    pub batch_records: Sizes,
    pub batch_bytes: Sizes,
    /// Indexed as `Stage::ALL`.
    pub stages: [StageTime; 3],
    /// Readers, workers and lanes, indexed in the same way; 0 before they are there.
    pub threads: [u64; 3],
    /// Lanes that the sink would open; 0 before it is known.
    pub lanes_max: u64,
    /// How long the readers were on a core, or waited for one; known once they have ended, where the kernel says.
    pub readers_on_core: Option<Duration>,
    /// How often each thing went wrong, rejected records included; zeros included.
    pub errors: Vec<(Stage, ErrorType, u64)>,
    pub retries: Vec<(Stage, ErrorType, u64)>,
    /// Of each kind that occurred, in the order of stages.
    pub last_errors: Vec<LastError>,
    /// Rejected records that were decided, by type; only those that occurred.
    pub rejected: Vec<(ErrorType, u64)>,
    /// The same by column, of which there are not too many.
    pub rejected_columns: Vec<RejectedColumn>,
    /// Indexed as `Stage::ALL`.
    pub rate_limited: [u64; 3],
    /// Segments by the reason their end was where it is: records, bytes, large, end.
    pub flushes: [u64; 4],
    /// Requests to a search server by operation and answer; zeros included.
    pub requests: Vec<(Operation, &'static str, u64)>,
    /// How long each took until its answer began.
    pub request_latencies: Vec<(Operation, Latencies)>,
    pub requests_in_flight: u64,
    /// What the lanes asked a database.
    pub sql_latencies: Vec<(SqlOperation, Latencies)>,
    pub sql_connections: u64,
    /// Changes of the target's shape, and whether they were done; those that did not come included.
    pub schema_changes: Vec<(SchemaOperation, bool, Latencies)>,
    /// Files from their opening until all of each was settled.
    pub file: Latencies,
    /// What the history of runs was asked.
    pub ledger_latencies: Vec<(LedgerOperation, Latencies)>,
    /// What it was given and has not taken yet.
    pub ledger_queue_depth: u64,
    /// Indexed by `Counter`.
    pub counters: [u64; Counter::COUNT],
}

impl RunNumbers {
    /// Read and not yet settled.
    pub fn residual(&self) -> u64 {
        self.records_read.saturating_sub(self.counts.processed())
    }

    pub fn stage(&self, stage: Stage) -> &StageTime {
        &self.stages[stage as usize]
    }

    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// The share of the source that is durable, between 0 and 1; unknown where the source cannot tell how much there is.
    pub fn progress(&self) -> Option<f64> {
        // Of nothing all is done, too.
        let is_known = self.records_expected.or(self.stored_expected).is_some();
        if is_known && self.outcome == Some(Outcome::Complete) {
            return Some(1.0);
        }
        if let Some(expected) = self.records_expected.filter(|&expected| expected > 0) {
            return Some((self.counts.processed() as f64 / expected as f64).min(1.0));
        }
        let expected = self.stored_expected.filter(|&expected| expected > 0)?;
        Some((self.stored_durable() as f64 / expected as f64).min(1.0))
    }

    /// Bytes of the stored input whose records are durable, as far as their share of the bytes that
    /// were read tells.
    pub fn stored_durable(&self) -> u64 {
        match self.bytes_read {
            0 => 0,
            read => {
                let share = self.batch_bytes.sum as f64 / read as f64;
                (self.stored_position as f64 * share.min(1.0)) as u64
            }
        }
    }

    /// Nothing moves, and has not for a while.
    pub fn silence(&self) -> Option<Silence> {
        (self.quiet >= SILENCE_MIN && self.outcome.is_none()).then(|| Silence {
            lasted: self.quiet,
            sign: self.last_sign,
            waits_for: match (self.state, self.residual()) {
                (RunState::Starting, _) => WaitsFor::Opening,
                (_, 0) => WaitsFor::Source,
                _ => WaitsFor::Sink,
            },
        })
    }

    /// Time left at the average rate so far, which says nothing while nothing moves.
    pub fn eta(&self) -> Option<Duration> {
        // One that is stopped does not read the rest.
        if self.silence().is_some() || self.state == RunState::Draining {
            return None;
        }
        let done = self.progress().filter(|&done| done > 0.0)?;
        let left = Duration::try_from_secs_f64(self.elapsed.as_secs_f64() * (1.0 - done) / done);
        // Less is over before it is read.
        left.ok().filter(|left| *left >= ETA_MIN)
    }

    /// Settled records a second, over the whole run so far.
    pub fn rate(&self) -> f64 {
        per_second(self.counts.processed(), self.elapsed)
    }
}

/// The end may be the next moment; nobody is told of milliseconds that are left.
const ETA_MIN: Duration = Duration::from_secs(1);

pub fn per_second(amount: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { amount as f64 / seconds } else { 0.0 }
}
