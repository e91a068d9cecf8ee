//! One search parameter with its value, and the resources that match it.

use std::collections::HashSet;

use serde_json::Value;

use super::date::DateTest;
use super::elements::{any_at, paths};
use super::escapes::{split, unescaped};
use super::number::{NumberTest, QuantityTest};
use super::parameter::{Kind, SearchParameter};
use super::reference::ReferenceTest;
use super::string::StringTest;
use super::token::TokenTest;
use crate::fhir::BaseUrl;
use crate::fhir::resource_type::is_like_a_type;

/// The most values between the commas of one parameter.
const MAX_VALUES: usize = 256;

/// The most of those that are in an order, and so compared one by one with each element: dates, numbers and quantities.
const MAX_ORDERED: usize = 16;

/// A search parameter with its value, such as `category=laboratory`, for the resources of one type
/// (R4, <https://hl7.org/fhir/R4/search.html>).
///
/// ```
/// use serde_json::json;
/// use tower_fhir_auth::fhir::BaseUrl;
/// use tower_fhir_auth::fhir::search::Criterion;
///
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let of_march = Criterion::parse(&base, "Observation", "date", "2024-03")?;
/// assert!(of_march.matches(&json!({"effectiveDateTime": "2024-03-15T10:20:30Z"})));
/// assert!(!of_march.matches(&json!({"effectivePeriod": {"start": "2024-03-31"}})));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Criterion {
    base: BaseUrl,
    elements: &'static str,
    test: Test,
}

/// The reason why a parameter cannot be evaluated.
///
/// ```
/// use tower_fhir_auth::fhir::BaseUrl;
/// use tower_fhir_auth::fhir::search::Criterion;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let error = Criterion::parse(&base, "Observation", "colour", "red").unwrap_err();
/// println!("{error}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CriterionError {
    /// R4 has no such parameter for the type.
    #[error("it has no search parameter of this name")]
    Unknown,
    /// It is a chain, `_has` or the like, or has a modifier other than the type of a reference.
    #[error("chains, `_has` and modifiers are not supported")]
    NotPlain,
    /// The official definition of the parameter reads more than elements of the resource.
    #[error("the parameter cannot be evaluated from the resource alone")]
    NotEvaluable,
    /// The value is none for a parameter of this type: what is wrong with it.
    #[error("{0}")]
    Value(String),
    /// It has more than 256 values, separated by commas, or more than 16 dates, numbers or quantities.
    #[error(
        "at most {MAX_VALUES} values are compared, and {MAX_ORDERED} dates, numbers or quantities"
    )]
    TooManyValues,
}

/// The values between the commas, any one of which is enough.
#[derive(Clone, Debug)]
enum Test {
    Date(Vec<DateTest>),
    Number(Vec<NumberTest>),
    Quantity(Vec<QuantityTest>),
    Reference(ReferenceTest),
    String(StringTest),
    Token(TokenTest),
    Uri(HashSet<String>),
}

impl Criterion {
    /// Reads a decoded name, which for a reference may have the modifier of its type (`subject:Patient`), and
    /// a decoded value, in which a comma that no backslash precedes separates alternatives.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be evaluated.
    pub fn parse(
        base: &BaseUrl,
        resource_type: &str,
        name: &str,
        value: &str,
    ) -> Result<Self, CriterionError> {
        let (name, modifier) = match name.split_once(':') {
            Some((name, modifier)) => (name, Some(modifier)),
            None => (name, None),
        };
        if name.contains('.') || name == "_has" {
            return Err(CriterionError::NotPlain);
        }
        let SearchParameter { kind, elements, .. } =
            SearchParameter::find(resource_type, name).ok_or(CriterionError::Unknown)?;
        if modifier.is_some_and(|modifier| kind != Kind::Reference || !is_like_a_type(modifier)) {
            return Err(CriterionError::NotPlain);
        }
        if elements.is_empty() {
            return Err(CriterionError::NotEvaluable);
        }
        let values = split(value, ',');
        let most = match kind {
            Kind::Date | Kind::Number | Kind::Quantity => MAX_ORDERED,
            Kind::Reference
            | Kind::String
            | Kind::Token
            | Kind::Uri
            | Kind::Composite
            | Kind::Special => MAX_VALUES,
        };
        if values.len() > most {
            return Err(CriterionError::TooManyValues);
        }
        let test = Test::parse(base, (kind, modifier), &values).map_err(CriterionError::Value)?;
        Ok(Self { base: base.clone(), elements, test })
    }

