//! The numbers of a run while it runs: folds every event into relaxed atomics and gives them out
//! as one `RunNumbers`.
//!
//! All other readers of numbers go through here. It holds no lock, keeps no time series and
//! formats nothing.

use std::sync::atomic::{
    AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::event::{
    Counter, Event, Expected, Observer, RunState, ServerResource, Stage, Vitals, Wait,
};
use crate::observe::last_errors::LastErrors;
use crate::observe::latency::{Amounts, Durations};
use crate::observe::rejected_columns::RejectedColumns;
use crate::observe::servers::{LedgerQueries, Requests, ResourcesInUse, SchemaChanges, Statements};
use crate::outcome::Outcome;
use crate::record::{Counts, ErrorType};
use crate::report::{LastSign, RunNumbers, StageTime};

/// From a local page to a batch that a busy server sat on, in seconds.
const STEP_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// From an empty table to one that others hold. It has a series for each operation that comes once, if at all.
const SCHEMA_SECONDS: &[f64] = &[0.01, 0.1, 0.5, 2.5, 15.0, 60.0];

/// From some rows to as long as others are waited for.
const LEDGER_SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 5.0];

/// From a file of a few lines to one of a day.
const FILE_SECONDS: &[f64] =
    &[0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0];

/// From a second to a day.
const RUN_SECONDS: &[f64] = &[
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 43_200.0,
    86_400.0,
];

const BATCH_RECORDS: &[u64] =
    &[1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];

/// From 1 KiB to 256 MiB.
const BATCH_BYTES: &[u64] = &[
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 19,
    1 << 20,
    1 << 21,
    1 << 22,
    1 << 23,
    1 << 24,
    1 << 26,
    1 << 28,
];

/// What can go wrong in each stage, indexed as `Stage::ALL`. The lists are closed so that every
/// series stands at 0 before it is needed; what is not listed counts as the stage's `other`.
const ERRORS: [&[ErrorType]; 3] = {
    use ErrorType::*;
    [
        &[
            Connection,
            Timeout,
            Overloaded,
            Auth,
            Parse,
            Encoding,
            TooLarge,
            Disk,
            PartialResult,
            Protocol,
            Other,
        ],
        &[Parse, TypeMismatch, OutOfRange, Null, Encoding, TooLarge, DuplicateKey, Other],
        &[
            Connection,
            Timeout,
            Overloaded,
            Auth,
            TypeMismatch,
            OutOfRange,
            Null,
            DuplicateKey,
            Constraint,
            Encoding,
            TooLarge,
            Deadlock,
            LockTimeout,
            Disk,
            Protocol,
            Other,
        ],
    ]
};

/// What is tried again, in the same way. Converting is pure: a second try would fail like the first.
const RETRIES: [&[ErrorType]; 3] = {
    use ErrorType::*;
    [
        &[Connection, Timeout, Overloaded, PartialResult, Protocol, Other],
        &[],
        &[Connection, Timeout, Overloaded, Deadlock, LockTimeout, Other],
    ]
};

/// The counters of one run.
#[derive(Debug)]
pub struct Stats {
    vitals: Arc<Vitals>,
    started: Instant,
    started_at: SystemTime,
    ended: OnceLock<End>,
    /// Why it did not complete: told before its end.
    error: OnceLock<String>,
    expected: OnceLock<Expected>,
    /// When something last moved, in milliseconds since the start.
    moved_ms: AtomicU64,
    /// `LastSign`, as a number.
    last_sign: AtomicU8,
    /// Index into `RunState::ALL`.
    state: AtomicU8,
    records_read: AtomicU64,
    settled: Settled,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    stored_position: AtomicU64,
    fetch: Durations,
    insert: Durations,
    batch: Durations,
    run: Durations,
    batch_records: Amounts,
    batch_bytes: Amounts,
    stages: [Spent; 3],
    /// In microseconds; `UNKNOWN` before a reader has ended.
    readers_on_core: AtomicU64,
    errors: ByError,
    retries: ByError,
    last_errors: LastErrors,
    /// Indexed as `ErrorType::ALL`.
    rejected: [AtomicU64; 18],
    rejected_columns: RejectedColumns,
    rate_limited: [AtomicU64; 3],
    flushes: [AtomicU64; 4],
    requests: Requests,
    statements: Statements,
    in_use: ResourcesInUse,
    schema_changes: SchemaChanges,
    file: Durations,
    ledger_queries: LedgerQueries,
    /// Indexed by `Counter`.
    counters: [AtomicU64; Counter::COUNT],
}

