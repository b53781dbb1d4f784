//! One run: reader, queue, workers, sequencer, lanes, settling - and the three ways it can end.
//!
//! It knows the traits of source and sink and nothing below them. It tells what happens as events,
//! and keeps its own books apart from whoever listens.

mod budget;
mod lane;
mod pool;
mod queue;
mod reader;
mod retry;
mod sequencer;
mod settle;
mod stop;
mod worker;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use self::budget::Budget;
use self::lane::LaneTask;
use self::pool::Pool;
use self::queue::Queue;
use self::reader::{ReadToEnd, Reader};
pub use self::retry::RetryPolicy;
pub use self::sequencer::{ErrorBudget, OnRejected};
use self::sequencer::{over_budget, sequence};
use self::settle::Ledger;
pub use self::stop::Stop;
use self::worker::Worker;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, Stage, State, Vitals};
use crate::record::{Counts, ErrorType, Published};
use crate::rejects::RejectLog;
use crate::report::Outcome;
use crate::sink::{Lane, MarkPolicy, Sink};
use crate::source::{SegmentLimit, Source};

/// Everything a run needs.
pub struct Run {
    pub source: Arc<dyn Source>,
    pub sink: Arc<dyn Sink>,
    pub observer: Arc<dyn Observer>,
    pub on_rejected: OnRejected,
    pub vitals: Arc<Vitals>,
    pub stop: Arc<Stop>,
    /// What the source was told, for reserving memory.
    pub limit: SegmentLimit,
    pub error_budget: ErrorBudget,
    pub retry: RetryPolicy,
    pub mark: MarkPolicy,
    pub drain_timeout: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    pub outcome: Outcome,
    pub error: Option<Error>,
    /// None when nothing was published.
    pub published: Option<Published>,
    pub rejects: Option<PathBuf>,
    pub totals: Counts,
}

impl Default for Ending {
    /// Nothing was moved; why not is for somebody else to say.
    fn default() -> Ending {
        let totals = Counts::default();
        Ending { outcome: Outcome::Internal, error: None, published: None, rejects: None, totals }
    }
}

/// How many segments may wait for a worker, for each of them: one to go on with, and one more for
/// an uneven load.
const QUEUE_PER_WORKER: u64 = 2;

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
    let started = Instant::now();
    let ledger = Arc::new(Ledger::new(&run, rejects));
    let moved = tokio::select! {
        moved = move_records(&run, &ledger) => moved,
        () = hurry(&run) => unreachable!("it never returns"),
    };
    let ending = finish(&run, &ledger, moved).await;
    let state = match ending.outcome {
        Outcome::Complete | Outcome::Interrupted(_) => State::Stopped,
        _ => State::Error,
    };
    run.observer.notice(&Event::Entered(state));
    run.observer.notice(&Event::Ended { outcome: ending.outcome, took: started.elapsed() });
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
    let lane_count = (run.vitals.lane_count as usize).clamp(1, run.sink.lanes_max());
    let mut lanes = Vec::new();
    for _ in 0..lane_count {
        lanes.push(Arc::clone(&run.sink).open().await?);
    }
    run.observer.notice(&Event::Opened(run.source.expected()));
    run.observer.notice(&Event::Entered(State::Running));

    let rooms = Rooms::new(run);
    let reading = rooms.start_reader(run, ledger);
    let (prepared_in, prepared) = mpsc::channel(1);
    let working = rooms.start_workers(run, prepared_in);
    let (ready_in, ready) = mpsc::channel(lane_count);
    let (settle_in, settle) = mpsc::channel(1);

    let sequencing = sequence(run, prepared, ready_in);
    let rest = async {
        let lanes = serve_lanes(run, lanes, &rooms.payloads, ready, settle_in);
        let ((), (), read) =
            tokio::try_join!(lanes, settle_all(ledger, settle), threads(run, reading, working))?;
        // What was read before the source failed has been written by now.
        read
    };
    let path = async {
        let mut rest = pin!(rest);
        let sequenced = tokio::select! {
            sequenced = sequencing => sequenced,
            failed = &mut rest => return failed.map_err(Failure::from),
        };
        let Err(over) = sequenced else { return rest.await.map_err(Failure::from) };
        // What came before the segment that is too much is still written.
        rooms.close();
        let kept = rest.await.and_then(|_| ledger.keep(&over.evidence));
        Err(Failure { error: kept.err().unwrap_or(over.error), keeps_rejects: true })
    };
    let moved = tokio::select! {
        moved = path => moved,
        () = run.stop.abandoned() => Err(Failure::from(abandoned())),
        () = rooms.close_when_draining(run) => unreachable!("it never returns"),
    };
    rooms.close();
    moved
}

