//! The spans of a run as a message: the run, the opening of both ends, its stages and its slowest batches;
//! what failed and was tried again are events of theirs. Never one for each record. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::attributes::{number, scope, seconds, text, yes};
use crate::event::{RunIdentity, Stage, Wait};
use crate::export::RunEnd;
use crate::observe::RunTimeline;
use crate::observe::timeline::{SlowBatch, Trouble};
use crate::outcome::Outcome;
use crate::record::Position;
use crate::report::RunNumbers;
use crate::trace_context::{SpanId, TraceContext};

/// The trace is kept, as its flags say, and the parent of a span is in this process.
const SAMPLED: u32 = 0x101;
/// The parent is in another one.
const BELOW_A_REMOTE_PARENT: u32 = 0x200;

pub fn message(
    resource: Resource,
    trace: &TraceContext,
    identity: &RunIdentity,
    end: &RunEnd,
) -> ExportTraceServiceRequest {
    let timeline = &end.moment.timeline;
    let spans = Spans { trace, timeline, numbers: &end.report.run };
    let scope_spans =
        ScopeSpans { scope: scope(), spans: spans.all(identity, end), ..ScopeSpans::default() };
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

struct Spans<'a> {
    trace: &'a TraceContext,
    timeline: &'a RunTimeline,
    numbers: &'a RunNumbers,
}

impl Spans<'_> {
    fn all(&self, identity: &RunIdentity, end: &RunEnd) -> Vec<Span> {
        let took = self.timeline.ended.unwrap_or(self.numbers.elapsed);
        let mut spans = vec![self.run(identity, end, took)];
        let opened = self.timeline.opened;
        spans.push(self.span(
            SpanId::new(),
            self.trace.span,
            "open",
            Duration::ZERO,
            opened.unwrap_or(took),
        ));
        let mut lost: Vec<&Trouble> = self.timeline.troubles.iter().collect();
        for stage in Stage::ALL {
            let Some((begun, worked)) = self.timeline.stages[stage as usize] else { continue };
            let mut span = self.span(SpanId::new(), self.trace.span, stage.as_str(), begun, worked);
            span.attributes = self.stage(stage);
            let (own, others) = lost.into_iter().partition(|trouble| trouble.stage == stage);
            lost = others;
            let own: Vec<&Trouble> = own;
            span.events = own.into_iter().map(|trouble| self.event(trouble)).collect();
            spans.push(span);
        }
        // Of stages that never were at work: the opening is what failed.
        spans[1].events = lost.into_iter().map(|trouble| self.event(trouble)).collect();
        // From conversion to commit: of no stage alone.
        spans.extend(self.timeline.slowest.iter().map(|slow| self.batch(slow)));
        spans
    }

    fn run(&self, identity: &RunIdentity, end: &RunEnd, took: Duration) -> Span {
        let report = &end.report;
        let mut span = self.span(self.trace.span, self.trace.span, "run", Duration::ZERO, took);
        span.parent_span_id = Vec::new();
        if let Some(parent) = self.trace.parent {
            span.parent_span_id = parent.0.to_vec();
            span.flags |= BELOW_A_REMOTE_PARENT;
        }
        let counts = &self.numbers.counts;
        let results = [
            ("read", self.numbers.records_read),
            ("inserted", counts.inserted),
            ("updated", counts.updated),
            ("duplicate", counts.duplicate),
            ("unchanged", counts.unchanged),
            ("filtered", counts.filtered),
            ("failed", counts.failed),
            ("residual", self.numbers.residual()),
        ];
        span.attributes = vec![
            text("flowgauge.pipeline.id", &*identity.pipeline_id),
            text("flowgauge.run.id", &*identity.run_id),
            text("flowgauge.source", identity.source),
            text("flowgauge.sink", identity.sink),
            text("flowgauge.outcome", report.outcome.as_str()),
            number("flowgauge.exit_code", u64::from(report.outcome.exit_code())),
            number("flowgauge.bytes.read", self.numbers.bytes_read),
            number("flowgauge.bytes.written", self.numbers.bytes_written),
        ];
        let results = results
            .iter()
            .map(|(result, records)| number(&format!("flowgauge.records.{result}"), *records));
        span.attributes.extend(results);
        if let Some(is_published) = self.numbers.is_published {
            span.attributes.push(yes("flowgauge.published", is_published));
        }
        span.dropped_events_count =
            u32::try_from(self.timeline.troubles_beyond).unwrap_or(u32::MAX);
        span.status = Some(match (report.outcome, &report.error) {
            (Outcome::Complete, _) => Status::default(),
            (outcome, error) => Status {
                code: StatusCode::Error.into(),
                message: error.clone().unwrap_or_else(|| outcome.as_str().to_string()),
            },
        });
        span
    }

    /// Where the time of the stage went, over all its threads.
    fn stage(&self, stage: Stage) -> Vec<KeyValue> {
        let time = self.numbers.stage(stage);
        let waits = Wait::ALL.map(|wait| {
            seconds(&format!("flowgauge.waited.{}.seconds", wait.as_str()), time.waited(wait))
        });
        let busy = seconds("flowgauge.busy.seconds", time.busy);
        std::iter::once(busy).chain(waits).collect()
    }

    fn batch(&self, slow: &SlowBatch) -> Span {
        let begun = slow.durable.saturating_sub(slow.batch);
        let mut span = self.span(slow.span, self.trace.span, "batch", begun, slow.durable);
        span.attributes = vec![
            number("flowgauge.records", slow.records),
            number("flowgauge.bytes", slow.bytes),
            number("flowgauge.split", slow.interval.split as u64),
            seconds("flowgauge.insert.seconds", slow.insert),
        ];
        // What a server sorts by is data.
        if let (Position::Byte(from), Position::Byte(to)) = (&slow.interval.from, &slow.interval.to)
        {
            span.attributes
                .extend([number("flowgauge.from_byte", *from), number("flowgauge.to_byte", *to)]);
        }
        span
    }

    fn event(&self, trouble: &Trouble) -> Event {
        let kind = trouble.error_type.as_str();
        let mut attributes =
            vec![text("exception.type", kind), text("exception.message", &*trouble.reason)];
        let name = match trouble.retry {
            None => "exception",
            Some((attempt, wait)) => {
                attributes.push(number("flowgauge.attempt", u64::from(attempt)));
                attributes.push(seconds("flowgauge.wait.seconds", wait));
                "retry"
            }
        };
        Event {
            time_unix_nano: self.at(trouble.at),
            name: name.to_string(),
            attributes,
            ..Event::default()
        }
    }

    fn span(&self, id: SpanId, parent: SpanId, name: &str, from: Duration, to: Duration) -> Span {
        Span {
            trace_id: self.trace.trace.0.to_vec(),
            span_id: id.0.to_vec(),
            parent_span_id: parent.0.to_vec(),
            flags: SAMPLED,
            name: name.to_string(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: self.at(from),
            end_time_unix_nano: self.at(to.max(from)),
            ..Span::default()
        }
    }

    fn at(&self, since: Duration) -> u64 {
        let started = self.timeline.started_at.unwrap_or(SystemTime::UNIX_EPOCH);
        let time = (started + since).duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
}
