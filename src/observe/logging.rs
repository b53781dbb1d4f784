//! Log lines, made of what any room says through `tracing`, and of events.

use std::io::{self, Write};

use serde_json::json;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::standard_error::standard_error;
use crate::event::{Event, Observer};

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Text,
    Json,
}

/// Installs the log of the process; a second call changes nothing.
pub fn install(style: Style, level: LevelFilter) {
    standard_error().set_style(style);
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Lines)
        .log_internal_errors(false)
        .with_target(false)
        .with_ansi(false);
    let installed = match style {
        Style::Text => builder.with_timer(Seconds).compact().try_init(),
        Style::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only tests install twice in one process.
    drop(installed);
}

/// A line as the log writes it, for those who cannot go through `tracing`.
fn line(style: Style, level: Level, message: &str) -> String {
    let mut time = String::new();
    let mut writer = Writer::new(&mut time);
    // Writing to a string does not fail.
    let _ = match style {
        Style::Text => Seconds.format_time(&mut writer),
        Style::Json => SystemTime.format_time(&mut writer),
    };
    match style {
        Style::Text => format!("{time} {level:>5} {message}\n"),
        Style::Json => {
            let level = level.as_str();
            format!("{}\n", json!({ "timestamp": time, "level": level, "message": message }))
        }
    }
}

/// Stands where lines are missing.
pub fn dropped_line(style: Style, count: u64) -> String {
    let lines = if count == 1 { "log line was" } else { "log lines were" };
    let message =
        format!("{count} {lines} dropped here, because standard error could not be written");
    line(style, Level::WARN, &message)
}

/// The one line that says why, in the style of the log.
pub fn complain(message: &str) {
    let stderr = standard_error();
    stderr.say(match stderr.style() {
        Style::Text => format!("flowgauge: {message}\n"),
        style => line(style, Level::ERROR, message),
    });
}

/// The system's time cut to seconds: nobody reads a log of night runs by the microsecond.
struct Seconds;

impl FormatTime for Seconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let mut full = String::new();
        SystemTime.format_time(&mut Writer::new(&mut full))?;
        match full.split_once('.') {
            Some((seconds, _)) => write!(writer, "{seconds}Z"),
            None => writer.write_str(&full),
        }
    }
}

/// Hands lines over. It cannot fail, so nobody says on standard error that it did.
struct Lines;

impl Write for Lines {
    /// Called once a line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        standard_error().log(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines
    }
}

/// Logs what an operator wants to know while it happens. Failures are logged with what is done
/// about them.
pub struct EventLog;

impl Observer for EventLog {
    fn notice(&self, event: &Event) {
        match event {
            Event::Entered(state) => tracing::debug!("state: {}", state.as_str()),
            Event::Retrying { stage, attempt, wait, reason, .. } => tracing::warn!(
                "{}: {reason}; attempt {} in {:.1} s",
                stage.as_str(),
                attempt + 1,
                wait.as_secs_f64()
            ),
            _ => {}
        }
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

        let json: serde_json::Value = serde_json::from_str(&dropped_line(Style::Json, 2)).unwrap();
        assert_eq!(json["level"], "WARN");
        assert!(json["message"].as_str().unwrap().starts_with("2 log lines were dropped"));
    }
}
