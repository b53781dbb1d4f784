//! Events as OpenLineage has them. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::facets::{self, facet};
use super::lineage::{Dataset, Lineage};
use super::settings::{OpenLineageSettings, ParentRun};
use crate::event::RunIdentity;
use crate::export::RunEnd;
use crate::outcome::Outcome;

/// What all events of a run have in common.
pub struct EventFrame {
    producer: String,
    run_id: String,
    namespace: String,
    job: String,
    version: &'static str,
    parent: Option<ParentRun>,
    root: Option<ParentRun>,
}

/// How a run ended, as OpenLineage says it.
fn event_type(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete | Outcome::Unreported => "COMPLETE",
        Outcome::Interrupted(_) => "ABORT",
        Outcome::Internal
        | Outcome::Usage
        | Outcome::Data
        | Outcome::Unavailable
        | Outcome::LocalIo
        | Outcome::Locked
        | Outcome::OutputClosed => "FAIL",
    }
}

impl EventFrame {
    pub fn new(settings: &OpenLineageSettings, identity: &RunIdentity) -> EventFrame {
        EventFrame {
            // A package URL: it names the program and its version, and needs no address to do so.
            producer: format!("pkg:generic/flowgauge@{}", identity.version),
            run_id: identity.run_id.clone(),
            namespace: settings.namespace.clone(),
            job: identity.pipeline_id.clone(),
            version: identity.version,
            parent: settings.parent.clone(),
            root: settings.root.clone(),
        }
    }

    pub fn start(&self, at: SystemTime, lineage: &Lineage) -> Value {
        let inputs = lineage.inputs.iter().map(|input| self.dataset(input, Map::new())).collect();
        let output = lineage.output.as_ref();
        let outputs = output.map(|output| self.dataset(output, self.columns(lineage)));
        let run = self.run_facets();
        self.event("START", at, run, inputs, outputs.into_iter().collect())
    }

