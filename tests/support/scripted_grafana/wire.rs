//! HTTP/1.1 as a server speaks it, one request for each connection, and how it fails.

use std::io::{BufRead, BufReader, Read, Write};

/// A request, and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    /// Without what stands behind a `?`.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    pub answer: String,
}

impl Exchange {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// An answer in place of that of Grafana.
#[derive(Clone, Debug)]
pub enum Fault {
    /// With these lines among the headers, and this body.
    Status(u16, &'static str, &'static str),
    /// The same with the token in its body.
    Echo(u16),
    /// It is done, the connection stays, and nothing comes.
    Silence,
    /// It is done, and half of a document comes.
    Cut,
}

impl Fault {
    pub fn status(&self) -> u16 {
        match self {
            Fault::Status(status, ..) | Fault::Echo(status) => *status,
            Fault::Silence | Fault::Cut => 0,
        }
    }
}

pub fn read(stream: &mut impl Read) -> Option<Exchange> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        headers.push((name, value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = target.split('?').next()?.to_owned();
    let body = String::from_utf8(body).ok()?;
    Some(Exchange { method, path, headers, body, status: 0, answer: String::new() })
}

pub fn send(stream: &mut impl Write, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n");
    drop(stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()));
    drop(stream.flush());
}

/// The stream, where it is to stay open.
pub fn send_fault<S: Read + Write>(mut stream: S, fault: &Fault) -> Option<S> {
    match fault {
        Fault::Status(status, headers, body) => send(&mut stream, *status, headers, body),
        Fault::Echo(status) => {
            let body = format!("{{\"message\":\"no {}\"}}", super::TOKEN);
            send(&mut stream, *status, "", &body);
        }
        Fault::Silence => return Some(stream),
        Fault::Cut => {
            let half = "HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n{\"database\":";
            drop(stream.write_all(half.as_bytes()));
        }
    }
    None
}
