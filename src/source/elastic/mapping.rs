//! What the mappings of indices say of the fields of their documents. Pure.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::convert::date;
use crate::record::{Dates, Field, FieldKind};

/// What is known of the indices that were asked for.
#[derive(Debug, Default, PartialEq)]
pub struct Mappings {
    /// Names of the indices.
    pub indices: Vec<String>,
    /// In the order of their names, once all indices were read: a server lists those in any order.
    pub fields: Vec<Field>,
    /// An index that does not keep its documents.
    pub without_source: Option<String>,
    /// An index that keeps something else and writes documents anew when asked.
    pub synthetic: Option<String>,
    /// A field is a vector, which newer servers leave out of documents unless asked for it.
    pub has_vectors: bool,
    /// An index that leaves fields out of the documents that it keeps.
    pub filtered: Option<String>,
    /// What is included, excluded or asked for and fits no field that documents may have.
    pub unknown: Vec<String>,
    /// Fields that some index computes when it is asked, whatever else is mapped by these names.
    pub computed: HashSet<String>,
    /// Where among the fields each name is.
    places: HashMap<String, usize>,
    /// What the fields take.
    bytes: usize,
}

impl Mappings {
    /// Before the first index was looked at.
    pub fn of_none(listing: Listing) -> Mappings {
        let unknown = [listing.include, listing.exclude, listing.asked].concat();
        Mappings { unknown, ..Mappings::default() }
    }

    /// All indices were read.
    pub fn sort(&mut self) {
        self.places.clear();
        self.indices.sort_unstable();
        self.fields.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// About as many bytes of memory as all of it takes.
    pub fn weight(&self) -> usize {
        self.bytes + self.indices.iter().map(|index| index.len() + WORD_BYTES).sum::<usize>()
    }

    fn field(&mut self, name: &str) -> Option<&mut Field> {
        self.places.get(name).map(|place| &mut self.fields[*place])
    }

    fn add(&mut self, field: Field) {
        self.bytes += size_of::<Field>() + field.origin.len() + 2 * (field.name.len() + WORD_BYTES);
        self.places.insert(field.name.clone(), self.fields.len());
        self.fields.push(field);
    }
}

/// What a text takes beside its letters, and its place in a table.
const WORD_BYTES: usize = 64;

/// How fields are listed.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    pub flatten: bool,
    pub include: &'a [String],
    pub exclude: &'a [String],
    /// Fields that other options name.
    pub asked: &'a [String],
}

/// Reads the answer to `GET /INDEX/_mapping`: an object of indices, or some of them, after others that
/// were `found`.
pub fn read(answer: &Value, listing: Listing, found: &mut Mappings) {
    for (index, value) in answer.as_object().into_iter().flatten() {
        found.indices.push(index.clone());
        let mappings = &value["mappings"];
        let source = &mappings["_source"];
        if source["enabled"].as_bool() == Some(false) || source["mode"] == "disabled" {
            found.without_source.get_or_insert_with(|| index.clone());
        }
        if source["mode"].as_str() == Some("synthetic") {
            found.synthetic.get_or_insert_with(|| index.clone());
        }
        let (include, exclude) = (names(&source["includes"]), names(&source["excludes"]));
        if !include.is_empty() || !exclude.is_empty() {
            found.filtered.get_or_insert_with(|| index.clone());
        }
        let kept = Listing { include: &include, exclude: &exclude, ..listing };
        let nothing = Map::new();
        let properties = mappings["properties"].as_object().unwrap_or(&nothing);
        list("", properties, [listing, kept], found);
        found.has_vectors |= holds_vectors(properties);
        for (name, mapping) in &runtime(mappings, listing.flatten) {
            note(name, mapping, [listing, kept], found);
        }
        for name in mappings["runtime"].as_object().into_iter().flat_map(Map::keys) {
            if found.computed.insert(name.clone()) {
                found.bytes += name.len() + WORD_BYTES;
            }
        }
        if holds_more(mappings) {
            found.unknown.clear();
        }
        forget_known("", properties, &mut found.unknown);
        forget_known("", &runtime(mappings, true), &mut found.unknown);
    }
}

