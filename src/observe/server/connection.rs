//! One connection: its handshake, its request, the answer, and a way of leaving that lets the answer
//! arrive.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer::{self, Form};
use super::counts::ConnectionEnd;
use super::head::{self, Fault, HEAD_BYTES_MAX, RequestHead};
use super::host::AllowedHosts;
use super::places::{Evicted, Place};
use super::protection::Protection;
use super::users::Admission;
use crate::observe::pages::Show;

/// From the connection to the end of the head, the handshake included.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// From the first byte of the head to its last: clients write it whole.
const HEAD_TIME_MAX: Duration = Duration::from_secs(1);
/// Longer than any scrape timeout one would set for a page of some kilobytes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// For a client to take the answer and close. Closing earlier may take from it what is on its way.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The same for one whose place is needed, and for one that is not told of the end before.
const SHORT_WAIT_MAX: Duration = Duration::from_millis(100);
/// What is read of a client that has been answered.
const IGNORED_BYTES_MAX: usize = 64 << 10;
const TLS_HANDSHAKE: u8 = 0x16;

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
    pub place: Place,
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

    async fn converse<S>(&mut self, mut stream: S, until: Instant, is_tls: bool) -> ConnectionEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let heard = tokio::select! {
            biased;
            heard = read_head(&mut stream, until) => heard,
            _ = &mut self.evicted => {
                let busy = answer::said(StatusCode::SERVICE_UNAVAILABLE, BUSY);
                let told = async {
                    stream.write_all(&busy).await?;
                    stream.shutdown().await
                };
                if matches!(timeout(SHORT_WAIT_MAX, told).await, Ok(Ok(()))) {
                    leave(&mut stream, SHORT_WAIT_MAX).await;
                }
                return ConnectionEnd::Evicted;
            }
            _ = self.stopping.changed() => return ConnectionEnd::BrokenOff,
        };
        self.place.asked();
        let answer = match heard {
            Heard::Head(bytes) => match RequestHead::parse(&bytes) {
                Ok(head) => self.site.answer(&head).await,
                Err(fault) => Answer::plain(answer::fault(fault)),
            },
            Heard::Fault(fault) => Answer {
                end: match fault {
                    Fault::Late => ConnectionEnd::TimedOut,
                    _ => ConnectionEnd::Answered,
                },
                ..Answer::plain(answer::fault(fault))
            },
            Heard::Nothing => return ConnectionEnd::TimedOut,
            Heard::End => return ConnectionEnd::BrokenOff,
        };
        self.place.heard();
        let written = tokio::select! {
            biased;
            written = timeout(ANSWER_TIME_MAX, write(&mut stream, &answer.bytes, &self.place)) => written,
            _ = &mut self.evicted => return ConnectionEnd::Evicted,
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return ConnectionEnd::BrokenOff,
            Err(_) => return ConnectionEnd::TimedOut,
        }
        let is_taken = tokio::select! {
            biased;
            is_taken = part(&mut stream, is_tls) => is_taken,
            // It is all on its way.
            _ = &mut self.evicted => true,
            _ = self.stopping.changed() => true,
        };
        if !is_taken {
            return ConnectionEnd::BrokenOff;
        }
        if answer.is_final {
            self.site.scraped.send_modify(|count| *count += 1);
        }
        answer.end
    }
}

enum Heard {
    Head(Vec<u8>),
    Fault(Fault),
    Nothing,
    /// The client closed.
    End,
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, mut until: Instant) -> Heard {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        let length = match timeout_at(until, stream.read(&mut chunk)).await {
            Err(_) if bytes.is_empty() => return Heard::Nothing,
            Err(_) => return Heard::Fault(Fault::Late),
            Ok(Ok(0) | Err(_)) => return Heard::End,
            Ok(Ok(length)) => length,
        };
        if bytes.is_empty() {
            until = until.min(Instant::now() + HEAD_TIME_MAX);
            if chunk[0] == TLS_HANDSHAKE {
                return Heard::Fault(Fault::Tls);
            }
        }
        let searched = bytes.len();
        bytes.extend_from_slice(&chunk[..length]);
        match head::end(&bytes, searched) {
            Some(end) if end <= HEAD_BYTES_MAX => {
                bytes.truncate(end);
                return Heard::Head(bytes);
            }
            None if bytes.len() <= HEAD_BYTES_MAX => {}
            _ => return Heard::Fault(Fault::TooLarge),
        }
    }
}

struct Answer {
    bytes: Vec<u8>,
    end: ConnectionEnd,
    /// The numbers of a run that is over, for who did not only ask how long they are.
    is_final: bool,
}

impl Answer {
    fn plain(bytes: Vec<u8>) -> Answer {
        Answer { bytes, end: ConnectionEnd::Answered, is_final: false }
    }
}

impl Site {
    async fn answer(&self, head: &RequestHead) -> Answer {
        if !self.hosts.allow(head.host.as_deref()) {
            return Answer::plain(answer::said(StatusCode::MISDIRECTED_REQUEST, NOT_THIS_HOST));
        }
        if let Some(users) = &self.protection.users {
            let mut said = head.headers.get_all(AUTHORIZATION).iter();
            let one = said.next().filter(|_| said.next().is_none());
            let (status, line, end) = match users.admit(one.and_then(|it| it.to_str().ok())).await {
                Admission::Admitted => return self.page(head),
                Admission::Refused => {
                    (StatusCode::UNAUTHORIZED, WHO_ARE_YOU, ConnectionEnd::Unauthorized)
                }
                Admission::Busy => {
                    (StatusCode::SERVICE_UNAVAILABLE, TOO_MANY_PASSWORDS, ConnectionEnd::Refused)
                }
            };
            return Answer { end, ..Answer::plain(answer::said(status, line)) };
        }
        self.page(head)
    }

    fn page(&self, head: &RequestHead) -> Answer {
        let page = self.pages.answer(&head.method, &head.path, &head.list(ACCEPT));
        let is_final = page.is_final && head.method == Method::GET;
        let form = Form::asked(&head.method, &head.list(ACCEPT_ENCODING));
        Answer { is_final, ..Answer::plain(answer::bytes(page, form)) }
    }
}

async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    place: &Place,
) -> std::io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = stream.write(rest).await?;
        if length == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        rest = &rest[length..];
        place.heard();
    }
    stream.flush().await
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
