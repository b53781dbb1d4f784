//! What a run knows of the runs before it: nothing at first, and once its ledger is open, all that it has.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::queries::PipelineHistory;

#[derive(Debug, Default)]
pub struct Past {
    known: OnceLock<PipelineHistory>,
    /// It is known, or will never be.
    is_settled: Mutex<bool>,
    settled: Condvar,
}

impl Past {
    pub fn get(&self) -> Option<&PipelineHistory> {
        self.known.get()
    }

    /// Where it is known within this time.
    pub fn wait(&self, wait_max: Duration) -> Option<&PipelineHistory> {
        let is_settled = self.is_settled.lock().unwrap_or_else(PoisonError::into_inner);
        // Who gave up knows nothing, like who waited in vain.
        drop(self.settled.wait_timeout_while(is_settled, wait_max, |is_settled| !*is_settled));
        self.get()
    }

    /// Known, or never to be.
    pub fn is_settled(&self) -> bool {
        *self.is_settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, history: PipelineHistory) {
        self.known.get_or_init(|| history);
        self.settle();
    }

    /// There is no ledger that could be read.
    pub fn settle(&self) {
        *self.is_settled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.settled.notify_all();
    }
}
