//! A disk that fails as told, for one run: calls of the C library that fail in the files of one folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Flowgauge, Workdir};

/// `disk.c`, as what can stand before the C library.
pub struct FaultyDisk {
    library: PathBuf,
    /// Apart from the folder of the run, whose files are counted.
    folder: Workdir,
}

/// A call that failed, and of which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub call: String,
    pub path: String,
}

impl FaultyDisk {
    pub fn new(compiler: &str) -> FaultyDisk {
        let folder = Workdir::new("faulty_disk");
        let library = folder.path("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faulty_disk/disk.c");
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"]);
        let made = command.arg(&library).args([source, "-ldl"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        FaultyDisk { library, folder }
    }

    /// `faults` are as `disk.c` says.
    pub fn put_under(&self, program: Flowgauge, workdir: &Workdir, faults: &str) -> Flowgauge {
        // What was told of the run before.
        drop(fs::remove_file(self.log()));
        program
            // Its calls would be counted, in an order of its own.
            .env("FLOWGAUGE_NO_LEDGER", "true")
            .env("LD_PRELOAD", &self.library)
            .env("DISK_ROOT", fs::canonicalize(workdir.root()).unwrap())
            .env("DISK_FAULTS", faults)
            .env("DISK_LOG", self.log())
    }

    pub fn failed(&self) -> Vec<Failed> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let failed = text.lines().filter_map(|line| line.split_once(' '));
        failed.map(|(call, path)| Failed { call: call.into(), path: path.into() }).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.path("log")
    }
}
