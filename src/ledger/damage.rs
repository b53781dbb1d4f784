//! A ledger that is no longer one: it is put aside with what belongs to it, and never deleted.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::missing::Missing;
use super::schema::APPLICATION_ID;
use super::{FILE_NAME, now};

/// Files that SQLite keeps beside the ledger, which mean nothing without it.
pub const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The file with something behind its name.
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Makes room for a new ledger where a damaged one was, and whether there is.
pub fn make_room(path: &Path, missing: &Missing) -> Result<bool, Missing> {
    if !missing.is_damage || !was_ours(path) {
        return Ok(false);
    }
    let aside = put_aside(path).map_err(|cause| {
        Missing::because(format!("{missing}, and cannot be put aside: {cause}"))
    })?;
    if let Some(aside) = aside {
        tracing::warn!(
            "the ledger was damaged and is now '{}'; a new one was begun",
            aside.display()
        );
    }
    Ok(true)
}

/// Whether it was a ledger for certain: it has the name that only we give, or our mark is still in its head.
/// Anything else that somebody named by mistake is not touched.
fn was_ours(path: &Path) -> bool {
    const MARK_AT: usize = 68;
    let mut head = [0; MARK_AT + 4];
    let is_marked = File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head[MARK_AT..] == (APPLICATION_ID as u32).to_be_bytes();
    is_marked || path.file_name().is_some_and(|name| name == FILE_NAME)
}

/// Gives it another name, and is that name; none where another process has just done so.
fn put_aside(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let file = File::open(path)?;
    // Whoever comes second finds the new ledger under the name.
    flock(&file, FlockOperation::LockExclusive)?;
    let is_still_there = fs::metadata(path)
        .is_ok_and(|found| file.metadata().is_ok_and(|it| it.ino() == found.ino()));
    if !is_still_there {
        return Ok(None);
    }
    let aside = free_name(path);
    for end in BESIDE {
        let beside = with_end(path, end);
        if beside.exists() {
            fs::rename(&beside, with_end(&aside, end))?;
        }
    }
    fs::rename(path, &aside)?;
    Ok(Some(aside))
}

fn free_name(path: &Path) -> PathBuf {
    let seconds = now() as u64;
    let named = |number: u64| with_end(path, &format!(".damaged-{number}"));
    (seconds..).map(named).find(|name| !name.exists()).unwrap_or_else(|| named(seconds))
}
