use serde_json::json;

use super::*;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_string()).unwrap()
}

/// As in indices with these fields.
fn pin(query: &str) -> Result<String, String> {
    let query = raw(query);
    let uses = find(&query);
    let one = |field: &str, mapping: Value| json!({ "mapping": { field: mapping } });
    let mappings = json!({
        "d": one("d", json!({ "type": "date" })),
        "y": one("y", json!({ "type": "date", "format": "yyyyMMdd" })),
        "o.n": one("n", json!({ "type": "date_nanos" })),
        "german": one("german", json!({ "type": "date", "format": "EEE", "locale": "de" })),
        "k": one("k", json!({ "type": "keyword" })),
        "i": one("i", json!({ "type": "integer" })),
    });
    let other = json!({ "d": one("d", json!({ "type": "date" })), "mixed": one("mixed", json!({ "type": "date" })) });
    let mut both = json!({ "a": { "mappings": mappings } });
    let fields: Vec<String> = uses.fields().into_iter().map(str::to_string).collect();
    let kept_in_one = kept(&both, &fields);
    both["b"] = json!({ "mappings": other });
    let mut all = kept(&both, &["mixed".to_string()]);
    all.extend(kept_in_one);
    pinned(&query, &uses, &all, "2026-11-26T14:30:00.5Z".parse().unwrap())
}

#[test]
fn indices_one_by_one_say_what_they_say_together() {
    let date = |format: &str| json!({ "mapping": { "d": { "type": "date", "format": format } } });
    let index = |name: &str, fields: Value| json!({ name: { "mappings": fields } });
    let fields = ["d".to_string(), "e".to_string()];
    let (one, same) =
        (json!({ "d": date("yyyy"), "e": date("yyyy") }), json!({ "d": date("yyyy") }));
    let other = json!({ "d": date("epoch_second"), "e": date("yyyy") });
    for (first, second) in [(&one, &one), (&one, &same), (&same, &one), (&one, &other)] {
        let mut both = index("a", first.clone());
        both["b"] = index("b", second.clone())["b"].take();
        let before = kept(&index("a", first.clone()), &fields);
        let found = kept_in_both(before, &kept(&index("b", second.clone()), &fields));
        assert_eq!(found, kept(&both, &fields), "{both}");
    }
}

const NOW: &str = "2026-11-26T14:30:00.500000000Z";

