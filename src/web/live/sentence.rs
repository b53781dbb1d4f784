//! A run in one sentence: how long, how far, and what holds it back. Pure.

use std::time::Duration;

use crate::event::{RunIdentity, RunState, Stage, Wait};
use crate::outcome::Outcome;
use crate::report::{Bottleneck, LastSign, RunNumbers, bottleneck, text};

/// `running for 3 min 05 s; 41 %, about 4 min left; waiting for MySQL 83 % of the time`
pub fn sentence(run: &RunNumbers, identity: &RunIdentity) -> String {
    match run.outcome {
        Some(outcome) => ended(run, outcome),
        None => going_on(run, identity),
    }
}

fn ended(run: &RunNumbers, outcome: Outcome) -> String {
    let took = spoken(run.elapsed);
    let counts = &run.counts;
    let written = text::counted(counts.inserted + counts.updated, "record");
    let mut sentence = match outcome {
        Outcome::Complete => format!("complete in {took}; {written} written"),
        Outcome::Interrupted(signal) => {
            format!("stopped by {} after {took}; {written} written", signal.name())
        }
        _ => format!("failed after {took}; {written} written"),
    };
    if counts.failed > 0 {
        sentence += &format!(", {} rejected", text::count(counts.failed));
    }
    sentence
}

fn going_on(run: &RunNumbers, identity: &RunIdentity) -> String {
    let lasted = spoken(run.elapsed);
    let is_opening = run.state == RunState::Starting;
    // Which of the two ends is waited for while they are opened is known only of one that is tried again.
    let silence = run.silence().filter(|it| !is_opening || it.sign != LastSign::Moved);
    let silence = silence.map(|silence| silence.sentence(identity.source, identity.sink));
    let mut parts = vec![match run.state {
        RunState::Starting => {
            format!("opening {} and {} for {lasted}", identity.source, identity.sink)
        }
        RunState::Draining => format!("finishing what is under way, after {lasted}"),
        _ => format!("running for {lasted}"),
    }];
    if let Some(progress) = run.progress() {
        // 100 % is for what is durable to the last record.
        let percent = (progress * 100.0).floor();
        match run.eta() {
            Some(left) => parts.push(format!("{percent} %, about {} left", rough(left))),
            None => parts.push(format!("{percent} %")),
        }
    }
    if let Some(silence) = silence {
        parts.push(silence);
    } else if let Some(limit) = bottleneck(run) {
        parts.push(held_back(limit, identity));
    }
    parts.join("; ")
}

/// Who is waited for, where it is somebody else; what is busy, where it is us.
fn held_back(limit: Bottleneck, identity: &RunIdentity) -> String {
    if let Some(held_back) = limit.held_back {
        let percent = (held_back.share * 100.0).round();
        return match held_back.by {
            Wait::Throttle => format!("held back by its settings {percent} % of the time"),
            Wait::Retry => format!("waiting to try again {percent} % of the time"),
            other => format!("waiting for a {} {percent} % of the time", other.as_str()),
        };
    }
    let percent = (limit.busy_share * 100.0).round();
    match (limit.stage, identity.source, identity.sink) {
        (Stage::Fetch, "elasticsearch", _) => {
            format!("waiting for Elasticsearch {percent} % of the time")
        }
        (Stage::Insert, _, "mysql") => format!("waiting for MySQL {percent} % of the time"),
        (Stage::Fetch, ..) => format!("the reader is the limit, {percent} % busy"),
        (Stage::Convert, ..) => format!("the workers are the limit, {percent} % busy"),
        (Stage::Insert, ..) => format!("the output is the limit, {percent} % busy"),
    }
}

/// `3 s`, `3 min 05 s`, `2 h 10 min`
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 if time.as_secs_f64() < 9.95 => format!("{:.1} s", time.as_secs_f64()),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// As exact as a guess is: `5 s`, `40 s`, `4 min`, `2 h 10 min`
pub fn rough(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil().max(1.0) as u64;
    match seconds {
        0..10 => format!("{seconds} s"),
        10..90 => format!("{} s", seconds.div_ceil(5) * 5),
        90..3600 => format!("{} min", (seconds + 30) / 60),
        _ => {
            let minutes = (seconds + 300) / 600 * 10;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::tests::metrics;

    #[test]
    fn a_run_that_is_not_open_is_opening_however_long_it_is_silent() {
        let (_, metrics) = metrics();
        let lasted = Duration::from_secs(42);
        let said = |state, last_sign| {
            let run = RunNumbers {
                state,
                last_sign,
                elapsed: lasted,
                quiet: lasted,
                ..RunNumbers::default()
            };
            sentence(&run, metrics.identity())
        };
        use LastSign::{Moved, Retrying};
        for (state, sign, expected) in [
            (RunState::Starting, Moved, "opening csv and file for 42 s"),
            (
                RunState::Starting,
                Retrying(Stage::Fetch),
                "opening csv and file for 42 s; nothing new to read for 42.0 s, trying again",
            ),
            (RunState::Running, Moved, "running for 42 s; nothing new to read for 42.0 s"),
        ] {
            assert_eq!(said(state, sign), expected);
        }
    }

    #[test]
    fn times_are_as_exact_as_they_are_known() {
        for (millis, exact, guess) in [
            (0, "0.0 s", "1 s"),
            (3_400, "3.4 s", "4 s"),
            (9_970, "9 s", "10 s"),
            (59_900, "59 s", "60 s"),
            (185_000, "3 min 05 s", "3 min"),
            (3_599_000, "59 min 59 s", "60 min"),
            (7_700_000, "2 h 08 min", "2 h 10 min"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!((spoken(time).as_str(), rough(time).as_str()), (exact, guess), "{millis}");
        }
    }
}
