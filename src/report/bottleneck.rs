//! What the limit of a run was: the stage that the others waited for. Pure.
//!
//! How busy a stage was does not tell: on a machine that is full all of them wait for a processor, and
//! the busiest is another one in each run. What a stage waits for does: in front of the limit there is
//! no room, behind it there is no work.

use std::time::Duration;

use super::{Report, RunNumbers};
use crate::event::{Stage, Wait};

/// A stage, and what it did with its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck {
    pub stage: Stage,
    /// Between 0 and 1, of the time of the run.
    pub busy_share: f64,
    /// What it did not work for: a pace that somebody set, or another try after a failure.
    pub held_back: Option<HeldBack>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldBack {
    pub by: Wait,
    /// Between 0 and 1, of the time of the run.
    pub share: f64,
}

/// In less time, opening and closing are most of what a run does.
const WORTH_MIN: Duration = Duration::from_secs(1);

/// Of the whole run, by all threads of the stage; below it no stage was the limit.
const BUSY_SHARE_MIN: f64 = 0.2;

/// Of the whole run, from which on a wait that is none for another stage is the limit itself.
const HELD_BACK_MIN: f64 = 0.5;

/// Two stages that wait for each other about as long as this, in shares of the run, are equal.
const SAME_WAIT: f64 = 0.15;

/// Nor does it say more of two stages which one is busier by so little.
const SAME_SHARE: f64 = 0.2;

/// None when no stage had much to do, or nobody would want it faster.
pub fn bottleneck(numbers: &RunNumbers) -> Option<Bottleneck> {
    if numbers.elapsed < WORTH_MIN {
        return None;
    }
    if let Some((stage, held_back)) = held_back(numbers) {
        let busy_share = busy_share(numbers, stage).unwrap_or_default();
        return Some(Bottleneck { stage, busy_share, held_back: Some(held_back) });
    }
    let busy = |stage: Stage| numbers.stage(stage).busy.as_secs_f64();
    let found: Vec<Bottleneck> = not_waited_for(numbers)
        .iter()
        .filter_map(|&stage| {
            let busy_share = busy_share(numbers, stage)?;
            Some(Bottleneck { stage, busy_share, held_back: None })
        })
        .collect();
    let busiest = found.iter().map(|found| found.busy_share).fold(0.0, f64::max);
    // Of those that are about as busy it is the first one, in every run.
    found
        .into_iter()
        .find(|found| found.busy_share + SAME_SHARE >= busiest)
        // Who was idle most of the time waited for its input, or was over before it began.
        .filter(|found| busy(found.stage) >= numbers.elapsed.as_secs_f64() * BUSY_SHARE_MIN)
}

/// The time in which the threads of a stage worked, of the time of the run for each of them. One whole
/// for all stages: opening, waiting and what comes after its end are time in which a stage did not work.
pub fn busy_share(numbers: &RunNumbers, stage: Stage) -> Option<f64> {
    let busy = share(numbers, stage, numbers.stage(stage).busy)?;
    (busy > 0.0).then_some(busy)
}

fn share(numbers: &RunNumbers, stage: Stage, time: Duration) -> Option<f64> {
    let whole = numbers.elapsed.as_secs_f64() * numbers.threads[stage as usize] as f64;
    (whole > 0.0).then(|| (time.as_secs_f64() / whole).min(1.0))
}

fn held_back(numbers: &RunNumbers) -> Option<(Stage, HeldBack)> {
    // A pace is kept in front of all lanes, once and not by each.
    let throttled = numbers.stage(Stage::Insert).waited(Wait::Throttle).as_secs_f64();
    let throttled = (throttled / numbers.elapsed.as_secs_f64()).min(1.0);
    let throttled = (Stage::Insert, HeldBack { by: Wait::Throttle, share: throttled });
    let is_of_others = |wait: &Wait| !matches!(wait, Wait::Input | Wait::Output | Wait::Throttle);
    let of_others = Wait::ALL.into_iter().filter(is_of_others);
    let waited = of_others.flat_map(|by| Stage::ALL.map(|stage| (stage, by)));
    let waited = waited.filter_map(|(stage, by)| {
        let share = share(numbers, stage, numbers.stage(stage).waited(by))?;
        Some((stage, HeldBack { by, share }))
    });
    std::iter::once(throttled)
        .chain(waited)
        .filter(|(_, held_back)| held_back.share >= HELD_BACK_MIN)
        .max_by(|(_, one), (_, other)| one.share.total_cmp(&other.share))
}

