//! Whole values into whole columns.

mod temporal;

use proptest::prelude::*;

use super::*;
use crate::sink::mysql::column::ColumnDefinition;

/// A column that takes NULL and has no default, as MySQL describes it.
fn definition(column_type: &str) -> ColumnDefinition {
    let data_type: String =
        column_type.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
    let numbers: Vec<u64> = column_type
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let first = numbers.first().copied();
    let is_text = data_type.contains("char") || data_type.contains("text");
    ColumnDefinition {
        name: "a".into(),
        column_type: column_type.into(),
        is_nullable: true,
        character_set: is_text.then(|| "utf8mb4".into()),
        collation: is_text.then(|| "utf8mb4_bin".into()),
        characters_max: first.or(Some(255)),
        octets_max: if is_text { Some(255) } else { first.or(Some(255)) },
        numeric_precision: first,
        numeric_scale: numbers.get(1).copied(),
        datetime_precision: if data_type.contains("time") { first } else { None },
        data_type,
        ..ColumnDefinition::default()
    }
}

fn column(column_type: &str) -> Column {
    Column::new(&definition(column_type)).unwrap()
}

fn words(column: &Column, value: Value<'_>, rules: &Rules) -> Result<String, String> {
    let mut out = b"before".to_vec();
    let put = column.put(value, rules, &mut out).map_err(|unfit| unfit.reason);
    let text = String::from_utf8_lossy(out.strip_prefix(b"before").unwrap()).into_owned();
    assert!(text.is_empty() || put == Ok(Put::Text), "{column:?} {value:?}");
    Ok(match put? {
        Put::Text | Put::NearText(_) => format!("'{text}'"),
        Put::Null => "NULL".to_string(),
        Put::Default => "DEFAULT".to_string(),
    })
}

#[track_caller]
fn check(column: &Column, value: Value<'_>, rules: &Rules, expected: Option<&str>) {
    let found = words(column, value, rules);
    assert_eq!(found.as_deref().ok(), expected, "{value:?} into {column:?}: {found:?}");
}

const COLUMN_TYPES: [&str; 30] = [
    "tinyint(1)",
    "int",
    "bigint unsigned",
    "decimal(10,2)",
    "decimal(65,30) unsigned",
    "float",
    "float(7,2)",
    "double",
    "bit(9)",
    "char(5)",
    "varchar(10)",
    "text",
    "longtext",
    "binary(3)",
    "varbinary(10)",
    "blob",
    "enum('a','b','1')",
    "set('a','b','c')",
    "json",
    "date",
    "time",
    "time(3)",
    "datetime",
    "datetime(6)",
    "timestamp",
    "timestamp(3)",
    "year",
    "uuid",
    "inet6",
    "point",
];

#[test]
fn values_of_every_sort_meet_columns_of_every_sort() {
    let rules = Rules { text: TextOrigin::Typed, ..Rules::default() };
    let (yes, object, array) = (Value::Bool(true), Value::Json(b"{}"), Value::Json(b"[\"a\"]"));
    let (number, text) = (Value::Number(b"1"), Value::Text(b"a"));
    for (column_type, expected) in [
        ("tinyint(1)", [Some("'1'"), None, None, Some("'1'"), None]),
        ("int", [Some("'1'"), None, None, Some("'1'"), None]),
        ("decimal(5,2)", [None, None, None, Some("'1'"), None]),
        ("double", [None, None, None, Some("'1'"), None]),
        ("bit(8)", [Some("'\u{1}'"), None, None, Some("'\u{1}'"), None]),
        ("varchar(5)", [Some("'true'"), None, None, Some("'1'"), Some("'a'")]),
        ("varbinary(5)", [None, None, None, Some("'1'"), Some("'a'")]),
        ("enum('a','1')", [None, None, None, Some("'1'"), Some("'a'")]),
        ("set('a','1')", [None, None, Some("'a'"), Some("'1'"), Some("'a'")]),
        ("json", [Some("'true'"), Some("'{}'"), Some("'[\"a\"]'"), Some("'1'"), Some("'\"a\"'")]),
        ("date", [None, None, None, None, None]),
        ("time", [None, None, None, None, None]),
        ("datetime", [None, None, None, None, None]),
        ("timestamp", [None, None, None, None, None]),
        ("year", [None, None, None, None, None]),
        ("point", [None, None, None, None, None]),
    ] {
        let column = column(column_type);
        for (value, expected) in [yes, object, array, number, text].into_iter().zip(expected) {
            check(&column, value, &rules, expected);
        }
    }
}

