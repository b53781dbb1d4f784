//! A Grafana over HTTP: what it is asked and told, and what its answers mean. Whatever it says that is not
//! certain is an error.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::item::Write;
use crate::error::{Error, Kind, Result};
use crate::export::{HttpClient, Refusal, Request, Target};
use crate::record::ErrorType;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ORG_ID: HeaderName = HeaderName::from_static("x-grafana-org-id");
/// Rules that came with it may be changed in Grafana, all others are locked there.
const IS_EDITABLE: HeaderName = HeaderName::from_static("x-disable-provenance");

/// A dashboard of ours has a thirtieth of it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The first one that has all that is asked here.
const MAJOR_VERSION_MIN: u32 = 10;

/// What to do about something that is there already.
const TAKEN: &str = "somebody else has it, or was faster; run it again to see";

/// Of a request that Grafana has no time for.
const TRIES: u32 = 3;
/// A person waits for it.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub struct Grafana {
    client: HttpClient,
    org_id: Option<u64>,
}

/// What stands at an address.
pub enum Found {
    Document(Value),
    Nothing,
    /// This token may not know.
    Denied(Error),
}

impl Found {
    /// Of what has to be known.
    pub fn known(self) -> Result<Option<Value>> {
        match self {
            Found::Document(document) => Ok(Some(document)),
            Found::Nothing => Ok(None),
            Found::Denied(error) => Err(error),
        }
    }
}

impl Grafana {
    pub fn new(target: Target, org_id: Option<u64>, patience: Duration) -> Grafana {
        Grafana { client: HttpClient::new(target).patient(patience), org_id }
    }

    pub fn name(&self) -> String {
        self.client.target().name()
    }

    pub fn org_id(&self) -> Option<u64> {
        self.org_id
    }

    /// Text of Grafana without what it only knows from us.
    pub fn shown(&self, text: &str) -> String {
        self.client.shown(text)
    }

    /// Its version, where it tells. An error where none is there, or one that is too old.
    pub async fn greet(&mut self) -> Result<Option<String>> {
        let found = self.read("its health", &["api", "health"], "").await?.known()?;
        let health = found.filter(|health| health.get("database").is_some());
        let health = health.ok_or_else(|| self.no_grafana("its health"))?;
        let Some(version) = health["version"].as_str() else { return Ok(None) };
        let version = self.shown(version);
        let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
        match major {
            Some(major) if major < MAJOR_VERSION_MIN => {
                Err(Error::config(format!("the Grafana at '{}' is {version}", self.name()))
                    .help(format!("it has to be {MAJOR_VERSION_MIN} or later")))
            }
            _ => Ok(Some(version)),
        }
    }

    /// What is at an address of the API. `what` says it in messages.
    pub async fn read(&mut self, what: &str, path: &[&str], query: &str) -> Result<Found> {
        let mut url = self.url(path)?;
        url.set_query((!query.is_empty()).then_some(query));
        let headers = self.headers();
        let request = Request { method: Method::GET, url, headers, body: Vec::new() };
        match self.ask(what, &request).await? {
            Ok(document) => Ok(Found::Document(document)),
            Err(refusal) => match refusal.status {
                StatusCode::NOT_FOUND => Ok(Found::Nothing),
                StatusCode::FORBIDDEN => Ok(Found::Denied(self.refused(what, &refusal, "see"))),
                _ => Err(self.refused(what, &refusal, "see")),
            },
        }
    }

    pub async fn write(&mut self, what: &str, write: &Write) -> Result<()> {
        let path: Vec<&str> = write.path.iter().map(String::as_str).collect();
        let mut headers = self.headers();
        headers.insert(CONTENT_TYPE, JSON);
        if write.is_editable {
            headers.insert(IS_EDITABLE, HeaderValue::from_static("true"));
        }
        let (method, url) = (write.method.clone(), self.url(&path)?);
        let body = write.body.to_string().into_bytes();
        match self.ask(what, &Request { method, url, headers, body }).await? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refused(what, &refusal, "write")),
        }
    }

    /// The document that was answered. A request that Grafana had no time for comes again, when it says so.
    async fn ask(
        &mut self,
        what: &str,
        request: &Request,
    ) -> Result<std::result::Result<Value, Refusal>> {
        let mut tries = 1;
        loop {
            let refusal = match self.client.answer(request, ANSWER_BYTES_MAX).await? {
                Ok(reply) => {
                    let document = serde_json::from_slice(&reply.body);
                    return document.map(Ok).map_err(|_| self.no_grafana(what));
                }
                Err(refusal) => refusal,
            };
            let error = self.client.refused(&refusal, &refusal.words());
            let wait = error.wait_min().unwrap_or(Duration::from_secs(u64::from(tries)));
            if error.kind != Kind::Overloaded || tries == TRIES || wait > WAIT_MAX {
                return Ok(Err(refusal));
            }
            tries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON)]);
        headers.extend(self.org_id.map(|org_id| (ORG_ID, HeaderValue::from(org_id))));
        headers
    }

    /// Below the path that Grafana has of its own.
    fn url(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.client.target().url.clone();
        url.set_query(None);
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Error::internal("a URL without a path")),
        };
        Ok(url)
    }

    fn no_grafana(&self, what: &str) -> Error {
        let message = format!("'{}' was asked for {what}, and no Grafana answered", self.name());
        Error::new(Kind::Config, ErrorType::Protocol, message)
            .help("check --grafana: where Grafana has a path of its own, such as /grafana, it belongs to the URL")
    }

    fn refused(&self, what: &str, refusal: &Refusal, deed: &str) -> Error {
        let status = refusal.status;
        let said = String::from_utf8_lossy(&refusal.body);
        let document: Option<Value> = serde_json::from_str(&said).ok();
        let is_name_of_folder =
            document.as_ref().is_some_and(|document| document["status"] == "name-match");
        // Of rules that says 400.
        let is_conflict = status == StatusCode::BAD_REQUEST && said.contains("conflict");
        let (error_type, help) = match status.as_u16() {
            _ if is_conflict => (ErrorType::Protocol, TAKEN.to_string()),
            401 => (ErrorType::Auth, "check the token in --token-file".to_string()),
            403 => (
                ErrorType::Auth,
                format!(
                    "this token may not {deed} it; docs/grafana.md lists the rights, all of which the role Admin has"
                ),
            ),
            404 => (
                ErrorType::Protocol,
                match what.starts_with("the rule group") {
                    true => {
                        "it is not there, or alerting is turned off in this Grafana".to_string()
                    }
                    false => "it is not there; run it again to see what is".to_string(),
                },
            ),
            409 | 412 => (ErrorType::Protocol, TAKEN.to_string()),
            // Until Grafana 10, whatever folder it is.
            400 if is_name_of_folder => (
                ErrorType::Protocol,
                "rename the folder that is called like it; with --folder, if it is the one of this command"
                    .to_string(),
            ),
            400 | 422 => (
                ErrorType::Protocol,
                "this Grafana takes it differently; please report it with its version".to_string(),
            ),
            // Redirects, overload and what went wrong there.
            _ => return self.client.refused(refusal, &refusal.words()),
        };
        let message = document.as_ref().and_then(|document| document["message"].as_str());
        let said = self.shown(message.unwrap_or(&said));
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let (name, status) = (self.name(), status.as_u16());
        let message = format!("'{name}' answered {status} about {what}{said}");
        Error::new(Kind::Config, error_type, message).help(help)
    }
}
