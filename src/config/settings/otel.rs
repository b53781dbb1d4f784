//! What the standard variables of OpenTelemetry ask for, by their rules: an empty one is unset, choices are
//! in any case, and what cannot be understood is ignored with a warning. They are often set for a whole
//! machine, and must not keep records from moving.

use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::config::small_file;
use crate::export::{OtelSettings, OtlpProtocol, OtlpReceiver, Target, Temporality};
use crate::trace_context::{self, TraceContext};

const PEM_BYTES_MAX: usize = 4 << 20;
/// What nothing else is said of.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More often is a load, and says nothing more.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const ATTRIBUTES_MAX: usize = 128;

struct Signal {
    /// As it stands in the names of variables.
    name: &'static str,
    path: &'static str,
}

const METRICS: Signal = Signal { name: "METRICS", path: "v1/metrics" };
const TRACES: Signal = Signal { name: "TRACES", path: "v1/traces" };

/// `variable` is the environment.
pub fn otel(variable: impl Fn(&str) -> Option<String>, warnings: &mut Vec<String>) -> OtelSettings {
    let mut reader = OtelReader { variable: &variable, warnings };
    let parent = reader.parent();
    if reader.is_true("OTEL_SDK_DISABLED") {
        return OtelSettings { trace: parent, ..OtelSettings::default() };
    }
    let metrics = reader.receiver(&METRICS);
    let traces = reader.receiver(&TRACES);
    let begun = || metrics.as_ref().or(traces.as_ref()).map(|_| TraceContext::begin());
    let trace = parent.or_else(begun).map(|trace| reader.sampled(trace));
    OtelSettings {
        resource: reader.resource(),
        temporality: reader.temporality(),
        interval: reader
            .milliseconds("OTEL_METRIC_EXPORT_INTERVAL")
            .map(|interval| interval.max(INTERVAL_MIN)),
        traces: traces.filter(|_| trace.as_ref().is_some_and(|trace| trace.is_sampled)),
        metrics,
        trace,
    }
}

struct OtelReader<'a, V> {
    variable: &'a V,
    warnings: &'a mut Vec<String>,
}

