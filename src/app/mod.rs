//! The wiring: the only place where concrete sources and sinks meet the pipeline.
//!
//! `ends` opens what a run moves records between, `fitted_table` has how fields become columns, `intent`
//! says what will be done, `session` is one run, `history` its row in the ledger, `summary` is what is told of it, `run_all` what pipelines
//! share that are run one after another, `preflight` what can be known before it: `keep_apart` that no file
//! is used for two things, `stream` that standard streams are there. `backup` is what restores the dates of
//! one, `bounded` waits for what may hang, `ways_out` tells others of the end, `lineage` is what catalogues are told that it reads and writes, `metrics_port` is where they ask, `port_holder` who else may have it. `refusal` is told where not even the settings are known.

mod backup;
mod bounded;
mod ends;
mod fitted_table;
mod history;
mod intent;
mod keep_apart;
mod lineage;
mod metrics_port;
mod port_holder;
mod preflight;
mod refusal;
mod run_all;
mod session;
mod stream;
mod summary;
mod text_files;
mod waiting;
mod ways_out;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

pub use self::ends::{Destination, Ends, job_identity, output};
pub use self::fitted_table::Fitted;
pub use self::history::{cannot_compare, minimum_against};
pub use self::intent::intent;
pub use self::port_holder::{Holder, holder};
pub use self::preflight::check_files;
use self::refusal::RefusedRun;
pub use self::run_all::{begin_all, begin_looks, keep_pipelines_apart, say_how_all_ended};
use self::session::RunSession;
use crate::config::{
    LogFormat, LogLevel, Settings, SettingsRefusal, environment, log_format_of_environment,
};
use crate::console::logging::{self, Style};
use crate::console::panics;
use crate::console::standard_error::standard_error;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::shown::{Block, Line};
use crate::signals;

/// Runs one sync and says how it ended. Errors are said here, once.
pub fn run(settings: &Settings) -> Outcome {
    logging::install(style(settings), level(settings));
    standard_error().begin_anew();
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let session = RunSession::start(settings);
    signals::said();
    standard_error().begin_to_end();
    session.finish(settings)
}

/// A log for a look, which has warnings for whoever looks and nothing to say of its own course. It begins
/// with what was passed over among the settings.
pub fn begin_look(settings: &[&Settings]) {
    let Some(first) = settings.first() else { return };
    logging::install(style(first), level(first).min(LevelFilter::WARN));
    warnings(settings).iter().for_each(|warning| warn(warning));
}

/// What is said of one pipeline among several has its name before it.
fn warnings(settings: &[&Settings]) -> Vec<String> {
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

/// The same where there are no settings.
fn begin_refusal(refusal: &SettingsRefusal) {
    logging::install(style_of(refusal.log_format), LevelFilter::WARN);
    refusal.warnings.iter().for_each(|warning| warn(warning));
}

/// Says why there are no settings: all that is wrong, and what was passed over.
pub fn refuse(refusal: &SettingsRefusal) -> Outcome {
    begin_refusal(refusal);
    let pipeline = refusal.pipeline.as_deref().filter(|_| refusal.is_one_of_several);
    refusal.mistakes.iter().for_each(|mistake| complain_of(pipeline, mistake));
    Outcome::Usage
}

/// The same of a run: whoever looks into its summary must not find the run before.
pub fn refuse_run(refusal: &SettingsRefusal) -> Outcome {
    let outcome = refuse(refusal);
    let mistakes: Vec<_> = refusal.mistakes.iter().map(ToString::to_string).collect();
    if let Some(run) = RefusedRun::of_settings(&refusal.written, refusal.pipeline.as_deref()) {
        run.tell(Outcome::Usage, mistakes.join("; "));
    }
    outcome
}

/// The same of a run whose command line makes no sense.
pub fn tell_refused_line(words: &[String], complaint: &str) {
    if let Some(run) = RefusedRun::of_words(words, &environment()) {
        run.tell(Outcome::Usage, complaint.lines().next().unwrap_or_default().to_string());
    }
}

/// A run is about to begin, whose settings may have to be waited for.
pub fn expect_run() {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    if let Some(run) = RefusedRun::of_words(&words, &environment()) {
        run.tell_when_stopped();
    }
}

/// Says what is wrong with the command line, in the words of what read it.
pub fn refuse_usage(complaint: &str, asks_for_json: bool) -> Outcome {
    if asks_for_json || log_format_of_environment() == LogFormat::Json {
        logging::install(Style::Json, LevelFilter::WARN);
        let lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines.collect::<Vec<_>>().join("; ");
        logging::complain(line.trim_start_matches("error: "));
    } else {
        standard_error().say(Block(complaint).to_string());
    }
    Outcome::Usage
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
pub fn complain(error: &Error) {
    complain_of(None, error);
}

/// The same with the pipeline, where there are several.
pub fn complain_of(pipeline: Option<&str>, error: &Error) {
    complain_at_end(pipeline, error, error.kind.into());
}

/// The same of a run that ends as it does for another reason, perhaps.
pub fn complain_at_end(pipeline: Option<&str>, error: &Error, exit: Outcome) {
    if panics::was_said(error) {
        return;
    }
    let message = match pipeline {
        Some(pipeline) => format!("{}: {error}", Line(pipeline)),
        None => error.to_string(),
    };
    logging::complain_of(&message, error, exit);
}

pub fn warn(warning: &str) {
    logging::warn(&Line(warning).to_string());
}
