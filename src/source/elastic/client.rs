//! Requests to the nodes of one cluster. The crate `elasticsearch` opens, counts, maps and closes;
//! pages go through the HTTP client below it, because its answers cannot be read as a stream.
//!
//! Nothing is tried twice here, but for the next node when one cannot be reached.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elasticsearch::http::Method;
use elasticsearch::http::headers::HeaderMap;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::address::Address;
use super::answer::Refusal;
use super::node::{Node, authorization, broken_off, node, unreachable};
use super::{Auth, Tls};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, Operation};
use crate::record::ErrorType;

/// Answers to small questions are not larger: mappings have by default at most 1,000 fields each.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

pub struct Client {
    nodes: Vec<Node>,
    /// The node that is asked, until it cannot be reached.
    current: AtomicUsize,
    timeout: Duration,
    compress: bool,
    authorization: Option<HeaderValue>,
    observer: Arc<dyn Observer>,
}

/// An answer that came whole, whatever its status.
pub struct Answer {
    pub status: u16,
    /// The server calls itself Elasticsearch, which it does since 7.14.
    pub is_elastic: bool,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a 200; `asked` says what was asked for.
    pub fn accepted(self, asked: &str) -> Result<serde_json::Value> {
        if self.status != 200 {
            return Err(Refusal::read(self.status, &self.body).error(asked));
        }
        serde_json::from_slice(&self.body).map_err(|cause| {
            let message = format!("{asked}: the answer is no JSON");
            Error::new(Kind::Unavailable, ErrorType::Protocol, message).because(cause)
        })
    }
}

/// One question: a small request whose answer is read whole.
pub struct Question<'a> {
    pub operation: Operation,
    pub method: Method,
    pub path: &'a str,
    pub parameters: &'a [(&'a str, &'a str)],
    pub body: Option<String>,
}

impl<'a> Question<'a> {
    pub fn get(operation: Operation, path: &'a str) -> Question<'a> {
        Question { operation, method: Method::Get, path, parameters: &[], body: None }
    }
}

impl Client {
    pub fn new(
        addresses: Vec<Address>,
        auth: &Auth,
        tls: &Tls,
        timeout: Duration,
        compress: bool,
        observer: Arc<dyn Observer>,
    ) -> Result<Client> {
        let authorization = authorization(auth)?;
        let pem = match &tls.ca {
            Some(path) => Some(std::fs::read(path).map_err(|cause| {
                Error::config(format!("the certificate '{}' cannot be read", path.display()))
                    .because(cause)
                    .help("set --es-ca to a file in PEM format")
            })?),
            None => None,
        };
        let nodes = addresses
            .into_iter()
            .map(|address| node(address, authorization.as_ref(), tls, pem.as_deref()))
            .collect::<Result<Vec<Node>>>()?;
        let current = AtomicUsize::new(0);
        Ok(Client { nodes, current, timeout, compress, authorization, observer })
    }

    /// Asks the current node, and each other one as long as they cannot be reached.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer> {
        let mut failure = None;
        for _ in 0..self.nodes.len() {
            let (index, node) = self.node();
            match tokio::time::timeout(self.timeout, self.ask_node(node, &question)).await {
                Ok(Ok(answer)) => {
                    self.tell(question.operation, Some(answer.status));
                    return Ok(answer);
                }
                Ok(Err(error)) => failure = Some(error),
                Err(_) => failure = Some(self.timed_out(node)),
            }
            self.tell(question.operation, None);
            self.turn_from(index);
        }
        Err(failure.unwrap_or_else(|| Error::internal("there is no node to ask")))
    }

    async fn ask_node(&self, node: &Node, question: &Question<'_>) -> Result<Answer> {
        let failed = |cause: &(dyn StdError + 'static)| unreachable(&node.address, cause);
        let body = question.body.clone();
        let sent = node.questions.send(
            question.method,
            question.path,
            HeaderMap::new(),
            Some(question.parameters),
            body,
            Some(self.timeout),
        );
        let response = sent.await.map_err(|cause| failed(&cause))?;
        // The crate follows redirects, which cannot be turned off.
        if response.url().origin() != node.address.url.origin() {
            return Err(Refusal::read(302, b"").error(node.address.name()));
        }
        let is_elastic = response.headers().contains_key("x-elastic-product");
        let status = response.status_code().as_u16();
        if response.content_length().is_some_and(|length| length > ANSWER_BYTES_MAX) {
            let message = format!("'{}' answers with too much to take", node.address.name());
            return Err(Error::data(ErrorType::TooLarge, message));
        }
        let body = response.bytes().await.map_err(|cause| failed(&cause))?.to_vec();
        Ok(Answer { status, is_elastic, body })
    }

    /// Asks for a page; gives the answer when its head is there. The next node is asked only where
    /// nothing can have arrived at this one.
    pub async fn page(&self, path: &str, body: String) -> Result<reqwest::Response> {
        let mut failure = None;
        for _ in 0..self.nodes.len() {
            let (index, node) = self.node();
            let url =
                node.address.url.join(path.trim_start_matches('/')).map_err(|cause| {
                    Error::internal(format!("'{path}' is no path")).because(cause)
                })?;
            let encoding = if self.compress { "gzip" } else { "identity" };
            let mut request = node
                .pages
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT_ENCODING, encoding)
                .body(body.clone());
            if let Some(value) = &self.authorization {
                request = request.header(AUTHORIZATION, value.clone());
            }
            match tokio::time::timeout(self.timeout, request.send()).await {
                Ok(Ok(response)) => {
                    self.tell(Operation::Search, Some(response.status().as_u16()));
                    return Ok(response);
                }
                Ok(Err(cause)) => {
                    self.tell(Operation::Search, None);
                    self.turn_from(index);
                    let is_unheard = cause.is_connect();
                    failure = Some(unreachable(&node.address, &cause));
                    if !is_unheard {
                        break;
                    }
                }
                Err(_) => {
                    self.tell(Operation::Search, None);
                    self.turn_from(index);
                    failure = Some(self.timed_out(node));
                    break;
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::internal("there is no node to ask")))
    }

    /// A body that stopped coming.
    pub fn stalled(&self) -> Error {
        self.timed_out(self.node().1)
    }

    /// A body that broke off.
    pub fn broken(&self, cause: &(dyn StdError + 'static)) -> Error {
        broken_off(&self.node().1.address, cause)
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    fn node(&self) -> (usize, &Node) {
        let index = self.current.load(Ordering::Relaxed) % self.nodes.len();
        (index, &self.nodes[index])
    }

    /// Asks another node from now on, unless somebody else has turned away already.
    fn turn_from(&self, index: usize) {
        let next = (index + 1) % self.nodes.len();
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // Lost only to a thread that did the same.
        let _ = self.current.compare_exchange(index, next, set, fetch);
    }

    fn timed_out(&self, node: &Node) -> Error {
        let message = format!("'{}' did not answer in time", node.address.name());
        Error::new(Kind::Unavailable, ErrorType::Timeout, message)
            .help("--es-timeout is how long an answer may take")
    }

    fn tell(&self, operation: Operation, code: Option<u16>) {
        self.observer.notice(&Event::Requested { operation, code });
    }
}
