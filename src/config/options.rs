//! Every option there is, once: the command line, the environment, the configuration file, the
//! help, the man page and the completions are made from this table.

/// What may follow an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// One value; the name stands in the help.
    One(&'static str),
    /// Names that add up: parted by commas, repeated, or a list in a configuration.
    Names(&'static str),
    /// The same for names of columns, which may begin or end with spaces. Those count where a name
    /// stands alone, and beside a comma they do not.
    Columns(&'static str),
    /// The same for columns with more, where a comma between quotes is part of the pattern of a date.
    Typed(&'static str),
    /// Files that add up: repeated, or a list in a configuration. A comma is part of a name.
    Files(&'static str),
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

    /// Several values add up.
    pub fn is_list(&self) -> bool {
        matches!(
            self.takes,
            Takes::Names(_) | Takes::Columns(_) | Takes::Typed(_) | Takes::Files(_)
        )
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

/// Parts `a=int,b=date:EEE', 'd MMM y` at its first comma only. Names of columns may hold quotes.
fn typed(text: &str) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    for part in text.split(',') {
        let open = whole.last_mut().filter(|before| {
            let pattern = before.split_once("=date:").map_or("", |(_, pattern)| pattern);
            pattern.matches('\'').count() % 2 == 1
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
    choice(Theme::Source, "source-type", &["csv", "jsonl", "elasticsearch"], "What to read"),
    files(
        Theme::Source,
        "csv-file",
        "FILE",
        "CSV file, glob in quotes, or - for standard input; may be repeated; gzip and zstd are known by content",
    ),
    files(
        Theme::Source,
        "jsonl-file",
        "FILE",
        "File of JSON lines, glob in quotes, or - for standard input; may be repeated",
    ),
    one(
        Theme::Source,
        "jsonl-encoding",
        "NAME",
        "Encoding of the files, as for --csv-encoding [default: auto: UTF-8, or UTF-16 with a mark]",
    ),
    one(
        Theme::Source,
        "max-record-bytes",
        "SIZE",
        "A record larger than this ends the run [default: 16MiB, or 1/16 of --memory-limit]",
    ),
    one(
        Theme::Source,
        "max-expansion",
        "N",
        "Most bytes that one compressed byte may become; 0 for no limit [default: 1000]",
    ),
    one(
        Theme::Csv,
        "csv-delimiter",
        "CHAR",
        "One byte between fields, or 'tab' [default: ',', and 'tab' for names in .tsv]",
    ),
    one(Theme::Csv, "csv-quote", "CHAR", "One byte around fields, or 'none' [default: \"]"),
    one(Theme::Csv, "csv-escape", "CHAR", "One byte before a literal one, in quoted fields"),
    one(Theme::Csv, "csv-comment", "CHAR", "A line that begins with this byte is left out"),
    switch(Theme::Csv, "csv-no-header", "The first record is data; columns are c1, c2, ..."),
    columns_of(
        Theme::Csv,
        "csv-columns",
        "NAMES",
        "Column names, parted by commas; they replace the header if there is one",
    ),
    one(
        Theme::Csv,
        "csv-null",
        "TEXT",
        "This text is NULL in every column; it may be empty [default: no text is]",
    ),
    one(
        Theme::Csv,
        "csv-encoding",
        "NAME",
        "Encoding of the files, such as utf-16le or windows-1252 [default: auto: UTF-8, or UTF-16 with a mark]",
    ),
    choice(
        Theme::Csv,
        "csv-ragged",
        &["reject", "pad", "truncate"],
        "Records with fewer or more fields than columns [default: reject]",
    ),
    choice(
        Theme::Csv,
        "csv-quotes",
        &["normal", "strict", "lenient"],
        "Misplaced quotes: normal rejects text after a closing quote, strict also a quote within a field, lenient neither [default: normal]",
    ),
    choice(
        Theme::Csv,
        "csv-headers",
        &["strict", "repair"],
        "Empty and repeated column names: an error, or renamed to column_N and NAME_2 [default: strict]",
    ),
    choice(
        Theme::Csv,
        "csv-invalid-utf8",
        &["reject", "replace"],
        "Fields that are not UTF-8: their record is rejected, or they get U+FFFD [default: reject]",
    ),
    switch(
        Theme::Source,
        "allow-empty",
        "A file without a header, or a name that no index has, holds no records and is no error",
    ),
    switch(Theme::Csv, "infer", "Guess the types of columns from the first records"),
    names(
        Theme::Elastic,
        "es-url",
        "URL",
        "Elasticsearch or OpenSearch, such as localhost:9200 or https://HOST; several nodes parted by commas",
    ),
    names(
        Theme::Elastic,
        "es-index",
        "NAMES",
        "Indices, aliases or data streams, * for any characters [default: named as the table]",
    ),
    one(Theme::Elastic, "es-query", "JSON", "Documents to read: a query, or @FILE [default: all]"),
    columns_of(
        Theme::Elastic,
        "es-fields",
        "FIELDS",
        "Fields of documents to read, with * for any characters; -FIELD leaves one out",
    ),
    names(
        Theme::Elastic,
        "es-meta",
        "NAMES",
        "Metadata before the fields of whole documents, of _id, _index, _routing, _version; or none [default: what a restore needs: _id, _routing where there is one, _index of several]",
    ),
    one(Theme::Elastic, "es-user", "NAME", "Log in by name and --es-pass"),
    one(Theme::Elastic, "es-pass", "TEXT", "Better --es-pass-file: others see what is typed"),
    one(Theme::Elastic, "es-pass-file", "FILE", "The password, in a file"),
    one(Theme::Elastic, "es-api-key", "KEY", "Log in by an API key, as ID:KEY or encoded"),
    one(Theme::Elastic, "es-api-key-file", "FILE", "The API key, in a file"),
    one(Theme::Elastic, "es-token", "TEXT", "Log in by a bearer token"),
    one(Theme::Elastic, "es-token-file", "FILE", "The bearer token, in a file"),
    one(
        Theme::Elastic,
        "es-ca",
        "FILE",
        "Who vouches for the server, in PEM [default: the system's list]",
    ),
    switch(Theme::Elastic, "es-insecure", "Talk to a server that nobody vouches for"),
    one(
        Theme::Elastic,
        "es-slices",
        "N",
        "Parts of the index that are read at the same time [default: min(4, shards)]",
    ),
    one(
        Theme::Elastic,
        "es-keep-alive",
        "TIME",
        "How long the server keeps the snapshot after each page [default: 5m]",
    ),
    one(Theme::Elastic, "es-timeout", "TIME", "For one request [default: 120s]"),
    switch(Theme::Elastic, "es-compress", "Ask for compressed answers, for slow networks"),
    choice(Theme::Sink, "sink-type", &["file", "mysql"], "Where to write"),
    one(
        Theme::Output,
        "output-file",
        "FILE",
        "The file, which appears when it is whole, or - for standard output",
    ),
    choice(
        Theme::Output,
        "output-format",
        &["jsonl", "csv", "tsv"],
        "tsv is csv with tabs [default: by the name: .csv, .tsv, else jsonl]",
    ),
    choice(
        Theme::Output,
        "output-compression",
        &["none", "gzip", "zstd"],
        "[default: by the name: .gz, .zst]",
    ),
    one(Theme::Output, "output-null", "TEXT", "What NULL looks like in CSV [default: nothing]"),
    choice(
        Theme::Output,
        "if-exists",
        &["replace", "refuse"],
        "A file that has the name already: replaced at the end on success, or left alone [default: replace]",
    ),
    one(
        Theme::Mysql,
        "db-url",
        "URL",
        "mysql://USER@HOST:PORT/DATABASE, in place of the following",
    ),
    one(Theme::Mysql, "db-host", "HOST", "[default: localhost]"),
    one(Theme::Mysql, "db-port", "PORT", "[default: 3306]"),
    one(Theme::Mysql, "db-socket", "FILE", "The server's socket, in place of host and port"),
    one(Theme::Mysql, "db-user", "NAME", "The account to write with"),
    one(Theme::Mysql, "db-pass", "TEXT", "Better --db-pass-file: others see what is typed"),
    one(Theme::Mysql, "db-pass-file", "FILE", "The password, in a file"),
    one(Theme::Mysql, "db-name", "NAME", "The database"),
    one(Theme::Mysql, "db-table", "NAME", "The table, or DATABASE.TABLE"),
    choice(
        Theme::Mysql,
        "db-ssl-mode",
        &["disabled", "required", "verify-ca", "verify-identity"],
        "[default: disabled on this machine, else verify-identity]",
    ),
    one(
        Theme::Mysql,
        "db-ca",
        "FILE",
        "Who vouches for the server, in PEM [default: the system's list]",
    ),
    one(Theme::Mysql, "db-connect-timeout", "TIME", "For connecting [default: 10s]"),
    one(Theme::Mysql, "db-timeout", "TIME", "For one statement [default: 300s]"),
    choice(
        Theme::Mysql,
        "mode",
        &["insert", "skip", "upsert"],
        "Rows whose key is there: rejected, left as they are, or replaced [default: skip with a key, else insert into an empty table]",
    ),
    columns_of(
        Theme::Mysql,
        "key",
        "COLS",
        "Columns that tell rows apart [default: the table's key]",
    ),
    switch(
        Theme::Mysql,
        "keys-unique",
        "No two records have the same key, not even to the server, so that several lanes may write",
    ),
    switch(Theme::Mysql, "create-table", "Create the table if it is not there"),
    choice(
        Theme::Mysql,
        "new-fields",
        &["refuse", "ignore"],
        "Fields that the table has no column for: end the run, or are left out [default: refuse]",
    ),
    choice(
        Theme::Mysql,
        "missing",
        &["keep", "default"],
        "Columns whose field a record lacks, in --mode upsert: keep the value that is there, or get their default [default: keep]",
    ),
    choice(
        Theme::Mysql,
        "fraction",
        &["reject", "truncate", "round"],
        "Digits that a column does not keep [default: reject]",
    ),
    one(
        Theme::Mysql,
        "source-zone",
        "ZONE",
        "Where times without an offset were written down, such as Europe/Berlin",
    ),
    one(
        Theme::Mysql,
        "db-datetime-zone",
        "ZONE",
        "What DATETIME columns hold where a value says its offset [default: UTC]",
    ),
    choice(
        Theme::Mysql,
        "db-binary",
        &["raw", "hex", "base64"],
        "What text means in columns of bytes [default: raw]",
    ),
    choice(
        Theme::Mysql,
        "json-doubles",
        &["exact", "nearest"],
        "Numbers that MySQL's JSON reads as another double: rejected, or taken as that [default: exact]",
    ),
    switch(
        Theme::Mysql,
        "json-as-text",
        "Objects and arrays go into columns of text, in their own words",
    ),
    switch(Theme::Mysql, "no-load-data", "Write by INSERT where LOAD DATA is possible, too"),
    switch(
        Theme::Mysql,
        "allow-non-transactional",
        "Write to tables that cannot roll back; rows may then be there twice after a failure",
    ),
    one(
        Theme::Mysql,
        "throttle-query",
        "SQL",
        "Wait while this is true, for example while a replica lags behind",
    ),
    one(
        Theme::Mysql,
        "state-table",
        "NAME",
        "What the three tables with the state of jobs begin with [default: flowgauge]",
    ),
    columns_of(
        Theme::Records,
        "select",
        "COLS",
        "Columns to write and their order, parted by commas; NEW=OLD renames",
    ),
    Opt {
        name: "types",
        takes: Takes::Typed("COL=TYPE"),
        theme: Theme::Records,
        help: "Types of CSV columns, parted by commas: text, int, decimal, float, bool, json; how dates of any source are written: date:PATTERN, epoch_s, epoch_ms",
    },
    switch(Theme::Records, "flatten", "Objects within documents become fields called outer.inner"),
    one(
        Theme::Records,
        "max-errors",
        "N|N%",
        "Rejected records that are put up with, or their share [default: 0]",
    ),
    one(
        Theme::Records,
        "rejects",
        "FILE",
        "Where rejected records go, as JSON lines [default: a file for each run in the state directory]",
    ),
    one(
        Theme::Run,
        "pipeline-id",
        "NAME",
        "Name of the pipeline in metrics and logs [default: default]",
    ),
    one(Theme::Run, "workers", "N", "Threads that decode and convert [default: cores]"),
    one(
        Theme::Run,
        "lanes",
        "N",
        "Commits at the same time; a file has one [default: min(4, cores)]",
    ),
    one(Theme::Run, "batch-size", "N", "Most records in a segment [default: 50000]"),
    one(
        Theme::Run,
        "batch-bytes",
        "SIZE",
        "Most bytes in a segment [default: 1MiB; into MySQL 4MiB; from Elasticsearch 8MiB]",
    ),
    one(Theme::Run, "memory-limit", "SIZE", "Memory for records under way [default: 256MiB]"),
    one(Theme::Run, "max-rows-per-second", "N", "Write no faster than this on average"),
    one(
        Theme::Run,
        "drain-timeout",
        "TIME",
        "How long to finish what is under way after a signal [default: 20s]",
    ),
    one(
        Theme::Run,
        "state-dir",
        "DIR",
        "For rejected records [default: $STATE_DIRECTORY, $XDG_STATE_HOME/flowgauge or ~/.local/state/flowgauge]",
    ),
    one(Theme::Metrics, "metrics-port", "PORT", "Serve /metrics, /health, /ready and /info"),
    one(Theme::Metrics, "metrics-host", "ADDRESS", "Address to serve them on [default: 127.0.0.1]"),
    one(
        Theme::Metrics,
        "expect-every",
        "TIME",
        "How often this pipeline is meant to run, for the alert on a run that did not",
    ),
    switch(Theme::Reporting, "quiet", "Print nothing but errors"),
    one(
        Theme::Reporting,
        "summary-json",
        "FILE",
        "Write the summary as JSON, or - for standard output",
    ),
    choice(Theme::Reporting, "log-format", &["text", "json"], "[default: text]"),
    choice(Theme::Reporting, "log-level", &["error", "warn", "info", "debug"], "[default: info]"),
    one(
        Theme::Configuration,
        "config",
        "FILE",
        "TOML with settings, connections and pipelines; flags and environment go before it",
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
