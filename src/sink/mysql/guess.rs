//! What a person is told of a value that does not fit a column whose type was guessed: that it was, from
//! what, and the ways out. Pure.

use std::collections::HashMap;

use super::column::Guess;
use super::ddl::sql_of;
use super::plan::Plan;
use super::table_name::{TableName, quoted};
use super::{ColumnDefinition, Table};
use crate::infer::{Shape, remedies};
use crate::record::{ColumnType, ErrorType, Rows, Value};
use crate::sink::Refused;

/// Of columns that --create-table or --new-fields add has made, in this run or an earlier one: their
/// comments say which were guessed.
#[derive(Clone, Debug)]
pub struct Guesses {
    table: TableName,
    /// By the names of columns.
    columns: HashMap<String, Guessed>,
}

#[derive(Clone, Debug)]
struct Guessed {
    /// In the server's words.
    column_type: String,
    /// What it was made from.
    from: String,
}

impl Guesses {
    pub fn of(table: &Table) -> Guesses {
        let guessed = |column: &ColumnDefinition| {
            let Guess { from, .. } = Guess::of_comment(&column.comment)?;
            let column_type = column.column_type.clone();
            Some((column.name.clone(), Guessed { column_type, from }))
        };
        let columns = table.definitions.iter().filter_map(guessed).collect();
        Guesses { table: table.name.clone(), columns }
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
        let Guessed { column_type: guessed, from } = self.columns.get(column)?;
        let is_other = |sql: &str| !sql.eq_ignore_ascii_case(guessed);
        let remedies = remedies(shape);
        let better = remedies.iter().find(|remedy| is_other(&sql_of(**remedy)))?;
        let is_key = plan.key.as_ref().is_some_and(|key| key.columns.contains(&at));
        let alter = match is_key || !keeps_values(guessed, *better) {
            true => String::new(),
            false => format!(
                "ALTER TABLE {} MODIFY {} {}, or ",
                self.table.quoted(),
                quoted(column),
                sql_of(*better)
            ),
        };
        let said = format!("{}={better}", field.escape_debug());
        // As a shell takes it.
        let said = if said.contains('(') { format!("'{said}'") } else { said };
        Some(format!(
            "; the column is {guessed} by a guess from {}: {alter}drop the table and say --types {said}",
            from.escape_debug(),
        ))
    }
}

/// Whether an ALTER to the other type leaves what is in the column as it is, and does not fail.
fn keeps_values(guessed: &str, better: ColumnType) -> bool {
    let is_text = matches!(better, ColumnType::Text);
    let begins = |names: &[&str]| names.iter().any(|name| guessed.starts_with(name));
    match guessed {
        _ if begins(&["bigint", "decimal"]) => {
            is_text || matches!(better, ColumnType::Decimal { .. })
        }
        _ if begins(&["datetime"]) => false,
        _ if begins(&["date"]) => is_text || matches!(better, ColumnType::DateTime(_)),
        _ if begins(&["time", "varchar", "json"]) => is_text,
        _ => false,
    }
}
