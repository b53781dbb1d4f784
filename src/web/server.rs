//! The HTTP server that shows the pages: a thread and a runtime of its own, so that a saturated
//! run still answers.
//!
//! Everything a client can hold is bounded: how many there are (`places`), how large a head may be (`head`), how
//! long it may take, and how long a connection may live (`connection`). Every connection serves one request, so
//! none of them is cut off between two.

mod accepting;
mod answer;
mod connection;
mod head;
mod host;
mod places;
mod progress;
mod protection;
mod tls;
mod users;
mod web_config;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::accepting::accept;
use self::connection::Site;
use self::host::{AllowedHosts, bare};
pub use self::protection::Protection;
use crate::error::{Error, Result};
use crate::web::pages::Show;

/// Connections that the system keeps while no place is free; it may keep fewer.
const QUEUE_MAX: u32 = 4096;

const SEND_BUFFER_BYTES: u32 = 256 << 10;

/// What the options are called that say where a server listens.
#[derive(Clone, Copy, Debug)]
pub struct ServerFlags {
    pub host: &'static str,
    pub port: &'static str,
}

impl ServerFlags {
    pub const OF_RUN: ServerFlags = ServerFlags { host: "metrics-host", port: "metrics-port" };
    pub const OF_EXPORTER: ServerFlags = ServerFlags { host: "host", port: "port" };
}

/// Opens the port. Nobody is answered before `serve`, but who connects is kept waiting, not refused.
pub fn bind(host: &str, port: u16, flags: ServerFlags, protection: Protection) -> Result<Bound> {
    let could_not = |cause| Error::local_io("cannot set up the metrics server", cause);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // For passwords.
        .max_blocking_threads(1)
        .build()
        .map_err(could_not)?;
    let listener = {
        let _inside = runtime.enter();
        listen(host, port, flags)?
    };
    let address = listener.local_addr().map_err(could_not)?;
    Ok(Bound { listener, runtime, address, host: host.to_string(), flags, protection })
}

fn listen(host: &str, port: u16, flags: ServerFlags) -> Result<TcpListener> {
    let quoted = host.escape_default();
    let unresolved = || {
        Error::config(format!("cannot resolve the metrics host '{quoted}'"))
            .help(format!("set --{} to a name or an address of this machine", flags.host))
    };
    let addresses: Vec<SocketAddr> = (bare(host), port)
        .to_socket_addrs()
        .map_err(|cause| unresolved().because(cause))?
        .collect();
    let mut listening = Err(unresolved());
    for address in addresses {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(cause) => listening = Err(not_listening(cause, port, &quoted.to_string(), flags)),
        }
    }
    listening
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a run that is over do not keep the port.
    socket.set_reuseaddr(true)?;
    // Who never reads costs no more than that; it holds any page.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(QUEUE_MAX)
}

fn not_listening(cause: io::Error, port: u16, quoted: &str, flags: ServerFlags) -> Error {
    let ServerFlags { host: host_flag, port: port_flag } = flags;
    match cause.kind() {
        ErrorKind::AddrInUse => {
            Error::config(format!("port {port} on '{quoted}' is in use by another process"))
                .help(format!("choose another --{port_flag}"))
        }
        ErrorKind::PermissionDenied => {
            Error::config(format!("port {port} on '{quoted}' is not permitted to this user"))
                .help(format!("choose a --{port_flag} above 1023"))
        }
        ErrorKind::AddrNotAvailable => {
            Error::config(format!("the metrics host '{quoted}' is not an address of this machine"))
                .help(format!("set --{host_flag}"))
        }
        _ => Error::config(format!("cannot listen on port {port} of '{quoted}'"))
            .help(format!("set --{host_flag} and --{port_flag}"))
            .because(cause),
    }
}

/// An open port.
pub struct Bound {
    listener: TcpListener,
    runtime: Runtime,
    address: SocketAddr,
    /// As the option has it.
    host: String,
    flags: ServerFlags,
    protection: Protection,
}

impl Bound {
    #[cfg(test)]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What whoever opened it should know.
    pub fn doubt(&self) -> Option<String> {
        self.protection.doubt(self.address, self.flags.host)
    }

    pub fn serve(self, pages: Arc<dyn Show>) -> Result<Server> {
        let Bound { listener, runtime, address, host, protection, .. } = self;
        let (stop, stopping) = watch::channel(());
        let (scraped, final_scrapes) = watch::channel(0);
        let scheme = if protection.tls.is_some() { "https" } else { "http" };
        let hosts = AllowedHosts::of(address, &host);
        let site = Arc::new(Site { pages, hosts, protection, scraped });
        let thread = std::thread::Builder::new()
            .name("metrics".to_string())
            .spawn(move || {
                if let Some(chore) = site.pages.chore() {
                    drop(runtime.spawn(chore));
                }
                runtime.block_on(accept(listener, site, stopping));
                // A password may be being checked, for whom nobody waits any more.
                runtime.shutdown_background();
            })
            .map_err(|cause| Error::local_io("cannot start the metrics server", cause))?;
        Ok(Server { url: format!("{scheme}://{address}"), final_scrapes, stop, thread })
    }
}

