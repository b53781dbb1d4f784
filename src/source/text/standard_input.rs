//! Standard input, read also where whoever started us made it non-blocking: a terminal or a pipe is
//! shared with its other programs, and so is that.

use std::io::{self, Read};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

#[derive(Default)]
pub struct StandardInput {
    /// A terminal goes on behind its end when it is read again.
    is_ended: bool,
}

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_ended {
            return Ok(0);
        }
        let stdin = io::stdin();
        loop {
            match rustix::io::read(&stdin, &mut *buffer) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(cause) => return Err(cause.into()),
                },
                read => {
                    let length = read?;
                    self.is_ended = length == 0 && !buffer.is_empty();
                    return Ok(length);
                }
            }
        }
    }
}
