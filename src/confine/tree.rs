//! Resources as trees that can be changed, and are written with every digit of their numbers.
//!
//! `serde_json` reads 5.40 as the number 5.4. Here a number is a text, too, and each text begins with a mark that
//! says which of both it was:
//!
//! ```text
//! {"value": 5.40, "unit": "%"}   ──►   {"value": "#5.40", "unit": "=%"}
//! ```

use serde_json::{Map, Value};

use super::unambiguous::{self, JsonError};

/// The marks of numbers and of texts.
const NUMBER: char = '#';
const TEXT: char = '=';

/// The most values of a document: a tree takes many times the bytes of its text.
pub(super) const MAX_VALUES: usize = 65_535;

/// The longest number that is compared by what it is. A longer one is equal to none that is written otherwise: it
/// could be compared with each of many.
const MAX_NUMBER: usize = 256;

/// A JSON document whose numbers keep their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree(Value);

impl Tree {
    /// Reads a document of a bounded number of values, in which no object may name a member twice.
    pub(super) fn parse(text: &str) -> Result<Self, JsonError> {
        unambiguous::check_up_to(text, MAX_VALUES)?;
        serde_json::from_slice(&marked(text)).map(Self).map_err(|_| JsonError::NotJson)
    }

    /// Writes the document.
    pub(super) fn write(&self) -> String {
        let mut written = String::new();
        write(&self.0, &mut written);
        written
    }

    /// Returns the value with its marks.
    pub(super) fn marked(&self) -> &Value {
        &self.0
    }

    pub(super) fn of_marked(value: Value) -> Self {
        Self(value)
    }

    /// Gives a resource another id, or none.
    pub(super) fn set_id(&mut self, id: Option<&str>) {
        let Value::Object(members) = &mut self.0 else { return };
        match id {
            Some(id) => members.insert("id".to_owned(), format!("{TEXT}{id}").into()),
            None => members.remove("id"),
        };
    }

    /// Puts other texts into the place of references, wherever one stands.
    pub(super) fn rename_references(&mut self, rename: &dyn Fn(&str) -> Option<String>) {
        rename_references(&mut self.0, rename);
    }

    /// Reports whether a reference is one that a test finds, wherever it stands.
    pub(super) fn has_reference(&self, test: &dyn Fn(&str) -> bool) -> bool {
        has_reference(&self.0, test)
    }

    /// Reports whether a `reference` is a list with a string in it. A lenient server could take it for the reference.
    pub(super) fn has_list_of_references(&self) -> bool {
        has_list_of_references(&self.0)
    }
}

/// Returns a text without its mark; `None` for what is no text.
pub(super) fn unmarked(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(TEXT)
}

/// Reports whether two marked values are equal as JSON Patch has it (RFC 6902 section 4.6): numbers by what they
/// are, however they are written.
pub(super) fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| are_equal(one, other))
        }
        (Value::Object(ones), Value::Object(others)) => {
            let equal = |(name, one): (&String, _)| {
                others.get(name).is_some_and(|other| are_equal(one, other))
            };
            ones.len() == others.len() && ones.iter().all(equal)
        }
        (Value::String(one), Value::String(other)) => {
            let numbers = one.strip_prefix(NUMBER).zip(other.strip_prefix(NUMBER));
            one == other
                || numbers.is_some_and(|(one, other)| {
                    decimal(one).zip(decimal(other)).is_some_and(|(one, other)| one == other)
                })
        }
        (one, other) => one == other,
    }
}

/// Reads a number as its sign, its digits without zeros at either end, and the power of ten of the last one.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    if text.len() > MAX_NUMBER {
        return None;
    }
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    Some((is_negative, trimmed.to_owned(), power))
}

/// Puts the marks into sound JSON.
fn marked(text: &str) -> Vec<u8> {
    let mut marked: Vec<u8> = Vec::with_capacity(text.len() + text.len() / 8);
    // Where the text that is read began, and the one that has just ended: the name of a member, if a colon follows.
    let (mut open, mut ended): (Option<usize>, Option<usize>) = (None, None);
    let (mut is_escaped, mut is_number) = (false, false);
    for byte in text.bytes() {
        if let Some(start) = open {
            marked.push(byte);
            if byte == b'"' && !is_escaped {
                (open, ended) = (None, Some(start));
            }
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        if is_number && !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') {
            marked.push(b'"');
            is_number = false;
        }
        if !byte.is_ascii_whitespace()
            && let Some(start) = ended.take()
            && byte != b':'
        {
            marked.insert(start, b'=');
        }
        if !is_number && matches!(byte, b'-' | b'0'..=b'9') {
            marked.extend_from_slice(b"\"#");
            is_number = true;
        }
        marked.push(byte);
        if byte == b'"' {
            open = Some(marked.len());
        }
    }
    if let Some(start) = ended {
        marked.insert(start, b'=');
    }
    if is_number {
        marked.push(b'"');
    }
    marked
}

fn write(value: &Value, written: &mut String) {
    match value {
        Value::String(text) => match text.strip_prefix(NUMBER) {
            Some(number) => written.push_str(number),
            None => quote(text.strip_prefix(TEXT).unwrap_or(text), written),
        },
        Value::Array(items) => {
            written.push('[');
            for (index, item) in items.iter().enumerate() {
                written.push_str(if index == 0 { "" } else { "," });
                write(item, written);
            }
            written.push(']');
        }
        Value::Object(members) => {
            written.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                written.push_str(if index == 0 { "" } else { "," });
                quote(name, written);
                written.push(':');
                write(member, written);
            }
            written.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => written.push_str(&value.to_string()),
    }
}

