//! A hidden file beside its target that takes the target's name when it is whole: for the output
//! and for rejected records.
//!
//! The lock on it is what keeps two runs with the same output apart; the kernel gives it back when
//! a run is killed, so what such a run leaves behind is taken over and emptied by the next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rustix::fs::{Access, AtFlags, CWD, RenameFlags};

use crate::error::{Error, Kind, Result};
use crate::record::{ErrorType, Published};

/// What to do with a file that has the output's name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    Replace,
    Refuse,
}

/// How one kind of output is treated, and what messages call it.
#[derive(Clone, Copy, Debug)]
pub struct PartPolicy {
    /// The option that names it.
    pub flag: &'static str,
    pub if_exists: IfExists,
    /// Permissions of a new file, before the umask.
    pub mode: u32,
}

pub struct PartFile {
    policy: PartPolicy,
    file: File,
    path: PathBuf,
    /// What the user calls it.
    target: PathBuf,
    /// Where that really is, behind symbolic links.
    resolved: PathBuf,
    /// Held while it changes, so that a run that was told to let go cannot publish afterwards.
    state: Mutex<State>,
}

#[derive(Clone)]
enum State {
    Hidden,
    Published(Published),
    Removed,
}

/// Whatever ends a run, nothing is left behind.
impl Drop for PartFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl PartFile {
    /// Everything that can be found out without writing.
    pub fn check(target: &Path, policy: PartPolicy) -> Result<()> {
        let resolved = resolve(target, policy.flag)?;
        check_target(&resolved, target, policy)?;
        let directory = directory(&resolved);
        let found =
            fs::metadata(directory).map_err(|cause| unwritable(target, policy.flag, cause))?;
        if !found.is_dir() {
            return Err(unwritable(target, policy.flag, io::ErrorKind::NotADirectory.into()));
        }
        rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|cause| unwritable(target, policy.flag, cause.into()))
    }

    /// Takes the lock, so that a second run with the same output stops here.
    pub fn create(target: &Path, policy: PartPolicy) -> Result<PartFile> {
        let shown = target.display();
        let resolved = resolve(target, policy.flag)?;
        let path = part_of(&resolved).ok_or_else(|| {
            Error::config(format!("'{shown}' is no file name"))
                .help(format!("check --{}", policy.flag))
        })?;
        let before = check_target(&resolved, target, policy)?;
        let file = lock(&path, target, policy)?;
        let (target, state) = (target.to_path_buf(), Mutex::new(State::Hidden));
        // From here on, dropping it removes what was made.
        let part = PartFile { policy, file, path, target, resolved, state };
        let target = &part.target;
        // Who could read what is replaced can read what replaces it.
        if let Some(before) = before {
            part.file
                .set_permissions(before.permissions())
                .map_err(|cause| unwritable(target, policy.flag, cause))?;
        }
        let left =
            part.file.metadata().map_err(|cause| unwritable(target, policy.flag, cause))?.len();
        if left > 0 {
            tracing::warn!(
                "'{}' was left by a run that was killed and is started anew",
                part.path.display()
            );
            part.file.set_len(0).map_err(|cause| unwritable(target, policy.flag, cause))?;
        }
        Ok(part)
    }

    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        (&self.file).write_all(bytes).map_err(|cause| {
            let cause_kind = cause.kind();
            Error::local_io(format!("cannot write '{}'", self.target.display()), cause).help(
                match is_full(&cause_kind) {
                    true => "nothing was published; make room and run again",
                    false => "nothing was published; check the disk",
                },
            )
        })
    }

    pub fn append_if_empty(&self, bytes: &[u8]) -> Result<()> {
        let length = self
            .file
            .metadata()
            .map_err(|cause| unwritable(&self.target, self.policy.flag, cause))?
            .len();
        if length == 0 { self.append(bytes) } else { Ok(()) }
    }

    /// An error is final: the kernel may have dropped what it could not write, and would then
    /// report success the next time.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|cause| {
            Error::local_io(format!("cannot make '{}' durable", self.target.display()), cause)
                .help("nothing was published; check the disk")
        })
    }

    /// Where it was published, if it was.
    pub fn published(&self) -> Option<Published> {
        match &*self.state() {
            State::Published(published) => Some(published.clone()),
            State::Hidden | State::Removed => None,
        }
    }

    pub fn publish(&self) -> Result<Published> {
        self.sync()?;
        let shown = self.target.display();
        let mut state = self.state();
        if !matches!(*state, State::Hidden) {
            return Err(Error::internal(format!("'{shown}' was let go, or published before")));
        }
        let replaced_bytes = fs::metadata(&self.resolved).ok().map(|metadata| metadata.len());
        let flags = match self.policy.if_exists {
            IfExists::Replace => RenameFlags::empty(),
            IfExists::Refuse => RenameFlags::NOREPLACE,
        };
        rename(&self.path, &self.resolved, flags).map_err(|cause| {
            if cause.kind() == io::ErrorKind::AlreadyExists {
                return exists(&self.target, self.policy.flag);
            }
            Error::local_io(format!("cannot publish '{shown}'"), cause)
        })?;
        let published = Published { name: Some(shown.to_string()), replaced_bytes };
        *state = State::Published(published.clone());
        drop(state);
        let directory = directory(&self.resolved);
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|cause| {
            Error::local_io(format!("'{shown}' is there, but may not survive a power cut"), cause)
                .help("check the disk")
        })?;
        Ok(published)
    }

    /// Removes it, unless it was published: what that was, is the answer.
    pub fn remove(&self) -> Option<Published> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Removed) {
            State::Hidden => {
                if let Err(cause) = fs::remove_file(&self.path) {
                    tracing::warn!("cannot remove '{}': {cause}", self.path.display());
                }
                None
            }
            State::Published(published) => {
                *state = State::Published(published.clone());
                Some(published)
            }
            State::Removed => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics between a file's two ends")
    }
}

