//! Tokens as values of a search: codes, identifiers and the like (R4, Search, "token").

use serde_json::Value;

use super::escapes::{split, unescaped};

/// A token to look for. Both parts are compared to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenTest {
    /// `code`: of whatever system.
    Code(String),
    /// `system|code`, or `|code` for one without a system.
    Of(Option<String>, String),
    /// `system|`: whatever code.
    System(String),
}

impl TokenTest {
    /// A value that is still escaped.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text, '|').into_iter().map(unescaped);
        let parts = parts.collect::<Result<Vec<String>, String>>()?;
        let part = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        match parts.as_slice() {
            [code] => part(code).map(Self::Code),
            [system, code] => match (part(system), part(code)) {
                (system, Some(code)) => Some(Self::Of(system, code)),
                (system, None) => system.map(Self::System),
            },
            _ => None,
        }
        .ok_or_else(|| format!("`{text}` is no token"))
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
        match self {
            Self::Code(wanted) => code == Some(wanted),
            Self::Of(of, wanted) => code == Some(wanted) && system == of.as_deref(),
            Self::System(wanted) => system == Some(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(test: &str, element: &Value) -> bool {
        TokenTest::parse(test).unwrap().matches(element)
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
            assert!(TokenTest::parse(text).is_err(), "{text}");
        }
    }
}
