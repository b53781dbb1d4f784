//! What the first records say of their fields.

use std::collections::HashMap;

use crate::infer::Sample;
use crate::record::{Dates, Field, FieldKind};
use crate::source::document::Object;
use crate::source::sample::{self, Manner};

/// The fields of the records in `bytes`, in the order in which they first occur. With `flatten`,
/// those of an object in an object stand for it.
pub fn fields(bytes: &[u8], flatten: bool) -> Vec<Field> {
    let mut sample = Sample::default();
    note(bytes, flatten, &mut sample);
    sample::fields(&sample, flatten)
}

/// Lines that are no objects say nothing.
pub fn note(bytes: &[u8], flatten: bool, sample: &mut Sample) {
    let manner = Manner { flatten, dots_are_paths: false, whole: None };
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Ok(object) = serde_json::from_slice::<Object>(line) {
            manner.note(&object, sample);
        }
    }
}

/// With what the user said of dates. A field that the sample lacks may still come.
pub fn with_dates(mut fields: Vec<Field>, dates: &[(String, Dates)]) -> Vec<Field> {
    let places: HashMap<String, usize> =
        fields.iter().enumerate().map(|(place, field)| (field.name.clone(), place)).collect();
    for (name, dates) in dates {
        let declared = |origin: &str| Field {
            dates: dates.clone(),
            is_declared: true,
            ..Field::new(name, FieldKind::Time, origin)
        };
        match places.get(name) {
            Some(place) => fields[*place] = declared(&fields[*place].origin),
            None => fields.push(declared("date")),
        }
    }
    fields
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
                ("a", FieldKind::Unsigned(64)),
                ("b", FieldKind::Bool),
                ("c", FieldKind::Json),
                ("d", FieldKind::Text)
            ]
        );
        let names: Vec<_> = fields(sample, true).into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["a", "b", "c.x", "d"]);
    }
}
