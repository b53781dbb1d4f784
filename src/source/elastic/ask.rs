//! What searches ask for, as JSON. Pure.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::source::document::Object;

/// Fastest order there is, made total by the second key. OpenSearch loses documents without it, and
/// by the second key alone older servers look through everything for each page.
pub const SORT: &str = r#"[{"_doc":"asc"},{"_shard_doc":"asc"}]"#;
/// The second key of OpenSearch counts the shards of each index by itself, so that documents of two
/// indices share it, and those that end a page take others with them. An index without a mapping does
/// not even have `_index`, unless it is told of its type.
pub const SORT_OF_INDICES: &str =
    r#"[{"_doc":"asc"},{"_shard_doc":"asc"},{"_index":{"order":"asc","unmapped_type":"keyword"}}]"#;
/// For servers that do not know the second key.
pub const SCROLL_SORT: &str = r#"["_doc"]"#;
/// The documents that were stored last come first.
pub const LAST_FIRST: &str = r#"[{"_doc":"desc"}]"#;

#[derive(Serialize)]
pub struct SearchBody<'a> {
    pub size: u64,
    /// Hits to pass over.
    #[serde(skip_serializing_if = "is_none")]
    pub from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pit: Option<Pit<'a>>,
    pub sort: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_after: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<SliceRequest>,
    pub track_total_hits: bool,
    #[serde(rename = "_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<Sources<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub version: bool,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
pub struct Pit<'a> {
    pub id: &'a str,
    pub keep_alive: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SliceRequest {
    pub id: usize,
    pub max: usize,
}

/// What of a document is sent; all of it without this.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Sources<'a> {
    Some(SourceFilter<'a>),
    /// Always false.
    None(bool),
}

#[derive(Clone, Copy, Serialize)]
pub struct SourceFilter<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub includes: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub excludes: &'a [String],
    /// Always false: newer servers leave vectors out otherwise, and older ones do not know the word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_vectors: Option<bool>,
}

/// Whether a server knows how vectors are asked for.
pub const WITH_VECTORS: &str =
    r#"{"size":0,"track_total_hits":false,"_source":{"exclude_vectors":false}}"#;

impl SearchBody<'_> {
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a search is made of text and numbers")
    }
}

/// The words of a sort order or of a sort value, which came from a server or from above.
pub fn raw(words: &[u8]) -> Result<&RawValue> {
    serde_json::from_slice(words)
        .map_err(|cause| Error::internal("sort values are not JSON").because(cause))
}

/// The clause in what `--es-query` says: either itself, or what stands under `query` in a body.
pub fn clause(text: &str) -> Result<Box<RawValue>> {
    let help = "write --es-query as '{\"query\": {...}}', or the clause alone";
    let object: Object = serde_json::from_str(text).map_err(|cause| {
        Error::config(format!("the query is no JSON object: {cause}")).help(help)
    })?;
    let Some((_, query)) = object.0.iter().find(|(name, _)| name == "query") else {
        let clause = RawValue::from_string(text.trim().to_string());
        return clause.map_err(|cause| Error::config("the query is no JSON").because(cause));
    };
    let others: Vec<&str> =
        object.0.iter().map(|(name, _)| name.as_ref()).filter(|name| *name != "query").collect();
    if !others.is_empty() || object.0.len() > 1 {
        let others = others.join("', '");
        return Err(Error::config(format!("the query holds '{others}' beside 'query'")).help(
            "only 'query' can be chosen: use --es-fields for fields; size and order are ours",
        ));
    }
    Ok((*query).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_body_or_a_clause() {
        for (text, expected) in [
            (r#"{"query":{"term":{"a":1}}}"#, Some(r#"{"term":{"a":1}}"#)),
            (r#" {"match_all":{}} "#, Some(r#"{"match_all":{}}"#)),
            (
                r#"{"query":{"a":12345678901234567890123}}"#,
                Some(r#"{"a":12345678901234567890123}"#),
            ),
            (r#"{"query":{},"size":5}"#, None),
            (r#"{"query":{},"query":{}}"#, None),
            ("", None),
            ("[1]", None),
            ("status:paid", None),
            (r#"{"query":{}"#, None),
        ] {
            let found = clause(text).ok();
            assert_eq!(found.as_ref().map(|clause| clause.get()), expected, "{text}");
        }
    }

    #[test]
    fn a_search_keeps_the_servers_own_words() {
        let search = SearchBody {
            size: 10,
            from: 0,
            query: None,
            pit: Some(Pit { id: "x\"y", keep_alive: "5000ms" }),
            sort: raw(SORT.as_bytes()).unwrap(),
            search_after: Some(raw(b"[18446744073709551615, 4294967296]").unwrap()),
            slice: Some(SliceRequest { id: 0, max: 2 }),
            track_total_hits: false,
            source: Some(Sources::Some(SourceFilter {
                includes: &["a".to_string()],
                excludes: &[],
                exclude_vectors: None,
            })),
            version: false,
        };
        assert_eq!(
            search.text(),
            r#"{"size":10,"pit":{"id":"x\"y","keep_alive":"5000ms"},"sort":[{"_doc":"asc"},{"_shard_doc":"asc"}],"search_after":[18446744073709551615, 4294967296],"slice":{"id":0,"max":2},"track_total_hits":false,"_source":{"includes":["a"]}}"#
        );
    }
}
