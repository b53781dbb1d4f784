//! The dashboard for Grafana as JSON, made of its rows and panels.

mod expression;
mod panels;

use serde_json::{Map, Value, json};

use expression::expression;
use panels::{Look, Panel, Query, ROWS, Unit};

/// It is found again by this, so that it is replaced and not made twice.
pub const UID: &str = "flowgauge";

/// As Grafana 11 and later write it; earlier ones read it as well.
const SCHEMA_VERSION: u32 = 39;

const COLUMNS: u32 = 24;

pub fn dashboard() -> Value {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in ROWS {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
            "panels": [],
        }));
        y += 1;
        let mut x = 0;
        for shown in row.panels {
            if x + u32::from(shown.width) > COLUMNS {
                (x, y) = (0, y + row.height);
            }
            panels.push(panel(shown, panels.len() + 1, (x, y), row.height));
            x += u32::from(shown.width);
        }
        y += row.height;
    }
    json!({
        "uid": UID,
        "title": "flowgauge",
        "description": "Pipelines of flowgauge: what runs, how fast, what holds it back, and how all the nights before went.",
        "tags": ["flowgauge"],
        "timezone": "browser",
        "editable": true,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "schemaVersion": SCHEMA_VERSION,
        "templating": { "list": variables() },
        "annotations": { "list": [starts()] },
        "panels": panels,
    })
}

/// When runs began, by what they say themselves: in milliseconds, as Grafana has it.
fn starts() -> Value {
    json!({
        "name": "Starts of runs",
        "datasource": source(),
        "enable": true,
        "hide": false,
        "iconColor": "blue",
        "expr": expression("1000 * max by (pipeline_id) (pipeline_start_timestamp_seconds{<pipelines>})"),
        "useValueForTime": true,
        // What is nearer to each other becomes one.
        "step": "15s",
        "titleFormat": "{{pipeline_id}}",
    })
}

fn variables() -> Vec<Value> {
    let source_of_data = json!({
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "multi": false,
        "includeAll": false,
        "options": [],
        "current": { "text": "default", "value": "default" },
        "hide": 0,
        "skipUrlSync": false,
    });
    let pipeline = json!({
        "type": "query",
        "name": "pipeline",
        "label": "Pipeline",
        "datasource": source(),
        "definition": "label_values(pipeline_start_timestamp_seconds, pipeline_id)",
        "query": {
            "query": "label_values(pipeline_start_timestamp_seconds, pipeline_id)",
            "refId": "pipelines",
        },
        // When the time range changes: pipelines of other weeks are others.
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "options": [],
        "current": { "text": "All", "value": "$__all" },
        "hide": 0,
        "skipUrlSync": false,
    });
    vec![source_of_data, pipeline]
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn panel(panel: &Panel, id: usize, (x, y): (u32, u32), height: u32) -> Value {
    let targets: Vec<Value> =
        named(panel.queries).map(|(name, query)| target(panel.look, query, name)).collect();
    let mut json = json!({
        "id": id,
        "type": kind(panel.look),
        "title": panel.title,
        "description": panel.description,
        "datasource": source(),
        "gridPos": { "x": x, "y": y, "w": panel.width, "h": height },
        "targets": targets,
        "fieldConfig": { "defaults": defaults(panel), "overrides": overrides(panel) },
        "options": options(panel.look),
    });
    if panel.look == Look::Table {
        json["transformations"] = transformations(panel.queries);
    }
    json
}

fn named(queries: &'static [Query]) -> impl Iterator<Item = (char, &'static Query)> {
    ('A'..='Z').zip(queries)
}

fn kind(look: Look) -> &'static str {
    match look {
        Look::Lines | Look::ManyLines | Look::Stacked | Look::Points => "timeseries",
        Look::Number | Look::Name => "stat",
        Look::Share => "bargauge",
        Look::Table => "table",
    }
}

fn target(look: Look, query: &Query, name: char) -> Value {
    let is_of_now = kind(look) != "timeseries";
    json!({
        "refId": name.to_string(),
        "datasource": source(),
        "expr": expression(query.expression),
        "legendFormat": query.legend,
        "instant": is_of_now,
        "range": !is_of_now,
        "format": if look == Look::Table { "table" } else { "time_series" },
    })
}

/// One row for all queries with the same labels, and a column for each query with its legend above. One without a
/// legend has only its labels to tell. Grafana calls the column of a query that is alone `Value`.
fn transformations(queries: &'static [Query]) -> Value {
    let mut hidden = Map::from_iter([("Time".into(), json!(true))]);
    let mut names = Map::from_iter([("pipeline_id".into(), json!("pipeline"))]);
    for (name, query) in named(queries) {
        let is_alone = queries.len() == 1;
        let column = if is_alone { "Value".into() } else { format!("Value #{name}") };
        match query.legend {
            "" => hidden.insert(column, json!(true)),
            legend => names.insert(column, legend.into()),
        };
    }
    json!([
        { "id": "merge", "options": {} },
        {
            "id": "organize",
            "options": { "excludeByName": hidden, "indexByName": { "pipeline_id": 0, "outcome": 1, "stage": 1 }, "renameByName": names },
        },
    ])
}

