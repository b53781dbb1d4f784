//! One request and what became of it. Redirects are not followed: whoever is there would learn who
//! sends, and what it takes nobody reads.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::time::Duration;

use http_body_util::BodyExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url};

use crate::error::{Error, Kind, Result};
use crate::export::target::Target;
use crate::record::ErrorType;

/// Whoever does not take a connection by then is not there.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Of one request. Two of them fit into what all have together.
pub const REQUEST_MAX: Duration = Duration::from_secs(5);
const REFUSAL_MAX: Duration = Duration::from_millis(500);
/// As much as is read of why something is refused, and as much of it as is shown.
const REFUSAL_BYTES_MAX: usize = 4 << 10;
const SHOWN_CHARS_MAX: usize = 200;
/// Whoever wants to be asked later than this is asked in the next run.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

pub struct HttpClient {
    target: Target,
    /// Made where the first request is: reading the system's certificates takes a while.
    client: Option<Client>,
    /// Of one request.
    time_max: Duration,
    /// Spoken from the first byte on.
    #[cfg(feature = "otlp")]
    is_http2: bool,
}

/// What is sent.
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What was answered, where it was taken.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), allow(dead_code))]
pub struct Reply {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// There was more, and what came behind is not known.
    pub is_cut: bool,
    /// Headers that come behind.
    pub trailers: HeaderMap,
}

/// What was answered where it was not, with the beginning of why.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Refusal {
    pub fn words(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// For somebody who asks by himself.
pub fn client(target: &Target) -> Result<Client> {
    HttpClient::new(target.clone()).client()
}

impl HttpClient {
    pub fn new(target: Target) -> HttpClient {
        HttpClient {
            target,
            client: None,
            time_max: REQUEST_MAX,
            #[cfg(feature = "otlp")]
            is_http2: false,
        }
    }

    /// For somebody who waits for nothing else: any time for a request.
    pub fn patient(self, time: Duration) -> HttpClient {
        HttpClient { time_max: time, ..self }
    }

    /// With less time for a request.
    #[cfg(feature = "otlp")]
    pub fn within(self, time: Duration) -> HttpClient {
        HttpClient { time_max: time.min(REQUEST_MAX), ..self }
    }

    /// As gRPC wants it.
    #[cfg(feature = "otlp")]
    pub fn over_http2(self) -> HttpClient {
        HttpClient { is_http2: true, ..self }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Ok where the other side says that it has taken it. An error is of the kind `Unavailable` or
    /// `Overloaded` where it certainly has not, and `Unknown` where it may have.
    pub async fn send(&mut self, request: &Request) -> Result<()> {
        match self.answer(request, 0).await? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refused(&refusal, &refusal.words())),
        }
    }

    /// What is answered, and as much of it as is wanted; for somebody who knows what a status means.
    pub async fn answer(
        &mut self,
        request: &Request,
        bytes_max: usize,
    ) -> Result<std::result::Result<Reply, Refusal>> {
        let Request { method, url, headers, body } = request;
        let client = match self.client.take() {
            Some(client) => client,
            None => self.client()?,
        };
        let builder = client.request(method.clone(), url.clone());
        self.client = Some(client);
        let builder = builder.headers(self.target.headers.clone()).headers(headers.clone());
        let sent = tokio::time::timeout(self.time_max, async {
            let mut response: Response = builder.body(body.clone()).send().await?;
            if response.status().is_success() {
                return Ok(Ok(reply(response, bytes_max).await?));
            }
            // The status is what counts; what else is said may never end.
            let said = tokio::time::timeout(REFUSAL_MAX, said(&mut response)).await;
            let headers = response.headers().clone();
            let body = said.unwrap_or_default();
            Ok::<_, reqwest::Error>(Err(Refusal { status: response.status(), headers, body }))
        });
        match sent.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => Err(self.broken_off(cause)),
            Err(_) => Err(Error::new(
                Kind::Unknown,
                ErrorType::Timeout,
                format!(
                    "'{}' did not answer within {} s",
                    self.name(),
                    self.time_max.as_secs_f64()
                ),
            )),
        }
    }

    fn client(&self) -> Result<Client> {
        let target = &self.target;
        let mut client = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .tls_built_in_root_certs(target.url.scheme() == "https")
            .user_agent(concat!("flowgauge/", env!("CARGO_PKG_VERSION")));
        if target.is_loopback() {
            client = client.no_proxy();
        }
        #[cfg(feature = "otlp")]
        if self.is_http2 {
            client = client.http2_prior_knowledge();
        }
        if let Some(identity) = &target.identity {
            client = client.identity(identity.clone());
        }
        for authority in &target.authorities {
            client = client.add_root_certificate(authority.clone());
        }
        client.build().map_err(|cause| {
            Error::config(format!("no client for '{}': {}", target.name(), root(&cause)))
                .help(format!("check {}", target.authority_option))
        })
    }

    fn name(&self) -> String {
        self.target.name()
    }

    /// `said` are the words of a refusal.
    pub fn refused(&self, refusal: &Refusal, said: &str) -> Error {
        let (name, status) = (self.name(), refusal.status);
        let code = status.as_u16();
        let (kind, error_type) = match status {
            StatusCode::TOO_MANY_REQUESTS => (Kind::Overloaded, ErrorType::Overloaded),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (Kind::Config, ErrorType::Auth),
            _ if status.is_redirection() => {
                let message = format!("'{name}' redirects ({code}), which is not followed");
                return Error::new(Kind::Config, ErrorType::Protocol, message)
                    .help(format!("set {} to where the server itself is", self.target.option));
            }
            // It takes nothing now, or whoever stands before it found nobody.
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                (Kind::Overloaded, ErrorType::Overloaded)
            }
            // It may have been taken before something else went wrong.
            _ if status.is_server_error() => (Kind::Unknown, ErrorType::Other),
            _ => (Kind::Data, ErrorType::Protocol),
        };
        let said = self.shown(said);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let error = Error::new(kind, error_type, format!("'{name}' answered {code}{said}"));
        match retry_after(&refusal.headers, Timestamp::now()) {
            Some(wait) => error.not_before(wait),
            None => error,
        }
    }

    /// Words of the other side, without what it only knows from us.
    pub fn shown(&self, words: &str) -> String {
        shortened(&self.target.masked(words))
    }

    fn broken_off(&self, cause: reqwest::Error) -> Error {
        let cause = cause.without_url();
        let why = shortened(&self.target.masked(&root(&cause)));
        let name = self.name();
        if why.contains("certificate") {
            let message = format!("the certificate of '{name}' is not trusted: {why}");
            if why.contains("CaUsedAsEndEntity") {
                return Error::new(Kind::Config, ErrorType::Auth, message).help(format!(
                    "it is marked as that of an authority, which no server may use as its own; make the server's with \
                     'basicConstraints = CA:FALSE', and name that in {}",
                    self.target.authority_option
                ));
            }
            return Error::new(Kind::Config, ErrorType::Auth, message).help(format!(
                "set {} to the certificate of its authority",
                self.target.authority_option
            ));
        }
        if why.contains("InvalidContentType") {
            return Error::config(format!("'{name}' does not speak TLS: {why}"))
                .help(format!("write http:// in {}", self.target.option));
        }
        let kind = if cause.is_connect() { Kind::Unavailable } else { Kind::Unknown };
        let error_type =
            if cause.is_timeout() { ErrorType::Timeout } else { ErrorType::Connection };
        Error::new(kind, error_type, format!("'{name}' cannot be reached: {why}"))
    }
}

