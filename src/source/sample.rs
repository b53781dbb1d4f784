//! What a look at some records says of their fields, before a table is made of them.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use super::document::{JsonText, LEVELS_MAX, Object, is_nothing};
use crate::convert::date::DateFormat;
use crate::infer::{Origin, Sample, Seen, Value};
use crate::record::{ColumnType, Dates, Field, FieldKind};
use crate::report::text::count;

/// Records of all files together, at most.
pub const RECORDS_MAX: u64 = 10_000;

/// What a sample came to.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    pub fields: Vec<Field>,
    /// What it was taken from, such as `the first 10,000 records`.
    pub of: String,
    /// One line each, for a person.
    pub notes: Vec<String>,
    /// The same, of these fields.
    pub doubts: Vec<(String, String)>,
    /// There was no record, and what is not declared is not known without one.
    pub is_of_nothing: bool,
}

/// Such as `the first 10,000 records`.
pub fn records_of(records: u64, which: &str) -> String {
    match records {
        1 => format!("the {which} record"),
        _ => format!("the {which} {} records", count(records)),
    }
}

/// How documents are taken apart.
#[derive(Clone, Copy)]
pub struct Manner<'a> {
    pub flatten: bool,
    /// `a.b` is the field `b` of the object `a`.
    pub dots_are_paths: bool,
    /// Fields that are not looked into, though they may be objects.
    pub whole: Option<&'a HashSet<&'a str>>,
}

impl Manner<'_> {
    pub fn note(self, object: &Object, sample: &mut Sample) {
        sample.records += 1;
        self.note_below("", object, LEVELS_MAX, sample);
    }

    /// What is deeper than `levels` is no field.
    fn note_below(self, prefix: &str, object: &Object, levels: usize, sample: &mut Sample) {
        for (name, value) in &object.0 {
            let name =
                if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
            let is_whole = self.whole.is_some_and(|whole| whole.contains(&name[..]));
            if self.flatten
                && !is_whole
                && value.get().starts_with('{')
                && let Ok(inner) = serde_json::from_str(value.get())
            {
                if levels > 0 {
                    self.note_below(&name, &inner, levels - 1, sample);
                }
                continue;
            }
            match self.above(&name) {
                Some(above) => sample.see(above, Value::Json),
                None => see(sample, &name, value),
            }
        }
    }

    /// The object that a name with a dot is a part of, where objects are fields.
    fn above<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.flatten || !self.dots_are_paths {
            return None;
        }
        let leading = name.len() - name.trim_start_matches('.').len();
        name[leading..].find('.').map(|at| &name[..leading + at])
    }
}

fn see(sample: &mut Sample, name: &str, value: &RawValue) {
    let words = value.get();
    let seen = match words.as_bytes()[0] {
        b'n' => Value::Null,
        b't' | b'f' => Value::Bool,
        b'"' => {
            if let Ok(text) = serde_json::from_str::<JsonText>(words) {
                sample.see(name, Value::Text(text.0.as_bytes()));
            }
            return;
        }
        b'{' | b'[' if is_nothing(words) => Value::EmptyJson,
        b'{' | b'[' => Value::Json,
        _ => Value::Number(words.as_bytes()),
    };
    sample.see(name, seen);
}

/// The fields of a sample of documents, in the order in which they first came.
pub fn fields(sample: &Sample, flatten: bool) -> Vec<Field> {
    let seen = sample.fields().iter();
    let mut fields: Vec<Field> = seen.map(|seen| seen.field(Origin::Json)).collect();
    if flatten {
        // An object that is missing in some records, and no field of its own.
        let names = sample.fields().iter().map(|seen| &seen.name[..]);
        let objects: HashSet<&str> = names.flat_map(above).collect();
        let is_something = |name: &str| sample.find(name).is_some_and(|seen| seen.is_something);
        fields.retain(|field| is_something(&field.name) || !objects.contains(&field.name[..]));
    }
    fields
}