#[derive(Clone, Copy, Debug)]
struct End {
    outcome: Outcome,
    is_published: bool,
    took: Duration,
    at: SystemTime,
}

impl Stats {
    pub fn new(vitals: Arc<Vitals>) -> Stats {
        Stats {
            vitals,
            started: Instant::now(),
            started_at: SystemTime::now(),
            ended: OnceLock::new(),
            error: OnceLock::new(),
            expected: OnceLock::new(),
            moved_ms: AtomicU64::default(),
            last_sign: AtomicU8::new(MOVED),
            state: AtomicU8::new(RunState::Starting as u8),
            records_read: AtomicU64::default(),
            settled: Settled::default(),
            bytes_read: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
            stored_position: AtomicU64::default(),
            fetch: Durations::new(STEP_SECONDS),
            insert: Durations::new(STEP_SECONDS),
            batch: Durations::new(STEP_SECONDS),
            run: Durations::new(RUN_SECONDS),
            batch_records: Amounts::new(BATCH_RECORDS),
            batch_bytes: Amounts::new(BATCH_BYTES),
            stages: Default::default(),
            readers_on_core: AtomicU64::new(UNKNOWN),
            errors: ByError::new(ERRORS),
            retries: ByError::new(RETRIES),
            last_errors: LastErrors::default(),
            rejected: Default::default(),
            rejected_columns: RejectedColumns::default(),
            rate_limited: Default::default(),
            flushes: Default::default(),
            requests: Requests::new(STEP_SECONDS),
            statements: Statements::new(STEP_SECONDS),
            in_use: ResourcesInUse::default(),
            schema_changes: SchemaChanges::new(SCHEMA_SECONDS),
            file: Durations::new(FILE_SECONDS),
            ledger_queries: LedgerQueries::new(LEDGER_SECONDS),
            counters: Default::default(),
        }
    }

    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    pub fn state(&self) -> RunState {
        RunState::ALL[usize::from(self.state.load(Acquire))]
    }

    /// Unknown while the run is on.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.ended.get().map(|end| end.at)
    }

    /// The numbers of this moment. Once the run has ended, `elapsed` is what its end said, and
    /// all readers see the same.
    ///
    /// The order of the loads is a promise. The end comes first, so that numbers with an outcome
    /// have everything; what is settled comes before what was read, so that no reader sees settled
    /// more than it has read. It rests on `Fetched` being told before its segment is handed on.
    pub fn numbers(&self) -> RunNumbers {
        let ended = self.ended.get().copied();
        let state = self.state();
        let counts = self.settled.read();
        let records_read = self.records_read.load(Relaxed);
        let expected = self.expected.get().copied().unwrap_or_default();
        let vitals = &self.vitals;
        RunNumbers {
            state,
            outcome: ended.map(|end| end.outcome),
            error: ended.and_then(|_| self.error.get().cloned()),
            is_published: ended.map(|end| end.is_published),
            elapsed: ended.map_or_else(|| self.started.elapsed(), |end| end.took),
            quiet: self.quiet(),
            last_sign: self.last_sign(),
            records_read,
            counts,
            bytes_read: self.bytes_read.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            stored_position: self.stored_position.load(Relaxed),
            stored_expected: expected.stored_bytes,
            records_expected: expected.records,
            fetch: self.fetch.read(),
            insert: self.insert.read(),
            batch: self.batch.read(),
            run: self.run.read(),
            batch_records: self.batch_records.read(),
            batch_bytes: self.batch_bytes.read(),
            stages: self.stages.each_ref().map(Spent::read),
            threads: [vitals.readers.get(), vitals.worker_count, vitals.lanes.get()],
            lanes_max: vitals.lanes_max.get(),
            readers_on_core: Some(self.readers_on_core.load(Relaxed))
                .filter(|&micros| micros != UNKNOWN)
                .map(Duration::from_micros),
            errors: self.errors.read(),
            retries: self.retries.read(),
            last_errors: self.last_errors.read(),
            rejected: (ErrorType::ALL.iter().zip(&self.rejected))
                .map(|(&error_type, count)| (error_type, count.load(Relaxed)))
                .filter(|&(_, count)| count > 0)
                .collect(),
            rejected_columns: self.rejected_columns.read(),
            rate_limited: self.rate_limited.each_ref().map(|count| count.load(Relaxed)),
            flushes: self.flushes.each_ref().map(|count| count.load(Relaxed)),
            requests: self.requests.read(),
            request_latencies: self.requests.latencies(),
            requests_in_flight: self.in_use.read(ServerResource::HttpRequest),
            sql_latencies: self.statements.latencies(),
            sql_connections: self.in_use.read(ServerResource::SqlConnection),
            schema_changes: self.schema_changes.read(),
            file: self.file.read(),
            ledger_latencies: self.ledger_queries.latencies(),
            ledger_queue_depth: self.in_use.read(ServerResource::LedgerPlace),
            counters: self.counters.each_ref().map(|count| count.load(Relaxed)),
        }
    }
}

