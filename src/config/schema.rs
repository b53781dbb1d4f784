//! The JSON schema of a configuration file, made from the table of options, for editors that complete and
//! check what is typed.

use serde_json::{Map, Value, json};

use super::options::{OPTIONS, Opt, Takes};

/// Draft 7 is what editors of TOML know.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// A value that holds a variable may be anything.
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}";

pub fn schema() -> Value {
    let options = options();
    let mut pipeline = options.clone();
    let connections = "Names of [connections.NAME] whose settings it takes";
    pipeline.insert("connections".to_string(), described(texts(), connections));
    let mut file = options.clone();
    let include = "Other files of settings, beside this one";
    file.insert("include".to_string(), described(texts(), include));
    file.insert("defaults".to_string(), json!({ "$ref": "#/definitions/options" }));
    for (key, definition) in [("connections", "options"), ("pipelines", "pipeline")] {
        let each = json!({ "$ref": format!("#/definitions/{definition}") });
        file.insert(key.to_string(), json!({ "type": "object", "additionalProperties": each }));
    }
    let mut schema = table(file);
    schema["$schema"] = json!(DRAFT);
    schema["title"] = json!("flowgauge configuration");
    schema["definitions"] = json!({ "options": table(options), "pipeline": table(pipeline) });
    schema
}

fn table(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn options() -> Map<String, Value> {
    let options = OPTIONS.iter().filter(|option| option.name != "config");
    options
        .map(|option| (option.key(), described(value(option), &option.help_with_default())))
        .collect()
}

fn described(mut schema: Value, words: &str) -> Value {
    schema["description"] = json!(words);
    schema
}

fn value(option: &Opt) -> Value {
    match option.takes {
        Takes::Nothing => or_variable(&json!({ "type": "boolean" }), "true|false|yes|no|0|1"),
        Takes::Choice(choices) => or_variable(&json!({ "enum": choices }), ""),
        Takes::One("N" | "PORT") => {
            or_variable(&json!({ "type": "integer", "minimum": 0 }), "[0-9][0-9_]*")
        }
        Takes::One(_) => scalar(),
        Takes::Names(_)
        | Takes::Columns(_)
        | Takes::Typed(_)
        | Takes::Files(_)
        | Takes::Texts(_) => texts(),
    }
}

/// The same, or text that looks like this or has a variable in it.
fn or_variable(value: &Value, text: &str) -> Value {
    let pattern = match text {
        "" => VARIABLE.to_string(),
        text => format!("^(?:{text})$|{VARIABLE}"),
    };
    json!({ "anyOf": [value, { "type": "string", "pattern": pattern }] })
}

fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// One, or a list of them.
fn texts() -> Value {
    json!({ "anyOf": [scalar(), { "type": "array", "items": scalar() }] })
}
