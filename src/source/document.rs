//! A JSON object to a row: whole, or the fields that are wanted. Pure.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Others, Wanted};
use crate::convert::without_line_ends;
use crate::error::{Error, Result};
use crate::record::{ErrorType, Place, Rejected, Rows, Shape, Value, without_line_end};

/// Takes objects apart, all in the same way.
pub struct Picker {
    shape: Shape,
    /// Columns by field name: with `a=x,b=x` one field feeds two.
    columns: HashMap<String, Vec<usize>>,
    /// Columns that hold what stands beside the object, by its name.
    beside: Vec<(String, usize)>,
    others: Others,
    /// Fields that are left out without a word.
    silent: HashSet<String>,
    /// An object in an object is its fields, named `outer.inner`, unless it is a column itself.
    flatten: bool,
}

/// Why an object is not a row.
#[derive(Debug)]
pub struct Refusal {
    pub error_type: ErrorType,
    pub reason: String,
    pub column: Option<String>,
    /// No record after it is of use.
    pub ends_run: bool,
}

impl Refusal {
    pub fn new(error_type: ErrorType, reason: impl Into<String>) -> Refusal {
        Refusal { error_type, reason: reason.into(), column: None, ends_run: false }
    }

    /// The record on this line as a rejected one; an error where the run is to end with it.
    pub fn reject(self, place: Place, line: &[u8]) -> Result<Rejected> {
        let place = match self.column {
            Some(column) => place.column(column),
            None => place,
        };
        if self.ends_run {
            return Err(Error::data(self.error_type, self.reason).at(place));
        }
        let raw = without_line_end(line).to_vec();
        Ok(Rejected { place, error_type: self.error_type, reason: self.reason, raw })
    }

    fn column(mut self, column: impl Into<String>) -> Refusal {
        self.column = Some(column.into());
        self
    }
}

type Outcome = std::result::Result<(), Refusal>;

impl Picker {
    /// `beside` are the names of what stands beside an object, such as `_id`.
    pub fn new(wanted: &Wanted, beside: &[&str], flatten: bool) -> Picker {
        let (names, others) = match wanted {
            Wanted::Everything => (None, Others::Ignore),
            Wanted::Fields { names, others } => (Some(names.clone()), others.clone()),
        };
        let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
        let mut besides = Vec::new();
        for (index, name) in names.iter().flatten().enumerate() {
            if beside.contains(&name.as_str()) {
                besides.push((name.clone(), index));
            } else {
                columns.entry(name.clone()).or_default().push(index);
            }
        }
        let silent = match &others {
            Others::Stop { except } | Others::Count { except } => except.iter().cloned().collect(),
            Others::Ignore | Others::Reject => HashSet::new(),
        };
        let shape = match names {
            Some(names) => Shape::Columns(names.into()),
            None => Shape::Documents,
        };
        Picker { shape, columns, beside: besides, others, silent, flatten }
    }

