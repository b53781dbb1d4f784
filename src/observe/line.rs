//! Lines as the log writes them: their style, their time, and those that cannot go through `tracing`.

use serde_json::json;
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::shown::Json;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Text,
    Json,
}

/// A line as the log writes it, for those who cannot go through `tracing`.
pub fn line(style: Style, level: Level, message: &str) -> String {
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
            let line = json!({ "timestamp": time, "level": level, "message": message });
            format!("{}\n", Json(line))
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

/// The system's time cut to seconds: nobody reads a log of night runs by the microsecond.
pub struct Seconds;

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
