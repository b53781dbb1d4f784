//! What the server says of a table.

use std::collections::HashSet;

use mysql_async::Row;
use mysql_async::prelude::FromValue;

use super::created::{self, Check, Created};
use super::triggers::{self, triggers};
use super::{KeyPart, Table, UniqueKey, learned};
use crate::error::{Error, Kind};
use crate::record::ErrorType;
use crate::sink::mysql::column;
use crate::sink::mysql::trouble::Tried;
use crate::sink::mysql::{Column, ColumnDefinition, Session, TableName, Trouble};

/// Several questions make a picture, and an ALTER may come between them.
const LOOKS_MAX: usize = 5;

/// None where there is no such table.
pub async fn inspect(session: &mut Session, name: &TableName) -> Tried<Option<Table>> {
    for _ in 0..LOOKS_MAX {
        let table = look(session, name).await?;
        let Some(found) = &table else { return Ok(None) };
        if found.other_kind.is_some() || creation(session, &found.name).await? == found.creation {
            return Ok(table);
        }
    }
    Err(Trouble::Retry(Error::new(
        Kind::Unavailable,
        ErrorType::Other,
        format!("mysql server {}: table {name} is altered again and again", session.address()),
    )))
}

async fn look(session: &mut Session, name: &TableName) -> Tried<Option<Table>> {
    let (name, facts) = match find(session, name).await? {
        Some(found) => found,
        None => return Ok(None),
    };
    let place =
        Place { database: name.database.clone().unwrap_or_default(), table: name.table.clone() };

    let creation = match facts.other_kind {
        Some(_) => None,
        None => creation(session, &name).await?,
    };
    let Created { foreign_keys, checks, overlap_keys, array_keys, is_versioned, .. } =
        creation.as_deref().and_then(created::read).unwrap_or_default();
    let refers_to_itself = foreign_keys.iter().any(|key| {
        let database = key.database.as_deref().unwrap_or(&place.database);
        database.eq_ignore_ascii_case(&place.database)
            && key.table.eq_ignore_ascii_case(&place.table)
    });
    let json_columns = checks.iter().filter_map(|check| check.json_column.clone()).collect();
    let mut definitions = definitions(session, &place, &json_columns).await?;
    learned::complete(session, &name, &mut definitions).await?;
    let columns = definitions
        .iter()
        .map(Column::new)
        .collect::<crate::error::Result<Vec<_>>>()
        .map_err(Trouble::Stop)?;
    // Our side makes this check as well, where it takes the column for JSON: then it refuses nothing.
    let is_ours = |check: &Check| {
        columns.iter().any(|column| {
            matches!(column.kind, column::ColumnKind::Json { .. })
                && check.json_column.as_ref() == Some(&column.name)
        })
    };
    let checks = checks.into_iter().filter(|check| !is_ours(check)).map(|check| check.name);
    let checks = checks.collect();
    let triggers = triggers(session, &name).await?;
    let has_update_triggers = triggers.iter().any(|trigger| trigger.event == "UPDATE");
    let unique_keys = unique_keys(session, &place).await?;
    let is_empty =
        session.rows::<u8>(&format!("SELECT 1 FROM {} LIMIT 1", name.quoted())).await?.is_empty();
    Ok(Some(Table {
        other_kind: facts.other_kind,
        engine: facts.engine,
        rows_estimate: facts.rows,
        bytes_estimate: facts.bytes,
        may_lack_partition: facts.is_partitioned && may_lack_partition(session, &place).await?,
        is_empty,
        unique_keys: unique_keys
            .into_iter()
            .filter(|key| !overlap_keys.contains(&key.name))
            .collect(),
        foreign_keys: foreign_keys.into_iter().map(|key| key.name).collect(),
        refers_to_itself,
        hides_triggers: !triggers::are_seen(session, &place.database, &place.table).await?,
        triggers,
        is_versioned,
        overlap_keys,
        array_keys,
        creation,
        has_update_triggers,
        checks,
        name,
        columns,
        definitions,
    }))
}

#[derive(Clone)]
struct Place {
    database: String,
    table: String,
}

impl Place {
    fn parameters(&self) -> (String, String) {
        (self.database.clone(), self.table.clone())
    }
}

struct Facts {
    other_kind: Option<String>,
    engine: String,
    rows: u64,
    bytes: u64,
    is_partitioned: bool,
}

/// The table as it is really called, and with its database.
async fn find(session: &mut Session, name: &TableName) -> Tried<Option<(TableName, Facts)>> {
    let database = match &name.database {
        Some(database) => database.clone(),
        None => {
            let current: Vec<Option<String>> = session.rows("SELECT DATABASE()").await?;
            current.into_iter().next().flatten().ok_or_else(|| {
                Trouble::Stop(
                    Error::config("no database is named")
                        .help("give --db-name, or --db-table DATABASE.TABLE"),
                )
            })?
        }
    };
    check_database(session, &database).await?;
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, \
               CREATE_OPTIONS, DATA_LENGTH FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";
    let rows: Vec<Row> = session.rows_with(sql, (database, name.table.clone())).await?;
    let tells_case = session.server.lower_case_table_names == 0;
    let found = rows.into_iter().find(|row| {
        let found = cell::<String>(row, 1).unwrap_or_default();
        found == name.table || !tells_case
    });
    let Some(row) = found else { return Ok(None) };
    let kind = cell::<String>(&row, 2).unwrap_or_default();
    let is_table = matches!(kind.as_str(), "BASE TABLE" | "SYSTEM VERSIONED");
    let options = cell::<String>(&row, 5).unwrap_or_default();
    let facts = Facts {
        other_kind: (!is_table).then_some(kind),
        engine: cell(&row, 3).unwrap_or_default(),
        rows: cell(&row, 4).unwrap_or_default(),
        bytes: cell(&row, 6).unwrap_or_default(),
        is_partitioned: options.contains("partitioned"),
    };
    let name = TableName { database: cell(&row, 0), table: cell(&row, 1).unwrap_or_default() };
    Ok(Some((name, facts)))
}

