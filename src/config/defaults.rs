//! What holds where an option is not written: once, for the settings, the help and the schema. What the
//! docs say of it is held against this by a test.

use crate::ledger::FILE_NAME as LEDGER_FILE;
use crate::sink::mysql::settings::{PORT, STATE_TABLE};
use crate::source::elastic::SLICES_BY_DEFAULT;

#[derive(Clone, Copy, Debug)]
pub enum Unwritten {
    /// As if this were written.
    Value(&'static str),
    /// The same of what another room knows.
    ValueOf(fn() -> String),
    /// It depends, in words.
    Depends(fn() -> String),
}

use Unwritten::{Depends, Value, ValueOf};

/// Large enough that a segment's fixed cost vanishes, small enough that a few of them for each core
/// stay far below `--memory-limit`.
pub const BATCH_BYTES: u64 = 1024 * 1024;

/// A transaction costs a flush of the server's log, and its rows are held back from replicas.
pub const TRANSACTION_BYTES: u64 = 4 * 1024 * 1024;

/// Holds pages of 10,000 ordinary documents in all.
pub const PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// Beyond this a record is more likely a file with a wrong quote than a record.
pub const RECORD_BYTES: u64 = 16 * 1024 * 1024;

/// A record must fit next to its rows and its encoding, which can be six times as long, and twice
/// that where it is compressed.
pub const RECORD_SHARE_OF_MEMORY: u64 = 16;

/// Other people's servers are not to be surprised by a large machine.
pub const LANE_COUNT_MAX: u64 = 4;

/// A record of JSON that names no pipeline still has one label.
pub const PIPELINE_ID: &str = "default";

const DEFAULTS: &[(&str, Unwritten)] = &[
    ("source-type", Depends(|| words(BY_OTHERS))),
    ("jsonl-encoding", Depends(|| words(AUTO))),
    ("max-record-bytes", Depends(record_bytes)),
    // Ordinary text becomes a tenth; the most that gzip can do is 1032.
    ("max-expansion", Value("1000")),
    ("csv-delimiter", Depends(|| words("',', and 'tab' for names in .tsv"))),
    ("csv-quote", Value("\"")),
    ("csv-escape", Depends(|| words("none; a doubled quote is a quote"))),
    ("csv-comment", Depends(|| words("none"))),
    ("csv-null", Depends(|| words("none"))),
    ("csv-encoding", Depends(|| words(AUTO))),
    ("csv-ragged", Value("reject")),
    ("csv-quotes", Value("normal")),
    ("csv-headers", Value("strict")),
    ("csv-invalid-utf8", Value("reject")),
    ("es-index", Depends(|| words("the name of the table"))),
    ("es-query", Depends(|| words("all documents"))),
    ("es-fields", Depends(|| words("all"))),
    ("es-meta", Depends(|| words(RESTORED))),
    ("es-ca", Depends(|| words("the system's CA certificates"))),
    ("es-slices", Depends(|| format!("min({SLICES_BY_DEFAULT}, shards)"))),
    // Longer than a page takes, sink and all; the server's own tools take the same.
    ("es-keep-alive", Value("5m")),
    // A page of 10,000 hits from a server that is busy with others.
    ("es-timeout", Value("120s")),
    ("sink-type", Depends(|| words(BY_OTHERS))),
    ("output-format", Depends(|| words("by the name: .csv, .tsv, else jsonl"))),
    ("output-compression", Depends(|| words("by the name: .gz, .zst"))),
    ("output-null", Depends(|| words("nothing"))),
    ("if-exists", Value("replace")),
    ("db-host", Value("localhost")),
    ("db-port", ValueOf(|| PORT.to_string())),
    ("db-ssl-mode", Depends(|| words("disabled on this machine, else verify-identity"))),
    ("db-ca", Depends(|| words("the system's CA certificates"))),
    // A server that takes longer to answer at all is not there.
    ("db-connect-timeout", Value("10s")),
    // A segment takes seconds; a lock that is waited for takes longer.
    ("db-timeout", Value("300s")),
    ("mode", Depends(|| words("skip with a key, else insert into an empty table"))),
    ("key", Depends(|| words("the table's key"))),
    ("new-fields", Value("refuse")),
    ("missing", Value("keep")),
    ("fraction", Value("reject")),
    ("db-datetime-zone", Value("UTC")),
    ("db-binary", Value("raw")),
    ("json-doubles", Value("exact")),
    ("state-table", ValueOf(|| STATE_TABLE.to_string())),
    ("select", Depends(|| words("all"))),
    ("flatten-separator", Value(".")),
    ("max-errors", Value("0")),
    ("rejects", Depends(|| words("a new file for each run in the state directory"))),
    ("pipeline-id", Value(PIPELINE_ID)),
    ("workers", Depends(|| words("CPU cores"))),
    ("lanes", Depends(|| format!("min({LANE_COUNT_MAX}, CPU cores)"))),
    // Below this the commits cost more than the records; far above, a segment no longer fits a cache
    // and a rejected one is a lot to do again.
    ("batch-size", Value("50000")),
    ("batch-bytes", Depends(batch_bytes)),
    // Room for some hundred thousand rows under way; a container of 512 MiB holds it.
    ("memory-limit", Value("256MiB")),
    ("max-rows-per-second", Depends(|| words("none"))),
    // Kubernetes kills 30 s after it has asked; reporting needs some of that.
    ("drain-timeout", Value("20s")),
    ("state-dir", Depends(state_dir)),
    ("metrics-port", Depends(|| words("none"))),
    ("metrics-host", Value("127.0.0.1")),
    ("metrics-web-config", Depends(|| words("plain HTTP, no password"))),
    // A single Prometheus.
    ("metrics-scrapes", Value("1")),
    // Prometheus comes by every minute unless told otherwise.
    ("metrics-linger", Value("60s")),
    ("notify-on", Value("failure")),
    ("notify-format", Value("json")),
    ("log-format", Value("text")),
    ("log-level", Value("info")),
    ("ledger", Depends(|| format!("{LEDGER_FILE} in --state-dir"))),
    // A quarter, so that this month can be held against the one before.
    ("ledger-keep", Value("90d")),
];

const AUTO: &str = "auto: UTF-8, or UTF-16 with a byte order mark";
const RESTORED: &str =
    "what a restore needs: _id, _routing where a document has one, _index of several indices";
const BY_OTHERS: &str = "by the other options";

fn words(words: &str) -> String {
    words.to_string()
}

fn record_bytes() -> String {
    format!("{}, or 1/{RECORD_SHARE_OF_MEMORY} of --memory-limit", mebibytes(RECORD_BYTES))
}

fn batch_bytes() -> String {
    format!(
        "{}; into MySQL {}; from Elasticsearch {}",
        mebibytes(BATCH_BYTES),
        mebibytes(TRANSACTION_BYTES),
        mebibytes(PAGE_BYTES)
    )
}

fn state_dir() -> String {
    words("$STATE_DIRECTORY, $XDG_STATE_HOME/flowgauge or ~/.local/state/flowgauge")
}

fn mebibytes(bytes: u64) -> String {
    format!("{}MiB", bytes >> 20)
}

fn unwritten(name: &str) -> Option<Unwritten> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, unwritten)| *unwritten)
}

