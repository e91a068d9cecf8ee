//! The faults of addresses that are no interaction: what is wrong, and what is probably meant.

mod diagnosis;
mod problem;

use std::fmt;

use http::Method;
use http::uri::PathAndQuery;

use self::diagnosis::Request;
pub use self::problem::AddressProblem;
use crate::display_safe::sanitize;
use crate::fhir::base_url::BaseUrl;
use crate::fhir::resource_type::ResourceTypes;

/// The fault of an address that is no interaction of FHIR, with the address that is probably meant.
/// `Display` is one sentence. It tells nothing of the query, and no part of the path that could be a
/// token.
///
/// ```
/// use http::{HeaderMap, Method};
/// use tower_fhir_auth::Interaction;
/// use tower_fhir_auth::fhir::BaseUrl;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let address = "/r4/patient/1".parse()?;
/// let interaction = Interaction::parse(&base, &Method::GET, &address, &HeaderMap::new());
/// let fault = interaction.address_fault();
/// assert_eq!(fault.as_ref().and_then(|fault| fault.intended()), Some("/r4/Patient/1"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFault {
    problem: AddressProblem,
    intended: Option<Box<str>>,
}

impl AddressFault {
    /// Finds the fault of an address that is no interaction.
    pub(in crate::fhir::interaction) fn of(
        base: &BaseUrl,
        types: &ResourceTypes,
        method: &Method,
        address: Option<&PathAndQuery>,
    ) -> Self {
        let Some(address) = address else {
            return AddressProblem::Unreadable.into();
        };
        let has_query = address.query().is_some_and(|query| !query.is_empty());
        let request = Request { types, method, has_query };
        let problem = request.problem(base, address.path());
        Self { problem, intended: request.mended(base, address.path()).map(Into::into) }
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &AddressProblem {
        &self.problem
    }

    /// Returns the path that is probably meant, where one without the fault is an interaction with
    /// the same method and query.
    #[must_use]
    pub fn intended(&self) -> Option<&str> {
        self.intended.as_deref()
    }
}

impl From<AddressProblem> for AddressFault {
    fn from(problem: AddressProblem) -> Self {
        Self { problem, intended: None }
    }
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address is not a FHIR interaction: {}", self.problem)?;
        match self.intended() {
            Some(intended) => write!(f, " (`{}` would be one)", sanitize(intended)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::fhir::Interaction;
    use AddressProblem as P;

    fn fault_at(base: &str, method: &str, uri: &str) -> Option<AddressFault> {
        let types = ResourceTypes::r4().with(["Note"]).unwrap();
        let (base, method) = (base.parse().unwrap(), method.parse().unwrap());
        let (uri, headers) = (uri.parse().unwrap(), HeaderMap::new());
        Interaction::parse_with_types(&base, &types, &method, &uri, &headers).address_fault()
    }

    fn id_with(character: char) -> P {
        P::IdCharacter { character }
    }

    fn other_case(name: &str) -> P {
        P::TypeInOtherCase { resource_type: name.to_owned() }
    }

    fn unknown(name: &str, is_of_later_version: bool) -> P {
        P::UnknownType { name: Some(name.to_owned()), is_of_later_version }
    }

    #[test]
    fn each_problem_is_told_with_what_was_probably_meant() {
        let outside = || P::OutsideBase { base: "https://h/r4".to_owned() };
        let long = "a".repeat(70);
        for (method, uri, problem, intended) in [
            ("GET", "/Patient/1", outside(), Some("/r4/Patient/1")),
            ("GET", "/r5/Patient/1", outside(), None),
            ("GET", "/other", outside(), None),
            ("GET", "/r4/r4/Patient/1", P::BaseRepeated, Some("/r4/Patient/1")),
            ("GET", "/r4/r4/r4/Patient/1", P::BaseRepeated, Some("/r4/Patient/1")),
            ("GET", "/r4/Patient/", P::TrailingSlash, Some("/r4/Patient")),
            ("GET", "/r4/Patient/1/", P::TrailingSlash, Some("/r4/Patient/1")),
            ("PUT", "/r4/Patient/?identifier=x", P::TrailingSlash, Some("/r4/Patient")),
            ("PUT", "/r4/Patient/", P::TrailingSlash, None),
            ("GET", "/r4//Patient/1", P::EmptySegment, Some("/r4/Patient/1")),
            ("GET", "/r4/patient//1/", P::EmptySegment, Some("/r4/Patient/1")),
            // Nothing is looked for that so long an address could mean.
            ("GET", &format!("/r4{}Patient/1", "/".repeat(600)), P::EmptySegment, None),
            ("GET", "/r4/Patient/../Observation", P::DotSegment, None),
            ("GET", "/r4/./Patient", P::DotSegment, None),
            ("GET", "/r4/Pa%74ient/1", P::PercentEncoding, Some("/r4/Patient/1")),
            ("GET", "/r4/Patient%2F1", P::PercentEncoding, Some("/r4/Patient/1")),
            ("GET", "/r4/Patient/%2e%2e/1", P::PercentEncoding, None),
            ("GET", "/r4/Patient/%ff", P::Undecodable, None),
            ("GET", "/r4/Patient/%zz", P::Undecodable, None),
            ("GET", "/r4/Patient/1%", P::Undecodable, None),
            ("GET", "/r4/patient/1", other_case("Patient"), Some("/r4/Patient/1")),
            ("GET", "/r4/NOTE", other_case("Note"), Some("/r4/Note")),
            (
                "GET",
                "/r4/Patient/1/obserVation",
                other_case("Observation"),
                Some("/r4/Patient/1/Observation"),
            ),
            ("GET", "/r4/Foo/1", unknown("Foo", false), None),
            ("GET", "/r4/Transport/1", unknown("Transport", true), None),
            ("GET", "/r4/Patient/1/Foo", unknown("Foo", false), None),
            ("GET", "/r4/other", unknown("other", false), None),
            ("GET", "/r4/Patient;x/1", unknown("Patient;x", false), None),
            (
                "GET",
                &format!("/r4/{long}/1"),
                P::UnknownType { name: None, is_of_later_version: false },
                None,
            ),
            ("GET", "/r4/Patient/an_id", id_with('_'), None),
            ("GET", "/r4/Patient/an-id.of_mine", id_with('_'), None),
            ("GET", "/r4/Patient/1;x", id_with(';'), None),
            ("GET", "/r4/Patient/1/_history/a_b", id_with('_'), None),
            ("GET", &format!("/r4/Patient/{long}"), P::IdLength { length: 70 }, None),
            (
                "TRACE",
                "/r4/Patient/1",
                P::Method { allowed: vec!["GET", "PUT", "PATCH", "DELETE"] },
                None,
            ),
            (
                "POST",
                "/r4/Patient/1",
                P::Method { allowed: vec!["GET", "PUT", "PATCH", "DELETE"] },
                None,
            ),
            ("PUT", "/r4/$export", P::Method { allowed: vec!["GET", "POST"] }, None),
            ("PUT", "/r4/%24export", P::Method { allowed: vec!["GET", "POST"] }, None),
            ("PUT", "/r4/Patient", P::QueryMissing, None),
            ("GET", "/r4", P::QueryMissing, None),
            ("DELETE", "/r4", P::Method { allowed: vec!["POST"] }, None),
            ("GET", "/r4/Patient/1/_history/2/3", P::Shape, None),
            ("GET", "/r4/_operations", P::Shape, None),
            ("GET", "/r4/Patient/$", P::Shape, None),
            ("GET", "/r4/Patient/1/Observation/2", P::Shape, None),
        ] {
            let fault = fault_at("https://h/r4", method, uri).unwrap();
            let expected = AddressFault { problem, intended: intended.map(Into::into) };
            assert_eq!(fault, expected, "{method} {uri}");
        }
        assert_eq!(fault_at("https://h/r4", "GET", "/r4/Note/1"), None);
        let at_root = fault_at("https://h", "GET", "/Patient//1").unwrap();
        assert_eq!(at_root.problem(), &P::EmptySegment);
        assert_eq!(at_root.intended(), Some("/Patient/1"));
        let authority = fault_at("https://h", "CONNECT", "h:443").unwrap();
        assert_eq!(authority, P::Unreadable.into());
    }

    #[test]
    fn the_intended_path_is_an_interaction_with_the_same_method() {
        for uri in ["/r4/r4//Pa%74ient/1/", "/patient/1/observation", "/r4/note//_history/"] {
            let intended = fault_at("https://h/r4", "GET", uri).unwrap();
            let intended = intended.intended().unwrap();
            assert_eq!(fault_at("https://h/r4", "GET", intended), None, "{uri} {intended}");
        }
    }

    #[test]
    fn a_type_that_is_declared_is_meant_as_it_stands() {
        let types = ResourceTypes::r4().with(["NOTE", "Note"]).unwrap();
        let (base, uri) = ("https://h/r4".parse().unwrap(), "/r4/Note//1".parse().unwrap());
        let headers = HeaderMap::new();
        let found = Interaction::parse_with_types(&base, &types, &Method::GET, &uri, &headers);
        assert_eq!(found.address_fault().unwrap().intended(), Some("/r4/Note/1"));
    }

    #[test]
    fn what_could_be_a_token_is_not_repeated() {
        for uri in [
            "/r4/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
            "/r4/Patient/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln/",
            "/r4/Patient/eyJhbGciOiJFUzI1NiJ9%2eeyJzdWIiOiJ4In0%2Ec2ln",
            "/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        ] {
            let fault = fault_at("https://h/r4", "GET", uri).unwrap();
            assert!(!format!("{fault} {fault:?}").contains("eyJ"), "{fault}");
        }
        let oid = fault_at("https://h/r4", "GET", "/r4/patient/1.2.840.113").unwrap();
        assert_eq!(oid.intended(), Some("/r4/Patient/1.2.840.113"));
    }

    #[test]
    fn a_fault_reads_as_one_sentence() {
        let fault = fault_at("https://h/r4", "GET", "/r4/Patient/").unwrap();
        let text = "the address is not a FHIR interaction: it ends in a slash (`/r4/Patient` would \
                    be one)";
        assert_eq!(fault.to_string(), text);
    }
}
