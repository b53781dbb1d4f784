//! Where a ledger is.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a link leads, as SQLite keeps its files beside that. It also takes a name that begins with `file:` for
/// more than a name.
pub fn real(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    real.unwrap_or_else(|_| path.to_path_buf())
}
