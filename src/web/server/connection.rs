//! One connection: its handshake, its request, the answer, and a way of leaving that lets the answer
//! arrive.

use std::convert::Infallible;
use std::future::{Future as _, pending, poll_fn};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer::{self, AnswerBody};
use super::head::{self, Fault};
use super::host::AllowedHosts;
use super::places::{Evicted, Place};
use super::progress::{Progress, TLS_HANDSHAKE, Watched};
use super::protection::Protection;
use super::users::Admission;
use crate::observe::connections::ConnectionEnd;
use crate::web::pages::{Asked, Reply, Show};

const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// From the connection to the end of the head, the handshake included.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// For a client to take the answer and close. Closing earlier may take from it what is on its way.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The same for one whose place is needed, and for one that is not told of the end before.
const SHORT_WAIT_MAX: Duration = Duration::from_millis(100);
/// What is read of a client that has been answered.
const IGNORED_BYTES_MAX: usize = 64 << 10;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const BUSY: &str = "too many connections";
const TOO_MANY_PASSWORDS: &str = "too many passwords wait to be checked";
const NOT_THIS_HOST: &str =
    "this server answers to localhost, 127.0.0.1, [::1] and its --metrics-host only";
const WHO_ARE_YOU: &str = "this server asks for a user and a password";

/// What all connections share.
pub struct Site {
    pub pages: Arc<dyn Show>,
    pub hosts: AllowedHosts,
    pub protection: Protection,
    /// Counts fetches of the final numbers.
    pub scraped: watch::Sender<u64>,
}

pub struct Connection {
    pub site: Arc<Site>,
    pub place: Arc<Place>,
    pub from: IpAddr,
    pub evicted: Evicted,
    pub stopping: watch::Receiver<()>,
}

impl Connection {
    /// Serves one request. What goes wrong with it is the client's affair.
    pub async fn serve(mut self, stream: TcpStream) {
        let until = Instant::now() + HEAD_WAIT_MAX;
        let end = match self.site.protection.tls.clone() {
            None => self.converse(stream, until, false).await,
            Some(acceptor) => match self.shake_hands(&acceptor, stream, until).await {
                Ok(stream) => self.converse(stream, until, true).await,
                Err(end) => end,
            },
        };
        self.site.pages.connections().add(end);
    }

    async fn shake_hands(
        &mut self,
        acceptor: &TlsAcceptor,
        mut stream: TcpStream,
        until: Instant,
    ) -> Result<TlsStream<TcpStream>, ConnectionEnd> {
        let shaken = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if first[0] != TLS_HANDSHAKE {
                stream.write_all(&answer::fault(Fault::NoTls)).await?;
                leave(&mut stream, LEAVE_WAIT_MAX).await;
                return Err(ErrorKind::InvalidData.into());
            }
            acceptor.accept(stream).await
        };
        let shaken = tokio::select! {
            biased;
            shaken = timeout_at(until, shaken) => shaken,
            _ = &mut self.evicted => return Err(ConnectionEnd::Evicted),
            _ = self.stopping.changed() => return Err(ConnectionEnd::BrokenOff),
        };
        let shaken: Result<_, std::io::Error> = shaken.map_err(|_| ConnectionEnd::TimedOut)?;
        self.place.heard();
        shaken.map_err(|_| ConnectionEnd::BrokenOff)
    }

    async fn converse<S>(&mut self, stream: S, until: Instant, is_tls: bool) -> ConnectionEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Arc::new(Progress::new(Arc::clone(&self.place)));
        let stream = Watched::new(stream, Arc::clone(&progress));
        let (site, asked, from) = (Arc::clone(&self.site), Arc::clone(&progress), self.from);
        let service = service_fn(move |request| {
            let (site, progress) = (Arc::clone(&site), Arc::clone(&asked));
            let answering = async move {
                progress.asked();
                let Answer { response, end, is_final } = site.answer(&request, from).await;
                progress.answered(end, is_final);
                Ok::<_, Infallible>(response)
            };
            Box::pin(answering)
        });
        let mut talk = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .keep_alive(false)
            // Who has asked may have nothing more to say, and waits for its answer.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        let talked = {
            let done = poll_fn(|context| Pin::new(&mut talk).poll(context));
            tokio::select! {
                biased;
                done = done => Talked::Done(done),
                () = progress.too_late(until) => Talked::Late,
                Ok(()) = &mut self.evicted => Talked::Evicted,
                () = stopped(&mut self.stopping, &progress) => return ConnectionEnd::BrokenOff,
            }
        };
        if progress.is_following() && !matches!(talked, Talked::Late | Talked::Evicted) {
            // However a page was closed, it was followed until then.
            let mut stream = talk.into_parts().io.into_inner().stream;
            if matches!(talked, Talked::Done(Ok(()))) {
                tokio::select! {
                    biased;
                    _ = part(&mut stream, is_tls) => {}
                    _ = self.stopping.changed() => {}
                }
            }
            return ConnectionEnd::Followed;
        }
        let has_asked = progress.has_asked();
        let mut stream = talk.into_parts().io.into_inner().stream;
        match talked {
            Talked::Done(Ok(())) if has_asked => {}
            // What hyper could not read it has answered.
            Talked::Done(Err(error)) if error.is_parse() => {
                part(&mut stream, is_tls).await;
                return ConnectionEnd::Answered;
            }
            Talked::Done(Err(_)) if progress.speaks_tls() => {
                tell(&mut stream, &answer::fault(Fault::Tls), LEAVE_WAIT_MAX).await;
                return ConnectionEnd::Answered;
            }
            Talked::Done(_) => return ConnectionEnd::BrokenOff,
            Talked::Late => {
                if !has_asked && progress.has_begun() {
                    tell(&mut stream, &answer::fault(Fault::Late), LEAVE_WAIT_MAX).await;
                }
                return ConnectionEnd::TimedOut;
            }
            Talked::Evicted => {
                if !has_asked {
                    let busy = answer::unasked(StatusCode::SERVICE_UNAVAILABLE, BUSY);
                    tell(&mut stream, &busy, SHORT_WAIT_MAX).await;
                }
                return ConnectionEnd::Evicted;
            }
        }
        let is_taken = tokio::select! {
            biased;
            is_taken = part(&mut stream, is_tls) => is_taken,
            // It is all on its way.
            _ = &mut self.evicted => true,
            _ = self.stopping.changed() => true,
        };
        let Some((end, is_final)) = progress.answer().filter(|_| is_taken) else {
            return ConnectionEnd::BrokenOff;
        };
        if is_final {
            self.site.scraped.send_modify(|count| *count += 1);
        }
        end
    }
}

