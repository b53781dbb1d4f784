//! The end of a run: closes the books, and publishes or lets go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::reader::ReadToEnd;
use super::settle::Settling;
use super::stop::{EarlyEnd, Failure, Phase};
use super::unclear::clear_up;
use super::{Run, let_go_of};
use crate::error::Error;
use crate::event::{Event, Observer, RunState, Stage, tell_failure};
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
    /// Rejected records that are in no file, though their neighbours are public.
    pub rejects_lost: u64,
    pub totals: Counts,
    /// Rows of which nobody knows whether they are in.
    pub unclear: u64,
}

impl Default for Ending {
    /// Nothing was moved; why not is for somebody else to say.
    fn default() -> Ending {
        let totals = Counts::default();
        let outcome = Outcome::Internal;
        Ending {
            outcome,
            error: None,
            published: None,
            rejects: None,
            rejects_lost: 0,
            totals,
            unclear: 0,
        }
    }
}

impl Ending {
    /// The last that is told of a run, and of one that was refused. An error that nobody has told yet is
    /// of no stage in particular; what it ends is the writing.
    pub fn tell(&mut self, observer: &dyn Observer, took: Duration) {
        let outcome = self.outcome;
        let error = self.error.take();
        self.error = error.map(|error| tell_failure(observer, Stage::Insert, error, true));
        observer.notice(&Event::Entered(match outcome {
            Outcome::Complete | Outcome::Interrupted(_) => RunState::Stopped,
            _ => RunState::Error,
        }));
        let error = self.error.as_ref().map(ToString::to_string);
        let is_published = self.published.is_some();
        observer.notice(&Event::Ended { outcome, error, is_published, took });
    }
}

/// How long a source may take to give back what nobody needs any more.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// How long sink and rejected records may take to be put away in a run that lets go of everything. With
/// `SETTLE_MAX` and `ASK_MAX`, what a second signal may take in all.
const PUT_AWAY_MAX: Duration = Duration::from_secs(2);

/// Closes the books, and publishes or lets go.
pub async fn finish(run: &Arc<Run>, settling: &Arc<Settling>, read: Option<ReadToEnd>) -> Ending {
    // What does not answer is not waited for; nothing was lost by that but some of its memory.
    let closing = tokio::time::timeout(CLOSE_MAX, run.source.close());
    let (_, unclear) = tokio::join!(closing, clear_up(run, settling));
    let mut done = None;
    if let Some(read) = read {
        tokio::select! {
            // What is done is done, whatever came at the same moment.
            biased;
            published = publish(run, settling, read) => match published {
                Ok(published) => done = Some(published),
                Err(failure) => run.stop.fail(failure),
            },
            () = run.stop.abandoned() => {}
        }
    }
    if let Some((published, rejects)) = done {
        let (outcome, totals) = (Outcome::Complete, settling.totals());
        return Ending {
            outcome,
            error: None,
            published: Some(published),
            rejects,
            rejects_lost: 0,
            totals,
            unclear,
        };
    }
    let is_abandoned = run.stop.phase() == Phase::Abandoned;
    let EarlyEnd { outcome, error, has_too_many_rejected } = run.stop.early_end();
    let is_let_go = is_abandoned && error.is_none() && !has_too_many_rejected;
    // Of a run that had too few records, those that were rejected may be the others.
    let has_too_few = read.is_some()
        && error.as_ref().is_some_and(|error| error.error_type == ErrorType::PartialResult);
    let keeps_rejects = has_too_many_rejected || has_too_few || run.sink.is_public_at_commit();
    let LetGo { published, rejects, rejects_lost } =
        let_go(run, settling, has_too_many_rejected, keeps_rejects).await;
    let totals = settling.totals();
    if read.is_some() && is_let_go && published.is_some() {
        // It took its name at the moment when it was to be let go of.
        let outcome = Outcome::Complete;
        return Ending { outcome, error: None, published, rejects, rejects_lost, totals, unclear };
    }
    let error = match &rejects {
        _ if is_let_go => Some(let_go_of(match read {
            Some(_) => "the output was published",
            None => "everything that was read could be written",
        })),
        Some(path) if has_too_many_rejected => {
            Some(settling.too_many_rejected().help(format!("see them in '{}'", path.display())))
        }
        None if has_too_many_rejected => Some(settling.too_many_rejected()),
        Some(path) if has_too_few => {
            let shown = path.display();
            error.map(|error| {
                error.help(format!("nothing was published; see what was rejected in '{shown}'"))
            })
        }
        _ => error,
    };
    Ending { outcome, error, published, rejects, rejects_lost, totals, unclear }
}

