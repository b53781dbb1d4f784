//! Elasticsearch and OpenSearch. The only split is a snapshot; a segment is a page of each of its
//! slices, hits one a line; the decoder takes documents out of hits.
//!
//! A page counts only when it is complete, and is asked for again when it is not.

mod address;
mod ask;
mod body;
mod circuit;
mod clash;
mod client;
mod credential_mask;
mod cursor;
mod decode;
mod error_answer;
mod failure;
mod growth;
mod indices;
mod malformed;
mod mapping;
mod node;
mod now;
mod opening;
mod order;
mod page;
mod page_faults;
mod page_reader;
mod page_sizer;
mod pinning;
mod sampling;
mod server_info;
mod slice;
mod snapshot;
mod taking;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use self::clash::Clash;
use self::cursor::HitCursor;
use self::decode::{HitDecode, METADATA_FIELDS};
pub use self::opening::SLICES_BY_DEFAULT;
use self::page_reader::PageReader;
use super::document::Picker;
use super::named_fields::{FieldCheck, NamedFields};
use super::sample::{Sampled, declare_bytes, name_columns};
use super::{Cursor, Decode, SegmentLimit, Source, Split, Wanted};
use crate::error::{Error, Kind, Later, Result};
use crate::event::{Expected, Observer};
use crate::infer::Sample;
use crate::record::{ColumnType, Dates, ErrorType, Field};
use crate::report::text::{count, counted};
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub struct ElasticSettings {
    /// Nodes of one cluster. Without a scheme, http is meant; a user in it is taken off and used.
    pub urls: Vec<String>,
    /// Names, wildcards, aliases or data streams, also several in one by commas.
    pub indices: Vec<String>,
    /// A query clause in JSON, or a body that holds one.
    pub query: Option<String>,
    /// Fields of documents that are sent; all without any.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub auth: Auth,
    pub tls: ElasticTls,
    /// Parts that are read side by side.
    pub slices: Option<usize>,
    pub metadata: Metadata,
    /// An object in a document is its fields, named `outer.inner`.
    pub flatten: bool,
    /// What stands between the names of such fields where they are columns, if that is no dot.
    pub separator: Option<String>,
    /// Fields whose dates are not written as the mapping says.
    pub dates: Vec<(String, Dates)>,
    /// What columns are to be that are made for these.
    pub types: Vec<(String, ColumnType)>,
    /// Fields that the user named.
    pub asked: Vec<NamedFields>,
    /// As long as the server keeps a snapshot that nobody asks for.
    pub keep_alive: Duration,
    /// As long as an answer may take to begin, and to come beyond what it needs on a slow network.
    pub request_timeout: Duration,
    /// Pages are sent packed: slower, but for slow networks.
    pub compress: bool,
    /// A wildcard that matches nothing is nothing to read, and no mistake.
    pub allow_no_indices: bool,
    pub limit: SegmentLimit,
    /// Bytes that the run may take, of which nothing is used before the first page.
    pub memory: usize,
}

/// What goes in front of the fields of whole documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// What tells documents apart, so that they can be restored: `_id`, `_routing` where a document has
    /// one, and `_index` where there are several indices.
    Identity,
    /// These of `_id`, `_index`, `_routing` and `_version`.
    Named(Vec<String>),
}

impl Metadata {
    fn names(&self, index_count: usize) -> Vec<String> {
        let names: &[&str] = match self {
            Metadata::Named(names) => return names.clone(),
            Metadata::Identity if index_count > 1 => &["_id", "_routing", "_index"],
            Metadata::Identity => &["_id", "_routing"],
        };
        names.iter().map(|name| name.to_string()).collect()
    }

    fn has_version(&self) -> bool {
        matches!(self, Metadata::Named(names) if names.iter().any(|name| name == "_version"))
    }
}

#[derive(Clone, Debug)]
pub enum Auth {
    None,
    Basic {
        user: String,
        password: Secret,
    },
    /// `id:key`, or both encoded as one.
    ApiKey(Secret),
    Bearer(Secret),
}

#[derive(Clone, Debug, Default)]
pub struct ElasticTls {
    /// Trusted besides those the system trusts.
    pub ca: Option<PathBuf>,
    /// Any certificate will do.
    pub insecure: bool,
}

impl ElasticSettings {
    /// The nodes without who logs in to them.
    pub fn shown_urls(&self) -> String {
        let shown: Vec<&str> = self.urls.iter().map(|url| address::without_user(url)).collect();
        shown.join(",")
    }

    /// Host and port of the node that is named first.
    pub fn first_node(&self) -> Option<String> {
        let node = address::NodeAddress::parse(self.urls.first()?).ok()?;
        let port = node.url.port_or_known_default()?;
        Some(format!("{}:{port}", node.url.host_str()?))
    }
}

pub struct ElasticSource {
    reader: Arc<PageReader>,
    splits: Vec<Split>,
    fields: Vec<Field>,
    metadata: Vec<String>,
    flatten: bool,
    separator: Option<String>,
    /// Hits when the snapshot was taken.
    total: u64,
    /// Names of the indices.
    indices: Vec<String>,
    types: Vec<(String, ColumnType)>,
    /// Documents with a routing of their own, where there are several shards.
    routed: u64,
    keeper: Mutex<Option<KeepAliveTask>>,
    asked: FieldCheck,
}

