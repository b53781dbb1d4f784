//! The threads of a run and what they share: reader, workers, queue, budget, pools.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::Run;
use super::budget::Budget;
use super::footprint::Footprint;
use super::pool::Pools;
use super::queue::Queue;
use super::reader::{ReadToEnd, Reader, Splits};
use super::settle::Settling;
use super::stop::Failure;
use super::worker::{Prepared, Worker};
use crate::error::{Error, Result};

pub struct Rooms {
    queue: Arc<Queue>,
    budget: Arc<Budget>,
    pub pools: Arc<Pools>,
}

/// More than it takes to read a segment of a file. A reader that is stuck in its read is not waited for any longer.
const HAND_ON_MAX: Duration = Duration::from_millis(500);

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
        }
    }

    /// What all readers found together; None where the run was stopped before. A reader that is stuck
    /// in a read nobody can interrupt is not waited for.
    pub async fn read(&self, run: &Arc<Run>, settling: &Arc<Settling>) -> Option<ReadToEnd> {
        let mut reading = self.start_readers(run, settling);
        let all = async {
            let mut all = ReadToEnd::default();
            while let Some(read) = reading.join_next().await {
                match read.unwrap_or_else(broken_off) {
                    Ok(Some(one)) => all.records += one.records,
                    // It stopped because everybody does.
                    Ok(None) => return None,
                    Err(error) => {
                        run.stop.fail(Failure::Source(error));
                        return None;
                    }
                }
            }
            run.stop.read_to_end().then_some(all)
        };
        tokio::select! {
            biased;
            all = all => all,
            () = run.stop.draining() => None,
        }
    }

    /// Until all workers have ended.
    pub async fn work(&self, run: &Arc<Run>, prepared: mpsc::Sender<Prepared>) {
        let mut working = self.start_workers(run, prepared);
        while let Some(worked) = working.join_next().await {
            if let Err(error) = worked.unwrap_or_else(broken_off) {
                run.stop.fail(error);
            }
        }
    }

    fn start_readers(
        &self,
        run: &Arc<Run>,
        settling: &Arc<Settling>,
    ) -> JoinSet<Result<Option<ReadToEnd>>> {
        let splits = Arc::new(Splits::new());
        let footprint = Footprint::new(&*run.decoder, &run.sink, run.limit, run.max_errors);
        let footprint = Arc::new(footprint);
        let queue = Arc::new(CloseAtTheEnd(Arc::clone(&self.queue)));
        let start_one = |number| {
            let (run, settling) = (Arc::clone(run), Arc::clone(settling));
            let (budget, pools) = (Arc::clone(&self.budget), Arc::clone(&self.pools));
            let (splits, queue) = (Arc::clone(&splits), Arc::clone(&queue));
            let runtime = Handle::current();
            let footprint = Arc::clone(&footprint);
            start(format!("reader {number}"), move || {
                let reader = Reader {
                    run: &run,
                    splits: &splits,
                    runtime,
                    queue: &queue.0,
                    budget: &budget,
                    pool: &pools.segments,
                    settling: &settling,
                    footprint: &footprint,
                };
                reader.read()
            })
        };
        let count = run.source.readers().clamp(1, run.source.splits().len().max(1));
        run.vitals.readers.set(count as u64);
        (0..count).map(|number| outcome_of(start_one(number))).collect()
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

    /// Does with the queue and the budget what the phase of the run asks for: those who wait for
    /// them are threads, which nothing else wakes.
    pub async fn follow(&self, run: &Run) -> Infallible {
        run.stop.draining().await;
        self.budget.close();
        self.queue.drain();
        // The readers close it when they have handed on what they were reading. One that waits for a pipe does not.
        let _ = timeout(HAND_ON_MAX, run.stop.halting()).await;
        self.queue.close();
        run.stop.halting().await;
        self.queue.abandon();
        std::future::pending().await
    }

    /// Nobody follows any more.
    pub fn close(&self) {
        self.queue.abandon();
        self.budget.close();
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

async fn outcome_of<T>(reported: Reported<T>) -> Result<T> {
    reported.await.unwrap_or_else(|_| Err(Error::internal("a thread of the pipeline panicked")))
}

fn broken_off<T>(cause: JoinError) -> Result<T> {
    Err(Error::internal("a task broke off").because(cause))
}
