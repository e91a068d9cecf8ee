//! JSON in which no object names a member twice: of two readers one might take the first, the other the last.

use std::cell::Cell;
use std::fmt;

use hashbrown::HashSet;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The most members of the objects around one place together: their names are held until each of these objects ends.
const MAX_OPEN: usize = 65_535;

/// The reason for which a document is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    NotJson,
    /// An object names a member twice.
    DuplicateMember,
    /// It has more names and values than are taken.
    TooMany,
}

/// Checks a document, of which nothing but the names of a bounded number of members is held.
pub(super) fn check(text: &str) -> Result<(), JsonError> {
    check_up_to(text, usize::MAX)
}

/// Checks a document that may have so many values, beside the names of its members.
pub(super) fn check_up_to(text: &str, values: usize) -> Result<(), JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let look = Look { values: &Cell::new(values), open: &Cell::new(0), fault: &Cell::new(None) };
    match look.deserialize(&mut reader).and_then(|()| reader.end()) {
        Ok(()) => Ok(()),
        Err(_) => Err(look.fault.get().unwrap_or(JsonError::NotJson)),
    }
}

/// A look at names, and at the number of values.
#[derive(Clone, Copy)]
struct Look<'l> {
    /// The values that may still come.
    values: &'l Cell<usize>,
    /// The members of all objects that have not ended.
    open: &'l Cell<usize>,
    /// The fault that was found, for which an error of the reader has only words.
    fault: &'l Cell<Option<JsonError>>,
}

impl Look<'_> {
    fn fault<E: de::Error>(self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom("it is not taken")
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.values.get().checked_sub(1);
        self.values.set(left.ok_or_else(|| self.fault(JsonError::TooMany))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names: HashSet<String> = HashSet::new();
        let around = self.open.get();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(self.fault(JsonError::DuplicateMember));
            }
            self.open.set(around + names.len());
            if self.open.get() > MAX_OPEN {
                return Err(self.fault(JsonError::TooMany));
            }
            members.next_value_seed(self)?;
        }
        self.open.set(around);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
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
            assert_eq!(check(doubled), Err(JsonError::DuplicateMember), "{doubled}");
        }
        for broken in ["", "{", r#"{"a": 1} x"#, &"[".repeat(200)] {
            assert_eq!(check(broken), Err(JsonError::NotJson), "{broken}");
        }
    }

    #[test]
    fn names_are_held_of_a_bounded_number_of_members() {
        let members = |number: usize| {
            let members: Vec<String> = (0..number).map(|n| format!(r#""{n}":1"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        let (most, more) = (members(MAX_OPEN), members(MAX_OPEN + 1));
        assert_eq!(check(&format!("[{most},{most}]")), Ok(()));
        assert_eq!(check(&more), Err(JsonError::TooMany));
        assert_eq!(check(&format!(r#"{{"a":{most}}}"#)), Err(JsonError::TooMany));
    }

    #[test]
    fn values_are_counted_before_they_are_kept() {
        let many = |number: usize| format!("[{}]", vec!["1"; number].join(","));
        assert_eq!(check_up_to(&many(9), 10), Ok(()));
        assert_eq!(check_up_to(&many(10), 10), Err(JsonError::TooMany));
        assert_eq!(check_up_to(r#"{"a":{"b":[{}]}}"#, 3), Err(JsonError::TooMany));
    }
}