/// Each lane is a task of its own: one that is stuck in a write must not keep a second signal, or the
/// end of the drain, from being heard.
async fn serve_lanes(
    run: &Arc<Run>,
    lanes: Vec<Box<dyn Lane>>,
    pool: &Arc<Pool>,
    ready: mpsc::Receiver<worker::Prepared>,
    settle: mpsc::Sender<settle::Durable>,
) -> Result<()> {
    let ready = Arc::new(Mutex::new(ready));
    let mut tasks = JoinSet::new();
    for lane in lanes {
        let (run, pool) = (Arc::clone(run), Arc::clone(pool));
        let task = LaneTask { run, lane, pool, settle: settle.clone() };
        tasks.spawn(task.serve(Arc::clone(&ready)));
    }
    // The lanes' own handles on them are what keeps the channels open.
    drop((ready, settle));
    while let Some(served) = tasks.join_next().await {
        served.map_err(|cause| Error::internal("a lane broke off").because(cause))??;
    }
    Ok(())
}

async fn settle_all(ledger: &Ledger, mut durable: mpsc::Receiver<settle::Durable>) -> Result<()> {
    while let Some(segment) = durable.recv().await {
        ledger.settle(segment)?;
    }
    Ok(())
}

/// How the threads end. A failed worker is an error at once, because the sequencer would wait for
/// its ticket for ever; a failed reader only after everything it has read went its way. A reader
/// that is stuck in a read nobody can interrupt is not waited for.
async fn threads(
    run: &Run,
    reading: Reported<Option<ReadToEnd>>,
    working: Reported<()>,
) -> Result<Result<Option<ReadToEnd>>> {
    let read = async {
        tokio::select! {
            read = outcome_of(reading) => read,
            () = run.stop.draining() => Ok(None),
        }
    };
    let (read, worked) = tokio::join!(read, outcome_of(working));
    worked.map(|()| read)
}

fn abandoned() -> Error {
    let message = "stopped before everything that was read could be written";
    Error::new(Kind::Unavailable, ErrorType::Timeout, message).help("see --drain-timeout")
}

/// What threads and tasks share.
struct Rooms {
    queue: Arc<Queue>,
    budget: Arc<Budget>,
    /// Buffers of segments and of payloads, apart because the latter are larger.
    segments: Arc<Pool>,
    payloads: Arc<Pool>,
}

type Reported<T> = oneshot::Receiver<Result<T>>;

impl Rooms {
    fn new(run: &Run) -> Rooms {
        let vitals = &run.vitals;
        let memory = vitals.memory_budget_bytes as usize;
        let buffers_max = (vitals.queue_capacity + vitals.worker_count * 3) as usize;
        Rooms {
            queue: Queue::new(vitals.queue_capacity as usize, Arc::clone(vitals)),
            budget: Budget::new(memory, Arc::clone(vitals)),
            segments: Arc::new(Pool::new(buffers_max, memory / 16)),
            payloads: Arc::new(Pool::new(buffers_max, memory / 16)),
        }
    }

    fn start_reader(&self, run: &Arc<Run>, ledger: &Arc<Ledger>) -> Reported<Option<ReadToEnd>> {
        let (run, ledger) = (Arc::clone(run), Arc::clone(ledger));
        let (queue, budget) = (Arc::clone(&self.queue), Arc::clone(&self.budget));
        let pool = Arc::clone(&self.segments);
        start("reader".to_string(), move || {
            let reader =
                Reader { run: &run, queue: &queue, budget: &budget, pool: &pool, ledger: &ledger };
            let read = reader.read();
            queue.close();
            read
        })
    }

