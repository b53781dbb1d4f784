//! One case: a table, what it holds, records, and how they are loaded. All of it follows from a seed.

use super::kind::{self, Kind};
use super::value::{self, Value, Verdict, json_text};
use crate::support::chance::Chance;

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// The field that goes into it, where it is called otherwise.
    pub field: String,
    pub kind: Kind,
    pub is_nullable: bool,
    /// What stands behind DEFAULT.
    pub default: Option<String>,
    pub is_counter: bool,
    /// The expression that it is computed by.
    pub generated: Option<String>,
    pub is_invisible: bool,
    /// Records may have it.
    pub is_fed: bool,
    /// Few values, so that rows meet.
    pool: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub name: String,
    pub is_primary: bool,
    /// Columns by number, and how much of each counts.
    pub parts: Vec<(usize, Option<usize>)>,
}

/// What ties rows to others.
#[derive(Clone, Debug)]
pub enum Relation {
    /// This column has only values that table `p` has.
    Parent(usize),
    /// The column `child` has only values that the column `of` has in another row.
    Itself { child: usize, of: usize },
    /// Every insert and update is written down in a table beside, and a value is refused.
    Triggers { refused: Option<(usize, String)> },
}

/// The values that are present, by the numbers of their columns, in the order of the source.
pub type Record = Vec<(usize, Value)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Insert,
    Skip,
    Upsert,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub columns: Vec<Column>,
    pub keys: Vec<Key>,
    pub relation: Option<Relation>,
    /// The account has the rights that the manual lists, and no others.
    pub has_few_rights: bool,
    /// The zone of whoever created the table.
    pub zone: String,
    /// The first number that the server gives.
    pub counter_from: u64,
    pub rows: Vec<Record>,
    pub records: Vec<Record>,
    pub is_csv: bool,
    pub mode: Mode,
    /// The number of the key that is named by `--key`.
    pub key: Option<usize>,
    /// Absent fields go back to their defaults.
    pub resets: bool,
    pub is_selected: bool,
    /// Fields turn up behind the sample.
    pub is_late: bool,
    pub has_null_word: bool,
    pub args: Vec<String>,
}

/// More than what a run reads before it knows its fields.
const SAMPLE: usize = 300_000;
pub const PAD: &str = match std::str::from_utf8(&[b'x'; 20_000]) {
    Ok(pad) => pad,
    Err(_) => "",
};

const NULL_WORD: &str = "~nil~";

/// Explicit numbers are below those that the server gives, but for one far above them.
const FAR: u64 = 2_000_000;

impl Case {
    pub fn new(seed: u64, is_mariadb: bool) -> Case {
        let mut chance = Chance::new(seed);
        let chance = &mut chance;
        let mut columns = columns(chance, is_mariadb);
        let keys = keys(chance, &mut columns);
        defaults(chance, is_mariadb, &mut columns, &keys);
        for column in &mut columns {
            column.fill_pool(chance);
        }
        let mode = chance.pick(&[
            Mode::Insert,
            Mode::Skip,
            Mode::Skip,
            Mode::Upsert,
            Mode::Upsert,
            Mode::Upsert,
        ]);
        let counter_from = if counts_in_bytes(&columns) { 110 } else { 1_000_000 };
        let mut case = Case {
            columns,
            keys,
            relation: None,
            has_few_rights: chance.percent(40),
            zone: chance.pick(&["+00:00", "+05:00", "-03:30"]).to_string(),
            counter_from,
            rows: Vec::new(),
            records: Vec::new(),
            is_csv: chance.percent(40),
            mode,
            key: None,
            resets: false,
            is_selected: chance.percent(20),
            is_late: false,
            has_null_word: chance.percent(50),
            args: Vec::new(),
        };
        if chance.percent(25) {
            case.relate(chance);
        }
        let all: Vec<usize> = (0..case.columns.len()).collect();
        for _ in 0..chance.pick(&[0, 0, 3, 6, 10]) {
            let row = case.record(&all, chance, 80);
            case.rows.push(row);
        }
        let mut fed: Vec<usize> =
            all.iter().copied().filter(|at| case.columns[*at].is_fed).collect();
        chance.shuffle(&mut fed);
        let present = chance.pick(&[60, 85, 95, 100]);
        for _ in 0..chance.pick(&[1, 4, 12, 30, 60]) {
            let record = match case.is_csv {
                true => case.line(&fed, chance),
                false => case.record(&fed, chance, present),
            };
            case.records.push(record);
        }
        if !case.is_csv && chance.percent(4) {
            case.delay(chance);
        }
        case.choose_args(chance);
        case
    }

