//! The wiring: the only place where concrete sources and sinks meet the pipeline.
//!
//! `ends` opens what a run moves records between, `session` is one run, `summary` is what is told
//! at its end.

mod ends;
mod keep_apart;
mod session;
mod summary;

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing::level_filters::LevelFilter;

pub use self::ends::{Ends, Fitted, Output, intent};
pub use self::keep_apart::keep_apart;
use self::session::Session;
use crate::config::{LogFormat, LogLevel, Refusal, Settings, log_format_of_environment};
use crate::error::Error;
use crate::observe::logging::{self, Style};
use crate::outcome::Outcome;
use crate::shown::{Block, Line};

/// Runs one sync and says how it ended. Errors are said here, once.
pub fn run(settings: &Settings) -> Outcome {
    let screen = MultiProgress::with_draw_target(match show_bar(settings) {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    });
    logging::install(style(settings), level(settings), &screen);
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    match keep_apart(settings) {
        Ok(()) => Session::start(settings, &screen).finish(settings),
        Err(error) => {
            say(settings, &error);
            error.kind.into()
        }
    }
}

/// A log for a look, which has warnings for whoever looks and nothing to say of its own course.
/// Says what was passed over among the settings.
pub fn begin_look(settings: &[Settings]) {
    let Some(first) = settings.first() else { return };
    log_mistakes(style(first), level(first).min(LevelFilter::WARN));
    for warning in warnings(settings) {
        warn(first.reporting.log_format, &warning);
    }
}

/// What is said of one pipeline among several has its name before it.
fn warnings(settings: &[Settings]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for one in settings {
        for warning in &one.warnings {
            let is_of_all = settings.iter().all(|other| other.warnings.contains(warning));
            let warning = match is_of_all {
                true => warning.clone(),
                false => format!("{}: {warning}", one.pipeline_id),
            };
            if !said.contains(&warning) {
                said.push(warning);
            }
        }
    }
    said
}

/// Says why there are no settings: all that is wrong, and what was passed over.
pub fn refuse(refusal: &Refusal) -> Outcome {
    let format = refusal.log_format;
    log_mistakes(style_of(format), LevelFilter::WARN);
    refusal.warnings.iter().for_each(|warning| warn(format, warning));
    refusal.mistakes.iter().for_each(|mistake| complain(format, mistake));
    Outcome::Usage
}

/// Says what is wrong with the command line, in the words of what read it.
pub fn refuse_usage(complaint: &str, asks_for_json: bool) -> Outcome {
    match log_format_of_environment() {
        format if asks_for_json || format == LogFormat::Json => {
            log_mistakes(Style::Json, LevelFilter::WARN);
            let line = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
            let line = line.collect::<Vec<_>>().join("; ");
            tracing::error!("{}", line.trim_start_matches("error: "));
        }
        _ => {
            // Who closed standard error does not want to know.
            let _ = write!(io::stderr(), "{}", Block(complaint));
        }
    }
    Outcome::Usage
}

fn log_mistakes(style: Style, level: LevelFilter) {
    let screen = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    logging::install(style, level, &screen);
}

fn style(settings: &Settings) -> Style {
    style_of(settings.reporting.log_format)
}

fn style_of(format: LogFormat) -> Style {
    match format {
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
pub fn say(settings: &Settings, error: &Error) {
    complain(settings.reporting.log_format, error);
}

/// An error for people has our name before it in place of a time.
fn complain(format: LogFormat, error: &Error) {
    match format {
        LogFormat::Json => tracing::error!("{error}"),
        LogFormat::Text => {
            // Who closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "flowgauge: {error}");
        }
    }
}

fn warn(format: LogFormat, warning: &str) {
    match format {
        LogFormat::Json => tracing::warn!("{warning}"),
        LogFormat::Text => {
            // Who closed standard error does not want to know.
            let _ = writeln!(io::stderr(), "flowgauge: warning: {}", Line(warning));
        }
    }
}