    /// Reports whether a resource of the type matches. What cannot be compared does not match.
    #[must_use]
    pub fn matches(&self, resource: &Value) -> bool {
        paths(self.elements).any(|(path, target)| {
            any_at(resource, path, &mut |element| self.test.fits(element, target, &self.base))
        })
    }
}

impl Test {
    fn parse(
        base: &BaseUrl,
        (kind, modifier): (Kind, Option<&str>),
        values: &[&str],
    ) -> Result<Self, String> {
        let plain = || values.iter().map(|text| unescaped(text));
        let all = || plain().collect::<Result<Vec<String>, String>>();
        Ok(match kind {
            Kind::Token => Self::Token(TokenTest::parse(values)?),
            Kind::Quantity => {
                let each = values.iter().map(|text| QuantityTest::parse(text));
                Self::Quantity(each.collect::<Result<_, _>>()?)
            }
            Kind::Date => {
                Self::Date(plain().map(|text| DateTest::parse(&text?)).collect::<Result<_, _>>()?)
            }
            Kind::Number => {
                let each = plain().map(|text| NumberTest::parse(&text?));
                Self::Number(each.collect::<Result<_, _>>()?)
            }
            Kind::Reference => Self::Reference(ReferenceTest::parse(base, modifier, all()?)?),
            Kind::String => Self::String(StringTest::parse(all()?)?),
            Kind::Uri if values.contains(&"") => return Err("the value is empty".to_owned()),
            Kind::Uri => Self::Uri(all()?.into_iter().collect()),
            Kind::Composite | Kind::Special => return Err("the parameter is not plain".to_owned()),
        })
    }

