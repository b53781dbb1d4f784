//! What an answer other than 200 means: the one table. Pure.

use std::time::Duration;

use elasticsearch::http::response::{Cause, Exception};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::indices::weight;
use crate::error::{Error, Kind};
use crate::record::ErrorType;

/// Of a server's own words, as many characters are shown.
const SHOWN_CHARS: usize = 300;
/// A refusal that takes more memory than this is no refusal of a search server.
const READ_BYTES: usize = 16 << 20;
/// A server that wants us to come again later than that is one to fail for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// As long as shards without a copy are waited for: a node that was restarted has them again by then,
/// one that is gone never.
const MISSING_SHARDS_MAX: Duration = Duration::from_secs(120);
/// Causes of causes end somewhere; a hostile answer need not.
const CAUSES_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Too much to do for now.
    Busy,
    /// A circuit breaker: not enough memory for what was asked; less may be had.
    Memory,
    /// The same, and the server thinks that it will not become better.
    MemoryForGood,
    /// Something between us and the server, or in it, failed for now.
    Failing,
    /// No copy of some shards is there.
    MissingShards,
    /// It holds a document that it cannot give.
    Unservable,
    SnapshotLost,
    NoIndex,
    Closed,
    /// It does not know us.
    Unknown,
    /// It knows us and does not let us.
    Forbidden,
    /// What was asked is wrong, or not known to this server.
    Wrong,
}

/// An answer that is not the one that was hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    pub status: u16,
    pub trouble: ErrorClass,
    /// In the server's words, one short line.
    pub reason: String,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl ErrorAnswer {
    pub fn read(status: u16, body: &[u8]) -> ErrorAnswer {
        let exception = match weight(body) <= READ_BYTES {
            true => exception(body),
            false => None,
        };
        let causes = exception.as_ref().map(causes).unwrap_or_default();
        let has = |name: &str| causes.iter().any(|said| said.name == Some(name));
        let says = |words: &str| causes.iter().any(|said| said.reason.contains(words));
        let is_permanent = causes.iter().any(|said| said.durability == Some("PERMANENT"));
        let trouble = match status {
            401 => ErrorClass::Unknown,
            403 => ErrorClass::Forbidden,
            _ if has("circuit_breaking_exception") && is_permanent => ErrorClass::MemoryForGood,
            _ if has("circuit_breaking_exception") => ErrorClass::Memory,
            _ if has("not_x_content_exception") => ErrorClass::Unservable,
            _ if has("search_context_missing_exception") => ErrorClass::SnapshotLost,
            _ if has("index_not_found_exception") => ErrorClass::NoIndex,
            _ if has("index_closed_exception") => ErrorClass::Closed,
            429 => ErrorClass::Busy,
            503 if has("no_shard_available_action_exception") || says("missing shards") => {
                ErrorClass::MissingShards
            }
            503 if has("es_rejected_execution_exception")
                || has("rejected_execution_exception") =>
            {
                ErrorClass::Busy
            }
            408 | 425 | 500..=599 => ErrorClass::Failing,
            _ => ErrorClass::Wrong,
        };
        let reason = match causes.is_empty() {
            true => shortened(&String::from_utf8_lossy(body)),
            false => reason(&causes),
        };
        ErrorAnswer { status, trouble, reason, retry_after: None }
    }

    /// `asked` is what it was about, such as "the mapping of 'orders'".
    pub fn error(&self, asked: &str) -> Error {
        let ErrorAnswer { status, reason, .. } = self;
        let says = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let new = |kind, error_type, what: &str| {
            let error = Error::new(kind, error_type, format!("{asked}: {what} ({status}){says}"));
            match self.retry_after {
                Some(wait) => error.not_before(wait),
                None => error,
            }
        };
        match self.trouble {
            ErrorClass::Busy => {
                new(Kind::Overloaded, ErrorType::Overloaded, "the server has too much to do")
            }
            ErrorClass::Memory => {
                new(Kind::Overloaded, ErrorType::Overloaded, "the server is short of memory")
            }
            // Servers of version 7 say so whenever little is asked of them, so it is tried again, too.
            ErrorClass::MemoryForGood => new(
                Kind::Overloaded,
                ErrorType::Overloaded,
                "the server has not enough memory for it",
            )
            .help("ask for less with --es-query or --es-fields, or give the server more"),
            ErrorClass::Failing => {
                let error_type = match status {
                    408 | 504 => ErrorType::Timeout,
                    425 | 503 => ErrorType::Overloaded,
                    502 => ErrorType::Connection,
                    _ => ErrorType::Other,
                };
                new(Kind::Unavailable, error_type, "the server failed")
            }
            ErrorClass::MissingShards => new(
                Kind::Unavailable,
                ErrorType::PartialResult,
                "the server has no copy of some shards",
            )
            .for_at_most(MISSING_SHARDS_MAX)
            .help("a node is away, or an index is red"),
            ErrorClass::Unservable => new(
                Kind::Data,
                ErrorType::Parse,
                "the server cannot give one of its documents",
            )
            .help("one that is no JSON, such as one that begins with a comment; leave it out with --es-query"),
            ErrorClass::SnapshotLost => new(
                Kind::Unavailable,
                ErrorType::PartialResult,
                "the snapshot is gone, it expired or its node was lost",
            )
            .help("run again; a longer --es-keep-alive helps where the target is slow"),
            ErrorClass::NoIndex => {
                new(Kind::Config, ErrorType::Other, "no such index").help("set --es-index")
            }
            ErrorClass::Closed => new(Kind::Config, ErrorType::Other, "the index is closed")
                .help("open it, or leave it out of --es-index"),
            ErrorClass::Unknown => {
                new(Kind::Config, ErrorType::Auth, "the server does not accept the credentials")
                    .help("set --es-user and --es-pass, or --es-api-key, or --es-token")
            }
            ErrorClass::Forbidden => new(Kind::Config, ErrorType::Auth, "the user may not do this")
                .help("grant the rights read and view_index_metadata on what --es-index names"),
            ErrorClass::Wrong if self.is_about_keep_alive() => {
                new(Kind::Config, ErrorType::Other, "the server refuses")
                    .help("lower --es-keep-alive")
            }
            ErrorClass::Wrong => new(Kind::Config, ErrorType::Other, "the server refuses"),
        }
    }

    /// The server does not have what was asked for, as opposed to not letting us. Old servers take
    /// a name they do not know for something else, and find that wrong.
    pub fn is_missing(&self) -> bool {
        matches!(self.status, 400 | 404 | 405)
            && self.trouble == ErrorClass::Wrong
            && !self.is_about_keep_alive()
    }

    fn is_about_keep_alive(&self) -> bool {
        self.reason.contains("Keep alive for request")
    }
}

