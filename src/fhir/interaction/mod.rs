//! The FHIR interaction of a request, by its method and address alone (R4 section 3.1.0).

mod entry;
mod fault;
mod kind;
mod route;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use memchr::memmem;
use percent_encoding::percent_decode_str;

pub use self::fault::{AddressFault, AddressProblem};
pub use self::kind::InteractionKind;
pub(crate) use self::route::is_id;

use self::route::Route;
use super::base_url::BaseUrl;
use super::resource_type::ResourceTypes;
use super::search_reach::{Reach, reached};
use crate::span::Span;

/// A FHIR interaction, or [`Unknown`](InteractionKind::Unknown) for any other request.
///
/// There is one spelling of each: a path with percent-encoding, empty or dotted segments, or a
/// matrix parameter is not an interaction, because the router behind might read it differently.
/// `%24` is the one exception: it stands for the `$` of an operation, whose name is
/// [`operation`](Self::operation). Handlers route on that, and never on the path.
///
/// ```
/// use http::Method;
/// use tower_fhir_auth::fhir::BaseUrl;
/// use tower_fhir_auth::{Interaction, InteractionKind};
///
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let headers = http::HeaderMap::new();
/// let read = Interaction::parse(&base, &Method::GET, &"/r4/Patient/1".parse()?, &headers);
/// assert_eq!(read.kind(), InteractionKind::Read);
/// assert_eq!((read.resource_type(), read.id()), (Some("Patient"), Some("1")));
///
/// let none = Interaction::parse(&base, &Method::GET, &"/r4/Patient//1".parse()?, &headers);
/// assert_eq!(none.kind(), InteractionKind::Unknown);
/// let fault = none.address_fault().expect("an unknown interaction has one");
/// assert_eq!(fault.intended(), Some("/r4/Patient/1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    base: BaseUrl,
    types: ResourceTypes,
    method: Method,
    /// `None` for an authority alone (the target of `CONNECT`), or for an invalid address.
    address: Option<PathAndQuery>,
    kind: InteractionKind,
    /// The spans of the parts in the path: an interaction is made for every request, and copies
    /// nothing.
    resource_type: Option<Span>,
    id: Option<Span>,
    operation: Option<Span>,
    searched_type: Option<Span>,
    /// The rare parts, boxed so that they take no room in most requests.
    outside_uri: Option<Box<OutsideUri>>,
}

/// The parts of a request outside its address that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OutsideUri {
    /// The values of `If-None-Exist`, each a query.
    conditions: Vec<Box<str>>,
    /// The parameters of a search in its body, as a query.
    body: Option<Box<str>>,
    /// The reason for which an entry of a bundle has no address.
    problem: Option<AddressProblem>,
}

impl Interaction {
    /// Reads method and address, and of the headers `If-None-Exist` alone: no header that overrides
    /// the method is considered. Never fails: any other request is
    /// [`Unknown`](InteractionKind::Unknown). `HEAD` counts as `GET`. The resource types are those
    /// of R4.
    #[must_use]
    pub fn parse(base: &BaseUrl, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        Self::parse_with_types(base, &ResourceTypes::r4(), method, uri, headers)
    }