#[test]
fn json_scalars_are_what_they_say() {
    let rules = Rules::default();
    let text = column("varchar(10)");
    check(&text, Value::Json(b"\"a\\n\""), &rules, Some("'a\n'"));
    check(&text, Value::Json(b"\"\""), &rules, Some("''"));
    check(&text, Value::Json(b" null"), &rules, Some("NULL"));
    check(&text, Value::Json(b"1.50"), &rules, Some("'1.50'"));
    check(&text, Value::Json(b"false"), &rules, Some("'false'"));
    check(&column("int"), Value::Json(b"\"\""), &rules, None);
    check(&column("json"), Value::Json(b"null"), &rules, Some("'null'"));
    check(&column("json"), Value::Json(b"{\"a\":1,\"a\":2}"), &rules, None);
}

#[test]
fn objects_go_into_text_where_it_was_asked_for() {
    let rules = Rules { json_as_text: true, ..Rules::default() };
    let value = Value::Json(b" {\"a\": 1.50}");
    check(&column("text"), value, &rules, Some("'{\"a\": 1.50}'"));
    check(&column("varchar(5)"), value, &rules, None);
    check(&column("varbinary(50)"), value, &rules, None);
    check(&column("text"), value, &Rules::default(), None);
    check(&column("varchar(5)"), Value::Json(b"[1]"), &rules, Some("'[1]'"));
    check(&column("varchar(5)"), Value::Json(b"\"[1]\""), &rules, Some("'[1]'"));
}

#[test]
fn names_that_are_not_certain_are_met_by_nothing() {
    let rules = Rules::default();
    let shown = definition("enum('a','b?','A')");
    let of = |definition: &ColumnDefinition, name: &str| {
        words(&Column::new(definition).unwrap(), Value::Text(name.as_bytes()), &rules)
    };
    assert!(of(&shown, "b?").unwrap_err().contains("CREATE TEMPORARY TABLES"));
    assert_eq!(of(&shown, "A").unwrap(), "'A'");
    let names = ["a", "b😀", "A"].map(String::from).to_vec();
    let read = ColumnDefinition { members: Some(names), shadowed: vec![2], ..shown };
    assert_eq!(of(&read, "b😀").unwrap(), "'b😀'");
    assert_eq!(of(&read, "a").unwrap(), "'a'");
    assert!(of(&read, "A").unwrap_err().contains("collation"));
    assert!(of(&read, "b?").is_err());
    let fewer = ColumnDefinition { members: Some(vec!["a".to_string()]), ..read };
    assert!(Column::new(&fewer).is_err());
}

#[test]
fn a_character_set_that_nobody_knows_is_not_written_to() {
    let unknown =
        ColumnDefinition { character_set: Some("gbk".into()), ..definition("varchar(5)") };
    let column = Column::new(&unknown).unwrap();
    assert!(column.check_writable().unwrap_err().to_string().contains("gbk"));
    check(&column, Value::Text(b"a"), &Rules::default(), None);
}

#[test]
fn bools_have_words_in_columns_of_their_own() {
    let rules = Rules::default();
    for (column_type, text, expected) in [
        ("tinyint(1)", "true", Some("'1'")),
        ("tinyint(1)", "False", Some("'0'")),
        ("tinyint(1)", "-128", Some("'-128'")),
        ("tinyint(1)", "128", None),
        ("tinyint(1)", "yes", None),
        ("int", "true", None),
    ] {
        check(&column(column_type), Value::Text(text.as_bytes()), &rules, expected);
    }
}

