//! What is meant for Elasticsearch as a source.

use std::path::{Path, PathBuf};

use super::typing::DocumentTypes;
use super::{ColumnSelection, SinkSettings};
use crate::config::option_reader::OptionReader;
use crate::config::small_file;
use crate::config::units;
use crate::source::SegmentLimit;
use crate::source::elastic::{Auth, ElasticSettings, ElasticTls, Metadata};
use crate::source::named_fields::NamedFields;

/// Far more than a server takes.
const QUERY_BYTES_MAX: usize = 16 * 1024 * 1024;

const SLICES_MAX: u64 = 1024;

/// What stands beside a document.
const METADATA_FIELDS: [&str; 4] = ["_id", "_index", "_routing", "_version"];

/// Documents and nothing beside them.
const NO_METADATA: &str = "none";

impl OptionReader<'_> {
    /// `table` names the index where nobody else does.
    pub fn elastic_source(
        &mut self,
        limit: SegmentLimit,
        memory: u64,
        table: Option<&str>,
        selection: Option<&ColumnSelection>,
        sink: Option<&SinkSettings>,
    ) -> Option<ElasticSettings> {
        let DocumentTypes { dates, columns: types } = self.document_types(sink);
        let urls = self.list("es-url").filter(|urls| !urls.is_empty());
        if urls.is_none() {
            self.missing("es-url", "the address of Elasticsearch, such as localhost:9200");
        }
        // Where none is named, the server is asked which there are, to say so.
        let mut indices = self.list("es-index").unwrap_or_default();
        if let (true, Some(table)) = (indices.is_empty(), table) {
            self.warnings.push(format!("no --es-index: '{table}' is read, called as the table"));
            indices.push(table.to_string());
        }
        let (include, exclude) = self.source_fields();
        let mut asked: Vec<NamedFields> =
            selection.map(ColumnSelection::naming).into_iter().collect();
        asked.push(NamedFields { flag: "es-fields", names: include.clone(), are_patterns: true });
        let settings = ElasticSettings {
            urls: urls.clone().unwrap_or_default(),
            indices,
            query: self.query(),
            include,
            exclude,
            auth: self.auth(),
            tls: ElasticTls {
                ca: self.text("es-ca").map(PathBuf::from),
                insecure: self.switch("es-insecure"),
            },
            slices: self.number("es-slices", 1, SLICES_MAX).map(|slices| slices as usize),
            metadata: self.metadata(),
            flatten: self.switch("flatten"),
            separator: self.separator(),
            dates,
            types,
            asked,
            keep_alive: self.parsed_or_default("es-keep-alive", units::some_duration),
            request_timeout: self.parsed_or_default("es-timeout", units::some_duration),
            compress: self.switch("es-compress"),
            allow_no_indices: self.switch("allow-empty"),
            limit,
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
        };
        urls.map(|_| settings)
    }

    /// JSON, or a file of it.
    fn query(&mut self) -> Option<String> {
        let query = self.text("es-query")?;
        let text = match query.strip_prefix('@') {
            None => query,
            Some(path) => match small_file::read_text(Path::new(path), QUERY_BYTES_MAX) {
                Ok(text) => text,
                Err(cause) => {
                    self.wrong("es-query", &format!("cannot read '{path}': {cause}"));
                    return None;
                }
            },
        };
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(serde_json::Value::Object(_)) => Some(text),
            Ok(_) => {
                self.wrong("es-query", "a query is a JSON object, such as {\"term\": {\"a\": 1}}");
                None
            }
            Err(cause) => {
                self.wrong("es-query", &format!("not valid JSON: {cause}"));
                None
            }
        }
    }

    /// Those that are wanted, and behind a minus those that are not.
    fn source_fields(&mut self) -> (Vec<String>, Vec<String>) {
        let fields = self.list("es-fields").unwrap_or_default();
        let (excluded, included): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|field| field.starts_with('-'));
        let without_minus = |field: String| field[1..].to_string();
        (included, excluded.into_iter().map(without_minus).collect())
    }

    fn auth(&mut self) -> Auth {
        let ways = ["es-user", "es-api-key", "es-token"];
        let secret_file = |way: &&str| format!("{way}-file");
        let used: Vec<_> = ways
            .iter()
            .filter(|way| self.is_written(way) || self.is_written(&secret_file(way)))
            .collect();
        if let [_, other, ..] = used[..] {
            self.wrong(
                other,
                &format!("one way to log in is enough; --{} is written too", used[0]),
            );
        }
        if let Some(user) = self.text("es-user") {
            let Some(password) = self.secret("es-pass") else {
                self.missing("es-pass", "the password of --es-user");
                return Auth::None;
            };
            return Auth::Basic { user, password };
        }
        if let Some(key) = self.secret("es-api-key") {
            return Auth::ApiKey(key);
        }
        self.secret("es-token").map_or(Auth::None, Auth::Bearer)
    }

    fn metadata(&mut self) -> Metadata {
        let Some(names) = self.list("es-meta") else { return Metadata::Identity };
        if names == [NO_METADATA] {
            return Metadata::Named(Vec::new());
        }
        for name in &names {
            if !METADATA_FIELDS.contains(&name.as_str()) {
                self.wrong(
                    "es-meta",
                    &format!("'{name}' is not one of {}, or none", METADATA_FIELDS.join(", ")),
                );
            }
        }
        Metadata::Named(names)
    }
}
