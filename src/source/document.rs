//! A JSON object to a row: whole, or the fields that are wanted. Pure.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::named_fields::SeenFields;
use super::tree::Tree;
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
    metadata: Vec<(String, usize)>,
    others: Others,
    /// Fields that are left out without a word.
    silent: HashSet<String>,
    /// An object in an object is its fields, named `outer.inner`, unless it is a column itself.
    flatten: bool,
    /// `a.b` is the field `b` of the object `a`, however it is written.
    dots_are_paths: bool,
    /// What lies above fields that are known, such as `a` above `a.b`, with the columns below it.
    parents: HashMap<String, Vec<usize>>,
    watch: Option<Arc<SeenFields>>,
    /// What stands between the names of fields in objects, where they are columns.
    separator: Option<String>,
    /// What may lie above columns by their names, joined in the same way: `a` where there is `a_b`.
    may_be_above: HashSet<String>,
}

/// Objects in objects that are looked into. More than any server maps (20, if nobody says more), and
/// far from what the stack of a worker holds.
pub const LEVELS_MAX: usize = 128;

/// Why an object is not a row.
#[derive(Debug)]
pub struct RecordFault {
    pub error_type: ErrorType,
    pub reason: String,
    pub column: Option<String>,
    /// No record after it is of use.
    pub ends_run: bool,
}

