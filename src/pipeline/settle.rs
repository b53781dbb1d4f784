//! Where a durable segment becomes counts and rejected records: the one place that keeps the books
//! of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Run;
use super::max_errors::MaxErrors;
use super::worker::Prepared;
use crate::error::{Error, Result};
use crate::event::{Counter, Event, Stage};
use crate::record::{Counts, ErrorType, Place, Rejected};
use crate::rejects::RejectLog;
use crate::sink::Receipt;

/// A segment that would survive a power cut.
pub struct Durable {
    pub segment: Prepared,
    pub receipt: Receipt,
    /// From the start of its commit.
    pub insert: Duration,
}

impl Durable {
    /// It has rejected records, so that settling it waits for a disk.
    pub fn waits_for_disk(&self) -> bool {
        !self.segment.rejected.is_empty() || !self.receipt.refused.is_empty()
    }
}

/// The books: what became of the records, and which tickets are closed.
#[derive(Default)]
pub struct Books {
    pub totals: Counts,
    /// Tickets below this are all settled.
    watermark: u64,
    beyond: BTreeSet<u64>,
    ended: BTreeSet<SplitEnd>,
    /// Of the rejected records that are kept, the first in the order of the source.
    culprit: Option<Culprit>,
}

/// A split that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SplitEnd {
    /// The first ticket behind it.
    pub tickets: u64,
    pub split: usize,
    pub opened: Instant,
}

struct Culprit {
    /// Ticket and record.
    order: (u64, Option<u64>),
    place: Place,
    error_type: ErrorType,
    reason: String,
}

impl Books {
    /// Closes a ticket, and says which splits are thereby settled.
    fn close(&mut self, ticket: u64) -> Vec<SplitEnd> {
        self.beyond.insert(ticket);
        while self.beyond.remove(&self.watermark) {
            self.watermark += 1;
        }
        self.settled_splits()
    }

    fn accuse(&mut self, ticket: u64, rejected: &[Rejected]) {
        let order = |rejected: &Rejected| (ticket, rejected.place.record);
        let Some(first) = rejected.iter().min_by_key(|rejected| order(rejected)) else { return };
        if self.culprit.as_ref().is_some_and(|culprit| culprit.order <= order(first)) {
            return;
        }
        self.culprit = Some(Culprit {
            order: order(first),
            place: first.place.clone(),
            error_type: first.error_type,
            reason: first.reason.clone(),
        });
    }

    fn settled_splits(&mut self) -> Vec<SplitEnd> {
        let mut settled = Vec::new();
        while let Some(&end) = self.ended.first()
            && end.tickets <= self.watermark
        {
            self.ended.pop_first();
            settled.push(end);
        }
        settled
    }
}

/// Shared by the room that settles, by those who leave something for the end, and by the reader, who says
/// where splits end.
pub struct Settling {
    run: Arc<Run>,
    books: Mutex<Books>,
    rejects: Mutex<Rejects>,
    /// Let go of amid a commit.
    unclear: Mutex<Vec<Prepared>>,
    /// Not written, because their rejected records are too many: those, and the ones that a lane refused.
    evidence: Mutex<Vec<(Prepared, Vec<Rejected>)>>,
}

/// The rejected records of a run, and what was told of them.
struct Rejects {
    log: Box<dyn RejectLog>,
    /// Of those in the file.
    told: u64,
    /// Those that are not, in their order: there is no room for them.
    waiting: VecDeque<RejectKind>,
    /// Where the last of each was, and why.
    last: HashMap<(Stage, ErrorType), String>,
    /// The place of the first of a kind.
    first: HashMap<RejectKind, String>,
    is_published: bool,
}

impl Settling {
    pub fn new(run: &Arc<Run>, rejects: Box<dyn RejectLog>) -> Settling {
        Settling {
            run: Arc::clone(run),
            books: Mutex::default(),
            rejects: Mutex::new(Rejects {
                log: rejects,
                told: 0,
                waiting: VecDeque::new(),
                last: HashMap::new(),
                first: HashMap::new(),
                is_published: false,
            }),
            unclear: Mutex::default(),
            evidence: Mutex::default(),
        }
    }

