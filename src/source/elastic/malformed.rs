//! An answer that is no JSON because a document in it is none: servers take documents that are not
//! UTF-8, hold comments or begin with a byte order mark, and serve them in the bytes they came in.
//! It is cut into its hits all the same, and each document is judged alone. Pure.
//!
//! Only what stands in `_source` is taken so lightly. Whatever else is wrong with the answer is found
//! by the strict parser, which reads it once more with an empty object for each bad document.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::page::{self, Demands, HitPage, Incomplete};

/// Begins a record that is no line. No text and no JSON begins with it.
pub const MARK: u8 = 0xFF;

const ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A hit whose document is no JSON, as it stands among lines.
pub struct Framed<'a> {
    /// The hit with another document, or with none.
    pub head: &'a [u8],
    /// As it came.
    pub raw: &'a [u8],
}

/// Reads a page some of whose documents are no JSON. None where it cannot be cut with certainty.
pub fn read(body: &[u8], demands: Demands) -> Option<Result<HitPage, Incomplete>> {
    let hits = cut(body)?;
    let mut mended = Vec::with_capacity(body.len());
    let mut is_bad = Vec::with_capacity(hits.len());
    let mut copied = 0;
    for hit in &hits {
        let source = &body[hit.source.clone()];
        let is_good = is_document(source);
        is_bad.push(!is_good);
        if !is_good {
            mended.extend_from_slice(&body[copied..hit.source.start]);
            mended.extend_from_slice(b"{}");
            copied = hit.source.end;
        }
    }
    mended.extend_from_slice(&body[copied..]);
    let mut page = match page::read(&mended, demands) {
        Ok(page) => page,
        Err(incomplete) if incomplete.is_unreadable => return None,
        Err(incomplete) => return Some(Err(incomplete)),
    };
    if page.hits.len() != hits.len() {
        return None;
    }
    let mut records = Vec::with_capacity(body.len());
    for ((head, hit), is_bad) in page.hits.iter().zip(&hits).zip(is_bad) {
        let head = &mended[head.clone()];
        match is_bad {
            true => frame(head, &body[hit.all.clone()], &mut records),
            false => {
                let from = records.len();
                records.extend_from_slice(head);
                page::close_up(&mut records, from);
                records.push(b'\n');
            }
        }
    }
    page.largest = hits.iter().map(|hit| hit.all.clone()).max_by_key(Range::len).unwrap_or(0..0);
    page.records = Some(records);
    Some(Ok(page))
}

/// Appends a hit that is no line.
pub fn frame(head: &[u8], raw: &[u8], records: &mut Vec<u8>) {
    records.push(MARK);
    records.extend_from_slice(format!("{} {} ", head.len(), raw.len()).as_bytes());
    records.extend_from_slice(head);
    records.extend_from_slice(raw);
    records.push(b'\n');
}

/// What begins with `MARK`, and its length with its line end.
pub fn framed(record: &[u8]) -> Option<(Framed<'_>, usize)> {
    let rest = record.strip_prefix(&[MARK])?;
    let (head, rest) = number(rest)?;
    let (raw, rest) = number(rest)?;
    let (head, rest) = rest.split_at_checked(head)?;
    let (raw, rest) = rest.split_at_checked(raw)?;
    let length = record.len() - rest.len() + usize::from(rest.first() == Some(&b'\n'));
    Some((Framed { head, raw }, length))
}

/// Those of the records that are no lines.
pub fn bad(records: &[u8]) -> Vec<u8> {
    let (mut bad, mut rest) = (Vec::new(), records);
    while !rest.is_empty() {
        let framed = framed(rest).map(|(_, length)| length);
        let length = framed.or_else(|| Some(memchr::memchr(b'\n', rest)? + 1));
        let (record, more) = rest.split_at(length.unwrap_or(rest.len()));
        if framed.is_some() {
            bad.extend_from_slice(record);
        }
        rest = more;
    }
    bad
}

fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let length = memchr::memchr(b' ', text)?;
    let number = std::str::from_utf8(&text[..length]).ok()?.parse().ok()?;
    Some((number, &text[length + 1..]))
}

