//! What SHOW CREATE TABLE says beside the columns. It says it to every account that may read the
//! table, where information_schema shows some of it only to those with more rights. Pure.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    /// Keys of MariaDB that take no two periods of time that overlap.
    pub overlap_keys: Vec<String>,
    /// Unique keys of MySQL over all values of an array.
    pub array_keys: Vec<String>,
    /// MariaDB keeps the rows that were.
    pub is_versioned: bool,
    pub is_compressed: bool,
    pub has_fulltext_key: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    /// None where it is the table's own.
    pub database: Option<String>,
    pub table: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// It demands nothing but JSON of this column: that is how MariaDB declares a column of JSON,
    /// and anybody a column of text.
    pub json_column: Option<String>,
}

/// None where the statement is not understood.
pub fn read(statement: &str) -> Option<Created> {
    let (items, options) = parted(statement)?;
    let mut created = Created::default();
    for item in items {
        created.take(item.trim())?;
    }
    created.is_versioned = has_words(options, "WITH SYSTEM VERSIONING");
    created.is_compressed = has_words(options, "ROW_FORMAT=COMPRESSED");
    Some(created)
}

/// The statement without the next number of an AUTO_INCREMENT column, which every row moves.
pub fn lasting(statement: &str) -> String {
    const NUMBER: &str = " AUTO_INCREMENT=";
    let Some((_, options)) = parted(statement) else { return statement.to_string() };
    let before = statement.len() - options.len();
    let Some(at) = outside(options).find(NUMBER) else { return statement.to_string() };
    let (head, tail) = (&statement[..before + at], &options[at + NUMBER.len()..]);
    let end = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
    format!("{head}{}", &tail[end..])
}

impl Created {
    fn take(&mut self, item: &str) -> Option<()> {
        if let Some(rest) = item.strip_prefix("CONSTRAINT ") {
            let (name, rest) = name_and_rest(rest)?;
            return self.take_constraint(name, rest.trim_start());
        }
        if item.starts_with("FOREIGN KEY") || item.starts_with("CHECK") {
            return self.take_constraint(String::new(), item);
        }
        if item.starts_with('`') {
            let (name, _) = name_and_rest(item)?;
            if let Some(clause) = check_clause(item) {
                self.checks.push(Check { name, json_column: json_column(clause) });
            }
            return Some(());
        }
        if let Some(rest) = item.strip_prefix("PERIOD FOR ") {
            // Of the application: it begins before it ends.
            if let Some((name, _)) = name_and_rest(rest) {
                self.checks.push(Check { name, json_column: None });
            }
            return Some(());
        }
        self.has_fulltext_key |= item.starts_with("FULLTEXT KEY ");
        let unique = item.strip_prefix("UNIQUE KEY ").map(name_and_rest);
        let key = match (unique, item.strip_prefix("PRIMARY KEY ")) {
            (Some(key), _) => key?,
            (_, Some(rest)) => ("PRIMARY".to_string(), rest),
            _ => return Some(()),
        };
        let (name, parts) = key;
        if has_words(parts, " WITHOUT OVERLAPS") {
            self.overlap_keys.push(name);
        } else if has_words(parts, " array)") {
            self.array_keys.push(name);
        }
        Some(())
    }

    fn take_constraint(&mut self, name: String, text: &str) -> Option<()> {
        if text.starts_with("CHECK") {
            if !has_words(text, "NOT ENFORCED") {
                let json_column = check_clause(text).and_then(json_column);
                self.checks.push(Check { name, json_column });
            }
            return Some(());
        }
        let text = text.strip_prefix("FOREIGN KEY")?;
        let at = outside(text).find(" REFERENCES ")? + " REFERENCES ".len();
        let (first, rest) = name_and_rest(&text[at..])?;
        let (database, table) = match rest.strip_prefix('.') {
            Some(rest) => (Some(first), name_and_rest(rest)?.0),
            None => (None, first),
        };
        self.foreign_keys.push(ForeignKey { name, database, table });
        Some(())
    }
}

