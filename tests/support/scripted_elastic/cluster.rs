//! What a search server keeps and answers when all is well: one index, its points in time and
//! scrolls. The shapes are those of recorded answers of real servers.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::kind::{Kind, Like};
use super::refusal::{context_missing, no_handler, refusal, wrong};
use super::wire::{Answer, Request, Sending};

pub struct Cluster {
    pub like: Like,
    pub index: String,
    /// `_id` and `_source`.
    pub documents: Vec<(String, String)>,
    pub shards: usize,
    /// As many scrolls may be open.
    pub scrolls_max: usize,
    /// It cannot read in slices, as OpenSearch where an index has no mapping.
    pub is_unsliced: bool,
    points: Vec<Point>,
    scrolls: Vec<Scroll>,
    names: usize,
}

/// A point in time. Once a name was used, those before it are not good any more, which is stricter
/// than real servers mostly are.
struct Point {
    names: Vec<String>,
    is_open: bool,
}

struct Scroll {
    name: String,
    is_open: bool,
    slice: Option<Slice>,
    size: usize,
    at: usize,
    has_version: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct Slice {
    id: usize,
    max: usize,
}

#[derive(Deserialize)]
struct Search<'a> {
    size: usize,
    #[serde(borrow)]
    pit: Option<Pit<'a>>,
    slice: Option<Slice>,
    #[serde(borrow)]
    search_after: Option<&'a RawValue>,
    #[serde(default)]
    track_total_hits: bool,
    #[serde(default)]
    version: bool,
    #[serde(rename = "_source")]
    source: Option<Value>,
    #[serde(borrow)]
    query: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Pit<'a> {
    id: &'a str,
}

/// Sort keys lie beyond what a floating point number keeps.
const SHARD_BASE: usize = 1 << 22;

impl Cluster {
    pub fn new(like: Like, documents: Vec<(String, String)>) -> Cluster {
        let index = "orders".to_owned();
        let (points, scrolls) = (Vec::new(), Vec::new());
        Cluster {
            like,
            index,
            documents,
            shards: 1,
            scrolls_max: usize::MAX,
            is_unsliced: false,
            points,
            scrolls,
            names: 0,
        }
    }

    pub fn open_points(&self) -> usize {
        self.points.iter().filter(|point| point.is_open).count()
    }

    pub fn open_scrolls(&self) -> usize {
        self.scrolls.iter().filter(|scroll| scroll.is_open).count()
    }

    /// Scrolls are where they began.
    pub fn rewind(&mut self) {
        self.scrolls.iter_mut().for_each(|scroll| scroll.at = 0);
    }

    /// Forgets all points in time and scrolls, as they do that expire.
    pub fn expire(&mut self) {
        self.points.clear();
        self.scrolls.clear();
    }

    /// Calls the newest point in time something else, in this answer too, or the scroll that it names.
    /// The old name is not known from now on.
    pub fn renamed(&mut self, answer: Answer) -> Answer {
        let name = self.name("point");
        let mut text = String::from_utf8(answer.body).unwrap();
        let Some(point) = self.points.last_mut() else {
            for scroll in &mut self.scrolls {
                let renamed =
                    text.replacen(&format!("\"{}\"", scroll.name), &format!("\"{name}\""), 1);
                if renamed != text {
                    (text, scroll.name) = (renamed, name.clone());
                }
            }
            return Answer { body: text.into_bytes(), ..answer };
        };
        for old in &point.names {
            text = text.replacen(&format!("\"{old}\""), &format!("\"{name}\""), 1);
        }
        point.names.push(name);
        Answer { body: text.into_bytes(), ..answer }
    }

    pub fn answer(&mut self, kind: Kind, request: &Request) -> Answer {
        let mut answer = match kind {
            Kind::Info => self.info(request),
            Kind::Mapping => self.of_index(request, json!({ "mappings": self.mapping() })),
            Kind::OpenPoint => self.open(request),
            Kind::Count | Kind::Page | Kind::Sample | Kind::KeepAlive => self.search(request),
            Kind::ScrollOn => self.scroll_on(request),
            Kind::Close => self.close(request),
            Kind::Other => self.other(request),
        };
        match self.like {
            Like::Elasticsearch9 => {
                answer.headers.push(("X-elastic-product", "Elasticsearch".to_owned()));
                if kind == Kind::Page {
                    answer.sending = Sending::Chunked;
                }
            }
            Like::OpenSearch3 => {
                let version = "OpenSearch/3.4.0 (opensearch)".to_owned();
                answer.headers.push(("X-OpenSearch-Version", version));
            }
            Like::Elasticsearch710 => {}
        }
        answer
    }

