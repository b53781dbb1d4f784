//! What is meant: validated, with nothing left to parse. All mistakes are found in one pass.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

mod elastic;
mod export;
mod files_read;
mod history;
mod lineage;
mod mysql;
mod otel;
mod output_file;
mod reporting;
mod secrets;
mod text_files;
mod typing;

pub use self::export::{ExporterSettings, Linger};
pub use self::files_read::FileRead;
pub use self::history::ShownOptions;
pub use self::reporting::{MetricsSettings, Reporting, Summary};
pub use self::secrets::secret_in;
use super::choices::{Choice, SinkType, SourceType};
use super::defaults::{
    BATCH_BYTES, LANE_COUNT_MAX, PAGE_BYTES, PIPELINE_ID, RECORD_BYTES, RECORD_SHARE_OF_MEMORY,
    TRANSACTION_BYTES,
};
use super::mistakes::Mistakes;
use super::option_reader::OptionReader;
use super::options::{Theme, parted};
use super::units;
use super::written::WrittenOptions;
use crate::export::ExportSettings;
use crate::ledger::LedgerSettings;
use crate::pipeline::{MaxErrors, Minimum, Percent};
use crate::record::ARENA_BYTES_MAX;
use crate::rejects::RejectPath;
use crate::secret::by_name;
use crate::shown::is_obeyed;
use crate::sink::file::FileSettings;
use crate::sink::mysql::MysqlSettings;
use crate::source::SegmentLimit;
use crate::source::csv::CsvSettings;
use crate::source::elastic::ElasticSettings;
use crate::source::jsonl::JsonlSettings;
use crate::source::named_fields::NamedFields;

#[derive(Clone, Debug)]
pub struct Settings {
    pub pipeline_id: String,
    /// Others are run before it or behind it.
    pub is_one_of_several: bool,
    pub source: SourceSettings,
    pub sink: SinkSettings,
    pub selection: Option<ColumnSelection>,
    pub worker_count: u64,
    pub lane_count: u64,
    pub limit: SegmentLimit,
    pub memory_limit: u64,
    pub max_errors: MaxErrors,
    pub minimum: Minimum,
    /// Against the last complete run, which the ledger knows.
    pub max_shrink: Option<Percent>,
    /// Of the one run that they are for.
    pub run_id: String,
    /// None for a file of its own in the state directory.
    pub rejects: Option<RejectPath>,
    /// None where the environment names no place for it.
    pub state_dir: Option<PathBuf>,
    /// The source in words that stay the same from run to run, wherever it is started.
    pub source_words: String,
    /// Beside those of the source.
    pub files_read: Vec<FileRead>,
    pub drain_timeout: Duration,
    pub rows_per_second_max: Option<u64>,
    pub metrics: MetricsSettings,
    pub export: ExportSettings,
    pub reporting: Reporting,
    pub ledger: LedgerSettings,
    /// As they were written, without secrets.
    pub shown: ShownOptions,
    /// What was passed over among the settings.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum SourceSettings {
    Csv(CsvSettings),
    Jsonl(JsonlSettings),
    Elastic(ElasticSettings),
}

#[derive(Clone, Debug)]
pub enum SinkSettings {
    File(FileSettings),
    Mysql(Box<MysqlSettings>),
}

impl SourceSettings {
    /// Its name, and the format of its bytes, as labels say them.
    pub fn kind(&self) -> (&'static str, &'static str) {
        match self {
            SourceSettings::Csv(_) => ("csv", "csv"),
            SourceSettings::Jsonl(_) => ("jsonl", "jsonl"),
            SourceSettings::Elastic(_) => ("elasticsearch", "json"),
        }
    }
}

impl SourceSettings {
    /// Objects within documents are taken apart.
    pub fn flattens(&self) -> bool {
        match self {
            SourceSettings::Csv(_) => false,
            SourceSettings::Jsonl(jsonl) => jsonl.flatten,
            SourceSettings::Elastic(elastic) => elastic.flatten,
        }
    }
}

