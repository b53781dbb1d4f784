//! Rows into a table of MySQL or MariaDB.

pub mod column;
pub mod ddl;
pub mod escape;
pub mod findings;
mod guess;
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
pub mod write;
pub mod zone;

pub use column::{Column, Definition, Kind, Preset};
pub use ddl::NewTable;
pub use findings::{Findings, findings};
pub use guess::Guesses;
pub use plan::{Absent, OtherFields, Plan};
pub use rules::Rules;
pub use session::connection::{Session, connect};
pub use session::server::Server;
pub use settings::{Address, Job, Missing, Mode, MysqlSettings, NewFields, Tls, TlsMode};
pub use table::Table;
pub use table_name::TableName;
pub use target::{Known, Planning, Target};
pub use trouble::Trouble;
pub use url::UrlParts;
pub use write::guard::Guard;
pub use write::sink::MysqlSink;
pub use write::state::State;
pub use zone::Zone;
