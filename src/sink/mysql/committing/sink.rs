//! The sink of a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lane::MysqlLane;
use super::shared::Shared;
use super::statement_memory::StatementRoom;
use crate::error::{Error, Later, Result};
use crate::event::Observer;
use crate::record::{Published, Rows};
use crate::sink::mysql::encoding::prepare::Preparer;
use crate::sink::mysql::guess::Guesses;
use crate::sink::mysql::job::guard::Guard;
use crate::sink::mysql::plan::Plan;
use crate::sink::mysql::session::{Session, connect};
use crate::sink::mysql::target::{Planning, Target};
use crate::sink::{Lane, Payload, Receipt, Refused, Sink};

pub struct MysqlSink {
    shared: Arc<Shared>,
    preparer: Preparer,
    guesses: Option<Guesses>,
    published: AtomicBool,
    /// Asks for tokens at the end of a run that was let go of.
    inquiry: tokio::sync::Mutex<Option<Session>>,
}

impl MysqlSink {
    /// Writes nothing yet: the job's epoch is raised when the first lane is opened. Without a guard
    /// this is only a look.
    pub fn new(
        target: &Target,
        planning: Planning,
        plan: Plan,
        guard: Option<Arc<Guard>>,
        observer: Arc<dyn Observer>,
    ) -> MysqlSink {
        MysqlSink {
            preparer: Preparer::new(&plan, target.settings.keys_unique),
            shared: Arc::new(Shared::new(target, planning, plan, guard, observer)),
            guesses: None,
            published: AtomicBool::new(false),
            inquiry: tokio::sync::Mutex::new(None),
        }
    }

    /// Some types of the table were guessed.
    pub fn guessed(mut self, guesses: Guesses) -> MysqlSink {
        self.guesses = Some(guesses);
        self
    }

    /// The run is complete, and its tokens say nothing any more. Where they cannot be removed, the
    /// next run does it.
    async fn forget_tokens(&self) -> Result<()> {
        let epoch = self.shared.epoch()?;
        let state = self.shared.guard()?.state()?;
        let mut session: Session = connect(&self.shared.settings).await?;
        if state.is_ours(&mut session, epoch).await? {
            state.forget_run(&mut session).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Said once, at the end.
    fn tell_of_doubles(&self) {
        let count = self.shared.near.load(Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(
                "numbers in JSON columns that MySQL reads as another double than the nearest, or \
                 that have more digits than one: {count}"
            );
        }
    }

    fn published(&self) -> Published {
        Published { name: Some(self.shared.plan.table.to_string()), ..Published::default() }
    }
}

impl Sink for MysqlSink {
    fn footprint(&self, bytes: usize, records: u64) -> usize {
        // Of a segment of several rows it is known once they are prepared.
        let statement = match self.shared.loads_data() && records > 1 {
            true => 0,
            false => StatementRoom::beyond_at_worst(bytes),
        };
        self.preparer.footprint(bytes, records) + statement
    }

    /// Also where rows are loaded: those of a segment in which something does not fit go by INSERT.
    fn commit_footprint(&self, payload: &Payload) -> usize {
        self.shared.room.beyond(&payload.bytes)
    }

    fn prepare(&self, rows: &Rows, buffer: Vec<u8>, refused: &mut Vec<Refused>) -> Result<Payload> {
        let before = refused.len();
        let payload = self.preparer.prepare(rows, buffer, refused)?;
        if let Some(guesses) = &self.guesses {
            guesses.explain(&self.shared.plan, rows, &mut refused[before..]);
        }
        Ok(payload)
    }

    fn lanes_max(&self) -> usize {
        self.shared.plan.lanes_max
    }

    fn is_public_at_commit(&self) -> bool {
        true
    }

    fn refuses_late(&self) -> bool {
        true
    }

    fn open(self: Arc<Self>) -> Later<'static, Result<Box<dyn Lane>>> {
        Box::pin(async move {
            // The job's row with a new epoch, once. Its lock is held since before the table was looked at.
            self.shared.guard()?.begin(&*self.shared.observer).await?;
            Ok(Box::new(MysqlLane::open(Arc::clone(&self.shared)).await?) as _)
        })
    }

    /// A transaction that is on its way to its end holds the token, and is waited for. One whose
    /// COMMIT was not sent will not be.
    fn find(&self, ticket: u64) -> Later<'_, Result<Option<Receipt>>> {
        Box::pin(async move {
            if !self.shared.plan.is_transactional {
                return Err(Error::internal("rows without a token cannot be looked for"));
            }
            let mut place = self.inquiry.lock().await;
            let mut session = match place.take() {
                Some(session) => session,
                None => connect(&self.shared.settings).await?,
            };
            let receipt = self
                .shared
                .guard()?
                .state()?
                .token(&mut session, self.shared.epoch()?, ticket)
                .await?;
            *place = Some(session);
            Ok(receipt)
        })
    }

    fn publish(&self) -> Later<'_, Result<Published>> {
        Box::pin(async {
            self.shared.check_triggers().await?;
            self.published.store(true, Ordering::Relaxed);
            self.tell_of_doubles();
            if let Err(error) = self.forget_tokens().await {
                tracing::warn!("tokens of this run stay until the next one: {error}");
            }
            self.shared.release().await;
            Ok(self.published())
        })
    }

    fn abandon(&self) -> Later<'_, Option<Published>> {
        Box::pin(async {
            if !self.published.load(Ordering::Relaxed) {
                self.tell_of_doubles();
            }
            self.shared.release().await;
            self.published.load(Ordering::Relaxed).then(|| self.published())
        })
    }
}
