//! Where rejected records are kept: JSON lines with the place, the reason and the raw record.
//!
//! Written to a hidden file and published by rename before the sink is, so that a record that is
//! not in the output is in the rejects, whatever happens in between.

mod path;

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

pub use self::path::RejectPath;
use crate::error::{Error, Result};
use crate::part::{self, PartFile, PartPolicy, directory, sweep};
use crate::record::{Interval, Rejected};

/// Keeps rejected records.
///
/// `append` is called by one thread at a time, mostly in the order of settling, with the rejected
/// records of one interval. What was appended may only be relied upon after `publish`.
///
/// Records of which `append` failed wait, in their order, for room, and the file never ends within
/// one: their neighbours may be public.
pub trait RejectLog: Send {
    fn append(&mut self, interval: &Interval, rejected: &[Rejected]) -> Result<()>;

    /// How many of the records that were appended are in the file. The others wait behind them.
    fn kept(&self) -> u64;

    /// The place where they can be found, if there are any. A second call answers the
    /// same. After a failure it publishes what there is room for; the others are told by `kept`.
    fn publish(&mut self) -> Result<Option<PathBuf>>;

    /// Removes what was not published; the place of what was, is the answer, if there are any.
    fn discard(&mut self) -> Option<PathBuf>;
}

/// When the file appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Even when nothing was rejected: whoever reads the name that was given finds a file.
    Always,
    /// Only with something in it.
    WhenNeeded,
}

pub struct RejectFile {
    path: PathBuf,
    part: PartFile,
    /// Lines that are not in the file yet.
    lines: Vec<u8>,
    /// How many those are.
    waiting: u64,
    keep: Keep,
    kept: u64,
    /// Lines could not be written once. What was then not written is still in `lines`.
    has_failed: bool,
    run_id: String,
}

/// Lines are written together up to this.
const LINES_BYTES: usize = 64 * 1024;

/// It holds raw records, which are nobody else's business.
const POLICY: PartPolicy =
    PartPolicy { keeps_content: true, mode: 0o600, ..PartPolicy::replacing(FLAG) };

pub const FLAG: &str = "rejects";

impl RejectFile {
    /// Creates the hidden file of a name that was given, so that a place that cannot be written is known
    /// before anything is read.
    pub fn named(named: &RejectPath, run_id: &str) -> Result<RejectFile> {
        let path = named.path();
        match named.is_of_each_run() {
            true => {
                let file = RejectFile::create(path, Keep::WhenNeeded, run_id)?;
                sweep(directory(path), |name| named.fits(name));
                Ok(file)
            }
            false => RejectFile::create(path, Keep::Always, run_id),
        }
    }

    /// The same in a directory of our own, with a file for each run.
    pub fn of_a_run(directory: &Path, pipeline_id: &str, run_id: &str) -> Result<RejectFile> {
        let path = directory.join(name_of_a_run(pipeline_id, run_id));
        fs::create_dir_all(directory).map_err(|cause| {
            Error::config(format!("cannot write rejected records to '{}'", path.display()))
                .because(cause)
                .help("choose another place with --rejects or --state-dir")
        })?;
        let file = RejectFile::create(&path, Keep::WhenNeeded, run_id)?;
        sweep(directory, is_of_a_run);
        Ok(file)
    }

    fn create(path: &Path, keep: Keep, run_id: &str) -> Result<RejectFile> {
        let part = PartFile::create(path, POLICY)?;
        let (path, lines, run_id) = (path.to_path_buf(), Vec::new(), run_id.to_string());
        Ok(RejectFile { path, part, lines, waiting: 0, keep, kept: 0, has_failed: false, run_id })
    }

    /// For somebody else has put something under the name since the run began. What ends in the id of the run is
    /// no input of the next one, whose pattern most likely has the ending of the name.
    fn publish_beside(&mut self, refusal: Error) -> Result<Option<PathBuf>> {
        let taken = self.path.display();
        if self.kept == 0 {
            tracing::warn!(
                "'{taken}' was put there by somebody else; this run has rejected nothing"
            );
            return Ok(self.discard());
        }
        let Ok(path) = self.part.publish_beside(&format!(".{}", self.run_id)) else {
            return Err(refusal);
        };
        tracing::warn!(
            "'{taken}' was put there by somebody else; the rejected records of this run are in '{}'",
            path.display()
        );
        self.path = path;
        Ok(self.found())
    }