impl RecordFault {
    pub fn new(error_type: ErrorType, reason: impl Into<String>) -> RecordFault {
        RecordFault { error_type, reason: reason.into(), column: None, ends_run: false }
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

    fn column(mut self, column: impl Into<String>) -> RecordFault {
        self.column = Some(column.into());
        self
    }
}

type RowResult = std::result::Result<(), RecordFault>;

impl Picker {
    /// `metadata` are the names of what stands beside an object, such as `_id`.
    pub fn new(wanted: &Wanted, metadata: &[&str], flatten: bool) -> Picker {
        let (names, others) = match wanted {
            Wanted::Everything => (None, Others::Ignore),
            Wanted::Fields { names, others } => (Some(names.clone()), others.clone()),
        };
        let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
        let mut metadata_columns = Vec::new();
        for (index, name) in names.iter().flatten().enumerate() {
            if metadata.contains(&name.as_str()) {
                metadata_columns.push((name.clone(), index));
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
        let parents = if flatten { parents(&columns, &silent) } else { HashMap::new() };
        let dots_are_paths = false;
        let metadata = metadata_columns;
        let watch = None;
        Picker {
            shape,
            columns,
            metadata,
            others,
            silent,
            flatten,
            dots_are_paths,
            parents,
            watch,
            separator: None,
            may_be_above: HashSet::new(),
        }
    }

    /// A column `a_b` may be for the field `b` of the object `a`, which nobody has seen yet.
    pub fn joined_by(mut self, separator: Option<&str>) -> Picker {
        if let Some(separator) = separator {
            let names = self.columns.keys().flat_map(|name| {
                name.match_indices(separator).map(|(at, _)| name[..at].to_string())
            });
            self.may_be_above = names.collect();
            self.separator = Some(separator.to_string());
        }
        self
    }

    /// The name of a field as its column has it.
    fn joined(&self, name: &str) -> Option<String> {
        let separator = self.separator.as_ref()?;
        Some(name.replace('.', separator))
    }

    fn is_above_by_name(&self, name: &str) -> bool {
        self.joined(name).is_some_and(|joined| self.may_be_above.contains(&joined))
    }

    /// Names are as Elasticsearch takes them: `{"a.b":1}` is another way to write `{"a":{"b":1}}`.
    pub fn with_paths(mut self) -> Picker {
        self.dots_are_paths = true;
        self.parents = parents(&self.columns, &self.silent);
        self
    }

    /// What the records have is to be seen.
    pub fn watched(mut self, watch: Option<Arc<SeenFields>>) -> Picker {
        self.watch = watch;
        self
    }

    /// For an object that is taken whole, and past this.
    pub fn saw_whole(&self, object: &str) {
        if let Some(watch) = &self.watch {
            watch.saw_document(object);
        }
    }

    /// Objects are taken whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.shape, Shape::Documents)
    }

    /// The most columns that one field fills. An object that is a column may hold others.
    pub fn copies_max(&self) -> usize {
        self.columns.values().map(Vec::len).max().unwrap_or(1)
    }

    pub fn shape(&self) -> Shape {
        self.shape.clone()
    }

    /// Fills the row that was begun. `metadata` gives what stands beside the object.
    pub fn row<'a>(
        &self,
        object: &str,
        metadata: impl Fn(&str) -> Value<'a>,
        rows: &mut Rows,
    ) -> RowResult {
        // Other white space is none to JSON.
        let object = object.trim_matches([' ', '\t', '\r', '\n']);
        if !object.starts_with('{') {
            return Err(RecordFault::new(ErrorType::Parse, "not a JSON object"));
        }
        let Shape::Columns(columns) = &self.shape else {
            serde_json::from_str::<IgnoredAny>(object).map_err(|cause| unparsed(&cause))?;
            self.saw_whole(object);
            rows.json(object.as_bytes());
            return Ok(());
        };
        if columns.is_empty() {
            return Err(RecordFault::new(
                ErrorType::TypeMismatch,
                "there are no columns, as the first records have no fields; choose fields with --select",
            ));
        }
        let fields: Object = serde_json::from_str(object).map_err(|cause| unparsed(&cause))?;
        let mut harvest =
            Harvest { values: vec![Picked::Absent; columns.len()], trees: Vec::new() };
        for (name, column) in &self.metadata {
            harvest.values[*column] = Picked::Metadata(metadata(name));
        }
        self.pick("", fields, 0, &mut harvest, rows)?;
        for (column, value) in harvest.values.into_iter().enumerate() {
            if let Some(watch) = &self.watch
                && !matches!(value, Picked::Absent | Picked::Metadata(Value::Absent))
            {
                watch.saw(column);
            }
            let put = match value {
                Picked::Absent => put(None, rows),
                Picked::Field(value) => put(Some(value), rows),
                Picked::Tree(index) => {
                    rows.json(&without_line_ends(&harvest.trees[index].words()));
                    Ok(())
                }
                Picked::Metadata(value) => {
                    put_metadata(value, rows);
                    Ok(())
                }
            };
            put.map_err(|reason| {
                RecordFault::new(ErrorType::Encoding, reason).column(&columns[column])
            })?;
        }
        if let Some(watch) = &self.watch {
            watch.saw_row();
        }
        Ok(())
    }

