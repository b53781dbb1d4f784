//! What is written must not be what is read.

use std::path::Path;

use super::ends::output;
use crate::config::{Settings, SourceSettings, Summary};
use crate::error::{Error, Result};
use crate::part::is_same_file;
use crate::source::text::{Input, find};

/// Every file of a run must be a file of its own: what is written would destroy what is read.
pub fn keep_apart(settings: &Settings) -> Result<()> {
    let inputs = match &settings.source {
        SourceSettings::Csv(csv) => find(&csv.files, "csv-file", &csv.written)?.inputs,
        SourceSettings::Jsonl(jsonl) => find(&jsonl.files, "jsonl-file", &jsonl.written)?.inputs,
        SourceSettings::Elastic(_) => Vec::new(),
    };
    let summary = match &settings.reporting.summary {
        Summary::File(path) => Some(path.as_path()),
        Summary::None | Summary::Stdout => None,
    };
    let written = [
        ("output-file", output(settings)),
        ("rejects", settings.rejects.as_deref()),
        ("summary-json", summary),
    ];
    let written: Vec<_> =
        written.into_iter().filter_map(|(flag, path)| Some((flag, path?))).collect();
    for (index, (flag, path)) in written.iter().enumerate() {
        let shown = path.display();
        let is_same =
            |input: &&Input| input.path.as_deref().is_some_and(|of| is_same_file(of, path));
        if let Some(input) = inputs.iter().find(is_same) {
            return Err(Error::config(format!("'{shown}' is the input '{}' itself", input.name))
                .help(format!("choose another --{flag}")));
        }
        let other = written[..index].iter().find(|(_, other)| is_same_place(other, path));
        if let Some((other, _)) = other {
            return Err(Error::config(format!("--{flag} and --{other} are both '{shown}'"))
                .help(format!("choose another --{flag}")));
        }
    }
    Ok(())
}

/// Also where nothing is yet.
fn is_same_place(one: &Path, other: &Path) -> bool {
    let absolute = |path| std::path::absolute(path).ok();
    is_same_file(one, other) || absolute(one) == absolute(other)
}
