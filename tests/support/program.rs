//! The program as a process: started with an empty environment, watched while it runs, and never
//! left behind.
//!
//! `Flowgauge` is what is typed, `Running` a process in the background, `Finished` what it said.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, Workdir, assert_same_text};

pub struct Flowgauge {
    command: Command,
    stdin: Vec<u8>,
    stdin_stays_open: bool,
    is_stdin_open: bool,
    stdout_is_held: bool,
    is_stdout_full: bool,
    stderr: Option<Stdio>,
    terminal: Option<OwnedFd>,
    is_stdout_terminal: bool,
}

impl Flowgauge {
    /// `Workdir::flowgauge` starts our own binary; the harness tests itself with a shell.
    pub fn new(binary: impl AsRef<OsStr>, workdir: &Workdir) -> Flowgauge {
        let mut command = Command::new(binary);
        command.current_dir(workdir.root()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", workdir.root());
        // Where tests/run --coverage counts what runs.
        let profiles = std::env::var_os("LLVM_PROFILE_FILE");
        command.envs(profiles.map(|file| ("LLVM_PROFILE_FILE", file)));
        command.env("FLOWGAUGE_STATE_DIR", workdir.path("state"));
        Flowgauge {
            command,
            stdin: Vec::new(),
            stdin_stays_open: false,
            is_stdin_open: false,
            stdout_is_held: false,
            is_stdout_full: false,
            stderr: None,
            terminal: None,
            is_stdout_terminal: false,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Flowgauge {
        self.command.arg(arg);
        self
    }

    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Flowgauge {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Flowgauge {
        self.command.env(name, value);
        self
    }

    /// What it reads from standard input, which ends there. Nothing, unless told.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Flowgauge {
        self.stdin = bytes.into();
        self
    }

    /// Standard input does not end behind the bytes given, but with `Running::close_stdin`.
    pub fn keep_stdin_open(mut self) -> Flowgauge {
        self.stdin_stays_open = true;
        self
    }

    /// Nobody reads standard output until `Running::finish`, so the pipe fills up.
    pub fn hold_stdout(mut self) -> Flowgauge {
        self.stdout_is_held = true;
        self
    }

    /// Standard input is left to `Running::stdin`, and ends when that is dropped.
    pub fn stdin_open(mut self) -> Flowgauge {
        self.is_stdin_open = true;
        self
    }

    /// Standard output is a pipe without room: the first write to it waits for `Running::finish`.
    /// A run whose summary goes there is over and still answers scrapes.
    pub fn stdout_full(mut self) -> Flowgauge {
        self.is_stdout_full = true;
        self
    }

    /// Standard error leads there, and is not seen by the test.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Flowgauge {
        self.stderr = Some(stderr.into());
        self
    }

    /// Standard input and standard error are a terminal.
    pub fn terminal(mut self, terminal: OwnedFd) -> Flowgauge {
        self.terminal = Some(terminal);
        self
    }

    /// Standard output is one as well.
    pub fn screen(self, terminal: OwnedFd) -> Flowgauge {
        Flowgauge { is_stdout_terminal: true, ..self.terminal(terminal) }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.spawn().finish()
    }

    #[track_caller]
    pub fn spawn(mut self) -> Running {
        let typed = typed(&self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(stderr) = self.stderr {
            self.command.stderr(stderr);
        }
        if let Some(terminal) = self.terminal {
            self.is_stdin_open = true;
            if self.is_stdout_terminal {
                self.command.stdout(terminal.try_clone().unwrap());
            }
            self.command.stdin(terminal.try_clone().unwrap()).stderr(terminal);
        }
        let mut full = None;
        if self.is_stdout_full {
            let (reader, mut writer) = std::io::pipe().unwrap();
            full = Some(Full { filling: fill(&mut writer), reader });
            self.command.stdout(writer);
        }
        let spawned = self.command.spawn();
        // It holds the ends of pipes that only the child is to hold.
        drop(self.command);
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!("cannot start {typed}: {error}"),
        };
        // A process that does not read its input closes it early; that is its own affair.
        let mut close_stdin = None;
        if !self.is_stdin_open {
            let mut pipe = child.stdin.take().unwrap();
            let input = self.stdin;
            let (close, closed) = mpsc::channel::<()>();
            thread::spawn(move || {
                drop(pipe.write_all(&input));
                // An error is what a dropped sender brings, too.
                let _ = closed.recv();
            });
            close_stdin = self.stdin_stays_open.then_some(close);
        }

        let mut held = child.stdout.take();
        let stdout = match held.take_if(|_| !self.stdout_is_held) {
            Some(pipe) => lines_of(pipe),
            None => mpsc::channel().1,
        };
        let stderr = child.stderr.take().map_or_else(|| mpsc::channel().1, lines_of);
        let (out, err) = (Vec::new(), Vec::new());
        Running { typed, child, close_stdin, held, full, stdout, stderr, out, err }
    }
}

/// A process in the background. Dropping it kills it.
pub struct Running {
    typed: String,
    child: Child,
    /// While it is there, standard input stays open.
    close_stdin: Option<Sender<()>>,
    /// Standard output that nobody reads yet.
    held: Option<ChildStdout>,
    full: Option<Full>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it has had so far, in KiB; none once it has ended.
    pub fn peak_kib(&self) -> Option<u64> {
        peak_kib_of(self.id())
    }

    /// Waits for its end, and says as well how much memory it had at most, in KiB, as far as can be
    /// seen from outside: the kernel forgets it together with the process.
    #[track_caller]
    pub fn finish_measured(self) -> (Finished, u64) {
        let id = self.id();
        let watch = thread::spawn(move || {
            let mut peak = 0;
            while let Some(kib) = peak_kib_of(id) {
                peak = kib;
                thread::yield_now();
            }
            peak
        });
        let finished = self.finish();
        (finished, watch.join().unwrap())
    }

    pub fn close_stdin(&mut self) {
        self.close_stdin = None;
    }

    /// Blocks until the first byte is on standard output, which is held, and takes only that.
    #[track_caller]
    pub fn wait_for_first_byte(&mut self) {
        let held = self.held.as_mut().expect("standard output is not held");
        let mut first = [0];
        held.read_exact(&mut first).unwrap();
        self.out.extend_from_slice(&first);
    }

    /// What feeds its standard input, which was started with `stdin_open`. Dropping it is the end.
    #[track_caller]
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it was started with stdin_open, and this is the first call")
    }

    /// Blocks until standard error brings a line with `part` in it, and returns the line. Lines
    /// before it are passed over and kept for `Finished`.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let why = match self.stderr.recv_timeout(left) {
                Ok(line) => {
                    self.err.extend_from_slice(&line);
                    let line = String::from_utf8_lossy(&line);
                    if line.contains(part) {
                        return line.trim_end().to_owned();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => "standard error ended",
                Err(RecvTimeoutError::Timeout) => "gave up waiting",
            };
            let so_far = String::from_utf8_lossy(&self.err);
            panic!("{why}: no line with {part:?} from {}, only\n{so_far}", self.typed);
        }
    }

