//! What is told of a run, to people and to programs.
//!
//! A summary in a file never shows the run before: it is replaced when a run begins, when its data has
//! come to its end, and when everybody was told. Pipes, devices and files that are open already get the
//! last one only.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::stream::{self, is_stream};
use crate::config::{LogFormat, Settings, Summary};
use crate::error::{Error, Kind, Result};
use crate::observe::standard_error::standard_error;
use crate::part::{PartFile, PartPolicy};
use crate::pipeline::Stop;
use crate::record::ErrorType;
use crate::report::json::{self, Progress};
use crate::report::{Report, text};
use crate::shown::Json;

/// Of the file it is written to.
const POLICY: PartPolicy = PartPolicy::replacing(FLAG);

pub const FLAG: &str = "summary-json";

/// Another run with the same summary writes it in a moment.
const HELD_MAX: Duration = Duration::from_secs(2);
const HELD_PAUSE: Duration = Duration::from_millis(10);

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
                standard_error().say(text::summary(report));
            }
            LogFormat::Json => {
                tracing::info!(summary = %json::summary(report), "run {}", report.outcome.as_str());
            }
        }
    }
}

/// Whether it could be written, without doing so.
pub fn check(settings: &Settings) -> Result<()> {
    let Summary::File(path) = &settings.reporting.summary else { return Ok(()) };
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
pub fn begin(report: &Report, settings: &Settings) -> Result<()> {
    check(settings)?;
    match &settings.reporting.summary {
        Summary::File(path) if !is_stream(path) => replace(path, report, Progress::Running),
        _ => Ok(()),
    }
}

/// The data is as it will stay, whatever becomes of telling it. Whether that can be written is seen
/// again at the end.
pub fn data_ended(report: &Report, settings: &Settings) {
    if let Summary::File(path) = &settings.reporting.summary
        && !is_stream(path)
        && let Err(error) = replace(path, report, Progress::Ended)
    {
        tracing::debug!("{error}");
    }
}

/// Everybody was told but who reads this.
pub fn told(report: &Report, settings: &Settings, stop: &Stop) -> Result<()> {
    let text = || render(report, Progress::Told);
    let written = match &settings.reporting.summary {
        Summary::None => Ok(()),
        Summary::Stdout => stream::pour(None, text(), report.outcome, stop),
        Summary::File(path) if is_stream(path) => {
            stream::pour(Some(path), text(), report.outcome, stop)
        }
        Summary::File(path) => replace(path, report, Progress::Told),
    };
    written.map_err(|error| match error.kind {
        Kind::OutputClosed => error,
        // The run is over, so it is not the settings that are refused.
        _ => Error::new(Kind::LocalIo, ErrorType::Disk, format!("the summary is missing: {error}")),
    })
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
    if is_free { replace(path, report, Progress::Told) } else { Ok(()) }
}

/// Far more than one has.
const SUMMARY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Whoever reads it finds one whole summary, this or the one before.
fn replace(path: &Path, report: &Report, progress: Progress) -> Result<()> {
    let give_up = Instant::now() + HELD_MAX;
    let part = loop {
        match PartFile::create(path, POLICY) {
            Err(error) if error.kind == Kind::Locked && Instant::now() < give_up => {
                thread::sleep(HELD_PAUSE);
            }
            created => break created?,
        }
    };
    part.append(render(report, progress).as_bytes())?;
    part.publish()?;
    Ok(())
}

fn render(report: &Report, progress: Progress) -> String {
    format!("{}\n", Json(format!("{:#}", json::document(report, progress))))
}
