//! Settings, servers and tables for tests.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::{BoundColumn, Key, KeyNumbering, PlanKeyPart, WritePath};
use super::settings::STATE_TABLE;
use super::table::{KeyPart, UniqueKey};
use super::*;

pub fn settings() -> MysqlSettings {
    MysqlSettings {
        address: Address::Socket(PathBuf::from("/nowhere")),
        user: "u".to_string(),
        password: None,
        database: Some("d".to_string()),
        table: TableName { database: None, table: "t".to_string() },
        tls: Tls { mode: TlsMode::Disabled, ca: None },
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(60),
        mode: None,
        key: None,
        keys_unique: false,
        create_table: false,
        new_fields: NewFields::Refuse,
        missing: Missing::Keep,
        rules: Rules::default(),
        throttle: None,
        throttle_every: Duration::from_secs(5),
        state_table: STATE_TABLE.to_string(),
        load_data: true,
        non_transactional: false,
    }
}

pub fn mysql() -> ServerInfo {
    ServerInfo {
        version_text: "8.0.31".to_string(),
        version: (8, 0, 31),
        local_infile: Some(true),
        max_allowed_packet: 64 << 20,
        ..ServerInfo::default()
    }
}

/// A table of columns as they stand in CREATE TABLE: `name TYPE [NOT NULL] [EXTRA]`.
pub fn table(columns: &[&str], keys: &[(&str, &str)]) -> Table {
    let definitions: Vec<ColumnDefinition> = columns.iter().map(|text| definition(text)).collect();
    let is_nullable = |name: &str| definitions.iter().any(|d| d.name == name && d.is_nullable);
    let part = |name: &str| KeyPart {
        column: (name != "(expression)").then(|| name.to_string()),
        prefix: None,
        is_nullable: is_nullable(name),
    };
    let unique_keys = keys
        .iter()
        .map(|(name, columns)| UniqueKey {
            name: name.to_string(),
            parts: columns.split(',').map(part).collect(),
        })
        .collect();
    Table {
        name: TableName { database: Some("d".to_string()), table: "t".to_string() },
        other_kind: None,
        columns: definitions.iter().map(|definition| Column::new(definition).unwrap()).collect(),
        definitions,
        engine: "InnoDB".to_string(),
        rows_estimate: 0,
        bytes_estimate: 0,
        is_empty: true,
        unique_keys,
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        hides_triggers: false,
        has_update_triggers: false,
        is_versioned: false,
        overlap_keys: Vec::new(),
        array_keys: Vec::new(),
        creation: Some(String::new()),
        refers_to_itself: false,
        may_lack_partition: false,
    }
}

fn definition(text: &str) -> ColumnDefinition {
    let mut words = text.split(' ');
    let (name, kind) = (words.next().unwrap(), words.next().unwrap());
    let rest = words.collect::<Vec<_>>().join(" ");
    let is_text = ["varchar", "text", "char"].iter().any(|text| kind.starts_with(text));
    ColumnDefinition {
        name: name.to_string(),
        column_type: kind.to_string(),
        data_type: kind.split('(').next().unwrap().to_string(),
        is_nullable: !rest.contains("NOT NULL"),
        extra: rest.replace("NOT NULL", "").replace("BIN", "").trim().to_string(),
        character_set: is_text.then(|| "utf8mb4".to_string()),
        collation: is_text.then(|| {
            let is_binary = rest.contains("BIN");
            if is_binary { "utf8mb4_0900_bin" } else { "utf8mb4_0900_ai_ci" }.to_string()
        }),
        characters_max: is_text.then_some(64),
        octets_max: Some(256),
        numeric_precision: Some(10),
        numeric_scale: Some(0),
        ..ColumnDefinition::default()
    }
}

/// A plan for a table of these columns, all of which are written; `key` says which tell rows apart.
pub fn planned(mode: Mode, columns: &[&str], key: &[usize]) -> Plan {
    let table = table(columns, &[]);
    let bound = |column: Column| BoundColumn {
        absent: match column.preset {
            Preset::None => Absent::Refused,
            Preset::Null if mode != Mode::Upsert => Absent::Null,
            Preset::Null | Preset::Computed => Absent::Left,
        },
        column,
        rules: Rules::default(),
        is_known: true,
    };
    let columns: Vec<BoundColumn> = table.columns.into_iter().map(bound).collect();
    let part =
        |at: &usize| PlanKeyPart { column: Some(columns[*at].column.name.clone()), prefix: None };
    let key = (!key.is_empty()).then(|| Key {
        name: "PRIMARY".to_string(),
        parts: key.iter().map(part).collect(),
        columns: key.to_vec(),
        counter: KeyNumbering::Never,
        is_primary: true,
        is_binary: key.iter().all(|at| columns[*at].column.is_key_binary),
        is_nullable: key.iter().any(|at| columns[*at].column.is_nullable),
    });
    Plan {
        table: table.name,
        wanted: columns.iter().map(|bound| bound.column.name.clone()).collect(),
        others: OtherFields::Ignore,
        columns,
        mode,
        mode_reason: String::new(),
        key,
        other_keys: Vec::new(),
        lanes_max: 2,
        is_order_free: true,
        write_path: WritePath::LoadData,
        careful: Vec::new(),
        shows_updates: false,
        has_triggers: false,
        skips_by_key_name: false,
        is_transactional: true,
        warnings: Vec::new(),
    }
}
