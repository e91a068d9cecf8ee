//! Strict JSON (RFC 8259) that borrows from its input.
//!
//! Stricter than `serde_json` alone in what matters for tokens: a member that stands twice in one
//! object is refused at any depth (RFC 7515 section 4, RFC 7519 section 4), and so is nesting
//! deeper than [`MAX_DEPTH`]. Numbers are read as `f64`, which holds every `NumericDate`.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

/// Up to how many members duplicates are found by comparing each with each.
const FEW_MEMBERS: usize = 64;

/// How deep objects and arrays may stand in one another.
pub(crate) const MAX_DEPTH: u8 = 32;

/// The one member of the map by which `serde_json` hands over a number when any crate in the
/// build switches on its `arbitrary_precision`. FHIR crates do, for decimals.
const NUMBER_AS_MAP: &str = "$serde_json::private::Number";

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// The members of one JSON object, in the order of the text, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// A byte of each name, by which it is looked for: a hundred names are asked for of each token.
    tags: SmallVec<[u8; 32]>,
}

/// Why a text was refused as JSON. Says where, never what stood there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    #[error("has a member twice in one object")]
    Duplicate,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("is not a JSON object")]
    NotAnObject,
}

const DUPLICATE: &str = "duplicate member";
const DEPTH: &str = "nested too deep";

/// A document without the byte order mark that some servers put before it (RFC 8259 section 8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

impl<'a> Object<'a> {
    /// Parses a whole text that must be one JSON object in UTF-8, without a byte order mark.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        // Once for all of it, which is faster than text by text.
        let text = std::str::from_utf8(text)
            .map_err(|error| JsonError::Syntax(error.valid_up_to().saturating_add(1)))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Value { depth: 0 }
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| JsonError::from_serde(&error))?;
        match value {
            Json::Object(object) => Ok(object),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                Err(JsonError::NotAnObject)
            }
        }
    }

    /// The value of a member, `null` included.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let place = place_of(name, &self.tags, &self.members)?;
        self.members.get(place).map(|(_, value)| value)
    }

    /// The names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }

    /// Whether a member stands here, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of a member: `None` when it is absent, `Err` when it is anything but text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(NotText),
        }
    }
}

/// A member is there, but it is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

impl Json<'_> {
    /// The text, if this is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }
}

impl JsonError {
    fn from_serde(error: &serde_json::Error) -> Self {
        // serde hands custom errors back as text only.
        let text = error.to_string();
        if text.starts_with(DUPLICATE) {
            Self::Duplicate
        } else if text.starts_with(DEPTH) || text.starts_with("recursion limit") {
            Self::Depth
        } else {
            Self::Syntax(error.column())
        }
    }
}

#[derive(Clone, Copy)]
struct Value {
    depth: u8,
}

impl Value {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(DEPTH));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value))
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a claim above 2^53 is no date, and nothing else in a token is counted"
    )]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a claim below -2^53 is no date, and nothing else in a token is counted"
    )]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        // A token has two or three dozen claims, what stands in them few members or none.
        let mut members = Vec::with_capacity(if self.depth == 0 { 32 } else { 4 });
        let mut tags = SmallVec::new();
        let mut twice = false;
        while let Some(name) = map.next_key_seed(Name)? {
            if name == NUMBER_AS_MAP && members.is_empty() && numbers_come_as_maps() {
                let number = number(&map.next_value_seed(inner)?)?;
                return match map.next_key_seed(Name)? {
                    None => Ok(number),
                    Some(_) => Err(A::Error::custom(DUPLICATE)),
                };
            }
            let few = members.len() <= FEW_MEMBERS;
            twice = twice || few && place_of(&name, &tags, &members).is_some();
            tags.push(tag_of(&name));
            members.push((name, map.next_value_seed(inner)?));
        }
        if twice || members.len() > FEW_MEMBERS && have_duplicates(&members) {
            return Err(A::Error::custom(DUPLICATE));
        }
        Ok(Json::Object(Object { members, tags }))
    }
}

/// Whether some crate of the build has switched on `arbitrary_precision`. Where none has, an
/// object that looks like such a number is an object.
fn numbers_come_as_maps() -> bool {
    struct Probe;

    impl<'de> Visitor<'de> for Probe {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<bool, A::Error> {
            Ok(true)
        }
    }

    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // Small integers come as they are in any case. The rest of a map is left unread; were that
        // an error, it would tell as much.
        serde_json::Deserializer::from_str("0.5").deserialize_any(Probe).unwrap_or(true)
    })
}

