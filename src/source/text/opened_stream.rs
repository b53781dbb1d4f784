//! The opened stream of an input that can be read only once, from the look at its beginning until it
//! is read.

use std::sync::Mutex;

use super::input::Input;
use super::stream::{Stream, StreamSettings};
use crate::error::Result;

pub struct OpenedStream(Mutex<Option<(Stream, Vec<u8>)>>);

impl OpenedStream {
    /// Keeps the stream and what was read of it, unless the input can be opened again.
    pub fn new(input: &Input, stream: Stream, ahead: Vec<u8>) -> OpenedStream {
        OpenedStream(Mutex::new((!input.is_rereadable()).then_some((stream, ahead))))
    }

    pub fn take(&self) -> Option<(Stream, Vec<u8>)> {
        self.0.lock().expect("nobody panics while opening a file").take()
    }

    /// Another look at the beginning, which may read further.
    pub fn look<T>(
        &self,
        input: &Input,
        settings: &StreamSettings,
        look: impl FnOnce(&mut Stream, &mut Vec<u8>) -> Result<T>,
    ) -> Result<T> {
        match &mut *self.0.lock().expect("nobody panics while opening a file") {
            Some((stream, ahead)) => look(stream, ahead),
            None => look(&mut Stream::open(input, settings)?, &mut Vec::new()),
        }
    }
}