    fn relate(&mut self, chance: &mut Chance) {
        let is_whole_key = |at: usize| {
            self.keys.iter().any(|key| key.parts.len() == 1 && key.parts[0] == (at, None))
        };
        let may_refer = |at: &usize| {
            let column = &self.columns[*at];
            column.kind.may_be_key()
                && !column.kind.wants_prefix()
                && !column.is_counter
                && column.generated.is_none()
        };
        let fit: Vec<usize> = (0..self.columns.len()).filter(may_refer).collect();
        let keys: Vec<usize> = fit.iter().copied().filter(|at| is_whole_key(*at)).collect();
        self.relation = match chance.below(3) {
            0 if !fit.is_empty() => Some(Relation::Parent(chance.pick(&fit))),
            1 if !keys.is_empty() => {
                let of = chance.pick(&keys);
                let child = self.columns.len();
                self.columns.push(Column {
                    name: "boss".into(),
                    field: "boss".into(),
                    pool: self.columns[of].pool.clone(),
                    ..Column::plain(self.columns[of].kind.clone())
                });
                Some(Relation::Itself { child, of })
            }
            _ => {
                let refused =
                    chance.pick(&fit.iter().map(|at| Some(*at)).chain([None]).collect::<Vec<_>>());
                let refused = refused.map(|at| (at, chance.pick(&self.columns[at].pool).sql));
                Some(Relation::Triggers { refused })
            }
        };
    }

    /// What has to be there before the table, in the order of making.
    pub fn create_before(&self) -> Vec<String> {
        match &self.relation {
            Some(Relation::Parent(at)) => {
                let column = &self.columns[*at];
                let mut all = vec![format!(
                    "CREATE TABLE p (id {} PRIMARY KEY) ENGINE=InnoDB",
                    column.kind.sql()
                )];
                let some = column
                    .pool
                    .iter()
                    .step_by(2)
                    .filter(|value| value.verdict != Verdict::Rejected);
                all.extend(some.map(|value| format!("INSERT INTO p VALUES ({})", value.sql)));
                all
            }
            _ => Vec::new(),
        }
    }

    /// And what behind it.
    pub fn create_behind(&self, table: &str) -> Vec<String> {
        let Some(Relation::Triggers { refused }) = &self.relation else { return Vec::new() };
        let mut all = vec![format!("CREATE TABLE log_{table} (what CHAR(6)) ENGINE=InnoDB")];
        if let Some((at, sql)) = refused {
            all.push(format!(
                "CREATE TRIGGER {table}_refuses BEFORE INSERT ON {table} FOR EACH ROW \
                 BEGIN IF NEW.{} <=> {sql} THEN SIGNAL SQLSTATE '45000'; END IF; END",
                quoted(&self.columns[*at].name)
            ));
        }
        for what in ["INSERT", "UPDATE"] {
            all.push(format!(
                "CREATE TRIGGER {table}_{what} AFTER {what} ON {table} FOR EACH ROW INSERT INTO log_{table} VALUES ('{what}')"
            ));
        }
        all
    }

    /// In front of the records others, larger than what is read as a sample, that lack some fields.
    fn delay(&mut self, chance: &mut Chance) {
        let kind = kind::Kind::Text {
            name: "LONGTEXT".to_string(),
            characters_max: None,
            bytes_max: None,
            is_fixed: false,
            charset: "utf8mb4".to_string(),
            collation: None,
        };
        let at = self.columns.len();
        self.columns.push(Column {
            name: "pad".into(),
            field: "pad".into(),
            ..Column::plain(kind)
        });
        let late: Vec<usize> = (0..at)
            .filter(|at| {
                let column = &self.columns[*at];
                (column.default.is_some() || column.is_nullable) && chance.percent(50)
            })
            .collect();
        let fed: Vec<usize> =
            (0..at).filter(|at| self.columns[*at].is_fed && !late.contains(at)).collect();
        let mut records = Vec::new();
        for _ in 0..SAMPLE.div_ceil(PAD.len()) {
            let mut record = self.record(&fed, chance, 100);
            record.push((at, Value::padding(PAD)));
            records.push(record);
        }
        records.append(&mut self.records);
        self.records = records;
        self.is_late = true;
    }

