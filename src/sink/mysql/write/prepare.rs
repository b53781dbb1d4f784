//! Rows to the text of LOAD DATA, which is also what other statements are made from. Pure.
//!
//! A column that a row has no value for is left to the server, and LOAD DATA can say that only of all its
//! rows. So rows that leave out the same columns stand together where nobody can tell, and a segment says
//! which do.

use std::hash::{BuildHasher, Hasher, RandomState};

use memchr::memchr3;

use super::group::{GROUPS_MAX, Group, Groups, SETS_MAX, are_between, sets, together, weave};
use super::order::KeyOrder;
use super::text::{DEFAULT, FIELD_END, ROW_END};
use crate::convert::Unfit;
use crate::error::{Error, Result};
use crate::record::{ErrorType, Rows, Value};
use crate::sink::mysql::escape;
use crate::sink::mysql::plan::{Absent, Bound, Plan};
use crate::sink::mysql::settings::Mode;
use crate::sink::mysql::value::Put;
use crate::sink::{Payload, Refused};

/// What a lane has to know of a segment beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The rows one after another. None where there would be too many groups for statements of their
    /// own.
    pub groups: Option<Vec<Group>>,
    /// No two rows have the same key, by their bytes.
    pub keys_differ: bool,
    /// Values of known fields that an upsert leaves as they are.
    pub kept: u64,
}

/// Turns rows into text, for one table.
pub struct Preparer {
    columns: Vec<Writer>,
    hasher: RandomState,
    has_keys: bool,
    sends_keys: bool,
    order: Option<KeyOrder>,
    /// Rows with different keys may change places.
    is_order_free: bool,
    /// Nothing tells rows apart, so none can take another's place.
    is_keyless: bool,
    is_upsert: bool,
}

struct Writer {
    bound: Bound,
    is_plain: bool,
    is_key: bool,
}

/// The longest that is made of few bytes: a point in time from a number.
const CANONICAL_BYTES_MAX: usize = 40;

/// What a row needs while rows are put into an order: its key's hash and its place, and what sorts
/// both, some of it grown by doubling.
const ORDER_BYTES: usize = 68;

/// What is set aside for escapes, as a part of the text.
const SPARE: usize = 16;

/// What escaping may do to a value. Text that becomes a JSON string was one before, and was escaped
/// there.
const ESCAPING: usize = 2;

impl Writer {
    /// What a field has that its value in the source need not have.
    fn bytes_beside(&self) -> usize {
        1 + CANONICAL_BYTES_MAX
    }

    /// What an absent field means.
    fn absent(&self) -> std::result::Result<Put, &'static str> {
        match self.bound.absent {
            Absent::Refused => Err("absent, and the column is NOT NULL and has no default"),
            Absent::Null => Ok(Put::Null),
            Absent::Left | Absent::Reset => Ok(Put::Default),
        }
    }
}

/// What is added up while rows are written.
#[derive(Default)]
struct Tally {
    rows: u64,
    groups: Groups,
    kept: u64,
    keys: Vec<u64>,
    /// Rows whose key has a part that the server makes.
    unknown_keys: u64,
    /// Which rows were written, where they were put into an order.
    written: Vec<u32>,
}

impl Preparer {
    /// `are_unique`: no two rows of the source have the same key, says the user.
    pub fn new(plan: &Plan, are_unique: bool) -> Preparer {
        let key = plan.key.as_ref().filter(|key| key.is_binary);
        let columns = key.map_or(&[][..], |key| &key.columns);
        let writer = |(index, bound): (usize, &Bound)| Writer {
            is_plain: bound.column.is_plain(),
            is_key: columns.contains(&index),
            bound: bound.clone(),
        };
        Preparer {
            columns: plan.columns.iter().enumerate().map(writer).collect(),
            hasher: RandomState::new(),
            has_keys: !columns.is_empty(),
            sends_keys: plan.lanes_max > 1 && !are_unique,
            order: KeyOrder::new(plan),
            is_order_free: plan.is_order_free,
            is_keyless: plan.key.is_none() && plan.other_keys.is_empty(),
            is_upsert: plan.mode == Mode::Upsert,
        }
    }