fn overrides(panel: &Panel) -> Vec<Value> {
    if panel.look != Look::Table {
        return Vec::new();
    }
    let of = |column: &str, properties: Value| json!({ "matcher": { "id": "byName", "options": column }, "properties": properties });
    let columns = panel.queries.iter().filter(|query| !query.legend.is_empty());
    let units = columns.map(|query| {
        of(query.legend, json!([{ "id": "unit", "value": unit(query.unit.unwrap_or(panel.unit)) }]))
    });
    let outcome = of(
        "outcome",
        json!([
            { "id": "custom.cellOptions", "value": { "type": "color-text" } },
            { "id": "mappings", "value": [
                { "type": "value", "options": { "complete": { "color": "green", "index": 0 } } },
                { "type": "regex", "options": { "pattern": ".+", "result": { "color": "red", "index": 1 } } },
            ]},
        ]),
    );
    units.chain([outcome]).collect()
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "short",
        Unit::RecordsPerSecond => "recps",
        Unit::RequestsPerSecond => "reqps",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "binBps",
        Unit::Ratio => "percentunit",
    }
}

fn defaults(panel: &Panel) -> Value {
    let mut defaults = json!({
        "unit": unit(panel.unit),
        "color": { "mode": if panel.look == Look::Name { "fixed" } else { "palette-classic" } },
        "mappings": [],
        "thresholds": { "mode": "absolute", "steps": [{ "color": "green", "value": null }] },
    });
    if panel.look == Look::Name {
        defaults["color"]["fixedColor"] = "text".into();
    }
    if let Some(nothing) = panel.nothing {
        defaults["noValue"] = nothing.into();
    }
    if panel.unit == Unit::Ratio {
        (defaults["min"], defaults["max"]) = (json!(0), json!(1));
    }
    if kind(panel.look) == "timeseries" {
        let is_of_runs = panel.look == Look::Points;
        defaults["min"] = json!(0);
        defaults["custom"] = json!({
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": if panel.look == Look::Stacked { 40 } else { 0 },
            "showPoints": if is_of_runs { "always" } else { "never" },
            "pointSize": if is_of_runs { 7 } else { 5 },
            // Between two runs there is nothing, unless the runs are the points.
            "spanNulls": is_of_runs,
            "stacking": { "mode": if panel.look == Look::Stacked { "normal" } else { "none" }, "group": "A" },
        });
    }
    defaults
}

fn options(look: Look) -> Value {
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match look {
        Look::Lines | Look::ManyLines | Look::Stacked | Look::Points => json!({
            "legend": {
                "displayMode": "list",
                "placement": if matches!(look, Look::ManyLines | Look::Stacked) { "right" } else { "bottom" },
                "showLegend": true,
                "calcs": [],
            },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Look::Number | Look::Name => json!({
            "reduceOptions": reduce,
            "orientation": "auto",
            "textMode": if look == Look::Name { "name" } else { "value_and_name" },
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "wideLayout": true,
            "showPercentChange": false,
            "percentChangeColorMode": "standard",
        }),
        Look::Share => json!({
            "reduceOptions": reduce,
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "color",
            "namePlacement": "auto",
            "showUnfilled": true,
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": [] },
        }),
        Look::Table => json!({
            "showHeader": true,
            "cellHeight": "sm",
            "frameIndex": 0,
            "sortBy": [{ "displayName": "pipeline", "desc": false }],
            "footer": { "show": false, "reducer": ["sum"], "countRows": false },
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::observe::CATALOGUE;

    /// Names of metrics in a query, without the suffixes of histograms.
    fn names(expression: &str) -> Vec<&str> {
        let words =
            expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let is_name = |word: &&str| word.starts_with("pipeline_") || word.starts_with("process_");
        let metric = |name| {
            let ends = ["_bucket", "_sum", "_count"];
            ends.into_iter().find_map(|end| str::strip_suffix(name, end)).unwrap_or(name)
        };
        words.filter(is_name).filter(|word| *word != "pipeline_id").map(metric).collect()
    }

    #[test]
    fn every_metric_that_is_asked_for_is_in_the_catalogue() {
        let known: HashSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
        for panel in ROWS.iter().flat_map(|row| row.panels) {
            for query in panel.queries {
                let whole = expression(query.expression);
                let names = names(&whole);
                assert!(!names.is_empty(), "{}", panel.title);
                for name in names {
                    assert!(known.contains(name), "{name} of '{}'", panel.title);
                }
                // Else it counts twice what comes in two ways.
                let says_which =
                    ["<on", "<newest", "<latest", "pipeline_runs_total", "_timestamp_seconds"];
                let says_which = says_which.iter().any(|word| query.expression.contains(word));
                assert!(says_which || panel.look == Look::Name, "{}", panel.title);
            }
        }
    }

    #[test]
    fn panels_do_not_cover_each_other() {
        let dashboard = dashboard();
        let mut taken = HashSet::new();
        let mut ids = HashSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
            let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(x < u64::from(COLUMNS) && taken.insert((x, y)), "{}", panel["title"]);
                }
            }
        }
    }
}
