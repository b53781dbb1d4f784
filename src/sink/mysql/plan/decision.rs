//! The decisions of a plan, from what is given.

use super::{BoundColumn, OtherFields, Plan, WritePath, columns, keys};
use crate::error::{Error, Result};
use crate::record::Field;
use crate::sink::mysql::session::server::Cluster;
use crate::sink::mysql::settings::STATE_TABLES;
use crate::sink::mysql::table::UniqueKey;
use crate::sink::mysql::{
    Absent, Column, Missing, Mode, MysqlSettings, Preset, ServerInfo, Table, TableName,
};

/// What a plan is made of.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    pub settings: &'a MysqlSettings,
    pub server: &'a ServerInfo,
    pub table: &'a Table,
    /// What the source has, those beside the records among them.
    pub fields: &'a [Field],
    /// Names in the source and names in the table, in the order of `--select`.
    pub selection: Option<(&'a [String], &'a [String])>,
    /// Records are documents: others than these fields may turn up.
    pub is_open: bool,
    /// Text may be JSON, NULL or a number in disguise: all that a CSV file has.
    pub is_untyped: bool,
}

pub fn plan(given: &PlanInput<'_>) -> Result<Plan> {
    check_table(given)?;
    if given.fields.is_empty() && !given.is_open {
        return Ok(of_nothing(given));
    }
    let mut binding = columns::bind(given)?;
    let decision = keys::decide(given, &binding.columns)?;
    let key_columns = decision.key.as_ref().map_or(&[][..], |key| &key.columns);
    for (at, bound) in binding.columns.iter_mut().enumerate() {
        bound.absent = absent(given.settings, decision.mode, bound, key_columns.contains(&at));
    }
    let table = given.table;
    table.check_mode(decision.mode)?;
    let is_always_written = |column: &Column| !given.is_open && is_bound(&binding.columns, column);
    let shows_updates = !table.triggers.is_empty()
        || table.hides_triggers
        || table.is_versioned
        || table
            .columns
            .iter()
            .any(|column| column.is_updated_by_server && !is_always_written(column))
        // The default of a row that is new is made of what it has then.
        || table.columns.iter().any(|column| {
            !column.is_generated && !column.has_fixed_default && !is_always_written(column)
        });
    let mut warnings = binding.warnings;
    warnings.extend(decision.warnings);
    if !table.is_transactional() {
        warnings.push(format!(
            "engine {} of table {} cannot take back what it has written, so after a failure rows \
             may be there twice",
            table.engine, table.name
        ));
    }
    let write_path = write_path(given);
    if let WritePath::Insert { reason } = &write_path
        && given.settings.load_data
    {
        warnings.push(format!("rows go by INSERT, which is slower than LOAD DATA: {reason}"));
    }
    if given.server.is_read_only_for_most {
        warnings.push("read_only is set at the server: most accounts cannot write".to_string());
    }
    Ok(Plan {
        table: table.name.clone(),
        wanted: binding.wanted,
        others: binding.others,
        has_triggers: !table.triggers.is_empty() || table.hides_triggers,
        skips_by_key_name: decision.mode == Mode::Skip && table.shows_idle_updates(),
        mode: decision.mode,
        mode_reason: decision.mode_reason,
        key: decision.key,
        other_keys: decision.other_keys,
        lanes_max: decision.lanes_max,
        is_order_free: decision.lanes_max > 1
            && table.is_transactional()
            && !shows_order(table, &binding.columns),
        shows_updates,
        columns: binding.columns,
        write_path,
        careful: careful(table),
        is_transactional: table.is_transactional(),
        warnings,
    })
}

/// What a record without the field means for its row.
fn absent(settings: &MysqlSettings, mode: Mode, bound: &BoundColumn, is_key: bool) -> Absent {
    let column = &bound.column;
    let is_reset = mode == Mode::Upsert && settings.missing == Missing::Default && bound.is_known;
    match column.preset {
        Preset::None => Absent::Refused,
        Preset::Null if mode != Mode::Upsert || is_reset => Absent::Null,
        Preset::Computed if is_reset && !is_key && !column.is_numbered => Absent::Reset,
        Preset::Null | Preset::Computed => Absent::Left,
    }
}

fn is_bound(bound: &[BoundColumn], column: &Column) -> bool {
    bound.iter().any(|bound| bound.column.name == column.name)
}

