//! The one lane into a file, and the one into standard output.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use tokio::task::{JoinHandle, block_in_place, spawn_blocking};

use super::standard_output::StandardOutput;
use crate::error::{Error, Kind, Later, Result};
use crate::part::PartFile;
use crate::record::{Counts, ErrorType};
use crate::sink::{Allowance, Commit, Lane, Outgoing, Payload, Receipt};

/// Appends to the part file; a sync runs beside the appending, because the disk is slower than the
/// page cache and neither should wait for the other.
pub struct FileLane {
    part: Arc<PartFile>,
    /// Receipts of segments that are accepted and not yet durable, oldest first.
    accepted: VecDeque<Receipt>,
    syncing: Option<Sync>,
}

struct Sync {
    task: JoinHandle<Result<()>>,
    /// How many of the accepted segments it makes durable.
    covers: usize,
}

impl FileLane {
    pub fn open(part: Arc<PartFile>, preamble: &[u8]) -> Result<FileLane> {
        part.append(preamble)?;
        Ok(FileLane { part, accepted: VecDeque::new(), syncing: None })
    }
}

impl Lane for FileLane {
    fn commit<'a>(
        &'a mut self,
        segment: &'a Outgoing,
        _allowance: &'a dyn Allowance,
    ) -> Later<'a, Result<Commit>> {
        Box::pin(async {
            block_in_place(|| self.part.append(&segment.payload.bytes))?;
            self.accepted.push_back(receipt(&segment.payload));
            Ok(Commit::Accepted)
        })
    }

    fn mark(&mut self) -> Later<'_, Result<bool>> {
        if self.syncing.is_some() || self.accepted.is_empty() {
            return Box::pin(std::future::ready(Ok(false)));
        }
        let part = Arc::clone(&self.part);
        let task = spawn_blocking(move || part.sync());
        self.syncing = Some(Sync { task, covers: self.accepted.len() });
        Box::pin(std::future::ready(Ok(true)))
    }

    fn marked(&mut self) -> Later<'_, Result<Vec<Receipt>>> {
        Box::pin(async {
            let Some(sync) = &mut self.syncing else { return std::future::pending().await };
            let covers = sync.covers;
            let synced = (&mut sync.task).await;
            self.syncing = None;
            synced.map_err(|cause| Error::internal("a sync broke off").because(cause))??;
            Ok(self.accepted.drain(..covers).collect())
        })
    }
}

/// Standard output: what was written is out of our hands, so nothing can be made durable.
pub struct StdoutLane;

impl StdoutLane {
    pub fn open(preamble: &[u8]) -> Result<StdoutLane> {
        write(preamble)?;
        Ok(StdoutLane)
    }
}

impl Lane for StdoutLane {
    fn commit<'a>(
        &'a mut self,
        segment: &'a Outgoing,
        _allowance: &'a dyn Allowance,
    ) -> Later<'a, Result<Commit>> {
        Box::pin(async {
            block_in_place(|| write(&segment.payload.bytes))?;
            Ok(Commit::Durable(receipt(&segment.payload)))
        })
    }
}

fn write(bytes: &[u8]) -> Result<()> {
    StandardOutput.write_all(bytes).map_err(|cause| {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            let message = "the reader of standard output went away";
            return Error::new(Kind::OutputClosed, ErrorType::Other, message);
        }
        Error::local_io("cannot write standard output", cause)
    })
}

fn receipt(payload: &Payload) -> Receipt {
    Receipt {
        counts: Counts { inserted: payload.rows, ..Counts::default() },
        bytes_written: payload.bytes.len() as u64,
        refused: Vec::new(),
    }
}
