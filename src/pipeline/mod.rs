//! One run: reader, queue, workers, sequencer, lanes, settling - and the three ways it can end.
//!
//! It knows the traits of source and sink and nothing below them. It tells what happens as events,
//! and keeps its own books apart from whoever listens.

mod allowance;
mod budget;
mod ending;
mod footprint;
mod lane;
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

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use self::allowance::Account;
pub use self::allowance::ErrorBudget;
pub use self::ending::Ending;
pub use self::footprint::fit;
use self::lane::{Halt, LaneTask, Lanes};
use self::overlap::KeysInFlight;
use self::pace::Pace;
use self::reader::ReadToEnd;
pub use self::retry::{RetryPolicy, persist};
use self::rooms::Rooms;
pub use self::sequencer::OnRejected;
use self::sequencer::{OverBudget, Sequencer};
use self::settle::Ledger;
pub use self::stop::Stop;
pub use self::worker::reject;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, State, Vitals};
use crate::outcome::Outcome;
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
    pub error_budget: ErrorBudget,
    pub retry: RetryPolicy,
    pub mark: MarkPolicy,
    pub drain_timeout: Duration,
    pub rows_per_second_max: Option<u64>,
    /// When it began, with the opening of its two ends.
    pub started: Instant,
}

/// How many segments may wait for a worker, for each of them: one to go on with, and one more for
/// an uneven load.
const QUEUE_PER_WORKER: u64 = 2;

/// How long lanes that were let go of may take to be gone, and what they have told to be settled.
const SETTLE_MAX: Duration = Duration::from_secs(3);

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

/// Moves everything from the source to the sink, or as far as it gets. Must be called on a runtime
/// with several threads.
pub async fn run(run: Arc<Run>, rejects: Box<dyn RejectLog>) -> Ending {
    let ledger = Arc::new(Ledger::new(&run, rejects));
    let whole = async {
        let moved = move_records(&run, &ledger).await;
        ending::finish(&run, &ledger, moved).await
    };
    let ending = tokio::select! {
        ending = whole => ending,
        () = hurry(&run) => unreachable!("it never returns"),
    };
    let state = match ending.outcome {
        Outcome::Complete | Outcome::Interrupted(_) => State::Stopped,
        _ => State::Error,
    };
    run.observer.notice(&Event::Entered(state));
    run.observer.notice(&Event::Ended { outcome: ending.outcome, took: run.started.elapsed() });
    ending
}

/// Why nothing is published.
struct Failure {
    error: Error,
    /// The rejected records are the explanation.
    keeps_rejects: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, keeps_rejects: false }
    }
}

/// Says that a drain has begun, and ends it when it takes too long.
async fn hurry(run: &Run) {
    run.stop.draining().await;
    if !run.stop.is_abandoned() {
        run.observer.notice(&Event::Entered(State::Draining));
    }
    tokio::time::sleep(run.drain_timeout).await;
    run.stop.abandon();
    std::future::pending().await
}

