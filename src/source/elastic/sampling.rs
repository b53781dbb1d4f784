//! A look at documents before a table is made for them: what the mapping does not say of their values.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::More;
use super::error_answer::ErrorClass;
use super::malformed::{self, is_whole};
use super::page::Demands;
use super::page_reader::{Fetched, PageReader};
use crate::error::{Error, Result};
use crate::infer::{Sample, widened};
use crate::record::{ColumnType, Field, FieldKind};
use crate::source::Sampled;
use crate::source::document::Object;
use crate::source::sample::{self, Manner, records_of};

/// Documents from each end of an index.
const END_RECORDS: u64 = 1000;
/// Of more indices than this, some are left out, evenly.
const INDICES_MAX: usize = 100;

#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(borrow, rename = "_source")]
    source: &'a RawValue,
}

/// Looks at the first documents of each index and at the last.
pub async fn take(
    reader: &PageReader,
    indices: &[String],
    fields: &[Field],
    flatten: bool,
) -> Result<Sample> {
    let mut sample = Sample::default();
    let dated = fields.iter().filter(|field| field.kind == FieldKind::Time);
    sample::expect_dates(&mut sample, dated.map(|field| (&field.name[..], &field.dates)));
    let whole = fields.iter().filter(|field| !field.is_beside).map(|field| &field.name[..]);
    let whole: HashSet<&str> = whole.collect();
    let manner = Manner { flatten, dots_are_paths: true, whole: Some(&whole) };
    for index in evenly(indices, INDICES_MAX) {
        let index = (indices.len() > 1).then_some(index.as_str());
        for is_last in [false, true] {
            look(reader, index, is_last, manner, &mut sample).await?;
        }
    }
    Ok(sample)
}

/// As many as there may be, the first and what lies between them at equal distances.
fn evenly<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = all.len().min(most);
    (0..count).map(move |place| &all[place * all.len() / count])
}

/// Page after page of one end. Pages of large documents are smaller, as any page is.
async fn look(
    reader: &PageReader,
    index: Option<&str>,
    is_last: bool,
    manner: Manner<'_>,
    sample: &mut Sample,
) -> Result<()> {
    let most = END_RECORDS.min(reader.window);
    let (mut seen, mut size) = (0, most);
    let demands = Demands { shards: None, may_end_early: false, order: None, has_source: true };
    while seen < most {
        let asked = size.min(most - seen);
        let (path, body) = reader.request_end(index, is_last, seen, asked)?;
        let response = reader.client.page(&path, body).await?;
        let mut body = Vec::new();
        let page = match reader.receive(response, &mut body, demands, |_| More::No).await? {
            Fetched::Page(page) => page,
            Fetched::TooLarge if asked > 1 => {
                size = (asked / 4).max(1);
                continue;
            }
            // One that fills a page says enough by that.
            Fetched::TooLarge | Fetched::Over => return Ok(()),
            // It is looked for in smaller pages, and passed over where it is alone.
            fetched if holds_unreadable(&fetched, &body) => {
                (size, seen) = match asked {
                    1 => (most, seen + 1),
                    _ => ((asked / 4).max(1), seen),
                };
                continue;
            }
            Fetched::Incomplete(incomplete) => return Err(reader.incomplete(&incomplete)),
            Fetched::Refused(refusal) => return Err(refusal.error(&reader.page_name())),
        };
        let count = page.hits.len() as u64;
        match &page.records {
            None => page.hits.into_iter().for_each(|hit| note(&body[hit], manner, sample)),
            Some(records) => note_all(records, manner, sample),
        }
        seen += count;
        if count < asked {
            return Ok(());
        }
    }
    Ok(())
}

/// One of its documents cannot be read, or not be given, whoever asks.
fn holds_unreadable(fetched: &Fetched, body: &[u8]) -> bool {
    match fetched {
        Fetched::Incomplete(incomplete) => incomplete.is_unreadable && is_whole(body),
        Fetched::Refused(refusal) => refusal.trouble == ErrorClass::Unservable,
        _ => false,
    }
}

