//! `--metrics-web-config`: the file in which the exporters of Prometheus say how their server is
//! protected. What is not supported in it is refused by name, so that nobody believes in a protection
//! that is not there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::tls::{ClientCertificates, TlsFiles, TlsVersion};
use crate::error::{Error, Result};
use crate::observe::yaml::{self, Flaw, Node, Value};

/// Some users and names of files.
const BYTES_MAX: u64 = 256 << 10;
/// From here on one password takes seconds of a CPU.
const COST_MAX: u32 = 14;

#[derive(Debug, Default)]
pub struct WebConfig {
    pub tls: Option<TlsFiles>,
    /// Their hashes by name.
    pub users: HashMap<String, String>,
}

impl WebConfig {
    pub fn read(path: &Path) -> Result<WebConfig> {
        let shown = path.display();
        let text = read_small(path).map_err(|cause| {
            Error::config(format!("cannot read the web configuration '{shown}'"))
                .help("set --metrics-web-config to a file as the exporters of Prometheus have it")
                .because(cause)
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        WebConfig::parse(&text, folder).map_err(|flaw| {
            Error::config(format!("web configuration '{shown}', {flaw}"))
                .help("see --metrics-web-config in METRICS.md")
        })
    }

    /// Files in it are found from `folder`.
    fn parse(text: &str, folder: &Path) -> std::result::Result<WebConfig, Flaw> {
        let mut config = WebConfig::default();
        for (name, node) in members(&yaml::parse(text)?, "the file")? {
            match name.as_str() {
                "tls_server_config" => config.tls = tls(node, folder)?,
                "basic_auth_users" => config.users = users(node)?,
                "http_server_config" => http(node)?,
                _ => return Err(unsupported(node, name)),
            }
        }
        Ok(config)
    }
}

fn read_small(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it holds more than 256 KiB"));
    }
    Ok(text)
}

fn tls(node: &Node, folder: &Path) -> std::result::Result<Option<TlsFiles>, Flaw> {
    let (mut certificate, mut key, mut authority) = (None, None, None);
    let (mut oldest, mut newest) = (TlsVersion::Tls12, TlsVersion::Tls13);
    let mut clients = ("NoClientCert", node.line);
    let section = members(node, "tls_server_config")?;
    if section.is_empty() {
        return Ok(None);
    }
    for (name, node) in section {
        match name.as_str() {
            "cert_file" => certificate = Some(file(node, name, folder)?),
            "key_file" => key = Some(file(node, name, folder)?),
            "client_ca_file" => authority = Some(file(node, name, folder)?),
            "client_auth_type" => clients = (text(node, name)?, node.line),
            "min_version" => oldest = version(node, name)?,
            "max_version" => newest = version(node, name)?,
            _ => return Err(unsupported(node, &format!("tls_server_config.{name}"))),
        }
    }
    let missing = |name: &str| Flaw::new(node.line, format!("tls_server_config lacks {name}"));
    let certificate = certificate.ok_or_else(|| missing("cert_file"))?;
    let key = key.ok_or_else(|| missing("key_file"))?;
    if oldest > newest {
        return Err(Flaw::new(node.line, "min_version is newer than max_version"));
    }
    let (auth_type, line) = clients;
    let clients = match (auth_type, authority) {
        ("" | "NoClientCert", None) => ClientCertificates::NotAsked,
        ("VerifyClientCertIfGiven", Some(authority)) => ClientCertificates::Optional(authority),
        ("RequireAndVerifyClientCert", Some(authority)) => ClientCertificates::Required(authority),
        ("" | "NoClientCert", Some(_)) => {
            let why = "client_ca_file has no meaning without client_auth_type: RequireAndVerifyClientCert or VerifyClientCertIfGiven";
            return Err(Flaw::new(line, why));
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            return Err(missing("client_ca_file"));
        }
        _ => {
            let why = "client_auth_type is NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert; others are not supported";
            return Err(Flaw::new(line, why));
        }
    };
    Ok(Some(TlsFiles { certificate, key, oldest, newest, clients }))
}

fn users(node: &Node) -> std::result::Result<HashMap<String, String>, Flaw> {
    let mut users = HashMap::new();
    for (name, node) in members(node, "basic_auth_users")? {
        let hash = text(node, "the hash of a password")?;
        if name.is_empty() || name.contains(':') {
            return Err(Flaw::new(node.line, "the name of a user is not empty and has no colon"));
        }
        let parts: bcrypt::HashParts = hash.parse().map_err(|_| {
            let why = "this is no bcrypt hash; make one with htpasswd -nBC 10 USER";
            Flaw::new(node.line, why)
        })?;
        if parts.get_cost() > COST_MAX {
            let why = format!(
                "a bcrypt cost of {} takes seconds for each try; the largest here is {COST_MAX}",
                parts.get_cost()
            );
            return Err(Flaw::new(node.line, why));
        }
        users.insert(name.clone(), hash.to_string());
    }
    Ok(users)
}

/// There is HTTP/1.1 only.
fn http(node: &Node) -> std::result::Result<(), Flaw> {
    for (name, node) in members(node, "http_server_config")? {
        let is_off = matches!(&node.value, Value::Text(text) if text == "false");
        if name != "http2" || !is_off {
            return Err(unsupported(node, &format!("http_server_config.{name}")));
        }
    }
    Ok(())
}

fn version(node: &Node, name: &str) -> std::result::Result<TlsVersion, Flaw> {
    match text(node, name)? {
        "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        _ => {
            Err(Flaw::new(node.line, format!("{name} is TLS12 or TLS13; others are not supported")))
        }
    }
}