/// Keeps the snapshot alive until it is dropped.
struct KeepAliveTask(AbortHandle);

impl Drop for KeepAliveTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ElasticSource {
    /// Finds out who the server is, what there is to read, and takes a snapshot of it. Is called on
    /// a runtime, which has to be there as long as the source. Tries nothing twice.
    pub async fn open(
        settings: ElasticSettings,
        observer: Arc<dyn Observer>,
    ) -> Result<ElasticSource> {
        let metadata = settings.metadata.clone();
        let flatten = settings.flatten;
        let types = settings.types.clone();
        let separator = settings.separator.clone();
        let asked = FieldCheck::new(&settings.asked);
        let mut opened = opening::open(settings, observer).await?;
        declare_bytes(&mut opened.fields, &types);
        name_columns(&mut opened.fields, separator.as_deref());
        let names: Vec<String> = match opened.is_nothing {
            true => Vec::new(),
            false => vec![opened.reader.title.clone()],
        };
        let snapshot = opened.reader.snapshot.clone();
        let is_kept =
            snapshot.paging_method() != server_info::PagingMethod::Scroll && !names.is_empty();
        let keeper = is_kept.then(|| {
            KeepAliveTask(tokio::spawn(async move { snapshot.keep().await }).abort_handle())
        });
        Ok(ElasticSource {
            reader: Arc::new(opened.reader),
            splits: names.into_iter().map(|name| Split { name, is_file: false }).collect(),
            fields: opened.fields,
            metadata: metadata.names(opened.indices.len()),
            flatten,
            separator,
            total: opened.total,
            indices: opened.indices,
            types,
            routed: opened.routed,
            keeper: Mutex::new(keeper),
            asked,
        })
    }
}

impl Drop for ElasticSource {
    fn drop(&mut self) {
        self.reader.snapshot.close_now();
    }
}

impl Source for ElasticSource {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, _split: usize, limit: SegmentLimit) -> Result<Box<dyn Cursor + '_>> {
        self.reader.set_limit(limit);
        Ok(Box::new(HitCursor::new(self.reader.clone())))
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn sample(&self, columns: &[String]) -> Result<Sampled> {
        let taken = async {
            match self.splits.is_empty() {
                true => Ok(Sample::default()),
                false => {
                    sampling::take(&self.reader, &self.indices, &self.fields, self.flatten).await
                }
            }
        };
        // Names that a server gives may be anything, too.
        let hidden = |error| self.reader.client.mask().error(error);
        let sample = self.reader.runtime.block_on(taken).map_err(hidden)?;
        let separator = self.separator.as_deref();
        sampling::fitted(&self.fields, &sample, self.flatten, separator, &self.types, columns)
    }

    fn key(&self) -> &[&str] {
        if self.indices.len() > 1 { &["_index", "_id"] } else { &["_id"] }
    }

    fn doubts(&self, key: &[&str]) -> Vec<String> {
        let is_name =
            key.contains(&"_id") && key.iter().all(|field| METADATA_FIELDS.contains(field));
        let mut doubts = Vec::new();
        if is_name && self.indices.len() > 1 && !key.contains(&"_index") {
            doubts.push(format!(
                "'{}' is {} indices, and documents of several that share an _id share the key ({}), so that only one of them stays; a key with _index keeps them all",
                self.reader.title,
                self.indices.len(),
                key.join(", ")
            ));
        }
        if is_name && self.routed > 0 && !key.contains(&"_routing") {
            doubts.push(format!(
                "'{}' has {} with a routing of their own, and those that share an _id share the key ({}), so that only one of them stays; a key with _routing keeps them all",
                self.reader.title,
                counted(self.routed, "document"),
                key.join(", ")
            ));
        }
        doubts
    }

    fn decoder(&self, wanted: &Wanted) -> Result<Arc<dyn Decode>> {
        let names = match wanted {
            Wanted::Everything => &self.metadata,
            Wanted::Fields { names, .. } => names,
        };
        let version = names.iter().any(|name| name == "_version");
        self.reader.version.store(version, Ordering::Relaxed);
        let picker = Picker::new(wanted, METADATA_FIELDS, self.flatten).with_paths();
        let picker = picker.joined_by(self.separator.as_deref());
        let watch = self.asked.watch(&picker.shape(), METADATA_FIELDS);
        Ok(Arc::new(HitDecode {
            names: self.splits.iter().map(|split| split.name.clone()).collect(),
            picker: picker.watched(watch),
            metadata: self.metadata.clone(),
            clash: Clash::new(&self.metadata),
        }))
    }

    fn expected(&self) -> Expected {
        Expected { records: Some(self.total), stored_bytes: None }
    }

    fn confirm(&self, records: u64) -> Result<()> {
        // Scrolls see the index as it is when each of them begins.
        let total = match self.reader.is_scroll() {
            true => self.reader.scrolled.load(Ordering::Relaxed),
            false => self.total,
        };
        if records == total {
            return self.asked.judge();
        }
        let title = &self.reader.title;
        let message = format!(
            "'{title}' holds {}, but {} were delivered",
            counted(total, "document"),
            count(records)
        );
        Err(Error::new(Kind::Data, ErrorType::PartialResult, message).help("run again"))
    }

    fn close(&self) -> Later<'_, ()> {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(keeper);
        Box::pin(self.reader.snapshot.close())
    }
}
