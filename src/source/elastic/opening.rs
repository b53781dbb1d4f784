//! Opening: who the server is, what there is to read and how much, and a snapshot of it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

use elasticsearch::indices::IndicesGetAliasParts;
use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::address::{self, NodeAddress};
use super::ask;
use super::client::{Client, Question, RequestSettings, no_json};
use super::credential_mask::CredentialMask;
use super::decode::METADATA_FIELDS;
use super::error_answer::ErrorClass;
use super::indices::{self, Unread};
use super::mapping::{self, Listing, Mappings};
use super::page_reader::{PageReader, within_a_record};
use super::page_sizer;
use super::pinning::{Pinned, pin};
use super::server_info::{self, PagingMethod};
use super::snapshot::IndexSnapshot;
use super::taking::{routed, take, weigh};
use super::{Auth, ElasticSettings};
use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Operation};
use crate::record::{Dates, ErrorType, Field, FieldKind};
use crate::source::named_fields::NamedFields;

/// As many slices as there are shards cost the server nothing; more than this do not help one
/// machine.
pub const SLICES_BY_DEFAULT: u64 = 4;
/// The longest name a document may have.
const ID_CHARS: u32 = 512;
const INDEX_CHARS: u32 = 255;
/// As many names are listed where one is wrong.
const NAMES_SHOWN: usize = 20;
/// A share of the memory for what is kept of all mappings.
const FIELDS_SHARE: usize = 8;

/// What opening found out.
pub struct Opened {
    pub reader: PageReader,
    /// There is no index, and that is allowed.
    pub is_nothing: bool,
    pub fields: Vec<Field>,
    pub total: u64,
    /// Names of the indices.
    pub indices: Vec<String>,
    /// Documents that share a shard with no others of their `_id` only by chance.
    pub routed: u64,
}

pub async fn open(settings: ElasticSettings, observer: Arc<dyn Observer>) -> Result<Opened> {
    let query = settings.query.as_deref().map(ask::clause).transpose()?;
    let client = Arc::new(connect(&settings, observer)?);
    let opened = find_out(settings, query, client.clone()).await;
    // Names that a server gives may be anything, too.
    opened.map_err(|error| client.mask().error(error))
}

async fn find_out(
    settings: ElasticSettings,
    query: Option<Box<RawValue>>,
    client: Arc<Client>,
) -> Result<Opened> {
    let server = server_info::identify(&client).await?;
    let names: Vec<String> = settings
        .indices
        .iter()
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_string())
        .filter(|name| !name.is_empty())
        .collect();
    let title = names.join(",");
    let indices = address::path_of(&names);
    if names.is_empty() {
        let error = Error::config("no index is named").help("set --es-index");
        return Err(with_names(error, &client).await);
    }
    let mut mappings = match look(&settings, &client, &title, &indices).await? {
        Some(mappings) => mappings,
        None => return Ok(nothing(&settings, client, title, indices)),
    };
    let index_count = mappings.indices.len();
    let known = flat_settings(&client, &indices).await?;
    // Newer servers have no index that is so old.
    if known.is_some() || server.may_hold_old_indices() {
        mapping::doubt_old_dates(&mut mappings.fields, known.as_ref());
    }
    let is_all_listed = known.as_ref().is_some_and(|known| !mapping::may_be_unlisted(known));
    let known = known.unwrap_or_default();
    refuse_without_source(&mappings, &known)?;
    declare(&mut mappings.fields, &settings.dates)?;
    warn_of_rebuilt(&mappings, &known);
    if is_all_listed {
        refuse_unknown(&settings, &mappings, &title)?;
    }
    warn_of_missing(&settings, &mappings, &title);
    let window = mapping::smallest_window(&known).unwrap_or(page_sizer::PAGE_RECORDS_MAX);
    let is_alias = names.iter().any(|name| !mappings.indices.contains(name));
    let Pinned { query, loose } =
        pin(&client, &indices, query, is_alias, &mappings.computed).await?;
    if let Some(place) = &loose {
        tracing::warn!(
            "{place} may hold 'now', which a server evaluates anew for each page: '{title}' is read by one scroll without slices, which evaluates it once"
        );
    }
    let asks_for_vectors =
        mappings.has_vectors && asks_for_vectors(&client, &title, &indices).await?;
    let paging_methods =
        if loose.is_some() { &[PagingMethod::Scroll] } else { server.paging_methods() };
    let (snapshot, count) =
        take(paging_methods, &client, &indices, &title, query.as_deref(), &settings).await?;
    let is_scroll = snapshot.paging_method() == PagingMethod::Scroll;
    // Where each index has one shard, an `_id` is there once in it.
    let routed = match count.shards > index_count as u64 {
        true => routed(&client, &snapshot, &indices, query.as_deref()).await,
        false => 0,
    };
    let slices = match settings.slices {
        _ if loose.is_some() => 1,
        Some(slices) => slices.max(1),
        None if is_scroll => 1,
        None => SLICES_BY_DEFAULT.min(count.shards).max(1) as usize,
    };
    let may_share_keys =
        snapshot.paging_method() == PagingMethod::OpenSearch && (index_count > 1 || is_alias);
    let mut reader = PageReader {
        slices: AtomicUsize::new(slices),
        sort: if may_share_keys { ask::SORT_OF_INDICES } else { ask::SORT },
        asks_for_vectors,
        total: count.total,
        window: window.clamp(1, page_sizer::PAGE_RECORDS_MAX),
        query,
        // A scroll takes its snapshot later, and a slice may take part in fewer shards.
        shards: (!is_scroll && slices == 1).then_some(count.shards),
        ..reader(&settings, client, snapshot, title, indices)
    };
    if is_scroll {
        reader.scroll_size = weigh(&reader).await?;
    }
    Ok(Opened {
        reader,
        is_nothing: false,
        fields: with_metadata(mappings.fields),
        total: count.total,
        indices: mappings.indices,
        routed,
    })
}