    /// For JSON lines: each field may be absent or null.
    fn record(&self, fed: &[usize], chance: &mut Chance, present: usize) -> Record {
        let mut record = Record::new();
        for &at in fed {
            let column = &self.columns[at];
            let times =
                if self.is_key_part(at) && !column.is_counter { present.max(92) } else { present };
            if column.generated.is_some() || !chance.percent(times) {
                continue;
            }
            let null = if column.is_nullable { 8 } else { 1 };
            let value = if chance.percent(null) { Value::null() } else { column.some(chance) };
            record.push((at, value));
        }
        if chance.percent(10) {
            chance.shuffle(&mut record);
        }
        record
    }

    /// For CSV: every field of the header, and empty ones.
    fn line(&self, fed: &[usize], chance: &mut Chance) -> Record {
        let value = |&at: &usize| {
            let column = &self.columns[at];
            let empty = if column.is_nullable { 6 } else { 1 };
            let mut value = if chance.percent(empty) {
                Value::empty_field(&column.kind)
            } else if self.has_null_word && chance.percent(empty) {
                Value { csv: Some(NULL_WORD.to_string()), ..Value::null() }
            } else {
                column.some_worded(chance)
            };
            // Text of CSV may say it and mean it.
            if value.csv.as_deref() == Some("") && value.sql != "NULL" {
                value = Value::empty_field(&column.kind);
            }
            (at, value)
        };
        fed.iter().map(value).collect()
    }

    fn is_key_part(&self, at: usize) -> bool {
        self.keys.iter().any(|key| key.parts.iter().any(|part| part.0 == at))
    }

    /// All parts of it are columns that a field may go into.
    pub fn is_whole(&self, key: &Key) -> bool {
        key.parts.iter().all(|part| {
            let column = &self.columns[part.0];
            column.is_fed && column.generated.is_none()
        })
    }

    fn choose_args(&mut self, chance: &mut Chance) {
        let whole: Vec<usize> =
            (0..self.keys.len()).filter(|at| self.is_whole(&self.keys[*at])).collect();
        if whole.is_empty() && chance.percent(90) {
            self.mode = Mode::Insert;
        }
        let wanted = if self.keys.len() > 1 { 90 } else { 20 };
        let is_plain = |at: &usize| {
            self.keys[*at].parts.iter().all(|part| !self.columns[part.0].name.contains(','))
        };
        let named: Vec<usize> = whole.into_iter().filter(is_plain).collect();
        if !named.is_empty() && self.mode != Mode::Insert && chance.percent(wanted) {
            self.key = Some(chance.pick(&named));
        }
        let mode = match self.mode {
            Mode::Insert => "insert",
            Mode::Skip => "skip",
            Mode::Upsert => "upsert",
        };
        let mut args = vec!["--mode".to_string(), mode.to_string()];
        for (flag, choices) in [
            ("--batch-size", &["1", "2", "3", "7", "20", "", ""][..]),
            ("--lanes", &["1", "2", "4", ""]),
            ("--workers", &["1", "3", ""]),
        ] {
            let mut choice = chance.pick(choices);
            // Several write in no order of their own.
            if flag == "--lanes" && matches!(self.relation, Some(Relation::Itself { .. })) {
                choice = "1";
            }
            if !choice.is_empty() {
                args.extend([flag.to_string(), choice.to_string()]);
            }
        }
        if chance.percent(35) {
            args.push("--no-load-data".to_string());
        }
        self.args = args;
        // What is known of late fields is not said.
        self.resets = self.mode == Mode::Upsert && !self.is_late && chance.percent(25);
    }

    /// Each record is a batch.
    pub fn goes_singly(&self) -> bool {
        self.args.windows(2).any(|two| two[0] == "--batch-size" && two[1] == "1")
    }

