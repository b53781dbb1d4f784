//! Where a node is: what was written on the command line to a URL without secrets. Pure.

use elasticsearch::indices::IndicesGetParts;
use reqwest::Url;

use crate::error::{Error, Result};
use crate::loopback::is_loopback;
use crate::secret::Secret;

/// Where Elasticsearch and OpenSearch listen unless told otherwise.
const PORT: u16 = 9200;

/// A node, and the user that stood in its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    pub url: Url,
    pub user: Option<(String, Secret)>,
}

impl NodeAddress {
    /// What was written may hold a password, so it is never part of a message.
    pub fn parse(written: &str) -> Result<NodeAddress> {
        let written = written.trim();
        let has_scheme = written.contains("://");
        let text = if has_scheme { written.to_string() } else { format!("http://{written}") };
        let shown = without_user(written);
        // Nothing of it is repeated: where it was cut wrongly, that may be part of a password.
        let wrong = |what: &str| {
            Error::config(format!("an address of --es-url {what}"))
                .help("write --es-url as host:port, http://host:port or https://host:port")
        };
        let mut url = Url::parse(&text).map_err(|cause| wrong(&format!("is no URL: {cause}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is neither http nor https"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("holds a '?' or '#'"));
        }
        let user = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                Some((decoded(user), Secret::new(decoded(password.unwrap_or_default()))))
            }
        };
        let without_user = url.set_username("").and_then(|()| url.set_password(None));
        without_user.map_err(|()| wrong("cannot hold a user"))?;
        if !has_scheme && url.port().is_none() && !names_port(shown) {
            url.set_port(Some(PORT)).map_err(|()| wrong("cannot have a port"))?;
        }
        // Paths are joined to it, which takes the last part off without this.
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(NodeAddress { url, user })
    }

    /// What is sent there does not leave the machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.url.host_str().unwrap_or_default())
    }

    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// For messages.
    pub fn name(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

/// A port that is the scheme's own is not kept by a parsed URL.
fn names_port(shown: &str) -> bool {
    let host = shown.split('/').next().unwrap_or_default();
    host.ends_with(":80")
}

pub fn without_user(written: &str) -> &str {
    written.rsplit_once('@').map_or(written, |(_, host)| host)
}

/// `%40` is an at sign in a password.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The names of indices as one part of a path. Colons are those of other clusters, and would be
/// taken for a scheme when a path is joined to a URL.
pub fn path_of(indices: &[String]) -> String {
    let names: Vec<&str> = indices.iter().map(String::as_str).collect();
    IndicesGetParts::Index(&names).url().trim_start_matches('/').to_string()
}

/// Where a redirect leads, without what may be a secret in it.
pub fn aim_of(asked: &Url, location: &str) -> Option<String> {
    let mut aim = asked.join(location).ok()?;
    // Fails for what has no host, which has no user either.
    let _ = (aim.set_username(""), aim.set_password(None));
    aim.set_query(None);
    aim.set_fragment(None);
    Some(aim.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_and_perhaps_a_user() {
        for (written, url, user) in [
            ("localhost:9200", "http://localhost:9200/", None),
            ("localhost", "http://localhost:9200/", None),
            ("localhost:80", "http://localhost/", None),
            ("https://es.example", "https://es.example/", None),
            ("http://h/prefix", "http://h/prefix/", None),
            ("[::1]:9200", "http://[::1]:9200/", None),
            ("u:p@h:1", "http://h:1/", Some(("u", "p"))),
            ("https://u:p%40%25x@h", "https://h/", Some(("u", "p@%x"))),
            ("u@h", "http://h:9200/", Some(("u", ""))),
            (" h:1/es/ ", "http://h:1/es/", None),
        ] {
            let address = NodeAddress::parse(written).unwrap();
            assert_eq!(address.url.as_str(), url, "{written}");
            let found =
                address.user.as_ref().map(|(user, secret)| (user.as_str(), secret.reveal()));
            assert_eq!(found, user, "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for written in [
            "",
            "http://",
            "ftp://u:hunter2@h",
            "u:hunter2@",
            "h:1?x",
            "http://u:hunter2@h:99999",
            "h#x",
        ] {
            let error = NodeAddress::parse(written).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("--es-url"), "{error}");
        }
    }

    #[test]
    fn names_of_indices_stay_one_part_of_a_path() {
        let path = |names: &[&str]| {
            path_of(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(path(&["a", "b*", "-c"]), "a,b*,-c");
        assert_eq!(path(&["far:logs-*"]), "far%3Alogs-*");
        assert_eq!(path(&["<a-{now/d}>", "../x?y"]), "%3Ca-%7Bnow%2Fd%7D%3E,..%2Fx%3Fy");
    }

    #[test]
    fn where_a_redirect_leads_is_said_without_secrets() {
        let asked = Url::parse("http://h:1/es/_search").unwrap();
        for (location, aim) in [
            ("https://u:hunter2@other/x?token=hunter2#hunter2", Some("https://other/x")),
            ("/login?back=1", Some("http://h:1/login")),
            ("//o/", Some("http://o/")),
            ("", Some("http://h:1/es/_search")),
            ("mailto:u@h", Some("mailto:u@h")),
            ("http://", None),
        ] {
            assert_eq!(aim_of(&asked, location).as_deref(), aim, "{location}");
        }
    }
}
