//! The interactions that a method and an address spell: one spelling of each, and no other.

use http::Method;
use smallvec::SmallVec;

use super::InteractionKind;
use crate::fhir::resource_type::ResourceTypes;

/// The parts of a path, with the interaction that they spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) kind: InteractionKind,
    pub(super) resource_type: Option<&'a str>,
    pub(super) id: Option<&'a str>,
    pub(super) operation: Option<&'a str>,
    /// The type that is searched in a compartment.
    pub(super) searched_type: Option<&'a str>,
}

impl<'a> Route<'a> {
    /// Reads a path below the base: empty, or beginning with a slash.
    pub(super) fn parse(
        types: &ResourceTypes,
        method: &Method,
        below: &'a str,
        has_query: bool,
    ) -> Self {
        // The list is filled in its place: returned, it would be copied.
        let mut segments = SmallVec::new();
        split(below, &mut segments);
        Self::from_segments(types, method, &segments, has_query)
    }

    pub(super) fn from_segments(
        types: &ResourceTypes,
        method: &Method,
        segments: &[&'a str],
        has_query: bool,
    ) -> Self {
        use InteractionKind as Kind;
        let verb = Verb::of(method);
        match (verb, segments) {
            (Verb::Get, []) if has_query => Self::of(Kind::SearchSystem),
            (Verb::Post, []) => Self::of(Kind::Batch),
            (Verb::Get, ["metadata"]) => Self::of(Kind::Capabilities),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistorySystem),
            (Verb::Post, ["_search"]) => Self::of(Kind::SearchSystem),
            (verb, [name]) if verb.calls(name) => Self::of(Kind::Operation).with_operation(name),
            (verb, ["_operations", kind, id, files @ ..])
                if is_name(kind)
                    // The address of a job that a confining layer has sealed is longer than an id may be.
                    && (is_id(id) || is_sealed(id))
                    && files.iter().all(|file| is_file(file)) =>
            {
                Self::job(verb, files).with_operation(kind).on_instance(id)
            }
            (Verb::Get, ["_pages", sealed]) if is_sealed(sealed) => {
                Self { id: Some(sealed), ..Self::of(Kind::Page) }
            }
            (_, [kind, rest @ ..]) if types.contains(kind) => {
                Self::below_type(types, verb, rest, has_query).on_type(kind)
            }
            _ => Self::of(Kind::Unknown),
        }
    }

    fn below_type(
        types: &ResourceTypes,
        verb: Verb,
        segments: &[&'a str],
        has_query: bool,
    ) -> Self {
        use InteractionKind as Kind;
        match (verb, segments) {
            (Verb::Get, []) => Self::of(Kind::SearchType),
            (Verb::Post, []) => Self::of(Kind::Create),
            (Verb::Put, []) if has_query => Self::of(Kind::ConditionalUpdate),
            (Verb::Patch, []) if has_query => Self::of(Kind::ConditionalPatch),
            (Verb::Delete, []) if has_query => Self::of(Kind::ConditionalDelete),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistoryType),
            (Verb::Post, ["_search"]) => Self::of(Kind::SearchType),
            (verb, [name]) if verb.calls(name) => Self::of(Kind::Operation).with_operation(name),
            (_, [id, rest @ ..]) if is_id(id) => {
                Self::below_instance(types, verb, rest).on_instance(id)
            }
            _ => Self::of(Kind::Unknown),
        }
    }

    fn below_instance(types: &ResourceTypes, verb: Verb, segments: &[&'a str]) -> Self {
        use InteractionKind as Kind;
        match (verb, segments) {
            (Verb::Get, []) => Self::of(Kind::Read),
            (Verb::Put, []) => Self::of(Kind::Update),
            (Verb::Patch, []) => Self::of(Kind::Patch),
            (Verb::Delete, []) => Self::of(Kind::Delete),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistoryInstance),
            (Verb::Get, ["_history", version]) if is_id(version) => Self::of(Kind::VersionRead),
            (Verb::Delete, ["_history"]) => Self::of(Kind::DeleteHistory),
            (Verb::Delete, ["_history", version]) if is_id(version) => {
                Self::of(Kind::DeleteHistory)
            }
            (verb, [name]) if verb.calls(name) => Self::of(Kind::Operation).with_operation(name),
            (Verb::Get, [kind]) | (Verb::Post, [kind, "_search"])
                if *kind == "*" || types.contains(kind) =>
            {
                Self::of(Kind::SearchCompartment).searching(kind)
            }
            _ => Self::of(Kind::Unknown),
        }
    }

    fn job(verb: Verb, files: &[&str]) -> Self {
        match (verb, files) {
            (Verb::Get, _) => Self::of(InteractionKind::JobStatus),
            (Verb::Delete, []) => Self::of(InteractionKind::JobCancel),
            _ => Self::of(InteractionKind::Unknown),
        }
    }

