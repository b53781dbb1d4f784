//! What every session is set to, so that statements mean the same on every server.

use super::connection::Session;
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// Nothing is bent to fit, and 0 in an AUTO_INCREMENT column is 0.
const SQL_MODE: &str = "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                        ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";

/// How long a row or table may be held by others before the statement is given up.
const LOCK_WAIT_SECONDS_MAX: u64 = 30;

/// Warnings of a statement that can be read afterwards.
const WARNINGS_KEPT: u32 = 64;

/// A session that is silent for so long is ended by the server: longer than any wait of ours, and
/// short enough that the locks of a machine that vanished do not stay for a night.
const SILENCE_SECONDS: u64 = 3600;

/// More bytes of a key than any key has, so that rows with equal ones are sorted side by side.
const SORTED_BYTES: u32 = 8192;

/// Before anything is asked: limits on SELECT cut answers of the server about itself, too.
pub(super) async fn lift_limits(session: &mut Session) -> Tried<()> {
    let assignments =
        [format!("sql_select_limit = {}", u64::MAX), "sql_big_selects = 1".to_string()];
    set_if_known(session, &assignments).await
}

pub(super) async fn pin(session: &mut Session, settings: &MysqlSettings) -> Tried<()> {
    // Compares text as bytes wherever a statement compares literals.
    session.run("SET NAMES utf8mb4 COLLATE utf8mb4_bin").await?;
    session
        .run(&format!(
            "SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00', autocommit = 1, \
             foreign_key_checks = 1, unique_checks = 1, sql_notes = 1"
        ))
        .await?;
    // Without row changes in the log, the server refuses to write at any lower level.
    let level = if session.server.logs_statements { "REPEATABLE READ" } else { "READ COMMITTED" };
    session.run(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")).await?;

    session.run("SET SESSION TRANSACTION READ WRITE").await?;

    let wait = LOCK_WAIT_SECONDS_MAX.min(settings.statement_timeout.as_secs() / 2).max(1);
    let mut assignments = vec![
        format!("innodb_lock_wait_timeout = {wait}"),
        format!("lock_wait_timeout = {wait}"),
        format!("wait_timeout = {SILENCE_SECONDS}"),
        format!("max_sort_length = {SORTED_BYTES}"),
        // Names of keys are looked for in messages.
        "lc_messages = 'en_US'".to_string(),
        // COMMIT neither begins another transaction nor ends the connection.
        "completion_type = 0".to_string(),
        "sql_quote_show_create = 1".to_string(),
        // NULL is not the time of day.
        "explicit_defaults_for_timestamp = 1".to_string(),
        "sql_auto_is_null = 0".to_string(),
        "sql_safe_updates = 0".to_string(),
        "sql_warnings = 0".to_string(),
    ];
    if session.server.is_mariadb {
        // MySQL wants a right for it, and there only their number is looked at.
        assignments.push(format!("max_error_count = {WARNINGS_KEPT}"));
        assignments.push("check_constraint_checks = 1".to_string());
        assignments.push("old_mode = ''".to_string());
    } else {
        assignments.push("show_create_table_verbosity = 0".to_string());
        if session.server.version >= INVISIBLE_KEYS_FROM {
            assignments.push("show_gipk_in_create_table_and_information_schema = 1".to_string());
        }
    }
    set_if_known(session, &assignments).await?;
    // By itself, because MySQL wants a right for it.
    set_if_known(session, &["innodb_strict_mode = 1".to_string()]).await
}

/// MySQL from here on gives tables primary keys that it may hide.
const INVISIBLE_KEYS_FROM: (u16, u16, u16) = (8, 0, 30);

/// Sets variables of the session; a proxy or an engine that lacks some of them may be used all the same.
async fn set_if_known(session: &mut Session, assignments: &[String]) -> Tried<()> {
    match session.run(&format!("SET SESSION {}", assignments.join(", "))).await {
        Ok(_) => return Ok(()),
        Err(Trouble::Stop(_)) if assignments.len() == 1 => return Ok(()),
        Err(Trouble::Stop(_)) => {}
        Err(trouble) => return Err(trouble),
    }
    for assignment in assignments {
        match session.run(&format!("SET SESSION {assignment}")).await {
            Ok(_) | Err(Trouble::Stop(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}
