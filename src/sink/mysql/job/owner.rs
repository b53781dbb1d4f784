//! Who is behind a connection that holds a lock of a job, as far as the server tells this account.

use std::fmt;

use super::state::JobState;
use crate::sink::mysql::session::Session;
use crate::sink::mysql::table_name::quoted_text;

/// What could be found out; none of it has to be known.
#[derive(Debug, Default)]
pub struct LockOwner {
    /// With the port of the connection, as the server sees it.
    host: Option<String>,
    /// On that host.
    pid: Option<String>,
    run_id: Option<String>,
    /// By the server's clock.
    since: Option<String>,
}

impl LockOwner {
    pub async fn find(session: &mut Session, state: &JobState, connection: u64) -> LockOwner {
        let mut owner = LockOwner::default();
        let sql =
            format!("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = {connection}");
        owner.host = first(session, &sql).await;
        // The driver says it when it connects. Where the server keeps that, and shows it.
        let sql = format!(
            "SELECT ATTR_VALUE FROM performance_schema.session_account_connect_attrs \
             WHERE PROCESSLIST_ID = {connection} AND ATTR_NAME = '_pid'"
        );
        owner.pid = first(session, &sql).await;
        let (job, heartbeats, jobs) = (
            quoted_text(&state.job.hash),
            state.tables.heartbeats.quoted(),
            state.tables.jobs.quoted(),
        );
        // The row of the job may still be of the run before.
        let found = |what: &str| {
            format!(
                "SELECT {what} FROM {heartbeats} h JOIN {jobs} j \
                 ON j.job = h.job AND j.generation = h.generation \
                 WHERE h.job = {job} AND h.connection = {connection}"
            )
        };
        owner.run_id = first(session, &found("h.generation")).await;
        let since = found("DATE_FORMAT(j.taken_at, '%Y-%m-%dT%H:%i:%sZ')");
        owner.since = first(session, &since).await;
        owner
    }
}

/// None where there is nothing, or it may not be seen.
async fn first(session: &mut Session, sql: &str) -> Option<String> {
    let rows = session.rows::<Option<String>>(sql).await.ok()?;
    rows.into_iter().next().flatten().filter(|text| !text.is_empty())
}

/// ` (host 10.0.0.5:41234, pid 4711, run 0198…, since 2026-01-01T02:15:00Z)`
impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            ("host", &self.host),
            ("pid", &self.pid),
            ("run", &self.run_id),
            ("since", &self.since),
        ];
        let known: Vec<String> = known
            .iter()
            .filter_map(|(what, text)| Some(format!("{what} {}", text.as_deref()?)))
            .collect();
        match known.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", known.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said() {
        let text = |text: &str| Some(text.to_string());
        assert_eq!(LockOwner::default().to_string(), "");
        let owner = LockOwner { host: text("db1:1"), since: text("now"), ..LockOwner::default() };
        assert_eq!(owner.to_string(), " (host db1:1, since now)");
    }
}
