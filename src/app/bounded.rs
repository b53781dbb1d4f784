//! Work that may never end, such as a write to a disk that hangs or a pipe that nobody reads, on a
//! thread of its own: whoever asked for it goes on to hear signals, and leaves it behind in the end.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the work answered, or why nobody waits for it any longer: an error of the kind `TimedOut`.
/// `give_up` is asked now and then, with how long it took so far.
pub fn bounded<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    give_up: impl Fn(Duration) -> Option<&'static str>,
) -> io::Result<T> {
    let (done, answer) = channel();
    thread::Builder::new().name(name.to_string()).spawn(move || {
        // Nobody listens any more who gave up.
        let _ = done.send(work());
    })?;
    let began = Instant::now();
    loop {
        match answer.recv_timeout(LOOK_EVERY) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("it broke off")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(why) = give_up(began.elapsed()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
    }
}
