//! What can be known before a run, and is then a mistake of whoever starts it.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

use super::keep_apart::keep_apart;
use super::{stream, summary};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::rejects::RejectFile;

/// Which files and streams there are. A run looks at the places of files as it takes them.
pub fn check_streams(settings: &Settings) -> Result<()> {
    stream::check(settings)?;
    keep_apart(settings)
}

/// The same for a look, with the places of what is told.
pub fn check_files(settings: &Settings) -> Result<()> {
    check_streams(settings)?;
    summary::check(settings)?;
    match (&settings.rejects, &settings.state_dir) {
        (Some(rejects), _) => RejectFile::check(rejects),
        (None, Some(directory)) => check_directory(&directory.join("rejects")),
        (None, None) => {
            Err(Error::config("there is no place for rejected records: HOME is not set")
                .help("set --state-dir or --rejects"))
        }
    }
}

/// Whether it could be made, and files in it.
fn check_directory(directory: &Path) -> Result<()> {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let found = absolute.ancestors().find_map(|above| Some((above, fs::metadata(above).ok()?)));
    let usable = match &found {
        Some((_, found)) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Some((above, _)) => {
            access(*above, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
        }
        None => Err(io::ErrorKind::NotFound.into()),
    };
    usable.map_err(|cause| {
        Error::config(format!("cannot write rejected records to '{}'", directory.display()))
            .because(cause)
            .help("choose another place with --rejects or --state-dir")
    })
}