fn quote(text: &str, written: &mut String) {
    // A string can always be written as JSON.
    written.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn rename_references(value: &mut Value, rename: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, rename)),
        Value::Object(members) => {
            let name = reference(members).and_then(rename);
            if let Some(name) = name {
                members.insert("reference".to_owned(), format!("{TEXT}{name}").into());
            }
            members.values_mut().for_each(|member| rename_references(member, rename));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn has_reference(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| has_reference(item, test)),
        Value::Object(members) => {
            reference(members).is_some_and(test)
                || members.values().any(|member| has_reference(member, test))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn has_list_of_references(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_list_of_references),
        Value::Object(members) => members.iter().any(|(name, member)| {
            (name == "reference" && lists_a_string(member)) || has_list_of_references(member)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Reports whether a value is a list with a string in it, or in a list of it.
fn lists_a_string(value: &Value) -> bool {
    let is_string = |item: &Value| unmarked(item).is_some() || lists_a_string(item);
    value.as_array().is_some_and(|items| items.iter().any(is_string))
}

fn reference(members: &Map<String, Value>) -> Option<&str> {
    members.get("reference").and_then(unmarked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_with_every_digit_and_every_string() {
        for text in [
            r##"{"a":5.40,"b":-0.00,"c":[1.0e-10,123456789012345678901234567890,"5.40"],"d":"#1","e":"=x"}"##,
            r#"{"a":"","b":{"c":null,"d":true},"e":["x\"y","\\","ä","\u0001"],"f":[]}"#,
            r#"["a",1]"#,
            r#""a""#,
            "5.40",
            "null",
        ] {
            let tree = Tree::parse(text).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&tree.write()).unwrap(), value, "{text}");
            let digits = |text: &str| text.matches(|c: char| c.is_ascii_digit()).count();
            assert_eq!(digits(&tree.write()), digits(text), "{text}");
        }
        let spaced = "{ \"a\" : 5.40 , \"b\" :\n\"x\" , \"c\":[ 1.50 ,2.0e+3 ] }";
        assert_eq!(Tree::parse(spaced).unwrap().write(), r#"{"a":5.40,"b":"x","c":[1.50,2.0e+3]}"#);
        for broken in ["", "{", "[1 2]", "{\"a\":1}x", "01", r#"{"a":1,"a":2}"#] {
            assert!(Tree::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn numbers_are_equal_however_they_are_written() {
        let number = |text: &str| Tree::parse(text).unwrap();
        for (one, other, expected) in [
            ("5.40", "5.4", true),
            ("540e-2", "5.4", true),
            ("-0", "0.00e5", true),
            ("100", "1E2", true),
            ("5.40", "5.41", false),
            ("5", "-5", false),
            ("5", "\"5\"", false),
            ("[1.0,{\"a\":2}]", "[1,{\"a\":2.0}]", true),
            ("[1]", "[1,1]", false),
            ("[1]", "[2]", false),
            ("{\"a\":1}", "{\"a\":2}", false),
            ("{\"a\":1}", "{\"b\":1}", false),
            ("{\"a\":1}", "{\"a\":1,\"b\":1}", false),
            ("1e-99999999999999999999", "1e-99999999999999999999", true),
            ("1e-99999999999999999999", "1e-99999999999999999998", false),
        ] {
            assert_eq!(are_equal(number(one).marked(), number(other).marked()), expected, "{one}");
        }
        let long = |more: &str| number(&format!("1.{}{more}", "0".repeat(MAX_NUMBER)));
        assert!(are_equal(long("").marked(), long("").marked()));
        assert!(
            !are_equal(long("").marked(), long("0").marked()),
            "it is compared as it is written"
        );
    }

    #[test]
    fn references_are_renamed_wherever_they_stand() {
        let mut tree =
            Tree::parse(r#"{"a":[{"reference":"urn:1"}],"b":{"c":{"reference":"x"}},"d":"urn:1"}"#)
                .unwrap();
        assert!(tree.has_reference(&|name| name == "urn:1"));
        tree.rename_references(&|name| (name == "urn:1").then(|| "Patient/1".to_owned()));
        let expected =
            r#"{"a":[{"reference":"Patient/1"}],"b":{"c":{"reference":"x"}},"d":"urn:1"}"#;
        assert_eq!(tree.write(), expected);
        assert!(!tree.has_reference(&|name| name == "urn:1"));
        tree.set_id(Some("7"));
        assert!(tree.write().contains(r#""id":"7""#));
        tree.set_id(None);
        assert_eq!(tree.write(), expected);
    }

    #[test]
    fn a_string_in_a_list_where_a_reference_has_its_only_one_is_found() {
        for (text, expected) in [
            (r#"{"subject":{"reference":["Patient/1"]}}"#, true),
            (r#"{"a":[{"b":{"reference":[[1,"Patient/1"]]}}]}"#, true),
            (r#"{"subject":{"reference":"Patient/1"}}"#, false),
            (r#"{"subject":{"reference":[1,[true],{}]}}"#, false),
            (r#"{"name":[{"given":["a"]}],"reference":[]}"#, false),
        ] {
            assert_eq!(Tree::parse(text).unwrap().has_list_of_references(), expected, "{text}");
        }
    }
}
