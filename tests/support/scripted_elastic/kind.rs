//! What a request is about, and which server is asked.

use super::wire::Request;

/// What is asked, as far as a fault may be about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Info,
    Mapping,
    OpenPoint,
    /// A search with exact totals and without hits.
    Count,
    /// A search that asks for hits: in a point in time, or the first of a scroll.
    Page,
    /// A search that asks for hits of the index as it is.
    Sample,
    /// The next page of a scroll.
    ScrollOn,
    /// A search without hits and totals.
    KeepAlive,
    Close,
    Other,
}

/// Whose behaviour it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    Elasticsearch9,
    OpenSearch3,
    /// Without points in time.
    Elasticsearch710,
}

impl Kind {
    pub fn of(request: &Request) -> Kind {
        let path = request.path.as_str();
        let closes = request.method == "DELETE";
        let asks = |text: &str| request.body.replace(' ', "").contains(text);
        match () {
            () if closes => Kind::Close,
            () if path == "/" || path.starts_with("/_nodes") => Kind::Info,
            () if path.ends_with("/_mapping") => Kind::Mapping,
            () if path.ends_with("/_pit") || path.ends_with("/point_in_time") => Kind::OpenPoint,
            () if path == "/_search/scroll" => Kind::ScrollOn,
            () if !path.ends_with("/_search") => Kind::Other,
            () if !asks("\"size\":0,") => {
                let is_kept = asks("\"pit\":") || request.parameters.contains("scroll=");
                if is_kept { Kind::Page } else { Kind::Sample }
            }
            () if asks("\"track_total_hits\":true") => Kind::Count,
            () => Kind::KeepAlive,
        }
    }
}
