//! Columns as MySQL 8.0.31 and MariaDB 10.11 describe them.

use super::*;

fn definition(column_type: &str, is_mariadb: bool) -> ColumnDefinition {
    let data_type =
        column_type.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
    ColumnDefinition {
        name: "a".into(),
        column_type: column_type.into(),
        data_type,
        is_nullable: true,
        is_mariadb,
        ..ColumnDefinition::default()
    }
}

fn kind(definition: ColumnDefinition) -> ColumnKind {
    Column::new(&definition).unwrap().kind
}

#[test]
fn types_are_read_from_both_servers() {
    use ColumnKind::*;
    let plain = |column_type| definition(column_type, false);
    for (definition, expected) in [
        (plain("tinyint(1)"), Bool),
        (plain("tinyint(4)"), Integer { bits: 8, is_unsigned: false }),
        (plain("tinyint(1) unsigned"), Integer { bits: 8, is_unsigned: true }),
        (plain("int(10) unsigned zerofill"), Integer { bits: 32, is_unsigned: true }),
        (plain("bigint(20) unsigned"), Integer { bits: 64, is_unsigned: true }),
        (plain("mediumint"), Integer { bits: 24, is_unsigned: false }),
        (
            ColumnDefinition {
                numeric_precision: Some(10),
                numeric_scale: Some(2),
                ..plain("decimal(10,2)")
            },
            Decimal { digits: Digits { precision: 10, scale: 2 }, is_unsigned: false },
        ),
        (
            ColumnDefinition { numeric_precision: Some(22), ..plain("double") },
            Float { bits: 64, digits: None, is_unsigned: false },
        ),
        (
            ColumnDefinition {
                numeric_precision: Some(7),
                numeric_scale: Some(2),
                ..plain("float(7,2)")
            },
            Float { bits: 32, digits: Some(Digits { precision: 7, scale: 2 }), is_unsigned: false },
        ),
        (ColumnDefinition { numeric_precision: Some(9), ..plain("bit(9)") }, Bit { bits: 9 }),
        (
            ColumnDefinition { datetime_precision: Some(3), ..plain("time(3)") },
            Time { fraction: 3 },
        ),
        (plain("datetime"), DateTime { fraction: 0 }),
        (plain("timestamp"), Timestamp { fraction: 0, seconds_max: 2_147_483_647 }),
        (
            ColumnDefinition { has_long_timestamps: true, ..plain("timestamp") },
            Timestamp { fraction: 0, seconds_max: 4_294_967_295 },
        ),
        (plain("year(4)"), Year),
        (plain("json"), Json { charset: Charset::Utf8mb4 }),
        (
            ColumnDefinition {
                has_json_check: true,
                octets_max: Some(4_294_967_295),
                ..definition("longtext", true)
            },
            Json { charset: Charset::Utf8mb4 },
        ),
        (
            ColumnDefinition { octets_max: Some(3), ..plain("binary(3)") },
            Binary { bytes_max: 3, is_fixed: true },
        ),
        (definition("uuid", true), Uuid),
        (definition("inet6", true), Inet6),
        (plain("point"), Unsupported("point".into())),
        (plain("vector(3)"), Unsupported("vector".into())),
    ] {
        assert_eq!(kind(definition.clone()), expected, "{}", definition.column_type);
    }
}

#[test]
fn definitions_that_make_no_sense_are_refused() {
    let plain = |column_type| definition(column_type, false);
    for definition in [
        plain("decimal(10,2)"),
        plain("varchar(10)"),
        plain("bit(9)"),
        plain("enum"),
        ColumnDefinition { numeric_precision: Some(65), ..plain("bit(65)") },
        ColumnDefinition {
            numeric_precision: Some(66),
            numeric_scale: Some(2),
            ..plain("decimal")
        },
        ColumnDefinition { numeric_precision: Some(2), numeric_scale: Some(3), ..plain("decimal") },
        ColumnDefinition { datetime_precision: Some(7), ..plain("datetime(7)") },
    ] {
        assert!(Column::new(&definition).is_err(), "{}", definition.column_type);
    }
}

