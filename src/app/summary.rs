//! What is told at the end of a run.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::config::{LogFormat, Settings, Summary};
use crate::error::{Error, Kind, Result};
use crate::observe::standard_error::standard_error;
use crate::record::ErrorType;
use crate::report::{Report, json, text};
use crate::shown::Json;
use crate::sink::file::StandardOutput;

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

pub fn write(report: &Report, settings: &Settings) -> Result<()> {
    let document = || format!("{}\n", Json(format!("{:#}", json::summary(report))));
    match &settings.reporting.summary {
        Summary::None => Ok(()),
        Summary::Stdout => {
            StandardOutput.write_all(document().as_bytes()).map_err(|cause| match cause.kind() {
                io::ErrorKind::BrokenPipe => Error::new(
                    Kind::OutputClosed,
                    ErrorType::Other,
                    "the reader of standard output went away before the summary",
                ),
                _ => Error::local_io("cannot write the summary", cause),
            })
        }
        Summary::File(path) => replace(path, &document()).map_err(|cause| {
            Error::local_io(format!("cannot write the summary '{}'", path.display()), cause)
                .help("check --summary-json")
        }),
    }
}

/// Writes a small file whole or not at all; into what is no file, such as a pipe, as it comes.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_other = fs::metadata(&resolved).is_ok_and(|found| !found.is_file());
    if is_other {
        return fs::OpenOptions::new().write(true).open(&resolved)?.write_all(content.as_bytes());
    }
    let name = resolved.file_name().unwrap_or_default().to_string_lossy();
    let part = resolved.with_file_name(format!(".{name}.{}.part", std::process::id()));
    fs::write(&part, content).and_then(|()| fs::rename(&part, &resolved)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
    })
}
