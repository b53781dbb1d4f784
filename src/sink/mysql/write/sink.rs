//! The sink: what all lanes of a run share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::definition::Definition;
use super::guard::Guard;
use super::lane::MysqlLane;
use super::prepare::Preparer;
use super::state::State;
use super::statement::Statements;
use super::throttle::Throttle;
use crate::error::{Error, Later, Result};
use crate::event::Observer;
use crate::record::{Published, Rows};
use crate::sink::mysql::plan::{Plan, WritePath};
use crate::sink::mysql::session::connection::{Session, connect};
use crate::sink::mysql::session::server::Server;
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::table::Table;
use crate::sink::mysql::target::Planning;
use crate::sink::mysql::trouble::Tried;
use crate::sink::{Lane, Payload, Refused, Sink};

pub struct MysqlSink {
    pub(super) settings: Arc<MysqlSettings>,
    pub(super) plan: Plan,
    pub(super) state: Arc<State>,
    pub(super) statements: Statements,
    pub(super) throttle: Option<Throttle>,
    /// None where nobody said what the plan was made of.
    pub(super) definition: Option<Definition>,
    preparer: Preparer,
    /// The job's epoch, once it was taken.
    epoch: OnceCell<u64>,
    guard: Mutex<Option<Guard>>,
    /// By number: whether a lane has it.
    lanes: Mutex<Vec<bool>>,
    loads_data: AtomicBool,
    stages: AtomicBool,
    published: AtomicBool,
    /// Told of state tables that are created, and of values that are kept.
    pub(super) observer: Arc<dyn Observer>,
}

const NO_PANIC: &str = "nobody panics while holding it";

impl MysqlSink {
    /// Writes nothing yet: the job is taken when the first lane is opened, or by `begin`.
    pub fn new(
        settings: Arc<MysqlSettings>,
        plan: Plan,
        server: &Server,
        observer: Arc<dyn Observer>,
    ) -> Result<MysqlSink> {
        let throttle = settings.throttle.clone();
        Ok(MysqlSink {
            state: Arc::new(State::new(&settings, &plan.table)?),
            statements: Statements::new(&plan, server.is_mariadb, server.version),
            definition: None,
            throttle: throttle.map(|query| Throttle::new(query, settings.throttle_every)),
            preparer: Preparer::new(&plan, settings.keys_unique),
            epoch: OnceCell::new(),
            guard: Mutex::new(None),
            lanes: Mutex::new(Vec::new()),
            loads_data: AtomicBool::new(plan.write_path == WritePath::LoadData),
            stages: AtomicBool::new(true),
            published: AtomicBool::new(false),
            observer,
            settings,
            plan,
        })
    }

    /// Ends the run where the table is altered so that this plan is not what would be made of it.
    pub fn watching(mut self, planning: Planning, table: Table) -> MysqlSink {
        self.definition = Some(Definition::new(planning, table));
        self
    }

    /// Behind the rows, in their transaction.
    pub(super) async fn check_definition(&self, session: &mut Session) -> Tried<()> {
        match &self.definition {
            Some(definition) => definition.check(session, &self.plan).await,
            None => Ok(()),
        }
    }

    /// How often the table was altered.
    pub(super) fn table_version(&self) -> u64 {
        self.definition.as_ref().map_or(0, Definition::version)
    }

    /// A trigger that came after the last look is no part of what was planned either.
    async fn check_triggers(&self) -> Result<()> {
        let Some(definition) = &self.definition else { return Ok(()) };
        if self.epoch.get().is_none() {
            return Ok(());
        }
        let mut session: Session = connect(&self.settings).await?;
        let checked = definition.check_triggers(&mut session, &self.plan).await;
        session.close().await;
        Ok(checked?)
    }

    /// Takes the job, once: its lock, and its row with a new epoch.
    pub async fn begin(&self) -> Result<u64> {
        self.epoch.get_or_try_init(|| self.take_job()).await.copied()
    }

    async fn take_job(&self) -> Result<u64> {
        let mut session = connect(&self.settings).await?;
        let (is_locked, epoch) = match self.try_take_job(&mut session).await {
            Ok(taken) => taken,
            // Another try must not find the lock of this one.
            Err(error) => {
                self.state.unlock(&mut session).await;
                session.close().await;
                return Err(error);
            }
        };
        if is_locked {
            let (settings, state) = (Arc::clone(&self.settings), Arc::clone(&self.state));
            *self.guard.lock().expect(NO_PANIC) = Some(Guard::new(session, settings, state, epoch));
        } else {
            tracing::warn!(
                "the server has no GET_LOCK: a second run of this job would end this one"
            );
            session.close().await;
        }
        Ok(epoch)
    }