    pub(super) fn of(kind: InteractionKind) -> Self {
        Self { kind, resource_type: None, id: None, operation: None, searched_type: None }
    }

    fn with_operation(mut self, name: &'a str) -> Self {
        self.operation = Some(operation(name).unwrap_or(name));
        self
    }

    fn on_type(mut self, name: &'a str) -> Self {
        self.resource_type = Some(name);
        self
    }

    fn searching(mut self, kind: &'a str) -> Self {
        self.searched_type = (kind != "*").then_some(kind);
        self
    }

    fn on_instance(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }
}

/// Reports whether a segment is base64url, as what a server has sealed.
fn is_sealed(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Splits a path below the base at slashes, byte by byte: in segments as short as these a search of many bytes at
/// once is slower (`benches/README.md`).
pub(super) fn segments(below: &str) -> SmallVec<[&str; 8]> {
    let mut segments = SmallVec::new();
    split(below, &mut segments);
    segments
}

fn split<'a>(below: &'a str, segments: &mut SmallVec<[&'a str; 8]>) {
    let path = match below.strip_prefix('/') {
        None | Some("") => return,
        Some(path) => path,
    };
    let mut start = 0;
    for (index, byte) in path.bytes().enumerate() {
        if byte == b'/' {
            segments.push(path.get(start..index).unwrap_or_default());
            start = index + 1;
        }
    }
    segments.push(path.get(start..).unwrap_or_default());
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Verb {
    /// Reports whether a segment is an operation that may be called with this method: `GET` or
    /// `POST`, and for Microsoft's bulk operations the methods of what they do.
    fn calls(self, segment: &str) -> bool {
        operation(segment).is_some_and(|name| match self {
            Self::Get | Self::Post => true,
            Self::Delete => matches!(name, "bulk-delete" | "purge-history"),
            Self::Patch => name == "bulk-update",
            Self::Put | Self::Other => false,
        })
    }

    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Get,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Reports whether a segment is a logical or version id (R4 datatype `id`), without `.` and `..`,
/// which a router may resolve.
pub(crate) fn is_id(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&segment.len())
        && !matches!(segment, "." | "..")
        && segment.bytes().all(allowed)
}

/// Returns the name of the operation that a segment is. Clients that encode `$`, as RFC 3986 section
/// 2.2 lets them, write `%24`: no other octet is understood in that form.
pub(super) fn operation(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('$').or_else(|| segment.strip_prefix("%24"))?;
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reports whether a segment is a file that a job has made: an id, perhaps with underscores.
fn is_file(segment: &str) -> bool {
    is_id(&segment.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::fhir::Interaction;
    use InteractionKind as Kind;

    fn kind(method: &str, uri: &str) -> Kind {
        let base = "https://h/r4".parse().unwrap();
        let method = method.parse().unwrap();
        Interaction::parse(&base, &method, &uri.parse().unwrap(), &HeaderMap::new()).kind()
    }

    #[test]
    fn each_interaction_of_the_specification_is_known() {
        for (method, uri, expected) in [
            ("GET", "/r4/Patient/1", Kind::Read),
            ("HEAD", "/r4/Patient/1?_format=xml", Kind::Read),
            ("GET", "/r4/Patient/1/_history/2", Kind::VersionRead),
            ("PUT", "/r4/Patient/1", Kind::Update),
            ("PUT", "/r4/Patient?identifier=x", Kind::ConditionalUpdate),
            ("PATCH", "/r4/Patient/1", Kind::Patch),
            ("PATCH", "/r4/Patient?identifier=x", Kind::ConditionalPatch),
            ("DELETE", "/r4/Patient/1", Kind::Delete),
            ("DELETE", "/r4/Patient?identifier=x", Kind::ConditionalDelete),
            ("POST", "/r4/Patient", Kind::Create),
            ("GET", "/r4/Patient", Kind::SearchType),
            ("POST", "/r4/Patient/_search", Kind::SearchType),
            ("GET", "/r4?_type=Patient", Kind::SearchSystem),
            ("GET", "/r4/?_type=Patient", Kind::SearchSystem),
            ("POST", "/r4/_search", Kind::SearchSystem),
            ("GET", "/r4/Patient/1/Observation", Kind::SearchCompartment),
            ("GET", "/r4/Patient/1/*", Kind::SearchCompartment),
            ("POST", "/r4/Patient/1/Observation/_search", Kind::SearchCompartment),
            ("GET", "/r4/Patient/1/_history", Kind::HistoryInstance),
            ("GET", "/r4/Patient/_history", Kind::HistoryType),
            ("GET", "/r4/_history", Kind::HistorySystem),
            ("POST", "/r4", Kind::Batch),
            ("POST", "/r4/", Kind::Batch),
            ("GET", "/r4/metadata", Kind::Capabilities),
            ("GET", "/r4/$export", Kind::Operation),
            ("POST", "/r4/Patient/$validate", Kind::Operation),
            ("GET", "/r4/Patient/1/$everything", Kind::Operation),
            ("DELETE", "/r4/$bulk-delete", Kind::Operation),
            ("GET", "/r4/%24export", Kind::Operation),
            ("POST", "/r4/Patient/%24validate", Kind::Operation),
            ("GET", "/r4/Patient/1/%24everything", Kind::Operation),
            ("DELETE", "/r4/Patient/1/%24purge-history", Kind::Operation),
            ("DELETE", "/r4/Patient/1/_history", Kind::DeleteHistory),
            ("DELETE", "/r4/Patient/1/_history/2", Kind::DeleteHistory),
            ("GET", "/r4/_pages/aZ09-_", Kind::Page),
            ("POST", "/r4/_pages/aZ09", Kind::Unknown),
            ("GET", "/r4/_pages/", Kind::Unknown),
            ("GET", "/r4/_pages/a.b", Kind::Unknown),
            ("GET", "/r4/_pages/a/b", Kind::Unknown),
            ("GET", "/r4/_operations/export/7f", Kind::JobStatus),
            ("GET", "/r4/_operations/export/7f/Patient_1.ndjson", Kind::JobStatus),
            ("DELETE", "/r4/_operations/export/7f", Kind::JobCancel),
            ("GET", "/r4/_operations/export/aZ09-_", Kind::JobStatus),
            ("DELETE", "/r4/_operations/export/aZ09-_", Kind::JobCancel),
            ("GET", "/r4/_operations/export/a.b", Kind::JobStatus),
        ] {
            assert_eq!(kind(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn an_authority_alone_is_no_interaction_even_where_the_api_stands_at_the_root() {
        let base = "https://h".parse().unwrap();
        let target = "h:443".parse().unwrap();
        let none = Interaction::parse(&base, &Method::POST, &target, &HeaderMap::new());
        assert_eq!((none.kind(), none.path()), (InteractionKind::Unknown, ""));
    }

    #[test]
    fn other_spellings_are_no_interaction() {
        for (method, uri) in [
            ("GET", "/r4"),
            ("GET", "/r4/"),
            ("GET", "/r5/Patient/1"),
            ("GET", "/Patient/1"),
            ("GET", "/r4//Patient/1"),
            ("GET", "/r4/Patient//1"),
            ("GET", "/r4/Patient/1/"),
            ("GET", "/r4/Patient/%31"),
            ("GET", "/r4/%50atient/1"),
            ("GET", "/r4/Patient/.."),
            ("GET", "/r4/Patient/../Observation"),
            ("GET", "/r4/./Patient"),
            ("GET", "/r4/patient/1"),
            ("GET", "/r4/PATIENT/1"),
            ("GET", "/r4/PatienT/1"),
            ("GET", "/r4/Patient/1/ObserVation"),
            ("GET", "/r4/Patient;x/1"),
            ("GET", "/r4/Patient/1;x"),
            ("GET", "/r4/Patient/a_b"),
            ("GET", "/r4/Patient/1/_history/2/3"),
            ("PUT", "/r4/Patient"),
            ("PATCH", "/r4/Patient"),
            ("DELETE", "/r4/Patient"),
            ("DELETE", "/r4"),
            ("POST", "/r4/Patient/1"),
            ("TRACE", "/r4/Patient/1"),
            ("PUT", "/r4/$export"),
            ("DELETE", "/r4/Patient/1/$everything"),
            ("PATCH", "/r4/$bulk-delete"),
            ("OPTIONS", "/r4/Patient"),
            ("GET", "/r4/Patient/$"),
            ("GET", "/r4/Patient/%24"),
            ("GET", "/r4/Patient/1/%2524everything"),
            ("GET", "/r4/Patient/1/$%24everything"),
            ("GET", "/r4/Patient/1/%24every%74hing"),
            ("GET", "/r4/Patient/1/e%24verything"),
            ("PUT", "/r4/%24export"),
            ("GET", "/r4/Foo/1"),
            ("GET", "/r4/NutritionIntake/1"),
            ("GET", "/r4/Patient/1/Foo"),
            ("GET", "/r4/P"),
            ("GET", "/r4x/Patient/1"),
            ("GET", "/r4/_operations"),
            ("GET", "/r4/_operations/export"),
            ("GET", "/r4/_operations/../7f"),
            ("GET", "/r4/_operations/export/.."),
            ("GET", "/r4/_operations/export/a;b"),
            ("GET", "/r4/_operations/export/7f/.."),
            ("GET", "/r4/_operations/export/7f/"),
            ("POST", "/r4/_operations/export/7f"),
            ("DELETE", "/r4/_operations/export/7f/1.ndjson"),
        ] {
            assert_eq!(kind(method, uri), Kind::Unknown, "{method} {uri}");
        }
    }
}
