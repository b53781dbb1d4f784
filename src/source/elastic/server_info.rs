//! Which server it is, and how it is read: not every one has snapshots that can be paged through.

use elasticsearch::nodes::NodesInfoParts;
use serde_json::Value;

use super::client::{Answer, Client, Question};
use super::error_answer::ErrorClass;
use crate::error::Result;
use crate::event::Operation;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Elasticsearch,
    OpenSearch,
}

/// A server, as far as it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    pub product: Option<Product>,
    pub version: Option<(u32, u32)>,
}

/// How a server is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagingMethod {
    /// A point in time at `_pit`.
    Elastic,
    /// A point in time at `_search/point_in_time`.
    OpenSearch,
    /// No snapshot that gives a page twice, or no order in it that is total.
    Scroll,
}

/// The first with slices in a point in time and an order in it that skips nothing.
const ELASTIC_PIT: (u32, u32) = (7, 16);
/// The first with `_shard_doc`, without which documents are lost between pages.
const OPENSEARCH_PIT: (u32, u32) = (3, 3);

impl ServerInfo {
    /// Indices made before version 7 of Elasticsearch; where nothing is known of the server, too.
    pub fn may_hold_old_indices(self) -> bool {
        match (self.product, self.version) {
            (Some(Product::Elasticsearch), Some((major, _))) => major < 8,
            (Some(Product::OpenSearch), Some((major, _))) => major < 2,
            _ => true,
        }
    }

    /// What to try, best first.
    pub fn paging_methods(self) -> &'static [PagingMethod] {
        match (self.product, self.version) {
            (Some(Product::Elasticsearch), Some(version)) if version < ELASTIC_PIT => {
                &[PagingMethod::Scroll]
            }
            (Some(Product::Elasticsearch), _) => &[PagingMethod::Elastic, PagingMethod::Scroll],
            (Some(Product::OpenSearch), Some(version)) if version < OPENSEARCH_PIT => {
                &[PagingMethod::Scroll]
            }
            (Some(Product::OpenSearch), _) => &[PagingMethod::OpenSearch, PagingMethod::Scroll],
            (None, _) => &[PagingMethod::Elastic, PagingMethod::OpenSearch, PagingMethod::Scroll],
        }
    }
}

/// Asks the server who it is. That `GET /` is missing or forbidden is common, and no reason to
/// stop; that it does not know us is.
pub async fn identify(client: &Client) -> Result<ServerInfo> {
    let answer = client.ask(Question::get(Operation::Info, "/")).await?;
    if let Some(server) = from_root(&answer) {
        return Ok(server);
    }
    refuse_strangers(&answer)?;
    let path = NodesInfoParts::NodeId(&["_local"]).url();
    let parameters = &[("filter_path", "nodes.*.version,nodes.*.build_flavor")];
    let question = Question { parameters, ..Question::get(Operation::Info, &path) };
    let answer = client.ask(question).await?;
    refuse_strangers(&answer)?;
    Ok(from_nodes(&answer))
}

/// Fails where asking something else would not help either.
fn refuse_strangers(answer: &Answer) -> Result<()> {
    if answer.status == 200 {
        return Ok(());
    }
    let refusal = answer.refusal();
    match refusal.trouble {
        // Who may not see the version may be allowed to read all the same.
        ErrorClass::Forbidden | ErrorClass::Wrong => Ok(()),
        _ => Err(refusal.error("the server's version")),
    }
}

fn from_root(answer: &Answer) -> Option<ServerInfo> {
    let root: Value = serde_json::from_slice(&answer.body).ok()?;
    let version = &root["version"];
    let number = version["number"].as_str()?;
    let is_opensearch = version["distribution"].as_str() == Some("opensearch");
    // OpenSearch can be told to call itself Elasticsearch 7.10.2, which is read by scroll, too.
    let product = if is_opensearch { Product::OpenSearch } else { Product::Elasticsearch };
    Some(ServerInfo { product: Some(product), version: parsed(number) })
}

