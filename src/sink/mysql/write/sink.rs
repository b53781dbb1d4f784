//! The sink: what all lanes of a run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::definition::Definition;
use super::given::Given;
use super::guard::Guard;
use super::lane::MysqlLane;
use super::portion::Portion;
use super::prepare::Preparer;
use super::room::StatementRoom;
use super::state::State;
use super::statement::Statements;
use super::throttle::Throttle;
use crate::error::{Error, Later, Result};
use crate::event::Observer;
use crate::record::{Published, Rows};
use crate::sink::mysql::guess::Guesses;
use crate::sink::mysql::plan::{Plan, WritePath};
use crate::sink::mysql::session::connection::{Session, connect};
use crate::sink::mysql::session::server::Server;
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::table::Table;
use crate::sink::mysql::target::Planning;
use crate::sink::mysql::trouble::Tried;
use crate::sink::{Lane, Payload, Receipt, Refused, Sink};

pub struct MysqlSink {
    pub(super) settings: Arc<MysqlSettings>,
    pub(super) plan: Plan,
    pub(super) state: Arc<State>,
    pub(super) statements: Statements,
    pub(super) throttle: Option<Throttle>,
    /// None where nobody said what the plan was made of.
    pub(super) definition: Option<Definition>,
    pub(super) portion: Portion,
    pub(super) given: Given,
    /// Numbers in JSON that MySQL made others of.
    pub(super) near: AtomicU64,
    pub(super) room: StatementRoom,
    preparer: Preparer,
    /// Where the table was made by this run.
    guesses: Option<Guesses>,
    /// None where this is only a look.
    guard: Option<Arc<Guard>>,
    /// By number: whether a lane has it.
    lanes: Mutex<Vec<bool>>,
    loads_data: AtomicBool,
    stages: AtomicBool,
    published: AtomicBool,
    /// Asks for tokens at the end of a run that was let go of.
    inquiry: tokio::sync::Mutex<Option<Session>>,
    /// Told of values that are kept.
    pub(super) observer: Arc<dyn Observer>,
}

const NO_PANIC: &str = "nobody panics while holding it";

impl MysqlSink {
    /// Writes nothing yet: the job's epoch is raised when the first lane is opened, or by `begin`.
    pub fn new(
        settings: Arc<MysqlSettings>,
        plan: Plan,
        server: &Server,
        guard: Option<Arc<Guard>>,
        observer: Arc<dyn Observer>,
    ) -> Result<MysqlSink> {
        let state = match &guard {
            Some(guard) => guard.state()?,
            None => Arc::new(State::new(&settings, &plan.table)?),
        };
        let throttle = settings.throttle.clone();
        Ok(MysqlSink {
            state,
            statements: Statements::new(&plan, server.is_mariadb, server.version),
            definition: None,
            throttle: throttle.map(|query| Throttle::new(query, settings.throttle_every)),
            portion: Portion::default(),
            given: Given::default(),
            near: AtomicU64::new(0),
            room: StatementRoom::new(&plan),
            preparer: Preparer::new(&plan, settings.keys_unique),
            guesses: None,
            guard,
            lanes: Mutex::new(Vec::new()),
            loads_data: AtomicBool::new(plan.write_path == WritePath::LoadData),
            stages: AtomicBool::new(true),
            published: AtomicBool::new(false),
            inquiry: tokio::sync::Mutex::new(None),
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

    /// The table was made for this run, by guesses.
    pub fn guessed(mut self, guesses: Option<Guesses>) -> MysqlSink {
        self.guesses = guesses;
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
        if self.epoch().is_err() {
            return Ok(());
        }
        let mut session: Session = connect(&self.settings).await?;
        let checked = definition.check_triggers(&mut session, &self.plan).await;
        session.close().await;
        Ok(checked?)
    }

    /// Takes the job, once: its row with a new epoch. Its lock is held since before the table was
    /// looked at.
    pub async fn begin(&self) -> Result<u64> {
        self.guard()?.begin(&*self.observer).await
    }

    pub(super) fn guard(&self) -> Result<&Arc<Guard>> {
        self.guard.as_ref().ok_or_else(|| Error::internal("a look that writes"))
    }

    /// The epoch that was taken.
    pub(super) fn epoch(&self) -> Result<u64> {
        self.guard()?.epoch()
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
        let epoch = self.epoch()?;
        let mut session: Session = connect(&self.settings).await?;
        if self.state.is_ours(&mut session, epoch).await? {
            self.state.forget_run(&mut session).await?;
        }
        session.close().await;
        Ok(())
    }

    async fn release(&self) {
        if let Some(guard) = &self.guard {
            guard.release().await;
        }
    }

    /// Said once, at the end.
    fn tell_of_doubles(&self) {
        let count = self.near.load(Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(
                "numbers in JSON columns that MySQL reads as another double than the nearest, or \
                 that have more digits than one: {count}"
            );
        }
    }

    fn published(&self) -> Published {
        Published { name: Some(self.plan.table.to_string()), replaced_bytes: None }
    }
}

impl Sink for MysqlSink {
    fn footprint(&self, bytes: usize, records: u64) -> usize {
        // Of a segment of several rows it is known once they are prepared.
        let statement = match self.loads_data() && records > 1 {
            true => 0,
            false => StatementRoom::beyond_at_worst(bytes),
        };
        self.preparer.footprint(bytes, records) + statement
    }

    /// Also where rows are loaded: those of a segment in which something does not fit go by INSERT.
    fn commit_footprint(&self, payload: &Payload) -> usize {
        self.room.beyond(&payload.bytes)
    }

    fn prepare(&self, rows: &Rows, buffer: Vec<u8>, refused: &mut Vec<Refused>) -> Result<Payload> {
        let before = refused.len();
        let payload = self.preparer.prepare(rows, buffer, refused)?;
        if let Some(guesses) = &self.guesses {
            guesses.explain(&self.plan, rows, &mut refused[before..]);
        }
        Ok(payload)
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

    /// A transaction that is on its way to its end holds the token, and is waited for. One whose
    /// COMMIT was not sent will not be.
    fn find(&self, ticket: u64) -> Later<'_, Result<Option<Receipt>>> {
        Box::pin(async move {
            if !self.plan.is_transactional {
                return Err(Error::internal("rows without a token cannot be looked for"));
            }
            let mut place = self.inquiry.lock().await;
            let mut session = match place.take() {
                Some(session) => session,
                None => connect(&self.settings).await?,
            };
            let receipt = self.state.token(&mut session, self.epoch()?, ticket).await?;
            *place = Some(session);
            Ok(receipt)
        })
    }

    fn publish(&self) -> Later<'_, Result<Published>> {
        Box::pin(async {
            self.check_triggers().await?;
            self.published.store(true, Ordering::Relaxed);
            self.tell_of_doubles();
            if let Err(error) = self.forget_tokens().await {
                tracing::warn!("tokens of this run stay until the next one: {error}");
            }
            self.release().await;
            Ok(self.published())
        })
    }

    fn abandon(&self) -> Later<'_, Option<Published>> {
        Box::pin(async {
            if !self.published.load(Ordering::Relaxed) {
                self.tell_of_doubles();
            }
            self.release().await;
            self.published.load(Ordering::Relaxed).then(|| self.published())
        })
    }
}
