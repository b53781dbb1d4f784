//! Looks into a ledger without writing. A file that no run has open is read as it lies there, because
//! otherwise SQLite would have to make files beside it, which this user may not be allowed to.

use std::fmt::Write;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::damage::with_end;
use super::missing::Missing;
use super::place::real;
use super::schema::{APPLICATION_ID, VERSION, application_id, is_blank, version};

/// Readers of a log in front of the file wait for nobody but who opens or closes it.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// A run may begin or end in the middle of a look.
const TRIES: u32 = 5;

/// What `look` finds; none where there is no ledger, or nothing in it.
pub fn read<T>(
    path: &Path,
    look: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<T>, Missing> {
    let path = real(path);
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let before = match fs::metadata(&path) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Err(Missing::because("it is not a regular file").of(&path)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Missing::because(cause.to_string()).of(&path)),
        };
        if before.len() == 0 {
            return Ok(None);
        }
        let lies_still =
            || !with_end(&path, "-wal").exists() && !with_end(&path, "-journal").exists();
        let is_still = lies_still();
        let found = look_once(&path, is_still, &look);
        // What was read while it was written may be anything.
        let has_changed = is_still
            && !(lies_still() && fs::metadata(&path).is_ok_and(|after| is_same(&before, &after)));
        match found {
            _ if has_changed && tries > 0 => {}
            Err(missing) if missing.may_pass && tries > 0 => {}
            found => return found.map_err(|missing| missing.of(&path)),
        }
    }
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    let mark = |it: &Metadata| (it.ino(), it.len(), it.mtime(), it.mtime_nsec());
    mark(before) == mark(after)
}

fn look_once<T>(
    path: &Path,
    is_still: bool,
    look: &impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<T>, Missing> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let name = if is_still { format!("{}?immutable=1", uri(path)) } else { uri(path) };
    let connection = Connection::open_with_flags(name, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    // One moment of the file for all that is asked.
    let transaction = connection.unchecked_transaction()?;
    match (application_id(&connection)?, version(&connection)?) {
        (APPLICATION_ID, newer) if newer > VERSION => look(&connection).map(Some).map_err(|_| {
            Missing::because("it was written by a newer flowgauge; update this one to read it")
        }),
        (APPLICATION_ID, _) => Ok(Some(look(&transaction)?)),
        // A run has it open for the first time.
        (0, 0) if is_blank(&connection)? => Ok(None),
        _ => Err(Missing::because("it is a database of another program")),
    }
}

fn uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            // It cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_name_of_a_uri() {
        for (path, expected) in
            [("/a/b.sqlite", "file:///a/b.sqlite"), ("/a b?c#%ü", "file:///a%20b%3Fc%23%25%C3%BC")]
        {
            assert_eq!(uri(Path::new(path)), expected);
        }
    }
}
