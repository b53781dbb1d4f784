//! The pipeline between a source and a sink in memory, asserted on what arrived and on the events.

use std::sync::Mutex as SyncMutex;

use super::*;
use crate::error::Kind;
use crate::event::{Counter, Wait};
use crate::outcome::{Outcome, Signal};
use crate::record::Rejected;
use crate::rejects::{Hang, MemoryRejects};
use crate::sink::memory::{Fault, Gate, MemorySink, Stored};
use crate::source::Wanted;
use crate::source::memory::MemorySource;

/// Time passes by itself when everybody waits, so retries cost none. Not for a run that drains: its
/// clock would run ahead of the threads that have something to do.
macro_rules! paused {
    ($body:expr) => {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on($body)
    };
}

macro_rules! real {
    ($body:expr) => {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on($body)
    };
}

mod stopping;

/// Keeps what happened.
#[derive(Default)]
struct Recorder(SyncMutex<Vec<Event>>);

impl Observer for Recorder {
    fn notice(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Events in a word or two, without those whose number depends on timing.
fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Entered(state) => state.as_str().to_string(),
        Event::Fetched { records, .. } => format!("fetched {records}"),
        Event::Settled { counts, .. } => {
            format!("settled {} failed {}", counts.inserted, counts.failed)
        }
        Event::Rejected { stage, error_type, records, .. } => {
            format!("rejected {records} {} {}", stage.as_str(), error_type.as_str())
        }
        Event::Evidence { records } => format!("evidence {records}"),
        Event::Failed { error_type, .. } => format!("failed {}", error_type.as_str()),
        Event::Retrying { attempt, .. } => format!("retry {attempt}"),
        Event::RateLimited { .. } => "rate limited".to_string(),
        Event::Waited { wait: Wait::Throttle, .. } => "throttled".to_string(),
        Event::Counted(Counter::FilesProcessed, _) => "split done".to_string(),
        Event::Counted(Counter::FilesFailed, _) => "split failed".to_string(),
        Event::Ended { outcome, .. } => format!("ended {}", outcome.as_str()),
        Event::Began(_)
        | Event::Opened(_)
        | Event::ReaderEnded { .. }
        | Event::Requested { .. }
        | Event::Queried { .. }
        | Event::Took(_)
        | Event::GaveBack(_)
        | Event::SchemaChanged { .. }
        | Event::FileSettled { .. }
        | Event::LedgerAsked { .. }
        | Event::Counted(..)
        | Event::Prepared { .. }
        | Event::Committed { .. }
        | Event::Waited { .. } => return None,
    })
}

struct Scene {
    source: MemorySource,
    sink: MemorySink,
    workers: u64,
    max_errors: MaxErrors,
    memory: u64,
    mark_age: Duration,
    rows_per_second_max: Option<u64>,
}

/// How it went.
struct Played {
    ending: Ending,
    events: Vec<String>,
    stored: Arc<Stored>,
    rejected: Vec<Rejected>,
}

impl Scene {
    fn new(texts: &[&str]) -> Scene {
        Scene {
            source: MemorySource::new(texts, 2),
            sink: MemorySink::new(1),
            workers: 1,
            max_errors: MaxErrors::Count(0),
            memory: 1 << 26,
            mark_age: Duration::from_secs(1),
            rows_per_second_max: None,
        }
    }

    fn sink(mut self, change: impl FnOnce(MemorySink) -> MemorySink) -> Scene {
        self.sink = change(self.sink);
        self
    }

    fn max_errors(mut self, count: u64) -> Scene {
        self.max_errors = MaxErrors::Count(count);
        self
    }

    fn run(self, stop: &Arc<Stop>) -> (Arc<Run>, Arc<Recorder>, Arc<Stored>) {
        let recorder = Arc::new(Recorder::default());
        let stored = Arc::clone(&self.sink.stored);
        let lanes = self.sink.lanes as u64;
        let decoder = self.source.decoder(&Wanted::Everything).unwrap();
        let run = Run {
            decoder,
            rows_per_second_max: self.rows_per_second_max,
            limit: SegmentLimit { records: 2, bytes: 1 << 20, record_bytes: 1 << 20 },
            source: Arc::new(self.source),
            sink: Arc::new(self.sink),
            observer: Arc::clone(&recorder) as _,
            on_rejected: Arc::new(|_: &Rejected| {}),
            vitals: Arc::new(Vitals::sized(self.workers, lanes, self.memory)),
            stop: Arc::clone(stop),
            max_errors: self.max_errors,
            minimum: Minimum::default(),
            retry: RetryPolicy::default(),
            mark: MarkPolicy { bytes: u64::MAX, age: self.mark_age },
            drain_timeout: Duration::from_secs(20),
        };
        (Arc::new(run), recorder, stored)
    }

