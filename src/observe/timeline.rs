//! When what happened in a run: its states, the time that each stage was at work, its slowest batches, and
//! what failed and was tried again. Bounded whatever the run is like; the totals are those of `Stats`.
//!
//! Told once a segment, from many threads: a batch that is none of the slowest costs a look at a number.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::event::{Event, Observer, RunState, Stage};
use crate::record::{ErrorType, Interval};
use crate::secret::by_name;
use crate::trace_context::SpanId;

pub const SLOWEST_MAX: usize = 20;
pub const TROUBLES_MAX: usize = 100;

pub struct Timeline {
    started: Instant,
    started_at: SystemTime,
    /// The quickest of the slowest batches, in nanoseconds, once there are as many as are kept.
    threshold: AtomicU64,
    /// Nanoseconds since the start at which each stage began to work and last did, by one more: none is zero.
    begun: [AtomicU64; 3],
    worked: [AtomicU64; 3],
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    states: Vec<(RunState, Duration)>,
    opened: Option<Duration>,
    ended: Option<Duration>,
    /// By how long they took, and in the order they came where that is the same.
    slowest: BTreeMap<(Duration, u64), SlowBatch>,
    batches: u64,
    troubles: Vec<Trouble>,
    troubles_beyond: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SlowBatch {
    /// Of its span in the trace.
    pub span: SpanId,
    pub interval: Interval,
    pub records: u64,
    pub bytes: u64,
    /// When it was durable, since the start of the run.
    pub durable: Duration,
    /// From leaving the queue until it was durable.
    pub batch: Duration,
    /// From the start of its commit.
    pub insert: Duration,
}

/// Something failed, and was tried again or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    pub stage: Stage,
    pub error_type: ErrorType,
    pub at: Duration,
    /// Ours: it holds no value of a record and no secret.
    pub reason: String,
    /// Which try comes, and after how long. None where none does.
    pub retry: Option<(u32, Duration)>,
}

/// All of it as it is now. Times are since the start of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunTimeline {
    pub started_at: Option<SystemTime>,
    pub states: Vec<(RunState, Duration)>,
    pub opened: Option<Duration>,
    pub ended: Option<Duration>,
    /// Indexed as `Stage::ALL`: when each began to work, and when it last did.
    pub stages: [Option<(Duration, Duration)>; 3],
    /// The slowest first.
    pub slowest: Vec<SlowBatch>,
    /// In their order.
    pub troubles: Vec<Trouble>,
    /// Those that are not kept.
    pub troubles_beyond: u64,
}

/// One measurement of a histogram, and the span it is from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub value: Duration,
    /// Since the start of the run.
    pub at: Duration,
    pub span: SpanId,
}

impl RunTimeline {
    /// Of a metric whose slowest measurements are kept.
    pub fn exemplars(&self, metric: &str) -> Vec<Exemplar> {
        let value: fn(&SlowBatch) -> Duration = match metric {
            "pipeline_batch_duration_seconds" => |slow| slow.batch,
            "pipeline_insert_duration_seconds" => |slow| slow.insert,
            _ => return Vec::new(),
        };
        let exemplar =
            |slow: &SlowBatch| Exemplar { value: value(slow), at: slow.durable, span: slow.span };
        self.slowest.iter().map(exemplar).collect()
    }
}

impl Timeline {
    pub fn new(started_at: SystemTime) -> Timeline {
        Timeline {
            started: Instant::now(),
            started_at,
            threshold: AtomicU64::new(0),
            begun: Default::default(),
            worked: Default::default(),
            kept: Mutex::default(),
        }
    }

