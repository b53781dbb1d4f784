//! Taking a snapshot in the best way a server knows, counting what is in it, and weighing it.

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ElasticSettings;
use super::ask::{self, Pit, SearchBody};
use super::body::More;
use super::client::{Client, Question};
use super::error_answer::ErrorAnswer;
use super::malformed;
use super::page::Demands;
use super::page_reader::{Fetched, PageReader};
use super::page_sizer;
use super::server_info::PagingMethod;
use super::snapshot::IndexSnapshot;
use crate::error::{Error, Kind, Result};
use crate::event::Operation;
use crate::record::ErrorType;

/// Documents that are weighed before a scroll begins.
const SAMPLED: u64 = 100;

/// What `size: 0` says.
pub struct Count {
    pub total: u64,
    pub shards: u64,
}

/// Takes a snapshot in the best way the server knows, and counts what is in it.
pub async fn take(
    paging_methods: &[PagingMethod],
    client: &Arc<Client>,
    indices: &str,
    title: &str,
    query: Option<&RawValue>,
    settings: &ElasticSettings,
) -> Result<(IndexSnapshot, Count)> {
    for paging_method in paging_methods {
        let opened =
            IndexSnapshot::open(client.clone(), *paging_method, indices, settings.keep_alive);
        let Some(snapshot) = opened.await? else { continue };
        let answer = ask_count(client, &snapshot, indices, query).await;
        // A server that did not tell its version may not know the order that is needed.
        let is_unordered = |refusal: &ErrorAnswer| refusal.reason.contains("[_shard_doc]");
        let counted = match answer {
            Ok(Err(refusal))
                if *paging_method != PagingMethod::Scroll && is_unordered(&refusal) =>
            {
                snapshot.close().await;
                continue;
            }
            Ok(Err(refusal)) => Err(refusal.error(&format!("counting the documents of '{title}'"))),
            Ok(Ok(value)) => count(&value, title),
            Err(error) => Err(error),
        };
        match counted {
            Ok(count) => return Ok((snapshot, count)),
            Err(error) => {
                snapshot.close().await;
                return Err(error);
            }
        }
    }
    Err(Error::internal("every server can be scrolled"))
}

async fn ask_count(
    client: &Client,
    snapshot: &IndexSnapshot,
    indices: &str,
    query: Option<&RawValue>,
) -> Result<std::result::Result<Value, ErrorAnswer>> {
    let is_scroll = snapshot.paging_method() == PagingMethod::Scroll;
    let point = snapshot.point();
    let path = if is_scroll { format!("/{indices}/_search") } else { "/_search".to_string() };
    let order = if is_scroll { ask::SCROLL_SORT } else { ask::SORT };
    let search = SearchBody {
        size: 0,
        from: 0,
        query,
        pit: (!is_scroll).then(|| Pit { id: &point, keep_alive: snapshot.keep_alive() }),
        sort: ask::raw(order.as_bytes())?,
        search_after: None,
        slice: None,
        track_total_hits: true,
        source: None,
        version: false,
    };
    let question = Question {
        operation: Operation::Count,
        method: Method::POST,
        path: &path,
        parameters: &[("allow_partial_search_results", "false")],
        body: Some(search.text()),
    };
    let answer = client.ask(question).await?;
    if answer.status != 200 {
        return Ok(Err(answer.refusal()));
    }
    let counted = answer.accepted("counting")?;
    if let Some(name) = counted["pit_id"].as_str() {
        snapshot.renamed(0, &point, name.to_string());
    }
    Ok(Ok(counted))
}

/// Documents that are there under a routing of their own, so that others may have their `_id`. None
/// where the server does not say.
pub async fn routed(
    client: &Client,
    snapshot: &IndexSnapshot,
    indices: &str,
    query: Option<&RawValue>,
) -> u64 {
    let query = query.map_or_else(String::new, |query| format!(",{}", query.get()));
    let words = format!(r#"{{"bool":{{"filter":[{{"exists":{{"field":"_routing"}}}}{query}]}}}}"#);
    let Ok(query) = RawValue::from_string(words) else { return 0 };
    match ask_count(client, snapshot, indices, Some(&query)).await {
        Ok(Ok(value)) => value["hits"]["total"]["value"].as_u64().unwrap_or(0),
        Ok(Err(refusal)) => {
            tracing::debug!("documents with a routing cannot be counted: {}", refusal.reason);
            0
        }
        Err(error) => {
            tracing::debug!("documents with a routing cannot be counted: {error}");
            0
        }
    }
}

fn count(answer: &Value, title: &str) -> Result<Count> {
    let shards = &answer["_shards"];
    let number = |value: &Value| value.as_u64();
    let is_whole = answer["timed_out"].as_bool() == Some(false)
        && number(&shards["failed"]) == Some(0)
        && answer["hits"]["total"]["relation"].as_str() == Some("eq");
    match (number(&answer["hits"]["total"]["value"]), number(&shards["total"])) {
        (Some(total), Some(shards)) if is_whole => Ok(Count { total, shards }),
        _ => {
            let message = format!("the documents of '{title}' could not be counted on all shards");
            Err(Error::new(Kind::Unavailable, ErrorType::PartialResult, message))
        }
    }
}

/// The size of the pages of a scroll, by the weight of the first documents: it is fixed once the
/// scroll is open.
pub async fn weigh(reader: &PageReader) -> Result<u64> {
    let records_max = reader.page_records().min(reader.window);
    let mut size = SAMPLED.min(records_max);
    loop {
        let (path, body) = reader.request_sample(size)?;
        let response = reader.client.page(&path, body).await?;
        let demands = Demands { shards: None, may_end_early: false, order: None, has_source: true };
        let mut body = Vec::new();
        match reader.receive(response, &mut body, demands, |_| More::No).await? {
            Fetched::Page(page) => {
                let sampled = page.hits.len() as u64;
                let bytes = body.len() as u64;
                return Ok(page_sizer::fixed(records_max, reader.page_bytes(), sampled, bytes));
            }
            Fetched::TooLarge if size > 1 => size = (size / 4).max(1),
            Fetched::TooLarge | Fetched::Over => return Ok(1),
            // What cannot be read is weighed all the same.
            Fetched::Incomplete(incomplete)
                if incomplete.is_unreadable && malformed::is_whole(&body) =>
            {
                let bytes = body.len() as u64;
                return Ok(page_sizer::fixed(records_max, reader.page_bytes(), size, bytes));
            }
            Fetched::Incomplete(incomplete) => return Err(reader.incomplete(&incomplete)),
            Fetched::Refused(refusal) => return Err(refusal.error(&reader.page_name())),
        }
    }
}
