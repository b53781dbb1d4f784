//! What there is to know of a target before anything is written, for the command `check`.

use super::ddl::NewColumns;
use super::plan::{MappingRow, Plan, WritePath, mapping};
use super::rights::{Right, rights};
use super::session::Session;
use super::session::server::{Cluster, ServerInfo};
use super::target::Known;
use super::{MysqlSettings, Table, Target, connect};
use crate::error::Result;
use crate::report::text;

/// All of it, in the order in which it is shown.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// A word that says what it is about, and a line.
    pub lines: Vec<(&'static str, String)>,
    /// Empty where there is no table yet.
    pub mapping: Vec<MappingRow>,
    /// The table that a run would create.
    pub new_table: Option<String>,
    /// The statement by which a run would add columns.
    pub new_columns: Option<String>,
    pub warnings: Vec<String>,
    /// What the account lacks; a run would fail.
    pub missing: Vec<String>,
}

/// Asks the server what the account may do; nothing is written.
pub async fn findings(target: &Target, known: &Known<'_>) -> Result<Findings> {
    let mut session = connect(&target.settings).await?;
    let rights = rights(&mut session, target, known).await;
    let mut findings = described(target, known, &session);
    session.close().await;
    for right in rights? {
        let Right { name, purpose, is_needed, is_there } = right;
        match (is_there, is_needed) {
            (true, _) => findings.say("right", format!("{name}: yes")),
            (false, true) => findings.missing.push(format!("{name}, {purpose}")),
            (false, false) => findings.warnings.push(format!("no right to {name}: {purpose}")),
        }
    }
    Ok(findings)
}

impl Findings {
    fn say(&mut self, about: &'static str, line: impl Into<String>) {
        self.lines.push((about, line.into()));
    }
}

fn described(target: &Target, known: &Known<'_>, session: &Session) -> Findings {
    let server = &*session.server;
    let mut findings = Findings::default();
    findings.say("server", format!("{} at {}", server.name(), target.settings.address));
    findings.say("account", format!("{}, {}", server.account, encryption(&target.settings)));
    about_server(&mut findings, server);
    match &target.table {
        Some(table) => about_table(&mut findings, table),
        None => findings.say("table", format!("{} is not there", target.settings.full_table())),
    }
    if let Some(new) = known.new_table {
        findings.new_table = Some(new.sql.clone());
        findings.warnings.extend(new.warnings.iter().cloned());
    }
    findings.new_columns = known.new_columns.map(NewColumns::instant_sql);
    findings.mapping = mapping(known.plan, known.table, known.fields);
    about_plan(&mut findings, known.plan);
    findings
}

fn encryption(settings: &MysqlSettings) -> String {
    format!("encryption {}", settings.tls.mode.as_str())
}

fn about_server(findings: &mut Findings, server: &ServerInfo) {
    let cluster = match server.cluster {
        Cluster::None => None,
        Cluster::Galera => Some("Galera"),
        Cluster::GroupReplication => Some("group replication"),
    };
    if let Some(cluster) = cluster {
        let limit = match server.transaction_bytes_max {
            Some(bytes) => format!(", a transaction may have {bytes} bytes"),
            None => String::new(),
        };
        findings.say("cluster", format!("{cluster}{limit}"));
    }
    findings.say("packet", format!("at most {} bytes", server.max_allowed_packet));
    if server.requires_primary_key {
        findings.say("keys", "every new table has to have a primary key");
    }
    if server.logs_statements {
        findings.say("isolation", "REPEATABLE READ, because changes are logged as statements");
    }
}

fn about_table(findings: &mut Findings, table: &Table) {
    let size = match table.is_empty {
        true => "empty".to_string(),
        // Statistics that were not brought up to date since rows came.
        false if table.rows_estimate == 0 => {
            "holds rows, and the server has no count of them".to_string()
        }
        false => format!(
            "about {} and {} bytes by the server's statistics",
            text::counted(table.rows_estimate, "row"),
            table.bytes_estimate
        ),
    };
    findings.say("table", format!("{}, {}, {size}", table.name, table.engine));
}

fn about_plan(findings: &mut Findings, plan: &Plan) {
    findings.say("mode", format!("{}: {}", plan.mode.as_str(), plan.mode_reason));
    if let Some(key) = &plan.key {
        findings.say("key", key.name.clone());
    }
    let way = match &plan.write_path {
        WritePath::LoadData => "LOAD DATA LOCAL from memory".to_string(),
        WritePath::Insert { reason } => format!("INSERT of many rows: {reason}"),
    };
    findings.say("way", way);
    findings.say("deletes", "none: rows stay when the source no longer has their records");
    let connections = match plan.lanes_max {
        1 => "one connection writes",
        _ => "several connections write",
    };
    findings.say("lanes", connections);
    for reason in &plan.careful {
        findings.say("refusals", format!("rows may be refused by {reason}"));
    }
    findings.warnings.extend(plan.warnings.iter().cloned());
}