fn from_nodes(answer: &Answer) -> ServerInfo {
    let nodes: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let node = nodes["nodes"].as_object().and_then(|nodes| nodes.values().next());
    let node = node.unwrap_or(&Value::Null);
    let version = node["version"].as_str().and_then(parsed);
    let is_elastic = answer.is_elastic || node["build_flavor"].is_string();
    let product = match version {
        _ if is_elastic => Some(Product::Elasticsearch),
        // Elasticsearch of the same numbers is older than anything that is read here.
        Some((major, _)) if major < 6 => Some(Product::OpenSearch),
        _ => None,
    };
    ServerInfo { product, version }
}

fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> Answer {
        let path = format!("{}/tests/golden/elastic/{name}.json", env!("CARGO_MANIFEST_DIR"));
        Answer {
            status: 200,
            is_elastic: false,
            retry_after: None,
            body: std::fs::read(path).unwrap(),
        }
    }

    #[test]
    fn a_server_is_known_by_what_it_says() {
        use Product::{Elasticsearch, OpenSearch};
        for (name, product, version) in [
            ("elasticsearch717-info", Elasticsearch, (7, 17)),
            ("elasticsearch710-info", Elasticsearch, (7, 10)),
            ("opensearch3-info", OpenSearch, (3, 4)),
        ] {
            let server = from_root(&golden(name)).unwrap();
            assert_eq!((server.product, server.version), (Some(product), Some(version)), "{name}");
        }
        assert_eq!(from_root(&golden("elasticsearch9-info")), None);
        for (name, product, version) in [
            ("elasticsearch9-nodes", Elasticsearch, (9, 2)),
            ("elasticsearch710-nodes", Elasticsearch, (7, 10)),
            ("opensearch3-nodes", OpenSearch, (3, 4)),
        ] {
            let server = from_nodes(&golden(name));
            assert_eq!((server.product, server.version), (Some(product), Some(version)), "{name}");
        }
    }

    #[test]
    fn a_server_is_read_as_its_version_allows() {
        use PagingMethod::{Elastic, OpenSearch, Scroll};
        let server =
            |product, version| ServerInfo { product: Some(product), version: Some(version) };
        for (server, paging_methods) in [
            (server(Product::Elasticsearch, (7, 15)), &[Scroll][..]),
            (server(Product::Elasticsearch, (7, 16)), &[Elastic, Scroll]),
            (server(Product::Elasticsearch, (9, 2)), &[Elastic, Scroll]),
            (server(Product::OpenSearch, (2, 19)), &[Scroll]),
            (server(Product::OpenSearch, (3, 2)), &[Scroll]),
            (server(Product::OpenSearch, (3, 3)), &[OpenSearch, Scroll]),
            (ServerInfo::default(), &[Elastic, OpenSearch, Scroll]),
        ] {
            assert_eq!(server.paging_methods(), paging_methods, "{server:?}");
        }
    }

    /// OpenSearch 1 holds indices that Elasticsearch 6 made.
    #[test]
    fn a_server_may_hold_old_indices_until_its_version_says_otherwise() {
        for (product, version, expected) in [
            (Some(Product::Elasticsearch), Some((7, 17)), true),
            (Some(Product::Elasticsearch), Some((8, 0)), false),
            (Some(Product::OpenSearch), Some((1, 3)), true),
            (Some(Product::OpenSearch), Some((2, 0)), false),
            (Some(Product::Elasticsearch), None, true),
            (None, Some((9, 2)), true),
            (None, None, true),
        ] {
            let server = ServerInfo { product, version };
            assert_eq!(server.may_hold_old_indices(), expected, "{server:?}");
        }
    }

    /// Who says a version of Elasticsearch, but nothing else that it would say.
    #[test]
    fn a_number_alone_makes_no_product() {
        for (version, product) in [("6.8.0", None), ("5.9.9", Some(Product::OpenSearch))] {
            let body = format!(r#"{{"nodes":{{"n":{{"version":"{version}"}}}}}}"#).into_bytes();
            let answer = Answer { status: 200, is_elastic: false, retry_after: None, body };
            assert_eq!(from_nodes(&answer).product, product, "{version}");
        }
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(parsed("9.2.0"), Some((9, 2)));
        assert_eq!(parsed("8.19.0-SNAPSHOT"), Some((8, 19)));
        assert_eq!(parsed("x"), None);
        assert_eq!(parsed(""), None);
    }
}
