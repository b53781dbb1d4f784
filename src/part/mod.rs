//! A hidden file beside its target that takes the target's name when it is whole: for the output,
//! for rejected records and for the summary.
//!
//! A lock (`claim`) keeps two runs with the same output apart, and knows what a killed run left. The
//! part file itself is always a new one, under a name that nobody had (`hidden`), so no file of
//! somebody else is opened; `place` is about the file that is to be replaced.

mod claim;
mod hidden;
mod owner;
mod place;

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, RenameFlags};

use self::claim::{Claim, Taken, is_in_place};
use self::hidden::HiddenNames;
pub use self::hidden::directory;
use self::place::RenameTarget;
pub use self::place::{is_hidden_of, is_same_place};
use crate::error::{Error, Kind, Result};
use crate::record::{ErrorType, Published};

/// What to do with a file that has the output's name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    Replace,
    Refuse,
}

const HELD_MAX: Duration = Duration::from_secs(2);
const HELD_PAUSE: Duration = Duration::from_millis(10);

/// How one kind of output is treated, and what messages call it.
#[derive(Clone, Copy, Debug)]
pub struct PartPolicy {
    /// The option that names it.
    pub flag: &'static str,
    pub if_exists: IfExists,
    /// A file with something in it is not replaced, whatever else holds.
    pub keeps_content: bool,
    /// Permissions of a new file, before the umask.
    pub mode: u32,
    /// What a failure means, before what to do about it.
    pub loss: &'static str,
}

impl PartPolicy {
    /// Files whose last version is of no use to anybody.
    pub const fn replacing(flag: &'static str) -> PartPolicy {
        let (if_exists, keeps_content) = (IfExists::Replace, false);
        PartPolicy { flag, if_exists, keeps_content, mode: 0o666, loss: "" }
    }
}

pub struct PartFile {
    policy: PartPolicy,
    file: File,
    path: PathBuf,
    /// What the user calls it.
    target: PathBuf,
    /// Where that really is, behind symbolic links.
    resolved: PathBuf,
    /// Bytes that were written whole.
    length: AtomicU64,
    /// There are bytes behind them that could not be taken away.
    is_torn: AtomicBool,
    /// Held while it changes, so that a run that was told to let go cannot publish afterwards.
    state: Mutex<PartState>,
}

