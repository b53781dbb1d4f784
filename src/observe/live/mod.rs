//! A run as people see it while it is on: a sampler reads its numbers every second, and what it read is
//! shown to all who look.
//!
//! `view` is one reading in the words of people, `series` what was read before. Nothing is made for nobody: a
//! run without a metrics port has none of this.

mod sentence;
mod series;
pub mod view;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use self::series::{Sample, TimeSeries};
use self::view::View;
use crate::observe::metrics::Metrics;
use crate::observe::reading::Reading;

/// More often nobody can read.
const SAMPLE_EVERY_MAX: Duration = Duration::from_secs(1);

/// Readings that `/metrics` can still be asked for by their number.
const READINGS_KEPT: usize = 8;

pub struct Live {
    metrics: Arc<Metrics>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    series: TimeSeries,
    /// The last ones, the latest last.
    readings: VecDeque<Arc<Reading>>,
}

impl Live {
    pub fn new(metrics: Arc<Metrics>) -> Live {
        Live { metrics, seen: Mutex::default() }
    }

    /// Reads the numbers until the run has ended, and then once more.
    pub async fn sample(&self) {
        let mut last = self.metrics.last();
        loop {
            let reading = self.metrics.reading();
            self.see(&reading);
            if reading.is_final {
                return;
            }
            let step = self.seen().series.step().min(SAMPLE_EVERY_MAX);
            // Its sender is ours, so that the only news is the end.
            let _ = timeout(step, last.changed()).await;
        }
    }

    fn see(&self, reading: &Arc<Reading>) {
        let mut seen = self.seen();
        let sample = Sample::of(reading);
        match reading.is_final {
            true => seen.series.end(sample),
            false => seen.series.add(sample),
        }
        if seen.readings.len() == READINGS_KEPT {
            seen.readings.pop_front();
        }
        seen.readings.push_back(Arc::clone(reading));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reading of this number, as long as it is kept.
    pub fn kept(&self, number: u64) -> Option<Arc<Reading>> {
        let last = self.metrics.last().borrow().clone();
        let seen = self.seen();
        let mut kept = seen.readings.iter().cloned().chain(last);
        kept.find(|reading| reading.number == number)
    }

    pub fn view(&self, reading: &Reading) -> View {
        View::of(reading, self.seen().series.rate())
    }
}
