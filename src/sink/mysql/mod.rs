//! Rows into a table of MySQL or MariaDB.

pub mod column;
pub mod committing;
pub mod ddl;
pub mod encoding;
pub mod escape;
pub mod findings;
mod guess;
pub mod job;
pub mod plan;
mod rights;
pub mod rules;
#[cfg(test)]
mod samples;
pub mod session;
pub mod settings;
pub mod table;
pub mod table_name;
pub mod target;
pub mod trouble;
pub mod url;
pub mod value;
pub mod zone;

pub use column::{Column, ColumnDefinition, ColumnKind, Preset};
pub use committing::sink::MysqlSink;
pub use ddl::{NewColumns, NewTable};
pub use findings::{Findings, findings};
pub use guess::Guesses;
pub use job::guard::Guard;
pub use job::name::JobIdentity;
pub use job::state_tables::StateTables;
pub use plan::{Absent, OtherFields, Plan};
pub use rules::Rules;
pub use session::server::ServerInfo;
pub use session::{Session, connect};
pub use settings::{Address, Missing, Mode, MysqlSettings, NewFields, Tls, TlsMode};
pub use table::{Table, absent, planned, with_columns};
pub use table_name::TableName;
pub use target::{Known, Planning, Target};
pub use trouble::Trouble;
pub use url::UrlParts;
pub use zone::Zone;
