//! How far a run is, while it runs: a bar on a terminal, a log line now and then elsewhere.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::observe::Stats;
use crate::report::{Snapshot, text};

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
    pub fn start(stats: Arc<Stats>, screen: &MultiProgress, is_terminal: bool) -> Progress {
        let (stop, stopped) = mpsc::channel::<()>();
        let screen = screen.clone();
        let thread = thread::Builder::new().name("progress".to_string()).spawn(move || {
            let bar = is_terminal.then(|| screen.add(ProgressBar::new(STEPS)));
            let every = if is_terminal { BAR_EVERY } else { LINE_EVERY };
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let snapshot = stats.snapshot();
                match &bar {
                    Some(bar) => draw(bar, &snapshot),
                    None => tracing::info!("{}", line(&snapshot)),
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
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

/// Parts of the bar, of which the style knows only one number.
const STEPS: u64 = 10_000;

/// A bar where the end is known, else something that turns.
fn style(is_end_known: bool) -> ProgressStyle {
    let template = if is_end_known { "{bar:30} {msg}" } else { "{spinner} {msg}" };
    ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

fn draw(bar: &ProgressBar, snapshot: &Snapshot) {
    let progress = snapshot.progress();
    bar.set_style(style(progress.is_some()));
    match progress {
        Some(progress) => bar.set_position((progress * STEPS as f64) as u64),
        None => bar.tick(),
    }
    bar.set_message(line(snapshot));
}

/// `45 %, 2,345,678 records, 1,200,000 records/s, 340 MB of 766 MB, 3.1 s left`
pub fn line(snapshot: &Snapshot) -> String {
    let mut parts = Vec::new();
    if let Some(progress) = snapshot.progress() {
        parts.push(format!("{:.0} %", progress * 100.0));
    }
    parts.push(format!("{} records", text::count(snapshot.counts.processed())));
    parts.push(format!("{} records/s", text::count(snapshot.rate() as u64)));
    parts.push(match snapshot.stored_expected {
        Some(expected) => {
            format!("{} of {}", text::bytes(snapshot.stored_position), text::bytes(expected))
        }
        None => text::bytes(snapshot.bytes_read),
    });
    if snapshot.counts.failed > 0 {
        parts.push(format!("{} rejected", text::count(snapshot.counts.failed)));
    }
    if let Some(eta) = snapshot.eta() {
        parts.push(format!("{} left", text::duration(eta)));
    }
    parts.join(", ")
}