fn note(hit: &[u8], manner: Manner<'_>, sample: &mut Sample) {
    let hit = serde_json::from_slice::<Hit>(hit).ok();
    if let Some(object) = hit.and_then(|hit| serde_json::from_str::<Object>(hit.source.get()).ok())
    {
        manner.note(&object, sample);
    }
}

/// Documents that are no JSON are rejected, and have no fields.
fn note_all(mut records: &[u8], manner: Manner<'_>, sample: &mut Sample) {
    while !records.is_empty() {
        let length = match malformed::framed(records) {
            Some((_, length)) => length,
            None => {
                let length = memchr::memchr(b'\n', records).map_or(records.len(), |at| at + 1);
                note(&records[..length], manner, sample);
                length
            }
        };
        records = &records[length.min(records.len())..];
    }
}

/// The fields of a mapping as documents have them.
pub fn fitted(
    known: &[Field],
    sample: &Sample,
    flatten: bool,
    separator: Option<&str>,
    types: &[(String, ColumnType)],
    columns: &[String],
) -> Result<Sampled> {
    let mut fields = known.to_vec();
    let mut widenings = Vec::new();
    for field in fields.iter_mut().filter(|field| !field.is_beside) {
        let Some(seen) = sample.find(&field.name) else { continue };
        field.characters_seen = seen.shape.characters();
        if let Some((column_type, what)) = widened(field.kind, &seen.shape, seen.dated)
            && !field.is_declared
        {
            field.column_type = Some(column_type);
            widenings.push((field.name.clone(), what, field.origin.clone(), column_type));
        }
    }
    let names: HashSet<&str> = known.iter().map(|field| &field.name[..]).collect();
    let others = sample::fields(sample, flatten);
    fields.extend(others.into_iter().filter(|field| !names.contains(&field.name[..])));
    sample::name_columns(&mut fields, separator);
    let folded = match flatten {
        true => sample::fold(&mut fields, sample, columns, separator),
        false => Vec::new(),
    };
    sample::name_columns(&mut fields, separator);
    let unknown = sample::declare(&mut fields, types);
    if let Some(name) = unknown.first() {
        let name = name.escape_debug();
        let message = format!(
            "--types names '{name}', which is no field of the mapping or of the documents looked at"
        );
        return Err(Error::config(message)
            .help("flowgauge check lists the fields; with --flatten, those in objects are named outer.inner"));
    }
    let declared: HashSet<&str> = types.iter().map(|(name, _)| &name[..]).collect();
    widenings.retain(|(name, ..)| !declared.contains(&name[..]));
    let said = |(name, what, origin, column_type): &(String, &str, String, ColumnType)| {
        let doubt = format!(
            "field '{}' is {origin} in the mapping, and documents have {what} there: its column is {column_type}",
            name.escape_debug()
        );
        (name.clone(), doubt)
    };
    let mut doubts: Vec<(String, String)> = widenings.iter().map(said).collect();
    doubts.extend(sample::widen_declared(&mut fields, sample));
    let mut notes: Vec<String> = folded.iter().map(|name| sample::folded(name)).collect();
    notes.extend(sample::overflow(sample));
    let of = format!("the mapping and {}", records_of(sample.records, "sampled"));
    let of = of.replace(" record", " document");
    let is_of_nothing = sample.records == 0 && fields.iter().all(|field| field.is_beside);
    Ok(Sampled { fields, of, notes, doubts, is_of_nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_as_many_as_may_be_are_taken() {
        let all: Vec<usize> = (0..101).collect();
        for (count, first, last) in [(1, 0, 0), (99, 0, 98), (100, 0, 99), (101, 0, 99)] {
            let taken: Vec<usize> = evenly(&all[..count], 100).copied().collect();
            assert_eq!(taken.len(), count.min(100));
            assert_eq!((taken[0], taken[taken.len() - 1]), (first, last), "{count}");
        }
        assert_eq!(evenly(&[0; 0], 100).count(), 0);
    }
}
