//! Settings in two tiers: what was written (`options`, `written`, `file`) and what is meant
//! (`settings`). Only the second is seen by the rest of the program.

mod file;
mod mistakes;
pub mod options;
mod reading;
mod settings;
mod units;
mod written;

pub use file::{ConfigFile, nearest};
pub use mistakes::Mistakes;
pub use settings::{
    FileRead, LogFormat, LogLevel, MetricsSettings, PIPELINE_ID, Reporting, Selection, Settings,
    SinkSettings, SourceSettings, Summary,
};
pub use written::{Origin, Written, from_environment};