fn number<'de, E: Error>(digits: &Json<'_>) -> Result<Json<'de>, E> {
    digits
        .as_text()
        .and_then(|digits| digits.parse().ok())
        .filter(|number: &f64| number.is_finite())
        .map(Json::Number)
        .ok_or_else(|| E::custom("number out of range"))
}

/// One byte of what tells the names of claims apart: length, first and last letter.
fn tag_of(name: &str) -> u8 {
    let letter = |byte: Option<&u8>| byte.copied().unwrap_or_default();
    let (first, last) = (letter(name.as_bytes().first()), letter(name.as_bytes().last()));
    let length = name.len().to_le_bytes().first().copied().unwrap_or_default();
    length.wrapping_mul(37).wrapping_add(first.wrapping_mul(5)).wrapping_add(last.wrapping_mul(11))
}

fn place_of(name: &str, tags: &[u8], members: &[(Cow<'_, str>, Json<'_>)]) -> Option<usize> {
    let tag = tag_of(name);
    if !tags.contains(&tag) {
        return None;
    }
    let mut tagged = tags.iter().zip(members);
    tagged.position(|(other, (member, _))| *other == tag && member == name)
}

fn have_duplicates(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

/// The name of a member: borrowed where the text has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth_and_spelling() {
        let many: String = (0..40).map(|n| format!("\"m{n}\":0,")).collect();
        for text in [
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"{"a":1,"\u0061":2}"#.to_owned(),
            r#"{"a":{"b":1,"b":2}}"#.to_owned(),
            r#"{"a":[{"b":1,"b":2}]}"#.to_owned(),
            format!("{{{many}\"m7\":1}}"),
        ] {
            let result = Object::parse(text.as_bytes());
            assert_eq!(result, Err(JsonError::Duplicate), "{text}");
        }
        assert!(Object::parse(br#"{"a":{"b":1},"c":{"b":1},"A":1}"#).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let nest =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let deepest = usize::from(MAX_DEPTH) - 1;
        assert!(Object::parse(nest(deepest).as_bytes()).is_ok());
        let result = Object::parse(nest(deepest + 1).as_bytes()).err();
        assert_eq!(result, Some(JsonError::Depth));
        let result = Object::parse(nest(10_000).as_bytes()).err();
        assert_eq!(result, Some(JsonError::Depth));
    }

    #[test]
    fn numbers_are_numbers_whatever_other_crates_ask_of_serde_json() {
        let object = Object::parse(br#"{"exp":1700000000.5,"n":-3,"big":18446744073709551615}"#);
        let object = object.unwrap();
        assert_eq!(object.get("exp"), Some(&Json::Number(1_700_000_000.5)));
        assert_eq!(object.get("n"), Some(&Json::Number(-3.0)));
        assert!(matches!(object.get("big"), Some(Json::Number(n)) if *n > 1e19));
        assert!(Object::parse(br#"{"exp":1e999}"#).is_err());
    }

    #[test]
    fn an_object_does_not_pass_for_a_number() {
        let disguised = br#"{"exp":{"$serde_json::private::Number":"9999999999"}}"#;
        let object = Object::parse(disguised).unwrap();
        let is_number = matches!(object.get("exp"), Some(Json::Number(_)));
        assert_eq!(is_number, numbers_come_as_maps(), "where the feature is on, both look alike");
        for hiding in [
            &br#"{"x":{"a":1,"a":2,"$serde_json::private::Number":"5"}}"#[..],
            br#"{"x":{"$serde_json::private::Number":"5","a":1,"a":2}}"#,
        ] {
            assert_eq!(Object::parse(hiding), Err(JsonError::Duplicate));
        }
    }

    #[test]
    fn only_one_object_in_utf_8_is_a_document() {
        for text in [
            &b"[]"[..],
            b"1",
            b"",
            b"null",
            b"{} {}",
            b"{}x",
            b"\xef\xbb\xbf{}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"\xff\":1}",
        ] {
            assert!(Object::parse(text).is_err(), "{text:?}");
        }
    }
}