fn holds_vectors(properties: &Map<String, Value>) -> bool {
    properties.values().any(|mapping| {
        matches!(mapping["type"].as_str(), Some("dense_vector" | "rank_vectors" | "sparse_vector"))
            || inner(mapping).is_some_and(holds_vectors)
    })
}

fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_string).collect()
}

/// Fields that are computed when they are asked for, from the documents and not by a script, as
/// `dynamic: runtime` makes them. Their names have dots; without `flatten` the object is a field.
fn runtime(mappings: &Value, flatten: bool) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, mapping) in mappings["runtime"].as_object().into_iter().flatten() {
        // A lookup is in the documents of another index.
        if !mapping["script"].is_null() || mapping["type"] == "lookup" {
            continue;
        }
        let top = name.split('.').next().unwrap_or_default();
        let (name, mapping) = match flatten || top == name {
            true => (name.as_str(), mapping.clone()),
            false => (top, Value::default()),
        };
        if mappings["properties"].get(name).is_none() {
            found.insert(name.to_string(), mapping);
        }
    }
    found
}

/// Looks for an index whose settings let documents be written anew, in the answer to
/// `GET /INDEX/_settings?flat_settings=true`.
pub fn synthetic_by_settings(answer: &Value) -> Option<String> {
    answer.as_object()?.iter().find_map(|(index, value)| {
        let setting = |name: &str| value["settings"][name].as_str();
        let mode = setting("index.mapping.source.mode");
        let is_implied = matches!(setting("index.mode"), Some("logsdb" | "time_series"));
        let is_derived = setting("index.derived_source.enabled") == Some("true");
        let is_synthetic = match mode {
            Some(mode) => mode == "synthetic",
            None => is_implied || is_derived,
        };
        is_synthetic.then(|| index.clone())
    })
}

/// Looks for an index whose settings say that it keeps no documents.
pub fn without_source_by_settings(answer: &Value) -> Option<String> {
    answer.as_object()?.iter().find_map(|(index, value)| {
        let mode = value["settings"]["index.mapping.source.mode"].as_str();
        (mode == Some("disabled")).then(|| index.clone())
    })
}

/// The setting by which documents may have fields that the mapping does not list: they are kept, and
/// only not found.
pub const UNLISTED: &str = "index.mapping.total_fields.ignore_dynamic_beyond_limit";

pub fn may_be_unlisted(answer: &Value) -> bool {
    let indices = answer.as_object().into_iter().flatten();
    let mut settings = indices.map(|(_, value)| &value["settings"][UNLISTED]);
    settings.any(|setting| setting.as_str() == Some("true"))
}

/// The smallest page that some index allows, where one was set.
pub fn smallest_window(answer: &Value) -> Option<u64> {
    let windows = answer.as_object()?.values();
    windows
        .filter_map(|value| value["settings"]["index.max_result_window"].as_str()?.parse().ok())
        .min()
}

/// Lists what documents come with: what is asked for, and what the index keeps.
fn list(
    prefix: &str,
    properties: &Map<String, Value>,
    listings: [Listing; 2],
    found: &mut Mappings,
) {
    for (name, mapping) in properties {
        let name = joined(prefix, name);
        if listings[0].flatten
            && let Some(inner) = inner(mapping)
            && is_object(mapping)
        {
            list(&name, inner, listings, found);
        } else {
            note(&name, mapping, listings, found);
        }
    }
}

fn note(name: &str, mapping: &Value, listings: [Listing; 2], found: &mut Mappings) {
    let Some((kind, origin)) = kind(mapping) else { return };
    // An object of runtime fields shows nothing of what is in it.
    let has_inner = inner(mapping).is_some() || mapping.is_null();
    if !listings.iter().all(|listing| listing.has(name, has_inner)) {
        return;
    }
    let dates = if kind == FieldKind::Time { dates(mapping) } else { Dates::Iso };
    match found.field(name) {
        Some(known) => {
            merge_dates(known, kind, dates, origin);
            merge(known, kind, origin);
        }
        None => found.add(Field { dates, ..Field::new(name, kind, origin) }),
    }
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") }
}

fn inner(mapping: &Value) -> Option<&Map<String, Value>> {
    mapping["properties"].as_object().filter(|inner| !inner.is_empty())
}

