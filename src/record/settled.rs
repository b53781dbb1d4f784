//! What became of records.

/// What became of the records of one segment, or of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub inserted: u64,
    pub updated: u64,
    pub duplicate: u64,
    pub unchanged: u64,
    pub filtered: u64,
    pub failed: u64,
}

impl Counts {
    pub fn skipped(&self) -> u64 {
        self.duplicate + self.unchanged + self.filtered
    }

    /// All records that are accounted for.
    pub fn processed(&self) -> u64 {
        self.inserted + self.updated + self.skipped() + self.failed
    }

    pub fn add(&mut self, other: &Counts) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.duplicate += other.duplicate;
        self.unchanged += other.unchanged;
        self.filtered += other.filtered;
        self.failed += other.failed;
    }
}

/// What `publish` did, in words for the log and the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The name readers find, where there is one.
    pub name: Option<String>,
    /// Size of what was there before and is now replaced.
    pub replaced_bytes: Option<u64>,
    /// Size of what has the name now, where it is a file.
    pub bytes: Option<u64>,
}
