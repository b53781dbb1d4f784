//! Lines that wait to be written, bounded in number and in bytes. Pure.
//!
//! What does not fit is counted and not kept, and the place where it is missing keeps its order among
//! the others.

use std::collections::VecDeque;

/// More than a run logs in a second, and nothing beside the memory of a segment.
const LINES_MAX: usize = 4096;
const BYTES_MAX: usize = 1 << 20;
/// Beside them, for the few lines that say how a run ended.
const RESERVE_LINES: usize = 256;
const RESERVE_BYTES: usize = 256 << 10;

#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    Line(Vec<u8>),
    /// So many lines are missing here.
    Gap(u64),
}

#[derive(Debug, Default)]
pub struct Backlog {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Lines that found no room behind the last one that did.
    gap: u64,
    /// All lines that found no room, or could not be written.
    dropped: u64,
    /// The reserve may be used.
    is_ending: bool,
}

impl Backlog {
    pub fn push(&mut self, line: Vec<u8>) {
        self.push_within(line, self.is_ending);
    }

    /// Into the reserve, if it has to be.
    pub fn push_last(&mut self, line: Vec<u8>) {
        self.push_within(line, true);
    }

    /// From now on every line is one of the last, or is not any more.
    pub fn begin_to_end(&mut self, is_ending: bool) {
        self.is_ending = is_ending;
    }

    fn push_within(&mut self, line: Vec<u8>, has_reserve: bool) {
        let (lines_max, bytes_max) = match has_reserve {
            true => (LINES_MAX + RESERVE_LINES, BYTES_MAX + RESERVE_BYTES),
            false => (LINES_MAX, BYTES_MAX),
        };
        // One that is larger than all the room goes alone.
        let has_room = self.entries.is_empty() || self.bytes + line.len() <= bytes_max;
        if self.entries.len() >= lines_max || !has_room {
            self.gap += 1;
            self.dropped += 1;
            return;
        }
        self.end_gap();
        self.bytes += line.len();
        self.entries.push_back(Entry::Line(line));
    }

    fn end_gap(&mut self) {
        if self.gap > 0 {
            self.entries.push_back(Entry::Gap(std::mem::take(&mut self.gap)));
        }
    }

    pub fn pop(&mut self) -> Option<Entry> {
        if self.entries.is_empty() {
            self.end_gap();
        }
        let entry = self.entries.pop_front();
        if let Some(Entry::Line(line)) = &entry {
            self.bytes -= line.len();
        }
        entry
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.gap == 0
    }

    /// Counts a line that was taken and could not be written.
    pub fn lose(&mut self) {
        self.dropped += 1;
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(backlog: &mut Backlog) {
        (0..LINES_MAX).for_each(|number| backlog.push(number.to_string().into_bytes()));
        assert_eq!(backlog.dropped(), 0);
    }

    fn rest(backlog: &mut Backlog) -> Vec<Entry> {
        std::iter::from_fn(|| backlog.pop()).collect()
    }

    fn line(text: &str) -> Entry {
        Entry::Line(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_come_out_as_they_went_in_and_a_gap_keeps_its_place() {
        let mut backlog = Backlog::default();
        fill(&mut backlog);
        (0..3).for_each(|_| backlog.push(b"missing".to_vec()));
        assert_eq!(backlog.pop(), Some(line("0")));
        backlog.push(b"after".to_vec());
        backlog.push(b"no room".to_vec());
        assert_eq!(backlog.dropped(), 4);
        let rest = rest(&mut backlog);
        assert_eq!(rest[..2], [line("1"), line("2")]);
        assert_eq!(rest[LINES_MAX - 1..], [Entry::Gap(3), line("after"), Entry::Gap(1)]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn bytes_are_bounded_too_and_one_large_line_goes_alone() {
        let mut backlog = Backlog::default();
        backlog.push(vec![b'x'; 2 * BYTES_MAX]);
        backlog.push(b"y".to_vec());
        assert_eq!(backlog.dropped(), 1);
        backlog.pop();
        backlog.push(vec![b'x'; BYTES_MAX]);
        backlog.push(b"y".to_vec());
        assert_eq!(backlog.dropped(), 2);
    }

    #[test]
    fn the_last_lines_have_room_of_their_own_which_is_bounded() {
        let mut backlog = Backlog::default();
        fill(&mut backlog);
        backlog.push_last(b"verdict".to_vec());
        backlog.push(b"no room".to_vec());
        assert_eq!(backlog.dropped(), 1);
        backlog.begin_to_end(true);
        (0..2 * RESERVE_LINES).for_each(|_| backlog.push(b"late".to_vec()));
        assert!(backlog.dropped() > RESERVE_LINES as u64);
        let rest = rest(&mut backlog);
        assert_eq!(rest[LINES_MAX..LINES_MAX + 2], [line("verdict"), Entry::Gap(1)]);
    }
}
