//! HTTP/1.1 as a server speaks it: a request read whole, and an answer sent well or badly.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A request as it came. The credentials are among the headers.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Without what stands behind a `?`.
    pub path: String,
    pub parameters: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub sending: Sending,
}

/// How an answer gets onto the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    WithLength,
    Chunked,
    /// Chunked, so many bytes at a time.
    Dripping(usize),
    /// Chunked, with so many spaces behind it, which JSON allows.
    Padded(usize),
    /// Half of a chunked body, and then byte after byte, as long as the client has not had enough.
    Trickling,
    /// Half of a chunked body, and then the connection ends.
    Cut,
    /// Half of a chunked body, and then nothing, but the connection stays.
    Stalled,
    /// A length that is so many bytes more, or less, than the body.
    WrongLength(i64),
    /// The connection ends instead.
    Nothing,
    /// Nothing, and the connection stays.
    Silence,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        let headers = vec![("content-type", "application/json".to_owned())];
        Answer { status, headers, body: body.into(), sending: Sending::WithLength }
    }

    pub fn packed(self) -> Answer {
        self.packed_with(0)
    }

    /// Packed together with so many spaces behind it, which take next to nothing.
    pub fn packed_with(mut self, spaces: usize) -> Answer {
        let pack = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let piece = 1 << 20;
        self.body = pack(&self.body);
        self.body.extend(pack(&vec![b' '; piece]).repeat(spaces.div_ceil(piece)));
        self.headers.push(("content-encoding", "gzip".to_owned()));
        self
    }
}

/// The next request of a connection; none where the client has closed it.
pub fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let first = line(stream)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let text = line(stream)?;
        let Some((name, value)) = text.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let (path, parameters) = target.split_once('?').unwrap_or((&target, ""));
    let (path, parameters) = (path.to_owned(), parameters.to_owned());
    let mut request = Request { method, path, parameters, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request.body = String::from_utf8(body).unwrap();
    Ok(Some(request))
}

/// Answers a TLS handshake as servers without TLS do; says whether it was one.
pub fn refuse_tls(reader: &mut BufReader<TcpStream>, writer: &mut TcpStream) -> io::Result<bool> {
    const HANDSHAKE: u8 = 0x16;
    if reader.fill_buf()?.first() != Some(&HANDSHAKE) {
        return Ok(false);
    }
    writer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")?;
    writer.shutdown(Shutdown::Write)?;
    io::copy(reader, &mut io::sink())?;
    Ok(true)
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Sends it. True where the connection can go on.
pub fn send(stream: &mut TcpStream, answer: &Answer) -> io::Result<bool> {
    match answer.sending {
        Sending::Nothing => {
            stream.shutdown(Shutdown::Both)?;
            return Ok(false);
        }
        Sending::Silence => {
            // Until the client has had enough.
            io::copy(stream, &mut io::sink())?;
            return Ok(false);
        }
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = &answer.body;
    let length = i64::try_from(body.len()).unwrap();
    match answer.sending {
        Sending::WithLength => head += &format!("content-length: {length}\r\n\r\n"),
        Sending::WrongLength(off) => head += &format!("content-length: {}\r\n\r\n", length + off),
        _ => head += "transfer-encoding: chunked\r\n\r\n",
    }
    stream.write_all(head.as_bytes())?;
    match answer.sending {
        Sending::Chunked => {
            chunks(stream, body, 8192)?;
            stream.write_all(b"0\r\n\r\n")?;
        }
        Sending::Dripping(bytes) => {
            chunks(stream, body, bytes)?;
            stream.write_all(b"0\r\n\r\n")?;
        }
        Sending::Padded(spaces) => {
            chunks(stream, body, 8192)?;
            let piece = vec![b' '; 1 << 20];
            for _ in 0..spaces.div_ceil(piece.len()) {
                chunks(stream, &piece, piece.len())?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
        Sending::Trickling => {
            let (fast, slow) = body.split_at(body.len() / 2);
            chunks(stream, fast, 8192)?;
            for byte in slow {
                if has_left(stream)? {
                    return Ok(false);
                }
                chunks(stream, std::slice::from_ref(byte), 1)?;
            }
            stream.write_all(b"0\r\n\r\n")?;
        }
        Sending::Cut | Sending::Stalled => chunks(stream, &body[..body.len() / 2], 8192)?,
        _ => stream.write_all(body)?,
    }
    match answer.sending {
        Sending::Stalled => {
            io::copy(stream, &mut io::sink())?;
            Ok(false)
        }
        Sending::Cut | Sending::WrongLength(_) => {
            stream.shutdown(Shutdown::Write)?;
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Waits a while for the client to go away.
fn has_left(stream: &mut TcpStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let read = stream.read(&mut [0]);
    stream.set_read_timeout(None)?;
    match read {
        Ok(_) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(cause) => Err(cause),
    }
}

fn chunks(stream: &mut TcpStream, body: &[u8], size: usize) -> io::Result<()> {
    for chunk in body.chunks(size) {
        let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        stream.write_all(&framed)?;
    }
    Ok(())
}

/// A letter that is sent as a byte which is no text.
pub fn byte(byte: u8) -> char {
    char::from_u32(0xE000 + u32::from(byte)).unwrap()
}

pub fn with_bytes(body: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&body) else { return body };
    let is_byte = |letter: char| ('\u{E000}'..='\u{E0FF}').contains(&letter);
    if !text.contains(is_byte) {
        return body;
    }
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match is_byte(letter) {
            true => bytes.push((u32::from(letter) - 0xE000) as u8),
            false => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