    async fn play(self) -> Played {
        self.play_until(&Arc::default()).await
    }

    async fn play_until(self, stop: &Arc<Stop>) -> Played {
        self.play_with(stop, MemoryRejects::default()).await
    }

    async fn play_with(self, stop: &Arc<Stop>, rejects: MemoryRejects) -> Played {
        let (run, recorder, stored) = self.run(stop);
        let kept = Arc::clone(&rejects.kept);
        let observer = Arc::clone(&run.observer);
        let mut ending = super::run(run, Box::new(rejects)).await;
        ending.tell(&*observer, Duration::ZERO);
        let events = recorder.0.lock().unwrap().iter().filter_map(words).collect();
        let rejected = kept.lock().unwrap().clone();
        Played { ending, events, stored, rejected }
    }
}

impl Played {
    fn assert_lines(&self, lines: &[&str]) {
        assert_eq!(self.stored.lines(), lines);
    }

    fn assert_outcome(&self, outcome: Outcome, published: bool) {
        assert_eq!(self.ending.outcome, outcome, "{:?}", self.ending.error);
        assert_eq!(*self.stored.is_published.lock().unwrap(), published);
        assert_eq!(*self.stored.is_abandoned.lock().unwrap(), !published);
    }

    /// These happened, in this order, whatever else did.
    fn assert_events(&self, expected: &[&str]) {
        let mut events = self.events.iter();
        for word in expected {
            let found = events.any(|event| event == word);
            assert!(found, "no '{word}' in its place in {:?}", self.events);
        }
    }

    fn count(&self, word: &str) -> usize {
        self.events.iter().filter(|event| *event == word).count()
    }
}

#[test]
fn everything_arrives_in_order_and_is_published() {
    let played = paused!(Scene::new(&["a\nb\nc\n", "d\n"]).play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b", "c", "d"]);
    played.assert_events(&[
        "running",
        "fetched 2",
        "settled 2 failed 0",
        "stopped",
        "ended complete",
    ]);
    assert_eq!(played.count("split done"), 2);
    assert_eq!(played.events.last().unwrap(), "ended complete");
    assert_eq!(played.ending.totals.inserted, 4);
}

#[test]
fn seven_workers_keep_the_order() {
    let text: String = (0..500).map(|line| format!("{line}\n")).collect();
    let scene = Scene { workers: 7, ..Scene::new(&[&text]) };
    let played = paused!(scene.play());
    let expected: Vec<String> = (0..500).map(|line| line.to_string()).collect();
    assert_eq!(played.stored.lines(), expected);
}

/// With the clock as it is: when all wait for threads, a paused one would go on to the next mark.
#[test]
fn what_is_rejected_does_not_keep_the_memory_until_the_next_mark() {
    let line = format!("!{}\n", "x".repeat(100_000));
    let scene =
        Scene::new(&[&line.repeat(40)]).sink(|sink| MemorySink { accepts_first: true, ..sink });
    let scene = Scene { memory: 1 << 20, mark_age: Duration::from_secs(86_400), ..scene };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let played = runtime.block_on(scene.max_errors(40).play());
    played.assert_outcome(Outcome::Complete, true);
    assert_eq!(played.rejected.len(), 40);
}

/// The first segment pays for the second, and that for the third.
#[test]
fn rows_wait_for_their_turn() {
    let played = paused!(async {
        let begun = tokio::time::Instant::now();
        let scene = Scene::new(&["a\nb\nc\nd\ne\n"]);
        let played = Scene { rows_per_second_max: Some(1), ..scene }.play().await;
        assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
        played
    });
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b", "c", "d", "e"]);
    assert!((1..=2).contains(&played.count("throttled")), "{:?}", played.events);
}

/// Neither the record that was too much nor one before it finds room.
#[test]
fn evidence_that_cannot_be_kept_is_counted_as_lost() {
    for (room, lost) in [(0, 2), (1, 2)] {
        let rejects = MemoryRejects { room: Some(room), ..MemoryRejects::default() };
        let scene = Scene::new(&["a\nb\n!c\n!d\n"]).max_errors(1);
        let played = paused!(scene.play_with(&Arc::default(), rejects));
        assert_eq!(played.ending.outcome, Outcome::Data, "{:?}", played.ending.error);
        assert_eq!((played.rejected.len(), played.ending.rejects_lost), (0, lost), "{room}");
        assert_eq!(played.ending.totals.failed, 0);
    }
}

#[test]
fn a_source_of_nothing_is_complete() {
    let played = paused!(Scene::new(&["", ""]).play());
    played.assert_outcome(Outcome::Complete, true);
    assert_eq!(played.count("split done"), 2);
}

#[test]
fn what_is_not_there_yet_is_asked_for_again() {
    let scene = Scene::new(&["a\nb\n"]).sink(|sink| {
        sink.fault(0, Fault::Refuse(Kind::Unavailable)).fault(0, Fault::Refuse(Kind::Overloaded))
    });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b"]);
    played.assert_events(&[
        "failed connection",
        "retry 1",
        "failed connection",
        "rate limited",
        "retry 2",
    ]);
}

#[test]
fn a_lost_answer_is_looked_for_and_nothing_comes_twice() {
    let scene = Scene::new(&["a\nb\n"]).sink(|sink| sink.fault(0, Fault::DoAndFail));
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b"]);
    assert_eq!(played.count("retry 2"), 0);
}

#[test]
fn a_lost_answer_is_looked_for_until_the_other_side_is_back() {
    let scene = Scene::new(&["a\nb\n"]).sink(|sink| sink.fault(0, Fault::DoAndVanish));
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b"]);
    assert_eq!(played.count("retry 2"), 1);
}

#[test]
fn rows_refused_at_commit_count_against_the_budget() {
    let text = "a\nb\n".repeat(300);
    let scene = Scene::new(&[&text])
        .max_errors(3)
        .sink(|sink| MemorySink { refuses_late: Some("a".to_string()), ..sink });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Data, false);
    // A segment that would be too much is not committed; its rows are the evidence.
    played.assert_lines(&["b", "b", "b"]);
    assert_eq!(played.rejected.len(), 4);
    assert_eq!(played.ending.totals.failed, 4);
    assert_eq!(played.count("evidence 1"), 1);
    assert_eq!(played.count("rejected 1 insert constraint"), 4);
    assert_eq!(
        played.ending.error.unwrap().to_string(),
        "split 0, line 1, byte 0, column 'line': the sink does not like it; 4 records were rejected and --max-errors is 3"
    );
}

