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

    let wait = LOCK_WAIT_SECONDS_MAX.min(settings.statement_timeout.as_secs() / 2).max(1);
    let mut wishes = vec![
        format!("innodb_lock_wait_timeout = {wait}"),
        format!("lock_wait_timeout = {wait}"),
        format!("wait_timeout = {SILENCE_SECONDS}"),
        "innodb_strict_mode = 1".to_string(),
    ];
    // MySQL wants a right for it, and there only their number is looked at.
    if session.server.is_mariadb {
        wishes.push(format!("max_error_count = {WARNINGS_KEPT}"));
    }
    match session.run(&format!("SET SESSION {}", wishes.join(", "))).await {
        Ok(_) => return Ok(()),
        Err(Trouble::Stop(_)) => {}
        Err(trouble) => return Err(trouble),
    }
    for wish in wishes {
        match session.run(&format!("SET SESSION {wish}")).await {
            // A proxy or an engine without it: that is bearable.
            Ok(_) | Err(Trouble::Stop(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}
