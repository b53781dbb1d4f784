//! A page of hits: where each begins and ends in the answer, or why the page does not count. Pure.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error_answer::shortened;
use super::order::{Disorder, Order, OrderCheck};
use crate::record::ErrorType;
use crate::source::document::JsonText;

/// What a page must be to count.
#[derive(Clone, Copy, Debug)]
pub struct Demands<'a> {
    /// Shards that took part before.
    pub shards: Option<u64>,
    /// Old servers end every page of a scroll but the first early, by their own wish.
    pub may_end_early: bool,
    /// The order of its hits; none where it does not matter.
    pub order: Option<Order<'a>>,
    /// Its hits come with their documents.
    pub has_source: bool,
}

/// A page that counts.
#[derive(Debug, PartialEq, Eq)]
pub struct HitPage {
    /// The newest name of the snapshot.
    pub snapshot: Option<String>,
    /// Exact number of all hits, where it was asked for.
    pub total: Option<u64>,
    pub shards: u64,
    /// Where the hits are in the answer, in order.
    pub hits: Vec<Range<usize>>,
    /// What the last hit is sorted by, in the server's own words.
    pub last: Option<Box<[u8]>>,
    /// Hits at its end that share these.
    pub equals: u64,
    /// The hits are not in the order that was asked for.
    pub disorder: Option<Disorder>,
    /// The largest of them.
    pub largest: Range<usize>,
    /// The hits as records, where some are no lines.
    pub records: Option<Vec<u8>>,
}

/// Why a page does not count.
#[derive(Debug, PartialEq, Eq)]
pub struct Incomplete {
    pub error_type: ErrorType,
    pub reason: String,
    /// A hit without a document, in this index.
    pub without_source: Option<String>,
    /// It looks like a page, but the parser does not get to its end.
    pub is_unreadable: bool,
}

