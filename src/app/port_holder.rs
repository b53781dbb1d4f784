//! Who has the port of the metrics: a run of the same pipeline, on or over, or somebody else. It says so itself
//! where it is asked in plain HTTP; behind TLS or a password the ledger and the system know.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};
use serde_json::Value;

use crate::config::Settings;
use crate::ledger::{self, RunFilter};

/// Somebody on this machine answers at once, or is not one of ours.
const ANSWER_MAX: Duration = Duration::from_secs(1);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Who has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A run of the pipeline that is on.
    Running,
    /// One that is over and waits to be scraped.
    Ended,
    Other,
}

/// Who has it, as far as that is certain.
pub fn holder(settings: &Settings, port: u16) -> Holder {
    match info(&settings.metrics.host, port) {
        Some(info) => by_answer(&info, &settings.pipeline_id),
        // It may speak TLS, or want a password.
        None => by_ledger(settings, port).unwrap_or(Holder::Other),
    }
}

/// Who answers there, as far as it says so.
fn by_answer(info: &Value, pipeline_id: &str) -> Holder {
    if info.get("pipeline_id").and_then(Value::as_str) != Some(pipeline_id) {
        return Holder::Other;
    }
    match info.get("outcome").and_then(Value::as_str) {
        Some(_) => Holder::Ended,
        None => Holder::Running,
    }
}

/// The run of this pipeline whose process listens there, where the ledger has one, and the system shows whose the
/// port is: it does so to the same user.
fn by_ledger(settings: &Settings, port: u16) -> Option<Holder> {
    let sockets = listening(port);
    if sockets.is_empty() {
        return None;
    }
    let filter = RunFilter {
        pipelines: vec![settings.pipeline_id.clone()],
        last: Some(RUNS_MAX),
        ..RunFilter::default()
    };
    let path = settings.ledger.path.as_ref()?;
    let runs = ledger::read(path, |connection| ledger::runs(connection, &filter)).ok()??;
    let holding = runs.iter().find(|run| {
        run.has_process(ledger::now()) && has_one_of(run.pid, &sockets).unwrap_or_default()
    })?;
    Some(match holding.outcome {
        Some(_) => Holder::Ended,
        None => Holder::Running,
    })
}

/// Those that wait for a scrape are among the last.
const RUNS_MAX: u64 = 20;

/// Sockets that listen on the port, by their inodes.
fn listening(port: u16) -> Vec<u64> {
    let all = [procfs::net::tcp(), procfs::net::tcp6()].into_iter().flatten().flatten();
    let listening =
        all.filter(|one| one.state == TcpState::Listen && one.local_address.port() == port);
    listening.map(|one| one.inode).collect()
}

fn has_one_of(pid: i64, sockets: &[u64]) -> Option<bool> {
    let mut open = Process::new(i32::try_from(pid).ok()?).ok()?.fd().ok()?.flatten();
    Some(open.any(|one| matches!(one.target, FDTarget::Socket(inode) if sockets.contains(&inode))))
}

fn info(host: &str, port: u16) -> Option<Value> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = (bare, port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
    stream.set_write_timeout(Some(ANSWER_MAX)).ok()?;
    stream.write_all(b"GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let give_up = Instant::now() + ANSWER_MAX;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        // Whoever answers byte by byte has as long as everybody else.
        let left = give_up.checked_duration_since(Instant::now())?;
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
        match stream.read(&mut piece).ok()? {
            0 => break,
            length if answer.len() < ANSWER_BYTES_MAX => answer.extend(&piece[..length]),
            _ => return None,
        }
    }
    let answer = String::from_utf8(answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
