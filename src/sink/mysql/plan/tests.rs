use super::*;
use crate::error::Result;
use crate::record::{Dates, EpochUnit, Field, FieldKind};
use crate::sink::mysql::rules::{self, BinaryText, Fraction, TextOrigin};
use crate::sink::mysql::samples;
use crate::sink::mysql::session::server::Cluster;
use crate::sink::mysql::{Absent, Missing, MysqlSettings, NewFields, Preset, ServerInfo, Table};

/// What is given, with defaults that tests change.
struct Case {
    settings: MysqlSettings,
    server: ServerInfo,
    table: Table,
    fields: Vec<Field>,
    selection: Option<(Vec<String>, Vec<String>)>,
    is_open: bool,
}

fn names(text: &str) -> Vec<String> {
    text.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect()
}

/// A table of integers by default; fields with an underscore in front stand beside the record.
fn case(fields: &str, columns: &[&str], keys: &[(&str, &str)]) -> Case {
    let field = |name: String| Field {
        is_beside: name.starts_with('_'),
        ..Field::new(name, FieldKind::Text, "")
    };
    Case {
        settings: samples::settings(),
        server: samples::mysql(),
        table: samples::table(columns, keys),
        fields: names(fields).into_iter().map(field).collect(),
        selection: None,
        is_open: false,
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Case)) -> Case {
        change(&mut self);
        self
    }

    /// Pairs of `NEW=OLD`.
    fn select(mut self, pairs: &str) -> Case {
        let pairs = names(pairs);
        let (new, old) = pairs
            .iter()
            .map(|pair| pair.split_once('=').unwrap_or((pair, pair)))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_string).collect();
        self.selection = Some((owned(old), owned(new)));
        self
    }

    fn plan(&self) -> Result<Plan> {
        let selection = self.selection.as_ref().map(|(old, new)| (&old[..], &new[..]));
        plan(&PlanInput {
            settings: &self.settings,
            server: &self.server,
            table: &self.table,
            fields: &self.fields,
            selection,
            is_open: self.is_open,
            is_untyped: false,
        })
    }

    /// `column=field` in the order of the table.
    #[track_caller]
    fn gives(&self, expected: &str) -> Plan {
        let plan = self.plan().unwrap();
        let pairs = plan.columns.iter().zip(&plan.wanted);
        let pairs: Vec<String> =
            pairs.map(|(bound, field)| format!("{}={field}", bound.column.name)).collect();
        assert_eq!(pairs.join(","), expected);
        plan
    }

    #[track_caller]
    fn refused(&self, expected: &str) {
        let error = self.plan().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn fields_find_their_columns() {
    case("b,a", &["a int", "b int"], &[]).gives("a=a,b=b");
    let plan = case("B,a", &["a int", "b int"], &[]).gives("a=a,b=B");
    assert_eq!(plan.warnings, ["'B' goes into column 'b', which is written differently"]);
    assert_eq!(plan.others, OtherFields::Stop { except: Vec::new() });
    // No column could be added for the second one.
    let twins = case("a,A", &["a int"], &[]);
    twins.refused("table d.t: the fields 'a' and 'A' both go into column 'a'; the server does not");
    twins.with(|case| case.settings.new_fields = NewFields::Ignore).gives("a=a");
    case("A,a,b", &["a int"], &[])
        .refused("there is no column for field 'b'; the fields 'a' and 'A'");
    case("a,_id,_index", &["_id varchar(64)", "a int"], &[]).gives("_id=_id,a=a");
}

#[test]
fn fields_without_a_column_are_refused_or_left_out() {
    let columns = &["a int", "b int"];
    case("a,x,B,y", columns, &[]).refused(
        "table d.t: there is no column for fields 'x', 'y'; add the columns with --new-fields add \
         or by 'ALTER TABLE `d`.`t` ADD COLUMN `x` LONGTEXT CHARACTER SET utf8mb4 NULL, \
         ADD COLUMN `y` LONGTEXT CHARACTER SET utf8mb4 NULL', or leave the fields \
         out with --select 'a,b=B' or with --new-fields ignore",
    );
    let ignoring =
        case("a,x,b", columns, &[]).with(|case| case.settings.new_fields = NewFields::Ignore);
    let plan = ignoring.gives("a=a,b=b");
    assert_eq!(plan.others, OtherFields::Count { except: Vec::new() });
    assert_eq!(plan.warnings, ["field 'x' is left out: the table has no such column"]);
    case("x", columns, &[]).refused("no field of the source has a column");
    // None can be added for it.
    let long = format!("a,{}", "x".repeat(65));
    case(&long, columns, &[]).refused("'; add the columns, or leave the fields out");
    case("", columns, &[]).gives("");
}

#[test]
fn what_was_selected_is_written_and_nothing_else() {
    let columns = &["a int", "b int", "_id varchar(64)"];
    let plan = case("x,y,_id", columns, &[]).select("a=x").gives("a=x");
    assert_eq!(plan.others, OtherFields::Ignore);
    case("x,_id", columns, &[]).select("b=x,a=x").gives("a=x,b=x");
    case("x,_id", columns, &[]).select("a=_id").gives("a=_id");
    case("x", columns, &[]).select("c=x").refused("the table has no column 'c'");
    case("x", columns, &[]).select("a=z").refused("the source has no field 'z'");
    case("x", columns, &[]).select("a=z").with(|case| case.is_open = true).gives("a=z");
    case("x,y", columns, &[]).select("a=x,A=y").refused("'x' and 'y' both go into column 'a'");
}

#[test]
fn columns_that_nothing_goes_into_have_to_do_without() {
    case("a", &["a int", "b int NOT NULL"], &[])
        .refused("no field goes into column 'b', which has NOT NULL and no default");
    case("a", &["a int", "b int NOT NULL auto_increment"], &[]).gives("a=a");
    let generated = &["a int", "g int STORED GENERATED"];
    let plan = case("a,g", generated, &[]).gives("a=a");
    assert_eq!(plan.others, OtherFields::Stop { except: vec!["g".to_string()] });
    assert_eq!(plan.warnings, ["field 'g' is left out: the server generates that column"]);
    case("a,g", generated, &[]).select("g").refused("column 'g' is generated by the server");
    case("a", &["a geometry"], &[]).refused("geometry");
    case("a", &["a int", "b int NOT NULL", "c int NOT NULL"], &[])
        .refused("no field goes into columns 'b', 'c', which have NOT NULL and no default");
    // It is the same column in the server's eyes, and another cannot be added.
    let plan = case("a,G", generated, &[]).gives("a=a");
    assert_eq!(plan.others, OtherFields::Stop { except: vec!["G".to_string()] });
    assert_eq!(plan.warnings, ["field 'G' is left out: the server generates that column"]);
}

#[test]
fn documents_may_bring_what_nobody_has_seen_yet() {
    let columns =
        &["id int NOT NULL auto_increment", "a int", "b int NOT NULL", "g int STORED GENERATED"];
    let open = |case: &mut Case| case.is_open = true;
    for fields in ["a", "id,a"] {
        let plan = case(fields, columns, &[("PRIMARY", "id")]).with(open).gives("id=id,a=a,b=b");
        let known: Vec<&str> = plan
            .columns
            .iter()
            .filter(|bound| bound.is_known)
            .map(|bound| bound.column.name.as_str())
            .collect();
        assert_eq!(known.join(","), fields);
        // Numbers of documents and of the server may meet, whoever comes first.
        assert_eq!(plan.lanes_max, 1);
        assert!(plan.warnings[0].contains("the server numbers in others"), "{:?}", plan.warnings);
    }
}

#[test]
fn what_an_absent_field_means_follows_from_mode_and_default() {
    use Absent::{Left, Null, Refused, Reset};
    let columns =
        &["k int NOT NULL", "a int", "b int auto_increment", "c int NOT NULL", "late int", "d int"];
    let absent = |mode, missing| {
        let mut case = case("k,a,b,c,d", columns, &[("PRIMARY", "k"), ("b", "b")]);
        case.is_open = true;
        case.settings.mode = Some(mode);
        case.settings.missing = missing;
        case.settings.key = Some(names("k"));
        case.table.columns[5].preset = Preset::Computed;
        let plan = case.plan().unwrap();
        plan.columns.iter().map(|bound| bound.absent).collect::<Vec<_>>()
    };
    for mode in [Mode::Insert, Mode::Skip] {
        for missing in [Missing::Keep, Missing::Default] {
            assert_eq!(absent(mode, missing), [Refused, Null, Left, Refused, Null, Left]);
        }
    }
    assert_eq!(absent(Mode::Upsert, Missing::Keep), [Refused, Left, Left, Refused, Left, Left]);
    // Only what is known is set to its default, and never a number of the server.
    assert_eq!(absent(Mode::Upsert, Missing::Default), [Refused, Null, Left, Refused, Left, Reset]);
}

#[test]
fn keys_with_a_part_that_the_server_makes_are_met_too() {
    let upsert = |case: &mut Case| case.settings.mode = Some(Mode::Upsert);
    let open = |case: &mut Case| case.is_open = true;
    let preset = |case: &mut Case| case.table.columns[2].preset = Preset::Computed;
    let columns = &["k int NOT NULL", "v int", "day date"];
    let keys = &[("PRIMARY", "k"), ("u", "day,v")][..];
    let plan = case("k,v", columns, keys).with(preset).with(upsert).plan().unwrap();
    assert_eq!((plan.lanes_max, plan.other_keys.len()), (1, 1));
    assert_eq!(plan.key.unwrap().name, "PRIMARY");
    // One whose number the server always makes does not put rows in order.
    let numbered = &["id int NOT NULL auto_increment", "k int NOT NULL"];
    let keys = &[("PRIMARY", "id"), ("u", "k")][..];
    let plan = case("k", numbered, keys).with(upsert).plan().unwrap();
    assert_eq!((plan.lanes_max, plan.is_order_free), (64, false));
    assert_eq!(plan.other_keys[0].counter, KeyNumbering::Always);
    // Documents may say the number.
    let plan = case("k", numbered, keys).with(open).with(upsert).plan().unwrap();
    assert_eq!((plan.lanes_max, plan.other_keys[0].counter), (1, KeyNumbering::WhereAbsent(0)));
    // Such as a sequence's: the first that may be lacking counts.
    let sequences = |case: &mut Case| {
        for column in &mut case.table.columns {
            (column.preset, column.is_numbered) = (Preset::Computed, true);
        }
    };
    let plan = case("a,b", TWO, &[("u", "a,b")]).with(open).with(sequences).plan().unwrap();
    assert_eq!(plan.key.unwrap().counter, KeyNumbering::WhereAbsent(0));
    // One that no record is known to have tells nothing.
    let unknown = || case("k", numbered, &keys[..1]).with(open);
    assert_eq!(unknown().plan().unwrap().mode, Mode::Insert);
    unknown().with(|case| case.table.is_empty = false).refused("no unique key within");
    // A default in a key is known to nobody but the server.
    let with_default = |case: &mut Case| case.table.columns[0].preset = Preset::Computed;
    let plan = case("k", &["k int NOT NULL"], &[("PRIMARY", "k")]).with(open).with(with_default);
    assert_eq!(plan.plan().unwrap().lanes_max, 1);
}

#[test]
fn values_are_understood_by_their_fields() {
    let mut times = case("t,u,b", &["t datetime", "u datetime", "b varbinary(9)"], &[]);
    times.fields[0].kind = FieldKind::Time;
    times.fields[0].dates = Dates::Count(EpochUnit::Milliseconds);
    times.fields[2].kind = FieldKind::Base64;
    let plan = times.plan().unwrap();
    assert_eq!(plan.columns[0].rules.times, rules::Times::Count(EpochUnit::Milliseconds));
    assert_eq!(plan.columns[1].rules.times, rules::Times::Iso);
    assert_eq!(plan.columns[1].rules.text, TextOrigin::Typed);
    assert_eq!(plan.columns[2].rules.binary, BinaryText::Base64);
    // Unless it was said what they hold, or the column takes the text as it is.
    times.settings.rules.binary = BinaryText::Hex;
    assert_eq!(times.plan().unwrap().columns[2].rules.binary, BinaryText::Hex);
    let mut text = case("b", &["b varchar(64)"], &[]);
    text.fields[0].kind = FieldKind::Base64;
    assert_eq!(text.plan().unwrap().columns[0].rules.binary, BinaryText::Raw);
}

const TWO: &[&str] = &["a int NOT NULL", "b int"];

#[track_caller]
fn check_mode(case: Case, mode: Mode, key: Option<&str>, lanes_max: usize) {
    let plan = case.plan().unwrap();
    assert_eq!(plan.mode, mode);
    assert_eq!(plan.key.as_ref().map(|key| key.name.as_str()), key);
    assert_eq!(plan.lanes_max, lanes_max, "{:?}", plan.warnings);
}

#[test]
fn the_order_of_rows_is_free_where_the_table_does_not_show_it() {
    let next = |case: &mut Case| {
        case.table.columns[1].is_numbered = true;
    };
    let for_good = |case: &mut Case| {
        case.table.engine = "Aria".to_string();
        case.settings.non_transactional = true;
    };
    let counted = &["a int NOT NULL", "b int auto_increment NOT NULL"][..];
    let numbered = &["a int auto_increment NOT NULL", "b int"][..];
    let primary = &[("PRIMARY", "a")][..];
    for (expected, case) in [
        (true, case("a,b", TWO, primary)),
        (true, case("a,b", numbered, primary)),
        (false, case("a", counted, primary)),
        (false, case("a,b", TWO, primary).with(next)),
        (
            false,
            case("a,b", TWO, primary).with(|case| {
                let (name, event) = ("log".to_string(), "INSERT".to_string());
                case.table.triggers = vec![crate::sink::mysql::table::Trigger { name, event }];
            }),
        ),
        (false, case("a,b", TWO, primary).with(|case| case.table.refers_to_itself = true)),
        (false, case("a,b", TWO, primary).with(for_good)),
        (false, case("a,b", TWO, &[("PRIMARY", "a"), ("other", "b")])),
    ] {
        let plan = case.plan().unwrap();
        assert_eq!(plan.is_order_free, expected, "{:?}", case.table);
        assert!(plan.key.is_some_and(|key| key.is_primary));
    }
}

#[test]
fn the_mode_follows_from_the_table() {
    let filled = |case: &mut Case| case.table.is_empty = false;
    check_mode(case("a,b", TWO, &[]), Mode::Insert, None, 64);
    check_mode(case("a,b", TWO, &[("PRIMARY", "a")]).with(filled), Mode::Skip, Some("PRIMARY"), 64);
    case("a,b", TWO, &[]).with(filled).refused("holds rows and has no unique key");
    let insert = |case: &mut Case| case.settings.mode = Some(Mode::Insert);
    check_mode(case("a,b", TWO, &[]).with(filled).with(insert), Mode::Insert, None, 64);

    // A key the server numbers by itself tells nothing of our rows.
    let numbered = &["id int NOT NULL auto_increment", "a int"];
    check_mode(case("a", numbered, &[("PRIMARY", "id")]), Mode::Insert, None, 64);
    case("a", numbered, &[("PRIMARY", "id")]).with(filled).refused("no unique key within");

    let upsert = |case: &mut Case| case.settings.mode = Some(Mode::Upsert);
    case("a,b", TWO, &[]).with(upsert).refused("--mode upsert: table d.t has no unique key");
    case("b", &["a int", "b int"], &[("u", "a,b")])
        .with(upsert)
        .refused("not all columns are written of u (a, b)");
    case("b", TWO, &[("e", "(expression),a")])
        .with(upsert)
        .with(|case| case.table.columns[0].preset = Preset::Null)
        .refused("not all columns are written of e (an expression, a)");
}

#[test]
fn rows_that_could_meet_elsewhere_go_one_way() {
    let two_keys = &[("PRIMARY", "a"), ("u", "b")][..];
    let upsert = |case: &mut Case| case.settings.mode = Some(Mode::Upsert);
    check_mode(case("a,b", TWO, two_keys), Mode::Skip, Some("PRIMARY"), 1);
    case("a,b", TWO, two_keys).with(upsert).refused("several unique keys");
    let choose = |case: &mut Case| case.settings.key = Some(names("B"));
    check_mode(case("a,b", TWO, two_keys).with(upsert).with(choose), Mode::Upsert, Some("u"), 1);
    let sure = |case: &mut Case| case.settings.keys_unique = true;
    check_mode(case("a,b", TWO, two_keys).with(sure), Mode::Skip, Some("PRIMARY"), 64);

    let text = &["a varchar(9) NOT NULL"];
    check_mode(case("a", text, &[("PRIMARY", "a")]), Mode::Skip, Some("PRIMARY"), 1);
    let binary = &["a varchar(9) NOT NULL BIN"];
    check_mode(case("a", binary, &[("PRIMARY", "a")]), Mode::Skip, Some("PRIMARY"), 64);
    let expression = &[("PRIMARY", "a"), ("e", "(expression)")][..];
    check_mode(case("a", TWO, expression), Mode::Skip, Some("PRIMARY"), 1);
    let itself = |case: &mut Case| case.table.refers_to_itself = true;
    check_mode(case("a", TWO, &[]).with(itself).with(sure), Mode::Insert, None, 1);
}

#[test]
fn keys_that_are_chosen_have_to_be_there() {
    let choose = |key: &'static str| move |case: &mut Case| case.settings.key = Some(names(key));
    let key = &[("u", "b,a")][..];
    check_mode(case("a,b", TWO, key).with(choose("a,b")), Mode::Skip, Some("u"), 64);
    case("a,b", TWO, key)
        .with(choose("a"))
        .refused("no unique key of exactly these columns; it has u (b, a)");
    case("a,b", TWO, key).with(choose("c")).refused("--key: table d.t has no column 'c'");
    case("a", TWO, key)
        .with(choose("a,b"))
        .refused("not all of these columns of table d.t are written");

    // One that takes NULL is the second choice, and is warned of.
    let nullable = case("a,b", TWO, &[("a", "b"), ("z", "a")]);
    assert_eq!(nullable.plan().unwrap().key.unwrap().name, "z");
    let plan = case("a,b", TWO, &[("u", "b")]).plan().unwrap();
    assert!(plan.warnings[0].contains("key 'u' takes NULL"), "{:?}", plan.warnings);
}

#[test]
fn tables_that_cannot_be_written_to() {
    let table = || case("a", TWO, &[]);
    table().with(|case| case.table.other_kind = Some("VIEW".into())).refused("it is a view");
    table().with(|case| case.server.is_read_only = true).refused("takes no changes");
    for name in ["flowgauge_jobs", "flowgauge_segments", "flowgauge_heartbeats"] {
        let own = |case: &mut Case| case.table.name.table = name.to_string();
        table().with(own).refused("flowgauge keeps its own state in it");
    }
    // Of another database, or called in another way, it is a table like any other.
    let elsewhere = |case: &mut Case| {
        case.settings.state_table = "other.flowgauge".to_string();
        case.table.name.table = "flowgauge_jobs".to_string();
    };
    table().with(elsewhere).gives("a=a");
    table().with(|case| case.table.name.table = "flowgauge_plans".to_string()).gives("a=a");
    let here = |case: &mut Case| case.settings.state_table = "d.flowgauge".to_string();
    table().with(elsewhere).with(here).refused("flowgauge keeps its own state in it");
    let grouped = |case: &mut Case| case.server.cluster = Cluster::GroupReplication;
    table().with(grouped).refused("no primary key");
    case("a,b", TWO, &[("PRIMARY", "a")]).with(grouped).gives("a=a,b=b");
    let old = |case: &mut Case| case.table.engine = "MyISAM".into();
    table().with(old).refused("its engine MyISAM cannot take back");
    let accepted = |case: &mut Case| case.settings.non_transactional = true;
    let plan = table().with(old).with(accepted).plan().unwrap();
    assert!(!plan.is_transactional);
    assert!(plan.warnings[0].contains("rows may be there twice"), "{:?}", plan.warnings);
}

#[test]
fn rows_go_by_the_way_that_is_open() {
    let way = |change: fn(&mut Case)| case("a", TWO, &[]).with(change).plan().unwrap();
    assert_eq!(way(|_| {}).write_path, WritePath::LoadData);
    for change in [(|case| case.server.local_infile = Some(false)) as fn(&mut Case), |case| {
        case.server.splits_load_data = true
    }] {
        let plan = way(change);
        assert!(matches!(plan.write_path, WritePath::Insert { .. }));
        assert!(plan.warnings[0].contains("SET GLOBAL"), "{:?}", plan.warnings);
    }
    let plan = way(|case| case.settings.load_data = false);
    assert!(matches!(plan.write_path, WritePath::Insert { .. }) && plan.warnings.is_empty());
    assert!(plan.careful.is_empty());
    let plan = way(|case| {
        case.table.foreign_keys = names("f,g");
        case.table.may_lack_partition = true;
    });
    assert_eq!(
        plan.careful,
        ["foreign key 'f' and 1 more", "partitions that do not take every value"]
    );
}

#[test]
fn the_mapping_tells_what_becomes_of_everything() {
    let case = case(
        "a,x,_id",
        &["id int NOT NULL auto_increment", "a int NOT NULL", "b int"],
        &[("u", "a")],
    )
    .with(|case| case.settings.new_fields = NewFields::Ignore);
    let plan = case.plan().unwrap();
    let rows = mapping(&plan, &case.table, &case.fields);
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            [&row.field, &row.field_type, &row.column, &row.column_type, &row.note]
                .map(String::as_str)
                .join("|")
        })
        .collect();
    assert_eq!(
        rows,
        [
            "||id|int|numbered by the server",
            "a|text|a|int|key, never NULL",
            "||b|int|NULL",
            "x|text|||left out",
        ]
    );
    let resetting = |case: &mut Case| {
        case.settings.mode = Some(Mode::Upsert);
        case.settings.missing = Missing::Default;
    };
    let case = self::case("a,b", &["a int NOT NULL", "b int"], &[("u", "a")]).with(resetting);
    let plan = case.plan().unwrap();
    let rows = mapping(&plan, &case.table, &case.fields);
    assert_eq!(rows[1].note, "its default where a record lacks it");
    let computed = |case: &mut Case| case.table.columns[1].preset = Preset::Computed;
    let case = case.with(computed);
    let rows = mapping(&case.plan().unwrap(), &case.table, &case.fields);
    assert_eq!(rows[1].note, "its default where a record lacks it");
}

