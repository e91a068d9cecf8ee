//! The FHIR interaction of a request, by its method and address alone (R4 section 3.1.0).

mod address;
mod kind;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use memchr::memmem;
use percent_encoding::percent_decode_str;

pub(crate) use self::address::is_id;
pub use self::kind::InteractionKind;

use self::address::Address;
use super::base_url::BaseUrl;
use super::permissions::Permissions;
use super::resource_type::is_spelled_as_a_type;
use crate::span::Span;

/// A FHIR interaction, or [`Unknown`](InteractionKind::Unknown) for any other request.
///
/// There is one spelling of each: a path with percent-encoding, empty or dotted segments, or a
/// matrix parameter is not an interaction, because the router behind might read it differently.
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
    base: BaseUrl,
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
    beside: Option<Box<Beside>>,
}

/// The parts of a request outside its address that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Beside {
    /// The values of `If-None-Exist`, each a query.
    conditions: Vec<Box<str>>,
    /// The parameters of a search in its body, as a query.
    body: Option<Box<str>>,
}

impl Interaction {
    /// Reads method and address, and of the headers `If-None-Exist` alone: no header that overrides
    /// the method is considered. Never fails: any other request is
    /// [`Unknown`](InteractionKind::Unknown). `HEAD` counts as `GET`.
    #[must_use]
    pub fn parse(base: &BaseUrl, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        Self::of(base, method, uri.path_and_query().cloned(), || {
            let conditions = headers.get_all("if-none-exist").iter();
            conditions.map(|value| String::from_utf8_lossy(value.as_bytes()).into())
        })
    }

    /// Reads the conditions only where a creation may have some.
    fn of<C: Iterator<Item = Box<str>>>(
        base: &BaseUrl,
        method: &Method,
        address: Option<PathAndQuery>,
        conditions: impl FnOnce() -> C,
    ) -> Self {
        let mut interaction = Self::at(base, method, address, |address| {
            let has_query = address.query().is_some_and(|query| !query.is_empty());
            let below = base.below(address.path())?;
            Some(Address::parse(method, below, has_query))
        });
        if interaction.kind == InteractionKind::Create {
            // Some clients include the leading `?` of the query.
            let read = conditions().map(|text| text.strip_prefix('?').unwrap_or(&text).into());
            let conditions: Vec<_> = read.collect();
            if !conditions.is_empty() {
                interaction.kind = InteractionKind::ConditionalCreate;
                interaction.beside = Some(Box::new(Beside { conditions, body: None }));
            }
        }
        interaction
    }

    /// Reads an address and keeps it.
    fn at(
        base: &BaseUrl,
        method: &Method,
        address: Option<PathAndQuery>,
        read: impl FnOnce(&PathAndQuery) -> Option<Address<'_>>,
    ) -> Self {
        let path = address.as_ref().map_or("", PathAndQuery::path);
        let span = |part: Option<&str>| part.and_then(|part| Span::of(part, path));
        let said = address.as_ref().and_then(read);
        let said = said.unwrap_or_else(|| Address::of(InteractionKind::Unknown));
        Self {
            base: base.clone(),
            method: method.clone(),
            kind: said.kind,
            resource_type: span(said.resource_type),
            id: span(said.id),
            operation: span(said.operation),
            searched_type: span(said.searched_type),
            beside: None,
            address,
        }
    }

    /// Reads an entry of a bundle: its `request.method`, `request.url` (relative to the base, or
    /// absolute below it) and `request.ifNoneExist`.
    pub(crate) fn of_entry(
        base: &BaseUrl,
        method: &Method,
        url: &str,
        condition: Option<&str>,
    ) -> Self {
        let text = base.as_str().trim_end_matches('/');
        let relative = match url.strip_prefix(text) {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => Some(rest.to_owned()),
            Some(_) | None if url.starts_with('/') || url.contains('#') => None,
            Some(_) | None if url.is_empty() || url.starts_with('?') => Some(url.to_owned()),
            Some(_) | None => Some(format!("/{url}")),
        };
        // At the root of a host the base itself is written with a slash.
        let path = relative.map(|relative| match base.path() {
            "" if !relative.starts_with('/') => format!("/{relative}"),
            path => format!("{path}{relative}"),
        });
        let address = path.and_then(|path| path.parse::<Uri>().ok()?.into_parts().path_and_query);
        Self::of(base, method, address, || condition.map(Box::from).into_iter())
    }

    /// Makes the interaction that one permission stands for on a type, without an instance: `r` a
    /// read, `s` a search of the type.
    pub(crate) fn of_letter(base: &BaseUrl, letter: Permissions, resource_type: &str) -> Self {
        use InteractionKind as Kind;
        let (method, kind) = match letter {
            Permissions::CREATE => (Method::POST, Kind::Create),
            Permissions::READ => (Method::GET, Kind::Read),
            Permissions::UPDATE => (Method::PUT, Kind::Update),
            Permissions::DELETE => (Method::DELETE, Kind::Delete),
            Permissions::SEARCH => (Method::GET, Kind::SearchType),
            _ => (Method::GET, Kind::Unknown),
        };
        let kind = if is_spelled_as_a_type(resource_type) { kind } else { Kind::Unknown };
        let address = format!("{}/{resource_type}", base.path()).parse().ok();
        Self::at(base, &method, address, |address| {
            let (_, name) = address.path().rsplit_once('/')?;
            Some(Address { resource_type: Some(name), ..Address::of(kind) })
        })
    }