    /// Into the books. They have what the sink has, also when this side cannot keep what was rejected
    /// beside it; then the run ends.
    pub fn settle(&self, durable: Durable) {
        let Durable { segment, receipt, insert } = durable;
        let Receipt { mut counts, bytes_written, refused } = receipt;
        let late = segment.refused_late(&self.run, refused).unwrap_or_else(|error| {
            self.run.stop.fail(error);
            Vec::new()
        });
        let rejected = (segment.rejected.len() + late.len()) as u64;
        counts.failed += rejected;
        if counts.processed() != segment.records {
            self.run.stop.fail(Error::internal(format!(
                "a segment of {} records was settled with {}",
                segment.records,
                counts.processed()
            )));
        }
        let (kept, outcome) = self.keep(&segment, &late);
        if let Err(error) = outcome {
            self.run.stop.fail(error);
        }
        // Kept may be more: earlier ones that waited for room count as well.
        counts.failed = counts.failed + kept - rejected;
        let ended = {
            let mut books = self.books();
            books.totals.add(&counts);
            books.close(segment.outgoing.ticket)
        };
        self.run.observer.notice(&Event::Settled {
            interval: segment.outgoing.interval.clone(),
            counts,
            bytes: segment.bytes,
            bytes_written,
            insert,
            batch: segment.started.elapsed(),
        });
        self.tell_ended(ended);
    }

    /// A segment that is not written, because its rejected records are too many.
    pub fn leave_evidence(&self, segment: Prepared, late: Vec<Rejected>) {
        self.evidence().push((segment, late));
    }

    /// Keeps the rejected records that were too many, behind all others. They are counted like all that
    /// are kept, so that the numbers say what the file holds.
    pub fn keep_evidence(&self) -> Result<()> {
        let mut evidence = std::mem::take(&mut *self.evidence());
        evidence.sort_by_key(|(segment, _)| segment.outgoing.ticket);
        for (segment, late) in evidence {
            let (records, outcome) = self.keep(&segment, &late);
            self.books().totals.failed += records;
            self.run.observer.notice(&Event::Evidence { records });
            outcome?;
        }
        Ok(())
    }