/// How a request and its answer went.
enum Talked {
    Done(hyper::Result<()>),
    Late,
    Evicted,
}

/// A server that stops waits for no request, and for the answer to one.
async fn stopped(stopping: &mut watch::Receiver<()>, progress: &Progress) {
    let _ = stopping.changed().await;
    if progress.has_asked() {
        pending::<()>().await;
    }
}

/// What is said to who has not asked, in a short time.
async fn tell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, said: &[u8], wait_max: Duration) {
    let told = async {
        stream.write_all(said).await?;
        stream.shutdown().await
    };
    if matches!(timeout(wait_max, told).await, Ok(Ok(()))) {
        leave(stream, wait_max).await;
    }
}

struct Answer {
    response: Response<AnswerBody>,
    end: ConnectionEnd,
    /// The numbers of a run that is over, for who did not only ask how long they are.
    is_final: bool,
}

impl Answer {
    fn said(status: StatusCode, line: &str) -> Answer {
        let end = ConnectionEnd::Answered;
        Answer { response: answer::said(status, line), end, is_final: false }
    }
}

impl Site {
    async fn answer(&self, request: &Request<Incoming>, from: IpAddr) -> Answer {
        let host = match head::host_of(request) {
            Ok(host) => host,
            Err(fault) => return Answer::said(fault.status(), &fault.to_string()),
        };
        if !self.hosts.allow(host.as_deref()) {
            return Answer::said(StatusCode::MISDIRECTED_REQUEST, NOT_THIS_HOST);
        }
        if let Some(users) = &self.protection.users {
            let mut said = request.headers().get_all(AUTHORIZATION).iter();
            let one = said.next().filter(|_| said.next().is_none());
            let said = one.and_then(|said| said.to_str().ok());
            let (status, line, end) = match users.admit(from, said).await {
                Admission::Admitted => return self.page(request),
                Admission::Refused => {
                    (StatusCode::UNAUTHORIZED, WHO_ARE_YOU, ConnectionEnd::Unauthorized)
                }
                Admission::Busy => {
                    (StatusCode::SERVICE_UNAVAILABLE, TOO_MANY_PASSWORDS, ConnectionEnd::Refused)
                }
            };
            return Answer { end, ..Answer::said(status, line) };
        }
        self.page(request)
    }

    fn page(&self, request: &Request<Incoming>) -> Answer {
        let headers = request.headers();
        let (accept, encoding) =
            (head::list(headers, ACCEPT), head::list(headers, ACCEPT_ENCODING));
        let uri = request.uri();
        let last_event_id = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let reply = self.pages.answer(&Asked {
            method: request.method(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            accept: &accept,
            last_event_id,
        });
        match reply {
            Reply::Page(page) => {
                let is_final = page.is_final && request.method() == Method::GET;
                let response = answer::page(page, &encoding);
                Answer { response, end: ConnectionEnd::Answered, is_final }
            }
            Reply::Events(events) => {
                let response = answer::events(events);
                Answer { response, end: ConnectionEnd::Followed, is_final: false }
            }
        }
    }
}

/// Closes our side and waits for the client to close its own. Whether it took the answer, as far as that
/// can be known.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, is_tls: bool) -> bool {
    if is_tls {
        // The end of TLS is a message of its own. A client that has read enough closes without reading
        // it, which looks as if it had not read the answer either.
        match leave(stream, SHORT_WAIT_MAX).await {
            Left::Closed => return true,
            Left::Reset => return false,
            Left::Open => {}
        }
    }
    match stream.shutdown().await {
        Ok(()) => leave(stream, LEAVE_WAIT_MAX).await != Left::Reset || is_tls,
        Err(_) => is_tls,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Closed,
    /// It closed and had not read everything.
    Reset,
    Open,
}

/// Reads what the client still sends, until it closes. What is not read when we close would make the
/// system throw away what we have written.
async fn leave<S: AsyncRead + Unpin>(stream: &mut S, wait_max: Duration) -> Left {
    let ignore = async {
        let (mut chunk, mut ignored) = ([0; 1024], 0);
        while ignored < IGNORED_BYTES_MAX {
            match stream.read(&mut chunk).await {
                Ok(0) => return Left::Closed,
                Ok(length) => ignored += length,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Left::Closed,
                Err(_) => return Left::Reset,
            }
        }
        Left::Open
    };
    timeout(wait_max, ignore).await.unwrap_or(Left::Open)
}
