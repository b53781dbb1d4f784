//! The HTTP server that shows the pages: a thread and a runtime of its own, so that a saturated
//! run still answers.
//!
//! Everything a client can hold is bounded: how many there are, how large a head may be, how long
//! it may take, and how long a connection may live. Every connection serves one request, so none
//! of them is cut off between two.

use std::convert::Infallible;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::observe::pages::Pages;

/// Two Prometheus servers, a browser and a probe need a handful; more only helps who floods.
const CONNECTIONS_MAX: usize = 32;
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
const HEAD_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longer than any scrape timeout one would set for a page of some kilobytes.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// What an answer that is on its way gets when the server stops.
const STOP_WAIT_MAX: Duration = Duration::from_millis(500);
/// Where accepting fails, it fails again at once: usually there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 21\r\n\
    content-type: text/plain; charset=utf-8\r\n\r\ntoo many connections\n";

/// Opens the port. Nobody is answered before `serve`, but who connects is kept waiting, not refused.
pub fn bind(host: &str, port: u16) -> Result<Bound> {
    let listener = listen(host, port)?;
    let could_not = |cause| Error::local_io("cannot set up the metrics server", cause);
    listener.set_nonblocking(true).map_err(could_not)?;
    let address = listener.local_addr().map_err(could_not)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(could_not)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(could_not)?
    };
    Ok(Bound { listener, runtime, address })
}

fn listen(host: &str, port: u16) -> Result<TcpListener> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let quoted = host.escape_default();
    let unresolved = || {
        Error::config(format!("cannot resolve the metrics host '{quoted}'"))
            .help("set --metrics-host to a name or an address of this machine")
    };
    let addresses: Vec<SocketAddr> =
        (bare, port).to_socket_addrs().map_err(|cause| unresolved().because(cause))?.collect();
    if addresses.is_empty() {
        return Err(unresolved());
    }
    TcpListener::bind(addresses.as_slice()).map_err(|cause| match cause.kind() {
        ErrorKind::AddrInUse => {
            Error::config(format!("port {port} on '{quoted}' is in use by another process"))
                .help("choose another --metrics-port")
        }
        ErrorKind::PermissionDenied => {
            Error::config(format!("port {port} on '{quoted}' is not permitted to this user"))
                .help("choose a --metrics-port above 1023")
        }
        ErrorKind::AddrNotAvailable => {
            Error::config(format!("the metrics host '{quoted}' is not an address of this machine"))
                .help("set --metrics-host")
        }
        _ => Error::config(format!("cannot listen on port {port} of '{quoted}'"))
            .help("set --metrics-host and --metrics-port")
            .because(cause),
    })
}

/// An open port.
#[derive(Debug)]
pub struct Bound {
    listener: tokio::net::TcpListener,
    runtime: Runtime,
    address: SocketAddr,
}

impl Bound {
    #[cfg(test)]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn serve(self, pages: Arc<Pages>) -> Result<Server> {
        let (stop, stopping) = watch::channel(());
        let (scraped, final_scrapes) = watch::channel(0);
        let address = self.address;
        let thread = std::thread::Builder::new()
            .name("metrics".to_string())
            .spawn(move || self.runtime.block_on(accept(self.listener, pages, scraped, stopping)))
            .map_err(|cause| Error::local_io("cannot start the metrics server", cause))?;
        Ok(Server { address, final_scrapes, stop, thread })
    }
}

/// A server that answers until it is stopped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    final_scrapes: watch::Receiver<u64>,
    /// Dropping it is the signal, so a server nobody stops ends with its owner.
    stop: watch::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often the final numbers of the run were fetched: `/metrics`, answered with 200 and written to
    /// the last byte after the end of the run. Its sender is gone once the server has stopped.
    #[allow(dead_code, reason = "for who waits until the last numbers were fetched")]
    pub fn final_scrapes(&self) -> watch::Receiver<u64> {
        self.final_scrapes.clone()
    }

    /// Closes the port, lets answers that are on their way finish, and cuts off the rest.
    pub fn stop(self) {
        drop(self.stop);
        // A panic in the server was printed by its thread and is no reason to fail the run.
        let _ = self.thread.join();
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    pages: Arc<Pages>,
    scraped: watch::Sender<u64>,
    mut stopping: watch::Receiver<()>,
) {
    let scraped = Arc::new(scraped);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopping.changed() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() >= CONNECTIONS_MAX => refuse(stream),
            Ok((stream, _)) => {
                connections.spawn(converse(
                    stream,
                    pages.clone(),
                    scraped.clone(),
                    stopping.clone(),
                ));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    let _ =
        timeout(STOP_WAIT_MAX, async { while connections.join_next().await.is_some() {} }).await;
}

/// Says why, if that can be said without waiting, and closes.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(BUSY);
    }
}

