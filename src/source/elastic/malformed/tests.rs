use proptest::prelude::*;

use super::super::order::Order;
use super::*;

const DEMANDS: Demands = Demands {
    shards: None,
    may_end_early: false,
    order: Some(Order { after: None, equals: 0, equals_max: Some(1) }),
    has_source: true,
};

fn hit(number: usize, source: &[u8]) -> Vec<u8> {
    let front = format!("{{\"_index\":\"a\",\"_id\":\"{number}\",\"_source\":");
    [front.as_bytes(), source, format!(",\"sort\":[{number},{number}]}}").as_bytes()].concat()
}

fn page(sources: &[&[u8]]) -> Vec<u8> {
    let hits: Vec<Vec<u8>> = sources.iter().enumerate().map(|(n, s)| hit(n, s)).collect();
    let front = br#"{"pit_id":"new","timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"max_score":null,"hits":["#;
    [&front[..], &hits.join(&b","[..]), b"]}}"].concat()
}

/// What was found: good documents whole, and `_id` and bytes of bad ones.
fn found(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let records = read(body, DEMANDS)?.unwrap().records.unwrap();
    let mut rest = &records[..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = match framed(rest) {
            Some((framed, length)) => {
                found.push(framed.raw.to_vec());
                assert!(serde_json::from_slice::<serde_json::Value>(framed.head).is_ok());
                length
            }
            None => {
                let length = memchr::memchr(b'\n', rest).unwrap() + 1;
                found.push(rest[..length - 1].to_vec());
                length
            }
        };
        rest = &rest[length..];
    }
    Some(found)
}

#[test]
fn a_page_with_bad_documents_is_cut() {
    for bad in [
        &b"{\"a\":\"\xED\xA0\xBD\xED\xB8\x80\"}"[..],
        b"{\"a\":\"\xC0\x80\"}",
        b"{\"a\":\"\xF7\xBF\xBF\xBF\"}",
        b"{\"\xED\xA0\xBD\":1}",
        b"{\"a\":1 /* c } \" */}",
        b"{\"a\":1 // c } \" \n}",
        b"{\"a\":1 // c } \" \r\n}",
        b"/* x */ {\"a\":1}",
        b"// { \"\n{\"a\":1}",
        b"{\"a\":1} /* c */",
        b"\xEF\xBB\xBF{\"a\":1}",
        b"{\"a\":\"x\ny\x01\"}",
        b"{\"a\":[NaN, {\"b\":-INF}]}",
    ] {
        let sources = [&b"{\"x\":[1,\"]}\"]}"[..], bad, b"{\"x\":\"\\\"\\\\\"}", bad];
        let expected: Vec<Vec<u8>> = sources.iter().enumerate().map(|(n, s)| hit(n, s)).collect();
        assert_eq!(found(&page(&sources)), Some(expected), "{}", bad.escape_ascii());
    }
}

/// What is wrong stands outside of the documents.
#[test]
fn an_answer_that_is_broken_elsewhere_is_not_mended() {
    let whole = String::from_utf8(page(&[b"{\"x\":1 /**/}"])).unwrap();
    assert!(read(whole.as_bytes(), DEMANDS).unwrap().is_ok());
    for (what, with) in [
        ("\"max_score\":null", "\"max_score\":nul"),
        ("\"max_score\":null", "\"max_score\":[1/2]"),
        ("\"max_score\":null", "\"max_score\":{} {}"),
        ("\"hits\":{", "\"hits\":{\"hits\":[],"),
        ("\"hits\":{", "\"empty\":{},\"hits\":{}}"),
        ("[{\"_index\"", "[{},{\"_index\""),
        ("{\"x\":1 /**/}", "{\"x\":1 / 2}"),
        ("{\"x\":1 /**/}", "/ {\"x\":1}"),
    ] {
        let body = whole.replacen(what, with, 1);
        assert_ne!(body, whole);
        assert!(read(body.as_bytes(), DEMANDS).is_none(), "{body}");
    }
}

/// Nothing in it needs to be mended: a strict parser says what is missing.
#[test]
fn an_answer_without_hits_is_read_as_it_is() {
    let body = page(&[]);
    let found = read(&body, DEMANDS).unwrap().unwrap();
    assert_eq!((found.hits.len(), found.records.as_deref()), (0, Some(&b""[..])));
}

/// Whose end cannot be told from the next hit.
#[test]
fn a_page_that_cannot_be_cut_with_certainty_is_not() {
    for bad in [
        &b"{\"a\":1} // c"[..],
        b"{\"a\":1} // c\n",
        b"{\"a\":1} /* c",
        b"{\"a\":1",
        b"{\"a\":1}}",
        b"{\"a\":1]",
        b"[1]",
        b"",
        b"{\"a\":1},\"_source\":{\"b\":1 /**/}",
    ] {
        let body = page(&[b"{\"x\":1}", bad, b"{\"x\":2 // \n}"]);
        assert_eq!(found(&body), None, "{}", bad.escape_ascii());
    }
    let whole = page(&[b"{\"x\":1}", b"{\"a\":1 /* c */}", b"{\"x\":2}"]);
    for length in 0..whole.len() {
        assert!(read(&whole[..length], DEMANDS).is_none(), "cut at {length}");
    }
}

#[test]
fn a_single_hit_is_found_in_any_answer() {
    let body = page(&[b"{\"a\":1} // c"]);
    assert_eq!(only_hit(&body).map(<[u8]>::to_vec), Some(hit(0, b"{\"a\":1} // c")));
    assert_eq!(only_hit(&body[..body.len() - 1]), None);
    assert_eq!(only_hit(&page(&[])), None);
}

proptest! {
    #[test]
    fn whatever_documents_hold_they_keep_their_bytes(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6),
    ) {
        let quoted = |text: &Vec<u8>| -> Vec<u8> {
            let escaped = text.iter().flat_map(|byte| match byte {
                b'"' | b'\\' => vec![b'\\', *byte],
                _ => vec![*byte],
            });
            [b"{\"a\":\"".to_vec(), escaped.collect(), b"\"}".to_vec()].concat()
        };
        let sources: Vec<Vec<u8>> = texts.iter().map(quoted).collect();
        let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
        let expected: Vec<Vec<u8>> = sources.iter().enumerate().map(|(n, s)| hit(n, s)).collect();
        prop_assert_eq!(found(&page(&sources)), Some(expected));
    }

    #[test]
    fn nothing_makes_it_fail(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&body, DEMANDS);
        let _ = framed(&body);
        let _ = only_hit(&body);
    }
}
