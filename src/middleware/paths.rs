//! The paths where a token is not required, and CORS preflights.

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderMap, Method, Uri};

use crate::error::BuildError;
use crate::fhir::path_reading::{has_step_up, is_unambiguous_path, plainest};
use crate::fhir::{BaseUrl, Interaction, InteractionKind, ResourceTypes};

/// The paths that are public unless the application says otherwise.
pub(crate) const DEFAULT_PUBLIC: [&str; 3] =
    ["/metadata", "/.well-known/smart-configuration", "/health"];

/// The treatment of requests outside the path of the base URL.
///
/// ```
/// use tower_fhir_auth::FhirAuthLayer;
/// use tower_fhir_auth::middleware::OutsideBase;
///
/// let builder =
///     FhirAuthLayer::builder("https://example.org/fhir").outside_base(OutsideBase::PassOn);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutsideBase {
    /// Asks for a token, and then the authorizer, to which they are no FHIR interaction: FHIR policies refuse them, and
    /// a rule of your own may grant them.
    #[default]
    Refuse,
    /// Hands them to the inner service as if the layer were not there, without a look at their token: for an
    /// application that guards its other routes by itself. A [`Principal`](crate::Principal) that the request
    /// brings is removed, whoever put it there: several bases are guarded by one
    /// [`FhirBasesLayer`](super::FhirBasesLayer), not by layers around each other.
    PassOn,
}

/// The paths where a token is not required. Each is compared byte by byte: another spelling of one
/// is another path.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Exact paths below the base URL.
    pub(crate) public: Vec<String>,
    /// Paths below the base URL: exact, or all that begin with them where they end in a slash.
    pub(crate) optional: Vec<String>,
    /// Exact paths outside the base URL.
    pub(crate) public_outside: Vec<String>,
    pub(crate) outside_base: OutsideBase,
}

/// The need for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenNeed {
    Required,
    /// One that comes is authenticated; without one the request passes as nobody's.
    Optional,
    /// One that comes is not looked at.
    None,
}

impl Paths {
    pub(crate) fn check(&self, base: &BaseUrl, types: &ResourceTypes) -> Result<(), BuildError> {
        let fault = |setting, path: &str, expected: Option<&'static str>| match expected {
            Some(expected) => Err(BuildError::Path { setting, path: path.to_owned(), expected }),
            None => Ok(()),
        };
        self.public.iter().try_for_each(|path| fault("public", path, public_fault(path)))?;
        self.optional.iter().try_for_each(|path| {
            fault("optional", path, optional_fault(path, &self.public, base, types))
        })?;
        self.public_outside
            .iter()
            .try_for_each(|path| fault("public_outside", path, outside_fault(path, base)))
    }

    /// Reports whether a request passes as if the layer were not there.
    pub(super) fn passes_on(&self, base: &BaseUrl, uri: &Uri) -> bool {
        self.outside_base == OutsideBase::PassOn
            && !self.public_outside.iter().any(|listed| listed == uri.path())
            && is_outside(base, uri.path())
    }

    pub(super) fn need(
        &self,
        base: &BaseUrl,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> TokenNeed {
        let path = uri.path();
        let is = |listed: &String| listed == path;
        match base.below(path) {
            _ if is_preflight(method, headers) => TokenNeed::None,
            Some(below) if self.public.iter().any(|public| public == below) => TokenNeed::None,
            Some(below) if self.is_optional(below) => TokenNeed::Optional,
            None if self.public_outside.iter().any(is) => TokenNeed::None,
            None if self.outside_base == OutsideBase::PassOn && is_outside(base, path) => {
                TokenNeed::None
            }
            Some(_) | None => TokenNeed::Required,
        }
    }

    fn is_optional(&self, below: &str) -> bool {
        self.optional.iter().any(|optional| match optional.ends_with('/') {
            // What an inner router may read as another path is not below this one.
            true => below.starts_with(&**optional) && is_read_alike(below),
            false => optional == below,
        })
    }
}

/// Reports whether a path lies outside the base, also as a server within may read it. One with steps upwards may lead
/// into it for who does not see all of them.
fn is_outside(base: &BaseUrl, path: &str) -> bool {
    base.below(path).is_none() && !base.holds(&plainest(path)) && !has_step_up(path)
}

/// Returns what was expected of a path that is to be public, where it cannot be.
pub(crate) fn public_fault(path: &str) -> Option<&'static str> {
    let expected = "expected an exact path that begins with /, without pattern, empty or dot \
                    segment, or encoded slash or dot";
    (!is_plain(path)).then_some(expected)
}

/// Returns what was expected of a path where a token is to be optional, where it cannot be.
pub(crate) fn optional_fault(
    path: &str,
    public: &[String],
    base: &BaseUrl,
    types: &ResourceTypes,
) -> Option<&'static str> {
    if path == "/" {
        return Some("expected a path below the base URL, not the base URL itself");
    }
    if public.iter().any(|public| public == path) {
        return Some("expected a path that is not public as well");
    }
    if !is_plain(path) {
        return public_fault(path);
    }
    // Below a prefix lies every path that an interaction could have there.
    let below: &[&str] = match path.ends_with('/') {
        true => &["", "x", "_history", "_search", "$x", "Observation", "export/x"],
        false => &[""],
    };
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let spells_one = below.iter().any(|rest| {
        let address = format!("{}{path}{rest}", base.path());
        address.trim_end_matches('/').parse::<Uri>().is_ok_and(|uri| {
            methods.iter().any(|method| {
                let interaction =
                    Interaction::parse_with_types(base, types, method, &uri, &HeaderMap::new());
                interaction.kind() != InteractionKind::Unknown
            })
        })
    });
    spells_one.then_some("expected a path that is no FHIR interaction, and has none below it")
}

/// Returns what was expected of a path that is to be public outside the base URL, where it cannot
/// be.
pub(crate) fn outside_fault(path: &str, base: &BaseUrl) -> Option<&'static str> {
    match base.below(path).is_some() || base.holds(&plainest(path)) {
        true => Some("expected a path outside the base URL: `public` is for those below it"),
        false => public_fault(path),
    }
}

/// Reports whether a configured string can be the path of a request, in the one spelling that every
/// server reads alike. A pattern would silently match nothing.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.contains(['*', '{', '}']) && is_read_alike(path)
}

/// Reports whether every server reads a path alike.
fn is_read_alike(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_graphic()) && is_unambiguous_path(path)
}

/// Reports whether a request is a CORS preflight (Fetch standard section 4.8), which never carries
/// credentials.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