/// A server that answers until it is stopped.
#[derive(Debug)]
pub struct Server {
    url: String,
    final_scrapes: watch::Receiver<u64>,
    /// Dropping it is the signal, so a server nobody stops ends with its owner.
    stop: watch::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Such as `http://127.0.0.1:8000`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often the final numbers of the run were fetched: `/metrics`, answered with 200 after the end of the
    /// run, written to the last byte, and not given back by a client that closed before it had read it. Its
    /// sender is gone once the server has stopped.
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;
    use crate::error::Kind;
    use crate::event::{Event, Observer, RunState};
    use crate::observe::Stats;
    use crate::observe::metrics::tests::{metrics, run};
    use crate::web::Pages;

    fn bound(host: &str, port: u16) -> Result<Bound> {
        bind(host, port, ServerFlags::OF_RUN, Protection::default())
    }

    fn serve(host: &str) -> (Arc<Stats>, Server) {
        let (stats, metrics) = metrics();
        let pages = Arc::new(Pages::new(Arc::new(metrics)));
        (stats, bound(host, 0).unwrap().serve(pages).unwrap())
    }

    fn address(server: &Server) -> SocketAddr {
        server.url().strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn connect(server: &Server) -> TcpStream {
        TcpStream::connect(address(server)).unwrap()
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
        ask(server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
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
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;q=0.5\r\n\
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
        let (head, body) = ask(&server, "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(head.starts_with("http/1.1 200 ") && head.contains("content-length: 6"), "{head}");
        assert_eq!(body, "");
        server.stop();
    }

    #[test]
    fn other_methods_are_told_which_there_are_and_never_to_go_on() {
        let (_, server) = serve("127.0.0.1");
        for request in [
            "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
            "PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            "DELETE /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
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
        let in_use = bound("127.0.0.1", port).err().unwrap();
        assert_eq!(in_use.kind, Kind::Config);
        assert_eq!(
            in_use.to_string(),
            format!(
                "port {port} on '127.0.0.1' is in use by another process; \
                 choose another --metrics-port"
            )
        );

        let foreign = bound("192.0.2.1", 0).err().unwrap();
        assert_eq!(foreign.kind, Kind::Config);
        assert_eq!(
            foreign.to_string(),
            "the metrics host '192.0.2.1' is not an address of this machine; set --metrics-host"
        );

        let unknown = bound("no such\nhost", 0).err().unwrap();
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
        deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(get(&server, "/health").0.starts_with("http/1.1 200 "));
        // They are still there, and stopping does not wait for them.
        server.stop();
        drop((silent, half, deaf));
    }

    #[test]
    fn garbage_and_oversized_heads_are_turned_away() {
        let (_, server) = serve("127.0.0.1");
        let long =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n", "a".repeat(64 << 10));
        let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(100));
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
    fn one_connection_too_many_takes_the_place_of_the_oldest() {
        let (_, server) = serve("127.0.0.1");
        let mut waiting: Vec<TcpStream> = (0..places::PLACES).map(|_| connect(&server)).collect();
        assert!(get(&server, "/health").0.starts_with("http/1.1 200 "));
        let mut answer = String::new();
        waiting.remove(0).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\ntoo many connections\n"), "{answer}");

        let mut last = waiting.pop().unwrap();
        last.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        answer.clear();
        last.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop();
    }

    #[test]
    fn names_that_others_gave_are_not_answered() {
        let (_, server) = serve("127.0.0.1");
        for (host, status) in
            [("127.0.0.1:1", "200"), ("[::1]", "200"), ("evil.example", "421"), ("a b", "400")]
        {
            let (head, _) = ask(&server, &format!("GET /info HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{host}: {head}");
        }
        server.stop();
    }

    #[test]
    fn who_connected_before_serving_is_answered_then() {
        let bound = bound("127.0.0.1", 0).unwrap();
        let mut early = TcpStream::connect(bound.address()).unwrap();
        early.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let pages = Arc::new(Pages::new(Arc::new(metrics().1)));
        let server = bound.serve(pages).unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop();
    }

    #[test]
    fn only_scrapes_of_the_final_numbers_are_counted() {
        let (stats, metrics) = metrics();
        let metrics = Arc::new(metrics);
        let pages = Arc::new(Pages::new(Arc::clone(&metrics)));
        let server = bound("127.0.0.1", 0).unwrap().serve(pages).unwrap();
        let mut scrapes = server.final_scrapes();
        get(&server, "/metrics");
        run(&stats);
        metrics.freeze();
        for request in ["GET /info", "HEAD /metrics"] {
            ask(&server, &format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
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
        let address = address(&server);
        server.stop();
        assert!(TcpStream::connect(address).is_err());
    }
}
