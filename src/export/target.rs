//! An address that the numbers of a run are sent to, and all of it that is secret.

use std::fmt;

use base64::Engine;
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Identity, Url};

use crate::loopback::is_loopback;
use crate::secret::Secret;

/// Where to, and how one shows who one is.
#[derive(Clone)]
pub struct Target {
    /// Without the user.
    pub url: Url,
    /// The option or variable that names it, and the one that names its authority.
    pub option: String,
    pub authority_option: String,
    pub headers: HeaderMap,
    /// Certificates of authorities, beside those of the system.
    pub authorities: Vec<Certificate>,
    /// A certificate of our own.
    pub identity: Option<Identity>,
    /// What nothing that is shown may hold.
    secrets: Vec<Secret>,
}

/// What a part of an address is wrong by, without repeating any of it.
pub type Mistake = String;

impl Target {
    /// What was written may hold a password, so it is never part of a message.
    pub fn parse(flag: &str, written: &str) -> Result<Target, Mistake> {
        Target::of_variable(&format!("--{flag}"), &format!("--{flag}-ca"), written)
    }

    /// The same of what has no flag.
    pub fn of_variable(option: &str, authority: &str, written: &str) -> Result<Target, Mistake> {
        let written = written.trim();
        let wrong =
            |what: &str| format!("{what}; write http://HOST:PORT/PATH or https://HOST/PATH");
        if !written.contains("://") {
            return Err(wrong("the URL does not begin with http:// or https://"));
        }
        let mut url = Url::parse(written).map_err(|cause| wrong(&format!("no URL: {cause}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("the URL is neither http nor https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("the URL names no host"));
        }
        if url.fragment().is_some() {
            return Err(wrong("the URL holds a '#'"));
        }
        let user = decoded(url.username());
        let password = url.password().map(decoded);
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(wrong("the URL cannot hold a user"));
        }
        let mut target = Target {
            url,
            option: option.to_string(),
            authority_option: authority.to_string(),
            headers: HeaderMap::new(),
            authorities: Vec::new(),
            identity: None,
            secrets: Vec::new(),
        };
        target.hide_path();
        if !user.is_empty() || password.is_some() {
            target.log_in(&user, &Secret::new(password.unwrap_or_default()))?;
        }
        Ok(target)
    }

    /// Another path and query at the same server.
    pub fn lead_to(&mut self, url: Url) {
        self.url = url;
        self.hide_path();
    }

    /// An address that nobody can guess is a secret, too.
    fn hide_path(&mut self) {
        let path = self.url.path().trim_end_matches('/').to_string();
        let query = self.url.query().unwrap_or_default().to_string();
        let values: Vec<String> =
            self.url.query_pairs().map(|(_, value)| value.into_owned()).collect();
        // Words that every such address has are not hidden in what its server says.
        let long = |part: &String| part.len() >= MASKED_SEGMENT_MIN;
        let segments = path.split('/').map(decoded).filter(long);
        let parts: Vec<String> = segments.chain(values).chain([path.clone(), query]).collect();
        parts.iter().for_each(|part| self.hide_uncommon(part));
    }

    /// The user that stood in an address.
    pub fn user(written: &str) -> Option<String> {
        let url = Url::parse(written.trim()).ok()?;
        let user = decoded(url.username());
        (!user.is_empty()).then_some(user)
    }

    pub fn log_in(&mut self, user: &str, password: &Secret) -> Result<(), Mistake> {
        if user.contains(':') {
            return Err("a user name cannot hold a colon".to_string());
        }
        let pair = format!("{user}:{}", password.reveal());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.hide(password.reveal());
        self.hide(&encoded);
        self.authorize(&format!("Basic {encoded}"))
    }

    pub fn bear(&mut self, token: &Secret) -> Result<(), Mistake> {
        let token = token.reveal().trim();
        if token.is_empty() {
            return Err("the token is empty".to_string());
        }
        self.hide(token);
        self.authorize(&format!("Bearer {token}"))
    }

