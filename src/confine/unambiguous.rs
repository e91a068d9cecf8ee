//! JSON in which no object names a member twice: of two readers one might take the first, the other the last.

use std::fmt;

use hashbrown::HashSet;
use serde::de::{self, Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The reason for which a document is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoJson,
    /// An object names a member twice.
    Twice,
}

/// Checks a document.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let mut reader = serde_json::Deserializer::from_str(text);
    if Names::deserialize(&mut reader).is_ok() && reader.end().is_ok() {
        return Ok(());
    }
    // Which of both it was, no error tells but by its words.
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Err(Fault::Twice),
        Err(_) => Err(Fault::NoJson),
    }
}

/// A look at names alone.
struct Names;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
        let mut names: HashSet<String> = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member is there twice"));
            }
            members.next_value::<Names>()?;
        }
        Ok(Names)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
        while items.next_element::<Names>()?.is_some() {}
        Ok(Names)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Names, E> {
        Ok(Names)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Names, E> {
        Ok(Names)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Names, E> {
        Ok(Names)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Names, E> {
        Ok(Names)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Names, E> {
        Ok(Names)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Names, E> {
        Ok(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_once_in_each_object() {
        for sound in [
            r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}], "A": 2}"#,
            r#"[null, true, -1, 1.5e3, 18446744073709551615, "x", "\u00e4", {}, []]"#,
        ] {
            assert_eq!(check(sound), Ok(()), "{sound}");
        }
        for doubled in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "b": 2, "\u0061": 3}"#,
            r#"[[{"x": {"a": null, "a": null}}]]"#,
        ] {
            assert_eq!(check(doubled), Err(Fault::Twice), "{doubled}");
        }
        for broken in ["", "{", r#"{"a": 1} x"#, &"[".repeat(200)] {
            assert_eq!(check(broken), Err(Fault::NoJson), "{broken}");
        }
    }
}
