//! What a statement did with the rows, from the server's own counts. Pure.
//!
//! With LOCAL, LOAD DATA is lenient: what does not fit is bent, and what meets a key is dropped, and
//! both are only warnings. So its counts have to be exactly what they are when nothing of that
//! happened.

use super::info;
use crate::record::Counts;
use crate::sink::mysql::session::Done;
use crate::sink::mysql::settings::Mode;

/// What LOAD DATA did with the rows, or none where the segment has to be gone through with care.
pub fn loaded(mode: Mode, rows: u64, done: &Done) -> Option<Counts> {
    let loaded = info::loaded(&done.info)?;
    if loaded.records != rows || loaded.deleted != 0 || loaded.skipped > rows {
        return None;
    }
    let stored = rows - loaded.skipped;
    if done.affected != stored {
        return None;
    }
    let fits = match mode {
        // Each row that is skipped brings one warning, and nothing else may.
        Mode::Skip => loaded.warnings == loaded.skipped,
        Mode::Insert | Mode::Upsert => loaded.skipped == 0 && loaded.warnings == 0,
    };
    fits.then_some(Counts { inserted: stored, duplicate: loaded.skipped, ..Counts::default() })
}

/// What an INSERT of so many rows did, from the server's own counts. An update that changes nothing
/// affects no row, and one that changes something affects two.
pub fn inserted(mode: Mode, rows: u64, done: &Done) -> Counts {
    let affected = done.affected;
    match mode {
        Mode::Insert => Counts { inserted: rows, ..Counts::default() },
        Mode::Skip => {
            let inserted = affected.min(rows);
            Counts { inserted, duplicate: rows - inserted, ..Counts::default() }
        }
        Mode::Upsert => upserted(rows, affected, updated(done)),
    }
}

/// Counts of an upsert. Triggers may add to what is affected, so the sum is kept in any case.
pub fn upserted(rows: u64, affected: u64, updated: u64) -> Counts {
    let updated = updated.min(rows);
    let inserted = affected.saturating_sub(2 * updated).min(rows - updated);
    Counts { inserted, updated, unchanged: rows - updated - inserted, ..Counts::default() }
}

/// The same where it was counted how many rows met one that is there.
pub fn upserted_and_met(rows: u64, met: u64, updated: u64) -> Counts {
    let met = met.min(rows);
    let updated = updated.min(met);
    Counts { inserted: rows - met, updated, unchanged: met - updated, ..Counts::default() }
}

/// What an INSERT of so many rows updated, from the server's own counts.
pub fn updated(done: &Done) -> u64 {
    match info::inserted(&done.info) {
        Some(info) => info.duplicates,
        // There is no such sentence about a single row.
        None => done.affected / 2,
    }
}

/// Whether an INSERT of so many rows that sets those that are there to themselves has changed some.
pub fn has_changed(rows: u64, done: &Done) -> bool {
    match info::inserted(&done.info) {
        Some(info) => info.duplicates > 0,
        None => rows == 1 && done.affected > 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_changed_counts_twice() {
        for (rows, affected, info, expected) in [
            (1, 0, "", false),
            (1, 1, "", false),
            (1, 2, "", true),
            (3, 1, "Records: 3  Duplicates: 0  Warnings: 0", false),
            (3, 5, "Records: 3  Duplicates: 2  Warnings: 0", true),
            (3, 3, "", false),
        ] {
            let done = Done { affected, warnings: 0, info: info.to_string() };
            assert_eq!(has_changed(rows, &done), expected, "{rows} {affected} {info}");
        }
    }

    #[test]
    fn only_counts_without_a_doubt_fit() {
        use Mode::{Insert, Skip, Upsert};
        for (mode, info, affected, expected) in [
            (Insert, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0", 3, Some((3, 0))),
            (Insert, "Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", 2, None),
            (Insert, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 1", 3, None),
            (Insert, "Records: 2  Deleted: 0  Skipped: 0  Warnings: 0", 2, None),
            (Insert, "", 3, None),
            (Skip, "Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", 2, Some((2, 1))),
            (Skip, "Records: 3  Deleted: 0  Skipped: 3  Warnings: 3", 0, Some((0, 3))),
            (Skip, "Records: 3  Deleted: 0  Skipped: 1  Warnings: 2", 2, None),
            (Skip, "Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", 3, None),
            (Skip, "Records: 3  Deleted: 0  Skipped: 4  Warnings: 4", 0, None),
            (Upsert, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0", 3, Some((3, 0))),
            (Upsert, "Records: 3  Deleted: 1  Skipped: 0  Warnings: 0", 4, None),
        ] {
            let done = Done { affected, warnings: 0, info: info.to_string() };
            let found = loaded(mode, 3, &done).map(|counts| (counts.inserted, counts.duplicate));
            assert_eq!(found, expected, "{mode:?} {info}");
        }
    }

    #[test]
    fn counts_are_the_servers() {
        let done = |affected, info: &str| Done { affected, warnings: 0, info: info.to_string() };
        let counts = |inserted, updated, duplicate, unchanged| Counts {
            inserted,
            updated,
            duplicate,
            unchanged,
            ..Counts::default()
        };
        let four = "Records: 4  Duplicates: 1  Warnings: 0";
        for (mode, rows, done, expected) in [
            (Mode::Insert, 4, done(4, four), counts(4, 0, 0, 0)),
            (Mode::Skip, 4, done(3, four), counts(3, 0, 1, 0)),
            (Mode::Skip, 1, done(0, ""), counts(0, 0, 1, 0)),
            (Mode::Upsert, 4, done(4, four), counts(2, 1, 0, 1)),
            (Mode::Upsert, 1, done(0, ""), counts(0, 0, 0, 1)),
            (Mode::Upsert, 1, done(1, ""), counts(1, 0, 0, 0)),
            (Mode::Upsert, 1, done(2, ""), counts(0, 1, 0, 0)),
            (Mode::Upsert, 4, done(99, four), counts(3, 1, 0, 0)),
        ] {
            assert_eq!(inserted(mode, rows, &done), expected, "{mode:?} {rows} {done:?}");
        }
    }
}
