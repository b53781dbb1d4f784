//! What is meant: validated, with nothing left to parse. All mistakes are found in one pass.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mistakes::Mistakes;
use super::options::Theme;
use super::reading::Reading;
use super::written::Written;
use crate::convert::{Type, Typing};
use crate::part::IfExists;
use crate::pipeline::ErrorBudget;
use crate::record::ARENA_BYTES_MAX;
use crate::sink::file::{Compression, FileSettings, Format, by_name};
use crate::source::SegmentLimit;
use crate::source::csv::{CsvSettings, Dialect, HeaderNames, InvalidText, Quoting, Ragged};
use crate::source::jsonl::JsonlSettings;
use crate::source::text::{Encoding, StreamSettings};

#[derive(Clone, Debug)]
pub struct Settings {
    pub pipeline_id: String,
    pub source: SourceSettings,
    pub sink: SinkSettings,
    pub selection: Option<Selection>,
    pub worker_count: u64,
    pub lane_count: u64,
    pub limit: SegmentLimit,
    pub memory_limit: u64,
    pub error_budget: ErrorBudget,
    /// None for a file of its own in the state directory.
    pub rejects: Option<PathBuf>,
    /// None where the environment names no place for it.
    pub state_dir: Option<PathBuf>,
    pub drain_timeout: Duration,
    pub rows_per_second_max: Option<u64>,
    pub metrics: MetricsSettings,
    pub reporting: Reporting,
    /// What was passed over among the settings.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum SourceSettings {
    Csv(CsvSettings),
    Jsonl(JsonlSettings),
}

#[derive(Clone, Debug)]
pub enum SinkSettings {
    File(FileSettings),
}

impl SourceSettings {
    /// Its name, and the format of its bytes, as labels say them.
    pub fn kind(&self) -> (&'static str, &'static str) {
        match self {
            SourceSettings::Csv(_) => ("csv", "csv"),
            SourceSettings::Jsonl(_) => ("jsonl", "jsonl"),
        }
    }
}

impl SinkSettings {
    /// Its name, and the format of its bytes, as labels say them.
    pub fn kind(&self) -> (&'static str, &'static str) {
        match self {
            SinkSettings::File(file) => ("file", file.format.as_str()),
        }
    }
}

/// Which columns are written, in which order and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// As the source calls them.
    pub old: Vec<String>,
    /// As the sink calls them.
    pub new: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Without a port no socket is opened.
    pub port: Option<u16>,
    pub host: String,
    pub expected_interval: Option<Duration>,
}

#[derive(Clone, Debug)]
pub struct Reporting {
    pub is_quiet: bool,
    pub summary: Summary,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    None,
    Stdout,
    File(PathBuf),
}

/// Formats and compressions that names promise and nobody here writes.
const UNWRITTEN: [&str; 9] = ["parquet", "avro", "orc", "xlsx", "xls", "bz2", "xz", "lz4", "zip"];

