//! What is written must not be what is read, nor what else is written.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use super::ends::{is_to_stdout, output};
use super::summary::FLAG as SUMMARY_FLAG;
use super::text_files::{TextFiles, found, text_files};
use crate::config::{Settings, Summary};
use crate::error::{Error, Result};
use crate::export::TEXTFILE_FLAG;
use crate::file_identity::FileIdentity;
use crate::ledger::FLAG as LEDGER_FLAG;
use crate::part::{is_hidden_of, is_same_place, left_of};
use crate::rejects::{FLAG as REJECTS_FLAG, RejectPath, left_beside, left_in};
use crate::sink::file::FLAG as OUTPUT_FLAG;
use crate::source::text::find;

struct FileToRead {
    what: String,
    identity: FileIdentity,
}

pub struct FileToWrite<'a> {
    pub flag: &'static str,
    pub path: &'a Path,
}

/// Every file of a run must be a file of its own: what is written would destroy what is read.
pub fn keep_apart(settings: &Settings) -> Result<()> {
    let read = read(settings)?;
    let written = written(settings);
    for (index, one) in written.iter().enumerate() {
        apart_from_read(one, &read)?;
        written[..index].iter().try_for_each(|other| apart(one, other))?;
    }
    apart_from_left(settings, &read)?;
    let is_used = is_to_stdout(settings) || settings.reporting.summary == Summary::Stdout;
    if let Some(stdout) = is_used.then(|| FileIdentity::of_stream(io::stdout())).flatten() {
        apart_from_stream("standard output", stdout, &read, written.iter())?;
    }
    // A summary may well stand at the end of the log.
    let replacing = written.iter().filter(|written| written.flag != SUMMARY_FLAG);
    match FileIdentity::of_stream(io::stderr()) {
        Some(stderr) => apart_from_stream("standard error", stderr, &read, replacing),
        None => Ok(()),
    }
}

fn apart_from_stream<'a>(
    name: &str,
    stream: FileIdentity,
    read: &[FileToRead],
    mut written: impl Iterator<Item = &'a FileToWrite<'a>>,
) -> Result<()> {
    let read = read.iter().find(|read| read.identity == stream).map(|read| read.what.clone());
    let written = written.find(|written| FileIdentity::at(written.path) == Some(stream));
    let written = written.map(|written| format!("the file of --{}", written.flag));
    match read.or(written) {
        Some(what) => Err(Error::config(format!("{name} is {what} itself"))
            .help("redirect it to a file of its own")),
        None => Ok(()),
    }
}

/// Where the summary goes, if that is certainly no other file of the run.
pub fn lone_summary(settings: &Settings) -> Option<&Path> {
    lone(settings, SUMMARY_FLAG)
}

/// The same of the file of any option, as far as can be seen of a run that is refused.
pub fn lone<'a>(settings: &'a Settings, flag: &str) -> Option<&'a Path> {
    let written = written(settings);
    let file = written.iter().find(|written| written.flag == flag)?;
    let read = read(settings).unwrap_or_default();
    let is_lone = apart_from_read(file, &read).is_ok()
        && written.iter().all(|other| other.flag == flag || apart(file, other).is_ok())
        && !found(text_files(settings).names).iter().any(|path| is_same_place(path, file.path));
    is_lone.then_some(file.path)
}

fn read(settings: &Settings) -> Result<Vec<FileToRead>> {
    let mut all = Vec::new();
    let TextFiles { names, flag, written, allow_empty } = text_files(settings);
    for input in find(names, flag, written, allow_empty)?.inputs {
        let identity = match &input.path {
            Some(path) => FileIdentity::at(path),
            None => FileIdentity::of_stream(io::stdin()),
        };
        let what = format!("the input '{}'", input.name);
        all.extend(identity.map(|identity| FileToRead { what, identity }));
    }
    for file in &settings.files_read {
        let what = format!("the file of {}", file.what);
        let identity = FileIdentity::at(&file.path);
        all.extend(identity.map(|identity| FileToRead { what, identity }));
    }
    Ok(all)
}

/// The files that a run writes.
pub fn written(settings: &Settings) -> Vec<FileToWrite<'_>> {
    let summary = match &settings.reporting.summary {
        Summary::File(path) => Some(path.as_path()),
        Summary::None | Summary::Stdout => None,
    };
    let files = [
        (OUTPUT_FLAG, output(settings)),
        (REJECTS_FLAG, settings.rejects.as_ref().map(RejectPath::path)),
        (SUMMARY_FLAG, summary),
        (TEXTFILE_FLAG, settings.export.textfile.as_deref()),
        (LEDGER_FLAG, settings.ledger.path.as_deref()),
    ];
    files.into_iter().filter_map(|(flag, path)| Some(FileToWrite { flag, path: path? })).collect()
}

fn apart_from_read(written: &FileToWrite<'_>, read: &[FileToRead]) -> Result<()> {
    let FileToWrite { flag, path } = written;
    let shown = path.display();
    let same = |found: &Metadata| {
        let identity = FileIdentity::of(found);
        read.iter().find(|read| read.identity == identity)
    };
    if let Some(FileToRead { what, .. }) = fs::metadata(path).ok().as_ref().and_then(same) {
        return Err(Error::config(format!("'{shown}' is {what} itself"))
            .help(format!("choose another --{flag}")));
    }
    match left_of(path, flag).as_ref().and_then(same) {
        Some(FileToRead { what, .. }) => Err(Error::config(format!(
            "{what} is what a killed run left of '{shown}', and would be removed"
        ))
        .help(format!("give it another name, or choose another --{flag}"))),
        None => Ok(()),
    }
}

/// What killed runs left of their rejected records is removed with the next that are kept beside it.
fn apart_from_left(settings: &Settings, read: &[FileToRead]) -> Result<()> {
    let left = match (&settings.rejects, &settings.state_dir) {
        (Some(named), _) if named.is_of_each_run() => left_beside(named),
        (None, Some(directory)) => left_in(&directory.join("rejects")),
        _ => return Ok(()),
    };
    let left: Vec<_> = left.iter().map(FileIdentity::of).collect();
    match read.iter().find(|read| left.contains(&read.identity)) {
        Some(FileToRead { what, .. }) => Err(Error::config(format!(
            "{what} was left by a run that was killed, and would be removed"
        ))
        .help("give it another name")),
        None => Ok(()),
    }
}

fn apart(one: &FileToWrite<'_>, other: &FileToWrite<'_>) -> Result<()> {
    let shown = one.path.display();
    if is_same_place(other.path, one.path) {
        return Err(Error::config(format!(
            "--{} and --{} are both '{shown}'",
            one.flag, other.flag
        ))
        .help(format!("choose another --{}", one.flag)));
    }
    for (hidden, whole) in [(one, other), (other, one)] {
        if is_hidden_of(hidden.path, whole.path) {
            return Err(Error::config(format!(
                "--{} '{}' is a name of the hidden files of --{}",
                hidden.flag,
                hidden.path.display(),
                whole.flag
            ))
            .help(format!("choose another --{}", hidden.flag)));
        }
    }
    Ok(())
}
