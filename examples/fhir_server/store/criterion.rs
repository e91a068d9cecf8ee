//! One search parameter with its value.

use serde_json::Value;

use super::date::{DateTest, Interval};
use super::parameters::{Kind, Parameter, is_type};
use super::reference::{Base, Reference, is_id};
use super::token::TokenTest;

#[derive(Clone, Debug)]
pub(crate) struct Criterion {
    base: Base,
    parameter: Parameter,
    /// The values between the commas; one that matches is enough.
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
enum Alternative {
    Token(TokenTest),
    /// An id, and the type that it is of where the search names one.
    Reference(Option<String>, String),
    Date(DateTest),
}

impl Criterion {
    /// The error is the reason why a search cannot have this parameter.
    pub(crate) fn parse(
        base: &Base,
        resource_type: &str,
        name: &str,
        value: &str,
    ) -> Result<Self, String> {
        if name == "_has" || name.starts_with("_has:") {
            return Err("`_has` is not supported".to_owned());
        }
        if name.contains('.') {
            return Err(format!("`{name}` is a chain, which is not supported"));
        }
        let (known_as, modifier) = match name.split_once(':') {
            Some((known_as, modifier)) => (known_as, Some(modifier)),
            None => (name, None),
        };
        let parameter = Parameter::find(resource_type, known_as)
            .ok_or_else(|| format!("search parameter `{known_as}` is not supported"))?;
        let has_type = parameter.kind == Kind::Reference && modifier.is_none_or(is_type);
        if modifier.is_some() && !has_type {
            return Err(format!("the modifier of `{name}` is not supported"));
        }
        let alternatives = split(value, ',').into_iter().map(|text| match parameter.kind {
            Kind::Token => TokenTest::parse(text).map(Alternative::Token),
            Kind::Date => DateTest::parse(&unescaped(text)?).map(Alternative::Date),
            Kind::Reference => reference(base, modifier, &unescaped(text)?),
        });
        let alternatives = alternatives.collect::<Result<_, String>>();
        let alternatives = alternatives.map_err(|error| format!("`{name}`: {error}"))?;
        Ok(Self { base: base.clone(), parameter, alternatives })
    }

    /// For a resource of the type that the criterion was made for.
    pub(crate) fn matches(&self, resource: &Value) -> bool {
        let elements = self.parameter.elements(resource);
        let references = self.parameter.references(&self.base, resource);
        self.alternatives.iter().any(|alternative| match alternative {
            Alternative::Token(test) => elements.iter().any(|element| test.matches(element)),
            Alternative::Date(test) => {
                let intervals = elements.iter().filter_map(|element| element.as_str());
                intervals.filter_map(Interval::parse).any(|interval| test.matches(interval))
            }
            Alternative::Reference(resource_type, id) => references.iter().any(|to| {
                to.id == *id && resource_type.as_ref().is_none_or(|name| to.resource_type == *name)
            }),
        })
    }
}

fn reference(base: &Base, modifier: Option<&str>, text: &str) -> Result<Alternative, String> {
    if is_id(text) {
        return Ok(Alternative::Reference(modifier.map(str::to_owned), text.to_owned()));
    }
    let Some(to) = base.reference(text).filter(|_| !text.contains("/_history/")) else {
        return Err(format!("`{text}` is no resource of this server"));
    };
    let Reference { resource_type, id } = to;
    if modifier.is_some_and(|modifier| modifier != resource_type) {
        return Err(format!("`{text}` is of another type"));
    }
    Ok(Alternative::Reference(Some(resource_type), id))
}

/// The parts between those separators that no backslash precedes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    let separates = |character: char| {
        let separates = !escaped && character == separator;
        escaped = !escaped && character == '\\';
        separates
    };
    text.split(separates).collect()
}

