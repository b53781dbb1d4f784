//! The end of a run: closes the books, and publishes or lets go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::reader::ReadToEnd;
use super::settle::Ledger;
use super::unclear::clear_up;
use super::{Failure, Run, let_go_of};
use crate::error::{Error, Kind};
use crate::event::{Event, Stage};
use crate::outcome::Outcome;
use crate::record::{Counts, ErrorType, Published};

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    pub outcome: Outcome,
    pub error: Option<Error>,
    /// None when nothing was published.
    pub published: Option<Published>,
    pub rejects: Option<PathBuf>,
    pub totals: Counts,
    /// Rows of which nobody knows whether they are in.
    pub unclear: u64,
}

impl Default for Ending {
    /// Nothing was moved; why not is for somebody else to say.
    fn default() -> Ending {
        let totals = Counts::default();
        let outcome = Outcome::Internal;
        Ending { outcome, error: None, published: None, rejects: None, totals, unclear: 0 }
    }
}

/// How long a source or sink may take to put away what nobody needs any more.
const ABANDON_MAX: Duration = Duration::from_secs(3);

/// Closes the books, and publishes or lets go.
pub async fn finish(
    run: &Arc<Run>,
    ledger: &Arc<Ledger>,
    moved: std::result::Result<Option<ReadToEnd>, Failure>,
) -> Ending {
    // What does not answer is not waited for; nothing was lost by that but some of its memory.
    let _ = tokio::time::timeout(ABANDON_MAX, run.source.close()).await;
    let unclear = clear_up(run, ledger).await;
    let published = match moved {
        Ok(Some(read)) => tokio::select! {
            // What is done is done, whatever came at the same moment.
            biased;
            published = publish(run, ledger, read) => published.map(Some),
            () = run.stop.abandoned() => Err(Failure::from(let_go_of("the output was published"))),
        },
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let totals = ledger.totals();
    let interrupted = run.stop.received().map(Outcome::Interrupted);
    match published {
        Ok(Some((published, rejects))) => {
            let outcome = Outcome::Complete;
            Ending { outcome, error: None, published: Some(published), rejects, totals, unclear }
        }
        Ok(None) => {
            let (published, rejects) = let_go(run, ledger, false).await;
            let outcome = interrupted.unwrap_or(Outcome::Internal);
            Ending { outcome, error: None, published, rejects, totals, unclear }
        }
        Err(Failure { error, keeps_rejects }) => {
            let (published, rejects) = let_go(run, ledger, keeps_rejects).await;
            let error = match rejects.as_deref().filter(|_| keeps_rejects) {
                Some(path) => error.help(format!("see them in '{}'", path.display())),
                None => error,
            };
            // That something was let go is what the signal asked for, not a failure of its own.
            let outcome = match interrupted {
                Some(interrupted) if error.kind == Kind::Unavailable => interrupted,
                _ => Outcome::from(error.kind),
            };
            Ending { outcome, error: Some(error), published, rejects, totals, unclear }
        }
    }
}

/// Nothing is published, or no more than was already. The rejected records are kept where they
/// explain why, and where their neighbours are public: a record that is in neither place is lost.
async fn let_go(
    run: &Run,
    ledger: &Arc<Ledger>,
    keeps_rejects: bool,
) -> (Option<Published>, Option<PathBuf>) {
    let keeps_rejects = keeps_rejects || run.sink.is_public_at_commit();
    let ledger = Arc::clone(ledger);
    let putting_away = async {
        let published = run.sink.abandon().await;
        let rejects = spawn_blocking(move || match keeps_rejects {
            true => ledger.publish_rejects().unwrap_or_else(|error| {
                tracing::error!("{error}");
                None
            }),
            false => ledger.discard_rejects(),
        });
        (published, rejects.await.ok().flatten())
    };
    tokio::select! {
        put_away = putting_away => put_away,
        // What does not answer is not waited for twice.
        () = tokio::time::sleep(ABANDON_MAX) => (None, None),
    }
}

/// Rejected records first: a record that is not in the output must be findable.
async fn publish(
    run: &Run,
    ledger: &Arc<Ledger>,
    read: ReadToEnd,
) -> std::result::Result<(Published, Option<PathBuf>), Failure> {
    let totals = ledger.totals();
    if totals.processed() != read.records {
        let message = format!(
            "the balance does not close: {} records were read and {} are accounted for",
            read.records,
            totals.processed()
        );
        return Err(Failure::from(
            Error::data(ErrorType::Protocol, message)
                .help("nothing was published; this is a bug in flowgauge, please report it"),
        ));
    }
    run.source.confirm(read.records)?;
    if run.error_budget.is_exceeded(totals.failed, read.records, true) {
        return Err(Failure { error: ledger.over_budget(), keeps_rejects: true });
    }
    let keeper = Arc::clone(ledger);
    let rejects = spawn_blocking(move || keeper.publish_rejects())
        .await
        .map_err(|cause| Error::internal("keeping rejected records broke off").because(cause))??;
    let published = run.sink.publish().await.inspect_err(|error| {
        let (stage, error_type) = (Stage::Insert, error.error_type);
        run.observer.notice(&Event::Failed { stage, error_type });
    })?;
    Ok((published, rejects))
}
