//! Whether the end of a run was told by one of the ways out.

/// The row in the history of runs.
pub const LEDGER_ROUTE: &str = "ledger";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteReport {
    pub route: &'static str,
    /// Where it leads, without secrets.
    pub aim: String,
    /// Why it was not; none where it was.
    pub reason: Option<String>,
}

impl RouteReport {
    pub fn is_ok(&self) -> bool {
        self.reason.is_none()
    }
}
