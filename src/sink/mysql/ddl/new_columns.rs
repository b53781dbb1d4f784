//! The ALTER TABLE that adds columns for fields that have none. Pure.

use std::collections::HashSet;

use super::{
    NewColumn, TableRequest, check_count, check_dates, check_names, comment, comment_clause,
    make_fit, type_of,
};
use crate::error::{Error, Kind, Result};
use crate::record::ErrorType;
use crate::sink::mysql::column::ColumnDefinition;
use crate::sink::mysql::table_name::{TableName, quoted};
use crate::sink::mysql::trouble::Trouble;

/// Columns that are not there yet; all of them may be NULL.
#[derive(Clone, Debug)]
pub struct NewColumns {
    pub table: TableName,
    /// What the server will say of them.
    pub definitions: Vec<ColumnDefinition>,
    /// Of each of them.
    additions: Vec<Addition>,
    /// `ExistingTable::not_instant`
    pub not_instant: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Addition {
    clause: String,
    /// That the type was guessed, where it was. Whoever runs the statement himself has decided.
    comment: String,
}

/// What of a table matters to columns that it is to get.
#[derive(Clone, Copy, Debug)]
pub struct ExistingTable<'a> {
    pub name: &'a TableName,
    /// Of its last column.
    pub ordinal_max: u32,
    /// Texts have this character set where nothing else is said.
    pub is_utf8mb4: bool,
    pub column_count: usize,
    /// What a row takes at least, but for what is stored beside it.
    pub row_bytes: u64,
    /// Why the server cannot add a column without touching rows, as far as that can be told beforehand.
    pub not_instant: Option<&'static str>,
}

impl NewColumns {
    /// An error where a field cannot be a column.
    pub fn new(table: &ExistingTable<'_>, request: &TableRequest<'_>) -> Result<NewColumns> {
        let (server, fields) = (request.server, request.fields);
        let new = |field| {
            let data_type = type_of(request, field);
            NewColumn { name: field.column(), field, data_type, is_key: false }
        };
        let mut columns: Vec<NewColumn<'_>> = fields.iter().map(new).collect();
        check_names(&columns)?;
        check_dates(&columns)?;
        check_count(table.column_count + columns.len())?;
        make_fit(&mut columns, table.row_bytes)?;
        let addition = |column: &NewColumn<'_>| {
            let character_set = match column.data_type.is_characters() && !table.is_utf8mb4 {
                true => " CHARACTER SET utf8mb4".to_string(),
                false => String::new(),
            };
            let data_type = column.data_type.sql(false, server);
            let clause =
                format!("ADD COLUMN {} {data_type}{character_set} NULL", quoted(column.name));
            Addition { clause, comment: comment_clause(request, column) }
        };
        let first = table.ordinal_max + 1;
        let definition = |(ordinal, column): (u32, &NewColumn<'_>)| ColumnDefinition {
            name: column.name.to_string(),
            ordinal,
            comment: comment(request, column).unwrap_or_default(),
            ..column.data_type.definition(false, server)
        };
        Ok(NewColumns {
            table: table.name.clone(),
            definitions: (first..).zip(&columns).map(definition).collect(),
            additions: columns.iter().map(addition).collect(),
            not_instant: table.not_instant,
        })
    }

    /// One line, for a person who runs it.
    pub fn sql(&self) -> String {
        self.altering(|addition| addition.clause.clone())
    }

    /// What a run does: refused by servers that would have to copy the table.
    pub fn instant_sql(&self) -> String {
        let sql = self.altering(|addition| format!("{}{}", addition.clause, addition.comment));
        format!("{sql}, ALGORITHM=INSTANT")
    }

    fn altering(&self, words: impl Fn(&Addition) -> String) -> String {
        let additions: Vec<String> = self.additions.iter().map(words).collect();
        format!("ALTER TABLE {} {}", self.table.quoted(), additions.join(", "))
    }

    /// Those that these columns of the table are not; none where all of them are there.
    pub fn lacking<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<NewColumns> {
        let names: HashSet<String> = names.map(str::to_lowercase).collect();
        let columns = self.definitions.iter().zip(&self.additions);
        let is_lacking = |column: &ColumnDefinition| !names.contains(&column.name.to_lowercase());
        let (definitions, additions): (Vec<_>, Vec<_>) = columns
            .filter(|(column, _)| is_lacking(column))
            .map(|(column, addition)| (column.clone(), addition.clone()))
            .unzip();
        let (table, not_instant) = (self.table.clone(), self.not_instant);
        let lacking = NewColumns { table, definitions, additions, not_instant };
        (!lacking.definitions.is_empty()).then_some(lacking)
    }

    /// An error where the server is certain to refuse it.
    pub fn check_instant(&self) -> Result<()> {
        match self.not_instant {
            None => Ok(()),
            Some(why) => Err(self.not_at_once(Kind::Config, ErrorType::Other, &format!(": {why}"))),
        }
    }

    /// It is nobody's data that is at fault, and the run has not begun.
    pub fn refused(&self, trouble: Trouble) -> Error {
        if trouble.is_row_too_large() {
            let message = format!(
                "table {}: with columns for the new fields {} no row of it could be stored",
                self.table,
                self.names()
            );
            return Error::config(message)
                .because(Error::from(trouble))
                .help("leave fields out with --select or with --new-fields ignore");
        }
        let cause = Error::from(trouble);
        let kind = match cause.kind {
            Kind::Data => Kind::Config,
            kind => kind,
        };
        self.not_at_once(kind, cause.error_type, "").because(cause)
    }

    fn not_at_once(&self, kind: Kind, error_type: ErrorType, why: &str) -> Error {
        let message = format!(
            "table {}: columns for the new fields {} cannot be added at once (ALGORITHM=INSTANT){why}",
            self.table,
            self.names()
        );
        let help = format!(
            "run '{}' when it suits the table, which may be copied meanwhile; or leave the fields out with \
             --new-fields ignore",
            self.sql()
        );
        Error::new(kind, error_type, message).help(help)
    }

    /// For messages.
    pub fn names(&self) -> String {
        let names =
            self.definitions.iter().map(|column| format!("'{}'", column.name.escape_debug()));
        names.collect::<Vec<_>>().join(", ")
    }
}
