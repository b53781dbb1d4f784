use proptest::prelude::*;

use super::*;

const WHOLE: &str = r#"{"pit_id":"new","took":1,"timed_out":false,"_shards":{"total":3,"successful":3,"skipped":1,"failed":0},"hits":{"max_score":null,"hits":[HITS]}}"#;
const HIT: &str =
    r#"{"_index":"a","_id":"1","_score":null,"_source":{"x":1},"sort":[7,18446744073709551615]}"#;

const ANY: Demands = Demands { shards: None, may_end_early: false, order: None, has_source: true };
const FIRST: Demands = Demands { shards: Some(3), ..ANY };

fn page(hits: &str) -> String {
    WHOLE.replace("HITS", hits)
}

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/elastic/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

fn lines(body: &[u8], page: &HitPage) -> String {
    // Of another page, whose lines stay as they are.
    let earlier = b"{\"a\":1}\n";
    let mut lines = [earlier, body].concat();
    to_lines(&mut lines, earlier.len(), &page.hits);
    String::from_utf8(lines.strip_prefix(earlier).unwrap().to_vec()).unwrap()
}

#[test]
fn a_whole_page_counts() {
    let body = page(&format!("{HIT} ,\n{HIT}"));
    let found = read(body.as_bytes(), FIRST).unwrap();
    assert_eq!(found.snapshot.as_deref(), Some("new"));
    assert_eq!((found.shards, found.total, found.hits.len()), (3, None, 2));
    assert_eq!(found.last.as_deref(), Some(&b"[7,18446744073709551615]"[..]));
    assert_eq!(found.largest.len(), HIT.len());
    assert_eq!(lines(body.as_bytes(), &found), format!("{HIT}\n{HIT}\n"));
}