/// The path itself. Ok with what the source held when it was read to its end, or with None after a
/// drain.
async fn move_records(
    run: &Arc<Run>,
    ledger: &Arc<Ledger>,
) -> std::result::Result<Option<ReadToEnd>, Failure> {
    let lanes = tokio::select! {
        lanes = open_lanes(run) => lanes?,
        () = run.stop.abandoned() => return Err(unwritten()),
    };
    run.observer.notice(&Event::Opened(run.source.expected()));
    if !run.stop.is_stopping() {
        run.observer.notice(&Event::Entered(State::Running));
    }

    let rooms = Rooms::new(run);
    let account = Arc::new(Account::new(run.error_budget));
    let keys = Arc::new(KeysInFlight::default());
    let (prepared_in, prepared) = mpsc::channel(1);
    let (ready_in, ready) = mpsc::channel(lanes.len());
    let (settle_in, settle) = mpsc::channel(1);
    let (halt_in, mut halts) = mpsc::channel(1);
    let halt = halt_in.clone();

    let threads = rooms.work(run, ledger, prepared_in);
    let pace = Pace::new(run.rows_per_second_max);
    let sequencer = Sequencer { run, account: &account, keys: &keys, pace };
    let sequencing = sequencer.sequence(prepared, ready_in);
    let shared = Lanes {
        run: Arc::clone(run),
        pools: Arc::clone(&rooms.pools),
        account: Arc::clone(&account),
        keys: Arc::clone(&keys),
        ledger: Arc::clone(ledger),
        settle: settle_in,
        halt: halt_in,
    };
    let mut settling = settle_all(ledger, settle);
    let rest = async {
        let lanes = async {
            serve_lanes(shared, lanes, ready).await;
            Ok(())
        };
        let threads = async {
            threads.await.or_else(|error| {
                // A worker that cannot go on: as with a lane, what is on its way is written first.
                let _ = halt.try_send(Halt::Failed(error));
                Ok(Ok(None))
            })
        };
        let settled = settled(&mut settling);
        let ((), (), read) = tokio::try_join!(lanes, settled, threads)?;
        // What was read before the source failed has been written by now.
        read
    };
    let path = async {
        let mut rest = pin!(rest);
        // Boxed, to be dropped before the lanes are waited for: it holds their channel open.
        let mut sequencing = Box::pin(sequencing);
        let (mut is_sequenced, mut is_over) = (false, false);
        let halt = loop {
            tokio::select! {
                Some(halt) = halts.recv() => break halt,
                sequenced = &mut sequencing, if !is_sequenced => match sequenced {
                    Ok(()) => is_sequenced = true,
                    Err(over) => break Halt::OverBudget(over),
                },
                // A lane says so before it ends, so it cannot have been said later.
                moved = &mut rest => match halts.try_recv() {
                    Ok(halt) => {
                        is_over = true;
                        break halt;
                    }
                    Err(_) => return moved.map_err(Failure::from),
                },
            }
        };
        // What is on its way in other lanes is written and settled all the same, else nobody would
        // know of it. Whatever goes wrong with that says less than what came first.
        rooms.close();
        drop(sequencing);
        if !is_over {
            let _ = tokio::time::timeout(run.drain_timeout, rest).await;
        }
        Err(match halt {
            Halt::Failed(error) => Failure::from(error),
            Halt::OverBudget(OverBudget { error, interval, evidence }) => {
                let error = ledger.keep(&interval, &evidence).err().unwrap_or(error);
                Failure { error, keeps_rejects: true }
            }
        })
    };
    let moved = tokio::select! {
        moved = path => moved,
        () = run.stop.abandoned() => Err(unwritten()),
        () = rooms.close_when_draining(run) => unreachable!("it never returns"),
    };
    rooms.close();
    if run.sink.is_public_at_commit() {
        // What lanes that were let go of have told is in the books then, and what they had in hand
        // is known to be unclear.
        let _ = tokio::time::timeout(SETTLE_MAX, settled(&mut settling)).await;
    }
    moved
}

async fn open_lanes(run: &Run) -> Result<Vec<Box<dyn Lane>>> {
    let lane_count = (run.vitals.lane_count as usize).min(run.sink.lanes_max()).max(1);
    let mut lanes = Vec::new();
    for _ in 0..lane_count {
        lanes.push(lane::open(run).await?);
    }
    Ok(lanes)
}

/// Each lane is a task of its own: one that is stuck in a write must not keep a second signal, or the
/// end of the drain, from being heard.
async fn serve_lanes(
    shared: Lanes,
    lanes: Vec<Box<dyn Lane>>,
    ready: mpsc::Receiver<worker::Prepared>,
) {
    let ready = Arc::new(Mutex::new(ready));
    let mut tasks = JoinSet::new();
    for lane in lanes {
        tasks.spawn(LaneTask::new(shared.clone(), lane).serve(Arc::clone(&ready)));
    }
    let halt = shared.halt.clone();
    // The lanes' own handles on them are what keeps the channels open.
    drop((ready, shared));
    while let Some(served) = tasks.join_next().await {
        let broken = |cause| Err(Error::internal("a lane broke off").because(cause));
        if let Err(error) = served.unwrap_or_else(broken) {
            // The first error is the one to tell; the other lanes finish what they hold.
            let _ = halt.try_send(Halt::Failed(error));
        }
    }
}

/// Settles what became durable. A task of its own, because keeping rejected records may meet a disk
/// that hangs. It ends when there is no lane any more.
fn settle_all(
    ledger: &Arc<Ledger>,
    mut durable: mpsc::Receiver<settle::Durable>,
) -> JoinSet<Result<()>> {
    let ledger = Arc::clone(ledger);
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Some(segment) = durable.recv().await {
            ledger.settle(segment)?;
        }
        Ok(())
    });
    task
}

async fn settled(task: &mut JoinSet<Result<()>>) -> Result<()> {
    task.join_next()
        .await
        .unwrap_or(Ok(Ok(())))
        .map_err(|cause| Error::internal("settling broke off").because(cause))?
}

fn unwritten() -> Failure {
    Failure::from(let_go_of("everything that was read could be written"))
}

/// The error of a run that was stopped before something.
fn let_go_of(what: &str) -> Error {
    Error::new(Kind::Unavailable, ErrorType::Timeout, format!("stopped before {what}"))
        .help("a second signal, and the end of --drain-timeout, let go of what is under way")
}

#[cfg(test)]
mod tests;
