//! Which source and which sink flags choose. What the environment or a file says of others does not count: who types
//! a file over a configuration that reads an index means the file. Between those two there is no such order: a
//! variable that happens to be set must not take the place of what a pipeline reads.

use super::choices::{Choice, SinkType, SourceType};
use super::options::{Opt, Theme};
use super::written::WrittenOptions;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndChoice {
    source: Option<SourceType>,
    sink: Option<SinkType>,
}

impl EndChoice {
    pub fn of(flags: &WrittenOptions) -> EndChoice {
        EndChoice {
            source: chosen(
                flags,
                "source-type",
                &[
                    ("csv-file", SourceType::Csv),
                    ("jsonl-file", SourceType::Jsonl),
                    ("es-url", SourceType::Elasticsearch),
                ],
            ),
            sink: chosen(
                flags,
                "sink-type",
                &[("output-file", SinkType::File), ("db-table", SinkType::Mysql)],
            ),
        }
    }

    /// Whether an option of a lower layer is of a source or a sink that was not chosen.
    pub fn displaces(self, option: &Opt) -> bool {
        let is_other_source = self.source.is_some_and(|chosen| {
            option.name == "source-type" || source_of(option).is_some_and(|of| of != chosen)
        });
        let is_other_sink = self.sink.is_some_and(|chosen| {
            option.name == "sink-type" || sink_of(option).is_some_and(|of| of != chosen)
        });
        is_other_source || is_other_sink
    }
}

/// None where two are named without a word which: that is a mistake, which is told elsewhere.
fn chosen<T: Choice>(flags: &WrittenOptions, choice: &str, by_option: &[(&str, T)]) -> Option<T> {
    if let Some(text) = flags.get(choice) {
        return text.values.last().and_then(|name| T::of_name(name));
    }
    let mut named = by_option.iter().filter(|(option, _)| flags.get(option).is_some());
    match (named.next(), named.next()) {
        (Some((_, only)), None) => Some(*only),
        _ => None,
    }
}

fn source_of(option: &Opt) -> Option<SourceType> {
    match (option.theme, option.name) {
        (Theme::Csv, _) | (_, "csv-file") => Some(SourceType::Csv),
        (_, "jsonl-file" | "jsonl-encoding") => Some(SourceType::Jsonl),
        (Theme::Elastic, _) => Some(SourceType::Elasticsearch),
        _ => None,
    }
}

fn sink_of(option: &Opt) -> Option<SinkType> {
    match option.theme {
        Theme::Output => Some(SinkType::File),
        Theme::Mysql => Some(SinkType::Mysql),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::written::OptionOrigin;

    #[test]
    fn what_flags_choose_displaces_all_that_belongs_to_another() {
        for (flags, displaced, stays) in [
            (
                &[("csv-file", "a")][..],
                &["es-url", "es-pass", "jsonl-file", "source-type"][..],
                &["csv-null", "db-table", "flatten"][..],
            ),
            (
                &[("es-url", "a")],
                &["csv-file", "csv-null", "jsonl-encoding"],
                &["es-index", "max-errors"],
            ),
            (&[("source-type", "jsonl")], &["csv-file", "es-url"], &["jsonl-file"]),
            (
                &[("output-file", "a")],
                &["db-table", "mode", "sink-type"],
                &["output-format", "csv-file"],
            ),
            (&[("db-table", "a")], &["output-file", "if-exists"], &["db-host", "rejects"]),
            (&[("source-type", "x")], &[], &["csv-file", "es-url"]),
            (&[("csv-file", "a"), ("es-url", "b")], &[], &["jsonl-file", "source-type"]),
            (&[], &[], &["csv-file", "db-table"]),
        ] {
            let mut written = WrittenOptions::default();
            for (name, value) in flags {
                let option = Opt::find(name).unwrap();
                written.set(option, vec![value.to_string()], OptionOrigin::Flag);
            }
            let choice = EndChoice::of(&written);
            let is_displaced = |name: &&str| choice.displaces(Opt::find(name).unwrap());
            assert!(displaced.iter().all(is_displaced), "{flags:?}");
            assert!(!stays.iter().any(is_displaced), "{flags:?}");
        }
    }
}
