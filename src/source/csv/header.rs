//! The first record of a CSV file, and what can be told from it before anything moves.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{CsvSettings, HeaderNames, some_of};
use crate::error::{Error, Result};
use crate::record::{ErrorType, Flaw, Place, lines_in};
use crate::source::text::{Boundaries, Encoding, Start, Stream, decode_value};

/// What the beginning of a file says.
#[derive(Debug)]
pub struct Head {
    /// Empty only for an empty file.
    pub names: Vec<String>,
    /// Where the first record after the header begins.
    pub start: Start,
    /// Of the bytes before `start`.
    pub digest: u64,
}

/// Enough for a header and for a sample to guess types from; small enough to read of each of a
/// thousand files.
const SAMPLE_BYTES: usize = 256 * 1024;

/// Columns that a header may have in any case, and beyond that where records may be large: each takes
/// some hundreds of bytes before anybody can say whether rows of them fit into the memory.
const COLUMNS_MAX: usize = 100_000;
const RECORD_BYTES_PER_COLUMN: usize = 64;

/// Reads the header, and gives back what was read of the stream, from its beginning.
pub fn read(stream: &mut Stream, settings: &CsvSettings) -> Result<(Head, Vec<u8>)> {
    let mut ahead = Vec::new();
    let mut is_last = !stream.fill(&mut ahead, SAMPLE_BYTES)?;
    let mut scan = settings.dialect.scan(&ahead, is_last, 1);
    while scan.records == 0 && !is_last && ahead.len() <= settings.limit.record_bytes {
        let target = ahead.len() * 2;
        is_last = !stream.fill(&mut ahead, target)?;
        scan = settings.dialect.scan(&ahead, is_last, 1);
    }
    let is_empty = scan.records == 0 && scan.open_quote.is_none();
    let at = match scan.open_quote {
        Some(quote) => quote,
        None if is_empty => 0,
        None => settings.dialect.record_start(&ahead, 0),
    };
    let place = Place { line: Some(1 + lines_in(&ahead[..at])), ..Place::split(stream.name()) };
    if scan.records == 0 {
        return no_header(scan.open_quote, is_last, place, settings).map(|head| (head, ahead));
    }
    let legible = settings.dialect.legible(&ahead[..scan.end]);
    let mut reader = settings.dialect.reader(&legible);
    let mut record = csv::ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(|cause| {
        Error::data(ErrorType::Parse, "the header cannot be read").at(place.clone()).because(cause)
    })?;
    let columns_max = COLUMNS_MAX.max(settings.limit.record_bytes / RECORD_BYTES_PER_COLUMN);
    if record.len() > columns_max {
        let message =
            format!("the header has {} columns, and may have {columns_max}", record.len());
        return Err(Error::data(ErrorType::TooLarge, message).at(place).help(format!(
            "check --csv-delimiter; there may be a column for every {RECORD_BYTES_PER_COLUMN} bytes of --max-record-bytes"
        )));
    }
    if !settings.has_header {
        let names = match &settings.columns {
            Some(columns) => columns.clone(),
            None => (1..=record.len()).map(|number| format!("c{number}")).collect(),
        };
        let start = Start { byte: 0, line: 1 };
        return Ok((Head { names, start, digest: digest(&[]) }, ahead));
    }
    if matches!(scan.flaws.first(), Some((0, Flaw::TextAfterQuote))) {
        return Err(Error::data(ErrorType::Parse, "the header has text after a closing quote")
            .at(place)
            .help("check --csv-quote and --csv-delimiter"));
    }
    let names = names(&record, &place, settings)?;
    let start = Start { byte: scan.end as u64, line: 1 + scan.lines };
    let digest = digest(&ahead[..scan.end]);
    Ok((Head { names, start, digest }, ahead))
}

pub fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn no_header(
    open_quote: Option<usize>,
    is_last: bool,
    place: Place,
    settings: &CsvSettings,
) -> Result<Head> {
    if let Some(quote) = open_quote {
        return Err(Error::data(ErrorType::Parse, "a quote in the header is never closed")
            .at(Place { byte: Some(quote as u64), ..place })
            .help("close it, or set --csv-quote to the file's quote character, 'none' for none"));
    }
    if !is_last {
        return Err(Error::data(ErrorType::TooLarge, "the header is larger than a record may be")
            .at(place)
            .help("check that this is a CSV file; see --max-record-bytes"));
    }
    if settings.allow_empty || !settings.has_header {
        let names = settings.columns.clone().unwrap_or_default();
        let start = Start { byte: 0, line: 1 };
        return Ok(Head { names, start, digest: digest(&[]) });
    }
    Err(Error::data(ErrorType::Parse, "the file is empty: there is no header")
        .at(place)
        .help("use --allow-empty if that is right"))
}

