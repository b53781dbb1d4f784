//! What an answer other than 200 means: the one table. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::record::ErrorType;

/// Of a server's own words, as many characters are shown.
const SHOWN_CHARS: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Too much to do for now.
    Busy,
    /// A circuit breaker: not enough memory for what was asked; less may be had.
    Memory,
    /// The same, and the server thinks that it will not become better.
    MemoryForGood,
    /// Something between us and the server, or in it, failed for now.
    Failing,
    SnapshotLost,
    NoIndex,
    Closed,
    /// It does not know us.
    Unknown,
    /// It knows us and does not let us.
    Forbidden,
    Redirected,
    /// What was asked is wrong, or not known to this server.
    Wrong,
}

/// An answer that is not the one that was hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub trouble: Trouble,
    /// In the server's words, one short line.
    pub reason: String,
}

#[derive(Default, Deserialize)]
struct Body {
    error: Option<Value>,
}

impl Refusal {
    pub fn read(status: u16, body: &[u8]) -> Refusal {
        let said = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.error);
        let said = said.unwrap_or(Value::Null);
        let causes = causes(&said);
        let has = |name: &str| causes.iter().any(|cause| cause["type"].as_str() == Some(name));
        let is_permanent =
            causes.iter().any(|cause| cause["durability"].as_str() == Some("PERMANENT"));
        let trouble = match status {
            300..=399 => Trouble::Redirected,
            401 => Trouble::Unknown,
            403 => Trouble::Forbidden,
            _ if has("circuit_breaking_exception") && is_permanent => Trouble::MemoryForGood,
            _ if has("circuit_breaking_exception") => Trouble::Memory,
            _ if has("search_context_missing_exception") => Trouble::SnapshotLost,
            _ if has("index_not_found_exception") => Trouble::NoIndex,
            _ if has("index_closed_exception") => Trouble::Closed,
            429 => Trouble::Busy,
            503 if has("es_rejected_execution_exception")
                || has("rejected_execution_exception") =>
            {
                Trouble::Busy
            }
            408 | 425 | 500..=599 => Trouble::Failing,
            _ => Trouble::Wrong,
        };
        let reason = causes
            .iter()
            .find_map(|cause| cause["reason"].as_str().filter(|reason| !reason.is_empty()))
            .or(said.as_str());
        let reason = reason.map_or_else(|| shortened(&String::from_utf8_lossy(body)), shortened);
        Refusal { status, trouble, reason }
    }

    /// `asked` is what it was about, such as "the mapping of 'orders'".
    pub fn error(&self, asked: &str) -> Error {
        let Refusal { status, reason, .. } = self;
        let says = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let new = |kind, error_type, what: &str| {
            Error::new(kind, error_type, format!("{asked}: {what} ({status}){says}"))
        };
        match self.trouble {
            Trouble::Busy => {
                new(Kind::Overloaded, ErrorType::Overloaded, "the server has too much to do")
            }
            Trouble::Memory => {
                new(Kind::Overloaded, ErrorType::Overloaded, "the server is short of memory")
            }
            // Servers of version 7 say so whenever little is asked of them, so it is tried again, too.
            Trouble::MemoryForGood => new(
                Kind::Overloaded,
                ErrorType::Overloaded,
                "the server has not enough memory for it",
            )
            .help("ask for less with --es-query or --es-fields, or give the server more"),
            Trouble::Failing => new(Kind::Unavailable, ErrorType::Connection, "the server failed"),
            Trouble::SnapshotLost => new(
                Kind::Unavailable,
                ErrorType::PartialResult,
                "the snapshot is gone, it expired or its node was lost",
            )
            .help("run again; a longer --es-keep-alive helps where the target is slow"),
            Trouble::NoIndex => {
                new(Kind::Config, ErrorType::Other, "no such index").help("set --es-index")
            }
            Trouble::Closed => new(Kind::Config, ErrorType::Other, "the index is closed")
                .help("open it, or leave it out of --es-index"),
            Trouble::Unknown => {
                new(Kind::Config, ErrorType::Auth, "the server does not accept the credentials")
                    .help("set --es-user and --es-pass, or --es-api-key, or --es-token")
            }
            Trouble::Forbidden => new(Kind::Config, ErrorType::Auth, "the user may not do this")
                .help("grant the rights read and view_index_metadata on what --es-index names"),
            Trouble::Redirected => new(
                Kind::Config,
                ErrorType::Protocol,
                "the server answers with a redirect, which is not followed",
            )
            .help("set --es-url to where it leads"),
            Trouble::Wrong if self.is_about_keep_alive() => {
                new(Kind::Config, ErrorType::Other, "the server refuses")
                    .help("lower --es-keep-alive")
            }
            Trouble::Wrong => new(Kind::Config, ErrorType::Other, "the server refuses"),
        }
    }

    /// The server does not have what was asked for, as opposed to not letting us. Old servers take
    /// a name they do not know for something else, and find that wrong.
    pub fn is_missing(&self) -> bool {
        matches!(self.status, 400 | 404 | 405)
            && self.trouble == Trouble::Wrong
            && !self.is_about_keep_alive()
    }

    fn is_about_keep_alive(&self) -> bool {
        self.reason.contains("Keep alive for request")
    }
}

