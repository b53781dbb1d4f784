//! Everything a scrape can show, taken at one moment, and the samples made of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::event::{RunIdentity, Vitals};
use crate::ledger::PipelineHistory;
use crate::observe::connections::ConnectionCounts;
use crate::observe::process::Process;
use crate::outcome::Outcome;
use crate::report::{Latencies, RunNumbers, Sizes};

/// The revision this was built from, where `build.rs` could tell.
pub const REVISION: &str = match option_env!("FLOWGAUGE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// One moment of a run, as its `Reading` has it.
#[derive(Debug)]
pub struct Scrape<'a> {
    pub run: &'a RunNumbers,
    pub vitals: &'a Vitals,
    pub identity: &'a RunIdentity,
    pub connections: &'a ConnectionCounts,
    pub process: &'a Process,
    pub started_at: SystemTime,
    pub ended_at: Option<SystemTime>,
    /// The runs of the pipeline before this one, where they are known.
    pub past: Option<&'a PipelineHistory>,
}

impl Scrape<'_> {
    /// The run is the pipeline's last one from its end on, unless it found another one at work.
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.run.outcome.filter(|outcome| *outcome != Outcome::Locked)
    }
}

/// One series: the values of its metric's labels in their order, and what it shows.
#[derive(Debug)]
pub struct Sample<'a> {
    pub labels: Vec<&'a str>,
    pub value: SampleValue<'a>,
}

#[derive(Debug)]
pub enum SampleValue<'a> {
    Number(f64),
    Latencies(&'a Latencies),
    Sizes(&'a Sizes),
    Quantiles(&'a Latencies),
}

pub fn sample<'a>(labels: &[&'a str], number: impl Number) -> Sample<'a> {
    Sample { labels: labels.to_vec(), value: SampleValue::Number(number.number()) }
}

/// The one series of a metric without labels.
pub fn one<'a>(number: impl Number) -> Vec<Sample<'a>> {
    vec![sample(&[], number)]
}

/// The one series of a metric without labels, absent while its value is unknown.
pub fn maybe<'a>(number: Option<impl Number>) -> Vec<Sample<'a>> {
    number.map(one).unwrap_or_default()
}

pub fn latencies(latencies: &Latencies) -> Vec<Sample<'_>> {
    vec![Sample { labels: Vec::new(), value: SampleValue::Latencies(latencies) }]
}

/// One series of a histogram with labels.
pub fn distribution<'a>(labels: &[&'a str], latencies: &'a Latencies) -> Sample<'a> {
    Sample { labels: labels.to_vec(), value: SampleValue::Latencies(latencies) }
}

pub fn sizes(sizes: &Sizes) -> Vec<Sample<'_>> {
    vec![Sample { labels: Vec::new(), value: SampleValue::Sizes(sizes) }]
}

pub fn quantiles<'a>(label: &'a str, latencies: &'a Latencies) -> Sample<'a> {
    Sample { labels: vec![label], value: SampleValue::Quantiles(latencies) }
}

/// What can stand behind a series: counts as they are, times in seconds.
pub trait Number {
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for u64 {
    fn number(self) -> f64 {
        self as f64
    }
}

impl Number for bool {
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

impl Number for Duration {
    fn number(self) -> f64 {
        self.as_secs_f64()
    }
}

impl Number for SystemTime {
    /// Seconds since the epoch; a clock that stands before it counts as standing on it.
    fn number(self) -> f64 {
        self.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}