/// Serves one connection. What goes wrong with it is the client's affair.
async fn converse(
    stream: TcpStream,
    pages: Arc<Pages>,
    scraped: Arc<watch::Sender<u64>>,
    mut stopping: watch::Receiver<()>,
) {
    let is_final = AtomicBool::new(false);
    let service = service_fn(|request| {
        let response = respond(&pages, &request, &is_final);
        async { Ok::<_, Infallible>(response) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = timeout(CONNECTION_TIME_MAX, async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    })
    .await;
    if matches!(ended, Ok(Ok(()))) && is_final.load(Ordering::Relaxed) {
        scraped.send_modify(|count| *count += 1);
    }
}

fn respond(
    pages: &Pages,
    request: &Request<Incoming>,
    is_final: &AtomicBool,
) -> Response<Full<Bytes>> {
    let accept = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accept = accept.collect::<Vec<_>>().join(",");
    let page = pages.answer(request.method(), request.uri().path(), &accept);
    is_final.store(page.is_final && request.method() == Method::GET, Ordering::Relaxed);
    let mut response = Response::new(Full::from(page.body));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if page.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpStream};

    use super::*;
    use crate::error::Kind;
    use crate::event::{Event, Observer, RunState};
    use crate::observe::Stats;
    use crate::observe::metrics::tests::{metrics, run};

    fn serve(host: &str) -> (Arc<Stats>, Server) {
        let (stats, metrics) = metrics();
        let pages = Arc::new(Pages::new(Arc::new(metrics)));
        (stats, bind(host, 0).unwrap().serve(pages).unwrap())
    }

    fn connect(server: &Server) -> TcpStream {
        TcpStream::connect(server.address()).unwrap()
    }

    /// Sends a request and gives back the head and the body of the answer.
    fn ask(server: &Server, request: &str) -> (String, String) {
        let mut stream = connect(server);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        (head.to_ascii_lowercase(), body.to_string())
    }

    fn get(server: &Server, path: &str) -> (String, String) {
        ask(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    #[test]
    fn each_route_answers() {
        let (stats, server) = serve("127.0.0.1");
        for (path, status, content_type, words) in [
            ("/", "200", "text/plain; charset=utf-8", "/metrics"),
            ("/metrics", "200", "text/plain; version=0.0.4; charset=utf-8", "pipeline_state{"),
            ("/metrics?x=y", "200", "text/plain; version=0.0.4; charset=utf-8", "pipeline_state{"),
            ("/health", "200", "text/plain; charset=utf-8", "alive"),
            ("/ready", "503", "text/plain; charset=utf-8", "starting"),
            ("/info", "200", "application/json", "\"state\": \"starting\""),
            ("/nothing", "404", "text/plain; charset=utf-8", "/ready"),
        ] {
            let (head, body) = get(&server, path);
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{path}: {head}");
            assert!(head.contains(&format!("content-type: {content_type}\r\n")), "{path}: {head}");
            assert!(head.contains("cache-control: no-store"), "{path}: {head}");
            assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
            assert!(body.contains(words) && body.ends_with('\n'), "{path}: {body}");
        }
        stats.notice(&Event::Entered(RunState::Running));
        assert!(get(&server, "/ready").0.starts_with("http/1.1 200 "));
        server.stop();
    }

    #[test]
    fn accept_chooses_the_format() {
        let (_, server) = serve("127.0.0.1");
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;q=0.5\r\n\
                       Accept: application/openmetrics-text; version=1.0.0\r\n\r\n";
        let (head, body) = ask(&server, request);
        let expected = format!("content-type: {}", crate::observe::openmetrics::CONTENT_TYPE);
        assert!(head.contains(&expected), "{head}");
        assert!(body.ends_with("# EOF\n"));
        server.stop();
    }

    #[test]
    fn head_is_the_head_of_get() {
        let (_, server) = serve("127.0.0.1");
        let (head, body) = ask(&server, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(head.starts_with("http/1.1 200 ") && head.contains("content-length: 6"), "{head}");
        assert_eq!(body, "");
        server.stop();
    }

    #[test]
    fn other_methods_are_told_which_there_are_and_never_to_go_on() {
        let (_, server) = serve("127.0.0.1");
        for request in [
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
            "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            "DELETE /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            let (head, body) = ask(&server, request);
            assert!(head.starts_with("http/1.1 405 "), "{head}");
            assert!(head.contains("allow: get, head"), "{head}");
            assert!(body.contains("GET and HEAD"), "{body}");
        }
        server.stop();
    }

    #[test]
    fn ipv6_hosts_work_with_and_without_brackets() {
        if TcpListener::bind("[::1]:0").is_err() {
            eprintln!("skipped: this machine has no IPv6");
            return;
        }
        for host in ["::1", "[::1]"] {
            let (_, server) = serve(host);
            assert!(get(&server, "/health").0.starts_with("http/1.1 200 "));
            server.stop();
        }
    }

    #[test]
    fn a_port_that_cannot_be_opened_is_one_clear_line() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let in_use = bind("127.0.0.1", port).unwrap_err();
        assert_eq!(in_use.kind, Kind::Config);
        assert_eq!(
            in_use.to_string(),
            format!(
                "port {port} on '127.0.0.1' is in use by another process; \
                 choose another --metrics-port"
            )
        );

        let foreign = bind("192.0.2.1", 0).unwrap_err();
        assert_eq!(foreign.kind, Kind::Config);
        assert_eq!(
            foreign.to_string(),
            "the metrics host '192.0.2.1' is not an address of this machine; set --metrics-host"
        );

        let unknown = bind("no such\nhost", 0).unwrap_err();
        assert_eq!(unknown.kind, Kind::Config);
        let line = unknown.to_string();
        assert!(line.starts_with("cannot resolve the metrics host 'no such\\nhost'"), "{line}");
        assert!(line.contains("--metrics-host") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn silent_and_half_spoken_clients_keep_nobody_waiting() {
        let (_, server) = serve("127.0.0.1");
        let silent = connect(&server);
        let mut half = connect(&server);
        half.write_all(b"GET /metrics HT").unwrap();
        let mut deaf = connect(&server);
        deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(get(&server, "/health").0.starts_with("http/1.1 200 "));
        // They are still there, and stopping does not wait for them.
        server.stop();
        drop((silent, half, deaf));
    }

    #[test]
    fn garbage_and_oversized_heads_are_turned_away() {
        let (_, server) = serve("127.0.0.1");
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(64 << 10));
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(100));
        for (request, status) in
            [(long.as_str(), "431"), (many.as_str(), "431"), ("\u{1}\r\n\r\n", "400")]
        {
            let mut stream = connect(&server);
            // The server may close before it has all; what it answered first is lost then.
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.is_empty() || answer.starts_with(&expected), "{answer}");
        }
        assert!(get(&server, "/health").0.starts_with("http/1.1 200 "));
        server.stop();
    }

    #[test]
    fn one_connection_too_many_is_turned_away_and_the_others_are_served() {
        let (_, server) = serve("127.0.0.1");
        let mut waiting: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| connect(&server)).collect();
        let mut answer = String::new();
        connect(&server).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\ntoo many connections\n"), "{answer}");

        let mut first = waiting.remove(0);
        first.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        answer.clear();
        first.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop();
    }

    #[test]
    fn who_connected_before_serving_is_answered_then() {
        let bound = bind("127.0.0.1", 0).unwrap();
        let mut early = TcpStream::connect(bound.address()).unwrap();
        early.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let pages = Arc::new(Pages::new(Arc::new(metrics().1)));
        let server = bound.serve(pages).unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop();
    }

    #[test]
    fn only_scrapes_of_the_final_numbers_are_counted() {
        let (stats, server) = serve("127.0.0.1");
        let mut scrapes = server.final_scrapes();
        get(&server, "/metrics");
        run(&stats);
        for request in ["GET /info", "HEAD /metrics"] {
            ask(&server, &format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
        }
        get(&server, "/metrics");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let counted = runtime.block_on(scrapes.wait_for(|count| *count > 0));
        assert_eq!(*counted.unwrap(), 1);
        server.stop();
        assert_eq!(*scrapes.borrow(), 1);
    }

    #[test]
    fn a_stopped_server_has_closed_its_port() {
        let (_, server) = serve("127.0.0.1");
        let address = server.address();
        server.stop();
        assert!(TcpStream::connect(address).is_err());
    }
}
