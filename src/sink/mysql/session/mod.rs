//! A connection in which every statement means the same on every server.

pub mod connection;
pub mod driver_buffers;
mod encryption;
mod pinning;
pub mod server;
