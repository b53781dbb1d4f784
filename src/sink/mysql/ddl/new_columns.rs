//! The ALTER TABLE that adds columns for fields that have none. Pure.

use super::sql_type::SqlType;
use super::{NewColumn, TableRequest, check_dates, check_names};
use crate::error::Result;
use crate::sink::mysql::column::ColumnDefinition;
use crate::sink::mysql::table_name::{TableName, quoted};

/// Columns that are not there yet; all of them may be NULL.
#[derive(Clone, Debug)]
pub struct NewColumns {
    pub table: TableName,
    /// What the server will say of them.
    pub definitions: Vec<ColumnDefinition>,
    /// Those whose type nobody said.
    pub guessed: Vec<String>,
    additions: String,
}

/// What of a table matters to columns that it is to get.
#[derive(Clone, Copy, Debug)]
pub struct ExistingTable<'a> {
    pub name: &'a TableName,
    /// Of its last column.
    pub ordinal_max: u32,
    /// Texts have this character set where nothing else is said.
    pub is_utf8mb4: bool,
}

impl NewColumns {
    /// An error where a field cannot be a column.
    pub fn new(table: &ExistingTable<'_>, request: &TableRequest<'_>) -> Result<NewColumns> {
        let (server, fields) = (request.server, request.fields);
        let new = |field| {
            let data_type = match SqlType::of(field, request.is_untyped) {
                SqlType::Json if request.settings.rules.json_as_text => SqlType::LongText,
                other => other,
            };
            NewColumn { name: field.column(), field, data_type, is_key: false }
        };
        let columns: Vec<NewColumn<'_>> = fields.iter().map(new).collect();
        check_names(&columns)?;
        check_dates(&columns)?;
        let addition = |column: &NewColumn<'_>| {
            let character_set = match column.data_type.is_characters() && !table.is_utf8mb4 {
                true => " CHARACTER SET utf8mb4".to_string(),
                false => String::new(),
            };
            let data_type = column.data_type.sql(false, server);
            format!("ADD COLUMN {} {data_type}{character_set} NULL", quoted(column.name))
        };
        let first = table.ordinal_max + 1;
        let definition = |(ordinal, column): (u32, &NewColumn<'_>)| ColumnDefinition {
            name: column.name.to_string(),
            ordinal,
            ..column.data_type.definition(false, server)
        };
        let guessed = columns.iter().filter(|column| !column.field.is_declared);
        Ok(NewColumns {
            table: table.name.clone(),
            definitions: (first..).zip(&columns).map(definition).collect(),
            guessed: guessed.map(|column| column.name.to_string()).collect(),
            additions: columns.iter().map(addition).collect::<Vec<_>>().join(", "),
        })
    }

    /// One line, for a person who runs it.
    pub fn sql(&self) -> String {
        format!("ALTER TABLE {} {}", self.table.quoted(), self.additions)
    }

    /// The same, refused by servers that would have to copy the table.
    pub fn instant_sql(&self) -> String {
        format!("{}, ALGORITHM=INSTANT", self.sql())
    }

    /// For messages.
    pub fn names(&self) -> String {
        let names =
            self.definitions.iter().map(|column| format!("'{}'", column.name.escape_debug()));
        names.collect::<Vec<_>>().join(", ")
    }
}