/// The stages that remain when each pair of neighbours is asked which one kept the other waiting.
fn not_waited_for(numbers: &RunNumbers) -> &'static [Stage] {
    use Stage::{Convert, Fetch, Insert};
    let waited =
        |stage, wait| share(numbers, stage, numbers.stage(stage).waited(wait)).unwrap_or_default();
    // Lanes wait for each other, too, where their batches share keys: one that writes is enough.
    let written = numbers.stage(Insert).busy.as_secs_f64() / numbers.elapsed.as_secs_f64();
    let starved = waited(Insert, Wait::Input).min((1.0 - written).max(0.0));
    let reading = slower(waited(Fetch, Wait::Output), waited(Convert, Wait::Input));
    let writing = slower(waited(Convert, Wait::Output), starved);
    match (reading, writing) {
        (Slower::First, _) => &[Fetch],
        (_, Slower::Second) => &[Insert],
        (Slower::Second, Slower::First) => &[Convert],
        (Slower::Second, Slower::Neither) => &[Convert, Insert],
        (Slower::Neither, Slower::First) => &[Fetch, Convert],
        (Slower::Neither, Slower::Neither) => &Stage::ALL,
    }
}

enum Slower {
    First,
    Second,
    Neither,
}

/// Of two neighbours: how long the first waited for room, and the second for work.
fn slower(first_waited: f64, second_waited: f64) -> Slower {
    match first_waited - second_waited {
        difference if difference > SAME_WAIT => Slower::Second,
        difference if difference < -SAME_WAIT => Slower::First,
        _ => Slower::Neither,
    }
}

/// What is to be known before somebody is told to change something.
struct Advice<'a> {
    source: &'a str,
    sink: &'a str,
    reads_pipe: bool,
    /// Unknown where the kernel does not say.
    waits_for_storage: Option<bool>,
    has_idle_cores: bool,
    takes_more_lanes: bool,
}

/// Whether the reader slept for most of the time in which it was busy. A machine that is full, and what it
/// decompresses, keep it on its core, or waiting for one.
fn waits_for_storage(numbers: &RunNumbers) -> Option<bool> {
    let busy = numbers.stage(Stage::Fetch).busy;
    numbers.readers_on_core.map(|on_core| on_core < busy / 2)
}

impl Bottleneck {
    /// In the words of somebody who wants it faster, with what may be done about it.
    pub fn sentence(&self, report: &Report) -> String {
        let run = &report.run;
        let advice = Advice {
            source: report.source,
            sink: report.sink,
            reads_pipe: report.reads_pipe,
            waits_for_storage: waits_for_storage(run),
            has_idle_cores: report.has_idle_cores,
            takes_more_lanes: run.lanes_max > run.threads[Stage::Insert as usize],
        };
        self.words(&advice)
    }