/// What stands behind the column that the only field goes into.
#[track_caller]
fn check_note(case: Case, expected: &str) {
    let plan = case.plan().unwrap();
    assert_eq!(mapping(&plan, &case.table, &case.fields)[0].note, expected, "{:?}", case.fields);
}

#[test]
fn the_mapping_says_how_values_are_read() {
    let time = |dates: Dates, fraction: Fraction| {
        let mut case = case("t", &["t datetime"], &[]);
        case.fields[0] = Field { kind: FieldKind::Time, dates, ..case.fields[0].clone() };
        case.settings.rules.fraction = fraction;
        case
    };
    let (seconds, milliseconds) = (EpochUnit::Seconds, EpochUnit::Milliseconds);
    for (dates, fraction, note) in [
        (Dates::Iso, Fraction::Reject, ""),
        (Dates::Iso, Fraction::Truncate, "further digits are cut"),
        (Dates::Iso, Fraction::Round, "rounded"),
        (Dates::Count(seconds), Fraction::Reject, "read as seconds since 1970"),
        (Dates::Count(milliseconds), Fraction::Round, "read as milliseconds since 1970, rounded"),
    ] {
        check_note(time(dates, fraction), note);
    }
    for (binary, note) in [
        (BinaryText::Raw, ""),
        (BinaryText::Hex, "from hexadecimal digits"),
        (BinaryText::Base64, "from base64"),
    ] {
        let with = |case: &mut Case| case.settings.rules.binary = binary;
        check_note(case("b", &["b varbinary(9)"], &[]).with(with), note);
    }
}

