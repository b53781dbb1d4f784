//! How real servers say no.

use serde_json::{Value, json};

use super::wire::{Answer, Request};

pub fn wrong(reason: &str) -> Answer {
    refusal(400, &json!({ "type": "illegal_argument_exception", "reason": reason }))
}

pub fn no_handler(request: &Request) -> Answer {
    let Request { method, path, .. } = request;
    let error = format!("no handler found for uri [{path}] and method [{method}]");
    Answer::json(400, json!({ "error": error }).to_string())
}

/// An error whose root cause is all there is to it.
pub fn refusal(status: u16, cause: &Value) -> Answer {
    let mut error = cause.clone();
    error["root_cause"] = json!([cause]);
    Answer::json(status, json!({ "error": error, "status": status }).to_string())
}

pub fn context_missing() -> Answer {
    let reason = "No search context found for id [1]";
    let cause = json!({ "type": "search_context_missing_exception", "reason": reason });
    let error = json!({
        "root_cause": [cause],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "phase": "query",
        "grouped": true,
        "failed_shards": [{ "shard": 0, "index": "orders", "node": "node-1", "reason": cause }],
    });
    Answer::json(404, json!({ "error": error, "status": 404 }).to_string())
}

/// As it comes when a node is away: the words that help stand deep inside.
pub fn missing_shards() -> Answer {
    let reason = "Search rejected due to missing shards [[orders][0]]. Consider using `allow_partial_search_results` setting to bypass this error.";
    let error = json!({
        "root_cause": [],
        "type": "search_phase_execution_exception",
        "reason": "start",
        "phase": "open_search_context",
        "grouped": true,
        "failed_shards": [],
        "caused_by": {
            "type": "search_phase_execution_exception",
            "reason": reason,
            "phase": "open_search_context",
            "grouped": true,
            "failed_shards": [],
        },
    });
    Answer::json(503, json!({ "error": error, "status": 503 }).to_string())
}
