//! A run as people see it while it is on: a sampler reads its numbers every second, and what it read is
//! shown to all who look.
//!
//! `view` is one reading in the words of people, `series` what was read before, `events` the stream of a page.
//! A picture of the run is made once for all pages that are open, and not at all while none is. A run without a
//! metrics port has none of this.

pub mod events;
pub mod sentence;
pub mod series;
pub mod view;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use self::events::{EventStream, Picture};
use self::series::{Rates, Sample, TimeSeries};
use self::view::View;
use crate::draw::Element;
use crate::observe::metrics::Metrics;
use crate::observe::reading::Reading;
use crate::web::page;

/// More often nobody can read.
const SAMPLE_EVERY_MAX: Duration = Duration::from_secs(1);

/// Readings that can still be asked for by their number: those of five seconds or more.
const READINGS_KEPT: usize = 25;

/// Whoever asks in between is shown the last reading, so that asking often takes none away from others.
const FRESH_MAX: Duration = Duration::from_millis(250);

pub struct Live {
    metrics: Arc<Metrics>,
    seen: Mutex<Seen>,
    picture: watch::Sender<Picture>,
}

#[derive(Default)]
struct Seen {
    series: TimeSeries,
    /// The last ones, the latest last.
    kept: VecDeque<Kept>,
}

/// A reading, and what only those before it tell.
#[derive(Clone)]
pub struct Kept {
    pub reading: Arc<Reading>,
    rates: Option<Rates>,
}

impl Kept {
    pub fn view(&self) -> View {
        View::of(&self.reading, self.rates)
    }
}

/// What a page is made of: its title, and the element that is exchanged.
#[derive(Serialize)]
struct Document<'a> {
    is_final: bool,
    title: &'a str,
    live: &'a Element,
}

impl Live {
    pub fn new(metrics: Arc<Metrics>) -> Live {
        Live { metrics, seen: Mutex::default(), picture: watch::Sender::default() }
    }

    /// Reads the numbers until the run has ended, and then once more.
    pub async fn sample(&self) {
        let mut last = self.metrics.last();
        loop {
            let kept = self.see(&self.metrics.reading());
            if self.picture.receiver_count() > 0 {
                self.draw(&kept);
            }
            if kept.reading.is_final {
                return;
            }
            let step = self.seen().series.step().min(SAMPLE_EVERY_MAX);
            // Its sender is ours, so that the only news is the end.
            let _ = timeout(step, last.changed()).await;
        }
    }

    fn see(&self, reading: &Arc<Reading>) -> Kept {
        let mut seen = self.seen();
        let sample = Sample::of(reading);
        match reading.is_final {
            true => seen.series.end(sample),
            false => seen.series.add(sample),
        }
        if seen.kept.len() == READINGS_KEPT {
            seen.kept.pop_front();
        }
        let kept = Kept { reading: Arc::clone(reading), rates: seen.series.rates() };
        seen.kept.push_back(kept.clone());
        kept
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reading of this number, as long as it is kept.
    pub fn kept(&self, number: u64) -> Option<Kept> {
        let seen = self.seen();
        let mut kept = seen.kept.iter().cloned().chain(self.last());
        kept.find(|kept| kept.reading.number == number)
    }

    /// The last one of a run that has ended, which has no rates of now.
    fn last(&self) -> Option<Kept> {
        let last = self.metrics.last().borrow().clone();
        last.map(|reading| Kept { reading, rates: None })
    }

    /// A reading of now, which is kept.
    pub fn now(&self) -> Kept {
        if let Some(last) = self.last() {
            return last;
        }
        let is_fresh =
            |kept: &Kept| kept.reading.taken_at.elapsed().is_ok_and(|age| age < FRESH_MAX);
        let fresh = self.seen().kept.back().cloned().filter(is_fresh);
        fresh.unwrap_or_else(|| self.see(&self.metrics.reading()))
    }

    fn with_document<T>(&self, kept: &Kept, of: impl FnOnce(Document) -> T) -> T {
        let view = kept.view();
        let title = page::run::title(&view);
        let live = page::run::live(&view, &self.seen().series);
        of(Document { is_final: kept.reading.is_final, title: &title, live: &live })
    }

    /// The page as a whole. One of a run that is over has nothing to follow.
    pub fn page(&self) -> String {
        self.with_document(&self.now(), |now| page::document(now.title, now.live, !now.is_final))
    }

    /// What the page is made of, for who cannot be sent events.
    pub fn document(&self) -> String {
        self.document_of(&self.now())
    }

    fn document_of(&self, kept: &Kept) -> String {
        self.with_document(kept, |now| {
            serde_json::to_string(&now).expect("elements are valid JSON")
        })
    }

    fn draw(&self, kept: &Kept) {
        let reading = &kept.reading;
        let picture = Picture::new(self.id(reading), reading.is_final, &self.document_of(kept));
        self.picture.send_replace(picture);
    }

    fn id(&self, reading: &Reading) -> String {
        format!("{}.{}", self.metrics.identity().run_id, reading.number)
    }

    /// None where the run is over, and whoever asks has seen that.
    pub fn events(&self, known: Option<&str>) -> Option<EventStream> {
        let kept = self.now();
        let reading = &kept.reading;
        let id = self.id(reading);
        if reading.is_final && known == Some(id.as_str()) {
            return None;
        }
        let pictures = self.picture.subscribe();
        let is_drawn = pictures.borrow().id == id;
        if !is_drawn {
            self.draw(&kept);
        }
        Some(EventStream::new(pictures, known))
    }
}
