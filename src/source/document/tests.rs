use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;

/// The cells of an object, or why it is refused.
fn cells(picker: &Picker, object: &str) -> std::result::Result<Vec<Option<Json>>, String> {
    let mut rows = Rows::new(picker.shape());
    rows.begin(0, 0);
    let outcome = picker.row(object, |_| Value::Absent, &mut rows);
    outcome
        .map_err(|refusal| format!("{}: {}", refusal.column.unwrap_or_default(), refusal.reason))?;
    let cell = |value: Value<'_>| match value {
        Value::Absent => None,
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(value.into()),
        Value::Text(text) => Some(String::from_utf8_lossy(text).into()),
        Value::Number(words) | Value::Json(words) => Some(serde_json::from_slice(words).unwrap()),
    };
    Ok(rows.row(0).map(cell).collect())
}

fn picker(columns: &[&str], others: Others, flatten: bool) -> Picker {
    let names = columns.iter().map(|name| name.to_string()).collect();
    Picker::new(&Wanted::Fields { names, others }, &[], flatten)
}

#[test]
fn objects_are_as_deep_as_they_are_looked_into() {
    let nested = |levels: usize| format!("{}1{}", "{\"d\":".repeat(levels), "}".repeat(levels));
    let stop = || Others::Stop { except: Vec::new() };
    for (levels, others, expected) in [
        (129, Others::Reject, "no column"),
        (130, Others::Reject, "nested deeper than 128 levels"),
        (130, stop(), "nested deeper than 128 levels"),
        (4_000, stop(), "nested deeper than 128 levels"),
    ] {
        let refused = cells(&picker(&["x"], others, true), &nested(levels)).unwrap_err();
        assert!(refused.contains(expected), "{levels}: {refused}");
    }
    for others in [Others::Ignore, Others::Count { except: Vec::new() }] {
        assert_eq!(cells(&picker(&["x"], others, true), &nested(4_000)), Ok(vec![None]));
    }
    let name = "a".to_string() + &".b".repeat(100_000);
    let refused = cells(&picker(&["a"], stop(), false).with_paths(), &format!("{{\"{name}\":1}}"));
    assert_eq!(refused, Err("a: a name with more than 128 dots".to_string()));
}

#[test]
fn what_was_not_chosen_is_not_looked_into() {
    let except = ["o".to_string(), "p.x".to_string()];
    let others = Others::Stop { except: except.to_vec() };
    for flatten in [false, true] {
        let picker = picker(&["a"], others.clone(), flatten).with_paths();
        for object in [
            r#"{"a":1,"o":{"new":1}}"#,
            r#"{"a":1,"o.new":{"new":1}}"#,
            r#"{"a":1,"p":{"x":1},"o":null}"#,
            r#"{"a":1,"p":null}"#,
            r#"{"a":1,"p":[{"x":1}]}"#,
            r#"{"a":1,"p.x":[]}"#,
        ] {
            assert_eq!(cells(&picker, object), Ok(vec![Some(json!(1))]), "{flatten} {object}");
        }
        let refused = cells(&picker, r#"{"a":1,"p":{"y":1}}"#).unwrap_err();
        assert!(refused.starts_with("p.y: a field that the target has no column for"), "{refused}");
    }
}

/// Any value under three names, without an array where a column may lie below.
fn value() -> impl Strategy<Value = Json> {
    let leaf =
        prop::sample::select(vec![json!(null), json!(1), json!("x"), json!([]), json!(true)]);
    leaf.prop_recursive(4, 20, 3, |inner| {
        let key = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_string);
        prop::collection::hash_map(key, inner, 0..4)
            .prop_map(|fields| Json::Object(fields.into_iter().collect()))
    })
}

fn object() -> impl Strategy<Value = Map<String, Json>> {
    value().prop_filter_map("an object", |value| value.as_object().cloned())
}

/// The same with the fields of some objects written as names with dots, as `choices` want it.
fn dotted(
    object: &Map<String, Json>,
    choices: &mut dyn Iterator<Item = bool>,
) -> Map<String, Json> {
    let mut found = Map::new();
    for (name, value) in object {
        let Some(inner) = value.as_object().filter(|inner| !inner.is_empty()) else {
            found.insert(name.clone(), value.clone());
            continue;
        };
        let inner = dotted(inner, choices);
        if choices.next() == Some(true) {
            found.extend(inner.into_iter().map(|(last, value)| (format!("{name}.{last}"), value)));
        } else {
            found.insert(name.clone(), inner.into());
        }
    }
    found
}

/// The other way round.
fn undotted(value: &Json) -> Json {
    let Some(object) = value.as_object() else { return value.clone() };
    let mut found = Map::new();
    for (name, value) in object {
        let mut place = &mut found;
        let mut parts: Vec<&str> = name.split('.').collect();
        let last = parts.pop().unwrap();
        for part in parts {
            let inner = place.entry(part).or_insert_with(|| json!({}));
            place = inner.as_object_mut().unwrap();
        }
        place.insert(last.to_string(), undotted(value));
    }
    found.into()
}

/// What a column holds, by the words of docs/elasticsearch.md.
fn expected(object: &Map<String, Json>, path: &str) -> Option<Json> {
    if let Some(value) = object.get(path) {
        return Some(value.clone());
    }
    let (first, rest) = path.split_once('.')?;
    match object.get(first)? {
        Json::Object(inner) => expected(inner, rest),
        Json::Null => Some(Json::Null),
        Json::Array(_) => Some(Json::Null),
        _ => None,
    }
}

proptest! {
    #[test]
    fn names_with_dots_are_objects_in_objects(
        object in object(),
        choices in prop::collection::vec(any::<bool>(), 20),
        columns in prop::sample::select(vec![&["a", "b", "c"][..], &["a.b", "c.a.b", "b"], &["a.a.a", "a.b", "c"]]),
        flatten in any::<bool>(),
    ) {
        let written = dotted(&object, &mut choices.into_iter());
        let picker = picker(columns, Others::Ignore, flatten).with_paths();
        let found = cells(&picker, &Json::from(written).to_string()).unwrap();
        let found: Vec<_> = found.iter().map(|cell| cell.as_ref().map(undotted)).collect();
        let expected: Vec<_> = columns.iter().map(|path| expected(&object, path)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn objects_of_files_are_their_fields(
        object in object(),
        columns in prop::sample::select(vec![&["a", "b", "c"][..], &["a.b", "c.a.b", "b"], &["a.a.a", "a.b", "c"]]),
    ) {
        let picker = picker(columns, Others::Ignore, true);
        let found = cells(&picker, &Json::from(object.clone()).to_string()).unwrap();
        let expected: Vec<_> = columns.iter().map(|path| expected(&object, path)).collect();
        prop_assert_eq!(found, expected);
    }
}
