//! Who writes a target: a small hidden file, locked as long as a run goes on.
//!
//! The kernel gives the lock back when a run is killed. The file says which part file the run made, so
//! that the next one removes that, and no other: a file is nobody's to remove because of its name. It
//! tells a lock from somebody's file by its first line, and its last one says whose it is.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::hidden::{HiddenNames, PARTS_MAX};
use super::owner::Owner;
use crate::file_identity::FileIdentity;

const MARK: &str = "flowgauge lock: held by the run that writes the file of this name\n";
/// More is not one of ours.
const BYTES_MAX: u64 = 1024;
/// Nobody takes so long from making a lock to saying what it is.
const BIRTH_MAX: Duration = Duration::from_secs(3600);

/// Held until it is dropped, and then removed, or left as it was found.
#[derive(Debug)]
pub struct Claim {
    file: File,
    path: PathBuf,
    /// It was found empty, and so long ago that no run may have made it: such as a file for `flock`.
    empty_since: Option<SystemTime>,
}

pub enum Taken {
    Ours(Claim),
    /// By a run that goes on.
    Held,
    /// By a run of another user that was killed.
    Left,
    /// By another user, who lets nobody see whether that run goes on.
    Unreadable,
    /// What has the lock's name is something else.
    Foreign,
}

/// What a claim says about the part file of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    number: u32,
    /// Unknown until it has been made.
    birth: Option<Birth>,
}

/// What tells a file from any other that has its name later: inodes are used again at once. Where a
/// file system does not know when a file was made, the inode has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Birth {
    inode: u64,
    nanoseconds: Option<u128>,
}

impl Birth {
    fn of(found: &Metadata) -> Birth {
        let born = found.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Birth { inode: found.ino(), nanoseconds: born.map(|born| born.as_nanos()) }
    }
}

/// What has the name of a lock.
enum LockFile {
    Nothing,
    Foreign,
    Claim { inode: u64, has_mark: bool, modified: io::Result<Duration> },
}

