//! Which run may write: the job's lock and heartbeat (`guard`, `heartbeat`, `locks`), its epoch and the
//! tokens of committed batches (`state`, `state_tables`, `token`). `owner` is what is known of another run.

pub mod guard;
mod heartbeat;
mod locks;
pub mod name;
mod owner;
pub mod state;
pub mod state_tables;
mod token;