    /// As they are typed.
    pub fn all_args(&self) -> Vec<String> {
        let mut args = self.args.clone();
        if let Some(at) = self.key {
            let names: Vec<&str> =
                self.keys[at].parts.iter().map(|part| self.columns[part.0].name.as_str()).collect();
            args.extend(["--key".to_string(), names.join(",")]);
        }
        if self.resets {
            args.extend(["--missing".to_string(), "default".to_string()]);
        }
        if self.is_selected {
            let pair = |column: &&Column| match column.name == column.field {
                true => column.name.clone(),
                false => format!("{}={}", column.name, column.field),
            };
            let fed = self.columns.iter().enumerate();
            let fed = fed.filter(|(at, column)| match self.is_csv {
                true => self.is_in_header(*at),
                false => column.is_fed && column.generated.is_none(),
            });
            let pairs: Vec<String> = fed.map(|(_, column)| pair(&column)).collect();
            args.extend(["--select".to_string(), pairs.join(",")]);
        }
        if self.is_csv && self.has_null_word {
            args.extend(["--csv-null".to_string(), NULL_WORD.to_string()]);
        }
        args
    }

    fn is_in_header(&self, at: usize) -> bool {
        self.records.first().is_some_and(|record| record.iter().any(|(column, _)| *column == at))
    }

    fn field(&self, at: usize) -> &str {
        if self.is_selected { &self.columns[at].field } else { &self.columns[at].name }
    }

    /// The source, and the line on which each record begins.
    pub fn source(&self) -> (String, Vec<u64>) {
        let mut text = String::new();
        let mut lines = Vec::new();
        let mut line = 1;
        if self.is_csv {
            let names = self.records[0].iter().map(|(at, _)| csv_field(self.field(*at)));
            text = names.collect::<Vec<_>>().join(",") + "\n";
            line = 2;
        }
        for record in &self.records {
            lines.push(line);
            let written = match self.is_csv {
                true => {
                    let fields =
                        record.iter().map(|(_, value)| csv_field(value.csv.as_deref().unwrap()));
                    let fields: Vec<String> = fields.collect();
                    // An empty line is no record.
                    if fields.len() == 1 && fields[0].is_empty() {
                        "\"\"".to_string()
                    } else {
                        fields.join(",")
                    }
                }
                false => {
                    let pair = |(at, value): &(usize, Value)| {
                        format!("{}:{}", json_text(self.field(*at)), value.json)
                    };
                    format!("{{{}}}", record.iter().map(pair).collect::<Vec<_>>().join(","))
                }
            };
            line += 1 + written.matches('\n').count() as u64;
            text.push_str(&written);
            text.push('\n');
        }
        (text, lines)
    }

    /// So few numbers that they run out. How many a server passes over is its own affair.
    pub fn counts_in_bytes(&self) -> bool {
        counts_in_bytes(&self.columns)
    }

    /// The same table for the oracle, in which numbers do not run out.
    pub fn create_endless(&self, table: &str) -> String {
        let mut endless = self.clone();
        for column in endless.columns.iter_mut().filter(|column| column.is_counter) {
            column.kind = Kind::Int { bits: 64, is_unsigned: false };
        }
        endless.create(table)
    }

    pub fn create(&self, table: &str) -> String {
        let mut parts: Vec<String> = self.columns.iter().map(Column::definition).collect();
        for key in &self.keys {
            let part = |(at, prefix): &(usize, Option<usize>)| {
                let length = prefix.map_or(String::new(), |length| format!("({length})"));
                quoted(&self.columns[*at].name) + &length
            };
            let listed = key.parts.iter().map(part).collect::<Vec<_>>().join(", ");
            parts.push(match key.is_primary {
                true => format!("PRIMARY KEY ({listed})"),
                false => format!("UNIQUE KEY {} ({listed})", quoted(&key.name)),
            });
        }
        let refers = |at: usize, to: &str, of: &str| {
            format!("FOREIGN KEY ({}) REFERENCES {to} ({of})", quoted(&self.columns[at].name))
        };
        match &self.relation {
            // Values alone are tried there.
            _ if table == "s" => {}
            Some(Relation::Parent(at)) => parts.push(refers(*at, "p", "id")),
            Some(Relation::Itself { child, of }) => {
                parts.push(refers(*child, table, &quoted(&self.columns[*of].name)));
            }
            _ => {}
        }
        let counter = match self.columns.iter().any(|column| column.is_counter) {
            true => format!(" AUTO_INCREMENT = {}", self.counter_from),
            false => String::new(),
        };
        let body = parts.join(", ");
        format!("CREATE TABLE {table} ({body}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4{counter}")
    }