    fn words(&self, of: &Advice) -> String {
        let percent = (self.busy_share * 100.0).round();
        if let Some(held_back) = self.held_back {
            let percent = (held_back.share * 100.0).round();
            return match (held_back.by, self.stage) {
                (Wait::Retry, Stage::Fetch) => {
                    format!("waiting to try again to read, {percent} % of the time")
                }
                (Wait::Retry, _) => {
                    format!("waiting to try again to write, {percent} % of the time")
                }
                (Wait::Lock, _) => {
                    format!("others hold locks on the rows or the table, {percent} % of the time")
                }
                _ => format!("writing is held back as it was asked for, {percent} % of the time"),
            };
        }
        match self.stage {
            Stage::Fetch => {
                let advice = match of.source {
                    "elasticsearch" => "; more --es-slices may help",
                    _ if of.reads_pipe => "; what writes to the pipe may be slow",
                    _ => match of.waits_for_storage {
                        Some(true) => "; faster storage may help",
                        Some(false) => " on its core",
                        None => "",
                    },
                };
                format!("reading, the reader {percent} % busy{advice}")
            }
            Stage::Convert if of.has_idle_cores => {
                format!("converting, the workers {percent} % busy; more --workers may help")
            }
            Stage::Convert => format!("converting, the workers {percent} % busy on all cores"),
            // Lanes that are mostly idle wait for each other's rows or for a server: more change nothing.
            Stage::Insert if of.sink == "mysql" && self.busy_share >= MORE_LANES_MIN => {
                match of.takes_more_lanes {
                    true => format!("writing, the lanes {percent} % busy; more --lanes may help"),
                    false => {
                        format!("writing, the lanes {percent} % busy; the table takes no more")
                    }
                }
            }
            Stage::Insert if of.sink == "mysql" => {
                format!("writing, the lanes {percent} % busy; the server is the limit")
            }
            Stage::Insert => format!("writing, {percent} % busy; the output is the limit"),
        }
    }
}

