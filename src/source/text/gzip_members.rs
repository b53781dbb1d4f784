//! The members of a gzip file, one after another, and the zeros that may pad it: tapes and some
//! devices store whole blocks, and `gzip` passes over what they add.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

pub struct GzipMembers<R> {
    /// None only while one member follows another.
    member: Option<GzDecoder<R>>,
    is_ended: bool,
}

impl<R: BufRead> GzipMembers<R> {
    pub fn new(inner: R) -> GzipMembers<R> {
        GzipMembers { member: Some(GzDecoder::new(inner)), is_ended: false }
    }

    /// Goes to the next member, or to the end.
    fn go_on(&mut self, mut inner: R) -> io::Result<()> {
        let mut is_padded = false;
        loop {
            let bytes = match inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let is_at_end = bytes.is_empty();
            let is_done = is_at_end || zeros < bytes.len();
            is_padded |= zeros > 0;
            inner.consume(zeros);
            if !is_done {
                continue;
            }
            self.is_ended = is_at_end;
            if is_padded && !is_at_end {
                let words = "something follows the zeros behind its last member";
                return Err(io::Error::new(io::ErrorKind::InvalidData, words));
            }
            self.member = Some(GzDecoder::new(inner));
            return Ok(());
        }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_ended && !out.is_empty() {
            let Some(member) = &mut self.member else { break };
            let read = member.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            if let Some(member) = self.member.take() {
                self.go_on(member.into_inner())?;
            }
        }
        Ok(0)
    }
}
