//! The faults of addresses that are no interaction: what is wrong, and what is probably meant.

use std::fmt;

use http::Method;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use super::InteractionKind;
use super::route::{Route, is_id, operation, segments};
use crate::display_safe::sanitize;
use crate::fhir::base_url::BaseUrl;
use crate::fhir::resource_type::{ResourceTypes, is_of_a_later_version};

/// The fault of an address that is no interaction of FHIR, with the address that is probably meant.
/// `Display` is one sentence. It tells nothing of the query, and no part of the path that could be a
/// token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFault {
    problem: AddressProblem,
    intended: Option<Box<str>>,
}

/// The problem of an address that is no interaction of FHIR (R4 section 3.1.0.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressProblem {
    /// A path outside that of the base URL.
    #[non_exhaustive]
    OutsideBase {
        /// The base URL.
        base: String,
    },
    /// A path that has that of the base URL twice.
    BaseRepeated,
    /// A slash at the end.
    TrailingSlash,
    /// Two slashes with nothing between them.
    EmptySegment,
    /// A segment `.` or `..`.
    DotSegment,
    /// A percent-encoded octet other than `%24` before the name of an operation.
    PercentEncoding,
    /// A percent-encoding that is broken, or is not UTF-8.
    Undecodable,
    /// The name of a resource type in another case.
    #[non_exhaustive]
    TypeInOtherCase {
        /// The type as it is spelled.
        resource_type: String,
    },
    /// A name that is no resource type of R4, and none that the application declares.
    #[non_exhaustive]
    UnknownType {
        /// The name, where it is short and cannot be a token.
        name: Option<String>,
        /// True for a type of R4B or R5.
        is_of_later_version: bool,
    },
    /// An id with a character that FHIR does not allow (R4 datatype `id`).
    #[non_exhaustive]
    IdCharacter {
        /// The first of these characters.
        character: char,
    },
    /// An id of more than 64 characters.
    #[non_exhaustive]
    IdLength {
        /// The number of its characters.
        length: usize,
    },
    /// A method that has no interaction at this address, where others have.
    #[non_exhaustive]
    Method {
        /// The methods that have one.
        allowed: Vec<&'static str>,
    },
    /// An interaction that needs a query.
    QueryMissing,
    /// No interaction has an address of this shape.
    Shape,
    /// A `request.url` of a bundle with a leading slash and something that cannot follow it.
    LeadingSlash,
    /// A `request.url` of a bundle with a fragment.
    Fragment,
    /// A `request.url` of a bundle that is absolute, and not below the base URL.
    OtherBase,
    /// A string that cannot be read as an address.
    Unreadable,
}

/// The longest path for which the intended one is looked for, in bytes.
const MAX_MENDED: usize = 512;

/// The methods of FHIR's interactions.
static METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

impl AddressFault {
    /// Finds the fault of an address that is no interaction.
    pub(super) fn of(
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

/// A request but for its path.
struct Request<'a> {
    types: &'a ResourceTypes,
    method: &'a Method,
    has_query: bool,
}

impl Request<'_> {
    /// Returns the first problem in the order in which they are listed.
    fn problem(&self, base: &BaseUrl, path: &str) -> AddressProblem {
        let Some(below) = base.below(path) else {
            return AddressProblem::OutsideBase { base: base.as_str().to_owned() };
        };
        if !base.path().is_empty() && base.below(below).is_some() {
            return AddressProblem::BaseRepeated;
        }
        let segments = segments(below);
        let is_encoded = |segment: &&str| match operation(segment) {
            Some(_) => false,
            None => segment.contains('%'),
        };
        if segments.iter().any(is_encoded) {
            let is_readable = decoded(below).is_some();
            return if is_readable {
                AddressProblem::PercentEncoding
            } else {
                AddressProblem::Undecodable
            };
        }
        match segments.as_slice() {
            all if all.iter().any(|segment| matches!(*segment, "." | "..")) => {
                AddressProblem::DotSegment
            }
            [earlier @ .., _] if earlier.contains(&"") => AddressProblem::EmptySegment,
            [_, .., ""] => AddressProblem::TrailingSlash,
            all => self.problem_of_shape(all),
        }
    }

    fn problem_of_shape(&self, segments: &[&str]) -> AddressProblem {
        let has = |method: &Method, has_query| {
            let route = Route::from_segments(self.types, method, segments, has_query);
            route.kind != InteractionKind::Unknown
        };
        if !self.has_query && has(self.method, true) {
            return AddressProblem::QueryMissing;
        }
        let allowed = METHODS.iter().filter(|method| has(method, self.has_query));
        let allowed: Vec<&'static str> = allowed.map(name_of).collect();
        if !allowed.is_empty() {
            return AddressProblem::Method { allowed };
        }
        let is_special = |segment: &str| segment.starts_with(['_', '$', '*']);
        match segments {
            [name, ..] if is_special(name) => AddressProblem::Shape,
            [name, ..] if !self.types.contains(name) => self.problem_of_type(name),
            [_, id, ..] if is_special(id) => AddressProblem::Shape,
            [_, id, ..] if !is_id(id) => problem_of_id(id),
            [_, _, "_history", version, ..] if !is_id(version) => problem_of_id(version),
            [_, _, name, ..] if !is_special(name) && !self.types.contains(name) => {
                self.problem_of_type(name)
            }
            _ => AddressProblem::Shape,
        }
    }

