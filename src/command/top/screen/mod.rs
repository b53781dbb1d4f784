//! The screen: one loop that takes keys and news, and draws what has changed.
//!
//! `standing` is the terminal while the screen stands, and gives it back however that ends; `writer` is the
//! thread that writes to it, and `keys` the one that reads; `state` is what was chosen with keys; `list`, `detail` and `frame` draw, purely.

mod detail;
mod frame;
mod keys;
mod list;
mod paint;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyEventKind};

use self::paint::Palette;
use self::standing::Standing;
use self::state::{After, State};
use super::Runs;
use super::asking::{keep_asking, key_of};
use super::row::Rows;
use crate::console::colour;
use crate::error::{Error, Result};
use crate::ledger::now;
use crate::outcome::Outcome;
use crate::pipeline::Stop;
use crate::signals;

/// Between two looks at keys, news and signals: nobody sees more than ten pictures a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Ages are told in seconds.
const DRAW_EVERY_MAX: Duration = Duration::from_secs(1);

pub fn watch(runs: Runs, every: Duration) -> Result<Outcome> {
    let mut state = State::new(match &runs {
        Runs::At(targets) => Rows::at(targets.iter().map(key_of)),
        Runs::Ledger { .. } => Rows::default(),
    });
    let stop = Arc::new(Stop::default());
    signals::listen_silently(&stop);
    // Where nobody takes the pictures, nobody is asked for more.
    let (telling, news) = sync_channel(super::RUNS_MAX);
    keep_asking(runs, every, telling)?;
    let palette = Palette::new(colour::is_wanted(&io::stdout()));
    let failed = |cause| Error::local_io("the terminal cannot be used", cause);
    let mut standing = Standing::take().map_err(failed)?;
    let keys = keys::listen().map_err(failed)?;
    let mut drawn = Instant::now();
    let mut is_changed = true;
    loop {
        is_changed |= drawn.elapsed() >= DRAW_EVERY_MAX;
        loop {
            match news.try_recv() {
                Ok(one) => is_changed |= state.take(one, now()),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(Error::internal("the thread that asks the runs has ended"));
                }
            }
        }
        if !standing.stands() {
            return Ok(Outcome::Internal);
        }
        if standing.is_taken_away() {
            standing.take_again().map_err(failed)?;
            is_changed = true;
        }
        if is_changed && standing.is_ready() {
            standing
                .draw(|frame| frame::draw(frame, &mut state, &palette, now()))
                .map_err(failed)?;
            drawn = Instant::now();
            is_changed = false;
        }
        let mut wait = LOOK_EVERY;
        loop {
            let event = match keys.recv_timeout(wait) {
                Ok(event) => event.map_err(failed)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("the thread that reads keys has ended"));
                }
            };
            wait = Duration::ZERO;
            if let Event::Key(key) = event
                && key.kind == KeyEventKind::Press
                && state.press(key) == After::Leave
            {
                return Ok(Outcome::Complete);
            }
            is_changed = true;
        }
        if stop.is_stopping() {
            return Ok(stop.received().map_or(Outcome::Complete, Outcome::Interrupted));
        }
    }
}
