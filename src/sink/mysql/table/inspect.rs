//! What information_schema says of a table.

use std::collections::HashSet;

use mysql_async::Row;
use mysql_async::prelude::FromValue;

use super::{KeyPart, Table, UniqueKey, learned};
use crate::error::Error;
use crate::sink::mysql::column::Kind;
use crate::sink::mysql::trouble::Tried;
use crate::sink::mysql::{Column, Definition, Session, TableName, Trouble};

/// None where there is no such table.
pub async fn inspect(session: &mut Session, name: &TableName) -> Tried<Option<Table>> {
    let (name, facts) = match find(session, name).await? {
        Some(found) => found,
        None => return Ok(None),
    };
    let place =
        Place { database: name.database.clone().unwrap_or_default(), table: name.table.clone() };

    let (foreign_keys, refers_to_itself) = foreign_keys(session, &place).await?;
    let checks = checks(session, &place).await?;
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
            matches!(column.kind, Kind::Json { .. })
                && check.json_column.as_ref() == Some(&column.name)
        })
    };
    let checks = checks.into_iter().filter(|check| !is_ours(check)).map(|check| check.name);
    let checks = checks.collect();
    let (triggers, has_update_triggers) = triggers(session, &place).await?;
    let is_empty =
        session.rows::<u8>(&format!("SELECT 1 FROM {} LIMIT 1", name.quoted())).await?.is_empty();
    Ok(Some(Table {
        other_kind: facts.other_kind,
        engine: facts.engine,
        row_format: facts.row_format,
        rows_estimate: facts.rows,
        bytes_estimate: facts.bytes,
        is_partitioned: facts.is_partitioned,
        may_lack_partition: facts.is_partitioned && may_lack_partition(session, &place).await?,
        is_empty,
        unique_keys: unique_keys(session, &place).await?,
        foreign_keys,
        refers_to_itself,
        triggers,
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
    row_format: String,
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
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, ROW_FORMAT, TABLE_ROWS, \
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
    let options = cell::<String>(&row, 6).unwrap_or_default();
    let facts = Facts {
        other_kind: (!is_table).then_some(kind),
        engine: cell(&row, 3).unwrap_or_default(),
        row_format: cell(&row, 4).unwrap_or_default(),
        rows: cell(&row, 5).unwrap_or_default(),
        bytes: cell(&row, 7).unwrap_or_default(),
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
) -> Tried<Vec<Definition>> {
    let sql = "SELECT COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, \
               COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, \
               CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, \
               NUMERIC_SCALE, DATETIME_PRECISION, GENERATION_EXPRESSION \
               FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? \
               ORDER BY ORDINAL_POSITION";
    let rows: Vec<Row> = session.rows_with(sql, place.parameters()).await?;
    let server = &session.server;
    let definition = |row: &Row| {
        let name: String = cell(row, 0).unwrap_or_default();
        Definition {
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
            generation_expression: cell::<String>(row, 14).filter(|text| !text.is_empty()),
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

/// Their names, and whether one of them refers to the table itself.
async fn foreign_keys(session: &mut Session, place: &Place) -> Tried<(Vec<String>, bool)> {
    let sql = "SELECT CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
               WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? ORDER BY CONSTRAINT_NAME";
    let rows: Vec<(String, String, String)> = session.rows_with(sql, place.parameters()).await?;
    let is_own = |database: &str, table: &str| {
        database.eq_ignore_ascii_case(&place.database) && table.eq_ignore_ascii_case(&place.table)
    };
    let refers_to_itself = rows.iter().any(|(_, database, table)| is_own(database, table));
    Ok((rows.into_iter().map(|(name, ..)| name).collect(), refers_to_itself))
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
        !is_open_range && !is_hash
    }))
}

/// Their names, and whether one of them runs at UPDATE. Only those that the account may see.
async fn triggers(session: &mut Session, place: &Place) -> Tried<(Vec<String>, bool)> {
    let sql = "SELECT TRIGGER_NAME, EVENT_MANIPULATION FROM information_schema.TRIGGERS \
               WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? \
               AND EVENT_MANIPULATION IN ('INSERT', 'UPDATE') ORDER BY TRIGGER_NAME";
    let rows: Vec<(String, String)> = session.rows_with(sql, place.parameters()).await?;
    let has_update_triggers = rows.iter().any(|(_, event)| event == "UPDATE");
    Ok((rows.into_iter().map(|(name, _)| name).collect(), has_update_triggers))
}

struct Check {
    name: String,
    /// It demands nothing but JSON of this column: that is how MariaDB declares a column of JSON,
    /// and anybody a column of text.
    json_column: Option<String>,
}

async fn checks(session: &mut Session, place: &Place) -> Tried<Vec<Check>> {
    let sql = if session.server.is_mariadb {
        "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? ORDER BY CONSTRAINT_NAME"
    } else {
        "SELECT CONSTRAINT_NAME, '' FROM information_schema.TABLE_CONSTRAINTS \
         WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND CONSTRAINT_TYPE = 'CHECK' \
         AND ENFORCED = 'YES' ORDER BY CONSTRAINT_NAME"
    };
    let rows: Vec<(String, String)> = match session.rows_with(sql, place.parameters()).await {
        Ok(rows) => rows,
        // A server that has no checks has no words for them.
        Err(Trouble::Stop(_)) => Vec::new(),
        Err(trouble) => return Err(trouble),
    };
    let check =
        |(name, clause): (String, String)| Check { name, json_column: json_column(&clause) };
    Ok(rows.into_iter().map(check).collect())
}

/// ``json_valid(`name`)``
pub(super) fn json_column(clause: &str) -> Option<String> {
    let name = clause.strip_prefix("json_valid(`")?.strip_suffix("`)")?;
    let name = name.replace("``", "\0");
    (!name.contains('`')).then(|| name.replace('\0', "`"))
}

/// A value of information_schema; none where it is NULL or of another type.
fn cell<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt::<Option<T>, usize>(index)?.ok()?
}

#[cfg(test)]
mod tests {
    use super::json_column;

    #[test]
    fn json_in_mariadb_is_told_by_its_check() {
        for (clause, column) in [
            ("json_valid(`j`)", Some("j")),
            ("json_valid(`a``b`)", Some("a`b")),
            ("json_valid(`a`) and json_valid(`b`)", None),
            ("`a` < 100", None),
            ("", None),
        ] {
            assert_eq!(json_column(clause).as_deref(), column, "{clause}");
        }
    }
}
