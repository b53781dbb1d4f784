//! What a run knows of the runs before it: nothing at first, and once its ledger is open, all that it has.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::queries::PipelineHistory;

const LOOK_EVERY: Duration = Duration::from_millis(20);

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

    /// Where it is known within this time, and before there is no reason to wait any longer.
    pub fn wait_unless(
        &self,
        wait_max: Duration,
        is_let_go: impl Fn() -> bool,
    ) -> Option<&PipelineHistory> {
        let give_up = Instant::now() + wait_max;
        while self.wait(LOOK_EVERY).is_none()
            && !self.is_settled()
            && Instant::now() < give_up
            && !is_let_go()
        {}
        self.get()
    }

    fn wait(&self, wait_max: Duration) -> Option<&PipelineHistory> {
        let is_settled = self.is_settled.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.settled.wait_timeout_while(is_settled, wait_max, |is_settled| !*is_settled));
        self.get()
    }

    fn is_settled(&self) -> bool {
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
