//! The facets of an event: what each is called, and what it says. Pure.

use serde_json::{Value, json};

use super::lineage::{DatasetKind, Lineage};
use crate::event::{Counter, SchemaOperation};
use crate::outcome::Outcome;
use crate::report::Report;

/// The schema of events, whose address stays as it is.
pub const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// A kind of facet: its member, and its schema at openlineage.io.
pub struct FacetKind {
    pub key: &'static str,
    schema: &'static str,
}

const fn kind(key: &'static str, schema: &'static str) -> FacetKind {
    FacetKind { key, schema }
}

pub const PROCESSING_ENGINE: FacetKind = kind(
    "processing_engine",
    "facets/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
);
pub const PARENT: FacetKind =
    kind("parent", "facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet");
pub const ERROR_MESSAGE: FacetKind =
    kind("errorMessage", "facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet");
pub const JOB_TYPE: FacetKind =
    kind("jobType", "facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet");
pub const DATA_SOURCE: FacetKind =
    kind("dataSource", "facets/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet");
pub const SCHEMA: FacetKind =
    kind("schema", "facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet");
pub const COLUMN_LINEAGE: FacetKind = kind(
    "columnLineage",
    "facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
);
pub const LIFECYCLE: FacetKind = kind(
    "lifecycleStateChange",
    "facets/1-0-1/LifecycleStateChangeDatasetFacet.json#/$defs/LifecycleStateChangeDatasetFacet",
);
pub const INPUT_STATISTICS: FacetKind = kind(
    "inputStatistics",
    "facets/1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet",
);
pub const OUTPUT_STATISTICS: FacetKind = kind(
    "outputStatistics",
    "facets/1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
);
/// Our own. Its schema is the one of all facets of runs: a schema is to be found where its address says,
/// and this one is.
pub const BALANCE: FacetKind = kind("flowgauge_balance", "2-0-2/OpenLineage.json#/$defs/RunFacet");

pub fn facet(kind: &FacetKind, producer: &str, mut body: Value) -> Value {
    body["_producer"] = json!(producer);
    body["_schemaURL"] = json!(format!("https://openlineage.io/spec/{}", kind.schema));
    body
}

/// What became of the records, in the words of the summary. The names are a contract.
pub fn balance(report: &Report) -> Value {
    let (run, counts) = (&report.run, &report.run.counts);
    json!({
        "outcome": report.outcome.as_str(),
        "exitCode": report.outcome.exit_code(),
        "published": report.published.is_some(),
        "durationSeconds": run.elapsed.as_secs_f64(),
        "records": {
            "read": run.records_read,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "skipped": {
                "duplicate": counts.duplicate,
                "unchanged": counts.unchanged,
                "filtered": counts.filtered,
            },
            "failed": counts.failed,
            "residual": run.residual(),
            "unknown": report.unclear,
        },
        "bytes": { "read": run.bytes_read, "written": run.bytes_written },
    })
}

/// Bytes are those of the files as they are, and of an index those that were sent.
pub fn input_statistics(report: &Report, input: DatasetKind) -> Value {
    let run = &report.run;
    let rows = run.records_read;
    match input {
        DatasetKind::Files => json!({
            "rowCount": rows,
            "size": run.stored_position,
            "fileCount": run.counted(Counter::FilesProcessed),
        }),
        DatasetKind::Index | DatasetKind::Table => {
            json!({ "rowCount": rows, "size": run.bytes_read })
        }
    }
}

/// Rows that are certainly there. None where nobody knows how many that are.
pub fn output_statistics(report: &Report, output: DatasetKind, lineage: &Lineage) -> Option<Value> {
    let run = &report.run;
    let rows = run.counts.inserted + run.counts.updated;
    match output {
        DatasetKind::Files => report.published.as_ref().map(|published| {
            let mut statistics = json!({ "rowCount": rows, "fileCount": 1 });
            if let Some(bytes) = published.bytes {
                statistics["size"] = json!(bytes);
            }
            statistics
        }),
        DatasetKind::Table | DatasetKind::Index => {
            // Of a batch that failed, a table that cannot roll back may have a part.
            let is_whole = report.outcome == Outcome::Complete || lineage.is_transactional;
            (is_whole && report.unclear == 0).then(|| json!({ "rowCount": rows }))
        }
    }
}

/// What certainly became of the output itself.
pub fn lifecycle(report: &Report, output: DatasetKind) -> Option<Value> {
    let was_done = |operation: SchemaOperation| {
        let mut changes = report.run.schema_changes.iter();
        changes.any(|(known, is_done, took)| *known == operation && *is_done && took.count > 0)
    };
    let change = match output {
        DatasetKind::Files => match report.published.as_ref()?.replaced_bytes {
            None => "CREATE",
            Some(_) => "OVERWRITE",
        },
        DatasetKind::Table | DatasetKind::Index => {
            if was_done(SchemaOperation::CreateTable) {
                "CREATE"
            } else if was_done(SchemaOperation::AddColumns) {
                "ALTER"
            } else {
                return None;
            }
        }
    };
    Some(json!({ "lifecycleStateChange": change }))
}