fn is_full(kind: &io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, flags) {
        // Some network file systems know no flags: a hard link refuses an existing name as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !flags.is_empty() => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// Opens the part file with its lock held. Between opening and locking, a run that held the lock
/// may have renamed the file away; then what was locked is its published output, and not ours.
fn lock(path: &Path, target: &Path, policy: PartPolicy) -> Result<File> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(policy.mode)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(|cause| unwritable(target, policy.flag, cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(held(target, policy.flag));
            }
            Err(fs::TryLockError::Error(cause)) => {
                return Err(unwritable(target, policy.flag, cause));
            }
        }
        let held = file.metadata().map_err(|cause| unwritable(target, policy.flag, cause))?;
        let is_still_there = fs::symlink_metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino()));
        if is_still_there {
            return Ok(file);
        }
    }
}

fn held(target: &Path, flag: &str) -> Error {
    let message = format!("another run is writing '{}'", target.display());
    Error::new(Kind::Locked, ErrorType::Other, message)
        .help(format!("wait for it, or choose another --{flag}"))
}

/// The error of a second run, if a run is writing this output now.
pub fn in_use(target: &Path, flag: &str) -> Option<Error> {
    let part = part_of(&resolve(target, flag).ok()?)?;
    let file = File::open(part).ok()?;
    let is_held = matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock));
    is_held.then(|| held(target, flag))
}

/// Where an output is written until it is whole.
fn part_of(resolved: &Path) -> Option<PathBuf> {
    let name = resolved.file_name()?;
    Some(resolved.with_file_name(format!(".{}.part", name.to_string_lossy())))
}

/// The file a symbolic link stands for, so that the link is kept and its file replaced.
fn resolve(target: &Path, flag: &str) -> Result<PathBuf> {
    let is_link = fs::symlink_metadata(target).is_ok_and(|metadata| metadata.is_symlink());
    if !is_link {
        return Ok(target.to_path_buf());
    }
    fs::canonicalize(target).map_err(|cause| {
        Error::config(format!("'{}' is a link to nowhere", target.display()))
            .because(cause)
            .help(format!("check --{flag}"))
    })
}

fn check_target(
    resolved: &Path,
    target: &Path,
    PartPolicy { flag, if_exists, .. }: PartPolicy,
) -> Result<Option<fs::Metadata>> {
    let shown = target.display();
    let Ok(found) = fs::metadata(resolved) else { return Ok(None) };
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(Error::config(format!("'{shown}' is a directory"))
            .help(format!("name a file in it, such as --{flag} '{shown}/output.jsonl'")));
    }
    if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
        return Err(Error::config(format!("'{shown}' is no regular file"))
            .help("name a regular file; --output-file - is standard output"));
    }
    if if_exists == IfExists::Refuse {
        return Err(exists(target, flag));
    }
    Ok(Some(found))
}

fn exists(target: &Path, flag: &str) -> Error {
    Error::config(format!("'{}' exists", target.display()))
        .help(format!("--if-exists refuse leaves it alone; remove it, or choose another --{flag}"))
}

fn unwritable(target: &Path, flag: &str, cause: io::Error) -> Error {
    /// What a broken disk answers.
    const INPUT_OUTPUT_ERROR: i32 = 5;
    let is_disk = is_full(&cause.kind()) || cause.raw_os_error() == Some(INPUT_OUTPUT_ERROR);
    let kind = if is_disk { Kind::LocalIo } else { Kind::Config };
    Error::new(kind, ErrorType::Disk, format!("cannot write '{}'", target.display()))
        .because(cause)
        .help(format!("check that the directory of --{flag} exists and can be written"))
}

pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Two names of one file, be it by a link.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}