    /// Reads a request as [`parse`](Self::parse) does, for an API with further resource types.
    #[must_use]
    pub fn parse_with_types(
        base: &BaseUrl,
        types: &ResourceTypes,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Self {
        Self::of(base, types, method, uri.path_and_query().cloned(), || {
            let conditions = headers.get_all("if-none-exist").iter();
            conditions.map(|value| String::from_utf8_lossy(value.as_bytes()).into())
        })
    }

    /// Reads the conditions only where a creation may have some.
    fn of<C: Iterator<Item = Box<str>>>(
        base: &BaseUrl,
        types: &ResourceTypes,
        method: &Method,
        address: Option<PathAndQuery>,
        conditions: impl FnOnce() -> C,
    ) -> Self {
        Self::at(base, types, method, address, |address| {
            let has_query = address.query().is_some_and(|query| !query.is_empty());
            let below = base.below(address.path())?;
            let route = Route::parse(types, method, below, has_query);
            Some(match route.kind == InteractionKind::Create {
                true => under_conditions(route, conditions()),
                false => (route, None),
            })
        })
    }

    /// Reads an address and keeps it.
    fn at(
        base: &BaseUrl,
        types: &ResourceTypes,
        method: &Method,
        address: Option<PathAndQuery>,
        read: impl FnOnce(&PathAndQuery) -> Option<(Route<'_>, Option<Box<OutsideUri>>)>,
    ) -> Self {
        let path = address.as_ref().map_or("", PathAndQuery::path);
        let span = |part: Option<&str>| part.and_then(|part| Span::of(part, path));
        let said = address.as_ref().and_then(read);
        let (said, outside_uri) =
            said.unwrap_or_else(|| (Route::of(InteractionKind::Unknown), None));
        Self {
            base: base.clone(),
            types: types.clone(),
            method: method.clone(),
            kind: said.kind,
            resource_type: span(said.resource_type),
            id: span(said.id),
            operation: span(said.operation),
            searched_type: span(said.searched_type),
            outside_uri,
            address,
        }
    }

    /// Reads an entry of a bundle that came to the same API: its `request.method`, `request.url`
    /// and `request.ifNoneExist`. The URL is relative to the base, with or without one leading
    /// slash, or absolute below it. An application that has an [`Access`](crate::Access) asks that to
    /// [authorize the entry](crate::Access::authorize_entry) instead.
    #[must_use]
    pub fn entry(&self, method: &Method, url: &str, condition: Option<&str>) -> Self {
        let (address, problem) = match entry::address(&self.base, &self.types, url) {
            Ok(address) => (Some(address), None),
            Err(problem) => (None, Some(problem)),
        };
        let conditions = || condition.map(Box::from).into_iter();
        let mut entry = Self::of(&self.base, &self.types, method, address, conditions);
        if problem.is_some() {
            let outside = OutsideUri { problem, ..OutsideUri::default() };
            entry.outside_uri = Some(Box::new(outside));
        }
        entry
    }

    /// Makes a create, read, update, delete or search of a type, without an instance.
    pub(crate) fn on_type(&self, kind: InteractionKind, resource_type: &str) -> Self {
        let method = method_on_type(kind).filter(|_| self.types.contains(resource_type));
        let (kind, method) = match method {
            Some(method) => (kind, method),
            None => (InteractionKind::Unknown, Method::GET),
        };
        let address = format!("{}/{resource_type}", self.base.path()).parse().ok();
        Self::at(&self.base, &self.types, &method, address, |address| {
            let (_, name) = address.path().rsplit_once('/')?;
            Some((Route { resource_type: Some(name), ..Route::of(kind) }, None))
        })
    }

    /// Makes a create, read, update, delete or search of no type in particular: what grants it grants it on
    /// every type, for nothing can name this one.
    pub(crate) fn on_every_type(&self, kind: InteractionKind) -> Self {
        let address = format!("{}/-", self.base.path()).parse().ok();
        let method = method_on_type(kind).unwrap_or(Method::GET);
        Self::at(&self.base, &self.types, &method, address, |address| {
            let (_, name) = address.path().rsplit_once('/')?;
            Some((Route { resource_type: Some(name), ..Route::of(kind) }, None))
        })
    }

    /// Makes the export of one type.
    pub(crate) fn export_of(&self, resource_type: &str) -> Self {
        let known = self.types.contains(resource_type);
        let address = format!("{}/$export?_type={resource_type}", self.base.path());
        let address = address.parse().ok().filter(|_| known);
        Self::of(&self.base, &self.types, &Method::GET, address, std::iter::empty)
    }

    /// Returns this search with the parameters of its body, which count beside those of its address
    /// (R4 section 3.1.1.1.2).
    pub(crate) fn with_body(&self, parameters: &str) -> Self {
        let outside = self.outside_uri.as_deref().cloned().unwrap_or_default();
        let outside = OutsideUri { body: Some(parameters.into()), ..outside };
        Self { outside_uri: Some(Box::new(outside)), ..self.clone() }
    }

    /// Returns the kind of the interaction.
    #[must_use]
    pub fn kind(&self) -> InteractionKind {
        self.kind
    }

    /// Returns the resource type of the address; of a compartment search, the compartment's.
    /// Without one the [`kind`](Self::kind) tells the whole system from no interaction at all.
    #[inline]
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        self.part(self.resource_type)
    }

    /// Returns the logical id of the address; of a job, the job's.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.part(self.id)
    }

