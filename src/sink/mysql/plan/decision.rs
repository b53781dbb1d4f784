//! The decisions of a plan, from what is given.

use super::{OtherFields, Plan, WritePath, columns, keys};
use crate::error::{Error, Result};
use crate::record::Field;
use crate::sink::mysql::column::Definition;
use crate::sink::mysql::session::server::Cluster;
use crate::sink::mysql::table::UniqueKey;
use crate::sink::mysql::{Mode, MysqlSettings, Server, Table};

/// What a plan is made of.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub settings: &'a MysqlSettings,
    pub server: &'a Server,
    pub table: &'a Table,
    /// What the source has, those beside the records among them.
    pub fields: &'a [Field],
    /// Names in the source and names in the table, in the order of `--select`.
    pub selection: Option<(&'a [String], &'a [String])>,
    /// Records are documents: others than these fields may turn up.
    pub is_open: bool,
    /// Text may be JSON, NULL or a number in disguise: all that a CSV file has.
    pub is_untyped: bool,
    /// An earlier attempt of the same job may have left rows: an insert into a table without a key
    /// goes on where it was.
    pub is_resuming: bool,
}

pub fn plan(given: &Given<'_>) -> Result<Plan> {
    check_table(given)?;
    if given.fields.is_empty() && !given.is_open {
        return Ok(of_nothing(given));
    }
    let binding = columns::bind(given)?;
    let decision = keys::decide(given, &binding.columns)?;
    let table = given.table;
    table.check_mode(decision.mode)?;
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
        columns: binding.columns,
        keys_to_skip_by: (decision.mode == Mode::Skip && table.shows_idle_updates())
            .then(|| table.unique_keys.iter().map(|key| key.name.clone()).collect()),
        mode: decision.mode,
        mode_reason: decision.mode_reason,
        key: decision.key,
        other_keys: decision.other_keys,
        lanes_max: decision.lanes_max,
        is_order_free: decision.lanes_max > 1 && table.is_transactional() && !shows_order(table),
        write_path,
        careful: careful(table),
        is_transactional: table.is_transactional(),
        warnings,
    })
}

/// For files that are empty, and have no header either: nothing will be written.
fn of_nothing(given: &Given<'_>) -> Plan {
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
        keys_to_skip_by: None,
        is_transactional: given.table.is_transactional(),
        warnings: Vec::new(),
    }
}

/// Triggers see one row after the other, and numbers are given in turn.
fn shows_order(table: &Table) -> bool {
    let counts = |definition: &Definition| {
        let preset = definition.column_default.as_deref().unwrap_or_default().to_ascii_lowercase();
        preset.contains("nextval") || preset.contains("next value")
    };
    let primary = table.unique_keys.iter().find(|key| key.is_primary());
    let primary = primary.and_then(UniqueKey::columns).unwrap_or_default();
    !table.triggers.is_empty()
        || table.hides_triggers
        || table.definitions.iter().any(counts)
        || table
            .columns
            .iter()
            .any(|column| column.is_auto_increment && !primary.contains(&column.name.as_str()))
}

fn check_table(given: &Given<'_>) -> Result<()> {
    let table = given.table;
    let wrong = |what: String| Error::config(format!("table {}: {what}", table.name));
    if let Some(kind) = &table.other_kind {
        return Err(
            wrong(format!("it is a {}", kind.to_lowercase())).help("name a table with --db-table")
        );
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

fn write_path(given: &Given<'_>) -> WritePath {
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
