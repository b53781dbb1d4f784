//! Holds the job while the run is at work: takes its lock before anything is decided about the
//! target, on a connection that does nothing else, raises its epoch before anything is written, and
//! lets the run be heard of.
//!
//! Connections of another run that are still there may belong to one that is alive and lost nothing
//! but its guard's connection. So they are ended only where that run was silent for long, or said
//! goodbye.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;

use super::heartbeat::{Heard, SILENCE_SECONDS};
use super::locks::{RELEASE_SECONDS, get_lock, holder, holders, kill};
use super::name::JobIdentity;
use super::owner::LockOwner;
use super::state::{JobState, earlier_stays};
use crate::error::{Error, Kind, Result};
use crate::event::Observer;
use crate::record::ErrorType;
use crate::sink::mysql::plan::LANES_MAX;
use crate::sink::mysql::session::{Session, connect, try_connect};
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::table_name::TableName;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// Several times within the silence that costs a run its job.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// When the guard was not heard of for so long, a lane says that the run is alive.
const BEAT_LATE: Duration = Duration::from_secs(10);

/// A connection that does not answer for so long is given up for another.
const TEND_MAX: Duration = Duration::from_secs(10);

/// A server that does not answer our goodbye is not waited for: it ends the connection by itself.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Seconds in which a run that has just ended gives its lock back.
const LOCK_SECONDS: u64 = 1;

/// How long a server may take to notice that the connections of a process are gone.
const NOTICE_MAX: Duration = Duration::from_secs(2);
const NOTICE_EVERY: Duration = Duration::from_millis(50);

const NO_PANIC: &str = "nobody panics while holding it";

pub struct Guard {
    settings: Arc<MysqlSettings>,
    job: JobIdentity,
    state: OnceCell<Arc<JobState>>,
    connection: tokio::sync::Mutex<Option<LockConnection>>,
    /// The job's epoch, once it was taken.
    epoch: OnceCell<u64>,
    /// The server has no GET_LOCK: then the epoch alone keeps two runs apart.
    lacks_locks: AtomicBool,
    /// The number of our own connection that asked for the lock last; 0 where none did.
    asked_for_lock: AtomicU32,
    heard_at: Mutex<Instant>,
    keeping: Mutex<Option<Keeping>>,
}

/// The connection that does nothing else.
struct LockConnection {
    session: Session,
    /// It has the job's lock.
    is_locked: bool,
}