    /// The most bytes that this many bytes of fields become, with what it takes to put them into an
    /// order.
    pub fn footprint(&self, bytes: usize, records: u64) -> usize {
        let per_row: usize = self.columns.iter().map(Writer::bytes_beside).sum();
        bytes * ESCAPING + (per_row + ORDER_BYTES) * records as usize
    }

    pub fn prepare(
        &self,
        rows: &Rows,
        buffer: Vec<u8>,
        refused: &mut Vec<Refused>,
    ) -> Result<Payload> {
        if rows.shape().width() != self.columns.len() || rows.columns().is_empty() {
            return Err(Error::internal("rows do not have the columns that were asked for"));
        }
        let mut out = buffer;
        // What most segments need, so that none holds twice as much by doubling.
        let ends = rows.len() * self.columns.len();
        out.reserve_exact(rows.bytes() + ends + rows.bytes() / SPARE);
        let mut orders = self.orders_of(rows).into_iter();
        let mut order = orders.next();
        let mut tally = self.write_all(rows, order.as_deref(), &mut out, refused);
        while order.is_some() && !self.is_keyless && swaps_equals(&tally) {
            out.clear();
            refused.clear();
            order = orders.next();
            tally = self.write_all(rows, order.as_deref(), &mut out, refused);
        }
        let written = std::mem::take(&mut tally.written);
        Ok(Payload { order: order.map(|_| written), ..self.payload(out, tally) })
    }

    /// Appends all rows that fit, in this order if there is one.
    fn write_all(
        &self,
        rows: &Rows,
        order: Option<&[u32]>,
        out: &mut Vec<u8>,
        refused: &mut Vec<Refused>,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut escaping = Vec::new();
        let mut left = Vec::new();
        for place in 0..rows.len() {
            let row = order.map_or(place, |order| order[place] as usize);
            let start = out.len();
            match self.write(rows, row, out, &mut escaping, &mut left) {
                Ok(key) => {
                    tally.rows += 1;
                    tally.keys.extend(key);
                    if order.is_some() {
                        tally.written.push(row as u32);
                    }
                    self.note_left(&left, out.len(), &mut tally);
                }
                Err(refusal) => {
                    out.truncate(start);
                    refused.push(refusal);
                }
            }
            left.clear();
        }
        tally
    }

    fn note_left(&self, left: &[usize], end: usize, tally: &mut Tally) {
        if !left.is_empty() {
            let writers = || left.iter().map(|column| &self.columns[*column]);
            tally.unknown_keys += u64::from(writers().any(|writer| writer.is_key));
            if self.is_upsert {
                let is_kept = |bound: &Bound| bound.is_known && bound.absent == Absent::Left;
                tally.kept += writers().filter(|writer| is_kept(&writer.bound)).count() as u64;
            }
        }
        tally.groups.add(left, end);
    }

    /// The orders in which rows are written, where it is not that of the source, the best one first:
    /// by what they leave out, and by their keys. One that changes the places of equal keys will not do.
    fn orders_of(&self, rows: &Rows) -> Vec<Vec<u32>> {
        let by_key = self.order.as_ref().and_then(|order| order.of(rows));
        let Some(sets) = self.sets_of(rows) else { return by_key.into_iter().collect() };
        let mut order = by_key.unwrap_or_else(|| (0..rows.len() as u32).collect());
        let are_between = are_between(&order, &sets);
        together(&mut order, &sets);
        if !are_between {
            return vec![order];
        }
        let mut woven = order.clone();
        weave(&mut woven, &sets);
        vec![woven, order]
    }

    /// For each row a number, the same for rows that leave out the same columns. None where that is of
    /// no use: where there are too many for LOAD DATA, only in upserts have the rows of an INSERT to
    /// leave out the same.
    fn sets_of(&self, rows: &Rows) -> Option<Vec<u32>> {
        if !self.is_order_free || !rows.may_lack_values() {
            return None;
        }
        let sets_max = if self.is_upsert { SETS_MAX } else { GROUPS_MAX };
        let is_left = |(writer, value): (&Writer, Value<'_>)| {
            value == Value::Absent && writer.absent() == Ok(Put::Default)
        };
        let rows = (0..rows.len()).map(|row| self.columns.iter().zip(rows.row(row)).map(is_left));
        sets(rows, sets_max)
    }