/// Of a time that nobody has told.
const UNKNOWN: u64 = u64::MAX;

const MOVED: u8 = 0;
const HELD_BACK: u8 = 1;
/// And the stage behind it.
const RETRYING: u8 = 2;

impl Stats {
    fn quiet(&self) -> Duration {
        let moved = Duration::from_millis(self.moved_ms.load(Relaxed));
        self.started.elapsed().saturating_sub(moved)
    }

    fn last_sign(&self) -> LastSign {
        match self.last_sign.load(Relaxed) {
            MOVED => LastSign::Moved,
            HELD_BACK => LastSign::HeldBack,
            retrying => LastSign::Retrying(Stage::ALL[usize::from(retrying - RETRYING)]),
        }
    }

    fn note_sign(&self, event: &Event) {
        let sign = match event {
            Event::Entered(RunState::Running)
            | Event::Fetched { .. }
            | Event::Prepared { .. }
            | Event::Settled { .. }
            | Event::Requested { code: Some(_), .. } => {
                self.moved_ms.store(self.started.elapsed().as_millis() as u64, Relaxed);
                MOVED
            }
            Event::Waited { wait: Wait::Throttle, .. } => HELD_BACK,
            Event::Retrying { stage, .. } => RETRYING + *stage as u8,
            _ => return,
        };
        self.last_sign.store(sign, Relaxed);
    }
}

impl Stats {
    fn count_error(
        &self,
        stage: Stage,
        error_type: ErrorType,
        number: u64,
        message: &str,
        is_final: bool,
    ) {
        let error_type = self.errors.count(stage, error_type, number);
        self.last_errors.note(stage, error_type, message, is_final);
    }
}

