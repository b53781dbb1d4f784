//! What the server knows of the table that is written to.

mod created;
mod differences;
mod inspect;
mod learned;
mod planned;
mod triggers;

use super::column::{Column, ColumnDefinition};
use super::settings::Mode;
use super::table_name::TableName;
use crate::error::{Error, Result};

pub use inspect::{creation, inspect};
pub use planned::{absent, planned, with_columns};
pub use triggers::{Trigger, triggers};

#[derive(Clone, Debug)]
pub struct Table {
    /// With its database.
    pub name: TableName,
    /// Something other than a table, such as `VIEW`, in the server's words.
    pub other_kind: Option<String>,
    pub columns: Vec<Column>,
    /// What the columns were made of, in the same order.
    pub definitions: Vec<ColumnDefinition>,
    pub engine: String,
    /// The server's estimate, which may be far off.
    pub rows_estimate: u64,
    pub bytes_estimate: u64,
    pub is_empty: bool,
    /// The primary key first.
    pub unique_keys: Vec<UniqueKey>,
    /// Names of what refuses rows for other reasons than their types and keys.
    pub foreign_keys: Vec<String>,
    pub checks: Vec<String>,
    /// Those that run at INSERT or UPDATE, as far as the account may see them.
    pub triggers: Vec<Trigger>,
    /// There may be others.
    pub hides_triggers: bool,
    /// One of them runs at UPDATE, also at one that changes nothing.
    pub has_update_triggers: bool,
    /// A foreign key of the table refers to the table itself.
    pub refers_to_itself: bool,
    /// Its old rows are kept with the new ones: an update adds a row, also one that changes nothing.
    pub is_versioned: bool,
    /// Unique keys that take no two periods of time that overlap. They are not among `unique_keys`:
    /// no two rows are the same by them.
    pub overlap_keys: Vec<String>,
    /// Those of `unique_keys` that count every value of an array.
    pub array_keys: Vec<String>,
    /// SHOW CREATE TABLE without what each row changes. None where the account may not see it, or it
    /// is not understood: then there may be columns, keys and constraints that are not here.
    pub creation: Option<String>,
    /// It is partitioned, and perhaps there is no partition for some row.
    pub may_lack_partition: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueKey {
    pub name: String,
    pub parts: Vec<KeyPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// None where it is an expression.
    pub column: Option<String>,
    /// Only so many characters of the column count.
    pub prefix: Option<u64>,
    /// Rows with NULL here are never equal.
    pub is_nullable: bool,
}

impl UniqueKey {
    pub fn is_primary(&self) -> bool {
        self.name == "PRIMARY"
    }

    /// The columns it is made of, where it is made of columns.
    pub fn columns(&self) -> Option<Vec<&str>> {
        self.parts.iter().map(|part| part.column.as_deref()).collect()
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Names of the columns that values can be written to.
    pub fn writable(&self) -> Vec<String> {
        let writable = self.columns.iter().filter(|column| column.check_writable().is_ok());
        writable.map(|column| column.name.clone()).collect()
    }

    /// Whether what was written can be taken back.
    pub fn is_transactional(&self) -> bool {
        // Others have transactions, too, and end them behind our back: the state tables are InnoDB,
        // and a cluster of data nodes commits a long LOAD DATA in parts.
        self.engine.eq_ignore_ascii_case("InnoDB")
    }

    /// Whether to set a row to itself, which is how one that is there is passed over, does more than
    /// nothing, or fails.
    pub fn shows_idle_updates(&self) -> bool {
        self.has_update_triggers
            || self.hides_triggers
            || self.is_versioned
            || !self.overlap_keys.is_empty()
            || !self.array_keys.is_empty()
    }

    /// Why rows have to be written in the order of the source, whatever their keys are, in words
    /// that go before "so".
    pub fn wants_order(&self) -> Option<String> {
        if self.creation.is_none() {
            return Some("the account does not see all of the table".to_string());
        }
        if self.refers_to_itself {
            return Some("a foreign key of the table refers to the table itself".to_string());
        }
        let key = self.overlap_keys.first()?;
        Some(format!("key '{}' takes no periods that overlap", key.escape_debug()))
    }

    /// What may refuse rows beside foreign keys, checks, triggers and partitions, in words that go
    /// behind "rows may be refused by".
    pub fn further_refusals(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(key) = self.overlap_keys.first() {
            reasons.push(format!("key '{}', by which periods overlap", key.escape_debug()));
        }
        if self.hides_triggers {
            reasons.push("triggers, which the account does not see".to_string());
        }
        if self.creation.is_none() {
            reasons.push("what the account does not see of the table".to_string());
        }
        reasons
    }

    /// Whether rows can be written so that it is certain what becomes of each.
    pub fn check_mode(&self, mode: Mode) -> Result<()> {
        if mode != Mode::Upsert {
            return Ok(());
        }
        if let Some(key) = self.overlap_keys.first() {
            return Err(Error::config(format!(
                "--mode upsert: table {} has key '{}' WITHOUT OVERLAPS, and the server updates no \
                 rows by a key there",
                self.name,
                key.escape_debug()
            ))
            .help("write with --mode insert or --mode skip"));
        }
        if self.creation.is_none() {
            return Err(Error::config(format!(
                "--mode upsert: the account does not see all of table {}, so a row could meet \
                 another by a key that is not known",
                self.name
            ))
            .help("grant SELECT on the table, and not on its columns"));
        }
        Ok(())
    }
}