/// Without the backslashes before `,`, `|`, `$` and `\`, as R4 escapes search parameters.
pub(super) fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let meant = match character {
            '\\' => characters.next().filter(|next| r",|$\".contains(*next)),
            other => Some(other),
        };
        plain.push(meant.ok_or_else(|| format!("`{text}` has a backslash that escapes nothing"))?);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn criterion(resource_type: &str, name: &str, value: &str) -> Result<Criterion, String> {
        Criterion::parse(&Base::new("http://own.test/fhir"), resource_type, name, value)
    }

    fn observation() -> Value {
        json!({
            "resourceType": "Observation", "id": "o", "status": "final",
            "meta": {"lastUpdated": "2024-03-15T10:20:30.123Z"},
            "category": [{"coding": [{"system": "http://c.test", "code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
            "subject": {"reference": "Patient/1"},
            "performer": [
                {"reference": "Practitioner/p"},
                {"reference": "http://own.test/fhir/Organization/1"},
                {"reference": "http://other.test/fhir/Patient/2"},
            ],
        })
    }

    #[test]
    fn what_matches() {
        for (name, value) in [
            ("_id", "o"),
            ("_id", "x,o"),
            ("_lastUpdated", "2024"),
            ("_lastUpdated", "gt2025,lt2024-04"),
            ("status", "final,amended"),
            ("category", "laboratory"),
            ("category", "http://c.test|laboratory"),
            ("category", "vital-signs,http://c.test|"),
            ("code", "http://loinc.org|4548-4"),
            ("patient", "1"),
            ("patient", "Patient/1"),
            ("patient", "Patient/2,http://own.test/fhir/Patient/1"),
            ("patient:Patient", "1"),
            ("subject:Patient", "Patient/1"),
            ("performer", "1"),
            ("performer:Organization", "1"),
            ("performer", "Practitioner/p"),
        ] {
            assert!(
                criterion("Observation", name, value).unwrap().matches(&observation()),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn what_does_not_match() {
        for (name, value) in [
            ("_id", "O"),
            ("_lastUpdated", "ne2024"),
            ("status", "amended"),
            ("category", "http://d.test|laboratory"),
            ("category", r"laboratory\,"),
            ("patient", "2"),
            ("patient", "Group/1"),
            ("patient:Group", "1"),
            ("performer", "2"),
            ("performer", "Patient/2"),
            ("performer", "Patient/1"),
            ("encounter", "e"),
            ("identifier", "o"),
        ] {
            assert!(
                !criterion("Observation", name, value).unwrap().matches(&observation()),
                "{name}={value}"
            );
        }
        for odd in [json!(null), json!([]), json!({"resourceType": "Observation"})] {
            assert!(!criterion("Observation", "_lastUpdated", "ne2024").unwrap().matches(&odd));
        }
    }

    #[test]
    fn what_is_refused() {
        for (name, value) in [
            ("unknown", "1"),
            ("", "1"),
            ("_count", "1"),
            ("combo-code", "1"),
            ("status:not", "final"),
            ("status:missing", "true"),
            ("code:in", "http://v.test"),
            ("status:Patient", "final"),
            ("patient:missing", "false"),
            ("patient:identifier", "a|b"),
            ("patient:", "1"),
            ("patient:Nothing", "1"),
            ("patient.name", "x"),
            ("subject:Patient.name", "x"),
            ("_has:Group:member:_id", "g"),
            ("_id:missing", "false"),
            ("_id", ""),
            ("_id", "a,"),
            ("status", r"final\"),
            ("patient", ""),
            ("patient", "1,,2"),
            ("patient", "patient/1"),
            ("patient", "Patient/"),
            ("patient", "Patient/1/_history/1"),
            ("patient", "http://other.test/fhir/Patient/1"),
            ("patient", "urn:uuid:1"),
            ("patient:Group", "Patient/1"),
            ("_lastUpdated", "yesterday"),
            ("_lastUpdated", "ap2024"),
        ] {
            let error = criterion("Observation", name, value).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{name}={value}");
        }
        assert!(criterion("Patient", "patient", "1").is_err());
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(unescaped(r"a\,b\|c\$d\\e").unwrap(), r"a,b|c$d\e");
        assert!(unescaped(r"\").is_err() && unescaped(r"\n").is_err());
    }
}
