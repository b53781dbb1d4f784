//! How a run stops before its end: one phase, which only rises, and the cause that raised it first.
//!
//! | phase | what brings it | reader | queue, budget | workers, sequencer | lanes |
//! |---|---|---|---|---|---|
//! | running | | reads | open | work | write |
//! | draining | a signal; a source that fails | hands on what it is reading, and reads nothing more | takes that, for half a second, and is closed; what waits is handed out | work until the queue is empty | write |
//! | halting | a lane, a worker or the books that fail; too many rejected records | the same | closed and emptied | end | write what was let through |
//! | abandoned | a second signal; `--drain-timeout` | is left in its read | the same | are left or dropped | are dropped, and the sink is asked what it has |
//!
//! What became durable is settled in every phase, and nothing is published in any but the first. The
//! clock of `--drain-timeout` begins with the first phase above running, whatever brought it.
//!
//! The first cause is the run's outcome. A reader is ahead of everybody, so what it finds stands behind
//! all that it has read: a failure of something before that takes its place. A signal is a cause only
//! while there is something left to read, for otherwise it changes nothing.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::error::Error;
use crate::outcome::{Outcome, Signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Phase {
    Running,
    Draining,
    Halting,
    Abandoned,
}

/// What cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// A reader, at the end of what it has read.
    Source(Error),
    /// Anything behind it.
    Path(Error),
    /// Too many records were rejected. The books know which.
    TooManyRejected,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Path(error)
    }
}

#[derive(Debug)]
enum Cause {
    Signal(Signal),
    Failure(Failure),
}

/// Told by whoever has a reason to stop; looked at by everybody at safe points.
pub struct Stop {
    phase: watch::Sender<Phase>,
    causes: Mutex<Causes>,
}

#[derive(Default)]
struct Causes {
    signal: Option<Signal>,
    /// When it came, and how many did.
    signalled: Option<Instant>,
    signal_count: u32,
    /// The source was read to its end.
    is_read: bool,
    first: Option<Cause>,
    /// What failed after a signal: worth telling, and no other outcome.
    failed_later: Option<Error>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { phase: watch::Sender::new(Phase::Running), causes: Mutex::default() }
    }
}

impl Stop {
    /// The first signal drains, the second abandons. Says whether it was the first.
    pub fn signal(&self, signal: Signal) -> bool {
        let mut causes = self.causes();
        let is_first = causes.signal.is_none();
        causes.signalled.get_or_insert_with(Instant::now);
        causes.signal_count += 1;
        let meant = *causes.signal.get_or_insert(signal);
        if causes.first.is_none() && !(is_first && causes.is_read) {
            causes.first = Some(Cause::Signal(meant));
        }
        self.raise(if is_first { Phase::Draining } else { Phase::Abandoned });
        is_first
    }

    /// Something cannot go on, or may not.
    pub fn fail(&self, failure: impl Into<Failure>) {
        let failure = failure.into();
        let phase = match failure {
            Failure::Source(_) => Phase::Draining,
            Failure::Path(_) | Failure::TooManyRejected => Phase::Halting,
        };
        let mut causes = self.causes();
        match &causes.first {
            None => causes.first = Some(Cause::Failure(failure)),
            // What the reader found stands behind what it has read.
            Some(Cause::Failure(Failure::Source(_))) if phase > Phase::Draining => {
                causes.first = Some(Cause::Failure(failure));
            }
            Some(Cause::Signal(_)) => {
                if let Failure::Source(error) | Failure::Path(error) = failure {
                    causes.failed_later.get_or_insert(error);
                }
            }
            Some(Cause::Failure(_)) => {}
        }
        self.raise(phase);
    }

    /// A drain took too long.
    pub fn time_is_up(&self) {
        let mut causes = self.causes();
        if causes.first.is_none() {
            causes.first = causes.signal.map(Cause::Signal);
        }
        self.raise(Phase::Abandoned);
    }

    /// The source was read to its end. False where the run has been stopped before.
    pub fn read_to_end(&self) -> bool {
        let mut causes = self.causes();
        causes.is_read = causes.first.is_none();
        causes.is_read
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Nothing more is to be read.
    pub fn is_stopping(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// There is a reason not to publish.
    pub fn has_cause(&self) -> bool {
        self.causes().first.is_some()
    }

    #[cfg(test)]
    pub fn is_read(&self) -> bool {
        self.causes().is_read
    }

    pub fn received(&self) -> Option<Signal> {
        self.causes().signal
    }

    /// How long ago the first one came.
    pub fn since_signal(&self) -> Option<Duration> {
        self.causes().signalled.map(|came| came.elapsed())
    }

    pub fn signal_count(&self) -> u32 {
        self.causes().signal_count
    }

    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    pub async fn halting(&self) {
        self.reached(Phase::Halting).await;
    }

    pub async fn abandoned(&self) {
        self.reached(Phase::Abandoned).await;
    }

    /// Why the run did not get to its end. Asked once, when it is over.
    pub fn early_end(&self) -> EarlyEnd {
        let mut causes = self.causes();
        match causes.first.take() {
            Some(Cause::Signal(signal)) => EarlyEnd {
                outcome: Outcome::Interrupted(signal),
                error: causes.failed_later.take(),
                has_too_many_rejected: false,
            },
            Some(Cause::Failure(Failure::TooManyRejected)) => {
                EarlyEnd { outcome: Outcome::Data, error: None, has_too_many_rejected: true }
            }
            Some(Cause::Failure(Failure::Source(error) | Failure::Path(error))) => failed(error),
            None => failed(Error::internal("a run ended before its end, and nobody said why")),
        }
    }

    /// Under the lock of the causes, so that nobody sees a phase without its cause.
    fn raise(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let is_higher = *current < phase;
            if is_higher {
                *current = phase;
            }
            is_higher
        });
    }