struct Keeping {
    /// Dropping it is the end of the task.
    release: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Guard {
    /// Holds nothing yet.
    pub fn new(settings: MysqlSettings, job: JobIdentity) -> Guard {
        Guard {
            settings: Arc::new(settings),
            job,
            state: OnceCell::new(),
            connection: tokio::sync::Mutex::new(None),
            epoch: OnceCell::new(),
            lacks_locks: AtomicBool::new(false),
            asked_for_lock: AtomicU32::new(0),
            heard_at: Mutex::new(Instant::now()),
            keeping: Mutex::new(None),
        }
    }

    /// Takes the job's lock, or says who has it. Nothing is written where there are no state tables
    /// yet.
    pub async fn take(self: &Arc<Self>) -> Result<()> {
        self.hold().await?;
        let (release, released) = oneshot::channel();
        let task = tokio::spawn(Arc::clone(self).keep(released));
        *self.keeping.lock().expect(NO_PANIC) = Some(Keeping { release, task });
        Ok(())
    }

    /// Says who has the job, without asking for it.
    pub async fn in_use(&self) -> Result<Option<Error>> {
        let mut session = connect(&self.settings).await?;
        let state = self.find_state(&mut session).await?;
        let holder = match holder(&mut session, &state.job.lock()).await {
            Ok(holder) => holder,
            // There are no such locks.
            Err(Trouble::Stop(_)) => None,
            Err(trouble) => return Err(trouble.into()),
        };
        let mut found = None;
        if holder.is_some() {
            let heard = state.heard(&mut session).await?;
            let trouble = at_work(&mut session, &state, holder, "holds its lock", heard).await;
            found = Some(Error::from(trouble));
        }
        session.close().await;
        Ok(found)
    }

    /// The job is this run's from here on: its epoch, raised once.
    pub async fn begin(&self, observer: &dyn Observer) -> Result<u64> {
        self.epoch.get_or_try_init(|| self.try_begin(observer)).await.copied()
    }

    /// The epoch that was taken.
    pub fn epoch(&self) -> Result<u64> {
        self.epoch.get().copied().ok_or_else(|| Error::internal("a lane before the job was taken"))
    }

    /// What the job keeps at the server, once it was taken.
    pub fn state(&self) -> Result<Arc<JobState>> {
        let state = self.state.get().map(Arc::clone);
        state.ok_or_else(|| Error::internal("a job that nobody has taken"))
    }

    /// Where the guard's own connection does not say that the run is alive, a lane's does.
    pub async fn beat_if_late(&self, session: &mut Session) -> Tried<()> {
        if self.heard_at.lock().expect(NO_PANIC).elapsed() < BEAT_LATE {
            return Ok(());
        }
        self.beat(session, None).await
    }

    /// Gives the job back.
    pub async fn release(&self) {
        let keeping = self.keeping.lock().expect(NO_PANIC).take();
        if let Some(Keeping { release, task }) = keeping {
            drop(release);
            let _ = tokio::time::timeout(GOODBYE_MAX, task).await;
        }
    }

    /// Makes sure that the lock is there.
    async fn hold(&self) -> Result<()> {
        let mut place = self.connection.lock().await;
        if let Some(mut connection) = place.take()
            && self.still_holds(&mut connection.session).await.is_ok_and(|holds| holds)
        {
            *place = Some(connection);
            return Ok(());
        }
        let mut session = connect(&self.settings).await?;
        match self.acquire(&mut session).await {
            Ok(is_locked) => {
                *place = Some(LockConnection { session, is_locked });
                Ok(())
            }
            // Another try must not find the lock of this one.
            Err(trouble) => {
                if trouble.leaves_connection() {
                    if let Some(state) = self.state.get() {
                        state.unlock(&mut session).await;
                    }
                    session.close().await;
                }
                Err(trouble.into())
            }
        }
    }

    async fn still_holds(&self, session: &mut Session) -> Tried<bool> {
        if self.lacks_locks.load(Ordering::Relaxed) {
            return session.run("DO 1").await.map(|_| true);
        }
        let Some(state) = self.state.get() else { return Ok(false) };
        Ok(holder(session, &state.job.lock()).await? == Some(u64::from(session.id())))
    }

    async fn try_begin(&self, observer: &dyn Observer) -> Result<u64> {
        self.hold().await?;
        let state = self.state()?;
        let (holder, is_locked) = match &*self.connection.lock().await {
            Some(connection) => (connection.session.id(), connection.is_locked),
            None => (0, false),
        };
        if !is_locked {
            tracing::warn!(
                "the server has no GET_LOCK: a second run of this job would end this one"
            );
        }
        // Another connection, because raising may wait long, and the run is to be heard of meanwhile.
        let mut session = connect(&self.settings).await?;
        let begun = async {
            state.tables.create(&mut session, observer).await?;
            state.claim(&mut session, holder).await?;
            state.take_over(&mut session).await
        };
        let begun = begun.await;
        session.close().await;
        begun
    }

    /// The job's lock, and nobody else's lanes. False where the server has no such locks.
    async fn acquire(&self, session: &mut Session) -> Tried<bool> {
        let state = self.state.get_or_try_init(|| self.find_state(session)).await?;
        let state = Arc::clone(state);
        if !self.lock(&state, session).await? {
            self.lacks_locks.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        self.clear_the_way(&state, session).await?;
        match state.claim(session, session.id()).await {
            // There are no state tables yet, or it is said later what is the matter with them.
            Ok(()) | Err(Trouble::Stop(_) | Trouble::ReadOnly(_)) => Ok(true),
            Err(trouble) => Err(trouble),
        }
    }

    /// The job is named by its target, whose name has one spelling here.
    async fn find_state(&self, session: &mut Session) -> Tried<Arc<JobState>> {
        let TableName { database, table } = self.settings.full_table();
        let database = match database {
            Some(database) => Some(database),
            None => session.rows::<Option<String>>("SELECT DATABASE()").await?.pop().flatten(),
        };
        let target = match session.server.lower_case_table_names {
            0 => TableName { database, table },
            _ => TableName {
                database: database.map(|name| name.to_lowercase()),
                table: table.to_lowercase(),
            },
        };
        JobState::new(&self.settings, &self.job, &target).map(Arc::new).map_err(Trouble::Stop)
    }

    async fn lock(&self, state: &JobState, session: &mut Session) -> Tried<bool> {
        let name = state.job.lock();
        let before = self.asked_for_lock.swap(session.id(), Ordering::Relaxed);
        let asked = Instant::now();
        match get_lock(session, &name, LOCK_SECONDS).await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(Trouble::Stop(_)) => return Ok(false),
            Err(trouble) => return Err(trouble),
        }
        let holder = holder(session, &name).await?;
        if before != 0 && holder == Some(u64::from(before)) {
            // Asked for again, until the server has noticed that it is gone.
            self.asked_for_lock.store(before, Ordering::Relaxed);
            return Err(earlier_stays(session, asked.elapsed()));
        }
        let heard = state.heard(session).await?;
        // Who has the lock and was not heard of at all has just come.
        let silent = heard.filter(|heard| heard.is_silent() && Some(heard.connection) == holder);
        if let Some(heard) = silent {
            kill(session, heard.connection).await?;
            if get_lock(session, &name, RELEASE_SECONDS).await? {
                return Ok(true);
            }
        }
        Err(at_work(session, state, holder, "holds its lock", heard).await)
    }

    /// Lanes of another run, that may be gone or alive.
    async fn clear_the_way(&self, state: &JobState, session: &mut Session) -> Tried<()> {
        let names: Vec<String> = (0..LANES_MAX).map(|lane| state.job.lane_lock(lane)).collect();
        let asked = Instant::now();
        loop {
            let lanes = holders(session, &names).await?;
            let Some(first) = lanes.first() else { return Ok(()) };
            let heard = state.heard(session).await?;
            if heard.is_some_and(|heard| heard.is_silent()) {
                for lane in lanes {
                    kill(session, lane).await?;
                }
                return Ok(());
            }
            if asked.elapsed() >= NOTICE_MAX {
                return Err(at_work(session, state, Some(*first), "writes for it", heard).await);
            }
            tokio::time::sleep(NOTICE_EVERY).await;
        }
    }

    async fn keep(self: Arc<Self>, mut released: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                _ = &mut released => break,
                () = tokio::time::sleep(BEAT_EVERY) => {}
            }
            tokio::select! {
                _ = &mut released => break,
                () = self.tend() => {}
            }
        }
        let connection = self.connection.lock().await.take();
        if let (Some(mut connection), Some(state)) = (connection, self.state.get()) {
            drop(state.say_goodbye(&mut connection.session).await);
            connection.session.close().await;
        }
    }

    async fn tend(&self) {
        let mut place = self.connection.lock().await;
        let looked = tokio::time::timeout(TEND_MAX, self.look(place.take())).await;
        *place = looked.ok().flatten();
    }

    /// Says that the run is alive. Takes the lock again where it was lost, unless the job is another
    /// run's by now.
    async fn look(&self, connection: Option<LockConnection>) -> Option<LockConnection> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => LockConnection {
                session: try_connect(&self.settings).await.ok()?,
                is_locked: false,
            },
        };
        if !connection.is_locked && !self.lacks_locks.load(Ordering::Relaxed) {
            connection.is_locked =
                self.lock_again(&mut connection.session).await.is_ok_and(|locked| locked);
        }
        let lock_holder = connection.is_locked.then(|| connection.session.id());
        self.beat(&mut connection.session, lock_holder).await.ok()?;
        Some(connection)
    }

    async fn lock_again(&self, session: &mut Session) -> Tried<bool> {
        let (Some(state), Some(epoch)) = (self.state.get(), self.epoch.get()) else {
            return self.acquire(session).await;
        };
        Ok(state.is_ours(session, *epoch).await? && get_lock(session, &state.job.lock(), 0).await?)
    }

    async fn beat(&self, session: &mut Session, lock_holder: Option<u32>) -> Tried<()> {
        let Some(state) = self.state.get() else { return Ok(()) };
        match state.beat(session, lock_holder).await {
            Ok(()) => {
                *self.heard_at.lock().expect(NO_PANIC) = Instant::now();
                Ok(())
            }
            // There are no state tables yet; or others are in the way, and it is tried again soon.
            Err(trouble) if trouble.leaves_connection() => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }
}

async fn at_work(
    session: &mut Session,
    state: &JobState,
    who: Option<u64>,
    does: &str,
    heard: Option<Heard>,
) -> Trouble {
    let who = match who {
        Some(connection) => {
            format!("connection {connection}{}", LockOwner::find(session, state, connection).await)
        }
        None => "a connection that just went".to_string(),
    };
    let heard = heard.and_then(|heard| heard.seconds_ago);
    let heard = heard.map_or(String::new(), |seconds| format!(", heard of {seconds} s ago"));
    let message = format!(
        "another run of this job is at work: {who} of mysql server {} {does}{heard}",
        session.address()
    );
    Trouble::Stop(Error::new(Kind::Locked, ErrorType::Other, message).help(format!(
        "wait for it, or give this run another --pipeline-id; a run that is not heard of for \
         {SILENCE_SECONDS} s loses its job"
    )))
}
