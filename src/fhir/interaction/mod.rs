//! The FHIR interaction of a request, by its method and address alone (R4 section 3.1.0).

mod entry;
mod fault;
mod kind;
mod parameters;
mod related;
mod route;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Uri};

pub use self::fault::{AddressFault, AddressProblem};
pub use self::kind::InteractionKind;
pub(crate) use self::route::is_id;

use self::route::Route;
use super::base_url::BaseUrl;
use super::resource_type::ResourceTypes;
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
    /// The values of `If-None-Exist`, each a query, and what a header asks to delete as if a parameter did.
    queries: Vec<Box<str>>,
    /// The parameters of a search in its body, as a query.
    body: Option<Box<str>>,
    /// The reason for which an entry of a bundle has no address.
    problem: Option<AddressProblem>,
}

impl Interaction {
    /// Reads method and address, and of the headers `If-None-Exist` of a creation and HAPI's `X-Cascade` of a deletion
    /// or a bundle: no header that overrides the method is considered. Never fails: any other request is
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
        Self::of(base, types, method, uri.path_and_query().cloned(), Outside::Headers(headers))
    }

    fn of(
        base: &BaseUrl,
        types: &ResourceTypes,
        method: &Method,
        address: Option<PathAndQuery>,
        outside: Outside<'_>,
    ) -> Self {
        Self::at(base, types, method, address, |address| {
            let has_query = address.query().is_some_and(|query| !query.is_empty());
            let below = base.below(address.path())?;
            let route = Route::parse(types, method, below, has_query);
            use InteractionKind as Kind;
            // Of a bundle, the deletions in it may take it for theirs.
            let deletes = matches!(
                route.kind,
                Kind::Delete | Kind::ConditionalDelete | Kind::DeleteHistory | Kind::Batch
            );
            Some(if route.kind == Kind::Create {
                under_conditions(route, outside.conditions())
            } else if deletes && outside.cascades() {
                (route, Some(OutsideUri::cascade()))
            } else {
                (route, None)
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

    /// Returns the kind of the interaction.
    #[must_use]
    pub fn kind(&self) -> InteractionKind {
        self.kind
    }

    /// Returns the resource type of the address; of a compartment search, the compartment's.
    /// Without one the [`kind`](Self::kind) tells the whole system from no interaction at all.
    // With `part`, two of five whose calls are 1.5 % of the instructions for a token seen before.
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

/// The rest of a request: its headers, or the `request` of an entry, which has none for `X-Cascade`.
#[derive(Clone, Copy)]
enum Outside<'a> {
    Headers(&'a HeaderMap),
    Entry { condition: Option<&'a str> },
}

impl Outside<'_> {
    fn conditions(&self) -> Vec<Box<str>> {
        // Some clients include the leading `?` of the query.
        let query = |text: &str| text.strip_prefix('?').unwrap_or(text).into();
        match self {
            Self::Headers(headers) => {
                let conditions = headers.get_all("if-none-exist").iter();
                // A value that is not ASCII is a condition, too: dropped, it would leave a create, which needs less.
                conditions.map(|value| query(&String::from_utf8_lossy(value.as_bytes()))).collect()
            }
            Self::Entry { condition } => condition.iter().map(|text| query(text)).collect(),
        }
    }

    /// Reports whether a header asks to delete what refers to the resource, too. Some servers take `_` for `-`.
    fn cascades(&self) -> bool {
        let is_it = |name: &HeaderName| matches!(name.as_str(), "x-cascade" | "x_cascade");
        matches!(self, Self::Headers(headers) if headers.keys().any(is_it))
    }
}

impl OutsideUri {
    /// The header counts as the parameter of the same meaning does.
    fn cascade() -> Box<Self> {
        Box::new(Self { queries: vec!["_cascade".into()], ..Self::default() })
    }
}

/// Makes a creation with conditions a conditional one.
fn under_conditions(
    route: Route<'_>,
    queries: Vec<Box<str>>,
) -> (Route<'_>, Option<Box<OutsideUri>>) {
    if queries.is_empty() {
        return (route, None);
    }
    let outside = OutsideUri { queries, ..OutsideUri::default() };
    let route = Route { kind: InteractionKind::ConditionalCreate, ..route };
    (route, Some(Box::new(outside)))
}
