//! Where rejected records are kept: JSON lines with the place, the reason and the raw record.
//!
//! Written to a hidden file and published by rename before the sink is, so that a record that is
//! not in the output is in the rejects, whatever happens in between.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::record::{Interval, Rejected};

/// Keeps rejected records.
///
/// `append` is called in the order of settling, by one task, with the rejected records of one
/// interval. `publish` or `discard` is called once
/// at the end; what was appended may only be relied upon after `publish`.
pub trait RejectLog: Send {
    fn append(&mut self, interval: &Interval, rejected: &[Rejected]) -> Result<()>;

    /// The place where they can be found, if there is anything to find.
    fn publish(&mut self) -> Result<Option<PathBuf>>;

    fn discard(&mut self);
}

/// When the file appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Even when nothing was rejected: a file somebody named must not be last night's.
    Always,
    /// Only with something in it.
    WhenNeeded,
}

pub struct RejectFile {
    path: PathBuf,
    part: PathBuf,
    writer: BufWriter<File>,
    keep: Keep,
    count: u64,
    /// It has its final name, or is removed.
    is_gone: bool,
}

/// Whatever ends a run, nothing is left behind.
impl Drop for RejectFile {
    fn drop(&mut self) {
        self.discard();
    }
}

impl RejectFile {
    /// Creates the hidden file, so that a place that cannot be written is known before anything is
    /// read.
    pub fn create(path: &Path, keep: Keep) -> Result<RejectFile> {
        let refuse = |cause| {
            Error::config(format!("cannot write rejected records to '{}'", path.display()))
                .because(cause)
                .help("choose another place with --rejects or --state-dir")
        };
        if path.is_dir() {
            return Err(refuse(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        if let Some(parent) = path.parent().filter(|_| keep == Keep::WhenNeeded) {
            fs::create_dir_all(parent).map_err(refuse)?;
        }
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = lock(&part).map_err(refuse)?;
        match keep {
            Keep::Always => sweep(&part, |run| {
                // Part files of other outputs have similar names and are not ours to remove.
                let process = run.strip_prefix(&*name).and_then(|rest| rest.strip_prefix('.'));
                process.is_some_and(|process| process.bytes().all(|byte| byte.is_ascii_digit()))
            }),
            // The whole directory is ours.
            Keep::WhenNeeded => sweep(&part, |_| true),
        }
        Ok(RejectFile {
            path: path.to_path_buf(),
            part,
            writer: BufWriter::new(file),
            keep,
            count: 0,
            is_gone: false,
        })
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::local_io(
            format!("cannot write rejected records to '{}'", self.path.display()),
            cause,
        )
        .help("nothing was published; make room and run again")
    }
}

/// Opens the part file with its lock held, which tells it from what a killed run left. It holds raw
/// records, which are nobody else's business.
fn lock(part: &Path) -> io::Result<File> {
    loop {
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part)?;
        file.lock()?;
        // Between opening and locking, another run may have swept it away.
        if part.exists() {
            return Ok(file);
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes what killed runs left: nothing else ever would. `is_ours` is given names without the dot
/// before and `.part` behind.
fn sweep(own: &Path, is_ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(directory(own)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bare = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
        if !bare.is_some_and(&is_ours) || Some(entry.file_name().as_os_str()) == own.file_name() {
            continue;
        }
        let path = entry.path();
        let is_left = OpenOptions::new()
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .is_ok_and(|file| file.try_lock().is_ok() && fs::remove_file(&path).is_ok());
        if is_left {
            tracing::warn!("'{}' was left by a run that was killed and is removed", path.display());
        }
    }
}

impl RejectLog for RejectFile {
    fn append(&mut self, _interval: &Interval, rejected: &[Rejected]) -> Result<()> {
        for record in rejected {
            let mut line = line(record).to_string();
            line.push('\n');
            self.writer.write_all(line.as_bytes()).map_err(|cause| self.failed(cause))?;
            self.count += 1;
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<Option<PathBuf>> {
        if self.count == 0 && self.keep == Keep::WhenNeeded {
            self.discard();
            return Ok(None);
        }
        let published = self
            .writer
            .flush()
            .and_then(|()| self.writer.get_ref().sync_all())
            .and_then(|()| fs::rename(&self.part, &self.path))
            .and_then(|()| File::open(directory(&self.path))?.sync_all());
        published.map_err(|cause| self.failed(cause))?;
        self.is_gone = true;
        Ok(Some(self.path.clone()))
    }

    fn discard(&mut self) {
        if std::mem::replace(&mut self.is_gone, true) {
            return;
        }
        if let Err(cause) = fs::remove_file(&self.part) {
            tracing::warn!("cannot remove '{}': {cause}", self.part.display());
        }
    }
}

/// One rejected record as it is kept. Raw bytes that are no text are kept in base64.
fn line(rejected: &Rejected) -> Value {
    let place = &rejected.place;
    let mut line = Map::new();
    line.insert("source".to_string(), json!(place.split));
    for (name, number) in [("line", place.line), ("byte", place.byte), ("record", place.record)] {
        if let Some(number) = number {
            line.insert(name.to_string(), json!(number));
        }
    }
    if let Some(column) = &place.column {
        line.insert("column".to_string(), json!(column));
    }
    line.insert("error_type".to_string(), json!(rejected.error_type.as_str()));
    line.insert("reason".to_string(), json!(rejected.reason));
    match std::str::from_utf8(&rejected.raw) {
        Ok(text) => line.insert("raw".to_string(), json!(text)),
        Err(_) => {
            line.insert("raw_base64".to_string(), json!(BASE64_STANDARD.encode(&rejected.raw)))
        }
    };
    Value::Object(line)
}

/// Keeps rejected records in memory, for tests.
#[derive(Default)]
pub struct MemoryRejects {
    pub kept: std::sync::Arc<std::sync::Mutex<Vec<Rejected>>>,
}

impl RejectLog for MemoryRejects {
    fn append(&mut self, _interval: &Interval, rejected: &[Rejected]) -> Result<()> {
        self.kept.lock().expect("no test panics while it holds this").extend_from_slice(rejected);
        Ok(())
    }

    fn publish(&mut self) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    fn discard(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ErrorType, Place};

    #[test]
    fn a_line_says_where_why_and_what() {
        let rejected = |raw: &[u8]| Rejected {
            place: Place { line: Some(2), byte: Some(9), record: Some(1), ..Place::split("a.csv") }
                .column("n"),
            error_type: ErrorType::TypeMismatch,
            reason: "not an int".to_string(),
            raw: raw.to_vec(),
        };
        assert_eq!(
            line(&rejected("ü,1".as_bytes())).to_string(),
            "{\"byte\":9,\"column\":\"n\",\"error_type\":\"type_mismatch\",\"line\":2,\"raw\":\"ü,1\",\"reason\":\"not an int\",\"record\":1,\"source\":\"a.csv\"}"
        );
        assert_eq!(line(&rejected(b"\xff"))["raw_base64"], "/w==");
    }
}