impl<V: Fn(&str) -> Option<String>> OtelReader<'_, V> {
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?.trim().to_string();
        (!value.is_empty()).then_some(value)
    }

    fn word(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_ascii_lowercase())
    }

    /// That of the signal goes before the one for all.
    fn of_signal(&self, signal: &Signal, name: &str) -> Option<(String, String)> {
        let names = [
            format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.name),
            format!("OTEL_EXPORTER_OTLP_{name}"),
        ];
        names.into_iter().find_map(|name| Some((self.get(&name)?, name)))
    }

    fn warn(&mut self, name: &str, why: &str) {
        let warning = format!("{name} {why}");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Only the word itself is true, by the rules.
    fn is_true(&mut self, name: &str) -> bool {
        match self.word(name).as_deref() {
            Some("true") => true,
            Some("false") | None => false,
            Some(_) => {
                self.warn(name, "is neither true nor false, and taken for false");
                false
            }
        }
    }

    fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        let written = self.get(name)?;
        match written.parse::<u64>() {
            Ok(milliseconds) if milliseconds > 0 => Some(Duration::from_millis(milliseconds)),
            _ => {
                self.warn(name, "is no number of milliseconds, and passed over");
                None
            }
        }
    }

    fn parent(&mut self) -> Option<TraceContext> {
        let written = self.get(trace_context::VARIABLE)?;
        let parent = TraceContext::go_on(&written);
        if parent.is_none() {
            self.warn(
                trace_context::VARIABLE,
                "is no trace context (00-TRACE-SPAN-01), and passed over",
            );
        }
        parent
    }

    /// Whether the trace is kept, by the sampler that is asked for.
    fn sampled(&mut self, trace: TraceContext) -> TraceContext {
        const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
        let by_parent = trace.parent.is_none() || trace.is_sampled;
        let share = |reader: &mut Self| reader.ratio().is_none_or(|ratio| trace.is_within(ratio));
        let is_sampled = match self.word(SAMPLER).as_deref() {
            None | Some("parentbased_always_on") => by_parent,
            Some("always_on") => true,
            Some("always_off") => false,
            Some("parentbased_always_off") => trace.parent.is_some() && trace.is_sampled,
            Some("traceidratio") => share(self),
            Some("parentbased_traceidratio") if trace.parent.is_some() => trace.is_sampled,
            Some("parentbased_traceidratio") => share(self),
            Some(_) => {
                self.warn(SAMPLER, "names no sampler that is known here, and is ignored");
                by_parent
            }
        };
        TraceContext { is_sampled, ..trace }
    }

    fn ratio(&mut self) -> Option<f64> {
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let written = self.get(ARGUMENT)?;
        let ratio = written.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        if ratio.is_none() {
            self.warn(ARGUMENT, "is no number from 0 to 1, and passed over");
        }
        ratio
    }

    fn temporality(&mut self) -> Temporality {
        const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        match self.word(PREFERENCE).as_deref() {
            None | Some("cumulative") => Temporality::Cumulative,
            // What we have of instruments is counters and histograms, which are deltas in both.
            Some("delta" | "lowmemory") => Temporality::Delta,
            Some(_) => {
                self.warn(PREFERENCE, "is neither cumulative, delta nor lowmemory; cumulative");
                Temporality::Cumulative
            }
        }
    }

    /// `KEY=VALUE,…`; the name of the service goes before what stands there.
    fn resource(&mut self) -> Vec<(String, String)> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let written = self.get(ATTRIBUTES).unwrap_or_default();
        let mut attributes = Vec::new();
        for pair in written.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let decoded = |text: &str| {
                let decoded = percent_decode_str(text.trim()).decode_utf8();
                decoded.ok().filter(|_| is_encoded(text)).map(|text| text.into_owned())
            };
            let pair = pair
                .split_once('=')
                .and_then(|(key, value)| Some((decoded(key)?, decoded(value)?)))
                .filter(|(key, _)| !key.is_empty());
            match pair {
                Some(pair) => attributes.push(pair),
                // By the rules all of it is ignored.
                None => {
                    self.warn(ATTRIBUTES, "is not KEY=VALUE,KEY=VALUE, and passed over");
                    attributes.clear();
                    break;
                }
            }
        }
        if attributes.len() > ATTRIBUTES_MAX {
            self.warn(ATTRIBUTES, "holds more than 128 attributes, of which the first are taken");
            attributes.truncate(ATTRIBUTES_MAX);
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            attributes.retain(|(key, _)| key != "service.name");
            attributes.push(("service.name".to_string(), name));
        }
        attributes
    }

    /// Where the signal goes: none unless something asks for it, as a run without a receiver would wait
    /// for one.
    fn receiver(&mut self, signal: &Signal) -> Option<OtlpReceiver> {
        let exporters = format!("OTEL_{}_EXPORTER", signal.name);
        let mut is_asked_for = false;
        for exporter in self.word(&exporters).iter().flat_map(|names| names.split(',')) {
            match exporter.trim() {
                "otlp" => is_asked_for = true,
                "none" => return None,
                "" => {}
                _ => self.warn(&exporters, "names an exporter that is not known here"),
            }
        }
        let is_named = self.get(&exporters).is_some();
        let endpoint = self.of_signal(signal, "ENDPOINT");
        if !is_asked_for && (is_named || endpoint.is_none()) {
            return None;
        }
        if !cfg!(feature = "otlp") {
            self.warn(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "is set, and this program was built without OTLP",
            );
            return None;
        }
        let protocol = self.protocol(signal);
        let (written, name) = match endpoint {
            Some(endpoint) => endpoint,
            None => {
                let port = match protocol {
                    OtlpProtocol::Http => 4318,
                    OtlpProtocol::Grpc => 4317,
                };
                (format!("http://localhost:{port}"), "OTEL_EXPORTER_OTLP_ENDPOINT".to_string())
            }
        };
        let url = match protocol {
            // Without a scheme it is as insecure as is said.
            OtlpProtocol::Grpc if !written.contains("://") => {
                let insecure = self.of_signal(signal, "INSECURE");
                let is_plain = insecure.is_some_and(|(_, name)| self.is_true(&name));
                format!("{}://{written}", if is_plain { "http" } else { "https" })
            }
            OtlpProtocol::Http if name == "OTEL_EXPORTER_OTLP_ENDPOINT" => {
                let (address, query) = match written.split_once('?') {
                    Some((address, query)) => (address, format!("?{query}")),
                    None => (&*written, String::new()),
                };
                format!("{}/{}{query}", address.trim_end_matches('/'), signal.path)
            }
            _ => written,
        };
        let (certificate, authority) = match self.of_signal(signal, "CERTIFICATE") {
            Some((path, name)) => (Some(path), name),
            None => (None, "OTEL_EXPORTER_OTLP_CERTIFICATE".to_string()),
        };
        let mut target = match Target::of_variable(&name, &authority, &url) {
            Ok(target) => target,
            Err(why) => {
                self.warn(&name, &format!("is ignored, and nothing is sent there: {why}"));
                return None;
            }
        };
        if let Some(path) = certificate {
            let trusted = pem(&path).and_then(|pem| target.trust(&pem));
            if let Err(why) = trusted {
                self.warn(&authority, &format!("is ignored: {why}"));
            }
        }
        self.identify(signal, &mut target);
        self.headers(signal, &mut target);
        Some(OtlpReceiver {
            target,
            protocol,
            timeout: self.timeout(signal),
            is_compressed: self.is_compressed(signal),
        })
    }

    fn protocol(&mut self, signal: &Signal) -> OtlpProtocol {
        let Some((written, name)) = self.of_signal(signal, "PROTOCOL") else {
            return OtlpProtocol::default();
        };
        match written.to_ascii_lowercase().as_str() {
            "http/protobuf" => OtlpProtocol::Http,
            "grpc" => OtlpProtocol::Grpc,
            _ => {
                self.warn(&name, "is neither http/protobuf nor grpc; http/protobuf is spoken");
                OtlpProtocol::Http
            }
        }
    }

    fn timeout(&mut self, signal: &Signal) -> Duration {
        let timeout = match self.of_signal(signal, "TIMEOUT") {
            // By the rules that is no limit; there are others.
            Some((written, _)) if written == "0" => Some(Duration::MAX),
            Some((_, name)) => self.milliseconds(&name),
            None => None,
        };
        timeout.unwrap_or(TIMEOUT)
    }

    fn is_compressed(&mut self, signal: &Signal) -> bool {
        let Some((written, name)) = self.of_signal(signal, "COMPRESSION") else { return false };
        match written.to_ascii_lowercase().as_str() {
            "gzip" => true,
            "none" => false,
            _ => {
                self.warn(&name, "is neither gzip nor none; nothing is compressed");
                false
            }
        }
    }

    /// A certificate of our own, with its key.
    fn identify(&mut self, signal: &Signal, target: &mut Target) {
        let certificate = self.of_signal(signal, "CLIENT_CERTIFICATE");
        let key = self.of_signal(signal, "CLIENT_KEY");
        let (Some((certificate, name)), Some((key, _))) = (certificate, key) else { return };
        let both = pem(&certificate).and_then(|certificate| Ok((certificate, pem(&key)?)));
        let identified = both.and_then(|(certificate, key)| target.identify(&certificate, &key));
        if let Err(why) = identified {
            self.warn(&name, &format!("is ignored: {why}"));
        }
    }

    /// `NAME=VALUE,…`, with values as in a URL.
    fn headers(&mut self, signal: &Signal, target: &mut Target) {
        let Some((written, name)) = self.of_signal(signal, "HEADERS") else { return };
        for header in written.split(',').map(str::trim).filter(|header| !header.is_empty()) {
            let added = match header.split_once('=') {
                None => Err("a header is written as NAME=VALUE".to_string()),
                Some((key, _)) if key.contains(':') => {
                    Err("a header is written as NAME=VALUE, without a colon".to_string())
                }
                Some((key, value)) => match percent_decode_str(value.trim()).decode_utf8() {
                    Ok(value) => target.add_header(&format!("{}: {value}", key.trim())),
                    Err(_) => Err("the value of a header is no UTF-8".to_string()),
                },
            };
            if let Err(why) = added {
                self.warn(&name, &format!("holds a header that is ignored: {why}"));
            }
        }
    }
}

