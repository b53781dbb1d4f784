//! A real OpenTelemetry Collector, which hands everything on as JSON to a receiver of the test.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::receiver::{HttpReceiver, Reply};
use super::{Daemon, PATIENCE, Workdir, free_port};

pub struct Collector {
    _server: Daemon,
    /// Hosts and ports.
    pub http: String,
    pub grpc: String,
    receiver: HttpReceiver,
}

const TAKEN: Reply = Reply::Bytes(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
);

impl Collector {
    /// `binary` is what `needs!("otel_collector")` returned. With `tls`, the lines of its settings.
    #[track_caller]
    pub fn start(binary: &str, workdir: &Workdir, tls: &str) -> Collector {
        let receiver = HttpReceiver::start(TAKEN);
        let grpc = format!("127.0.0.1:{}", free_port());
        let config = format!(
            "receivers:\n  otlp:\n    protocols:\n      \
             http: {{endpoint: ''{tls}}}\n      grpc: {{endpoint: '{grpc}'{tls}}}\n\
             exporters:\n  otlp_http:\n    endpoint: http://{}\n    encoding: json\n    \
             compression: none\n    sending_queue: {{enabled: false}}\n\
             service:\n  pipelines:\n    \
             metrics: {{receivers: [otlp], exporters: [otlp_http]}}\n    \
             traces: {{receivers: [otlp], exporters: [otlp_http]}}\n",
            receiver.address
        );
        let config = workdir.write(&format!("collector-{grpc}.yaml"), config);
        let config = format!("--config=file:{}", config.display());
        let args = [&*config, "--set=receivers.otlp.protocols.http.endpoint={address}"];
        // It has no page for this; with TLS not even words.
        let status = if tls.is_empty() { 404 } else { 400 };
        let server = Daemon::start_until(binary, workdir, &args, "/", status);
        Collector { http: server.address.clone(), _server: server, grpc, receiver }
    }

    /// All that it took so far. It hands on before it answers.
    pub fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        for arrival in self.receiver.rest() {
            let mut message: Value = serde_json::from_slice(&arrival.body).unwrap();
            for (name, all) in
                [("resourceMetrics", &mut taken.metrics), ("resourceSpans", &mut taken.spans)]
            {
                if let Value::Array(resources) = message[name].take() {
                    all.push(resources);
                }
            }
        }
        taken
    }

    /// The first message of a run that is on.
    #[track_caller]
    pub fn first_taken(&self) -> Taken {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let taken = self.taken();
            if !taken.metrics.is_empty() || Instant::now() > give_up {
                return taken;
            }
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// Messages in their order, each a list of resources.
#[derive(Debug, Default)]
pub struct Taken {
    pub metrics: Vec<Vec<Value>>,
    pub spans: Vec<Vec<Value>>,
}

impl Taken {
    /// The points of a metric in the message.
    pub fn points(&self, message: usize, name: &str) -> Vec<Value> {
        let metrics = self.metrics[message]
            .iter()
            .flat_map(|resource| resource["scopeMetrics"].as_array().unwrap())
            .flat_map(|scope| scope["metrics"].as_array().unwrap());
        let data = metrics.filter(|metric| metric["name"] == name).flat_map(|metric| {
            ["sum", "gauge", "histogram", "summary"].into_iter().map(|kind| &metric[kind])
        });
        data.flat_map(|data| data["dataPoints"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// The value of the one point with these attributes.
    #[track_caller]
    pub fn number(&self, message: usize, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |point: &Value, (key, value): &(&str, &str)| attribute(point, key) == *value;
        let points = self.points(message, name);
        let mut points = points.iter().filter(|point| labels.iter().all(|label| has(point, label)));
        let point = points.next()?;
        assert!(points.next().is_none(), "several of {name}");
        match &point["asInt"] {
            Value::String(number) => Some(number.parse().unwrap()),
            _ => point["asDouble"].as_f64(),
        }
    }

    pub fn all_spans(&self) -> Vec<Value> {
        let resources = self.spans.iter().flatten();
        let scopes = resources.flat_map(|one| one["scopeSpans"].as_array().unwrap());
        scopes.flat_map(|scope| scope["spans"].as_array().unwrap()).cloned().collect()
    }

    /// All spans but that of the run are within a parent.
    #[track_caller]
    pub fn assert_nested(&self) {
        let spans = self.all_spans();
        let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        for span in spans.iter().filter(|span| span["name"] != "run") {
            let parent = spans.iter().find(|parent| parent["spanId"] == span["parentSpanId"]);
            let parent = parent.unwrap_or_else(|| panic!("{span} has no parent"));
            let (from, to) = ("startTimeUnixNano", "endTimeUnixNano");
            assert!(time(parent, from) <= time(span, from), "{span}");
            assert!(time(span, from) <= time(span, to), "{span}");
            assert!(time(span, to) <= time(parent, to), "{span} {parent}");
        }
    }

    #[track_caller]
    pub fn span(&self, name: &str) -> Value {
        let spans = self.all_spans();
        let found = spans.iter().find(|span| span["name"] == name);
        found.unwrap_or_else(|| panic!("no span {name} in {spans:?}")).clone()
    }
}

/// As text, whatever it is; empty where it is not there.
pub fn attribute(of: &Value, key: &str) -> String {
    let attributes = of["attributes"].as_array();
    let found = attributes.into_iter().flatten().find(|one| one["key"] == key);
    let value = found.and_then(|one| one["value"].as_object()?.values().next());
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