impl Observer for Stats {
    fn notice(&self, event: &Event) {
        self.note_sign(event);
        match *event {
            Event::Began(_) => {}
            Event::Entered(state) => self.state.store(state as u8, Release),
            // A source is opened once; should it be told twice, the first word stands.
            Event::Opened(expected) => {
                self.expected.get_or_init(|| expected);
            }
            Event::Fetched { records, bytes, stored_position, took, flush } => {
                self.records_read.fetch_add(records, Relaxed);
                self.bytes_read.fetch_add(bytes, Relaxed);
                self.stored_position.fetch_max(stored_position, Relaxed);
                self.stages[Stage::Fetch as usize].busy(took);
                self.fetch.record(took);
                self.flushes[flush as usize].fetch_add(1, Relaxed);
            }
            Event::ReaderEnded { on_core } => {
                let more = on_core.as_micros() as u64;
                let add = |before| if before == UNKNOWN { more } else { before + more };
                let _ =
                    self.readers_on_core.fetch_update(Relaxed, Relaxed, |before| Some(add(before)));
            }
            Event::Prepared { took } => self.stages[Stage::Convert as usize].busy(took),
            Event::Committed { took } => self.stages[Stage::Insert as usize].busy(took),
            Event::Settled { counts, bytes, bytes_written, insert, batch, .. } => {
                self.bytes_written.fetch_add(bytes_written, Relaxed);
                self.batch.record(batch);
                self.batch_records.record(counts.processed());
                self.batch_bytes.record(bytes);
                self.insert.record(insert);
                self.settled.add(&counts);
            }
            Event::Rejected {
                stage,
                error_type,
                ref column,
                records,
                ref reason,
                ref first_place,
            } => {
                self.count_error(stage, error_type, records, reason, false);
                self.rejected_columns.note(error_type, column.as_deref(), records, first_place);
                self.rejected[error_type as usize].fetch_add(records, Relaxed);
            }
            Event::Evidence { records } => {
                self.settled.add(&Counts { failed: records, ..Counts::default() });
            }
            Event::Failed { stage, error_type, ref reason, is_final } => {
                self.count_error(stage, error_type, 1, reason, is_final);
            }
            Event::Retrying { stage, error_type, .. } => {
                self.retries.count(stage, error_type, 1);
            }
            Event::RateLimited { stage } => {
                self.rate_limited[stage as usize].fetch_add(1, Relaxed);
            }
            Event::Waited { stage, wait, took } => {
                add(&self.stages[stage as usize].waits[wait as usize], took);
            }
            Event::Counted(counter, number) => {
                self.counters[counter as usize].fetch_add(number, Relaxed);
            }
            Event::Requested { operation, code, took } => {
                self.requests.count(operation, code, took);
            }
            Event::Queried { operation, took } => self.statements.record(operation, took),
            Event::Took(resource) => self.in_use.change(resource, 1),
            Event::GaveBack(resource) => self.in_use.change(resource, -1),
            Event::SchemaChanged { operation, is_done, took } => {
                self.schema_changes.record(operation, is_done, took);
            }
            Event::FileSettled { took } => self.file.record(took),
            Event::LedgerAsked { operation, took } => self.ledger_queries.record(operation, took),
            Event::Ended { outcome, ref error, is_published, took } => {
                if let Some(error) = error {
                    self.error.get_or_init(|| error.clone());
                }
                self.run.record(took);
                let at = SystemTime::now();
                self.ended.get_or_init(|| End { outcome, is_published, took, at });
            }
        }
    }
}

/// What became of the records. Written with release and read with acquire: whoever sees a record
/// settled also sees all that its thread had seen, that it was read among it.
#[derive(Debug, Default)]
struct Settled {
    inserted: AtomicU64,
    updated: AtomicU64,
    duplicate: AtomicU64,
    unchanged: AtomicU64,
    filtered: AtomicU64,
    failed: AtomicU64,
}

impl Settled {
    fn add(&self, counts: &Counts) {
        self.inserted.fetch_add(counts.inserted, Release);
        self.updated.fetch_add(counts.updated, Release);
        self.duplicate.fetch_add(counts.duplicate, Release);
        self.unchanged.fetch_add(counts.unchanged, Release);
        self.filtered.fetch_add(counts.filtered, Release);
        self.failed.fetch_add(counts.failed, Release);
    }

    fn read(&self) -> Counts {
        Counts {
            inserted: self.inserted.load(Acquire),
            updated: self.updated.load(Acquire),
            duplicate: self.duplicate.load(Acquire),
            unchanged: self.unchanged.load(Acquire),
            filtered: self.filtered.load(Acquire),
            failed: self.failed.load(Acquire),
        }
    }
}

/// The time of one stage, in nanoseconds.
#[derive(Debug, Default)]
struct Spent {
    busy: AtomicU64,
    waits: [AtomicU64; Wait::COUNT],
}

