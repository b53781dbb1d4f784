//! A run in the few words of a table, with what was known of it before. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::asking::{Key, News};
use super::seen::RunSeen;
use crate::command::history::narrow;
use crate::report::text;
use crate::shown::Line;

/// As many as a wide terminal can draw.
const RATES_MAX: usize = 200;

#[derive(Clone, Debug)]
pub struct Row {
    pub key: Key,
    /// As the ledger has it, of a run that was found there.
    pub pipeline_id: Option<String>,
    pub seen: Option<RunSeen>,
    /// As it came, of the last answer.
    pub document: Option<Arc<Value>>,
    /// Why there is no answer, or not any more.
    pub trouble: Option<String>,
    /// Its last rates, the latest last.
    pub rates: VecDeque<f64>,
    /// By the ledger it is on, but it serves no metrics.
    pub is_silent: bool,
}

/// What a state means to somebody who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Going,
    Waiting,
    Good,
    Bad,
    Unknown,
}

impl Row {
    pub fn new(key: Key) -> Row {
        let (pipeline_id, seen, document, trouble, rates) = Default::default();
        Row { key, pipeline_id, seen, document, trouble, rates, is_silent: false }
    }

    pub fn name(&self) -> String {
        match (&self.seen, &self.pipeline_id) {
            (Some(seen), _) => seen.pipeline_id.clone(),
            (None, Some(pipeline_id)) => pipeline_id.clone(),
            (None, None) => Line(&self.key.0).to_string(),
        }
    }

    pub fn state(&self) -> (&str, Mood) {
        let Some(seen) = &self.seen else {
            return match self.trouble {
                Some(_) => ("no answer", Mood::Bad),
                None => ("asking", Mood::Unknown),
            };
        };
        match seen.outcome.as_deref() {
            Some("complete") => ("complete", Mood::Good),
            Some("interrupted" | "interrupted_hangup" | "terminated") => ("stopped", Mood::Waiting),
            Some("lost") => ("lost", Mood::Bad),
            Some(_) => ("failed", Mood::Bad),
            // It may have ended well, or its machine may be gone.
            None if self.trouble.is_some() && !self.is_silent => ("gone", Mood::Unknown),
            None => match seen.state.as_str() {
                "running" => ("running", Mood::Going),
                "error" => ("failed", Mood::Bad),
                other => (other, Mood::Waiting),
            },
        }
    }

    /// It can change yet.
    pub fn is_on(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.outcome.is_none()) && self.state().0 != "gone"
    }

    pub fn sentence(&self) -> String {
        match (&self.trouble, &self.seen) {
            (Some(trouble), Some(seen)) if seen.outcome.is_none() => trouble.clone(),
            (_, Some(seen)) => seen.sentence.clone().unwrap_or_default(),
            (Some(trouble), None) => trouble.clone(),
            (None, None) => "asking".to_string(),
        }
    }

    /// `45 %`; 100 % is for what is durable to the last record.
    pub fn done(&self) -> String {
        let progress = self.seen.as_ref().and_then(|seen| seen.progress);
        progress.map(|ratio| format!("{} %", (ratio * 100.0).floor())).unwrap_or_default()
    }

    pub fn rate_number(&self) -> Option<f64> {
        let seen = self.seen.as_ref()?;
        match self.is_on() {
            true => seen.rate.or(seen.rate_average),
            false => seen.rate_average,
        }
    }

    pub fn rate(&self) -> String {
        self.rate_number().map(|rate| format!("{}/s", compact(rate))).unwrap_or_default()
    }

    pub fn left(&self) -> String {
        let left = self.seen.as_ref().and_then(|seen| seen.left).filter(|_| self.is_on());
        left.map(time).unwrap_or_default()
    }

    pub fn elapsed(&self) -> String {
        self.seen.as_ref().and_then(|seen| seen.elapsed).map(time).unwrap_or_default()
    }

    /// `convert 83 %`
    pub fn limit(&self) -> String {
        let limit = self.seen.as_ref().and_then(|seen| seen.limit.as_ref());
        limit.map(|(stage, share)| format!("{stage} {:.0} %", share * 100.0)).unwrap_or_default()
    }

    pub fn queue(&self) -> String {
        let queue = self.seen.as_ref().and_then(|seen| seen.queue).filter(|_| self.is_on());
        queue.map(|(depth, capacity)| format!("{depth}/{capacity}")).unwrap_or_default()
    }

    pub fn errors(&self) -> u64 {
        self.seen.as_ref().map_or(0, RunSeen::error_count)
    }

    pub fn rejected(&self) -> u64 {
        self.seen.as_ref().and_then(|seen| seen.records.failed).unwrap_or(0)
    }

    pub fn records(&self) -> String {
        let processed = self.seen.as_ref().and_then(|seen| seen.records.processed);
        processed.map(text::count).unwrap_or_default()
    }

    pub fn ends(&self) -> String {
        let ends = self.seen.as_ref().map(|seen| format!("{} → {}", seen.source, seen.sink));
        ends.unwrap_or_default()
    }

    fn see(&mut self, seen: RunSeen, document: Option<Arc<Value>>) {
        if self.seen.as_ref().is_some_and(|before| before.run_id != seen.run_id) {
            self.rates.clear();
        }
        if let Some(rate) = seen.rate {
            if self.rates.len() == RATES_MAX {
                self.rates.pop_front();
            }
            self.rates.push_back(rate);
        }
        self.seen = Some(seen);
        self.document = document;
        self.trouble = None;
        self.is_silent = false;
    }
}