    /// Compares an element; of references, where `target` names a type, those to it alone count.
    fn fits(&self, element: &Value, target: Option<&str>, base: &BaseUrl) -> bool {
        match self {
            Self::Date(tests) => tests.iter().any(|test| test.matches(element)),
            Self::Number(tests) => tests.iter().any(|test| test.matches(element)),
            Self::Quantity(tests) => tests.iter().any(|test| test.matches(element)),
            Self::Reference(test) => test.matches(element, target, base),
            Self::String(test) => test.matches(element),
            Self::Token(test) => test.matches(element),
            Self::Uri(wanted) => element.as_str().is_some_and(|text| wanted.contains(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn criterion(
        resource_type: &str,
        name: &str,
        value: &str,
    ) -> Result<Criterion, CriterionError> {
        let base = "https://own.test/fhir".parse().unwrap();
        Criterion::parse(&base, resource_type, name, value)
    }

    fn observation() -> Value {
        json!({
            "resourceType": "Observation", "id": "o", "status": "final",
            "meta": {"lastUpdated": "2024-03-15T10:20:30.123Z", "tag": [{"system": "s", "code": "t"}],
                "profile": ["http://p.test/a"]},
            "category": [{"coding": [{"system": "http://c.test", "code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
            "subject": {"reference": "Patient/1"},
            "effectivePeriod": {"start": "2024-03-14", "end": "2024-03-15"},
            "valueQuantity": {"value": 5.4, "system": "http://unitsofmeasure.org", "code": "mmol/L"},
            "component": [
                {"code": {"coding": [{"code": "8480-6"}]}},
                {"code": {"coding": [{"code": "8462-4"}]}},
            ],
            "performer": [
                {"reference": "Practitioner/p"},
                {"reference": "https://own.test/fhir/Organization/1/_history/2"},
                {"reference": "https://other.test/fhir/Patient/2"},
            ],
        })
    }

    #[test]
    fn each_type_of_parameter_finds_what_its_definition_reads() {
        for (name, value) in [
            ("_id", "x,o"),
            ("_lastUpdated", "gt2025,lt2024-04"),
            ("_tag", "s|t"),
            ("_profile", "http://p.test/a"),
            ("status", "final,amended"),
            ("category", "http://c.test|laboratory"),
            ("code", "http://loinc.org|85354-9"),
            ("combo-code", "8462-4"),
            ("component-code", "8480-6"),
            ("date", "2024-03"),
            ("value-quantity", "5.4||mmol/L"),
            ("patient", "1"),
            ("subject", "Patient/1"),
            ("patient", "Patient/2,https://own.test/fhir/Patient/1"),
            ("subject:Patient", "1"),
            ("performer", "Organization/1"),
            ("performer:Organization", "1"),
            ("performer", "https://other.test/fhir/Patient/2"),
        ] {
            assert!(
                criterion("Observation", name, value).unwrap().matches(&observation()),
                "{name}={value}"
            );
        }
        for (name, value) in [
            ("_id", "O"),
            ("_lastUpdated", "ne2024"),
            ("_tag", "t|s"),
            ("_profile", "http://p.test"),
            ("status", "amended"),
            ("category", r"laboratory\,"),
            ("code", "8480-6"),
            ("component-code", "85354-9"),
            ("date", "2024-03-14"),
            ("value-quantity", "5.4||mg"),
            ("patient", "2"),
            ("patient", "Group/1"),
            ("performer", "2"),
            ("performer", "Patient/2"),
            ("encounter", "e"),
            ("focus", "1"),
        ] {
            assert!(
                !criterion("Observation", name, value).unwrap().matches(&observation()),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn a_parameter_for_references_to_one_type_finds_none_to_another() {
        let elsewhere = "https://other.test/fhir/Patient/2";
        for (name, value, subject, expected) in [
            ("patient", "1", "Patient/1", true),
            ("patient", "1", "Group/1", false),
            ("patient", "Group/1", "Group/1", false),
            ("subject", "1", "Group/1", true),
            ("subject", "Group/1", "Group/1", true),
            ("subject", elsewhere, elsewhere, true),
            // Of what type something elsewhere is, only its server can tell.
            ("patient", elsewhere, elsewhere, false),
        ] {
            let resource = json!({"subject": {"reference": subject}});
            let found = criterion("Observation", name, value).unwrap().matches(&resource);
            assert_eq!(found, expected, "{name}={value} of {subject}");
        }
    }

    #[test]
    fn elements_with_a_condition_count_where_it_holds() {
        let patient = json!({
            "birthDate": "1980-02-29", "name": [{"family": "Okafor", "given": ["Amara", "J."]}],
            "address": [{"city": "Lagos", "line": ["1 Main St"]}],
            "telecom": [{"system": "phone", "value": "555"}, {"system": "email", "value": "a@b.test"}],
        });
        let matches = |name, value| criterion("Patient", name, value).unwrap().matches(&patient);
        assert!(
            matches("phone", "555") && matches("email", "a@b.test") && matches("telecom", "555")
        );
        assert!(!matches("email", "555") && !matches("phone", "a@b.test"));
        for (name, value) in [
            ("name", "ama"),
            ("family", "OKA"),
            ("given", "j."),
            ("address", "1 main"),
            ("address-city", "Lagos"),
            ("birthdate", "1980"),
        ] {
            assert!(matches(name, value), "{name}={value}");
        }
        for (name, value) in
            [("name", "mara"), ("given", "okafor"), ("address-city", "Main"), ("birthdate", "1981")]
        {
            assert!(!matches(name, value), "{name}={value}");
        }
    }

    #[test]
    fn canonical_references_are_compared_with_and_without_their_version() {
        let measure = json!({"library": ["http://l.test/a|1.0"]});
        let matches = |value| criterion("Measure", "depends-on", value).unwrap().matches(&measure);
        assert!(matches("http://l.test/a") && matches(r"http://l.test/a\|1.0"));
        assert!(!matches("http://l.test") && !matches(r"http://l.test/a\|2.0"));
    }

    #[test]
    fn what_cannot_be_evaluated_says_so() {
        for (name, value, error) in [
            ("unknown", "1", CriterionError::Unknown),
            ("_count", "1", CriterionError::Unknown),
            ("status:not", "final", CriterionError::NotPlain),
            ("status:Patient", "final", CriterionError::NotPlain),
            ("patient:missing", "false", CriterionError::NotPlain),
            ("patient.name", "x", CriterionError::NotPlain),
            ("_has:Group:member:_id", "g", CriterionError::NotPlain),
            ("code-value-quantity", "a$5", CriterionError::NotEvaluable),
            ("gene-identifier", "x", CriterionError::NotEvaluable),
        ] {
            assert_eq!(criterion("Observation", name, value).unwrap_err(), error, "{name}");
        }
        for (name, value) in [
            ("_id", ""),
            ("_id", "a,"),
            ("status", r"final\"),
            ("patient", ""),
            ("patient", "patient/1"),
            ("patient", "Patient/1/_history/1"),
            ("patient", "urn:uuid:1"),
            ("subject:Group", "Patient/1"),
            ("subject:Patient", "https://other.test/fhir/Patient/1"),
            ("date", "yesterday"),
            ("value-quantity", "much"),
            ("_profile", ""),
        ] {
            let error = criterion("Observation", name, value).unwrap_err();
            assert!(matches!(error, CriterionError::Value(_)), "{name}={value}: {error}");
        }
        for value in ["", "a,"] {
            let error = criterion("Patient", "name", value).unwrap_err();
            assert!(matches!(error, CriterionError::Value(_)), "{value}: {error}");
        }
        let many = vec!["a"; 257].join(",");
        assert_eq!(
            criterion("Observation", "status", &many).unwrap_err(),
            CriterionError::TooManyValues
        );
        assert!(criterion("Observation", "status", &vec!["a"; 256].join(",")).is_ok());
        for (name, value) in [("date", "2024"), ("value-quantity", "5")] {
            let values = |count: usize| vec![value; count].join(",");
            assert!(criterion("Observation", name, &values(16)).is_ok());
            let many = criterion("Observation", name, &values(17));
            assert_eq!(many.unwrap_err(), CriterionError::TooManyValues, "{name}");
        }
    }

    #[test]
    fn shapes_that_are_no_fhir_do_not_match() {
        for odd in [
            json!(null),
            json!([]),
            json!({"status": [["final"]]}),
            json!({"status": {"x": "final"}}),
        ] {
            assert!(!criterion("Observation", "status", "final").unwrap().matches(&odd), "{odd}");
        }
    }

    #[test]
    fn a_number_is_compared_as_its_definition_reads_it() {
        let chance = |value: &str| criterion("RiskAssessment", "probability", value);
        let resource = json!({"prediction": [
            {"probabilityRange": {"low": {"value": 5}}}, {"probabilityDecimal": 0.8},
        ]});
        for (value, expected) in [
            ("0.8", true),
            ("gt0.75", true),
            ("0.1,0.8", true),
            ("0.9", false),
            ("5", false),
            ("lt0.8", false),
        ] {
            assert_eq!(chance(value).unwrap().matches(&resource), expected, "{value}");
        }
        for value in ["", "high", "0.8,", "sa0.8", "eb0.8"] {
            let error = chance(value).unwrap_err();
            assert!(matches!(error, CriterionError::Value(_)), "{value}: {error}");
        }
        assert!(chance(&["1"; 16].join(",")).is_ok());
        let many = chance(&["1"; 17].join(","));
        assert_eq!(many.unwrap_err(), CriterionError::TooManyValues);
    }
}
