//! The history of runs: a SQLite file in which every run leaves a row from its first moment, its numbers
//! while it runs, and its outcome.
//!
//! `writer` is the one thread of a run that owns the connection; it opens the file (`opening`, `schema`,
//! `damage`), writes (`recording`, `totals`, `lost`), and reads the numbers of the run when it wants them, so
//! that the data path knows nothing of it. `reading` and `queries` are what looks into a ledger afterwards,
//! `pruning` what removes old runs. Whatever goes wrong here changes neither data nor outcome: it is
//! `Missing`, one line.

mod address;
mod damage;
mod lost;
mod missing;
mod opening;
mod past;
mod place;
mod pruning;
mod queries;
mod reading;
mod recording;
mod schema;
mod standing;
mod totals;
mod writer;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::address::metrics_addresses;
pub use self::lost::write_lost;
pub use self::missing::Missing;
pub use self::opening::check;
pub use self::past::Past;
pub use self::pruning::prune;
pub use self::queries::{
    PipelineHistory, RunDetails, RunFilter, RunRow, StageRow, lost_runs, pipelines, runs,
    runs_named,
};
pub use self::reading::read;
pub use self::standing::Standing;
pub use self::writer::{GiveUp, Ledger};

/// What the file is called where nobody names it.
pub const FILE_NAME: &str = "ledger.sqlite";

pub const FLAG: &str = "ledger";

#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// None where none is wanted, or the environment names no place for it.
    pub path: Option<PathBuf>,
    /// None is wanted.
    pub is_off: bool,
    /// How long runs are kept.
    pub keep: Duration,
    /// A run whose history is missing is not as it should be.
    pub is_required: bool,
}

/// Who a run is, at its first moment. Nothing of it is secret.
#[derive(Clone, Debug)]
pub struct BegunRun {
    pub run_id: String,
    pub pipeline_id: String,
    /// Seconds since the epoch.
    pub started_at: f64,
    pub version: String,
    /// Kinds of the two ends, as in `--source-type` and `--sink-type`.
    pub source: String,
    pub sink: String,
    /// The source in words that stay the same from run to run.
    pub source_name: String,
    /// The file or the table.
    pub target: Option<String>,
    pub mode: Option<String>,
    /// Of the settings, as JSON and as a hash of it.
    pub settings: String,
    pub fingerprint: String,
    pub expected_interval: Option<Duration>,
    pub trace_id: Option<String>,
    /// Where its metrics are asked for, where they are served.
    pub metrics_url: Option<String>,
    /// How long runs are kept.
    pub keep: Duration,
}

/// Seconds since the epoch, as all times are kept.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
