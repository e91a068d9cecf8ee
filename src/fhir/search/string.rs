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

/// The beginnings of strings to look for, in any case, any one of which is enough. Accents are not folded: who looks
/// for `Möller` is not shown `Moller`, which R4 leaves to the server.
#[derive(Clone, Debug)]
pub(super) struct StringTest {
    /// In their order, none of which begins with another.
    beginnings: Vec<String>,
    /// The number of characters of the longest.
    longest: usize,
}

impl StringTest {
    pub(super) fn parse(values: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut beginnings = Vec::new();
        for text in values {
            if text.is_empty() {
                return Err("the value is empty".to_owned());
            }
            beginnings.push(folded(&text).collect::<String>());
        }
        beginnings.sort_unstable();
        // What begins with another one comes right behind it, or behind others that do.
        beginnings.dedup_by(|next, before| next.starts_with(before.as_str()));
        let longest = beginnings.iter().map(|text| text.chars().count()).max().unwrap_or_default();
        Ok(Self { beginnings, longest })
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

    /// Looks no further than the values are long, however long the text is. The only one that it can begin with is the
    /// last that does not come after it, since none begins with another.
    fn begins(&self, text: &str) -> bool {
        let text: String = folded(text).take(self.longest).collect();
        let after = self.beginnings.partition_point(|beginning| *beginning <= text);
        let last = after.checked_sub(1).and_then(|index| self.beginnings.get(index));
        last.is_some_and(|beginning| text.starts_with(beginning.as_str()))
    }
}

/// Returns the characters in lower case, of which a sigma has one, wherever it stands in a word.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.map(|character| if character == 'ς' { 'σ' } else { character })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_string_begins_with_any_of_many() {
        let all = ["Ok", "okafor", "b", "Bü", "bc", "z", "Σ"];
        let test = StringTest::parse(all.map(str::to_owned)).unwrap();
        for text in ["ok", "OKAFOR", "Oka", "B", "bach", "BÜ", "z", "zz", "ς", "σa"] {
            assert!(test.matches(&json!(text)), "{text}");
        }
        for text in ["", "o", "O", "a", "y", "ä", "{"] {
            assert!(!test.matches(&json!(text)), "{text}");
        }
    }

    /// Against each value by itself.
    #[test]
    fn many_find_what_each_finds() {
        let words: Vec<String> = ["a", "b", "ab", "bc", "aab", "abb", "B", "é"]
            .iter()
            .flat_map(|one| ["", "a", "b", "é"].map(|end| format!("{one}{end}")))
            .collect();
        let values: Vec<String> = words.iter().skip(5).step_by(3).cloned().collect();
        let together = StringTest::parse(values.clone()).unwrap();
        for word in &words {
            let alone = values.iter().any(|value| {
                folded(word).collect::<String>().starts_with(&folded(value).collect::<String>())
            });
            assert_eq!(together.matches(&json!(word)), alone, "{word}");
        }
    }

    #[test]
    fn what_is_no_string_is_not_found() {
        let test = StringTest::parse(["ok".to_owned()]).unwrap();
        for element in [
            json!(null),
            json!(true),
            json!(5),
            json!(["ok"]),
            json!({"given": 5, "family": {"text": "ok"}}),
            json!({"given": [5, ["ok"]], "use": "ok"}),
        ] {
            assert!(!test.matches(&element), "{element}");
        }
        assert!(test.matches(&json!({"given": [5, "ok"]})));
        for values in [vec![""], vec!["ok", ""]] {
            let values = values.into_iter().map(str::to_owned);
            assert_eq!(StringTest::parse(values).unwrap_err(), "the value is empty");
        }
    }
}