/// Each percent sign stands before two hexadecimal digits.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn pem(path: &str) -> Result<Vec<u8>, String> {
    small_file::read(Path::new(path), PEM_BYTES_MAX)
        .map_err(|cause| format!("cannot read '{path}': {cause}"))
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(variables: &[(&str, &str)]) -> (OtelSettings, Vec<String>) {
        let mut warnings = Vec::new();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_string())
        };
        (otel(variable, &mut warnings), warnings)
    }

    fn url(receiver: &Option<OtlpReceiver>) -> &str {
        receiver.as_ref().map_or("", |receiver| receiver.target.url.as_str())
    }

    #[test]
    fn where_signals_go() {
        const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const OF_METRICS: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
        const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
        for (variables, metrics, traces) in [
            (&[][..], "", ""),
            (&[(ENDPOINT, "")], "", ""),
            (&[(ENDPOINT, "http://c:4318")], "http://c:4318/v1/metrics", "http://c:4318/v1/traces"),
            (
                &[(ENDPOINT, "http://c/a/?k=v")],
                "http://c/a/v1/metrics?k=v",
                "http://c/a/v1/traces?k=v",
            ),
            (&[(ENDPOINT, "http://c/a/")], "http://c/a/v1/metrics", "http://c/a/v1/traces"),
            (&[(OF_METRICS, "http://c:1/x")], "http://c:1/x", ""),
            (&[("OTEL_TRACES_EXPORTER", "OTLP")], "", "http://localhost:4318/v1/traces"),
            (
                &[(ENDPOINT, "http://c"), ("OTEL_METRICS_EXPORTER", "none")],
                "",
                "http://c/v1/traces",
            ),
            (&[(ENDPOINT, "http://c"), ("OTEL_SDK_DISABLED", "True")], "", ""),
            (
                &[(ENDPOINT, "http://c:4317"), (PROTOCOL, "grpc")],
                "http://c:4317/",
                "http://c:4317/",
            ),
            (&[(ENDPOINT, "c:4317"), (PROTOCOL, "grpc")], "https://c:4317/", "https://c:4317/"),
            (
                &[
                    (ENDPOINT, "c:4317"),
                    (PROTOCOL, "GRPC"),
                    ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
                    ("OTEL_TRACES_EXPORTER", "none"),
                ],
                "http://c:4317/",
                "",
            ),
        ] {
            let (settings, warnings) = read(variables);
            let expected = (metrics, traces);
            assert_eq!((url(&settings.metrics), url(&settings.traces)), expected, "{variables:?}");
            assert_eq!(warnings, [""; 0], "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_passed_over_in_one_line() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for (name, value) in [
            ("TRACEPARENT", "nonsense"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "snappy"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "geheim"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer geheim=="),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,share=100%,c=d"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c=%ff"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "c:geheim@x"),
            ("OTEL_METRICS_EXPORTER", "otlp,console"),
        ] {
            let (_, warnings) = read(&[endpoint, (name, value)]);
            assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
            assert!(
                warnings[0].starts_with(name) && !warnings[0].contains("geheim"),
                "{warnings:?}"
            );
            assert!(!warnings[0].contains('\n'));
        }
    }

    #[test]
    fn a_trace_is_kept_as_its_sampler_says() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        let parent = |flags: &str| format!("{}{flags}", TRACE.strip_suffix("01").unwrap());
        let (kept, dropped) = (parent("01"), parent("00"));
        for (sampler, parent, is_kept) in [
            ("", "", true),
            ("", &*dropped, false),
            ("always_on", &*dropped, true),
            ("always_off", &*kept, false),
            ("parentbased_always_off", "", false),
            ("parentbased_always_off", &*kept, true),
            ("parentbased_traceidratio", &*kept, true),
            ("traceidratio", "", false),
        ] {
            let (settings, warnings) = read(&[
                endpoint,
                ("OTEL_TRACES_SAMPLER", sampler),
                ("OTEL_TRACES_SAMPLER_ARG", "0"),
                ("TRACEPARENT", parent),
            ]);
            assert_eq!(settings.traces.is_some(), is_kept, "{sampler} {parent} {warnings:?}");
            assert!(settings.metrics.is_some());
        }
    }

    #[test]
    fn who_we_are_can_be_said() {
        let (settings, _) = read(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a, deployment.environment=pr%C3%B6d"),
            ("OTEL_SERVICE_NAME", "b"),
        ]);
        let expected = [("deployment.environment", "pröd"), ("service.name", "b")];
        assert_eq!(settings.resource, expected.map(|(k, v)| (k.to_string(), v.to_string())));
        assert_eq!(settings.trace, None, "nobody asked for one");
    }

    #[test]
    fn no_limit_of_time_is_none_and_plain_is_only_what_is_true() {
        let (settings, warnings) = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ]);
        assert_eq!(settings.metrics.unwrap().timeout, Duration::MAX);
        assert_eq!(warnings, [""; 0]);
        let (settings, warnings) = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "yes"),
        ]);
        assert_eq!(url(&settings.metrics), "https://c:4317/");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn headers_are_sent_and_never_shown() {
        let (settings, warnings) = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=ge%20heim,x-scope=team"),
        ]);
        let target = settings.metrics.unwrap().target;
        assert_eq!(target.headers["api-key"], "ge heim");
        assert_eq!(target.masked("no ge heim"), "no ***");
        assert_eq!(warnings, [""; 0]);
    }
}
