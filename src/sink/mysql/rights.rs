//! What the account may do. Grants come from users, roles, patterns and defaults; so nothing is
//! read, and the server is asked to prepare the statements: it checks rights and runs nothing.

use super::plan::{Plan, WritePath};
use super::session::Session;
use super::session::server::Cluster;
use super::settings::{Mode, NewFields, STATE_TABLES};
use super::table_name::{quoted, quoted_list, quoted_text};
use super::target::Known;
use super::trouble::{Tried, Trouble};
use super::{TableName, Target};

/// Something the account should be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    pub name: String,
    /// What it is needed for, or what is done without it.
    pub purpose: &'static str,
    pub is_needed: bool,
    pub is_there: bool,
}

struct Probe {
    name: String,
    purpose: &'static str,
    is_needed: bool,
    sql: String,
}

pub(super) async fn rights(
    session: &mut Session,
    target: &Target,
    known: &Known<'_>,
) -> Tried<Vec<Right>> {
    let mut probes = Vec::new();
    if !known.plan.columns.is_empty() {
        probes.extend(for_rows(known.plan));
    }
    if let Some(new) = known.new_table {
        probes.push(needed(format!("CREATE {}", new.name), "to create the table", new.sql.clone()));
    }
    probes.extend(for_state(session, target, known.state_tables).await?);
    let mut rights = Vec::new();
    for Probe { name, purpose, is_needed, sql } in probes {
        let is_there = match session.can_prepare(&sql).await {
            Ok(()) => true,
            Err(Trouble::Stop(error)) if error.error_type == crate::record::ErrorType::Auth => {
                false
            }
            // Some statements cannot be prepared by some servers, which says nothing.
            Err(Trouble::Stop(_)) => continue,
            Err(trouble) => return Err(trouble),
        };
        rights.push(Right { name, purpose, is_needed, is_there });
    }
    if known.new_columns.is_some() {
        let alter = to_alter(session, known).await?;
        let name = format!("ALTER {}", known.plan.table);
        let right = |is_there| Right { name, purpose: "to add columns", is_needed: true, is_there };
        rights.extend(alter.map(right));
    } else if let Some(new) = known.new_table
        && target.settings.new_fields == NewFields::Add
        && to_alter(session, known).await? == Some(false)
    {
        rights.push(Right {
            name: format!("ALTER {}", new.name),
            purpose: "a later run could not add columns for new fields",
            is_needed: false,
            is_there: false,
        });
    }
    Ok(rights)
}

/// An ALTER is not judged before it runs. So one is run that does nothing but fail: the right is asked for
/// first. In a cluster of Galera each node would run it.
async fn to_alter(session: &mut Session, known: &Known<'_>) -> Tried<Option<bool>> {
    if session.server.cluster == Cluster::Galera {
        return Ok(None);
    }
    let table = &known.plan.table;
    let columns = known.table.definitions.iter().map(|column| column.name.to_lowercase());
    let columns: Vec<String> = columns.collect();
    let mut nothing = "flowgauge_no_such_column".to_string();
    while columns.contains(&nothing) {
        nothing.push('_');
    }
    let sql = format!("ALTER TABLE {} DROP COLUMN {}", table.quoted(), quoted(&nothing));
    let is_there = match session.run(&sql).await {
        Err(Trouble::Stop(error)) => error.error_type != crate::record::ErrorType::Auth,
        Ok(_) => true,
        // Somebody holds the table, which says nothing.
        Err(Trouble::LockTimeout(_) | Trouble::Slow(_)) => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    Ok(Some(is_there))
}

fn needed(name: String, purpose: &'static str, sql: String) -> Probe {
    Probe { name, purpose, is_needed: true, sql }
}

fn for_rows(plan: &Plan) -> Vec<Probe> {
    let table = plan.table.quoted();
    let names = quoted_list(plan.columns.iter().map(|bound| bound.column.name.as_str()));
    let first = quoted(&plan.columns[0].column.name);
    let insert = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE FALSE");
    let mut probes = vec![
        needed(
            format!("SELECT {}", plan.table),
            "to look for rows",
            format!("SELECT {names} FROM {table} WHERE FALSE"),
        ),
        needed(format!("INSERT {}", plan.table), "to write rows", insert),
    ];
    if plan.mode != Mode::Insert {
        probes.push(needed(
            format!("UPDATE {}", plan.table),
            "to write over rows, or to pass over those that are there",
            format!("UPDATE {table} SET {first} = {first} WHERE FALSE"),
        ));
    }
    if plan.mode == Mode::Upsert && plan.write_path == WritePath::LoadData {
        let name = TableName { table: "flowgauge_probe".to_string(), ..plan.table.clone() };
        probes.push(Probe {
            name: "CREATE TEMPORARY TABLES".to_string(),
            purpose: "rows go by INSERT then, which is slower",
            is_needed: false,
            sql: format!("CREATE TEMPORARY TABLE {} (n INT)", name.quoted()),
        });
    }
    probes
}

/// On the state tables where they are there, and otherwise to create them.
async fn for_state(
    session: &mut Session,
    target: &Target,
    definitions: &[String],
) -> Tried<Vec<Probe>> {
    let Ok(prefix) = TableName::parse(&target.settings.state_table) else { return Ok(Vec::new()) };
    let database = prefix.database.clone().or_else(|| target.settings.full_table().database);
    let database = database.map_or("DATABASE()".to_string(), |database| quoted_text(&database));
    let mut probes = Vec::new();
    for (what, definition) in STATE_TABLES.into_iter().zip(definitions) {
        let name = TableName {
            table: format!("{}_{what}", prefix.table),
            database: prefix.database.clone(),
        };
        let name = match &name.database {
            Some(_) => name,
            None => TableName { database: target.settings.full_table().database, ..name },
        };
        let sql = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {database} \
             AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION LIMIT 1",
            quoted_text(&name.table)
        );
        // A job's rows are changed, a segment's row is taken away.
        let last = match what {
            "segments" => "DELETE",
            _ => "UPDATE",
        };
        let purpose = "for what the job keeps";
        let table = name.quoted();
        match session.rows::<String>(&sql).await?.first() {
            None => probes.push(needed(format!("CREATE {name}"), purpose, definition.clone())),
            Some(column) => {
                let column = quoted(column);
                let rights = [
                    ("SELECT", format!("SELECT {column} FROM {table} WHERE FALSE")),
                    ("INSERT", format!("INSERT INTO {table} ({column}) VALUES (DEFAULT)")),
                    ("UPDATE", format!("UPDATE {table} SET {column} = {column} WHERE FALSE")),
                    ("DELETE", format!("DELETE FROM {table} WHERE FALSE")),
                ];
                let asked = |right: &str| !["UPDATE", "DELETE"].contains(&right) || right == last;
                for (right, sql) in rights.into_iter().filter(|(right, _)| asked(right)) {
                    probes.push(needed(format!("{right} {name}"), purpose, sql));
                }
            }
        }
    }
    Ok(probes)
}