    fn info(&self, request: &Request) -> Answer {
        let (version, name) = match self.like {
            Like::Elasticsearch9 => ("9.2.0", "build_flavor"),
            Like::OpenSearch3 => ("3.4.0", "distribution"),
            Like::Elasticsearch710 => ("7.10.2", "build_flavor"),
        };
        let made = if self.like == Like::OpenSearch3 { "opensearch" } else { "default" };
        if request.path != "/" {
            let mut node = json!({ "version": version });
            if self.like != Like::OpenSearch3 {
                node[name] = made.into();
            }
            return ok(&json!({ "nodes": { "node-1": node } }));
        }
        if self.like == Like::Elasticsearch9 {
            let error = "Incorrect HTTP method for uri [/] and method [GET], allowed: [DELETE]";
            return Answer::json(405, json!({ "error": error, "status": 405 }).to_string());
        }
        ok(&json!({ "name": "vm", "version": { "number": version, name: made } }))
    }

    fn mapping(&self) -> Value {
        json!({ "properties": { "n": { "type": "long" }, "name": { "type": "text" } } })
    }

    /// One object for each index that was named, which is ours or none.
    fn of_index(&self, request: &Request, value: Value) -> Answer {
        let asked = request.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if asked == self.index || asked == "*" || asked.starts_with('_') {
            return ok(&json!({ self.index.as_str(): value }));
        }
        self.no_index(asked)
    }

    fn no_index(&self, asked: &str) -> Answer {
        let reason = format!("no such index [{asked}]");
        let cause = json!({ "type": "index_not_found_exception", "reason": reason });
        refusal(404, &cause)
    }

    fn other(&self, request: &Request) -> Answer {
        let path = &request.path;
        if path.ends_with("/_settings") {
            let shards = self.shards.to_string();
            return self
                .of_index(request, json!({ "settings": { "index.number_of_shards": shards } }));
        }
        if path.starts_with("/_alias") || path.ends_with("/_alias") {
            return self.of_index(request, json!({ "aliases": {} }));
        }
        if path.starts_with("/_cat/indices") {
            return ok(&json!([{ "index": self.index, "status": "open" }]));
        }
        no_handler(request)
    }

