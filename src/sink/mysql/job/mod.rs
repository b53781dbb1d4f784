//! Which run may write: the job's lock and heartbeat (`guard`, `heartbeat`, `locks`), its epoch and the
//! tokens of committed batches (`state`, `token`).

pub mod guard;
mod heartbeat;
mod locks;
mod name;
pub mod state;
mod token;
