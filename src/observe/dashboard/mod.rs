//! The dashboard for Grafana as JSON, made of its rows and panels.

mod panels;

use serde_json::{Value, json};

use panels::{Look, PIPELINES, Panel, Query, ROWS, Unit};

/// It is found again by this, so that it is replaced and not made twice.
pub const UID: &str = "flowgauge";

/// As Grafana 11 and later write it; earlier ones read it as well.
const SCHEMA_VERSION: u32 = 39;

const HEIGHT: u32 = 8;
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
                (x, y) = (0, y + HEIGHT);
            }
            panels.push(panel(shown, panels.len() + 1, x, y));
            x += u32::from(shown.width);
        }
        y += HEIGHT;
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

/// Where a run began.
fn starts() -> Value {
    json!({
        "name": "Starts of runs",
        "datasource": source(),
        "enable": true,
        "hide": false,
        "iconColor": "blue",
        "expr": selected("changes(max by (pipeline_id) (pipeline_start_timestamp_seconds{<pipelines>})[$__interval:]) > 0"),
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

fn selected(expression: &str) -> String {
    expression.replace(PIPELINES, "pipeline_id=~\"$pipeline\"")
}

fn panel(panel: &Panel, id: usize, x: u32, y: u32) -> Value {
    let targets = panel.queries.iter().zip('A'..='Z');
    let targets: Vec<Value> =
        targets.map(|(query, name)| target(panel.look, query, name)).collect();
    let mut json = json!({
        "id": id,
        "type": kind(panel.look),
        "title": panel.title,
        "description": panel.description,
        "datasource": source(),
        "gridPos": { "x": x, "y": y, "w": panel.width, "h": HEIGHT },
        "targets": targets,
        "fieldConfig": { "defaults": defaults(panel), "overrides": [] },
        "options": options(panel.look),
    });
    if panel.look == Look::Table {
        json["transformations"] = json!([{
            "id": "organize",
            "options": { "excludeByName": { "Time": true }, "indexByName": {}, "renameByName": { "Value": "seconds" } },
        }]);
    }
    json
}

fn kind(look: Look) -> &'static str {
    match look {
        Look::Lines | Look::Stacked | Look::Bars => "timeseries",
        Look::Number | Look::Name => "stat",
        Look::Share | Look::Amounts => "bargauge",
        Look::Table => "table",
    }
}

fn target(look: Look, query: &Query, name: char) -> Value {
    let is_of_now = !matches!(look, Look::Lines | Look::Stacked | Look::Bars);
    json!({
        "refId": name.to_string(),
        "datasource": source(),
        "expr": selected(query.expression),
        "legendFormat": query.legend,
        "instant": is_of_now,
        "range": !is_of_now,
        "format": if look == Look::Table { "table" } else { "time_series" },
    })
}

fn defaults(panel: &Panel) -> Value {
    let unit = match panel.unit {
        Unit::Count => "short",
        Unit::PerSecond => "cps",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "binBps",
        Unit::Ratio => "percentunit",
    };
    let mut defaults = json!({
        "unit": unit,
        "color": { "mode": if panel.look == Look::Name { "fixed" } else { "palette-classic" } },
        "mappings": [],
        "thresholds": { "mode": "absolute", "steps": [{ "color": "green", "value": null }] },
    });
    if panel.look == Look::Name {
        defaults["color"]["fixedColor"] = "text".into();
    }
    if panel.unit == Unit::Ratio {
        (defaults["min"], defaults["max"]) = (json!(0), json!(1));
    }
    if kind(panel.look) == "timeseries" {
        let is_filled = panel.look != Look::Lines;
        defaults["min"] = json!(0);
        defaults["custom"] = json!({
            "drawStyle": if panel.look == Look::Bars { "bars" } else { "line" },
            "lineWidth": 1,
            "fillOpacity": if is_filled { 40 } else { 0 },
            "showPoints": "never",
            // Between two runs there is nothing.
            "spanNulls": false,
            "stacking": { "mode": if panel.look == Look::Stacked { "normal" } else { "none" }, "group": "A" },
        });
    }
    defaults
}

fn options(look: Look) -> Value {
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match look {
        Look::Lines | Look::Stacked | Look::Bars => json!({
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
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
        Look::Share | Look::Amounts => json!({
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
                let names = names(query.expression);
                assert!(!names.is_empty(), "{}", panel.title);
                for name in names {
                    assert!(known.contains(name), "{name} of '{}'", panel.title);
                }
                assert!(query.expression.contains(PIPELINES), "{}", panel.title);
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