/// What is read where the option is not written, for those that have such a value.
pub fn value(name: &str) -> Option<String> {
    match unwritten(name)? {
        Value(text) => Some(text.to_string()),
        ValueOf(text) => Some(text()),
        Depends(_) => None,
    }
}

/// What is said of it to people.
pub fn shown(name: &str) -> Option<String> {
    match unwritten(name)? {
        Depends(words) => Some(words()),
        Value(_) | ValueOf(_) => value(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::{OPTIONS, Opt, Takes};

    #[test]
    fn defaults_are_of_options_in_their_order_and_of_choices_that_there_are() {
        let names: Vec<_> = DEFAULTS.iter().map(|(name, _)| *name).collect();
        let known = OPTIONS.iter().map(|option| option.name);
        let in_order: Vec<_> = known.filter(|name| names.contains(name)).collect();
        assert_eq!(names, in_order);
        for (name, _) in DEFAULTS {
            let (Some(option), Some(value)) = (Opt::find(name), value(name)) else { continue };
            if let Takes::Choice(choices) = option.takes {
                assert!(choices.contains(&value.as_str()), "{name}");
            }
        }
    }

    #[test]
    fn defaults_stand_nowhere_but_here() {
        for option in OPTIONS {
            assert!(!option.help.contains("default:"), "--{}", option.name);
        }
    }
}
