//! What a user says of the table that is written to, and of the way there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::rules::Rules;
use super::table_name::TableName;
use crate::secret::Secret;

/// The port of both servers.
pub const PORT: u16 = 3306;

/// What the names of the state tables begin with, and what stands behind that.
pub const STATE_TABLE: &str = "flowgauge";
pub const STATE_TABLES: [&str; 3] = ["jobs", "segments", "heartbeats"];

#[derive(Clone, Debug)]
pub struct MysqlSettings {
    pub address: Address,
    pub user: String,
    pub password: Option<Secret>,
    /// Where the table is, unless the table's own name says so.
    pub database: Option<String>,
    pub table: TableName,
    pub tls: Tls,
    /// For all of connecting: the network, TLS, logging in.
    pub connect_timeout: Duration,
    /// For one statement and its answer.
    pub statement_timeout: Duration,
    /// Without it the table decides.
    pub mode: Option<Mode>,
    /// Columns that say which row is meant. Without them the table decides.
    pub key: Option<Vec<String>>,
    /// No two rows of the source have the same key, not even to the server, says the user.
    pub keys_unique: bool,
    pub create_table: bool,
    pub new_fields: NewFields,
    pub missing: Missing,
    /// What holds for all columns; `times`, `text` and `binary` are set for each by its field.
    pub rules: Rules,
    /// While the answer to this query is true, nothing is written.
    pub throttle: Option<String>,
    pub throttle_every: Duration,
    /// What the names of the three state tables begin with.
    pub state_table: String,
    /// False where rows are to go by INSERT, whatever the server would allow.
    pub load_data: bool,
    /// Tables whose engine cannot roll back are written to all the same: rows may then be there
    /// twice after a failure.
    pub non_transactional: bool,
}

impl MysqlSettings {
    /// The table with its database, as far as it is said.
    pub fn full_table(&self) -> TableName {
        let database = self.table.database.clone().or_else(|| self.database.clone());
        TableName { database, table: self.table.table.clone() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Socket(PathBuf),
}

impl Address {
    /// Nothing that is sent there leaves the machine.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Socket(_) => true,
            Address::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    /// CA certificate file (PEM). Without it the system's CA certificates.
    pub ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Disabled,
    /// Encrypted, whoever answers.
    Required,
    /// The certificate is signed by a trusted CA, whatever name is in it. What servers make for themselves at
    /// their first start has no name that could be checked.
    VerifyCa,
    VerifyIdentity,
}

impl TlsMode {
    pub const ALL: [TlsMode; 4] =
        [TlsMode::Disabled, TlsMode::Required, TlsMode::VerifyCa, TlsMode::VerifyIdentity];

    pub fn as_str(self) -> &'static str {
        match self {
            TlsMode::Disabled => "disabled",
            TlsMode::Required => "required",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyIdentity => "verify-identity",
        }
    }

    /// `verify-ca`, also as MySQL writes it, `VERIFY_CA`.
    pub fn parse(text: &str) -> Option<TlsMode> {
        let text = text.to_ascii_lowercase().replace('_', "-");
        TlsMode::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// What is safe to do where nothing is said.
    pub fn default_for(address: &Address) -> TlsMode {
        if address.is_local() { TlsMode::Disabled } else { TlsMode::VerifyIdentity }
    }
}

/// What happens to a row whose key is in the table already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is rejected.
    Insert,
    /// It counts as a duplicate; the row that is there stays.
    Skip,
    /// It takes the place of the one that is there.
    Upsert,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Insert => "insert",
            Mode::Skip => "skip",
            Mode::Upsert => "upsert",
        }
    }
}

/// What an upsert does to the columns of a row that is there, where the record lacks the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are set to their defaults, where the field is known before the run.
    Default,
}

/// What happens to fields that the table has no column for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewFields {
    #[default]
    Refuse,
    /// Left out and counted.
    Ignore,
    /// The table gets columns for those that are known before the run; others end it.
    Add,
}
