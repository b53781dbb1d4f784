//! Settings in two tiers: what was written (`options`, `written`, `environment`, `file`; `layers` has
//! them one over the other) and what is meant (`settings`). Only the second is seen by the rest of the
//! program.

mod environment;
mod file;
mod include;
mod layers;
mod mistakes;
mod nearest;
pub mod options;
mod reading;
mod settings;
mod small_file;
mod units;
mod written;

pub use layers::{
    Refusal, Which, environment, is_told_by_environment, log_format_of_environment, pipeline_names,
    resolve,
};
pub use mistakes::Mistakes;
pub use settings::{
    FileRead, LogFormat, LogLevel, MetricsSettings, PIPELINE_ID, Reporting, Selection, Settings,
    SinkSettings, SourceSettings, Summary,
};
pub use written::{Origin, Written};
