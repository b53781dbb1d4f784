//! A table that is not there yet, as it will be found: to plan with, and to try records against.

use super::{KeyPart, Table, UniqueKey};
use crate::error::Result;
use crate::sink::mysql::ddl::{ExistingTable, NewColumns};
use crate::sink::mysql::{Column, NewTable};

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
        ExistingTable { name: &self.name, ordinal_max: ordinals.max().unwrap_or(0), is_utf8mb4 }
    }
}
