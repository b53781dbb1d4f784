//! What all lanes of a run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::assigned_numbers::AssignedNumbers;
use super::definition_check::DefinitionCheck;
use super::portion::Portion;
use super::statement_memory::StatementRoom;
use super::throttle::Throttle;
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::record::ErrorType;
use crate::sink::mysql::encoding::statement::Statements;
use crate::sink::mysql::job::guard::Guard;
use crate::sink::mysql::plan::{Plan, WritePath};
use crate::sink::mysql::session::{Session, connect};
use crate::sink::mysql::settings::MysqlSettings;
use crate::sink::mysql::target::{Planning, Target};
use crate::sink::mysql::trouble::Tried;

pub struct Shared {
    pub settings: Arc<MysqlSettings>,
    pub plan: Plan,
    pub statements: Statements,
    pub throttle: Option<Throttle>,
    /// Ends the run where the table is altered so that this plan is not what would be made of it. None
    /// where the table is not there yet, and this is only a look.
    definition: Option<DefinitionCheck>,
    pub portion: Portion,
    pub given: AssignedNumbers,
    /// Numbers in JSON that MySQL made others of.
    pub near: AtomicU64,
    pub room: StatementRoom,
    /// None where this is only a look.
    guard: Option<Arc<Guard>>,
    /// By number: whether a lane has it.
    lanes: Mutex<Vec<bool>>,
    loads_data: AtomicBool,
    stages: AtomicBool,
    /// Told of values that are kept.
    pub observer: Arc<dyn Observer>,
}

const NO_PANIC: &str = "nobody panics while holding it";

impl Shared {
    pub fn new(
        target: &Target,
        planning: Planning,
        plan: Plan,
        guard: Option<Arc<Guard>>,
        observer: Arc<dyn Observer>,
    ) -> Shared {
        let (settings, server) = (Arc::clone(&target.settings), &target.server);
        let throttle = settings.throttle.clone();
        Shared {
            statements: Statements::new(&plan, server.is_mariadb, server.version),
            definition: target.table.clone().map(|table| DefinitionCheck::new(planning, table)),
            throttle: throttle.map(|query| Throttle::new(query, settings.throttle_every)),
            portion: Portion::default(),
            given: AssignedNumbers::default(),
            near: AtomicU64::new(0),
            room: StatementRoom::new(&plan),
            guard,
            lanes: Mutex::new(Vec::new()),
            loads_data: AtomicBool::new(plan.write_path == WritePath::LoadData),
            stages: AtomicBool::new(true),
            observer,
            settings,
            plan,
        }
    }

    pub fn guard(&self) -> Result<&Arc<Guard>> {
        self.guard.as_ref().ok_or_else(|| Error::internal("a look that writes"))
    }

    /// The epoch that was taken.
    pub fn epoch(&self) -> Result<u64> {
        self.guard()?.epoch()
    }

    pub async fn release(&self) {
        if let Some(guard) = &self.guard {
            guard.release().await;
        }
    }

    /// Behind the rows, in their transaction.
    pub async fn check_definition(&self, session: &mut Session) -> Tried<()> {
        match &self.definition {
            Some(definition) => definition.check(session, &self.plan).await,
            None => Ok(()),
        }
    }

    /// A trigger that came after the last look is no part of what was planned.
    pub async fn check_triggers(&self) -> Result<()> {
        let Some(definition) = self.definition.as_ref().filter(|_| self.epoch().is_ok()) else {
            return Ok(());
        };
        let mut session: Session = connect(&self.settings).await?;
        let checked = definition.check_triggers(&mut session, &self.plan).await;
        session.close().await;
        Ok(checked?)
    }

    /// How often the table was altered.
    pub fn table_version(&self) -> u64 {
        self.definition.as_ref().map_or(0, DefinitionCheck::version)
    }

    pub fn loads_data(&self) -> bool {
        self.loads_data.load(Ordering::Relaxed)
    }

    /// For the rest of the run.
    pub fn stop_loading_data(&self, cause: &Error) {
        if self.loads_data.swap(false, Ordering::Relaxed) {
            tracing::warn!("rows go by INSERT, which is slower: {cause}");
        }
    }

    pub fn stages(&self) -> bool {
        self.stages.load(Ordering::Relaxed)
    }

    /// For the rest of the run.
    pub fn stop_staging(&self, cause: &Error) {
        if self.stages.swap(false, Ordering::Relaxed) {
            let why = match cause.error_type {
                ErrorType::Auth => {
                    "the account has no right to CREATE TEMPORARY TABLES in the database; grant it"
                        .to_string()
                }
                _ => cause.to_string(),
            };
            tracing::warn!("rows are updated without a temporary table, which is slower: {why}");
        }
    }

    /// The lowest number no lane has.
    pub fn take_lane_number(&self) -> usize {
        let mut lanes = self.lanes.lock().expect(NO_PANIC);
        let number = lanes.iter().position(|is_taken| !is_taken).unwrap_or(lanes.len());
        match lanes.get_mut(number) {
            Some(is_taken) => *is_taken = true,
            None => lanes.push(true),
        }
        number
    }

    pub fn give_lane_number(&self, number: usize) {
        if let Some(is_taken) = self.lanes.lock().expect(NO_PANIC).get_mut(number) {
            *is_taken = false;
        }
    }
}
