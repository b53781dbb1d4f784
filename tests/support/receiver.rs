//! A receiver of requests that answers as nobody should: what real ones do not do when asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver as Arrivals};
use std::thread;

use super::PATIENCE;

/// What every request is answered with.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// These bytes, and the end.
    Bytes(&'static str),
    /// The same of what is no text.
    Raw(&'static [u8]),
    /// The same, with what was asked and told added to the body.
    Echo(&'static str),
    /// Nothing, and the connection stays.
    Nothing,
    /// Nothing, and it is closed.
    Closed,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its first line, and its headers in small letters.
    pub head: String,
    pub body: Vec<u8>,
}

impl Arrival {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub struct HttpReceiver {
    /// Host and port.
    pub address: String,
    arrivals: Arrivals<Arrival>,
}

impl HttpReceiver {
    pub fn start(reply: Reply) -> HttpReceiver {
        HttpReceiver::with_replies(vec![reply])
    }

    /// The first request gets the first reply; the last reply is for all that come later.
    pub fn with_replies(replies: Vec<Reply>) -> HttpReceiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, arrivals) = mpsc::channel();
        thread::spawn(move || {
            let mut held = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let reply = replies[number.min(replies.len() - 1)];
                let Some((arrival, mut stream)) = read(stream) else { continue };
                let echoed = arrival.clone();
                if sender.send(arrival).is_err() {
                    return;
                }
                match reply {
                    Reply::Bytes(bytes) => drop(stream.write_all(bytes.as_bytes())),
                    Reply::Raw(bytes) => drop(stream.write_all(bytes)),
                    Reply::Echo(bytes) => {
                        let answer = format!("{bytes}{}\n{}", echoed.head, echoed.text());
                        drop(stream.write_all(answer.as_bytes()));
                    }
                    Reply::Nothing => held.push(stream),
                    Reply::Closed => {}
                }
            }
        });
        HttpReceiver { address, arrivals }
    }

    #[track_caller]
    pub fn next(&self) -> Arrival {
        self.arrivals.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// What has come and was not looked at.
    pub fn rest(&self) -> Vec<Arrival> {
        self.arrivals.try_iter().collect()
    }
}

fn read(stream: TcpStream) -> Option<(Arrival, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let line = match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
            None => line.to_string(),
        };
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        head += &line;
        head.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((Arrival { head, body }, reader.into_inner()))
}
