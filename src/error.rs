//! One error type with a few kinds; a kind exists because someone reacts differently to it.
//!
//! A bad record is not an error: it is a `record::Rejected`. Messages are lowercase, one line, say
//! what is wrong and hold no record contents and no secrets; `place` says where and `help` what to
//! do. The cause is kept as `source` and printed once, at the end of the line.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::record::{ErrorType, Place};
use crate::shown::Line;

pub type Result<T> = std::result::Result<T, Error>;

/// A future that a trait object returns.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The settings or the usage are wrong, or do not fit what is there. Exit 2.
    Config,
    /// The data cannot be taken as it is. Exit 3.
    Data,
    /// The other side did not answer or refused for now: worth another try. Exit 4.
    Unavailable,
    /// The other side answered that it has too much to do: worth another try, later. Exit 4.
    Overloaded,
    /// A commit was sent and its answer is lost: look before trying again. Exit 4.
    Unknown,
    /// A local file or disk failed. Exit 5.
    LocalIo,
    /// Another run holds the job. Exit 75.
    Locked,
    /// The reader of our standard output went away. Exit 141.
    OutputClosed,
    /// A promise of our own was broken: a bug. Exit 1.
    Internal,
}

#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub error_type: ErrorType,
    /// Boxed, so that a `Result` stays small where nothing is wrong.
    words: Box<Words>,
}

#[derive(Debug, Default)]
struct Words {
    message: String,
    place: Option<Place>,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// The next try is not to come earlier.
    wait_min: Option<Duration>,
    /// As long as it is worth another try.
    patience: Option<Duration>,
    /// So long the other side waited for a lock that somebody else has.
    lock_wait: Option<Duration>,
    /// Observers know of it.
    is_told: bool,
}

impl Error {
    pub fn new(kind: Kind, error_type: ErrorType, message: impl Into<String>) -> Error {
        let words = Words { message: message.into(), ..Words::default() };
        Error { kind, error_type, words: Box::new(words) }
    }

    pub fn config(message: impl Into<String>) -> Error {
        Error::new(Kind::Config, ErrorType::Other, message)
    }

    pub fn data(error_type: ErrorType, message: impl Into<String>) -> Error {
        Error::new(Kind::Data, error_type, message)
    }

    pub fn local_io(message: impl Into<String>, cause: std::io::Error) -> Error {
        Error::new(Kind::LocalIo, ErrorType::Disk, message).because(cause)
    }

    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Kind::Internal, ErrorType::Other, message)
            .help("this is a bug in flowgauge, please report it")
    }

    pub fn at(mut self, place: Place) -> Error {
        self.words.place = Some(place);
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.words.help = Some(help.into());
        self
    }

    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.words.source = Some(cause.into());
        self
    }

    /// The other side asked for it: the next try is not to come earlier.
    pub fn not_before(mut self, wait: Duration) -> Error {
        self.words.wait_min = Some(wait);
        self
    }

    /// After that, another try is not worth it.
    pub fn for_at_most(mut self, patience: Duration) -> Error {
        self.words.patience = Some(patience);
        self
    }

    /// It comes after so long a wait for a lock of somebody else.
    pub fn after_lock_wait(mut self, took: Duration) -> Error {
        self.words.lock_wait = Some(took);
        self
    }

    pub fn wait_min(&self) -> Option<Duration> {
        self.words.wait_min
    }

    pub fn patience(&self) -> Option<Duration> {
        self.words.patience
    }

    pub fn lock_wait(&self) -> Option<Duration> {
        self.words.lock_wait
    }

    /// Observers know of it: whoever passes it on does not tell it again.
    pub fn mark_told(&mut self) {
        self.words.is_told = true;
    }

    pub fn is_told(&self) -> bool {
        self.words.is_told
    }

    /// The same in other words: what they held is not to be shown.
    pub fn reworded(mut self, reword: impl Fn(&str) -> String) -> Error {
        let words = &mut *self.words;
        words.message = reword(&words.message);
        words.help = words.help.as_deref().map(&reword);
        words.source = words.source.take().map(|source| reword(&source.to_string()).into());
        self
    }
}

/// One line that may be shown: whatever stands in it was put there by somebody else.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &*self.words;
        if let Some(place) = &words.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", Line(&words.message))?;
        if let Some(source) = &words.source {
            write!(f, ": {}", Line(source.to_string().replace('\n', " ")))?;
        }
        if let Some(help) = &words.help {
            write!(f, "; {}", Line(help))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.words.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_of_where_what_why_and_what_to_do() {
        let place = Place { line: Some(3), byte: Some(17), ..Place::split("a.csv") };
        let error = Error::data(ErrorType::Parse, "a quote is never closed")
            .at(place.column("x\ny"))
            .because(std::io::Error::other("two\nlines"))
            .help("set --csv-quote\x1b[2J");
        assert_eq!(
            error.to_string(),
            "a.csv, line 3, byte 17, column 'x\\ny': a quote is never closed: two lines; set --csv-quote\\x1b[2J"
        );
        let error = Error::config("'a\nb'").at(Place::split("\u{9b}a.csv"));
        assert_eq!(error.to_string(), "\\u{9b}a.csv: 'a\\nb'");
    }
}
