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
use crate::sink::mysql::plan::{Absent, BoundColumn, Plan};
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
    /// Numbers in JSON that MySQL makes others of.
    pub near: u64,
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
    bound: BoundColumn,
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
    near: u64,
    keys: Vec<u64>,
    /// Rows whose key has a part that the server makes.
    unknown_keys: u64,
    /// Which rows were written, where they were put into an order.
    written: Vec<u32>,
}

/// What there is to say of one row.
#[derive(Default)]
struct Noted {
    /// The columns that are left to the server.
    left: Vec<usize>,
    near: u64,
}

impl Preparer {
    /// `are_unique`: no two rows of the source have the same key, says the user.
    pub fn new(plan: &Plan, are_unique: bool) -> Preparer {
        let key = plan.key.as_ref().filter(|key| key.is_binary);
        let columns = key.map_or(&[][..], |key| &key.columns);
        let writer = |(index, bound): (usize, &BoundColumn)| Writer {
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
        let has_no_columns = rows.columns().is_empty() && !rows.is_empty();
        if rows.shape().width() != self.columns.len() || has_no_columns {
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
        let mut noted = Noted::default();
        for place in 0..rows.len() {
            let row = order.map_or(place, |order| order[place] as usize);
            let start = out.len();
            match self.write(rows, row, out, &mut escaping, &mut noted) {
                Ok(key) => {
                    tally.rows += 1;
                    tally.keys.extend(key);
                    if order.is_some() {
                        tally.written.push(row as u32);
                    }
                    tally.near += noted.near;
                    self.note_left(&noted.left, out.len(), &mut tally);
                }
                Err(refusal) => {
                    out.truncate(start);
                    refused.push(refusal);
                }
            }
            noted.left.clear();
            noted.near = 0;
        }
        tally
    }

    fn note_left(&self, left: &[usize], end: usize, tally: &mut Tally) {
        if !left.is_empty() {
            let writers = || left.iter().map(|column| &self.columns[*column]);
            tally.unknown_keys += u64::from(writers().any(|writer| writer.is_key));
            if self.is_upsert {
                let is_kept = |bound: &BoundColumn| bound.is_known && bound.absent == Absent::Left;
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
        noted: &mut Noted,
    ) -> std::result::Result<Option<u64>, Refused> {
        let mut key = self.has_keys.then(|| self.hasher.build_hasher());
        for (index, (writer, value)) in self.columns.iter().zip(rows.row(row)).enumerate() {
            let start = out.len();
            let BoundColumn { column, rules, .. } = &writer.bound;
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
                Put::Text | Put::NearText(_) => {
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
                    noted.left.push(index);
                }
            }
            // NULL is equal to nothing, and what the server computes is not known here.
            match put {
                Put::NearText(numbers) => noted.near += numbers,
                Put::Null | Put::Default if writer.is_key => key = None,
                Put::Text | Put::Null | Put::Default => {}
            }
            out.push(FIELD_END);
        }
        if let Some(last) = out.last_mut() {
            *last = ROW_END;
        }
        Ok(key.map(|key| key.finish()))
    }

    fn payload(&self, out: Vec<u8>, tally: Tally) -> Payload {
        let Tally { rows, groups, kept, near, mut keys, unknown_keys, .. } = tally;
        keys.sort_unstable();
        let detail = Detail {
            groups: groups.finish(),
            keys_differ: self.has_keys
                && unknown_keys == 0
                && keys.windows(2).all(|two| two[0] != two[1]),
            kept,
            near,
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
mod tests;
