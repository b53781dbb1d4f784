//! Which files a source reads, found and looked at before anything is opened.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file to read, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// How messages call it.
    pub name: String,
    /// None for standard input.
    pub path: Option<PathBuf>,
    /// Size when it was found; unknown for pipes. Reading stops there.
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

/// The files that names, globs and `-` stand for, in the order written; a glob's files are sorted.
/// `flag` is named in messages.
pub fn find(names: &[String], flag: &str) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        if name == "-" {
            inputs.push(Input::stdin());
            continue;
        }
        for path in paths(name, flag)? {
            let (input, identity) = look_at(&path, flag)?;
            if !seen.insert(identity) {
                return Err(Error::config(format!("'{}' is named twice in --{flag}", input.name))
                    .help("its records would be written twice; name it once"));
            }
            inputs.push(input);
        }
    }
    Ok(inputs)
}

fn paths(name: &str, flag: &str) -> Result<Vec<PathBuf>> {
    let literal = Path::new(name);
    let is_pattern = name.contains(['*', '?', '[']);
    // A file whose name holds a '[' is that file, not a pattern.
    if !is_pattern || literal.symlink_metadata().is_ok() {
        return Ok(vec![literal.to_path_buf()]);
    }
    let mut paths = glob::glob(name)
        .map_err(|cause| Error::config(format!("--{flag} '{name}' is no pattern")).because(cause))?
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|cause| {
            Error::config(format!("cannot look for files like '{name}'")).because(cause)
        })?;
    paths.retain(|path| !path.is_dir());
    paths.sort();
    if paths.is_empty() {
        return Err(Error::config(format!("no file matches '{name}'"))
            .help(format!("check --{flag}; quote the pattern so that the shell leaves it alone")));
    }
    Ok(paths)
}

/// The input, and what tells its file from others whatever their names.
fn look_at(path: &Path, flag: &str) -> Result<(Input, (u64, u64))> {
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
            let size = metadata.is_file().then_some(metadata.len());
            let input = Input { name, path: Some(path.to_path_buf()), size };
            Ok((input, (metadata.dev(), metadata.ino())))
        }
    }
}
