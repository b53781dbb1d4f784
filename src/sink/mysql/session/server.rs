//! What is known of a server. Pure.

use std::collections::HashMap;

/// Where a proxy or an old server does not say, it is what holds for most.
#[derive(Clone, Debug, Default)]
pub struct ServerInfo {
    /// As it names itself.
    pub version_text: String,
    pub version: (u16, u16, u16),
    pub is_mariadb: bool,
    /// Who we are to it, such as `etl@%`.
    pub account: String,
    /// LOAD DATA LOCAL may be used. None where it does not say.
    pub local_infile: Option<bool>,
    pub max_allowed_packet: u64,
    /// Nobody may write.
    pub is_read_only: bool,
    /// Only accounts with a right of their own may write.
    pub is_read_only_for_most: bool,
    /// 0: names of tables are told apart by upper and lower case.
    pub lower_case_table_names: u8,
    pub cluster: Cluster,
    /// Bytes a transaction may have in a cluster.
    pub transaction_bytes_max: Option<u64>,
    /// LOAD DATA is cut into several transactions.
    pub splits_load_data: bool,
    pub requires_primary_key: bool,
    /// Changes are logged as statements, which needs the isolation REPEATABLE READ.
    pub logs_statements: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cluster {
    #[default]
    None,
    Galera,
    GroupReplication,
}

/// What servers start with where they do not say: the smaller of the two.
const MAX_ALLOWED_PACKET: u64 = 16 << 20;

impl ServerInfo {
    pub fn of(
        version_text: String,
        account: String,
        variables: &HashMap<String, String>,
    ) -> ServerInfo {
        let find = |name: &str| variables.get(name).map(String::as_str);
        let is_on = |name: &str| find(name).is_some_and(is_on);
        let number = |name: &str| find(name).and_then(|text| text.parse::<u64>().ok());
        let is_galera = is_on("wsrep_on");
        let is_group = find("group_replication_group_name").is_some_and(|name| !name.is_empty());
        let cluster = match (is_galera, is_group) {
            (true, _) => Cluster::Galera,
            (_, true) => Cluster::GroupReplication,
            _ => Cluster::None,
        };
        ServerInfo {
            version: version_of(&version_text),
            is_mariadb: version_text.to_ascii_lowercase().contains("mariadb"),
            version_text,
            account,
            local_infile: find("local_infile").map(self::is_on),
            max_allowed_packet: number("max_allowed_packet").unwrap_or(MAX_ALLOWED_PACKET),
            is_read_only: is_on("super_read_only") || is_on("innodb_read_only"),
            is_read_only_for_most: is_on("read_only"),
            lower_case_table_names: number("lower_case_table_names").unwrap_or(0).min(2) as u8,
            transaction_bytes_max: match cluster {
                Cluster::None => None,
                Cluster::Galera => number("wsrep_max_ws_size"),
                Cluster::GroupReplication => number("group_replication_transaction_size_limit"),
            }
            .filter(|bytes| *bytes > 0),
            cluster,
            splits_load_data: is_galera && is_on("wsrep_load_data_splitting"),
            requires_primary_key: is_on("sql_require_primary_key")
                || is_on("innodb_force_primary_key"),
            logs_statements: is_on("log_bin") && find("binlog_format") == Some("STATEMENT"),
        }
    }

    /// For people, such as `MariaDB 10.11.19-MariaDB-0+deb12u1`.
    pub fn name(&self) -> String {
        let kind = if self.is_mariadb { "MariaDB" } else { "MySQL" };
        format!("{kind} {}", self.version_text)
    }

    /// TIMESTAMP reaches 2106 there.
    pub fn has_long_timestamps(&self) -> bool {
        self.is_mariadb && self.version >= (11, 5, 0)
    }
}

/// Variables are words for some and numbers for others.
fn is_on(value: &str) -> bool {
    value.eq_ignore_ascii_case("on") || value == "1"
}

/// The numbers in front; MariaDB may put `5.5.5-` before its own.
fn version_of(text: &str) -> (u16, u16, u16) {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let end = text.find(|letter: char| letter != '.' && !letter.is_ascii_digit());
    let mut numbers =
        text[..end.unwrap_or(text.len())].split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, variables: &[(&str, &str)]) -> ServerInfo {
        let variables =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        ServerInfo::of(version.to_string(), "u@h".to_string(), &variables)
    }

    #[test]
    fn versions_are_told_apart() {
        for (text, version, is_mariadb) in [
            ("8.0.31", (8, 0, 31), false),
            ("8.0.35-27.1 Percona", (8, 0, 35), false),
            ("8.0.mysql_aurora.3.04.0", (8, 0, 0), false),
            ("10.11.19-MariaDB-0+deb12u1", (10, 11, 19), true),
            ("5.5.5-10.6.2-MariaDB", (10, 6, 2), true),
            ("11.4", (11, 4, 0), false),
            ("", (0, 0, 0), false),
        ] {
            let server = server(text, &[]);
            assert_eq!((server.version, server.is_mariadb), (version, is_mariadb), "{text}");
        }
        assert!(server("11.8.1-MariaDB", &[]).has_long_timestamps());
        assert!(!server("11.4.1-MariaDB", &[]).has_long_timestamps());
    }

    #[test]
    fn a_server_that_says_nothing_is_taken_for_a_usual_one() {
        let silent = server("8.0.31", &[]);
        assert_eq!(silent.local_infile, None);
        assert_eq!(silent.max_allowed_packet, MAX_ALLOWED_PACKET);
        assert_eq!(silent.cluster, Cluster::None);
        assert!(!silent.is_read_only && !silent.splits_load_data && !silent.logs_statements);
    }

    #[test]
    fn variables_are_words_or_numbers() {
        let cluster = [
            ("wsrep_on", "1"),
            ("wsrep_load_data_splitting", "ON"),
            ("wsrep_max_ws_size", "2147483647"),
            ("local_infile", "OFF"),
        ];
        let galera = server("10.11.1-MariaDB", &cluster);
        assert_eq!(galera.cluster, Cluster::Galera);
        assert_eq!(galera.transaction_bytes_max, Some(2_147_483_647));
        assert!(galera.splits_load_data);
        assert_eq!(galera.local_infile, Some(false));

        let group = server("8.0.31", &[("group_replication_group_name", "x"), ("log_bin", "ON")]);
        assert_eq!(group.cluster, Cluster::GroupReplication);
        assert!(!group.logs_statements);
        let logged = server("8.0.31", &[("log_bin", "ON"), ("binlog_format", "STATEMENT")]);
        assert!(logged.logs_statements);
    }
}
