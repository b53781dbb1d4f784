//! The one thread of a run that owns the connection. It asks for numbers when it wants them, so that nobody
//! waits for it but the end of the run, and that not for long.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle, Transaction, TransactionBehavior};

use super::damage::{BESIDE, make_room, with_end};
use super::missing::Missing;
use super::opening::open;
use super::past::Past;
use super::place::real;
use super::pruning::{IN_PASSING_MAX, prune_some};
use super::queries::PipelineHistory;
use super::recording::{self, EndedRun, cpu_seconds};
use super::{BegunRun, lost, now};
use crate::event::{Event, LedgerOperation, Observer, ResourceGuard, ServerResource};
use crate::outcome::Outcome;
use crate::report::{Report, RouteReport, RunNumbers};

/// How old the last sign of life of a run is at most, while it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the end of a run waits for its ledger.
const END_MAX: Duration = Duration::from_secs(2);

/// And for the file to be put in order behind the last row, which the next run would do as well.
const CLOSE_MAX: Duration = Duration::from_millis(200);

/// Signals are to be heard all the while.
const LOOK_EVERY: Duration = Duration::from_millis(20);

type Numbers = Box<dyn Fn() -> RunNumbers + Send>;

/// The ledger of a run that is on.
pub struct Ledger {
    words: Sender<Said>,
    interrupt: Arc<Mutex<Option<InterruptHandle>>>,
    observer: Arc<dyn Observer>,
    path: PathBuf,
}

struct Said {
    word: LastWord,
    answer: Answer,
    /// Given back when it is taken.
    _place: ResourceGuard,
}

/// What the run says of its end.
enum LastWord {
    Ended(Box<EndedRun>),
    /// And who was told of it, as far as that is known, and with what it is about to end.
    Told(Vec<RouteReport>, Outcome),
    /// And with what it ends, where that is something else after all.
    Closed(Outcome),
}

type Answer = Sender<Result<(), Missing>>;