/// Where a field is an object in some records and something else in others, it can only be a column as
/// a whole. Gives its names. Where its parts are columns of a table that is there, they stay what they are,
/// and records in which it is something else have no place.
pub fn fold(
    fields: &mut Vec<Field>,
    sample: &Sample,
    columns: &[String],
    separator: Option<&str>,
) -> Vec<String> {
    leave_out_empty_objects(fields, sample, columns, separator);
    let mixed: Vec<&Seen> = {
        let names: HashSet<&str> = fields.iter().flat_map(|field| above(&field.name)).collect();
        let is_mixed = |seen: &&Seen| seen.is_something && names.contains(&seen.name[..]);
        sample.fields().iter().filter(is_mixed).collect()
    };
    let columns: HashSet<String> = columns.iter().map(|column| column.to_lowercase()).collect();
    let fed = fields.iter().filter(|field| columns.contains(&field.column().to_lowercase()));
    let fed: HashSet<&str> = fed.map(|field| &field.name[..]).collect();
    let has_parts_fed: HashSet<&str> = fed.iter().flat_map(|name| above(name)).collect();
    let is_kept_apart = |name: &str| has_parts_fed.contains(name) && !fed.contains(name);
    let (apart, folded): (Vec<&str>, Vec<&str>) =
        mixed.iter().map(|seen| &seen.name[..]).partition(|name| is_kept_apart(name));
    let (apart, folded): (HashSet<&str>, HashSet<&str>) =
        (apart.into_iter().collect(), folded.into_iter().collect());
    fields.retain(|field| !apart.contains(&field.name[..]));
    if folded.is_empty() {
        return Vec::new();
    }
    fields.retain(|field| {
        let is_below = above(&field.name).any(|name| folded.contains(name));
        !is_below && !folded.contains(&field.name[..])
    });
    // The outermost of those that lie in each other.
    let outermost = folded.iter().filter(|name| !above(name).any(|name| folded.contains(name)));
    let mut outermost: Vec<String> = outermost.map(|name| name.to_string()).collect();
    outermost.sort_unstable();
    fields.extend(outermost.iter().map(|name| Field {
        column_type: Some(ColumnType::Json),
        ..Field::new(name, FieldKind::Json, "json")
    }));
    outermost
}

/// Of an object whose parts are columns the sample may have nothing but null, which is a value of none of
/// them, and no field of its own.
fn leave_out_empty_objects(
    fields: &mut Vec<Field>,
    sample: &Sample,
    columns: &[String],
    separator: Option<&str>,
) {
    let columns: Vec<String> = columns.iter().map(|column| column.to_lowercase()).collect();
    let is_object = |field: &Field| {
        let above = format!("{}{}", field.column(), separator.unwrap_or(".")).to_lowercase();
        let is_column = columns.contains(&field.column().to_lowercase());
        !is_column && columns.iter().any(|column| column.starts_with(&above))
    };
    let is_nothing = |name: &str| sample.find(name).is_some_and(|seen| !seen.is_something);
    fields.retain(|field| field.is_declared || !is_nothing(&field.name) || !is_object(field));
}

/// What there is to say of a sample that has more names than are kept.
pub fn overflow(sample: &Sample) -> Option<String> {
    sample.is_full.then(|| {
        format!(
            "the records that were looked at have more fields than the {} whose names are kept: keys that are \
             values, such as ids, are no fields; do without --flatten, or name the fields that are wanted with \
             --select, and with --types what they are",
            count(sample.fields().len() as u64)
        )
    })
}

pub fn folded(name: &str) -> String {
    format!(
        "field '{}' is an object in some records and something else in others: its column is json",
        name.escape_debug()
    )
}