    pub fn now(&self) -> RunTimeline {
        let at = |clock: &AtomicU64| match clock.load(Ordering::Relaxed) {
            0 => None,
            time => Some(Duration::from_nanos(time - 1)),
        };
        let span = |stage: Stage| {
            let stage = stage as usize;
            Some((at(&self.begun[stage])?, at(&self.worked[stage])?))
        };
        let kept = self.kept();
        RunTimeline {
            started_at: Some(self.started_at),
            states: kept.states.clone(),
            opened: kept.opened,
            ended: kept.ended,
            stages: Stage::ALL.map(span),
            slowest: kept.slowest.values().rev().cloned().collect(),
            troubles: kept.troubles.clone(),
            troubles_beyond: kept.troubles_beyond,
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panics while keeping the times of a run")
    }

    fn worked(&self, stage: Stage, now: Duration, took: Duration) {
        let stage = stage as usize;
        if self.begun[stage].load(Ordering::Relaxed) == 0 {
            let begun = nanoseconds(now.saturating_sub(took)) + 1;
            let _ =
                self.begun[stage].compare_exchange(0, begun, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.worked[stage].fetch_max(nanoseconds(now) + 1, Ordering::Relaxed);
    }

    fn settled(&self, batch: SlowBatch) {
        let mut kept = self.kept();
        kept.batches += 1;
        let key = (batch.batch, u64::MAX - kept.batches);
        kept.slowest.insert(key, batch);
        if kept.slowest.len() > SLOWEST_MAX {
            kept.slowest.pop_first();
        }
        if kept.slowest.len() == SLOWEST_MAX
            && let Some(((quickest, _), _)) = kept.slowest.first_key_value()
        {
            self.threshold.store(nanoseconds(*quickest).saturating_add(1), Ordering::Relaxed);
        }
    }

    fn trouble(&self, trouble: Trouble) {
        let mut kept = self.kept();
        if kept.troubles.len() < TROUBLES_MAX {
            kept.troubles.push(trouble);
        } else {
            kept.troubles_beyond += 1;
        }
    }
}

impl Observer for Timeline {
    fn notice(&self, event: &Event) {
        let now = self.started.elapsed();
        match event {
            Event::Entered(state) => self.kept().states.push((*state, now)),
            Event::Opened(_) => self.kept().opened = Some(now),
            Event::Ended { .. } => self.kept().ended = Some(now),
            Event::Fetched { took, .. } => self.worked(Stage::Fetch, now, *took),
            Event::Prepared { took } => self.worked(Stage::Convert, now, *took),
            Event::Committed { took } => self.worked(Stage::Insert, now, *took),
            Event::Settled { interval, counts, bytes, insert, batch, .. } => {
                if nanoseconds(*batch) < self.threshold.load(Ordering::Relaxed) {
                    return;
                }
                self.settled(SlowBatch {
                    span: SpanId::new(),
                    interval: interval.clone(),
                    records: counts.processed(),
                    bytes: *bytes,
                    durable: now,
                    batch: *batch,
                    insert: *insert,
                });
            }
            Event::Failed { stage, error_type, reason, .. } => self.trouble(Trouble {
                stage: *stage,
                error_type: *error_type,
                at: now,
                reason: by_name(reason),
                retry: None,
            }),
            Event::Retrying { stage, error_type, attempt, wait, reason } => {
                self.trouble(Trouble {
                    stage: *stage,
                    error_type: *error_type,
                    at: now,
                    reason: by_name(reason),
                    retry: Some((*attempt, *wait)),
                });
            }
            _ => {}
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Counts;

    const MS: Duration = Duration::from_millis(1);

    fn settled(from: u64, milliseconds: u32) -> Event {
        Event::Settled {
            interval: Interval::bytes(0, from, from + 10),
            counts: Counts { inserted: 2, ..Counts::default() },
            bytes: 10,
            bytes_written: 10,
            insert: MS,
            batch: MS * milliseconds,
        }
    }

    #[test]
    fn the_slowest_batches_are_kept() {
        let timeline = Timeline::new(SystemTime::now());
        // Up and down again, so that both ends meet a full list.
        let times = (1..=100).chain((1..=100).rev());
        for (at, milliseconds) in times.enumerate() {
            timeline.notice(&settled(at as u64, milliseconds));
        }
        let slowest = timeline.now().slowest;
        let taken: Vec<u128> = slowest.iter().map(|slow| slow.batch.as_millis()).collect();
        let expected: Vec<u128> = (91..=100).rev().flat_map(|ms| [ms, ms]).collect();
        assert_eq!(taken, expected);
        assert_eq!(slowest[0].interval, Interval::bytes(0, 99, 109), "of two alike the first");
        assert_eq!(slowest[0].records, 2);
    }

    #[test]
    fn as_much_trouble_is_kept_as_there_is_room_for() {
        let timeline = Timeline::new(SystemTime::now());
        for attempt in 0..TROUBLES_MAX as u32 + 7 {
            timeline.notice(&Event::Retrying {
                stage: Stage::Insert,
                error_type: ErrorType::Deadlock,
                attempt,
                wait: MS,
                reason: String::from("a deadlock"),
            });
        }
        let now = timeline.now();
        assert_eq!((now.troubles.len(), now.troubles_beyond), (TROUBLES_MAX, 7));
        assert_eq!(now.troubles[1].retry, Some((1, MS)));
    }

    #[test]
    fn a_stage_has_worked_from_its_first_to_its_last_piece() {
        let timeline = Timeline::new(SystemTime::now());
        assert_eq!(timeline.now().stages, [None, None, None]);
        timeline.notice(&Event::Prepared { took: Duration::ZERO });
        timeline.notice(&Event::Prepared { took: Duration::ZERO });
        let [None, Some((begun, worked)), None] = timeline.now().stages else {
            panic!("only one was at work");
        };
        assert!(begun <= worked);
    }
}
