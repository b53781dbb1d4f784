//! Settings in two tiers: what was written (`options`, `written`, `environment`, `file`; `layers` has
//! them one over the other) and what is meant (`settings`). Only the second is seen by the rest of the
//! program.

mod choices;
mod defaults;
mod end_choice;
mod environment;
mod file;
mod file_option;
mod include;
mod layers;
mod mistakes;
mod nearest;
mod option_reader;
pub mod options;
mod places;
mod schema;
mod settings;
pub mod shell_expansion;
pub mod small_file;
mod tables;
pub mod units;
mod variables;
mod written;

pub use choices::{LogFormat, LogLevel};
pub use defaults::PIPELINE_ID;
pub use layers::{
    LedgerPlace, PipelineSettings, SettingsRefusal, environment, exporter_settings,
    is_told_by_environment, ledger_place, log_format_of_environment, pipeline_names, resolve,
    resolve_each,
};
pub use places::is_named_after_pipeline;
pub use schema::schema;
pub use settings::{
    ColumnSelection, ExporterSettings, Linger, Settings, SinkSettings, SourceSettings, Summary,
    secret_in,
};
pub use units::some_duration;
pub use written::{OptionOrigin, WrittenOptions};
