//! A connection in which every statement means the same on every server.

mod connecting;
mod connection;
pub mod driver_buffers;
mod encryption;
mod pinning;
pub mod server;
mod server_variables;

pub use connecting::{connect, try_connect};
pub use connection::{Done, Session};
