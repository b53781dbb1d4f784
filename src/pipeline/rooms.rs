//! The threads of a run and what they share: reader, workers, queue, budget, pools.

use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Run;
use super::budget::Budget;
use super::pool::Pool;
use super::queue::Queue;
use super::reader::{ReadToEnd, Reader};
use super::settle::Ledger;
use super::worker::{Prepared, Worker};
use crate::error::{Error, Result};

pub struct Rooms {
    queue: Arc<Queue>,
    budget: Arc<Budget>,
    /// Buffers of segments and of payloads, apart because the latter are larger.
    segments: Arc<Pool>,
    pub payloads: Arc<Pool>,
    is_closed: watch::Sender<bool>,
}

/// How a thread ended, once it has.
type Reported<T> = oneshot::Receiver<Result<T>>;

/// The share of the memory limit that may lie in each pool unused.
const POOL_SHARE: usize = 16;

impl Rooms {
    pub fn new(run: &Run) -> Rooms {
        let vitals = &run.vitals;
        let memory = vitals.memory_budget_bytes as usize;
        Rooms {
            queue: Queue::new(vitals.queue_capacity as usize, Arc::clone(vitals)),
            budget: Budget::new(memory, Arc::clone(vitals)),
            segments: Arc::new(Pool::new(memory / POOL_SHARE)),
            payloads: Arc::new(Pool::new(memory / POOL_SHARE)),
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
        let reading = self.start_reader(run, ledger);
        let mut working = self.start_workers(run, prepared);
        let run = Arc::clone(run);
        let mut is_closed = self.is_closed.subscribe();
        async move {
            let read = async {
                Ok(tokio::select! {
                    read = outcome_of(reading) => read,
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

    fn start_reader(&self, run: &Arc<Run>, ledger: &Arc<Ledger>) -> Reported<Option<ReadToEnd>> {
        let (run, ledger) = (Arc::clone(run), Arc::clone(ledger));
        let (budget, pool) = (Arc::clone(&self.budget), Arc::clone(&self.segments));
        let queue = CloseAtTheEnd(Arc::clone(&self.queue));
        start("reader".to_string(), move || {
            let decoder = run.source.decoder();
            let reader = Reader {
                run: &run,
                queue: &queue.0,
                budget: &budget,
                pool: &pool,
                ledger: &ledger,
                width: decoder.shape().width(),
                text_growth: decoder.text_growth(),
            };
            reader.read()
        })
    }

    fn start_workers(
        &self,
        run: &Arc<Run>,
        prepared: mpsc::Sender<Prepared>,
    ) -> JoinSet<Result<()>> {
        let decoder = run.source.decoder();
        let mut workers = JoinSet::new();
        for number in 0..run.vitals.worker_count {
            let (run, queue) = (Arc::clone(run), Arc::clone(&self.queue));
            let (segments, payloads) = (Arc::clone(&self.segments), Arc::clone(&self.payloads));
            let (decoder, prepared) = (Arc::clone(&decoder), prepared.clone());
            workers.spawn(outcome_of(start(format!("worker {number}"), move || {
                let worker = Worker { run: &run, segments: &segments, payloads: &payloads };
                worker.work(&*decoder, &queue, &prepared)
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

async fn outcome_of<T>(reported: Reported<T>) -> Result<T> {
    reported.await.unwrap_or_else(|_| Err(Error::internal("a thread of the pipeline panicked")))
}