    /// Appends one row, and gives the hash of its key if it has one.
    fn write(
        &self,
        rows: &Rows,
        row: usize,
        out: &mut Vec<u8>,
        escaping: &mut Vec<u8>,
        left: &mut Vec<usize>,
    ) -> std::result::Result<Option<u64>, Refused> {
        let mut key = self.has_keys.then(|| self.hasher.build_hasher());
        for (index, (writer, value)) in self.columns.iter().zip(rows.row(row)).enumerate() {
            let start = out.len();
            let Bound { column, rules, .. } = &writer.bound;
            let put = match value {
                Value::Absent => writer
                    .absent()
                    .map_err(|reason| Unfit { error_type: ErrorType::Null, reason: reason.into() }),
                value => column.put(value, rules, out),
            };
            let put = put.map_err(|unfit| Refused {
                row,
                column: Some(column.name.clone()),
                error_type: unfit.error_type,
                reason: unfit.reason,
            })?;
            match put {
                Put::Text => {
                    if let (true, Some(key)) = (writer.is_key, &mut key) {
                        key.write_usize(out.len() - start);
                        key.write(&out[start..]);
                    }
                    if !writer.is_plain {
                        escape_from(start, out, escaping);
                    }
                }
                Put::Null => out.extend_from_slice(escape::NULL),
                Put::Default => {
                    out.extend_from_slice(DEFAULT);
                    left.push(index);
                }
            }
            // NULL is equal to nothing, and what the server computes is not known here.
            if writer.is_key && put != Put::Text {
                key = None;
            }
            out.push(FIELD_END);
        }
        if let Some(last) = out.last_mut() {
            *last = ROW_END;
        }
        Ok(key.map(|key| key.finish()))
    }

    fn payload(&self, out: Vec<u8>, tally: Tally) -> Payload {
        let Tally { rows, groups, kept, mut keys, unknown_keys, .. } = tally;
        keys.sort_unstable();
        let detail = Detail {
            groups: groups.finish(),
            keys_differ: self.has_keys
                && unknown_keys == 0
                && keys.windows(2).all(|two| two[0] != two[1]),
            kept,
        };
        if !self.sends_keys {
            keys = Vec::new();
        }
        keys.dedup();
        Payload {
            bytes: out.into(),
            rows,
            keys,
            detail: Some(std::sync::Arc::new(detail)),
            ..Payload::default()
        }
    }
}

/// Whether rows with equal keys do not stand in the order in which they came.
fn swaps_equals(tally: &Tally) -> bool {
    let Tally { keys, written, .. } = tally;
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    if sorted.windows(2).all(|two| two[0] != two[1]) {
        return false;
    }
    let mut places: Vec<usize> = (0..keys.len()).collect();
    places.sort_by_key(|place| keys[*place]);
    // Each row has a key, or there would be no order.
    keys.len() != written.len()
        || places.windows(2).any(|two| {
            let [a, b] = [two[0], two[1]];
            keys[a] == keys[b] && written[a] > written[b]
        })
}

/// Escapes what stands from `start` on. Most values need none of it and stay where they are.
fn escape_from(start: usize, out: &mut Vec<u8>, escaping: &mut Vec<u8>) {
    let value = &out[start..];
    let is_needed =
        memchr3(b'\\', b'\t', b'\n', value).is_some() || memchr3(b'\r', 0, 0x1A, value).is_some();
    if !is_needed {
        return;
    }
    escaping.clear();
    escaping.extend_from_slice(&out[start..]);
    out.truncate(start);
    escape::field(out, escaping);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::record::Shape;
    use crate::sink::mysql::samples;
    use crate::sink::mysql::write::text::{Field, TextRows, fields};

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

    fn prepared(
        columns: &[&str],
        key: &[usize],
        values: &[&[Value<'_>]],
    ) -> (Payload, Vec<Refused>) {
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
                let found: Vec<Field<'_>> = fields(found.row(row)).collect();
                let text = text.as_ref().map(|text| Field::Text(text.as_bytes().into()));
                prop_assert_eq!(&found[..], &[text.unwrap_or(Field::Null), Field::Text(bytes.as_bytes().into())]);
            }
            let bytes: usize =
                texts.iter().map(|(text, bytes)| text.as_ref().map_or(0, String::len) + bytes.len()).sum();
            prop_assert!(payload.bytes.len() <= preparer.footprint(bytes, texts.len() as u64));
        }
    }
}
