//! What became of the connections of the metrics server, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a connection ended. The list is closed: each is a series from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// A request was answered, with whatever status.
    Answered,
    /// A page followed the run, and was closed or saw its end.
    Followed,
    /// A password was wrong or missing.
    Unauthorized,
    /// Too many others waited for their passwords to be checked.
    Refused,
    /// It gave its place to a new one.
    Evicted,
    /// The request did not come, or the answer was not taken, in time.
    TimedOut,
    /// The client went away, spoke no TLS, or the server stopped.
    BrokenOff,
}

impl ConnectionEnd {
    pub const ALL: [ConnectionEnd; 7] = [
        ConnectionEnd::Answered,
        ConnectionEnd::Followed,
        ConnectionEnd::Unauthorized,
        ConnectionEnd::Refused,
        ConnectionEnd::Evicted,
        ConnectionEnd::TimedOut,
        ConnectionEnd::BrokenOff,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionEnd::Answered => "answered",
            ConnectionEnd::Followed => "followed",
            ConnectionEnd::Unauthorized => "unauthorized",
            ConnectionEnd::Refused => "refused",
            ConnectionEnd::Evicted => "evicted",
            ConnectionEnd::TimedOut => "timed_out",
            ConnectionEnd::BrokenOff => "broken_off",
        }
    }
}

/// Connections that are over, by how they ended.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    /// Indexed as `ConnectionEnd::ALL`.
    ended: [AtomicU64; ConnectionEnd::ALL.len()],
}

impl Clone for ConnectionCounts {
    fn clone(&self) -> ConnectionCounts {
        let ended = self.ended.each_ref().map(|count| count.load(Ordering::Relaxed).into());
        ConnectionCounts { ended }
    }
}

impl ConnectionCounts {
    pub fn add(&self, ending: ConnectionEnd) {
        self.ended[ending as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn of(&self, ending: ConnectionEnd) -> u64 {
        self.ended[ending as usize].load(Ordering::Relaxed)
    }
}