impl Spent {
    fn busy(&self, took: Duration) {
        add(&self.busy, took);
    }

    fn read(&self) -> StageTime {
        let read = |nanos: &AtomicU64| Duration::from_nanos(nanos.load(Relaxed));
        StageTime { busy: read(&self.busy), waits: self.waits.each_ref().map(read) }
    }
}

fn add(nanos: &AtomicU64, took: Duration) {
    nanos.fetch_add(took.as_nanos() as u64, Relaxed);
}

/// Counts by stage and error type, over a closed list of pairs.
#[derive(Debug)]
struct ByError {
    pairs: [&'static [ErrorType]; 3],
    counts: [[AtomicU64; 18]; 3],
}

impl ByError {
    fn new(pairs: [&'static [ErrorType]; 3]) -> ByError {
        ByError { pairs, counts: Default::default() }
    }

    /// Says as what it was counted.
    fn count(&self, stage: Stage, error_type: ErrorType, number: u64) -> ErrorType {
        let listed = self.pairs[stage as usize].contains(&error_type);
        let error_type = if listed { error_type } else { ErrorType::Other };
        self.counts[stage as usize][error_type as usize].fetch_add(number, Relaxed);
        error_type
    }

    fn read(&self) -> Vec<(Stage, ErrorType, u64)> {
        let of_stage = |stage: Stage| {
            self.pairs[stage as usize].iter().map(move |&error_type| {
                let count = &self.counts[stage as usize][error_type as usize];
                (stage, error_type, count.load(Relaxed))
            })
        };
        Stage::ALL.into_iter().flat_map(of_stage).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::record::{Flush, Interval};

    const MS: Duration = Duration::from_millis(1);

    fn stats() -> Stats {
        Stats::new(Arc::new(Vitals::default()))
    }

    fn rejected(stage: Stage) -> Event {
        let (error_type, reason) = (ErrorType::Null, "no value".to_string());
        Event::Rejected {
            stage,
            error_type,
            column: None,
            records: 1,
            reason,
            first_place: String::new(),
        }
    }

    fn failed(stage: Stage, error_type: ErrorType) -> Event {
        Event::Failed { stage, error_type, reason: "away".to_string(), is_final: false }
    }

    fn fetched(records: u64) -> Event {
        Event::Fetched { records, bytes: 100, stored_position: 40, took: MS, flush: Flush::Large }
    }

    fn settled(counts: Counts) -> Event {
        Event::Settled {
            interval: Interval::bytes(0, 0, 100),
            counts,
            bytes: 100,
            bytes_written: 150,
            insert: 2 * MS,
            batch: 3 * MS,
        }
    }

    #[test]
    fn every_event_lands_where_it_belongs() {
        let stats = stats();
        let expected = Expected { records: None, stored_bytes: Some(80) };
        let insert = Stage::Insert;
        for event in [
            Event::Entered(RunState::Running),
            Event::Opened(expected),
            fetched(10),
            Event::Prepared { took: 4 * MS },
            Event::Committed { took: 5 * MS },
            settled(Counts { inserted: 6, duplicate: 1, failed: 2, ..Counts::default() }),
            rejected(Stage::Convert),
            failed(insert, ErrorType::Deadlock),
            Event::Retrying {
                stage: insert,
                error_type: ErrorType::Deadlock,
                attempt: 1,
                wait: MS,
                reason: String::new(),
            },
            Event::RateLimited { stage: insert },
            Event::Waited { stage: Stage::Convert, wait: Wait::Output, took: 7 * MS },
            Event::Counted(Counter::FilesFailed, 1),
            Event::Counted(Counter::FieldsIgnored, 3),
        ] {
            stats.notice(&event);
        }
        let now = stats.numbers();
        assert_eq!((now.state, now.outcome), (RunState::Running, None));
        assert_eq!((now.records_read, now.counts.processed(), now.residual()), (10, 9, 1));
        assert_eq!((now.counts.inserted, now.counts.duplicate, now.counts.failed), (6, 1, 2));
        assert_eq!((now.bytes_read, now.bytes_written), (100, 150));
        assert_eq!(now.progress(), Some(0.5));
        assert_eq!(now.counters, [0, 1, 3, 0]);
        assert_eq!((now.fetch.sum, now.insert.sum, now.batch.sum), (MS, 2 * MS, 3 * MS));
        assert_eq!((now.batch_records.sum, now.batch_bytes.sum, now.run.count), (9, 100, 0));
        assert_eq!(Stage::ALL.map(|stage| now.stage(stage).busy), [MS, 4 * MS, 5 * MS]);
        assert_eq!(now.stage(Stage::Convert).waited(Wait::Output), 7 * MS);
        assert_eq!(count_of(&now.errors, Stage::Convert, ErrorType::Null), Some(1));
        assert_eq!(count_of(&now.errors, insert, ErrorType::Deadlock), Some(1));
        assert_eq!(count_of(&now.retries, insert, ErrorType::Deadlock), Some(1));
        assert_eq!(now.rejected, [(ErrorType::Null, 1)]);
        assert_eq!((now.rate_limited, now.flushes), ([0, 0, 1], [0, 0, 1, 0]));
    }

    fn count_of(list: &[(Stage, ErrorType, u64)], stage: Stage, error: ErrorType) -> Option<u64> {
        list.iter().find(|entry| (entry.0, entry.1) == (stage, error)).map(|entry| entry.2)
    }

    #[test]
    fn a_pair_that_is_not_listed_counts_as_other() {
        let stats = stats();
        stats.notice(&failed(Stage::Convert, ErrorType::Disk));
        stats.notice(&rejected(Stage::Fetch));
        let now = stats.numbers();
        assert_eq!(count_of(&now.errors, Stage::Convert, ErrorType::Disk), None);
        assert_eq!(count_of(&now.errors, Stage::Convert, ErrorType::Other), Some(1));
        assert_eq!(count_of(&now.errors, Stage::Fetch, ErrorType::Other), Some(1));
        assert_eq!(now.rejected, [(ErrorType::Null, 1)]);
    }

    #[test]
    fn the_lists_are_closed_at_both_ends() {
        for (stage, errors) in Stage::ALL.into_iter().zip(ERRORS) {
            let retries = RETRIES[stage as usize];
            assert!(errors.contains(&ErrorType::Other), "{stage:?}");
            assert!(retries.iter().all(|retry| errors.contains(retry)), "{stage:?}");
        }
        for (index, error_type) in ErrorType::ALL.into_iter().enumerate() {
            assert_eq!(error_type as usize, index);
        }
        for (index, state) in RunState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, index);
        }
    }