/// For files that are empty, and have no header either: nothing will be written.
fn of_nothing(given: &PlanInput<'_>) -> Plan {
    Plan {
        table: given.table.name.clone(),
        wanted: Vec::new(),
        others: OtherFields::Ignore,
        columns: Vec::new(),
        mode: given.settings.mode.unwrap_or(Mode::Insert),
        mode_reason: "the source has no fields, and so no records".to_string(),
        key: None,
        other_keys: Vec::new(),
        lanes_max: 1,
        is_order_free: false,
        write_path: write_path(given),
        careful: Vec::new(),
        has_triggers: false,
        skips_by_key_name: false,
        shows_updates: false,
        is_transactional: given.table.is_transactional(),
        warnings: Vec::new(),
    }
}

/// Triggers see one row after the other, and numbers are given in turn.
fn shows_order(table: &Table, bound: &[BoundColumn]) -> bool {
    let primary = table.unique_keys.iter().find(|key| key.is_primary());
    let primary = primary.and_then(UniqueKey::columns).unwrap_or_default();
    !table.triggers.is_empty()
        || table.hides_triggers
        || table.columns.iter().any(|column| column.is_numbered && !column.is_auto_increment)
        || table.columns.iter().any(|column| {
            column.is_auto_increment
                && (!primary.contains(&column.name.as_str()) || !is_bound(bound, column))
        })
}

fn check_table(given: &PlanInput<'_>) -> Result<()> {
    let table = given.table;
    let wrong = |what: String| Error::config(format!("table {}: {what}", table.name));
    if let Some(kind) = &table.other_kind {
        return Err(
            wrong(format!("it is a {}", kind.to_lowercase())).help("name a table with --db-table")
        );
    }
    if is_state_table(given) {
        return Err(wrong("flowgauge keeps its own state in it".to_string())
            .help("name another table with --db-table, or other state tables with --state-table"));
    }
    if given.server.is_read_only {
        return Err(wrong("the server takes no changes".to_string())
            .help("is it a replica? connect to the one that is written to"));
    }
    if !table.is_transactional() && !given.settings.non_transactional {
        return Err(wrong(format!(
            "its engine {} cannot take back what it has written, so after a failure rows could be \
             there twice",
            table.engine
        ))
        .help("make it InnoDB, or accept that with --allow-non-transactional"));
    }
    let has_primary = table.unique_keys.iter().any(|key| key.is_primary());
    if given.server.cluster == Cluster::GroupReplication && !has_primary {
        return Err(wrong("it has no primary key, which group replication demands".to_string())
            .help("add one to the table"));
    }
    Ok(())
}

fn is_state_table(given: &PlanInput<'_>) -> bool {
    let Ok(prefix) = TableName::parse(&given.settings.state_table) else { return false };
    let name = &given.table.name;
    let is_there = prefix.database.is_none() || prefix.database == name.database;
    let is_called = |what| name.table.eq_ignore_ascii_case(&format!("{}_{what}", prefix.table));
    is_there && STATE_TABLES.into_iter().any(is_called)
}

fn write_path(given: &PlanInput<'_>) -> WritePath {
    let insert = |reason: &str| WritePath::Insert { reason: reason.to_string() };
    if !given.settings.load_data {
        insert("it was asked for")
    } else if given.server.local_infile == Some(false) {
        insert("local_infile is off at the server; SET GLOBAL local_infile = ON changes that")
    } else if given.server.splits_load_data {
        insert(
            "the cluster would cut it into several transactions; \
             SET GLOBAL wsrep_load_data_splitting = OFF changes that",
        )
    } else {
        WritePath::LoadData
    }
}

/// In words that go behind "rows may be refused by".
fn careful(table: &Table) -> Vec<String> {
    let mut reasons = Vec::new();
    for (what, names) in [
        ("foreign key", &table.foreign_keys),
        ("check", &table.checks),
        ("trigger", &table.triggers.iter().map(|trigger| trigger.name.clone()).collect()),
    ] {
        if let Some((first, others)) = names.split_first() {
            let more = if others.is_empty() {
                String::new()
            } else {
                format!(" and {} more", others.len())
            };
            reasons.push(format!("{what} '{}'{more}", first.escape_debug()));
        }
    }
    if table.may_lack_partition {
        reasons.push("partitions that do not take every value".to_string());
    }
    reasons.extend(table.further_refusals());
    reasons
}