/// The crate wants what is not known left out; some servers write `null`.
fn exception(body: &[u8]) -> Option<Exception> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    drop_nulls(&mut value);
    serde_json::from_value(value).ok()
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// One of the things that the server says went wrong.
struct Said<'a> {
    name: Option<&'a str>,
    reason: &'a str,
    durability: Option<&'a str>,
    /// Below others: it says why they happened.
    is_deep: bool,
}

impl<'a> Said<'a> {
    fn cause(cause: &'a Cause, is_deep: bool) -> Said<'a> {
        Said {
            name: cause.ty(),
            reason: cause.reason().unwrap_or_default(),
            durability: cause.additional_details().get("durability").and_then(Value::as_str),
            is_deep,
        }
    }

    fn value(value: &'a Value) -> Said<'a> {
        Said {
            name: value["type"].as_str(),
            reason: value["reason"].as_str().unwrap_or_default(),
            durability: value["durability"].as_str(),
            is_deep: false,
        }
    }
}

/// What the server says went wrong, the root of it first.
fn causes(exception: &Exception) -> Vec<Said<'_>> {
    let error = exception.error();
    let mut causes: Vec<Said> =
        error.root_cause().iter().map(|cause| Said::cause(cause, false)).collect();
    let shards = error.additional_details().get("failed_shards").and_then(Value::as_array);
    causes.extend(shards.into_iter().flatten().map(|shard| Said::value(&shard["reason"])));
    causes.push(Said {
        name: error.ty(),
        reason: error.reason().unwrap_or_default(),
        durability: error.additional_details().get("durability").and_then(Value::as_str),
        is_deep: false,
    });
    let mut cause = error.caused_by();
    for _ in 0..CAUSES_MAX {
        let Some(said) = cause else { break };
        causes.push(Said::cause(said, true));
        cause = said.caused_by();
    }
    causes
}

/// What happened, and the deepest reason for it where that says something else.
fn reason(causes: &[Said]) -> String {
    let worded = || causes.iter().filter(|said| !said.reason.is_empty());
    let Some(first) = worded().next() else { return String::new() };
    match worded().rfind(|said| said.is_deep && !first.reason.contains(said.reason)) {
        Some(deep) => shortened(&format!("{}: {}", first.reason, deep.reason)),
        None => shortened(first.reason),
    }
}

/// What the header `Retry-After` says: seconds, or a date.
pub fn retry_after(words: &str, now: Timestamp) -> Option<Duration> {
    let wait = match words.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = rfc2822::parse(words.trim()).ok()?.timestamp();
            Duration::try_from(then.duration_since(now)).ok()?
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// A server's words on one short line.
pub fn shortened(words: &str) -> String {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|letter| !letter.is_control()).take(SHOWN_CHARS));
        if line.chars().count() > SHOWN_CHARS {
            return line.chars().take(SHOWN_CHARS).chain("...".chars()).collect();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/golden/elastic/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let breaker = |durability: &str| {
            format!(
                r#"{{"error":{{"root_cause":[{{"type":"circuit_breaking_exception","reason":"[parent] Data too large","bytes_wanted":9,"durability":"{durability}"}}],"type":"circuit_breaking_exception"}},"status":429}}"#
            )
        };
        let rejected = r#"{"error":{"root_cause":[],"type":"search_phase_execution_exception","reason":"","failed_shards":[{"shard":0,"reason":{"type":"es_rejected_execution_exception","reason":"rejected execution"}}]},"status":503}"#;
        let missing = r#"{"error":{"root_cause":[],"type":"search_phase_execution_exception","reason":"start","caused_by":{"type":"x","reason":"Search rejected","caused_by":{"type":"y","reason":"Search rejected due to missing shards"}}},"status":503}"#;
        for (status, body, trouble, reason) in [
            (401, "{}", ErrorClass::Unknown, "{}"),
            (
                403,
                r#"{"error":{"type":"security_exception","reason":"no"}}"#,
                ErrorClass::Forbidden,
                "no",
            ),
            (429, "slow\n down", ErrorClass::Busy, "slow down"),
            (429, &breaker("TRANSIENT"), ErrorClass::Memory, "[parent] Data too large"),
            (503, &breaker("PERMANENT"), ErrorClass::MemoryForGood, "[parent] Data too large"),
            (503, rejected, ErrorClass::Busy, "rejected execution"),
            (
                503,
                missing,
                ErrorClass::MissingShards,
                "start: Search rejected due to missing shards",
            ),
            (502, "<html>", ErrorClass::Failing, "<html>"),
            (500, "", ErrorClass::Failing, ""),
            (408, "", ErrorClass::Failing, ""),
            (413, "", ErrorClass::Wrong, ""),
            (406, "[]", ErrorClass::Wrong, "[]"),
            (404, r#"{"error":"no handler","status":404}"#, ErrorClass::Wrong, "no handler"),
            (
                400,
                r#"{"error":{"root_cause":[{"type":"x","reason":"root"}],"reason":"top"}}"#,
                ErrorClass::Wrong,
                "root",
            ),
            (
                500,
                r#"{"error":{"reason":"a: b","caused_by":{"reason":"b"}}}"#,
                ErrorClass::Failing,
                "a: b",
            ),
            (500, r#"{"error":{"reason":"a","caused_by":"b"}}"#, ErrorClass::Failing, "a: b"),
            (500, r#"{"error":{"reason":null,"caused_by":null}}"#, ErrorClass::Failing, ""),
            (
                503,
                r#"{"error":{"type":"rejected_execution_exception","reason":"full"}}"#,
                ErrorClass::Busy,
                "full",
            ),
            (500, r#"{"error":7}"#, ErrorClass::Failing, r#"{"error":7}"#),
        ] {
            let found = ErrorAnswer::read(status, body.as_bytes());
            assert_eq!(
                (found.trouble, found.reason.as_str()),
                (trouble, reason),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_refusal_that_takes_much_memory_is_known_by_its_status_alone() {
        let body = format!(
            "{{\"a\":[{}{{}}],\"error\":{{\"type\":\"index_closed_exception\"}}}}",
            "{},".repeat(400_000)
        );
        let found = ErrorAnswer::read(400, body.as_bytes());
        assert_eq!(found.trouble, ErrorClass::Wrong);
        assert_eq!(found.reason.chars().count(), SHOWN_CHARS);
    }

    #[test]
    fn answers_of_real_servers_are_understood() {
        for (what, status, trouble) in [
            ("no-index", 404, ErrorClass::NoIndex),
            ("closed-search", 400, ErrorClass::Closed),
            ("scroll-lost", 404, ErrorClass::SnapshotLost),
        ] {
            for server in ["elasticsearch9", "elasticsearch717", "elasticsearch710", "opensearch3"]
            {
                let found = ErrorAnswer::read(status, &golden(&format!("{server}-{what}")));
                assert_eq!(found.trouble, trouble, "{server} {what}");
            }
        }
        for (server, trouble) in [
            ("elasticsearch9", ErrorClass::Memory),
            // Says so of a limit that what is in flight went over.
            ("elasticsearch717", ErrorClass::MemoryForGood),
            ("elasticsearch710", ErrorClass::MemoryForGood),
            ("opensearch3", ErrorClass::Memory),
        ] {
            let found = ErrorAnswer::read(429, &golden(&format!("{server}-breaker")));
            assert_eq!(found.trouble, trouble, "{server}");
            assert!(found.reason.starts_with("[parent] Data too large"), "{}", found.reason);
        }
        for server in ["elasticsearch9", "elasticsearch717", "opensearch3"] {
            let lost = ErrorAnswer::read(404, &golden(&format!("{server}-snapshot-lost")));
            assert_eq!(lost.trouble, ErrorClass::SnapshotLost, "{server}");
            let bad = ErrorAnswer::read(400, &golden(&format!("{server}-bad-query")));
            assert_eq!(bad.trouble, ErrorClass::Wrong, "{server}");
            assert!(bad.reason.starts_with("unknown query"), "{}", bad.reason);
        }
    }

    #[test]
    fn what_a_server_does_not_have_is_told_from_what_it_refuses() {
        for (status, reason, expected) in [
            (400, "no handler found for uri [/a/_pit] and method [POST]", true),
            (400, "request body is required", true),
            (405, "Incorrect HTTP method", true),
            (404, "", true),
            (400, "Keep alive for request (20d) is too large.", false),
            (403, "no", false),
            (500, "", false),
        ] {
            let body = format!("{{\"error\":\"{reason}\"}}");
            assert_eq!(
                ErrorAnswer::read(status, body.as_bytes()).is_missing(),
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn a_failure_is_counted_as_what_it_is_and_tried_as_long_as_it_helps() {
        for (status, error_type) in [
            (500, ErrorType::Other),
            (502, ErrorType::Connection),
            (503, ErrorType::Overloaded),
            (504, ErrorType::Timeout),
        ] {
            let error = ErrorAnswer::read(status, b"{}").error("a page");
            assert_eq!((error.kind, error.error_type), (Kind::Unavailable, error_type), "{status}");
            assert_eq!((error.wait_min(), error.patience()), (None, None), "{status}");
        }
        let body = br#"{"error":{"type":"no_shard_available_action_exception"}}"#;
        let wait = Some(Duration::from_secs(3));
        let refusal = ErrorAnswer { retry_after: wait, ..ErrorAnswer::read(503, body) };
        let error = refusal.error("a page");
        assert_eq!(error.error_type, ErrorType::PartialResult);
        assert_eq!((error.wait_min(), error.patience()), (wait, Some(MISSING_SHARDS_MAX)));
    }

    #[test]
    fn a_server_may_say_when_it_wants_to_be_asked_again() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        for (words, seconds) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("999999999999", Some(60)),
            ("Thu, 26 Nov 2026 12:00:05 GMT", Some(5)),
            ("Thu, 26 Nov 2026 11:00:05 GMT", None),
            ("Fri, 27 Nov 2026 12:00:05 GMT", Some(60)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let found = retry_after(words, now);
            assert_eq!(found, seconds.map(Duration::from_secs), "{words}");
        }
    }

    #[test]
    fn words_are_cut_and_kept_on_one_line() {
        assert_eq!(shortened(" a\n\tb\u{7}c "), "a bc");
        assert_eq!(shortened(&"é".repeat(5000)).chars().count(), SHOWN_CHARS);
        assert_eq!(shortened(&"é é ".repeat(5000)).chars().count(), SHOWN_CHARS + 3);
    }
}
