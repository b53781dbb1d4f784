use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::record::Shape;
use crate::sink::mysql::encoding::text::{EncodedField, TextRows, fields};
use crate::sink::mysql::rules::JsonDoubles;
use crate::sink::mysql::samples;

fn rows(values: &[&[Value<'_>]]) -> Rows {
    let names: Vec<String> = (0..values[0].len()).map(|index| format!("f{index}")).collect();
    let mut rows = Rows::new(Shape::Columns(names.into()));
    for (index, row) in values.iter().enumerate() {
        rows.begin(index as u64, 0);
        for value in *row {
            match value {
                Value::Null => rows.null(),
                Value::Absent => rows.absent(),
                Value::Text(text) => rows.text(text),
                Value::Number(text) => rows.number(text),
                Value::Bool(value) => rows.bool(*value),
                Value::Json(text) => rows.json(text),
            }
        }
    }
    rows
}

fn prepared(columns: &[&str], key: &[usize], values: &[&[Value<'_>]]) -> (Payload, Vec<Refused>) {
    let preparer = Preparer::new(&samples::planned(Mode::Upsert, columns, key), false);
    let mut refused = Vec::new();
    let payload = preparer.prepare(&rows(values), Vec::new(), &mut refused).unwrap();
    (payload, refused)
}

fn detail(payload: &Payload) -> Arc<Detail> {
    payload.detail.clone().unwrap().downcast::<Detail>().unwrap()
}

#[test]
fn a_row_that_does_not_fit_leaves_no_trace() {
    let columns = ["id int NOT NULL", "v varchar(64)"];
    let values: [&[Value<'_>]; 3] = [
        &[Value::Number(b"1"), Value::Text(b"a\tb")],
        &[Value::Number(b"2"), Value::Text(&[b'x'; 65])],
        &[Value::Number(b"3"), Value::Null],
    ];
    let (payload, refused) = prepared(&columns, &[0], &values);
    assert_eq!(&payload.bytes[..], b"1\ta\\tb\n3\t\\N\n");
    assert_eq!((payload.rows, payload.keys.len()), (2, 2));
    assert!(payload.keys.is_sorted());
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].row, refused[0].column.as_deref()), (1, Some("v")));
}

#[test]
fn rows_stand_in_the_order_of_the_key_and_are_known_by_their_place() {
    let columns = ["id int NOT NULL", "v varchar(64)"];
    let values: [&[Value<'_>]; 4] = [
        &[Value::Number(b"30"), Value::Text(b"a")],
        &[Value::Number(b"x"), Value::Text(b"b")],
        &[Value::Number(b"4"), Value::Text(b"c")],
        &[Value::Number(b"30"), Value::Text(b"d")],
    ];
    let (payload, refused) = prepared(&columns, &[0], &values);
    assert_eq!(&payload.bytes[..], b"4\tc\n30\ta\n30\td\n");
    assert_eq!(payload.order, Some(vec![2, 0, 3]));
    assert_eq!(refused[0].row, 1);
}

fn groups(payload: &Payload) -> Option<Vec<(Vec<usize>, u64)>> {
    let groups = detail(payload).groups.clone()?;
    assert_eq!(groups.last().map_or(0, |group| group.end), payload.bytes.len());
    Some(groups.into_iter().map(|group| (group.left, group.rows)).collect())
}

/// Rows of an id and what of two columns they have.
fn lacking<'a>(rows: &[(&'a str, bool, bool)]) -> Vec<Vec<Value<'a>>> {
    let value = |is_there| if is_there { Value::Number(b"7") } else { Value::Absent };
    let row = |(id, v, w): &(&'a str, bool, bool)| {
        vec![Value::Number(id.as_bytes()), value(*v), value(*w)]
    };
    rows.iter().map(row).collect()
}