    /// The first worker that fails is reported at once.
    fn start_workers(
        &self,
        run: &Arc<Run>,
        prepared: mpsc::Sender<worker::Prepared>,
    ) -> Reported<()> {
        let decoder = run.source.decoder();
        let workers = (0..run.vitals.worker_count).map(|number| {
            let (run, queue) = (Arc::clone(run), Arc::clone(&self.queue));
            let pools = (Arc::clone(&self.segments), Arc::clone(&self.payloads));
            let decoder = Arc::clone(&decoder);
            let prepared = prepared.clone();
            outcome_of(start(format!("worker {number}"), move || {
                let worker = Worker { run: &run, segments: &pools.0, payloads: &pools.1 };
                worker.work(&*decoder, &queue, &prepared)
            }))
        });
        let workers = workers.collect();
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move { sender.send(all(workers).await) });
        receiver
    }

    /// The reader may be stuck in a read that nobody can interrupt: the queue is closed without it.
    async fn close_when_draining(&self, run: &Run) {
        run.stop.draining().await;
        self.queue.close();
        self.budget.close();
        std::future::pending().await
    }

    fn close(&self) {
        self.queue.abandon();
        self.budget.close();
    }
}

/// Starts a thread that reports how it ended. A panic in it becomes an error of its own.
fn start<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> Result<T> + Send + 'static,
) -> Reported<T> {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name(name).spawn(move || {
        // Nobody waits for it any more once the run has failed.
        let _ = sender.send(body());
    });
    if let Err(cause) = thread {
        let (sender, receiver) = oneshot::channel();
        let _ = sender.send(Err(Error::local_io("cannot start a thread", cause)));
        return receiver;
    }
    receiver
}

async fn outcome_of<T>(reported: Reported<T>) -> Result<T> {
    reported.await.unwrap_or_else(|_| Err(Error::internal("a thread of the pipeline panicked")))
}

/// Waits for all, or for the first that fails.
async fn all<F: Future<Output = Result<()>>>(futures: Vec<F>) -> Result<()> {
    let mut pending: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        let mut failed = None;
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(outcome) => {
                failed = failed.take().or(outcome.err());
                false
            }
        });
        match failed {
            Some(error) => std::task::Poll::Ready(Err(error)),
            None if pending.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await
}

/// Closes the books, and publishes or abandons.
async fn finish(
    run: &Run,
    ledger: &Ledger,
    moved: std::result::Result<Option<ReadToEnd>, Failure>,
) -> Ending {
    let published = match moved {
        Ok(Some(read)) => publish(run, ledger, read).await.map(Some),
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let totals = ledger.totals();
    let interrupted = run.stop.received().map(Outcome::Interrupted);
    match published {
        Ok(Some((published, rejects))) => {
            let outcome = Outcome::Complete;
            Ending { outcome, error: None, published: Some(published), rejects, totals }
        }
        Ok(None) => {
            run.sink.abandon().await;
            ledger.discard_rejects();
            let outcome = interrupted.unwrap_or(Outcome::Internal);
            Ending { outcome, error: None, published: None, rejects: None, totals }
        }
        Err(Failure { error, keeps_rejects }) => {
            run.sink.abandon().await;
            let rejects = match keeps_rejects {
                true => ledger.publish_rejects().ok().flatten(),
                false => {
                    ledger.discard_rejects();
                    None
                }
            };
            // That something was let go is what the signal asked for, not a failure of its own.
            let outcome = match interrupted {
                Some(interrupted) if error.kind == Kind::Unavailable => interrupted,
                _ => Outcome::from(error.kind),
            };
            Ending { outcome, error: Some(error), published: None, rejects, totals }
        }
    }
}

/// Rejected records first: a record that is not in the output must be findable.
async fn publish(
    run: &Run,
    ledger: &Ledger,
    read: ReadToEnd,
) -> std::result::Result<(Published, Option<PathBuf>), Failure> {
    let totals = ledger.totals();
    if totals.processed() != read.records {
        let message = format!(
            "the balance does not close: {} records were read and {} are accounted for",
            read.records,
            totals.processed()
        );
        return Err(Failure::from(
            Error::data(ErrorType::Protocol, message)
                .help("nothing was published; this is a bug in flowgauge, please report it"),
        ));
    }
    if run.error_budget.is_exceeded(totals.failed, read.records, true) {
        let error = over_budget(run, totals.failed, None);
        return Err(Failure { error, keeps_rejects: true });
    }
    let rejects = ledger.publish_rejects()?;
    let published = run.sink.publish().await.inspect_err(|error| {
        let (stage, error_type) = (Stage::Insert, error.error_type);
        run.observer.notice(&Event::Failed { stage, error_type });
    })?;
    Ok((published, rejects))
}

#[cfg(test)]
mod tests;
