//! Which files a source reads, found and looked at before anything is opened.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::pattern::Pattern;
use crate::error::{Error, Result};
use crate::file_identity::FileIdentity;

/// A file to read, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// How messages call it.
    pub name: String,
    /// None for standard input.
    pub path: Option<PathBuf>,
    /// Size when it was found. Reading stops there. Unknown for pipes, and for files that a kernel
    /// makes up while they are read.
    pub size: Option<u64>,
}

impl Input {
    fn stdin() -> Input {
        Input { name: "standard input".to_string(), path: None, size: None }
    }

    /// Standard input and pipes can be read once only.
    pub fn is_rereadable(&self) -> bool {
        self.size.is_some()
    }
}

/// What was found, and what is to be said of it.
#[derive(Debug, Default)]
pub struct MatchedInputs {
    pub inputs: Vec<Input>,
    /// Files that a glob would stand for, were they not what this run writes.
    pub left_out: Vec<String>,
    /// Files that a glob stands for, by whose names somebody is still writing them.
    pub half_written: Vec<String>,
}

impl MatchedInputs {
    /// `flag` is the option that named them.
    pub fn say_left_out(&self, flag: &str) {
        for name in &self.left_out {
            tracing::warn!("'{name}' is not read, though --{flag} fits it: this run writes it");
        }
        for name in &self.half_written {
            tracing::warn!(
                "'{name}' is read, as --{flag} fits it, though its name is that of a file that somebody still writes; \
                 a pattern that ends as the names of whole files do leaves it out"
            );
        }
    }
}

/// The files that names, globs and `-` stand for, in the order written; a glob's files are sorted,
/// and none of them is one of those that are `written`. With `allow_empty`, a glob may stand for nothing.
/// `flag` is named in messages.
pub fn find(
    names: &[String],
    flag: &str,
    written: &[PathBuf],
    allow_empty: bool,
) -> Result<MatchedInputs> {
    let written: Vec<_> = written.iter().filter_map(|path| FileIdentity::at(path)).collect();
    let mut found = MatchedInputs::default();
    let mut seen = HashSet::new();
    for name in names {
        if name == "-" {
            found.inputs.push(Input::stdin());
            continue;
        }
        let paths = paths(name, flag, &written, &mut found.left_out)?;
        if paths.is_empty() && !allow_empty {
            return Err(no_match(name, flag));
        }
        let is_half = |path: &&PathBuf| *path != Path::new(name) && is_half_written(path);
        let half_written = paths.iter().filter(is_half).map(|path| path.display().to_string());
        found.half_written.extend(half_written);
        for path in paths {
            let (input, identity) = look_at(&path, flag)?;
            if !seen.insert(identity) {
                return Err(Error::config(format!("'{}' is named twice in --{flag}", input.name))
                    .help("its records would be written twice; name it once"));
            }
            found.inputs.push(input);
        }
    }
    Ok(found)
}

fn paths(
    name: &str,
    flag: &str,
    written: &[FileIdentity],
    left_out: &mut Vec<String>,
) -> Result<Vec<PathBuf>> {
    let literal = Path::new(name);
    let is_pattern = name.contains(['*', '?', '[']);
    // A file whose name holds a '[' is that file, not a pattern.
    if !is_pattern || literal.symlink_metadata().is_ok() {
        return Ok(vec![literal.to_path_buf()]);
    }
    let pattern = Pattern::parse(name).map_err(|cause| {
        Error::config(format!("--{flag} '{name}' is no pattern")).because(cause)
    })?;
    let mut paths = Vec::new();
    for path in pattern.files().map_err(|cause| {
        Error::config(format!("cannot look for files like '{name}'")).because(cause)
    })? {
        let is_written = FileIdentity::at(&path).is_some_and(|found| written.contains(&found));
        match is_written {
            true => left_out.push(path.display().to_string()),
            false => paths.push(path),
        }
    }
    Ok(paths)
}

/// Endings that copying programs and browsers give to what they have not finished.
fn is_half_written(path: &Path) -> bool {
    const ENDINGS: [&str; 6] = ["part", "partial", "filepart", "crdownload", "tmp", "swp"];
    path.extension()
        .is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn no_match(pattern: &str, flag: &str) -> Error {
    Error::config(format!("no file matches '{pattern}'"))
        .help(format!("check --{flag}; where there may be none, use --allow-empty"))
}

/// The input, and what tells its file from others.
fn look_at(path: &Path, flag: &str) -> Result<(Input, FileIdentity)> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|cause| {
        Error::config(format!("cannot open '{name}'"))
            .because(cause)
            .help(format!("check --{flag}"))
    })?;
    let kind = metadata.file_type();
    let refused = if kind.is_dir() {
        Some(format!("a directory; use --{flag} '{name}/*' for the files in it"))
    } else if kind.is_socket() {
        Some(format!("a socket; --{flag} reads files, pipes and '-'"))
    } else if kind.is_block_device() || kind.is_char_device() {
        Some(format!("a device; --{flag} reads files, pipes and '-'"))
    } else {
        None
    };
    match refused {
        Some(what) => Err(Error::config(format!("'{name}' is {what}"))),
        None => {
            let is_stored = metadata.is_file() && !is_made_up(path);
            let size = is_stored.then_some(metadata.len());
            let input = Input { name, path: Some(path.to_path_buf()), size };
            Ok((input, FileIdentity::of(&metadata)))
        }
    }
}

/// File systems whose files a kernel makes up while they are read, with sizes that mean nothing: proc,
/// sysfs, debugfs, tracefs, cgroup and cgroup2, configfs, securityfs.
const MADE_UP: [u64; 8] = [
    0x9fa0,
    0x6265_6572,
    0x6462_6720,
    0x7472_6163,
    0x0027_e0eb,
    0x6367_7270,
    0x6265_6570,
    0x7363_6673,
];

fn is_made_up(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|system| MADE_UP.contains(&(system.f_type as u64)))
}
