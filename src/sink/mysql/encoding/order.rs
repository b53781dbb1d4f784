//! In which order the rows of a segment go into the table: that of its primary key. The table is a
//! tree sorted by it, and rows that come in its order fill one page after the other, where others
//! split pages that were full. Pure.
//!
//! Only where the table is the same whatever the order of rows with different keys. It need not be the
//! server's order to the last row.

use std::cmp::Ordering;

use crate::record::{Rows, Value};
use crate::sink::mysql::column::ColumnKind;
use crate::sink::mysql::plan::Plan;

pub struct KeyOrder {
    /// Of the key: which value of a row, and how two of them compare.
    parts: Vec<(usize, Compare)>,
}

type Compare = fn(&[u8], &[u8]) -> Ordering;

impl KeyOrder {
    /// None where the rows stay in the order of the source.
    pub fn new(plan: &Plan) -> Option<KeyOrder> {
        let key = plan.key.as_ref().filter(|key| key.is_binary && key.is_primary)?;
        let compare = |kind: &ColumnKind| match kind {
            ColumnKind::Integer { .. } | ColumnKind::Bool | ColumnKind::Decimal { .. } => {
                by_number as Compare
            }
            _ => by_bytes,
        };
        let part = |at: &usize| (*at, compare(&plan.columns[*at].column.kind));
        plan.is_order_free.then(|| KeyOrder { parts: key.columns.iter().map(part).collect() })
    }

    /// The rows in the order of their keys, those of keys in the same words as they came. None where
    /// they are in order as they are, or where some have no key of their own. Keys may be equal in
    /// different words, such as `7` and `07`.
    pub fn of(&self, rows: &Rows) -> Option<Vec<u32>> {
        let compare = |a: usize, b: usize| {
            let mut parts = self.parts.iter().map(|(at, compare)| {
                let (a, b) = (words(rows.value(a, *at)), words(rows.value(b, *at)));
                compare(a.unwrap_or_default(), b.unwrap_or_default())
            });
            parts.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        if (1..rows.len()).all(|row| compare(row - 1, row) != Ordering::Greater) {
            return None;
        }
        let has_key = |row| self.parts.iter().all(|(at, _)| words(rows.value(row, *at)).is_some());
        if !(0..rows.len()).all(has_key) {
            return None;
        }
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by(|a, b| compare(*a as usize, *b as usize));
        Some(order)
    }
}

fn words(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Text(words) | Value::Number(words) => Some(words),
        Value::Null | Value::Absent | Value::Bool(_) | Value::Json(_) => None,
    }
}

fn by_bytes(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}

/// As numbers, without exponents and leading zeros, which few keys have.
fn by_number(a: &[u8], b: &[u8]) -> Ordering {
    match (a.strip_prefix(b"-"), b.strip_prefix(b"-")) {
        (None, None) => by_size(a, b),
        (Some(a), Some(b)) => by_size(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

fn by_size(a: &[u8], b: &[u8]) -> Ordering {
    let whole =
        |number: &[u8]| number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    whole(a).cmp(&whole(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Shape;
    use crate::sink::mysql::samples;
    use crate::sink::mysql::settings::Mode;

    fn rows(values: &[Value<'_>]) -> Rows {
        let mut rows = Rows::new(Shape::Columns(["k".to_string(), "v".to_string()].into()));
        for (index, value) in values.iter().enumerate() {
            rows.begin(index as u64, 0);
            match value {
                Value::Text(text) => rows.text(text),
                Value::Number(words) => rows.number(words),
                _ => rows.null(),
            }
            rows.text(index.to_string().as_bytes());
        }
        rows
    }

    fn order(column: &str, values: &[Value<'_>]) -> Option<Vec<u32>> {
        let plan = samples::planned(Mode::Skip, &[column, "v text"], &[0]);
        KeyOrder::new(&plan).and_then(|order| order.of(&rows(values)))
    }

    #[test]
    fn numbers_and_texts_are_in_the_order_of_the_tree() {
        let texts = |words: &[&'static str]| -> Vec<Value<'static>> {
            words.iter().map(|word| Value::Text(word.as_bytes())).collect()
        };
        let number = "k bigint NOT NULL";
        let text = "k varchar(9) NOT NULL BIN";
        for (column, keys, expected) in [
            (number, &["9", "10", "11"][..], None),
            (number, &["10", "9", "100"], Some(vec![1, 0, 2])),
            (number, &["1", "-2", "-10", "0"], Some(vec![2, 1, 3, 0])),
            ("k decimal(9,2) NOT NULL", &["10.5", "9.75", "10"], Some(vec![1, 2, 0])),
            (text, &["10", "9", "100"], Some(vec![0, 2, 1])),
            // Of equal keys, what came first stays first.
            (number, &["2", "1", "2", "1"], Some(vec![1, 3, 0, 2])),
            (number, &[], None),
        ] {
            assert_eq!(order(column, &texts(keys)), expected, "{column} {keys:?}");
        }
    }

    #[test]
    fn rows_without_a_key_stay_where_they_are() {
        let values = [Value::Number(b"2"), Value::Null, Value::Number(b"1")];
        assert_eq!(order("k int", &values), None);
    }

    #[test]
    fn where_order_matters_it_stays() {
        let columns = ["k int NOT NULL", "v text"];
        let free = samples::planned(Mode::Upsert, &columns, &[0]);
        assert!(KeyOrder::new(&free).is_some());
        let mut seen = free.clone();
        seen.is_order_free = false;
        let mut another_key = free.clone();
        another_key.key.as_mut().unwrap().is_primary = false;
        let mut other_bytes = free.clone();
        other_bytes.key.as_mut().unwrap().is_binary = false;
        for plan in [seen, another_key, other_bytes] {
            assert!(KeyOrder::new(&plan).is_none());
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_are_ordered_as_numbers(numbers in prop::collection::vec(any::<i32>(), 0..50)) {
            let words: Vec<String> = numbers.iter().map(i32::to_string).collect();
            let values: Vec<Value<'_>> =
                words.iter().map(|words| Value::Number(words.as_bytes())).collect();
            let found = order("k int NOT NULL", &values);
            let mut expected: Vec<u32> = (0..numbers.len() as u32).collect();
            expected.sort_by_key(|row| numbers[*row as usize]);
            let is_in_order = expected.is_sorted();
            prop_assert_eq!(found, (!is_in_order).then_some(expected));
        }
    }
}