/// Columns that a few values make text, one line each with the name of the field.
pub fn doubts(fields: &[Field], sample: &Sample, origin: Origin) -> Vec<(String, String)> {
    let is_guess =
        |field: &&Field| !field.is_declared && field.column_type == Some(ColumnType::Text);
    let doubt = |field: &Field| {
        let few = sample.find(&field.name)?.few(origin)?;
        let (column, name) = (field.column().escape_debug(), field.name.escape_debug());
        let (values, of, otherwise) = (count(few.values), count(few.of), few.otherwise);
        let doubt = format!(
            "column '{column}' is text because of {values} of {of} values; --types '{name}={otherwise}' rejects such"
        );
        Some((field.name.clone(), doubt))
    };
    fields.iter().filter(is_guess).filter_map(doubt).take(DOUBTS_MAX).collect()
}

/// Of more, a person reads none.
const DOUBTS_MAX: usize = 10;

/// Names of the objects that a field lies in.
fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[..at])
}

/// What the user said goes before any guess. Gives the names that no field has.
pub fn declare(fields: &mut [Field], types: &[(String, ColumnType)]) -> Vec<String> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(fields.len());
    let named = || fields.iter().enumerate();
    places.extend(named().map(|(place, field)| (field.column().to_string(), place)));
    places.extend(named().map(|(place, field)| (field.name.clone(), place)));
    let mut unknown = Vec::new();
    for (name, column_type) in types {
        match places.get(name) {
            Some(place) => {
                fields[*place].column_type = Some(*column_type);
                fields[*place].is_declared = true;
                if *column_type == ColumnType::Base64 {
                    fields[*place].kind = FieldKind::Base64;
                }
            }
            None => unknown.push(name.clone()),
        }
    }
    unknown
}

/// The same of what is said of values and not of columns, for tables that are there already: that text is
/// bytes.
pub fn declare_bytes(fields: &mut [Field], types: &[(String, ColumnType)]) -> Vec<String> {
    let types = types.iter().filter(|(_, column_type)| *column_type == ColumnType::Base64);
    declare(fields, &types.cloned().collect::<Vec<_>>())
}

/// Formats of dates, and that text is bytes, are said of values. The column takes what the sample has beside
/// them, as it would of an index: arrays and objects, and digits of a second. Gives what is to be said of it.
pub fn widen_declared(fields: &mut [Field], sample: &Sample) -> Vec<(String, String)> {
    let mut doubts = Vec::new();
    for field in fields.iter_mut().filter(|field| field.is_declared) {
        let is_of_values = match field.kind {
            FieldKind::Time => field.column_type.is_none(),
            FieldKind::Base64 => matches!(field.column_type, None | Some(ColumnType::Base64)),
            _ => false,
        };
        let Some(seen) = sample.find(&field.name).filter(|_| is_of_values) else { continue };
        if seen.shape.has_json {
            field.column_type = Some(ColumnType::Json);
            let doubt = format!(
                "field '{}' has arrays or objects beside what --types says of its values: its column is json",
                field.name.escape_debug()
            );
            doubts.push((field.name.clone(), doubt));
        } else if field.kind == FieldKind::Time && seen.dated.fraction > 3 {
            field.column_type = Some(ColumnType::DateTime(6));
        }
    }
    doubts
}

/// Has the sample read the dates that the user told how to read.
pub fn expect_dates<'a>(
    sample: &mut Sample,
    dates: impl IntoIterator<Item = (&'a str, &'a Dates)>,
) {
    for (name, dates) in dates {
        if let Dates::Format { format, locale } = dates
            && let Ok(format) = DateFormat::parse(format, locale.as_deref())
        {
            sample.expect_dates(name, format);
        }
    }
}

/// Names the columns of fields in objects. Without a separator they are called as the fields.
pub fn name_columns(fields: &mut [Field], separator: Option<&str>) {
    let Some(separator) = separator else { return };
    for field in fields.iter_mut().filter(|field| field.name.contains('.')) {
        field.column_name = Some(field.name.replace('.', separator));
    }
}

/// How many records of each of several files are looked at.
pub fn share(files: usize) -> u64 {
    (RECORDS_MAX / files.max(1) as u64).max(SHARE_MIN)
}

/// One record says little.
const SHARE_MIN: u64 = 20;