/// All runs that are known of.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub all: Vec<Row>,
    /// The ledger cannot be read.
    pub trouble: Option<String>,
}

impl Rows {
    /// Of runs that are asked whether or not they are on.
    pub fn at(keys: impl IntoIterator<Item = Key>) -> Rows {
        let mut all: Vec<Row> = Vec::new();
        for key in keys {
            if all.iter().all(|row| row.key != key) {
                all.push(Row::new(key));
            }
        }
        Rows { all, trouble: None }
    }

    pub fn take(&mut self, news: News, now: f64) {
        match news {
            News::Lost(missing) => self.trouble = Some(missing),
            News::Answer(key, answer) => {
                let Some(row) = self.all.iter_mut().find(|row| row.key == key) else { return };
                match answer {
                    Ok((seen, document)) => row.see(*seen, Some(document)),
                    Err(trouble) => row.trouble = Some(Line(trouble).to_string()),
                }
            }
            News::Found(found) => {
                self.trouble = None;
                for run in &found {
                    let key = Key(run.row.run_id.clone());
                    let known = self.all.iter().position(|row| row.key == key);
                    let Some(index) = known else {
                        // Those that were over before anybody looked are history.
                        if run.is_on() {
                            let mut row = Row::new(key);
                            row.pipeline_id = Some(Line(&run.row.pipeline_id).to_string());
                            if run.url.is_none() {
                                row.see(RunSeen::of_row(&run.row, now), None);
                                row.silence();
                            }
                            let pipeline = &run.row.pipeline_id;
                            self.all.retain(|row| !row.is_over_of(pipeline));
                            self.all.push(row);
                        }
                        continue;
                    };
                    let row = &mut self.all[index];
                    if row.is_silent {
                        row.see(RunSeen::of_row(&run.row, now), None);
                        if run.is_on() {
                            row.silence();
                        }
                    } else if run.row.outcome.is_some() {
                        // Its last answer is from before its end, which the ledger has.
                        if row.seen.as_ref().is_none_or(|seen| seen.outcome.is_none()) {
                            row.see(RunSeen::of_row(&run.row, now), None);
                        }
                    }
                }
            }
        }
    }
}

impl Row {
    /// An ended run of this pipeline, in whose place a later one stands.
    fn is_over_of(&self, pipeline_id: &str) -> bool {
        self.seen.as_ref().is_some_and(|seen| {
            seen.outcome.is_some() && seen.pipeline_id == Line(pipeline_id).to_string()
        })
    }

    fn silence(&mut self) {
        self.is_silent = true;
        self.trouble = Some(
            "it serves no metrics, so this is from the ledger; --metrics-port shows more"
                .to_string(),
        );
    }
}

/// At most seven characters: `1,234`, `12.3k`, `1.23M`
pub fn compact(number: f64) -> String {
    let (value, unit) = match number {
        n if n < 9_999.5 => return text::count(n.round().max(0.0) as u64),
        n if n < 999_950.0 => (n / 1e3, "k"),
        n if n < 999_950_000.0 => (n / 1e6, "M"),
        n if n < 999_950_000_000.0 => (n / 1e9, "G"),
        n => return format!("{n:.0e}"),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}{unit}")
}

/// `850ms`, `3.4s`, `2m05s`, `3h20m`, `12d`
pub fn time(seconds: f64) -> String {
    match seconds < TIME_MAX {
        true => narrow(seconds),
        false => "∞".to_string(),
    }
}

/// Nobody waits for so many seconds.
const TIME_MAX: f64 = 1e9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (999.6, "1,000"),
            (9_999.4, "9,999"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (1_234_567.0, "1.23M"),
            (5.0e9, "5.00G"),
            (1e30, "1e30"),
        ] {
            assert_eq!(compact(number), expected);
        }
    }
}
