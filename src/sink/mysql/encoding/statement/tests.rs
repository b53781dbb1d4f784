use super::*;
use crate::sink::mysql::samples;

const MARIADB: (bool, (u16, u16, u16)) = (true, (10, 11, 0));
const MYSQL: (bool, (u16, u16, u16)) = (false, (8, 0, 31));
const OLD_MYSQL: (bool, (u16, u16, u16)) = (false, (8, 0, 16));

fn statements(
    mode: Mode,
    columns: &[&str],
    (is_mariadb, version): (bool, (u16, u16, u16)),
) -> Statements {
    Statements::new(&samples::planned(mode, columns, &[0]), is_mariadb, version)
}

#[test]
fn load_data_names_each_column_or_what_stands_for_it() {
    let columns = ["id int", "j json", "a`b varchar(9)", "k json"];
    let statements = statements(Mode::Insert, &columns, MYSQL);
    assert_eq!(
        statements.load(RowDestination::Target, &[2]),
        "LOAD DATA LOCAL INFILE 'segment' INTO TABLE `d`.`t` CHARACTER SET binary \
         FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' \
         (`id`, @v1, @nothing, @v3) SET `j` = CONVERT(@v1 USING utf8mb4), \
         `k` = CONVERT(@v3 USING utf8mb4)"
    );
    let staging = statements.load(RowDestination::Staging, &[]);
    assert!(staging.contains("REPLACE INTO TABLE `d`.`flowgauge_staging` "), "{staging}");
    assert!(staging.contains("(`id`, @v1, `a``b`, @v3)"), "{staging}");
}

