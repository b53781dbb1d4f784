//! Passwords: typed, in a file, in the environment, or among systemd's credentials.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::option_reader::OptionReader;
use crate::config::small_file;
use crate::config::written::OptionOrigin;
use crate::secret::Secret;

/// Longer than any token.
const SECRET_BYTES_MAX: usize = 64 * 1024;

impl OptionReader<'_> {
    /// The secret called `name`: itself, in the file that `NAME-file` says, or the credential of
    /// that name.
    pub fn secret(&mut self, name: &'static str) -> Option<Secret> {
        let file = format!("{name}-file");
        let typed = self.written.get(name);
        let in_file = self.written.get(&file);
        if let (Some(typed), Some(in_file)) = (typed, in_file)
            && typed.origin.rank() == in_file.origin.rank()
        {
            self.wrong(&file, &format!("--{name} is written too; one of them is enough"));
            return None;
        }
        // As everywhere: a flag goes before the environment, that before the file of settings.
        let file_wins = match (typed, in_file) {
            (Some(typed), Some(in_file)) => in_file.origin.rank() > typed.origin.rank(),
            (typed, _) => typed.is_none(),
        };
        let secret = if file_wins { None } else { self.text(name) };
        match (secret, in_file) {
            (Some(secret), _) => {
                if typed.is_some_and(|text| text.origin == OptionOrigin::Flag) {
                    self.warnings.push(format!(
                        "--{name} can be read by other users of this machine; --{file} and {} cannot",
                        variable(name)
                    ));
                }
                Some(Secret::new(secret))
            }
            (None, Some(text)) => {
                let path = PathBuf::from(text.values.last().map_or("", |path| path));
                self.read_secret(&file, &path)
            }
            (None, None) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")?;
                let path = Path::new(&directory).join(name);
                if path.exists() { self.read_secret(name, &path) } else { None }
            }
        }
    }

    /// The secret of an option that names a file and nothing else.
    pub fn secret_of_file(&mut self, name: &'static str) -> Option<Secret> {
        let path = self.text(name).filter(|path| !path.is_empty())?;
        self.read_secret(name, Path::new(&path))
    }

    fn read_secret(&mut self, name: &str, path: &Path) -> Option<Secret> {
        match secret_in(path) {
            Ok(secret) => Some(secret),
            Err(cause) => {
                self.wrong(name, &format!("cannot read '{}': {cause}", path.display()));
                None
            }
        }
    }
}

/// The secret that a file holds.
pub fn secret_in(path: &Path) -> io::Result<Secret> {
    let text = small_file::read_text(path, SECRET_BYTES_MAX)?;
    // Editors end a file with a line end; passwords do not.
    Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
}

fn variable(name: &str) -> String {
    format!("FLOWGAUGE_{}", name.replace('-', "_").to_uppercase())
}
