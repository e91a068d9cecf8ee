//! Requests that need no token: public paths, and what browsers ask before they ask.

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{Method, Request};

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

    pub(crate) fn admit<B>(&self, base: &BaseUrl, request: &Request<B>) -> bool {
        is_preflight(request)
            || base
                .below(request.uri().path())
                .is_some_and(|path| self.paths.iter().any(|public| public == path))
    }
}

/// A CORS preflight (Fetch standard section 4.8) never carries credentials.
fn is_preflight<B>(request: &Request<B>) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
