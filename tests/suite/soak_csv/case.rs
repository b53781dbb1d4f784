//! A random file with random options, and what a run has to make of it.

use super::reference::{Dialect, Parsed, Quotes, Record, line_of, parse};
use crate::support::chance::Chance;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16 { is_big: bool, has_mark: bool },
    Windows1252,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ragged {
    Reject,
    Pad,
    Truncate,
}

/// Where the columns get their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Header {
        is_repaired: bool,
    },
    Numbers,
    /// So many are named.
    Given(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    File,
    Gzip { member_bytes: usize },
    Pipe,
}

#[derive(Clone, Debug)]
pub struct Case {
    /// What the file is made of, in UTF-8 or not.
    pub tokens: Vec<Vec<u8>>,
    pub dialect: Dialect,
    pub quotes: Quotes,
    pub encoding: Encoding,
    pub ragged: Ragged,
    pub names: Names,
    pub replaces: bool,
    pub null: Option<&'static str>,
    /// Columns by their place, where they have numbers for names.
    pub select: Vec<usize>,
    pub way: Way,
    pub batch_bytes: Option<usize>,
    pub batch_size: Option<usize>,
    pub workers: usize,
}

/// What has to come of it.
#[derive(Debug, PartialEq)]
pub enum Expected {
    Ends { code: i32, words: String },
    Rows { rows: Vec<Vec<(String, Option<String>)>>, rejects: Vec<Reject> },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    pub byte: usize,
    pub line: u64,
    pub raw: Vec<u8>,
}

impl Case {
    pub fn new(seed: u64) -> Case {
        let mut chance = Chance::new(seed);
        let dialect = dialect(&mut chance);
        let encoding = match chance.below(10) {
            0 => Encoding::Utf16 { is_big: chance.percent(50), has_mark: chance.percent(50) },
            1 => Encoding::Windows1252,
            _ => Encoding::Utf8,
        };
        let names = match chance.below(6) {
            0 | 1 => Names::Header { is_repaired: chance.percent(60) },
            2 | 3 => Names::Numbers,
            _ => Names::Given(chance.within(1, 4)),
        };
        let mut case = Case {
            tokens: Vec::new(),
            dialect,
            quotes: chance.pick(&[Quotes::Normal, Quotes::Normal, Quotes::Strict, Quotes::Lenient]),
            encoding,
            ragged: chance.pick(&[Ragged::Reject, Ragged::Pad, Ragged::Truncate]),
            names,
            replaces: chance.percent(25),
            null: chance.pick(&[None, None, Some(""), Some("NULL"), Some("a")]),
            select: Vec::new(),
            way: match chance.below(8) {
                0 => Way::Pipe,
                1 => Way::Gzip { member_bytes: chance.pick(&[1, 7, 1000]) },
                _ => Way::File,
            },
            batch_bytes: chance.pick(&[
                None,
                Some(1),
                Some(2),
                Some(3),
                Some(7),
                Some(20),
                Some(500),
            ]),
            batch_size: chance.pick(&[None, None, Some(1), Some(2), Some(5)]),
            workers: chance.within(1, 3),
        };
        let count = match chance.below(10) {
            0 => chance.within(0, 5),
            1 => chance.within(200, 3000),
            _ => chance.within(5, 120),
        };
        case.tokens = (0..count).map(|_| token(&case, &mut chance)).collect();
        if chance.percent(90) {
            case.close_quotes();
        }
        if let (Names::Given(width), true) = (case.names, chance.percent(30)) {
            let mut places: Vec<usize> = (0..width).collect();
            chance.shuffle(&mut places);
            places.truncate(chance.within(1, width));
            case.select = places;
        }
        case
    }

    /// A quote that nothing closes ends a run, and there is more to see in one that goes on.
    fn close_quotes(&mut self) {
        let Some(quote) = self.dialect.quote else { return };
        for _ in 0..4 {
            if parse(&self.text(), self.dialect).open_quote.is_none() {
                return;
            }
            self.tokens.push(vec![quote]);
        }
    }

    /// The bytes that the reader of records sees.
    fn text(&self) -> Vec<u8> {
        let text = self.tokens.concat();
        match self.encoding {
            Encoding::Utf8 => text.strip_prefix(MARK).unwrap_or(&text).to_vec(),
            Encoding::Utf16 { .. } | Encoding::Windows1252 => text,
        }
    }

