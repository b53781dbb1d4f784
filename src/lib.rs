//! flowgauge moves records from a source to a sink and measures every step.
//!
//! The path of one record, which is also the order of these modules: settings say what to do
//! (`config`); a `source` finds segments; workers decode, `convert` and prepare them; the
//! `pipeline` keeps order, memory and retries; a `sink` commits; what was refused goes to
//! `rejects`; what happened becomes a `report`. `observe` listens, `console` and `web` show. See ARCHITECTURE.md.

#![forbid(unsafe_code)]

mod app;
mod chance;
mod cli;
mod command;
mod config;
mod console;
mod convert;
mod draw;
mod error;
mod event;
mod export;
mod file_identity;
mod host;
mod infer;
mod ledger;
mod loopback;
mod observe;
mod outcome;
mod part;
mod pipeline;
mod provision;
mod record;
mod rejects;
mod report;
mod secret;
mod shown;
mod signals;
mod sink;
mod source;
mod trace_context;
mod web;

/// What `main` tells the story of the program with.
pub mod program {
    pub use crate::app::complain;
    pub use crate::cli::{Asked, parse};
    pub use crate::command::{
        check, exporter, metrics, run, runs, schema, status, texts, top, usage,
    };
    pub use crate::config::is_told_by_environment;
    pub use crate::console::panics;
    pub use crate::console::standard_error::{LAST_LINES_MAX, standard_error};
    pub use crate::outcome::Outcome;
    pub use crate::sink::mysql::session::driver_buffers;
    pub mod signals {
        pub use crate::signals::install;
    }
}

/// What tests and benches look at alone. Everything else is the crate's own, so that the compiler
/// says what nobody uses.
pub mod parts {
    pub use crate::config::options::{OPTIONS, Opt, Takes};
    pub use crate::console::logging::Style;
    pub use crate::convert::Typing;
    pub use crate::convert::date::calendar::civil;
    pub use crate::convert::date::{DateFormat, ParsedTime};
    pub use crate::event::{Event, Observer, Vitals};
    pub use crate::observe::catalogue::{Metric, SeriesType};
    pub use crate::observe::{CATALOGUE, Stats, describe};
    pub use crate::part::IfExists;
    pub use crate::pipeline::{MaxErrors, Minimum, RetryPolicy, Run, Stop, run as run_pipeline};
    pub use crate::record::{Rejected, Rows, Segment};
    pub use crate::rejects::MemoryRejects;
    pub use crate::shown::is_obeyed;
    pub use crate::sink::file::{Compression, FileSettings, FileSink, Format, OutputTarget};
    pub use crate::sink::memory::MemorySink;
    pub use crate::sink::{MarkPolicy, Sink};
    pub use crate::source::csv::{
        CsvDialect, CsvSettings, CsvSource, HeaderNames, InvalidText, Ragged,
    };
    pub use crate::source::jsonl::{JsonlSettings, JsonlSource};
    pub use crate::source::memory::MemorySource;
    pub use crate::source::text::{Boundaries, Encoding, StreamSettings};
    pub use crate::source::{Onlooker, Others, SegmentLimit, Source, Wanted};
}