/// What stands between the outer parentheses, parted at the commas, and what stands behind them.
fn parted(statement: &str) -> Option<(Vec<&str>, &str)> {
    let blank = outside(statement);
    let open = blank.find('(')?;
    let mut items = Vec::new();
    let (mut depth, mut start) = (0, open + 1);
    for (at, letter) in blank.bytes().enumerate().skip(open) {
        match letter {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == b',') {
            items.push(&statement[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            return Some((items, &statement[start..]));
        }
    }
    None
}

/// The text with everything that stands in quotes made blank; of the same length in bytes.
fn outside(text: &str) -> String {
    let mut blank = String::with_capacity(text.len());
    let mut quote = None;
    let mut is_escaped = false;
    for letter in text.chars() {
        match quote {
            Some(end) => {
                // Two quotes in a row end the text and begin another, which comes to the same.
                if is_escaped {
                    is_escaped = false;
                } else if letter == '\\' && end != '`' {
                    is_escaped = true;
                } else if letter == end {
                    quote = None;
                }
                blank.extend(std::iter::repeat_n('?', letter.len_utf8()));
            }
            None if matches!(letter, '\'' | '`' | '"') => {
                quote = Some(letter);
                blank.push('?');
            }
            None if letter.is_ascii() => blank.push(letter),
            None => blank.extend(std::iter::repeat_n('?', letter.len_utf8())),
        }
    }
    blank
}

fn has_words(text: &str, words: &str) -> bool {
    outside(text).contains(words)
}

/// The name in backticks at the beginning, and what follows it.
pub(super) fn name_and_rest(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('`')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('`')?;
        name.push_str(part);
        match after.strip_prefix('`') {
            Some(after) => {
                name.push('`');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// What stands between the parentheses of the CHECK that is not within others.
fn check_clause(item: &str) -> Option<&str> {
    const CHECK: &str = "CHECK (";
    let blank = outside(item);
    let mut depth = 0;
    let at = blank.bytes().enumerate().find_map(|(at, letter)| {
        let is_check = depth == 0 && blank[at..].starts_with(CHECK);
        match letter {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        is_check.then_some(at)
    })?;
    let (parts, _) = parted(&item[at..])?;
    let (first, last) = (parts.first()?, parts.last()?);
    let start = first.as_ptr() as usize - item.as_ptr() as usize;
    let end = last.as_ptr() as usize - item.as_ptr() as usize + last.len();
    item.get(start..end)
}

/// ``json_valid(`name`)``
fn json_column(clause: &str) -> Option<String> {
    let (name, rest) = name_and_rest(clause.strip_prefix("json_valid(")?)?;
    (rest == ")").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: &str) -> Created {
        read(&format!("CREATE TABLE `t` (\n  {items}\n) ENGINE=InnoDB")).unwrap()
    }

    fn foreign(name: &str, database: Option<&str>, table: &str) -> ForeignKey {
        ForeignKey { name: name.into(), database: database.map(Into::into), table: table.into() }
    }

    fn check(name: &str, json: Option<&str>) -> Check {
        Check { name: name.into(), json_column: json.map(Into::into) }
    }

    #[test]
    fn foreign_keys_are_found_whatever_stands_in_quotes() {
        let created = of("`a``,b(` int DEFAULT 'x'')',\n  KEY `k` (`a`),\n  \
             CONSTRAINT `f` FOREIGN KEY (`a``,b(`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  \
             CONSTRAINT `g ``REFERENCES` FOREIGN KEY (`a REFERENCES `) REFERENCES `d`.`q``x` (`i`)");
        let expected = [foreign("f", None, "p"), foreign("g `REFERENCES", Some("d"), "q`x")];
        assert_eq!(created.foreign_keys, expected);
        let none = of("`a` int COMMENT 'CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`)'");
        assert_eq!(none, Created::default());
    }

    #[test]
    fn checks_are_those_of_columns_and_of_the_table() {
        let created = of("`j` longtext DEFAULT NULL CHECK (json_valid(`j`)),\n  \
             `v` int GENERATED ALWAYS AS (if(`j` = 'CHECK (1)',1,2)) VIRTUAL,\n  \
             `w` varchar(9) DEFAULT 'a\\'b' COMMENT 'x,y)' CHECK (`w` in ('a',')')),\n  \
             CONSTRAINT `c` CHECK ((`v` < 10)),\n  \
             CONSTRAINT `n` CHECK ((`v` < 10)) /*!80016 NOT ENFORCED */,\n  \
             CONSTRAINT `k` CHECK (json_valid(`a``b`)),\n  \
             CONSTRAINT `l` CHECK (json_valid(`a`) and json_valid(`b`)),\n  \
             PERIOD FOR `p` (`s`, `e`),\n  PERIOD FOR SYSTEM_TIME (`a`, `b`)");
        let expected = [
            check("j", Some("j")),
            check("w", None),
            check("c", None),
            check("k", Some("a`b")),
            check("l", None),
            check("p", None),
        ];
        assert_eq!(created.checks, expected);
    }

    #[test]
    fn keys_that_are_more_than_equality_are_told() {
        let created = of("UNIQUE KEY `u` (`k`,`p` WITHOUT OVERLAPS),\n  \
             UNIQUE KEY `m` ((cast(json_extract(`j`,_utf8mb4'$.a') as unsigned array))),\n  \
             UNIQUE KEY `f` ((lower(`s`))),\n  KEY `i` ((cast(`j` as unsigned array)))");
        assert_eq!(
            (created.overlap_keys, created.array_keys),
            (vec!["u".into()], vec!["m".into()])
        );
    }

    #[test]
    fn options_stand_behind_the_last_parenthesis() {
        let versioned = "CREATE TABLE `t` (\n  `k` int\n) ENGINE=InnoDB WITH SYSTEM VERSIONING";
        assert!(read(versioned).unwrap().is_versioned);
        let comment = "CREATE TABLE `t` (\n  `k` int\n) COMMENT='WITH SYSTEM VERSIONING'";
        assert!(!read(comment).unwrap().is_versioned);
        for (with, without) in [
            (") ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT", ") ENGINE=InnoDB DEFAULT"),
            (") ENGINE=InnoDB AUTO_INCREMENT=17", ") ENGINE=InnoDB"),
            (
                ") ENGINE=InnoDB COMMENT=' AUTO_INCREMENT=1'",
                ") ENGINE=InnoDB COMMENT=' AUTO_INCREMENT=1'",
            ),
        ] {
            let start = "CREATE TABLE `t(` (\n  `k` int COMMENT ' AUTO_INCREMENT=3'\n";
            assert_eq!(lasting(&format!("{start}{with}")), format!("{start}{without}"));
        }
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        for text in ["", "CREATE VIEW v AS SELECT 1", "CREATE TABLE `t` (\n `a` int", "('"] {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(lasting(text), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "(CREATE TABLE `t` \\(|CHECK \\(|[`'(),\\\\é ]|CONSTRAINT `a` |FOREIGN KEY|\\) AUTO_INCREMENT=1){0,20}") {
            let _ = (read(&text), lasting(&text));
        }
    }
}
