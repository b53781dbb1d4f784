//! How far a connection has come, as its socket tells it: when its request began, whether it is whole, and that its
//! answer is being taken. hyper reads and writes; who is silent is only known here.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::places::Place;
use crate::observe::connections::ConnectionEnd;

/// From the first byte of the head to its last: clients write it whole.
const HEAD_TIME_MAX: Duration = Duration::from_secs(1);
/// Longer than any scrape timeout one would set for a page of some kilobytes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// For who is sent one event after the other and takes none.
const STUCK_TIME_MAX: Duration = Duration::from_secs(10);

/// What a client sends first that wants to speak TLS.
pub const TLS_HANDSHAKE: u8 = 0x16;

pub struct Progress {
    place: Arc<Place>,
    has_begun: AtomicBool,
    speaks_tls: AtomicBool,
    has_asked: AtomicBool,
    /// How it will end, and whether it took the final numbers.
    answer: Mutex<Option<(ConnectionEnd, bool)>>,
    /// Since when the socket has taken nothing of what is there for it.
    stuck_since: Mutex<Option<Instant>>,
    begun: Notify,
    asked: Notify,
}

impl Progress {
    pub fn new(place: Arc<Place>) -> Progress {
        Progress {
            place,
            has_begun: AtomicBool::default(),
            speaks_tls: AtomicBool::default(),
            has_asked: AtomicBool::default(),
            answer: Mutex::default(),
            stuck_since: Mutex::default(),
            begun: Notify::new(),
            asked: Notify::new(),
        }
    }

    fn read(&self, first: u8) {
        if !self.has_begun.swap(true, Relaxed) {
            self.speaks_tls.store(first == TLS_HANDSHAKE, Relaxed);
            self.begun.notify_one();
        }
    }

    /// A whole request is there.
    pub fn asked(&self) {
        self.has_asked.store(true, Relaxed);
        self.place.asked();
        self.asked.notify_one();
    }

    /// Now it is for the client to take the answer.
    pub fn answered(&self, end: ConnectionEnd, is_final: bool) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some((end, is_final));
        match end {
            ConnectionEnd::Followed => self.place.follow(),
            _ => self.place.heard(),
        }
    }

    /// The answer goes on as long as the run.
    pub fn is_following(&self) -> bool {
        self.answer().is_some_and(|(end, _)| end == ConnectionEnd::Followed)
    }

    fn note_written(&self, is_taken: bool) {
        let mut stuck = self.stuck_since.lock().unwrap_or_else(PoisonError::into_inner);
        match is_taken {
            true => *stuck = None,
            false => drop(stuck.get_or_insert_with(Instant::now)),
        }
    }

    fn is_stuck(&self) -> bool {
        let stuck = self.stuck_since.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.is_some_and(|since| since.elapsed() >= STUCK_TIME_MAX)
    }

    async fn answer_too_late(&self) {
        sleep(ANSWER_TIME_MAX).await;
        while self.is_following() && !self.is_stuck() {
            sleep(STUCK_TIME_MAX).await;
        }
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    pub fn speaks_tls(&self) -> bool {
        self.speaks_tls.load(Relaxed)
    }

    pub fn has_asked(&self) -> bool {
        self.has_asked.load(Relaxed)
    }

    pub fn answer(&self) -> Option<(ConnectionEnd, bool)> {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the request has taken too long to come, or the answer to be taken.
    pub async fn too_late(&self, until: Instant) {
        let head = async {
            if timeout_at(until, self.begun.notified()).await.is_ok() {
                sleep_until(until.min(Instant::now() + HEAD_TIME_MAX)).await;
            }
        };
        tokio::select! {
            biased;
            () = self.asked.notified() => self.answer_too_late().await,
            () = head => {}
        }
    }
}

/// A stream whose progress is noted.
pub struct Watched<S> {
    pub stream: S,
    progress: Arc<Progress>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, progress: Arc<Progress>) -> Watched<S> {
        Watched { stream, progress }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(&first) = buffer.filled().get(before) {
            self.progress.read(first);
            if self.progress.speaks_tls() {
                return Poll::Ready(Err(ErrorKind::InvalidData.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress.note_written(written.is_ready());
        let length = ready!(written)?;
        if length > 0 {
            self.progress.place.heard();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// hyper has written all by then. Who closes the connection sees to it that the answer arrives.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
