//! What a failure of the server or of the way to it means: one table for all statements.
//!
//! Servers put values of rows into their messages. So a message of ours has the server's number,
//! the name of a column or key, and our own words, and never the server's sentence.

mod codes;
mod driver;
mod names;

use std::time::Duration;

use crate::error::{Error, Kind};
use crate::record::ErrorType;

/// What was under way when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    Connect,
    Statement,
    /// A lost answer leaves open whether the transaction was taken.
    Commit,
}

/// What went wrong, sorted by what can be done about it.
///
/// After `Row`, `LockTimeout`, `Slow`, `NoLocalInfile` and `Stop` the transaction is still open and
/// has to be rolled back. After `Deadlock` it is gone, and the next statement would be on its own.
/// After `TooLarge` and `Lost` the connection is gone with it.
#[derive(Debug)]
pub enum Trouble {
    /// The server does not take a row, and would take others.
    Row(RowTrouble),
    Deadlock(Error),
    LockTimeout(Error),
    /// The server gave up on a statement that took too long: fewer rows may do.
    Slow(Error),
    /// More bytes than the server takes in one packet.
    TooLarge(Error),
    /// LOAD DATA LOCAL is switched off.
    NoLocalInfile(Error),
    /// The table was altered since it was looked at.
    Altered(Error),
    /// The server only reads, as after a failover: connecting again may find another.
    ReadOnly(Error),
    /// Nothing was taken, and another try may succeed. Also while connecting.
    Retry(Error),
    /// The connection is gone. Of kind `Unknown` where that was during a commit.
    Lost(Error),
    /// Another try gives the same.
    Stop(Error),
}

/// What a try of something on a server gave.
pub type Tried<T> = std::result::Result<T, Trouble>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowTrouble {
    pub error_type: ErrorType,
    /// The server's number.
    pub code: u16,
    /// Counted from 1 within the statement, where the server says it.
    pub row: Option<u64>,
    pub column: Option<String>,
    /// The unique key, foreign key or constraint.
    pub key: Option<String>,
    /// One clause without contents of the row.
    pub reason: String,
}

impl Trouble {
    /// No row of a table would fit, or all of one do not.
    pub fn is_row_too_large(&self) -> bool {
        matches!(self, Trouble::Row(row) if row.code == codes::ROW_TOO_LARGE)
    }

    /// What the server gave up after so long: all of it went into waiting for the lock.
    pub fn after(self, took: Duration) -> Trouble {
        match self {
            Trouble::LockTimeout(error) => Trouble::LockTimeout(error.after_lock_wait(took)),
            other => other,
        }
    }

    /// The connection can be used again, after a rollback at most.
    pub fn leaves_connection(&self) -> bool {
        !matches!(self, Trouble::TooLarge(_) | Trouble::Lost(_) | Trouble::ReadOnly(_))
    }
}

/// For whoever does nothing special about it.
impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        match trouble {
            Trouble::Row(row) => {
                let mut error = Error::data(row.error_type, row.reason);
                if let Some(column) = row.column {
                    error = error.at(crate::record::Place::split("mysql").column(column));
                }
                error
            }
            Trouble::TooLarge(error) | Trouble::NoLocalInfile(error) => error,
            Trouble::Deadlock(error) | Trouble::LockTimeout(error) | Trouble::Slow(error) => error,
            Trouble::Altered(error) | Trouble::ReadOnly(error) => error,
            Trouble::Retry(error) | Trouble::Lost(error) | Trouble::Stop(error) => error,
        }
    }
}

/// What `mysql_async` returned while `during` was under way with the server at `address`.
pub fn classify(failure: &mysql_async::Error, during: During, address: &str) -> Trouble {
    driver::classify(failure, during, address)
}

/// The key by which a warning says that a row is there already.
pub fn key_met(code: u16, message: &str) -> Option<String> {
    (code == codes::DUPLICATE_KEY).then(|| names::of(message).key).flatten()
}

/// We gave up waiting: the connection cannot be used again, and what the server did is not known.
pub fn timed_out(during: During, address: &str, after: Duration) -> Trouble {
    let seconds = after.as_secs_f64();
    let (kind, what, flag) = match during {
        During::Connect => (Kind::Unavailable, "no connection", "--db-connect-timeout"),
        During::Statement => (Kind::Unavailable, "no answer", "--db-timeout"),
        During::Commit => (Kind::Unknown, "no answer to a commit", "--db-timeout"),
    };
    let message = format!("mysql server {address}: {what} within {seconds} s");
    let error = Error::new(kind, ErrorType::Timeout, message)
        .help(format!("look at the server, or raise {flag}"));
    match during {
        During::Connect => Trouble::Retry(error),
        During::Statement | During::Commit => Trouble::Lost(error),
    }
}

#[cfg(test)]
mod tests;
