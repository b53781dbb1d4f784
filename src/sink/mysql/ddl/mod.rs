//! The CREATE TABLE that a source's fields ask for. Pure.
//!
//! Types are chosen so that what the fields hold fits without being changed, and not to be small:
//! whoever wants them tighter creates the table by hand, and the values are checked against it.

mod new_columns;
mod sql_type;

use std::collections::HashMap;

pub use self::new_columns::{ExistingTable, NewColumns};
use self::sql_type::SqlType;
use super::ColumnDefinition;
use super::column::Guess;
use super::rules::Times;
use super::session::server::ServerInfo;
use super::settings::MysqlSettings;
use super::table_name::{TableName, fault_of, quoted, quoted_list, quoted_text};
use crate::error::{Error, Result};
use crate::record::{ColumnType, Field};

/// What a table is made of.
#[derive(Clone, Copy)]
pub struct TableRequest<'a> {
    pub settings: &'a MysqlSettings,
    pub server: &'a ServerInfo,
    pub fields: &'a [Field],
    /// Names in the source and names in the table, in the order of `--select`.
    pub selection: Option<(&'a [String], &'a [String])>,
    pub is_untyped: bool,
    /// An `_id` is one of several indices, and does not tell records apart by itself.
    pub has_many_indices: bool,
    /// What types are guessed from; empty where they are not.
    pub guessed_from: &'a str,
}

/// A table that is not there yet.
#[derive(Clone, Debug)]
pub struct NewTable {
    pub name: TableName,
    /// CREATE TABLE, on several lines.
    pub sql: String,
    pub warnings: Vec<String>,
    /// What the server will say of it.
    pub columns: Vec<ColumnDefinition>,
    pub key: Vec<String>,
}

/// InnoDB takes no more.
const COLUMNS_MAX: usize = 1017;

/// For all columns together, but for what TEXT, BLOB and JSON hold.
const ROW_BYTES_MAX: u64 = 65_535;

/// InnoDB's limit with pages of 16 KiB and rows in the format DYNAMIC.
const KEY_BYTES_MAX: u64 = 3072;

/// The longest `_id` of a document, and the longest name of an index.
const DOCUMENT_ID_BYTES: u32 = 512;
const INDEX_NAME_BYTES: u32 = 255;

struct NewColumn<'a> {
    name: &'a str,
    field: &'a Field,
    data_type: SqlType,
    is_key: bool,
}

/// A type as ALTER TABLE takes it.
pub fn sql_of(column_type: ColumnType) -> String {
    // Only keys differ from server to server.
    SqlType::said(column_type).sql(false, &ServerInfo::default())
}

pub fn new_table(request: &TableRequest<'_>) -> Result<NewTable> {
    let name = request.settings.full_table();
    let mut columns = columns(request)?;
    check_names(&columns)?;
    check_dates(&columns)?;
    let key = key(request, &columns)?;
    for column in &mut columns {
        column.is_key = key.iter().any(|name| name == column.name);
        if column.is_key {
            // A backup has `_id` as text; another document may have the longest that there is.
            let is_document_id = column.name == "_id" && key.len() == 1;
            let characters = if is_document_id { u64::from(DOCUMENT_ID_BYTES) / 2 } else { 0 };
            column.data_type =
                column.data_type.as_key(characters.max(column.field.characters_seen));
        }
    }
    check_key(&columns)?;
    make_fit(&mut columns, 0)?;

    let mut warnings = Vec::new();
    if key.is_empty() {
        if request.server.requires_primary_key {
            return Err(Error::config(format!(
                "table {name} cannot be created: the server wants every table to have a primary key"
            ))
            .help("name its columns with --key"));
        }
        warnings.push(format!(
            "table {name} is created without a key: a second run into it has to be asked for with \
             --mode insert; --key names the columns that tell rows apart"
        ));
    }
    let mut lines: Vec<String> = columns
        .iter()
        .map(|column| {
            let null = if column.is_key { " NOT NULL" } else { "" };
            let data_type = column.data_type.sql(column.is_key, request.server);
            let comment = comment_clause(request, column);
            format!("  {} {data_type}{null}{comment}", quoted(column.name))
        })
        .collect();
    if !key.is_empty() {
        lines.push(format!("  PRIMARY KEY ({})", quoted_list(key.iter().map(String::as_str))));
    }
    let sql = format!(
        "CREATE TABLE {} (\n{}\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4",
        name.quoted(),
        lines.join(",\n")
    );
    let definition = |(ordinal, column): (u32, &NewColumn<'_>)| ColumnDefinition {
        name: column.name.to_string(),
        ordinal,
        comment: comment(request, column).unwrap_or_default(),
        ..column.data_type.definition(column.is_key, request.server)
    };
    Ok(NewTable {
        columns: (1..).zip(&columns).map(definition).collect(),
        key,
        name,
        sql,
        warnings,
    })
}