    /// Objects are taken whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.shape, Shape::Documents)
    }

    pub fn shape(&self) -> Shape {
        self.shape.clone()
    }

    /// Fills the row that was begun. `beside` gives what stands beside the object.
    pub fn row<'a>(
        &self,
        object: &str,
        beside: impl Fn(&str) -> Value<'a>,
        rows: &mut Rows,
    ) -> Outcome {
        let object = object.trim_end();
        if !object.trim_start().starts_with('{') {
            return Err(Refusal::new(ErrorType::Parse, "not a JSON object"));
        }
        let Shape::Columns(columns) = &self.shape else {
            serde_json::from_str::<IgnoredAny>(object).map_err(|cause| unparsed(&cause))?;
            rows.json(object.trim_start().as_bytes());
            return Ok(());
        };
        let fields: Object = serde_json::from_str(object).map_err(|cause| unparsed(&cause))?;
        let mut values = vec![Picked::Absent; columns.len()];
        for (name, column) in &self.beside {
            values[*column] = Picked::Beside(beside(name));
        }
        self.pick("", fields, &mut values, rows)?;
        for (column, value) in values.into_iter().enumerate() {
            let put = match value {
                Picked::Absent => put(None, rows),
                Picked::Field(value) => put(Some(value), rows),
                Picked::Beside(value) => {
                    put_beside(value, rows);
                    Ok(())
                }
            };
            put.map_err(|reason| {
                Refusal::new(ErrorType::Encoding, reason).column(&columns[column])
            })?;
        }
        Ok(())
    }

    fn pick<'a>(
        &self,
        prefix: &str,
        fields: Object<'a>,
        values: &mut [Picked<'a>],
        rows: &mut Rows,
    ) -> Outcome {
        for (name, value) in fields.0 {
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}").into() };
            let Some(fed) = self.columns.get(name.as_ref()) else {
                if self.flatten
                    && value.get().starts_with('{')
                    && let Ok(inner) = serde_json::from_str(value.get())
                {
                    self.pick(&name, inner, values, rows)?;
                } else {
                    self.leave_out(&name, rows)?;
                }
                continue;
            };
            let is_repeated = !matches!(values[fed[0]], Picked::Absent);
            fed.iter().for_each(|&column| values[column] = Picked::Field(value));
            if is_repeated {
                let reason = "the field occurs twice in one object";
                return Err(Refusal::new(ErrorType::Parse, reason).column(name));
            }
        }
        Ok(())
    }

    /// A field that is no column.
    fn leave_out(&self, name: &str, rows: &mut Rows) -> Outcome {
        let reason = match &self.others {
            Others::Ignore => return Ok(()),
            Others::Stop { .. } | Others::Count { .. } if self.silent.contains(name) => {
                return Ok(());
            }
            Others::Count { .. } => {
                rows.fields_ignored += 1;
                return Ok(());
            }
            Others::Stop { .. } => {
                "a field that the target has no column for; add the column, choose fields with --select, or say --new-fields ignore"
            }
            Others::Reject => {
                "a field that is no column, as the first records or the mapping do not have it; choose the fields with --select"
            }
        };
        let refusal = Refusal::new(ErrorType::TypeMismatch, reason).column(name);
        Err(Refusal { ends_run: matches!(self.others, Others::Stop { .. }), ..refusal })
    }
}

#[derive(Clone, Copy)]
enum Picked<'a> {
    Absent,
    Field(&'a RawValue),
    Beside(Value<'a>),
}

/// The parser's words hold a line and a column; the line is always 1 and the column is the byte.
fn unparsed(cause: &serde_json::Error) -> Refusal {
    let text = cause.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let reason = format!("not valid JSON at byte {} of the line: {what}", cause.column());
    Refusal::new(ErrorType::Parse, reason)
}

fn put(value: Option<&RawValue>, rows: &mut Rows) -> std::result::Result<(), String> {
    let Some(value) = value else {
        rows.absent();
        return Ok(());
    };
    let words = value.get().as_bytes();
    match words[0] {
        b'n' => rows.null(),
        b't' => rows.bool(true),
        b'f' => rows.bool(false),
        b'"' => {
            let text: Cow<str> =
                serde_json::from_str::<Text>(value.get()).map(|text| text.0).map_err(|_| {
                    "the string holds half of a surrogate pair, which is no text".to_string()
                })?;
            rows.text(text.as_bytes());
        }
        b'{' | b'[' => rows.json(&without_line_ends(words)),
        _ => rows.number(words),
    }
    Ok(())
}

fn put_beside(value: Value<'_>, rows: &mut Rows) {
    match value {
        Value::Null => rows.null(),
        Value::Absent => rows.absent(),
        Value::Bool(value) => rows.bool(value),
        Value::Text(text) => rows.text(text),
        Value::Number(words) => rows.number(words),
        Value::Json(words) => rows.json(words),
    }
}

/// A string, borrowed unless it holds escapes.
#[derive(Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The fields of an object as they stand, repeated ones included.
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(name), value)) = map.next_entry::<Text, &RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