/// A database that is not there has no tables either, and is another mistake.
async fn check_database(session: &mut Session, database: &str) -> Tried<()> {
    let sql = "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?";
    let found: Vec<u8> = session.rows_with(sql, (database,)).await?;
    if !found.is_empty() {
        return Ok(());
    }
    let message = format!(
        "mysql server {}: there is no database '{}', or the account may not see it",
        session.address(),
        database.escape_debug()
    );
    Err(Trouble::Stop(Error::config(message).help("look at --db-name and at the account's rights")))
}

async fn definitions(
    session: &mut Session,
    place: &Place,
    json_columns: &HashSet<String>,
) -> Tried<Vec<ColumnDefinition>> {
    let sql = "SELECT COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, \
               COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, \
               CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, \
               NUMERIC_SCALE, DATETIME_PRECISION, COLUMN_COMMENT \
               FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? \
               ORDER BY ORDINAL_POSITION";
    let rows: Vec<Row> = session.rows_with(sql, place.parameters()).await?;
    let server = &session.server;
    let definition = |row: &Row| {
        let name: String = cell(row, 0).unwrap_or_default();
        ColumnDefinition {
            ordinal: cell(row, 1).unwrap_or_default(),
            column_type: cell(row, 2).unwrap_or_default(),
            data_type: cell(row, 3).unwrap_or_default(),
            is_nullable: cell::<String>(row, 4).as_deref() == Some("YES"),
            column_default: cell(row, 5),
            extra: cell(row, 6).unwrap_or_default(),
            character_set: cell(row, 7),
            collation: cell(row, 8),
            characters_max: cell(row, 9),
            octets_max: cell(row, 10),
            numeric_precision: cell(row, 11),
            numeric_scale: cell(row, 12),
            datetime_precision: cell(row, 13),
            comment: cell(row, 14).unwrap_or_default(),
            is_mariadb: server.is_mariadb,
            has_json_check: json_columns.contains(&name),
            has_long_timestamps: server.has_long_timestamps(),
            repertoire: None,
            members: None,
            shadowed: Vec::new(),
            name,
        }
    };
    Ok(rows.iter().map(definition).collect())
}

async fn unique_keys(session: &mut Session, place: &Place) -> Tried<Vec<UniqueKey>> {
    let sql = "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE \
               FROM information_schema.STATISTICS \
               WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 \
               ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";
    let rows: Vec<Row> = session.rows_with(sql, place.parameters()).await?;
    let mut keys: Vec<UniqueKey> = Vec::new();
    for row in &rows {
        let name: String = cell(row, 0).unwrap_or_default();
        let part = KeyPart {
            column: cell(row, 1),
            prefix: cell(row, 2),
            is_nullable: cell::<String>(row, 3).as_deref() == Some("YES"),
        };
        match keys.last_mut() {
            Some(key) if key.name == name => key.parts.push(part),
            _ => keys.push(UniqueKey { name, parts: vec![part] }),
        }
    }
    Ok(keys)
}

/// What SHOW CREATE TABLE says, without what each row changes. None where the account may not see it,
/// or it is not understood.
pub async fn creation(session: &mut Session, name: &TableName) -> Tried<Option<String>> {
    let sql = format!("SHOW CREATE TABLE {}", name.quoted());
    let rows: Vec<Row> = match session.rows(&sql).await {
        Ok(rows) => rows,
        Err(Trouble::Stop(error)) if error.error_type == ErrorType::Auth => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    // A default of bytes stands in it as it is, and is no UTF-8.
    let text = rows.first().and_then(|row| cell::<Vec<u8>>(row, 1));
    let text = text.map(|text| created::lasting(&String::from_utf8_lossy(&text)));
    Ok(text.filter(|text| created::read(text).is_some()))
}

/// Partitions by hash take every row, and a range without an end every row above the last.
async fn may_lack_partition(session: &mut Session, place: &Place) -> Tried<bool> {
    let sql = "SELECT PARTITION_METHOD, PARTITION_DESCRIPTION FROM information_schema.PARTITIONS \
               WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY PARTITION_ORDINAL_POSITION";
    let rows: Vec<(Option<String>, Option<String>)> =
        session.rows_with(sql, place.parameters()).await?;
    Ok(rows.last().is_some_and(|(method, description)| {
        let method = method.as_deref().unwrap_or_default();
        let description = description.as_deref().unwrap_or_default();
        let is_open_range = method.starts_with("RANGE") && description == "MAXVALUE";
        let is_hash = method.contains("HASH") || method.contains("KEY");
        // Rows of now are in one, and those that were in the others.
        let is_versions = method == "SYSTEM_TIME";
        !is_open_range && !is_hash && !is_versions
    }))
}

/// A value of information_schema; none where it is NULL or of another type.
fn cell<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt::<Option<T>, usize>(index)?.ok()?
}
