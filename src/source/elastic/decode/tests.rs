use proptest::prelude::*;

use super::*;
use crate::record::{Flush, Interval, Position};
use crate::source::elastic::page::{self, Demands};
use crate::source::{Others, Wanted};

fn decoder(wanted: &Wanted, metadata: &[&str]) -> HitDecode {
    HitDecode {
        names: vec!["orders".to_string()],
        picker: Picker::new(wanted, METADATA_FIELDS, false).with_paths(),
        metadata: metadata.iter().map(|name| name.to_string()).collect(),
        clash: Clash::new(&metadata.iter().map(|name| name.to_string()).collect::<Vec<_>>()),
    }
}

fn decode(decoder: &HitDecode, bytes: &[u8], records: u64) -> Result<Rows> {
    let key = || Position::Key(std::sync::Arc::from(&b"[1]"[..]));
    let segment = Segment {
        interval: Interval { split: 0, from: key(), to: key() },
        first_record: 1,
        first_line: 1,
        records,
        bytes: bytes.to_vec(),
        flaws: Vec::new(),
        flush: Flush::End,
    };
    let mut rows = Rows::new(decoder.shape());
    decoder.decode(&segment, &mut rows).map(|()| rows)
}

fn chosen(names: &[&str], others: Others) -> Wanted {
    Wanted::Fields { names: names.iter().map(|name| name.to_string()).collect(), others }
}

const HIT: &str = r#"{"_index":"orders","_id":"d\"1","_version":3,"_score":null,"_routing":"r","_source":{"a": 1.50,"b":null},"sort":[1,2]}"#;