fn is_document(source: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(source) else { return false };
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A page that holds a single hit, from the brace of the hit on, whatever its document holds; none
/// where the answer did not come to its end.
pub fn only_hit(body: &[u8]) -> Option<&[u8]> {
    const FRONT: &[u8] = b"\"hits\":[";
    let start = memchr::memmem::find(body, FRONT)? + FRONT.len();
    body[start..].trim_ascii_end().strip_suffix(b"]}}").filter(|hit| hit.starts_with(b"{"))
}

/// The answer came to its end, as far as can be seen of one that no parser gets through.
pub fn is_whole(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"]}}")
}

struct Hit {
    all: Range<usize>,
    source: Range<usize>,
}

/// Where the hits of an answer are, and their documents.
fn cut(body: &[u8]) -> Option<Vec<Hit>> {
    let mut scan = Scan { body, at: 0 };
    let mut hits = None;
    scan.object(&mut |scan, name| {
        if name != b"hits" {
            return scan.value();
        }
        scan.object(&mut |scan, name| {
            if name != b"hits" {
                return scan.value();
            }
            hits = Some(scan.hits()?);
            Some(())
        })
    })?;
    scan.space();
    (scan.at == body.len()).then_some(hits).flatten()
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The fields of an object, one by one: `field` reads the value.
    fn object(
        &mut self,
        field: &mut dyn FnMut(&mut Scan<'a>, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.space();
            let start = self.at;
            self.string()?;
            let name = &self.body[start + 1..self.at - 1];
            self.take(b':')?;
            self.space();
            field(self, name)?;
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    fn hits(&mut self) -> Option<Vec<Hit>> {
        let mut hits = Vec::new();
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(hits);
        }
        loop {
            self.space();
            let start = self.at;
            let mut source = None;
            self.object(&mut |scan, name| match name {
                // A second one would be a forged one.
                b"_source" if source.is_none() => {
                    source = Some(scan.document()?);
                    Some(())
                }
                b"_source" => None,
                _ => scan.value(),
            })?;
            hits.push(Hit { all: start..self.at, source: source? });
            if self.take(b']').is_some() {
                return Some(hits);
            }
            self.take(b',')?;
        }
    }

    /// A value outside of documents.
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' => self.nested(false),
            b'"' => self.string(),
            _ => {
                let ends = |byte: &u8| b",]} \n\r\t".contains(byte);
                self.at += self.body[self.at..].iter().position(ends)?;
                Some(())
            }
        }
    }

    /// A document, with what is allowed around it. A comment that runs to the end of its line is
    /// not allowed behind it: the line may end in another hit.
    fn document(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if self.body[self.at..].starts_with(ORDER_MARK) {
            self.at += ORDER_MARK.len();
        }
        self.space();
        while self.peek()? == b'/' {
            self.comment()?;
            self.space();
        }
        (self.peek()? == b'{').then(|| self.nested(true))??;
        let mut end = self.at;
        self.space();
        while self.body[self.at..].starts_with(b"/*") {
            self.comment()?;
            end = self.at;
            self.space();
        }
        Some(start..end)
    }

    /// From a bracket to the one that closes it.
    fn nested(&mut self, has_comments: bool) -> Option<()> {
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'/' if has_comments => {
                    self.comment()?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                byte @ (b'}' | b']') => {
                    if open.pop()? != byte {
                        return None;
                    }
                    if open.is_empty() {
                        self.at += 1;
                        return Some(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', &self.body[self.at..])?;
            if self.body[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at = (self.at + 2).min(self.body.len());
        }
    }

    fn comment(&mut self) -> Option<()> {
        let rest = &self.body[self.at..];
        let length = match rest.get(1)? {
            b'*' => memchr::memmem::find(&rest[2..], b"*/")? + 4,
            b'/' => memchr::memchr2(b'\n', b'\r', rest)? + 1,
            _ => return None,
        };
        self.at += length;
        Some(())
    }
}

#[cfg(test)]
mod tests;
