//! What can happen in a run, in the words of the problem, and who may listen.
//!
//! The pipeline tells events, once a segment and never once a record. Metrics, log, progress and
//! report are all readers of the same events, so they cannot disagree. Gauges that only matter at
//! the moment somebody looks are not events: they stand in `Vitals`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Error;
use crate::outcome::Outcome;
use crate::record::{Counts, ErrorType, Flush, Interval};
use crate::trace_context::TraceContext;

/// Hears what happened. It cannot fail, does not block, and is called from many threads at once.
pub trait Observer: Send + Sync {
    fn notice(&self, event: &Event);
}

/// Who a run is. It does not change, and nothing of it is secret: all of it is shown to who asks.
#[derive(Clone, Debug)]
pub struct RunIdentity {
    pub pipeline_id: String,
    pub run_id: String,
    /// Kind of the source, as in `--source-type`.
    pub source: &'static str,
    /// Kind of the sink, as in `--sink-type`.
    pub sink: &'static str,
    pub source_format: &'static str,
    pub sink_format: &'static str,
    pub version: &'static str,
    pub revision: &'static str,
    /// From `--expect-every`.
    pub expected_interval: Option<Duration>,
    /// It has a ledger, or tries to have one.
    pub has_ledger: bool,
    /// Where somebody else began one, or it is told to others.
    pub trace: Option<TraceContext>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    #[default]
    Starting,
    Running,
    Draining,
    Stopped,
    Error,
}

impl RunState {
    pub const ALL: [RunState; 5] = [
        RunState::Starting,
        RunState::Running,
        RunState::Draining,
        RunState::Stopped,
        RunState::Error,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Starting => "starting",
            RunState::Running => "running",
            RunState::Draining => "draining",
            RunState::Stopped => "stopped",
            RunState::Error => "error",
        }
    }
}

/// The parts of the path whose time is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Reading the source and finding record boundaries.
    Fetch,
    /// Decode, convert and prepare, in the workers.
    Convert,
    /// Commit, in the lanes.
    Insert,
}

impl Stage {
    pub const ALL: [Stage; 3] = [Stage::Fetch, Stage::Convert, Stage::Insert];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Fetch => "fetch",
            Stage::Convert => "convert",
            Stage::Insert => "insert",
        }
    }
}

/// What a stage waited for while it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Input,
    /// Room further down: the next queue, or the memory budget.
    Output,
    Retry,
    Throttle,
    /// For what others hold in the database, until the server gave up.
    Lock,
}

impl Wait {
    pub const COUNT: usize = Wait::Lock as usize + 1;

    pub const ALL: [Wait; Wait::COUNT] =
        [Wait::Input, Wait::Output, Wait::Retry, Wait::Throttle, Wait::Lock];

    pub fn as_str(self) -> &'static str {
        match self {
            Wait::Input => "input",
            Wait::Output => "output",
            Wait::Retry => "retry",
            Wait::Throttle => "throttle",
            Wait::Lock => "lock",
        }
    }
}

/// What is counted and nothing else; `report::counters` says where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Files of the source that were read to their end.
    FilesProcessed,
    FilesFailed,
    /// Fields of records that were left out because the target has no place for them.
    FieldsIgnored,
    /// Values of rows that were there and stay as they are, because records lack their fields.
    ValuesKept,
}

impl Counter {
    pub const COUNT: usize = Counter::ValuesKept as usize + 1;
}

/// What a search server is asked for: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who it is, what indices there are.
    Info,
    Mapping,
    /// A snapshot to read from, or an end of it.
    OpenSnapshot,
    CloseSnapshot,
    Count,
    /// A page of records.
    Search,
    /// Asked for nothing but to keep the snapshot.
    KeepAlive,
}

impl Operation {
    pub const ALL: [Operation; 7] = [
        Operation::Info,
        Operation::Mapping,
        Operation::OpenSnapshot,
        Operation::CloseSnapshot,
        Operation::Count,
        Operation::Search,
        Operation::KeepAlive,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Info => "info",
            Operation::Mapping => "mapping",
            Operation::OpenSnapshot => "open_snapshot",
            Operation::CloseSnapshot => "close_snapshot",
            Operation::Count => "count",
            Operation::Search => "search",
            Operation::KeepAlive => "keep_alive",
        }
    }
}

/// What a database is asked while rows are written: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlOperation {
    /// With what makes the session ready.
    Connect,
    LoadData,
    InsertRows,
    /// Rows from a temporary table into the table.
    MergeRows,
    /// Of a few bytes: the epoch, the token, the definition of the table.
    Statement,
    Commit,
}

impl SqlOperation {
    pub const ALL: [SqlOperation; 6] = [
        SqlOperation::Connect,
        SqlOperation::LoadData,
        SqlOperation::InsertRows,
        SqlOperation::MergeRows,
        SqlOperation::Statement,
        SqlOperation::Commit,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SqlOperation::Connect => "connect",
            SqlOperation::LoadData => "load_data",
            SqlOperation::InsertRows => "insert_rows",
            SqlOperation::MergeRows => "merge_rows",
            SqlOperation::Statement => "statement",
            SqlOperation::Commit => "commit",
        }
    }
}

/// What a server gives us for a while, or the thread of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerResource {
    HttpRequest,
    SqlConnection,
    /// A place in the queue of what the ledger is given.
    LedgerPlace,
}

impl ServerResource {
    pub const COUNT: usize = ServerResource::LedgerPlace as usize + 1;
}

/// Told when it is taken, and when it is given back, however that comes.
pub struct ResourceGuard {
    observer: Arc<dyn Observer>,
    resource: ServerResource,
}

impl ResourceGuard {
    pub fn new(observer: &Arc<dyn Observer>, resource: ServerResource) -> ResourceGuard {
        observer.notice(&Event::Took(resource));
        ResourceGuard { observer: Arc::clone(observer), resource }
    }
}

