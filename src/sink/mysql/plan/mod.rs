//! How the fields of a source become rows of a table: which field goes into which column, what
//! happens to a key that is there, and by which way rows are written. Pure.

mod columns;
mod decision;
mod keys;
mod mapping;

use super::column::Column;
use super::rules::Rules;
use super::settings::Mode;
use super::table_name::TableName;

pub use columns::without_column;
pub use decision::{PlanInput, plan};
pub use keys::LANES_MAX;
pub use mapping::{MappingRow, mapping};

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// With its database.
    pub table: TableName,
    /// The fields that are written, in the order of `columns`; one may be there twice.
    pub wanted: Vec<String>,
    pub others: OtherFields,
    /// The columns that are written, in the order of the table. The others get what they are
    /// preset to.
    pub columns: Vec<BoundColumn>,
    pub mode: Mode,
    /// Why it is this mode, in words.
    pub mode_reason: String,
    /// What tells rows apart; there is one in the modes skip and upsert.
    pub key: Option<Key>,
    /// The other unique keys, which a written row may offend against.
    pub other_keys: Vec<Key>,
    /// More than one only where rows that meet in a key are certain to be seen as such on our side.
    pub lanes_max: usize,
    /// Nobody can tell from the table in which order rows with different keys came.
    pub is_order_free: bool,
    /// An update shows in a row even where the next one overwrites all it wrote: by a trigger, or in a
    /// column with ON UPDATE CURRENT_TIMESTAMP.
    pub shows_updates: bool,
    pub write_path: WritePath,
    /// Why a row may be refused, or skipped, for reasons that a count of warnings does not tell from
    /// a duplicate: foreign keys, checks, triggers, partitions. Empty where nothing does.
    pub careful: Vec<String>,
    pub has_triggers: bool,
    /// In mode skip, where an update that changes nothing would run triggers: rows are inserted and
    /// nothing else, and one is a duplicate where the server names a key that it meets another in.
    pub skips_by_key_name: bool,
    /// Whether the table's engine can roll back.
    pub is_transactional: bool,
    /// One line each, for a person.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The column of the key, an index into `columns`, in which rows of an upsert have the next number or
    /// one that the record says. Numbers of a sequence are not known to us.
    pub fn upserts_by_number(&self) -> Option<usize> {
        match self.key.as_ref().filter(|_| self.mode == Mode::Upsert)?.counter {
            KeyNumbering::WhereAbsent(at) => {
                Some(at).filter(|at| self.columns[*at].column.is_auto_increment)
            }
            KeyNumbering::Never | KeyNumbering::Always => None,
        }
    }

    /// Whether rows are written in the same way, whatever is said about it.
    pub fn writes_like(&self, other: &Plan) -> bool {
        let way = |plan: &Plan| {
            let mut plan = plan.clone();
            plan.warnings.clear();
            plan.mode_reason.clear();
            plan.columns.iter_mut().for_each(|bound| bound.column.ordinal = 0);
            plan
        };
        way(self) == way(other)
    }
}

/// A column that is written.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundColumn {
    pub column: Column,
    pub rules: Rules,
    /// The field is known before the run: from the header, the mapping, `--select` or the sample.
    pub is_known: bool,
    pub absent: Absent,
}

/// What a record that lacks the field means for its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The server would not take a row without a value.
    Refused,
    /// The default is NULL, and is written like any value.
    Null,
    /// The statement does not name the column: a new row gets the server's default, and in a row that
    /// is there it stays as it is.
    Left,
    /// The same, but in a row that is there it is set to its default.
    Reset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub parts: Vec<PlanKeyPart>,
    /// Indexes into `Plan::columns` of the parts that are written, in the order of the key.
    pub columns: Vec<usize>,
    pub counter: KeyNumbering,
    /// The table is stored in its order.
    pub is_primary: bool,
    /// Two keys are equal for the server exactly when their bytes are: `Column::is_key_binary` of
    /// all parts, and no part is a prefix or made by the server.
    pub is_binary: bool,
    /// Rows with NULL in one of its parts are never equal.
    pub is_nullable: bool,
}

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanKeyPart {
    /// None where it is an expression.
    pub column: Option<String>,
    /// Only so many characters of the column count.
    pub prefix: Option<u64>,
}

/// Whether a part of a key is the server's next number. It says nothing about the record: a row that
/// meets another one by it, because the numbers are used up, is not that row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyNumbering {
    Never,
    /// Where the field of this column, an index into `Plan::columns`, is absent.
    WhereAbsent(usize),
    Always,
}

impl Key {
    /// Whether rows in which these columns are left out get a number of the server for it.
    pub fn is_counted(&self, left: &[usize]) -> bool {
        match self.counter {
            KeyNumbering::Never => false,
            KeyNumbering::WhereAbsent(at) => left.contains(&at),
            KeyNumbering::Always => true,
        }
    }
}

/// What happens to a field that nobody asked for; the caller says it to the source in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherFields {
    Ignore,
    Stop { except: Vec<String> },
    Count { except: Vec<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WritePath {
    LoadData,
    /// Multi-row INSERT, with the reason and which setting changes it.
    Insert {
        reason: String,
    },
}

#[cfg(test)]
mod tests;