#[test]
fn empty_text_of_csv_is_text_or_nothing() {
    let csv = Rules::default();
    let json = Rules { text: TextOrigin::Typed, ..Rules::default() };
    for (column_type, untyped, typed) in [
        ("int", Some("NULL"), None),
        ("double", Some("NULL"), None),
        ("decimal(5,2)", Some("NULL"), None),
        ("date", Some("NULL"), None),
        ("binary(3)", Some("NULL"), None),
        ("json", Some("NULL"), Some("'\"\"'")),
        ("enum('a')", Some("NULL"), None),
        ("enum('a','')", Some("''"), Some("''")),
        ("set('a')", Some("''"), Some("''")),
        ("varchar(3)", Some("''"), Some("''")),
        ("text", Some("''"), Some("''")),
        ("blob", Some("''"), Some("''")),
    ] {
        let mut column = column(column_type);
        check(&column, Value::Text(b""), &csv, untyped);
        check(&column, Value::Text(b""), &json, typed);
        column.is_nullable = false;
        check(&column, Value::Text(b""), &csv, untyped.filter(|found| *found == "''"));
    }
}

#[test]
fn null_is_a_value_and_absent_is_none() {
    let rules = Rules::default();
    let of = |change: fn(&mut ColumnDefinition)| {
        let mut definition = definition("int");
        change(&mut definition);
        Column::new(&definition).unwrap()
    };
    let computed = |a: &mut ColumnDefinition| a.extra = "VIRTUAL GENERATED".into();
    let counted = |a: &mut ColumnDefinition| {
        a.is_nullable = false;
        a.extra = "auto_increment".into();
    };
    for (column, null) in [
        (of(|_| {}), Some("NULL")),
        (of(|a| a.is_nullable = false), None),
        (of(|a| a.column_default = Some("5".into())), Some("NULL")),
        (of(counted), None),
        (of(computed), None),
    ] {
        check(&column, Value::Null, &rules, null);
        check(&column, Value::Absent, &rules, Some("DEFAULT"));
    }
}

#[test]
fn members_are_named_letter_by_letter() {
    let rules = Rules::default();
    let (one, set) = (column("enum('a','B','2')"), column("set('a','b','c')"));
    for (column, text, expected) in [
        (&one, "a", Some("'a'")),
        (&one, "A", None),
        (&one, "a ", None),
        (&one, "1", None),
        (&one, "2", Some("'2'")),
        (&set, "c,a", Some("'a,c'")),
        (&set, "a,a", None),
        (&set, "a,", None),
        (&set, "a, b", None),
        (&set, "1", None),
    ] {
        check(column, Value::Text(text.as_bytes()), &rules, expected);
    }
    check(&set, Value::Json(b"[\"b\", \"a\"]"), &rules, Some("'a,b'"));
    check(&set, Value::Json(b"[]"), &rules, Some("''"));
    check(&set, Value::Json(b"[\"b\", 1]"), &rules, None);
}

#[test]
fn json_text_of_csv_is_checked() {
    let csv = Rules::default();
    let column = column("json");
    check(&column, Value::Text(b"{\"a\": 1}"), &csv, Some("'{\"a\": 1}'"));
    check(&column, Value::Text(b"abc"), &csv, None);
    let json = Rules { text: TextOrigin::Typed, ..Rules::default() };
    check(&column, Value::Text(b"{\"a\": 1}"), &json, Some("'\"{\\\"a\\\": 1}\"'"));
}

#[test]
fn reasons_tell_nothing_of_the_value() {
    let rules = Rules::default();
    let secret = b"hunter2hunter2";
    for column_type in COLUMN_TYPES {
        for value in [Value::Text(secret), Value::Json(b"{\"hunter2\":1}")] {
            let Err(reason) = words(&column(column_type), value, &rules) else { continue };
            assert!(!reason.contains("hunter2"), "{reason}");
            assert!(reason.starts_with(|letter: char| !letter.is_uppercase() || letter == 'J'));
            assert!(!reason.contains('\n') && !reason.ends_with('.'), "{reason}");
        }
    }
}