#[test]
fn the_mapping_says_what_columns_without_a_field_hold() {
    let columns = &["a int", "o text", "g int STORED GENERATED", "d int NOT NULL", "n int"];
    let case = case("a,o,o.x,x,_id", columns, &[]).with(|case| {
        case.table.columns[3].preset = Preset::Computed;
        case.settings.new_fields = NewFields::Ignore;
    });
    let rows = mapping(&case.plan().unwrap(), &case.table, &case.fields);
    let rows: Vec<String> =
        rows.iter().map(|row| format!("{}>{} {}", row.field, row.column, row.note)).collect();
    assert_eq!(
        rows,
        ["a>a ", "o>o ", ">g generated by the server", ">d its default", ">n NULL", "x> left out"]
    );
}

/// Where the source has no word of its own for it.
#[test]
fn the_mapping_names_every_kind_of_field() {
    for (kind, expected) in [
        (FieldKind::Unknown, "unknown"),
        (FieldKind::Text, "text"),
        (FieldKind::Keyword(9), "text of up to 9 characters"),
        (FieldKind::Int(32), "integer of 32 bits"),
        (FieldKind::Unsigned(64), "integer of 64 bits from 0"),
        (FieldKind::Decimal, "decimal"),
        (FieldKind::Float(64), "float of 64 bits"),
        (FieldKind::Bool, "boolean"),
        (FieldKind::Time, "time"),
        (FieldKind::Json, "JSON"),
        (FieldKind::Base64, "base64"),
    ] {
        let mut case = case("a", &["a text"], &[]);
        case.fields[0].kind = kind;
        let plan = case.plan().unwrap();
        assert_eq!(mapping(&plan, &case.table, &case.fields)[0].field_type, expected);
        case.fields[0].origin = "as they call it".to_string();
        assert_eq!(mapping(&plan, &case.table, &case.fields)[0].field_type, "as they call it");
    }
}