fn is_object(mapping: &Value) -> bool {
    matches!(mapping["type"].as_str(), None | Some("object"))
}

/// Whether documents may have fields in this object that the mapping does not list.
fn holds_more(object: &Value) -> bool {
    let dynamic = &object["dynamic"];
    let is_ignored = dynamic.as_str().is_some_and(|dynamic| dynamic.starts_with("false"));
    is_ignored || *dynamic == false || object["enabled"] == false
}

/// Takes the patterns out of `unknown` that fit a field, or one that nobody can know.
fn forget_known(prefix: &str, properties: &Map<String, Value>, unknown: &mut Vec<String>) {
    for (name, mapping) in properties {
        if unknown.is_empty() {
            return;
        }
        let Some((kind, _)) = kind(mapping) else { continue };
        let name = joined(prefix, name);
        let is_opaque = inner(mapping).is_none() && kind == FieldKind::Json || holds_more(mapping);
        unknown.retain(|pattern| {
            let is_within = is_opaque && (pattern.contains('*') || lies_below(pattern, &name));
            !is_within && !is_under(&name, pattern)
        });
        if let Some(inner) = inner(mapping) {
            forget_known(&name, inner, unknown);
        }
    }
}

/// What values of a field are, and what the mapping calls it; none for what is no field of its own.
fn kind(mapping: &Value) -> Option<(FieldKind, &str)> {
    let Some(name) = mapping["type"].as_str() else { return Some((FieldKind::Json, "object")) };
    let kind = match name {
        "alias" => return None,
        // Longer ones are kept all the same, but not found: nobody meant them to be.
        "keyword" | "wildcard" => match mapping["ignore_above"].as_u64() {
            Some(above) => FieldKind::Keyword(u32::try_from(above).unwrap_or(u32::MAX)),
            None => FieldKind::Text,
        },
        "constant_keyword" => FieldKind::Keyword(KEYWORD_CHARS),
        "ip" => FieldKind::Keyword(IP_CHARS),
        "version" => FieldKind::Keyword(KEYWORD_CHARS),
        "long" => FieldKind::Int(64),
        "integer" => FieldKind::Int(32),
        "short" => FieldKind::Int(16),
        "byte" => FieldKind::Int(8),
        "token_count" => FieldKind::Int(32),
        "unsigned_long" => FieldKind::Unsigned(64),
        "double" | "scaled_float" => FieldKind::Float(64),
        "float" | "half_float" => FieldKind::Float(32),
        "boolean" => FieldKind::Bool,
        "date" | "date_nanos" => FieldKind::Time,
        "binary" => FieldKind::Base64,
        "text" | "match_only_text" | "annotated_text" | "search_as_you_type" | "completion"
        | "counted_keyword" => FieldKind::Text,
        "percolator"
        | "object"
        | "nested"
        | "flattened"
        | "flat_object"
        | "join"
        | "histogram"
        | "aggregate_metric_double"
        | "rank_features"
        | "rank_feature"
        | "dense_vector"
        | "sparse_vector"
        | "knn_vector"
        | "point"
        | "shape" => FieldKind::Json,
        _ if name.starts_with("geo_") || name.ends_with("_range") => FieldKind::Json,
        _ => FieldKind::Unknown,
    };
    Some((kind, name))
}

/// An address of IP version 6 that holds one of version 4, written out.
const IP_CHARS: u32 = 45;
/// Names and versions that stand once for a whole index, or are short by nature.
const KEYWORD_CHARS: u32 = 255;

/// How the dates of a field are written, in the words of its mapping.
fn dates(mapping: &Value) -> Dates {
    let by_default = match mapping["type"].as_str() {
        Some("date_nanos") => date::DEFAULT_NANOS,
        _ => date::DEFAULT,
    };
    match (&mapping["format"], &mapping["locale"]) {
        (Value::Null, _) => Dates::format(by_default),
        (Value::String(format), locale) => {
            Dates::Format { format: format.clone(), locale: locale.as_str().map(String::from) }
        }
        _ => Dates::Unclear("the mapping's format is not a text".to_string()),
    }
}