    pub fn end(&self, lineage: &Lineage, end: &RunEnd) -> Value {
        let report = &end.report;
        let at = report
            .ended_at_seconds
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?));
        let mut run = self.run_facets();
        let event_type = event_type(report.outcome);
        if let Some(error) = report.error.as_deref().filter(|_| event_type == "FAIL") {
            let body = json!({ "message": error, "programmingLanguage": "RUST" });
            self.add(&mut run, &facets::ERROR_MESSAGE, body);
        }
        self.add(&mut run, &facets::BALANCE, facets::balance(report));
        let mut inputs: Vec<Value> =
            lineage.inputs.iter().map(|input| self.dataset(input, Map::new())).collect();
        // Of several, nobody counts which one a record came from.
        if let ([input], [told], false) = (&lineage.inputs[..], &mut inputs[..], lineage.has_stream)
        {
            let mut statistics = Map::new();
            let body = facets::input_statistics(report, input.kind);
            self.add(&mut statistics, &facets::INPUT_STATISTICS, body);
            told["inputFacets"] = Value::Object(statistics);
        }
        let outputs = lineage.output.as_ref().map(|output| {
            let mut known = self.columns(lineage);
            if let Some(change) = facets::lifecycle(report, output.kind) {
                self.add(&mut known, &facets::LIFECYCLE, change);
            }
            let mut told = self.dataset(output, known);
            if let Some(body) = facets::output_statistics(report, output.kind, lineage) {
                let mut statistics = Map::new();
                self.add(&mut statistics, &facets::OUTPUT_STATISTICS, body);
                told["outputFacets"] = Value::Object(statistics);
            }
            told
        });
        let at = at.unwrap_or_else(SystemTime::now);
        self.event(event_type, at, run, inputs, outputs.into_iter().collect())
    }

    fn event(
        &self,
        event_type: &str,
        at: SystemTime,
        run_facets: Map<String, Value>,
        inputs: Vec<Value>,
        outputs: Vec<Value>,
    ) -> Value {
        let mut job_facets = Map::new();
        let job_type =
            json!({ "processingType": "BATCH", "integration": "FLOWGAUGE", "jobType": "PIPELINE" });
        self.add(&mut job_facets, &facets::JOB_TYPE, job_type);
        json!({
            "eventType": event_type,
            "eventTime": time(at),
            "producer": self.producer,
            "schemaURL": facets::RUN_EVENT,
            "run": { "runId": self.run_id, "facets": run_facets },
            "job": { "namespace": self.namespace, "name": self.job, "facets": job_facets },
            "inputs": inputs,
            "outputs": outputs,
        })
    }

    fn run_facets(&self) -> Map<String, Value> {
        let mut facets = Map::new();
        let engine = json!({ "name": "flowgauge", "version": self.version });
        self.add(&mut facets, &facets::PROCESSING_ENGINE, engine);
        if let Some(parent) = &self.parent {
            let of = |run: &ParentRun| {
                json!({
                    "run": { "runId": run.run_id },
                    "job": { "namespace": run.namespace, "name": run.name },
                })
            };
            let mut body = of(parent);
            body["root"] = of(self.root.as_ref().unwrap_or(parent));
            self.add(&mut facets, &facets::PARENT, body);
        }
        facets
    }

    fn dataset(&self, dataset: &Dataset, mut facets: Map<String, Value>) -> Value {
        let source = json!({ "name": dataset.namespace, "uri": dataset.uri() });
        self.add(&mut facets, &facets::DATA_SOURCE, source);
        if !dataset.fields.is_empty() {
            let fields = dataset.fields.iter().map(|field| match &field.type_name {
                Some(type_name) => json!({ "name": field.name, "type": type_name }),
                None => json!({ "name": field.name }),
            });
            let body = json!({ "fields": fields.collect::<Vec<_>>() });
            self.add(&mut facets, &facets::SCHEMA, body);
        }
        json!({ "namespace": dataset.namespace, "name": dataset.name, "facets": facets })
    }

    /// Each column with the field it is made of, in each of the inputs.
    fn columns(&self, lineage: &Lineage) -> Map<String, Value> {
        let mut facets = Map::new();
        if lineage.columns.is_empty() || lineage.inputs.is_empty() {
            return facets;
        }
        let mut fields = Map::new();
        for column in &lineage.columns {
            let transformation = match &column.converted_to {
                None => json!({ "type": "DIRECT", "subtype": "IDENTITY" }),
                Some(kind) => json!({
                    "type": "DIRECT",
                    "subtype": "TRANSFORMATION",
                    "description": format!("converted to {kind}"),
                }),
            };
            let origins = lineage.inputs.iter().map(|input| {
                json!({
                    "namespace": input.namespace,
                    "name": input.name,
                    "field": column.field,
                    "transformations": [transformation],
                })
            });
            let origins: Vec<Value> = origins.collect();
            fields.insert(column.name.clone(), json!({ "inputFields": origins }));
        }
        self.add(&mut facets, &facets::COLUMN_LINEAGE, json!({ "fields": fields }));
        facets
    }

    fn add(&self, facets: &mut Map<String, Value>, kind: &facets::FacetKind, body: Value) {
        facets.insert(kind.key.to_string(), facet(kind, &self.producer, body));
    }
}

fn time(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Signal;

    #[test]
    fn a_run_ends_in_one_of_three_ways() {
        for outcome in Outcome::ALL {
            let expected = match outcome {
                Outcome::Complete => "COMPLETE",
                Outcome::Interrupted(Signal::Hangup | Signal::Interrupt | Signal::Terminate) => {
                    "ABORT"
                }
                _ => "FAIL",
            };
            assert_eq!(event_type(outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn times_are_in_utc() {
        let at = UNIX_EPOCH + Duration::from_micros(1_795_762_800_000_001);
        assert_eq!(time(at), "2026-11-27T07:00:00.000001Z");
    }
}
