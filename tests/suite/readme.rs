//! The three jobs of the README, as it tells them: its lines are read from it and run. What differs here
//! are the names of the index and of the databases, which tests share a server by.

use std::fs;

use serde_json::json;

use crate::support::database::{Database, SECRET, Server};
use crate::support::indices::Indices;
use crate::support::{Finished, Workdir, needs, test_name, workdir};

/// The lines of a job: the block below `<!-- job: NAME -->`.
fn lines(job: &str) -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, below) = readme.split_once(&format!("<!-- job: {job} -->\n```sh\n")).unwrap();
    let (block, _) = below.split_once("```").unwrap();
    block.lines().map(str::to_string).collect()
}

/// Words as a shell parts them, as far as the README's lines need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == ' ' => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

struct Reader<'a> {
    workdir: Workdir,
    database: &'a Database,
    port: u16,
}

impl Reader<'_> {
    #[track_caller]
    fn types(&self, line: &str, told: &[(&str, &str)]) -> Finished {
        let line = told.iter().fold(line.to_string(), |line, (old, new)| line.replace(old, new));
        let words = words(&line);
        assert_eq!(words[0], "flowgauge");
        self.workdir.write("db-pass", SECRET);
        let finished = self
            .workdir
            .flowgauge()
            .env("FLOWGAUGE_DB_HOST", "127.0.0.1")
            .env("FLOWGAUGE_DB_PORT", self.port.to_string())
            .env("FLOWGAUGE_DB_USER", &self.database.name)
            .env("FLOWGAUGE_DB_PASS_FILE", self.workdir.path("db-pass"))
            .env("FLOWGAUGE_DB_NAME", &self.database.name)
            .args(&words[1..])
            .run();
        finished.assert_code(0);
        finished
    }
}

fn folder_of_files(server: &Server) {
    let database = Database::new(server);
    let reader = Reader { workdir: workdir!(), database: &database, port: server.port() };
    let [line] = &lines("drop folder")[..] else { panic!("one line") };
    for folder in ["drop", "rejects", "done"] {
        fs::create_dir(reader.workdir.path(folder)).unwrap();
    }
    let night = |file: &str, range: std::ops::Range<u32>, price: &str| {
        let mut text = String::from("order_id,customer,amount,ordered_at\n");
        for id in range {
            let rest = if id % 300 == 7 { ",too,many" } else { "" };
            text +=
                &format!("{id},\"Müller, {id}\",{price},2026-11-25 10:00:{:02}{rest}\n", id % 60);
        }
        reader.workdir.write(file, text);
    };
    let table = |sql: &str| database.client.lines(&format!("SELECT {sql} FROM orders"));

    night("drop/orders-1.csv", 0..2_000, "12.50");
    reader.types(line, &[]);
    assert_eq!(table("COUNT(*), CAST(SUM(amount) AS DOUBLE)"), ["1993|24912.5"]);
    assert_eq!(
        table("COUNT(DISTINCT ordered_at), MIN(ordered_at)"),
        ["60|2026-11-25 10:00:00.000000"]
    );

    // The same names may come again; some rows are changed and some are new.
    fs::rename(reader.workdir.path("drop/orders-1.csv"), reader.workdir.path("done/1")).unwrap();
    night("drop/orders-2.csv", 1_000..3_000, "99.99");
    reader.types(line, &[]);
    assert_eq!(
        table("COUNT(*), SUM(amount > 90), CAST(MIN(amount) AS DOUBLE)"),
        ["2990|1994|12.5"]
    );

    fs::rename(reader.workdir.path("drop/orders-2.csv"), reader.workdir.path("done/2")).unwrap();
    reader.types(line, &[]);
    assert_eq!(table("COUNT(*)"), ["2990"]);

    let mut rejected = 0;
    let files = fs::read_dir(reader.workdir.path("rejects")).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    for file in &files {
        rejected += fs::read_to_string(file).unwrap().lines().count();
    }
    assert_eq!((files.len(), rejected), (2, 13));
}

