//! The numbers that servers answer with, of both kinds: they give different ones to the same.

use super::names::{self, Named};
use super::{During, RowTrouble, Trouble};
use crate::error::{Error, Kind};
use crate::record::ErrorType;

/// `message` is searched for names and never shown.
pub(super) fn classify(
    code: u16,
    state: &str,
    message: &str,
    during: During,
    address: &str,
) -> Trouble {
    let say = |kind, error_type, what: &str| {
        Error::new(kind, error_type, format!("mysql server {address}: {what} (error {code})"))
    };
    let again = |error_type, what: &str| say(Kind::Unavailable, error_type, what);
    let lost = |what: &str| {
        let kind = if during == During::Commit { Kind::Unknown } else { Kind::Unavailable };
        let error = say(kind, ErrorType::Connection, what);
        if during == During::Connect { Trouble::Retry(error) } else { Trouble::Lost(error) }
    };
    match code {
        // 1206: no room for more locks. InnoDB rolls back all of the transaction, as in a deadlock.
        1213 | 1020 | 1206 | 1614 | 3101 => {
            Trouble::Deadlock(again(ErrorType::Deadlock, "another transaction was in the way"))
        }
        1205 | 1689 | 3572 => Trouble::LockTimeout(again(
            ErrorType::LockTimeout,
            "others hold a lock on the rows or the table for too long",
        )),
        1197 => Trouble::Stop(
            say(Kind::Config, ErrorType::TooLarge, "its log takes no transaction so large")
                .help("lower --batch-bytes, or raise max_binlog_cache_size at the server"),
        ),
        // Of a multi-valued index, which takes no objects.
        1235 if message.contains("'CAST-ing JSON ") => {
            row(code, message, ErrorType::TypeMismatch, REFUSED_BY_INDEX)
        }
        // Galera, which has rolled back.
        1105 if message == "Maximum writeset size exceeded" => Trouble::Stop(
            say(Kind::Config, ErrorType::TooLarge, "the cluster takes no transaction so large")
                .help("lower --batch-bytes, or raise wsrep_max_ws_size at the server"),
        ),
        // Asked of the server, and as good as lost for whoever waits for a commit.
        _ if during == During::Commit && is_unclear_at_commit(code) => {
            lost("the end of a transaction failed")
        }
        // 1038: rows are sorted on the way from the staging table.
        1038 | 1317 | 1969 | 3024 => {
            Trouble::Slow(again(ErrorType::Timeout, "a statement was broken off by the server"))
        }
        1153 | 2020 => {
            let what = "more was sent than max_allowed_packet lets pass";
            Trouble::TooLarge(again(ErrorType::TooLarge, what))
        }
        1148 | 3948 | 4166 => Trouble::NoLocalInfile(
            say(Kind::Config, ErrorType::Other, "LOAD DATA LOCAL is switched off")
                .help("set local_infile = ON at the server, or give --no-load-data"),
        ),
        1412 | 1615 => {
            Trouble::Altered(again(ErrorType::Other, "the table was altered in the meantime"))
        }
        1207 | 1290 | 1792 | 1836 | 1874 => Trouble::ReadOnly(
            again(ErrorType::Other, "it takes no changes")
                .help("after a failover another server does; is this a replica, or read_only set?"),
        ),
        1037 | 1040 | 1041 | 1135 | 1203 | 1226 | 1297 | 1461 | 1637 | 3170 => Trouble::Retry(say(
            Kind::Overloaded,
            ErrorType::Overloaded,
            "it has as many connections, or as much to do, as it may",
        )),
        1047 => Trouble::Retry(again(ErrorType::Other, "the node is not ready")),
        1021 | 1026 | 1030 | 1114 | 1878 => {
            Trouble::Retry(again(ErrorType::Disk, "it has no room left to write, or failed to"))
        }
        1053
        | 1077
        | 1079
        | 1152
        | 1158..=1161
        | 1184
        | 1927
        | 2006
        | 2013
        | 2055
        | 3032
        | 3168
        | 3169
        | 4031 => lost("it closed the connection"),
        1261 | 1262 => Trouble::Stop(Error::internal(format!(
            "mysql server {address}: it found other columns in a row than were sent (error {code})"
        ))),
        // In these words in English only; in others the password is named below.
        1045 if message.contains("(using password: NO)") => Trouble::Stop(
            say(Kind::Config, ErrorType::Auth, "it does not let this user in without a password")
                .help("give one with --db-pass-file or FLOWGAUGE_DB_PASS, or look at --db-user"),
        ),
        _ => match (row_fault(code), refusal(code)) {
            (Some((error_type, what)), _) => row(code, message, error_type, what),
            (_, Some((error_type, what, help))) => {
                let what = match (code, names::denied(message), names::missing(message)) {
                    (1142 | 1143, Some(right), _) => format!("{what}: {right}"),
                    (NO_TABLE, _, Some(table)) => format!("{what}: {}", table.escape_debug()),
                    _ => what.to_string(),
                };
                Trouble::Stop(say(Kind::Config, error_type, &what).help(help))
            }
            _ => by_state(code, state, message, during, say),
        },
    }
}

