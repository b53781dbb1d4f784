//! A hidden file beside its target that takes the target's name when it is whole.
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

pub struct PartFile {
    file: File,
    path: PathBuf,
    /// What the user calls it.
    target: PathBuf,
    /// Where that really is, behind symbolic links.
    resolved: PathBuf,
    if_exists: IfExists,
    /// It has its final name, or is removed. Held while one of the two happens, so that a run that
    /// was told to let go cannot publish afterwards.
    is_gone: Mutex<bool>,
}

/// Whatever ends a run, nothing is left behind.
impl Drop for PartFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl PartFile {
    /// Everything that can be found out without writing.
    pub fn check(target: &Path, if_exists: IfExists) -> Result<()> {
        let resolved = resolve(target)?;
        check_target(&resolved, target, if_exists)?;
        let directory = directory(&resolved);
        let found = fs::metadata(directory).map_err(|cause| unwritable(target, cause))?;
        if !found.is_dir() {
            return Err(unwritable(target, io::ErrorKind::NotADirectory.into()));
        }
        rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|cause| unwritable(target, cause.into()))
    }

    pub fn create(target: &Path, if_exists: IfExists) -> Result<PartFile> {
        let shown = target.display();
        let resolved = resolve(target)?;
        let path = part_of(&resolved).ok_or_else(|| {
            Error::config(format!("'{shown}' is no file name")).help("check --output-file")
        })?;
        let before = check_target(&resolved, target, if_exists)?;
        let file = lock(&path, target)?;
        // Who could read what is replaced can read what replaces it.
        if let Some(before) = before {
            file.set_permissions(before.permissions())
                .map_err(|cause| unwritable(target, cause))?;
        }
        let left = file.metadata().map_err(|cause| unwritable(target, cause))?.len();
        if left > 0 {
            tracing::warn!(
                "'{}' was left by a run that was killed and is started anew",
                path.display()
            );
            file.set_len(0).map_err(|cause| unwritable(target, cause))?;
        }
        Ok(PartFile {
            file,
            path,
            target: target.to_path_buf(),
            resolved,
            if_exists,
            is_gone: Mutex::new(false),
        })
    }

    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        (&self.file).write_all(bytes).map_err(|cause| {
            Error::local_io(format!("cannot write '{}'", self.target.display()), cause)
                .help("nothing was published; make room and run again")
        })
    }

    pub fn append_if_empty(&self, bytes: &[u8]) -> Result<()> {
        let length = self.file.metadata().map_err(|cause| unwritable(&self.target, cause))?.len();
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

    pub fn publish(&self) -> Result<Published> {
        self.sync()?;
        let mut is_gone = self.is_gone();
        if *is_gone {
            return Err(Error::internal(format!("'{}' was let go", self.target.display())));
        }
        let replaced = fs::metadata(&self.resolved).ok().map(|metadata| metadata.len());
        let flags = match self.if_exists {
            IfExists::Replace => RenameFlags::empty(),
            IfExists::Refuse => RenameFlags::NOREPLACE,
        };
        rename(&self.path, &self.resolved, flags).map_err(|cause| {
            if cause.kind() == io::ErrorKind::AlreadyExists {
                return exists(&self.target);
            }
            Error::local_io(format!("cannot publish '{}'", self.target.display()), cause)
        })?;
        *is_gone = true;
        drop(is_gone);
        let directory = directory(&self.resolved);
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|cause| {
            let shown = self.target.display();
            Error::local_io(format!("'{shown}' is there, but may not survive a power cut"), cause)
                .help("check the disk")
        })?;
        Ok(Published { name: Some(self.target.display().to_string()), replaced_bytes: replaced })
    }

    pub fn remove(&self) {
        let mut is_gone = self.is_gone();
        if std::mem::replace(&mut *is_gone, true) {
            return;
        }
        if let Err(cause) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove '{}': {cause}", self.path.display());
        }
    }
}

impl PartFile {
    fn is_gone(&self) -> MutexGuard<'_, bool> {
        self.is_gone.lock().expect("nobody panics between a file's two ends")
    }
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
fn lock(path: &Path, target: &Path) -> Result<File> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(|cause| unwritable(target, cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(held(target));
            }
            Err(fs::TryLockError::Error(cause)) => return Err(unwritable(target, cause)),
        }
        let held = file.metadata().map_err(|cause| unwritable(target, cause))?;
        let is_still_there = fs::symlink_metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino()));
        if is_still_there {
            return Ok(file);
        }
    }
}

fn held(target: &Path) -> Error {
    let message = format!("another run is writing '{}'", target.display());
    Error::new(Kind::Locked, ErrorType::Other, message)
        .help("wait for it, or choose another --output-file")
}

/// The error of a second run, if a run is writing this output now.
pub fn in_use(target: &Path) -> Option<Error> {
    let part = part_of(&resolve(target).ok()?)?;
    let file = File::open(part).ok()?;
    let is_held = matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock));
    is_held.then(|| held(target))
}

/// Where an output is written until it is whole.
fn part_of(resolved: &Path) -> Option<PathBuf> {
    let name = resolved.file_name()?;
    Some(resolved.with_file_name(format!(".{}.part", name.to_string_lossy())))
}

/// The file a symbolic link stands for, so that the link is kept and its file replaced.
fn resolve(target: &Path) -> Result<PathBuf> {
    let is_link = fs::symlink_metadata(target).is_ok_and(|metadata| metadata.is_symlink());
    if !is_link {
        return Ok(target.to_path_buf());
    }
    fs::canonicalize(target).map_err(|cause| {
        Error::config(format!("'{}' is a link to nowhere", target.display()))
            .because(cause)
            .help("check --output-file")
    })
}

fn check_target(
    resolved: &Path,
    target: &Path,
    if_exists: IfExists,
) -> Result<Option<fs::Metadata>> {
    let shown = target.display();
    let Ok(found) = fs::metadata(resolved) else { return Ok(None) };
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(Error::config(format!("'{shown}' is a directory"))
            .help(format!("name a file in it, such as --output-file '{shown}/output.jsonl'")));
    }
    if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
        return Err(Error::config(format!("'{shown}' is no regular file"))
            .help("use --output-file - and let the shell redirect standard output"));
    }
    if if_exists == IfExists::Refuse {
        return Err(exists(target));
    }
    Ok(Some(found))
}

fn exists(target: &Path) -> Error {
    Error::config(format!("'{}' exists", target.display()))
        .help("--if-exists refuse leaves it alone; remove it, or choose another --output-file")
}

fn unwritable(target: &Path, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Kind::LocalIo
        }
        _ => Kind::Config,
    };
    Error::new(kind, ErrorType::Disk, format!("cannot write '{}'", target.display()))
        .because(cause)
        .help("check that the directory of --output-file exists and can be written")
}

fn directory(path: &Path) -> &Path {
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
