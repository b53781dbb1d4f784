//! What a run did: its outcome, its numbers, and how both are shown. Pure: it is given a
//! `Snapshot` and returns text.

mod outcome;
mod snapshot;

pub use outcome::{Outcome, Signal};
pub use snapshot::{Latencies, Sizes, Snapshot, StageTime, per_second};