#[test]
fn bounds_of_dates_become_an_instant() {
    let default = "strict_date_optional_time||epoch_millis||strict_date_optional_time";
    for (query, expected) in [
        (
            r#"{"range":{"d":{"gte":"now-100s"}}}"#,
            format!(r#"{{"range":{{"d":{{"format":"{default}","gte":"{NOW}||-100s"}}}}}}"#),
        ),
        (
            r#"{ "bool": {"filter": [{"range":{"d":{ "lt" : "now", "gt":"2024"}}}, {"term":{"k":12345678901234567890123}}]}}"#,
            format!(
                r#"{{ "bool": {{"filter": [{{"range":{{"d":{{"format":"{default}", "lt" : "{NOW}", "gt":"2024"}}}}}}, {{"term":{{"k":12345678901234567890123}}}}]}}}}"#
            ),
        ),
        (
            r#"{"range":{"y":{"from":"now-1d/d","to":"\u006eow/d","time_zone":"+05:30"}}}"#,
            format!(
                r#"{{"range":{{"y":{{"format":"yyyyMMdd||strict_date_optional_time","from":"{NOW}||-1d/d","to":"{NOW}||/d","time_zone":"+05:30"}}}}}}"#
            ),
        ),
        (
            r#"{"nested":{"path":"o","query":{"range":{"o.n":{"lte":"now","format":"yyyy"}}}}}"#,
            format!(
                r#"{{"nested":{{"path":"o","query":{{"range":{{"o.n":{{"lte":"{NOW}","format":"yyyy||strict_date_optional_time"}}}}}}}}}}"#
            ),
        ),
    ] {
        assert_eq!(pin(query), Ok(expected), "{query}");
    }
}

#[test]
fn what_is_no_date_stays() {
    for query in [
        r#"{"match_all":{}}"#,
        r#"{"range":{"d":{"gte":"2024-01-01||/d"}}}"#,
        r#"{"range":{"k":{"gte":"now"}}}"#,
        r#"{"term":{"k":"now"}}"#,
        r#"{"terms":{"k":["now","then"]}}"#,
        r#"{"match":{"k":{"query":"right now"}}}"#,
        r#"{"query_string":{"query":"who knows, nowhere, snow"}}"#,
        r#"{"prefix":{"d":"now"}}"#,
        r#"{"bool":["then"]}"#,
        r#"{"function_score":{"exp":{"i":{"origin":1,"scale":2},"multi_value_mode":"avg"}}}"#,
        r#"{"bool":{"must":{"ids":{"values":["now"]}},"minimum_should_match":1}}"#,
    ] {
        assert_eq!(pin(query), Ok(query.to_string()));
    }
}

#[test]
fn what_is_not_understood_is_said() {
    for (query, clause) in [
        (r#"{"query_string":{"query":"d:[now-1d TO now]"}}"#, "query_string"),
        (r#"{"simple_query_string":{"query":"now"}}"#, "simple_query_string"),
        (r#"{"wrapper":{"query":"eyJ9"}}"#, "wrapper"),
        (r#"{"script":{"script":"true"}}"#, "script"),
        (r#"{"function_score":{"functions":[{"script_score":{"script":"1"}}]}}"#, "function_score"),
        (r#"{"term":{"d":"now"}}"#, "d"),
        (r#"{"match":{"mixed":"now-1d"}}"#, "mixed"),
        (r#"{"range":{"i":{"gte":"now"}}}"#, "i"),
        (r#"{"range":{"nope":{"gte":"now"}}}"#, "nope"),
        (r#"{"range":{"mixed":{"gte":"now"}}}"#, "mixed"),
        (r#"{"range":{"german":{"gte":"now"}}}"#, "german"),
        (r#"{"range":{"d":{"gte":["now"]}}}"#, "range"),
        (r#"{"range":{"d":{"gte":"now","new_word":"now"}}}"#, "range"),
        (r#"{"range":{"d":{"gte":" now"}}}"#, "range"),
        (r#"{"bool":{"what":{"range":{"d":{"gte":"now"}}}}}"#, "bool"),
        (r#"{"new_query":[{"d":{"gte":"now"}}]}"#, "new_query"),
        (r#"{"terms":{"k":{"index":"i","id":"1","path":"p"}}}"#, "terms"),
        (r#"{"function_score":{"random_score":{},"min_score":0.5}}"#, "function_score"),
        (r#"{"function_score":{"gauss":{"d":{"scale":"1d"}}}}"#, "function_score"),
        (r#"{"more_like_this":{"like":[{"_index":"a","_id":"1"}]}}"#, "more_like_this"),
        // The server will refuse these, or knows more.
        (r#"{"bool":{"must":["now"]}}"#, "query"),
        (r#"{"bool":["now"]}"#, "bool"),
        (r#"{"range":["now"]}"#, "range"),
        (r#"{"term":["now"]}"#, "term"),
        (r#"{"new_query":{"now":1}}"#, "new_query"),
        (
            r#"{"function_score":{"linear":{"d":{"origin":"2024","scale":"now"}}}}"#,
            "function_score",
        ),
    ] {
        assert_eq!(pin(query), Err(clause.to_string()), "{query}");
    }
}

#[test]
fn filters_of_aliases_are_looked_at() {
    let filtered = |filter: Value| json!({ "a": { "aliases": { "plain": {}, "recent": { "filter": filter } } } });
    let range = json!({ "range": { "d": { "gte": "now-1d" } } });
    assert_eq!(in_filters(&filtered(range)), Some("recent".to_string()));
    assert_eq!(in_filters(&filtered(json!({ "term": { "k": "x" } }))), None);
    assert_eq!(in_filters(&json!({ "error": "no", "status": 404 })), None);
    // Known only where the fields are, which nobody asks for here; or not at all.
    for filter in [json!({ "term": { "d": "now" } }), json!({ "script": { "script": "true" } })] {
        assert_eq!(in_filters(&filtered(filter)), Some("recent".to_string()));
    }
}

#[test]
fn the_servers_clock_is_read() {
    let answer =
        |from: Value| json!({ "aggregations": { "now": { "buckets": [{ "from": from }] } } });
    let read = |from: Value| instant(&answer(from)).map(|instant| instant.to_string());
    assert_eq!(read(json!(1.795703377264E12)).as_deref(), Some("2026-11-26T14:29:37.264Z"));
    assert_eq!(read(json!("soon")), None);
    assert_eq!(read(json!(1.5)), None);
    assert_eq!(instant(&json!({})), None);
}