enum PartState {
    Hidden(Claim),
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
        let place = RenameTarget::find(target, policy)?;
        let directory = place.directory();
        let found =
            fs::metadata(directory).map_err(|cause| unwritable(target, policy.flag, cause))?;
        if !found.is_dir() {
            return Err(unwritable(target, policy.flag, io::ErrorKind::NotADirectory.into()));
        }
        // Reading it is needed to make the name durable.
        let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::access(directory, rights)
            .map_err(|cause| unwritable(target, policy.flag, cause.into()))?;
        match claim::is_foreign(&place.hidden) {
            true => Err(in_the_way(&place.hidden, policy.flag)),
            false => Ok(()),
        }
    }

    /// Writes a small file whole: whoever reads it finds this or the one before. Another run that has the same
    /// one writes it in a moment, which is waited for.
    pub fn replace(target: &Path, policy: PartPolicy, bytes: &[u8]) -> Result<()> {
        let give_up = Instant::now() + HELD_MAX;
        let part = loop {
            match PartFile::create(target, policy) {
                Err(error) if error.kind == Kind::Locked && Instant::now() < give_up => {
                    thread::sleep(HELD_PAUSE);
                }
                created => break created?,
            }
        };
        part.append(bytes)?;
        part.publish().map(drop)
    }

    /// Takes the lock, so that a second run with the same output stops here.
    pub fn create(target: &Path, policy: PartPolicy) -> Result<PartFile> {
        PartFile::check(target, policy)?;
        let failed = |cause| unwritable(target, policy.flag, cause);
        let RenameTarget { resolved, hidden, before } = RenameTarget::find(target, policy)?;
        let claim = match Claim::take(&hidden).map_err(failed)? {
            Taken::Ours(claim) => claim,
            Taken::Held => return Err(held(target, &hidden, policy.flag)),
            Taken::Left => {
                return Err(of_another_user(&hidden, "was left by a killed run of another user"));
            }
            Taken::Unreadable => {
                let what =
                    "is the lock of another user, and whether that run goes on cannot be seen";
                return Err(of_another_user(&hidden, what));
            }
            Taken::Foreign => return Err(in_the_way(&hidden, policy.flag)),
        };
        let (file, path) = claim.make_part(&hidden, policy.mode).map_err(failed)?;
        // From here on, dropping it removes what was made.
        let part = PartFile {
            policy,
            file,
            path,
            target: target.to_path_buf(),
            resolved,
            length: AtomicU64::new(0),
            is_torn: AtomicBool::new(false),
            state: Mutex::new(PartState::Hidden(claim)),
        };
        // Who could read what is replaced can read what replaces it.
        if let Some(before) = before {
            // But a program of somebody else's is no reason to make one of ours.
            let mode = before.permissions().mode() & 0o777;
            part.file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        }
        Ok(part)
    }

    /// All of it, or nothing.
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        match (&self.file).write_all(bytes) {
            Ok(()) => {
                self.length.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(cause) => {
                self.cut_back();
                let what_to_do = if is_full(cause.kind()) {
                    "make room and run again"
                } else {
                    "check the disk"
                };
                Err(Error::local_io(format!("cannot write '{}'", self.target.display()), cause)
                    .help(format!("{}{what_to_do}", self.policy.loss)))
            }
        }
    }

    /// A file may end before a record, and not in one.
    fn cut_back(&self) {
        let whole = self.length.load(Ordering::Relaxed);
        let cut = self.file.set_len(whole).and_then(|()| (&self.file).seek(SeekFrom::Start(whole)));
        if cut.is_err() {
            self.is_torn.store(true, Ordering::Relaxed);
        }
    }

    pub fn append_if_empty(&self, bytes: &[u8]) -> Result<()> {
        if self.length.load(Ordering::Relaxed) == 0 { self.append(bytes) } else { Ok(()) }
    }

    /// An error is final: the kernel may have dropped what it could not write, and would then
    /// report success the next time.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|cause| {
            Error::local_io(format!("cannot make '{}' durable", self.target.display()), cause)
                .help(format!("{}check the disk", self.policy.loss))
        })
    }

    /// Where it was published, if it was.
    pub fn published(&self) -> Option<Published> {
        match &*self.state() {
            PartState::Published(published) => Some(published.clone()),
            PartState::Hidden(_) | PartState::Removed => None,
        }
    }

    pub fn publish(&self) -> Result<Published> {
        self.publish_as(&self.target, &self.resolved, self.policy)
    }

    /// The same under its name with `added` behind it, for somebody else has taken the name itself.
    pub fn publish_beside(&self, added: &str) -> Result<PathBuf> {
        let mut beside = self.resolved.clone().into_os_string();
        beside.push(added);
        let beside = PathBuf::from(beside);
        let policy = PartPolicy { if_exists: IfExists::Refuse, ..self.policy };
        self.publish_as(&beside, &beside, policy)?;
        Ok(beside)
    }

    /// Whether something has the name that this file was to take.
    pub fn is_name_taken(&self) -> bool {
        let is_hidden = matches!(&*self.state(), PartState::Hidden(_));
        is_hidden && fs::symlink_metadata(&self.resolved).is_ok()
    }

    fn publish_as(&self, target: &Path, resolved: &Path, policy: PartPolicy) -> Result<Published> {
        self.sync()?;
        self.rename(target, resolved, policy)?;
        let directory = directory(resolved);
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|cause| {
            let shown = target.display();
            Error::local_io(format!("'{shown}' is there, but may not survive a power cut"), cause)
                .help("check the disk")
        })?;
        self.published().ok_or_else(|| Error::internal("what was published was let go"))
    }

    /// The moment in which readers find it.
    fn rename(&self, target: &Path, resolved: &Path, policy: PartPolicy) -> Result<()> {
        let shown = target.display();
        let mut state = self.state();
        let PartState::Hidden(claim) = &*state else {
            return Err(Error::internal(format!("'{shown}' was let go, or published before")));
        };
        if self.is_torn.load(Ordering::Relaxed) {
            return Err(self.unpublished("its end is torn, and could not be cut off"));
        }
        if !is_in_place(&self.file, &self.path) || !claim.is_in_place() {
            return Err(
                self.unpublished("its hidden file was removed or replaced by somebody else")
            );
        }
        let replaced_bytes = fs::metadata(resolved).ok().map(|metadata| metadata.len());
        if policy.keeps_content && replaced_bytes.is_some_and(|bytes| bytes > 0) {
            return Err(not_empty(target, policy.flag));
        }
        // A file that appears in this moment may have something in it.
        let is_to_nothing = policy.keeps_content && replaced_bytes.is_none();
        let bytes = self.file.metadata().ok().map(|metadata| metadata.len());
        let renamed = match policy.if_exists {
            IfExists::Replace if !is_to_nothing => fs::rename(&self.path, resolved),
            _ => rename_to_nothing(&self.path, resolved),
        };
        renamed.map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists if policy.keeps_content => not_empty(target, policy.flag),
            io::ErrorKind::AlreadyExists => exists(target, policy.flag),
            _ => Error::local_io(format!("cannot publish '{shown}'"), cause)
                .help(format!("{}check --{}", policy.loss, policy.flag)),
        })?;
        // The claim goes: the name is free for the next run.
        let name = Some(shown.to_string());
        *state = PartState::Published(Published { name, replaced_bytes, bytes });
        Ok(())
    }

    fn unpublished(&self, why: &str) -> Error {
        let message = format!("cannot publish '{}': {why}", self.target.display());
        Error::new(Kind::LocalIo, ErrorType::Disk, message)
            .help(format!("{}run again", self.policy.loss))
    }

    /// Removes it, unless it was published: what that was, is the answer.
    pub fn remove(&self) -> Option<Published> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, PartState::Removed) {
            PartState::Hidden(claim) => {
                // What has its name now may be of another run.
                if is_in_place(&self.file, &self.path)
                    && let Err(cause) = fs::remove_file(&self.path)
                {
                    tracing::warn!("cannot remove '{}': {cause}", self.path.display());
                }
                drop(claim);
                None
            }
            PartState::Published(published) => {
                *state = PartState::Published(published.clone());
                Some(published)
            }
            PartState::Removed => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, PartState> {
        self.state.lock().expect("nobody panics between a file's two ends")
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems know no flags: a hard link refuses an existing name as well.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
            fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

fn held(target: &Path, hidden: &HiddenNames, flag: &str) -> Error {
    let owner = claim::owner(hidden).map(|owner| format!(" ({owner})")).unwrap_or_default();
    let message = format!("another run is writing '{}'{owner}", target.display());
    Error::new(Kind::Locked, ErrorType::Other, message).help(format!(
        "wait for it, or choose another --{flag}; it has locked '{}'",
        hidden.lock().display()
    ))
}

fn of_another_user(hidden: &HiddenNames, what: &str) -> Error {
    let lock = hidden.lock();
    Error::config(format!("'{}' {what}", lock.display()))
        .help("run as that user, or remove it where no run of theirs goes on")
}

fn in_the_way(hidden: &HiddenNames, flag: &str) -> Error {
    let shown = hidden.lock();
    Error::config(format!("'{}' is in the way and was not made by flowgauge", shown.display()))
        .help(format!("give it another name, or choose another --{flag}"))
}

/// The error of a second run, if a run is writing this output now.
pub fn in_use(target: &Path, flag: &'static str) -> Option<Error> {
    let policy = PartPolicy::replacing(flag);
    let place = RenameTarget::find(target, policy).ok()?;
    claim::is_held(&place.hidden).then(|| held(target, &place.hidden, flag))
}

/// What a killed run left of this output, which the next one removes.
pub fn left_of(target: &Path, flag: &'static str) -> Option<Metadata> {
    let policy = PartPolicy::replacing(flag);
    claim::left(&RenameTarget::find(target, policy).ok()?.hidden)
}

/// Removes what killed runs left, which nothing else ever would: their files have names of their
/// own, which `is_own` knows.
pub fn sweep(directory: &Path, is_own: impl Fn(&str) -> bool) {
    for hidden in hidden_in(directory, is_own) {
        if let Some(left) = claim::sweep(&hidden) {
            tracing::warn!("'{}' was left by a run that was killed and is removed", left.display());
        }
    }
}

/// What `sweep` may remove.
pub fn left_in(directory: &Path, is_own: impl Fn(&str) -> bool) -> Vec<Metadata> {
    hidden_in(directory, is_own).iter().filter_map(claim::left).collect()
}

fn hidden_in(directory: &Path, is_own: impl Fn(&str) -> bool) -> Vec<HiddenNames> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let hidden = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let target = name.to_str()?.strip_prefix('.')?.strip_suffix(".lock")?;
        is_own(target).then(|| HiddenNames::beside(&directory.join(target)))?
    });
    hidden.collect()
}