#[test]
fn rows_refused_early_and_late_are_told_apart_by_their_place() {
    let scene = Scene::new(&["a\nb\n"]).max_errors(2).sink(|sink| MemorySink {
        refuses: Some("a".to_string()),
        refuses_late: Some("b".to_string()),
        ..sink
    });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    let raw: Vec<_> = played.rejected.iter().map(|rejected| rejected.raw.clone()).collect();
    assert_eq!(raw, [b"a".to_vec(), b"b".to_vec()]);
}

#[test]
fn splits_that_are_read_together_all_arrive() {
    let texts: Vec<String> = (0..5)
        .map(|split| (0..50).map(|line| format!("{}\n", split * 50 + line)).collect())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut scene = Scene::new(&texts);
    scene.source.readers = 3;
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    let mut lines: Vec<u32> =
        played.stored.lines().iter().map(|line| line.parse().unwrap()).collect();
    // Those of one split stay in order.
    for split in 0..5 {
        assert!(lines.iter().filter(|&&line| line / 50 == split).is_sorted());
    }
    lines.sort_unstable();
    assert!(lines.into_iter().eq(0..250));
    assert_eq!(played.count("split done"), 5);
}

/// The first segment stands at a gate; the second has a key of its own, the third one of the first.
#[test]
fn a_segment_waits_for_another_that_holds_its_key() {
    let gate = Arc::new(Gate::default());
    let text = "key a\nkey b\nkey c\nkey d\nkey b\nkey e\n";
    let scene =
        Scene::new(&[text]).sink(|_| MemorySink::new(3).fault(0, Fault::Hold(Arc::clone(&gate))));
    let played = paused!(async {
        let (run, recorder, stored) = scene.run(&Arc::default());
        let is_settled = |word: &str| {
            recorder.0.lock().unwrap().iter().filter_map(words).any(|event| event == word)
        };
        let run = super::run(run, Box::<MemoryRejects>::default());
        let watching = async {
            gate.reached.notified().await;
            while !is_settled("settled 2 failed 0") {
                tokio::task::yield_now().await;
            }
            // Time in which the third would come if it did not wait: the clock of the test runs
            // ahead only when nobody has anything to do.
            tokio::time::sleep(Duration::from_secs(5)).await;
            let before = stored.lines();
            gate.released.notify_one();
            before
        };
        let (ending, before) = tokio::join!(run, watching);
        (ending, before, stored.lines())
    });
    let (ending, before, after) = played;
    assert_eq!(ending.outcome, Outcome::Complete);
    assert_eq!(before, ["key c", "key d"]);
    assert_eq!(after, ["key c", "key d", "key a", "key b", "key b", "key e"]);
}

