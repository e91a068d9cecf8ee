//! Strings as values of a search (R4, Search, "string").

use serde_json::Value;

/// The parts of a HumanName or an Address that a search reads.
const PARTS: [&str; 11] = [
    "city",
    "country",
    "district",
    "family",
    "given",
    "line",
    "postalCode",
    "prefix",
    "state",
    "suffix",
    "text",
];

/// The beginning of a string, in any case. Accents are not folded: who looks for `Möller` is not shown
/// `Moller`, which R4 leaves to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StringTest(String);

impl StringTest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.is_empty() {
            true => Err("the value is empty".to_owned()),
            false => Ok(Self(folded(text).collect())),
        }
    }

    /// Compares a string, or each part of a HumanName or an Address.
    pub(super) fn matches(&self, element: &Value) -> bool {
        match element {
            Value::String(text) => self.begins(text),
            Value::Object(members) => PARTS.iter().any(|part| match members.get(*part) {
                Some(Value::String(text)) => self.begins(text),
                Some(Value::Array(items)) => {
                    items.iter().filter_map(Value::as_str).any(|text| self.begins(text))
                }
                _ => false,
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        }
    }

    /// Looks no further than the value is long, however long the text is.
    fn begins(&self, text: &str) -> bool {
        let mut text = folded(text);
        self.0.chars().all(|wanted| text.next() == Some(wanted))
    }
}

/// Returns the characters in lower case, of which a sigma has one, wherever it stands in a word.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.map(|character| if character == 'ς' { 'σ' } else { character })
}
