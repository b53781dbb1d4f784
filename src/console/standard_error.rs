//! Standard error of this process: written by one thread, so that nobody else ever waits for it.
//!
//! A pipe that nobody reads, a terminal that is stopped or gone, a disk that is full: the thread waits
//! or counts what it could not write. Whoever has something to say hands over a line and goes on. The
//! progress bar is one more line, at the bottom, of which only the newest state is kept.

use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::backlog::{Backlog, Entry};
use super::colour;
use super::line::{Style, dropped_line};
use crate::secret::by_name;

/// What is left when the process has nothing more to do than to tell of it: for a reader that is
/// slow. One that has stopped reading is not waited for.
pub const LAST_LINES_MAX: Duration = Duration::from_secs(2);

const CLEAR_LINE: &str = "\r\x1b[2K";

pub struct StandardError {
    state: Mutex<WriterState>,
    /// There is something to write.
    woken: Condvar,
    /// All of it was written, or could not be.
    idle: Condvar,
    /// None where it could not be started.
    writer: OnceLock<ThreadId>,
}

#[derive(Default)]
struct WriterState {
    backlog: Backlog,
    /// What is to stand below all lines; empty for nothing.
    frame: String,
    is_frame_new: bool,
    is_writing: bool,
    /// A screen stands where lines would be written: they wait.
    is_held: bool,
    style: Style,
}

impl WriterState {
    fn is_idle(&self) -> bool {
        self.backlog.is_empty() && !self.is_frame_new && !self.is_writing
    }
}

/// The one of this process. A process has one standard error, so what writes it is one, too.
pub fn standard_error() -> &'static StandardError {
    static OF_PROCESS: OnceLock<Arc<StandardError>> = OnceLock::new();
    OF_PROCESS.get_or_init(|| StandardError::start(Descriptor, colour::is_wanted(&io::stderr())))
}

impl StandardError {
    fn start(device: impl Write + Send + 'static, has_colours: bool) -> Arc<StandardError> {
        let this = Arc::new(StandardError {
            state: Mutex::default(),
            woken: Condvar::new(),
            idle: Condvar::new(),
            writer: OnceLock::new(),
        });
        let writing = Arc::clone(&this);
        let thread = thread::Builder::new().name("log".to_string()).spawn(move || {
            writing.write_all(Writer { has_colours, ..Writer::new(device) });
        });
        if let Ok(thread) = thread {
            // It is set once.
            let _ = this.writer.set(thread.thread().id());
        }
        this
    }

    pub fn set_style(&self, style: Style) {
        self.state().style = style;
    }

    pub fn style(&self) -> Style {
        self.state().style
    }

    /// A line of the log, which is left out and counted while nobody reads.
    pub fn log(&self, line: Vec<u8>) {
        let line = self.shown(line);
        self.hand_over(|backlog| backlog.push(line));
    }

    /// One of the few lines that say why, which are not left out.
    pub fn say(&self, text: impl Into<Vec<u8>>) {
        let text = self.shown(text.into());
        self.hand_over(|backlog| backlog.push_last(text));
    }

    /// Values that came from variables go by their names; in lines of JSON they do already.
    fn shown(&self, text: Vec<u8>) -> Vec<u8> {
        if self.style() == Style::Json {
            return text;
        }
        match String::from_utf8(text) {
            Ok(text) => by_name(&text).into_bytes(),
            Err(cause) => cause.into_bytes(),
        }
    }

    /// From now on no line is left out: the run is over, and they say how it ended.
    pub fn begin_to_end(&self) {
        self.state().backlog.begin_to_end(true);
    }

    /// Another run begins.
    pub fn begin_anew(&self) {
        self.state().backlog.begin_to_end(false);
    }

    /// What stands below all lines, on a terminal. Empty text takes it away.
    pub fn draw(&self, frame: String) {
        let mut state = self.state();
        if state.frame != frame {
            state.frame = frame;
            state.is_frame_new = true;
            self.woken.notify_one();
        }
    }

