//! Files of settings that name others: each is read once, and none that leads to itself.

use std::fs;
use std::path::{Path, PathBuf};

use super::small_file;

/// Files that include files that include files.
const DEPTH_MAX: usize = 8;

/// Far more than anybody writes; whoever names a file of data, or a device, is told so.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A folder full of them is no configuration.
const FILES_MAX: usize = 256;

/// Which files were read, and which of them lead to the one that is being read.
#[derive(Debug, Default)]
pub struct Includes {
    chain: Vec<Step>,
    /// As the system knows them.
    read: Vec<PathBuf>,
}

#[derive(Debug)]
struct Step {
    /// As it was named.
    named: PathBuf,
    path: PathBuf,
}

impl Includes {
    /// The text of a file, from which others may now be included until it is left; None if it was
    /// read before. Or what is wrong.
    pub fn enter(&mut self, named: &Path) -> Result<Option<String>, String> {
        let path = fs::canonicalize(named).unwrap_or_else(|_| named.to_path_buf());
        if let Some(at) = self.chain.iter().position(|step| step.path == path) {
            let chain = self.shown_from(at, named);
            return Err(format!("'{}' includes itself: {chain}", named.display()));
        }
        if self.chain.len() > DEPTH_MAX {
            let chain = self.shown_from(0, named);
            return Err(format!("files include others more than {DEPTH_MAX} deep: {chain}"));
        }
        if self.read.contains(&path) {
            return Ok(None);
        }
        if self.read.len() >= FILES_MAX {
            let shown = named.display();
            return Err(format!(
                "more than {FILES_MAX} files are included, and '{shown}' is one more; join some of them"
            ));
        }
        let text = read(named)?;
        self.read.push(path.clone());
        self.chain.push(Step { named: named.to_path_buf(), path });
        Ok(Some(text))
    }

    pub fn leave(&mut self) {
        self.chain.pop();
    }

    fn shown_from(&self, first: usize, last: &Path) -> String {
        let steps = self.chain[first..].iter().map(|step| step.named.as_path());
        let names: Vec<_> =
            steps.chain([last]).map(|name| format!("'{}'", name.display())).collect();
        names.join(" > ")
    }
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let bytes = small_file::read(path, FILE_BYTES_MAX).map_err(|cause| {
        format!("cannot read the configuration '{shown}': {cause}; check --config")
    })?;
    String::from_utf8(bytes).map_err(|cause| {
        let before = &cause.as_bytes()[..cause.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("'{shown}', line {line}: this is no UTF-8, as TOML has to be; save it as that")
    })
}
