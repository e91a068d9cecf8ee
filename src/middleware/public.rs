//! Requests that need no token: public paths and CORS preflights.

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderMap, Method, Uri};

use crate::error::BuildError;
use crate::fhir::BaseUrl;

/// The paths that are public unless the application says otherwise.
pub(crate) const DEFAULT_PATHS: [&str; 3] =
    ["/metadata", "/.well-known/smart-configuration", "/health"];

/// Exact public paths below the base URL, byte by byte: another spelling of one is not public.
#[derive(Clone, Debug)]
pub(crate) struct PublicPaths {
    paths: Vec<String>,
}

impl PublicPaths {
    pub(crate) fn new(paths: Vec<String>) -> Result<Self, BuildError> {
        match paths.iter().find(|path| !is_exact(path)) {
            Some(path) => Err(BuildError::PublicPath(path.clone())),
            None => Ok(Self { paths }),
        }
    }

    pub(crate) fn admit(
        &self,
        base: &BaseUrl,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> bool {
        is_preflight(method, headers)
            || base
                .below(uri.path())
                .is_some_and(|path| self.paths.iter().any(|public| public == path))
    }
}

/// Reports whether a string can be the path of a request, in the one spelling that every server
/// reads alike. A pattern would silently match nothing.
pub(crate) fn is_exact(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let odd = ['?', '#', '*', '{', '}', ';', '\\'];
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    let lower = segments.to_ascii_lowercase();
    let is_encoded = ["%2e", "%2f", "%5c"].iter().any(|encoded| lower.contains(encoded));
    // A trailing slash leaves one empty segment at the end, which is allowed.
    let whole = segments.strip_suffix('/').unwrap_or(segments);
    let dotted = |segment: &str| matches!(segment, "" | "." | "..");
    let is_dotted = !segments.is_empty() && whole.split('/').any(dotted);
    path.bytes().all(is_plain) && !path.contains(odd) && !is_encoded && !is_dotted
}

/// Reports whether a request is a CORS preflight (Fetch standard section 4.8), which never carries
/// credentials.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