impl Claim {
    /// Takes the lock, and removes what a killed run left, which is said.
    pub fn take(hidden: &HiddenNames) -> io::Result<Taken> {
        let path = hidden.lock();
        loop {
            let mut is_new = false;
            let file = match make(&path, 0o644) {
                Ok(file) => {
                    is_new = true;
                    file
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => match look(&path) {
                    Ok(LockFile::Nothing) => continue,
                    Ok(LockFile::Foreign) => return Ok(Taken::Foreign),
                    Ok(LockFile::Claim { inode, .. }) => match reopen(&path, inode) {
                        Ok(Some(file)) => file,
                        Ok(None) => continue,
                        // Of another user, who may be at it.
                        Err(_) if is_held(hidden) => return Ok(Taken::Held),
                        Err(cause) if is_denied(&cause) => return Ok(Taken::Left),
                        Err(cause) => return Err(cause),
                    },
                    Err(cause) if is_denied(&cause) => return Ok(Taken::Unreadable),
                    Err(cause) => return Err(cause),
                },
                Err(cause) => return Err(cause),
            };
            let locked = lock(file, &path).inspect_err(|_| {
                // A file system without locks; the error says so.
                if is_new {
                    drop(fs::remove_file(&path));
                }
            });
            match locked? {
                Locked::Gone => continue,
                Locked::Held => return Ok(Taken::Held),
                Locked::Foreign => return Ok(Taken::Foreign),
                Locked::Ours(mut claim, left) => {
                    // Whatever the clock of its file system says.
                    claim.empty_since.take_if(|_| is_new);
                    if let Some(part) = left.and_then(|left| left.remove(hidden)) {
                        tracing::warn!(
                            "'{}' was left by a run that was killed and is started anew",
                            part.display()
                        );
                    }
                    claim.say(None)?;
                    return Ok(Taken::Ours(claim));
                }
            }
        }
    }

    /// Makes a file that nobody has, and notes which.
    pub fn make_part(&self, hidden: &HiddenNames, mode: u32) -> io::Result<(File, PathBuf)> {
        for number in 0..PARTS_MAX {
            let path = hidden.part(number);
            if fs::symlink_metadata(&path).is_ok() {
                tracing::warn!(
                    "'{}' was not made for this output and is left alone",
                    path.display()
                );
                continue;
            }
            self.say(Some(Made { number, birth: None }))?;
            match make(&path, mode) {
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(cause) => return Err(cause),
                Ok(file) => {
                    let noted = file.metadata().and_then(|found| {
                        self.say(Some(Made { number, birth: Some(Birth::of(&found)) }))
                    });
                    // What is not noted, nobody would remove.
                    noted.inspect_err(|_| drop(fs::remove_file(&path)))?;
                    return Ok((file, path));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Whether it is still where others look for it.
    pub fn is_in_place(&self) -> bool {
        is_in_place(&self.file, &self.path)
    }

    /// Replaces what is written behind the mark.
    fn say(&self, made: Option<Made>) -> io::Result<()> {
        let mut text = MARK.to_string();
        if let Some(Made { number, birth }) = made {
            text += &format!("part {number}");
            if let Some(Birth { inode, nanoseconds }) = birth {
                text += &format!(" {inode} {}", nanoseconds.unwrap_or_default());
            }
            text.push('\n');
        }
        text += &Owner::this().line();
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_in_place() {
            return;
        }
        let ended = match self.empty_since {
            Some(since) => self.file.set_len(0).and_then(|()| self.file.set_modified(since)),
            None => fs::remove_file(&self.path),
        };
        if let Err(cause) = ended {
            tracing::warn!("cannot remove '{}': {cause}", self.path.display());
        }
    }
}

impl Made {
    /// Removes the file, if it is the one that was made. One that somebody has kept would have a second
    /// link.
    fn remove(self, hidden: &HiddenNames) -> Option<PathBuf> {
        let path = hidden.part(self.number);
        let found = fs::symlink_metadata(&path).ok()?;
        let is_made = match self.birth {
            Some(birth) => birth == Birth::of(&found),
            None => found.len() == 0,
        };
        let is_left = is_made && found.is_file() && found.nlink() == 1;
        (is_left && fs::remove_file(&path).is_ok()).then_some(path)
    }
}

/// Whether a run that goes on has the lock.
pub fn is_held(hidden: &HiddenNames) -> bool {
    let path = hidden.lock();
    // One without a mark may be of a run that has not locked it yet, and must find it free.
    matches!(look(&path), Ok(LockFile::Claim { has_mark: true, .. }))
        && open_to_read(&path)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whose lock it is, where that was said.
pub fn owner(hidden: &HiddenNames) -> Option<Owner> {
    let mut text = String::new();
    open_to_read(&hidden.lock()).ok()?.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    text.lines().last().and_then(Owner::read)
}

/// Whether something else has the lock's name.
pub fn is_foreign(hidden: &HiddenNames) -> bool {
    matches!(look(&hidden.lock()), Ok(LockFile::Foreign))
}

/// The part file that would be removed as left by a killed run.
pub fn left(hidden: &HiddenNames) -> Option<Metadata> {
    let path = hidden.lock();
    let Ok(LockFile::Claim { .. }) = look(&path) else { return None };
    let mut bytes = Vec::new();
    open_to_read(&path).ok()?.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let made = read(&bytes)??;
    let found = fs::symlink_metadata(hidden.part(made.number)).ok()?;
    (made.birth == Some(Birth::of(&found))).then_some(found)
}

/// Removes what killed runs left of a target whose name no other run would take. A claim that has its
/// mark and no holder was left: who makes one locks it before the mark is written.
pub fn sweep(hidden: &HiddenNames) -> Option<PathBuf> {
    let path = hidden.lock();
    let Ok(LockFile::Claim { inode, has_mark, modified }) = look(&path) else { return None };
    let is_old = modified.is_ok_and(|age| age >= BIRTH_MAX);
    if !has_mark && !is_old {
        return None;
    }
    let file = reopen(&path, inode).ok()??;
    let Ok(Locked::Ours(mut claim, left)) = lock(file, &path) else { return None };
    claim.empty_since = None;
    Some(left.and_then(|left| left.remove(hidden)).unwrap_or(path))
}

fn is_denied(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::PermissionDenied
}

/// Never what is there already.
fn make(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

/// Without a change to it, and without waiting for a pipe.
fn look(path: &Path) -> io::Result<LockFile> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(LockFile::Nothing),
        Err(cause) => return Err(cause),
    };
    if !found.is_file() || found.nlink() != 1 || found.len() > BYTES_MAX {
        return Ok(LockFile::Foreign);
    }
    let mut file = match open_to_read(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(LockFile::Nothing),
        Err(cause) => return Err(cause),
    };
    let mut bytes = Vec::new();
    file.by_ref().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if read(&bytes).is_none() {
        return Ok(LockFile::Foreign);
    }
    let modified = found.modified().and_then(|at| at.elapsed().map_err(io::Error::other));
    let has_mark = bytes.starts_with(MARK.as_bytes());
    Ok(LockFile::Claim { inode: found.ino(), has_mark, modified })
}

fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// To be locked, which network file systems grant to who may write. None if another file has the name
/// by now.
fn reopen(path: &Path, inode: u64) -> io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause),
    };
    Ok((file.metadata()?.ino() == inode).then_some(file))
}

enum Locked {
    /// With what the run before made and left.
    Ours(Claim, Option<Made>),
    Held,
    Foreign,
    /// Between opening and locking, the run that held it removed it.
    Gone,
}

fn lock(file: File, path: &Path) -> io::Result<Locked> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Locked::Held),
        Err(TryLockError::Error(cause)) => return Err(cause),
    }
    if !is_in_place(&file, path) {
        return Ok(Locked::Gone);
    }
    let mut bytes = vec![0; BYTES_MAX as usize + 1];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(match read(&bytes[..length]) {
        // Not before here: what becomes a claim is removed when it is dropped.
        Some(left) => {
            let modified = file.metadata().and_then(|found| found.modified()).ok();
            let is_old = |at: &SystemTime| at.elapsed().is_ok_and(|age| age >= BIRTH_MAX);
            let empty_since = modified.filter(|at| length == 0 && is_old(at));
            Locked::Ours(Claim { file, path: path.to_path_buf(), empty_since }, left)
        }
        None => Locked::Foreign,
    })
}

