//! Segments that a lane was let go of amid a commit: the sink is asked at the end what became of
//! them, so that the books have what the table has.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::Run;
use super::settle::{Durable, Settling};
use super::worker::Prepared;
use crate::sink::Outgoing;

/// For all questions together: nobody waits long for a run that was told to let go.
const ASK_MAX: Duration = Duration::from_secs(4);

/// A segment while a lane has it. Dropping it amid a commit leaves it to be asked for.
pub struct InHand {
    segment: Option<Prepared>,
    is_unclear: bool,
    settling: Arc<Settling>,
}

const IN_HAND: &str = "it is there until it is taken, which ends this";

impl InHand {
    pub fn new(segment: Prepared, settling: &Arc<Settling>) -> InHand {
        InHand { segment: Some(segment), is_unclear: false, settling: Arc::clone(settling) }
    }

    /// What is sent. From here on it may be taken without anybody knowing.
    pub fn send(&mut self) -> &Outgoing {
        self.is_unclear = true;
        self.outgoing()
    }

    /// It was not taken.
    pub fn came_back(&mut self) {
        self.is_unclear = false;
    }

    pub fn outgoing(&self) -> &Outgoing {
        &self.segment.as_ref().expect(IN_HAND).outgoing
    }

    pub fn take(mut self) -> Prepared {
        self.segment.take().expect(IN_HAND)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(segment) = self.segment.take()
            && self.is_unclear
        {
            self.settling.leave_unclear(segment);
        }
    }
}

/// Settles those that are in, and says how many rows may be in or not.
pub async fn clear_up(run: &Arc<Run>, settling: &Arc<Settling>) -> u64 {
    let segments = settling.take_unclear();
    if !run.sink.is_public_at_commit() {
        // What was taken and not published is gone.
        return 0;
    }
    let give_up = Instant::now() + ASK_MAX;
    let mut unknown = 0;
    for segment in segments {
        let rows = segment.outgoing.payload.rows;
        match timeout_at(give_up, run.sink.find(segment.outgoing.ticket)).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(receipt))) => {
                let insert = segment.started.elapsed();
                let durable = Durable { segment, receipt, insert };
                let settling = Arc::clone(settling);
                let settled = spawn_blocking(move || settling.settle(durable));
                let is_settled = timeout_at(give_up, settled).await;
                if !matches!(is_settled, Ok(Ok(()))) {
                    unknown += rows;
                }
            }
            Ok(Err(_)) | Err(_) => unknown += rows,
        }
    }
    if unknown > 0 {
        tracing::warn!("it is not known whether {unknown} more rows were committed");
    }
    unknown
}
