//! Which series can move in a run, by what it has at its two ends. The others are left out; one in which
//! something is after all is shown.

use crate::event::{RunIdentity, Stage, Wait};
use crate::record::ErrorType;

impl RunIdentity {
    pub fn asks_search_server(&self) -> bool {
        self.source == "elasticsearch"
    }

    pub fn reads_files(&self) -> bool {
        !self.asks_search_server()
    }

    pub fn asks_database(&self) -> bool {
        self.sink == "mysql"
    }

    /// What a server refuses for now is tried again. Files are read and written once.
    pub fn may_retry(&self, stage: Stage) -> bool {
        match stage {
            Stage::Fetch => self.asks_search_server(),
            Stage::Convert => false,
            Stage::Insert => self.asks_database(),
        }
    }

    /// Of the types that a stage has at all.
    pub fn may_fail(&self, stage: Stage, error_type: ErrorType) -> bool {
        use ErrorType::*;
        match stage {
            Stage::Fetch if self.reads_files() => {
                matches!(error_type, Parse | Encoding | TooLarge | Disk | PartialResult | Other)
            }
            Stage::Fetch => error_type != Disk,
            Stage::Insert if !self.asks_database() => matches!(error_type, Disk | Other),
            Stage::Convert | Stage::Insert => true,
        }
    }

    pub fn may_wait(&self, stage: Stage, wait: Wait) -> bool {
        match wait {
            Wait::Input => stage != Stage::Fetch,
            Wait::Output => true,
            Wait::Retry => self.may_retry(stage),
            Wait::Throttle => stage == Stage::Insert,
            Wait::Lock => stage == Stage::Insert && self.asks_database(),
        }
    }
}
