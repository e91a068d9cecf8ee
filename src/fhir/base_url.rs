//! The base URL of a FHIR API, by which clients address it.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use url::{Origin, Url};

use super::path_reading::plainest;
use crate::secure_url::{self, PlainHttp};

/// The longest address, and the longest body of a search, in bytes, that are evaluated: the cost of
/// a decision grows with them.
pub(crate) const MAX_ADDRESS: usize = 64 * 1024;

/// The base URL of a FHIR API (R4 section 3.1.0.1.2), for example `https://fhir.example.org/r4`.
///
/// It is a name that clients use: it never comes from a request's `Host`, and the address that
/// the server listens on may differ. Its path is where requests are matched.
///
/// ```
/// use tower_fhir_auth::fhir::BaseUrl;
///
/// let base: BaseUrl = "https://fhir.example.org/r4/".parse()?;
/// assert_eq!(base.path(), "/r4");
/// assert_eq!(base.below("/r4/Patient/1"), Some("/Patient/1"));
/// assert_eq!(base.below("/r4x/Patient/1"), None);
/// # Ok::<(), tower_fhir_auth::fhir::BaseUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Arc<BaseParts>);

#[derive(Debug, PartialEq, Eq)]
struct BaseParts {
    text: Box<str>,
    /// Without a trailing slash; empty at the root.
    path: Box<str>,
    /// The path in its plainest reading.
    plainest: Box<str>,
    origin: Origin,
    resource_metadata: Box<str>,
}

impl BaseUrl {
    /// Returns the string as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Returns its path without a trailing slash; empty when the API is at the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Returns the rest of a request's path below the base: empty for the base itself, else
    /// beginning with a slash. `None` when the path lies outside.
    #[must_use]
    pub fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        rest_below(self.path(), path)
    }

    /// Reports whether a path, in its plainest reading, lies in the base.
    pub(crate) fn holds(&self, plainest: &str) -> bool {
        rest_below(&self.0.plainest, plainest).is_some()
    }

    /// Reports whether the address of a request, as clients write it, is too long to be evaluated. Asked before the
    /// token is verified: what a decision costs grows with the address, which strangers choose.
    pub(crate) fn is_too_long(&self, uri: &Uri) -> bool {
        let path_and_query = uri.path_and_query().map_or(0, |address| address.as_str().len());
        let origin = self.as_str().len().saturating_sub(self.path().len());
        origin + path_and_query > MAX_ADDRESS
    }

    /// Returns the URL of the OAuth 2.0 Protected Resource Metadata: the well-known path goes
    /// between host and path (RFC 9728 section 3.1).
    #[must_use]
    pub fn resource_metadata(&self) -> &str {
        &self.0.resource_metadata
    }

    /// Returns scheme, host and port, without a slash.
    pub(crate) fn origin(&self) -> &str {
        let whole = self.resource_metadata();
        let before = whole.find(Self::RESOURCE_METADATA).and_then(|end| whole.get(..end));
        before.unwrap_or(whole)
    }

    /// Returns the rest of an absolute URL below the base, as [`below`](Self::below) does. Scheme,
    /// host and port are compared as URLs are. `None` when it lies elsewhere, and for a URL with
    /// user, query or fragment.
    ///
    /// ```
    /// let base: tower_fhir_auth::fhir::BaseUrl = "https://fhir.example.org/r4".parse()?;
    /// let patient = base.relative("https://FHIR.example.org:443/r4/Patient/1");
    /// assert_eq!(patient.as_deref(), Some("/Patient/1"));
    /// assert_eq!(base.relative("https://elsewhere.example.org/r4/Patient/1"), None);
    /// # Ok::<(), tower_fhir_auth::fhir::BaseUrlError>(())
    /// ```
    #[must_use]
    pub fn relative(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let here = plain && url.origin() == self.0.origin;
        here.then(|| self.below(url.path()).map(str::to_owned)).flatten()
    }

    pub(crate) const RESOURCE_METADATA: &'static str = "/.well-known/oauth-protected-resource";
}

fn rest_below<'a>(base: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A string is not a valid base URL.
///
/// ```
/// use tower_fhir_auth::fhir::BaseUrl;
///
/// assert!("http://fhir.example.org/r4".parse::<BaseUrl>().is_err());
/// assert!("http://127.0.0.1:8080/r4".parse::<BaseUrl>().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an https URL (http for loopback and `[danger] plain_http` only) without user, query or \
     fragment"
)]
#[non_exhaustive]
pub struct BaseUrlError;

impl std::str::FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        Self::parse_with(text, &PlainHttp::default())
    }
}

impl BaseUrl {
    /// Parses a base URL as `from_str` does, or one of plain http with one of these origins.
    ///
    /// ```
    /// use tower_fhir_auth::danger::PlainHttp;
    /// use tower_fhir_auth::fhir::BaseUrl;
    ///
    /// let inside = PlainHttp::new(["http://fhir:8080"])?;
    /// assert!(BaseUrl::parse_with("http://fhir:8080/r4", &inside).is_ok());
    /// assert!(BaseUrl::parse_with("http://other:8080/r4", &inside).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BaseUrlError`] for any other text.
    pub fn parse_with(text: &str, plain_http: &PlainHttp) -> Result<Self, BaseUrlError> {
        let url = secure_url::parse_with(text, plain_http)
            .filter(|url| url.query().is_none())
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or(BaseUrlError)?;
        let path: Box<str> = url.path().trim_end_matches('/').into();
        let origin = url.origin();
        let resource_metadata =
            format!("{}{}{path}", origin.ascii_serialization(), Self::RESOURCE_METADATA).into();
        let plainest = plainest(&path).into();
        Ok(Self(Arc::new(BaseParts {
            text: text.into(),
            path,
            plainest,
            origin,
            resource_metadata,
        })))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_path_stands_between_host_and_path() {
        for (base, expected) in [
            ("https://h/r4", "https://h/.well-known/oauth-protected-resource/r4"),
            ("https://h/", "https://h/.well-known/oauth-protected-resource"),
            (
                "http://127.0.0.1:8080/a/b/",
                "http://127.0.0.1:8080/.well-known/oauth-protected-resource/a/b",
            ),
        ] {
            assert_eq!(base.parse::<BaseUrl>().unwrap().resource_metadata(), expected);
        }
    }

    #[test]
    fn a_base_url_is_https_and_has_no_query() {
        for bad in [
            "http://h/r4",
            "https://h/?a",
            "https://h/#a",
            "/r4",
            "",
            "https://u@h/",
            "https://u:p@h/",
            "https://:p@h/",
        ] {
            assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_with_user_query_or_fragment_is_not_below_the_base() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        for (url, expected) in [
            ("https://h/r4/Patient/1", Some("/Patient/1")),
            ("https://u@h/r4/Patient/1", None),
            ("https://:p@h/r4/Patient/1", None),
            ("https://h/r4/Patient/1?x", None),
            ("https://h/r4/Patient/1#x", None),
        ] {
            assert_eq!(base.relative(url).as_deref(), expected, "{url}");
        }
    }
}