fn reader(
    settings: &ElasticSettings,
    client: Arc<Client>,
    snapshot: IndexSnapshot,
    title: String,
    indices: String,
) -> PageReader {
    PageReader {
        client,
        snapshot: Arc::new(snapshot),
        runtime: tokio::runtime::Handle::current(),
        title,
        indices,
        query: None,
        include: settings.include.clone(),
        exclude: settings.exclude.clone(),
        asks_for_vectors: false,
        sort: ask::SORT,
        total: 0,
        delivered: AtomicU64::new(0),
        slices: AtomicUsize::new(1),
        version: AtomicBool::new(settings.metadata.has_version()),
        limit: Mutex::new(within_a_record(settings.limit)),
        window: page_sizer::PAGE_RECORDS_MAX,
        scroll_size: 1,
        shards: None,
        scrolled: AtomicU64::new(0),
    }
}

/// Wildcards that match nothing, and that is allowed.
fn nothing(
    settings: &ElasticSettings,
    client: Arc<Client>,
    title: String,
    indices: String,
) -> Opened {
    let snapshot = IndexSnapshot::scrolling(client.clone(), settings.keep_alive);
    let reader = reader(settings, client, snapshot, title, indices);
    Opened {
        reader,
        is_nothing: true,
        fields: with_metadata(Vec::new()),
        total: 0,
        indices: Vec::new(),
        routed: 0,
    }
}

fn connect(settings: &ElasticSettings, observer: Arc<dyn Observer>) -> Result<Client> {
    let mut addresses = settings
        .urls
        .iter()
        .map(|url| NodeAddress::parse(url))
        .collect::<Result<Vec<NodeAddress>>>()?;
    let mut auth = settings.auth.clone();
    let mut all = vec![auth.clone()];
    all.extend(addresses.iter().filter_map(|address| {
        let (user, password) = address.user.clone()?;
        Some(Auth::Basic { user, password })
    }));
    if let Some((user, password)) = addresses.iter_mut().find_map(|address| address.user.take()) {
        if !matches!(auth, Auth::None) {
            return Err(Error::config("--es-url holds a user, and other options name one, too")
                .help("keep one of them"));
        }
        auth = Auth::Basic { user, password };
    }
    for address in &addresses {
        let is_open = !address.is_encrypted() && !address.is_loopback();
        if is_open && !matches!(auth, Auth::None) {
            tracing::warn!(
                "credentials are sent to '{}' without encryption, so anyone between can read them; write https:// in --es-url",
                address.name()
            );
        }
    }
    if settings.tls.insecure && addresses.iter().any(NodeAddress::is_encrypted) {
        tracing::warn!(
            "certificates are not checked, so anyone between can pretend to be the server; set --es-ca instead of --es-insecure"
        );
    }
    let manner = RequestSettings {
        timeout: settings.request_timeout,
        compress: settings.compress,
        memory: settings.memory,
    };
    Client::new(addresses, &auth, CredentialMask::new(&all), &settings.tls, manner, observer)
}