const MORE_LANES_MIN: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::StageTime;

    /// Of a run of ten seconds with one reader, two workers and a lane: what each stage worked, waited
    /// for work, and for room; in seconds.
    fn run(stages: [(f64, f64, f64); 3], threads: [u64; 3]) -> RunNumbers {
        let time = |(busy, input, output)| {
            let mut time =
                StageTime { busy: Duration::from_secs_f64(busy), ..StageTime::default() };
            time.waits[Wait::Input as usize] = Duration::from_secs_f64(input);
            time.waits[Wait::Output as usize] = Duration::from_secs_f64(output);
            time
        };
        let stages = stages.map(time);
        RunNumbers { elapsed: Duration::from_secs(10), stages, threads, ..RunNumbers::default() }
    }

    #[test]
    fn the_limit_is_whom_the_others_wait_for() {
        use Stage::{Convert, Fetch, Insert};
        for (fetch, convert, insert, lanes, limit) in [
            // A machine that is full, twice: the busiest stage differs, the limit does not.
            ((4.6, 0.0, 5.0), (8.2, 0.9, 9.0), (4.2, 5.7, 0.0), 1, Some(Convert)),
            ((2.9, 0.0, 7.0), (6.6, 2.0, 9.0), (3.0, 7.0, 0.0), 1, Some(Convert)),
            // A slow input, and a slow output.
            ((9.7, 0.0, 0.1), (2.0, 17.5, 0.2), (1.0, 8.9, 0.0), 1, Some(Fetch)),
            ((1.0, 0.0, 8.8), (3.0, 0.2, 16.5), (9.6, 0.2, 0.0), 1, Some(Insert)),
            // The reader was done before it had to wait; all that remains was converted for long.
            ((0.5, 0.0, 0.1), (19.0, 0.1, 0.1), (3.0, 6.5, 0.0), 1, Some(Convert)),
            // Lanes that wait for each other's rows: one of four writes at a time.
            ((1.0, 0.0, 8.8), (4.0, 0.2, 15.0), (9.8, 29.0, 0.0), 4, Some(Insert)),
            // Nobody had to wait for anybody, twice, and once one had.
            ((9.2, 0.0, 0.2), (18.0, 0.2, 0.1), (9.1, 0.1, 0.0), 1, Some(Fetch)),
            ((9.0, 0.0, 0.2), (19.0, 0.2, 0.1), (9.2, 0.1, 0.0), 1, Some(Fetch)),
            ((7.0, 0.0, 0.2), (19.0, 0.2, 0.1), (6.2, 0.1, 0.0), 1, Some(Convert)),
            // Nobody had anything to do.
            ((0.5, 0.0, 0.0), (0.2, 1.0, 0.0), (0.1, 1.0, 0.0), 1, None),
        ] {
            let numbers = run([fetch, convert, insert], [1, 2, lanes]);
            let found = bottleneck(&numbers);
            assert_eq!(found.map(|found| found.stage), limit, "{fetch:?} {convert:?} {insert:?}");
            let short = RunNumbers { elapsed: Duration::from_millis(999), ..numbers };
            assert_eq!(bottleneck(&short), None);
        }
    }

    #[test]
    fn a_pace_or_tries_that_fail_are_the_limit_themselves() {
        let mut numbers = run([(1.0, 0.0, 8.5), (2.0, 0.0, 17.0), (1.0, 9.0, 0.0)], [1, 2, 1]);
        numbers.stages[Stage::Insert as usize].waits[Wait::Throttle as usize] =
            Duration::from_secs(9);
        let found = bottleneck(&numbers).unwrap();
        let held_back = HeldBack { by: Wait::Throttle, share: 0.9 };
        assert_eq!((found.stage, found.held_back), (Stage::Insert, Some(held_back)));
        let mut numbers = run([(1.0, 0.0, 0.5), (2.0, 17.0, 0.0), (1.0, 9.0, 0.0)], [1, 2, 1]);
        numbers.stages[Stage::Fetch as usize].waits[Wait::Retry as usize] = Duration::from_secs(8);
        let found = bottleneck(&numbers).unwrap();
        let held_back = HeldBack { by: Wait::Retry, share: 0.8 };
        assert_eq!((found.stage, found.held_back), (Stage::Fetch, Some(held_back)));
    }

    #[test]
    fn a_busy_share_is_of_the_time_of_the_run_for_each_thread() {
        let numbers = run([(5.0, 0.0, 1.0), (5.0, 0.0, 0.0), (0.0, 0.0, 0.0)], [1, 2, 0]);
        let shares = Stage::ALL.map(|stage| busy_share(&numbers, stage));
        assert_eq!(shares, [Some(0.5), Some(0.25), None]);
    }

    #[test]
    fn what_is_advised_can_be_done_and_fits_a_terminal() {
        let held = [None, Some(Wait::Retry), Some(Wait::Throttle), Some(Wait::Lock)];
        let found = Stage::ALL.into_iter().flat_map(|stage| {
            [0.3, 1.0].into_iter().flat_map(move |busy_share| {
                held.map(|by| {
                    let held_back = by.map(|by| HeldBack { by, share: 1.0 });
                    Bottleneck { stage, busy_share, held_back }
                })
            })
        });
        let kinds = [
            ("csv", "file"),
            ("csv", "mysql"),
            ("elasticsearch", "file"),
            ("elasticsearch", "mysql"),
        ];
        let bits = 0..1 << 5;
        let cases = found.flat_map(|found| bits.clone().map(move |bits| (found, bits)));
        for ((found, bits), (source, sink)) in cases.flat_map(|case| kinds.map(|kind| (case, kind)))
        {
            let is = |bit: u32| bits & (1 << bit) != 0;
            let of = Advice {
                source,
                sink,
                reads_pipe: is(0),
                has_idle_cores: is(1),
                takes_more_lanes: is(2),
                waits_for_storage: is(3).then(|| is(4)),
            };
            let said = found.words(&of);
            assert!("  limit: ".len() + said.chars().count() <= 80, "{said}");
            assert!(of.has_idle_cores || !said.contains("--workers"), "{said}");
            assert!(!of.reads_pipe || !said.contains("storage"), "{said}");
            assert!(of.waits_for_storage == Some(true) || !said.contains("storage"), "{said}");
            assert!(of.takes_more_lanes || !said.contains("--lanes"), "{said}");
            assert!(found.busy_share > 0.5 || !said.contains("--lanes"), "{said}");
        }
    }

    #[test]
    fn a_reader_that_sleeps_waits_for_storage() {
        let mut numbers = run([(8.0, 0.0, 1.0), (5.0, 0.0, 0.0), (0.0, 0.0, 0.0)], [1, 2, 0]);
        assert_eq!(waits_for_storage(&numbers), None);
        for (on_core, waits) in [(1, true), (7, false), (9, false)] {
            numbers.readers_on_core = Some(Duration::from_secs(on_core));
            assert_eq!(waits_for_storage(&numbers), Some(waits), "{on_core}");
        }
    }
}
