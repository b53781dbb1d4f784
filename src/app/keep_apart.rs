//! What is written must not be what is read, nor what else is written.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use super::ends::{is_to_stdout, output};
use super::identity::{Identity, identity, identity_at, identity_of};
use super::summary::FLAG as SUMMARY_FLAG;
use super::text_files::{TextFiles, found, text_files};
use crate::config::{Settings, Summary};
use crate::error::{Error, Result};
use crate::part::{is_hidden_of, is_same_place, left_of};
use crate::rejects::{FLAG as REJECTS_FLAG, left_in};
use crate::sink::file::FLAG as OUTPUT_FLAG;
use crate::source::text::find;

struct ReadFile {
    what: String,
    identity: Identity,
}

struct WrittenFile<'a> {
    flag: &'static str,
    path: &'a Path,
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
    if let Some(stdout) = is_used.then(|| identity_of(io::stdout())).flatten() {
        apart_from_stream("standard output", stdout, &read, written.iter())?;
    }
    // A summary may well stand at the end of the log.
    let replacing = written.iter().filter(|written| written.flag != SUMMARY_FLAG);
    match identity_of(io::stderr()) {
        Some(stderr) => apart_from_stream("standard error", stderr, &read, replacing),
        None => Ok(()),
    }
}

fn apart_from_stream<'a>(
    name: &str,
    stream: Identity,
    read: &[ReadFile],
    mut written: impl Iterator<Item = &'a WrittenFile<'a>>,
) -> Result<()> {
    let read = read.iter().find(|read| read.identity == stream).map(|read| read.what.clone());
    let written = written.find(|written| identity_at(written.path) == Some(stream));
    let written = written.map(|written| format!("the file of --{}", written.flag));
    match read.or(written) {
        Some(what) => Err(Error::config(format!("{name} is {what} itself"))
            .help("redirect it to a file of its own")),
        None => Ok(()),
    }
}

/// Where the summary goes, if that is certainly no other file of the run, as far as can be seen of a
/// run that is refused.
pub fn lone_summary(settings: &Settings) -> Option<&Path> {
    let written = written(settings);
    let summary = written.iter().find(|written| written.flag == SUMMARY_FLAG)?;
    let read = read(settings).unwrap_or_default();
    let is_lone = apart_from_read(summary, &read).is_ok()
        && written.iter().all(|other| other.flag == SUMMARY_FLAG || apart(summary, other).is_ok())
        && !found(text_files(settings).names).iter().any(|path| is_same_place(path, summary.path));
    is_lone.then_some(summary.path)
}

fn read(settings: &Settings) -> Result<Vec<ReadFile>> {
    let mut all = Vec::new();
    let TextFiles { names, flag, written } = text_files(settings);
    for input in find(names, flag, written)?.inputs {
        let identity = match &input.path {
            Some(path) => identity_at(path),
            None => identity_of(io::stdin()),
        };
        let what = format!("the input '{}'", input.name);
        all.extend(identity.map(|identity| ReadFile { what, identity }));
    }
    for file in &settings.files_read {
        let what = format!("the file of {}", file.what);
        let identity = identity_at(&file.path);
        all.extend(identity.map(|identity| ReadFile { what, identity }));
    }
    Ok(all)
}

fn written(settings: &Settings) -> Vec<WrittenFile<'_>> {
    let summary = match &settings.reporting.summary {
        Summary::File(path) => Some(path.as_path()),
        Summary::None | Summary::Stdout => None,
    };
    let files = [
        (OUTPUT_FLAG, output(settings)),
        (REJECTS_FLAG, settings.rejects.as_deref()),
        (SUMMARY_FLAG, summary),
    ];
    files.into_iter().filter_map(|(flag, path)| Some(WrittenFile { flag, path: path? })).collect()
}

fn apart_from_read(written: &WrittenFile<'_>, read: &[ReadFile]) -> Result<()> {
    let WrittenFile { flag, path } = written;
    let shown = path.display();
    let same = |found: &Metadata| {
        let identity = identity(found);
        read.iter().find(|read| read.identity == identity)
    };
    if let Some(ReadFile { what, .. }) = fs::metadata(path).ok().as_ref().and_then(same) {
        return Err(Error::config(format!("'{shown}' is {what} itself"))
            .help(format!("choose another --{flag}")));
    }
    match left_of(path, flag).as_ref().and_then(same) {
        Some(ReadFile { what, .. }) => Err(Error::config(format!(
            "{what} is what a killed run left of '{shown}', and would be removed"
        ))
        .help(format!("give it another name, or choose another --{flag}"))),
        None => Ok(()),
    }
}

/// What killed runs left of their rejected records is removed with the next that are kept beside it.
fn apart_from_left(settings: &Settings, read: &[ReadFile]) -> Result<()> {
    let (None, Some(directory)) = (&settings.rejects, &settings.state_dir) else { return Ok(()) };
    let left: Vec<_> = left_in(&directory.join("rejects")).iter().map(identity).collect();
    match read.iter().find(|read| left.contains(&read.identity)) {
        Some(ReadFile { what, .. }) => Err(Error::config(format!(
            "{what} was left by a run that was killed, and would be removed"
        ))
        .help("give it another name")),
        None => Ok(()),
    }
}

fn apart(one: &WrittenFile<'_>, other: &WrittenFile<'_>) -> Result<()> {
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
