//! Locks of the server that belong to a connection: one of the job, and one of each lane.

use crate::sink::mysql::session::Session;
use crate::sink::mysql::table_name::quoted_text;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// How long the server may take to notice that a connection was killed.
pub const RELEASE_SECONDS: u64 = 5;

/// False where another connection has it. `Trouble::Stop` where the server has no such locks.
pub async fn get_lock(session: &mut Session, name: &str, seconds: u64) -> Tried<bool> {
    let sql = format!("SELECT GET_LOCK({}, {seconds})", quoted_text(name));
    let answers = session.rows::<Option<i64>>(&sql).await?;
    Ok(answers.first() == Some(&Some(1)))
}

/// The connection that has the lock now.
pub async fn holder(session: &mut Session, name: &str) -> Tried<Option<u64>> {
    Ok(holders(session, &[name.to_string()]).await?.into_iter().next())
}

/// The connections that have one of these locks now.
pub async fn holders(session: &mut Session, names: &[String]) -> Tried<Vec<u64>> {
    let asked = names.iter().map(|name| format!("SELECT IS_USED_LOCK({})", quoted_text(name)));
    let sql = asked.collect::<Vec<_>>().join(" UNION ALL ");
    Ok(session.rows::<Option<u64>>(&sql).await?.into_iter().flatten().collect())
}

/// Ends a connection. One that went by itself, or is not ours to end, is left alone.
pub async fn kill(session: &mut Session, connection: u64) -> Tried<()> {
    match session.run(&format!("KILL {connection}")).await {
        Ok(_) | Err(Trouble::Stop(_)) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}
