//! How a run ended: one enum behind the exit code, the summary, the log and the metrics.

use crate::error::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Signal {
    pub fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    Internal,
    Usage,
    Data,
    Unavailable,
    LocalIo,
    Locked,
    Interrupted(Signal),
    OutputClosed,
    /// Complete, but not everybody was told who had to be. An exit code and no outcome of data: whoever
    /// is told of the run is told that it is complete.
    Unreported,
}

impl Outcome {
    /// Those that data can have.
    pub const ALL: [Outcome; 11] = [
        Outcome::Complete,
        Outcome::Internal,
        Outcome::Usage,
        Outcome::Data,
        Outcome::Unavailable,
        Outcome::LocalIo,
        Outcome::Locked,
        Outcome::Interrupted(Signal::Hangup),
        Outcome::Interrupted(Signal::Interrupt),
        Outcome::Interrupted(Signal::Terminate),
        Outcome::OutputClosed,
    ];

    /// What a program ends with that did not tell whom it had to: no more than that its data is complete.
    pub fn unreported(self) -> Outcome {
        if self == Outcome::Complete { Outcome::Unreported } else { self }
    }

    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Complete => 0,
            Outcome::Internal => 1,
            Outcome::Usage => 2,
            Outcome::Data => 3,
            Outcome::Unavailable => 4,
            Outcome::LocalIo => 5,
            Outcome::Unreported => 6,
            Outcome::Locked => 75,
            Outcome::Interrupted(Signal::Hangup) => 129,
            Outcome::Interrupted(Signal::Interrupt) => 130,
            Outcome::OutputClosed => 141,
            Outcome::Interrupted(Signal::Terminate) => 143,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Complete | Outcome::Unreported => "complete",
            Outcome::Internal => "internal_error",
            Outcome::Usage => "usage",
            Outcome::Data => "data",
            Outcome::Unavailable => "unavailable",
            Outcome::LocalIo => "local_io",
            Outcome::Locked => "locked",
            Outcome::Interrupted(Signal::Hangup) => "interrupted_hangup",
            Outcome::Interrupted(Signal::Interrupt) => "interrupted",
            Outcome::Interrupted(Signal::Terminate) => "terminated",
            Outcome::OutputClosed => "output_closed",
        }
    }
}

impl From<Kind> for Outcome {
    fn from(kind: Kind) -> Outcome {
        match kind {
            Kind::Config => Outcome::Usage,
            Kind::Data => Outcome::Data,
            Kind::Unavailable | Kind::Overloaded | Kind::Unknown => Outcome::Unavailable,
            Kind::LocalIo => Outcome::LocalIo,
            Kind::Locked => Outcome::Locked,
            Kind::OutputClosed => Outcome::OutputClosed,
            Kind::Internal => Outcome::Internal,
        }
    }
}
