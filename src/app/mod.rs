//! The wiring: the only place where concrete sources and sinks meet the pipeline.
//!
//! `ends` opens what a run moves records between, `session` is one run, `summary` is what is told
//! of it, `preflight` what can be known before it: `keep_apart` that no file is used for two things,
//! `stream` that standard streams are there. `refusal` is told where not even the settings are known.

mod ends;
mod keep_apart;
mod preflight;
mod refusal;
mod session;
mod stream;
mod summary;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

pub use self::ends::{Ends, Fitted, Output, intent};
pub use self::preflight::{check_files, check_streams};
pub use self::refusal::Refusal;
use self::session::Session;
use crate::config::{LogFormat, LogLevel, Settings};
use crate::error::Error;
use crate::observe::logging::{self, Style};
use crate::observe::panics;
use crate::observe::standard_error::standard_error;
use crate::outcome::Outcome;
use crate::signals;

/// Runs one sync and says how it ended. Errors are said here, once.
pub fn run(settings: &Settings) -> Outcome {
    logging::install(style(settings), level(settings));
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let session = match check_streams(settings) {
        Ok(()) => Session::start(settings),
        Err(error) => Session::refused(settings, error),
    };
    signals::said();
    standard_error().begin_to_end();
    session.finish(settings)
}

/// A log for a look, which has warnings for whoever looks and nothing to say of its own course.
pub fn log_warnings(settings: &Settings) {
    logging::install(style(settings), level(settings).min(LevelFilter::WARN));
}

fn style(settings: &Settings) -> Style {
    match settings.reporting.log_format {
        LogFormat::Text => Style::Text,
        LogFormat::Json => Style::Json,
    }
}

fn show_bar(settings: &Settings) -> bool {
    let reporting = &settings.reporting;
    !reporting.is_quiet && reporting.log_format == LogFormat::Text && io::stderr().is_terminal()
}

fn level(settings: &Settings) -> LevelFilter {
    if settings.reporting.is_quiet {
        return LevelFilter::ERROR;
    }
    match settings.reporting.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// The one line that says why.
fn say(settings: &Settings, error: &Error) {
    if panics::was_said(error) {
        return;
    }
    match settings.reporting.log_format {
        LogFormat::Json => tracing::error!("{error}"),
        LogFormat::Text => complain(error),
    }
}

/// Says an error before there is a log.
pub fn complain(error: &Error) {
    logging::complain(&error.to_string());
}

/// Says what was passed over among the settings where there is no log.
pub fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        logging::complain(&format!("warning: {warning}"));
    }
}
