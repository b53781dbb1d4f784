//! One run: reader, queue, workers, sequencer, lanes, settling. How it stops before its end is in
//! `stop`.
//!
//! It knows the traits of source and sink and nothing below them. It tells what happens as events,
//! and keeps its own books apart from whoever listens.

mod allowance;
mod budget;
mod caught;
mod ending;
mod footprint;
mod lane;
mod max_errors;
mod minimum;
mod overlap;
mod pace;
mod pool;
mod queue;
mod reader;
mod retry;
mod rooms;
mod sequencer;
mod settle;
mod stop;
mod unclear;
mod worker;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinSet, spawn_blocking};

use self::allowance::Account;
use self::caught::caught;
pub use self::ending::Ending;
pub use self::footprint::fit;
use self::lane::{LaneTask, Lanes};
pub use self::max_errors::{MaxErrors, Percent};
pub use self::minimum::{Minimum, Shrink};
use self::overlap::KeysInFlight;
use self::pace::RowPace;
use self::reader::ReadToEnd;
pub use self::retry::{RetryPolicy, persist};
use self::rooms::Rooms;
pub use self::sequencer::OnRejected;
use self::sequencer::Sequencer;
use self::settle::{Durable, Settling};
pub use self::stop::{Phase, Stop};
use self::worker::Prepared;
pub use self::worker::reject;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, RunState, Stage, Vitals, tell_failure};
use crate::record::ErrorType;
use crate::rejects::RejectLog;
use crate::sink::{Lane, MarkPolicy, Sink};
use crate::source::{Decode, SegmentLimit, Source};

/// Everything a run needs.
pub struct Run {
    pub source: Arc<dyn Source>,
    /// The source's, for what the sink wants.
    pub decoder: Arc<dyn Decode>,
    pub sink: Arc<dyn Sink>,
    pub observer: Arc<dyn Observer>,
    pub on_rejected: OnRejected,
    pub vitals: Arc<Vitals>,
    pub stop: Arc<Stop>,
    /// What the source is told, so that a few segments fit into the memory: see `fit`.
    pub limit: SegmentLimit,
    pub max_errors: MaxErrors,
    pub minimum: Minimum,
    pub retry: RetryPolicy,
    pub mark: MarkPolicy,
    pub drain_timeout: Duration,
    pub rows_per_second_max: Option<u64>,
}

/// How many segments may wait for a worker, for each of them: one to go on with, and one more for
/// an uneven load.
const QUEUE_PER_WORKER: u64 = 2;

/// How long lanes that were let go of may take to be gone, and what they have told to be settled.
const SETTLE_MAX: Duration = Duration::from_secs(2);

impl Vitals {
    /// For this many workers and lanes.
    pub fn sized(worker_count: u64, lane_count: u64, memory_budget_bytes: u64) -> Vitals {
        Vitals {
            worker_count,
            lane_count,
            queue_capacity: worker_count * QUEUE_PER_WORKER,
            memory_budget_bytes,
            ..Vitals::default()
        }
    }
}

/// Moves everything from the source to the sink, or as far as it gets; `Ending::tell` says how it ended.
/// Must be called on a runtime with several threads.
pub async fn run(run: Arc<Run>, rejects: Box<dyn RejectLog>) -> Ending {
    let settling = Arc::new(Settling::new(&run, rejects));
    let whole = async {
        let read = caught(move_records(&run, &settling)).await.unwrap_or_else(|error| {
            run.stop.fail(error);
            None
        });
        match caught(ending::finish(&run, &settling, read)).await {
            Ok(ending) => ending,
            Err(error) => {
                let error = Some(error);
                let published = run.sink.abandon().await;
                Ending { error, published, totals: settling.totals(), ..Ending::default() }
            }
        }
    };
    tokio::select! {
        ending = whole => ending,
        never = keep_time(&run) => match never {},
    }
}

/// The clock of a run that stops, whatever made it: says that it began, and ends it when it takes too
/// long.
async fn keep_time(run: &Run) -> Infallible {
    run.stop.draining().await;
    if run.stop.phase() < Phase::Abandoned {
        run.observer.notice(&Event::Entered(RunState::Draining));
    }
    tokio::time::sleep(run.drain_timeout).await;
    run.stop.time_is_up();
    std::future::pending().await
}

