//! A file for the textfile collector of node_exporter. It is replaced as a whole, so whoever reads it
//! finds one moment of the run.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::error::{Error, Later, Result};
use crate::export::{Rhythm, Route, RunEnd};
use crate::observe::Moment;
use crate::outcome::Outcome;
use crate::part::{PartFile, PartPolicy};

pub const FLAG: &str = "metrics-textfile";

/// Other files in its directory are not read by node_exporter.
pub const ENDING: &str = ".prom";

/// Of the text format, as every file of ours begins.
const BEGINNING: &[u8] = b"# HELP pipeline_";

const POLICY: PartPolicy = PartPolicy::replacing(FLAG);

pub struct Textfile {
    path: Arc<Path>,
    /// Nobody waits for it any more, and it is to be over before the next.
    under_way: Option<JoinHandle<Result<()>>>,
}

impl Textfile {
    pub fn new(path: PathBuf) -> Textfile {
        Textfile { path: path.into(), under_way: None }
    }

    /// What can be known before there is something to write.
    pub fn check(path: &Path) -> Result<()> {
        PartFile::check(path, POLICY)
    }

    async fn write(&mut self, text: String) -> Result<()> {
        if let Some(before) = &mut self.under_way {
            let _ = before.await;
        }
        let path = Arc::clone(&self.path);
        // A disk may hang, and others are to be told all the while.
        let writing = tokio::task::spawn_blocking(move || replace(&path, &text));
        let written = self.under_way.insert(writing).await;
        self.under_way = None;
        written.map_err(|cause| Error::internal("writing the numbers broke off").because(cause))?
    }
}

impl Route for Textfile {
    fn name(&self) -> &'static str {
        "textfile"
    }

    fn aim(&self) -> String {
        self.path.display().to_string()
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm::Every(super::PERIOD)
    }

    fn is_wanted(&self, end: &RunEnd) -> bool {
        end.is_file_apart && end.report.outcome != Outcome::Locked
    }

    fn refresh<'a>(&'a mut self, moment: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(self.write(moment.text.clone()))
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.write(end.moment.text.clone()))
    }
}

/// Nothing is replaced but numbers of runs: whoever names a wrong file is not to lose it.
fn is_ours(path: &Path) -> bool {
    // A pipe would be waited for.
    if fs::symlink_metadata(path).is_ok() && !fs::metadata(path).is_ok_and(|found| found.is_file())
    {
        return false;
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(cause) => return cause.kind() == io::ErrorKind::NotFound,
    };
    let mut start = Vec::new();
    let read = (&mut file).take(BEGINNING.len() as u64).read_to_end(&mut start);
    read.is_ok() && (start.is_empty() || start == BEGINNING)
}

fn replace(path: &Path, text: &str) -> Result<()> {
    if !is_ours(path) {
        return Err(Error::config(format!(
            "'{}' holds something else than metrics",
            path.display()
        ))
        .help(format!("move it away, or choose another --{FLAG}")));
    }
    PartFile::replace(path, POLICY, text.as_bytes())
}