/// All of an answer is read, or what there is room for; where nothing is wanted, nothing is read.
async fn reply(response: Response, bytes_max: usize) -> reqwest::Result<Reply> {
    let headers = response.headers().clone();
    let (mut body, mut trailers, mut is_cut) = (Vec::new(), HeaderMap::new(), false);
    if bytes_max > 0 {
        let mut frames = reqwest::Body::from(response);
        while let Some(frame) = frames.frame().await {
            match frame?.into_data() {
                Ok(data) if body.len() + data.len() > bytes_max => {
                    is_cut = true;
                    break;
                }
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
    }
    Ok(Reply { headers, body, is_cut, trailers })
}

async fn said(response: &mut Response) -> Vec<u8> {
    let mut said = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        said.extend_from_slice(&piece);
        if said.len() >= REFUSAL_BYTES_MAX {
            said.truncate(REFUSAL_BYTES_MAX);
            break;
        }
    }
    said
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let written = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match written.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = rfc2822::parse(written).ok()?.timestamp();
            Duration::try_from(then.duration_since(now)).ok()?
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Words of the other side in one line.
pub fn shortened(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words,
    }
}

/// The last cause says what happened, the others only where.
fn root(cause: &(dyn StdError + 'static)) -> String {
    let mut cause = cause;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_one_short_line() {
        assert_eq!(shortened(" a\n\tb  c "), "a b c");
        assert_eq!(shortened(""), "");
        assert_eq!(shortened(&"é".repeat(300)).chars().count(), SHOWN_CHARS_MAX + 3);
    }

    #[test]
    fn when_to_come_again_is_in_seconds_or_a_date() {
        let now: Timestamp = "2026-11-27T08:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("2", Some(2)),
            ("999999", Some(3_600)),
            ("Fri, 27 Nov 2026 08:00:07 GMT", Some(7)),
            ("Sat, 28 Nov 2026 08:00:07 GMT", Some(3_600)),
            ("Fri, 27 Nov 2026 07:59:59 GMT", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
