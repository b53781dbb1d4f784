//! Options that take one of a few names, and what each of them means. The table of options, its help and
//! the settings read the same list, so that a new choice cannot mean another.

use crate::export::{NoticeEvent, NoticeFormat};
use crate::part::IfExists;
use crate::sink::file::{Compression, Format};
use crate::sink::mysql::rules::{BinaryText, Fraction, JsonDoubles};
use crate::sink::mysql::{Missing, Mode, NewFields, TlsMode};
use crate::source::csv::{HeaderNames, InvalidText, Quoting, Ragged};

pub trait Choice: Copy + 'static {
    /// In the order of the help.
    const NAMES: &'static [&'static str];

    fn of_name(name: &str) -> Option<Self>;

    fn name(self) -> &'static str;
}

/// A variant without a name does not compile, and so does a name without a variant.
macro_rules! choice {
    ($type:ident: $($name:literal => $variant:ident),+) => {
        impl Choice for $type {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn of_name(name: &str) -> Option<$type> {
                match name {
                    $($name => Some($type::$variant),)+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }
    };
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceType {
    Csv,
    Jsonl,
    Elasticsearch,
}

/// Where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkType {
    File,
    Mysql,
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

choice!(SourceType: "csv" => Csv, "jsonl" => Jsonl, "elasticsearch" => Elasticsearch);
choice!(SinkType: "file" => File, "mysql" => Mysql);
choice!(Ragged: "reject" => Reject, "pad" => Pad, "truncate" => Truncate);
choice!(Quoting: "normal" => Normal, "strict" => Strict, "lenient" => Lenient);
choice!(HeaderNames: "strict" => Strict, "repair" => Repair);
choice!(InvalidText: "reject" => Reject, "replace" => Replace);
choice!(Format: "jsonl" => JsonLines, "csv" => Csv, "tsv" => Tsv);
choice!(Compression: "none" => None, "gzip" => Gzip, "zstd" => Zstd);
choice!(IfExists: "replace" => Replace, "refuse" => Refuse);
choice!(TlsMode: "disabled" => Disabled, "required" => Required, "verify-ca" => VerifyCa, "verify-identity" => VerifyIdentity);
choice!(Mode: "insert" => Insert, "skip" => Skip, "upsert" => Upsert);
choice!(NewFields: "refuse" => Refuse, "ignore" => Ignore, "add" => Add);
choice!(Missing: "keep" => Keep, "default" => Default);
choice!(Fraction: "reject" => Reject, "truncate" => Truncate, "round" => Round);
choice!(BinaryText: "raw" => Raw, "hex" => Hex, "base64" => Base64);
choice!(JsonDoubles: "exact" => Exact, "nearest" => Nearest);
choice!(NoticeEvent: "failure" => Failure, "recovery" => Recovery);
choice!(NoticeFormat: "json" => Json, "slack" => Slack);
choice!(LogFormat: "text" => Text, "json" => Json);
choice!(LogLevel: "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug);
