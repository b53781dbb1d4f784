//! Stands between the program and a database server, knows where one packet ends and the next
//! begins, and cuts the connection where a test says so.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Server;

/// Where a connection is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the COMMIT of this number, counted from 1 over all connections, reaches the server.
    BeforeCommit(u64),
    /// When the server has answered it, before the answer reaches the program.
    AfterCommit(u64),
    /// Not at all: from the COMMIT of this number on, which reaches the server, its connection brings
    /// no answers any more.
    Silent(u64),
    /// The same, and nobody else gets through to the server either.
    SilentForAll(u64),
    /// When a connection has brought the program's server so many bytes.
    AfterBytes(u64),
    /// Not at all: instead of the INSERT of this number into the table `t`, the server is asked to
    /// run `CALL instead()`.
    Instead(u64),
    /// The same instead of the first ALTER TABLE.
    InsteadOfAlter,
}

pub struct MysqlProxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    cut: Mutex<Option<Cut>>,
    commits: AtomicU64,
    inserts: AtomicU64,
    is_over: AtomicBool,
    is_deaf: AtomicBool,
    server: String,
}

const COM_QUERY: u8 = 3;

impl MysqlProxy {
    pub fn new(server: &Server, cut: Cut) -> MysqlProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            cut: Mutex::new(Some(cut)),
            commits: AtomicU64::new(0),
            inserts: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            is_deaf: AtomicBool::new(false),
            server: server.address.clone(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (state, client) = (Arc::clone(&shared), client.unwrap());
                thread::spawn(move || state.serve(client));
            }
        });
        MysqlProxy { port, state }
    }

    /// Whether the connection was cut.
    pub fn has_cut(&self) -> bool {
        self.state.cut.lock().unwrap().is_none()
    }
}

impl Drop for MysqlProxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl State {
    fn serve(&self, mut client: TcpStream) {
        if self.is_deaf.load(Ordering::SeqCst) {
            return;
        }
        let mut server = TcpStream::connect(&self.server).unwrap();
        let swallows = Arc::new(AtomicBool::new(false));
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let is_answer_lost = Arc::clone(&swallows);
        let is_silent = Arc::new(AtomicBool::new(false));
        let is_kept_back = Arc::clone(&is_silent);
        let answers = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if is_kept_back.load(Ordering::SeqCst) {
                    continue;
                }
                if is_answer_lost.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err()
                {
                    break;
                }
            }
            end(&from, &to);
        });
        let mut sent = 0;
        while let Ok(mut packet) = read_packet(&mut client) {
            sent += packet.len() as u64;
            match self.decide(&packet, sent) {
                Some(Cut::AfterCommit(_)) => swallows.store(true, Ordering::SeqCst),
                Some(cut @ (Cut::Silent(_) | Cut::SilentForAll(_))) => {
                    is_silent.store(true, Ordering::SeqCst);
                    self.is_deaf.store(matches!(cut, Cut::SilentForAll(_)), Ordering::SeqCst);
                }
                Some(Cut::BeforeCommit(_)) => break,
                Some(Cut::AfterBytes(_)) => {
                    // Half of it, so that the server has begun to read.
                    drop(server.write_all(&packet[..packet.len() / 2]));
                    break;
                }
                Some(Cut::Instead(_) | Cut::InsteadOfAlter) => {
                    let call = b"CALL instead()";
                    packet = vec![call.len() as u8 + 1, 0, 0, packet[3], COM_QUERY];
                    packet.extend_from_slice(call);
                }
                None => {}
            }
            if server.write_all(&packet).is_err() {
                break;
            }
        }
        end(&client, &server);
        answers.join().unwrap();
    }

    fn decide(&self, packet: &[u8], sent: u64) -> Option<Cut> {
        let is_commit = packet.get(4) == Some(&COM_QUERY) && packet[5..].starts_with(b"COMMIT");
        let commits = match is_commit {
            true => self.commits.fetch_add(1, Ordering::SeqCst) + 1,
            false => 0,
        };
        let is_insert = packet.get(4) == Some(&COM_QUERY)
            && packet[5..].starts_with(b"INSERT INTO ")
            && packet.windows(6).take(90).any(|window| window == b".`t` (");
        let inserts = match is_insert {
            true => self.inserts.fetch_add(1, Ordering::SeqCst) + 1,
            false => 0,
        };
        let mut cut = self.cut.lock().unwrap();
        let is_due = match *cut {
            Some(
                Cut::BeforeCommit(number)
                | Cut::AfterCommit(number)
                | Cut::Silent(number)
                | Cut::SilentForAll(number),
            ) => commits == number,
            Some(Cut::Instead(number)) => inserts == number,
            Some(Cut::InsteadOfAlter) => {
                packet.get(4) == Some(&COM_QUERY) && packet[5..].starts_with(b"ALTER TABLE ")
            }
            Some(Cut::AfterBytes(bytes)) => sent >= bytes,
            None => false,
        };
        if is_due { cut.take() } else { None }
    }
}

/// With its head: three bytes of length and one of sequence.
fn read_packet(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet)?;
    let length =
        usize::from(packet[0]) | usize::from(packet[1]) << 8 | usize::from(packet[2]) << 16;
    packet.resize(4 + length, 0);
    from.read_exact(&mut packet[4..])?;
    Ok(packet)
}

fn end(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        match stream.shutdown(Shutdown::Both) {
            Err(error) if error.kind() != ErrorKind::NotConnected => panic!("{error}"),
            _ => {}
        }
    }
}
