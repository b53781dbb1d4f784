//! How a run went so far: samples of its whole time, in bounded memory. When they are as many as are kept,
//! every second one is left out, and from then on samples are kept half as often. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Stage;
use crate::observe::reading::Reading;
use crate::report::per_second;

/// As many as a plot has pixels to show.
pub const SAMPLES_MAX: usize = 480;

/// So that a run of some seconds has something to show, too.
const FIRST_STEP: Duration = Duration::from_millis(250);

/// Timers are early or late by a little.
const EARLY_MAX: Duration = Duration::from_millis(100);

/// What "now" means for a rate.
const RECENT: Duration = Duration::from_secs(5);

/// Counters are totals since the start, so that nothing is lost where samples are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub at: Duration,
    pub read: u64,
    pub processed: u64,
    pub written: u64,
    pub errors: u64,
    pub retries: u64,
    pub insert_count: u64,
    pub insert_sum: Duration,
    pub busy: [Duration; 3],
    pub cpu_seconds: f64,
    pub queue_depth: u64,
    pub memory_used_bytes: u64,
}

impl Sample {
    pub fn of(reading: &Reading) -> Sample {
        let run = &reading.run;
        let sum = |counts: &[(Stage, crate::record::ErrorType, u64)]| {
            counts.iter().map(|(_, _, count)| count).sum()
        };
        Sample {
            at: run.elapsed,
            read: run.records_read,
            processed: run.counts.processed(),
            written: run.counts.inserted + run.counts.updated,
            errors: sum(&run.errors),
            retries: sum(&run.retries),
            insert_count: run.insert.count,
            insert_sum: run.insert.sum,
            busy: Stage::ALL.map(|stage| run.stage(stage).busy),
            cpu_seconds: reading.process.cpu_seconds.unwrap_or_default(),
            queue_depth: reading.vitals.queue_depth.get(),
            memory_used_bytes: reading.vitals.memory_used_bytes.get(),
        }
    }
}

#[derive(Debug)]
pub struct TimeSeries {
    step: Duration,
    samples: Vec<Sample>,
    /// The last seconds, all of them.
    recent: VecDeque<Sample>,
}

impl Default for TimeSeries {
    fn default() -> TimeSeries {
        let recent = VecDeque::from([Sample::default()]);
        TimeSeries { step: FIRST_STEP, samples: Vec::new(), recent }
    }
}

impl TimeSeries {
    /// How long until the next sample is worth taking.
    pub fn step(&self) -> Duration {
        self.step
    }

    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What came behind the last of the samples, which may be minutes ago: the first and the last of the last seconds.
    pub fn latest(&self) -> impl Iterator<Item = &Sample> {
        let after = self.samples.last().map(|last| last.at);
        let ends = [self.recent.front(), self.recent.back()].into_iter().flatten();
        ends.filter(move |sample| after.is_none_or(|after| sample.at > after))
    }

    pub fn add(&mut self, sample: Sample) {
        // Two who read at a time may come the other way round.
        if self.recent.back().is_some_and(|last| sample.at < last.at) {
            return;
        }
        self.recent.push_back(sample);
        while self.recent.get(1).is_some_and(|second| second.at + RECENT <= sample.at) {
            self.recent.pop_front();
        }
        let is_due = |last: &Sample| sample.at + EARLY_MAX >= last.at + self.step;
        if self.samples.last().is_none_or(is_due) {
            self.samples.push(sample);
        }
        if self.samples.len() >= SAMPLES_MAX {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.step *= 2;
        }
    }

    /// The end is shown where it is, whatever the step.
    pub fn end(&mut self, sample: Sample) {
        if self.samples.last() != Some(&sample) {
            self.samples.push(sample);
        }
    }

    /// None before there is anything to divide by.
    pub fn rates(&self) -> Option<Rates> {
        let (before, now) = (self.recent.front()?, self.recent.back()?);
        let time = now.at.checked_sub(before.at).filter(|time| !time.is_zero())?;
        let rate = |now: u64, before: u64| per_second(now.saturating_sub(before), time);
        Some(Rates {
            read: rate(now.read, before.read),
            processed: rate(now.processed, before.processed),
            written: rate(now.written, before.written),
        })
    }
}

/// Records a second over the last seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    pub read: f64,
    pub processed: f64,
    pub written: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_for(samples: u32) -> TimeSeries {
        let mut series = TimeSeries::default();
        for number in 0..samples {
            let at = FIRST_STEP * number;
            series.add(Sample { at, processed: 10 * u64::from(number), ..Sample::default() });
        }
        series
    }

    #[test]
    fn a_long_run_has_no_more_samples_than_a_short_one_and_they_are_evenly_apart() {
        for samples in [1, 479, 480, 10_000, 100_000] {
            let series = run_for(samples);
            let kept = series.samples();
            assert!(kept.len() <= SAMPLES_MAX, "{samples}");
            assert!(samples < 480 || kept.len() >= SAMPLES_MAX / 2, "{samples}");
            let is_even = |pair: &[Sample]| pair[1].at - pair[0].at == series.step();
            assert!(kept.windows(2).all(is_even), "{samples}");
            assert_eq!(kept[0].at, Duration::ZERO);
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        assert_eq!(run_for(1).rates(), None);
        assert_eq!(run_for(9).rates().unwrap().processed, 40.0);
        let mut series = run_for(1_000);
        let at = FIRST_STEP * 1_040;
        series.add(Sample { at, processed: 9_990, ..Sample::default() });
        let rate = series.rates().unwrap().processed;
        assert!(rate < 10.0, "{rate}");
    }

    #[test]
    fn records_that_were_rejected_are_not_written() {
        let mut series = TimeSeries::default();
        let at = Duration::from_secs(2);
        series.add(Sample { at, read: 80, processed: 40, written: 30, ..Sample::default() });
        let rates = series.rates().unwrap();
        assert_eq!((rates.read, rates.processed, rates.written), (40.0, 20.0, 15.0));
    }

    /// In a run of a day a sample is kept every few minutes.
    #[test]
    fn the_latest_is_there_between_two_samples() {
        let mut series = run_for(100_000);
        let step = series.step();
        assert!(step > 8 * RECENT, "{step:?}");
        let last = *series.samples().last().unwrap();
        let mut at = last.at;
        while at + FIRST_STEP < last.at + step - EARLY_MAX {
            at += FIRST_STEP;
            series.add(Sample { at, processed: last.processed, ..Sample::default() });
        }
        assert_eq!(series.samples().last(), Some(&last));
        let latest: Vec<Duration> = series.latest().map(|sample| sample.at).collect();
        assert_eq!(latest, [at - RECENT, at]);
        assert_eq!(series.rates().unwrap().processed, 0.0);
        series.end(Sample { at, ..Sample::default() });
        assert_eq!(series.latest().count(), 0);
    }
}
