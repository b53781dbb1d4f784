//! Whether rows are in the table, asked by the keys that they bring. Where triggers run, the server's
//! word is not enough: a trigger's own statement may meet a key, in a table of the same name perhaps.

use crate::sink::mysql::column::{Column, ColumnKind, Preset};
use crate::sink::mysql::encoding::literal::{STATEMENT_BYTES_MAX, append_value};
use crate::sink::mysql::encoding::text::{EncodedField, TextRows, fields};
use crate::sink::mysql::plan::{BoundColumn, Key, Plan};
use crate::sink::mysql::session::Session;
use crate::sink::mysql::table_name::quoted;
use crate::sink::mysql::trouble::Tried;

/// Whether all rows of a segment are there, of which no two have the same key.
pub async fn are_there(session: &mut Session, plan: &Plan, text: &[u8]) -> Tried<bool> {
    let Some(key) = plan.key.as_ref().filter(|key| key.is_binary) else { return Ok(false) };
    let rows = TextRows::new(text);
    let names: Vec<String> =
        key.columns.iter().map(|at| quoted(&plan.columns[*at].column.name)).collect();
    let head =
        format!("SELECT COUNT(*) FROM {} WHERE ({}) IN (", plan.table.quoted(), names.join(", "));
    let mut next = 0;
    while next < rows.len() {
        let first = next;
        let mut sql = head.clone().into_bytes();
        while next < rows.len() && (next == first || sql.len() < STATEMENT_BYTES_MAX) {
            let Some(values) = values(key, &plan.columns, rows.row(next)) else { return Ok(false) };
            sql.push(if next == first { b'(' } else { b',' });
            if next > first {
                sql.push(b'(');
            }
            sql.extend_from_slice(&values.join(&b','));
            sql.push(b')');
            next += 1;
        }
        sql.push(b')');
        if sql.len() as u64 >= session.server.max_allowed_packet {
            return Ok(false);
        }
        let found = session.rows::<u64>(&String::from_utf8_lossy(&sql)).await?;
        if found != [(next - first) as u64] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a row is there, by a key that it has a value for in each part.
pub async fn is_there(session: &mut Session, plan: &Plan, row: &[u8]) -> Tried<bool> {
    for key in plan.key.iter().chain(&plan.other_keys) {
        if is_there_by(session, plan, key, row).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same, by one key.
pub async fn is_there_by(session: &mut Session, plan: &Plan, key: &Key, row: &[u8]) -> Tried<bool> {
    if key.parts.len() != key.columns.len() {
        return Ok(false);
    }
    // Their equality is not that of the words that were written.
    let is_float = |at: &usize| matches!(plan.columns[*at].column.kind, ColumnKind::Float { .. });
    if key.columns.iter().any(is_float) {
        return Ok(true);
    }
    let Some(values) = values(key, &plan.columns, row) else { return Ok(false) };
    let mut sql = format!("SELECT 1 FROM {} WHERE ", plan.table.quoted()).into_bytes();
    for (part, (at, value)) in key.parts.iter().zip(key.columns.iter().zip(values)) {
        let name = quoted(&plan.columns[*at].column.name);
        if !sql.ends_with(b"WHERE ") {
            sql.extend_from_slice(b" AND ");
        }
        match part.prefix {
            Some(characters) => {
                sql.extend_from_slice(format!("LEFT({name}, {characters}) = LEFT(").as_bytes());
                sql.extend_from_slice(&value);
                sql.extend_from_slice(format!(", {characters})").as_bytes());
            }
            None => {
                sql.extend_from_slice(format!("{name} = ").as_bytes());
                sql.extend_from_slice(&value);
            }
        }
    }
    sql.extend_from_slice(b" LIMIT 1");
    Ok(!session.rows::<u64>(&String::from_utf8_lossy(&sql)).await?.is_empty())
}

/// The values of the key's columns in SQL; none where one is NULL, or different for each row.
fn values(key: &Key, columns: &[BoundColumn], row: &[u8]) -> Option<Vec<Vec<u8>>> {
    let fields: Vec<EncodedField<'_>> = fields(row).collect();
    let value = |at: &usize| match &fields[*at] {
        EncodedField::Text(text) => {
            let mut literal = Vec::new();
            append_value(&mut literal, &columns[*at].column, text);
            Some(literal)
        }
        EncodedField::Default => default(&columns[*at].column),
        EncodedField::Null => None,
    };
    key.columns.iter().map(value).collect()
}

/// What the server makes of a column that is left out, where that is always the same.
fn default(column: &Column) -> Option<Vec<u8>> {
    let is_said = column.has_fixed_default && !column.is_numbered && column.preset != Preset::None;
    is_said.then(|| format!("DEFAULT({})", quoted(&column.name)).into_bytes())
}
