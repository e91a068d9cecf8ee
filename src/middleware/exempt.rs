//! Requests that need no token: public paths, and what browsers ask before they ask.

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderMap, Method, Uri};

use crate::error::BuildError;
use crate::fhir::BaseUrl;

/// The paths that are public unless the application says otherwise.
pub(crate) const DEFAULT_PATHS: [&str; 3] =
    ["/metadata", "/.well-known/smart-configuration", "/health"];

/// Exact paths below the base URL, byte by byte: another spelling of a public path is not public.
#[derive(Clone, Debug)]
pub(crate) struct Exemptions {
    paths: Vec<String>,
}

impl Exemptions {
    pub(crate) fn new(paths: Vec<String>) -> Result<Self, BuildError> {
        let inexact = |path: &&String| !path.starts_with('/') || path.contains(['?', '#']);
        match paths.iter().find(inexact) {
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

/// A CORS preflight (Fetch standard section 4.8) never carries credentials.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