#[test]
fn rows_that_leave_out_the_same_stand_together_where_nobody_can_tell() {
    let columns = ["id int NOT NULL", "v int", "w int NOT NULL auto_increment"];
    let values = lacking(&[
        ("1", true, true),
        ("2", false, true),
        ("3", true, true),
        ("4", false, false),
        ("5", false, true),
    ]);
    let values: Vec<&[Value<'_>]> = values.iter().map(Vec::as_slice).collect();
    let (payload, _) = prepared(&columns, &[0], &values);
    assert_eq!(&payload.bytes[..], b"1\t7\t7\n3\t7\t7\n2\t\\D\t7\n5\t\\D\t7\n4\t\\D\t\\D\n");
    assert_eq!(payload.order, Some(vec![0, 2, 1, 4, 3]));
    let expected = vec![(vec![], 2), (vec![1], 2), (vec![1, 2], 1)];
    assert_eq!(groups(&payload), Some(expected));
    assert_eq!(detail(&payload).kept, 4);

    // A default of NULL is a value where no row that is there would keep another.
    let mut plan = samples::planned(Mode::Insert, &columns, &[0]);
    let preparer = Preparer::new(&plan, false);
    let payload = preparer.prepare(&rows(&values), Vec::new(), &mut Vec::new()).unwrap();
    assert_eq!(groups(&payload), Some(vec![(vec![], 4), (vec![2], 1)]));
    assert_eq!(detail(&payload).kept, 0);

    plan.is_order_free = false;
    let preparer = Preparer::new(&plan, false);
    let payload = preparer.prepare(&rows(&values), Vec::new(), &mut Vec::new()).unwrap();
    assert_eq!(payload.order, None);
    assert_eq!(groups(&payload), Some(vec![(vec![], 3), (vec![2], 1), (vec![], 1)]));
}

#[test]
fn numbers_that_become_others_are_counted_once_for_each_row_that_is_written() {
    let columns = ["id int NOT NULL", "j json", "v int"];
    let mut plan = samples::planned(Mode::Upsert, &columns, &[0]);
    plan.columns[1].rules.json_doubles = JsonDoubles::Nearest;
    plan.columns[1].column.is_mariadb = false;
    let near = Value::Json(b"[90.42857142857143]");
    // Rows that leave out the same cannot stand together, and are written a second time.
    let values: [&[Value<'_>]; 4] = [
        &[Value::Number(b"2"), near, Value::Absent],
        &[Value::Number(b"1"), near, Value::Number(b"7")],
        &[Value::Number(b"1"), near, Value::Absent],
        &[Value::Number(b"3"), near, Value::Text(b"x")],
    ];
    let preparer = Preparer::new(&plan, false);
    let mut refused = Vec::new();
    let payload = preparer.prepare(&rows(&values), Vec::new(), &mut refused).unwrap();
    assert_eq!((payload.rows, refused.len(), detail(&payload).near), (3, 1, 3));
}

#[test]
fn equal_keys_that_leave_out_the_same_columns_are_not_woven() {
    let columns = ["id int NOT NULL", "v int", "w int"];
    for (last, expected) in [("5", [0, 2, 1, 4, 3]), ("4", [0, 2, 1, 3, 4])] {
        let values = lacking(&[
            ("1", true, true),
            ("2", false, true),
            ("3", true, true),
            ("4", false, true),
            (last, false, true),
        ]);
        let values: Vec<&[Value<'_>]> = values.iter().map(Vec::as_slice).collect();
        let (payload, _) = prepared(&columns, &[0], &values);
        assert_eq!(payload.order, Some(expected.to_vec()), "{last}");
    }
}

#[test]
fn equal_keys_that_leave_out_different_columns_keep_their_order() {
    let columns = ["id int NOT NULL", "v int", "w int"];
    let values =
        lacking(&[("1", true, true), ("2", false, true), ("1", true, true), ("2", true, true)]);
    let values: Vec<&[Value<'_>]> = values.iter().map(Vec::as_slice).collect();
    let (payload, _) = prepared(&columns, &[0], &values);
    assert_eq!(payload.order, None);
    let expected = vec![(vec![], 1), (vec![1], 1), (vec![], 2)];
    assert_eq!(groups(&payload), Some(expected));
    assert!(!detail(&payload).keys_differ);
}

#[test]
fn a_row_without_a_value_that_it_needs_is_refused() {
    let columns = ["id int NOT NULL", "v int NOT NULL"];
    let (_, refused) = prepared(&columns, &[0], &[&[Value::Number(b"1"), Value::Absent]]);
    assert_eq!(refused[0].error_type, ErrorType::Null);
    assert!(refused[0].reason.contains("absent, and the column is NOT NULL"));
}

#[test]
fn a_key_with_null_in_it_meets_no_other() {
    let columns = ["a int", "b varchar(9) NOT NULL BIN"];
    let one: &[Value<'_>] = &[Value::Number(b"1"), Value::Text(b"x")];
    let null: &[Value<'_>] = &[Value::Null, Value::Text(b"x")];
    let (payload, _) = prepared(&columns, &[0, 1], &[one, null, null]);
    assert_eq!((payload.rows, payload.keys.len()), (3, 1));
    assert!(detail(&payload).keys_differ);
    let (payload, _) = prepared(&columns, &[0, 1], &[one, null, one]);
    assert_eq!(payload.keys.len(), 1);
    assert!(!detail(&payload).keys_differ);
    let (payload, _) = prepared(&columns, &[], &[one, one]);
    assert!(payload.keys.is_empty() && !detail(&payload).keys_differ);
    // Parts do not run into one another.
    let columns = ["a varchar(9) BIN", "b varchar(9) BIN"];
    let values: [&[Value<'_>]; 2] =
        [&[Value::Text(b"ab"), Value::Text(b"c")], &[Value::Text(b"a"), Value::Text(b"bc")]];
    assert_eq!(prepared(&columns, &[0, 1], &values).0.keys.len(), 2);
}

#[test]
fn other_columns_than_those_asked_for_are_a_bug() {
    let preparer = Preparer::new(&samples::planned(Mode::Insert, &["id int"], &[]), false);
    let rows = rows(&[&[Value::Null, Value::Null]]);
    assert!(preparer.prepare(&rows, Vec::new(), &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn rows_with_equal_keys_stay_in_the_order_they_came_in(
        keys in prop::collection::vec((0..9_u32, 0..4_usize), 0..40),
    ) {
        let words: Vec<(String, String)> = keys
            .iter()
            .enumerate()
            .map(|(row, (key, spelling))| {
                let key = match spelling {
                    0 => format!("{key}"),
                    1 => format!("0{key}"),
                    2 => format!("{key}.0"),
                    _ => format!("+{key}"),
                };
                (key, row.to_string())
            })
            .collect();
        let values: Vec<[Value<'_>; 2]> = words
            .iter()
            .map(|(key, row)| [Value::Text(key.as_bytes()), Value::Text(row.as_bytes())])
            .collect();
        let values: Vec<&[Value<'_>]> = values.iter().map(|row| &row[..]).collect();
        prop_assume!(!values.is_empty());
        let (payload, refused) = prepared(&["k int NOT NULL", "v text"], &[0], &values);
        let refused: Vec<usize> = refused.iter().map(|refused| refused.row).collect();
        let text = String::from_utf8(payload.bytes.to_vec()).unwrap();
        let found: Vec<(u32, u32)> = text
            .lines()
            .map(|line| line.split_once('\t').unwrap())
            .map(|(key, row)| (key.parse().unwrap(), row.parse().unwrap()))
            .collect();
        let rows: Vec<u32> = found.iter().map(|(_, row)| *row).collect();
        let kept = (0..keys.len() as u32).filter(|row| !refused.contains(&(*row as usize)));
        let kept: Vec<u32> = kept.collect();
        prop_assert_eq!(payload.order.clone().unwrap_or(kept), rows);
        let (mut by_key, mut as_they_came) = (found.clone(), found);
        by_key.sort_by_key(|(key, _)| *key);
        as_they_came.sort_unstable();
        prop_assert_eq!(by_key, as_they_came);
    }

    #[test]
    fn values_are_read_back_as_they_were(
        texts in prop::collection::vec(
            (prop::option::of("[\\PC\\\\\t\n\r\0\x1aND']{0,40}"), "[a\\\\\t\n\r\0\x1aé]{0,40}"),
            1..20,
        ),
    ) {
        let columns = ["v text", "b blob"];
        let values: Vec<[Value<'_>; 2]> = texts
            .iter()
            .map(|(text, bytes)| {
                let text = text.as_ref().map_or(Value::Null, |text| Value::Text(text.as_bytes()));
                [text, Value::Text(bytes.as_bytes())]
            })
            .collect();
        let values: Vec<&[Value<'_>]> = values.iter().map(|row| &row[..]).collect();
        let preparer = Preparer::new(&samples::planned(Mode::Insert, &columns, &[]), false);
        let mut refused = Vec::new();
        let payload = preparer.prepare(&rows(&values), Vec::new(), &mut refused).unwrap();
        prop_assert!(refused.is_empty(), "{refused:?}");
        let found = TextRows::new(&payload.bytes);
        prop_assert_eq!(found.len(), texts.len());
        for (row, (text, bytes)) in texts.iter().enumerate() {
            let found: Vec<EncodedField<'_>> = fields(found.row(row)).collect();
            let text = text.as_ref().map(|text| EncodedField::Text(text.as_bytes().into()));
            prop_assert_eq!(&found[..], &[text.unwrap_or(EncodedField::Null), EncodedField::Text(bytes.as_bytes().into())]);
        }
        let bytes: usize =
            texts.iter().map(|(text, bytes)| text.as_ref().map_or(0, String::len) + bytes.len()).sum();
        prop_assert!(payload.bytes.len() <= preparer.footprint(bytes, texts.len() as u64));
    }
}