    /// The file, before it is packed.
    pub fn plain(&self) -> Vec<u8> {
        let text = self.tokens.concat();
        let Encoding::Utf16 { is_big, has_mark } = self.encoding else { return text };
        let text = String::from_utf8(text).unwrap();
        let mark = if has_mark { "\u{feff}" } else { "" };
        let bytes = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    pub fn args(&self) -> Vec<String> {
        let mut args = vec!["--max-errors".to_string(), "100%".to_string()];
        let mut add = |name: &str, value: String| args.push(format!("--{name}={value}"));
        let byte =
            |byte: u8| if byte == b'\t' { "tab".into() } else { char::from(byte).to_string() };
        add("csv-delimiter", byte(self.dialect.delimiter));
        add("csv-quote", self.dialect.quote.map_or("none".to_string(), byte));
        for (name, value) in
            [("csv-escape", self.dialect.escape), ("csv-comment", self.dialect.comment)]
        {
            if let Some(value) = value {
                add(name, byte(value));
            }
        }
        add("csv-quotes", format!("{:?}", self.quotes).to_lowercase());
        add("csv-ragged", format!("{:?}", self.ragged).to_lowercase());
        add(
            "csv-encoding",
            match self.encoding {
                Encoding::Utf8 => "utf-8",
                Encoding::Utf16 { is_big: true, .. } => "utf-16be",
                Encoding::Utf16 { .. } => "utf-16le",
                Encoding::Windows1252 => "windows-1252",
            }
            .to_string(),
        );
        add("csv-invalid-utf8", if self.replaces { "replace" } else { "reject" }.to_string());
        if let Some(null) = self.null {
            add("csv-null", null.to_string());
        }
        let listed = |places: &[usize]| {
            places.iter().map(|place| format!("c{}", place + 1)).collect::<Vec<_>>().join(",")
        };
        if let Names::Given(width) = self.names {
            add("csv-columns", listed(&(0..width).collect::<Vec<_>>()));
        }
        if let Names::Header { is_repaired: true } = self.names {
            add("csv-headers", "repair".to_string());
        }
        if !self.select.is_empty() {
            add("select", listed(&self.select));
        }
        for (name, number) in [("batch-bytes", self.batch_bytes), ("batch-size", self.batch_size)] {
            if let Some(number) = number {
                add(name, number.to_string());
            }
        }
        add("workers", self.workers.to_string());
        if !matches!(self.names, Names::Header { .. }) {
            args.push("--csv-no-header".to_string());
        }
        args
    }

    pub fn expected(&self) -> Expected {
        let text = self.text();
        let Parsed { mut records, open_quote } = parse(&text, self.dialect);
        let names = match self.names {
            Names::Given(width) => numbers(width),
            Names::Numbers => numbers(records.first().map_or(0, |record| record.fields.len())),
            Names::Header { is_repaired } => {
                if records.is_empty() {
                    let words = match open_quote {
                        Some(_) => "a quote in the header is never closed",
                        None => "there is no header",
                    };
                    return Expected::Ends { code: 3, words: words.to_string() };
                }
                match self.header(&records.remove(0), is_repaired) {
                    Ok(names) => names,
                    Err(words) => return Expected::Ends { code: 3, words: words.to_string() },
                }
            }
        };
        if let Some(quote) = open_quote {
            // Of a file without a header, this may be all there is.
            let is_first = records.is_empty() && !matches!(self.names, Names::Header { .. });
            let words = match is_first {
                true => "is never closed".to_string(),
                false => format!(
                    "line {}, byte {quote}: a quote is opened here and never closed",
                    line_of(&text, quote)
                ),
            };
            return Expected::Ends { code: 3, words };
        }
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        for record in &records {
            match self.row(record, &names) {
                Some(row) => rows.push(row),
                None => rejects.push(Reject {
                    byte: record.start,
                    line: line_of(&text, record.start),
                    raw: text[record.start..record.end].to_vec(),
                }),
            }
        }
        Expected::Rows { rows, rejects }
    }

    fn header(&self, record: &Record, is_repaired: bool) -> Result<Vec<String>, &'static str> {
        if record.has_text_after_quote {
            return Err("the header has text after a closing quote");
        }
        let mut names = Vec::new();
        for field in &record.fields {
            let name = match self.encoding {
                Encoding::Windows1252 => western(field),
                _ => String::from_utf8(field.clone()).map_err(|_| "not valid UTF-8")?,
            };
            names.push(name);
        }
        for index in 0..names.len() {
            let is_taken = |name: &String| names[..index].contains(name);
            if !is_repaired && (names[index].is_empty() || is_taken(&names[index])) {
                return Err("use --csv-headers repair");
            }
            let mut name = names[index].clone();
            if name.is_empty() {
                name = format!("column_{}", index + 1);
            }
            let mut free = name.clone();
            let mut number = 2;
            while is_taken(&free) {
                free = format!("{name}_{number}");
                number += 1;
            }
            names[index] = free;
        }
        Ok(names)
    }