#[test]
fn a_lost_request_is_sent_again() {
    let scene = Scene::new(&["a\nb\n"]).sink(|sink| sink.fault(0, Fault::LoseRequest));
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b"]);
    assert_eq!(played.count("retry 1"), 1);
}

#[test]
fn trying_again_has_an_end() {
    let sink = (0..200)
        .fold(MemorySink::new(1), |sink, _| sink.fault(0, Fault::Refuse(Kind::Unavailable)));
    let played = paused!(Scene::new(&["a\n"]).sink(|_| sink).play());
    played.assert_outcome(Outcome::Unavailable, false);
    assert!(played.count("retry 20") == 1, "{:?}", played.events);
}

#[test]
fn rejected_records_within_the_budget_are_kept_and_counted() {
    let scene = Scene::new(&["a\n!b\nc\nd\n"])
        .max_errors(2)
        .sink(|sink| MemorySink { refuses: Some("c".to_string()), ..sink });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "d"]);
    let raw: Vec<_> = played.rejected.iter().map(|rejected| rejected.raw.clone()).collect();
    assert_eq!(raw, [b"!b".to_vec(), b"c".to_vec()]);
    assert_eq!(played.rejected[1].place.to_string(), "split 0, line 3, byte 5, column 'line'");
    assert_eq!((played.ending.totals.inserted, played.ending.totals.failed), (2, 2));
}

#[test]
fn a_row_that_the_lane_refuses_is_rejected_with_its_own_bytes() {
    let scene = Scene::new(&["a\nb\n"])
        .max_errors(1)
        .sink(|sink| MemorySink { refuses_late: Some("a".to_string()), ..sink });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["b"]);
    assert_eq!(played.rejected[0].raw, b"a");
    played.assert_events(&["rejected 1 insert constraint", "settled 1 failed 1"]);
}

#[test]
fn over_budget_the_segments_before_are_written_and_the_one_that_is_too_much_is_not() {
    let played = paused!(Scene::new(&["a\nb\nc\n!d\ne\nf\n"]).play());
    played.assert_outcome(Outcome::Data, false);
    played.assert_lines(&["a", "b"]);
    assert_eq!(played.rejected.len(), 1);
    let error = played.ending.error.unwrap().to_string();
    assert_eq!(
        error,
        "split 0, line 4, byte 6: begins with '!'; 1 record was rejected and --max-errors is 0"
    );
}

#[test]
fn accepted_segments_are_settled_when_they_are_durable() {
    let scene = Scene::new(&["a\nb\nc\n"]).sink(|sink| MemorySink { accepts_first: true, ..sink });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    played.assert_lines(&["a", "b", "c"]);
    assert_eq!(played.count("settled 2 failed 0"), 1);
    assert_eq!(played.count("settled 1 failed 0"), 1);
}

#[test]
fn two_lanes_commit_everything_once() {
    let text: String = (0..100).map(|line| format!("{line}\n")).collect();
    let scene = Scene::new(&[&text]).sink(|_| MemorySink::new(2));
    let played = paused!(scene.play());
    let mut lines = played.stored.lines();
    lines.sort_by_key(|line| line.parse::<u32>().unwrap());
    let expected: Vec<String> = (0..100).map(|line| line.to_string()).collect();
    assert_eq!(lines, expected);
    assert_eq!(played.ending.totals.inserted, 100);
}

/// In a lane, in the future of the run itself, and where it would be published.
#[test]
fn a_panic_ends_the_run_and_nothing_is_published() {
    for (place, panics_at_the_end) in [("lane", false), ("run", false), ("end", true)] {
        let played = paused!(async {
            let scene = Scene::new(&["a\nb\nbad\nc\n"]).max_errors(1).sink(|sink| {
                let sink = MemorySink { panics_at_the_end, refuses: Some("bad".into()), ..sink };
                if place == "lane" { sink.fault(1, Fault::Panic) } else { sink }
            });
            let (run, _, stored) = scene.run(&Arc::default());
            let mut run = Arc::into_inner(run).unwrap();
            if place == "run" {
                run.on_rejected = Arc::new(|_| panic!("told to"));
            }
            let ending = super::run(Arc::new(run), Box::new(MemoryRejects::default())).await;
            Played { ending, stored, events: Vec::new(), rejected: Vec::new() }
        });
        played.assert_outcome(Outcome::Internal, false);
        let expected = if place == "end" { 3..=3 } else { 0..=2 };
        assert!(expected.contains(&played.ending.totals.inserted), "{place}");
    }
}
