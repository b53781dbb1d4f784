//! The operating system's wishes, turned into the run's own `Stop`.

use std::sync::Arc;

use procfs::process::Process;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};
use crate::outcome::Signal;
use crate::pipeline::Stop;

/// A write beyond a file size limit should fail, not kill: `SIGXFSZ`.
const FILE_SIZE_EXCEEDED: i32 = 25;
const HANGUP_MASK: u64 = 1;

/// Installs the handlers, on the runtime. SIGINT goes through `ctrlc`; it does not tell which
/// signal came, so the others go through tokio.
pub fn listen(stop: &Arc<Stop>) -> Result<()> {
    let failed = |cause| Error::local_io("cannot listen to signals", cause);
    let interrupted = Arc::clone(stop);
    ctrlc::set_handler(move || received(&interrupted, Signal::Interrupt))
        .map_err(|cause| Error::internal("cannot listen to signals").because(cause))?;
    wait_for(stop, SignalKind::terminate(), Signal::Terminate).map_err(failed)?;
    if !is_hangup_ignored() {
        wait_for(stop, SignalKind::hangup(), Signal::Hangup).map_err(failed)?;
    }
    let mut ignored = signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map_err(failed)?;
    tokio::spawn(async move { while ignored.recv().await.is_some() {} });
    Ok(())
}

fn wait_for(stop: &Arc<Stop>, kind: SignalKind, meaning: Signal) -> std::io::Result<()> {
    let mut signals = signal(kind)?;
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            received(&stop, meaning);
        }
    });
    Ok(())
}

fn received(stop: &Stop, signal: Signal) {
    if stop.signal(signal) {
        tracing::warn!("{}: finishing what was read; a second signal stops at once", signal.name());
    }
}

/// `nohup` starts us with SIGHUP ignored, and means it.
fn is_hangup_ignored() -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & HANGUP_MASK != 0)
}