    async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.subscribe();
        // The sender lives as long as `self`.
        let _ = phases.wait_for(|current| *current >= phase).await;
    }

    fn causes(&self) -> MutexGuard<'_, Causes> {
        self.causes.lock().expect("nobody panics while holding the causes")
    }
}

/// How a run ended that did not get to its end.
pub struct EarlyEnd {
    pub outcome: Outcome,
    pub error: Option<Error>,
    /// The rejected records are the explanation, and the books have the error.
    pub has_too_many_rejected: bool,
}

fn failed(error: Error) -> EarlyEnd {
    EarlyEnd { outcome: error.kind.into(), error: Some(error), has_too_many_rejected: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::record::ErrorType;

    #[derive(Clone, Copy)]
    enum Step {
        Signal(Signal),
        ReadToEnd,
        Source(Kind),
        Path(Kind),
        TooManyRejected,
        TimeIsUp,
    }

    /// Steps, the phase behind them, and how such a run ended, if not well.
    type Row<'a> = (&'a [Step], Phase, Option<(Outcome, &'a str)>);

    fn failed(kind: Kind) -> Error {
        Error::new(kind, ErrorType::Other, format!("{kind:?}"))
    }

    /// In which phase a run is after these steps, how it ended if it is not complete, and what it told.
    #[test]
    fn the_first_cause_is_the_outcome() {
        use Phase::{Abandoned, Draining, Halting, Running};
        use Step::{Path, ReadToEnd, Source, TimeIsUp, TooManyRejected};
        let term = Step::Signal(Signal::Terminate);
        let int = Step::Signal(Signal::Interrupt);
        let terminated = Outcome::Interrupted(Signal::Terminate);
        let (disk, away) = (Kind::LocalIo, Kind::Unavailable);
        let table: &[Row] = &[
            (&[], Running, None),
            (&[ReadToEnd], Running, None),
            (&[term], Draining, Some((terminated, ""))),
            (&[term, int], Abandoned, Some((terminated, ""))),
            (&[term, TimeIsUp], Abandoned, Some((terminated, ""))),
            (&[term, ReadToEnd], Draining, Some((terminated, ""))),
            (&[term, Path(disk)], Halting, Some((terminated, "LocalIo"))),
            (&[term, Path(disk), Path(away)], Halting, Some((terminated, "LocalIo"))),
            (&[term, TooManyRejected], Halting, Some((terminated, ""))),
            (&[term, Source(away), int], Abandoned, Some((terminated, "Unavailable"))),
            (&[ReadToEnd, term], Draining, None),
            (&[ReadToEnd, term, Path(disk)], Halting, Some((Outcome::LocalIo, "LocalIo"))),
            (&[ReadToEnd, term, int], Abandoned, Some((terminated, ""))),
            (&[ReadToEnd, term, TimeIsUp], Abandoned, Some((terminated, ""))),
            (&[Path(disk)], Halting, Some((Outcome::LocalIo, "LocalIo"))),
            (&[Path(disk), Path(away), term], Halting, Some((Outcome::LocalIo, "LocalIo"))),
            (&[Path(disk), term, int], Abandoned, Some((Outcome::LocalIo, "LocalIo"))),
            (&[Path(disk), Source(away), TimeIsUp], Abandoned, Some((Outcome::LocalIo, "LocalIo"))),
            (&[TooManyRejected, Path(disk)], Halting, Some((Outcome::Data, "over budget"))),
            (&[Source(away)], Draining, Some((Outcome::Unavailable, "Unavailable"))),
            (&[Source(away), Source(disk)], Draining, Some((Outcome::Unavailable, "Unavailable"))),
            (&[Source(away), term], Draining, Some((Outcome::Unavailable, "Unavailable"))),
            (&[Source(away), term, int], Abandoned, Some((Outcome::Unavailable, "Unavailable"))),
            (&[Source(away), TimeIsUp], Abandoned, Some((Outcome::Unavailable, "Unavailable"))),
            // What the reader found stands behind what it has read.
            (&[Source(away), TooManyRejected], Halting, Some((Outcome::Data, "over budget"))),
            (
                &[Source(away), Path(disk), TooManyRejected],
                Halting,
                Some((Outcome::LocalIo, "LocalIo")),
            ),
        ];
        for (number, (steps, phase, end)) in table.iter().enumerate() {
            let stop = Stop::default();
            for step in *steps {
                match *step {
                    Step::Signal(signal) => {
                        stop.signal(signal);
                    }
                    ReadToEnd => {
                        stop.read_to_end();
                    }
                    Source(kind) => stop.fail(Failure::Source(failed(kind))),
                    Path(kind) => stop.fail(failed(kind)),
                    TooManyRejected => stop.fail(Failure::TooManyRejected),
                    TimeIsUp => stop.time_is_up(),
                }
            }
            assert_eq!((stop.phase(), stop.has_cause()), (*phase, end.is_some()), "{number}");
            let Some((outcome, error)) = end else { continue };
            let early_end = stop.early_end();
            let told = early_end.error.map(|error| error.to_string()).unwrap_or_default();
            let told = if early_end.has_too_many_rejected { "over budget" } else { &told };
            assert_eq!((early_end.outcome, told), (*outcome, *error), "{number}");
        }
    }
}
