//! `now` in a query. A point in time evaluates it anew for each page, so that documents fall out of
//! the snapshot, and others come in, while it is read. Where it is the bound of a range of dates it
//! becomes one instant of the server; where it may stand elsewhere, the caller reads by one scroll,
//! which evaluates its query once. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::source::document::Object;

/// What an instant is written in. It stands behind the formats of a field.
const INSTANT_FORMAT: &str = "strict_date_optional_time";
/// Not a field of anybody. Servers evaluate `now` for it all the same.
const NO_FIELD: &str = "flowgauge.no.field";
const BOUNDS: [&str; 6] = ["gt", "gte", "lt", "lte", "from", "to"];

/// Where `now` stands in a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Ranges with it as a bound.
    ranges: Vec<InRange>,
    /// Fields that are compared with a text that holds it. It is a word there where they are texts.
    compared: Vec<String>,
    /// The first clause that may evaluate it in a way that is not understood here.
    pub elsewhere: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct InRange {
    field: String,
    /// Where the bounds stand, with their quotes, and what they say.
    bounds: Vec<(Range<usize>, String)>,
    /// Where the format stands and what it says, or where it could stand.
    format: (Range<usize>, Option<String>),
}

/// How a field is kept, in all indices that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldStorage {
    /// A date, with the formats of its mapping.
    Date(String),
    /// `now` is a word like any other.
    Word,
    /// It is not known, or not the same everywhere.
    Unknown,
}

impl Uses {
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.compared.is_empty() && self.elsewhere.is_none()
    }

    /// Fields whose mapping has to be known.
    pub fn fields(&self) -> Vec<&str> {
        let ranges = self.ranges.iter().map(|range| &range.field);
        let mut fields: Vec<&str> = ranges.chain(&self.compared).map(String::as_str).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}

/// Looks for `now` in a query clause.
pub fn find(query: &RawValue) -> Uses {
    let mut uses = Uses::default();
    let base = query.get().as_ptr() as usize;
    clause(query, base, &mut uses);
    uses
}

/// A clause that holds others, or is a leaf.
fn clause(raw: &RawValue, base: usize, uses: &mut Uses) {
    let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
        // The server will refuse it, or knows more than we do.
        return leaf("query", raw, uses);
    };
    for (name, value) in object.0 {
        let name = name.as_ref();
        match name {
            "bool" => inside(value, base, name, &["must", "filter", "should", "must_not"], uses),
            "constant_score" => inside(value, base, name, &["filter"], uses),
            "dis_max" => inside(value, base, name, &["queries"], uses),
            "boosting" => inside(value, base, name, &["positive", "negative"], uses),
            "nested" | "has_child" | "has_parent" => inside(value, base, name, &["query"], uses),
            "range" => range(value, base, uses),
            "term" | "terms" | "match" | "match_phrase" => compared(name, value, uses),
            // Never a date.
            "ids" | "exists" | "prefix" | "wildcard" | "regexp" | "fuzzy" | "match_all"
            | "match_none" => {}
            _ => leaf(name, value, uses),
        }
    }
}

/// The fields of a compound clause, of which some hold clauses.
fn inside(raw: &RawValue, base: usize, name: &str, holders: &[&str], uses: &mut Uses) {
    let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
        return leaf(name, raw, uses);
    };
    for (field, value) in object.0 {
        if !holders.contains(&field.as_ref()) {
            leaf(name, value, uses);
        } else if let Ok(clauses) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
            clauses.into_iter().for_each(|inner| clause(inner, base, uses));
        } else {
            clause(value, base, uses);
        }
    }
}

/// `{"FIELD": {"gte": "now-1d/d", "format": …}}`.
fn range(raw: &RawValue, base: usize, uses: &mut Uses) {
    let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
        return leaf("range", raw, uses);
    };
    for (field, value) in object.0 {
        if !mentions(value) {
            continue;
        }
        let Some(found) = in_range(field.as_ref(), value, base) else {
            return leaf("range", value, uses);
        };
        uses.ranges.push(found);
    }
}

