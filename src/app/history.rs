//! The row of a run in the ledger: who it is, as its settings say it, and what is said where it is missing.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::complain_at_end;
use super::keep_apart::lone;
use crate::config::{Settings, SinkSettings};
use crate::error::{Error, Kind};
use crate::export::left;
use crate::ledger::{BegunRun, FLAG, GiveUp, Ledger, Missing, Past, PipelineHistory, RunRow};
use crate::observe::Stats;
use crate::outcome::Outcome;
use crate::pipeline::{Minimum, Shrink, Stop};
use crate::record::ErrorType;
use crate::report::{LEDGER_ROUTE, Report, RouteReport};
use crate::secret::by_name;
use crate::sink::mysql::Mode;

/// What is known of runs before this one is known when its row is there.
pub const PAST_MAX: Duration = Duration::from_millis(500);

/// The history of a run that is on.
#[derive(Default)]
pub enum History {
    /// None is wanted.
    #[default]
    Off,
    Kept(Ledger),
    /// There is no place for it, or it would be another file of the run.
    Nowhere(Missing),
}

impl History {
    /// `is_apart` where the files of the run are known not to meet.
    pub fn begin(
        settings: &Settings,
        stats: &Arc<Stats>,
        past: &Arc<Past>,
        is_apart: bool,
        metrics_url: Option<String>,
    ) -> History {
        let history = History::begun(settings, stats, past, is_apart, metrics_url);
        if !matches!(history, History::Kept(_)) {
            past.settle();
        }
        history
    }

    fn begun(
        settings: &Settings,
        stats: &Arc<Stats>,
        past: &Arc<Past>,
        is_apart: bool,
        metrics_url: Option<String>,
    ) -> History {
        let ledger = &settings.ledger;
        let Some(path) = &ledger.path else {
            return match ledger.is_off {
                true => History::Off,
                false => History::Nowhere(Missing::because(
                    "there is no place for it, because HOME is not set; set --state-dir or --ledger",
                )),
            };
        };
        if !is_apart && lone(settings, FLAG).is_none() {
            return History::Nowhere(Missing::because("its file is another one of this run"));
        }
        let numbers = Arc::clone(stats);
        let past = Arc::clone(past);
        let run = BegunRun { metrics_url, ..begun(settings, stats) };
        let observer = Arc::clone(stats) as _;
        History::Kept(Ledger::begin(path, run, move || numbers.numbers(), past, observer))
    }

    /// Whether the run has its row with its end, where one is wanted. What is missing is said in one line.
    pub fn end(&mut self, report: &Report, give_up: impl GiveUp) -> Option<RouteReport> {
        let (aim, ended) = match self {
            History::Off => return None,
            History::Nowhere(missing) => (String::new(), Err(missing.clone())),
            History::Kept(ledger) => {
                (ledger.path().display().to_string(), ledger.end(report, give_up))
            }
        };
        let reason = ended.err().map(|missing| missing.to_string());
        if let Some(reason) = &reason {
            let said = format!("ledger: incomplete: {reason}");
            match report.requires_ledger {
                true => complain_at_end(None, &Error::config(said), report.outcome.unreported()),
                false => tracing::warn!("{said}"),
            }
        }
        Some(RouteReport { route: LEDGER_ROUTE, aim, reason })
    }

    /// Who else was told, and with what the program is about to end. What is missing of that is not worth a
    /// line.
    pub fn told(&self, reports: &[RouteReport], exit: Outcome, give_up: impl GiveUp) {
        if let History::Kept(ledger) = self
            && let Err(missing) = ledger.told(reports, exit, give_up)
        {
            tracing::debug!("ledger: {missing}");
        }
    }

    /// Nothing more is said.
    pub fn close(self, exit: Outcome) {
        if let History::Kept(ledger) = self {
            ledger.close(exit);
        }
    }
}

/// What a few rows may take even where a signal wants no more waiting.
const STOPPED_MAX: Duration = Duration::from_millis(200);

/// After a signal the ledger shares the time of all that is told; a second one ends it.
pub fn ledger_give_up(stop: &Stop, drain_max: Duration) -> impl GiveUp {
    move |elapsed| {
        let is_over = || left(Duration::MAX, stop.since_signal(), drain_max).is_zero();
        (elapsed >= STOPPED_MAX && (stop.signal_count() > 1 || is_over()))
            .then_some("a signal came before it was written")
    }
}

/// How few records a run may have, with what the last complete one had, where it is compared with that.
pub fn minimum_against(settings: &Settings, past: &PipelineHistory) -> Minimum {
    let before = past.last_complete.as_ref().and_then(RunRow::taken);
    let shrink = settings.max_shrink.zip(before);
    let shrink = shrink.map(|(percent, before)| Shrink { percent, before });
    Minimum { shrink, ..settings.minimum }
}

pub fn cannot_compare() -> Error {
    let message = "--max-shrink compares with the last complete run, and the ledger cannot be read";
    Error::new(Kind::LocalIo, ErrorType::Disk, message)
        .help("nothing was read; see 'flowgauge runs check', or leave the option out")
}

fn begun(settings: &Settings, stats: &Stats) -> BegunRun {
    let started = stats.started_at().duration_since(UNIX_EPOCH).unwrap_or_default();
    let shown = by_name(&serde_json::json!(settings.shown).to_string());
    BegunRun {
        run_id: settings.run_id.clone(),
        pipeline_id: settings.pipeline_id.clone(),
        started_at: started.as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        source: settings.source.kind().0.to_string(),
        sink: settings.sink.kind().0.to_string(),
        source_name: settings.source_words.clone(),
        target: target(settings),
        mode: mode(settings).map(|mode| mode.as_str().to_string()),
        fingerprint: fingerprint(&shown),
        settings: shown,
        expected_interval: settings.metrics.expected_interval,
        metrics_url: None,
        trace_id: settings.export.otel.trace.as_ref().map(|trace| trace.trace.to_string()),
        keep: settings.ledger.keep,
    }
}

fn target(settings: &Settings) -> Option<String> {
    match &settings.sink {
        SinkSettings::File(file) => file.path.as_ref().map(|path| path.display().to_string()),
        SinkSettings::Mysql(mysql) => Some(mysql.full_table().to_string()),
    }
}

fn mode(settings: &Settings) -> Option<Mode> {
    match &settings.sink {
        SinkSettings::File(_) => None,
        SinkSettings::Mysql(mysql) => mysql.mode,
    }
}

/// FNV-1a, which stays the same from version to version.
fn fingerprint(settings: &str) -> String {
    let hash = settings.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Signal;

    #[test]
    fn a_second_signal_ends_the_wait_for_the_ledger() {
        let (now, later) = (STOPPED_MAX / 2, 2 * STOPPED_MAX);
        for (signals, elapsed, is_over) in
            [(0, later, false), (1, later, false), (2, now, false), (2, later, true)]
        {
            let stop = Stop::default();
            for _ in 0..signals {
                stop.signal(Signal::Terminate);
            }
            let give_up = ledger_give_up(&stop, Duration::from_secs(20));
            assert_eq!(give_up(elapsed).is_some(), is_over, "{signals} signals, {elapsed:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_version() {
        assert_eq!(fingerprint("a"), "af63dc4c8601ec8c");
    }
}
