//! JSON in which no object names a member twice: of two readers one might take the first, the other the last.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// Reads a document. The error is the reason why it cannot be read.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let _: Unambiguous = serde_json::from_slice(text)?;
    serde_json::from_slice(text)
}

/// A look at names alone; what the values are is the second reading's.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unambiguous, A::Error> {
        let mut names: HashSet<String> = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format_args!(
                    "the member {shown:?} appears more than once"
                )));
            }
            names.insert(name);
            members.next_value::<Unambiguous>()?;
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_member_is_named_once_in_each_object() {
        for sound in [
            r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}], "A": 2}"#,
            r#"[null, true, -1, 1.5e3, 18446744073709551615, "x", "\u00e4", {}, []]"#,
            "7",
        ] {
            let found: Value = read(sound.as_bytes()).unwrap();
            assert_eq!(found, serde_json::from_str::<Value>(sound).unwrap());
        }
        for doubled in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "b": 2, "\u0061": 3}"#,
            r#"[[{"x": {"a": null, "a": null}}]]"#,
        ] {
            let error = read::<Value>(doubled.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with("the member \"a\" appears more than once"),
                "{doubled}: {error}"
            );
        }
        for broken in ["", "{", r#"{"a": 1} x"#, &"[".repeat(200)] {
            assert!(read::<Value>(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