    fn pick<'a>(
        &self,
        prefix: &str,
        fields: Object<'a>,
        level: usize,
        harvest: &mut Harvest<'a>,
        rows: &mut Rows,
    ) -> RowResult {
        for (name, value) in fields.0 {
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}").into() };
            let fed = self.columns.get(name.as_ref());
            let by_name = || self.columns.get(&self.joined(&name).filter(|_| name.contains('.'))?);
            let Some(fed) = fed.or_else(by_name) else {
                self.unfold(prefix, &name, value, level, harvest, rows)?;
                continue;
            };
            let is_repeated = !matches!(harvest.values[fed[0]], Picked::Absent);
            fed.iter().for_each(|&column| harvest.values[column] = Picked::Field(value));
            if is_repeated {
                return Err(self.met(&name));
            }
        }
        Ok(())
    }

    /// Two fields of one name, or of names that are the same once they are joined.
    fn met(&self, name: &str) -> RecordFault {
        let Some(separator) = &self.separator else { return repeated(name) };
        let reason = match name.contains('.') {
            true => format!(
                "the fields '{}' and '{}' both go into this column",
                name.escape_debug(),
                name.replace('.', separator).escape_debug()
            ),
            false => format!(
                "the field '{}' and one in an object, joined by '{}', both go into this column",
                name.escape_debug(),
                separator.escape_debug()
            ),
        };
        RecordFault::new(ErrorType::Parse, reason).column(name)
    }

    /// A field that is no column: it may be part of one, or have parts that are.
    fn unfold<'a>(
        &self,
        prefix: &str,
        name: &str,
        value: &'a RawValue,
        level: usize,
        harvest: &mut Harvest<'a>,
        rows: &mut Rows,
    ) -> RowResult {
        if self.dots_are_paths && name[prefix.len()..].trim_start_matches('.').contains('.') {
            for (at, _) in name.match_indices('.').filter(|(at, _)| *at > prefix.len()) {
                let (above, path) = (&name[..at], &name[at + 1..]);
                if let Some(fed) = self.columns.get(above) {
                    return harvest.plant(fed, above, path, value);
                }
                if self.silent.contains(above) {
                    return Ok(());
                }
            }
        }
        let below = self.parents.get(name);
        let words = value.get();
        if words.starts_with('{') {
            let is_open = match &self.others {
                // Whatever is in there, nobody asked for it.
                Others::Ignore => below.is_some() || self.is_above_by_name(name),
                _ => below.is_some() || self.flatten && !self.silent.contains(name),
            };
            if is_open && level == LEVELS_MAX && !matches!(self.others, Others::Count { .. }) {
                let reason = format!(
                    "objects nested deeper than {LEVELS_MAX} levels, which --flatten does not look into; choose other fields with --select"
                );
                let top = name.split('.').next().unwrap_or_default();
                return Err(RecordFault::new(ErrorType::TooLarge, reason).column(top));
            }
            if is_open
                && level < LEVELS_MAX
                && let Ok(inner) = serde_json::from_str(words)
            {
                return self.pick(name, inner, level + 1, harvest, rows);
            }
        } else if let Some(below) = below {
            if is_nothing(words) {
                return harvest.clear(below, name);
            }
            if words.starts_with('[') && !matches!(self.others, Others::Count { .. }) {
                return match below.first() {
                    Some(_) => Err(RecordFault::new(
                        ErrorType::TypeMismatch,
                        "an array, and the fields of its objects are columns; give it a column of its own with --select, or leave its fields out",
                    )
                    .column(name)),
                    None => Ok(()),
                };
            }
        }
        // Nobody knows whether it is the column's object that is nothing: the column is left alone.
        if is_nothing(words) && self.is_above_by_name(name) {
            return Ok(());
        }
        self.leave_out(name, rows)
    }

    fn has_twin(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.columns.keys().any(|other| other.to_lowercase() == name)
    }

    /// A field that is no column.
    fn leave_out(&self, name: &str, rows: &mut Rows) -> RowResult {
        let reason = match &self.others {
            Others::Ignore => return Ok(()),
            Others::Stop { .. } | Others::Count { .. } if self.silent.contains(name) => {
                return Ok(());
            }
            Others::Count { .. } => {
                rows.fields_ignored += 1;
                return Ok(());
            }
            Others::Stop { .. } if self.has_twin(name) => {
                "a field whose name differs from that of another in upper and lower case alone, which the target does not tell apart; say with --select COLUMN=FIELD what goes where, or say --new-fields ignore"
            }
            Others::Stop { .. } => {
                "a field that the target has no column for; add the column, choose fields with --select, or say --new-fields ignore"
            }
            Others::Reject => {
                "a field that is no column, as the first records or the mapping do not have it; choose the fields with --select"
            }
        };
        let refusal = RecordFault::new(ErrorType::TypeMismatch, reason).column(name);
        Err(RecordFault { ends_run: matches!(self.others, Others::Stop { .. }), ..refusal })
    }
}