/// None where somebody said the type, or it takes every value.
fn comment(request: &TableRequest<'_>, column: &NewColumn<'_>) -> Option<String> {
    let is_guess = !column.field.is_beside && !column.field.is_declared;
    (is_guess && column.data_type.is_limited() && !request.guessed_from.is_empty()).then(|| {
        let from = request.guessed_from.to_string();
        Guess { from, offsets: column.field.offsets }.comment()
    })
}

fn comment_clause(request: &TableRequest<'_>, column: &NewColumn<'_>) -> String {
    let clause = |comment: String| format!(" COMMENT {}", quoted_text(&comment));
    comment(request, column).map(clause).unwrap_or_default()
}

fn columns<'a>(request: &TableRequest<'a>) -> Result<Vec<NewColumn<'a>>> {
    let make = |name: &'a str, field: &'a Field| NewColumn {
        name,
        field,
        data_type: match field.is_beside {
            true if field.name == "_index" => SqlType::Bytes(INDEX_NAME_BYTES),
            true => SqlType::Bytes(DOCUMENT_ID_BYTES),
            false => type_of(request, field),
        },
        is_key: false,
    };
    let Some((old, new)) = request.selection else {
        let is_key = |field: &&Field| {
            request.settings.key.is_none()
                && (field.name == "_id" || (field.name == "_index" && request.has_many_indices))
        };
        let named = |field: &&Field| {
            request.settings.key.as_ref().is_some_and(|key| key.contains(&field.name))
        };
        let beside = request.fields.iter().filter(|field| field.is_beside);
        let beside = beside.filter(|field| is_key(field) || named(field));
        let inside = request.fields.iter().filter(|field| !field.is_beside);
        return some(beside.chain(inside).map(|field| make(field.column(), field)).collect());
    };
    let mut fields: HashMap<&str, &'a Field> =
        request.fields.iter().map(|field| (field.column(), field)).collect();
    fields.extend(request.fields.iter().map(|field| (field.name.as_str(), field)));
    let find = |(field, name): (&'a String, &'a String)| {
        let known = fields.get(field.as_str()).copied();
        let known = known.ok_or_else(|| {
            let name = field.escape_debug();
            if request.is_untyped {
                let names: Vec<_> = request.fields.iter().map(|field| &field.name).collect();
                return Error::config(format!(
                    "--select: there is no column '{name}' in the source"
                ))
                .help(format!("there are {}", quoted_names(&names)));
            }
            Error::config(format!(
                "--select: the type of field '{name}' is not known, so no column can be made for it"
            ))
            .help("create the table by hand, or leave the field out")
        })?;
        Ok(make(name, known))
    };
    some(old.iter().zip(new).map(find).collect::<Result<_>>()?)
}