    /// Returns the type that is searched in a compartment; `None` for all of them.
    #[must_use]
    pub fn searched_type(&self) -> Option<&str> {
        self.part(self.searched_type)
    }

    /// Returns the name of the operation, without the dollar sign.
    ///
    /// ```
    /// use http::{HeaderMap, Method};
    /// use tower_fhir_auth::Interaction;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let base = "https://fhir.example.org/r4".parse()?;
    /// let address = "/r4/Patient/1/%24everything".parse()?;
    /// let interaction = Interaction::parse(&base, &Method::GET, &address, &HeaderMap::new());
    /// assert_eq!(interaction.operation(), Some("everything"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.part(self.operation)
    }

    #[inline]
    fn part(&self, span: Option<Span>) -> Option<&str> {
        span?.within(self.path())
    }

    /// Returns the fault of the address of a request that is no interaction, else `None`.
    #[must_use]
    pub fn address_fault(&self) -> Option<AddressFault> {
        if self.kind != InteractionKind::Unknown {
            return None;
        }
        let known = self.outside_uri.as_ref().and_then(|outside| outside.problem.clone());
        let fault = known.map(AddressFault::from);
        Some(fault.unwrap_or_else(|| {
            AddressFault::of(&self.base, &self.types, &self.method, self.address.as_ref())
        }))
    }

    /// Returns the resource types of the API that the request came to.
    #[must_use]
    pub fn resource_types(&self) -> &ResourceTypes {
        &self.types
    }

    /// Returns the base URL of the address.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Reports whether it is a search with parameters in a body that was not read.
    pub(crate) fn has_unseen_body(&self) -> bool {
        let has_body = self.outside_uri.as_ref().is_some_and(|outside| outside.body.is_some());
        !has_body && self.is_search_by_post()
    }

    /// Reports whether it is a search whose parameters may be in the body.
    #[must_use]
    pub fn is_search_by_post(&self) -> bool {
        self.method == Method::POST && self.path().ends_with("/_search")
    }

    /// Returns all queries of the request: that of the address, the parameters of a body that was
    /// read, and the conditions of a creation.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &str> {
        let outside = self.outside_uri.iter().flat_map(|outside| {
            let conditions = outside.conditions.iter().map(|condition| &**condition);
            outside.body.as_deref().into_iter().chain(conditions)
        });
        self.query().into_iter().chain(outside)
    }

    /// Reports whether its parameters look beyond the resources that it is about, or may: an include, a chain,
    /// `_has`, a filter, a sort by another resource, and spellings that one server reads as such and another
    /// does not.
    #[must_use]
    pub fn looks_beyond(&self) -> bool {
        let mut reached = self.queries().flat_map(reached);
        reached.any(|reach| !matches!(reach, Reach::Result(_) | Reach::Patient(_)))
    }

    /// Reports whether other resources are asked for beside the results of a search.
    #[cfg(feature = "confine")]
    pub(crate) fn has_includes(&self) -> bool {
        let mut reached = self.queries().flat_map(reached);
        reached.any(|reach| matches!(reach, Reach::Included(_) | Reach::UntypedReference))
    }

    /// Reports whether a deletion also asks to delete the history (`_hardDelete`, `_purgeHistory`, HAPI's
    /// `_expunge`), in whatever spelling and with whatever value: `false` is not recognised.
    pub(crate) fn is_hard_delete(&self) -> bool {
        let Some(query) = self.query().filter(|query| !query.is_empty()) else {
            return false;
        };
        let mut decoded: Vec<u8> = percent_decode_str(query).collect();
        decoded.make_ascii_lowercase();
        let asks = |words: &[u8]| memmem::find(&decoded, words).is_some();
        asks(b"harddelete") || asks(b"purgehistory") || asks(b"expunge")
    }

    /// Reports whether it is that of a request: nobody has rewritten the method or the address since it was
    /// judged.
    #[cfg(feature = "confine")]
    pub(crate) fn is_of(&self, method: &Method, uri: &Uri) -> bool {
        self.method == *method && self.address.as_ref() == uri.path_and_query()
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path of the request as it was sent, of gRPC `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.address.as_ref().map_or("", PathAndQuery::path)
    }

    /// Returns the query of the request as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.address.as_ref()?.query()
    }
}

/// Reads what a creation depends on, if it has conditions.
fn under_conditions<'a>(
    route: Route<'a>,
    conditions: impl Iterator<Item = Box<str>>,
) -> (Route<'a>, Option<Box<OutsideUri>>) {
    // Some clients include the leading `?` of the query.
    let read = conditions.map(|text| text.strip_prefix('?').unwrap_or(&text).into());
    let conditions: Vec<_> = read.collect();
    if conditions.is_empty() {
        return (route, None);
    }
    let outside = OutsideUri { conditions, ..OutsideUri::default() };
    let route = Route { kind: InteractionKind::ConditionalCreate, ..route };
    (route, Some(Box::new(outside)))
}

/// Returns the method of an interaction on a type that is asked about without an instance.
fn method_on_type(kind: InteractionKind) -> Option<Method> {
    use InteractionKind as Kind;
    let known = [
        (Kind::Create, Method::POST),
        (Kind::Read, Method::GET),
        (Kind::SearchType, Method::GET),
        (Kind::Update, Method::PUT),
        (Kind::Delete, Method::DELETE),
    ];
    known.into_iter().find(|(known, _)| *known == kind).map(|(_, method)| method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use InteractionKind as Kind;

    fn bundle(base: &BaseUrl) -> Interaction {
        let uri = if base.path().is_empty() { "/" } else { base.path() }.parse().unwrap();
        Interaction::parse(base, &Method::POST, &uri, &HeaderMap::new())
    }

    #[test]
    fn an_entry_of_a_bundle_is_read_like_a_request() {
        for base in ["https://h/r4", "https://h/r4/", "https://h"] {
            let base: BaseUrl = base.parse().unwrap();
            let absolute = format!("{}/Patient/1", base.as_str().trim_end_matches('/'));
            for (method, url, expected) in [
                ("GET", "Patient/1", Kind::Read),
                ("GET", &absolute, Kind::Read),
                ("GET", "Patient?identifier=s|v", Kind::SearchType),
                ("GET", "?_type=Patient", Kind::SearchSystem),
                ("PUT", "Patient?identifier=x", Kind::ConditionalUpdate),
                ("POST", "Patient", Kind::Create),
                ("POST", "", Kind::Batch),
                ("POST", base.as_str().trim_end_matches('/'), Kind::Batch),
                ("GET", "/Patient/1", Kind::Read),
                ("GET", "/Patient?identifier=x", Kind::SearchType),
                ("GET", "/_history", Kind::HistorySystem),
                ("GET", "/?_type=Patient", Kind::SearchSystem),
                ("GET", "/$export", Kind::Operation),
                ("GET", "/%24export", Kind::Operation),
                ("GET", "/Patient/1/%24everything", Kind::Operation),
                ("GET", "//Patient/1", Kind::Unknown),
                ("GET", "///Patient/1", Kind::Unknown),
                ("GET", "/\\Patient/1", Kind::Unknown),
                ("GET", "\\Patient/1", Kind::Unknown),
                ("GET", "/./Patient/1", Kind::Unknown),
                ("GET", "/.", Kind::Unknown),
                ("GET", "/../Patient/1", Kind::Unknown),
                ("POST", "/", Kind::Unknown),
                ("GET", "/metadata", Kind::Unknown),
                ("GET", "/_operations/export/1", Kind::Unknown),
                ("POST", "/_search", Kind::Unknown),
                ("GET", "/r4/Patient/1", Kind::Unknown),
                ("GET", "/patient/1", Kind::Unknown),
                ("GET", "/Foo/1", Kind::Unknown),
                ("GET", &format!("{absolute}#x"), Kind::Unknown),
                ("GET", "Patient/1#x", Kind::Unknown),
                ("GET", "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", Kind::Unknown),
                ("GET", "https://elsewhere/r4/Patient/1", Kind::Unknown),
                ("GET", "https://h/r4x/Patient/1", Kind::Unknown),
                ("GET", "https://h.evil/r4/Patient/1", Kind::Unknown),
                ("GET", "https://hPatient/1", Kind::Unknown),
                ("GET", "../Patient/1", Kind::Unknown),
                ("GET", "Patient/1 x", Kind::Unknown),
                ("GET", "Patient/%31", Kind::Unknown),
            ] {
                let entry = bundle(&base).entry(&method.parse().unwrap(), url, None);
                assert_eq!(entry.kind(), expected, "{method} {url} at {base}");
            }
        }
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        let create = bundle.entry(&Method::POST, "Patient", Some("identifier=x"));
        assert_eq!(create.kind(), Kind::ConditionalCreate);
        assert_eq!(create.queries().collect::<Vec<_>>(), ["identifier=x"]);
    }

    #[test]
    fn an_entry_elsewhere_is_told_from_one_with_a_colon_in_it() {
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        let unknown = |name: &str| AddressProblem::UnknownType {
            name: Some(name.to_owned()),
            is_of_later_version: false,
        };
        for (url, expected) in [
            ("https://elsewhere/r4/Patient/1", AddressProblem::OtherBase),
            ("https://h/r4Patient/1", AddressProblem::OtherBase),
            ("x-y.z+1:Patient/1", AddressProblem::OtherBase),
            (":Patient/1", unknown(":Patient")),
            ("a_b:Patient/1", unknown("a_b:Patient")),
        ] {
            let fault = bundle.entry(&Method::GET, url, None).address_fault().unwrap();
            assert_eq!(fault.problem(), &expected, "{url}");
        }
    }

    #[test]
    fn a_search_by_post_is_told_by_method_and_address() {
        let base = "https://h/r4".parse().unwrap();
        for (method, uri, expected) in [
            (Method::POST, "/r4/Patient/_search", true),
            (Method::POST, "/r4/_search?_count=1", true),
            (Method::GET, "/r4/Patient/_search", false),
            (Method::POST, "/r4/Patient", false),
        ] {
            let found =
                Interaction::parse(&base, &method, &uri.parse().unwrap(), &HeaderMap::new());
            assert_eq!(found.is_search_by_post(), expected, "{method} {uri}");
        }
    }

    fn search(query: &str) -> Interaction {
        let base = "https://h/r4".parse().unwrap();
        let uri = format!("/r4/Observation?{query}").parse().unwrap();
        Interaction::parse(&base, &Method::GET, &uri, &HeaderMap::new())
    }

    #[test]
    fn a_search_looks_beyond_what_it_is_about_where_a_parameter_does() {
        for (query, expected) in [
            ("", false),
            ("code=x&_count=5&_sort=-date", false),
            ("patient=1", false),
            ("_type=Patient", false),
            ("_include=Observation:subject", true),
            ("_revinclude=Provenance:target", true),
            ("subject.name=x", true),
            ("_has:Provenance:target:agent=x", true),
            ("_filter=x", true),
            ("_sort=subject.name", true),
        ] {
            assert_eq!(search(query).looks_beyond(), expected, "{query}");
        }
    }

    #[cfg(feature = "confine")]
    #[test]
    fn what_comes_along_is_told_from_what_is_only_searched() {
        for (query, expected) in [
            ("", false),
            ("code=x&patient=1", false),
            ("_has:Provenance:target:agent=x", false),
            ("_include=Observation:subject:Patient", true),
            ("_include=*", true),
            ("_revinclude=Provenance:target", true),
        ] {
            assert_eq!(search(query).has_includes(), expected, "{query}");
        }
    }

    #[test]
    fn an_export_of_one_type_names_it() {
        for base in ["https://h/r4", "https://h"] {
            let export = bundle(&base.parse().unwrap()).export_of("Patient");
            assert_eq!((export.kind(), export.operation()), (Kind::Operation, Some("export")));
            assert_eq!(export.query(), Some("_type=Patient"));
            let none = bundle(&base.parse().unwrap()).export_of("Patient,Observation");
            assert_eq!(none.kind(), Kind::Unknown);
        }
    }

    #[test]
    fn an_interaction_on_a_type_has_no_instance() {
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        for kind in [Kind::Create, Kind::Read, Kind::Update, Kind::Delete, Kind::SearchType] {
            let plain = bundle.on_type(kind, "Patient");
            assert_eq!((plain.kind(), plain.id()), (kind, None));
        }
        for (kind, resource_type) in
            [(Kind::Batch, "Patient"), (Kind::Read, "x/y"), (Kind::Read, "Foo")]
        {
            let none = bundle.on_type(kind, resource_type);
            assert_eq!(none.kind(), Kind::Unknown);
        }
    }
}
