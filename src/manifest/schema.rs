//! The JSON Schema of a manifest, made from the table of keys. It says the same as the errors, as far as a schema can.

use serde_json::{Map, Value, json};

use super::MOST_PATS;
use super::keys::{DISPLAY_NAME, ENTRY, Key, Kind, MANIFEST, PRUNE, of_defaults};

/// A text that is not blank.
const NOT_BLANK: &str = "\\S";
/// A span of time.
const SPAN: &str = "^\\s*([0-9]+\\s*[smhdw]|[Pp].+)\\s*$";
/// `prune.name-prefix`.
const PREFIX: &str = "^[A-Za-z0-9_. -]{3,}$";

/// The schema (JSON Schema 2020-12).
pub fn schema() -> Value {
    let mut schema = object(&MANIFEST, true);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("adopat manifest");
    schema["description"] = json!("The PATs that 'adopat apply' keeps as they are described here.");
    schema
}

fn object(keys: &[Key], requires: bool) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut object = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    let required: Vec<&str> =
        keys.iter().filter(|key| key.required && requires).map(|key| key.name).collect();
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &Key) -> Value {
    let text = || json!({ "type": "string", "pattern": NOT_BLANK });
    let mut property = match key.kind {
        Kind::Version => json!({ "const": 1 }),
        Kind::Text | Kind::Organization => text(),
        Kind::Prefix => json!({ "type": "string", "pattern": PREFIX }),
        Kind::Organizations => {
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": text() })
        }
        Kind::Texts => json!({ "oneOf": [text(), { "type": "array", "minItems": 1, "items": text() }] }),
        Kind::Span => json!({ "type": "string", "pattern": SPAN }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Address => json!({ "type": "string", "format": "uri", "pattern": "^https?://" }),
        Kind::Defaults => in_one_organization_or_several(object(&of_defaults().collect::<Vec<_>>(), false)),
        Kind::Entries => {
            let mut entry = in_one_organization_or_several(object(&ENTRY, false));
            // Every other key that is required may come from defaults.
            entry["required"] = json!([DISPLAY_NAME]);
            json!({ "type": "array", "minItems": 1, "maxItems": MOST_PATS, "items": entry })
        }
        Kind::Prune => object(&PRUNE, true),
    };
    let default = key.default.map_or_else(String::new, |default| format!(" Default: {default}."));
    property["description"] = json!(format!("{}{default}", key.help));
    property
}

/// `organization` and `organizations` exclude each other.
fn in_one_organization_or_several(mut object: Value) -> Value {
    object["not"] = json!({ "required": ["organization", "organizations"] });
    object
}