impl SinkSettings {
    /// Its name, and the format of its bytes, as labels say them.
    pub fn kind(&self) -> (&'static str, &'static str) {
        match self {
            SinkSettings::File(file) => ("file", file.format.as_str()),
            SinkSettings::Mysql(_) => ("mysql", "mysql"),
        }
    }
}

/// Which columns are written, in which order and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSelection {
    /// As the source calls them.
    pub old: Vec<String>,
    /// As the sink calls them.
    pub new: Vec<String>,
}

impl ColumnSelection {
    fn naming(&self) -> NamedFields {
        NamedFields { flag: "select", names: self.old.clone(), are_patterns: false }
    }
}

const MEMORY_LIMIT_MIN: u64 = 8 * 1024 * 1024;

/// A byte of another encoding may become three of UTF-8, which must still fit an arena.
const TEXT_GROWTH_MAX: u64 = 3;

const WORKER_COUNT_MAX: u64 = 256;

impl Settings {
    /// `state_dir` is where the environment would keep state.
    pub fn resolve(
        written: &WrittenOptions,
        pipeline: Option<&str>,
        state_dir: Option<PathBuf>,
        mistakes: &mut Mistakes,
    ) -> Option<Settings> {
        let mut reading =
            OptionReader { written, mistakes, warnings: Vec::new(), has_failed: false };
        reading.refuse_empty();
        let settings = reading.settings(pipeline, state_dir);
        if reading.has_failed { None } else { settings }
    }
}

/// By UTC, so that a day has one name everywhere.
fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