/// The mappings of what was asked for; none where that is nothing, and allowed to be.
async fn look(
    settings: &ElasticSettings,
    client: &Client,
    title: &str,
    indices: &str,
) -> Result<Option<Mappings>> {
    let asked = format!("the mapping of '{title}'");
    let path = format!("/{indices}/_mapping");
    let mut answer = client.ask(Question::get(Operation::Mapping, &path)).await?;
    if answer.status == 404 && answer.refusal().trouble == ErrorClass::NoIndex {
        let error = answer.given(&asked).err().unwrap_or_else(|| Error::config("no index"));
        return Err(with_names(error, client).await);
    }
    let named: Vec<String> = settings
        .asked
        .iter()
        .flat_map(|naming| naming.names.clone())
        .filter(|name| !METADATA_FIELDS.contains(&name.as_str()))
        .collect();
    let listing = Listing {
        flatten: settings.flatten,
        include: &settings.include,
        exclude: &settings.exclude,
        asked: &named,
    };
    let mut mappings = Mappings::of_none(listing);
    let kept_max = client.memory() / FIELDS_SHARE;
    let has_halves = indices::without_halves(&mut answer.body);
    let read = indices::each(&answer.given(&asked)?, client.memory() / indices::SHARE, |one| {
        mapping::read(one, listing, &mut mappings);
        match mappings.weight() <= kept_max {
            true => Ok(()),
            false => Err(Unheld::TooMany),
        }
    });
    read.map_err(|unheld| unheld.error(&asked))?;
    mappings.sort();
    if has_halves {
        tracing::warn!(
            "{asked} has a field whose name holds half of a surrogate pair, which is no text: it becomes no column, and documents with it are rejected where fields are columns"
        );
        mappings.fields.retain(|field| !field.name.contains(char::REPLACEMENT_CHARACTER));
    }
    if mappings.indices.is_empty() {
        if settings.allow_no_indices {
            return Ok(None);
        }
        let error = Error::config(format!("no index matches '{title}'"))
            .help("set --es-index, or --allow-empty where that may be");
        return Err(with_names(error, client).await);
    }
    Ok(Some(mappings))
}

fn refuse_without_source(mappings: &Mappings, settings: &Value) -> Result<()> {
    let by_settings = || mapping::without_source_by_settings(settings);
    let Some(index) = mappings.without_source.clone().or_else(by_settings) else { return Ok(()) };
    let message = format!("the index '{index}' does not keep its documents");
    Err(Error::config(message).help(
        "its mapping says _source.enabled: false, or its settings index.mapping.source.mode: disabled; leave it out of --es-index",
    ))
}

/// Servers from Elasticsearch 9.2 on send vectors only where they are asked for in words that others
/// do not know, and those send them anyway.
async fn asks_for_vectors(client: &Client, title: &str, indices: &str) -> Result<bool> {
    let path = format!("/{indices}/_search");
    let question = Question {
        operation: Operation::Count,
        method: Method::POST,
        path: &path,
        parameters: &[],
        body: Some(ask::WITH_VECTORS.to_string()),
    };
    let answer = client.ask(question).await?;
    if answer.status == 400 && answer.refusal().trouble == ErrorClass::Wrong {
        return Ok(false);
    }
    answer.given(&format!("asking for the vectors of '{title}'")).map(|_| true)
}

/// Why there is no room for what is known of the indices.
enum Unheld {
    Unread(Unread),
    /// All fields together.
    TooMany,
}

impl From<Unread> for Unheld {
    fn from(unread: Unread) -> Unheld {
        Unheld::Unread(unread)
    }
}

impl Unheld {
    fn error(self, asked: &str) -> Error {
        let too_large = |what: String| {
            let message = format!("{asked}: {what} than there is memory for");
            Error::new(Kind::Config, ErrorType::TooLarge, message)
        };
        match self {
            Unheld::Unread(Unread::NoJson(cause)) => no_json(asked, cause),
            Unheld::Unread(Unread::TooLarge(index)) => {
                too_large(format!("that of the index '{index}' takes more"))
                    .help("leave it out of --es-index, or raise --memory-limit")
            }
            Unheld::TooMany => too_large("more fields or indices".to_string())
                .help("choose with --es-index or --es-fields, or raise --memory-limit"),
        }
    }
}

/// Those of the settings that are looked at. An index has a hundred others.
const SETTINGS: [&str; 6] = [
    mapping::UNLISTED,
    "index.mapping.source.mode",
    "index.mode",
    "index.derived_source.enabled",
    "index.max_result_window",
    "index.version.created",
];

/// What the user said of dates goes before what mappings say.
fn declare(fields: &mut [Field], dates: &[(String, Dates)]) -> Result<()> {
    for (name, dates) in dates {
        match fields.iter_mut().find(|field| field.name == *name) {
            Some(field) => {
                field.kind = FieldKind::Time;
                field.dates = dates.clone();
                field.is_declared = true;
            }
            None => {
                let name = name.escape_debug();
                let message = format!("--types names '{name}', which is no field of the mapping");
                return Err(Error::config(message)
                    .help("flowgauge check lists the fields; with --flatten, those in objects are named outer.inner"));
            }
        }
    }
    Ok(())
}