    /// How many were kept, and what kept the others from it. `late` are those that a lane refused.
    /// Where there is room again, earlier ones may be among them.
    fn keep(&self, segment: &Prepared, late: &[Rejected]) -> (u64, Result<()>) {
        let mut rejects = self.rejects();
        let mut outcome = Ok(());
        for (stage, rejected) in [(Stage::Convert, &segment.rejected[..]), (Stage::Insert, late)] {
            if rejected.is_empty() {
                continue;
            }
            rejects.waiting.extend(rejected.iter().map(|rejected| RejectKind::of(stage, rejected)));
            rejects.last.extend(last_of_each(stage, rejected));
            rejects.note_first(stage, rejected);
            match rejects.log.append(&segment.outgoing.interval, rejected) {
                Ok(()) => self.books().accuse(segment.outgoing.ticket, rejected),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        (self.tell_kept(&mut rejects), outcome)
    }

    /// Tells of each record that is in the file since it was last asked, and says how many those are.
    fn tell_kept(&self, rejects: &mut Rejects) -> u64 {
        let kept = rejects.log.kept() - rejects.told;
        rejects.told += kept;
        let mut records_of: BTreeMap<RejectKind, u64> = BTreeMap::new();
        for reason in rejects.waiting.drain(..kept as usize) {
            *records_of.entry(reason).or_default() += 1;
        }
        for (kind, records) in records_of {
            let first_place = rejects.first.get(&kind).cloned().unwrap_or_default();
            let RejectKind { stage, error_type, column } = kind;
            let reason = rejects.last.get(&(stage, error_type)).cloned().unwrap_or_default();
            self.run.observer.notice(&Event::Rejected {
                stage,
                error_type,
                column,
                records,
                reason,
                first_place,
            });
        }
        kept
    }

    /// The error of a run that rejected more than it may.
    pub fn too_many_rejected(&self) -> Error {
        let books = self.books();
        let (failed, budget) = (books.totals.failed, self.run.max_errors);
        let records = if failed == 1 { "record was" } else { "records were" };
        let sum = match budget {
            // Some were rejected in segments that lanes had not come to, or could not finish.
            MaxErrors::Count(max) if failed <= max => format!(
                "more records were rejected than --max-errors {max} allows, {failed} of which are kept"
            ),
            _ => format!("{failed} {records} rejected and --max-errors is {budget}"),
        };
        let mut error = match &books.culprit {
            Some(Culprit { place, error_type, reason, .. }) => {
                Error::data(*error_type, format!("{reason}; {sum}")).at(place.clone())
            }
            None => Error::data(ErrorType::Other, sum),
        };
        // As rejected records.
        error.mark_told();
        error
    }

    /// A split was read to its end; what it held may be settled later.
    pub fn split_ended(&self, end: SplitEnd) {
        let settled = {
            let mut books = self.books();
            books.ended.insert(end);
            books.settled_splits()
        };
        self.tell_ended(settled);
    }

    pub fn leave_unclear(&self, segment: Prepared) {
        self.unclear().push(segment);
    }

    pub fn take_unclear(&self) -> Vec<Prepared> {
        std::mem::take(&mut *self.unclear())
    }

    pub fn totals(&self) -> Counts {
        self.books().totals
    }

    /// What there was no room for before may have some now.
    pub fn publish_rejects(&self) -> Result<Option<PathBuf>> {
        let mut rejects = self.rejects();
        let published = rejects.log.publish();
        let records = self.tell_kept(&mut rejects);
        if records > 0 {
            self.books().totals.failed += records;
            self.run.observer.notice(&Event::Evidence { records });
        }
        rejects.is_published = published.as_ref().is_ok_and(Option::is_some);
        published
    }

    /// Rejected records that are in no file.
    pub fn rejects_lost(&self) -> u64 {
        let rejects = self.rejects();
        let unpublished = if rejects.is_published { 0 } else { rejects.told };
        rejects.waiting.len() as u64 + unpublished
    }

    pub fn discard_rejects(&self) -> Option<PathBuf> {
        self.rejects().log.discard()
    }

    fn tell_ended(&self, splits: Vec<SplitEnd>) {
        let files = splits.iter().filter(|end| self.run.source.splits()[end.split].is_file);
        for file in files {
            let took = file.opened.elapsed();
            self.run.observer.notice(&Event::FileSettled { took });
            self.run.observer.notice(&Event::Counted(Counter::FilesProcessed, 1));
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics while holding the books")
    }

    fn unclear(&self) -> std::sync::MutexGuard<'_, Vec<Prepared>> {
        self.unclear.lock().expect("nobody panics while holding segments")
    }

    fn evidence(&self) -> std::sync::MutexGuard<'_, Vec<(Prepared, Vec<Rejected>)>> {
        self.evidence.lock().expect("nobody panics while holding evidence")
    }

    fn rejects(&self) -> std::sync::MutexGuard<'_, Rejects> {
        self.rejects.lock().expect("nobody panics while holding the rejects")
    }
}

/// What rejected records are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RejectKind {
    stage: Stage,
    error_type: ErrorType,
    column: Option<String>,
}

impl RejectKind {
    fn of(stage: Stage, rejected: &Rejected) -> RejectKind {
        let column = rejected.place.column.clone();
        RejectKind { stage, error_type: rejected.error_type, column }
    }
}

/// More kinds than anybody looks at: names of fields may come from documents.
const FIRST_PLACES_MAX: usize = 256;

impl Rejects {
    fn note_first(&mut self, stage: Stage, rejected: &[Rejected]) {
        for rejected in rejected {
            if self.first.len() == FIRST_PLACES_MAX {
                return;
            }
            let kind = RejectKind::of(stage, rejected);
            self.first.entry(kind).or_insert_with(|| rejected.place.to_string());
        }
    }
}

fn last_of_each(stage: Stage, rejected: &[Rejected]) -> Vec<((Stage, ErrorType), String)> {
    let by_type = rejected.iter().map(|rejected| (rejected.error_type, rejected));
    let last: HashMap<ErrorType, &Rejected> = by_type.collect();
    let said = |rejected: &Rejected| format!("{}: {}", rejected.place, rejected.reason);
    last.into_iter().map(|(of_type, rejected)| ((stage, of_type), said(rejected))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_settled_with_its_last_ticket_whatever_the_order() {
        let opened = Instant::now();
        let end = |tickets, split| SplitEnd { tickets, split, opened };
        let mut books = Books { ended: [end(2, 0), end(3, 1)].into(), ..Books::default() };
        assert!(books.close(1).is_empty());
        assert!(books.close(2).is_empty());
        assert_eq!(books.close(0), vec![end(2, 0), end(3, 1)]);
        books.ended.insert(end(3, 2));
        assert_eq!(books.settled_splits(), vec![end(3, 2)]);
    }
}
