//! What can be known before a run, and is then a mistake of whoever starts it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::keep_apart::keep_apart;
use super::{stream, summary};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::rejects::RejectFile;

/// Which files and streams there are. A run looks at the places of files as it takes them, but for
/// rejected records of an earlier one, which are there before anything is begun.
pub fn check_streams(settings: &Settings) -> Result<()> {
    stream::check(settings)?;
    keep_apart(settings)?;
    settings.rejects.as_ref().map_or(Ok(()), |rejects| RejectFile::check(rejects.path()))
}

/// The same for a look, with the places of what is told.
pub fn check_files(settings: &Settings) -> Result<()> {
    check_streams(settings)?;
    summary::check(settings)?;
    match &settings.rejects {
        Some(_) => Ok(()),
        None => check_directory(&own_rejects(settings)?),
    }
}

/// The directory with a file for each run, where none is named.
fn own_rejects(settings: &Settings) -> Result<PathBuf> {
    let directory = settings.state_dir.as_ref().map(|directory| directory.join("rejects"));
    directory.ok_or_else(|| {
        Error::config("there is no place for rejected records: HOME is not set")
            .help("set --state-dir or --rejects")
    })
}

pub fn open_rejects(settings: &Settings) -> Result<RejectFile> {
    match &settings.rejects {
        Some(named) => RejectFile::named(named, &settings.run_id),
        None => {
            let directory = own_rejects(settings)?;
            RejectFile::of_a_run(&directory, &settings.pipeline_id, &settings.run_id)
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
