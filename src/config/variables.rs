//! `${NAME}` in the values of a configuration file: what the environment says in its place.

/// A text whose variables were replaced, and what they were replaced by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    pub text: String,
    pub used: Vec<Variable>,
}

/// A variable of the environment that stands in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

/// What a variable holds.
pub enum Held {
    Text(String),
    NotUtf8,
    Unset,
}

/// Replaces `${NAME}`; `$$` is a dollar, and so is one before anything else. Nothing is looked for in
/// what was put in.
pub fn expand(text: &str, variable: impl Fn(&str) -> Held) -> Result<Expanded, String> {
    let mut expanded = Expanded::default();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.text.push_str(&rest[..dollar]);
        let behind = &rest[dollar + 1..];
        if let Some(behind) = behind.strip_prefix('$') {
            expanded.text.push('$');
            rest = behind;
        } else if let Some(inside) = behind.strip_prefix('{') {
            let Some((name, behind)) = inside.split_once('}') else {
                return Err("'${' is never closed; write ${NAME}, or $${ for these letters".into());
            };
            if !is_name(name) {
                return Err(
                    "a variable is written ${NAME}, with letters, digits and '_'; write $${ for these letters"
                        .into(),
                );
            }
            let value = match variable(name) {
                Held::Text(value) => value,
                Held::NotUtf8 => return Err(format!("the variable {name} is not valid UTF-8")),
                Held::Unset => {
                    return Err(format!(
                        "the variable {name} is not set; set it, or write $${{{name}}} for these letters"
                    ));
                }
            };
            expanded.text.push_str(&value);
            expanded.used.push(Variable { name: name.to_string(), value });
            rest = behind;
        } else {
            expanded.text.push('$');
            rest = behind;
        }
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let mut bytes = name.bytes();
    bytes.next().is_some_and(is_letter)
        && bytes.all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

/// What this process's environment holds.
pub fn process_variable(name: &str) -> Held {
    match std::env::var(name) {
        Ok(value) => Held::Text(value),
        Err(std::env::VarError::NotPresent) => Held::Unset,
        Err(std::env::VarError::NotUnicode(_)) => Held::NotUtf8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable(name: &str) -> Held {
        match name {
            "HOST" => Held::Text("db.example.com".to_string()),
            "DOLLAR" => Held::Text("${HOST}$$".to_string()),
            "EMPTY" => Held::Text(String::new()),
            "BYTES" => Held::NotUtf8,
            _ => Held::Unset,
        }
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, expected) in [
            ("", Ok("")),
            ("a$b $ $", Ok("a$b $ $")),
            ("${HOST}:1", Ok("db.example.com:1")),
            ("<${EMPTY}>", Ok("<>")),
            ("${DOLLAR}", Ok("${HOST}$$")),
            ("$${HOST} $$$${HOST}", Ok("${HOST} $${HOST}")),
            ("$$$${HOST", Ok("$${HOST")),
            ("$$${HOST}", Ok("$db.example.com")),
            ("${HOST", Err("never closed")),
            ("${}", Err("a variable is written")),
            ("${1A}", Err("a variable is written")),
            ("${A-B}", Err("a variable is written")),
            ("${GONE:-x}", Err("a variable is written")),
            ("${GONE}", Err("the variable GONE is not set")),
            ("${BYTES}", Err("the variable BYTES is not valid UTF-8")),
        ] {
            let found = expand(text, variable).map(|expanded| expanded.text);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{text}: {found}"),
                _ => panic!("{text}: {found:?}"),
            }
        }
        let used = expand("${HOST}", variable).unwrap().used;
        assert_eq!(used[0].name, "HOST");
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in any::<String>()) {
            let written = text.replace('$', "$$");
            prop_assert_eq!(expand(&written, variable).unwrap().text, text);
        }
    }
}
