//! How far a run is, while it runs: a bar on a terminal, a log line now and then elsewhere.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::standard_error::standard_error;
use crate::event::RunState;
use crate::observe::Stats;
use crate::report::{LastSign, RunNumbers, per_second, text};

/// Often enough to look alive.
const BAR_EVERY: Duration = Duration::from_millis(100);
/// Rare enough for a log that is kept.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A bar tells the rate of these last seconds, a line that since the line before.
const BAR_RATE_OF: Duration = Duration::from_secs(5);

/// Records a second over the last while, which an average over the whole run would hide.
struct RecentRate {
    over: Duration,
    /// When how many were settled, oldest first: one that is older than `over`, and what came since.
    seen: VecDeque<(Duration, u64)>,
}

impl RecentRate {
    fn new(over: Duration) -> RecentRate {
        RecentRate { over, seen: VecDeque::from([(Duration::ZERO, 0)]) }
    }

    fn next(&mut self, at: Duration, settled: u64) -> f64 {
        self.seen.push_back((at, settled));
        while self.seen.get(1).is_some_and(|(second, _)| *second + self.over <= at) {
            self.seen.pop_front();
        }
        let (since, before) = self.seen[0];
        per_second(settled.saturating_sub(before), at.saturating_sub(since))
    }
}

/// Kinds of the two ends, as in `--source-type` and `--sink-type`.
#[derive(Clone, Copy, Debug)]
pub struct EndNames {
    pub source: &'static str,
    pub sink: &'static str,
    /// Standard input or a pipe is read: a run begins when somebody writes to it.
    pub reads_pipe: bool,
}