    /// Makes the export of one type.
    pub(crate) fn export_of(base: &BaseUrl, resource_type: &str) -> Self {
        let known = is_spelled_as_a_type(resource_type);
        let address = format!("{}/$export?_type={resource_type}", base.path());
        let address = address.parse().ok().filter(|_| known);
        Self::of(base, &Method::GET, address, std::iter::empty)
    }

    /// Returns this search with the parameters of its body, which count beside those of its address
    /// (R4 section 3.1.1.1.2).
    pub(crate) fn with_body(&self, parameters: &str) -> Self {
        let beside = self.beside.as_deref().cloned().unwrap_or_default();
        let beside = Beside { body: Some(parameters.into()), ..beside };
        Self { beside: Some(Box::new(beside)), ..self.clone() }
    }

    /// Returns the kind of the interaction.
    #[must_use]
    pub fn kind(&self) -> InteractionKind {
        self.kind
    }

    /// Returns the resource type of the address; of a compartment search, the compartment's.
    /// Without one the [`kind`](Self::kind) tells the whole system from no interaction at all.
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
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.part(self.operation)
    }

    fn part(&self, span: Option<Span>) -> Option<&str> {
        span?.within(self.path())
    }

    /// Returns the base URL of the address.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Reports whether it is a search with parameters in a body that was not read.
    pub(crate) fn has_unseen_body(&self) -> bool {
        let has_body = self.beside.as_ref().is_some_and(|beside| beside.body.is_some());
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
        let beside = self.beside.iter().flat_map(|beside| {
            let conditions = beside.conditions.iter().map(|condition| &**condition);
            beside.body.as_deref().into_iter().chain(conditions)
        });
        self.query().into_iter().chain(beside)
    }

    /// Reports whether a deletion also asks to delete the history (`_hardDelete`, `_purgeHistory`),
    /// in whatever spelling and with whatever value: `false` is not recognised.
    pub(crate) fn is_hard_delete(&self) -> bool {
        let Some(query) = self.query().filter(|query| !query.is_empty()) else {
            return false;
        };
        let mut decoded: Vec<u8> = percent_decode_str(query).collect();
        decoded.make_ascii_lowercase();
        let asks = |words: &[u8]| memmem::find(&decoded, words).is_some();
        asks(b"harddelete") || asks(b"purgehistory")
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

#[cfg(test)]
mod tests {
    use super::*;
    use InteractionKind as Kind;

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
                ("GET", "/Patient/1", Kind::Unknown),
                ("GET", "Patient/1#x", Kind::Unknown),
                ("GET", "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", Kind::Unknown),
                ("GET", "https://elsewhere/r4/Patient/1", Kind::Unknown),
                ("GET", "https://h/r4x/Patient/1", Kind::Unknown),
                ("GET", "https://h.evil/r4/Patient/1", Kind::Unknown),
                ("GET", "../Patient/1", Kind::Unknown),
                ("GET", "Patient/1 x", Kind::Unknown),
                ("GET", "Patient/%31", Kind::Unknown),
            ] {
                let entry = Interaction::of_entry(&base, &method.parse().unwrap(), url, None);
                assert_eq!(entry.kind(), expected, "{method} {url} at {base}");
            }
        }
        let base = "https://h/r4".parse().unwrap();
        let create = Interaction::of_entry(&base, &Method::POST, "Patient", Some("identifier=x"));
        assert_eq!(create.kind(), Kind::ConditionalCreate);
        assert_eq!(create.queries().collect::<Vec<_>>(), ["identifier=x"]);
    }

    #[test]
    fn an_export_of_one_type_names_it() {
        for base in ["https://h/r4", "https://h"] {
            let export = Interaction::export_of(&base.parse().unwrap(), "Patient");
            assert_eq!((export.kind(), export.operation()), (Kind::Operation, Some("export")));
            assert_eq!(export.query(), Some("_type=Patient"));
            let none = Interaction::export_of(&base.parse().unwrap(), "Patient,Observation");
            assert_eq!(none.kind(), Kind::Unknown);
        }
    }

    #[test]
    fn a_letter_stands_for_one_interaction_of_a_type() {
        let base = "https://h/r4".parse().unwrap();
        for (letter, expected) in [
            (Permissions::CREATE, Kind::Create),
            (Permissions::READ, Kind::Read),
            (Permissions::UPDATE, Kind::Update),
            (Permissions::DELETE, Kind::Delete),
            (Permissions::SEARCH, Kind::SearchType),
            (Permissions::ALL, Kind::Unknown),
        ] {
            let plain = Interaction::of_letter(&base, letter, "Patient");
            assert_eq!((plain.kind(), plain.id()), (expected, None), "{letter}");
        }
        assert_eq!(Interaction::of_letter(&base, Permissions::READ, "x/y").kind(), Kind::Unknown);
    }
}