    /// From now on lines wait, or no longer: a screen stands where they would be written.
    pub fn hold(&self, is_held: bool) {
        self.state().is_held = is_held;
        self.woken.notify_one();
    }

    /// How many lines were left out so far, or could not be written.
    pub fn dropped(&self) -> u64 {
        self.state().backlog.dropped()
    }

    /// Waits until everything is written, but not for long.
    pub fn finish(&self, wait_max: Duration) {
        if self.writer.get().is_none_or(|writer| *writer == thread::current().id()) {
            return;
        }
        let give_up = Instant::now() + wait_max;
        let mut state = self.state();
        while !state.is_idle() {
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.idle.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn hand_over(&self, push: impl FnOnce(&mut Backlog)) {
        let mut state = self.state();
        push(&mut state.backlog);
        match self.writer.get() {
            Some(_) => self.woken.notify_one(),
            // There were no threads to be had: what can be written without waiting is.
            None => {
                let mut writer = Writer::new(Unwaited);
                while let Some(entry) = state.backlog.pop() {
                    if !writer.write(entry, state.style) {
                        state.backlog.lose();
                    }
                }
            }
        }
    }

    /// The thread itself; it ends with the process.
    fn write_all<W: Write>(&self, mut writer: Writer<W>) {
        loop {
            let mut state = self.state();
            while state.is_held || !state.is_frame_new && state.backlog.is_empty() {
                state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let (entry, style) = (state.backlog.pop(), state.style);
            if state.backlog.is_empty() {
                writer.frame.clone_from(&state.frame);
                state.is_frame_new = false;
            }
            state.is_writing = true;
            let is_last = state.backlog.is_empty();
            drop(state);
            // A panic is a line that was not written, and no reason to write no others.
            let written = catch_unwind(AssertUnwindSafe(|| {
                let is_written = entry.is_none_or(|entry| writer.write(entry, style));
                if is_last {
                    writer.draw();
                }
                is_written
            }));
            let is_written = written.unwrap_or_else(|_| {
                writer.missing += 1;
                false
            });
            let mut state = self.state();
            state.is_writing = false;
            if !is_written {
                state.backlog.lose();
            }
            if state.is_idle() {
                self.idle.notify_all();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        // Nothing in it is ever half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread knows of the device.
struct Writer<W> {
    device: W,
    /// Lines that are missing in front of the next one.
    missing: u64,
    /// A line was cut by an error.
    is_torn: bool,
    has_colours: bool,
    frame: String,
    /// What is to be seen of it.
    shown: String,
}

impl<W: Write> Writer<W> {
    fn new(device: W) -> Writer<W> {
        let (frame, shown) = Default::default();
        Writer { device, missing: 0, is_torn: false, has_colours: false, frame, shown }
    }

    /// Says whether it was written. A gap is only remembered until a line can be written again.
    fn write(&mut self, entry: Entry, style: Style) -> bool {
        let line = match entry {
            Entry::Line(line) => line,
            Entry::Gap(lines) => {
                self.missing += lines;
                self.say_what_is_missing(style);
                return true;
            }
        };
        self.say_what_is_missing(style);
        let painted = (self.has_colours && style == Style::Text)
            .then(|| colour::lines(&String::from_utf8_lossy(&line)));
        let line = painted.map_or(line, String::into_bytes);
        let is_written = self.missing == 0 && self.put(&line);
        if !is_written {
            self.missing += 1;
        }
        is_written
    }

    fn say_what_is_missing(&mut self, style: Style) {
        if self.missing > 0 && self.put(dropped_line(style, self.missing).as_bytes()) {
            self.missing = 0;
        }
    }

    /// Redraws the bar if lines took its place, or it has changed.
    fn draw(&mut self) {
        if self.shown == self.frame {
            return;
        }
        let frame = match self.has_colours {
            true => colour::frame(&self.frame),
            false => self.frame.clone(),
        };
        let drawn = format!("{CLEAR_LINE}{frame}");
        // A bar that cannot be drawn is nothing that is missing.
        let _ = self.device.write_all(drawn.as_bytes());
        self.shown.clone_from(&self.frame);
    }

    fn put(&mut self, line: &[u8]) -> bool {
        if !std::mem::take(&mut self.shown).is_empty() {
            let _ = self.device.write_all(CLEAR_LINE.as_bytes());
        }
        if self.is_torn && self.device.write_all(b"\n").is_err() {
            return false;
        }
        self.is_torn = false;
        let mut rest = line;
        while !rest.is_empty() {
            match self.device.write(rest) {
                Ok(written @ 1..) => rest = &rest[written..],
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.is_torn = rest.len() < line.len();
                    return false;
                }
            }
        }
        true
    }
}

/// File descriptor 2, past the lock of the standard library: who holds that may be waiting.
struct Descriptor;

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(io::stderr(), bytes) {
                // Whoever started us may have made it so.
                Err(rustix::io::Errno::AGAIN) => wait_for_room(None)?,
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same for a thread that has other things to do.
struct Unwaited;

impl Write for Unwaited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        wait_for_room(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        // A pipe has room for that much when it has room at all.
        let bytes = &bytes[..bytes.len().min(PIPE_ROOM)];
        Ok(rustix::io::write(io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PIPE_ROOM: usize = 4096;

fn wait_for_room(wait_max: Option<&Timespec>) -> io::Result<()> {
    let stderr = io::stderr();
    let mut waiting = [PollFd::new(&stderr, PollFlags::OUT)];
    match poll(&mut waiting, wait_max) {
        Ok(0) => Err(ErrorKind::WouldBlock.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Does with each write what it is told, and keeps what was written.
    struct Device {
        /// Told that it has been asked to write.
        asked: Sender<()>,
        script: Receiver<Answer>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    #[derive(Clone, Copy)]
    enum Answer {
        Take,
        /// No more than so many bytes.
        Part(usize),
        Fail,
        Panic,
    }

    impl Write for Device {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Nobody may want to know.
            let _ = self.asked.send(());
            // Without further orders everything is taken.
            let taken = match self.script.recv().unwrap_or(Answer::Take) {
                Answer::Take => bytes.len(),
                Answer::Part(length) => length.min(bytes.len()),
                Answer::Fail => return Err(ErrorKind::StorageFull.into()),
                Answer::Panic => panic!("the device broke"),
            };
            self.written.lock().unwrap().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        stderr: Arc<StandardError>,
        asked: Receiver<()>,
        script: Option<Sender<Answer>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Scene {
        fn new() -> Scene {
            let (orders, script) = mpsc::channel();
            let (asking, asked) = mpsc::channel();
            let written = Arc::default();
            let device = Device { asked: asking, script, written: Arc::clone(&written) };
            Scene {
                stderr: StandardError::start(device, false),
                asked,
                script: Some(orders),
                written,
            }
        }

        fn tell(&self, answers: &[Answer]) {
            let script = self.script.as_ref().unwrap();
            answers.iter().for_each(|answer| script.send(*answer).unwrap());
        }

        /// Everything from here on is taken.
        fn end(mut self) -> (String, u64) {
            self.script = None;
            self.stderr.finish(LONG);
            let written = String::from_utf8(self.written.lock().unwrap().clone()).unwrap();
            (written, self.stderr.dropped())
        }
    }

    fn log(scene: &Scene, lines: &[&str]) {
        lines.iter().for_each(|line| scene.stderr.log(line.as_bytes().to_vec()));
    }

    #[test]
    fn lines_are_written_in_their_order_whatever_a_write_takes() {
        let scene = Scene::new();
        log(&scene, &["one\n", "two\n"]);
        scene.tell(&[Answer::Part(1), Answer::Take, Answer::Part(2)]);
        assert_eq!(scene.end(), ("one\ntwo\n".to_string(), 0));
    }

    #[test]
    fn who_logs_never_waits_and_what_is_missing_is_said_when_there_is_room() {
        let scene = Scene::new();
        // The device answers nothing: nobody reads.
        let lines = 10_000;
        log(&scene, &["0\n"]);
        // It has the first line in its hands, so that no other makes room.
        scene.asked.recv().unwrap();
        (1..lines).for_each(|number| scene.stderr.log(format!("{number}\n").into_bytes()));
        scene.stderr.say("verdict\n");
        let dropped = scene.stderr.dropped();
        assert!(dropped > 5000, "{dropped}");
        let (written, dropped_then) = scene.end();
        assert_eq!(dropped, dropped_then);
        let lines: Vec<&str> = written.lines().collect();
        let [.., last_kept, gap, "verdict"] = lines[..] else { panic!("{lines:?}") };
        assert_eq!(last_kept.parse::<u64>().unwrap() + dropped, 9_999);
        assert!(gap.ends_with(&format!(" WARN {dropped} log lines were dropped here, because standard error could not be written")), "{gap}");
    }

    #[test]
    fn lines_that_could_not_be_written_are_counted_and_the_next_says_so() {
        let scene = Scene::new();
        // The second line goes behind what is to be said of the first.
        scene.tell(&[Answer::Fail, Answer::Fail]);
        log(&scene, &["lost\n", "lost too\n", "kept\n"]);
        let (written, dropped) = scene.end();
        let lines: Vec<&str> = written.lines().collect();
        assert!(matches!(lines[..], [gap, "kept"] if gap.contains("2 log lines ")), "{lines:?}");
        assert_eq!(dropped, 2);
    }

    #[test]
    fn a_line_that_was_cut_is_ended_before_the_next() {
        let scene = Scene::new();
        scene.tell(&[Answer::Part(2), Answer::Fail]);
        log(&scene, &["torn\n", "next\n"]);
        let (written, dropped) = scene.end();
        let lines: Vec<&str> = written.lines().collect();
        assert!(
            matches!(lines[..], ["to", gap, "next"] if gap.contains("1 log line ")),
            "{lines:?}"
        );
        assert_eq!(dropped, 1);
    }

    #[test]
    fn a_panic_while_writing_costs_its_line_and_nothing_hangs() {
        let scene = Scene::new();
        scene.tell(&[Answer::Panic]);
        log(&scene, &["lost\n", "next\n"]);
        let (written, dropped) = scene.end();
        let lines: Vec<&str> = written.lines().collect();
        assert!(matches!(lines[..], [gap, "next"] if gap.contains("1 log line ")), "{lines:?}");
        assert_eq!(dropped, 1);
    }

    #[test]
    fn the_end_is_not_waited_for_without_end() {
        let scene = Scene::new();
        log(&scene, &["never\n"]);
        scene.stderr.finish(Duration::from_millis(1));
        assert_eq!(*scene.written.lock().unwrap(), b"");
    }

    #[test]
    fn a_bar_stands_below_the_lines_and_only_its_newest_state_is_drawn() {
        let scene = Scene::new();
        scene.tell(&[Answer::Take]);
        scene.stderr.draw("a bar".to_string());
        scene.stderr.finish(LONG);
        // Nobody reads for a while.
        log(&scene, &["line\n"]);
        (0..100).for_each(|percent| scene.stderr.draw(format!("{percent} %")));
        scene.stderr.draw(String::new());
        let (written, dropped) = scene.end();
        let drawn = written.replace(CLEAR_LINE, "<");
        assert!(drawn.starts_with("<a bar<line\n"), "{drawn}");
        assert!(drawn.ends_with('<') || drawn.ends_with('\n'), "{drawn}");
        assert!(drawn.matches('%').count() <= 1, "{drawn}");
        assert_eq!(dropped, 0);
    }
}
