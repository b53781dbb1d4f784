//! Every option there is, once: the command line, the environment, the configuration file, the
//! help, the man page and the completions are made from this table.

use super::choices::{Choice, LogFormat, LogLevel, SinkType, SourceType};
use super::defaults;
use crate::export::NoticeFormat;
use crate::part::IfExists;
use crate::sink::file::{Compression, Format};
use crate::sink::mysql::rules::{BinaryText, Fraction, JsonDoubles};
use crate::sink::mysql::{Missing, Mode, NewFields, TlsMode};
use crate::source::csv::{HeaderNames, InvalidText, Quoting, Ragged};

/// What may follow an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// One value; the name stands in the help.
    One(&'static str),
    /// Names that add up: comma-separated, repeated, or a list in a configuration.
    Names(&'static str),
    /// The same for names of columns, which may begin or end with spaces. Those count where a name
    /// stands alone, and beside a comma they do not.
    Columns(&'static str),
    /// The same for columns with more, where a comma between quotes is part of the pattern of a date.
    Typed(&'static str),
    /// Files that add up: repeated, or a list in a configuration. A comma is part of a name.
    Files(&'static str),
    /// Texts that add up: repeated, or a list in a configuration. A comma is part of one.
    Texts(&'static str),
    /// Nothing, or true or false behind an equals sign.
    Nothing,
    /// One of these.
    Choice(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Source,
    Csv,
    Elastic,
    Sink,
    Output,
    Mysql,
    Records,
    Run,
    Metrics,
    Reporting,
    History,
    Configuration,
}

impl Theme {
    pub fn heading(self) -> &'static str {
        match self {
            Theme::Source => "Source",
            Theme::Csv => "Source: CSV",
            Theme::Elastic => "Source: Elasticsearch",
            Theme::Sink => "Sink",
            Theme::Output => "Sink: file",
            Theme::Mysql => "Sink: MySQL and MariaDB",
            Theme::Records => "Records",
            Theme::Run => "Run",
            Theme::Metrics => "Metrics",
            Theme::Reporting => "Reporting",
            Theme::History => "History",
            Theme::Configuration => "Configuration",
        }
    }
}

#[derive(Debug)]
pub struct Opt {
    /// As written behind `--`; other spellings follow from it.
    pub name: &'static str,
    pub takes: Takes,
    pub theme: Theme,
    pub help: &'static str,
}

impl Opt {
    pub fn find(name: &str) -> Option<&'static Opt> {
        let name = name.replace('_', "-");
        OPTIONS.iter().find(|option| option.name == name)
    }

    /// The values that one text stands for.
    pub fn values(&self, text: &str) -> Vec<String> {
        match self.takes {
            Takes::Names(_) => text
                .split(',')
                .map(|name| name.trim().to_string())
                .filter(|name| !name.is_empty())
                .collect(),
            Takes::Columns(_) => columns(text.split(',').map(String::from).collect()),
            Takes::Typed(_) => columns(typed(text)),
            _ => vec![text.to_string()],
        }
    }

    /// Whether a variable in its value may hold a secret. What names something, such as a file, a host or a table,
    /// is no secret: it stands in what a run makes, and in SQL that is to be pasted.
    pub fn may_hold_secret(&self, variable: &str) -> bool {
        match self.takes {
            Takes::One(what) => !["FILE", "DIR", "NAME", "HOST", "ADDRESS"].contains(&what),
            Takes::Names(what) => what == "URL",
            Takes::Columns(_) | Takes::Typed(_) | Takes::Files(_) => false,
            Takes::Choice(choices) => !choices.contains(&variable),
            Takes::Texts(_) | Takes::Nothing => true,
        }
    }

    /// Several values add up.
    pub fn is_list(&self) -> bool {
        matches!(
            self.takes,
            Takes::Names(_)
                | Takes::Columns(_)
                | Takes::Typed(_)
                | Takes::Files(_)
                | Takes::Texts(_)
        )
    }

    /// What holds where it is not written.
    pub fn default_shown(&self) -> Option<String> {
        defaults::shown(self.name)
    }

    pub fn help_with_default(&self) -> String {
        match self.default_shown() {
            Some(default) => format!("{} [default: {default}]", self.help),
            None => self.help.to_string(),
        }
    }

    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }

    pub fn variable(&self) -> String {
        format!("FLOWGAUGE_{}", self.name.replace('-', "_").to_uppercase())
    }

    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// Parts `a=int,b=date:EEE', 'd MMM y` and `a=int,b=decimal(12,2)` at their first comma only. Names of
/// columns may hold quotes.
fn typed(text: &str) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for part in text.split(',') {
        let open = whole.last_mut().filter(|before| {
            let pattern = before.split_once("=date:").map_or("", |(_, pattern)| pattern);
            let kind = before.rsplit_once('=').map_or("", |(_, kind)| kind.trim());
            let is_decimal = kind.to_ascii_lowercase().starts_with("decimal(");
            pattern.matches('\'').count() % 2 == 1 || is_decimal && !kind.contains(')')
        });
        match open {
            Some(before) => {
                before.push(',');
                before.push_str(part);
            }
            None => whole.push(part.to_string()),
        }
    }
    whole
}

fn columns(parts: Vec<String>) -> Vec<String> {
    let is_list = parts.len() > 1;
    let part = |part: String| if is_list { part.trim().to_string() } else { part };
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty()).map(part);
    parts
        .map(|part| match parted(&part) {
            Some((before, after)) => format!("{before}={after}"),
            None => part,
        })
        .collect()
}

/// The two sides of the first `=`. Spaces on both sides of it belong to it, on one to the name there.
pub fn parted(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once('=')?;
    match before.ends_with(' ') && after.starts_with(' ') {
        true => Some((before.trim_end(), after.trim_start())),
        false => Some((before, after)),
    }
}

const fn one(theme: Theme, name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, takes: Takes::One(value), theme, help }
}

const fn names(theme: Theme, name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, takes: Takes::Names(value), theme, help }
}

