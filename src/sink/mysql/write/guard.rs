//! Holds the job's lock while the run is at work, on a connection of its own that does nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::state::State;
use crate::sink::mysql::session::connection::{Session, connect};
use crate::sink::mysql::settings::MysqlSettings;

/// Often enough that no server or router takes the connection for a forgotten one.
const PING_EVERY: Duration = Duration::from_secs(60);

/// A server that does not answer our goodbye is not waited for: it ends the connection by itself.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

pub struct Guard {
    /// Dropping it releases the lock, too.
    release: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

struct Watch {
    settings: Arc<MysqlSettings>,
    state: Arc<State>,
    epoch: u64,
}

impl Guard {
    /// Keeps a session that has the lock.
    pub fn new(
        session: Session,
        settings: Arc<MysqlSettings>,
        state: Arc<State>,
        epoch: u64,
    ) -> Guard {
        let (release, released) = oneshot::channel();
        let watch = Watch { settings, state, epoch };
        let task = tokio::spawn(watch.keep(session, released));
        Guard { release, task }
    }

    pub async fn release(self) {
        drop(self.release);
        let _ = tokio::time::timeout(GOODBYE_MAX, self.task).await;
    }
}

impl Watch {
    async fn keep(self, session: Session, mut released: oneshot::Receiver<()>) {
        let mut session = Some(session);
        loop {
            tokio::select! {
                _ = &mut released => break,
                () = tokio::time::sleep(PING_EVERY) => {}
            }
            session = tokio::select! {
                _ = &mut released => break,
                session = self.look(session.take()) => session,
            };
        }
        if let Some(session) = session {
            session.close().await;
        }
    }

    /// Takes the lock again where it was lost, unless the job is another run's by now.
    async fn look(&self, session: Option<Session>) -> Option<Session> {
        if let Some(mut session) = session
            && session.run("DO 1").await.is_ok()
        {
            return Some(session);
        }
        let mut session = connect(&self.settings).await.ok()?;
        let is_ours = self.state.is_ours(&mut session, self.epoch).await.ok()?;
        let is_locked = is_ours && self.state.lock(&mut session).await.ok()?;
        is_locked.then_some(session)
    }
}