    /// Where its metrics are, as `http::get` takes it. To be asked before any other line.
    #[track_caller]
    pub fn metrics_address(&mut self) -> String {
        let line = self.wait_for_line("metrics on http");
        let (_, url) = line.split_once("://").unwrap();
        url.strip_suffix("/metrics").unwrap().to_string()
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        if let Err(error) = kill_process(pid, signal) {
            panic!("cannot send {signal:?} to {}: {error}", self.typed);
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let give_up = Instant::now() + PATIENCE;
        // Who waits for the end writes nothing more.
        drop(self.child.stdin.take());
        let mut filling = 0;
        if let Some(full) = self.full.take() {
            filling = full.filling;
            self.stdout = lines_of(full.reader);
        } else if let Some(held) = self.held.take() {
            self.stdout = lines_of(held);
        }
        for (lines, kept) in [(&self.stdout, &mut self.out), (&self.stderr, &mut self.err)] {
            loop {
                let left = give_up.saturating_duration_since(Instant::now());
                match lines.recv_timeout(left) {
                    Ok(line) => kept.extend_from_slice(&line),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.typed),
                }
            }
        }
        self.out.drain(..filling);
        let status = self.child.wait().unwrap();
        Finished {
            typed: self.typed.clone(),
            status,
            stdout: String::from_utf8_lossy(&self.out).into_owned(),
            stderr: String::from_utf8_lossy(&self.err).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has already ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[derive(Debug)]
pub struct Finished {
    /// What was typed, for messages.
    pub typed: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it, where one did.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    #[track_caller]
    pub fn assert_code(&self, expected: i32) -> &Finished {
        if self.code() != Some(expected) {
            panic!("expected exit code {expected}, but {self}");
        }
        self
    }

    #[track_caller]
    pub fn assert_stdout(&self, expected: &str) -> &Finished {
        assert_same_text("standard output", expected, &self.stdout);
        self
    }

    #[track_caller]
    pub fn assert_stderr(&self, expected: &str) -> &Finished {
        assert_same_text("standard error", expected, &self.stderr);
        self
    }

    #[track_caller]
    pub fn assert_stdout_has(&self, part: &str) -> &Finished {
        assert!(self.stdout.contains(part), "no {part:?} on standard output: {self}");
        self
    }

    #[track_caller]
    pub fn assert_stderr_has(&self, part: &str) -> &Finished {
        assert!(self.stderr.contains(part), "no {part:?} on standard error: {self}");
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finished { typed, status, stdout, stderr } = self;
        write!(f, "{typed}\nended with {status}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

fn peak_kib_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

fn typed(command: &Command) -> String {
    let words: Vec<OsString> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsString::from).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

/// The reading end of a pipe that was full before the process had it.
struct Full {
    reader: PipeReader,
    filling: usize,
}

/// Writes until there is no room, and says how much that was.
fn fill(pipe: &mut PipeWriter) -> usize {
    let flags = fcntl_getfl(&pipe).unwrap();
    fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).unwrap();
    let mut filling = 0;
    let why = loop {
        match pipe.write(&[b' '; 4096]) {
            Ok(written) => filling += written,
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(why, ErrorKind::WouldBlock);
    // The process is to wait where the test found no room.
    fcntl_setfl(&pipe, flags).unwrap();
    filling
}

/// Reads on a thread, so that a full pipe never stops the process. Ends with the pipe.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            match pipe.read_until(b'\n', &mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}
