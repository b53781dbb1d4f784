//! What the first records say of their fields.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use crate::record::{Dates, Field, FieldKind};
use crate::source::document::{LEVELS_MAX, Object, is_nothing};

/// The fields of the records in `sample`, in the order in which they first occur. With `flatten`,
/// those of an object in an object stand for it.
pub fn fields(sample: &[u8], flatten: bool) -> Vec<Field> {
    let mut noted = Noted::default();
    for line in sample.split(|&byte| byte == b'\n') {
        let Ok(object) = serde_json::from_slice::<Object>(line) else { continue };
        noted.note("", &object, flatten.then_some(LEVELS_MAX));
    }
    let mut fields = noted.fields;
    if flatten {
        // An object that is missing in some records, and no field of its own.
        let above = |name: &str| {
            let parts = name.match_indices('.').map(|(at, _)| name[..at].to_string());
            parts.collect::<Vec<_>>()
        };
        let objects: HashSet<String> = fields.iter().flat_map(|field| above(&field.name)).collect();
        fields.retain(|field| {
            noted.of_something.contains(&field.name) || !objects.contains(&field.name)
        });
    }
    for field in &mut fields {
        field.origin = origin(field.kind).to_string();
    }
    fields
}

/// With what the user said of dates. A field that the sample lacks may still come.
pub fn with_dates(mut fields: Vec<Field>, dates: &[(String, Dates)]) -> Vec<Field> {
    let places: HashMap<String, usize> =
        fields.iter().enumerate().map(|(place, field)| (field.name.clone(), place)).collect();
    for (name, dates) in dates {
        let declared = |origin: &str| Field {
            dates: dates.clone(),
            ..Field::new(name, FieldKind::Time, origin)
        };
        match places.get(name) {
            Some(place) => fields[*place] = declared(&fields[*place].origin),
            None => fields.push(declared("date")),
        }
    }
    fields
}

#[derive(Default)]
struct Noted {
    fields: Vec<Field>,
    /// Where each of them is.
    places: HashMap<String, usize>,
    /// Names of those that were more than null or an empty array.
    of_something: HashSet<String>,
}

impl Noted {
    /// With `levels`, objects in objects are looked into as far as that; what is deeper is no field.
    fn note(&mut self, prefix: &str, object: &Object, levels: Option<usize>) {
        for (name, value) in &object.0 {
            let name =
                if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
            if let Some(levels) = levels
                && value.get().starts_with('{')
                && let Ok(inner) = serde_json::from_str(value.get())
            {
                if levels > 0 {
                    self.note(&name, &inner, Some(levels - 1));
                }
                continue;
            }
            if !is_nothing(value.get()) {
                self.of_something.insert(name.clone());
            }
            let kind = kind(value);
            match self.places.get(&name) {
                Some(place) => {
                    let known = &mut self.fields[*place];
                    known.kind = both(known.kind, kind);
                }
                None => {
                    self.places.insert(name.clone(), self.fields.len());
                    self.fields.push(Field::new(name, kind, ""));
                }
            }
        }
    }
}

fn kind(value: &RawValue) -> FieldKind {
    let words = value.get();
    match words.as_bytes()[0] {
        b'n' => FieldKind::Unknown,
        b't' | b'f' => FieldKind::Bool,
        b'"' => FieldKind::Text,
        b'{' | b'[' => FieldKind::Json,
        _ if words.contains(['e', 'E']) => FieldKind::Float(64),
        _ if words.contains('.') => FieldKind::Decimal,
        _ => match words.parse::<i64>() {
            Ok(_) => FieldKind::Int(64),
            Err(_) if words.parse::<u64>().is_ok() => FieldKind::Unsigned(64),
            Err(_) => FieldKind::Decimal,
        },
    }
}

/// What values of one kind and of the other have in common.
fn both(one: FieldKind, other: FieldKind) -> FieldKind {
    use FieldKind::{Decimal, Float, Int, Text, Unknown, Unsigned};
    match (one, other) {
        (one, other) if one == other => one,
        (Unknown, known) | (known, Unknown) => known,
        (Int(_) | Unsigned(_) | Decimal, Int(_) | Unsigned(_) | Decimal) => Decimal,
        (Int(_) | Unsigned(_) | Decimal | Float(_), Float(bits))
        | (Float(bits), Int(_) | Unsigned(_) | Decimal) => Float(bits),
        (FieldKind::Json, _) | (_, FieldKind::Json) => FieldKind::Json,
        _ => Text,
    }
}

fn origin(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Unknown => "null",
        FieldKind::Bool => "bool",
        FieldKind::Json => "json",
        FieldKind::Int(_) | FieldKind::Unsigned(_) => "int",
        FieldKind::Decimal => "decimal",
        FieldKind::Float(_) => "float",
        FieldKind::Text | FieldKind::Keyword(_) | FieldKind::Time | FieldKind::Base64 => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_all_its_values_are() {
        let sample = b"{\"a\":1,\"b\":null,\"c\":{\"x\":1.5},\"d\":1}\n{\"a\":18446744073709551615,\"b\":true,\"d\":\"x\"}\n{\"e\":1e3";
        let found = fields(sample, false);
        let kinds: Vec<_> = found.iter().map(|field| (field.name.as_str(), field.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("a", FieldKind::Decimal),
                ("b", FieldKind::Bool),
                ("c", FieldKind::Json),
                ("d", FieldKind::Text)
            ]
        );
        let names: Vec<_> = fields(sample, true).into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["a", "b", "c.x", "d"]);
    }
}
