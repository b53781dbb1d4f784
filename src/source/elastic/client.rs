//! Requests to the nodes of one cluster, and the choice of the node. The crate `elasticsearch` builds
//! the paths and reads the errors; its own client is not used, because it follows redirects and reads
//! answers whole, whatever their length.
//!
//! Nothing is tried twice here, but at the next node what one of them did not give.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use elasticsearch::ScrollParts;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use serde::de::IgnoredAny;

use super::address::{self, NodeAddress};
use super::body::{self, BodyEnd, BodyError, More};
use super::circuit::Circuits;
use super::credential_mask::CredentialMask;
use super::error_answer::{self, ErrorAnswer, shortened};
use super::indices::weight;
use super::node::{Node, authorities, broken_off, node, unreachable};
use super::{Auth, ElasticTls};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, Operation, ResourceGuard, ServerResource};
use crate::record::ErrorType;

/// Who a server is takes less than one KiB; names of indices, where they are listed to help, take more.
const INFO_BYTES_MAX: usize = 4 << 20;
/// The name of a snapshot has about 100 bytes for each shard.
const SNAPSHOT_BYTES_MAX: usize = 16 << 20;
/// As much as is read of why something is refused.
pub const REFUSAL_BYTES_MAX: usize = 256 << 10;

pub struct Client {
    nodes: Vec<Node>,
    circuits: Mutex<Circuits>,
    /// Where the time of the circuits begins.
    born: Instant,
    timeout: Duration,
    compress: bool,
    authorization: Option<HeaderValue>,
    mask: CredentialMask,
    /// What an answer may take: before the first page nothing else does.
    memory: usize,
    observer: Arc<dyn Observer>,
}

/// How requests are made, whoever is asked.
pub struct RequestSettings {
    pub timeout: Duration,
    pub compress: bool,
    pub memory: usize,
}

/// The head of an answer, and who gives it. Its body is still to come.
pub struct Reply {
    pub response: reqwest::Response,
    pub node: usize,
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        let words = self.response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        error_answer::retry_after(words, Timestamp::now())
    }
}

/// An answer that came whole, whatever its status.
pub struct Answer {
    pub status: u16,
    /// The server calls itself Elasticsearch, which it does since 7.14.
    pub is_elastic: bool,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a 200; `asked` says what was asked for.
    pub fn accepted(self, asked: &str) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.given(asked)?).map_err(|cause| no_json(asked, cause))
    }

    /// The same, not yet read.
    pub fn given(self, asked: &str) -> Result<Vec<u8>> {
        if self.status == 200 {
            return Ok(self.body);
        }
        Err(self.refusal().error(asked))
    }

    /// What it means, where it is not what was asked for.
    pub fn refusal(&self) -> ErrorAnswer {
        let refusal = ErrorAnswer::read(self.status, &self.body);
        ErrorAnswer { retry_after: self.retry_after, ..refusal }
    }

    /// The node is not to blame for it.
    fn is_fair(&self) -> bool {
        let is_json = || serde_json::from_slice::<IgnoredAny>(&self.body).is_ok();
        !is_failing(self.status) && (self.status != 200 || is_json())
    }
}

pub fn no_json(asked: &str, cause: serde_json::Error) -> Error {
    let message = format!("{asked}: the answer is no JSON");
    Error::new(Kind::Unavailable, ErrorType::Protocol, message).because(cause)
}

/// Another node may do better.
fn is_failing(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
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
        Question { operation, method: Method::GET, path, parameters: &[], body: None }
    }
}

impl Client {
    pub fn new(
        addresses: Vec<NodeAddress>,
        auth: &Auth,
        mask: CredentialMask,
        tls: &ElasticTls,
        manner: RequestSettings,
        observer: Arc<dyn Observer>,
    ) -> Result<Client> {
        let authorization = super::node::authorization(auth)?;
        let authorities = match &tls.ca {
            Some(path) => authorities(path)?,
            None => Vec::new(),
        };
        let nodes = addresses
            .into_iter()
            .map(|address| node(address, tls, &authorities))
            .collect::<Result<Vec<Node>>>()?;
        let circuits = Mutex::new(Circuits::new(nodes.len()));
        let RequestSettings { timeout, compress, memory } = manner;
        let born = Instant::now();
        Ok(Client {
            nodes,
            circuits,
            born,
            timeout,
            compress,
            authorization,
            mask,
            memory,
            observer,
        })
    }

