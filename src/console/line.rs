//! Lines of the log: their style, their time, and what machines read beside the message.
//!
//! Whatever a message holds, a line is one line, and nothing in it is obeyed by a terminal.

use std::fmt::{self, Debug};
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use crate::event::RunIdentity;
use crate::secret::by_name;
use crate::shown::{Json, Line};

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// The message alone.
    #[default]
    Text,
    /// The message with its fields.
    Json,
}

/// What a line says beside its message: shown where lines are JSON.
pub type Fields = Vec<(&'static str, Value)>;

/// The run whose lines these are. A process has one at a time.
static RUN: Mutex<Option<Fields>> = Mutex::new(None);

/// From now on lines are of this run.
pub fn begin_run(run: &RunIdentity) {
    let mut named: Fields = vec![
        ("pipeline_id", run.pipeline_id.as_str().into()),
        ("run_id", run.run_id.as_str().into()),
    ];
    if let Some(trace) = &run.trace {
        named.push(("trace_id", trace.trace.to_string().into()));
        named.push(("span_id", trace.span.to_string().into()));
    }
    *RUN.lock().unwrap_or_else(PoisonError::into_inner) = Some(named);
}

/// A line of the log.
pub fn line(style: Style, level: Level, message: &str, fields: Fields) -> String {
    let priority = priority(level);
    match style {
        Style::Text => format!("{priority}{} {level:>5} {}\n", time_of_text(), Line(message)),
        Style::Json => format!("{priority}{}\n", Json(object(level, message, fields))),
    }
}

/// One of the few lines that say why, without a time: people read them.
pub fn reason(style: Style, level: Level, message: &str, fields: Fields) -> String {
    match style {
        Style::Text => format!("{}flowgauge: {message}\n", priority(level)),
        Style::Json => line(style, level, message, fields),
    }
}

/// Values that came from variables go by their names, before they are JSON: names of fields stay.
fn by_names(value: Value) -> Value {
    match value {
        Value::String(text) => by_name(&text).into(),
        Value::Array(values) => values.into_iter().map(by_names).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, by_names(value))).collect()
        }
        other => other,
    }
}

/// In the order in which people read it.
fn object(level: Level, message: &str, fields: Fields) -> String {
    let run = RUN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut all: Fields = vec![
        ("timestamp", time(SystemTime).into()),
        ("level", level.as_str().into()),
        ("message", message.into()),
    ];
    all.extend(run.into_iter().flatten());
    all.extend(fields);
    let all: Vec<_> =
        all.into_iter().map(|(name, value)| format!("\"{name}\":{}", by_names(value))).collect();
    format!("{{{}}}", all.join(","))
}

/// Stands where lines are missing.
pub fn dropped_line(style: Style, count: u64) -> String {
    let lines = if count == 1 { "log line was" } else { "log lines were" };
    let message =
        format!("{count} {lines} dropped here, because standard error could not be written");
    line(style, Level::WARN, &message, vec![("event", "dropped".into())])
}

fn time(format: impl FormatTime) -> String {
    let mut time = String::new();
    // Writing to a string does not fail.
    let _ = format.format_time(&mut Writer::new(&mut time));
    time
}

/// Cut to seconds: nobody reads a log of night runs by the microsecond.
fn time_of_text() -> String {
    let full = time(SystemTime);
    full.split_once('.').map(|(seconds, _)| format!("{seconds}Z")).unwrap_or(full)
}

/// What the journal of systemd takes off the beginning of a line; nothing for anybody else.
fn priority(level: Level) -> &'static str {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    if !*IS_JOURNAL.get_or_init(is_journal) {
        return "";
    }
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// systemd says in a variable which socket the journal listens at: by device and inode.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr().as_fd())
        .is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

impl<S, N> FormatEvent<S, N> for Style
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        writer.write_str(&line(*self, *event.metadata().level(), &said.message, said.fields))
    }
}

/// What was given to a macro of `tracing`.
#[derive(Default)]
struct Said {
    message: String,
    fields: Fields,
}

/// The summary of a run: an object, given as text.
const SUMMARY: &str = "summary";

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            SUMMARY => {
                let object = serde_json::from_str(&text).unwrap_or(Value::String(text));
                self.fields.push((SUMMARY, object));
            }
            name => self.fields.push((name, text.into())),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_our_own_looks_like_the_others() {
        let text = dropped_line(Style::Text, 1);
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00Z".len(), "{text}");
        let expected =
            " WARN 1 log line was dropped here, because standard error could not be written\n";
        assert_eq!(rest, expected);

        let json: Value = serde_json::from_str(&dropped_line(Style::Json, 2)).unwrap();
        assert_eq!(json["level"], "WARN");
        assert!(json["message"].as_str().unwrap().starts_with("2 log lines were dropped"));
    }

    #[test]
    fn a_line_stays_one_line_and_its_fields_stay_what_they_are() {
        let fields = || vec![("wait_ms", 250.into()), ("stage", "in\nsert".into())];
        let text = line(Style::Text, Level::WARN, "a\nb\x1b[2J", fields());
        assert!(text.ends_with("  WARN a\\nb\\x1b[2J\n"), "{text}");
        let text = line(Style::Json, Level::WARN, "a\nb", fields());
        assert_eq!(text.lines().count(), 1);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["wait_ms"], &json["stage"]), (&250.into(), &"in\nsert".into()));
        assert!(text.starts_with("{\"timestamp\":\"2"), "{text}");
    }
}
