//! Log lines, made of what any room says through `tracing`, and of events.

use std::io::{self, Write};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use super::line::Style;
use super::line::{Seconds, line};
use super::safe_format::Safe;
use super::standard_error::standard_error;
use crate::event::{Event, Observer};

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
        Style::Text => {
            builder.with_timer(Seconds).compact().map_event_format(Safe::text).try_init()
        }
        Style::Json => builder.json().flatten_event(true).map_event_format(Safe::json).try_init(),
    };
    // Only tests install twice in one process.
    drop(installed);
}

/// The one line that says why, in the style of the log.
pub fn complain(message: &str) {
    let stderr = standard_error();
    stderr.say(match stderr.style() {
        Style::Text => format!("flowgauge: {message}\n"),
        style => line(style, Level::ERROR, message),
    });
}

/// A line that is said whatever the level of the log.
pub fn warn(message: &str) {
    let stderr = standard_error();
    stderr.say(match stderr.style() {
        Style::Text => format!("flowgauge: warning: {message}\n"),
        style => line(style, Level::WARN, message),
    });
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
