//! Whether the table still is what rows are written by.
//!
//! Looked at in the transaction, behind the rows: an ALTER that came before them is seen, and one that
//! comes later waits for the commit. A change that leaves the plan as it was changes nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::record::ErrorType;
use crate::sink::mysql::plan::Plan;
use crate::sink::mysql::session::Session;
use crate::sink::mysql::table::{self, Table};
use crate::sink::mysql::target::Planning;
use crate::sink::mysql::trouble::{Tried, Trouble};

/// Triggers are no part of the definition, and asking for them is slow where there are many tables.
const TRIGGERS_EVERY: Duration = Duration::from_secs(60);

const NO_PANIC: &str = "nobody panics while holding it";

/// What the plan was made of, for all lanes.
pub struct DefinitionCheck {
    planning: Planning,
    /// The table that the plan was made of.
    first: Arc<Table>,
    known: Mutex<Known>,
}

struct Known {
    table: Arc<Table>,
    triggers_seen_at: Instant,
    /// How often it has changed.
    version: u64,
}

impl DefinitionCheck {
    pub fn new(planning: Planning, table: Table) -> DefinitionCheck {
        let first = Arc::new(table);
        let table = Arc::clone(&first);
        let known = Known { table, triggers_seen_at: Instant::now(), version: 0 };
        DefinitionCheck { planning, first, known: Mutex::new(known) }
    }

    pub fn version(&self) -> u64 {
        self.known.lock().expect(NO_PANIC).version
    }

    /// Fails where rows would be written in another way by now.
    pub async fn check(&self, session: &mut Session, plan: &Plan) -> Tried<()> {
        let (known, is_due) = {
            let known = self.known.lock().expect(NO_PANIC);
            (Arc::clone(&known.table), known.triggers_seen_at.elapsed() >= TRIGGERS_EVERY)
        };
        let is_same = match &known.creation {
            Some(creation) => match table::creation(session, &plan.table).await {
                Ok(now) => now.as_ref() == Some(creation),
                // It is gone, or a view by now.
                Err(Trouble::Stop(_)) => false,
                Err(trouble) => return Err(trouble),
            },
            None => false,
        };
        if !is_same {
            return self.look_again(session, plan).await;
        }
        if is_due {
            return self.check_triggers(session, plan).await;
        }
        Ok(())
    }

    pub async fn check_triggers(&self, session: &mut Session, plan: &Plan) -> Tried<()> {
        let known = Arc::clone(&self.known.lock().expect(NO_PANIC).table);
        let triggers = table::triggers(session, &plan.table).await?;
        if triggers != known.triggers {
            return self.look_again(session, plan).await;
        }
        self.known.lock().expect(NO_PANIC).triggers_seen_at = Instant::now();
        Ok(())
    }

    async fn look_again(&self, session: &mut Session, plan: &Plan) -> Tried<()> {
        let first = &*self.first;
        let Some(mut now) = table::inspect(session, &plan.table).await? else {
            return Err(Trouble::Stop(changed(plan, "it is not there any more")));
        };
        let seen_at = Instant::now();
        // Rows of this run are in it by now.
        now.is_empty = first.is_empty;
        let again = self.planning.plan(&now.without_later(first));
        let mut what = now.differences(first).join("; ");
        if plan.is_transactional && !now.is_transactional() {
            what.push_str(
                ", which does not take back the batch that was on its way: rows of it may be there",
            );
        }
        let again = match again {
            Ok(again) => again,
            Err(error) => {
                return Err(Trouble::Stop(changed(plan, &format!("{what}, and now: {error}"))));
            }
        };
        if !again.writes_like(plan) {
            return Err(Trouble::Stop(changed(plan, &what)));
        }
        let mut latest = self.known.lock().expect(NO_PANIC);
        if latest.table.creation != now.creation {
            latest.version += 1;
            tracing::info!("table {} was altered, and rows go into it as before", plan.table);
        }
        latest.table = Arc::new(now);
        latest.triggers_seen_at = seen_at;
        Ok(())
    }
}

fn changed(plan: &Plan, what: &str) -> Error {
    Error::data(
        ErrorType::Other,
        format!("table {} was altered during the run: {what}", plan.table),
    )
    .help("what was committed before stays; start again when the table is as it shall be")
}
