//! What is measured of a run: the numbers (`stats`) and when things happened (`timeline`), the catalogue of metrics
//! and its exposition (`catalogue`, `metrics`, `openmetrics`), the frozen snapshot that leaves at the end (`moment`),
//! and what is made of the catalogue for others (`alert_rules`, `dashboard`).
//!
//! Nothing here touches the data path: it hears events, which cannot fail and do not block. Whoever shows the
//! numbers reads snapshots. The crate `prometheus` is known in this folder and nowhere else.

pub mod alert_rules;
pub mod catalogue;
pub mod connections;
pub mod dashboard;
mod last_errors;
pub mod latency;
pub mod ledger_metrics;
pub mod metrics;
pub mod moment;
pub mod openmetrics;
mod possible;
pub mod process;
pub mod reading;
mod rejected_columns;
pub mod rule_groups;
pub mod scrape;
mod series;
pub mod servers;
pub mod stats;
pub mod timeline;
pub mod yaml;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::event::{Event, Observer};

pub use catalogue::{CATALOGUE, describe};
pub use metrics::Metrics;
#[cfg(feature = "otlp")]
pub use moment::{MetricMoment, Point, PointValue};
pub use moment::{Moment, Series};
pub use scrape::REVISION;
#[cfg(feature = "otlp")]
pub use series::SeriesType;
pub use stats::Stats;
#[cfg(feature = "otlp")]
pub use timeline::RunTimeline;

/// Tells every event to several observers, in their order, and nothing after the end: threads that
/// nobody waited for may still have something to say.
pub struct Fanout {
    observers: Vec<Arc<dyn Observer>>,
    has_ended: AtomicBool,
}

impl Fanout {
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> Fanout {
        Fanout { observers, has_ended: AtomicBool::new(false) }
    }
}

impl Observer for Fanout {
    fn notice(&self, event: &Event) {
        if self.has_ended.load(Ordering::Acquire) {
            return;
        }
        if matches!(event, Event::Ended { .. }) {
            self.has_ended.store(true, Ordering::Release);
        }
        self.observers.iter().for_each(|observer| observer.notice(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Counter, Vitals};

    #[test]
    fn a_fanout_tells_everybody() {
        let all = [(); 2].map(|()| Arc::new(Stats::new(Arc::new(Vitals::default()))));
        let fanout = Fanout::new(all.iter().map(|stats| stats.clone() as _).collect());
        fanout.notice(&Event::Counted(Counter::FilesProcessed, 1));
        assert_eq!(all.map(|stats| stats.numbers().counted(Counter::FilesProcessed)), [1, 1]);
    }
}
