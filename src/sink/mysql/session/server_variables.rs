//! Asks a server what it is, once a connection.

use std::collections::HashMap;

use super::connection::Session;
use super::server::ServerInfo;
use crate::sink::mysql::trouble::{Tried, Trouble};

const VARIABLES: &[&str] = &[
    "binlog_format",
    "group_replication_group_name",
    "group_replication_transaction_size_limit",
    "innodb_force_primary_key",
    "innodb_read_only",
    "local_infile",
    "log_bin",
    "lower_case_table_names",
    "max_allowed_packet",
    "read_only",
    "sql_require_primary_key",
    "super_read_only",
    "wsrep_load_data_splitting",
    "wsrep_max_ws_size",
    "wsrep_on",
];

pub(super) async fn read(session: &mut Session) -> Tried<ServerInfo> {
    let who: Vec<(String, Option<String>)> =
        session.rows("SELECT VERSION(), CURRENT_USER()").await?;
    let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!("SHOW VARIABLES WHERE Variable_name IN ({})", names.join(", "));
    let variables = match session.rows::<(String, String)>(&sql).await {
        Ok(rows) => rows.into_iter().collect(),
        // Proxies in between may not answer this.
        Err(Trouble::Stop(_)) => HashMap::new(),
        Err(trouble) => return Err(trouble),
    };
    let (version, account) = who.into_iter().next().unwrap_or_default();
    Ok(ServerInfo::of(version, account.unwrap_or_default(), &variables))
}
