use serde_json::json;

use super::*;

fn listing(flatten: bool) -> Listing<'static> {
    Listing { flatten, include: &[], exclude: &[], asked: &[] }
}

/// All of an answer at once.
fn read(answer: &Value, listing: Listing) -> Mappings {
    let mut found = Mappings::of_none(listing);
    super::read(answer, listing, &mut found);
    found.sort();
    found
}

fn one(properties: Value) -> Value {
    json!({ "i": { "mappings": { "properties": properties } } })
}

fn names(found: &Mappings) -> Vec<&str> {
    found.fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn types_have_kinds() {
    for (mapping, kind) in [
        (json!({"type": "keyword"}), Some(FieldKind::Text)),
        (json!({"type": "keyword", "ignore_above": 256}), Some(FieldKind::Keyword(256))),
        (json!({"type": "constant_keyword", "value": "x"}), Some(FieldKind::Keyword(255))),
        (json!({"type": "ip"}), Some(FieldKind::Keyword(45))),
        (json!({"type": "text", "fields": {"raw": {"type": "keyword"}}}), Some(FieldKind::Text)),
        (json!({"type": "long"}), Some(FieldKind::Int(64))),
        (json!({"type": "integer"}), Some(FieldKind::Int(32))),
        (json!({"type": "short"}), Some(FieldKind::Int(16))),
        (json!({"type": "byte"}), Some(FieldKind::Int(8))),
        (json!({"type": "unsigned_long"}), Some(FieldKind::Unsigned(64))),
        (json!({"type": "double"}), Some(FieldKind::Float(64))),
        (json!({"type": "scaled_float", "scaling_factor": 100}), Some(FieldKind::Float(64))),
        (json!({"type": "half_float"}), Some(FieldKind::Float(32))),
        (json!({"type": "boolean"}), Some(FieldKind::Bool)),
        (json!({"type": "date"}), Some(FieldKind::Time)),
        (json!({"type": "date_nanos", "format": "basic_date"}), Some(FieldKind::Time)),
        (json!({"type": "binary"}), Some(FieldKind::Base64)),
        (json!({"type": "nested", "properties": {"x": {"type": "long"}}}), Some(FieldKind::Json)),
        (json!({"properties": {"x": {"type": "long"}}}), Some(FieldKind::Json)),
        (json!({"type": "object", "enabled": false}), Some(FieldKind::Json)),
        (json!({"type": "geo_point"}), Some(FieldKind::Json)),
        (json!({"type": "integer_range"}), Some(FieldKind::Json)),
        (json!({"type": "flattened"}), Some(FieldKind::Json)),
        (json!({"type": "alias", "path": "x"}), None),
        (json!({"type": "of_tomorrow"}), Some(FieldKind::Unknown)),
    ] {
        let found = read(&one(json!({ "a": mapping })), listing(false));
        let kinds: Vec<FieldKind> = found.fields.iter().map(|field| field.kind).collect();
        assert_eq!(kinds, Vec::from_iter(kind), "{mapping}");
    }
}

fn dates_of(mappings: &Value) -> Dates {
    read(mappings, listing(false)).fields[0].dates.clone()
}

#[test]
fn dates_are_written_as_the_mapping_says() {
    let french = || Dates::Format { format: "d MMM y".to_string(), locale: Some("fr".to_string()) };
    for (mapping, expected) in [
        (json!({"type": "date"}), Dates::format("strict_date_optional_time||epoch_millis")),
        (
            json!({"type": "date_nanos"}),
            Dates::format("strict_date_optional_time_nanos||epoch_millis"),
        ),
        (json!({"type": "date", "format": "basic_date"}), Dates::format("basic_date")),
        (json!({"type": "date", "format": "d MMM y", "locale": "fr"}), french()),
        (json!({"type": "keyword", "format": "basic_date"}), Dates::Iso),
        (
            json!({"type": "date", "format": ["basic_date"]}),
            Dates::Unclear("the mapping's format is not a text".to_string()),
        ),
    ] {
        assert_eq!(dates_of(&one(json!({ "a": mapping }))), expected, "{mapping}");
    }
}

#[test]
fn dates_of_several_indices_have_one_format_or_none() {
    let plain = json!({"type": "date"});
    let basic = json!({"type": "date", "format": "basic_date"});
    for (one, other, expected) in [
        (&plain, &plain, Ok("strict_date_optional_time||epoch_millis")),
        (&basic, &basic, Ok("basic_date")),
        (
            &plain,
            &basic,
            Err(
                "indices differ in their format: 'basic_date' and 'strict_date_optional_time||epoch_millis'",
            ),
        ),
        (
            &plain,
            &json!({"type": "date", "format": 7}),
            Err(
                "indices differ in their format: 'strict_date_optional_time||epoch_millis' and another",
            ),
        ),
        (&plain, &json!({"type": "of_tomorrow"}), Err("its type is of_tomorrow in another index")),
        (&json!({"type": "of_tomorrow"}), &plain, Err("its type is of_tomorrow in another index")),
    ] {
        let mappings = json!({
            "i1": {"mappings": {"properties": {"a": one}}},
            "i2": {"mappings": {"properties": {"a": other}}},
            "i3": {"mappings": {"properties": {"a": one}}},
        });
        let expected = match expected {
            Ok(format) => Dates::format(format),
            Err(why) => Dates::Unclear(why.to_string()),
        };
        assert_eq!(dates_of(&mappings), expected, "{one} {other}");
    }
}

#[test]
fn dates_of_old_indices_are_read_by_other_rules() {
    let mappings = one(json!({
        "a": {"type": "date"},
        "b": {"type": "date", "format": "epoch_second"},
        "c": {"type": "long"},
        "d": {"type": "date", "format": "epoch_millis"},
    }));
    let settings = |version: &str| json!({"i": {"settings": {"index.version.created": version}}});
    for (settings, is_doubted) in [
        (Some(settings("6082399")), true),
        (Some(settings("7000099")), false),
        (Some(settings("9039000")), false),
        (Some(settings("137227827")), false),
        (Some(json!({"i": {}})), false),
        (None, true),
    ] {
        let mut fields = read(&mappings, listing(false)).fields;
        let before = fields.clone();
        doubt_old_dates(&mut fields, settings.as_ref());
        assert_eq!(matches!(fields[0].dates, Dates::Unclear(_)), is_doubted, "{settings:?}");
        assert_eq!(fields[1..], before[1..]);
    }
}

#[test]
fn objects_are_fields_or_their_fields() {
    let mappings = one(json!({
        "o": {"properties": {"x": {"type": "long"}, "p": {"properties": {"y": {"type": "ip"}}}}},
        "n": {"type": "nested", "properties": {"z": {"type": "long"}}},
        "e": {"type": "object"},
    }));
    assert_eq!(names(&read(&mappings, listing(false))), ["e", "n", "o"]);
    assert_eq!(names(&read(&mappings, listing(true))), ["e", "n", "o.p.y", "o.x"]);
}

#[test]
fn one_name_in_two_indices_is_what_both_have_in_common() {
    use FieldKind::{Decimal, Float, Int, Json, Keyword, Text};
    for (one, other, kind, origin) in [
        ("long", "long", Int(64), "long"),
        ("byte", "integer", Int(32), "byte or integer"),
        ("long", "unsigned_long", Decimal, "long or unsigned_long"),
        ("long", "float", Float(64), "float or long"),
        ("long", "text", Text, "long or text"),
        ("version", "ip", Keyword(255), "ip or version"),
        ("keyword", "text", Text, "keyword or text"),
        ("long", "nested", Json, "long or nested"),
        ("date", "long", Text, "date or long"),
    ] {
        let mappings = json!({
            "i1": {"mappings": {"properties": {"a": {"type": one}}}},
            "i2": {"mappings": {"properties": {"a": {"type": other}, "b": {"type": "long"}}}},
        });
        let found = read(&mappings, listing(false));
        assert_eq!(found.indices, ["i1", "i2"]);
        assert_eq!(names(&found), ["a", "b"]);
        assert_eq!((found.fields[0].kind, found.fields[0].origin.as_str()), (kind, origin));
    }
}

#[test]
fn fields_that_are_not_sent_are_not_listed() {
    let mappings = one(json!({
        "a": {"type": "long"},
        "o": {"properties": {"x": {"type": "long"}, "y": {"type": "long"}}},
    }));
    for (include, exclude, flatten, expected) in [
        (&["a"][..], &[][..], false, &["a"][..]),
        (&["o.x"], &[], false, &["o"]),
        (&["o.x"], &[], true, &["o.x"]),
        (&["o.*"], &[], true, &["o.x", "o.y"]),
        (&["o"], &[], true, &["o.x", "o.y"]),
        (&[], &["o"], true, &["a"]),
        (&[], &["o.x"], true, &["a", "o.y"]),
        (&[], &["o.x"], false, &["a", "o"]),
        (&["*"], &["a"], false, &["o"]),
    ] {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let (include, exclude) = (owned(include), owned(exclude));
        let listing = Listing { flatten, include: &include, exclude: &exclude, asked: &[] };
        assert_eq!(names(&read(&mappings, listing)), expected, "{include:?} -{exclude:?}");
    }
}

#[test]
fn documents_that_are_not_kept_are_noticed() {
    let mappings = json!({
        "a": {"mappings": {"_source": {"enabled": false}}},
        "b": {"mappings": {"_source": {"mode": "synthetic"}}},
        "c": {"mappings": {}},
    });
    let found = read(&mappings, listing(false));
    assert_eq!(found.without_source.as_deref(), Some("a"));
    let disabled = json!({"x": {"mappings": {"_source": {"mode": "disabled"}}}});
    assert_eq!(read(&disabled, listing(false)).without_source.as_deref(), Some("x"));
    assert_eq!(found.synthetic.as_deref(), Some("b"));
    for (settings, expected) in [
        (json!({}), None),
        (json!({"index.mode": "logsdb"}), Some("i")),
        (json!({"index.mode": "logsdb", "index.mapping.source.mode": "stored"}), None),
        (json!({"index.mapping.source.mode": "synthetic"}), Some("i")),
        (json!({"index.derived_source.enabled": "true"}), Some("i")),
    ] {
        let answer = json!({ "i": { "settings": settings } });
        assert_eq!(synthetic_by_settings(&answer).as_deref(), expected, "{settings}");
    }
    let answer =
        json!({"i": {"settings": {"index.max_result_window": "500"}}, "j": {"settings": {}}});
    assert_eq!(smallest_window(&answer), Some(500));
    assert_eq!(smallest_window(&json!({})), None);
}

#[test]
fn fields_that_are_computed_from_documents_are_fields_of_theirs() {
    let mappings = json!({ "i": { "mappings": {
        "dynamic": "runtime",
        "runtime": {
            "n": { "type": "long" },
            "o.p": { "type": "keyword" },
            "o.q": { "type": "date", "format": "epoch_second" },
            "id": { "type": "keyword" },
            "script": { "type": "long", "script": { "source": "emit(1)" } },
            "other": { "type": "lookup", "target_index": "x" },
        },
        "properties": { "id": { "type": "long" } },
    } } });
    let found = read(&mappings, listing(true));
    assert_eq!(names(&found), ["id", "n", "o.p", "o.q"]);
    assert_eq!(found.fields[0].kind, FieldKind::Int(64));
    assert!(found.computed.contains("id") && found.computed.contains("script"));
    assert!(!found.computed.contains("o"));
    let mut twice = mappings.clone();
    twice["j"] = mappings["i"].clone();
    let both = read(&twice, listing(true));
    assert_eq!(names(&both), names(&found));
    assert_eq!(both.computed, found.computed);
    let found = read(&mappings, listing(false));
    assert_eq!(names(&found), ["id", "n", "o"]);
    assert_eq!(found.fields[2].kind, FieldKind::Json);
    let include = ["o.p".to_string()];
    for (flatten, expected) in [(true, "o.p"), (false, "o")] {
        let listing = Listing { flatten, include: &include, exclude: &[], asked: &[] };
        assert_eq!(names(&read(&mappings, listing)), [expected]);
    }
}

#[test]
fn fields_that_an_index_does_not_keep_are_not_listed() {
    let mappings = |source: Value| {
        json!({
            "i": { "mappings": { "_source": source, "properties": {
                "a": { "type": "long" },
                "o": { "properties": { "x": { "type": "long" }, "y": { "type": "long" } } },
            } } },
            "j": { "mappings": { "properties": { "a": { "type": "long" } } } },
        })
    };
    for (source, flat, whole, is_filtered) in [
        (json!({}), &["a", "o.x", "o.y"][..], &["a", "o"][..], false),
        (json!({ "includes": ["o.x"] }), &["a", "o.x"], &["a", "o"], true),
        (json!({ "excludes": ["o.*"] }), &["a"], &["a", "o"], true),
        (json!({ "includes": ["a", "o*"], "excludes": ["o"] }), &["a"], &["a"], true),
    ] {
        let value = mappings(source);
        let found = read(&value, listing(true));
        assert_eq!((names(&found), found.filtered.is_some()), (flat.to_vec(), is_filtered));
        assert_eq!(names(&read(&value, listing(false))), whole);
    }
}

#[test]
fn names_that_no_mapping_has_are_noticed() {
    let closed = json!({ "mappings": { "properties": {
        "a": { "type": "long" },
        "al": { "type": "alias", "path": "a" },
        "o": { "properties": { "x": { "type": "text", "fields": { "raw": { "type": "keyword" } } } } },
        "n": { "type": "nested", "properties": { "y": { "type": "long" } } },
    } } });
    let mut open = closed.clone();
    open["mappings"]["properties"]["e"] = json!({ "type": "object", "enabled": false });
    let mut loose = closed.clone();
    loose["mappings"]["dynamic"] = "false".into();
    let other = json!({ "mappings": { "runtime": { "r.s": { "type": "long" } } } });
    for (pattern, in_closed, in_open) in [
        ("a", true, true),
        ("o", true, true),
        ("o.x", true, true),
        ("o.*", true, true),
        ("n.y", true, true),
        ("*", true, true),
        ("r.s", true, true),
        ("r", true, true),
        ("nope", false, false),
        ("A", false, false),
        ("o.z", false, false),
        ("o.x.raw", false, false),
        ("al", false, false),
        ("_id", false, false),
        ("z*", false, true),
        ("e.f", false, true),
        ("ef", false, false),
    ] {
        for is_excluded in [false, true] {
            let patterns = [pattern.to_string()];
            let (include, exclude) =
                if is_excluded { (&[][..], &patterns[..]) } else { (&patterns[..], &[][..]) };
            let is_known = |first: &Value, flatten: bool| {
                let mappings = json!({ "i": first, "j": other });
                read(&mappings, Listing { flatten, include, exclude, asked: &[] })
                    .unknown
                    .is_empty()
            };
            assert_eq!(is_known(&closed, true), in_closed, "{pattern}");
            assert_eq!(is_known(&open, true), in_open, "{pattern}");
            assert!(is_known(&loose, true), "{pattern}");
        }
    }
}

#[test]
fn patterns_stand_for_names() {
    for (pattern, name, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*b", "ab", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abde", false),
        ("*", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}
