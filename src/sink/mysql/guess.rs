//! What a person is told of a value that does not fit a column whose type was guessed: that it was, from
//! what, and the ways out. Pure.

use std::collections::HashMap;

use super::column::ColumnDefinition;
use super::ddl::{NewColumns, NewTable, sql_of};
use super::plan::Plan;
use super::table_name::{TableName, quoted};
use crate::infer::{Shape, remedies};
use crate::record::{ErrorType, Rows, Value};
use crate::sink::Refused;

/// Of a table that this run has made, or would make.
#[derive(Clone, Debug)]
pub struct Guesses {
    table: TableName,
    /// What they were made from.
    of: String,
    /// Types in the server's words, by the names of columns.
    types: HashMap<String, String>,
}

impl Guesses {
    pub fn new(table: &NewTable, of: &str) -> Guesses {
        Guesses::of_columns(&table.name, &table.columns, &table.guessed, of)
    }

    /// The same of columns that this run has added, or would add.
    pub fn of_new_columns(new: &NewColumns, of: &str) -> Guesses {
        Guesses::of_columns(&new.table, &new.definitions, &new.guessed, of)
    }

    fn of_columns(
        table: &TableName,
        columns: &[ColumnDefinition],
        guessed: &[String],
        of: &str,
    ) -> Guesses {
        let is_guessed = |name: &str| guessed.iter().any(|guessed| guessed == name);
        let columns = columns.iter().filter(|column| is_guessed(&column.name));
        Guesses {
            table: table.clone(),
            of: of.to_string(),
            types: columns
                .map(|column| (column.name.clone(), column.column_type.clone()))
                .collect(),
        }
    }

    /// Adds to the reasons of what `prepare` refused.
    pub fn explain(&self, plan: &Plan, rows: &Rows, refused: &mut [Refused]) {
        for one in refused {
            let is_of_type = matches!(
                one.error_type,
                ErrorType::TypeMismatch | ErrorType::OutOfRange | ErrorType::TooLarge
            );
            let bound = plan.columns.iter();
            let mut names = bound.map(|bound| bound.column.name.as_str());
            let at = names.position(|name| Some(name) == one.column.as_deref());
            let Some(at) = at.filter(|_| is_of_type) else { continue };
            let shape = match rows.value(one.row, at) {
                Value::Text(text) => Shape::of_text(text),
                Value::Number(words) => Shape::of_number(words),
                Value::Json(_) => Shape::JSON,
                Value::Bool(_) => Shape::BOOL,
                Value::Null | Value::Absent => continue,
            };
            if let Some(words) = self.words(plan, at, &shape) {
                one.reason.push_str(&words);
            }
        }
    }

    fn words(&self, plan: &Plan, at: usize, shape: &Shape) -> Option<String> {
        let (column, field) = (&plan.columns[at].column.name, &plan.wanted[at]);
        let guessed = self.types.get(column)?;
        let is_other = |sql: &str| !sql.eq_ignore_ascii_case(guessed);
        let remedies = remedies(shape);
        let better = remedies.iter().find(|remedy| is_other(&sql_of(**remedy)))?;
        let is_key = plan.key.as_ref().is_some_and(|key| key.columns.contains(&at));
        let alter = match is_key {
            true => String::new(),
            false => format!(
                "ALTER TABLE {} MODIFY {} {}, or ",
                self.table.quoted(),
                quoted(column),
                sql_of(*better)
            ),
        };
        Some(format!(
            "; the column is {guessed} by a guess from {}: {alter}drop the table and say --types {}={better}",
            self.of,
            field.escape_debug(),
        ))
    }
}
