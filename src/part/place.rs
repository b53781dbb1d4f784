//! The name an output is to take: what stands there, and whether a rename can replace it. Known before
//! anything is written.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::hidden::{HiddenNames, directory};
use super::{IfExists, PartPolicy, exists, not_empty};
use crate::error::{Error, Result};
use crate::file_identity::is_same_file;

const STICKY: u32 = 0o1000;

#[derive(Debug)]
pub struct RenameTarget {
    /// Behind symbolic links.
    pub resolved: PathBuf,
    pub hidden: HiddenNames,
    /// What is to be replaced.
    pub before: Option<Metadata>,
}

/// Of all common file systems of Linux.
const NAME_BYTES_MAX: usize = 255;

impl RenameTarget {
    pub fn find(target: &Path, policy: PartPolicy) -> Result<RenameTarget> {
        let flag = policy.flag;
        let shown = target.display();
        let resolved = resolve(target, flag)?;
        let before = replaceable(&resolved, target, policy)?;
        let named = HiddenNames::beside(&resolved).filter(|_| !ends_as_directory(target));
        let hidden = named.ok_or_else(|| {
            Error::config(format!("'{shown}' is the name of a directory"))
                .help(format!("name a file, such as --{flag} '{}'", example(target)))
        })?;
        if resolved.file_name().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(Error::config(format!(
                "the name of '{shown}' is longer than the {NAME_BYTES_MAX} bytes that a file system takes"
            ))
            .help(format!("choose a shorter --{flag}")));
        }
        Ok(RenameTarget { resolved, hidden, before })
    }

    pub fn directory(&self) -> &Path {
        directory(&self.resolved)
    }
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

/// `new/` names a directory, also before there is one.
fn ends_as_directory(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.is_empty() || [&b"/"[..], b"/.", b"/.."].iter().any(|end| bytes.ends_with(end))
}

fn example(directory: &Path) -> String {
    directory.join("output.jsonl").display().to_string()
}

fn replaceable(resolved: &Path, target: &Path, policy: PartPolicy) -> Result<Option<Metadata>> {
    let PartPolicy { flag, if_exists, keeps_content, .. } = policy;
    let shown = target.display();
    let Ok(found) = fs::metadata(resolved) else { return Ok(None) };
    let kind = found.file_type();
    if kind.is_dir() {
        return Err(Error::config(format!("'{shown}' is a directory"))
            .help(format!("name a file in it, such as --{flag} '{}'", example(target))));
    }
    if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
        return Err(Error::config(format!("'{shown}' is no regular file"))
            .help("name a regular file; --output-file - is standard output"));
    }
    if if_exists == IfExists::Refuse {
        return Err(exists(target, flag));
    }
    if keeps_content && found.len() > 0 {
        return Err(not_empty(target, flag));
    }
    match unmovable(resolved, &found) {
        Some((what, way_out)) => Err(Error::config(format!("'{shown}' {what}"))
            .help(format!("{way_out}, or choose another --{flag}"))),
        None => Ok(Some(found)),
    }
}

/// Why no other file could take its name, where that can be seen.
fn unmovable(path: &Path, found: &Metadata) -> Option<(&'static str, &'static str)> {
    let attributes = attributes(path);
    if attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Some((
            "is a mount point of its own, which no other file can replace",
            "mount the directory that holds it",
        ));
    }
    if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        return Some((
            "is immutable or append-only, so that no other file can replace it",
            "take that off with chattr",
        ));
    }
    let user = rustix::process::geteuid();
    let is_others = |owner: u32| !user.is_root() && owner != user.as_raw();
    let around = fs::metadata(directory(path)).ok()?;
    let is_sticky = around.permissions().mode() & STICKY != 0;
    (is_sticky && is_others(found.uid()) && is_others(around.uid())).then_some((
        "is of another user, in a directory where only the owner of a file may replace it",
        "remove it",
    ))
}

/// None where the kernel is too old to know.
fn attributes(path: &Path) -> StatxAttributes {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
    found.map_or(StatxAttributes::empty(), |found| found.stx_attributes & found.stx_attributes_mask)
}

/// The same, also where nothing is yet: a name in a directory, whatever that is called.
pub fn is_same_place(one: &Path, other: &Path) -> bool {
    let is_same_name = one.file_name().is_some() && one.file_name() == other.file_name();
    let is_same = std::path::absolute(one).ok() == std::path::absolute(other).ok();
    is_same
        || is_same_name && is_same_file(directory(one), directory(other))
        || is_same_file(one, other)
}

/// Whether one could be taken by a hidden file of the other.
pub fn is_hidden_of(path: &Path, target: &Path) -> bool {
    let resolved = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
    let (Some(hidden), Some(name)) = (HiddenNames::beside(&resolved), path.file_name()) else {
        return false;
    };
    hidden.is_called(name) && is_same_file(directory(path), directory(&resolved))
}