fn file(node: &Node, name: &str, folder: &Path) -> std::result::Result<PathBuf, Flaw> {
    match text(node, name)? {
        "" => Err(Flaw::new(node.line, format!("{name} is empty"))),
        path => Ok(folder.join(path)),
    }
}

fn text<'a>(node: &'a Node, name: &str) -> std::result::Result<&'a str, Flaw> {
    match &node.value {
        Value::Text(text) => Ok(text),
        other => Err(Flaw::new(node.line, format!("{name} is a text, not {}", other.what()))),
    }
}

/// None where there is nothing.
fn members<'a>(node: &'a Node, name: &str) -> std::result::Result<&'a [(String, Node)], Flaw> {
    match &node.value {
        Value::Nothing => Ok(&[]),
        Value::Mapping(members) => Ok(members),
        other => Err(Flaw::new(node.line, format!("{name} is a mapping, not {}", other.what()))),
    }
}

fn unsupported(node: &Node, name: &str) -> Flaw {
    Flaw::new(node.line, format!("'{name}' is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuIhK6FG1rgNMd5jqj5xWbp2yjaSs16bq";

    fn parse(text: &str) -> std::result::Result<WebConfig, String> {
        WebConfig::parse(text, Path::new("/etc/x")).map_err(|flaw| flaw.to_string())
    }

    #[test]
    fn an_empty_file_protects_nothing() {
        for text in
            ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n", "tls_server_config: {}"]
        {
            let config = parse(text).unwrap();
            assert!(config.tls.is_none() && config.users.is_empty(), "{text}");
        }
    }

    #[test]
    fn files_are_found_from_the_folder_of_the_file() {
        let config = parse(&format!(
            "tls_server_config:\n  cert_file: a.pem\n  key_file: /b.pem\n  min_version: TLS13\n\
             basic_auth_users:\n  prometheus: {HASH}\n"
        ));
        let config = config.unwrap();
        let tls = config.tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("/etc/x/a.pem".into(), "/b.pem".into()));
        assert_eq!((tls.oldest, tls.newest), (TlsVersion::Tls13, TlsVersion::Tls13));
        assert_eq!(tls.clients, ClientCertificates::NotAsked);
        assert_eq!(config.users["prometheus"], HASH);
    }

    #[test]
    fn clients_may_have_to_show_certificates() {
        let with = |lines: &str| {
            let tls = format!("tls_server_config:\n  cert_file: a\n  key_file: b\n{lines}");
            parse(&tls).map(|config| config.tls.unwrap().clients)
        };
        let required = "  client_ca_file: c\n  client_auth_type: RequireAndVerifyClientCert\n";
        assert_eq!(with(required), Ok(ClientCertificates::Required("/etc/x/c".into())));
        let optional = "  client_ca_file: c\n  client_auth_type: VerifyClientCertIfGiven\n";
        assert_eq!(with(optional), Ok(ClientCertificates::Optional("/etc/x/c".into())));
        for (lines, why) in [
            ("  client_auth_type: RequestClientCert\n", "others are not supported"),
            ("  client_auth_type: RequireAndVerifyClientCert\n", "lacks client_ca_file"),
            ("  client_ca_file: c\n", "client_ca_file has no meaning without"),
        ] {
            let said = with(lines).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (text, said) in [
            ("rate_limit:\n  burst: 1\n", "line 2: 'rate_limit' is not supported"),
            ("a: b\n", "line 1: 'a' is not supported"),
            ("- a\n", "line 1: the file is a mapping, not a list"),
            (
                "tls_server_config:\n  cipher_suites: [a]\n",
                "line 2: 'tls_server_config.cipher_suites' is not supported",
            ),
            (
                "http_server_config:\n  http2: true\n",
                "line 2: 'http_server_config.http2' is not supported",
            ),
            (
                "http_server_config:\n  headers:\n    X-Frame-Options: deny\n",
                "line 3: 'http_server_config.headers' is not supported",
            ),
            (
                "tls_server_config:\n  min_version: TLS10\n",
                "line 2: min_version is TLS12 or TLS13; others are not supported",
            ),
            ("tls_server_config:\n  key_file: a\n", "line 2: tls_server_config lacks cert_file"),
            ("tls_server_config:\n  cert_file: a\n", "line 2: tls_server_config lacks key_file"),
            ("tls_server_config:\n  cert_file: ''\n", "line 2: cert_file is empty"),
            (
                "basic_auth_users:\n  a: hidden\n",
                "line 2: this is no bcrypt hash; make one with htpasswd -nBC 10 USER",
            ),
            (
                "basic_auth_users:\n  a: [b]\n",
                "line 2: the hash of a password is a text, not a list",
            ),
            (
                &format!("basic_auth_users:\n  a:b: {HASH}\n"),
                "line 2: the name of a user is not empty and has no colon",
            ),
            (
                &format!("basic_auth_users:\n  a: {}\n", HASH.replace("$04$", "$31$")),
                "line 2: a bcrypt cost of 31 takes seconds for each try; the largest here is 14",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), said, "{text}");
        }
        assert!(parse("http_server_config:\n  http2: false\n").is_ok());
    }
}