    async fn try_take_job(&self, session: &mut Session) -> Result<(bool, u64)> {
        let is_locked = self.state.lock(session).await?;
        self.state.create(session, &*self.observer).await?;
        Ok((is_locked, self.state.take_over(session).await?))
    }

    /// The epoch that was taken.
    pub(super) fn epoch(&self) -> Result<u64> {
        self.epoch.get().copied().ok_or_else(|| Error::internal("a lane before the job was taken"))
    }

    pub(super) fn loads_data(&self) -> bool {
        self.loads_data.load(Ordering::Relaxed)
    }

    /// For the rest of the run.
    pub(super) fn stop_loading_data(&self, cause: &Error) {
        if self.loads_data.swap(false, Ordering::Relaxed) {
            tracing::warn!("rows go by INSERT, which is slower: {cause}");
        }
    }

    pub(super) fn stages(&self) -> bool {
        self.stages.load(Ordering::Relaxed)
    }

    /// For the rest of the run.
    pub(super) fn stop_staging(&self, cause: &Error) {
        if self.stages.swap(false, Ordering::Relaxed) {
            tracing::warn!("rows are updated without a temporary table, which is slower: {cause}");
        }
    }

    /// The lowest number no lane has.
    pub(super) fn take_lane_number(&self) -> usize {
        let mut lanes = self.lanes.lock().expect(NO_PANIC);
        let number = lanes.iter().position(|is_taken| !is_taken).unwrap_or(lanes.len());
        match lanes.get_mut(number) {
            Some(is_taken) => *is_taken = true,
            None => lanes.push(true),
        }
        number
    }

    pub(super) fn give_lane_number(&self, number: usize) {
        if let Some(is_taken) = self.lanes.lock().expect(NO_PANIC).get_mut(number) {
            *is_taken = false;
        }
    }

    /// The run is complete, and its tokens say nothing any more. Where they cannot be removed, the
    /// next run does it.
    async fn forget_tokens(&self) -> Result<()> {
        let Some(epoch) = self.epoch.get() else { return Ok(()) };
        let mut session: Session = connect(&self.settings).await?;
        if self.state.is_ours(&mut session, *epoch).await? {
            self.state.forget_run(&mut session).await?;
        }
        session.close().await;
        Ok(())
    }

    async fn release(&self) {
        let guard = self.guard.lock().expect(NO_PANIC).take();
        if let Some(guard) = guard {
            guard.release().await;
        }
    }

    fn published(&self) -> Published {
        Published { name: Some(self.plan.table.to_string()), replaced_bytes: None }
    }
}

impl Sink for MysqlSink {
    fn footprint(&self, bytes: usize, records: u64) -> usize {
        self.preparer.footprint(bytes, records)
    }

    fn prepare(&self, rows: &Rows, buffer: Vec<u8>, refused: &mut Vec<Refused>) -> Result<Payload> {
        self.preparer.prepare(rows, buffer, refused)
    }

    fn lanes_max(&self) -> usize {
        self.plan.lanes_max
    }

    fn is_public_at_commit(&self) -> bool {
        true
    }

    fn refuses_late(&self) -> bool {
        true
    }

    fn open(self: Arc<Self>) -> Later<'static, Result<Box<dyn Lane>>> {
        Box::pin(async move {
            self.begin().await?;
            Ok(Box::new(MysqlLane::open(self).await?) as _)
        })
    }

    fn publish(&self) -> Later<'_, Result<Published>> {
        Box::pin(async {
            self.check_triggers().await?;
            self.published.store(true, Ordering::Relaxed);
            if let Err(error) = self.forget_tokens().await {
                tracing::warn!("tokens of this run stay until the next one: {error}");
            }
            self.release().await;
            Ok(self.published())
        })
    }

    fn abandon(&self) -> Later<'_, Option<Published>> {
        Box::pin(async {
            self.release().await;
            self.published.load(Ordering::Relaxed).then(|| self.published())
        })
    }
}