    fn authorize(&mut self, value: &str) -> Result<(), Mistake> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| "it holds characters that cannot be sent".to_string())?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// `NAME: VALUE`, of which only the name is ever shown.
    pub fn add_header(&mut self, written: &str) -> Result<(), Mistake> {
        let shape = || "a header is written as 'NAME: VALUE'".to_string();
        let (name, value) = written.split_once(':').ok_or_else(shape)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| shape())?;
        if RESERVED_HEADERS.contains(&name.as_str()) {
            return Err(format!(
                "the header '{name}' is not to be set: it follows from what is sent"
            ));
        }
        if self.headers.contains_key(&name) {
            return Err(format!("the header '{name}' is set twice, or beside a user or token"));
        }
        let mut sent = HeaderValue::from_str(value.trim())
            .map_err(|_| format!("the value of '{name}' holds characters that cannot be sent"))?;
        sent.set_sensitive(true);
        self.hide_uncommon(value.trim());
        value.split_whitespace().for_each(|word| self.hide_uncommon(word));
        self.headers.insert(name, sent);
        Ok(())
    }

    pub fn trust(&mut self, pem: &[u8]) -> Result<(), Mistake> {
        match Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => {
                self.authorities.extend(certificates);
                Ok(())
            }
            _ => Err("the file holds no certificate in PEM format".to_string()),
        }
    }

    /// With a certificate of our own and its key.
    pub fn identify(&mut self, certificate: &[u8], key: &[u8]) -> Result<(), Mistake> {
        let both = [certificate, b"\n", key].concat();
        let wrong = |_| "it is no certificate with its key in PEM format".to_string();
        self.identity = Some(Identity::from_pem(&both).map_err(wrong)?);
        Ok(())
    }

    fn hide_uncommon(&mut self, secret: &str) {
        if secret.len() >= MASKED_BYTES_MIN {
            self.hide(secret);
        }
    }

    fn hide(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.secrets.push(Secret::new(secret));
        }
    }

    /// A text of the other side without what it may only know from us.
    pub fn masked(&self, text: &str) -> String {
        let longest_first = {
            let mut secrets: Vec<&str> = self.secrets.iter().map(Secret::reveal).collect();
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            secrets
        };
        longest_first.iter().fold(text.to_string(), |text, secret| text.replace(secret, "***"))
    }

    /// Scheme, host and port: a path may be as good as a password.
    pub fn name(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// What is sent there does not leave the machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.url.host_str().unwrap_or_default())
    }
}

/// A shorter one is part of ordinary words.
const MASKED_BYTES_MIN: usize = 4;
/// Of a path, `prometheus` and `metrics` are no secrets.
const MASKED_SEGMENT_MIN: usize = 12;

/// They say what a request is, and what one that contradicts its body is taken for nobody knows.
const RESERVED_HEADERS: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-prometheus-remote-write-version",
];

/// `%40` is an at sign in a password.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_user_and_path() {
        let written = "https://me:p%40ss@push.example:9091/secret/way?token=abc";
        let target = Target::parse("metrics-push", written).unwrap();
        assert_eq!(target.name(), "https://push.example:9091");
        assert_eq!(format!("{target:?}"), "Target(https://push.example:9091)");
        assert_eq!(target.headers[AUTHORIZATION], "Basic bWU6cEBzcw==");
        assert!(target.headers[AUTHORIZATION].is_sensitive());
        assert_eq!(target.url.as_str(), "https://push.example:9091/secret/way?token=abc");
        assert_eq!(target.masked("no p@ss, no bWU6cEBzcw=="), "no ***, no ***");
        assert_eq!(Target::user(written).as_deref(), Some("me"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_it() {
        for written in ["", "host:9091", "ftp://u:geheim@h/", "http://", "http://u:geheim@h/#x"] {
            let said = Target::parse("metrics-push", written).unwrap_err();
            assert!(said.contains("http://HOST:PORT") && !said.contains("geheim"), "{said}");
        }
    }

    #[test]
    fn headers_are_names_and_values() {
        let mut target = Target::parse("metrics-push", "http://h/").unwrap();
        target.add_header("X-Scope-OrgID: tenant-1").unwrap();
        assert_eq!(target.headers["x-scope-orgid"], "tenant-1");
        assert_eq!(target.masked("of tenant-1"), "of ***");
        for wrong in ["", "a", "a b: c", "x-scope-orgid: 2", "Content-Type: a", "a: b\nc", "é: a"]
        {
            let said = target.add_header(wrong).unwrap_err();
            assert!(!said.contains("b\n"), "{said}");
        }
        target.bear(&Secret::new("t0ken\n")).unwrap();
        assert_eq!(target.headers[AUTHORIZATION], "Bearer t0ken");
        assert!(target.add_header("Authorization: x").is_err());
        assert!(target.bear(&Secret::new(" ")).is_err());
        assert!(target.bear(&Secret::new("a\nb")).is_err());
    }

    #[test]
    fn certificates_are_pem() {
        let mut target = Target::parse("metrics-push", "http://h/").unwrap();
        assert!(target.trust(b"").is_err());
        assert!(target.trust(b"-----BEGIN CERTIFICATE-----\nAAAA\n").is_err());
    }
}