    fn problem_of_type(&self, name: &str) -> AddressProblem {
        if let Some(known) = self.types.in_other_case(name) {
            return AddressProblem::TypeInOtherCase { resource_type: known.to_owned() };
        }
        AddressProblem::UnknownType {
            name: (name.len() <= 64 && !may_be_token(name)).then(|| name.to_owned()),
            is_of_later_version: is_of_a_later_version(name),
        }
    }

    /// Returns the path that a mended one would have, if it is an interaction: decoded, below the
    /// base once, without empty segments, types in their own case.
    fn mended(&self, base: &BaseUrl, path: &str) -> Option<String> {
        if path.len() > MAX_MENDED {
            return None;
        }
        let path = decoded(path)?;
        let mut below = &*path;
        while let Some(rest) = base.below(below).filter(|_| !base.path().is_empty()) {
            below = rest;
        }
        let segments = below.split('/').filter(|segment| !segment.is_empty());
        let segments = segments.enumerate().map(|(place, segment)| match place {
            0 | 2 if !self.types.contains(segment) => {
                self.types.in_other_case(segment).unwrap_or(segment)
            }
            _ => segment,
        });
        let segments: Vec<&str> = segments.collect();
        let route = Route::from_segments(self.types, self.method, &segments, self.has_query);
        let is_shown = !segments.iter().any(|segment| may_be_token(segment));
        let mended = format!("{}/{}", base.path(), segments.join("/"));
        (route.kind != InteractionKind::Unknown && is_shown).then_some(mended)
    }
}

/// Decodes a path, if every escape is whole and the text is UTF-8.
fn decoded(path: &str) -> Option<String> {
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut escapes = path.split('%').skip(1);
    let whole = escapes.all(|rest| rest.get(..2).is_some_and(is_hexadecimal));
    let text = percent_decode_str(path).decode_utf8().ok().filter(|_| whole)?;
    Some(text.into_owned())
}

fn problem_of_id(id: &str) -> AddressProblem {
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "-.".contains(*character);
    let length = id.chars().count();
    match id.chars().find(|character| !allowed(character)) {
        Some(character) => AddressProblem::IdCharacter { character },
        None if length > 64 => AddressProblem::IdLength { length },
        None => AddressProblem::Shape,
    }
}

/// Reports whether a segment could be, or could hold, a JWT. An OID is none.
fn may_be_token(segment: &str) -> bool {
    let dots = segment.bytes().filter(|byte| *byte == b'.').count();
    dots >= 2 && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "DELETE",
    }
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address is no interaction of FHIR: {}", self.problem)?;
        match self.intended() {
            Some(intended) => write!(f, " (`{}` would be one)", sanitize(intended)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Self::OutsideBase { base } => {
                return write!(f, "it is outside the base URL `{}`", sanitize(base));
            }
            Self::BaseRepeated => "it has the path of the base URL twice",
            Self::TrailingSlash => "it ends in a slash",
            Self::EmptySegment => "it has two slashes with nothing between them",
            Self::DotSegment => "it has a segment of dots alone",
            Self::PercentEncoding => {
                "it is percent-encoded, and only the `$` of an operation may be"
            }
            Self::Undecodable => "its percent-encoding cannot be decoded",
            Self::TypeInOtherCase { resource_type } => {
                return write!(f, "the resource type is spelled `{}`", sanitize(resource_type));
            }
            Self::UnknownType { name, .. } => {
                let name = name.as_deref().map(|name| format!("`{}`", sanitize(name)));
                let name = name.unwrap_or_else(|| "its first part".to_owned());
                return write!(
                    f,
                    "{name} is no resource type of R4, and none that this application declares"
                );
            }
            Self::IdCharacter { character } => {
                let character = sanitize(&character.to_string());
                return write!(
                    f,
                    "an id has letters, digits, `-` and `.` alone, and this one has `{character}`"
                );
            }
            Self::IdLength { length } => {
                return write!(f, "an id has at most 64 characters, and this one has {length}");
            }
            Self::Method { allowed } => {
                let allowed = allowed.join(", ");
                return write!(f, "it has none with this method, but with {allowed}");
            }
            Self::QueryMissing => "with this method it needs a query",
            Self::Shape => "none has an address of this shape",
            Self::LeadingSlash => {
                "after a leading slash, which stands for the base URL, there must be a resource \
                 type, `_history`, `?` or `$`"
            }
            Self::Fragment => "it has a fragment (`#`)",
            Self::OtherBase => "it is neither relative nor below the base URL",
            Self::Unreadable => "it cannot be read as a URL",
        };
        f.write_str(fixed)
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
            ("GET", "/r4/Patient/an_id", id_with('_'), None),
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
        let text = "the address is no interaction of FHIR: it ends in a slash (`/r4/Patient` would \
                    be one)";
        assert_eq!(fault.to_string(), text);
    }
}
