//! A row by which a run is known to be alive: written every few seconds by one of its connections,
//! read by whoever wants its job.
//!
//! A row of its own, because lanes hold the one of the epoch shared as long as they write. Ages are
//! taken by the server's clock.

use super::state::JobState;
use crate::sink::mysql::session::Session;
use crate::sink::mysql::table_name::quoted_text;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// A run that was not heard of for so long has lost its machine or its way to the server.
pub const SILENCE_SECONDS: i64 = 30;

/// What was heard of a run last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The one that had the job's lock.
    pub connection: u64,
    /// None where it said goodbye.
    pub seconds_ago: Option<i64>,
}

impl Heard {
    pub fn is_silent(&self) -> bool {
        self.seconds_ago.is_none_or(|seconds| seconds >= SILENCE_SECONDS)
    }
}

impl JobState {
    /// From here on it is this run that is heard of. `connection` has the job's lock.
    pub async fn claim(&self, session: &mut Session, connection: u32) -> Tried<()> {
        let (job, generation) = (quoted_text(&self.job.hash), quoted_text(&self.run_id));
        let sql = format!(
            "INSERT INTO {} (job, generation, connection, beat_at) \
             VALUES ({job}, {generation}, {connection}, UTC_TIMESTAMP(6)) \
             ON DUPLICATE KEY UPDATE generation = {generation}, connection = {connection}, \
             beat_at = UTC_TIMESTAMP(6)",
            self.tables.heartbeats.quoted()
        );
        session.run(&sql).await.map(drop)
    }

    /// Says that this run is alive, unless another one has claimed the row. `lock_holder` is the
    /// session's number where it has the job's lock.
    pub async fn beat(&self, session: &mut Session, lock_holder: Option<u32>) -> Tried<()> {
        let connection = match lock_holder {
            Some(number) => format!(", connection = {number}"),
            None => String::new(),
        };
        self.set_heartbeat(session, &format!("beat_at = UTC_TIMESTAMP(6){connection}")).await
    }

    /// What of this run is still at the server may be ended.
    pub async fn say_goodbye(&self, session: &mut Session) -> Tried<()> {
        self.set_heartbeat(session, "beat_at = NULL").await
    }

    async fn set_heartbeat(&self, session: &mut Session, what: &str) -> Tried<()> {
        let sql = format!(
            "UPDATE {} SET {what} WHERE job = {} AND generation = {}",
            self.tables.heartbeats.quoted(),
            quoted_text(&self.job.hash),
            quoted_text(&self.run_id)
        );
        session.run(&sql).await.map(drop)
    }

    /// What was heard last of a run of this job. None where there is no such row, nor a table.
    pub async fn heard(&self, session: &mut Session) -> Tried<Option<Heard>> {
        let sql = format!(
            "SELECT connection, TIMESTAMPDIFF(SECOND, beat_at, UTC_TIMESTAMP(6)) FROM {} \
             WHERE job = {}",
            self.tables.heartbeats.quoted(),
            quoted_text(&self.job.hash)
        );
        match session.rows::<(u64, Option<i64>)>(&sql).await {
            Ok(rows) => Ok(rows.first().map(|(connection, seconds_ago)| Heard {
                connection: *connection,
                seconds_ago: *seconds_ago,
            })),
            Err(Trouble::Stop(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_silent_after_a_while_or_a_goodbye() {
        for (seconds_ago, expected) in
            [(Some(0), false), (Some(29), false), (Some(30), true), (Some(-9), false), (None, true)]
        {
            let heard = Heard { connection: 1, seconds_ago };
            assert_eq!(heard.is_silent(), expected, "{seconds_ago:?}");
        }
    }
}
