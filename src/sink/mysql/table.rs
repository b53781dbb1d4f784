//! What the server knows of the table that is written to.

mod inspect;
mod learned;

use super::column::{Column, Definition};
use super::table_name::TableName;

pub use inspect::inspect;

#[derive(Clone, Debug)]
pub struct Table {
    /// With its database.
    pub name: TableName,
    /// Something other than a table, such as `VIEW`, in the server's words.
    pub other_kind: Option<String>,
    pub columns: Vec<Column>,
    /// What the columns were made of, in the same order.
    pub definitions: Vec<Definition>,
    pub engine: String,
    pub row_format: String,
    /// The server's estimate, which may be far off.
    pub rows_estimate: u64,
    pub bytes_estimate: u64,
    pub is_empty: bool,
    /// The primary key first.
    pub unique_keys: Vec<UniqueKey>,
    /// Names of what refuses rows for other reasons than their types and keys.
    pub foreign_keys: Vec<String>,
    pub checks: Vec<String>,
    /// Those that run at INSERT or UPDATE.
    pub triggers: Vec<String>,
    /// One of them runs at UPDATE, also at one that changes nothing.
    pub has_update_triggers: bool,
    /// A foreign key of the table refers to the table itself.
    pub refers_to_itself: bool,
    pub is_partitioned: bool,
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

    /// Whether what was written can be taken back.
    pub fn is_transactional(&self) -> bool {
        // Others have transactions, too, and end them behind our back: the state tables are InnoDB,
        // and a cluster of data nodes commits a long LOAD DATA in parts.
        self.engine.eq_ignore_ascii_case("InnoDB")
    }
}