impl Incomplete {
    fn new(error_type: ErrorType, reason: impl Into<String>) -> Incomplete {
        Incomplete { error_type, reason: reason.into(), without_source: None, is_unreadable: false }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    pit_id: Option<JsonText<'a>>,
    #[serde(borrow, rename = "_scroll_id")]
    scroll_id: Option<JsonText<'a>>,
    timed_out: Option<bool>,
    terminated_early: Option<bool>,
    #[serde(rename = "_shards")]
    shards: Option<Shards>,
    #[serde(rename = "_clusters")]
    clusters: Option<Clusters>,
    #[serde(borrow)]
    hits: Option<Hits<'a>>,
}

#[derive(Deserialize)]
struct Shards {
    total: u64,
    successful: u64,
    #[serde(default)]
    skipped: u64,
    failed: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Clusters {
    skipped: u64,
    partial: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Hits<'a> {
    total: Option<Total>,
    #[serde(borrow)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
    relation: String,
}

/// Looks through an answer. It must be read to its end.
pub fn read(body: &[u8], demands: Demands) -> Result<HitPage, Incomplete> {
    let protocol = |reason: String| Incomplete::new(ErrorType::Protocol, reason);
    let is_unreadable = body.trim_ascii_start().starts_with(b"{");
    let text = std::str::from_utf8(body).map_err(|_| Incomplete {
        is_unreadable,
        ..protocol("the answer is not UTF-8".to_string())
    })?;
    let envelope: Envelope = serde_json::from_str(text).map_err(|cause| {
        let start: String = text.chars().take(80).collect();
        let what = if is_unreadable {
            format!("the answer of {} bytes is not whole or no JSON: {cause}", body.len())
        } else {
            format!("the answer is no JSON: {}", shortened(&start))
        };
        Incomplete { is_unreadable, ..protocol(what) }
    })?;
    let (shards, hits) = complete(&envelope, demands)?;
    if hits.total.as_ref().is_some_and(|total| total.relation != "eq") {
        return Err(protocol("the number of hits is not exact".to_string()));
    }
    let base = body.as_ptr() as usize;
    let mut ranges = Vec::with_capacity(hits.hits.len());
    let mut largest = 0..0;
    let mut watch = demands.order.map(|order| OrderCheck::new(order, shards));
    let mut disorder = None;
    for hit in &hits.hits {
        let range = hit.range(body, base, demands.has_source).map_err(|missing| Incomplete {
            without_source: (missing == "_source").then(|| hit.index.to_string()),
            ..protocol(format!("a hit has no {missing}"))
        })?;
        if range.len() > largest.len() {
            largest = range.clone();
        }
        ranges.push(range);
        if let (Some(watch), Some(sort)) = (&mut watch, hit.sort)
            && disorder.is_none()
        {
            disorder = watch.see(sort.get().as_bytes()).err();
        }
    }
    let equals = match watch.map_or(Ok(0), |watch| watch.end()) {
        Ok(equals) => equals,
        Err(strange) => {
            disorder.get_or_insert(strange);
            0
        }
    };
    let last = hits.hits.last().and_then(|hit| hit.sort);
    let newest = envelope.pit_id.as_ref().or(envelope.scroll_id.as_ref());
    Ok(HitPage {
        snapshot: newest.map(|JsonText(id)| id.to_string()),
        total: hits.total.as_ref().map(|total| total.value),
        shards,
        hits: ranges,
        last: last.map(|sort| sort.get().as_bytes().into()),
        equals,
        disorder,
        largest,
        records: None,
    })
}

fn complete<'a, 'b>(
    envelope: &'b Envelope<'a>,
    demands: Demands,
) -> Result<(u64, &'b Hits<'a>), Incomplete> {
    let partial = |reason: String| Err(Incomplete::new(ErrorType::PartialResult, reason));
    let protocol = |reason: &str| Err(Incomplete::new(ErrorType::Protocol, reason));
    match envelope.timed_out {
        Some(false) => {}
        Some(true) => return partial("the search timed out at the server".to_string()),
        None => return protocol("the answer does not say whether it timed out"),
    }
    if envelope.terminated_early == Some(true) && !demands.may_end_early {
        return partial("the search was ended early by the server".to_string());
    }
    let Some(shards) = &envelope.shards else {
        return protocol("the answer does not say how many shards took part");
    };
    let Shards { total, successful, skipped, failed } = *shards;
    // Skipped ones count as successful; that a server might count them apart does no harm.
    let is_whole = successful == total || successful.saturating_add(skipped) == total;
    if failed > 0 || !is_whole {
        return partial(format!("{successful} of {total} shards answered, {failed} failed"));
    }
    if let Some(expected) = demands.shards.filter(|expected| *expected != total) {
        return partial(format!("{total} shards took part, at the start it was {expected}"));
    }
    if let Some(Clusters { skipped, partial: part, failed }) = envelope.clusters
        && (skipped > 0 || part > 0 || failed > 0)
    {
        return partial(format!(
            "of other clusters {skipped} were skipped, {part} answered in part and {failed} failed"
        ));
    }
    match &envelope.hits {
        Some(hits) => Ok((total, hits)),
        None => protocol("the answer holds no hits"),
    }
}

/// A hit: what stands in it, and where.
#[derive(Default)]
struct Hit<'a> {
    /// Address of the opening quote of its first field, and of the end of its last value.
    first: Option<usize>,
    end: usize,
    index: Cow<'a, str>,
    has_index: bool,
    has_id: bool,
    has_source: bool,
    sort: Option<&'a RawValue>,
}

impl Hit<'_> {
    /// Where it stands in `body`, which lies at the address `base`; or what it lacks.
    fn range(
        &self,
        body: &[u8],
        base: usize,
        has_source: bool,
    ) -> Result<Range<usize>, &'static str> {
        for (is_there, name) in [
            (self.has_index, "_index"),
            (self.has_id, "_id"),
            (self.has_source || !has_source, "_source"),
            (self.sort.is_some(), "sort"),
        ] {
            if !is_there {
                return Err(name);
            }
        }
        let first = self.first.ok_or("fields")? - base;
        // Only white space stands between the braces and what they hold.
        let start = memchr::memrchr(b'{', &body[..first]).ok_or("beginning")?;
        let end = self.end - base;
        let length = memchr::memchr(b'}', &body[end..]).ok_or("end")?;
        Ok(start..end + length + 1)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Hit<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Hit<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a hit")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hit<'de>, A::Error> {
                let mut hit = Hit::default();
                while let Some(JsonText(name)) = map.next_key::<JsonText>()? {
                    if hit.first.is_none() {
                        // A name with escapes is a copy elsewhere, and no server writes one.
                        let Cow::Borrowed(name) = name else {
                            return Err(serde::de::Error::custom("a hit begins with escapes"));
                        };
                        hit.first = Some(name.as_ptr() as usize - 1);
                    }
                    let value: &RawValue = map.next_value()?;
                    let words = value.get();
                    hit.end = words.as_ptr() as usize + words.len();
                    match name.as_ref() {
                        "_id" => hit.has_id = words.starts_with('"'),
                        "_source" => hit.has_source = words.starts_with('{'),
                        "sort" => hit.sort = Some(value).filter(|_| words.starts_with('[')),
                        "_index" => {
                            hit.has_index = words.starts_with('"');
                            hit.index = Cow::Borrowed(words.trim_matches('"'));
                        }
                        _ => {}
                    }
                }
                Ok(hit)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Makes lines of the answer that stands from `start` on, one a hit, in the same memory. Line ends in
/// a hit stand between its tokens, because pretty-printed documents are kept as they were sent, and
/// are left out.
pub fn to_lines(body: &mut Vec<u8>, start: usize, hits: &[Range<usize>]) {
    let mut to = start;
    for hit in hits {
        body.copy_within(start + hit.start..start + hit.end, to);
        let end = to + hit.len();
        to = match memchr::memchr2(b'\n', b'\r', &body[to..end]) {
            None => end,
            Some(first) => without_line_ends(body, to + first, end),
        };
        // A comma or a bracket stood between this hit and the next, so there is room for it.
        body[to] = b'\n';
        to += 1;
    }
    body.truncate(to);
}

/// Leaves out the line ends from `from` on.
pub fn close_up(body: &mut Vec<u8>, from: usize) {
    let end = body.len();
    let end = without_line_ends(body, from, end);
    body.truncate(end);
}

/// Closes up what stands in `body[from..end]` without line ends; gives its new end.
fn without_line_ends(body: &mut [u8], from: usize, end: usize) -> usize {
    let mut to = from;
    for at in from..end {
        let byte = body[at];
        if !matches!(byte, b'\n' | b'\r') {
            body[to] = byte;
            to += 1;
        }
    }
    to
}

#[cfg(test)]
mod tests;
