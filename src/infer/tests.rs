use proptest::prelude::*;

use super::widen::Dated;
use super::*;
use crate::record::{ColumnType, FieldKind};

const DECIMAL: ColumnType = ColumnType::DECIMAL;
const WIDE: ColumnType = ColumnType::WIDE_DECIMAL;
const INT: ColumnType = ColumnType::Int { is_unsigned: false };
const UNSIGNED: ColumnType = ColumnType::Int { is_unsigned: true };

fn of_texts(values: &[&str]) -> Shape {
    let shapes = values.iter().map(|value| Shape::of_text(value.as_bytes()));
    shapes.fold(Shape::default(), Shape::join)
}

/// Words of JSON, but for strings that hold escapes.
fn of_json(values: &[&str]) -> Shape {
    let shape = |words: &&str| match words.as_bytes()[0] {
        b'n' => Shape::default(),
        b't' | b'f' => Shape::BOOL,
        b'"' => Shape::of_text(words.trim_matches('"').as_bytes()),
        b'[' | b'{' => Shape::JSON,
        _ => Shape::of_number(words.as_bytes()),
    };
    values.iter().map(shape).fold(Shape::default(), Shape::join)
}

#[test]
fn texts_are_what_all_of_them_are() {
    for (values, expected) in [
        (&[][..], None),
        (&["1", "-2"], Some(INT)),
        (&["0", "1"], Some(INT)),
        (&["1", "18446744073709551615"], Some(UNSIGNED)),
        (&["-1", "18446744073709551615"], Some(ColumnType::Decimal { digits: 65, fraction: 0 })),
        (&["1", "2.5"], Some(DECIMAL)),
        (&["12345678901234567890.12345678901234567890"], Some(DECIMAL)),
        (&["123456789012345678901.1"], Some(WIDE)),
        (&["0.5", "0.30000000000000004"], Some(ColumnType::Double)),
        (&["0.5", "1.5e-05"], Some(ColumnType::Double)),
        // Codes of articles look like this.
        (&["1e5", "2"], Some(ColumnType::Text)),
        (&["007"], Some(ColumnType::Text)),
        (&["1", "x"], Some(ColumnType::Text)),
        (&["true", "False"], Some(ColumnType::Bool)),
        (&["true", "1"], Some(ColumnType::Text)),
        (&["2024-02-29", "1970-01-01"], Some(ColumnType::Date)),
        (&["2024-02-29", "2024-02-29 10:11"], Some(ColumnType::Text)),
        (&["2024-02-29 10:11", "2024-02-29T10:11:12.5"], Some(ColumnType::DateTime(6))),
        (&["2024-02-29T10:11Z", "2024-02-29T10:11:12+02:00"], Some(ColumnType::DateTime(6))),
        // A point in time, and what a clock showed.
        (&["2024-02-29T10:11Z", "2024-02-29T10:11"], Some(ColumnType::Text)),
        (&["01/02/2024"], Some(ColumnType::Text)),
        (&["10:11:12"], Some(ColumnType::Time(6))),
        (&["10:11"], Some(ColumnType::Text)),
    ] {
        assert_eq!(column_type(&of_texts(values), Origin::Text), expected, "{values:?}");
    }
}

#[test]
fn json_says_itself_what_is_a_number() {
    for (values, expected) in [
        (&["null"][..], None),
        (&["1", "null"], Some(INT)),
        (&["\"1\"", "\"2\""], Some(ColumnType::Text)),
        (&["1", "\"2\""], Some(ColumnType::Text)),
        (&["true", "1"], Some(ColumnType::Text)),
        (&["true", "null"], Some(ColumnType::Bool)),
        (&["\"true\""], Some(ColumnType::Text)),
        (&["1", "[1]"], Some(ColumnType::Json)),
        (&["\"x\"", "{}"], Some(ColumnType::Json)),
        (&["1", "1.5"], Some(DECIMAL)),
        (&["1e5"], Some(ColumnType::Double)),
        (&["1e400"], Some(ColumnType::Text)),
        (&["1e5", "12345678901234567890"], Some(DECIMAL)),
        (&["\"2024-02-29\""], Some(ColumnType::Date)),
        (&["\"2024-02-29\"", "\"\""], Some(ColumnType::Text)),
    ] {
        assert_eq!(column_type(&of_json(values), Origin::Json), expected, "{values:?}");
    }
}

