//! Log lines on standard error, which a progress bar may also be drawing on.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::safe_format::{SafeJson, SafeText};
use crate::event::{Event, Observer};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Text,
    Json,
}

/// Installs the log of the process; a second call changes nothing.
pub fn install(style: Style, level: LevelFilter, screen: &MultiProgress) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Screen(screen.clone()))
        .with_target(false)
        .with_ansi(false);
    let installed = match style {
        Style::Text => builder.with_timer(Seconds).compact().map_event_format(SafeText).try_init(),
        Style::Json => builder.json().flatten_event(true).map_event_format(SafeJson).try_init(),
    };
    // Only tests install twice in one process.
    drop(installed);
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

/// Takes the progress bar away while a line is written.
#[derive(Clone)]
struct Screen(MultiProgress);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Screen;

    fn make_writer(&'a self) -> Screen {
        self.clone()
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
