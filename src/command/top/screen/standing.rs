//! The terminal while the screen stands. It is given back at the end, after an error, a signal and a panic.

use std::io::{self, Write};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::queue;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use rustix::termios::{LocalModes, tcgetattr};

use super::writer::{Descriptor, Picture, TerminalWriter};
use crate::console::standard_error::standard_error;

/// While it stands. Given back once: a second time would put the cursor where it was when the screen was taken.
static STANDING: Mutex<Option<Arc<TerminalWriter>>> = Mutex::new(None);

pub struct Standing {
    terminal: Terminal<CrosstermBackend<Picture>>,
    writer: Arc<TerminalWriter>,
}

impl Standing {
    pub fn take() -> io::Result<Standing> {
        // Said before the panic is, which would otherwise be written onto the screen and go with it.
        let told_before = panic::take_hook();
        panic::set_hook(Box::new(move |why| {
            give_back();
            told_before(why);
        }));
        enable_raw_mode()?;
        Standing::on(Descriptor, Viewport::Fullscreen)
    }

    fn on(device: impl Write + Send + 'static, viewport: Viewport) -> io::Result<Standing> {
        let writer = TerminalWriter::start(device).inspect_err(|_| drop(disable_raw_mode()))?;
        *standing() = Some(Arc::clone(&writer));
        standard_error().hold(true);
        let mut picture = Picture::of(&writer);
        let entered = queue!(picture, EnterAlternateScreen, Hide).and_then(|()| picture.flush());
        let terminal = entered.and_then(|()| {
            let backend = CrosstermBackend::new(picture);
            Terminal::with_options(backend, TerminalOptions { viewport })
        });
        terminal.map(|terminal| Standing { terminal, writer }).inspect_err(|_| give_back())
    }

    /// Not after a panic in whatever thread.
    pub fn stands(&self) -> bool {
        standing().is_some()
    }

    /// Whoever stopped the program and let it go on, as shells do, has put the terminal back in between.
    pub fn is_taken_away(&self) -> bool {
        tcgetattr(io::stdin()).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ICANON))
    }

    /// Once more, and nothing of what was drawn is there any more.
    pub fn take_again(&mut self) -> io::Result<()> {
        disable_raw_mode()?;
        enable_raw_mode()?;
        let backend = CrosstermBackend::new(Picture::of(&self.writer));
        let options = TerminalOptions { viewport: Viewport::Fullscreen };
        // The one before shows the cursor as it goes.
        self.terminal = Terminal::with_options(backend, options)?;
        let mut picture = Picture::of(&self.writer);
        queue!(picture, EnterAlternateScreen, Clear(ClearType::All), Hide)?;
        picture.flush()
    }

    /// The last picture is at the terminal. Where nobody takes one, no other is drawn.
    pub fn is_ready(&self) -> bool {
        self.writer.is_idle()
    }

    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        give_back();
    }
}

fn standing() -> MutexGuard<'static, Option<Arc<TerminalWriter>>> {
    STANDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal that is gone is whole.
fn give_back() {
    let Some(writer) = standing().take() else { return };
    let mut last = Vec::new();
    let _ = queue!(last, LeaveAlternateScreen, Show);
    writer.end(&last);
    let _ = disable_raw_mode();
    standard_error().hold(false);
}

#[cfg(test)]
mod tests {
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
        assert!(standing().is_none());
    }
}