/// The path itself: what the source held, when it was read to its end and nothing speaks against
/// publishing. Each part ends by itself when the one before it does, or when the phase says so
/// (`stop`), and tells what it cannot go on with.
async fn move_records(run: &Arc<Run>, settling: &Arc<Settling>) -> Option<ReadToEnd> {
    let stop = &run.stop;
    let opened = tokio::select! {
        opened = open_lanes(run) => opened,
        // Nothing was read, so there is nothing to write.
        () = stop.draining() => return None,
    };
    let lanes = match opened {
        Ok(lanes) => lanes,
        Err(error) => {
            stop.fail(error);
            return None;
        }
    };
    let expected = run.source.expected();
    run.observer.notice(&Event::Opened(expected));
    if let Err(error) = run.minimum.check_expected(expected.records) {
        stop.fail(tell_failure(&*run.observer, Stage::Fetch, error, true));
        return None;
    }
    if !stop.is_stopping() {
        run.observer.notice(&Event::Entered(RunState::Running));
    }

    let rooms = Rooms::new(run);
    let account = Arc::new(Account::new(run.max_errors));
    let keys = Arc::new(KeysInFlight::default());
    let (prepared_in, prepared) = mpsc::channel(1);
    let (ready_in, ready) = mpsc::channel(lanes.len());
    let (settle_in, settle) = mpsc::channel(1);
    let pace = RowPace::new(run.rows_per_second_max);
    let sequencer = Sequencer { run, settling, account: &account, keys: &keys, pace };
    let shared = Lanes {
        run: Arc::clone(run),
        pools: Arc::clone(&rooms.pools),
        account: Arc::clone(&account),
        keys: Arc::clone(&keys),
        settling: Arc::clone(settling),
        settle: settle_in,
    };
    let mut settlers = settle_all(run, settling, settle);
    let path = async {
        let (read, ..) = tokio::join!(
            rooms.read(run, settling),
            rooms.work(run, prepared_in),
            sequence(sequencer, prepared, ready_in),
            serve_lanes(shared, lanes, ready),
            settled(&run.stop, &mut settlers),
        );
        read
    };
    let read = tokio::select! {
        read = path => read,
        () = stop.abandoned() => None,
        never = rooms.follow(run) => match never {},
    };
    rooms.close();
    if run.sink.is_public_at_commit() {
        // What lanes that were let go of have told is in the books then, and what they had in hand
        // is known to be unclear.
        let _ = tokio::time::timeout(SETTLE_MAX, settled(&run.stop, &mut settlers)).await;
    }
    read.filter(|_| !stop.has_cause())
}

async fn open_lanes(run: &Run) -> Result<Vec<Box<dyn Lane>>> {
    let lanes_max = run.sink.lanes_max();
    run.vitals.lanes_max.set(lanes_max as u64);
    let lane_count = (run.vitals.lane_count as usize).min(lanes_max).max(1);
    let mut lanes = Vec::new();
    for _ in 0..lane_count {
        lanes.push(lane::open(run).await?);
    }
    run.vitals.lanes.set(lanes.len() as u64);
    Ok(lanes)
}

/// Until the workers have ended, or nothing more may be written. Its ends of the channels go with it,
/// by which workers and lanes learn of that.
async fn sequence(
    sequencer: Sequencer<'_>,
    prepared: mpsc::Receiver<Prepared>,
    ready: mpsc::Sender<Prepared>,
) {
    let run = sequencer.run;
    let sequenced = tokio::select! {
        sequenced = sequencer.sequence(prepared, ready) => sequenced,
        () = run.stop.halting() => Ok(()),
    };
    if let Err(over) = sequenced {
        run.stop.fail(over);
    }
}

/// Each lane is a task of its own: one that is stuck in a write must not keep a second signal, or the
/// end of the drain, from being heard.
async fn serve_lanes(shared: Lanes, lanes: Vec<Box<dyn Lane>>, ready: mpsc::Receiver<Prepared>) {
    let run = Arc::clone(&shared.run);
    let ready = Arc::new(Mutex::new(ready));
    let mut tasks = JoinSet::new();
    for lane in lanes {
        tasks.spawn(LaneTask::new(shared.clone(), lane).serve(Arc::clone(&ready)));
    }
    // The lanes' own handles on them are what keeps the channels open.
    drop((ready, shared));
    while let Some(served) = tasks.join_next().await {
        let broken = |cause| Err(Error::internal("a lane broke off").because(cause).into());
        if let Err(failure) = served.unwrap_or_else(broken) {
            run.stop.fail(failure);
        }
    }
}

/// Settles what became durable, until there is no lane any more. It goes on when one cannot be settled
/// as it should: what others have written is public all the same. Keeping rejected records may meet a
/// disk that hangs, for which neither this runtime nor a signal may wait.
fn settle_all(
    run: &Arc<Run>,
    settling: &Arc<Settling>,
    mut durable: mpsc::Receiver<Durable>,
) -> JoinSet<()> {
    let (run, settling) = (Arc::clone(run), Arc::clone(settling));
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Some(segment) = durable.recv().await {
            if !segment.waits_for_disk() {
                settling.settle(segment);
                continue;
            }
            let settling = Arc::clone(&settling);
            if let Err(cause) = spawn_blocking(move || settling.settle(segment)).await {
                run.stop.fail(Error::internal("settling broke off").because(cause));
            }
        }
    });
    task
}

async fn settled(stop: &Stop, task: &mut JoinSet<()>) {
    if let Some(Err(cause)) = task.join_next().await {
        stop.fail(Error::internal("settling broke off").because(cause));
    }
}

/// The error of a run that was stopped before something.
fn let_go_of(what: &str) -> Error {
    Error::new(Kind::Unavailable, ErrorType::Timeout, format!("stopped before {what}"))
        .help("a second signal, and the end of --drain-timeout, let go of what is under way")
}

#[cfg(test)]
mod tests;
