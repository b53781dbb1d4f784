//! Why there is no history, in one line.

use std::fmt;

use rusqlite::ErrorCode;

use crate::shown::Line;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    reason: String,
    /// It may be otherwise in a moment: somebody else has the file, or the disk is full.
    pub may_pass: bool,
    /// The file is not what a ledger is.
    pub is_damage: bool,
}

impl Missing {
    pub fn because(reason: impl Into<String>) -> Missing {
        Missing { reason: reason.into(), may_pass: false, is_damage: false }
    }

    /// Worth another try.
    pub fn for_now(reason: impl Into<String>) -> Missing {
        Missing { may_pass: true, ..Missing::because(reason) }
    }

    /// The same with the file before it.
    pub fn of(self, path: &std::path::Path) -> Missing {
        Missing { reason: format!("'{}': {}", path.display(), self.reason), ..self }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Line(&self.reason))
    }
}

impl From<rusqlite::Error> for Missing {
    fn from(cause: rusqlite::Error) -> Missing {
        let code = cause.sqlite_error_code();
        let reason = match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "it is locked by another process".to_string()
            }
            Some(ErrorCode::FileLockingProtocolFailed) => "it cannot be locked".to_string(),
            Some(ErrorCode::DiskFull) => "the disk is full".to_string(),
            Some(ErrorCode::ReadOnly) => "it cannot be written by this user".to_string(),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "it cannot be opened by this user".to_string()
            }
            Some(ErrorCode::SystemIoFailure) => format!("its disk failed: {cause}"),
            Some(ErrorCode::DatabaseCorrupt) => format!("it is damaged: {cause}"),
            Some(ErrorCode::NotADatabase) => "it is not a ledger: it is no SQLite file".to_string(),
            Some(ErrorCode::OperationInterrupted) => "it was not written in time".to_string(),
            _ => cause.to_string(),
        };
        let may_pass = matches!(
            code,
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::FileLockingProtocolFailed
            )
        );
        let is_damage = matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        Missing { reason, may_pass, is_damage }
    }
}