fn in_range(field: &str, raw: &RawValue, base: usize) -> Option<InRange> {
    let object = serde_json::from_str::<Object>(raw.get()).ok()?;
    let place = |value: &RawValue| {
        let start = value.get().as_ptr() as usize - base;
        start..start + value.get().len()
    };
    let start = place(raw).start + 1;
    let mut found =
        InRange { field: field.to_string(), bounds: Vec::new(), format: (start..start, None) };
    for (name, value) in object.0 {
        match name.as_ref() {
            "format" => {
                found.format = (place(value), Some(serde_json::from_str(value.get()).ok()?));
            }
            name if BOUNDS.contains(&name) && mentions(value) => {
                let words: String = serde_json::from_str(value.get()).ok()?;
                let expression = words.strip_prefix("now")?;
                found.bounds.push((place(value), expression.to_string()));
            }
            _ if mentions(value) => return None,
            _ => {}
        }
    }
    Some(found)
}

/// `{"FIELD": VALUE}`, where a value that holds `now` is one only where the field is a date.
fn compared(name: &str, raw: &RawValue, uses: &mut Uses) {
    let fields: Option<Value> = serde_json::from_str(raw.get()).ok();
    let Some(fields) = fields.as_ref().and_then(Value::as_object) else {
        return leaf(name, raw, uses);
    };
    for (field, value) in fields {
        // Terms of another document, which may change.
        let is_looked_up = name == "terms" && value.is_object();
        if is_looked_up {
            uses.elsewhere.get_or_insert_with(|| name.to_string());
        } else if holds(value) {
            uses.compared.push(field.clone());
        }
    }
}

fn leaf(name: &str, raw: &RawValue, uses: &mut Uses) {
    // What is no JSON may be anything.
    let is_certain = serde_json::from_str(raw.get()).is_ok_and(|value| !holds(&value));
    let is_hidden = matches!(name, "wrapper" | "script" | "script_score" | "percolate");
    if !is_certain || is_hidden {
        uses.elsewhere.get_or_insert_with(|| name.to_string());
    }
}

fn mentions(raw: &RawValue) -> bool {
    serde_json::from_str(raw.get()).map_or(true, |value| holds(&value))
}

/// Whether `now` stands in some text of it, or something that may compute it.
fn holds(value: &Value) -> bool {
    match value {
        Value::String(text) => has_now(text),
        Value::Array(values) => values.iter().any(holds),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let is_hidden = match name.as_str() {
                // Scores at random, and documents that may change.
                "script" | "wrapper" | "indexed_shape" | "random_score" | "_id" => true,
                "gauss" | "linear" | "exp" => has_no_origin(value),
                _ => false,
            };
            is_hidden || has_now(name) || holds(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Without one, a decay function of a date begins at `now`.
fn has_no_origin(decay: &Value) -> bool {
    let mut fields = decay.as_object().into_iter().flat_map(|fields| fields.values());
    fields.any(|field| field.is_object() && field.get("origin").is_none())
}

/// `now` as a word of its own, as in `[now-1d TO now]`.
fn has_now(text: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices("now").any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_word)
            && !text[at + 3..].chars().next().is_some_and(is_word)
    })
}

/// Whether the filter of an alias holds `now`, in the answer to `GET /_alias/NAME`.
pub fn in_filters(answer: &Value) -> Option<String> {
    let indices = answer.as_object()?.values();
    let aliases = indices.filter_map(|index| index["aliases"].as_object()).flatten();
    let mut filters = aliases.filter_map(|(name, alias)| Some((name, alias.get("filter")?)));
    filters.find(|(_, filter)| may_evaluate(filter)).map(|(name, _)| name.clone())
}

fn may_evaluate(filter: &Value) -> bool {
    let words = RawValue::from_string(filter.to_string());
    words.map_or(true, |filter| !find(&filter).is_empty())
}

/// How fields are kept, from the answer to `GET /INDEX/_mapping/field/NAMES`.
pub fn kept(answer: &Value, fields: &[String]) -> BTreeMap<String, FieldStorage> {
    let indices: Vec<&Value> =
        answer.as_object().into_iter().flat_map(|all| all.values()).collect();
    let in_all = |field: &str| {
        let mut found = indices.iter().map(|index| kept_in(&index["mappings"][field]["mapping"]));
        let first = found.next().unwrap_or(FieldStorage::Unknown);
        if found.all(|other| other == first) { first } else { FieldStorage::Unknown }
    };
    fields.iter().map(|field| (field.clone(), in_all(field))).collect()
}

