//! The least HTTP/1.1 client that can ask a server on this machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// As sent, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Asks `address`, such as `127.0.0.1:9090`, for `path`.
pub fn get(address: &str, path: &str) -> io::Result<Response> {
    request(address, "GET", path, &[])
}

/// Any request without a body.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    send(address, method, path, headers, b"")
}

/// Any request, with a body where it is not empty.
pub fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    head += "\r\n";

    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    read_response(BufReader::new(stream), method)
}

pub fn read_response(mut stream: impl BufRead, method: &str) -> io::Result<Response> {
    let status_line = read_line(&mut stream)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken("status line", &status_line))?;
    let mut response = Response { status, headers: Vec::new(), body: Vec::new() };
    loop {
        let line = read_line(&mut stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("header", &line))?;
        response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }

    let has_body = method != "HEAD" && !matches!(status, 100..=199 | 204 | 304);
    if !has_body {
        return Ok(response);
    }
    if response.header("transfer-encoding") == Some("chunked") {
        response.body = read_chunks(stream)?;
    } else if let Some(length) = response.header("content-length") {
        let length: usize = length.parse().map_err(|_| broken("content-length", length))?;
        response.body.resize(length, 0);
        stream.read_exact(&mut response.body)?;
    } else {
        stream.read_to_end(&mut response.body)?;
    }
    Ok(response)
}

fn read_chunks(mut stream: impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(&mut stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| broken("chunk size", &line))?;
        if size == 0 {
            return Ok(body);
        }
        let taken = stream.by_ref().take(size).read_to_end(&mut body)?;
        if taken as u64 != size || !read_line(&mut stream)?.is_empty() {
            return Err(broken("chunk of size", &line));
        }
    }
}

/// A line without its end. The end of the stream is an error, as every line has a successor.
fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn broken(what: &str, text: &str) -> io::Error {
    io::Error::other(format!("bad {what}: {text:?}"))
}

mod tests {
    use super::read_response;

    #[track_caller]
    fn check(response: &str, body: Result<&str, &str>) {
        let actual = read_response(response.as_bytes(), "GET");
        let actual = actual.map(|r| r.text().to_owned()).map_err(|error| error.to_string());
        assert_eq!(actual, body.map(String::from).map_err(String::from));
    }

    #[test]
    fn a_body_ends_by_length_by_chunks_or_with_the_stream() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Ok("ab"));
        check("HTTP/1.1 200 OK\r\n\r\nabc", Ok("abc"));
        check("HTTP/1.1 204 No Content\r\n\r\nabc", Ok(""));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        check(&format!("{chunked}2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"), Ok("abc"));
        check(&format!("{chunked}5\r\nab"), Err("bad chunk of size: \"5\""));
        check("nonsense\r\n", Err("bad status line: \"nonsense\""));
    }
}
