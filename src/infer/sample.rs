//! Shapes by the names of their fields.

use std::collections::HashMap;

use super::choice::{Origin, column_type};
use super::shape::Shape;
use super::widen::Dated;
use crate::convert::date::calendar::{DAY_MAX, DAY_MIN};
use crate::convert::date::{DateFormat, ParsedTime};
use crate::record::{ColumnType, Field, FieldKind, Offsets};

/// What was seen so far, in the order in which fields first came.
#[derive(Default)]
pub struct Sample {
    pub records: u64,
    /// There are more names than are kept.
    pub is_full: bool,
    name_bytes: usize,
    fields: Vec<Seen>,
    places: HashMap<String, usize>,
    /// How dates are read of fields that did not come yet.
    formats: HashMap<String, DateFormat>,
}

/// One field.
pub struct Seen {
    pub name: String,
    pub shape: Shape,
    pub dated: Dated,
    /// Some value was more than null or an empty array.
    pub is_something: bool,
    /// How many values were of which kind, and what these have in common.
    kinds: [(u64, Shape); KINDS],
    format: Option<DateFormat>,
}

/// Values that make a column text, where without them it would be something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few {
    pub values: u64,
    pub of: u64,
    pub otherwise: ColumnType,
}

/// Several times what a table may have, for a choice among them: 30 MB at most.
const NAMES_MAX: usize = 10_000;
/// Of all of them.
const NAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One value in so many is few.
const FEW: u64 = 20;

const KINDS: usize = 9;

/// Values of one kind go into one column.
fn kind(shape: &Shape) -> usize {
    let Some(texts) = shape.texts else {
        return if shape.numbers.is_some() { 7 } else { 8 };
    };
    let all = texts.all;
    let kinds = [all.number, all.bool, all.day, all.clock, all.point, all.time_of_day];
    kinds.iter().position(|is_it| *is_it).unwrap_or(kinds.len())
}

/// A value, as far as a sample wants to know it.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Null,
    Text(&'a [u8]),
    Number(&'a [u8]),
    Bool,
    Json,
    /// An array without anything in it.
    EmptyJson,
}

impl Sample {
    /// Dates of this field are to be read by this format, when it comes.
    pub fn expect_dates(&mut self, name: &str, format: DateFormat) {
        self.formats.insert(name.to_string(), format);
    }

    /// A column that is known to be there.
    pub fn expect(&mut self, name: &str) {
        self.field(name);
    }

    /// A name that a record has, which may be anything: beyond what a table could hold, others are left out.
    pub fn see(&mut self, name: &str, value: Value<'_>) {
        let is_new = !self.places.contains_key(name);
        let has_room =
            self.fields.len() < NAMES_MAX && self.name_bytes + name.len() <= NAME_BYTES_MAX;
        if is_new && !has_room && !self.formats.contains_key(name) {
            self.is_full = true;
            return;
        }
        self.field(name).see(value);
    }

    /// By the order in which fields first came.
    pub fn see_at(&mut self, place: usize, value: Value<'_>) {
        self.fields[place].see(value);
    }

    pub fn fields(&self) -> &[Seen] {
        &self.fields
    }

    pub fn find(&self, name: &str) -> Option<&Seen> {
        self.places.get(name).map(|place| &self.fields[*place])
    }

    fn field(&mut self, name: &str) -> &mut Seen {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = self.fields.len();
                self.places.insert(name.to_string(), place);
                self.name_bytes += name.len();
                self.fields.push(Seen {
                    name: name.to_string(),
                    shape: Shape::default(),
                    dated: Dated::default(),
                    is_something: false,
                    kinds: [(0, Shape::default()); KINDS],
                    format: self.formats.remove(name),
                });
                place
            }
        };
        &mut self.fields[place]
    }
}

impl Seen {
    /// The field, with the type of a column that takes all that was seen.
    pub fn field(&self, origin: Origin) -> Field {
        let column_type = column_type(&self.shape, origin);
        let (kind, words) = described(column_type);
        Field {
            column_type,
            characters_seen: self.shape.characters(),
            offsets: column_type.and_then(|column_type| offsets(&self.shape, column_type)),
            ..Field::new(&self.name, kind, words)
        }
    }

    pub fn few(&self, origin: Origin) -> Option<Few> {
        let of = self.kinds.iter().map(|(count, _)| count).sum();
        let (most, shape) = self.kinds.iter().max_by_key(|(count, _)| *count)?;
        let (values, otherwise) = (of - most, column_type(shape, origin)?);
        let is_text = |column_type| column_type == ColumnType::Text;
        let is_few = values > 0 && values * FEW <= of;
        (is_few && column_type(&self.shape, origin).is_some_and(is_text) && !is_text(otherwise))
            .then_some(Few { values, of, otherwise })
    }

    pub fn see(&mut self, value: Value<'_>) {
        let shape = match value {
            Value::Null => return,
            Value::Text(text) => Shape::of_text(text),
            Value::Number(words) => Shape::of_number(words),
            Value::Bool => Shape::BOOL,
            Value::Json | Value::EmptyJson => Shape::JSON,
        };
        self.is_something |= !matches!(value, Value::EmptyJson);
        self.shape = self.shape.join(shape);
        let (count, of_kind) = &mut self.kinds[kind(&shape)];
        *count += 1;
        *of_kind = of_kind.join(shape);
        if let (Some(format), Value::Text(text) | Value::Number(text)) = (&self.format, value) {
            let dated = Dated::of(format.read(text).ok());
            self.dated = self.dated.join(dated);
        }
    }
}

fn offsets(shape: &Shape, column_type: ColumnType) -> Option<Offsets> {
    let ColumnType::DateTime(_) = column_type else { return None };
    match shape.texts?.all.point {
        true => Some(Offsets::Always),
        false => Some(Offsets::Never),
    }
}

/// A type as fields of files are called by.
fn described(column_type: Option<ColumnType>) -> (FieldKind, &'static str) {
    use ColumnType::{
        Base64, Bool, Date, DateTime, Decimal, Double, Int, Json, Text, Time, Varchar,
    };
    match column_type {
        None => (FieldKind::Unknown, "null"),
        Some(Text | Varchar(_)) => (FieldKind::Text, "text"),
        Some(Int { is_unsigned: false }) => (FieldKind::Int(64), "int"),
        Some(Int { is_unsigned: true }) => (FieldKind::Unsigned(64), "int"),
        Some(Decimal { .. }) => (FieldKind::Decimal, "decimal"),
        Some(Double) => (FieldKind::Float(64), "float"),
        Some(Bool) => (FieldKind::Bool, "bool"),
        Some(Date) => (FieldKind::Text, "date"),
        Some(DateTime(_)) => (FieldKind::Text, "datetime"),
        Some(Time(_)) => (FieldKind::Text, "time"),
        Some(Json) => (FieldKind::Json, "json"),
        Some(Base64) => (FieldKind::Base64, "base64"),
    }
}

impl Dated {
    /// A day at either end of the calendar may become one beyond it by an offset.
    fn of(reading: Option<ParsedTime>) -> Dated {
        match reading {
            Some(reading) if (DAY_MIN + 1..DAY_MAX).contains(&reading.days) => {
                let nanos = reading.nanos();
                let zeros = (0..9).take_while(|place| nanos % 10u32.pow(place + 1) == 0).count();
                Dated { has_others: false, fraction: 9 - zeros as u8 }
            }
            _ => Dated { has_others: true, fraction: 0 },
        }
    }

    pub fn join(self, other: Dated) -> Dated {
        Dated {
            has_others: self.has_others || other.has_others,
            fraction: self.fraction.max(other.fraction),
        }
    }
}