/// Documents are read side by side, whatever index they are of, so that one format has to do for all.
fn merge_dates(known: &mut Field, kind: FieldKind, dates: Dates, origin: &str) {
    let unclear = match (known.kind, kind) {
        (FieldKind::Time, FieldKind::Time) if known.dates == dates => return,
        (FieldKind::Time, FieldKind::Time) => {
            let format = |dates: &Dates| match dates {
                Dates::Format { format, .. } => format!("'{}'", format.escape_debug()),
                _ => "another".to_string(),
            };
            match &known.dates {
                Dates::Unclear(why) => why.clone(),
                one => {
                    let mut both = [format(one), format(&dates)];
                    both.sort_unstable();
                    format!("indices differ in their format: {}", both.join(" and "))
                }
            }
        }
        (FieldKind::Unknown, FieldKind::Time) => {
            format!("its type is {} in another index", known.origin)
        }
        (FieldKind::Time, FieldKind::Unknown) => format!("its type is {origin} in another index"),
        _ => return,
    };
    known.dates = Dates::Unclear(unclear);
}

/// Indices made before version 7 read dates by the rules of another library, for whose words ours
/// are too few. `settings` is the answer to `GET /INDEX/_settings?flat_settings=true`, if there is one.
pub fn doubt_old_dates(fields: &mut [Field], settings: Option<&Value>) {
    const FIRST_OF_7: u64 = 7_000_000;
    let created = |value: &Value| value["settings"]["index.version.created"].as_str()?.parse().ok();
    let why = match settings.and_then(Value::as_object) {
        None => "the settings of the index, which say how old it is, cannot be read".to_string(),
        Some(indices) => {
            let old = indices
                .iter()
                .find(|(_, value)| created(value).is_some_and(|version: u64| version < FIRST_OF_7));
            let Some((name, _)) = old else { return };
            format!("the index '{name}' was made before version 7, which read dates by other rules")
        }
    };
    for field in fields.iter_mut().filter(|field| field.kind == FieldKind::Time) {
        let is_count = matches!(
            &field.dates,
            Dates::Format { format, .. } if format == "epoch_millis" || format == "epoch_second"
        );
        if !is_count {
            field.dates = Dates::Unclear(why.clone());
        }
    }
}

/// One name, two meanings in two indices.
fn merge(known: &mut Field, kind: FieldKind, origin: &str) {
    use FieldKind::{Decimal, Float, Int, Json, Keyword, Text, Unknown, Unsigned};
    let mut origins: Vec<&str> = known.origin.split(" or ").chain([origin]).collect();
    origins.sort_unstable();
    origins.dedup();
    known.origin = origins.join(" or ");
    known.kind = match (known.kind, kind) {
        (one, other) if one == other => one,
        (Unknown, other) | (other, Unknown) => other,
        (Json, _) | (_, Json) => Json,
        (Int(one), Int(other)) => Int(one.max(other)),
        (Int(_) | Unsigned(_) | Decimal, Int(_) | Unsigned(_) | Decimal) => Decimal,
        (Int(_) | Unsigned(_) | Decimal | Float(_), Float(_))
        | (Float(_), Int(_) | Unsigned(_) | Decimal) => Float(64),
        (Keyword(one), Keyword(other)) => Keyword(one.max(other)),
        _ => Text,
    };
}

impl Listing<'_> {
    /// Whether documents come with this field. One that is asked for in part is there, too.
    fn has(&self, name: &str, has_inner: bool) -> bool {
        let is_under = |pattern: &String| is_under(name, pattern);
        let is_partly = |pattern: &String| has_inner && lies_below(pattern, name);
        let is_included = self.include.is_empty()
            || self.include.iter().any(|pattern| is_under(pattern) || is_partly(pattern));
        is_included && !self.exclude.iter().any(is_under)
    }
}

/// Whether a pattern stands for a name, or for what it lies below.
fn is_under(name: &str, pattern: &str) -> bool {
    matches(pattern, name) || lies_below(name, pattern)
}

/// `a.b` lies below `a`, and below `a*`.
fn lies_below(name: &str, pattern: &str) -> bool {
    name.char_indices()
        .filter(|(_, letter)| *letter == '.')
        .any(|(at, _)| matches(pattern, &name[..at]))
}

/// Whether a name fits a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
