//! A Grafana in this process, because none is to be had: it stores what it is told, answers as the documents of
//! its HTTP API say, and remembers every exchange, for the checker that knows these documents.

mod store;
mod wire;

use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{Flowgauge, Workdir};
pub use store::Store;
pub use wire::{Exchange, Fault};

/// What it knows of who may ask.
pub const TOKEN: &str = "glsa_t0kenOfGrafana_1234abcd";

pub struct Script {
    prefix: String,
    store: Store,
    faults: Vec<Planned>,
    tls: Option<Arc<ServerConfig>>,
}

/// From the `first` request with this method whose path ends so, counted from 1, to the `last`.
struct Planned {
    method: &'static str,
    end: &'static str,
    first: usize,
    last: usize,
    seen: usize,
    fault: Fault,
}

impl Script {
    pub fn new() -> Script {
        Script { prefix: String::new(), store: Store::default(), faults: Vec::new(), tls: None }
    }

    /// It has a path of its own.
    pub fn below(mut self, prefix: &str) -> Script {
        self.prefix = prefix.to_owned();
        self
    }

    /// With the certificate of the work directory.
    pub fn encrypted(mut self, workdir: &Workdir) -> Script {
        let certificate = CertificateDer::from_pem_file(workdir.path("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(workdir.path("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        self.tls = Some(Arc::new(config));
        self
    }

    /// What is there before.
    pub fn with(mut self, change: impl FnOnce(&mut Store)) -> Script {
        change(&mut self.store);
        self
    }

    pub fn fault(self, method: &'static str, end: &'static str, fault: Fault) -> Script {
        self.faults(method, end, 1, usize::MAX, fault)
    }

    pub fn faults(
        mut self,
        method: &'static str,
        end: &'static str,
        first: usize,
        last: usize,
        fault: Fault,
    ) -> Script {
        self.faults.push(Planned { method, end, first, last, seen: 0, fault });
        self
    }

    pub fn start(self) -> ScriptedGrafana {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}{}", listener.local_addr().unwrap(), self.prefix);
        let Script { prefix, store, faults, tls } = self;
        let play = Arc::new(Mutex::new(Play { prefix, store, faults, exchanges: Vec::new() }));
        let shared = play.clone();
        thread::spawn(move || {
            // Connections that are never answered.
            let mut held: Vec<Box<dyn Any>> = Vec::new();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let kept = match &tls {
                    None => answer(stream, &shared),
                    Some(config) => {
                        let connection = ServerConnection::new(config.clone()).unwrap();
                        answer(StreamOwned::new(connection, stream), &shared)
                    }
                };
                held.extend(kept);
            }
        });
        ScriptedGrafana { url, play }
    }
}

struct Play {
    prefix: String,
    store: Store,
    faults: Vec<Planned>,
    exchanges: Vec<Exchange>,
}

pub struct ScriptedGrafana {
    pub url: String,
    play: Arc<Mutex<Play>>,
}

impl ScriptedGrafana {
    /// What was asked since this was called last.
    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.play().exchanges)
    }

    /// As somebody in Grafana changes it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.play().store)
    }

    /// `metrics provision` with a Prometheus, and whatever else is added.
    pub fn provision(&self, workdir: &Workdir) -> Flowgauge {
        self.provision_bare(workdir).args(["--prometheus", "http://prometheus:9090"])
    }

    pub fn provision_bare(&self, workdir: &Workdir) -> Flowgauge {
        workdir.write("token", format!("{TOKEN}\n"));
        let command = workdir.flowgauge().args(["metrics", "provision", "--token-file", "token"]);
        command.args(["--grafana", &self.url])
    }

    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap()
    }
}

/// The stream, where nothing was answered.
fn answer<S: Read + Write + 'static>(mut stream: S, play: &Mutex<Play>) -> Option<Box<dyn Any>> {
    let mut exchange = wire::read(&mut stream)?;
    let mut play = play.lock().unwrap();
    let fault = play.fault_of(&exchange);
    let (status, body) = match play.path_below(&exchange) {
        // Whoever refuses does nothing.
        Some(_) if fault.as_ref().is_some_and(|fault| fault.status() > 0) => (0, Value::Null),
        Some(path) => play.store.answer(&exchange, &path),
        None => (404, Value::from("page not found")),
    };
    exchange.status = fault.as_ref().map_or(status, Fault::status);
    exchange.answer = if fault.is_some() { String::new() } else { body.to_string() };
    play.exchanges.push(exchange);
    drop(play);
    match fault {
        Some(fault) => wire::send_fault(stream, &fault).map(|stream| Box::new(stream) as _),
        None => {
            wire::send(
                &mut stream,
                status,
                "content-type: application/json\r\n",
                &body.to_string(),
            );
            None
        }
    }
}

impl Play {
    fn fault_of(&mut self, exchange: &Exchange) -> Option<Fault> {
        let is_of = |planned: &&mut Planned| {
            planned.method == exchange.method && exchange.path.ends_with(planned.end)
        };
        let planned = self.faults.iter_mut().find(is_of)?;
        planned.seen += 1;
        (planned.first..=planned.last).contains(&planned.seen).then(|| planned.fault.clone())
    }

    fn path_below(&self, exchange: &Exchange) -> Option<Vec<String>> {
        let path = exchange.path.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        let decoded = |part: &str| {
            percent_encoding::percent_decode_str(part).decode_utf8().unwrap().into_owned()
        };
        Some(path.split('/').map(decoded).collect())
    }
}
