//! A folder of its own for every test, gone when the test is over.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Flowgauge, assert_same_text};

/// Every run has one where nobody names another place.
fn is_of_ledger(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("ledger.sqlite"))
}

pub struct Workdir {
    folder: tempfile::TempDir,
}

impl Workdir {
    /// `workdir!()` passes the name of the test, so that a folder left behind by a killed test
    /// says whose it is. Not all of it: the path of a socket has at most 107 bytes.
    pub fn new(test: &str) -> Workdir {
        let name: String = test.rsplit("::").next().unwrap_or(test).chars().take(30).collect();
        let prefix = format!("fg-{name}-");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        Workdir { folder }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => text,
            Err(error) => panic!("cannot read {name}: {error}; there is {:?}", self.names()),
        }
    }

    /// Puts away what a run before left, which no run replaces.
    pub fn put_away(&self, name: &str) {
        if self.exists(name) {
            fs::remove_file(self.path(name)).unwrap();
        }
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// All files below, by relative path, sorted: what a run left behind beside its row in the ledger.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.root().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !is_of_ledger(&path) {
                    let name = path.strip_prefix(self.root()).unwrap();
                    names.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        names
    }

    #[track_caller]
    pub fn assert_file(&self, name: &str, expected: &str) {
        assert_same_text(name, expected, &self.read(name));
    }

    /// The program, started in this folder and knowing nothing of the machine outside.
    pub fn flowgauge(&self) -> Flowgauge {
        Flowgauge::new(env!("CARGO_BIN_EXE_flowgauge"), self)
    }
}