fn exists(target: &Path, flag: &str) -> Error {
    Error::config(format!("'{}' exists", target.display()))
        .help(format!("--if-exists refuse leaves it alone; remove it, or choose another --{flag}"))
}

/// With the name that would make a file of each run.
fn not_empty(target: &Path, flag: &str) -> Error {
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    let end = target.extension().map(|end| format!(".{}", end.to_string_lossy()));
    let own = target.with_file_name(format!("{stem}-{{run}}{}", end.unwrap_or_default()));
    Error::config(format!(
        "'{}' holds records of an earlier run, which are not replaced",
        target.display()
    ))
    .help(format!(
        "move it away, or let each run have a file of its own: --{flag} '{}' ({{date}} is the day)",
        own.display()
    ))
}

fn unwritable(target: &Path, flag: &str, cause: io::Error) -> Error {
    /// What a broken disk answers.
    const INPUT_OUTPUT_ERROR: i32 = 5;
    let is_disk = is_full(cause.kind()) || cause.raw_os_error() == Some(INPUT_OUTPUT_ERROR);
    let kind = if is_disk { Kind::LocalIo } else { Kind::Config };
    let what_to_do = match is_full(cause.kind()) {
        true => "make room and run again".to_string(),
        false => format!("check that the directory of --{flag} exists and can be written"),
    };
    Error::new(kind, ErrorType::Disk, format!("cannot write '{}'", target.display()))
        .because(cause)
        .help(what_to_do)
}
