//! Who listens to a run: the numbers (`stats`), the catalogue of metrics and its exposition
//! (`catalogue`, `metrics`, `openmetrics`), and the HTTP server that answers scrapes (`pages`,
//! `server`).
//!
//! Nothing here touches the data path: it hears events, which cannot fail and do not block, and
//! reads snapshots. The crate `prometheus` is known in this folder and nowhere else.

pub mod latency;
pub mod stats;

pub use stats::Stats;
