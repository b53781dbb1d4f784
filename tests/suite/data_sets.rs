//! Data sets of many kinds, published ones and hostile ones: each goes into a table that is made for it
//! without a rejected record, and once more on the second night. Documents also by way of an index.

use std::fmt::Write;

use serde_json::json;

use crate::support::indices::Indices;
use crate::support::{Database, Flowgauge, Server, Workdir, needs, test_name, workdir};

struct DataSet {
    name: &'static str,
    bytes: Vec<u8>,
    args: &'static str,
}

fn csv(name: &'static str, args: &'static str, bytes: impl Into<Vec<u8>>) -> DataSet {
    DataSet { name, args, bytes: bytes.into() }
}

/// Published ones, of which `tests/fixtures/data_sets/README.md` says where they are from.
fn published() -> Vec<DataSet> {
    let of = |name, text: &str| csv(name, "--mode insert", text);
    vec![
        of("elnino", include_str!("../fixtures/data_sets/elnino.csv")),
        of("grunfeld", include_str!("../fixtures/data_sets/grunfeld.csv")),
        of("longley", include_str!("../fixtures/data_sets/longley.csv")),
        of("macrodata", include_str!("../fixtures/data_sets/macrodata.csv")),
        of("nile", include_str!("../fixtures/data_sets/nile.csv")),
        of("stackloss", include_str!("../fixtures/data_sets/stackloss.csv")),
        of("strikes", include_str!("../fixtures/data_sets/strikes.csv")),
        of("sunspots", include_str!("../fixtures/data_sets/sunspots.csv")),
    ]
}

fn rows(header: &str, count: usize, row: impl Fn(usize) -> String) -> String {
    (1..=count).fold(format!("{header}\n"), |mut text, n| {
        let _ = writeln!(text, "{}", row(n));
        text
    })
}

fn columns_of_files() -> Vec<DataSet> {
    let wide_names: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
    let long = "long text, ".repeat(20_000);
    vec![
        csv(
            "orders",
            "--key id",
            rows("id,placed,status,total,paid", 2_000, |n| {
                let status = ["new", "sent", "returned"][n % 3];
                format!(
                    "{n},2024-{:02}-{:02},{status},{}.{:02},{}",
                    1 + n % 12,
                    1 + n % 28,
                    n,
                    n % 100,
                    n % 2 == 0
                )
            }),
        ),
        csv(
            "computed doubles",
            "--key id",
            rows("id,x,y", 2_000, |n| {
                format!("{n},{:?},{:e}", n as f64 / 3.0, (n as f64).powi(20))
            }),
        ),
        csv(
            "doubles of python",
            "--key id",
            "id,x\n1,1e-05\n2,0.1\n3,3.3333333333333335e-05\n4,1e+20\n",
        ),
        csv(
            "codes with zeros in front",
            "--key id",
            rows("id,zip,phone", 500, |n| format!("{n},{n:05},+49{n}")),
        ),
        csv(
            "numbers as in Europe",
            "--csv-delimiter ; --key id",
            "id;a;b\n1;1,5;1.234,50\n2;2,25;7\n",
        ),
        csv("thousands apart", "--key id", "id,a\n1,\"1,234.50\"\n2,\"7\"\n"),
        csv("booleans of python", "--key id", "id,b,c\n1,True,None\n2,False,1\n"),
        csv(
            "a word for null",
            "--csv-null \\N --key id",
            "id,a,d\n1,\\N,2024-01-01\n2,5,\\N\n3,\\N,\\N\n",
        ),
        csv("columns without a value", "--key id", "id,a,b\n1,,\n2,,x\n"),
        csv(
            "windows-1252",
            "--csv-encoding windows-1252 --key id",
            b"id,name,price\n1,M\xfcller,1.5\n2,\x80uro,2\n".as_slice(),
        ),
        csv("lines in fields", "--key id", "id,t\n1,\"a\nb\r\nc\"\n2,\"say \"\"x\"\"\"\n3,🦀\n"),
        csv("long texts", "--key id", format!("id,t\n1,x\n2,\"{long}\"\n")),
        csv(
            "codes that look like numbers",
            "--key id",
            "id,a,b,c,d\n1,1e5,0x10,12_000,007\n2,2e7,0x11,3,1\n",
        ),
        csv(
            "seconds since 1970",
            "--key id --types e=epoch_s",
            "id,e,f\n1,1700000000,1700000000123\n2,0,-5\n",
        ),
        csv(
            "wide integers",
            "--key id",
            "id,u,w,m\n1,18446744073709551615,1000000000000000000000000000000,-1\n2,1,2,18446744073709551615\n",
        ),
        csv(
            "wide decimals",
            "--key id",
            "id,a,b,c\n1,12345678901234567890.12345678901234567890,0.000000000000000000000000000001,1.5\n2,0.1,12345678901234567890123456789012345.5,1\n",
        ),
        csv(
            "numbers beyond all",
            "--key id",
            format!("id,a\n1,{}\n2,0.{}1\n", "9".repeat(80), "0".repeat(50)),
        ),
        csv("noughts with a sign", "--key id", "id,a,b\n1,-0,-0.00\n2,0,0.0\n"),
        csv(
            "days of two kinds",
            "--key id",
            "id,a,b\n1,01/02/2024,2024-01-02\n2,13/02/2024,2024-01-02 10:00\n",
        ),
        csv(
            "times",
            "--key id",
            "id,t,u,z,n\n1,10:11:12,10:11,2024-01-01T00:00:00Z,2024-01-01T00:00:00.123456789\n2,23:59:59.999,9:5,2024-01-01T23:59:59.5-11:30,2024-01-01T00:00:00\n",
        ),
        csv(
            "days at the ends of the calendar",
            "--key id",
            "id,d,p\n1,9999-12-31,0001-01-01T00:00:00+14:00\n2,0001-01-01,9999-12-31T23:59:59-12:00\n",
        ),
        csv("days that do not exist", "--key id", "id,d\n1,0000-00-00\n2,2023-02-29\n"),
        csv("one column", "--mode insert", "n\n1\n2\n"),
        csv(
            "three hundred columns",
            "--mode insert",
            rows(&wide_names.join(","), 200, |n| {
                (0..300).map(|c| (n * c).to_string()).collect::<Vec<_>>().join(",")
            }),
        ),
        csv(
            "names of all sorts",
            "--key id --csv-headers repair",
            "id,Straße,日本,a b,a b,,`q`\n1,2,3,4,5,6,7\n",
        ),
        csv("only a header", "--key id --allow-empty", "id,a\n"),
        csv("no header", "--csv-no-header --mode insert", "1,x,2024-01-01\n2,y,2024-01-02\n"),
        csv("fewer fields than columns", "--csv-ragged pad --key id", "id,a,b\n1,5\n2,6,7.5\n"),
        csv("letters of one case", "--key id", "id,k\n1,a\n2,A\n3,ä\n"),
    ]
}