const fn columns_of(
    theme: Theme,
    name: &'static str,
    value: &'static str,
    help: &'static str,
) -> Opt {
    Opt { name, takes: Takes::Columns(value), theme, help }
}

const fn files(theme: Theme, name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, takes: Takes::Files(value), theme, help }
}

const fn texts(theme: Theme, name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, takes: Takes::Texts(value), theme, help }
}

const fn switch(theme: Theme, name: &'static str, help: &'static str) -> Opt {
    Opt { name, takes: Takes::Nothing, theme, help }
}

const fn choice(
    theme: Theme,
    name: &'static str,
    choices: &'static [&'static str],
    help: &'static str,
) -> Opt {
    Opt { name, takes: Takes::Choice(choices), theme, help }
}

pub const OPTIONS: &[Opt] = &[
    choice(Theme::Source, "source-type", SourceType::NAMES, "What to read"),
    files(
        Theme::Source,
        "csv-file",
        "FILE",
        "CSV file, glob in quotes, or - for standard input; may be repeated; gzip and zstd are recognised by content",
    ),
    files(
        Theme::Source,
        "jsonl-file",
        "FILE",
        "JSON lines file, glob in quotes, or - for standard input; may be repeated; gzip and zstd are recognised by content",
    ),
    one(
        Theme::Source,
        "jsonl-encoding",
        "NAME",
        "Character encoding of the files, as for --csv-encoding",
    ),
    one(
        Theme::Source,
        "max-record-bytes",
        "SIZE",
        "Maximum size of one record; a larger one ends the run",
    ),
    one(
        Theme::Source,
        "max-expansion",
        "N",
        "Maximum decompression ratio: bytes that one compressed byte may become; 0 for no limit",
    ),
    one(Theme::Csv, "csv-delimiter", "CHAR", "Field delimiter, one byte or 'tab'"),
    one(Theme::Csv, "csv-quote", "CHAR", "Quote character, one byte or 'none'"),
    one(
        Theme::Csv,
        "csv-escape",
        "CHAR",
        "Escape character, one byte: within quoted fields, the byte after it is taken literally",
    ),
    one(
        Theme::Csv,
        "csv-comment",
        "CHAR",
        "Comment character, one byte: lines that begin with it are skipped",
    ),
    switch(
        Theme::Csv,
        "csv-no-header",
        "The files have no header line; columns are named c1, c2, ...",
    ),
    columns_of(
        Theme::Csv,
        "csv-columns",
        "NAMES",
        "Column names, comma-separated; they replace the header if there is one",
    ),
    one(Theme::Csv, "csv-null", "TEXT", "Text that means NULL, in every column; may be empty"),
    one(
        Theme::Csv,
        "csv-encoding",
        "NAME",
        "Character encoding of the files, such as utf-16le or windows-1252",
    ),
    choice(
        Theme::Csv,
        "csv-ragged",
        Ragged::NAMES,
        "What to do with records that have too few or too many fields: reject them, pad with empty fields, or truncate extra ones",
    ),
    choice(
        Theme::Csv,
        "csv-quotes",
        Quoting::NAMES,
        "How strictly quotes are checked: normal rejects text after a closing quote, strict also a quote inside an unquoted field, lenient neither",
    ),
    choice(
        Theme::Csv,
        "csv-headers",
        HeaderNames::NAMES,
        "What to do with empty or duplicate column names: end the run, or rename them to column_N and NAME_2",
    ),
    choice(
        Theme::Csv,
        "csv-invalid-utf8",
        InvalidText::NAMES,
        "What to do with invalid UTF-8: reject the record, or replace the bytes by U+FFFD",
    ),
    switch(
        Theme::Source,
        "allow-empty",
        "An empty file without a header, or a pattern of files or indices that matches nothing, is an empty source and no error",
    ),
    switch(Theme::Csv, "infer", "Infer column types from the first records"),
    names(
        Theme::Elastic,
        "es-url",
        "URL",
        "URL of Elasticsearch or OpenSearch, such as localhost:9200 or https://HOST; several nodes comma-separated",
    ),
    names(
        Theme::Elastic,
        "es-index",
        "NAMES",
        "Indices, aliases or data streams, comma-separated, * as a wildcard",
    ),
    one(
        Theme::Elastic,
        "es-query",
        "JSON",
        "Query DSL that selects the documents, as JSON or @FILE",
    ),
    columns_of(
        Theme::Elastic,
        "es-fields",
        "FIELDS",
        "Document fields to read, comma-separated, * as a wildcard; -FIELD excludes one",
    ),
    names(
        Theme::Elastic,
        "es-meta",
        "NAMES",
        "Metadata fields to put before the fields of whole documents: _id, _index, _routing, _version, or none",
    ),
    one(Theme::Elastic, "es-user", "NAME", "User name, with --es-pass or --es-pass-file"),
    one(
        Theme::Elastic,
        "es-pass",
        "TEXT",
        "Password; better --es-pass-file, as other users of this machine can see what is typed",
    ),
    one(Theme::Elastic, "es-pass-file", "FILE", "File that holds the password"),
    one(Theme::Elastic, "es-api-key", "KEY", "API key, as ID:KEY or Base64-encoded"),
    one(Theme::Elastic, "es-api-key-file", "FILE", "File that holds the API key"),
    one(Theme::Elastic, "es-token", "TEXT", "Bearer token"),
    one(Theme::Elastic, "es-token-file", "FILE", "File that holds the bearer token"),
    one(Theme::Elastic, "es-ca", "FILE", "CA certificate file (PEM)"),
    switch(Theme::Elastic, "es-insecure", "Do not verify the server's TLS certificate"),
    one(Theme::Elastic, "es-slices", "N", "Slices of the index that are read in parallel"),
    one(
        Theme::Elastic,
        "es-keep-alive",
        "TIME",
        "How long the server keeps the snapshot (point in time or scroll) after each page",
    ),
    one(Theme::Elastic, "es-timeout", "TIME", "Timeout of one request"),
    switch(
        Theme::Elastic,
        "es-compress",
        "Ask the server for gzip-compressed responses, for slow networks",
    ),
    choice(Theme::Sink, "sink-type", SinkType::NAMES, "Where to write"),
    one(
        Theme::Output,
        "output-file",
        "FILE",
        "Output file, which appears under its name only when it is complete, or - for standard output",
    ),
    choice(Theme::Output, "output-format", Format::NAMES, "Output format; tsv is csv with tabs"),
    choice(Theme::Output, "output-compression", Compression::NAMES, "Output compression"),
    one(Theme::Output, "output-null", "TEXT", "Text written for NULL in CSV"),
    choice(
        Theme::Output,
        "if-exists",
        IfExists::NAMES,
        "What to do with an output file that exists: replace it when the run succeeds, or refuse to run",
    ),
    switch(
        Theme::Output,
        "allow-empty-output",
        "A run without records may replace an output file that has some",
    ),
    one(
        Theme::Mysql,
        "db-url",
        "URL",
        "Connection URL, mysql://USER@HOST:PORT/DATABASE, instead of the options below",
    ),
    one(Theme::Mysql, "db-host", "HOST", "Host name or address of the server"),
    one(Theme::Mysql, "db-port", "PORT", "TCP port of the server"),
    one(Theme::Mysql, "db-socket", "FILE", "Unix socket of the server, instead of host and port"),
    one(Theme::Mysql, "db-user", "NAME", "User name"),
    one(
        Theme::Mysql,
        "db-pass",
        "TEXT",
        "Password; better --db-pass-file, as other users of this machine can see what is typed",
    ),
    one(Theme::Mysql, "db-pass-file", "FILE", "File that holds the password"),
    one(Theme::Mysql, "db-name", "NAME", "Database name"),
    one(Theme::Mysql, "db-table", "NAME", "Target table, as TABLE or DATABASE.TABLE"),
    choice(
        Theme::Mysql,
        "db-ssl-mode",
        TlsMode::NAMES,
        "TLS: disabled, required (encrypted, certificate not verified), verify-ca, or verify-identity (the host name, too)",
    ),
    one(Theme::Mysql, "db-ca", "FILE", "CA certificate file (PEM)"),
    one(Theme::Mysql, "db-connect-timeout", "TIME", "Timeout of connecting"),
    one(Theme::Mysql, "db-timeout", "TIME", "Timeout of one statement"),
    choice(
        Theme::Mysql,
        "mode",
        Mode::NAMES,
        "What to do with a record whose key is already in the table: insert rejects it, skip keeps the existing row, upsert updates that row",
    ),
    columns_of(
        Theme::Mysql,
        "key",
        "COLS",
        "Columns of the unique key that identifies a row, comma-separated",
    ),
    switch(
        Theme::Mysql,
        "keys-unique",
        "Assert that no two records have keys that are equal under the columns' collation; allows parallel lanes",
    ),
    switch(Theme::Mysql, "create-table", "Create the table if it does not exist"),
    choice(
        Theme::Mysql,
        "new-fields",
        NewFields::NAMES,
        "What to do with fields that have no column in the table: end the run, ignore them, or add columns where the server does it instantly",
    ),
    choice(
        Theme::Mysql,
        "missing",
        Missing::NAMES,
        "What --mode upsert does with columns whose field is missing in a record: keep the existing value, or set the column's default",
    ),
    choice(
        Theme::Mysql,
        "fraction",
        Fraction::NAMES,
        "What to do with excess fractional digits, of numbers and of seconds",
    ),
    one(
        Theme::Mysql,
        "source-zone",
        "ZONE",
        "Time zone of source values without an offset, such as Europe/Berlin",
    ),
    one(
        Theme::Mysql,
        "db-datetime-zone",
        "ZONE",
        "Time zone in which DATETIME columns store values that have an offset",
    ),
    choice(
        Theme::Mysql,
        "db-binary",
        BinaryText::NAMES,
        "Encoding of text that goes into binary columns",
    ),
    choice(
        Theme::Mysql,
        "json-doubles",
        JsonDoubles::NAMES,
        "What to do with numbers in JSON that MySQL stores as a slightly different double: exact rejects the record, nearest accepts it",
    ),
    switch(Theme::Mysql, "json-as-text", "Store objects and arrays in text columns, as JSON text"),
    switch(Theme::Mysql, "no-load-data", "Use INSERT even where LOAD DATA LOCAL is possible"),
    switch(
        Theme::Mysql,
        "allow-non-transactional",
        "Write to tables without transactions (such as MyISAM); rows may be duplicated after a failure",
    ),
    one(
        Theme::Mysql,
        "throttle-query",
        "SQL",
        "SQL that is asked once a second; writing pauses while its result is true, for example while a replica lags",
    ),
    one(
        Theme::Mysql,
        "state-table",
        "NAME",
        "Name prefix of the three state tables in the target database",
    ),
    columns_of(
        Theme::Records,
        "select",
        "COLS",
        "Columns to write, comma-separated, in this order; NEW=OLD renames",
    ),
    Opt {
        name: "types",
        takes: Takes::Typed("COL=TYPE"),
        theme: Theme::Records,
        help: "Column types, comma-separated: text, varchar(N), int, int unsigned, decimal(DIGITS,FRACTION), decimal(DIGITS,FRACTION):comma, float, bool, json, date, datetime(N), time(N); date:PATTERN, epoch_s, epoch_ms say how dates are written, base64 how bytes are",
    },
    switch(
        Theme::Records,
        "flatten",
        "Flatten nested objects: the fields of an object become fields named outer.inner",
    ),
    one(
        Theme::Records,
        "flatten-separator",
        "TEXT",
        "Separator between the names of nested fields in column names, such as _",
    ),
    one(
        Theme::Records,
        "max-errors",
        "N|N%",
        "Maximum rejected records, as a number or percentage",
    ),
    one(
        Theme::Records,
        "min-records",
        "N",
        "Fewer records than this end the run with exit code 3, and a file is not published",
    ),
    one(
        Theme::Records,
        "max-shrink",
        "N%",
        "End the run with exit code 3 where it has more than this share fewer records than the last complete run",
    ),
    one(
        Theme::Records,
        "rejects",
        "FILE",
        "File for rejected records, as JSON lines; {run} and {date} in its name make a file for each run",
    ),
    one(Theme::Run, "pipeline-id", "NAME", "Name of the pipeline in metrics and logs"),
    one(Theme::Run, "workers", "N", "Threads that decode and convert records"),
    one(
        Theme::Run,
        "lanes",
        "N",
        "Connections that write to the database in parallel; a file has one writer",
    ),
    one(Theme::Run, "batch-size", "N", "Maximum records in a batch"),
    one(Theme::Run, "batch-bytes", "SIZE", "Maximum source bytes in a batch"),
    one(Theme::Run, "memory-limit", "SIZE", "Memory limit for records in flight"),
    one(Theme::Run, "max-rows-per-second", "N", "Maximum write rate, on average"),
    one(Theme::Run, "drain-timeout", "TIME", "Time to finish what was already read after a signal"),
    one(
        Theme::Run,
        "state-dir",
        "DIR",
        "Directory of the ledger and of the files with rejected records",
    ),
    one(
        Theme::Metrics,
        "metrics-port",
        "PORT",
        "TCP port that serves /metrics (Prometheus), /health, /ready and /info, and for browsers the page of the run",
    ),
    one(Theme::Metrics, "metrics-host", "ADDRESS", "Address that the metrics port listens on"),
    one(
        Theme::Metrics,
        "metrics-web-config",
        "FILE",
        "YAML file with TLS and users of the metrics port, as the exporters of Prometheus have it",
    ),
    one(
        Theme::Metrics,
        "expect-every",
        "TIME",
        "How often this pipeline is scheduled, for the alert on a missed run",
    ),
    switch(
        Theme::Metrics,
        "metrics-until-scraped",
        "When the run has ended, keep serving its last numbers until they were scraped",
    ),
    one(
        Theme::Metrics,
        "metrics-scrapes",
        "N",
        "How often they are to be scraped, such as 2 for a pair of Prometheus servers",
    ),
    one(
        Theme::Metrics,
        "metrics-linger",
        "TIME",
        "Maximum time to keep serving them; not scraped by then is said and in the summary",
    ),
    one(
        Theme::Metrics,
        "metrics-textfile",
        "FILE",
        "File NAME.prom for the textfile collector of node_exporter, replaced every 15 s and at the end",
    ),
    one(
        Theme::Metrics,
        "metrics-push",
        "URL",
        "Pushgateway that gets the metrics at the end, as a group for each pipeline; http://[USER[:PASSWORD]@]HOST:PORT",
    ),
    one(
        Theme::Metrics,
        "metrics-push-interval",
        "TIME",
        "Push while the run is on, too, this often",
    ),
    one(
        Theme::Metrics,
        "metrics-push-pass-file",
        "FILE",
        "File that holds the password of the user in --metrics-push",
    ),
    one(Theme::Metrics, "metrics-push-token-file", "FILE", "File that holds a bearer token"),
    texts(
        Theme::Metrics,
        "metrics-push-header",
        "HEADER",
        "HTTP header to send, 'NAME: VALUE'; may be repeated",
    ),
    one(Theme::Metrics, "metrics-push-ca", "FILE", "CA certificate file (PEM)"),
    one(
        Theme::Metrics,
        "metrics-remote-write",
        "URL",
        "Prometheus remote write 1.0 endpoint that gets the metrics at the start, every 15 s and at the end, such as http://HOST:9090/api/v1/write",
    ),
    one(
        Theme::Metrics,
        "metrics-remote-write-pass-file",
        "FILE",
        "File that holds the password of the user in --metrics-remote-write",
    ),
    one(
        Theme::Metrics,
        "metrics-remote-write-token-file",
        "FILE",
        "File that holds a bearer token",
    ),
    texts(
        Theme::Metrics,
        "metrics-remote-write-header",
        "HEADER",
        "HTTP header to send, 'NAME: VALUE'; may be repeated",
    ),
    one(Theme::Metrics, "metrics-remote-write-ca", "FILE", "CA certificate file (PEM)"),
    names(
        Theme::Metrics,
        "metrics-label",
        "NAME=VALUE",
        "Label of every series that is pushed or written remotely, at most 8, comma-separated",
    ),
    switch(Theme::Reporting, "quiet", "Print nothing but errors"),
    one(
        Theme::Reporting,
        "summary-json",
        "FILE",
        "File for the summary of the run as JSON, or - for standard output",
    ),
    one(
        Theme::Reporting,
        "notify-webhook",
        "URL",
        "URL that gets a JSON message about how the run ended",
    ),
    names(
        Theme::Reporting,
        "notify-on",
        "EVENTS",
        "Which ends are told: failure is every one that is not complete, recovery a complete one after one that was not",
    ),
    choice(
        Theme::Reporting,
        "notify-format",
        NoticeFormat::NAMES,
        "What a message is: an object with all there is to know, or one sentence as Slack takes it",
    ),
    one(
        Theme::Reporting,
        "notify-webhook-pass-file",
        "FILE",
        "File that holds the password of the user in --notify-webhook",
    ),
    one(Theme::Reporting, "notify-webhook-token-file", "FILE", "File that holds a bearer token"),
    texts(
        Theme::Reporting,
        "notify-webhook-header",
        "HEADER",
        "HTTP header to send, 'NAME: VALUE'; may be repeated",
    ),
    one(Theme::Reporting, "notify-webhook-ca", "FILE", "CA certificate file (PEM)"),
    one(
        Theme::Reporting,
        "openlineage",
        "URL",
        "OpenLineage receiver, such as Marquez, that gets what a run reads and writes when it begins and how it ended; /api/v1/lineage is added to a URL that has no path",
    ),
    one(
        Theme::Reporting,
        "openlineage-namespace",
        "NAME",
        "Namespace of the job there; without it the variable OPENLINEAGE_NAMESPACE, or default",
    ),
    one(
        Theme::Reporting,
        "openlineage-pass-file",
        "FILE",
        "File that holds the password of the user in --openlineage",
    ),
    one(Theme::Reporting, "openlineage-token-file", "FILE", "File that holds a bearer token"),
    texts(
        Theme::Reporting,
        "openlineage-header",
        "HEADER",
        "HTTP header to send, 'NAME: VALUE'; may be repeated",
    ),
    one(Theme::Reporting, "openlineage-ca", "FILE", "CA certificate file (PEM)"),
    switch(
        Theme::Reporting,
        "require-report",
        "Exit with 6 where a complete run was not told everywhere: textfile, push, remote write, webhook, OpenLineage, scrape",
    ),
    choice(Theme::Reporting, "log-format", LogFormat::NAMES, "Format of log lines"),
    choice(Theme::Reporting, "log-level", LogLevel::NAMES, "Least severe log lines to print"),
    one(
        Theme::History,
        "ledger",
        "FILE",
        "SQLite file that keeps the history of runs, for flowgauge runs, status and exporter",
    ),
    switch(Theme::History, "no-ledger", "Keep no history of this run"),
    one(
        Theme::History,
        "ledger-keep",
        "TIME",
        "How long runs are kept; the last run of a pipeline and its totals stay",
    ),
    switch(
        Theme::History,
        "require-ledger",
        "End with exit code 6 where the run was complete and the ledger could not be written",
    ),
    one(
        Theme::Configuration,
        "config",
        "FILE",
        "TOML file with settings, connections and pipelines; flags and environment variables override it",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_regular() {
        for (index, option) in OPTIONS.iter().enumerate() {
            assert!(OPTIONS[..index].iter().all(|other| other.name != option.name));
            assert!(
                option.name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-8".contains(&byte))
            );
        }
        let option = Opt::find("csv_file").unwrap();
        assert_eq!(option.flag(), "--csv-file");
        assert_eq!(option.variable(), "FLOWGAUGE_CSV_FILE");
        assert_eq!(option.key(), "csv_file");
    }

    #[test]
    fn a_comma_between_quotes_is_part_of_a_pattern() {
        for (text, expected) in [
            ("a=int,b=text", &["a=int", "b=text"][..]),
            (" a=int , ,b=text,", &["a=int", "b=text"]),
            ("a = int, b=text", &["a=int", "b=text"]),
            (" a =int", &[" a =int"]),
            ("a = int", &["a=int"]),
            ("a=date:EEE', 'd,b=int", &["a=date:EEE', 'd", "b=int"]),
            ("a=decimal(12, 2),b=int", &["a=decimal(12, 2)", "b=int"]),
            ("a=date:h 'o''clock, sharp',b=int", &["a=date:h 'o''clock, sharp'", "b=int"]),
            // The quote is part of a name.
            ("it's=int,b=text", &["it's=int", "b=text"]),
            ("a=date:'open,b=int", &["a=date:'open,b=int"]),
        ] {
            assert_eq!(Opt::find("types").unwrap().values(text), expected, "{text}");
        }
    }

    #[test]
    fn spaces_are_part_of_a_name_that_stands_alone() {
        for (text, expected) in [
            ("a", &["a"][..]),
            (" a", &[" a"]),
            ("a , b,", &["a", "b"]),
            (" a,", &["a"]),
            (" ", &[]),
            ("new = old", &["new=old"]),
            ("new= old", &["new= old"]),
        ] {
            assert_eq!(Opt::find("select").unwrap().values(text), expected, "{text}");
        }
        assert_eq!(Opt::find("es-url").unwrap().values(" a "), ["a"]);
    }
}
