//! A file whatever its name is: device and inode.

use std::fs::{self, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FileType, fstat};

pub type Identity = (u64, u64);

pub fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

pub fn identity_at(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().as_ref().map(identity)
}

/// Of a standard stream that is a file: two may well be one terminal.
pub fn identity_of(stream: impl AsFd) -> Option<Identity> {
    let found = fstat(stream).ok()?;
    let is_file = FileType::from_raw_mode(found.st_mode).is_file();
    is_file.then_some((found.st_dev, found.st_ino))
}

/// Whether this is the file that a standard stream leads to.
pub fn is_at(stream: impl AsFd, path: &Path) -> bool {
    identity_of(stream).is_some_and(|stream| identity_at(path) == Some(stream))
}
