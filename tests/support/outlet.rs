//! Where standard error of a program leads: pipes and terminals, good ones and others.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Flowgauge, PATIENCE, Workdir, eventually};

#[derive(Clone, Copy, Debug)]
pub enum Outlet {
    /// A pipe whose reader takes everything.
    Read,
    /// A pipe whose reader goes away after so many bytes.
    GoneAfter(usize),
    /// A pipe that nobody reads, with room for so many bytes.
    Room(usize),
    /// The same, and whoever writes is told to come again.
    RoomNonBlocking(usize),
    FullDisk,
    /// There is no file descriptor 2.
    Closed,
    Terminal,
    /// A terminal that shows nothing more: the buffer of the kernel fills up.
    TerminalUnread,
    TerminalGoneAfter(usize),
}

/// The other end, as long as the test wants it to be there.
pub type Held = Option<OwnedFd>;

const PIPE_SIZE: usize = 4096;

impl Outlet {
    /// Our own program with this standard error.
    pub fn flowgauge(self, workdir: &Workdir) -> (Flowgauge, Held) {
        if let Outlet::Closed = self {
            let script = "exec \"$0\" \"$@\" 2>&-";
            let program = Flowgauge::new("/bin/bash", workdir);
            return (program.args(["-c", script, env!("CARGO_BIN_EXE_flowgauge")]), None);
        }
        let (end, held) = self.open();
        (workdir.flowgauge().stderr(end), held)
    }

    fn open(self) -> (OwnedFd, Held) {
        match self {
            Outlet::Read => pipe_read_up_to(usize::MAX),
            Outlet::GoneAfter(bytes) => pipe_read_up_to(bytes),
            Outlet::Room(bytes) => pipe_with_room(bytes),
            Outlet::RoomNonBlocking(bytes) => {
                let (writer, reader) = pipe_with_room(bytes);
                let flags = fcntl_getfl(&writer).unwrap();
                fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
                (writer, reader)
            }
            Outlet::FullDisk => {
                (OpenOptions::new().write(true).open("/dev/full").unwrap().into(), None)
            }
            Outlet::Closed => unreachable!("it is no file"),
            Outlet::Terminal => terminal_read_up_to(usize::MAX),
            Outlet::TerminalUnread => {
                let (terminal, shown) = terminal();
                (terminal, Some(shown.into()))
            }
            Outlet::TerminalGoneAfter(bytes) => terminal_read_up_to(bytes),
        }
    }
}

fn pipe_read_up_to(bytes: usize) -> (OwnedFd, Held) {
    let (reader, writer) = std::io::pipe().unwrap();
    read_up_to(bytes, reader);
    (writer.into(), None)
}

fn pipe_with_room(bytes: usize) -> (OwnedFd, Held) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setpipe_size(&writer, PIPE_SIZE).unwrap();
    writer.write_all(&vec![b' '; PIPE_SIZE - bytes.min(PIPE_SIZE)]).unwrap();
    (writer.into(), Some(reader.into()))
}

fn terminal_read_up_to(bytes: usize) -> (OwnedFd, Held) {
    let (terminal, shown) = terminal();
    read_up_to(bytes, shown);
    (terminal, None)
}

/// Both sides of a terminal: what a program writes to, and what shows it.
pub fn terminal() -> (OwnedFd, File) {
    let shown = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&shown).unwrap();
    unlockpt(&shown).unwrap();
    let name = ptsname(&shown, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    (terminal, shown.into())
}

/// Writes until the kernel takes nothing more, so that whoever writes next waits for a reader.
pub fn fill(terminal: &OwnedFd, shown: &File) {
    // A file of its own, as flags are shared by all who have this one.
    let name = ptsname(shown, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut writer = File::from(rustix::fs::open(name, flags, Mode::empty()).unwrap());
    tcsetwinsize(terminal, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    eventually("a full terminal", || {
        while writer.write(&[b'x'; 64]).is_ok() {}
        // The kernel moves what was written to whoever reads, and has moved all it can.
        (ioctl_fionread(shown).unwrap() >= TERMINAL_READ_BUFFER).then_some(())
    });
    while writer.write(b"x").is_ok() {}
}

const TERMINAL_READ_BUFFER: u64 = 4095;

/// What a terminal shows, read on a thread.
pub struct Screen {
    pieces: Receiver<Vec<u8>>,
    text: String,
}

impl Screen {
    pub fn watch(mut shown: File) -> Screen {
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            // A terminal without programs is an error to whoever reads it.
            while let Ok(read @ 1..) = shown.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Screen { pieces, text: String::new() }
    }

    #[track_caller]
    pub fn wait_for(&mut self, part: &str) {
        while !self.text.contains(part) {
            let piece = self.pieces.recv_timeout(PATIENCE);
            let piece = piece.unwrap_or_else(|why| panic!("no {part:?}, {why}: {}", self.text));
            self.text += &String::from_utf8_lossy(&piece);
        }
    }

    /// Everything until the last program at the terminal has ended.
    #[track_caller]
    pub fn all(mut self) -> String {
        loop {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.text += &String::from_utf8_lossy(&piece),
                Err(RecvTimeoutError::Disconnected) => return self.text,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.text),
            }
        }
    }
}

/// Reads on a thread and closes behind so many bytes, or with the last writer.
fn read_up_to(bytes: usize, mut reader: impl Read + Send + 'static) {
    thread::spawn(move || {
        let mut left = bytes;
        let mut buffer = [0; 512];
        while left > 0 {
            let length = left.min(buffer.len());
            match reader.read(&mut buffer[..length]) {
                Ok(read @ 1..) => left -= read,
                _ => return,
            }
        }
    });
}