#[test]
fn what_becomes_of_a_row_that_is_there_is_said_behind_the_rows() {
    let columns = ["id int", "v int"];
    for (mode, server, expected) in [
        (Mode::Insert, MYSQL, ""),
        (Mode::Skip, MARIADB, " ON DUPLICATE KEY UPDATE `d`.`t`.`id` = `d`.`t`.`id`"),
        (
            Mode::Upsert,
            MYSQL,
            " AS `flowgauge_new` ON DUPLICATE KEY UPDATE `v` = `flowgauge_new`.`v`",
        ),
        (Mode::Upsert, OLD_MYSQL, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
        (Mode::Upsert, MARIADB, " ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"),
    ] {
        let statements = statements(mode, &columns, server);
        assert_eq!(
            statements.insert_tail(RowDestination::Target, &[]),
            expected,
            "{mode:?} {server:?}"
        );
        assert_eq!(statements.insert_tail(RowDestination::Staging, &[]), "");
        assert_eq!(
            statements.insert_head(RowDestination::Target, &[]),
            "INSERT INTO `d`.`t` (`id`, `v`) VALUES "
        );
    }
    let mut plan = samples::planned(Mode::Skip, &columns, &[0]);
    plan.skips_by_key_name = true;
    let strict = Statements::new(&plan, false, MYSQL.1);
    assert_eq!(strict.insert_tail(RowDestination::Target, &[]), "");
    for (name, expected) in
        [("PRIMARY", true), ("t.PRIMARY", true), ("log.PRIMARY", false), ("u", false)]
    {
        assert_eq!(strict.is_duplicate(name, &[]), expected, "{name}");
    }
    let keys_only = statements(Mode::Upsert, &["id int"], MARIADB);
    assert_eq!(
        keys_only.insert_tail(RowDestination::Target, &[]),
        " ON DUPLICATE KEY UPDATE `d`.`t`.`id` = `d`.`t`.`id`"
    );
}

#[test]
fn of_equal_rows_the_last_is_merged_and_nulls_are_equal_to_none() {
    let plan = samples::planned(Mode::Upsert, &["id varchar(9)", "v int"], &[0]);
    let statements = Statements::new(&plan, true, MARIADB.1);
    assert_eq!(
        statements.merge(&[], false, 0, None),
        "INSERT INTO `d`.`t` (`id`, `v`) SELECT `id`, `v` FROM (SELECT `flowgauge_row`, \
         `id`, `v`, ROW_NUMBER() OVER (PARTITION BY `id`, \
         CASE WHEN `id` IS NULL THEN `flowgauge_row` END ORDER BY `flowgauge_row` DESC) \
         AS `flowgauge_rank` FROM `d`.`flowgauge_staging` WHERE `flowgauge_row` >= 0) \
         AS `flowgauge_new` WHERE `flowgauge_rank` = 1 \
         ORDER BY `flowgauge_new`.`flowgauge_row` \
         ON DUPLICATE KEY UPDATE `id` = `flowgauge_new`.`id`, `v` = `flowgauge_new`.`v`"
    );
    assert_eq!(
        statements.merge(&[1], true, 7, Some(9)),
        "INSERT INTO `d`.`t` (`id`) SELECT `id` \
         FROM `d`.`flowgauge_staging` AS `flowgauge_new` \
         WHERE `flowgauge_row` >= 7 AND `flowgauge_row` < 9 \
         ORDER BY `flowgauge_new`.`flowgauge_row` \
         ON DUPLICATE KEY UPDATE `id` = `flowgauge_new`.`id`"
    );
}

#[test]
fn columns_that_a_record_lacks_are_not_named() {
    let columns = ["id int", "v int", "w int"];
    let mut plan = samples::planned(Mode::Upsert, &columns, &[0]);
    plan.columns[2].absent = Absent::Reset;
    let statements = Statements::new(&plan, true, MARIADB.1);
    assert_eq!(
        statements.insert_head(RowDestination::Target, &[1, 2]),
        "INSERT INTO `d`.`t` (`id`) VALUES "
    );
    assert_eq!(
        statements.insert_tail(RowDestination::Target, &[1, 2]),
        " ON DUPLICATE KEY UPDATE `w` = DEFAULT"
    );
    let inserting = samples::planned(Mode::Insert, &columns, &[0]);
    let inserting = Statements::new(&inserting, true, MARIADB.1);
    assert!(!inserting.is_uniform());
    assert_eq!(
        inserting.insert_head(RowDestination::Target, &[1]),
        "INSERT INTO `d`.`t` (`id`, `v`, `w`) VALUES "
    );
}

#[test]
fn a_row_that_meets_another_by_a_number_of_the_server_is_not_that_row() {
    let columns = ["id int", "k int", "n int"];
    let counted = |mode, counter| {
        let mut plan = samples::planned(mode, &columns, &[1]);
        let other = samples::planned(mode, &columns, &[0]).key.unwrap();
        plan.other_keys = vec![Key { counter, name: "n".to_string(), ..other }];
        Statements::new(&plan, true, MARIADB.1)
    };
    let same = "COALESCE((`d`.`t`.`k` = VALUES(`k`)), 0)";
    let guarded = format!(
        " ON DUPLICATE KEY UPDATE `k` = CASE WHEN {same} THEN `d`.`t`.`k` \
         WHEN 1 DIV COALESCE({same}, 0) THEN NULL END"
    );
    let kept = " ON DUPLICATE KEY UPDATE `d`.`t`.`k` = `d`.`t`.`k`";
    let where_absent = counted(Mode::Skip, KeyNumbering::WhereAbsent(0));
    for (left, expected) in [(&[0][..], &*guarded), (&[2], kept), (&[], kept)] {
        assert_eq!(where_absent.insert_tail(RowDestination::Target, left), expected, "{left:?}");
        assert_eq!(where_absent.is_met("n", left), !left.contains(&0));
        assert!(where_absent.is_met("PRIMARY", left));
    }
    assert_eq!(
        counted(Mode::Skip, KeyNumbering::Always).insert_tail(RowDestination::Target, &[]),
        guarded
    );
    assert!(!counted(Mode::Skip, KeyNumbering::Never).divides_by_zero());
    // There is nothing that the row could be.
    let mut plan = samples::planned(Mode::Upsert, &columns, &[0]);
    plan.key.as_mut().unwrap().counter = KeyNumbering::WhereAbsent(0);
    let alone = Statements::new(&plan, true, MARIADB.1);
    assert_eq!(alone.insert_tail(RowDestination::Target, &[0]), "");
    assert!(!alone.can_merge(&[0]) && alone.can_merge(&[2]));
}

#[test]
fn our_names_hide_no_table() {
    for (table, staging, new) in [
        ("FlowGauge_Staging", "`d`.`flowgauge_staging_`", "`flowgauge_new`"),
        ("flowgauge_new", "`d`.`flowgauge_staging`", "`flowgauge_new_`"),
    ] {
        let mut plan = samples::planned(Mode::Upsert, &["id int", "v int"], &[0]);
        plan.table.table = table.to_string();
        let statements = Statements::new(&plan, false, MYSQL.1);
        let merge = statements.merge(&[], true, 0, None);
        assert!(merge.contains(&format!("FROM {staging} AS {new} ")), "{merge}");
    }
}

#[test]
fn of_a_prefix_key_only_the_prefix_is_compared() {
    let mut plan = samples::planned(Mode::Upsert, &["c text", "v int"], &[0]);
    plan.key.as_mut().unwrap().parts[0].prefix = Some(3);
    plan.other_keys = vec![plan.key.clone().unwrap()];
    let statements = Statements::new(&plan, true, MARIADB.1);
    let tail = statements.insert_tail(RowDestination::Target, &[]);
    assert!(tail.contains("LEFT(`d`.`t`.`c`, 3) = LEFT(VALUES(`c`), 3)"), "{tail}");
    let merge = statements.merge(&[], false, 0, None);
    assert!(merge.contains("PARTITION BY LEFT(`c`, 3), "), "{merge}");
}

#[test]
fn the_number_of_a_staged_row_has_a_name_of_its_own() {
    let columns = ["id int", "FLOWGAUGE_ROW int"];
    let statements = statements(Mode::Upsert, &columns, MYSQL);
    assert_eq!(
        statements.create_staging(),
        "CREATE TEMPORARY TABLE `d`.`flowgauge_staging` (`flowgauge_row_` BIGINT UNSIGNED \
         NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB \
         SELECT `id`, `FLOWGAUGE_ROW` FROM `d`.`t` WHERE FALSE"
    );
}
