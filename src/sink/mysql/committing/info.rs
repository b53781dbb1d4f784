//! What a server says of a statement that moved many rows: `Records: 3  Deleted: 0  Skipped: 1
//! Warnings: 1`. Pure.
//!
//! The words are in the language of `lc_messages`; the numbers and their order are not.

/// What LOAD DATA did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub records: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub warnings: u64,
}

/// What an INSERT of several rows did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    pub records: u64,
    /// Rows that met another one and were not merely equal to it.
    pub duplicates: u64,
    pub warnings: u64,
}

pub fn loaded(info: &str) -> Option<Loaded> {
    let [records, deleted, skipped, warnings] = numbers(info)?;
    Some(Loaded { records, deleted, skipped, warnings })
}

pub fn inserted(info: &str) -> Option<Inserted> {
    let [records, duplicates, warnings] = numbers(info)?;
    Some(Inserted { records, duplicates, warnings })
}

/// Exactly as many numbers as are expected, each behind a word and a colon.
fn numbers<const COUNT: usize>(info: &str) -> Option<[u64; COUNT]> {
    let mut parts = info.split(':');
    parts.next()?;
    let numbers: Vec<u64> = parts.map(leading_number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_whatever_the_language() {
        let found = |records, deleted, skipped, warnings| {
            Some(Loaded { records, deleted, skipped, warnings })
        };
        for (info, expected) in [
            ("Records: 3  Deleted: 0  Skipped: 1  Warnings: 1", found(3, 0, 1, 1)),
            (
                "Records: 70000  Deleted: 0  Skipped: 70000  Warnings: 70000",
                found(70_000, 0, 70_000, 70_000),
            ),
            ("Datensätze: 3  Gelöscht: 0  Ausgelassen: 1  Warnungen: 2", found(3, 0, 1, 2)),
            ("Records: 3  Duplicates: 0  Warnings: 1", None),
            ("Records: 3  Deleted: 0  Skipped: 1  Warnings: ", None),
            ("Records: 99999999999999999999  Deleted: 0  Skipped: 1  Warnings: 0", None),
            ("", None),
        ] {
            assert_eq!(loaded(info), expected, "{info:?}");
        }
        assert_eq!(
            inserted("Records: 4  Duplicates: 1  Warnings: 0"),
            Some(Inserted { records: 4, duplicates: 1, warnings: 0 })
        );
        assert_eq!(inserted("Records: 3  Deleted: 0  Skipped: 1  Warnings: 1"), None);
        assert_eq!(inserted("Rows matched: 1"), None);
    }
}