#[test]
fn whole_documents_keep_their_own_words() {
    for (metadata, hit, expected) in [
        (&[][..], HIT, r#"{"a": 1.50,"b":null}"#),
        (&["_id"], HIT, r#"{"_id":"d\"1","a": 1.50,"b":null}"#),
        (
            &["_index", "_version", "_routing"],
            HIT,
            r#"{"_index":"orders","_version":3,"_routing":"r","a": 1.50,"b":null}"#,
        ),
        (&["_id"], r#"{"_index":"x","_id":"1","_source":{ },"sort":[1]}"#, r#"{"_id":"1" }"#),
        (&["_routing"], r#"{"_index":"x","_id":"1","_source":{"a":1}}"#, r#"{"a":1}"#),
        (&["_routing"], r#"{"_index":"x","_id":"1","_source":{}}"#, "{}"),
        (&["_version"], r#"{"_index":"x","_id":"1","_source":{"a":1}}"#, r#"{"a":1}"#),
        (
            &["_id"],
            r#"{"_index":"x","_id":"a\u0001\n","_source":{"a":1}}"#,
            r#"{"_id":"a\u0001\n","a":1}"#,
        ),
    ] {
        let rows = decode(&decoder(&Wanted::Everything, metadata), hit.as_bytes(), 1).unwrap();
        assert_eq!(rows.row(0).next(), Some(Value::Json(expected.as_bytes())), "{metadata:?}");
    }
}

#[test]
fn fields_come_from_the_document_and_from_beside_it() {
    let wanted = chosen(&["_version", "a", "_id", "c", "_routing", "b"], Others::Ignore);
    let rows = decode(&decoder(&wanted, &[]), HIT.as_bytes(), 1).unwrap();
    assert_eq!(
        rows.row(0).collect::<Vec<_>>(),
        [
            Value::Number(b"3"),
            Value::Number(b"1.50"),
            Value::Text(b"d\"1"),
            Value::Absent,
            Value::Text(b"r"),
            Value::Null,
        ]
    );
}

#[test]
fn a_document_that_is_no_row_is_rejected_under_its_name() {
    let wanted = chosen(&["a"], Others::Reject);
    let text = [
        r#"{"_index":"i1","_id":"ok","_source":{"a":1}}"#,
        r#"{"_index":"i2","_id":"x\ny","_source":{"a":1,"z":2}}"#,
        r#"{"_index":"i3","_id":"s","_source":{"a":"\ud800"}}"#,
        r#"{"_index":"i4","_id":"t","_source":{"a":1,"a":2}}"#,
        "not a hit",
    ]
    .join("\n");
    let rows = decode(&decoder(&wanted, &[]), text.as_bytes(), 5).unwrap();
    assert_eq!(rows.len(), 1);
    let found: Vec<String> = rows.rejected.iter().map(|found| found.place.to_string()).collect();
    assert_eq!(
        found,
        [
            "i2, _id 'x\\ny', column 'z'",
            "i3, _id 's', column 'a'",
            "i4, _id 't', column 'a'",
            "orders"
        ]
    );
    let records: Vec<_> = rows.rejected.iter().map(|found| found.place.record).collect();
    assert_eq!(records, [Some(2), Some(3), Some(4), Some(5)]);
    assert_eq!(rows.rejected[3].raw, b"not a hit");
}

#[test]
fn a_document_that_is_no_object_is_rejected_whole_or_not() {
    let hit = br#"{"_index":"i","_id":"1","_source":[1]}"#;
    for wanted in [Wanted::Everything, chosen(&["a"], Others::Ignore)] {
        let rows = decode(&decoder(&wanted, &[]), hit, 1).unwrap();
        let rejected = &rows.rejected[0];
        assert_eq!((rows.len(), rejected.reason.as_str()), (0, "not a JSON object"));
        assert_eq!(rejected.place.to_string(), "i, _id '1'");
    }
}

#[test]
fn a_field_without_a_column_may_end_the_run() {
    let wanted = chosen(&["a"], Others::Stop { except: Vec::new() });
    let error = decode(&decoder(&wanted, &[]), HIT.as_bytes(), 1).err().unwrap().to_string();
    assert!(error.starts_with("orders, _id 'd\"1', column 'b': "), "{error}");
}

/// Any JSON value, written in any way.
fn value() -> impl Strategy<Value = String> {
    let space = "[ \n\r\t]{0,2}";
    let text = prop_oneof![
        "[a-zé漢😀 {}\\[\\],:]{0,8}".prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(vec![
            r#""\n\r\t\"\\\/""#,
            r#""\u0000""#,
            r#""\ud83d\ude00""#,
            r#""\ud800""#,
            r#""_source\":{""#,
        ])
        .prop_map(str::to_string),
    ];
    let leaf = prop_oneof![
        text,
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
        prop::sample::select(vec!["null", "true", "false", "[]", "{}"]).prop_map(str::to_string),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let key = "[a-zé\\.$_ ]{0,6}";
        let field = (key, space, inner.clone())
            .prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..5), space).prop_map(|(values, space)| format!(
                "[{}{space}]",
                values.join(&format!("{space},"))
            )),
            (prop::collection::vec(field, 0..5), space).prop_map(|(fields, space)| format!(
                "{{{space}{}}}",
                fields.join(&format!(",{space}"))
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn documents_survive_page_and_lines_and_decoder(
        values in prop::collection::vec((value(), "[a-z\"é]{1,5}"), 0..6),
    ) {
        let documents: Vec<String> =
            values.iter().map(|(value, _)| format!("{{\n  \"v\" :{value}\r\n}}")).collect();
        let hits: Vec<String> = documents
            .iter()
            .zip(&values)
            .map(|(document, (_, id))| {
                let id = serde_json::to_string(id).unwrap();
                format!("{{\"_index\":\"i\",\"_id\":{id},\"_source\":{document},\"sort\":[1]}}")
            })
            .collect();
        let mut body = format!(
            "{{\"timed_out\":false,\"_shards\":{{\"total\":1,\"successful\":1,\"failed\":0}},\"hits\":{{\"hits\":[{}]}}}}",
            hits.join(",")
        )
        .into_bytes();
        let demands = Demands { shards: None, may_end_early: false, order: None, has_source: true };
        let page = page::read(&body, demands).unwrap();
        page::to_lines(&mut body, 0, &page.hits);
        let rows = decode(&decoder(&Wanted::Everything, &[]), &body, page.hits.len() as u64).unwrap();
        prop_assert_eq!(rows.len(), documents.len());
        for (row, document) in documents.iter().enumerate() {
            let expected: String =
                document.chars().filter(|letter| !matches!(letter, '\n' | '\r')).collect();
            prop_assert_eq!(rows.row_bytes(row), expected.as_bytes());
        }
        let named = decode(&decoder(&chosen(&["_id"], Others::Ignore), &[]), &body, 0).unwrap();
        for (row, (_, id)) in values.iter().enumerate() {
            prop_assert_eq!(named.row_bytes(row), id.as_bytes());
        }
    }
}
