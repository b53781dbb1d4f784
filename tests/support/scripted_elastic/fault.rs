//! What can be wrong with an answer.

use std::sync::Arc;

use serde_json::json;

use super::refusal::{context_missing, missing_shards, refusal};
use super::wire::{Answer, Request, Sending};

#[derive(Clone, Debug)]
pub enum Fault {
    /// Something else instead.
    Status(u16, &'static str),
    /// Too many searches at once.
    Rejected,
    /// A circuit breaker, with its durability.
    Breaker(u16, &'static str),
    /// Too much to do, to be asked again after so many seconds.
    Later(u16, &'static str),
    /// Shards without a copy that lives.
    MissingShards,
    Redirect(u16, &'static str),
    /// A refusal that repeats who asked.
    Echo(u16),
    /// The same on a page of a proxy.
    EchoHtml(u16),
    /// Another answer that is well.
    Body(Arc<[u8]>),
    /// The answer, packed with so many spaces behind it.
    Bomb(usize),
    /// A page of a proxy, whatever its status.
    Html(u16),
    /// The whole answer, but for one word in it, which must be there.
    Instead(&'static str, &'static str),
    /// The point in time is gone from now on.
    Expired,
    /// The point in time, or the scroll, is called something else from now on, and this answer says so.
    Renamed,
    /// No hits, as if it were over.
    Empty,
    /// With one more header.
    Headed(&'static str, &'static str),
    /// Hits from the beginning, wherever it was asked to go on.
    FromStart,
    /// Comes as it should, but sent like this.
    Sent(Sending),
    /// Comes as it should, when the test says `release`.
    Held,
}

impl Fault {
    pub const TIMED_OUT: Fault = Fault::Instead("\"timed_out\":false", "\"timed_out\":true");
    pub const SHARD_FAILED: Fault = Fault::Instead("\"failed\":0", "\"failed\":1");
    pub const SHARD_MISSING: Fault = Fault::Instead("\"successful\":1", "\"successful\":0");
    pub const FEWER_SHARDS: Fault =
        Fault::Instead("\"total\":1,\"successful\":1", "\"total\":0,\"successful\":0");
    pub const CLUSTER_SKIPPED: Fault = Fault::Instead(
        "\"hits\":{",
        "\"_clusters\":{\"total\":2,\"successful\":1,\"skipped\":1},\"hits\":{",
    );
    pub const ENDED_EARLY: Fault =
        Fault::Instead("\"timed_out\":false", "\"timed_out\":false,\"terminated_early\":true");
    pub const WITHOUT_SOURCE: Fault = Fault::Instead("\"_source\":", "\"_sauce\":");
    pub const WITHOUT_SORT: Fault = Fault::Instead("\"sort\":", "\"sorts\":");
    pub const WITHOUT_ID: Fault = Fault::Instead("\"_id\":", "\"_ident\":");

    /// The server answers before it does anything.
    pub fn is_instead(&self) -> bool {
        match self {
            Fault::Status(..)
            | Fault::Rejected
            | Fault::Breaker(..)
            | Fault::Later(..)
            | Fault::MissingShards
            | Fault::Redirect(..)
            | Fault::Echo(_)
            | Fault::EchoHtml(_)
            | Fault::Body(_)
            | Fault::Html(_)
            | Fault::Expired => true,
            Fault::Instead(..)
            | Fault::Renamed
            | Fault::Empty
            | Fault::Headed(..)
            | Fault::Bomb(_)
            | Fault::FromStart
            | Fault::Sent(_)
            | Fault::Held => false,
        }
    }

    /// The answer that repeats what it was asked with, where it is one.
    pub fn echo(&self, request: &Request) -> Option<Answer> {
        let who = request.header("authorization").unwrap_or("nobody");
        match self {
            Fault::Echo(status) => {
                let reason = format!("cannot serve 'authorization: {who}'");
                Some(refusal(*status, &json!({ "type": "proxy_exception", "reason": reason })))
            }
            Fault::EchoHtml(status) => {
                Some(Answer::json(*status, format!("<html>{who} {who}</html>")))
            }
            _ => None,
        }
    }

    /// What comes of a good answer.
    pub fn spoil(&self, good: Answer) -> Answer {
        match self {
            Fault::Status(status, body) => Answer::json(*status, *body),
            Fault::Rejected => {
                let reason = "rejected execution of TimedRunnable on QueueResizableThreadPool";
                refusal(
                    429,
                    &json!({ "type": "es_rejected_execution_exception", "reason": reason }),
                )
            }
            Fault::Breaker(status, durability) => {
                let cause = json!({
                    "type": "circuit_breaking_exception",
                    "reason": "[parent] Data too large, data for [<http_request>] would be larger than the limit",
                    "bytes_wanted": 1_000_000,
                    "bytes_limit": 900_000,
                    "durability": durability,
                });
                refusal(*status, &cause)
            }
            Fault::Later(status, after) => {
                let mut answer = Answer::json(*status, "{}");
                answer.headers.push(("retry-after", (*after).to_owned()));
                answer
            }
            Fault::MissingShards => missing_shards(),
            // `echo` knows who asked.
            Fault::Echo(_) | Fault::EchoHtml(_) => good,
            Fault::Body(body) => Answer::json(200, body.to_vec()),
            Fault::Bomb(spaces) => good.packed_with(*spaces),
            Fault::Redirect(status, to) => {
                let mut answer = Answer::json(*status, "");
                answer.headers.push(("location", (*to).to_owned()));
                answer
            }
            Fault::Html(status) => {
                let mut answer = Answer::json(*status, "<html>\n<h1>Bad Gateway</h1>\n</html>\n");
                answer.headers = vec![("content-type", "text/html".to_owned())];
                answer
            }
            Fault::Instead(word, other) => {
                let text = String::from_utf8(good.body).unwrap();
                if !text.contains(word) {
                    return Answer::json(599, format!("the script is wrong: there is no {word}"));
                }
                Answer { body: text.replacen(word, other, 1).into_bytes(), ..good }
            }
            Fault::Expired => context_missing(),
            Fault::Empty => {
                let text = String::from_utf8(good.body).unwrap();
                // An answer that is no page has none to leave out.
                let body = match text.split_once("\"hits\":[") {
                    Some((front, _)) => format!("{front}\"hits\":[]}}}}"),
                    None => text,
                };
                Answer { body: body.into_bytes(), ..good }
            }
            Fault::Headed(name, value) => {
                let mut answer = good;
                answer.headers.push((*name, (*value).to_owned()));
                answer
            }
            Fault::Sent(sending) => Answer { sending: *sending, ..good },
            Fault::Renamed | Fault::FromStart | Fault::Held => good,
        }
    }
}
