//! The numbers and the spans of a run in OpenTelemetry: of the same moment as all others, in messages that
//! are made here, because the library for it has neither exemplars nor histograms that are read, and a
//! fixed time for its end.

mod answer;
mod attributes;
mod delivery;
mod metrics_message;
mod signal;
mod spans_message;

use std::time::Duration;

use self::attributes::resource;
use self::delivery::Delivery;
use self::metrics_message::Cumulated;
use self::signal::Signal;
use crate::error::{Kind, Later, Result};
use crate::event::RunIdentity;
use crate::export::{OtelSettings, PERIOD, Rhythm, Route, RunEnd, Temporality};
use crate::observe::Moment;

/// Its variables are often set for a whole machine, and a receiver that hangs is not to hold up every run.
const PATIENCE: Duration = Duration::from_secs(3);

/// Metrics, at the start, in between and at the end.
pub struct OtlpMetrics {
    delivery: Delivery,
    cumulated: Cumulated,
    period: Duration,
    /// What a run that has done nothing looks like, until something was taken.
    zeros: Option<Moment>,
}

impl OtlpMetrics {
    /// `zeros` are the numbers of the start.
    pub fn new(settings: &OtelSettings, identity: &RunIdentity, zeros: Moment) -> Option<Self> {
        let receiver = settings.metrics.as_ref()?;
        let resource = resource(&settings.resource, identity);
        // Whoever reads an exemplar goes to its span.
        let trace = settings.trace.clone().filter(|_| settings.traces.is_some());
        Some(OtlpMetrics {
            delivery: Delivery::new(receiver, Signal::Metrics),
            cumulated: Cumulated::new(resource, settings.temporality, trace, &zeros),
            period: settings.interval.unwrap_or(PERIOD),
            zeros: Some(zeros),
        })
    }

    async fn tell(&mut self, moment: &Moment) -> Result<()> {
        let message = self.cumulated.message(moment);
        // A delta that may have arrived is not sent again: better once too few than twice. That holds for
        // one that is broken off as well.
        let before = self.cumulated.taken(moment);
        let sent = self.delivery.send(&message).await;
        if sent.as_ref().is_err_and(|error| error.kind != Kind::Unknown) {
            self.cumulated.restore(before);
        }
        sent?
    }
}

impl Route for OtlpMetrics {
    fn name(&self) -> &'static str {
        "otlp_metrics"
    }

    fn aim(&self) -> String {
        self.delivery.aim()
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm::AtOnceAndEvery(self.period)
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn is_repeatable(&self) -> bool {
        self.cumulated.temporality() == Temporality::Cumulative
    }

    fn begin(&mut self) -> Later<'_, Result<()>> {
        Box::pin(async {
            match self.zeros.take() {
                Some(zeros) => self.tell(&zeros).await,
                None => Ok(()),
            }
        })
    }

    fn refresh<'a>(&'a mut self, moment: &'a Moment) -> Later<'a, Result<()>> {
        Box::pin(self.tell(moment))
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(self.tell(&end.moment))
    }
}

/// The spans of a run, when it has ended.
pub struct OtlpTraces {
    delivery: Delivery,
    settings: OtelSettings,
    identity: RunIdentity,
}

impl OtlpTraces {
    pub fn new(settings: &OtelSettings, identity: &RunIdentity) -> Option<OtlpTraces> {
        let receiver = settings.traces.as_ref()?;
        Some(OtlpTraces {
            delivery: Delivery::new(receiver, Signal::Traces),
            settings: settings.clone(),
            identity: identity.clone(),
        })
    }
}

impl Route for OtlpTraces {
    fn name(&self) -> &'static str {
        "otlp_traces"
    }

    fn aim(&self) -> String {
        self.delivery.aim()
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// A span that is sent twice may be there twice.
    fn is_repeatable(&self) -> bool {
        false
    }

    fn end<'a>(&'a mut self, end: &'a RunEnd) -> Later<'a, Result<()>> {
        Box::pin(async {
            let Some(trace) = &self.settings.trace else { return Ok(()) };
            let resource = resource(&self.settings.resource, &self.identity);
            let message = spans_message::message(resource, trace, &self.identity, end);
            self.delivery.send(&message).await?
        })
    }
}