    fn open(&mut self, request: &Request) -> Answer {
        let known = match self.like {
            Like::Elasticsearch9 => request.path.ends_with("/_pit"),
            Like::OpenSearch3 => request.path.ends_with("/_search/point_in_time"),
            Like::Elasticsearch710 => {
                let cause =
                    json!({ "type": "parse_exception", "reason": "request body is required" });
                return refusal(400, &cause);
            }
        };
        if !known {
            return no_handler(request);
        }
        let asked = request.path.split('/').nth(1).unwrap_or_default();
        if asked != self.index {
            return self.no_index(asked);
        }
        let name = self.name("point");
        self.points.push(Point { names: vec![name.clone()], is_open: true });
        let field = if self.like == Like::OpenSearch3 { "pit_id" } else { "id" };
        let name = json!(name);
        Answer::json(200, format!(r#"{{"{field}":{name},"_shards":{}}}"#, self.all_shards()))
    }

    fn search(&mut self, request: &Request) -> Answer {
        let search: Search = match serde_json::from_str(&request.body) {
            Ok(search) => search,
            Err(cause) => return wrong(&format!("unknown search: {cause}")),
        };
        if self.is_unsliced && search.slice.is_some() {
            return wrong("field _id not found");
        }
        if request.parameters.contains("scroll=") {
            return self.scroll_first(&search);
        }
        let name = search.pit.as_ref().map(|pit| pit.id.to_owned());
        if name.as_ref().is_some_and(|name| !self.has_point(name)) {
            return context_missing();
        }
        let from = match search.search_after.map(|after| self.behind(after.get())) {
            None => 0,
            Some(Some(from)) => from,
            Some(None) => return wrong("these are no sort values of this index"),
        };
        let numbers = self.slice(search.slice).filter(|number| *number >= from);
        let has_source = search.source != Some(false.into());
        let hits = numbers
            .take(search.size)
            .map(|number| self.hit(number, search.version, true, has_source));
        // No document has a routing.
        let is_none = search.query.is_some_and(|query| query.get().contains("\"_routing\""));
        let total = if is_none { 0 } else { self.documents.len() };
        let total = search.track_total_hits.then_some(total);
        self.page("pit_id", name.as_deref(), false, total, hits)
    }

    fn has_point(&mut self, name: &str) -> bool {
        for point in self.points.iter_mut().filter(|point| point.is_open) {
            if let Some(used) = point.names.iter().position(|other| other == name) {
                point.names.drain(..used);
                return true;
            }
        }
        false
    }

    /// As text, because hits are to arrive as they are, and in the order of real servers.
    fn page(
        &self,
        field: &str,
        name: Option<&str>,
        ended_early: bool,
        total: Option<usize>,
        hits: impl Iterator<Item = String>,
    ) -> Answer {
        let name = name.map(|name| format!("\"{field}\":{},", json!(name))).unwrap_or_default();
        let early = if ended_early { ",\"terminated_early\":true" } else { "" };
        let total =
            total.map(|value| format!("\"total\":{{\"value\":{value},\"relation\":\"eq\"}},"));
        let hits: Vec<String> = hits.collect();
        let body = format!(
            "{{{name}\"took\":1,\"timed_out\":false{early},\"_shards\":{},\"hits\":{{{}\"max_score\":null,\"hits\":[{}]}}}}",
            self.all_shards(),
            total.unwrap_or_default(),
            hits.join(","),
        );
        Answer::json(200, body)
    }

    /// The document behind the one with these sort values, which must be as they were given.
    fn behind(&self, sort: &str) -> Option<usize> {
        let inside = sort.strip_prefix('[')?.strip_suffix(']')?;
        let (local, key) = inside.split_once(',')?;
        let (local, key): (usize, usize) = (local.parse().ok()?, key.trim().parse().ok()?);
        let shard = (key >> 32).checked_sub(SHARD_BASE)?;
        let number = local * self.shards + shard;
        (self.sort(number) == sort.replace(' ', "")).then_some(number + 1)
    }

    fn sort(&self, number: usize) -> String {
        let (local, shard) = (number / self.shards, number % self.shards);
        format!("[{local},{}]", ((SHARD_BASE + shard) << 32) | local)
    }

    fn slice(&self, slice: Option<Slice>) -> impl Iterator<Item = usize> + use<> {
        let Slice { id, max } = slice.unwrap_or(Slice { id: 0, max: 1 });
        (id..self.documents.len()).step_by(max)
    }

    fn hit(&self, number: usize, has_version: bool, in_point: bool, has_source: bool) -> String {
        let (id, source) = &self.documents[number];
        let (index, id) = (json!(self.index), json!(id));
        let old = if self.like == Like::Elasticsearch710 { "\"_type\":\"_doc\"," } else { "" };
        let version = if has_version { "\"_version\":1," } else { "" };
        let source = if has_source { format!("\"_source\":{source},") } else { String::new() };
        let sort = if in_point { self.sort(number) } else { format!("[{number}]") };
        format!(
            "{{\"_index\":{index},{old}\"_id\":{id},{version}\"_score\":null,{source}\"sort\":{sort}}}"
        )
    }

    fn scroll_first(&mut self, search: &Search) -> Answer {
        if self.open_scrolls() >= self.scrolls_max {
            let reason = "Trying to create too many scroll contexts. Must be less than or equal to: [2]. This limit can be set by changing the [search.max_open_scroll_context] setting.";
            let cause = json!({ "type": "too_many_scroll_contexts_exception", "reason": reason });
            return refusal(429, &cause);
        }
        let name = self.name("scroll");
        let (slice, size, has_version) = (search.slice, search.size, search.version);
        let scroll = Scroll { name, is_open: true, slice, size, at: 0, has_version };
        self.scrolls.push(scroll);
        self.scroll_page(self.scrolls.len() - 1)
    }

    fn scroll_on(&mut self, request: &Request) -> Answer {
        let asked: Value = serde_json::from_str(&request.body).unwrap();
        let name = asked["scroll_id"].as_str().unwrap_or_default();
        match self.scrolls.iter().position(|scroll| scroll.is_open && scroll.name == name) {
            Some(found) => self.scroll_page(found),
            None => context_missing(),
        }
    }

    /// The scroll is past its page when the page is made: whether it arrives is not known.
    fn scroll_page(&mut self, which: usize) -> Answer {
        let Scroll { at, size, slice, has_version, .. } = self.scrolls[which];
        let name = self.scrolls[which].name.clone();
        let numbers = self.slice(slice).skip(at).take(size);
        let hits: Vec<String> =
            numbers.map(|number| self.hit(number, has_version, false, true)).collect();
        self.scrolls[which].at += hits.len();
        let total = self.slice(slice).count();
        let ended_early = at > 0 && self.like == Like::Elasticsearch710;
        self.page("_scroll_id", Some(&name), ended_early, Some(total), hits.into_iter())
    }

    fn close(&mut self, request: &Request) -> Answer {
        let asked: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let named = |name: &str| {
            ["id", "pit_id", "scroll_id"].iter().any(|field| match &asked[*field] {
                Value::String(one) => one == name,
                Value::Array(all) => all.iter().any(|one| one == name),
                _ => false,
            })
        };
        let mut freed = 0;
        for point in self.points.iter_mut().filter(|point| point.is_open) {
            if point.names.iter().any(|name| named(name)) {
                point.is_open = false;
                freed += 1;
            }
        }
        for scroll in self.scrolls.iter_mut().filter(|scroll| scroll.is_open) {
            if named(&scroll.name) {
                scroll.is_open = false;
                freed += 1;
            }
        }
        let status = if freed == 0 { 404 } else { 200 };
        Answer::json(status, json!({ "succeeded": true, "num_freed": freed }).to_string())
    }

    /// As text, in the order of real servers.
    fn all_shards(&self) -> String {
        let shards = self.shards;
        format!(r#"{{"total":{shards},"successful":{shards},"skipped":0,"failed":0}}"#)
    }

    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}-{}+/=", self.names)
    }
}

fn ok(body: &Value) -> Answer {
    Answer::json(200, body.to_string())
}
