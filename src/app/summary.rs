//! What is told of a run, to people and to programs.
//!
//! A summary in a file never shows the run before: it is replaced when a run begins, when its data has
//! come to its end, and when everybody was told. Pipes, devices and files that are open already get the
//! last one only.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::bounded::bounded;
use super::stream::{self, STOPPED_MAX, is_let_go, is_stream};
use crate::config::{LogFormat, Settings, Summary};
use crate::console::progress::terminal_width;
use crate::console::standard_error::standard_error;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::part::{PartFile, PartPolicy};
use crate::pipeline::Stop;
use crate::record::ErrorType;
use crate::report::json::{self, SummaryPhase};
use crate::report::{Report, summary, text};
use crate::shown::Json;

/// Of the file it is written to.
const POLICY: PartPolicy = PartPolicy::replacing(FLAG);

pub const FLAG: &str = "summary-json";

/// A disk of a network that answers later than this has no use for a few lines.
const DISK_MAX: Duration = Duration::from_secs(30);

pub fn show(report: &Report, settings: &Settings) {
    if let Some(published) = &report.published
        && let (Some(name), Some(bytes)) = (&published.name, published.replaced_bytes)
    {
        tracing::info!("'{name}' was replaced; it had {} bytes", text::count(bytes));
    }
    let reporting = &settings.reporting;
    if !reporting.is_quiet {
        match reporting.log_format {
            LogFormat::Text => {
                standard_error().say(summary(report, terminal_width()));
            }
            LogFormat::Json => {
                let (alarm, outcome) = (report.alarm(), report.outcome.as_str());
                tracing::info!(
                    event = "ended",
                    outcome = outcome,
                    exit_code = u64::from(report.outcome.exit_code()),
                    records = report.run.counts.processed(),
                    summary = %json::summary(report),
                    "{alarm}run {outcome}"
                );
            }
        }
    }
}

/// Why a summary could not be written.
pub struct Unwritten {
    pub error: Error,
    /// Whoever writes it was left behind, and may still do so.
    pub is_hung: bool,
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Unwritten {
        Unwritten { error, is_hung: false }
    }
}

/// Whether it could be written, without doing so.
pub fn check(settings: &Settings) -> Result<()> {
    match &settings.reporting.summary {
        Summary::File(path) => check_path(path),
        Summary::None | Summary::Stdout => Ok(()),
    }
}

fn check_path(path: &Path) -> Result<()> {
    if !is_stream(path) {
        return PartFile::check(path, POLICY);
    }
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|cause| {
        Error::config(format!("cannot write '{}'", path.display()))
            .because(io::Error::from(cause))
            .help(format!("check --{FLAG}"))
    })
}

/// The run is on, and the one before is no longer the last.
pub fn begin(
    report: &Report,
    settings: &Settings,
    stop: &Stop,
) -> std::result::Result<(), Unwritten> {
    let Summary::File(path) = &settings.reporting.summary else { return Ok(()) };
    let text = render(report, SummaryPhase::Running);
    let owned = path.clone();
    in_time(path, report.outcome, stop, move || {
        check_path(&owned)?;
        if is_stream(&owned) { Ok(()) } else { PartFile::replace(&owned, POLICY, text.as_bytes()) }
    })
}

/// The data is as it will stay, whatever becomes of telling it. Whether that can be written is seen
/// again at the end; only a disk that hangs is not tried twice.
pub fn data_ended(
    report: &Report,
    settings: &Settings,
    stop: &Stop,
) -> std::result::Result<(), Unwritten> {
    let Summary::File(path) = &settings.reporting.summary else { return Ok(()) };
    let text = render(report, SummaryPhase::Ended);
    let owned = path.clone();
    let written = in_time(path, report.outcome, stop, move || {
        if is_stream(&owned) { Ok(()) } else { PartFile::replace(&owned, POLICY, text.as_bytes()) }
    });
    written.or_else(|unwritten| {
        tracing::debug!("{}", unwritten.error);
        if unwritten.is_hung { Err(unwritten) } else { Ok(()) }
    })
}

/// Everybody was told but who reads this.
pub fn told(report: &Report, settings: &Settings, stop: &Stop) -> Result<()> {
    let text = render(report, SummaryPhase::Told);
    let written = match &settings.reporting.summary {
        Summary::None => Ok(()),
        Summary::Stdout => stream::pour(None, text, report.outcome, stop),
        Summary::File(path) => told_in(path, text, report.outcome, stop),
    };
    written.map_err(missing)
}

fn told_in(path: &Path, text: String, outcome: Outcome, stop: &Stop) -> Result<()> {
    let owned = path.to_path_buf();
    let for_file = text.clone();
    let replaced = in_time(path, outcome, stop, move || match is_stream(&owned) {
        true => Ok(false),
        false => PartFile::replace(&owned, POLICY, for_file.as_bytes()).map(|()| true),
    });
    match replaced {
        Ok(true) => Ok(()),
        Ok(false) => stream::pour(Some(path), text, outcome, stop),
        Err(unwritten) => Err(unwritten.error),
    }
}

/// The run is over, so it is not the settings that are refused.
pub fn missing(error: Error) -> Error {
    match error.kind {
        Kind::OutputClosed => error,
        _ => Error::new(Kind::LocalIo, ErrorType::Disk, format!("the summary is missing: {error}")),
    }
}

/// A disk may hang, and signals are to be heard all the while.
fn in_time<T: Send + 'static>(
    path: &Path,
    outcome: Outcome,
    stop: &Stop,
    write: impl FnOnce() -> Result<T> + Send + 'static,
) -> std::result::Result<T, Unwritten> {
    let written = bounded("summary", write, |elapsed| match elapsed {
        _ if is_let_go(outcome, stop) && elapsed > STOPPED_MAX => {
            Some("stopped by a signal before the disk answered")
        }
        _ => (elapsed > DISK_MAX).then_some("the disk does not answer"),
    });
    match written {
        Ok(written) => Ok(written?),
        Err(cause) => {
            let is_hung = cause.kind() == io::ErrorKind::TimedOut;
            let error = Error::local_io(format!("cannot write '{}'", path.display()), cause);
            Err(Unwritten { error, is_hung })
        }
    }
}

/// A run that was refused before its settings were known to go together. Only a summary is replaced
/// then: what else has the name may be an input.
pub fn refused(report: &Report, path: &Path) -> Result<()> {
    let is_free = match fs::symlink_metadata(path) {
        Err(cause) => cause.kind() == io::ErrorKind::NotFound,
        Ok(found) => {
            found.is_file()
                && !is_stream(path)
                && found.len() < SUMMARY_BYTES_MAX
                && fs::read(path).is_ok_and(|text| json::is_document(&text))
        }
    };
    if !is_free {
        return Ok(());
    }
    PartFile::replace(path, POLICY, render(report, SummaryPhase::Told).as_bytes())
}

/// Far more than one has.
const SUMMARY_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn render(report: &Report, progress: SummaryPhase) -> String {
    format!("{}\n", Json(format!("{:#}", json::document(report, progress))))
}
