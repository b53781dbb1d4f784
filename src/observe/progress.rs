//! How far a run is, while it runs: a bar on a terminal, a log line now and then elsewhere.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::standard_error::standard_error;
use crate::observe::Stats;
use crate::report::{RunNumbers, text};

/// Often enough to look alive.
const BAR_EVERY: Duration = Duration::from_millis(100);
/// Rare enough for a log that is kept.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A thread of its own that reads snapshots. Dropping it ends it.
pub struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub fn start(stats: Arc<Stats>, is_terminal: bool) -> Progress {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("progress".to_string()).spawn(move || {
            let bar = is_terminal.then(|| {
                let target = ProgressDrawTarget::term_like(Box::new(BottomLine::default()));
                ProgressBar::with_draw_target(Some(STEPS), target)
            });
            let every = if is_terminal { BAR_EVERY } else { LINE_EVERY };
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let numbers = stats.numbers();
                match &bar {
                    Some(bar) => draw(bar, &numbers),
                    None => tracing::info!("{}", line(&numbers)),
                }
            }
            if bar.is_some() {
                standard_error().draw(String::new());
            }
        });
        // Without a thread there is no progress to see, which is no reason not to run.
        Progress { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic while drawing is not worth a run.
            drop(thread.join());
        }
    }
}

/// The bottom line of the terminal, where the bar is drawn. It is never waited for, so the bar is
/// handed over as text, and where the cursor is does not matter here.
#[derive(Debug, Default)]
struct BottomLine(Mutex<String>);

/// Where a terminal does not say how wide it is.
const WIDTH: u16 = 80;

impl TermLike for BottomLine {
    fn width(&self) -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        size.map(|size| size.ws_col).ok().filter(|width| *width > 0).unwrap_or(WIDTH)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    /// A line that fills its last column may be continued on the next, which nobody would clear.
    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let width = usize::from(self.width().saturating_sub(1));
        let visible = drawn.trim_matches(['\r', ' ']);
        standard_error().draw(visible.chars().take(width).collect());
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
}

/// Parts of the bar, of which the style knows only one number.
const STEPS: u64 = 10_000;

/// A bar where the end is known, else something that turns.
fn style(is_end_known: bool) -> ProgressStyle {
    let template = if is_end_known { "{bar:30} {msg}" } else { "{spinner} {msg}" };
    ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

fn draw(bar: &ProgressBar, numbers: &RunNumbers) {
    let progress = numbers.progress();
    bar.set_style(style(progress.is_some()));
    match progress {
        Some(progress) => bar.set_position((progress * STEPS as f64) as u64),
        None => bar.tick(),
    }
    bar.set_message(line(numbers));
}

/// `45 %, 2,345,678 records, 1,200,000 records/s, 340 MB of 766 MB, 3.1 s left`
pub fn line(numbers: &RunNumbers) -> String {
    let mut parts = Vec::new();
    if let Some(progress) = numbers.progress() {
        parts.push(format!("{:.0} %", progress * 100.0));
    }
    parts.push(text::counted(numbers.counts.processed(), "record"));
    parts.push(format!("{}/s", text::counted(numbers.rate() as u64, "record")));
    parts.push(match numbers.stored_expected {
        Some(expected) => {
            format!("{} of {}", text::bytes(numbers.stored_position), text::bytes(expected))
        }
        None => text::bytes(numbers.bytes_read),
    });
    if numbers.counts.failed > 0 {
        parts.push(format!("{} rejected", text::count(numbers.counts.failed)));
    }
    if let Some(eta) = numbers.eta() {
        parts.push(format!("{} left", text::duration(eta)));
    }
    parts.join(", ")
}