    /// Asks one node after the other, until one gives what is no fault of its own.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer> {
        let mut tried = Vec::new();
        let mut outcome = Err(Error::internal("there is no node to ask"));
        while let Some(index) = self.choose(&tried) {
            tried.push(index);
            match self.ask_node(index, &question).await? {
                Ok(answer) if self.nodes.len() == 1 || answer.is_fair() => {
                    self.note(index, answer.status, answer.retry_after);
                    return Ok(answer);
                }
                Ok(answer) => {
                    self.failed(index, answer.retry_after);
                    outcome = Ok(answer);
                }
                Err(error) => {
                    self.failed(index, None);
                    // Whoever answered at all has said more.
                    outcome = outcome.or(Err(error));
                }
            }
        }
        outcome
    }

    /// Fails at once where another node is not to be asked, and within where it may be.
    async fn ask_node(
        &self,
        index: usize,
        question: &Question<'_>,
    ) -> Result<std::result::Result<Answer, Error>> {
        let operation = question.operation;
        let request = self.request(index, question.method.clone(), question.path)?;
        let mut request = request.query(question.parameters);
        if let Some(body) = &question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let asked = self.asked(operation);
        let reply = match self.send(index, request).await {
            Ok(reply) => self.here(reply, &asked)?,
            Err(error) => {
                asked.tell(None);
                return Ok(Err(error.0));
            }
        };
        let (status, retry_after) = (reply.status(), reply.retry_after());
        let is_elastic = reply.response.headers().contains_key("x-elastic-product");
        let most = match status {
            200 => self.most(operation),
            _ => REFUSAL_BYTES_MAX,
        };
        let mut body = Vec::new();
        let read = self.read_body(reply, &mut body, most, |_| More::No).await;
        let is_too_large = match read {
            Ok(outcome) => outcome == BodyEnd::TooLarge,
            Err(error) => {
                asked.tell(None);
                return Ok(Err(error));
            }
        };
        asked.tell(Some(status));
        if status != 200 {
            body = self.mask.bytes(&body);
        } else if is_too_large || !self.may_hold(operation, &body) {
            return Err(self.too_large(index, question));
        }
        Ok(Ok(Answer { status, is_elastic, retry_after, body }))
    }

    /// Asks for a page; gives the answer when its head is there. Where a node answers that it cannot,
    /// the next is asked; where nothing is known of what it did, only if nothing can have arrived.
    pub async fn page(&self, path: &str, body: String) -> Result<Reply> {
        // A scroll is past a page that was asked for, whoever it was asked of.
        let is_repeatable = path != ScrollParts::None.url();
        let mut tried = Vec::new();
        let mut outcome = Err(Error::internal("there is no node to ask"));
        while let Some(index) = self.choose(&tried) {
            tried.push(index);
            let request = self.request(index, Method::POST, path)?;
            let request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
            let asked = self.asked(Operation::Search);
            match self.send(index, request).await {
                Ok(reply) => {
                    let reply = self.here(reply, &asked)?;
                    asked.tell(Some(reply.status()));
                    if !is_failing(reply.status()) {
                        return Ok(reply);
                    }
                    self.failed(index, reply.retry_after());
                    outcome = Ok(reply);
                    if !is_repeatable {
                        break;
                    }
                }
                Err(Unsent(error, is_unheard)) => {
                    asked.tell(None);
                    self.failed(index, None);
                    outcome = outcome.or(Err(error));
                    if !is_unheard {
                        break;
                    }
                }
            }
        }
        outcome
    }

    fn request(&self, index: usize, method: Method, path: &str) -> Result<reqwest::RequestBuilder> {
        let node = &self.nodes[index];
        let url = node
            .address
            .url
            .join(path.trim_start_matches('/'))
            .map_err(|cause| Error::internal(format!("'{path}' is no path")).because(cause))?;
        let encoding = if self.compress { "gzip" } else { "identity" };
        let request = node.http.request(method, url).header(ACCEPT_ENCODING, encoding);
        Ok(match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        })
    }

    async fn send(
        &self,
        index: usize,
        request: reqwest::RequestBuilder,
    ) -> std::result::Result<Reply, Unsent> {
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => Ok(Reply { response, node: index }),
            Ok(Err(cause)) => {
                let is_unheard = cause.is_connect();
                Err(Unsent(unreachable(&self.nodes[index].address, &cause), is_unheard))
            }
            Err(_) => Err(Unsent(self.timed_out(index), false)),
        }
    }

    /// Fails where the answer is to be found elsewhere. Whoever is there is not asked: it would learn
    /// who asks, and what it gives is not what was asked for.
    fn here(&self, reply: Reply, asked: &AskedAt) -> Result<Reply> {
        let status = reply.status();
        if !(300..=399).contains(&status) {
            return Ok(reply);
        }
        asked.tell(Some(status));
        let name = self.nodes[reply.node].address.name();
        let location = reply.response.headers().get(LOCATION);
        let aim = location
            .and_then(|location| location.to_str().ok())
            .and_then(|location| address::aim_of(reply.response.url(), location));
        let aim = match aim {
            Some(aim) => format!("to '{}'", shortened(&self.mask.text(&aim))),
            None => "to no other place".to_string(),
        };
        let message = format!("'{name}' redirects {aim}, which is not followed ({status})");
        let error = Error::new(Kind::Config, ErrorType::Protocol, message);
        Err(error.help("set --es-url to where the server itself is"))
    }

    /// Most bytes of an answer.
    fn most(&self, operation: Operation) -> usize {
        match operation {
            Operation::Info | Operation::CloseSnapshot => INFO_BYTES_MAX.min(self.memory / 4),
            Operation::Mapping => self.memory / 2,
            Operation::OpenSnapshot
            | Operation::Count
            | Operation::KeepAlive
            | Operation::Search => SNAPSHOT_BYTES_MAX.min(self.memory / 4),
        }
    }

    /// Whether there is room for what an answer becomes when it is read. Mappings are read index by
    /// index, so each of them is weighed then.
    fn may_hold(&self, operation: Operation, body: &[u8]) -> bool {
        operation == Operation::Mapping || weight(body) <= self.memory / 2
    }

    fn too_large(&self, index: usize, question: &Question) -> Error {
        let most = self.most(question.operation);
        let path = question.path.split('?').next().unwrap_or_default();
        let name = self.nodes[index].address.name();
        let message = format!("the answer of '{name}' to '{path}' is larger than {most} bytes");
        let error = Error::new(Kind::Config, ErrorType::TooLarge, message);
        error.help(match question.operation {
            Operation::Info => "check that --es-url is a search server",
            Operation::Mapping => "name fewer indices in --es-index, or raise --memory-limit",
            _ => "name fewer indices in --es-index, or check that --es-url is a search server",
        })
    }

    /// What may be taken by things that are kept, such as fields.
    pub fn memory(&self) -> usize {
        self.memory
    }

    pub fn mask(&self) -> &CredentialMask {
        &self.mask
    }

    /// Reads the body of an answer into `buffer`, up to `limit`, or further where `more` says so.
    pub async fn read_body(
        &self,
        reply: Reply,
        buffer: &mut Vec<u8>,
        limit: usize,
        more: impl FnMut(usize) -> More,
    ) -> Result<BodyEnd> {
        let Reply { response, node } = reply;
        let read = body::read(response, self.timeout, buffer, limit, more).await;
        read.map_err(|error| match error {
            BodyError::Broken(cause) => broken_off(&self.nodes[node].address, &cause),
            BodyError::TimedOut => self.timed_out(node),
            BodyError::Encoding(error) => error,
        })
    }

    fn timed_out(&self, index: usize) -> Error {
        let message = format!("'{}' did not answer in time", self.nodes[index].address.name());
        Error::new(Kind::Unavailable, ErrorType::Timeout, message)
            .help("--es-timeout is how long an answer may take")
    }

    /// A node gave what it was asked for.
    pub fn answered(&self, index: usize) {
        self.circuits().answered(index);
    }

    /// A node did not, or not in one piece: others are asked first for a while.
    pub fn failed(&self, index: usize, retry_after: Option<Duration>) {
        let rest = self.circuits().failed(index, self.born.elapsed(), retry_after);
        if let Some(rest) = rest
            && self.nodes.len() > 1
        {
            let (name, seconds) = (self.nodes[index].address.name(), rest.as_secs());
            tracing::warn!("'{name}' fails, so other nodes are asked first for {seconds} s");
        }
    }

    fn note(&self, index: usize, status: u16, retry_after: Option<Duration>) {
        match is_failing(status) {
            true => self.failed(index, retry_after),
            false => self.answered(index),
        }
    }

    fn choose(&self, tried: &[usize]) -> Option<usize> {
        self.circuits().choose(self.born.elapsed(), tried)
    }

    fn circuits(&self) -> MutexGuard<'_, Circuits> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, operation: Operation) -> AskedAt {
        let observer = Arc::clone(&self.observer);
        let guard = ResourceGuard::new(&observer, ServerResource::HttpRequest);
        AskedAt { operation, at: Instant::now(), observer, _guard: guard }
    }
}

/// A request that is under way.
struct AskedAt {
    operation: Operation,
    at: Instant,
    observer: Arc<dyn Observer>,
    _guard: ResourceGuard,
}

impl AskedAt {
    fn tell(&self, code: Option<u16>) {
        let (operation, took) = (self.operation, self.at.elapsed());
        self.observer.notice(&Event::Requested { operation, code, took });
    }
}

/// Why there is no answer, and whether the server cannot have heard of the question.
struct Unsent(Error, bool);