    /// One that inserts exactly the values present.
    pub fn insert(&self, table: &str, record: &Record) -> String {
        let names: Vec<String> =
            record.iter().map(|(at, _)| quoted(&self.columns[*at].name)).collect();
        let values: Vec<&str> = record.iter().map(|(_, value)| value.sql.as_str()).collect();
        format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
    }

    /// Every column of every row, as one line each.
    pub fn contents(&self, table: &str) -> String {
        let cell = |column: &Column| {
            let name = quoted(&column.name);
            let shown = column.kind.shown(&name);
            if column.is_counter {
                let (from, to) = (self.counter_from, FAR);
                return format!("IF({name} >= {from} AND {name} <> {to}, 'fresh', {shown})");
            }
            format!("COALESCE({shown}, 'NULL')")
        };
        let cells: Vec<String> = self.columns.iter().map(cell).collect();
        format!("SELECT {} FROM {table}", cells.join(", "))
    }

    pub fn has_counter(&self) -> bool {
        self.columns.iter().any(|column| column.is_counter)
    }

    /// How often a record lacks a field that others have.
    pub fn absent_values(&self) -> u64 {
        let known = self.known().into_iter().filter(|at| self.columns[*at].generated.is_none());
        let fields = known.count() * self.records.len();
        (fields - self.records.iter().map(Vec::len).sum::<usize>()) as u64
    }

    pub fn without_key(&self, at: usize) -> Option<Case> {
        let is_free = self.key != Some(at)
            && !self.keys[at].parts.iter().any(|part| self.columns[part.0].is_counter);
        is_free.then(|| {
            let mut smaller = self.clone();
            smaller.keys.remove(at);
            smaller.key = self.key.map(|key| if key > at { key - 1 } else { key });
            smaller
        })
    }

    pub fn without_column(&self, at: usize) -> Option<Case> {
        let name = quoted(&self.columns[at].name);
        let is_used = self.columns.iter().any(|column| {
            column.generated.as_ref().is_some_and(|expression| expression.contains(&name))
        });
        if is_used || self.is_key_part(at) || self.columns.len() == 1 || self.relation.is_some() {
            return None;
        }
        let mut smaller = self.clone();
        smaller.columns.remove(at);
        for record in smaller.rows.iter_mut().chain(&mut smaller.records) {
            record.retain(|(column, _)| *column != at);
            record.iter_mut().for_each(|(column, _)| *column -= usize::from(*column > at));
        }
        for key in &mut smaller.keys {
            key.parts.iter_mut().for_each(|part| part.0 -= usize::from(part.0 > at));
        }
        Some(smaller)
    }

    /// With less to a column.
    pub fn plainer(&self, at: usize) -> Vec<Case> {
        let change = |change: &dyn Fn(&mut Column)| {
            let mut smaller = self.clone();
            change(&mut smaller.columns[at]);
            smaller
        };
        vec![
            change(&|column| column.default = None),
            change(&|column| column.is_invisible = false),
            change(&|column| {
                column.name = column.name.chars().filter(char::is_ascii_alphanumeric).collect()
            }),
        ]
    }

    pub fn shorter_args(&self) -> Vec<Case> {
        let mut all = Vec::new();
        let change = |change: &dyn Fn(&mut Case)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            smaller
        };
        all.push(change(&|case| case.relation = None));
        all.push(change(&|case| case.has_few_rights = false));
        all.push(change(&|case| case.is_selected = false));
        all.push(change(&|case| case.resets = false));
        all.push(change(&|case| case.args.truncate(2)));
        all.push(change(&|case| case.zone = "+00:00".to_string()));
        all
    }

    /// Columns that any record has.
    pub fn known(&self) -> Vec<usize> {
        let is_known = |at: &usize| {
            self.records.iter().any(|record| record.iter().any(|(column, _)| column == at))
        };
        let is_listed = |at: usize| self.is_selected && self.columns[at].is_fed;
        (0..self.columns.len()).filter(|at| is_known(at) || is_listed(*at)).collect()
    }
}