fn unwritten(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    UNWRITTEN.into_iter().find(|unwritten| *unwritten == extension)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// A record of JSON that names no pipeline still has one label.
const PIPELINE_ID: &str = "default";

/// Below this the commits cost more than the records; far above, a segment no longer fits a cache
/// and a rejected one is a lot to do again.
const BATCH_RECORDS: u64 = 50_000;

/// Large enough that a segment's fixed cost vanishes, small enough that a few of them for each core
/// stay far below `--memory-limit`.
const BATCH_BYTES: u64 = 1024 * 1024;

/// Room for some hundred thousand rows under way; a container of 512 MiB holds it.
const MEMORY_LIMIT: u64 = 256 * 1024 * 1024;
const MEMORY_LIMIT_MIN: u64 = 8 * 1024 * 1024;

/// Beyond this a record is more likely a file with a wrong quote than a record.
const RECORD_BYTES: u64 = 16 * 1024 * 1024;

/// A record must fit next to its rows and its encoding, which can be six times as long, and twice
/// that where it is compressed.
const RECORD_SHARE_OF_MEMORY: u64 = 16;

/// Ordinary text becomes a tenth; the most that gzip can do is 1032.
const EXPANSION_MAX: u64 = 1000;

/// Kubernetes kills 30 s after it has asked; reporting needs some of that.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A byte of another encoding may become three of UTF-8, which must still fit an arena.
const TEXT_GROWTH_MAX: u64 = 3;

const WORKER_COUNT_MAX: u64 = 256;

/// Other people's servers are not to be surprised by a large machine.
const LANE_COUNT_MAX: u64 = 4;

impl Settings {
    /// `state_dir` is where the environment would keep state.
    pub fn resolve(
        written: &Written,
        pipeline: Option<&str>,
        state_dir: Option<PathBuf>,
        mistakes: &mut Mistakes,
    ) -> Option<Settings> {
        let mut reading = Reading { written, mistakes, has_failed: false };
        let settings = reading.settings(pipeline, state_dir);
        if reading.has_failed { None } else { settings }
    }
}

impl Reading<'_> {
    fn settings(&mut self, pipeline: Option<&str>, state_dir: Option<PathBuf>) -> Option<Settings> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let memory_limit = self.memory_limit();
        let limit = self.limit(memory_limit);
        let selection = self.selection();
        let sink = self.sink();
        let source = self.source(limit);
        let pipeline_id = self
            .text("pipeline-id")
            .or(pipeline.map(String::from))
            .unwrap_or_else(|| PIPELINE_ID.to_string());
        if pipeline_id.is_empty() || pipeline_id.chars().any(char::is_control) {
            self.wrong("pipeline-id", "a name cannot be empty or hold control characters");
        }
        let worker_count = self.number("workers", 1, WORKER_COUNT_MAX).unwrap_or(cores);
        let lane_count =
            self.number("lanes", 1, WORKER_COUNT_MAX).unwrap_or(cores.min(LANE_COUNT_MAX));
        let error_budget = self.error_budget();
        let drain_timeout = self.time("drain-timeout").unwrap_or(DRAIN_TIMEOUT);
        let metrics = self.metrics();
        let reporting = self.reporting();
        if self.text("rejects").is_some_and(|file| file == "-" || file.is_empty()) {
            self.wrong("rejects", "rejected records go to a file; name one");
        }
        // Only now may something be missing: a mistake that was not read would be found tomorrow.
        Some(Settings {
            pipeline_id,
            source: source?,
            sink: sink?,
            selection,
            worker_count,
            lane_count,
            limit,
            memory_limit,
            error_budget,
            rejects: self.text("rejects").map(PathBuf::from),
            state_dir: self.text("state-dir").map(PathBuf::from).or(state_dir),
            drain_timeout,
            rows_per_second_max: self.number("max-rows-per-second", 1, u64::from(u32::MAX)),
            metrics,
            reporting,
            warnings: self.written.warnings.clone(),
        })
    }

    fn metrics(&mut self) -> MetricsSettings {
        MetricsSettings {
            port: self.number("metrics-port", 0, u64::from(u16::MAX)).map(|port| port as u16),
            host: self.text("metrics-host").unwrap_or_else(|| "127.0.0.1".to_string()),
            expected_interval: self.time("expect-every"),
        }
    }

    fn memory_limit(&mut self) -> u64 {
        let limit = self.size("memory-limit").unwrap_or(MEMORY_LIMIT);
        if limit < MEMORY_LIMIT_MIN {
            self.wrong("memory-limit", "less than 8MiB leaves no room for records");
        }
        limit
    }

    fn limit(&mut self, memory_limit: u64) -> SegmentLimit {
        let ceiling =
            (memory_limit / RECORD_SHARE_OF_MEMORY).min(ARENA_BYTES_MAX as u64 / TEXT_GROWTH_MAX);
        let record_bytes = self.size("max-record-bytes").unwrap_or(RECORD_BYTES.min(ceiling));
        if record_bytes > ceiling || record_bytes == 0 {
            let why = format!(
                "with --memory-limit {memory_limit} it is between 1 and {ceiling} bytes, 1/{RECORD_SHARE_OF_MEMORY} of it"
            );
            self.wrong("max-record-bytes", &why);
        }
        let bytes = self.size("batch-bytes").unwrap_or(BATCH_BYTES.min(ceiling));
        if bytes > ceiling || bytes == 0 {
            let why =
                format!("with --memory-limit {memory_limit} it is between 1 and {ceiling} bytes");
            self.wrong("batch-bytes", &why);
        }
        SegmentLimit {
            records: self.number("batch-size", 1, u64::from(u32::MAX)).unwrap_or(BATCH_RECORDS),
            bytes: bytes as usize,
            record_bytes: record_bytes as usize,
        }
    }

    fn error_budget(&mut self) -> ErrorBudget {
        let Some(text) = self.text("max-errors") else { return ErrorBudget::Count(0) };
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent
                .trim()
                .parse()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(ErrorBudget::Percent),
            None => text.parse().ok().map(ErrorBudget::Count),
        };
        parsed.unwrap_or_else(|| {
            self.wrong("max-errors", "write a number, or a share between 0% and 100%");
            ErrorBudget::Count(0)
        })
    }

    fn selection(&mut self) -> Option<Selection> {
        let columns = self.list("select")?;
        let mut selection = Selection { old: Vec::new(), new: Vec::new() };
        for column in columns {
            let (new, old) = column.split_once('=').unwrap_or((&column, &column));
            let (new, old) = (new.trim().to_string(), old.trim().to_string());
            if new.is_empty() || old.is_empty() {
                self.wrong("select", &format!("'{column}' lacks a name; write COL or NEW=OLD"));
            } else if selection.new.contains(&new) {
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

    fn source(&mut self, limit: SegmentLimit) -> Option<SourceSettings> {
        let kind = self.source_kind()?;
        match kind.as_str() {
            "csv" => {
                self.refuse(&["jsonl-file"], "with --source-type csv");
                let files = self.files("csv-file");
                let csv = self.csv(files.clone().unwrap_or_default(), limit);
                files.map(|_| SourceSettings::Csv(csv))
            }
            _ => {
                self.refuse_theme(Theme::Csv, "with --source-type jsonl");
                self.refuse(&["csv-file"], "with --source-type jsonl");
                let files = self.files("jsonl-file")?;
                let stream = self.stream(Encoding::Auto);
                Some(SourceSettings::Jsonl(JsonlSettings { files, stream, limit, flatten: false }))
            }
        }
    }

    /// Said, or to be seen from the files that are named.
    fn source_kind(&mut self) -> Option<String> {
        if let Some(kind) = self.choice("source-type") {
            return Some(kind);
        }
        if self.is_written("source-type") {
            return None;
        }
        match (self.is_written("csv-file"), self.is_written("jsonl-file")) {
            (true, false) => Some("csv".to_string()),
            (false, true) => Some("jsonl".to_string()),
            _ => {
                self.missing("source-type", "what to read: csv or jsonl");
                None
            }
        }
    }

    fn files(&mut self, name: &'static str) -> Option<Vec<String>> {
        let files = self.list(name).filter(|files| !files.is_empty());
        if files.is_none() && !self.is_written(name) {
            self.missing(name, "the file to read");
        }
        let files = files?;
        if files.iter().filter(|file| *file == "-").count() > 1 {
            self.wrong(name, "standard input can be read once only");
        }
        if files.iter().any(String::is_empty) {
            self.wrong(name, "a file name is empty");
        }
        Some(files)
    }

    fn csv(&mut self, files: Vec<String>, limit: SegmentLimit) -> CsvSettings {
        let encoding = self.encoding();
        let dialect = self.dialect();
        let columns = self.list("csv-columns");
        if let Some(columns) = &columns {
            for (index, column) in columns.iter().enumerate() {
                if columns[..index].contains(column) {
                    self.wrong("csv-columns", &format!("'{column}' is named twice"));
                }
            }
        }
        CsvSettings {
            files,
            dialect,
            is_delimiter_sure: self.is_written("csv-delimiter"),
            has_header: !self.switch("csv-no-header"),
            columns,
            header_names: match self.choice("csv-headers").as_deref() {
                Some("repair") => HeaderNames::Repair,
                _ => HeaderNames::Strict,
            },
            null: self.text("csv-null"),
            ragged: match self.choice("csv-ragged").as_deref() {
                Some("pad") => Ragged::Pad,
                Some("truncate") => Ragged::Truncate,
                _ => Ragged::Reject,
            },
            invalid_text: match self.choice("csv-invalid-utf8").as_deref() {
                Some("replace") => InvalidText::Replace,
                _ => InvalidText::Reject,
            },
            allow_empty: self.switch("allow-empty"),
            typing: Typing { declared: self.types(), infer: self.switch("infer") },
            stream: self.stream(encoding),
            limit,
        }
    }

    fn dialect(&mut self) -> Dialect {
        let default = Dialect::default();
        let quote = match self.text("csv-quote").as_deref() {
            Some("none") => None,
            _ => self.byte("csv-quote").or(default.quote),
        };
        let dialect = Dialect {
            delimiter: self.byte("csv-delimiter").unwrap_or(default.delimiter),
            quote,
            escape: self.byte("csv-escape"),
            comment: self.byte("csv-comment"),
            quoting: match self.choice("csv-quotes").as_deref() {
                Some("strict") => Quoting::Strict,
                Some("lenient") => Quoting::Lenient,
                _ => Quoting::Normal,
            },
        };
        let roles = [
            ("csv-delimiter", Some(dialect.delimiter)),
            ("csv-quote", dialect.quote),
            ("csv-escape", dialect.escape),
            ("csv-comment", dialect.comment),
        ];
        for (index, (name, byte)) in roles.iter().enumerate() {
            let same = roles[..index].iter().find(|(_, other)| byte.is_some() && other == byte);
            if let Some((other, _)) = same {
                self.wrong(name, &format!("it is the same as --{other}"));
            }
        }
        if dialect.escape.is_some() && dialect.quote.is_none() {
            self.wrong("csv-escape", "without --csv-quote there is nothing to escape in");
        }
        dialect
    }

    fn types(&mut self) -> Vec<(String, Type)> {
        let mut types: Vec<(String, Type)> = Vec::new();
        for text in self.list("types").unwrap_or_default() {
            let parsed = text.rsplit_once('=').and_then(|(column, kind)| {
                let kind = Type::ALL.into_iter().find(|known| known.as_str() == kind.trim())?;
                Some((column.trim().to_string(), kind))
            });
            match parsed {
                Some((column, _)) if types.iter().any(|(other, _)| *other == column) => {
                    self.wrong("types", &format!("'{column}' is named twice"));
                }
                Some(parsed) => types.push(parsed),
                None => self.wrong(
                    "types",
                    &format!(
                        "'{text}' is not COL=TYPE with one of text, int, decimal, float, bool, json"
                    ),
                ),
            }
        }
        types
    }

    fn stream(&mut self, encoding: Encoding) -> StreamSettings {
        let expansion_max = self.number("max-expansion", 0, u64::MAX).unwrap_or(EXPANSION_MAX);
        StreamSettings { encoding, expansion_max }
    }

    fn encoding(&mut self) -> Encoding {
        let Some(label) = self.text("csv-encoding") else { return Encoding::Auto };
        Encoding::from_label(&label).unwrap_or_else(|| {
            let why = format!(
                "'{label}' is not known; write for example utf-8, utf-16le or windows-1252"
            );
            self.wrong("csv-encoding", &why);
            Encoding::Auto
        })
    }

    fn sink(&mut self) -> Option<SinkSettings> {
        if self.is_written("sink-type") {
            self.choice("sink-type")?;
        } else if !self.is_written("output-file") {
            self.missing("sink-type", "where to write: file, with --output-file");
            return None;
        }
        let Some(file) = self.text("output-file").filter(|file| !file.is_empty()) else {
            self.missing("output-file", "the file to write, or - for standard output");
            return None;
        };
        let path = (file != "-").then(|| PathBuf::from(&file));
        let (format, compression) = by_name(path.as_deref().unwrap_or(Path::new("")));
        let format = match self.choice("output-format").as_deref() {
            Some("csv") => Format::Csv,
            Some(_) => Format::JsonLines,
            None => format,
        };
        let compression = match self.choice("output-compression").as_deref() {
            Some("gzip") => Compression::Gzip,
            Some("zstd") => Compression::Zstd,
            Some(_) => Compression::None,
            None => compression,
        };
        if let Some(promised) = path.as_deref().and_then(unwritten)
            && !self.is_written("output-format")
        {
            let why = format!(
                "its name promises {promised}, which is not written; name it otherwise, or say --output-format"
            );
            self.wrong("output-file", &why);
        }
        if format != Format::Csv {
            self.refuse(&["output-null"], "with JSON lines, where NULL is null");
        }
        Some(SinkSettings::File(FileSettings {
            path,
            format,
            compression,
            if_exists: match self.choice("if-exists").as_deref() {
                Some("refuse") => IfExists::Refuse,
                _ => IfExists::Replace,
            },
            null: self.text("output-null").unwrap_or_default(),
        }))
    }

    fn reporting(&mut self) -> Reporting {
        let summary = match self.text("summary-json").as_deref() {
            None => Summary::None,
            Some("-") => {
                if self.text("output-file").as_deref() == Some("-") {
                    self.wrong("summary-json", "standard output is taken by --output-file");
                }
                Summary::Stdout
            }
            Some(path) => Summary::File(PathBuf::from(path)),
        };
        Reporting {
            is_quiet: self.switch("quiet"),
            summary,
            log_format: match self.choice("log-format").as_deref() {
                Some("json") => LogFormat::Json,
                _ => LogFormat::Text,
            },
            log_level: match self.choice("log-level").as_deref() {
                Some("error") => LogLevel::Error,
                Some("warn") => LogLevel::Warn,
                Some("debug") => LogLevel::Debug,
                _ => LogLevel::Info,
            },
        }
    }
}