fn names(record: &csv::ByteRecord, place: &Place, settings: &CsvSettings) -> Result<Vec<String>> {
    if let Some(columns) = &settings.columns {
        if columns.len() != record.len() {
            return Err(Error::config(format!(
                "--csv-columns names {} columns, the header has {}",
                columns.len(),
                record.len()
            ))
            .at(place.clone()));
        }
        return Ok(columns.clone());
    }
    let mut names = Vec::new();
    for (index, field) in record.iter().enumerate() {
        let name = text(field, settings.stream.encoding).ok_or_else(|| {
            Error::data(ErrorType::Encoding, "the header is not valid UTF-8")
                .at(place.clone().column(format!("{}", index + 1)))
                .help("set --csv-encoding, for example windows-1252")
        })?;
        names.push(name);
    }
    check_delimiter(&names, place, settings)?;
    match settings.header_names {
        HeaderNames::Strict => check_names(&names, place)?,
        HeaderNames::Repair => repair(&mut names),
    }
    Ok(names)
}

fn text(field: &[u8], encoding: Encoding) -> Option<String> {
    let mut decoded = Vec::new();
    match encoding {
        Encoding::SingleByte(encoding) => decode_value(encoding, field, &mut decoded).ok()?,
        _ => decoded.extend_from_slice(field),
    }
    String::from_utf8(decoded).ok()
}

/// One column whose name holds what usually parts columns is most likely several.
fn check_delimiter(names: &[String], place: &Place, settings: &CsvSettings) -> Result<()> {
    let [only] = names else { return Ok(()) };
    if settings.is_delimiter_sure {
        return Ok(());
    }
    // The delimiter itself is there in quotes, which is where it belongs.
    let delimiter = char::from(settings.dialect.delimiter);
    let other = [';', '\t', '|', ','].into_iter().filter(|&mark| mark != delimiter);
    let Some(other) = other.into_iter().find(|&mark| only.contains(mark)) else {
        return Ok(());
    };
    let shown = |mark: char| if mark == '\t' { "tab".to_string() } else { format!("'{mark}'") };
    Err(Error::config("found 1 column").at(place.clone()).help(format!(
        "did you mean --csv-delimiter {}? with --csv-delimiter {} it stays one",
        shown(other),
        shown(delimiter)
    )))
}

fn check_names(names: &[String], place: &Place) -> Result<()> {
    let empty = names.iter().position(|name| name.is_empty());
    if let Some(index) = empty {
        return Err(Error::data(ErrorType::Parse, format!("column {} has no name", index + 1))
            .at(place.clone())
            .help("use --csv-headers repair, or name the columns with --csv-columns"));
    }
    let mut times: HashMap<&str, usize> = HashMap::with_capacity(names.len());
    let mut twice = Vec::new();
    for name in names {
        let times = times.entry(name).or_default();
        *times += 1;
        // With its second occurrence, so that each is listed once.
        if *times == 2 {
            twice.push(name);
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::data(ErrorType::Parse, format!("columns named twice: {}", some_of(&twice)))
        .at(place.clone())
        .help("use --csv-headers repair, or name the columns with --csv-columns"))
}

fn repair(names: &mut [String]) {
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    // Of each name that was repeated, the first number that may be free.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (index, name) in names.iter_mut().enumerate() {
        if name.is_empty() {
            *name = format!("column_{}", index + 1);
        }
        if taken.insert(name.clone()) {
            continue;
        }
        let number = numbers.entry(name.clone()).or_insert(2);
        let base = std::mem::take(name);
        while name.is_empty() {
            let numbered = format!("{base}_{number}");
            *number += 1;
            if taken.insert(numbered.clone()) {
                *name = numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_repaired_without_meeting_others() {
        for (given, repaired) in [
            (vec!["a", "", "a"], vec!["a", "column_2", "a_2"]),
            (vec!["a", "a_2", "a", "a"], vec!["a", "a_2", "a_3", "a_4"]),
            (vec!["", "column_1"], vec!["column_1", "column_1_2"]),
        ] {
            let mut names: Vec<String> = given.iter().map(|name| name.to_string()).collect();
            repair(&mut names);
            assert_eq!(names, repaired);
        }
    }

    /// With a look at all earlier names for each, this would take hours.
    #[test]
    fn many_names_are_read_once_each() {
        const COUNT: usize = 400_000;
        let mut equal = vec!["a".to_string(); COUNT];
        repair(&mut equal);
        assert_eq!((equal[1].as_str(), equal[COUNT - 1].as_str()), ("a_2", "a_400000"));
        let place = Place::split("x.csv");
        check_names(&equal, &place).unwrap();
        equal.extend(equal.clone());
        let error = check_names(&equal, &place).unwrap_err().to_string();
        assert!(error.contains("'a', 'a_2'") && error.contains("and 399980 more"), "{error}");
    }
}
