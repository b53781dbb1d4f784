//! The memory of statements that hold rows. An INSERT stands in memory three times on its way: as it
//! is made, and twice in the driver. Those of ordinary rows are small; those of large rows share a
//! fixed room, and what does not fit into it is in the budget of the run.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2_iter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sink::mysql::column::ColumnKind;
use crate::sink::mysql::encoding::literal::STATEMENT_BYTES_MAX;
use crate::sink::mysql::encoding::text::ROW_END;
use crate::sink::mysql::plan::Plan;

/// How often a statement is in memory while it is sent.
const COPIES: usize = 3;

/// Beside the budget. With the rest of the process it stays below 64 MiB, as the user is told.
const ROOM_BYTES: usize = 16 << 20;

/// What a row may grow by in a statement: quotes are doubled, and binary values are hexadecimal.
const GROWTH: usize = 2;

const UNIT: usize = 1 << 10;

pub struct StatementRoom {
    free: Arc<Semaphore>,
    /// Some columns are written in hexadecimal digits.
    has_hex: bool,
}

impl StatementRoom {
    pub fn new(plan: &Plan) -> StatementRoom {
        let is_hex =
            |kind: &ColumnKind| matches!(kind, ColumnKind::Binary { .. } | ColumnKind::Bit { .. });
        StatementRoom {
            free: Arc::new(Semaphore::new(ROOM_BYTES / UNIT)),
            has_hex: plan.columns.iter().any(|bound| is_hex(&bound.column.kind)),
        }
    }

    /// What one row of so many bytes of text needs at worst beyond the room.
    pub fn beyond_at_worst(row_bytes: usize) -> usize {
        beside(GROWTH * row_bytes)
    }

    /// What the statements of a segment need beyond the room.
    pub fn beyond(&self, text: &[u8]) -> usize {
        match self.statement(text) {
            Some(bytes) => beside(bytes),
            None => 0,
        }
    }

    /// Waits for room for the statements of a segment. To be asked while nothing is locked at the
    /// server that whoever has the room may wait for.
    pub async fn enter(&self, text: &[u8]) -> Option<OwnedSemaphorePermit> {
        let units = (COPIES * self.statement(text)?).min(ROOM_BYTES) / UNIT;
        // It is never closed.
        Arc::clone(&self.free).acquire_many_owned(units as u32).await.ok()
    }

    /// The longest statement of one row. None where no row makes one longer than usual.
    fn statement(&self, text: &[u8]) -> Option<usize> {
        // Where each piece of half that size has an end of a row in it, no row is as long.
        let mut pieces = text.chunks(STATEMENT_BYTES_MAX / GROWTH / 2);
        if pieces.all(|piece| memchr(ROW_END, piece).is_some()) {
            return None;
        }
        let bytes = if self.has_hex { GROWTH * longest_row(text) } else { longest_literal(text) };
        (bytes > STATEMENT_BYTES_MAX).then_some(bytes)
    }
}

/// What a statement needs beside the room.
fn beside(statement: usize) -> usize {
    (COPIES * statement).saturating_sub(ROOM_BYTES)
}

fn longest_row(text: &[u8]) -> usize {
    let mut start = 0;
    let rows =
        memchr_iter(ROW_END, text).map(|end| end + 1 - std::mem::replace(&mut start, end + 1));
    rows.max().unwrap_or_default()
}

/// The same, each quote counted twice.
pub fn longest_literal(text: &[u8]) -> usize {
    let (mut start, mut quotes, mut longest) = (0, 0, 0);
    for at in memchr2_iter(ROW_END, b'\'', text) {
        if text[at] == b'\'' {
            quotes += 1;
            continue;
        }
        longest = longest.max(at + 1 - start + quotes);
        (start, quotes) = (at + 1, 0);
    }
    longest.max(text.len() - start + quotes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_row_is_found() {
        for (text, row, literal) in [
            ("", 0, 0),
            ("a\n", 2, 2),
            ("a\nb'\tc\n'''\n", 5, 7),
            ("abcdef\n'\n", 7, 7),
            ("a\nb'c", 2, 4),
        ] {
            let found = (longest_row(text.as_bytes()), longest_literal(text.as_bytes()));
            assert_eq!(found, (row, literal), "{text:?}");
        }
    }

    #[tokio::test]
    async fn small_rows_need_no_room_and_large_ones_wait_for_it() {
        let room =
            StatementRoom { free: Arc::new(Semaphore::new(ROOM_BYTES / UNIT)), has_hex: false };
        assert!(room.enter(&b"a\n".repeat(1 << 20)).await.is_none());
        let large = [&[b'x'; 5 << 20][..], b"\n"].concat();
        assert_eq!((room.beyond(&large), room.beyond(b"a\n")), (0, 0));
        let held = room.enter(&large).await;
        assert!(held.is_some() && room.free.available_permits() < ROOM_BYTES / UNIT / 2);
        drop(held);
        // One that is larger than the room has all of it.
        let huge = [&[b'\''; 5 << 20][..], b"\n"].concat();
        let held = room.enter(&huge).await;
        assert!(held.is_some());
        assert_eq!(room.free.available_permits(), 0);
        assert_eq!(room.beyond(&huge), 6 * (5 << 20) + 3 - ROOM_BYTES);
    }
}
