//! A plain reader of CSV, one byte after another: RFC 4180 with what the options say. It shares nothing
//! with the program.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    Normal,
    Strict,
    Lenient,
}

#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
}

#[derive(Debug)]
pub struct Record {
    pub fields: Vec<Vec<u8>>,
    pub start: usize,
    /// Before what ends its line.
    pub end: usize,
    pub has_text_after_quote: bool,
    pub has_stray_quote: bool,
}

impl Record {
    pub fn is_flawed(&self, quotes: Quotes) -> bool {
        match quotes {
            Quotes::Lenient => false,
            Quotes::Normal => self.has_text_after_quote,
            Quotes::Strict => self.has_text_after_quote || self.has_stray_quote,
        }
    }
}

pub struct Parsed {
    pub records: Vec<Record>,
    /// Where a quote is that nothing closes. Records before it are whole.
    pub open_quote: Option<usize>,
}

pub fn parse(bytes: &[u8], dialect: Dialect) -> Parsed {
    let mut parsed = Parsed { records: Vec::new(), open_quote: None };
    let mut at = 0;
    while at < bytes.len() {
        if is_line_end(bytes[at]) {
            at += 1;
        } else if Some(bytes[at]) == dialect.comment {
            while at < bytes.len() && !is_line_end(bytes[at]) {
                at += 1;
            }
        } else {
            match record(bytes, at, dialect) {
                Ok(record) => {
                    at = record.end;
                    parsed.records.push(record);
                }
                Err(quote) => {
                    parsed.open_quote = Some(quote);
                    return parsed;
                }
            }
        }
    }
    parsed
}

/// The line of a byte, from 1.
pub fn line_of(bytes: &[u8], at: usize) -> u64 {
    let ends = |index: usize| {
        bytes[index] == b'\n' || bytes[index] == b'\r' && bytes.get(index + 1) != Some(&b'\n')
    };
    1 + (0..at).filter(|&index| ends(index)).count() as u64
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn record(bytes: &[u8], start: usize, dialect: Dialect) -> Result<Record, usize> {
    let mut record = Record {
        fields: Vec::new(),
        start,
        end: start,
        has_text_after_quote: false,
        has_stray_quote: false,
    };
    let ends_field =
        |at: usize| at == bytes.len() || bytes[at] == dialect.delimiter || is_line_end(bytes[at]);
    let mut at = start;
    loop {
        let mut field = Vec::new();
        if at < bytes.len() && Some(bytes[at]) == dialect.quote {
            at = quoted(bytes, at, dialect, &mut field)?;
            record.has_text_after_quote |= !ends_field(at);
        }
        while !ends_field(at) {
            record.has_stray_quote |= Some(bytes[at]) == dialect.quote;
            field.push(bytes[at]);
            at += 1;
        }
        record.fields.push(field);
        if at == bytes.len() || bytes[at] != dialect.delimiter {
            record.end = at;
            return Ok(record);
        }
        at += 1;
    }
}

/// Behind the quote that closes the one at `open`, or where that stands.
fn quoted(
    bytes: &[u8],
    open: usize,
    dialect: Dialect,
    field: &mut Vec<u8>,
) -> Result<usize, usize> {
    let mut at = open + 1;
    while at < bytes.len() {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied();
        if Some(byte) == dialect.escape || Some(byte) == dialect.quote && next == dialect.quote {
            field.push(next.ok_or(open)?);
            at += 2;
        } else if Some(byte) == dialect.quote {
            return Ok(at + 1);
        } else {
            field.push(byte);
            at += 1;
        }
    }
    Err(open)
}