/// Settings of the indices, where we may see them.
async fn flat_settings(client: &Client, indices: &str) -> Result<Option<Value>> {
    let path = format!("/{indices}/_settings?flat_settings=true");
    let answer = client.ask(Question::get(Operation::Mapping, &path)).await?;
    let asked = "the settings of the indices";
    let Ok(body) = answer.given(asked) else { return Ok(None) };
    let (mut known, mut bytes) = (Map::new(), 0);
    let read = indices::each(&body, client.memory() / indices::SHARE, |one| {
        for (index, value) in one.as_object().into_iter().flatten() {
            let all = value["settings"].as_object().into_iter().flatten();
            let looked_at: Map<String, Value> = all
                .filter(|(name, _)| SETTINGS.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let value = json!({ "settings": looked_at });
            bytes += index.len() + indices::weight(value.to_string().as_bytes());
            known.insert(index.clone(), value);
        }
        match bytes <= client.memory() / FIELDS_SHARE {
            true => Ok(()),
            false => Err(Unheld::TooMany),
        }
    });
    match read {
        Err(Unheld::Unread(Unread::NoJson(_))) => Ok(None),
        Err(unheld) => Err(unheld.error(asked)),
        Ok(()) => Ok(Some(Value::Object(known))),
    }
}

fn warn_of_rebuilt(mappings: &Mappings, settings: &Value) {
    let by_settings = || mapping::synthetic_by_settings(settings);
    if let Some(index) = mappings.synthetic.clone().or_else(by_settings) {
        tracing::warn!(
            "the index '{index}' does not keep documents as they were sent: the server rebuilds them, with fields in another order and arrays moved"
        );
    }
}

/// Where an option names fields, and no document has any of them.
fn refuse_unknown(settings: &ElasticSettings, mappings: &Mappings, title: &str) -> Result<()> {
    let is_unknown = |name: &String| mappings.unknown.contains(name);
    for NamedFields { flag, names, .. } in &settings.asked {
        if !names.is_empty() && names.iter().all(is_unknown) {
            let shown: Vec<_> = names.iter().map(|name| name.escape_debug().to_string()).collect();
            let shown = shown.join("' or '");
            let message =
                format!("no mapping of '{title}' has a field '{shown}', named by --{flag}");
            return Err(Error::config(message)
                .help("flowgauge check lists the fields of what is named rightly"));
        }
    }
    Ok(())
}

fn warn_of_missing(settings: &ElasticSettings, mappings: &Mappings, title: &str) {
    if let Some(index) = &mappings.filtered {
        tracing::warn!(
            "the index '{index}' keeps only parts of its documents: its mapping has _source.includes or _source.excludes, and what they leave out cannot be read"
        );
    }
    let asked = settings.asked.iter().map(|naming| (naming.flag, &naming.names));
    for (flag, names) in asked.chain([("es-fields", &settings.exclude)]) {
        let unknown = names.iter().filter(|name| mappings.unknown.contains(name));
        let unknown: Vec<_> = unknown.map(|name| name.escape_debug().to_string()).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join("', '");
            tracing::warn!(
                "no mapping of '{title}' has a field '{unknown}', named by --{flag}: documents come without it"
            );
        }
    }
}

/// Adds the names there are to an error about one that is not.
async fn with_names(error: Error, client: &Client) -> Error {
    let Ok(answer) =
        client.ask(Question::get(Operation::Info, &IndicesGetAliasParts::None.url())).await
    else {
        return error;
    };
    let Ok(value) = answer.accepted("the names of indices") else { return error };
    let mut names = Vec::new();
    for (index, value) in value.as_object().into_iter().flatten() {
        names.push(index.as_str());
        names.extend(
            value["aliases"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()),
        );
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return error.help("set --es-index; the server has no index that may be seen");
    }
    let rest = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    error.help(format!("set --es-index; there are {}{more}", names.join(", ")))
}

fn with_metadata(mut fields: Vec<Field>) -> Vec<Field> {
    let metadata = METADATA_FIELDS.iter().map(|name| {
        let kind = match *name {
            "_version" => FieldKind::Int(64),
            "_index" => FieldKind::Keyword(INDEX_CHARS),
            "_id" => FieldKind::Keyword(ID_CHARS),
            _ => FieldKind::Text,
        };
        Field { is_beside: true, ..Field::new(*name, kind, *name) }
    });
    fields.extend(metadata);
    fields
}