pub fn is_in_place(file: &File, path: &Path) -> bool {
    let named = FileIdentity::at_name(path);
    named.is_some() && named == FileIdentity::of_open(file)
}

/// What a claim says, which is nothing where a run was killed, or has not come so far. None of what is
/// no claim.
fn read(bytes: &[u8]) -> Option<Option<Made>> {
    if MARK.as_bytes().starts_with(bytes) {
        return Some(None);
    }
    let said = std::str::from_utf8(bytes).ok()?.strip_prefix(MARK)?;
    let mut words = said.split_whitespace();
    let made = (words.next() == Some("part")).then(|| {
        let number = words.next()?.parse().ok()?;
        let birth = words.next().zip(words.next()).and_then(|(inode, born)| {
            let nanoseconds = born.parse().ok()?;
            Some(Birth {
                inode: inode.parse().ok()?,
                nanoseconds: (nanoseconds != 0).then_some(nanoseconds),
            })
        });
        Some(Made { number, birth })
    });
    Some(made.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_claim_says_is_read_back() {
        let born = |inode, nanoseconds| Some(Birth { inode, nanoseconds });
        let made = |number, birth| Some(Some(Made { number, birth }));
        for (text, expected) in [
            (String::new(), Some(None)),
            (MARK.to_string(), Some(None)),
            (format!("{MARK}part 0\n"), made(0, None)),
            (format!("{MARK}part 3 4711 12\n"), made(3, born(4711, Some(12)))),
            (format!("{MARK}part 3 4711 0\n"), made(3, born(4711, None))),
            (format!("{MARK}part x 4711 12\n"), Some(None)),
            (
                format!("{MARK}part 3 4711 12\nby host a pid 1 since b\n"),
                made(3, born(4711, Some(12))),
            ),
            (format!("{MARK}part 3\nby host a pid 1 since b\n"), made(3, None)),
            (format!("{MARK}by host a pid 1 since b\n"), Some(None)),
            ("precious\n".to_string(), None),
            (MARK[..20].to_string(), Some(None)),
            ("x".repeat(20), None),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(read(b"\xff"), None);
    }
}