/// How fields are kept in these indices and in one more.
pub fn kept_in_both(
    mut before: BTreeMap<String, FieldStorage>,
    here: &BTreeMap<String, FieldStorage>,
) -> BTreeMap<String, FieldStorage> {
    for (field, kept) in &mut before {
        if here.get(field) != Some(kept) {
            *kept = FieldStorage::Unknown;
        }
    }
    before
}

/// A mapping that stands under the last part of the field's name.
fn kept_in(mapping: &Value) -> FieldStorage {
    let Some(mapping) = mapping.as_object().and_then(|named| named.values().next()) else {
        return FieldStorage::Unknown;
    };
    let default = match mapping["type"].as_str() {
        Some("date" | "date_range") => "strict_date_optional_time||epoch_millis",
        Some("date_nanos") => "strict_date_optional_time_nanos||epoch_millis",
        Some("text" | "keyword" | "wildcard" | "constant_keyword" | "match_only_text") => {
            return FieldStorage::Word;
        }
        _ => return FieldStorage::Unknown,
    };
    match (&mapping["format"], mapping.get("locale")) {
        (Value::Null, None) => FieldStorage::Date(default.to_string()),
        (Value::String(format), None) => FieldStorage::Date(format.clone()),
        // Names of days in another language.
        _ => FieldStorage::Unknown,
    }
}

/// The query with `now` as an instant; or the clause that keeps it from being so.
pub fn pinned(
    query: &RawValue,
    uses: &Uses,
    kept: &BTreeMap<String, FieldStorage>,
    now: Timestamp,
) -> Result<String, String> {
    if let Some(clause) = &uses.elsewhere {
        return Err(clause.clone());
    }
    let kept = |field: &str| kept.get(field).unwrap_or(&FieldStorage::Unknown);
    if let Some(field) = uses.compared.iter().find(|field| *kept(field) != FieldStorage::Word) {
        return Err(field.clone());
    }
    // Nanoseconds are written out: where a bound is rounded up, missing digits would be nines.
    let instant = now.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for range in &uses.ranges {
        let own = match kept(&range.field) {
            FieldStorage::Date(format) => format,
            FieldStorage::Word => continue,
            FieldStorage::Unknown => return Err(range.field.clone()),
        };
        for (place, expression) in &range.bounds {
            let math = if expression.is_empty() { "" } else { "||" };
            edits.push((place.clone(), quoted(&format!("{instant}{math}{expression}"))));
        }
        let (place, given) = &range.format;
        let format = quoted(&format!("{}||{INSTANT_FORMAT}", given.as_ref().unwrap_or(own)));
        let edit = match given {
            Some(_) => format,
            None => format!("\"format\":{format},"),
        };
        edits.push((place.clone(), edit));
    }
    edits.sort_by_key(|(place, _)| place.start);
    let words = query.get();
    let (mut pinned, mut copied) = (String::with_capacity(words.len() + 200), 0);
    for (place, edit) in edits {
        pinned.push_str(&words[copied..place.start]);
        pinned.push_str(&edit);
        copied = place.end;
    }
    pinned.push_str(&words[copied..]);
    Ok(pinned)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A question for the server's clock, which also has it look at the query.
pub fn question(query: &RawValue) -> String {
    format!(
        r#"{{"size":0,"query":{},"aggs":{{"now":{{"date_range":{{"field":"{NO_FIELD}","ranges":[{{"from":"now"}}]}}}}}}}}"#,
        query.get()
    )
}

/// The instant that the answer holds.
pub fn instant(answer: &Value) -> Option<Timestamp> {
    let milliseconds = answer["aggregations"]["now"]["buckets"][0]["from"].as_f64()?;
    let is_exact = milliseconds.fract() == 0.0 && milliseconds.abs() < 9e15;
    is_exact.then(|| Timestamp::from_millisecond(milliseconds as i64).ok()).flatten()
}

#[cfg(test)]
mod tests;