fn index_and_backup(server: &Server, indices: &Indices) {
    let (database, archive) = (Database::new(server), Database::new(server));
    let reader = Reader { workdir: workdir!(), database: &database, port: server.port() };
    let [line] = &lines("index")[..] else { panic!("one line") };
    let documents: Vec<_> = (0..3_000)
        .map(|n| {
            let tags = if n % 3 == 0 { "[\"a\",\"b\"]".to_string() } else { format!("\"t{n}\"") };
            let source = format!(
                "{{\"name\":\"Zoë {n}\",\"tags\":{tags},\"address\":{{\"city\":\"Köln\",\"zip\":\"{n:05}\"}},\"joined\":\"2026-01-{:02}T10:00:00.123Z\",\"visits\":[{{\"n\":{n}}}],\"balance\":{n}.25}}",
                1 + n % 28
            );
            (n.to_string(), source)
        })
        .collect();
    let index = indices.make("customers", json!({ "settings": { "number_of_shards": 2 } }));
    indices.fill(&index, &documents);
    let of_index = format!("--es-url {} --es-index {index}", indices.address);
    let told = [("--es-url localhost:9200 --es-index customers", of_index.as_str())];

    reader.types(line, &told);
    let table = |sql: &str| database.client.lines(&format!("SELECT {sql} FROM customers"));
    assert_eq!(table("COUNT(*), ROUND(SUM(balance))"), ["3000|4499250"]);
    let of_7 = |columns: &str| {
        let sql = format!("SELECT {columns} FROM customers WHERE _id = '7'");
        database.client.lines(&sql)
    };
    assert_eq!(of_7("name, joined"), ["Zoë 7|2026-01-08 10:00:00.123"]);

    let changed = [
        ("7".to_string(), r#"{"name":"Chloé","score":4.5,"joined":"2026-02-01"}"#.to_string()),
        ("x".to_string(), r#"{"name":"New","vip":true}"#.to_string()),
    ];
    indices.fill(&index, &changed);
    reader.types(line, &told);
    assert_eq!(table("COUNT(*), CAST(SUM(score) AS DOUBLE), SUM(vip)"), ["3001|4.5|1"]);
    assert_eq!(of_7("name, joined"), ["Chloé|2026-02-01 00:00:00.000"]);

    let [write, restore] = &lines("backup")[..] else { panic!("two lines") };
    fs::create_dir(reader.workdir.path("backup")).unwrap();
    let written = reader.types(write, &told);
    let types = written.stderr.lines().find_map(|line| line.split_once("restore: add "));
    let types = types.unwrap().1;
    server.connect().run(format!("GRANT ALL ON {}.* TO {}@'%'", archive.name, database.name));
    let of_archive = format!("--db-name {}", archive.name);
    reader.types(restore, &[("--db-name archive", &of_archive), ("TYPES", types)]);
    // An upsert left columns of changed documents as they were; a new table has what the documents have.
    // What the mapping calls a float, a file holds as decimals.
    let columns = "_id, name, joined, score + 0e0, vip, balance + 0e0";
    let sql = format!("SELECT {columns} FROM customers WHERE _id <> '7' ORDER BY _id");
    let (straight, restored) = (database.client.rows(&sql), archive.client.rows(&sql));
    assert_eq!(straight.len(), 3_000);
    for (one, other) in straight.iter().zip(&restored) {
        assert_eq!(one, other);
    }
    assert_eq!(restored.len(), straight.len());
}

#[test]
fn a_drop_folder_into_mysql() {
    folder_of_files(&Server::mysql(needs!("mysql")));
}

#[test]
fn a_drop_folder_into_mariadb() {
    folder_of_files(&Server::mariadb(needs!("mariadb")));
}

#[test]
fn an_index_and_its_backup_into_mysql() {
    let server = Server::mysql(needs!("mysql"));
    index_and_backup(&server, &Indices::new(needs!("elasticsearch"), test_name!()));
}

#[test]
fn an_index_and_its_backup_into_mariadb() {
    let server = Server::mariadb(needs!("mariadb"));
    index_and_backup(&server, &Indices::new(needs!("opensearch"), test_name!()));
}