fn any_rules() -> impl Strategy<Value = Rules> {
    use crate::convert::date::DateFormat;
    use crate::sink::mysql::Zone;
    use rules::{EpochUnit, Fraction, Times};
    let zone = || {
        prop_oneof![
            Just(None),
            Just(Some(Zone::Fixed(-64_800))),
            Just(Some(Zone::parse("Europe/Berlin").unwrap()))
        ]
    };
    let fraction =
        prop_oneof![Just(Fraction::Reject), Just(Fraction::Truncate), Just(Fraction::Round)];
    let binary =
        prop_oneof![Just(BinaryText::Raw), Just(BinaryText::Hex), Just(BinaryText::Base64)];
    let by = |format| Just(Times::By(DateFormat::parse(format, None).unwrap()));
    let times = prop_oneof![
        Just(Times::Iso),
        Just(Times::Count(EpochUnit::Seconds)),
        Just(Times::Count(EpochUnit::Milliseconds)),
        by("date_optional_time||epoch_millis"),
        by("uuuuMMdd||epoch_second||[yyyy-MM-dd][' 'HH:mm:ss.SSS]X"),
    ];
    let text = prop_oneof![Just(TextOrigin::Untyped), Just(TextOrigin::Typed)];
    (fraction, zone(), zone(), binary, times, text).prop_map(
        |(fraction, source_zone, target, binary, times, text)| Rules {
            fraction,
            source_zone,
            datetime_zone: target.unwrap_or_default(),
            binary,
            times,
            text,
            ..Rules::default()
        },
    )
}

/// Bytes of any kind, and more often such as nearly mean something.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        "-?[0-9]{0,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{0,12})?".prop_map(String::into_bytes),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,12})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
            .prop_map(String::into_bytes),
        "-?[0-9]{1,4}:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?".prop_map(String::into_bytes),
        "[\\[\\]{}\",:ab1\\\\ ]{0,20}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// No input panics, what is refused leaves nothing behind, and what needs no escape has none.
    #[test]
    fn any_bytes_into_any_column_end_in_a_value_or_a_reason(
        column in 0..COLUMN_TYPES.len(),
        is_mariadb: bool,
        sort in 0..3u8,
        text in any_text(),
        rules in any_rules(),
    ) {
        let mut definition = definition(COLUMN_TYPES[column]);
        definition.is_mariadb = is_mariadb;
        definition.has_json_check = is_mariadb && definition.data_type == "longtext";
        let column = Column::new(&definition).unwrap();
        let value = match sort {
            0 => Value::Text(&text),
            1 => Value::Number(&text),
            _ => Value::Json(&text),
        };
        let mut out = b"x".to_vec();
        let put = column.put(value, &rules, &mut out);
        prop_assert!(put == Ok(Put::Text) || out == b"x");
        if column.is_plain() {
            let mut escaped = Vec::new();
            crate::sink::mysql::escape::field(&mut escaped, &out);
            prop_assert_eq!(&escaped, &out);
        }
    }

    /// What was written once is written in the same way when it comes again.
    #[test]
    fn what_is_written_is_canonical(column in 0..COLUMN_TYPES.len(), text in any_text()) {
        let column = column_of(column);
        let rules = Rules { source_zone: Some(Default::default()), ..Rules::default() };
        let mut once = Vec::new();
        if column.put(Value::Text(&text), &rules, &mut once) == Ok(Put::Text) && column.is_plain() {
            let mut twice = Vec::new();
            prop_assert_eq!(column.put(Value::Text(&once), &rules, &mut twice), Ok(Put::Text));
            prop_assert_eq!(once, twice);
        }
    }
}

fn column_of(index: usize) -> Column {
    column(COLUMN_TYPES[index])
}
