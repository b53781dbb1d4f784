//! Opens a ledger to write in it, in the order in which nothing of anybody else is touched, and says why
//! that cannot be.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::statfs;

use super::damage::make_room;
use super::missing::Missing;
use super::place::real;
use super::reading::read;
use super::schema::{APPLICATION_ID, VERSION, application_id, is_blank, migrate, version};

/// Whoever holds it longer than this is not writing a few rows.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// SQLite does not wait where it changes the way of its journal.
const JOURNAL_TRIES: u32 = 50;
const JOURNAL_PAUSE: Duration = Duration::from_millis(20);

/// What a checkpoint leaves of the file beside it.
const WAL_BYTES_KEPT: i64 = 1 << 20;

/// What statfs says of disks that other machines share: NFS, SMB (three kinds), CIFS, 9p, Ceph, AFS,
/// Lustre, GPFS, Coda.
const NETWORK: [u32; 11] = [
    0x6969,
    0x517b,
    0xfe53_4d42,
    0xff53_4d42,
    0x0102_1997,
    0x00c3_6400,
    0x5346_414f,
    0x6b41_4653,
    0x0bd0_0bd0,
    0x4750_4653,
    0x7375_7245,
];

/// A damaged ledger is put aside and a new one begun. What else is there under the name stays as it is.
pub fn open(path: &Path) -> Result<Connection, Missing> {
    let path = real(path);
    let first = opened(&path);
    let opened = match &first {
        Err(missing) if make_room(&path, missing)? => opened(&path),
        _ => first,
    };
    opened.map_err(|missing| missing.of(&path))
}

/// One that is there, for whoever writes into it in passing: neither is one made, nor is anything put aside.
pub fn open_existing(path: &Path) -> Result<Option<Connection>, Missing> {
    let path = real(path);
    match read(&path, |_| Ok(()))? {
        Some(()) => opened(&path).map(Some).map_err(|missing| missing.of(&path)),
        None => Ok(None),
    }
}

fn opened(path: &Path) -> Result<Connection, Missing> {
    prepare_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    let is_new = is_new(&connection)?;
    if connection.is_readonly("main")? {
        return Err(Missing::because("it cannot be written by this user"));
    }
    if is_new {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let is_shared = is_on_network(path);
    set_journal(&connection, if is_shared { "delete" } else { "wal" })?;
    // The last commits may be lost with the power, and nothing else is.
    connection.pragma_update(None, "synchronous", if is_shared { "FULL" } else { "NORMAL" })?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// It is made by us, so that nobody else may read it; one that is there keeps its permissions.
fn prepare_file(path: &Path) -> Result<(), Missing> {
    let could_not = |cause: io::Error| Missing::because(format!("it cannot be made: {cause}"));
    match fs::metadata(path) {
        // SQLite takes one byte for nothing.
        Ok(found) if found.is_file() && found.len() != 1 => return Ok(()),
        Ok(found) if found.is_file() => return Err(Missing::because("it is no SQLite file")),
        Ok(_) => return Err(Missing::because("it is not a regular file")),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(could_not(cause)),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(could_not)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another run may have been first.
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(could_not(cause)),
        _ => Ok(()),
    }
}

/// Whether nothing is in it yet. An error where it is somebody else's, or of a time to come.
fn is_new(connection: &Connection) -> Result<bool, Missing> {
    // All at one moment: another run may be making its first tables.
    let snapshot = connection.unchecked_transaction()?;
    match (application_id(&snapshot)?, version(&snapshot)?) {
        (APPLICATION_ID, newer) if newer > VERSION => Err(Missing::because(
            "it was written by a newer flowgauge, and is left as it is; update this one, or name another file",
        )),
        (APPLICATION_ID, _) => Ok(false),
        (0, 0) if is_blank(&snapshot)? => Ok(true),
        _ => Err(Missing::because(
            "it is a database of another program, and is left as it is; name another file",
        )),
    }
}

fn set_journal(connection: &Connection, wanted: &str) -> Result<(), Missing> {
    let mut tries = JOURNAL_TRIES;
    loop {
        let now: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if now == wanted {
            return Ok(());
        }
        let set: rusqlite::Result<String> =
            connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0));
        let is_busy = set
            .as_ref()
            .is_err_and(|cause| cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
        if !is_busy {
            set?;
        }
        if tries == 0 {
            return Err(Missing::for_now("it is locked by another process"));
        }
        tries -= 1;
        if is_busy {
            thread::sleep(JOURNAL_PAUSE);
        }
    }
}

/// Processes on several machines cannot share the memory that SQLite's log in front of the file needs, so
/// there the old way of a journal is taken.
fn is_on_network(path: &Path) -> bool {
    let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    statfs(&folder).is_ok_and(|found| is_network_file_system(found.f_type as u64))
}

fn is_network_file_system(kind: u64) -> bool {
    NETWORK.contains(&(kind as u32))
}

/// What SQLite itself says of the file, for whoever asks; nothing is written.
pub fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let said: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(if said == ["ok"] { Vec::new() } else { said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_a_network_are_known() {
        for (kind, is_network) in [
            (0x6969_u64, true),
            (0xff53_4d42, true),
            // ext4, xfs, tmpfs, overlay
            (0xef53, false),
            (0x5846_5342, false),
            (0x0102_1994, false),
            (0x794c_7630, false),
        ] {
            assert_eq!(is_network_file_system(kind), is_network, "{kind:x}");
        }
    }
}
