//! Which FHIR interaction a request is, by its method and address alone (R4 section 3.1.0).

use http::{HeaderMap, Method, Uri};

use super::base_url::BaseUrl;
use super::resource_type::is_like_a_type;

/// One interaction of FHIR's RESTful API, or the fact that a request is none.
///
/// There is one spelling of each: a path with percent-encoding, empty or dotted segments, or a
/// matrix parameter is no interaction, because the router behind might read it differently.
///
/// ```
/// use http::Method;
/// use tower_fhir_auth::{BaseUrl, Interaction, InteractionKind};
///
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let headers = http::HeaderMap::new();
/// let read = Interaction::parse(&base, &Method::GET, &"/r4/Patient/1".parse()?, &headers);
/// assert_eq!(read.kind(), InteractionKind::Read);
/// assert_eq!((read.resource_type(), read.id()), (Some("Patient"), Some("1")));
///
/// let none = Interaction::parse(&base, &Method::GET, &"/r4/Patient//1".parse()?, &headers);
/// assert_eq!(none.kind(), InteractionKind::Unknown);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    method: Method,
    uri: Uri,
    /// The values of `If-None-Exist`, each a query.
    conditions: Vec<Box<str>>,
    parsed: Parsed,
}

/// What method and address say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parsed {
    kind: InteractionKind,
    resource_type: Option<Box<str>>,
    id: Option<Box<str>>,
    operation: Option<Box<str>>,
    /// In a compartment.
    searched_type: Option<Box<str>>,
}

/// The kinds of interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InteractionKind {
    /// `GET [type]/[id]`
    Read,
    /// `GET [type]/[id]/_history/[vid]`
    VersionRead,
    /// `PUT [type]/[id]`
    Update,
    /// `PUT [type]?…`
    ConditionalUpdate,
    /// `PATCH [type]/[id]`
    Patch,
    /// `PATCH [type]?…`
    ConditionalPatch,
    /// `DELETE [type]/[id]`
    Delete,
    /// `DELETE [type]?…`
    ConditionalDelete,
    /// `POST [type]`
    Create,
    /// `POST [type]` with `If-None-Exist`
    ConditionalCreate,
    /// `GET [type]?…`, `POST [type]/_search`
    SearchType,
    /// `GET [base]?…`, `POST [base]/_search`
    SearchSystem,
    /// `GET [compartment]/[id]/[type]?…`, or `…/*?…`
    SearchCompartment,
    /// `GET [type]/[id]/_history`
    HistoryInstance,
    /// `GET [type]/_history`
    HistoryType,
    /// `GET [base]/_history`
    HistorySystem,
    /// `POST [base]`: a batch or a transaction
    Batch,
    /// `GET [base]/metadata`
    Capabilities,
    /// `$name` at the base, a type or an instance. Microsoft's bulk operations are called with
    /// `DELETE` and `PATCH` as well.
    Operation,
    /// No interaction of FHIR.
    Unknown,
}

impl Interaction {
    /// Reads method and address, and of the headers `If-None-Exist` alone: no header that overrides
    /// the method is looked at. Total: what is no interaction is
    /// [`Unknown`](InteractionKind::Unknown). `HEAD` counts as `GET`.
    #[must_use]
    pub fn parse(base: &BaseUrl, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut parsed = Parsed::parse(base, method, uri);
        let mut conditions = Vec::new();
        if parsed.kind == InteractionKind::Create {
            let values = headers.get_all("if-none-exist").iter();
            conditions.extend(values.map(|value| String::from_utf8_lossy(value.as_bytes()).into()));
        }
        if !conditions.is_empty() {
            parsed.kind = InteractionKind::ConditionalCreate;
        }
        Self { method: method.clone(), uri: uri.clone(), conditions, parsed }
    }

    /// Which interaction it is.
    #[must_use]
    pub fn kind(&self) -> InteractionKind {
        self.parsed.kind
    }

