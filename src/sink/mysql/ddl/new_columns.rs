//! The ALTER TABLE that adds columns for fields that have none. Pure.

use super::sql_type::Type;
use super::{NewColumn, check_dates, check_names};
use crate::error::Result;
use crate::record::Field;
use crate::sink::mysql::column::{Column, ColumnDefinition};
use crate::sink::mysql::session::server::Server;
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::table::Table;
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

/// What a table without this character set would make of texts that are not its own.
const CHARACTER_SET: &str = "utf8mb4";

impl NewColumns {
    /// An error where a field cannot be a column.
    pub fn new<'a>(
        table: &Table,
        fields: &[&'a Field],
        settings: &MysqlSettings,
        server: &Server,
        is_untyped: bool,
    ) -> Result<NewColumns> {
        let new = |field: &'a Field| {
            let data_type = match Type::of(field, is_untyped) {
                Type::Json if settings.rules.json_as_text => Type::LongText,
                other => other,
            };
            NewColumn { name: &field.name, field, data_type, is_key: false }
        };
        let columns: Vec<NewColumn<'_>> = fields.iter().copied().map(new).collect();
        check_names(&columns)?;
        check_dates(&columns)?;
        let has_character_set = table
            .creation
            .as_ref()
            .is_some_and(|creation| creation.contains(&format!("CHARSET={CHARACTER_SET}")));
        let addition = |column: &NewColumn<'_>| {
            let character_set = match column.data_type.is_characters() && !has_character_set {
                true => format!(" CHARACTER SET {CHARACTER_SET}"),
                false => String::new(),
            };
            let data_type = column.data_type.sql(false, server);
            format!("ADD COLUMN {} {data_type}{character_set} NULL", quoted(column.name))
        };
        let first = table.definitions.iter().map(|known| known.ordinal).max().unwrap_or(0) + 1;
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

    /// The table as it will be, to plan with before it is.
    pub fn in_table(&self, table: &Table) -> Result<Table> {
        let mut table = table.clone();
        for definition in &self.definitions {
            table.columns.push(Column::new(definition)?);
            table.definitions.push(definition.clone());
        }
        Ok(table)
    }
}
