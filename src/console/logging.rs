//! Log lines, made of what any room says through `tracing`, and of events.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use super::line::Style;
use super::line::{Fields, begin_run, line, reason};
use super::standard_error::standard_error;
use crate::error::Error;
use crate::event::{Event, Observer, RunState, Stage};
use crate::outcome::{Outcome, Signal};
use crate::record::ErrorType;

/// Installs the log of the process; a second call changes nothing.
pub fn install(style: Style, level: LevelFilter) {
    standard_error().set_style(style);
    let installed = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Lines)
        .log_internal_errors(false)
        .event_format(style)
        .try_init();
    // Only tests install twice in one process.
    drop(installed);
}

/// The one line that says why, in the style of the log.
pub fn complain(message: &str) {
    say_reason(Level::ERROR, message, vec![("event", "error".into())]);
}

/// The same of an error, with what the run or the command ends with.
pub fn complain_of(message: &str, error: &Error, exit: Outcome) {
    let fields = vec![
        ("event", "error".into()),
        ("error_type", error.error_type.as_str().into()),
        ("exit_code", exit.exit_code().into()),
    ];
    say_reason(Level::ERROR, message, fields);
}

/// A line that is said whatever the level of the log.
pub fn warn(message: &str) {
    let style = standard_error().style();
    let message = match style {
        Style::Text => format!("warning: {message}"),
        Style::Json => message.to_string(),
    };
    say_reason(Level::WARN, &message, vec![("event", "warning".into())]);
}

fn say_reason(level: Level, message: &str, fields: Fields) {
    let stderr = standard_error();
    stderr.say(reason(stderr.style(), level, message, fields));
}

/// What stops a run is said with its time, whatever the level of the log.
pub fn say_signal(signal: Signal, message: &str) {
    let stderr = standard_error();
    let fields = vec![("event", "signal".into()), ("signal", signal.name().into())];
    stderr.say(line(stderr.style(), Level::WARN, message, fields));
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

/// A server that is away is tried often, and one line in a while says so.
const RETRY_LINE_EVERY: Duration = Duration::from_secs(5);

/// Logs what an operator wants to know while it happens. Failures are logged with what is done
/// about them.
#[derive(Default)]
pub struct EventLog {
    /// Both ends are open.
    is_connected: AtomicBool,
    /// Indexed as `Stage::ALL`; held for no longer than it takes to look.
    retries: [Mutex<RetryLine>; Stage::ALL.len()],
}

/// What was last said of what is tried again.
#[derive(Default)]
struct RetryLine {
    last: Option<(Instant, ErrorType)>,
    left_out: u64,
}

impl RetryLine {
    /// How many were left out before this one, unless it is left out as well.
    fn next(&mut self, now: Instant, error_type: ErrorType) -> Option<u64> {
        let is_like_last = self.last.is_some_and(|(at, last)| {
            last == error_type && now.duration_since(at) < RETRY_LINE_EVERY
        });
        if is_like_last {
            self.left_out += 1;
            return None;
        }
        self.last = Some((now, error_type));
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Observer for EventLog {
    fn notice(&self, event: &Event) {
        match event {
            Event::Began(run) => begin_run(run),
            Event::Entered(state) => {
                if *state == RunState::Running {
                    self.is_connected.store(true, Ordering::Relaxed);
                }
                tracing::debug!("state: {}", state.as_str());
            }
            Event::Retrying { stage, error_type, attempt, wait, reason } => {
                let mut line =
                    self.retries[*stage as usize].lock().unwrap_or_else(PoisonError::into_inner);
                let Some(left_out) = line.next(Instant::now(), *error_type) else { return };
                let doing = match self.is_connected.load(Ordering::Relaxed) {
                    true => stage.as_str(),
                    false => "connecting",
                };
                let others = match left_out {
                    0 => String::new(),
                    left_out => format!(", after {left_out} more like it"),
                };
                tracing::warn!(
                    event = "retry",
                    stage = stage.as_str(),
                    error_type = error_type.as_str(),
                    attempt = u64::from(*attempt),
                    wait_ms = wait.as_millis() as u64,
                    "{doing}: {reason}; attempt {} in {:.1} s{others}",
                    attempt + 1,
                    wait.as_secs_f64()
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_a_line_now_and_then() {
        let mut line = RetryLine::default();
        let began = Instant::now();
        for (seconds, error_type, said) in [
            (0, ErrorType::Connection, Some(0)),
            (1, ErrorType::Connection, None),
            (4, ErrorType::Connection, None),
            (5, ErrorType::Connection, Some(2)),
            (6, ErrorType::Timeout, Some(0)),
            (7, ErrorType::Timeout, None),
            (20, ErrorType::Connection, Some(1)),
        ] {
            let now = began + Duration::from_secs(seconds);
            assert_eq!(line.next(now, error_type), said, "{seconds} s");
        }
    }
}