impl Drop for ResourceGuard {
    fn drop(&mut self) {
        self.observer.notice(&Event::GaveBack(self.resource));
    }
}

/// A change of the target's shape: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaOperation {
    CreateTable,
    AddColumns,
    CreateStateTables,
}

impl SchemaOperation {
    pub const ALL: [SchemaOperation; 3] = [
        SchemaOperation::CreateTable,
        SchemaOperation::AddColumns,
        SchemaOperation::CreateStateTables,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            SchemaOperation::CreateTable => "create_table",
            SchemaOperation::AddColumns => "add_columns",
            SchemaOperation::CreateStateTables => "create_state_tables",
        }
    }
}

/// What the history of runs is asked: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerOperation {
    Read,
    Write,
}

impl LedgerOperation {
    pub const ALL: [LedgerOperation; 2] = [LedgerOperation::Read, LedgerOperation::Write];

    pub fn as_str(self) -> &'static str {
        match self {
            LedgerOperation::Read => "read",
            LedgerOperation::Write => "write",
        }
    }
}

/// How much there is to read, as far as the source can tell beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub records: Option<u64>,
    /// Bytes as they are stored, before decompression.
    pub stored_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// The settings are valid. It comes first, and once.
    Began(Arc<RunIdentity>),
    Entered(RunState),
    /// Both ends are open; the first segment is about to be read.
    Opened(Expected),
    /// The source handed out a segment.
    Fetched {
        records: u64,
        /// Bytes of the decoded stream.
        bytes: u64,
        /// Bytes of the stored input consumed so far by the whole source.
        stored_position: u64,
        took: Duration,
        flush: Flush,
    },
    /// A reader has ended: how long it was on a core, or waited for one. The rest of the time in which it was busy
    /// it waited for what it reads. Not told where the kernel does not say.
    ReaderEnded {
        on_core: Duration,
    },
    /// A worker decoded, converted and prepared a segment.
    Prepared {
        took: Duration,
    },
    /// A lane was busy with a commit or a mark, whether it succeeded or not.
    Committed {
        took: Duration,
    },
    /// A segment became durable in the sink, but for its rejected records.
    Settled {
        interval: Interval,
        counts: Counts,
        /// Bytes of the segment in the decoded stream of the source.
        bytes: u64,
        bytes_written: u64,
        /// From the start of its commit until it was durable.
        insert: Duration,
        /// From leaving the queue until it was durable.
        batch: Duration,
    },
    /// Records of a segment were rejected, and are kept; they are counted as failed with their segment.
    Rejected {
        stage: Stage,
        error_type: ErrorType,
        /// Whose value is at fault, where one is.
        column: Option<String>,
        records: u64,
        /// Of the last of them, where it is and why.
        reason: String,
        /// Where the first of the kind is.
        first_place: String,
    },
    /// The rejected records of a segment that is not written, because they are too many.
    Evidence {
        records: u64,
    },
    /// Something other than a record failed; see `tell_failure`.
    Failed {
        stage: Stage,
        error_type: ErrorType,
        reason: String,
        /// It is not tried again.
        is_final: bool,
    },
    Retrying {
        stage: Stage,
        error_type: ErrorType,
        attempt: u32,
        wait: Duration,
        reason: String,
    },
    RateLimited {
        stage: Stage,
    },
    Waited {
        stage: Stage,
        wait: Wait,
        took: Duration,
    },
    Counted(Counter, u64),
    /// A file was read to its end, and all of it is settled.
    FileSettled {
        /// Since it was opened.
        took: Duration,
    },
    /// A server was asked something; no code where no answer came.
    Requested {
        operation: Operation,
        code: Option<u16>,
        /// Until its answer began.
        took: Duration,
    },
    /// A database answered, or failed.
    Queried {
        operation: SqlOperation,
        took: Duration,
    },
    Took(ServerResource),
    GaveBack(ServerResource),
    /// The shape of the target was changed, or could not be.
    SchemaChanged {
        operation: SchemaOperation,
        is_done: bool,
        took: Duration,
    },
    /// The history of runs answered, or failed.
    LedgerAsked {
        operation: LedgerOperation,
        took: Duration,
    },
    /// The run is over and nothing will follow. It comes once, for a run that was refused as well.
    Ended {
        outcome: Outcome,
        /// Why it did not complete.
        error: Option<String>,
        is_published: bool,
        took: Duration,
    },
}

/// Tells of a failure that is not told yet: one that travels up is met by several who could.
pub fn tell_failure(
    observer: &dyn Observer,
    stage: Stage,
    mut error: Error,
    is_final: bool,
) -> Error {
    if !error.is_told() {
        error.mark_told();
        let (error_type, reason) = (error.error_type, error.to_string());
        observer.notice(&Event::Failed { stage, error_type, reason, is_final });
    }
    error
}

/// Gauges of the moment, written by the pipeline and read at a scrape.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    pub worker_count: u64,
    pub lane_count: u64,
    pub queue_capacity: u64,
    pub memory_budget_bytes: u64,
    /// Threads that read, and lanes that were opened: a sink may want fewer than are configured.
    pub readers: Gauge,
    pub lanes: Gauge,
    /// As many as the sink would open; 0 before it is known.
    pub lanes_max: Gauge,
    pub active_workers: Gauge,
    pub queue_depth: Gauge,
    pub queue_bytes: Gauge,
    pub memory_used_bytes: Gauge,
}

#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Clone for Gauge {
    fn clone(&self) -> Gauge {
        Gauge(self.get().into())
    }
}

impl Gauge {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn add(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    pub fn sub(&self, value: u64) {
        self.0.fetch_sub(value, Ordering::Relaxed);
    }
}