    fn found(&self) -> Option<PathBuf> {
        (self.kept > 0).then(|| self.path.clone())
    }

    /// Everything that can be found out without writing.
    pub fn check(path: &Path) -> Result<()> {
        PartFile::check(path, POLICY)
    }

    fn write(&mut self) -> Result<()> {
        let written = self.part.append(&self.lines);
        match written.is_ok() {
            true => {
                self.kept += std::mem::take(&mut self.waiting);
                self.lines.clear();
                // A large record is no reason to keep as much memory.
                self.lines.shrink_to(LINES_BYTES);
            }
            false => self.has_failed = true,
        }
        written
    }

    /// As many whole lines as there is room for.
    fn write_what_fits(&mut self) -> Result<()> {
        let lines = std::mem::take(&mut self.lines);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.part.append(line)?;
            self.kept += 1;
            self.waiting -= 1;
        }
        Ok(())
    }
}

/// The name of a run's own file in a directory of such.
fn name_of_a_run(pipeline_id: &str, run_id: &str) -> String {
    format!("{}-{run_id}.jsonl", file_name(pipeline_id))
}

/// What a new file in a directory of such would remove: it was left by killed runs.
pub fn left_in(directory: &Path) -> Vec<Metadata> {
    part::left_in(directory, is_of_a_run)
}

/// The same beside a name that was given.
pub fn left_beside(named: &RejectPath) -> Vec<Metadata> {
    part::left_in(directory(named.path()), |name| named.fits(name))
}

/// Longer ones leave no room for the rest of the name.
const PIPELINE_BYTES_MAX: usize = 100;

/// A name as part of a file name.
pub fn file_name(name: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let mut safe: String = name.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    while safe.len() > PIPELINE_BYTES_MAX {
        safe.pop();
    }
    safe
}

fn is_of_a_run(name: &str) -> bool {
    const UUID_BYTES: usize = 36;
    let Some(name) = name.strip_suffix(".jsonl") else { return false };
    let run_id = name.len().checked_sub(UUID_BYTES).and_then(|start| name.get(start..));
    run_id.is_some_and(|run_id| uuid::Uuid::try_parse(run_id).is_ok())
}

impl RejectLog for RejectFile {
    /// Written before it returns, so that what is counted as kept is in the file.
    fn append(&mut self, _interval: &Interval, rejected: &[Rejected]) -> Result<()> {
        let mut failure = None;
        for record in rejected {
            write_line(record, &mut self.lines)?;
            self.waiting += 1;
            if self.lines.len() >= LINES_BYTES && failure.is_none() {
                failure = self.write().err();
            }
        }
        if failure.is_none() && self.waiting > 0 {
            failure = self.write().err();
        }
        failure.map_or(Ok(()), Err)
    }

    fn kept(&self) -> u64 {
        self.kept
    }

    fn publish(&mut self) -> Result<Option<PathBuf>> {
        if self.part.published().is_some() {
            return Ok(self.found());
        }
        if self.has_failed && self.waiting > 0 && self.write().is_err() {
            // There may be room again, or for some.
            if let Err(error) = self.write_what_fits() {
                tracing::error!("{error}");
            }
        }
        if self.kept == 0 && self.keep == Keep::WhenNeeded {
            return Ok(self.discard());
        }
        match self.part.publish() {
            Err(refusal) if self.part.is_name_taken() => self.publish_beside(refusal),
            published => published.map(|_| self.found()),
        }
    }

    fn discard(&mut self) -> Option<PathBuf> {
        self.part.remove().and_then(|_| self.found())
    }
}