impl OptionReader<'_> {
    fn settings(&mut self, pipeline: Option<&str>, state_dir: Option<PathBuf>) -> Option<Settings> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let memory_limit = self.memory_limit();
        let selection = self.selection();
        let sink = self.sink();
        let limit = self.limit(memory_limit, sink.as_ref());
        let source = self.source(limit, memory_limit, sink.as_ref(), selection.as_ref());
        let pipeline_id = self
            .text("pipeline-id")
            .or(pipeline.map(String::from))
            .unwrap_or_else(|| PIPELINE_ID.to_string());
        if pipeline_id.is_empty() || pipeline_id.chars().any(is_obeyed) {
            self.wrong("pipeline-id", "a name cannot be empty or hold control characters");
        }
        let worker_count = self.number("workers", 1, WORKER_COUNT_MAX).unwrap_or(cores);
        let lane_count =
            self.number("lanes", 1, WORKER_COUNT_MAX).unwrap_or(cores.min(LANE_COUNT_MAX));
        let max_errors = self.max_errors();
        let minimum = self.minimum();
        let max_shrink = self.parsed("max-shrink", percent);
        let drain_timeout = self.parsed_or_default("drain-timeout", units::duration);
        let metrics = self.metrics();
        let export = self.export();
        let reporting = self.reporting();
        let state_dir = self.text("state-dir").map(PathBuf::from).or(state_dir);
        let ledger = self.ledger(state_dir.as_deref());
        if max_shrink.is_some() && ledger.is_off {
            self.wrong(
                "max-shrink",
                "it compares with the last complete run; leave out --no-ledger",
            );
        }
        if self.text("rejects").is_some_and(|file| file == "-") {
            self.wrong("rejects", "rejected records go to a file; name one");
        }
        // Only now may something be missing: a mistake that was not read would be found tomorrow.
        let (source, sink) = (source?, sink?);
        let run_id = uuid::Uuid::now_v7().to_string();
        Some(Settings {
            source_words: self.source_words(&source),
            files_read: self.files_read(&source, &sink),
            pipeline_id,
            is_one_of_several: false,
            source,
            sink,
            selection,
            worker_count,
            lane_count,
            limit,
            memory_limit,
            max_errors,
            minimum,
            max_shrink,
            rejects: self
                .text("rejects")
                .map(|named| RejectPath::of_run(&named, &run_id, &today())),
            run_id,
            state_dir,
            drain_timeout,
            rows_per_second_max: self.rows_per_second(),
            metrics,
            export,
            reporting,
            ledger,
            shown: self.shown_options(),
            warnings: [&self.written.warnings[..], &self.warnings].concat(),
        })
    }

    /// As it was written, not as it is found from the working directory, and with the names of variables: a job
    /// is the same wherever it is started, and servers keep this.
    fn source_words(&self, source: &SourceSettings) -> String {
        let written = |name, by: &str| self.written.get(name).map(|text| text.as_written.join(by));
        let files = |name| written(name, ", ").unwrap_or_default();
        match source {
            SourceSettings::Csv(_) => format!("csv {}", files("csv-file")),
            SourceSettings::Jsonl(_) => format!("jsonl {}", files("jsonl-file")),
            SourceSettings::Elastic(elastic) => {
                let urls = elastic.shown_urls();
                let urls: Vec<String> = urls.split(',').map(history::without_secrets).collect();
                let urls = by_name(&urls.join(","));
                let indices = written("es-index", ",").unwrap_or_else(|| elastic.indices.join(","));
                format!("elasticsearch {urls} {indices}")
            }
        }
    }

    fn memory_limit(&mut self) -> u64 {
        let limit = self.parsed_or_default("memory-limit", units::size);
        if limit < MEMORY_LIMIT_MIN {
            self.wrong("memory-limit", "less than 8MiB leaves no room for records");
        }
        limit
    }

    fn limit(&mut self, memory_limit: u64, sink: Option<&SinkSettings>) -> SegmentLimit {
        let ceiling =
            (memory_limit / RECORD_SHARE_OF_MEMORY).min(ARENA_BYTES_MAX as u64 / TEXT_GROWTH_MAX);
        let record_bytes = self.size("max-record-bytes").unwrap_or(RECORD_BYTES.min(ceiling));
        if record_bytes > ceiling || record_bytes == 0 {
            let why = format!(
                "with --memory-limit {memory_limit} it is between 1 and {ceiling} bytes, 1/{RECORD_SHARE_OF_MEMORY} of it"
            );
            self.wrong("max-record-bytes", &why);
        }
        let is_elastic = self.is_written("es-url");
        let by_default = match sink {
            _ if is_elastic => PAGE_BYTES,
            Some(SinkSettings::Mysql(_)) => TRANSACTION_BYTES,
            _ => BATCH_BYTES,
        };
        let bytes = self.size("batch-bytes").unwrap_or(by_default.min(ceiling));
        if bytes > ceiling || bytes == 0 {
            let why =
                format!("with --memory-limit {memory_limit} it is between 1 and {ceiling} bytes");
            self.wrong("batch-bytes", &why);
        }
        SegmentLimit {
            records: self.batch_records(),
            bytes: bytes as usize,
            record_bytes: record_bytes as usize,
        }
    }

    /// Never more than a second's worth where there is a pace.
    fn batch_records(&mut self) -> u64 {
        let records = self.number_or_default("batch-size", 1, u64::from(u32::MAX));
        self.rows_per_second().map_or(records, |pace| records.min(pace))
    }

    fn rows_per_second(&mut self) -> Option<u64> {
        self.number("max-rows-per-second", 1, u64::from(u32::MAX))
    }

    fn max_errors(&mut self) -> MaxErrors {
        self.parsed_or_default("max-errors", MaxErrors::parse)
    }

    fn minimum(&mut self) -> Minimum {
        Minimum {
            records: self.number("min-records", 0, u64::MAX),
            may_be_empty: self.switch("allow-empty-output"),
            shrink: None,
        }
    }

    fn selection(&mut self) -> Option<ColumnSelection> {
        let columns = self.list("select")?;
        let mut selection = ColumnSelection { old: Vec::new(), new: Vec::new() };
        let mut named = HashSet::new();
        for column in columns {
            let (new, old) = parted(&column).unwrap_or((&column, &column));
            let (new, old) = (new.to_string(), old.to_string());
            if new.trim().is_empty() || old.trim().is_empty() {
                self.wrong("select", &format!("'{column}' lacks a name; write COL or NEW=OLD"));
            } else if !named.insert(new.clone()) {
                self.wrong("select", &format!("'{new}' is written twice"));
            }
            selection.new.push(new);
            selection.old.push(old);
        }
        if selection.new.is_empty() {
            self.wrong("select", "no column is named");
        }
        Some(selection)
    }

    fn source(
        &mut self,
        limit: SegmentLimit,
        memory_limit: u64,
        sink: Option<&SinkSettings>,
        selection: Option<&ColumnSelection>,
    ) -> Option<SourceSettings> {
        let kind = self.source_type()?;
        let when = format!("with --source-type {}", kind.name());
        if kind != SourceType::Csv {
            self.refuse(&["csv-file"], &when);
            self.refuse_theme(Theme::Csv, &when);
        }
        if kind != SourceType::Jsonl {
            self.refuse(&["jsonl-file", "jsonl-encoding"], &when);
        }
        if kind != SourceType::Elasticsearch {
            self.refuse_theme(Theme::Elastic, &when);
        }
        match kind {
            SourceType::Csv => {
                self.refuse(&["flatten", "flatten-separator"], &when);
                self.csv_source(limit, sink).map(SourceSettings::Csv)
            }
            SourceType::Jsonl => {
                self.jsonl_source(limit, sink, selection).map(SourceSettings::Jsonl)
            }
            SourceType::Elasticsearch => {
                let table = match sink {
                    Some(SinkSettings::Mysql(mysql)) => Some(mysql.table.table.as_str()),
                    _ => None,
                };
                self.elastic_source(limit, memory_limit, table, selection, sink)
                    .map(SourceSettings::Elastic)
            }
        }
    }

    /// Said, or to be seen from what is named.
    fn source_type(&mut self) -> Option<SourceType> {
        if self.is_written("source-type") {
            return self.choice("source-type");
        }
        let by_option = [
            ("csv-file", SourceType::Csv),
            ("jsonl-file", SourceType::Jsonl),
            ("es-url", SourceType::Elasticsearch),
        ];
        let named: Vec<_> =
            by_option.into_iter().filter(|(option, _)| self.is_written(option)).collect();
        match named[..] {
            [(_, kind)] => return Some(kind),
            [] => self.missing("source-type", "what to read: csv, jsonl or elasticsearch"),
            [(one, _), (other, _), ..] => self.wrong(
                one,
                &format!("--{other} is given too, and a run has one source; leave one of them out, or choose with --source-type"),
            ),
        }
        None
    }

    fn sink(&mut self) -> Option<SinkSettings> {
        match self.sink_type()? {
            SinkType::File => {
                self.refuse_theme(Theme::Mysql, "with --sink-type file");
                self.file_sink().map(SinkSettings::File)
            }
            SinkType::Mysql => {
                self.refuse_theme(Theme::Output, "with --sink-type mysql");
                self.mysql_sink().map(|mysql| SinkSettings::Mysql(Box::new(mysql)))
            }
        }
    }

    fn sink_type(&mut self) -> Option<SinkType> {
        if self.is_written("sink-type") {
            return self.choice("sink-type");
        }
        let named = [("output-file", SinkType::File), ("db-table", SinkType::Mysql)];
        let named: Vec<_> =
            named.into_iter().filter(|(option, _)| self.is_written(option)).collect();
        match named[..] {
            [(_, kind)] => return Some(kind),
            [] => self.missing("sink-type", "where to write: file, with --output-file, or mysql"),
            [(one, _), (other, _), ..] => self.wrong(
                one,
                &format!("--{other} is given too, and a run has one sink; leave one of them out, or choose with --sink-type"),
            ),
        }
        None
    }
}

fn percent(text: &str) -> Result<Percent, String> {
    let share = text.strip_suffix('%').and_then(Percent::parse);
    share.ok_or_else(|| format!("'{text}' is no share between 0% and 100%"))
}
