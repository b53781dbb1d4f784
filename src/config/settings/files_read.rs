//! Files that are read beside those of the source: none of them may be written.

use std::path::PathBuf;

use super::{SinkSettings, SourceSettings};
use crate::config::option_reader::OptionReader;

/// A file, and what reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    pub what: String,
    pub path: PathBuf,
}

/// Options that name files which are no data.
const NO_DATA: [&str; 17] = [
    "db-pass-file",
    "es-pass-file",
    "es-api-key-file",
    "es-token-file",
    "metrics-web-config",
    "metrics-push-pass-file",
    "metrics-push-token-file",
    "metrics-push-ca",
    "metrics-remote-write-pass-file",
    "metrics-remote-write-token-file",
    "metrics-remote-write-ca",
    "notify-webhook-pass-file",
    "notify-webhook-token-file",
    "notify-webhook-ca",
    "openlineage-pass-file",
    "openlineage-token-file",
    "openlineage-ca",
];

impl OptionReader<'_> {
    pub fn files_read(&self, source: &SourceSettings, sink: &SinkSettings) -> Vec<FileRead> {
        let read = |what: &str, path: PathBuf| FileRead { what: what.to_string(), path };
        let configuration = self.written.files.iter().cloned();
        let mut files: Vec<_> = configuration.map(|path| read("--config", path)).collect();
        for name in NO_DATA {
            let paths = self.written.get(name).into_iter().flat_map(|text| &text.values);
            files.extend(paths.map(|path| read(&format!("--{name}"), PathBuf::from(path))));
        }
        if let SourceSettings::Elastic(elastic) = source {
            files.extend(elastic.tls.ca.clone().map(|path| read("--es-ca", path)));
        }
        if let SinkSettings::Mysql(mysql) = sink {
            files.extend(mysql.tls.ca.clone().map(|path| read("--db-ca", path)));
        }
        files
    }
}
