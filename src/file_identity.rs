//! Which file it is, whatever its names are: device and inode.

use std::fs::{self, File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FileType, fstat};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub fn of(found: &Metadata) -> FileIdentity {
        FileIdentity { device: found.dev(), inode: found.ino() }
    }

    /// Of the file behind a path and its symbolic links, if one is there.
    pub fn at(path: &Path) -> Option<FileIdentity> {
        fs::metadata(path).ok().as_ref().map(FileIdentity::of)
    }

    /// Of what has the path itself, be it a symbolic link.
    pub fn at_name(path: &Path) -> Option<FileIdentity> {
        fs::symlink_metadata(path).ok().as_ref().map(FileIdentity::of)
    }

    pub fn of_open(file: &File) -> Option<FileIdentity> {
        file.metadata().ok().as_ref().map(FileIdentity::of)
    }

    /// Of a standard stream that is a file: two may well be one terminal.
    pub fn of_stream(stream: impl AsFd) -> Option<FileIdentity> {
        let found = fstat(stream).ok()?;
        let is_file = FileType::from_raw_mode(found.st_mode).is_file();
        is_file.then_some(FileIdentity { device: found.st_dev, inode: found.st_ino })
    }
}

/// Whether this is the file that a standard stream leads to.
pub fn is_stream_at(stream: impl AsFd, path: &Path) -> bool {
    let stream = FileIdentity::of_stream(stream);
    stream.is_some_and(|stream| FileIdentity::at(path) == Some(stream))
}

/// Two names of one file, be it by a link.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let one = FileIdentity::at(one);
    one.is_some_and(|one| FileIdentity::at(other) == Some(one))
}