fn counts_in_bytes(columns: &[Column]) -> bool {
    let is_small = |column: &Column| matches!(column.kind, Kind::Int { bits: 8, .. });
    columns.iter().any(|column| column.is_counter && is_small(column))
}

pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn csv_field(text: &str) -> String {
    let is_plain = !text.contains(['"', ',', '\n', '\r']) && text.trim() == text;
    if is_plain { text.to_string() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

impl Column {
    /// Without a name; of NULL, and nothing else that is remarkable.
    fn plain(kind: Kind) -> Column {
        Column {
            name: String::new(),
            field: String::new(),
            kind,
            is_nullable: true,
            default: None,
            is_counter: false,
            generated: None,
            is_invisible: false,
            is_fed: true,
            pool: Vec::new(),
        }
    }

    fn definition(&self) -> String {
        let mut text = format!("{} {}", quoted(&self.name), self.kind.sql());
        if let Some(expression) = &self.generated {
            return format!("{text} GENERATED ALWAYS AS ({expression}) STORED");
        }
        // A TIMESTAMP without a word is NOT NULL to some servers.
        text.push_str(if self.is_nullable { " NULL" } else { " NOT NULL" });
        if let Some(default) = &self.default {
            text.push_str(&format!(" DEFAULT {default}"));
        }
        if self.is_counter {
            text.push_str(" AUTO_INCREMENT");
        }
        if self.is_invisible {
            text.push_str(" INVISIBLE");
        }
        text
    }

    fn some(&self, chance: &mut Chance) -> Value {
        match chance.percent(85) {
            true => chance.pick(&self.pool),
            false => self.fresh(chance),
        }
    }

    fn some_worded(&self, chance: &mut Chance) -> Value {
        loop {
            let value = self.some(chance);
            if value.csv.is_some() {
                return value;
            }
        }
    }

    fn fresh(&self, chance: &mut Chance) -> Value {
        let value = loop {
            let value = value::some(&self.kind, chance);
            // Numbers of the server's own are another matter.
            if !self.is_counter || value.verdict == Verdict::Rejected || is_low(&value.sql) {
                break value;
            }
        };
        match self.is_counter
            && !matches!(self.kind, Kind::Int { bits: 8 | 16, .. } | Kind::Bool)
            && chance.percent(10)
        {
            true => Value {
                json: FAR.to_string(),
                csv: Some(FAR.to_string()),
                sql: FAR.to_string(),
                verdict: Verdict::Taken,
                text: None,
            },
            false => value,
        }
    }

    fn fill_pool(&mut self, chance: &mut Chance) {
        while self.pool.len() < 5 || self.pool.iter().all(|value| value.csv.is_none()) {
            let value = self.fresh(chance);
            if value.verdict != Verdict::Rejected || chance.percent(10) {
                self.pool.push(value);
            }
        }
    }
}

fn is_low(sql: &str) -> bool {
    sql.parse::<i128>().is_ok_and(|number| number < 100)
}

const NAMES: [&str; 6] = ["a b", "it's", "Größe", "select", "UP", "x`y"];

fn columns(chance: &mut Chance, is_mariadb: bool) -> Vec<Column> {
    let count = chance.within(1, 7);
    let mut columns: Vec<Column> = Vec::new();
    for number in 0..count {
        let mut name = format!("c{number}");
        if chance.percent(8) {
            let odd = chance.pick(&NAMES);
            if columns.iter().all(|column| column.name != odd) {
                name = odd.to_string();
            }
        }
        let field = if chance.percent(15) { format!("f{number}") } else { name.clone() };
        let kind = kind::some(chance, is_mariadb);
        let is_nullable = chance.percent(60);
        columns.push(Column { name, field, is_nullable, ..Column::plain(kind) });
    }
    columns
}

fn keys(chance: &mut Chance, columns: &mut Vec<Column>) -> Vec<Key> {
    let mut keys = Vec::new();
    // A counter has to be a key of its own.
    if chance.percent(30) {
        let bits = chance.pick(&[8, 32, 32, 64]);
        let kind = Kind::Int { bits, is_unsigned: chance.percent(30) };
        columns.push(Column {
            name: "id".to_string(),
            field: "id".to_string(),
            is_nullable: false,
            is_counter: true,
            ..Column::plain(kind)
        });
        let parts = vec![(columns.len() - 1, None)];
        keys.push(Key { name: "PRIMARY".to_string(), is_primary: chance.percent(70), parts });
        if !keys[0].is_primary {
            keys[0].name = "counter".to_string();
        }
    }
    if chance.percent(10) {
        let of = chance.below(columns.len());
        let expression = match columns[of].is_counter {
            true => None,
            false => Some(format!("LENGTH({})", quoted(&columns[of].name))),
        };
        if let Some(expression) = expression {
            columns.push(Column {
                name: "made".to_string(),
                field: "made".to_string(),
                generated: Some(expression),
                is_fed: false,
                ..Column::plain(Kind::Int { bits: 32, is_unsigned: false })
            });
        }
    }
    let wanted = chance.pick(&[0, 1, 1, 1, 1, 2, 2, 3]);
    let wanted = if keys.is_empty() { wanted } else { wanted.min(1) };
    for number in 0..wanted {
        let is_primary = keys.iter().all(|key: &Key| !key.is_primary) && chance.percent(75);
        let mut parts: Vec<(usize, Option<usize>)> = Vec::new();
        for _ in 0..chance.pick(&[1, 1, 1, 2, 2, 3]) {
            let at = chance.below(columns.len());
            let column = &mut columns[at];
            let is_taken = parts.iter().any(|part| part.0 == at);
            if is_taken || !column.kind.may_be_key() || column.is_counter {
                continue;
            }
            if is_primary && column.generated.is_some() {
                continue;
            }
            if is_primary {
                column.is_nullable = false;
            }
            let wants =
                column.kind.wants_prefix() || column.kind.takes_prefix() && chance.percent(12);
            parts.push((at, wants.then(|| chance.pick(&[1, 2, 10]).min(prefix_max(&column.kind)))));
        }
        if parts.is_empty() {
            continue;
        }
        let name = match is_primary {
            true => "PRIMARY".to_string(),
            false => chance.pick(&["k", "u", "it's "]).trim().to_string() + &number.to_string(),
        };
        keys.push(Key { name, is_primary, parts });
    }
    keys
}

fn prefix_max(kind: &Kind) -> usize {
    match kind {
        Kind::Text { characters_max: Some(most), .. } => (*most - 1).max(1),
        Kind::Binary { bytes_max, .. } if *bytes_max < 100 => (*bytes_max - 1).max(1),
        _ => 10,
    }
}

fn defaults(chance: &mut Chance, is_mariadb: bool, columns: &mut [Column], keys: &[Key]) {
    let count = columns.len();
    for (at, column) in columns.iter_mut().enumerate() {
        let in_key = |key: &&Key| key.parts.iter().any(|part| part.0 == at);
        let is_key = keys.iter().find(in_key).is_some();
        let is_first = keys.first().is_some_and(|key| in_key(&key));
        if column.generated.is_some() {
            continue;
        }
        let times = match (is_first, is_key) {
            (true, _) => 25,
            (_, true) => 50,
            _ => 60,
        };
        if !column.is_counter && chance.percent(times) {
            column.default = Some(column.kind.default(is_mariadb, is_key, chance));
        }
        let may_do_without = column.default.is_some() || column.is_nullable || column.is_counter;
        let unfed = match (is_first, is_key) {
            (true, _) if !column.is_counter => 2,
            (_, true) => 35,
            _ => 20,
        };
        column.is_fed = !(may_do_without && chance.percent(unfed));
        column.is_invisible = count > 1 && at > 0 && may_do_without && chance.percent(8);
    }
    if columns.iter().all(|column| !column.is_fed) {
        columns[0].is_fed = true;
    }
    if columns.iter().all(|column| column.is_invisible) {
        columns[0].is_invisible = false;
    }
}
