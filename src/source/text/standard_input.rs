//! Standard input, read also where whoever started us made it non-blocking: a terminal or a pipe is
//! shared with its other programs, and so is that.

use std::io::{self, Read};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

pub struct StandardInput;

impl Read for StandardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        loop {
            match rustix::io::read(&stdin, &mut *buffer) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(cause) => return Err(cause.into()),
                },
                read => return Ok(read?),
            }
        }
    }
}