fn documents(name: &'static str, args: &'static str, lines: &[&str]) -> DataSet {
    DataSet { name, args, bytes: (lines.join("\n") + "\n").into_bytes() }
}

fn of_documents() -> Vec<DataSet> {
    let computed = (1..2_000).map(|n| format!("{{\"id\":{n},\"x\":{:?}}}", n as f64 / 7.0));
    let computed: Vec<String> = computed.collect();
    let half = (1..2_000).map(|n| format!("{{\"id\":{n},\"x\":0.5}}"));
    let half: Vec<String> =
        half.chain(["{\"id\":5000,\"x\":0.30000000000000004}".to_string()]).collect();
    let of = |name, lines: &[String]| {
        documents(name, "--key id", &lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    vec![
        of("computed numbers", &computed),
        of("halves and one that is computed", &half),
        documents(
            "arrays here and there",
            "--key id",
            &[
                r#"{"id":1,"tags":["a","b"],"n":[1,2]}"#,
                r#"{"id":2,"tags":"a","n":3}"#,
                r#"{"id":3,"tags":[],"n":null}"#,
            ],
        ),
        documents(
            "nested objects",
            "--key id",
            &[
                r#"{"id":1,"user":{"name":"a","roles":["x"],"geo":{"lat":52.5,"lon":13.4}}}"#,
                r#"{"id":2,"user":{"name":"b"},"extra":{"deep":{"er":true}}}"#,
            ],
        ),
        documents(
            "nested objects as columns",
            "--key id --flatten",
            &[
                r#"{"id":1,"user":{"name":"a","roles":["x"],"geo":{"lat":52.5}}}"#,
                r#"{"id":2,"user":null,"extra":{"deep":{"er":true}}}"#,
                r#"{"id":3,"user":{"geo":null}}"#,
            ],
        ),
        documents(
            "names joined by a line",
            "--key id --flatten --flatten-separator _",
            &[r#"{"id":1,"user":{"name":"a"},"user.mail":"x"}"#, r#"{"id":2,"user":{}}"#],
        ),
        documents(
            "strings of every kind",
            "--key id",
            &[
                r#"{"id":1,"zip":"01234","n":"12","t":"true","d":"2024-01-02","e":""}"#,
                r#"{"id":2,"zip":"9","n":"13","t":"false","d":"2024-01-03","e":"x\u0000\n"}"#,
            ],
        ),
        documents(
            "fields that are missing",
            "--key id",
            &[
                r#"{"id":1,"a":1}"#,
                r#"{"id":2,"b":2.5}"#,
                r#"{"id":3,"c":null}"#,
                r#"{"id":4,"d":[]}"#,
            ],
        ),
        documents(
            "log lines",
            "--key id",
            &[
                r#"{"id":1,"@timestamp":"2024-01-02T03:04:05.678Z","log.level":"INFO","took":0.25}"#,
                r#"{"id":2,"@timestamp":"2024-01-02T03:04:06Z","log.level":"WARN","took":3}"#,
            ],
        ),
        documents("bytes as text", "--key id", &[r#"{"id":1,"b":"3q2+7w=="}"#]),
    ]
}

/// Those that no index takes with a mapping of its own making: one field of several kinds.
fn of_mixed_documents() -> Vec<DataSet> {
    vec![
        documents(
            "large whole numbers",
            "--key id",
            &[
                r#"{"id":1,"u":18446744073709551615,"f":1.0,"s":-9223372036854775808}"#,
                r#"{"id":2,"u":1,"f":2,"s":9223372036854775807}"#,
            ],
        ),
        documents(
            "several kinds in one field",
            "--key id",
            &[
                r#"{"id":1,"v":1}"#,
                r#"{"id":2,"v":"x"}"#,
                r#"{"id":3,"v":true}"#,
                r#"{"id":4,"v":1.5e300}"#,
            ],
        ),
        documents(
            "objects and others in one field",
            "--key id --flatten",
            &[
                r#"{"id":1,"o":{"a":1}}"#,
                r#"{"id":2,"o":5}"#,
                r#"{"id":3,"o":[{"a":1},{"a":2}]}"#,
                r#"{"id":4,"o":"text"}"#,
            ],
        ),
        documents(
            "numbers of all sizes",
            "--key id",
            &[
                r#"{"id":1,"v":1e5,"w":123456789012345678901234567890}"#,
                r#"{"id":2,"v":12345678901234567890.5,"w":0.1}"#,
            ],
        ),
    ]
}

impl DataSet {
    /// On both nights, and looked at before.
    #[track_caller]
    fn loads(
        &self,
        database: &Database,
        source: impl Fn(Flowgauge) -> Flowgauge,
        workdir: &Workdir,
    ) {
        database.client.run("DROP TABLE IF EXISTS t");
        let args = self.args.split(' ').filter(|arg| !arg.is_empty());
        let run = |verb: &[&str]| {
            let program = source(database.flowgauge(workdir).args(verb.to_vec()));
            let program = program.args(args.clone()).args(["--create-table", "--db-table", "t"]);
            program.args(["--rejects", "rejects.jsonl"]).run()
        };
        let context = |what: &str| format!("{}, {what}, {}", self.name, database.server.kind);
        let looked = run(&["check"]);
        assert_eq!(looked.status.code(), Some(0), "{}: {looked}", context("check"));
        for night in ["first night", "second night"] {
            let finished = run(&[]);
            assert_eq!(finished.status.code(), Some(0), "{}: {finished}", context(night));
        }
    }
}

/// A database is dropped together with its account: one for all sets.
fn each_loads_from_files(server: &Server) {
    let database = Database::new(server);
    let workdir = workdir!();
    for set in published().into_iter().chain(columns_of_files()) {
        workdir.write("in.csv", &set.bytes);
        let source = |program: Flowgauge| program.args(["--csv-file", "in.csv", "--infer"]);
        set.loads(&database, source, &workdir);
    }
    for set in of_documents().into_iter().chain(of_mixed_documents()) {
        workdir.write("in.jsonl", &set.bytes);
        let source = |program: Flowgauge| program.args(["--jsonl-file", "in.jsonl"]);
        set.loads(&database, source, &workdir);
    }
}

#[test]
fn each_loads_into_mariadb() {
    each_loads_from_files(&Server::mariadb(needs!("mariadb")));
}

#[test]
fn each_loads_into_mysql() {
    each_loads_from_files(&Server::mysql(needs!("mysql")));
}

fn each_loads_from_an_index(indices: &Indices, server: &Server) {
    let database = Database::new(server);
    let workdir = workdir!();
    let mapped = of_documents().into_iter().map(|set| (set, json!({})));
    let unmapped = of_mixed_documents();
    let unmapped =
        unmapped.into_iter().map(|set| (set, json!({ "mappings": { "dynamic": false } })));
    for (n, (set, body)) in mapped.chain(unmapped).enumerate() {
        let index = indices.make(&format!("set{n}"), body);
        let text = String::from_utf8(set.bytes.clone()).unwrap();
        let documents: Vec<(String, String)> =
            (1..).zip(text.lines()).map(|(n, line)| (format!("d{n}"), line.to_string())).collect();
        indices.fill(&index, &documents);
        let source =
            |program: Flowgauge| program.args(["--es-url", &indices.address, "--es-index", &index]);
        set.loads(&database, source, &workdir);
    }
}

#[test]
fn each_loads_from_elasticsearch_into_mysql() {
    let indices = Indices::new(needs!("elasticsearch8"), test_name!());
    each_loads_from_an_index(&indices, &Server::mysql(needs!("mysql")));
}

#[test]
fn each_loads_from_opensearch_into_mariadb() {
    let indices = Indices::new(needs!("opensearch"), test_name!());
    each_loads_from_an_index(&indices, &Server::mariadb(needs!("mariadb")));
}
