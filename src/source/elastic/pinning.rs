//! Whether a query means the same for each page: what the server knows of it, and its clock.

use std::collections::{BTreeMap, HashSet};

use reqwest::Method;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{Client, Question};
use super::indices::{self, Unread};
use super::now;
use crate::error::{Error, Kind, Result};
use crate::event::Operation;
use crate::record::ErrorType;

pub struct Pinned {
    pub query: Option<Box<RawValue>>,
    /// What may still evaluate `now`.
    pub loose: Option<String>,
}

/// Makes `now` one instant where that is certain to mean the same, and says where it is not.
pub async fn pin(
    client: &Client,
    indices: &str,
    query: Option<Box<RawValue>>,
    is_alias: bool,
    computed: &HashSet<String>,
) -> Result<Pinned> {
    let filter = match is_alias {
        true => loose_filter(client, indices).await?,
        false => None,
    };
    let loose = filter;
    let Some(query) = query else { return Ok(Pinned { query: None, loose }) };
    let uses = now::find(&query);
    if loose.is_some() || uses.is_empty() {
        return Ok(Pinned { query: Some(query), loose });
    }
    let in_query = |clause: &str| Some(format!("'{}' in the query", clause.escape_debug()));
    if let Some(clause) = &uses.elsewhere {
        return Ok(Pinned { loose: in_query(clause), query: Some(query) });
    }
    let mut kept = kept(client, indices, &uses.fields()).await?;
    // The mapping of such a field is not that of what is compared.
    kept.retain(|field, _| !computed.contains(field));
    let now = clock(client, indices, &query).await?;
    match now::pinned(&query, &uses, &kept, now) {
        Ok(words) => {
            tracing::info!("'now' in the query is {now}");
            let words = RawValue::from_string(words)
                .map_err(|cause| Error::internal("the query is no JSON any more").because(cause))?;
            Ok(Pinned { query: Some(words), loose: None })
        }
        Err(clause) => Ok(Pinned { loose: in_query(&clause), query: Some(query) }),
    }
}

/// An alias among these names whose filter holds `now`, or may hold it because it may not be seen.
async fn loose_filter(client: &Client, indices: &str) -> Result<Option<String>> {
    let path = format!("/_alias/{indices}");
    // Names that are no aliases make it a 404, which holds the others all the same.
    let answer = client.ask(Question::get(Operation::Info, &path)).await?;
    let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    Ok(match value.filter(|_| matches!(answer.status, 200 | 404)) {
        Some(value) => {
            now::in_filters(&value).map(|alias| format!("the filter of the alias '{alias}'"))
        }
        None => Some(format!(
            "the filter of an alias, which may not be seen ({path}: status {})",
            answer.status
        )),
    })
}

/// How fields are kept; nothing is known where the mapping may not be seen field by field.
async fn kept(
    client: &Client,
    indices: &str,
    fields: &[&str],
) -> Result<BTreeMap<String, now::FieldStorage>> {
    // A comma would be two fields, and a star many.
    let is_plain = |field: &&&str| !field.contains([',', '*', '/', '?', '#', '%', '"']);
    let names: Vec<String> = fields.iter().filter(is_plain).map(|name| name.to_string()).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let path = format!("/{indices}/_mapping/field/{}", super::address::path_of(&names));
    let answer = client.ask(Question::get(Operation::Mapping, &path)).await?;
    let Ok(body) = answer.given("the mapping of fields") else { return Ok(BTreeMap::new()) };
    let mut all = None;
    let read = indices::each(&body, client.memory() / indices::SHARE, |one| {
        let here = now::kept(one, &names);
        all = Some(match all.take() {
            Some(before) => now::kept_in_both(before, &here),
            None => here,
        });
        Ok::<(), Unread>(())
    });
    Ok(all.filter(|_| read.is_ok()).unwrap_or_default())
}

/// The server's clock. It is asked together with the query, which it refuses where that is wrong.
async fn clock(client: &Client, indices: &str, query: &RawValue) -> Result<jiff::Timestamp> {
    let asked = "the time of the server";
    let answer = client
        .ask(Question {
            operation: Operation::Count,
            method: Method::POST,
            path: &format!("/{indices}/_search"),
            parameters: &[],
            body: Some(now::question(query)),
        })
        .await?
        .accepted(asked)?;
    now::instant(&answer).ok_or_else(|| {
        let message = format!("{asked}: the answer does not hold it");
        Error::new(Kind::Unavailable, ErrorType::Protocol, message)
    })
}
