//! A real Jaeger, asked for what it keeps.

use serde_json::Value;

use super::collector::Taken;
use super::{Daemon, Workdir, free_port};

pub struct Jaeger {
    /// Its query API.
    server: Daemon,
    /// Hosts and ports that take spans.
    pub http: String,
    pub grpc: String,
}

impl Jaeger {
    /// `binary` is what `needs!("jaeger")` returned.
    #[track_caller]
    pub fn start(binary: &str, workdir: &Workdir) -> Jaeger {
        let [http, grpc] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let server =
            Daemon::start(binary, workdir, &["{address}", &http, &grpc], "/api/v3/services");
        Jaeger { server, http, grpc }
    }

    /// The spans of a trace, as they came, with what Jaeger warns of.
    #[track_caller]
    pub fn trace(&self, id: &str) -> Taken {
        let answer = self.server.get(&format!("/api/v3/traces/{id}"));
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let Value::Array(resources) = answer["result"]["resourceSpans"].take() else {
            panic!("{answer}");
        };
        Taken { spans: vec![resources], ..Taken::default() }
    }
}
