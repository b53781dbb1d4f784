//! The terminal while the screen stands. It is given back at the end, after an error, a signal and a panic.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use crate::console::standard_error::standard_error;

/// Given back once: a second time would put the cursor where it was when the screen was taken.
static STANDS: AtomicBool = AtomicBool::new(false);

pub struct Standing<W: Write> {
    terminal: Terminal<CrosstermBackend<W>>,
}

impl Standing<io::Stdout> {
    pub fn take(stdout: io::Stdout) -> io::Result<Standing<io::Stdout>> {
        // Said before the panic is, which would otherwise be written onto the screen and go with it.
        let told_before = panic::take_hook();
        panic::set_hook(Box::new(move |why| {
            give_back(&mut io::stdout());
            told_before(why);
        }));
        enable_raw_mode()?;
        Standing::on(stdout, Viewport::Fullscreen)
    }
}

impl<W: Write> Standing<W> {
    fn on(mut device: W, viewport: Viewport) -> io::Result<Standing<W>> {
        STANDS.store(true, Ordering::SeqCst);
        standard_error().hold(true);
        let entered = execute!(device, EnterAlternateScreen, Hide);
        let terminal = entered.and_then(|()| {
            let backend = CrosstermBackend::new(device);
            Terminal::with_options(backend, TerminalOptions { viewport })
        });
        terminal.map(|terminal| Standing { terminal }).inspect_err(|_| give_back(&mut io::stdout()))
    }

    /// Not after a panic in whatever thread.
    pub fn stands(&self) -> bool {
        STANDS.load(Ordering::SeqCst)
    }

    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }
}

impl<W: Write> Drop for Standing<W> {
    fn drop(&mut self) {
        give_back(self.terminal.backend_mut());
    }
}

/// A terminal that is gone is whole.
fn give_back(device: &mut impl Write) {
    if !STANDS.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(device, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    standard_error().hold(false);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ratatui::layout::Rect;

    use super::*;

    #[derive(Clone, Default)]
    struct Device(Arc<Mutex<Vec<u8>>>);

    impl Write for Device {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_while_drawing_gives_the_terminal_back() {
        let device = Device::default();
        let written = device.clone();
        let drawing = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            let mut standing =
                Standing::on(device, Viewport::Fixed(Rect::new(0, 0, 10, 3))).unwrap();
            assert!(standing.stands());
            standing.draw(|_| panic!("while drawing")).unwrap();
        }));
        assert!(drawing.is_err());
        let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let (entered, left) = ("\x1b[?1049h", "\x1b[?1049l");
        assert!(written.starts_with(entered), "{written:?}");
        assert_eq!(written.matches(left).count(), 1, "{written:?}");
        assert!(written.ends_with("\x1b[?25h"), "the cursor is shown: {written:?}");
        assert!(!STANDS.load(Ordering::SeqCst));
    }
}
