//! The threads of a run and what they share: reader, workers, queue, budget, pools.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Run;
use super::budget::Budget;
use super::footprint::Footprint;
use super::pool::Pools;
use super::queue::Queue;
use super::reader::{ReadToEnd, Reader, Splits};
use super::settle::Ledger;
use super::worker::{Prepared, Worker};
use crate::error::{Error, Result};

pub struct Rooms {
    queue: Arc<Queue>,
    budget: Arc<Budget>,
    pub pools: Arc<Pools>,
    is_closed: watch::Sender<bool>,
}

/// How a thread ended, once it has.
type Reported<T> = oneshot::Receiver<Result<T>>;

/// The share of the memory limit that may lie in each pool unused.
const POOL_SHARE: usize = 16;

/// What pools and a reader hold beside the budget, without being taken off it. With the rest of the
/// process it stays below 64 MiB, as the user is told.
const ROOM_BYTES: usize = 16 << 20;

impl Rooms {
    pub fn new(run: &Run) -> Rooms {
        let vitals = &run.vitals;
        let memory = vitals.memory_budget_bytes as usize;
        let pools = Pools::new(memory / POOL_SHARE);
        // A reader may have read ahead as much as a record.
        let beside = pools.bytes_max() + run.limit.record_bytes;
        let budget = memory - beside.saturating_sub(ROOM_BYTES).min(memory / 2);
        Rooms {
            queue: Queue::new(vitals.queue_capacity as usize, Arc::clone(vitals)),
            budget: Budget::new(budget, Arc::clone(vitals)),
            pools: Arc::new(pools),
            is_closed: watch::Sender::new(false),
        }
    }

    /// Starts all threads. The answer is how they end: a failed worker is an error at once, because
    /// the sequencer would wait for its ticket for ever; what the reader found comes inside, to be
    /// looked at when everything it has read went its way. A reader that is stuck in a read nobody
    /// can interrupt is not waited for once the run is over.
    pub fn work(
        &self,
        run: &Arc<Run>,
        ledger: &Arc<Ledger>,
        prepared: mpsc::Sender<Prepared>,
    ) -> impl Future<Output = Result<Result<Option<ReadToEnd>>>> {
        let reading = self.start_readers(run, ledger);
        let mut working = self.start_workers(run, prepared);
        let run = Arc::clone(run);
        let mut is_closed = self.is_closed.subscribe();
        async move {
            let read = async {
                Ok(tokio::select! {
                    read = read_by_all(reading) => read,
                    () = run.stop.draining() => Ok(None),
                    // The sender lives as long as the rooms.
                    _ = is_closed.wait_for(|is_closed| *is_closed) => Ok(None),
                })
            };
            let worked = async {
                while let Some(worked) = working.join_next().await {
                    worked
                        .map_err(|cause| Error::internal("a task broke off").because(cause))??;
                }
                Ok(())
            };
            tokio::try_join!(read, worked).map(|(read, ())| read)
        }
    }

    fn start_readers(
        &self,
        run: &Arc<Run>,
        ledger: &Arc<Ledger>,
    ) -> Vec<Reported<Option<ReadToEnd>>> {
        let splits = Arc::new(Splits::new());
        let footprint = Footprint::new(&*run.decoder, &run.sink, run.limit, run.error_budget);
        let footprint = Arc::new(footprint);
        let queue = Arc::new(CloseAtTheEnd(Arc::clone(&self.queue)));
        let start_one = |number| {
            let (run, ledger) = (Arc::clone(run), Arc::clone(ledger));
            let (budget, pools) = (Arc::clone(&self.budget), Arc::clone(&self.pools));
            let (splits, queue) = (Arc::clone(&splits), Arc::clone(&queue));
            let (runtime, is_closed) = (Handle::current(), self.is_closed.subscribe());
            let footprint = Arc::clone(&footprint);
            start(format!("reader {number}"), move || {
                let reader = Reader {
                    run: &run,
                    splits: &splits,
                    runtime,
                    is_closed,
                    queue: &queue.0,
                    budget: &budget,
                    pool: &pools.segments,
                    ledger: &ledger,
                    footprint: &footprint,
                };
                reader.read()
            })
        };
        let count = run.source.readers().clamp(1, run.source.splits().len().max(1));
        (0..count).map(start_one).collect()
    }

    fn start_workers(
        &self,
        run: &Arc<Run>,
        prepared: mpsc::Sender<Prepared>,
    ) -> JoinSet<Result<()>> {
        let mut workers = JoinSet::new();
        for number in 0..run.vitals.worker_count {
            let (run, queue) = (Arc::clone(run), Arc::clone(&self.queue));
            let (pools, prepared) = (Arc::clone(&self.pools), prepared.clone());
            workers.spawn(outcome_of(start(format!("worker {number}"), move || {
                let worker = Worker { run: &run, pools: &pools };
                worker.work(&queue, &prepared)
            })));
        }
        workers
    }

    /// The reader may be stuck in a read that nobody can interrupt: the queue is closed without it.
    pub async fn close_when_draining(&self, run: &Run) {
        run.stop.draining().await;
        self.queue.close();
        self.budget.close();
        std::future::pending().await
    }

    pub fn close(&self) {
        self.queue.abandon();
        self.budget.close();
        self.is_closed.send_replace(true);
    }
}

/// Whatever ends the reader, a panic and a thread that did not start included, the workers must not
/// wait for more.
struct CloseAtTheEnd(Arc<Queue>);

impl Drop for CloseAtTheEnd {
    fn drop(&mut self) {
        self.0.close();
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
    let Err(cause) = thread else { return receiver };
    let (sender, receiver) = oneshot::channel();
    let _ = sender.send(Err(Error::local_io("cannot start a thread", cause)));
    receiver
}

/// What all readers found together. The first failure, but only when all have ended, because what
/// the others have read is on its way.
async fn read_by_all(readers: Vec<Reported<Option<ReadToEnd>>>) -> Result<Option<ReadToEnd>> {
    let mut outcome = Ok(Some(ReadToEnd::default()));
    for reader in readers {
        outcome = match (outcome, outcome_of(reader).await) {
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(Some(all)), Ok(Some(one))) => {
                Ok(Some(ReadToEnd { records: all.records + one.records }))
            }
            (Ok(_), Ok(_)) => Ok(None),
        };
    }
    outcome
}

async fn outcome_of<T>(reported: Reported<T>) -> Result<T> {
    reported.await.unwrap_or_else(|_| Err(Error::internal("a thread of the pipeline panicked")))
}