impl Ledger {
    /// Begins the row of a run, on a thread of its own: a disk that hangs does not hold up the run.
    pub fn begin(
        path: &Path,
        run: BegunRun,
        numbers: impl Fn() -> RunNumbers + Send + 'static,
        past: Arc<Past>,
        observer: Arc<dyn Observer>,
    ) -> Ledger {
        let (words, last_words) = channel();
        let interrupt = Arc::default();
        let writer = Writer {
            path: real(path),
            run,
            numbers: Box::new(numbers),
            cpu_before: cpu_seconds(),
            past: Arc::clone(&past),
            observer: Arc::clone(&observer),
            interrupt: Arc::clone(&interrupt),
            inode: None,
            beside: [None; BESIDE.len()],
            exit: None,
            connection: Err(Missing::because("it was not opened in time")),
        };
        // Without a thread nobody answers at the end, which says that it is missing.
        let started = thread::Builder::new()
            .name("ledger".to_string())
            .spawn(move || writer.run(&last_words));
        if started.is_err() {
            past.settle();
        }
        Ledger { words, interrupt, observer, path: path.to_path_buf() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes how it ended, within 2 s, or until `give_up` says why not. It is asked now and then, with the
    /// time that has passed.
    pub fn end(&self, report: &Report, give_up: impl GiveUp) -> Result<(), Missing> {
        self.say(LastWord::Ended(Box::new(EndedRun::of(report))), give_up)
    }

    /// Writes who was told of it.
    pub fn told(
        &self,
        reports: &[RouteReport],
        exit: Outcome,
        give_up: impl GiveUp,
    ) -> Result<(), Missing> {
        self.say(LastWord::Told(reports.to_vec(), exit), give_up)
    }

    /// Writes with what it ends, and has the file put in order.
    pub fn close(self, exit: Outcome) {
        if let Ok(answers) = self.send(LastWord::Closed(exit)) {
            // It says nothing, and is gone when the file is closed.
            let _ = answers.recv_timeout(CLOSE_MAX);
        }
    }

    fn send(&self, word: LastWord) -> Result<Receiver<Result<(), Missing>>, Missing> {
        let (answer, answers) = channel();
        let place = ResourceGuard::new(&self.observer, ServerResource::LedgerPlace);
        let said = Said { word, answer, _place: place };
        self.words.send(said).map(|()| answers).map_err(|_| Missing::because(LATE).of(&self.path))
    }

    fn say(&self, word: LastWord, give_up: impl GiveUp) -> Result<(), Missing> {
        let answers = self.send(word)?;
        let asked = Instant::now();
        let reason = loop {
            match answers.recv_timeout(LOOK_EVERY) {
                Ok(written) => return written,
                Err(RecvTimeoutError::Disconnected) => break LATE,
                Err(RecvTimeoutError::Timeout) if asked.elapsed() >= END_MAX => break LATE,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(reason) = give_up(asked.elapsed()) {
                break reason;
            }
        };
        let interrupt = self.interrupt.lock().unwrap_or_else(PoisonError::into_inner);
        interrupt.iter().for_each(InterruptHandle::interrupt);
        Err(Missing::because(reason).of(&self.path))
    }
}

const LATE: &str = "it was not written in time";

/// Why something is not waited for any longer, though its time is not over.
pub trait GiveUp: Fn(Duration) -> Option<&'static str> {}

impl<F: Fn(Duration) -> Option<&'static str>> GiveUp for F {}

struct Writer {
    path: PathBuf,
    run: BegunRun,
    numbers: Numbers,
    cpu_before: f64,
    /// What was before this run.
    past: Arc<Past>,
    observer: Arc<dyn Observer>,
    interrupt: Arc<Mutex<Option<InterruptHandle>>>,
    /// Of the file that is open.
    inode: Option<u64>,
    /// Of those that SQLite keeps beside it.
    beside: [Option<u64>; BESIDE.len()],
    /// With what the run was said to end.
    exit: Option<Outcome>,
    /// Of a ledger in which the run has its row, or why there is none.
    connection: Result<Connection, Missing>,
}

impl Writer {
    fn run(mut self, words: &Receiver<Said>) {
        self.begin();
        self.past.settle();
        let mut has_ended = false;
        loop {
            let (word, answer) = match words.recv_timeout(HEARTBEAT) {
                Err(RecvTimeoutError::Timeout) if has_ended => continue,
                Err(RecvTimeoutError::Timeout) => {
                    self.heartbeat();
                    continue;
                }
                // Whoever had it is gone. Without an end it will be found lost.
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(Said { word, answer, .. }) => (word, answer),
            };
            match word {
                LastWord::Ended(run) => {
                    has_ended = true;
                    let _ = answer.send(self.end(&run));
                }
                LastWord::Told(reports, exit) => {
                    let _ = answer.send(self.told(&reports, exit));
                }
                LastWord::Closed(exit) => {
                    self.close(exit);
                    return;
                }
            }
        }
    }

    fn begin(&mut self) {
        self.connection = Err(Missing::because("it is opened anew"));
        let mut begun = self.opened();
        if let Err(missing) = &begun
            && make_room(&self.path, missing).unwrap_or_default()
        {
            begun = self.opened();
        }
        self.connection = begun;
    }

    fn opened(&mut self) -> Result<Connection, Missing> {
        let connection = open(&self.path)?;
        self.inode = inode(&self.path);
        *self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(connection.get_interrupt_handle());
        let past = self.write(&connection, |transaction| {
            lost::mark(transaction, now())?;
            let asked = Instant::now();
            let past = PipelineHistory::of(transaction, &self.run.pipeline_id);
            self.tell(LedgerOperation::Read, asked);
            let past = past?;
            recording::begin(transaction, &self.run, now())?;
            Ok(past)
        });
        self.past.tell(past.map_err(|cause| Missing::from(cause).of(&self.path))?);
        self.beside = BESIDE.map(|end| inode(&with_end(&self.path, end)));
        // What is left of it the next run removes.
        let pruned = self.write(&connection, |transaction| {
            prune_some(transaction, self.run.keep, None, IN_PASSING_MAX, now())
        });
        if let Err(cause) = pruned {
            tracing::debug!("the ledger was not pruned: {cause}");
        }
        Ok(connection)
    }

    /// Begins again where there is hope, and where somebody has removed the file: what is written into one
    /// without a name is gone with the process. One that somebody has put in its place is left as it is.
    fn begin_anew_if_needed(&mut self) {
        let missing = match &self.connection {
            Err(missing) => missing.may_pass.then(|| missing.clone()),
            Ok(_) => None,
        };
        if missing.is_some() {
            self.begin();
        }
        let found = inode(&self.path);
        if self.connection.is_err() || found == self.inode {
            return;
        }
        // SQLite leaves its log where it was, and would read it into whatever has the name.
        self.connection = Err(Missing::because(
            "its file was replaced while the run was on, and the new one is left as it is",
        )
        .of(&self.path));
        let is_clear = self.remove_beside();
        if found.is_none() && is_clear {
            tracing::warn!(
                "the ledger '{}' was removed while the run was on; it is begun anew",
                self.path.display()
            );
            self.begin();
        }
    }

    /// Removes what SQLite kept beside a file that has no name any more.
    fn remove_beside(&self) -> bool {
        BESIDE.iter().zip(self.beside).all(|(end, was)| {
            let path = with_end(&self.path, end);
            let is_that_one = was.is_some() && inode(&path) == was;
            !is_that_one || fs::remove_file(&path).is_ok()
        })
    }

    fn heartbeat(&mut self) {
        self.begin_anew_if_needed();
        let (numbers, cpu_s) = ((self.numbers)(), self.cpu_s());
        let written = self.written(|transaction| {
            recording::heartbeat(transaction, &self.run, &numbers, cpu_s, now())
        });
        if let Err(missing) = written {
            tracing::debug!("the ledger was not written: {missing}");
        }
    }

    fn end(&mut self, ended: &EndedRun) -> Result<(), Missing> {
        self.begin_anew_if_needed();
        let mut written = self.write_end(ended);
        if written.as_ref().is_err_and(|missing| missing.is_damage) {
            self.begin();
            written = self.write_end(ended);
        }
        written
    }

    fn write_end(&mut self, ended: &EndedRun) -> Result<(), Missing> {
        let cpu_s = self.cpu_s();
        self.written(|transaction| {
            // The file may have been replaced, or the row removed, since it began.
            recording::begin(transaction, &self.run, now())?;
            recording::end(transaction, &self.run, ended, cpu_s, now())
        })
    }

    fn told(&mut self, reports: &[RouteReport], exit: Outcome) -> Result<(), Missing> {
        self.exit = Some(exit);
        self.written(|transaction| {
            recording::told(transaction, &self.run.run_id, reports)?;
            recording::exits_with(transaction, &self.run.run_id, exit)
        })
    }

    fn close(&mut self, exit: Outcome) {
        if self.exit != Some(exit) {
            let written = self
                .written(|transaction| recording::exits_with(transaction, &self.run.run_id, exit));
            if let Err(missing) = written {
                tracing::debug!("the ledger was not written: {missing}");
            }
        }
        // Here the file is put in order.
        self.connection = Err(Missing::because("it is closed"));
    }

    fn written(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Missing> {
        let connection = self.connection.as_ref().map_err(Missing::clone)?;
        self.write(connection, write).map_err(|cause| Missing::from(cause).of(&self.path))
    }

    fn write<T>(
        &self,
        connection: &Connection,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let asked = Instant::now();
        let written = in_transaction(connection, write);
        self.tell(LedgerOperation::Write, asked);
        written
    }

    fn tell(&self, operation: LedgerOperation, asked: Instant) {
        self.observer.notice(&Event::LedgerAsked { operation, took: asked.elapsed() });
    }

    fn cpu_s(&self) -> f64 {
        (cpu_seconds() - self.cpu_before).max(0.0)
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.ino())
}

/// One that turns from reading to writing in its middle could be refused for ever.
fn in_transaction<T>(
    connection: &Connection,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let written = write(&transaction)?;
    transaction.commit()?;
    Ok(written)
}
