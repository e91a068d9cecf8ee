//! Tokens as values of a search: codes, identifiers and the like (R4, Search, "token").

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::escapes::{split, unescaped};

/// The tokens to look for, any one of which is enough. Both parts are compared to the letter, and looked up: an
/// element costs the same, however many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenTest {
    /// `code`: of whatever system.
    codes: HashSet<String>,
    /// `system|code`, by its system.
    of_systems: HashMap<String, HashSet<String>>,
    /// `|code`: without a system.
    of_none: HashSet<String>,
    /// `system|`: whatever code.
    systems: HashSet<String>,
}

impl TokenTest {
    /// Reads values that are still escaped.
    pub(super) fn parse(values: &[&str]) -> Result<Self, String> {
        let mut test = Self::default();
        values.iter().try_for_each(|value| test.add(value))?;
        Ok(test)
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let parts = split(text, '|').into_iter().map(unescaped);
        let mut parts = parts.collect::<Result<Vec<String>, String>>()?.into_iter();
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            (code, None, None) if !code.is_empty() => self.codes.insert(code),
            (system, Some(code), None) if !code.is_empty() => match system.is_empty() {
                true => self.of_none.insert(code),
                false => self.of_systems.entry(system).or_default().insert(code),
            },
            (system, Some(_), None) if !system.is_empty() => self.systems.insert(system),
            _ => return Err(format!("`{text}` is not a token")),
        };
        Ok(())
    }

    /// For an element of any type that R4 searches by tokens.
    pub(super) fn matches(&self, element: &Value) -> bool {
        match element {
            Value::String(code) => self.is(None, Some(code)),
            Value::Bool(true) => self.is(None, Some("true")),
            Value::Bool(false) => self.is(None, Some("false")),
            Value::Object(fields) => {
                // A CodeableConcept is its codings; a Coding has a code, an Identifier a value.
                if let Some(codings) = fields.get("coding") {
                    // A coding within a coding is no FHIR, and would be followed as deep as it goes.
                    let is_coding = |coding: &Value| coding.get("coding").is_none();
                    let mut codings = codings.as_array().into_iter().flatten();
                    return codings.any(|coding| is_coding(coding) && self.matches(coding));
                }
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                self.is(text("system"), text("code").or_else(|| text("value")))
            }
            Value::Null | Value::Number(_) | Value::Array(_) => false,
        }
    }

    fn is(&self, system: Option<&str>, code: Option<&str>) -> bool {
        let with_system = match system {
            Some(system) => self.of_systems.get(system),
            None => Some(&self.of_none),
        };
        code.is_some_and(|code| {
            self.codes.contains(code) || with_system.is_some_and(|codes| codes.contains(code))
        }) || system.is_some_and(|system| self.systems.contains(system))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(test: &str, element: &Value) -> bool {
        TokenTest::parse(&[test]).unwrap().matches(element)
    }

    #[test]
    fn system_and_code_are_told_apart() {
        let concept = json!({"coding": [
            {"system": "http://loinc.org", "code": "4548-4"},
            {"code": "local"},
        ], "text": "words"});
        for test in ["4548-4", "http://loinc.org|4548-4", "http://loinc.org|", "|local", "local"] {
            assert!(matches(test, &concept), "{test}");
        }
        for test in ["|4548-4", "http://loinc.org|local", "http://other.test|", "words", "4548"] {
            assert!(!matches(test, &concept), "{test}");
        }
    }

    #[test]
    fn any_of_many_is_enough() {
        let test = TokenTest::parse(&["a", "s|b", "s|c", "|d", "t|"]).unwrap();
        for (element, expected) in [
            (json!({"system": "s", "code": "a"}), true),
            (json!({"system": "s", "code": "b"}), true),
            (json!({"system": "s", "code": "c"}), true),
            (json!({"code": "d"}), true),
            (json!({"system": "t"}), true),
            (json!({"code": "b"}), false),
            (json!({"system": "u", "code": "b"}), false),
            (json!({"system": "s", "code": "d"}), false),
            (json!({"system": "s"}), false),
        ] {
            assert_eq!(test.matches(&element), expected, "{element}");
        }
        assert!(TokenTest::parse(&["a", "|"]).is_err(), "each has to be one");
    }

    #[test]
    fn every_type_of_token_is_compared() {
        assert!(matches("a|1", &json!({"system": "a", "value": "1"})));
        assert!(matches("a|1", &json!({"system": "a", "code": "1"})));
        assert!(matches("|1", &json!({"value": "1"})));
        assert!(matches("final", &json!("final")) && matches("|final", &json!("final")));
        assert!(!matches("s|final", &json!("final")) && !matches("Final", &json!("final")));
        assert!(matches("true", &json!(true)) && matches("false", &json!(false)));
        assert!(!matches("true", &json!(false)));
        for odd in [json!(null), json!(1), json!([]), json!({}), json!({"coding": "1"})] {
            assert!(!matches("1", &odd));
        }
    }

    #[test]
    fn deep_concepts_do_not_go_on() {
        assert!(!matches("1", &json!({"coding": [{"coding": [{"code": "1"}]}]})));
    }

    #[test]
    fn separators_can_be_escaped() {
        assert!(matches(r"a\|b|c\,d", &json!({"system": "a|b", "code": "c,d"})));
        assert!(matches(r"a\\|b", &json!({"system": r"a\", "code": "b"})));
        for text in ["", "|", "a|b|c", r"a\", r"a\b"] {
            assert!(TokenTest::parse(&[text]).is_err(), "{text}");
        }
    }
}