#[test]
fn a_default_is_null_or_known_to_the_server_alone() {
    use Preset::{Computed, Null};
    let (mysql, mariadb) = (false, true);
    for (definition, default, extra, expected) in [
        (definition("int", mysql), None, "", Null),
        (definition("int", mariadb), None, "", Null),
        (definition("int", mariadb), Some("NULL"), "", Null),
        // MySQL prints a text as it is.
        (definition("int", mysql), Some("NULL"), "", Computed),
        (definition("int", mysql), Some("5"), "", Computed),
        (definition("int", mysql), Some(""), "", Computed),
        (definition("int", mariadb), Some("'NULL'"), "", Computed),
        (definition("int", mysql), None, "auto_increment", Computed),
        (definition("int", mysql), None, "VIRTUAL GENERATED", Computed),
        (definition("uuid", mariadb), Some("uuid()"), "", Computed),
    ] {
        let definition = ColumnDefinition {
            column_default: default.map(String::from),
            extra: extra.into(),
            ..definition
        };
        let found = Column::new(&definition).unwrap().preset;
        assert_eq!(found, expected, "{} {default:?} {extra}", definition.column_type);
    }
    let strict = ColumnDefinition { is_nullable: false, ..definition("int", mysql) };
    assert_eq!(Column::new(&strict).unwrap().preset, Preset::None);
}

#[test]
fn what_extra_says_is_heard() {
    for (extra, is_generated, is_auto_increment, is_invisible) in [
        ("", false, false, false),
        ("auto_increment", false, true, false),
        ("DEFAULT_GENERATED", false, false, false),
        ("VIRTUAL GENERATED", true, false, false),
        ("STORED GENERATED INVISIBLE", true, false, true),
        ("auto_increment, INVISIBLE", false, true, true),
    ] {
        let column =
            Column::new(&ColumnDefinition { extra: extra.into(), ..definition("int", false) })
                .unwrap();
        let found = (column.is_generated, column.is_auto_increment, column.is_invisible);
        assert_eq!(found, (is_generated, is_auto_increment, is_invisible), "{extra}");
        assert_eq!(column.check_writable().is_err(), is_generated);
    }
    assert!(Column::new(&definition("point", false)).unwrap().check_writable().is_err());
}

#[test]
fn text_goes_by_its_character_set() {
    for (column_type, charset, collation, is_mariadb, transfer, is_key_binary) in [
        ("varchar(5)", "utf8mb4", "utf8mb4_0900_ai_ci", false, Transfer::Direct, false),
        ("varchar(5)", "utf8mb4", "utf8mb4_bin", false, Transfer::Direct, false),
        ("varchar(5)", "utf8mb4", "utf8mb4_0900_bin", false, Transfer::Direct, true),
        ("varchar(5)", "utf8mb4", "utf8mb4_nopad_bin", true, Transfer::Direct, true),
        ("varchar(5)", "utf8mb3", "utf8mb3_bin", true, Transfer::Direct, false),
        ("varchar(5)", "latin1", "latin1_swedish_ci", false, Transfer::Convert, false),
        ("enum('a')", "latin1", "latin1_swedish_ci", false, Transfer::Convert, true),
        ("enum('a')", "utf8mb4", "utf8mb4_bin", false, Transfer::Direct, true),
        ("json", "", "", false, Transfer::Convert, false),
        ("int", "", "", false, Transfer::Direct, true),
        ("double", "", "", false, Transfer::Direct, false),
        ("datetime", "", "", false, Transfer::Direct, true),
        ("uuid", "", "", true, Transfer::Convert, true),
        ("inet4", "", "", true, Transfer::Convert, true),
        ("inet6", "", "", true, Transfer::Convert, true),
    ] {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
        let column = Column::new(&ColumnDefinition {
            character_set: some(charset),
            collation: some(collation),
            characters_max: Some(5),
            ..definition(column_type, is_mariadb)
        })
        .unwrap();
        let found = (column.transfer(), column.is_key_binary);
        assert_eq!(found, (transfer, is_key_binary), "{column_type} {charset} {collation}");
    }
}
