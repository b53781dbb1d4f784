//! Keys and values as messages hold them, and who sends them.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::event::RunIdentity;
use crate::host::host_name;

pub fn text(key: &str, value: impl Into<String>) -> KeyValue {
    of(key, Value::StringValue(value.into()))
}

pub fn number(key: &str, value: u64) -> KeyValue {
    of(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

pub fn seconds(key: &str, value: std::time::Duration) -> KeyValue {
    of(key, Value::DoubleValue(value.as_secs_f64()))
}

pub fn yes(key: &str, value: bool) -> KeyValue {
    of(key, Value::BoolValue(value))
}

fn of(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        ..InstrumentationScope::default()
    })
}

/// What the user says goes before what is known here, but for who the run is.
pub fn resource(said: &[(String, String)], identity: &RunIdentity) -> Resource {
    let mut attributes = vec![
        text("service.instance.id", &*identity.run_id),
        text("flowgauge.pipeline.id", &*identity.pipeline_id),
        number("process.pid", u64::from(std::process::id())),
    ];
    let known = [
        ("service.name", Some(env!("CARGO_PKG_NAME").to_string())),
        ("service.version", Some(identity.version.to_string())),
        ("host.name", Some(host_name()).filter(|name| !name.is_empty())),
    ];
    for (key, value) in said {
        if !attributes.iter().any(|one| one.key == *key) {
            attributes.push(text(key, &**value));
        }
    }
    for (key, value) in known {
        if let Some(value) = value
            && !attributes.iter().any(|one| one.key == key)
        {
            attributes.push(text(key, value));
        }
    }
    Resource { attributes, ..Resource::default() }
}
