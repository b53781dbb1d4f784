//! Keys and changes of size, read on a thread: at a terminal that is gone, reading them never returns.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use ratatui::crossterm::event::{self, Event};

/// Whoever types faster than the screen listens waits.
const WAITING_MAX: usize = 64;

/// Once the terminal stands.
pub fn listen() -> io::Result<Receiver<io::Result<Event>>> {
    let (telling, keys) = sync_channel(WAITING_MAX);
    thread::Builder::new().name("keys".to_string()).spawn(move || {
        loop {
            let key = event::read();
            let is_last = key.is_err();
            if telling.send(key).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(keys)
}
