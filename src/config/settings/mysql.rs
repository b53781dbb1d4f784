//! What is meant for MySQL as a sink.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::option_reader::OptionReader;
use crate::config::units;
use crate::config::written::OptionOrigin;
use crate::sink::mysql::settings::PORT;
use crate::sink::mysql::{Address, MysqlSettings, Rules, TableName, Tls, TlsMode, UrlParts, Zone};

/// The system's limit.
const SOCKET_BYTES_MAX: usize = 107;

const THROTTLE_EVERY: Duration = Duration::from_secs(1);

impl OptionReader<'_> {
    pub fn mysql_sink(&mut self) -> Option<MysqlSettings> {
        let url = self.url();
        let (user, url_password) = match &url {
            Some(url) => (url.user.clone(), url.password.clone()),
            None => (None, None),
        };
        let user = self.beside_url("db-user").or(user);
        if user.is_none() {
            self.missing("db-user", "the account to write with");
        }
        let password = match (self.secret("db-pass"), url_password) {
            (Some(password), _) => Some(password),
            (None, Some(password)) => {
                self.warn_of_password_in_url();
                Some(password)
            }
            (None, None) => None,
        };
        let database =
            self.beside_url("db-name").or(url.as_ref().and_then(|url| url.database.clone()));
        let table = self.table();
        let address = self.address(url.as_ref());
        let tls = self.tls(url.as_ref(), &address);
        let table = table?;
        if database.is_none() && table.database.is_none() {
            self.missing("db-name", "the database that the table is in");
        }
        Some(MysqlSettings {
            tls,
            address,
            user: user?,
            password,
            database,
            table,
            connect_timeout: self.parsed_or_default("db-connect-timeout", units::some_duration),
            statement_timeout: self.parsed_or_default("db-timeout", units::some_duration),
            mode: self.choice("mode"),
            key: self.list("key"),
            keys_unique: self.switch("keys-unique"),
            create_table: self.switch("create-table"),
            new_fields: self.choice_or_default("new-fields"),
            missing: self.choice_or_default("missing"),
            rules: self.rules(),
            throttle: self.text("throttle-query"),
            throttle_every: THROTTLE_EVERY,
            state_table: self.text_or_default("state-table"),
            load_data: !self.switch("no-load-data"),
            non_transactional: self.switch("allow-non-transactional"),
        })
    }

    fn url(&mut self) -> Option<UrlParts> {
        let text = self.text("db-url")?;
        match Address::from_url(&text) {
            Ok(url) => Some(url),
            Err(cause) => {
                self.wrong("db-url", &cause.to_string());
                None
            }
        }
    }

    /// What is written beside the URL, unless the URL was written where it goes before that.
    fn beside_url(&mut self, name: &'static str) -> Option<String> {
        let rank = |name| self.written.get(name).map(|text| text.origin.rank());
        if rank("db-url") > rank(name) {
            return None;
        }
        self.text(name)
    }

    /// A path within a value: of a configuration file it is beside that.
    fn beside_file(&self, name: &'static str, path: &Path) -> PathBuf {
        match self.written.get(name).map(|text| &text.origin) {
            Some(OptionOrigin::File(place)) => place.folder().join(path),
            _ => path.to_path_buf(),
        }
    }

    fn warn_of_password_in_url(&mut self) {
        if self.written.get("db-url").is_some_and(|text| text.origin == OptionOrigin::Flag) {
            self.warnings.push(
                "the password in --db-url can be read by other users of this machine; --db-pass-file and FLOWGAUGE_DB_URL cannot"
                    .to_string(),
            );
        }
    }

    fn table(&mut self) -> Option<TableName> {
        let Some(text) = self.text("db-table") else {
            self.missing("db-table", "the table to write to");
            return None;
        };
        TableName::parse(&text).map_err(|cause| self.wrong("db-table", &cause.to_string())).ok()
    }

    fn address(&mut self, url: Option<&UrlParts>) -> Address {
        if let Some(socket) = self.beside_url("db-socket") {
            self.refuse(&["db-host", "db-port"], "with --db-socket");
            if socket.len() > SOCKET_BYTES_MAX {
                let why = format!("the path of a socket has at most {SOCKET_BYTES_MAX} bytes");
                self.wrong("db-socket", &why);
            }
            return Address::Socket(PathBuf::from(socket));
        }
        let port = self.number("db-port", 1, u64::from(u16::MAX)).map(|port| port as u16);
        let port = port.filter(|_| self.beside_url("db-port").is_some());
        match (self.beside_url("db-host"), url.map(|url| url.address.clone())) {
            (None, Some(Address::Socket(path))) => Address::Socket(path),
            (host, Some(Address::Tcp { host: of_url, port: port_of_url })) => {
                Address::Tcp { host: host.unwrap_or(of_url), port: port.unwrap_or(port_of_url) }
            }
            (host, _) => Address::Tcp {
                host: host.unwrap_or_else(|| self.text_or_default("db-host")),
                port: port.unwrap_or(PORT),
            },
        }
    }

    fn tls(&mut self, url: Option<&UrlParts>, address: &Address) -> Tls {
        let ca = self.text("db-ca").map(PathBuf::from);
        let ca = ca.or_else(|| Some(self.beside_file("db-url", url?.tls_ca.as_deref()?)));
        let mode = self.choice("db-ssl-mode");
        let mode = mode.or(url.and_then(|url| url.tls_mode));
        let by_default = match ca {
            // Who names a certificate wants it looked at.
            Some(_) => TlsMode::VerifyIdentity,
            None => TlsMode::default_for(address),
        };
        let mode = mode.unwrap_or(by_default);
        if ca.is_some() && matches!(mode, TlsMode::Disabled | TlsMode::Required) {
            self.warnings.push(format!(
                "--db-ca is not looked at with --db-ssl-mode {}; verify-ca and verify-identity do",
                mode.as_str()
            ));
        }
        Tls { mode, ca }
    }

    fn rules(&mut self) -> Rules {
        Rules {
            fraction: self.choice_or_default("fraction"),
            source_zone: self.parsed("source-zone", zone),
            datetime_zone: self.parsed_or_default("db-datetime-zone", zone),
            binary: self.choice_or_default("db-binary"),
            json_doubles: self.choice_or_default("json-doubles"),
            json_as_text: self.switch("json-as-text"),
            ..Rules::default()
        }
    }
}

