//! What a series is to Prometheus: its type, and its labels.

use prometheus::proto;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesType {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl SeriesType {
    pub fn as_str(self) -> &'static str {
        match self {
            SeriesType::Counter => "counter",
            SeriesType::Gauge => "gauge",
            SeriesType::Histogram => "histogram",
            SeriesType::Summary => "summary",
        }
    }
}

pub fn pair(name: &str, value: &str) -> proto::LabelPair {
    let mut pair = proto::LabelPair::default();
    pair.set_name(name.to_string());
    pair.set_value(value.to_string());
    pair
}