/// What stands in no table, by what its class says.
fn by_state(
    code: u16,
    state: &str,
    message: &str,
    during: During,
    say: impl Fn(Kind, ErrorType, &str) -> Error,
) -> Trouble {
    match state.get(..2) {
        Some("08") if during == During::Connect => {
            Trouble::Retry(say(Kind::Unavailable, ErrorType::Connection, "no connection"))
        }
        Some("08") => {
            Trouble::Lost(say(Kind::Unavailable, ErrorType::Connection, "the connection is gone"))
        }
        Some("22") => row(code, message, ErrorType::TypeMismatch, "the server refuses a value"),
        Some("23") => row(code, message, ErrorType::Constraint, "the server refuses the row"),
        Some("28") => {
            Trouble::Stop(say(Kind::Config, ErrorType::Auth, "the account may not do this"))
        }
        Some("40") => {
            Trouble::Deadlock(say(Kind::Unavailable, ErrorType::Deadlock, "it rolled back"))
        }
        _ => {
            let what = match during {
                During::Connect => "it refused the connection",
                _ => "it refused a statement",
            };
            let help = format!("what error {code} means is in the server's manual");
            Trouble::Stop(say(Kind::Config, ErrorType::Other, what).help(help))
        }
    }
}

/// A refusal that does not say that nothing was taken: some nodes of a cluster, or the log, may
/// have it. What is known to come before anything is taken is decided elsewhere.
fn is_unclear_at_commit(code: u16) -> bool {
    row_fault(code).is_none() && !matches!(code, 1207 | 1290 | 1792 | 1836 | 1874 | 1047)
}

fn row(code: u16, message: &str, error_type: ErrorType, what: &str) -> Trouble {
    let Named { column, key, row } = names::of(message);
    let mut reason = what.to_string();
    if let Some(key) = &key {
        reason.push_str(&format!(": '{}'", key.escape_debug()));
    }
    reason.push_str(&format!(" (mysql error {code})"));
    Trouble::Row(RowTrouble { error_type, code, row, column, key, reason })
}

const REFUSED_BY_INDEX: &str = "an index over an expression does not take the value";

/// Said of a table that is created, too.
pub(super) const DUPLICATE_KEY: u16 = 1062;
pub(super) const ROW_TOO_LARGE: u16 = 1118;
const NO_TABLE: u16 = 1146;