/// What is there of a run that is not published.
struct LetGo {
    /// It took its name before it could be let go of.
    published: Option<Published>,
    rejects: Option<PathBuf>,
    rejects_lost: u64,
}

/// Nothing is published, or no more than was already. The rejected records are kept where they
/// explain why, and where their neighbours are public: a record that is in neither place is lost.
async fn let_go(
    run: &Run,
    settling: &Arc<Settling>,
    has_too_many_rejected: bool,
    keeps_rejects: bool,
) -> LetGo {
    let (settling, observer) = (Arc::clone(settling), Arc::clone(&run.observer));
    let rejects = spawn_blocking(move || {
        if !keeps_rejects {
            return (settling.discard_rejects(), 0);
        }
        let complain = |error| {
            let error = tell_failure(&*observer, Stage::Insert, error, false);
            tracing::error!("{error}");
        };
        if has_too_many_rejected && let Err(error) = settling.keep_evidence() {
            complain(error);
        }
        let published = settling.publish_rejects().unwrap_or_else(|error| {
            complain(error);
            None
        });
        let lost = settling.rejects_lost();
        if lost > 0 {
            tracing::error!("{lost} rejected records are in no file");
        }
        (published, lost)
    });
    let rejects = async { rejects.await.ok() };
    // One of them may hang where the other does not.
    let (published, rejects) = tokio::join!(
        in_time(run, "the output", run.sink.abandon()),
        in_time(run, "the file of rejected records", rejects),
    );
    let (rejects, rejects_lost) = rejects.unwrap_or_default();
    LetGo { published, rejects, rejects_lost }
}

/// None where the run lets go of everything and a disk or a server does not answer.
async fn in_time<T>(run: &Run, what: &str, put_away: impl Future<Output = Option<T>>) -> Option<T> {
    let too_late = async {
        run.stop.abandoned().await;
        tokio::time::sleep(PUT_AWAY_MAX).await;
    };
    tokio::select! {
        put_away = put_away => put_away,
        () = too_late => {
            tracing::error!("a disk or a server did not answer in time: what became of {what} is not known");
            None
        }
    }
}

/// Rejected records first: a record that is not in the output must be findable.
async fn publish(
    run: &Run,
    settling: &Arc<Settling>,
    read: ReadToEnd,
) -> std::result::Result<(Published, Option<PathBuf>), Failure> {
    let totals = settling.totals();
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
    let confirmed = run.source.confirm(read.records);
    confirmed.map_err(|error| tell_failure(&*run.observer, Stage::Fetch, error, true))?;
    if run.max_errors.is_exceeded(totals.failed, read.records, true) {
        return Err(Failure::TooManyRejected);
    }
    let taken = totals.processed() - totals.failed;
    // It is looked at only where nothing would take its place.
    let replaced = if taken == 0 { run.sink.would_replace() } else { None };
    let is_public = run.sink.is_public_at_commit();
    let checked = run.minimum.check_taken(taken, replaced, is_public);
    checked.map_err(|error| tell_failure(&*run.observer, Stage::Fetch, error, true))?;
    let keeper = Arc::clone(settling);
    let rejects = spawn_blocking(move || keeper.publish_rejects())
        .await
        .map_err(|cause| Error::internal("keeping rejected records broke off").because(cause))??;
    Ok((run.sink.publish().await?, rejects))
}
