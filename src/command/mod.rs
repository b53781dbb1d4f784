//! The verbs: what is done for each command that may be typed.

pub mod check;
pub mod exporter;
mod history;
pub mod metrics;
mod provision;
pub mod run;
pub mod runs;
pub mod schema;
pub mod status;
pub mod texts;
pub mod top;
pub mod usage;

use std::io::{self, Write};

use crate::app;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::secret::by_name;
use crate::sink::file::StandardOutput;

/// To standard output. A reader that went away has read what it wanted.
pub fn print(text: &str) -> Outcome {
    match StandardOutput.write_all(by_name(text).as_bytes()) {
        Ok(()) => Outcome::Complete,
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Outcome::OutputClosed,
        Err(cause) => {
            app::complain(&Error::local_io("cannot write to standard output", cause));
            Outcome::LocalIo
        }
    }
}
