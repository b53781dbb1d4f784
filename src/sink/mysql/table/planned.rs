//! A table that is not there yet, as it will be found: to plan with, and to try records against.

use super::{KeyPart, Table, UniqueKey, created};
use crate::error::Result;
use crate::sink::mysql::ddl::{ExistingTable, NewColumns};
use crate::sink::mysql::{Column, ColumnDefinition, NewTable, TableName};

pub fn planned(new: &NewTable) -> Result<Table> {
    let part =
        |name: &String| KeyPart { column: Some(name.clone()), prefix: None, is_nullable: false };
    let key = UniqueKey { name: "PRIMARY".to_string(), parts: new.key.iter().map(part).collect() };
    Ok(Table {
        name: new.name.clone(),
        other_kind: None,
        columns: new.columns.iter().map(Column::new).collect::<Result<_>>()?,
        definitions: new.columns.clone(),
        engine: "InnoDB".to_string(),
        rows_estimate: 0,
        bytes_estimate: 0,
        is_empty: true,
        unique_keys: if new.key.is_empty() { Vec::new() } else { vec![key] },
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        hides_triggers: false,
        has_update_triggers: false,
        refers_to_itself: false,
        is_versioned: false,
        overlap_keys: Vec::new(),
        array_keys: Vec::new(),
        creation: Some(new.sql.clone()),
        may_lack_partition: false,
    })
}

/// A table that is not there and will not be made, as nothing is known of its columns: nothing can be
/// written to it.
pub fn absent(name: TableName) -> Table {
    let nothing = NewTable {
        name,
        sql: String::new(),
        warnings: Vec::new(),
        columns: Vec::new(),
        key: Vec::new(),
    };
    let table = planned(&nothing).expect("without a column there is none that cannot be read");
    // Some servers demand one.
    let unique_keys = vec![UniqueKey { name: "PRIMARY".to_string(), parts: Vec::new() }];
    Table { unique_keys, ..table }
}

/// The table as it will be with these columns.
pub fn with_columns(table: &Table, new: &NewColumns) -> Result<Table> {
    let mut table = table.clone();
    for definition in &new.definitions {
        table.columns.push(Column::new(definition)?);
        table.definitions.push(definition.clone());
    }
    Ok(table)
}

impl Table {
    /// What columns that it is to get are made by.
    pub fn existing(&self) -> ExistingTable<'_> {
        let is_utf8mb4 =
            self.creation.as_ref().is_some_and(|creation| creation.contains("CHARSET=utf8mb4"));
        let ordinals = self.definitions.iter().map(|definition| definition.ordinal);
        ExistingTable {
            name: &self.name,
            ordinal_max: ordinals.max().unwrap_or(0),
            is_utf8mb4,
            column_count: self.definitions.len(),
            row_bytes: self.definitions.iter().map(row_bytes).sum(),
            not_instant: self.not_instant(),
        }
    }

    /// Where it can be told for certain; servers have more reasons.
    fn not_instant(&self) -> Option<&'static str> {
        let created = self.creation.as_deref().and_then(created::read).unwrap_or_default();
        match () {
            () if !self.engine.eq_ignore_ascii_case("InnoDB") => Some("its engine is not InnoDB"),
            () if created.is_compressed => Some("it has ROW_FORMAT=COMPRESSED"),
            () if created.has_fulltext_key => Some("it has a FULLTEXT key"),
            () => None,
        }
    }
}

/// What a column takes of a row at least: of numbers and times, which are short, nothing is counted.
fn row_bytes(definition: &ColumnDefinition) -> u64 {
    let is_virtual = definition.extra.to_ascii_lowercase().contains("virtual");
    let is_in_row = ["char", "varchar", "binary", "varbinary"]
        .iter()
        .any(|name| definition.data_type.eq_ignore_ascii_case(name));
    definition.octets_max.filter(|_| is_in_row && !is_virtual).unwrap_or(0)
}
