use super::*;
use crate::record::FieldKind;
use crate::sink::mysql::samples;

fn fields(kinds: &[(&str, FieldKind)]) -> Vec<Field> {
    kinds.iter().map(|(name, kind)| Field::new(*name, *kind, "")).collect()
}

fn beside(name: &str) -> Field {
    Field { is_beside: true, ..Field::new(name, FieldKind::Keyword(512), "") }
}

fn made(
    fields: &[Field],
    change: impl FnOnce(&mut MysqlSettings, &mut TableRequest<'_>),
) -> Result<NewTable> {
    let mut settings = samples::settings();
    let server = samples::mysql();
    let mut probe = TableRequest {
        settings: &samples::settings(),
        server: &server,
        fields,
        selection: None,
        is_untyped: false,
        has_many_indices: false,
        guessed_from: "",
    };
    change(&mut settings, &mut probe);
    new_table(&TableRequest {
        settings: &settings,
        fields,
        server: &server,
        selection: probe.selection,
        ..probe
    })
}

#[track_caller]
fn check(fields: &[Field], key: Option<&str>, lines: &[&str]) {
    let table = made(fields, |settings, _| {
        settings.key = key.map(|key| key.split(',').map(str::to_string).collect());
    });
    let sql = table.unwrap().sql;
    let found: Vec<&str> = sql.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(found, lines);
}

#[track_caller]
fn check_refused(fields: &[Field], key: Option<&str>, part: &str) {
    let made = made(fields, |settings, _| {
        settings.key = key.map(|key| key.split(',').map(str::to_string).collect());
    });
    let error = made.unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn every_kind_has_a_type() {
    let kinds = [
        ("a", FieldKind::Unknown),
        ("b", FieldKind::Text),
        ("c", FieldKind::Keyword(256)),
        ("d", FieldKind::Keyword(8191)),
        ("e", FieldKind::Keyword(u32::MAX)),
        ("f", FieldKind::Int(64)),
        ("g", FieldKind::Unsigned(64)),
        ("h", FieldKind::Decimal),
        ("i", FieldKind::Float(32)),
        ("j", FieldKind::Bool),
        ("k", FieldKind::Time),
        ("l`", FieldKind::Json),
        ("m", FieldKind::Base64),
    ];
    check(
        &fields(&kinds),
        None,
        &[
            "`a` JSON,",
            "`b` LONGTEXT,",
            "`c` VARCHAR(256),",
            "`d` TEXT,",
            "`e` LONGTEXT,",
            "`f` BIGINT,",
            "`g` BIGINT UNSIGNED,",
            "`h` DECIMAL(40,20),",
            "`i` DOUBLE,",
            "`j` TINYINT(1),",
            "`k` DATETIME(3),",
            "`l``` JSON,",
            "`m` LONGBLOB",
        ],
    );
}

#[test]
fn keys_are_never_null_and_compare_as_bytes() {
    let text = fields(&[("n", FieldKind::Int(32)), ("t", FieldKind::Text)]);
    check(
        &text,
        Some("T,n"),
        &[
            "`n` INT NOT NULL,",
            "`t` VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,",
            "PRIMARY KEY (`t`, `n`)",
        ],
    );
    let mut documents = vec![beside("_id"), beside("_index")];
    documents.extend(fields(&[("n", FieldKind::Int(32))]));
    check(&documents, None, &["`_id` VARBINARY(512) NOT NULL,", "`n` INT,", "PRIMARY KEY (`_id`)"]);
    check(&documents, Some("n"), &["`n` INT NOT NULL,", "PRIMARY KEY (`n`)"]);
}

#[test]
fn an_id_of_several_indices_is_one_only_with_its_index() {
    let documents = [beside("_id"), beside("_index"), Field::new("n", FieldKind::Bool, "")];
    let table = made(&documents, |_, request| request.has_many_indices = true).unwrap();
    assert!(table.sql.contains("PRIMARY KEY (`_index`, `_id`)"), "{}", table.sql);
    assert!(table.warnings.is_empty());
}

#[test]
fn rows_that_would_be_too_large_are_stored_beside() {
    let names: Vec<String> = (0..70).map(|number| format!("c{number}")).collect();
    let many: Vec<Field> =
        names.iter().map(|name| Field::new(name, FieldKind::Keyword(256), "")).collect();
    let sql = made(&many, |_, _| {}).unwrap().sql;
    assert!(sql.contains("`c0` TEXT,\n"), "{sql}");
}

#[test]
fn what_no_table_can_be_made_of() {
    check_refused(&[], None, "no fields are known");
    let names: Vec<String> = (0..1018).map(|number| format!("c{number}")).collect();
    let many: Vec<Field> = names.iter().map(|name| Field::new(name, FieldKind::Bool, "")).collect();
    check_refused(&many, None, "a table of 1018 columns");
    let some = fields(&[
        ("a", FieldKind::Json),
        ("b", FieldKind::Keyword(900)),
        ("c", FieldKind::Float(64)),
    ]);
    check_refused(&some, Some("a"), "'a' cannot be part of a key");
    check_refused(&some, Some("c"), "'c' cannot be part of a key");
    check_refused(&some, Some("b"), "a key of 3600 bytes");
    check_refused(&some, Some("d"), "there is no column 'd'; there are a, b, c");
    check_refused(
        &fields(&[
            ("a", FieldKind::Bool),
            ("A", FieldKind::Bool),
            ("", FieldKind::Bool),
            ("x ", FieldKind::Bool),
        ]),
        None,
        "'a' and 'A' are the same name to the server; '': it is empty; 'x ': it ends with white \
         space; rename them with --select, which names all columns that are wanted, such as A_2=A,column3=,x=x ",
    );
}

#[test]
fn a_table_without_a_key_is_warned_of_or_refused() {
    let some = fields(&[("a", FieldKind::Bool)]);
    assert_eq!(made(&some, |_, _| {}).unwrap().warnings.len(), 1);
    let settings = samples::settings();
    let server = ServerInfo { requires_primary_key: true, ..samples::mysql() };
    let request = TableRequest {
        settings: &settings,
        server: &server,
        fields: &some,
        selection: None,
        is_untyped: true,
        has_many_indices: false,
        guessed_from: "",
    };
    assert!(new_table(&request).unwrap_err().to_string().contains("primary key"));
}

mod guesses {
    use proptest::prelude::*;

    use super::*;
    use crate::infer::{Origin, Sample, Value as Sampled};
    use crate::record::Value;
    use crate::sink::mysql::rules::{Rules, TextOrigin};
    use crate::sink::mysql::table::planned;

    /// A column made for these values takes each of them.
    fn check_takes(values: &[Value<'_>], origin: Origin, is_mariadb: bool) {
        let mut sample = Sample::default();
        for value in values {
            sample.see("x", sampled(*value));
        }
        let fields = [sample.fields()[0].field(origin)];
        let server = ServerInfo { is_mariadb, ..samples::mysql() };
        let settings = samples::settings();
        let table = new_table(&TableRequest {
            settings: &settings,
            server: &server,
            fields: &fields,
            selection: None,
            is_untyped: origin == Origin::Text,
            has_many_indices: false,
            guessed_from: "",
        });
        let table = planned(&table.unwrap()).unwrap();
        let text = match origin {
            Origin::Text => TextOrigin::Untyped,
            Origin::Json => TextOrigin::Typed,
        };
        let rules = Rules { text, ..Rules::default() };
        for value in values {
            let put = table.columns[0].put(*value, &rules, &mut Vec::new());
            assert!(put.is_ok(), "{value:?} into {:?}: {put:?}", table.columns[0].kind);
        }
    }

    fn sampled(value: Value<'_>) -> Sampled<'_> {
        match value {
            Value::Text(text) => Sampled::Text(text),
            Value::Number(words) => Sampled::Number(words),
            Value::Bool(_) => Sampled::Bool,
            Value::Json(_) => Sampled::Json,
            Value::Null | Value::Absent => Sampled::Null,
        }
    }

    fn numbers() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            any::<f64>()
                .prop_filter("JSON has no others", |number| number.is_finite())
                .prop_map(|number| format!("{number:?}")),
            "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?",
            "-?[0-9]\\.[0-9]{1,3}",
        ]
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            numbers(),
            "(true|False|TRUE|x|NaN|1e5|007|)",
            "(0001|1969|2024|9999)-(02|12)-(28|29|31)",
            "(0001|2024|9999)-12-31[T ](00|23):59(:59(\\.[0-9]{1,9})?)?(Z|[+-](14|05):?30|)",
            "[012][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,8})?",
            "(?s).{0,5}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn of_texts(texts in proptest::collection::vec(texts(), 1..4), is_mariadb: bool) {
            // An empty field is nothing.
            let value = |text: &'static str| match text {
                "" => Value::Null,
                text => Value::Text(text.as_bytes()),
            };
            let texts: Vec<&'static str> = texts.into_iter().map(|text| &*text.leak()).collect();
            let values: Vec<Value<'_>> = texts.into_iter().map(value).collect();
            check_takes(&values, Origin::Text, is_mariadb);
        }

        #[test]
        fn of_numbers(numbers in proptest::collection::vec(numbers(), 1..4), is_mariadb: bool) {
            let values: Vec<Value<'_>> =
                numbers.iter().map(|number| Value::Number(number.as_bytes())).collect();
            check_takes(&values, Origin::Json, is_mariadb);
        }

        #[test]
        fn of_json(
            texts in proptest::collection::vec(texts(), 0..3),
            number in proptest::option::of("-?[0-9]\\.[0-9]{1,3}"),
            others in proptest::sample::subsequence(vec![Value::Bool(true), Value::Json(b"{\"a\":[1]}"), Value::Json(b"[]"), Value::Null], 0..3),
            is_mariadb: bool,
        ) {
            let mut values: Vec<Value<'_>> =
                texts.iter().map(|text| Value::Text(text.as_bytes())).collect();
            values.extend(number.iter().map(|number| Value::Number(number.as_bytes())));
            values.extend(others);
            values.push(Value::Null);
            check_takes(&values, Origin::Json, is_mariadb);
        }
    }
}