/// A thread of its own that reads numbers. Dropping it ends it.
pub struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub fn start(stats: Arc<Stats>, is_terminal: bool, ends: EndNames) -> Progress {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::Builder::new().name("progress".to_string()).spawn(move || {
            let bar = is_terminal.then(|| {
                let target = ProgressDrawTarget::term_like(Box::new(BottomLine::default()));
                ProgressBar::with_draw_target(Some(STEPS), target)
            });
            let every = if is_terminal { BAR_EVERY } else { LINE_EVERY };
            let mut recent = RecentRate::new(if is_terminal { BAR_RATE_OF } else { LINE_EVERY });
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let numbers = stats.numbers();
                let rate = recent.next(numbers.elapsed, numbers.counts.processed());
                match &bar {
                    Some(bar) => draw(bar, &numbers, rate, ends),
                    None => tracing::info!(
                        event = "progress",
                        records = numbers.counts.processed(),
                        records_per_second = rate as u64,
                        "{}",
                        line(&numbers, rate, ends)
                    ),
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

/// Where a terminal does not say how wide it is, or standard error is none.
const WIDTH: u16 = 80;

/// Of what stands on standard error.
pub fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    usize::from(size.map(|size| size.ws_col).ok().filter(|width| *width > 0).unwrap_or(WIDTH))
}

impl TermLike for BottomLine {
    fn width(&self) -> u16 {
        terminal_width() as u16
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
        let width = terminal_width().saturating_sub(1);
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
/// The bar itself, and the space behind it.
const BAR_WIDTH: usize = 11;

/// A bar where the end is known, else something that turns.
fn style(is_end_known: bool) -> ProgressStyle {
    let template = if is_end_known { "{bar:10} {msg}" } else { "{spinner} {msg}" };
    ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

fn draw(bar: &ProgressBar, numbers: &RunNumbers, rate: f64, ends: EndNames) {
    let progress = numbers.progress();
    bar.set_style(style(progress.is_some()));
    match progress {
        Some(progress) => bar.set_position((progress * STEPS as f64) as u64),
        None => bar.tick(),
    }
    let width = terminal_width().saturating_sub(1);
    bar.set_message(fitting(numbers, rate, ends, width.saturating_sub(BAR_WIDTH)));
}

/// `45 %, 2,345,678 records, 1,200,000/s, 340 MB of 766 MB, 3.1 s left`, or what a run that does not
/// move waits for.
fn line(numbers: &RunNumbers, rate: f64, ends: EndNames) -> String {
    parts(numbers, rate, ends).into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(", ")
}

/// The same, without what matters least where it does not fit.
fn fitting(numbers: &RunNumbers, rate: f64, ends: EndNames, width: usize) -> String {
    let mut parts = parts(numbers, rate, ends);
    loop {
        let line = parts.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(", ");
        let least = parts.iter().enumerate().max_by_key(|(_, (rank, _))| *rank);
        match least {
            Some((index, _)) if line.chars().count() > width && parts.len() > 1 => {
                parts.remove(index);
            }
            _ => return line,
        }
    }
}

/// Each with its rank: 0 matters most.
fn parts(numbers: &RunNumbers, rate: f64, ends: EndNames) -> Vec<(u8, String)> {
    let silence = numbers.silence();
    let is_failing = silence.is_some_and(|silence| silence.sign != LastSign::Moved);
    if numbers.state == RunState::Starting && !is_failing {
        let EndNames { source, sink, reads_pipe } = ends;
        let lasted = text::duration(Duration::from_secs(numbers.quiet.as_secs()));
        return vec![match reads_pipe {
            true => (0, format!("waiting for the first records of the input for {lasted}")),
            false => (0, format!("opening {source} and {sink} for {lasted}")),
        }];
    }
    let mut parts = Vec::new();
    if let Some(progress) = numbers.progress() {
        // 100 % is for what is durable to the last record.
        parts.push((1, format!("{} %", (progress * 100.0).floor())));
    }
    parts.push((2, text::counted(numbers.counts.processed(), "record")));
    if silence.is_none() {
        parts.push((4, format!("{}/s", text::counted(rate as u64, "record"))));
    }
    parts.push((
        5,
        match numbers.stored_expected {
            Some(expected) => {
                format!("{} of {}", text::bytes(numbers.stored_durable()), text::bytes(expected))
            }
            None => text::bytes(numbers.bytes_read),
        },
    ));
    if numbers.counts.failed > 0 {
        parts.push((3, format!("{} rejected", text::count(numbers.counts.failed))));
    }
    if let Some(silence) = silence {
        parts.push((0, silence.sentence(ends.source, ends.sink)));
    } else if let Some(eta) = numbers.eta() {
        parts.push((1, format!("{} left", text::duration(eta))));
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Event, Expected, Observer, Vitals};
    use crate::record::{Counts, Flush, Interval};

    const ENDS: EndNames = EndNames { source: "csv", sink: "mysql", reads_pipe: false };
    const SECOND: Duration = Duration::from_secs(1);

    fn fetched(records: u64, bytes: u64) -> Event {
        let flush = Flush::Records;
        Event::Fetched { records, bytes, stored_position: bytes, took: SECOND, flush }
    }

    fn settled(inserted: u64, bytes: u64) -> Event {
        let counts = Counts { inserted, ..Counts::default() };
        Event::Settled {
            interval: Interval::bytes(0, 0, bytes),
            counts,
            bytes,
            bytes_written: 0,
            insert: SECOND,
            batch: SECOND,
        }
    }

    /// Half an hour into a run that has read all of its 766 MB.
    fn numbers(inserted: u64, bytes: u64) -> RunNumbers {
        let stats = Stats::new(Arc::new(Vitals::default()));
        let expected = Expected { records: None, stored_bytes: Some(766_000_000) };
        stats.notice(&Event::Entered(RunState::Running));
        stats.notice(&Event::Opened(expected));
        stats.notice(&fetched(1_234_567_890, 766_000_000));
        stats.notice(&settled(inserted, bytes));
        RunNumbers { elapsed: 1800 * SECOND, quiet: Duration::ZERO, ..stats.numbers() }
    }

    #[test]
    fn progress_is_what_is_durable() {
        let line = |inserted, bytes| {
            let numbers = numbers(inserted, bytes);
            line(&numbers, numbers.rate(), ENDS)
        };
        assert_eq!(line(0, 0), "0 %, 0 records, 0 records/s, 0 B of 766 MB");
        assert_eq!(
            line(617_283_945, 383_000_000),
            "50 %, 617,283,945 records, 342,935 records/s, 383 MB of 766 MB, 30 m 00 s left"
        );
        // All but a few, which take no time that is worth telling.
        let last = line(1_234_567_000, 765_999_000);
        assert!(last.starts_with("99 %, ") && !last.contains("left"), "{last}");
        assert!(line(1_234_567_890, 766_000_000).ends_with(" 766 MB of 766 MB"));
    }

    #[test]
    fn the_rate_is_that_of_the_last_while() {
        let mut recent = RecentRate::new(10 * SECOND);
        for (at, settled, rate) in [
            (10, 1_000, 100.0),
            (20, 1_000, 0.0),
            (30, 1_500, 50.0),
            (34, 1_900, 64.28571428571429),
            (40, 1_900, 40.0),
        ] {
            assert_eq!(recent.next(at * SECOND, settled), rate, "{at} s");
        }
    }

    #[test]
    fn a_run_that_does_not_move_has_no_rate_and_no_end() {
        let numbers = RunNumbers { quiet: 40 * SECOND, ..numbers(617_283_945, 383_000_000) };
        assert_eq!(
            line(&numbers, 1.0, ENDS),
            "50 %, 617,283,945 records, 383 MB of 766 MB, no answer from mysql for 40.0 s"
        );
        assert_eq!(numbers.eta(), None);
        let opening = RunNumbers { state: RunState::Starting, ..numbers };
        assert_eq!(line(&opening, 0.0, ENDS), "opening csv and mysql for 40.0 s");
        let ends = EndNames { reads_pipe: true, ..ENDS };
        let waiting = line(&opening, 0.0, ends);
        assert_eq!(waiting, "waiting for the first records of the input for 40.0 s");
    }

    #[test]
    fn what_matters_least_is_left_out_where_it_does_not_fit() {
        let numbers = numbers(617_283_945, 383_000_000);
        for (width, expected) in [
            (90, "50 %, 617,283,945 records, 342,935 records/s, 383 MB of 766 MB, 30 m 00 s left"),
            (68, "50 %, 617,283,945 records, 342,935 records/s, 30 m 00 s left"),
            (19, "50 %"),
        ] {
            let line = fitting(&numbers, numbers.rate(), ENDS, width);
            assert!(line.chars().count() <= width, "{line}");
            assert_eq!(line, expected);
        }
    }
}
