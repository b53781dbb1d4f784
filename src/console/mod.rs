//! What a run says on standard error: the log (`logging`, `line`), how far it is (`progress`), and what becomes of
//! panics (`panics`). All of it goes through `standard_error`, which has a thread of its own behind a `backlog` that
//! is bounded and counts what it leaves out, so that nobody waits for a terminal or a pipe.

mod backlog;
pub mod colour;
mod line;
pub mod logging;
pub mod panics;
pub mod progress;
pub mod standard_error;
