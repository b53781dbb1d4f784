//! A search server in this process that does what a real one will not do on request. It keeps
//! documents and points in time as real ones do, plays the faults of its script, and remembers what
//! it was asked.

mod cluster;
mod fault;
mod kind;
mod refusal;
mod wire;

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Flowgauge, PATIENCE, Workdir};
use cluster::Cluster;

pub use fault::Fault;
pub use kind::{Kind, Like};
pub use wire::{Request, Sending, byte};

/// What a test says before the server starts.
pub struct Script {
    cluster: Cluster,
    faults: Vec<Planned>,
    authorization: Option<String>,
    prefix: String,
}

/// A fault of the `first` request of a kind to the `last`, counted from 1.
struct Planned {
    kind: Kind,
    first: usize,
    last: usize,
    fault: Fault,
}

impl Script {
    pub fn new(like: Like, documents: Vec<(String, String)>) -> Script {
        let cluster = Cluster::new(like, documents);
        Script { cluster, faults: Vec::new(), authorization: None, prefix: String::new() }
    }

    /// All paths begin with this, as behind a proxy.
    pub fn below(mut self, prefix: &str) -> Script {
        self.prefix = prefix.to_owned();
        self
    }

    /// So many small documents.
    pub fn small(like: Like, count: usize) -> Script {
        Script::new(like, small(count))
    }

    pub fn shards(mut self, shards: usize) -> Script {
        self.cluster.shards = shards;
        self
    }

    pub fn scrolls_max(mut self, count: usize) -> Script {
        self.cluster.scrolls_max = count;
        self
    }

    pub fn unsliced(mut self) -> Script {
        self.cluster.is_unsliced = true;
        self
    }

    /// Whoever comes without this header is answered with 401.
    pub fn authorization(mut self, header: &str) -> Script {
        self.authorization = Some(header.to_owned());
        self
    }

    /// Of the requests of this kind, the one that is `ordinal`th, counted from 1.
    pub fn fault(self, kind: Kind, ordinal: usize, fault: Fault) -> Script {
        self.faults(kind, ordinal, ordinal, fault)
    }

    /// From the `first`th request of this kind on.
    pub fn always(self, kind: Kind, first: usize, fault: Fault) -> Script {
        self.faults(kind, first, usize::MAX, fault)
    }

    pub fn faults(mut self, kind: Kind, first: usize, last: usize, fault: Fault) -> Script {
        self.faults.push(Planned { kind, first, last, fault });
        self
    }

    pub fn start(self) -> ScriptedElastic {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("{}{}", listener.local_addr().unwrap(), self.prefix);
        let script = Mutex::new(Play {
            cluster: self.cluster,
            faults: self.faults,
            authorization: self.authorization,
            prefix: self.prefix,
            asked: Vec::new(),
            is_released: false,
            is_over: false,
        });
        let shared = Arc::new(Shared { play: script, changed: Condvar::new() });
        listen(listener, &shared, Node { number: 1, fault: |_| None });
        ScriptedElastic { addresses: vec![address.clone()], address, shared }
    }
}

/// So many documents with a number and a name.
pub fn small(count: usize) -> Vec<(String, String)> {
    let document = |n: usize| (format!("d{n}"), format!("{{\"n\":{n},\"name\":\"name {n}\"}}"));
    (0..count).map(document).collect()
}

/// The same as lines of JSON.
pub fn lines(documents: &[(String, String)]) -> String {
    documents.iter().map(|(_, source)| format!("{source}\n")).collect()
}

/// A request and what came of it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub kind: Kind,
    pub request: Request,
    pub status: u16,
    /// Counted from 1.
    pub node: usize,
}

impl Asked {
    /// The text of a field of its body, which is written as one word.
    pub fn field(&self, name: &str) -> Option<&str> {
        let key = format!("\"{name}\":");
        let (_, rest) = self.request.body.split_once(&key)?;
        let end = match rest.as_bytes().first()? {
            b'[' => rest.find(']')? + 1,
            b'"' => rest[1..].find('"')? + 2,
            _ => rest.find([',', '}'])?,
        };
        Some(&rest[..end])
    }
}

/// One of the nodes that a cluster is asked at.
#[derive(Clone, Copy)]
struct Node {
    number: usize,
    /// What is wrong with what it answers, beside what the script says.
    fault: fn(Kind) -> Option<Fault>,
}

fn listen(listener: TcpListener, shared: &Arc<Shared>, node: Node) {
    let server = shared.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if server.play().is_over {
                return;
            }
            let server = server.clone();
            // A client that goes away in the middle is its own affair.
            thread::spawn(move || drop(serve(&server, stream, node)));
        }
    });
}

pub struct ScriptedElastic {
    /// As `--es-url` takes it.
    pub address: String,
    /// Of all its nodes.
    addresses: Vec<String>,
    shared: Arc<Shared>,
}

impl ScriptedElastic {
    /// The program, told to read from here: documents alone, unless a flag says what is to stand before
    /// their fields.
    pub fn read_by(&self, workdir: &Workdir) -> Flowgauge {
        let args = ["--source-type", "elasticsearch", "--es-index", "orders", "--es-url"];
        workdir.flowgauge().args(args).arg(&self.address).env("FLOWGAUGE_ES_META", "none")
    }