/// What is the matter with a row, and not with the statement.
fn row_fault(code: u16) -> Option<(ErrorType, &'static str)> {
    Some(match code {
        1022 | DUPLICATE_KEY | 1169 | 1586 | 1761 | 1762 => {
            (ErrorType::DuplicateKey, "a row with the same key is there already")
        }
        1048 | 1263 => (ErrorType::Null, "NULL, and the column does not take it"),
        1364 => (ErrorType::Null, "there is no value, and the column has no default"),
        1406 | 3696 => (ErrorType::OutOfRange, "the value is longer than the column"),
        1264 | 1690 => (ErrorType::OutOfRange, "the number is outside the column's range"),
        1265 | 1292 | 1366 | 1367 | 1411 | 1416 | 3140 | 3141 | 3156 | 3157 => {
            (ErrorType::TypeMismatch, "the server does not take the value for this type")
        }
        1267 | 1300 | 1977 | 3854 | 3988 => {
            (ErrorType::Encoding, "the column's character set does not have the value")
        }
        1216 | 1217 | 1451 | 1452 => (ErrorType::Constraint, "a foreign key is not satisfied"),
        ROW_TOO_LARGE => (ErrorType::TooLarge, "the row is larger than a page of the table takes"),
        // Over an expression or over the values of an array; 1032 with ON DUPLICATE KEY UPDATE.
        3751 | 3903 => (ErrorType::TypeMismatch, REFUSED_BY_INDEX),
        3752 | 3904..=3907 => (ErrorType::OutOfRange, REFUSED_BY_INDEX),
        1032 => (
            ErrorType::DuplicateKey,
            "a unique key over the values of an array has one of them already",
        ),
        167 | 1467 => {
            (ErrorType::OutOfRange, "the numbers of an AUTO_INCREMENT column are used up")
        }
        1369 => (ErrorType::Constraint, "the view's CHECK OPTION is not satisfied"),
        1526 | 1748 => (ErrorType::Constraint, "no partition takes the row"),
        1644 => (ErrorType::Constraint, "a trigger refused the row"),
        3819 | 4025 => (ErrorType::Constraint, "a check is not satisfied"),
        _ => return None,
    })
}

/// What another try does not change, and what to do about it.
fn refusal(code: u16) -> Option<(ErrorType, &'static str, &'static str)> {
    use ErrorType::{Auth, Other};
    Some(match code {
        1045 | 1698 => (
            Auth,
            "it does not let this user in with this password",
            "look at --db-user and --db-pass, and at --db-ssl-mode where the account demands it",
        ),
        1820 | 1862 => (Auth, "the password has expired", "set a new one at the server"),
        3118 | 4151 => (Auth, "the account is locked", "unlock it at the server"),
        1129 => (
            Auth,
            "it has blocked this machine after failed connections",
            "FLUSH HOSTS at the server lets it in again",
        ),
        1130 => (Auth, "no account may connect from this machine", "grant one that may"),
        3159 => {
            (Auth, "it wants an encrypted connection", "give --db-ssl-mode required or stricter")
        }
        1044 => (Auth, "the account has no right to the database", "grant it, or see --db-name"),
        1142 | 1143 => {
            (Auth, "the account lacks a right", "grant it; `check` lists what is needed")
        }
        1227 | 1370 => (Auth, "the account lacks a right", "`check` lists what is needed"),
        1049 => (Other, "there is no such database", "look at --db-name"),
        1800 | 1845 | 1846 => (
            Other,
            "it cannot do that without copying the table",
            "run the ALTER TABLE without ALGORITHM=INSTANT",
        ),
        1046 => (Other, "no database is named", "give --db-name, or --db-table DATABASE.TABLE"),
        NO_TABLE => (
            Other,
            "there is no such table",
            "is it the one of --db-table (--create-table makes it), one of flowgauge's own \
             (--state-table), or one that a trigger writes to?",
        ),
        1054 | 1136 => (
            Other,
            "the table does not have the columns it had",
            "it was altered during the run: start again",
        ),
        1064 | 1149 => (
            Other,
            "it does not understand a statement",
            "is it MySQL 8.0 or MariaDB 10.6, or newer? a query of your own: look at its words",
        ),
        1059 => (Other, "a name is longer than 64 characters", "rename it with --select NEW=OLD"),
        1060 => (Other, "two columns have the same name", "rename one with --select NEW=OLD"),
        1050 => (Other, "a table of this name is there already", "is another run creating it?"),
        1005 | 1117 => {
            (Other, "the table would have too many columns", "leave some out with --select")
        }
        1071 | 1170 => (Other, "the key would be too long", "choose another with --key"),
        1101 => (Other, "a column of this type takes no default", "create the table by hand"),
        1665 => (
            Other,
            "it logs changes as statements and refuses these",
            "set binlog_format = ROW at the server",
        ),
        3098 | 3750 => (
            Other,
            "it wants every table to have a primary key",
            "name its columns with --key, or add one to the table",
        ),
        _ => return None,
    })
}