    /// None where the record is to be rejected.
    fn row(&self, record: &Record, names: &[String]) -> Option<Vec<(String, Option<String>)>> {
        let (found, width) = (record.fields.len(), names.len());
        let fits = match self.ragged {
            Ragged::Reject => found == width,
            Ragged::Pad => found <= width,
            Ragged::Truncate => found >= width,
        };
        if !fits || record.is_flawed(self.quotes) {
            return None;
        }
        let mut texts = Vec::new();
        for field in &record.fields {
            texts.push(match self.encoding {
                Encoding::Windows1252 => western(field),
                _ if self.replaces => String::from_utf8_lossy(field).into_owned(),
                _ => String::from_utf8(field.clone()).ok()?,
            });
        }
        texts.resize(width, String::new());
        let places = match self.select.is_empty() {
            true => (0..width).collect(),
            false => self.select.clone(),
        };
        let cell = |place: usize| {
            let text = texts[place].clone();
            let value = if self.null == Some(&text) { None } else { Some(text) };
            (names[place].clone(), value)
        };
        Some(places.into_iter().map(cell).collect())
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";

fn numbers(width: usize) -> Vec<String> {
    (1..=width).map(|number| format!("c{number}")).collect()
}

/// Windows-1252 as browsers read it.
fn western(bytes: &[u8]) -> String {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let letter = |&byte: &u8| match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    };
    bytes.iter().map(letter).collect()
}

fn dialect(chance: &mut Chance) -> Dialect {
    let mut marks = b",;\t|\"'\\#!ab~".to_vec();
    if chance.percent(60) {
        // What most files look like.
        let comment = chance.percent(30).then_some(b'#');
        let escape = chance.percent(20).then_some(b'\\');
        return Dialect { delimiter: chance.pick(b",;\t"), quote: Some(b'"'), escape, comment };
    }
    chance.shuffle(&mut marks);
    let quote = chance.percent(80).then_some(marks[1]);
    Dialect {
        delimiter: marks[0],
        quote,
        escape: quote.and(chance.percent(40).then_some(marks[2])),
        comment: chance.percent(40).then_some(marks[3]),
    }
}

fn token(case: &Case, chance: &mut Chance) -> Vec<u8> {
    let dialect = case.dialect;
    let mark = |mark: Option<u8>| mark.map_or(Vec::new(), |mark| vec![mark]);
    match chance.below(20) {
        0..4 => vec![dialect.delimiter],
        4 | 5 => mark(dialect.quote),
        6 => match chance.percent(50) {
            true => mark(dialect.escape),
            false => mark(dialect.comment),
        },
        7..10 => {
            chance.pick(&[&b"\n"[..], b"\n", b"\n", b"\r\n", b"\r\n", b"\r", b"\n\r"]).to_vec()
        }
        // A field in quotes, and what stands around them.
        10 | 11 => {
            let inner = chance.pick(&[&b""[..], b"x", b"x\ny", b"\r", b"NULL"]);
            let front = if chance.percent(60) { vec![dialect.delimiter] } else { b"\n".to_vec() };
            [&front, &mark(dialect.quote)[..], inner, &mark(dialect.quote)].concat()
        }
        12 => match case.encoding {
            Encoding::Utf16 { .. } => "😀é\u{2028}".as_bytes().to_vec(),
            // Not the first byte of what gzip makes.
            _ => vec![chance.pick(&(0..=255).filter(|byte| *byte != 0x1f).collect::<Vec<u8>>())],
        },
        13 => match case.encoding {
            Encoding::Utf16 { .. } => b"\0".to_vec(),
            _ => MARK.to_vec(),
        },
        14 => "é".as_bytes().to_vec(),
        15 => chance.pick(&[&b"NULL"[..], b" ", b"\"", b"'", b",", b"#"]).to_vec(),
        _ => chance.pick(&[&b"a"[..], b"b", b"1", b"xyz"]).to_vec(),
    }
}