/// In quotes, because what is wrong with a name may be the spaces around it; of very many the first.
fn quoted_names(names: &[&String]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).map(|name| format!("'{}'", name.escape_debug()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn type_of(request: &TableRequest<'_>, field: &Field) -> SqlType {
    match SqlType::of(field, request.is_untyped) {
        SqlType::Json if request.settings.rules.json_as_text => SqlType::LongText,
        other => other,
    }
}

fn some(columns: Vec<NewColumn<'_>>) -> Result<Vec<NewColumn<'_>>> {
    if columns.is_empty() {
        return Err(Error::config("no fields are known to create a table of")
            .help("create the table by hand"));
    }
    check_count(columns.len())?;
    Ok(columns)
}

fn check_count(count: usize) -> Result<()> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    Err(Error::config(format!(
        "a table of {count} columns would be needed, and {COLUMNS_MAX} is the limit"
    ))
    .help("name the fields that are wanted with --select"))
}

/// All that is wrong with them at once.
fn check_names(columns: &[NewColumn<'_>]) -> Result<()> {
    let (mut faults, mut renamings) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, &NewColumn<'_>> = HashMap::new();
    for (number, column) in columns.iter().enumerate() {
        if let Some((fault, proposed)) = fault_of(column.name) {
            faults.push(format!("'{}': {fault}", column.name.escape_debug()));
            let proposed = match proposed.is_empty() {
                true => format!("column{}", number + 1),
                false => proposed,
            };
            renamings.push(format!("{}={}", proposed, column.field.name.escape_debug()));
        }
        if let Some(other) = seen.insert(column.name.to_lowercase(), column) {
            let (one, two) = (&other.field.name, &column.field.name);
            let (one_name, two_name) = (other.name.escape_debug(), column.name.escape_debug());
            faults.push(match (one == other.name, two == column.name) {
                (true, true) => {
                    format!("'{one_name}' and '{two_name}' are the same name to the server")
                }
                _ => format!(
                    "the fields '{}' and '{}' would both be column '{two_name}'",
                    one.escape_debug(),
                    two.escape_debug()
                ),
            });
            let field = column.field.name.escape_debug();
            renamings.push(format!("{field}_{}={field}", number + 1));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!("these cannot be names of columns: {}", faults.join("; "))).help(
        format!(
            "rename them with --select, which names all columns that are wanted, such as {}",
            renamings.join(",")
        ),
    ))
}

/// A column of times for what nobody can read would stay empty.
fn check_dates(columns: &[NewColumn<'_>]) -> Result<()> {
    let fault = |column: &NewColumn<'_>| {
        let why = Times::of(column.field).err().filter(|_| column.data_type.is_time())?;
        Some(format!("the dates of field '{}': {why}", column.field.name.escape_debug()))
    };
    let faults: Vec<String> = columns.iter().filter_map(fault).collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::config(faults.join("; ")).help(Times::HELP)),
    }
}

/// The columns of the primary key, in its order.
fn key(request: &TableRequest<'_>, columns: &[NewColumn<'_>]) -> Result<Vec<String>> {
    if let Some(names) = &request.settings.key {
        let find = |name: &String| {
            let folded = name.to_lowercase();
            let found = columns.iter().find(|column| column.name.to_lowercase() == folded);
            found.map(|column| column.name.to_string()).ok_or_else(|| {
                let known: Vec<_> =
                    columns.iter().map(|column| column.name.escape_debug().to_string()).collect();
                Error::config(format!("--key: there is no column '{}'", name.escape_debug()))
                    .help(format!("there are {}", known.join(", ")))
            })
        };
        return names.iter().map(find).collect();
    }
    let beside = |name: &str| {
        let is_it = |column: &&NewColumn<'_>| column.field.is_beside && column.field.name == name;
        columns.iter().find(is_it).map(|column| column.name.to_string())
    };
    Ok(match (beside("_id"), beside("_index"), request.has_many_indices) {
        (Some(id), _, false) => vec![id],
        (Some(id), Some(index), true) => vec![index, id],
        _ => Vec::new(),
    })
}

fn check_key(columns: &[NewColumn<'_>]) -> Result<()> {
    let mut bytes = 0;
    for column in columns.iter().filter(|column| column.is_key) {
        match column.data_type.key_bytes() {
            Some(length) => bytes += length,
            None => {
                return Err(Error::config(format!(
                    "--key: column '{}' cannot be part of a key: its values may be of any length \
                     or form",
                    column.name.escape_debug()
                ))
                .help("choose another key"));
            }
        }
    }
    if bytes <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(Error::config(format!(
        "--key: a key of {bytes} bytes would be needed, and {KEY_BYTES_MAX} is the limit"
    ))
    .help("choose fewer or shorter columns"))
}

/// Where texts of limited length are too much for a row that has some bytes already, they are stored beside
/// it.
fn make_fit(columns: &mut [NewColumn<'_>], bytes: u64) -> Result<()> {
    let row_bytes = |columns: &[NewColumn<'_>]| -> u64 {
        // A bit a column says whether it is NULL.
        let nulls = columns.len().div_ceil(8) as u64;
        bytes + nulls + columns.iter().map(|column| column.data_type.row_bytes()).sum::<u64>()
    };
    if row_bytes(columns) > ROW_BYTES_MAX {
        for column in columns.iter_mut().filter(|column| !column.is_key) {
            column.data_type = column.data_type.beside_the_row();
        }
    }
    if row_bytes(columns) <= ROW_BYTES_MAX {
        return Ok(());
    }
    Err(Error::config(format!("a row of the table would need more than {ROW_BYTES_MAX} bytes"))
        .help("name the fields that are wanted with --select"))
}

#[cfg(test)]
mod tests;