#[test]
fn a_page_of_all_clusters_counts() {
    let all = r#""_clusters":{"total":2,"successful":2,"skipped":0}"#;
    let body = page(HIT).replace(r#""took":1"#, all);
    assert_eq!(read(body.as_bytes(), FIRST).unwrap().hits.len(), 1);
}

/// The order of the hits before it can be told, but the next page could not begin behind it.
#[test]
fn a_last_hit_with_strange_sort_values_is_noticed() {
    let order = Order { after: None, equals: 0, equals_max: Some(1) };
    let hit = |sort: &str| HIT.replace("[7,18446744073709551615]", sort);
    let body = page(&[hit("[8,10]"), hit("[9.5,1]")].join(","));
    let found = read(body.as_bytes(), Demands { order: Some(order), ..ANY }).unwrap();
    assert_eq!((found.disorder, found.equals), (Some(Disorder::Strange), 0));
}

#[test]
fn a_page_without_hits_is_the_end() {
    let body = page("");
    let found = read(body.as_bytes(), FIRST).unwrap();
    assert_eq!((found.hits.len(), found.last.as_ref()), (0, None));
    assert_eq!(lines(body.as_bytes(), &found), "");
}

#[test]
fn a_page_that_lacks_something_does_not_count() {
    use ErrorType::{PartialResult, Protocol};
    let whole = page(HIT);
    for (what, with, error_type, reason) in [
        (r#""timed_out":false"#, r#""timed_out":true"#, PartialResult, "timed out"),
        (r#""timed_out":false,"#, "", Protocol, "whether it timed out"),
        (
            r#""timed_out":false"#,
            r#""timed_out":false,"terminated_early":true"#,
            PartialResult,
            "ended early",
        ),
        (r#""failed":0"#, r#""failed":1"#, PartialResult, "1 failed"),
        (r#""successful":3"#, r#""successful":1"#, PartialResult, "1 of 3"),
        (r#""total":3,"successful":3"#, r#""total":2,"successful":2"#, PartialResult, "it was 3"),
        (r#""_shards""#, r#""_other""#, Protocol, "how many shards"),
        (r#""took":1"#, r#""_clusters":{"total":2,"skipped":1}"#, PartialResult, "1 were skipped"),
        (r#""took":1"#, r#""_clusters":{"partial":1}"#, PartialResult, "1 answered in part"),
        (r#""took":1"#, r#""_clusters":{"failed":1}"#, PartialResult, "1 failed"),
        (r#""_id":"1","#, "", Protocol, "no _id"),
        (r#""_index":"a","#, "", Protocol, "no _index"),
        (r#""_source":{"x":1},"#, "", Protocol, "no _source"),
        (r#""_source":{"x":1}"#, r#""_source":null"#, Protocol, "no _source"),
        (r#","sort":[7,18446744073709551615]"#, "", Protocol, "no sort"),
        (HIT, "{}", Protocol, "no _index"),
        (HIT, "7", Protocol, "no JSON"),
        (r#""_index":"a""#, r#""\u005findex":"{""#, Protocol, "begins with escapes"),
        (
            r#""max_score":null"#,
            r#""total":{"value":10000,"relation":"gte"}"#,
            Protocol,
            "not exact",
        ),
        (r#""hits":{"max"#, r#""other":{"max"#, Protocol, "no hits"),
        ("}}", "}", Protocol, "not whole"),
    ] {
        let body = whole.replacen(what, with, 1);
        assert_ne!(body, whole, "{what}");
        let found = read(body.as_bytes(), FIRST).unwrap_err();
        assert_eq!(found.error_type, error_type, "{what} {found:?}");
        assert!(found.reason.contains(reason), "{what} {found:?}");
    }
}

#[test]
fn what_is_no_page_does_not_count() {
    for (body, reason) in [
        ("", "no JSON"),
        ("<html><body>Bad\nGateway</body></html>", "<html><body>Bad Gateway"),
        ("[]", "no JSON"),
        ("{}", "whether it timed out"),
        ("{\"timed_out\":false}garbage", "not whole"),
    ] {
        let found = read(body.as_bytes(), FIRST).unwrap_err();
        assert!(found.reason.contains(reason), "{body}: {}", found.reason);
    }
    assert!(read(b"{\"x\":\"\xff\"}", FIRST).unwrap_err().reason.contains("UTF-8"));
}

#[test]
fn no_part_of_a_page_counts() {
    let whole = page(&format!("{HIT},{HIT}"));
    for length in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..length], FIRST).is_err(), "cut at {length}");
    }
}

#[test]
fn an_index_that_keeps_no_documents_is_named() {
    let body = page(&HIT.replace(r#""_source":{"x":1},"#, ""));
    let found = read(body.as_bytes(), FIRST).unwrap_err();
    assert_eq!(found.without_source.as_deref(), Some("a"));
}

#[test]
fn pages_of_real_servers_count() {
    for server in ["elasticsearch9", "elasticsearch717", "opensearch3"] {
        let body = golden(&format!("{server}-page"));
        let found = read(&body, FIRST).unwrap();
        assert_eq!(found.hits.len(), 2, "{server}");
        assert!(found.snapshot.is_some(), "{server}");
        let text = lines(&body, &found);
        assert!(text.lines().all(|line| line.starts_with(r#"{"_index":"orders""#)), "{text}");
        assert!(text.lines().all(|line| line.ends_with("]}")), "{text}");
        let end = read(&golden(&format!("{server}-page-empty")), FIRST).unwrap();
        assert_eq!(end.last, None, "{server}");
    }
}

#[test]
fn what_real_servers_call_partial_does_not_count() {
    for (name, reason) in [
        ("elasticsearch9-page-timed-out", "timed out"),
        ("opensearch3-page-shard-failed", "1 failed"),
    ] {
        let found = read(&golden(name), FIRST).unwrap_err();
        assert!(found.reason.contains(reason), "{name}: {}", found.reason);
    }
}

/// Elasticsearch 7 says of all but the first page of a scroll that it was ended early.
#[test]
fn pages_of_a_scroll_may_end_early() {
    for server in ["elasticsearch9", "elasticsearch717", "elasticsearch710", "opensearch3"] {
        // Some ask only those shards that have a part in the slice.
        let demands = ANY;
        let first = read(&golden(&format!("{server}-scroll-first")), demands).unwrap();
        assert!(first.total.is_some() && first.snapshot.is_some(), "{server}");
        let next = golden(&format!("{server}-scroll-next"));
        let demands = Demands { shards: Some(first.shards), may_end_early: true, ..ANY };
        assert!(read(&next, demands).is_ok(), "{server}");
        let strict = Demands { may_end_early: false, ..demands };
        let ends_early = server.starts_with("elasticsearch7");
        assert_eq!(read(&next, strict).is_err(), ends_early, "{server}");
    }
}

proptest! {
    #[test]
    fn whatever_stands_around_hits_they_are_found(
        hits in prop::collection::vec(("[ \n\r\t]{0,3}", "[ \n\r\t]{0,3}", "[a-z{}\\[\\],]{0,9}"), 0..5),
    ) {
        let mut text = String::new();
        let mut expected = String::new();
        for (before, within, value) in &hits {
            if !text.is_empty() {
                text.push(',');
            }
            let hit = format!(
                "{{{within}\"_index\"{within}:\"a\",\"_id\":\"{value}\",\"_source\":{within}{{\"v\":\"{value}\"{within}}},\"sort\":[1]{within}}}"
            );
            text.push_str(before);
            text.push_str(&hit);
            expected.extend(hit.chars().filter(|letter| !matches!(letter, '\n' | '\r')));
            expected.push('\n');
        }
        let body = page(&text);
        let found = read(body.as_bytes(), FIRST).unwrap();
        prop_assert_eq!(lines(body.as_bytes(), &found), expected);
    }
}
