//! A receiver of OpenLineage events, and a judge of them: the schemas that OpenLineage publishes.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use serde_json::Value;

use super::receiver::{Arrival, HttpReceiver, Reply};

/// As Marquez answers.
pub const CREATED: Reply =
    Reply::Bytes("HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");

pub struct Catalogue {
    receiver: HttpReceiver,
    pub url: String,
}

impl Catalogue {
    pub fn start() -> Catalogue {
        Catalogue::with_replies(vec![CREATED])
    }

    pub fn with_replies(replies: Vec<Reply>) -> Catalogue {
        let receiver = HttpReceiver::with_replies(replies);
        let url = format!("http://{}", receiver.address);
        Catalogue { receiver, url }
    }

    #[track_caller]
    pub fn next(&self) -> Arrival {
        self.receiver.next()
    }

    /// Those that have come, all of them valid.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let arrivals = self.receiver.rest();
        let events: Vec<Value> = arrivals.iter().map(event).collect();
        events.iter().for_each(assert_valid);
        events
    }

    /// Of a run that is over: how it began, and how it ended.
    #[track_caller]
    pub fn both(&self) -> (Value, Value) {
        let [start, end] = <[Value; 2]>::try_from(self.events()).expect("two events");
        assert_eq!(start["eventType"], "START");
        for name in ["producer", "schemaURL"] {
            assert_eq!(start[name], end[name]);
        }
        assert_eq!(start["run"]["runId"], end["run"]["runId"]);
        assert_eq!(start["job"], end["job"]);
        assert!(start["eventTime"].as_str() <= end["eventTime"].as_str());
        (start, end)
    }
}

pub fn event(arrival: &Arrival) -> Value {
    assert!(arrival.head.contains("content-type: application/json\n"), "{}", arrival.head);
    serde_json::from_slice(&arrival.body).unwrap()
}

/// By the schema of events, and each facet by the one that it names.
#[track_caller]
pub fn assert_valid(event: &Value) {
    const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
    assert_eq!(event["schemaURL"], RUN_EVENT);
    let mut judge = Judge::new();
    judge.assert_valid(RUN_EVENT, event);
    let mut facets = vec![&event["run"]["facets"], &event["job"]["facets"]];
    for dataset in ["inputs", "outputs"].iter().flat_map(|name| event[*name].as_array().unwrap()) {
        facets.extend(["facets", "inputFacets", "outputFacets"].map(|name| &dataset[name]));
    }
    let facets = facets.into_iter().filter_map(Value::as_object).flatten();
    let mut seen = 0;
    for (_, facet) in facets {
        judge.assert_valid(facet["_schemaURL"].as_str().unwrap(), facet);
        seen += 1;
    }
    assert!(seen > 0);
}

struct Judge {
    compiler: Compiler,
    schemas: Schemas,
}

impl Judge {
    fn new() -> Judge {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openlineage");
        for file in files(&root) {
            let schema: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let id = schema["$id"].as_str().unwrap().to_string();
            compiler.add_resource(&id, schema).unwrap();
        }
        Judge { compiler, schemas: Schemas::new() }
    }

    #[track_caller]
    fn assert_valid(&mut self, schema: &str, value: &Value) {
        let index = self.compiler.compile(schema, &mut self.schemas).unwrap();
        if let Err(error) = self.schemas.validate(value, index) {
            panic!("{schema}: {error}\n{value:#}");
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}