fn zone(text: &str) -> Result<Zone, String> {
    Zone::parse(text).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::mistakes::Mistakes;
    use crate::config::options::Opt;
    use crate::config::written::FilePlace;
    use crate::config::{Settings, SinkSettings, WrittenOptions};
    use crate::secret::Secret;
    use crate::sink::mysql::Missing;
    use crate::sink::mysql::rules::JsonDoubles;

    fn meant(written: &[(&str, &str, OptionOrigin)]) -> (Option<MysqlSettings>, Mistakes) {
        let mut all = WrittenOptions::default();
        let given =
            [("csv-file", "a.csv", OptionOrigin::Flag), ("db-table", "t", OptionOrigin::Flag)];
        for (name, text, origin) in given.iter().chain(written) {
            all.set(Opt::find(name).unwrap(), vec![text.to_string()], origin.clone());
        }
        let mut mistakes = Mistakes::default();
        let settings = Settings::resolve(&all, None, None, &mut mistakes);
        let mysql = settings.map(|settings| match settings.sink {
            SinkSettings::Mysql(mysql) => *mysql,
            SinkSettings::File(_) => panic!("not a file"),
        });
        (mysql, mistakes)
    }

    fn file() -> OptionOrigin {
        OptionOrigin::File(FilePlace { table: "defaults".to_string(), ..FilePlace::default() })
    }

    #[test]
    fn a_url_goes_before_what_is_written_in_a_lower_place() {
        let lower = [
            ("db-host", "low", file()),
            ("db-port", "1", file()),
            ("db-name", "low", file()),
            ("db-user", "low", file()),
        ];
        let url = ("db-url", "mysql://high@high:2/high", OptionOrigin::Flag);
        let (mysql, _) = meant(&[std::slice::from_ref(&url), &lower[..]].concat());
        let mysql = mysql.unwrap();
        assert_eq!(mysql.address, Address::Tcp { host: "high".to_string(), port: 2 });
        assert_eq!((mysql.user.as_str(), mysql.database.as_deref()), ("high", Some("high")));
        let (mysql, _) = meant(&[url, ("db-host", "typed", OptionOrigin::Flag)]);
        assert_eq!(mysql.unwrap().address, Address::Tcp { host: "typed".to_string(), port: 2 });
    }

    #[test]
    fn json_is_taken_as_it_is_said() {
        let base = [("db-user", "u", file()), ("db-name", "d", file())];
        let rules = |more: &[(&'static str, &'static str, OptionOrigin)]| {
            meant(&[&base[..], more].concat()).0.unwrap().rules
        };
        let rules_by_default = rules(&[]);
        assert!(matches!(rules_by_default.json_doubles, JsonDoubles::Exact));
        assert!(!rules_by_default.json_as_text);
        let said = [("json-doubles", "nearest", file()), ("json-as-text", "true", file())];
        let said = rules(&said);
        assert!(said.json_doubles == JsonDoubles::Nearest && said.json_as_text);
    }

    #[test]
    fn what_a_record_lacks_is_kept_or_reset() {
        let missing = |said: &[(&'static str, &'static str, OptionOrigin)]| {
            let base = [("db-user", "u", file()), ("db-name", "d", file())];
            let (mysql, mistakes) = meant(&[&base[..], said].concat());
            mysql.map(|mysql| mysql.missing).filter(|_| mistakes.into_result().is_ok())
        };
        assert_eq!(missing(&[]), Some(Missing::Keep));
        assert_eq!(missing(&[("missing", "keep", file())]), Some(Missing::Keep));
        assert_eq!(missing(&[("missing", "default", file())]), Some(Missing::Default));
        assert_eq!(missing(&[("missing", "null", file())]), None);
    }

    #[test]
    fn a_password_is_taken_from_the_highest_place() {
        let typed = ("db-pass", "typed", OptionOrigin::Flag);
        let base = [("db-user", "u", file()), ("db-name", "d", file())];
        let with = |more: &[(&'static str, &'static str, OptionOrigin)]| {
            meant(&[&base[..], more].concat()).0.and_then(|mysql| mysql.password)
        };
        let in_file = ("db-pass-file", "/no/such/file", file());
        assert_eq!(with(&[typed.clone(), in_file]), Some(Secret::new("typed")));
        let twice = ("db-pass-file", "/no/such/file", OptionOrigin::Flag);
        assert_eq!(with(&[typed, twice]), None);
    }
}