/// What lies above the fields that are known, with the columns below it.
fn parents(
    columns: &HashMap<String, Vec<usize>>,
    silent: &HashSet<String>,
) -> HashMap<String, Vec<usize>> {
    let mut parents: HashMap<String, Vec<usize>> = HashMap::new();
    let fed = columns.iter().map(|(name, fed)| (name, &fed[..]));
    for (name, fed) in fed.chain(silent.iter().map(|name| (name, &[][..]))) {
        for (at, _) in name.match_indices('.') {
            parents.entry(name[..at].to_string()).or_default().extend(fed);
        }
    }
    parents
}

/// What Elasticsearch takes for an object without any of its fields.
pub fn is_nothing(words: &str) -> bool {
    let inner = words.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let is_empty = |inner: &str| inner.trim().is_empty();
    let is_null = |word: &str| word.trim() == "null";
    words == "null" || inner.is_some_and(|inner| is_empty(inner) || inner.split(',').all(is_null))
}

/// What was found in an object.
struct Harvest<'a> {
    values: Vec<Picked<'a>>,
    trees: Vec<Tree<'a>>,
}

#[derive(Clone, Copy)]
enum Picked<'a> {
    Absent,
    Field(&'a RawValue),
    /// Fields with dots in their names that make an object together.
    Tree(usize),
    Metadata(Value<'a>),
}

impl<'a> Harvest<'a> {
    /// Adds to the object that columns get.
    fn plant(&mut self, fed: &[usize], name: &str, path: &str, value: &'a RawValue) -> RowResult {
        if path.matches('.').count() >= LEVELS_MAX {
            let reason = format!("a name with more than {LEVELS_MAX} dots");
            return Err(RecordFault::new(ErrorType::TooLarge, reason).column(name));
        }
        if let Picked::Absent = self.values[fed[0]] {
            fed.iter().for_each(|&column| self.values[column] = Picked::Tree(self.trees.len()));
            self.trees.push(Tree::default());
        }
        match self.values[fed[0]] {
            Picked::Tree(index) if self.trees[index].put(path, value) => Ok(()),
            _ => Err(repeated(name)),
        }
    }

    /// An object that is null: so are its fields.
    fn clear(&mut self, columns: &[usize], name: &str) -> RowResult {
        for &column in columns {
            if !matches!(self.values[column], Picked::Absent) {
                return Err(repeated(name));
            }
            self.values[column] = Picked::Metadata(Value::Null);
        }
        Ok(())
    }
}

fn repeated(name: &str) -> RecordFault {
    let reason = "the field occurs twice in one object";
    RecordFault::new(ErrorType::Parse, reason).column(name)
}

/// The parser's words hold a line and a column; the line is always 1 and the column is the byte.
fn unparsed(cause: &serde_json::Error) -> RecordFault {
    let text = cause.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    if what == TOO_MANY_FIELDS {
        return RecordFault::new(ErrorType::TooLarge, TOO_MANY_FIELDS);
    }
    let reason = format!("not valid JSON at byte {} of the line: {what}", cause.column());
    RecordFault::new(ErrorType::Parse, reason)
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
                serde_json::from_str::<JsonText>(value.get()).map(|text| text.0).map_err(|_| {
                    "the string holds half of a surrogate pair, which is no text".to_string()
                })?;
            rows.text(text.as_bytes());
        }
        b'{' | b'[' => rows.json(&without_line_ends(words)),
        _ => rows.number(words),
    }
    Ok(())
}

fn put_metadata(value: Value<'_>, rows: &mut Rows) {
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
pub struct JsonText<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Fields of one object that is taken apart. Each takes some dozens of bytes, so that an object of very
/// small ones would need many times its size.
const FIELDS_MAX: usize = 250_000;
const TOO_MANY_FIELDS: &str = "an object of more than 250,000 fields";

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
                while let Some((JsonText(name), value)) = map.next_entry::<JsonText, &RawValue>()? {
                    if fields.len() == FIELDS_MAX {
                        return Err(serde::de::Error::custom(TOO_MANY_FIELDS));
                    }
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests;
