//! The operating system's wishes, heard from the first moment on, and turned into a run's own `Stop`.
//!
//! They have threads of their own, so that they are heard whatever the others do, and act before
//! anything is said of them. Until a run has begun there is nothing to put away, and a signal ends the
//! process at once: whatever leaves something behind has to come after `listen`.

use std::io;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use procfs::process::Process;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

use crate::console::logging::{complain, say_signal};
use crate::console::standard_error::standard_error;
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Signal};
use crate::pipeline::Stop;

/// A write beyond a file size limit should fail, not kill: `SIGXFSZ`.
const FILE_SIZE_EXCEEDED: i32 = 25;
const HANGUP_MASK: u64 = 1;

/// Of descriptors: the runtime has two of its own beside the sockets.
const PAIRS_NEEDED: usize = 4;

/// For the one line of a process that is stopped before it has begun.
const SAY_WAIT_MAX: Duration = Duration::from_millis(200);

/// From a second signal on, more than a run takes to put away what it has: see `pipeline::ending`. One
/// that takes longer is stuck in a system call, and another signal ends the process.
const LET_GO_MAX: Duration = Duration::from_secs(12);

/// What signals stop, once there is something. A process has one set of handlers.
static STOPPED: Mutex<Stopped> =
    Mutex::new(Stopped { stop: None, is_silent: false, came: None, let_go: None });

struct Stopped {
    stop: Option<Arc<Stop>>,
    /// What it stops reads nothing that is to be finished.
    is_silent: bool,
    /// The first that came while there was something to stop.
    came: Option<Signal>,
    /// When a second one came.
    let_go: Option<Instant>,
}

/// Installs the handlers. SIGINT goes through `ctrlc`; it does not tell which signal came, so the
/// others go through tokio, on a thread of their own.
pub fn install() -> Result<()> {
    let failed = |cause| Error::local_io("cannot listen to signals", cause);
    ctrlc::set_handler(|| received(Signal::Interrupt))
        .map_err(|cause| Error::internal("cannot listen to signals").because(cause))?;
    has_descriptors().map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let heard = Heard::install(&runtime).map_err(failed)?;
    thread::Builder::new()
        .name("signals".to_string())
        .spawn(move || runtime.block_on(heard.all()))
        .map_err(failed)?;
    Ok(())
}

/// tokio takes it for granted that there are enough for its own pair of sockets.
fn has_descriptors() -> io::Result<()> {
    let pairs: io::Result<Vec<_>> = (0..PAIRS_NEEDED).map(|_| UnixStream::pair()).collect();
    pairs.map(drop)
}

/// What a process leaves behind that a signal ends before there is a run.
type Farewell = Box<dyn FnOnce(Signal) + Send>;

static FAREWELL: Mutex<Option<Farewell>> = Mutex::new(None);

/// What is to be done when a signal comes before the run begins to listen.
pub fn before_a_run(farewell: impl FnOnce(Signal) + Send + 'static) {
    *FAREWELL.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(farewell));
}

/// From now on signals stop this run. One that came when the run before had ended already stops it, too.
pub fn listen(stop: &Arc<Stop>) {
    let mut stopped = what_stops();
    if let Some(signal) = stopped.came {
        stop.signal(signal);
    }
    stopped.stop = Some(Arc::clone(stop));
    stopped.is_silent = false;
    stopped.let_go = None;
}

/// The same for a screen, which ends at once and has nothing to say of that.
pub fn listen_silently(stop: &Arc<Stop>) {
    listen(stop);
    what_stops().is_silent = true;
}

/// What came since there was something to stop.
pub fn came() -> Option<Signal> {
    what_stops().came
}

/// From now on a signal ends the process at once, as before a run.
pub fn listen_no_more() {
    what_stops().stop = None;
}

/// Ends the process as the signal says, once nothing is left behind by that.
pub fn obey(stop: &Stop) -> ! {
    standard_error().finish(SAY_WAIT_MAX);
    let outcome = stop.received().map_or(Outcome::Internal, Outcome::Interrupted);
    process::exit(outcome.exit_code().into())
}

/// Waits until what came so far is in the log, which is never waited for.
pub fn said() {
    drop(what_stops());
}

struct Heard {
    terminate: Arrivals,
    hangup: Option<Arrivals>,
    /// Nothing is to be done about them but to let them come.
    file_size_exceeded: Arrivals,
}

impl Heard {
    fn install(runtime: &Runtime) -> io::Result<Heard> {
        let _inside = runtime.enter();
        Ok(Heard {
            terminate: signal(SignalKind::terminate())?,
            hangup: match is_hangup_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
            file_size_exceeded: signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED))?,
        })
    }

    async fn all(self) {
        let Heard { mut terminate, mut hangup, mut file_size_exceeded } = self;
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(()) = terminate.recv() => received(Signal::Terminate),
                Some(()) = hung_up => received(Signal::Hangup),
                Some(()) = file_size_exceeded.recv() => {}
                else => return,
            }
        }
    }
}

fn received(signal: Signal) {
    let mut stopped = what_stops();
    let Some(stop) = stopped.stop.clone() else { leave(signal) };
    let is_first = stop.signal(signal);
    stopped.came.get_or_insert(signal);
    if is_first {
        if stopped.is_silent {
            return;
        }
        let doing = "finishing what was read; a second signal stops at once";
        say_signal(signal, &format!("{}: {doing}", signal.name()));
        return;
    }
    let since = stopped.let_go.get_or_insert_with(Instant::now).elapsed();
    if since > LET_GO_MAX {
        let outcome = stop.received().map_or(Outcome::Internal, Outcome::Interrupted);
        complain(&format!(
            "{}: the run hangs in a disk or a server, and is ended as if it were killed",
            signal.name()
        ));
        standard_error().finish(SAY_WAIT_MAX);
        process::exit(outcome.exit_code().into())
    }
}

fn leave(signal: Signal) -> ! {
    complain(&format!("{}: stopped before anything was written", signal.name()));
    let farewell = FAREWELL.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(farewell) = farewell {
        farewell(signal);
    }
    standard_error().finish(SAY_WAIT_MAX);
    process::exit(Outcome::Interrupted(signal).exit_code().into())
}

fn what_stops() -> MutexGuard<'static, Stopped> {
    STOPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `nohup` starts us with SIGHUP ignored, and means it.
fn is_hangup_ignored() -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & HANGUP_MASK != 0)
}