    /// The resource type of the address; of a compartment search, the compartment's.
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        self.parsed.resource_type.as_deref()
    }

    /// The logical id of the address.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.parsed.id.as_deref()
    }

    /// The type that is searched in a compartment; `None` for all of them.
    #[must_use]
    pub fn searched_type(&self) -> Option<&str> {
        self.parsed.searched_type.as_deref()
    }

    /// The name of the operation, without the dollar sign.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.parsed.operation.as_deref()
    }

    /// Whether it is a search whose parameters may stand in the body.
    pub(crate) fn is_search_by_post(&self) -> bool {
        self.method == Method::POST && self.path().ends_with("/_search")
    }

    /// Everything that says what to look for: the query, and the conditions of a creation.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &str> {
        self.query().into_iter().chain(self.conditions.iter().map(|condition| &**condition))
    }

    /// Whether a deletion is asked to take the history with it (`_hardDelete`, `_purgeHistory`), in
    /// whatever spelling and with whatever value: `false` is not looked for.
    pub(crate) fn is_hard_delete(&self) -> bool {
        let query = self.query().unwrap_or_default();
        let mut names = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| format!("{name}={value}").to_ascii_lowercase());
        names.any(|text| text.contains("harddelete") || text.contains("purgehistory"))
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the request as it was sent, of gRPC `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query of the request as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }
}

impl Parsed {
    fn parse(base: &BaseUrl, method: &Method, uri: &Uri) -> Self {
        let Some(path) = base.below(uri.path()) else {
            return Self::of(InteractionKind::Unknown);
        };
        let segments: Vec<&str> = match path.strip_prefix('/') {
            None | Some("") => Vec::new(),
            Some(rest) => rest.split('/').collect(),
        };
        let has_query = uri.query().is_some_and(|query| !query.is_empty());
        Self::from_segments(method, &segments, has_query)
    }

    fn from_segments(method: &Method, segments: &[&str], has_query: bool) -> Self {
        use InteractionKind as Kind;
        let verb = Verb::of(method);
        match (verb, segments) {
            (Verb::Get, []) if has_query => Self::of(Kind::SearchSystem),
            (Verb::Post, []) => Self::of(Kind::Batch),
            (Verb::Get, ["metadata"]) => Self::of(Kind::Capabilities),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistorySystem),
            (Verb::Post, ["_search"]) => Self::of(Kind::SearchSystem),
            (verb, [name]) if verb.is_known() && is_operation(name) => {
                Self::of(Kind::Operation).with_operation(name)
            }
            (_, [kind, rest @ ..]) if is_like_a_type(kind) => {
                Self::below_type(verb, rest, has_query).on_type(kind)
            }
            _ => Self::of(Kind::Unknown),
        }
    }

    fn below_type(verb: Verb, segments: &[&str], has_query: bool) -> Self {
        use InteractionKind as Kind;
        match (verb, segments) {
            (Verb::Get, []) => Self::of(Kind::SearchType),
            (Verb::Post, []) => Self::of(Kind::Create),
            (Verb::Put, []) if has_query => Self::of(Kind::ConditionalUpdate),
            (Verb::Patch, []) if has_query => Self::of(Kind::ConditionalPatch),
            (Verb::Delete, []) if has_query => Self::of(Kind::ConditionalDelete),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistoryType),
            (Verb::Post, ["_search"]) => Self::of(Kind::SearchType),
            (verb, [name]) if verb.is_known() && is_operation(name) => {
                Self::of(Kind::Operation).with_operation(name)
            }
            (_, [id, rest @ ..]) if is_id(id) => Self::below_instance(verb, rest).on_instance(id),
            _ => Self::of(Kind::Unknown),
        }
    }

    fn below_instance(verb: Verb, segments: &[&str]) -> Self {
        use InteractionKind as Kind;
        match (verb, segments) {
            (Verb::Get, []) => Self::of(Kind::Read),
            (Verb::Put, []) => Self::of(Kind::Update),
            (Verb::Patch, []) => Self::of(Kind::Patch),
            (Verb::Delete, []) => Self::of(Kind::Delete),
            (Verb::Get, ["_history"]) => Self::of(Kind::HistoryInstance),
            (Verb::Get, ["_history", version]) if is_id(version) => Self::of(Kind::VersionRead),
            (verb, [name]) if verb.is_known() && is_operation(name) => {
                Self::of(Kind::Operation).with_operation(name)
            }
            (Verb::Get, [kind]) | (Verb::Post, [kind, "_search"])
                if *kind == "*" || is_like_a_type(kind) =>
            {
                Self::of(Kind::SearchCompartment).searching(kind)
            }
            _ => Self::of(Kind::Unknown),
        }
    }

    fn of(kind: InteractionKind) -> Self {
        Self { kind, resource_type: None, id: None, operation: None, searched_type: None }
    }

    fn with_operation(mut self, name: &str) -> Self {
        self.operation = name.strip_prefix('$').map(Box::from);
        self
    }

    fn on_type(mut self, name: &str) -> Self {
        self.resource_type = Some(name.into());
        self
    }

    fn searching(mut self, kind: &str) -> Self {
        self.searched_type = (kind != "*").then(|| kind.into());
        self
    }

    fn on_instance(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }
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
    fn is_known(self) -> bool {
        !matches!(self, Self::Other)
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

/// A logical or version id (R4 datatype `id`), without the two that a router may resolve.
fn is_id(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&segment.len())
        && !matches!(segment, "." | "..")
        && segment.bytes().all(allowed)
}

fn is_operation(segment: &str) -> bool {
    segment.strip_prefix('$').is_some_and(|name| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ] {
            assert_eq!(kind(method, uri), expected, "{method} {uri}");
        }
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
            ("GET", "/r4/Patient;x/1"),
            ("GET", "/r4/Patient/1;x"),
            ("GET", "/r4/Patient/a_b"),
            ("GET", "/r4/Patient/1/_history/2/3"),
            ("PUT", "/r4/Patient"),
            ("DELETE", "/r4"),
            ("POST", "/r4/Patient/1"),
            ("TRACE", "/r4/Patient/1"),
            ("OPTIONS", "/r4/Patient"),
            ("GET", "/r4/Patient/$"),
            ("GET", "/r4/P"),
            ("GET", "/r4x/Patient/1"),
        ] {
            assert_eq!(kind(method, uri), Kind::Unknown, "{method} {uri}");
        }
    }
}
