//! The end of a run before its end, seen by every room: first a drain, then an abandonment.

use std::sync::Mutex;

use tokio::sync::watch;

use crate::outcome::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Level {
    Running,
    /// Read nothing more; what is under way is finished.
    Draining,
    /// Let go of everything.
    Abandoned,
}

/// Pulled by signals and deadlines; looked at by everybody at safe points.
pub struct Stop {
    level: watch::Sender<Level>,
    signal: Mutex<Option<Signal>>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { level: watch::Sender::new(Level::Running), signal: Mutex::default() }
    }
}

impl Stop {
    /// The first signal drains, the second abandons.
    pub fn signal(&self, signal: Signal) {
        if self.note(signal) { self.drain() } else { self.abandon() }
    }

    /// Keeps a signal if it is the first, and says whether it is. Nothing stops by that.
    pub fn note(&self, signal: Signal) -> bool {
        let mut first = self.signal.lock().expect("nobody panics while holding a signal");
        let is_first = first.is_none();
        first.get_or_insert(signal);
        is_first
    }

    pub fn drain(&self) {
        self.raise(Level::Draining);
    }

    pub fn abandon(&self) {
        self.raise(Level::Abandoned);
    }

    pub fn is_stopping(&self) -> bool {
        *self.level.borrow() >= Level::Draining
    }

    pub fn is_abandoned(&self) -> bool {
        *self.level.borrow() == Level::Abandoned
    }

    pub async fn draining(&self) {
        self.reached(Level::Draining).await;
    }

    pub async fn abandoned(&self) {
        self.reached(Level::Abandoned).await;
    }

    pub fn received(&self) -> Option<Signal> {
        *self.signal.lock().expect("nobody panics while holding a signal")
    }

    fn raise(&self, level: Level) {
        self.level.send_if_modified(|current| {
            let is_higher = *current < level;
            if is_higher {
                *current = level;
            }
            is_higher
        });
    }

    async fn reached(&self, level: Level) {
        let mut levels = self.level.subscribe();
        // The sender lives as long as `self`.
        let _ = levels.wait_for(|current| *current >= level).await;
    }
}
