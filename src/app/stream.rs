//! Standard input and output, pipes and devices: whether they are there, and writing to one that may
//! have no reader.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fstat, major, minor};

use super::bounded::bounded;
use super::ends::is_to_stdout;
use super::text_files::{TextFiles, text_files};
use crate::config::{Settings, Summary};
use crate::error::{Error, Kind, Result};
use crate::file_identity::{is_same_file, is_stream_at};
use crate::outcome::Outcome;
use crate::pipeline::{Phase, Stop};
use crate::record::ErrorType;
use crate::sink::file::StandardOutput;

/// A named pipe that nobody opens.
const READER_MAX: Duration = Duration::from_secs(10);
/// Once a signal has come.
pub const STOPPED_MAX: Duration = Duration::from_secs(1);
/// As many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Refuses standard streams that are closed: what is written would be lost, and what is read would
/// seem to be empty.
pub fn check(settings: &Settings) -> Result<()> {
    let TextFiles { names, flag, .. } = text_files(settings);
    if names.iter().any(|file| file == "-") && is_closed(io::stdin()) {
        return Err(Error::config(
            "standard input is closed, or /dev/null opened for writing, too",
        )
        .help(format!("give it something to read, or name a file in --{flag}")));
    }
    let told = match (is_to_stdout(settings), &settings.reporting.summary) {
        (true, _) => Some("output-file"),
        (false, Summary::Stdout) => Some("summary-json"),
        _ => None,
    };
    match told {
        Some(flag) if is_closed(io::stdout()) => Err(Error::config(format!(
            "standard output is closed, or /dev/null opened for reading, too, and --{flag} is '-'"
        ))
        .help("what is written there would be lost; say > /dev/null where that is meant")),
        _ => Ok(()),
    }
}

/// Before `main` begins, /dev/null is opened in the place of a standard stream that is closed, for
/// reading and writing. A shell opens it for one of them.
fn is_closed(stream: impl AsFd) -> bool {
    const NULL: (u32, u32) = (1, 3);
    let is_both = fcntl_getfl(&stream).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let is_null =
        fstat(&stream).is_ok_and(|found| (major(found.st_rdev), minor(found.st_rdev)) == NULL);
    is_both && is_null
}

/// What is no file, or is open to whoever started us, is written to: a file that takes its name would
/// be one that nobody else has open.
pub fn is_stream(path: &Path) -> bool {
    let is_other =
        |found: fs::Metadata| !found.is_dir() && (!found.is_file() || is_descriptor(path));
    fs::metadata(path).is_ok_and(is_other)
        || is_stream_at(io::stdout(), path)
        || is_stream_at(io::stderr(), path)
}

/// Whether a name of a file to read means standard input. A regular file that this leads to is opened anew.
pub fn is_standard_input(name: &str) -> bool {
    let path = Path::new(name);
    let is_file = || fs::metadata(path).is_ok_and(|found| found.is_file());
    name == "-" || is_same_file(path, Path::new("/dev/stdin")) && !is_file()
}

/// Whether it leads through the open files of a process, as `/dev/stdout` and `/dev/fd/3` do.
fn is_descriptor(path: &Path) -> bool {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let Ok(folder) = fs::canonicalize(folder.unwrap_or(Path::new("."))) else { return false };
        let Ok(leads_to) = fs::read_link(&path) else { return false };
        if folder.starts_with("/proc") && folder.ends_with("fd") {
            return true;
        }
        path = folder.join(leads_to);
    }
    false
}

/// Writes to a file that is none, or to standard output. A reader may take its time, and may stop
/// reading: then a signal ends it, the second one where the first has ended the run.
pub fn pour(path: Option<&Path>, text: String, outcome: Outcome, stop: &Stop) -> Result<()> {
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    let owned: Option<PathBuf> = path.map(Path::to_path_buf);
    let work = move || write(owned.as_deref(), text.as_bytes(), &opened);
    let written = bounded("summary", work, |elapsed| {
        if is_let_go(outcome, stop) && elapsed > STOPPED_MAX {
            return Some("stopped by a signal before its reader took all of it");
        }
        let is_unread = !is_open.load(Ordering::Relaxed) && elapsed > READER_MAX;
        is_unread.then_some("nobody reads it")
    });
    written.and_then(|written| written).map_err(|cause| unwritten(path, cause))
}

/// Whether a signal asks not to wait any longer: the second one where the first has ended the run.
pub fn is_let_go(outcome: Outcome, stop: &Stop) -> bool {
    match outcome {
        Outcome::Interrupted(_) => stop.phase() == Phase::Abandoned,
        _ => stop.received().is_some(),
    }
}

fn write(path: Option<&Path>, bytes: &[u8], is_open: &AtomicBool) -> io::Result<()> {
    let mut stream: Box<dyn Write> = match path {
        None => Box::new(StandardOutput),
        // Opened anew, it would be written from its beginning, over what went there before.
        Some(path) if is_stream_at(io::stdout(), path) => Box::new(StandardOutput),
        Some(path) if is_stream_at(io::stderr(), path) => Box::new(io::stderr()),
        Some(path) => Box::new(OpenOptions::new().append(true).open(path)?),
    };
    is_open.store(true, Ordering::Relaxed);
    stream.write_all(bytes)?;
    stream.flush()
}

fn unwritten(path: Option<&Path>, cause: io::Error) -> Error {
    let shown = path.map_or("standard output".to_string(), |path| format!("'{}'", path.display()));
    match (path, cause.kind()) {
        (None, io::ErrorKind::BrokenPipe) => Error::new(
            Kind::OutputClosed,
            ErrorType::Other,
            "the reader of standard output went away before the summary",
        ),
        _ => Error::local_io(format!("cannot write to {shown}"), cause),
    }
}
