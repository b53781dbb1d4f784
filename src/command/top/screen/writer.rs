//! The way to the terminal: a thread writes what was drawn, so that a terminal that nobody reads holds up nobody.
//! Keys and signals are heard while a picture is under way, and the end does not wait for long.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};

/// What is written at once. The rest of a picture can still be let go of.
const PIECE: usize = 1024;

/// For each of three tries: to let the terminal take what was drawn, to let go of it, and to write the last bytes.
const END_WAIT_MAX: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct TerminalWriter {
    state: Mutex<WriterState>,
    changed: Condvar,
}

#[derive(Default)]
struct WriterState {
    waiting: Vec<u8>,
    is_writing: bool,
    /// Nothing more is taken.
    is_over: bool,
    failed: Option<io::Error>,
}

impl WriterState {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing
    }
}

impl TerminalWriter {
    pub fn start(device: impl Write + Send + 'static) -> io::Result<Arc<TerminalWriter>> {
        let this = Arc::new(TerminalWriter::default());
        let writing = Arc::clone(&this);
        thread::Builder::new()
            .name("screen".to_string())
            .spawn(move || writing.write_all(device))?;
        Ok(this)
    }

    /// Everything that was handed over is at the terminal.
    pub fn is_idle(&self) -> bool {
        self.state().is_idle()
    }

    /// Writes these last bytes, behind what is under way where the terminal takes that, and in its place where not.
    pub fn end(&self, last: &[u8]) {
        if !self.wait_idle() {
            self.state().waiting.clear();
            // What nobody has read gives room to what gives the terminal back.
            let _ = tcflush(io::stdout(), QueueSelector::OFlush);
            self.wait_idle();
        }
        let mut state = self.state();
        state.is_over = true;
        state.waiting.extend_from_slice(last);
        drop(state);
        self.changed.notify_all();
        self.wait_idle();
    }

    fn hand_over(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut state = self.state();
        if state.is_over {
            // Nor is it said that this fails: whoever draws would say so to a terminal that is gone.
            bytes.clear();
            return Ok(());
        }
        if let Some(cause) = state.failed.take() {
            return Err(cause);
        }
        state.waiting.append(bytes);
        self.changed.notify_all();
        Ok(())
    }

    fn wait_idle(&self) -> bool {
        let give_up = Instant::now() + END_WAIT_MAX;
        let mut state = self.state();
        while !state.is_idle() {
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The thread itself.
    fn write_all(&self, mut device: impl Write) {
        let mut state = self.state();
        loop {
            while state.waiting.is_empty() {
                if state.is_over {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let length = state.waiting.len().min(PIECE);
            let piece: Vec<u8> = state.waiting.drain(..length).collect();
            state.is_writing = true;
            drop(state);
            let written = device.write_all(&piece);
            state = self.state();
            state.is_writing = false;
            if let Err(cause) = written {
                state.waiting.clear();
                state.failed = Some(cause);
            }
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        // Nothing in it is ever half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is drawn, until it is whole.
pub struct Picture {
    bytes: Vec<u8>,
    writer: Arc<TerminalWriter>,
}

impl Picture {
    pub fn of(writer: &Arc<TerminalWriter>) -> Picture {
        Picture { bytes: Vec::new(), writer: Arc::clone(writer) }
    }
}

impl Write for Picture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.hand_over(&mut self.bytes)
    }
}

/// File descriptor 1, past the lock of the standard library: whoever ends the process takes that.
pub struct Descriptor;

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stdout = io::stdout();
        loop {
            match rustix::io::write(&stdout, bytes) {
                // Whoever started us may have made it so.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None);
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::mem;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Takes a write only when it is told to.
    struct Device {
        allowed: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Device {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without further orders everything is taken.
            let _ = self.allowed.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_device_that_takes_nothing_holds_up_nobody_and_is_given_the_last_bytes_when_it_does() {
        let (allow, allowed) = channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let writer = TerminalWriter::start(Device { allowed, written: written.clone() }).unwrap();
        let mut picture = Picture::of(&writer);
        picture.write_all(&[b'x'; 3 * PIECE]).unwrap();
        assert!(writer.is_idle(), "it is whole when it is flushed");
        picture.flush().unwrap();
        assert!(!writer.is_idle());
        writer.end(b"end");
        assert!(written.lock().unwrap().is_empty());
        picture.write_all(b"too late").unwrap();
        picture.flush().unwrap();
        drop(allow);
        assert!(writer.wait_idle());
        let written = mem::take(&mut *written.lock().unwrap());
        assert_eq!(written, [&[b'x'; PIECE][..], b"end"].concat());
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(Errno::IO.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_device_that_is_gone_fails_once_and_not_behind_the_end() {
        let writer = TerminalWriter::start(Gone).unwrap();
        let mut picture = Picture::of(&writer);
        picture.write_all(b"one").unwrap();
        picture.flush().unwrap();
        assert!(writer.wait_idle());
        picture.write_all(b"two").unwrap();
        assert!(picture.flush().is_err());
        writer.end(b"end");
        assert!(writer.wait_idle());
        picture.flush().unwrap();
    }
}