    #[test]
    fn the_end_freezes_the_clock() {
        let stats = stats();
        assert_eq!(stats.ended_at(), None);
        stats.notice(&Event::Ended {
            outcome: Outcome::Data,
            error: None,
            is_published: false,
            took: 90 * MS,
        });
        let now = stats.numbers();
        assert_eq!((now.outcome, now.elapsed, now.run.count), (Some(Outcome::Data), 90 * MS, 1));
        assert_eq!(stats.numbers().elapsed, 90 * MS);
        assert!(stats.ended_at().is_some_and(|at| at >= stats.started_at()));
    }

    #[test]
    fn no_snapshot_has_settled_more_than_it_has_read() {
        const SEGMENTS: u64 = 20_000;
        let stats = stats();
        let (reader, lane) = mpsc::sync_channel(4);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..SEGMENTS {
                    stats.notice(&fetched(2));
                    reader.send(number).unwrap();
                }
                drop(reader);
            });
            scope.spawn(|| {
                for number in lane {
                    let odd = number % 2;
                    let counts = Counts { inserted: 2 - odd, failed: odd, ..Counts::default() };
                    stats.notice(&settled(counts));
                }
            });
            loop {
                let now = stats.numbers();
                assert!(now.counts.processed() <= now.records_read, "{now:?}");
                if now.counts.processed() == 2 * SEGMENTS {
                    break;
                }
            }
        });
        assert_eq!(stats.numbers().residual(), 0);
    }
}