/// What the server says went wrong, the root of it first.
fn causes(said: &Value) -> Vec<&Value> {
    let mut causes: Vec<&Value> = said["root_cause"].as_array().into_iter().flatten().collect();
    causes.extend(
        said["failed_shards"].as_array().into_iter().flatten().map(|shard| &shard["reason"]),
    );
    let mut cause = said;
    // Causes of causes end somewhere; a hostile answer need not.
    for _ in 0..10 {
        causes.push(cause);
        cause = &cause["caused_by"];
    }
    causes
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
        for (status, body, trouble, reason) in [
            (302, "", Trouble::Redirected, ""),
            (401, "{}", Trouble::Unknown, "{}"),
            (
                403,
                r#"{"error":{"type":"security_exception","reason":"no"}}"#,
                Trouble::Forbidden,
                "no",
            ),
            (429, "slow\n down", Trouble::Busy, "slow down"),
            (429, &breaker("TRANSIENT"), Trouble::Memory, "[parent] Data too large"),
            (503, &breaker("PERMANENT"), Trouble::MemoryForGood, "[parent] Data too large"),
            (503, rejected, Trouble::Busy, "rejected execution"),
            (502, "<html>", Trouble::Failing, "<html>"),
            (500, "", Trouble::Failing, ""),
            (408, "", Trouble::Failing, ""),
            (413, "", Trouble::Wrong, ""),
            (406, "[]", Trouble::Wrong, "[]"),
            (404, r#"{"error":"no handler","status":404}"#, Trouble::Wrong, "no handler"),
            (
                400,
                r#"{"error":{"root_cause":[{"type":"x","reason":"root"}],"reason":"top"}}"#,
                Trouble::Wrong,
                "root",
            ),
        ] {
            let found = Refusal::read(status, body.as_bytes());
            assert_eq!(
                (found.trouble, found.reason.as_str()),
                (trouble, reason),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn answers_of_real_servers_are_understood() {
        for (what, status, trouble) in [
            ("no-index", 404, Trouble::NoIndex),
            ("closed-search", 400, Trouble::Closed),
            ("scroll-lost", 404, Trouble::SnapshotLost),
        ] {
            for server in ["elasticsearch9", "elasticsearch717", "elasticsearch710", "opensearch3"]
            {
                let found = Refusal::read(status, &golden(&format!("{server}-{what}")));
                assert_eq!(found.trouble, trouble, "{server} {what}");
            }
        }
        for (server, trouble) in [
            ("elasticsearch9", Trouble::Memory),
            // Says so of a limit that what is in flight went over.
            ("elasticsearch717", Trouble::MemoryForGood),
            ("elasticsearch710", Trouble::MemoryForGood),
            ("opensearch3", Trouble::Memory),
        ] {
            let found = Refusal::read(429, &golden(&format!("{server}-breaker")));
            assert_eq!(found.trouble, trouble, "{server}");
            assert!(found.reason.starts_with("[parent] Data too large"), "{}", found.reason);
        }
        for server in ["elasticsearch9", "elasticsearch717", "opensearch3"] {
            let lost = Refusal::read(404, &golden(&format!("{server}-snapshot-lost")));
            assert_eq!(lost.trouble, Trouble::SnapshotLost, "{server}");
            let bad = Refusal::read(400, &golden(&format!("{server}-bad-query")));
            assert_eq!(bad.trouble, Trouble::Wrong, "{server}");
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
            assert_eq!(Refusal::read(status, body.as_bytes()).is_missing(), expected, "{reason}");
        }
    }

    #[test]
    fn words_are_cut_and_kept_on_one_line() {
        assert_eq!(shortened(" a\n\tb\u{7}c "), "a bc");
        assert_eq!(shortened(&"é".repeat(5000)).chars().count(), SHOWN_CHARS);
        assert_eq!(shortened(&"é é ".repeat(5000)).chars().count(), SHOWN_CHARS + 3);
    }
}