/// One rejected record as it is kept, in the order of the names.
#[derive(Serialize)]
struct RejectLine<'a> {
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    error_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    /// Raw bytes that are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<u64>,
    source: &'a str,
}

/// Appends it without another copy of the record, which may be large.
fn write_line(rejected: &Rejected, out: &mut Vec<u8>) -> Result<()> {
    let place = &rejected.place;
    let raw = std::str::from_utf8(&rejected.raw).ok();
    let line = RejectLine {
        id: place.document.as_deref(),
        byte: place.byte,
        column: place.column.as_deref(),
        error_type: rejected.error_type.as_str(),
        line: place.line,
        raw,
        raw_base64: raw.is_none().then(|| BASE64_STANDARD.encode(&rejected.raw)),
        reason: &rejected.reason,
        record: place.record,
        source: &place.split,
    };
    serde_json::to_writer(&mut *out, &line)
        .map_err(|cause| Error::internal("a rejected record cannot be written").because(cause))?;
    out.push(b'\n');
    Ok(())
}

/// Keeps rejected records in memory, for tests.
#[derive(Default)]
pub struct MemoryRejects {
    pub kept: std::sync::Arc<std::sync::Mutex<Vec<Rejected>>>,
    /// How many it can keep.
    pub room: Option<usize>,
    pub hang: Option<Hang>,
}

/// A disk that does not answer.
pub struct Hang {
    pub reached: std::sync::Arc<tokio::sync::Notify>,
    /// It answers when the other end is gone.
    pub released: std::sync::mpsc::Receiver<()>,
}

impl RejectLog for MemoryRejects {
    fn append(&mut self, _interval: &Interval, rejected: &[Rejected]) -> Result<()> {
        if let Some(hang) = &self.hang {
            hang.reached.notify_one();
            let _ = hang.released.recv();
        }
        let mut kept = self.kept.lock().expect("no test panics while it holds this");
        if self.room.is_some_and(|room| kept.len() + rejected.len() > room) {
            let full = std::io::ErrorKind::StorageFull.into();
            return Err(Error::local_io("cannot keep rejected records", full));
        }
        kept.extend_from_slice(rejected);
        Ok(())
    }

    fn kept(&self) -> u64 {
        self.kept.lock().expect("no test panics while it holds this").len() as u64
    }

    fn publish(&mut self) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    fn discard(&mut self) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ErrorType, Place};

    #[test]
    fn files_of_runs_are_known_by_their_names() {
        let run_id = "0190f5e0-1c2d-7abc-8def-0123456789ab";
        for (pipeline_id, name) in [
            ("default", format!("default-{run_id}.jsonl")),
            ("a/b ü", format!("a_b_ü-{run_id}.jsonl")),
            (&"漢".repeat(100), format!("{}-{run_id}.jsonl", "漢".repeat(33))),
        ] {
            assert_eq!(name_of_a_run(pipeline_id, run_id), name);
            assert!(is_of_a_run(&name));
        }
        for name in ["out.jsonl", "default-0190f5e0.jsonl", "", run_id, "ä.jsonl"] {
            assert!(!is_of_a_run(name), "{name}");
        }
    }

    #[test]
    fn a_line_says_where_why_and_what() {
        let rejected = |raw: &[u8]| Rejected {
            place: Place { line: Some(2), byte: Some(9), record: Some(1), ..Place::split("a.csv") }
                .column("n"),
            error_type: ErrorType::TypeMismatch,
            reason: "not an int".to_string(),
            raw: raw.to_vec(),
        };
        let line = |raw: &[u8]| {
            let mut line = Vec::new();
            write_line(&rejected(raw), &mut line).unwrap();
            String::from_utf8(line).unwrap()
        };
        assert_eq!(
            line("ü,1".as_bytes()),
            "{\"byte\":9,\"column\":\"n\",\"error_type\":\"type_mismatch\",\"line\":2,\"raw\":\"ü,1\",\"reason\":\"not an int\",\"record\":1,\"source\":\"a.csv\"}\n"
        );
        assert!(line(b"\xff").contains(",\"raw_base64\":\"/w==\","));
    }
}