#[test]
fn a_mapping_is_widened_by_what_it_does_not_say() {
    for (kind, values, expected) in [
        (FieldKind::Keyword(4), &["\"abcd\"", "1"][..], None),
        (FieldKind::Keyword(4), &["\"abcde\""], Some(ColumnType::Text)),
        (FieldKind::Keyword(4), &["12345"], Some(ColumnType::Text)),
        (FieldKind::Keyword(4), &["\"a\"", "[\"a\"]"], Some(ColumnType::Json)),
        (FieldKind::Text, &["1", "\"x\"", "true"], None),
        (FieldKind::Int(16), &["32767", "\"-5\"", "5.0"], None),
        (FieldKind::Int(16), &["32768"], Some(INT)),
        (FieldKind::Int(64), &["1.7"], Some(DECIMAL)),
        (FieldKind::Int(64), &["\"\""], Some(ColumnType::Text)),
        (FieldKind::Unsigned(64), &["18446744073709551615"], None),
        (FieldKind::Float(32), &["0.1", "1e300", "\"2\""], None),
        (FieldKind::Float(64), &["9007199254740993"], Some(DECIMAL)),
        (FieldKind::Float(64), &["\"NaN\""], Some(ColumnType::Text)),
        (FieldKind::Bool, &["true", "\"false\""], None),
        (FieldKind::Bool, &["true", "\"\""], Some(ColumnType::Text)),
        (FieldKind::Json, &["1", "\"x\""], None),
        (FieldKind::Base64, &["\"AA==\""], None),
        (FieldKind::Base64, &["[\"AA==\"]"], Some(ColumnType::Json)),
    ] {
        let found = widened(kind, &of_json(values), Dated::default());
        assert_eq!(found.map(|(found, _)| found), expected, "{kind:?} {values:?}");
    }
    for (dated, expected) in [
        (Dated { has_others: false, fraction: 3 }, None),
        (Dated { has_others: false, fraction: 6 }, Some(ColumnType::DateTime(6))),
        (Dated { has_others: false, fraction: 9 }, Some(ColumnType::Text)),
        (Dated { has_others: true, fraction: 0 }, Some(ColumnType::Text)),
    ] {
        let found = widened(FieldKind::Time, &Shape::default(), dated);
        assert_eq!(found.map(|(found, _)| found), expected, "{dated:?}");
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let one = prop_oneof![
        Just(Shape::default()),
        Just(Shape::BOOL),
        Just(Shape::JSON),
        "[-0-9.eE+:TZ ]{0,12}".prop_map(|text| Shape::of_text(text.as_bytes())),
        "(true|2024-0[1-3]-0[1-3]|1[0-2]:00:00|[a-zä]{0,3})"
            .prop_map(|text| Shape::of_text(text.as_bytes())),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?(e-?[0-9]{1,3})?"
            .prop_map(|text| Shape::of_number(text.as_bytes())),
    ];
    proptest::collection::vec(one, 0..4)
        .prop_map(|shapes| shapes.into_iter().fold(Shape::default(), Shape::join))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A sample may be taken in any order, in parts, and twice.
    #[test]
    fn joining_has_no_order(a in shapes(), b in shapes(), c in shapes()) {
        prop_assert_eq!(a.join(b), b.join(a));
        prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        prop_assert_eq!(a.join(a), a);
        prop_assert_eq!(a.join(Shape::default()), a);
    }
}