    /// Another node of the same cluster, with a fault of its own; gives its address.
    pub fn node(&mut self, fault: fn(Kind) -> Option<Fault>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        self.addresses.push(address.clone());
        listen(listener, &self.shared, Node { number: self.addresses.len(), fault });
        address
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.play().asked.clone()
    }

    pub fn asked_for(&self, kind: Kind) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.kind == kind).collect()
    }

    /// Points in time and scrolls that nobody has closed.
    pub fn left_open(&self) -> usize {
        let play = self.shared.play();
        play.cluster.open_points() + play.cluster.open_scrolls()
    }

    /// Blocks until so many requests of a kind have come.
    #[track_caller]
    pub fn wait_for(&self, kind: Kind, count: usize) {
        let came = |play: &mut Play| play.count(kind) < count;
        let play = self.shared.play();
        let (play, timeout) = self.shared.changed.wait_timeout_while(play, PATIENCE, came).unwrap();
        assert!(!timeout.timed_out(), "no {count} requests for {kind:?}: {:?}", play.asked);
    }

    /// Lets held answers go.
    pub fn release(&self) {
        self.shared.play().is_released = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for ScriptedElastic {
    fn drop(&mut self) {
        self.release();
        self.shared.play().is_over = true;
        // So that the listeners see it.
        for address in &self.addresses {
            drop(TcpStream::connect(address.split('/').next().unwrap_or_default()));
        }
    }
}

struct Shared {
    play: Mutex<Play>,
    changed: Condvar,
}

impl Shared {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Play {
    cluster: Cluster,
    faults: Vec<Planned>,
    authorization: Option<String>,
    prefix: String,
    asked: Vec<Asked>,
    is_released: bool,
    is_over: bool,
}

impl Play {
    fn count(&self, kind: Kind) -> usize {
        self.asked.iter().filter(|asked| asked.kind == kind).count()
    }

    fn planned(&self, kind: Kind) -> Option<Fault> {
        let ordinal = self.count(kind) + 1;
        let is_now =
            |plan: &&Planned| plan.kind == kind && (plan.first..=plan.last).contains(&ordinal);
        self.faults.iter().find(is_now).map(|plan| plan.fault.clone())
    }

    /// What is answered, and whether it is held.
    fn answer(&mut self, mut request: Request, node: Node) -> (wire::Answer, bool) {
        match request.path.strip_prefix(&self.prefix) {
            Some(path) => request.path = path.to_owned(),
            // Whatever else is there, it is no search server.
            None => return (Fault::Html(404).spoil(wire::Answer::json(200, "")), false),
        }
        let kind = Kind::of(&request);
        let fault = (node.fault)(kind).or_else(|| self.planned(kind));
        let is_known = self.authorization.is_none()
            || request.header("authorization") == self.authorization.as_deref();
        let mut answer = match &fault {
            _ if !is_known => {
                let reason = "unable to authenticate user";
                let cause = serde_json::json!({ "type": "security_exception", "reason": reason });
                refusal::refusal(401, &cause)
            }
            Some(fault) if fault.is_instead() => {
                if matches!(fault, Fault::Expired) {
                    self.cluster.expire();
                }
                let echo = fault.echo(&request);
                echo.unwrap_or_else(|| fault.spoil(wire::Answer::json(200, "")))
            }
            Some(Fault::FromStart) => {
                self.cluster.rewind();
                let mut request = request.clone();
                if let Some((front, rest)) = request.body.split_once("\"search_after\":[") {
                    let (_, rest) = rest.split_once("],").unwrap();
                    request.body = format!("{front}{rest}");
                }
                self.cluster.answer(kind, &request)
            }
            Some(Fault::Renamed) => {
                let answer = self.cluster.answer(kind, &request);
                self.cluster.renamed(answer)
            }
            Some(fault) => fault.spoil(self.cluster.answer(kind, &request)),
            None => self.cluster.answer(kind, &request),
        };
        answer.body = wire::with_bytes(answer.body);
        let wants_packed = request.header("accept-encoding").is_some_and(|e| e.contains("gzip"));
        let is_packed = answer.headers.iter().any(|(name, _)| *name == "content-encoding");
        if kind == Kind::Page && wants_packed && !is_packed {
            answer = answer.packed();
        }
        let status = answer.status;
        self.asked.push(Asked { kind, request, status, node: node.number });
        (answer, matches!(fault, Some(Fault::Held)))
    }
}

fn serve(server: &Shared, stream: TcpStream, node: Node) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    if wire::refuse_tls(&mut reader, &mut writer)? {
        return Ok(());
    }
    while let Some(request) = wire::read(&mut reader)? {
        let (answer, is_held) = server.play().answer(request, node);
        server.changed.notify_all();
        if is_held {
            let play = server.play();
            drop(server.changed.wait_while(play, |play| !play.is_released));
        }
        if !wire::send(&mut writer, &answer)? {
            break;
        }
    }
    Ok(())
}
