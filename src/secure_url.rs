//! Addresses that tokens and keys may travel to: https, or http on loopback and on origins that the
//! operator has named.

use std::sync::Arc;

use url::{Host, Origin, Url};

/// Origins that may be reached without TLS, beside loopback: those of the providers that keys are
/// fetched from, of what their discovery documents name, and of the base URL. Whoever is on the
/// network between can read and forge what is sent there; each origin is warned of when the layer
/// is built. `[danger] plain_http` in the configuration file.
///
/// ```
/// use tower_fhir_auth::danger::PlainHttp;
///
/// let origins = PlainHttp::new(["http://keycloak:8080"])?;
/// assert!(origins.allows("http://keycloak:8080/realms/fhir"));
/// assert!(!origins.allows("http://keycloak/realms/fhir"));
/// # Ok::<(), tower_fhir_auth::danger::PlainHttpError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainHttp(Arc<[Origin]>);

/// A text is not an exact origin of plain http.
///
/// ```
/// use tower_fhir_auth::danger::PlainHttp;
///
/// let error = PlainHttp::new(["https://idp.internal"]).unwrap_err();
/// assert_eq!(error.found, "https://idp.internal");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an origin `http://host[:port]` and nothing else, found `{found}`")]
#[non_exhaustive]
pub struct PlainHttpError {
    /// The text, without what may be a password.
    pub found: String,
}

impl PlainHttp {
    /// Reads origins, each `http://host` or `http://host:port`.
    ///
    /// # Errors
    ///
    /// The first text that is anything else: with a path (a slash at the end is one), a wildcard, a
    /// user, a query, another scheme.
    pub fn new<O: AsRef<str>>(
        origins: impl IntoIterator<Item = O>,
    ) -> Result<Self, PlainHttpError> {
        let origins = origins.into_iter().map(|text| {
            let text = text.as_ref();
            plain_origin(text).ok_or_else(|| PlainHttpError { found: without_user(text) })
        });
        Ok(Self(origins.collect::<Result<_, _>>()?))
    }

    /// Reports whether the origin of a URL is one of these.
    #[must_use]
    pub fn allows(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.has(&url))
    }

    /// Returns the origins as they are written in URLs.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Origin::ascii_serialization)
    }

    fn has(&self, url: &Url) -> bool {
        url.scheme() == "http" && self.0.contains(&url.origin())
    }
}

fn plain_origin(text: &str) -> Option<Origin> {
    let host = text.strip_prefix("http://")?;
    // The URL parser would drop or rewrite some of what is no origin.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.ends_with(':') || !host.bytes().all(is_plain) {
        return None;
    }
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    Some(url.origin())
}

/// Parses an absolute URL with a host and without fragment that is https, or http for a host
/// that is loopback by name or number.
pub(crate) fn parse(text: &str) -> Option<Url> {
    parse_with(text, &PlainHttp::default())
}

/// Parses a URL as [`parse`] does, or one of plain http with one of these origins.
pub(crate) fn parse_with(text: &str, plain_http: &PlainHttp) -> Option<Url> {
    // The URL parser silently drops white space and control characters.
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let may_travel = is_secure(&url) || plain_http.has(&url);
    (may_travel && url.has_host() && url.fragment().is_none()).then_some(url)
}

/// Returns an address as it may be told: without the user part, in which a password may stand,
/// whether it can be parsed or not.
pub(crate) fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("//") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}//{host}{path}"),
        None => text.to_owned(),
    }
}

/// Reports whether a URL is https, or http on loopback.
fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => names_loopback(url),
        _ => false,
    }
}

fn names_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for good in ["https://h", "http://127.0.0.1:1", "http://[::1]/", "http://LOCALHOST/"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "http://h",
            "http://localhost.evil",
            "http://127.0.0.1.evil",
            "file:///x",
            "/x",
            "",
            "https://",
            "https://h#f",
            "urn:x",
            " https://h",
            "https://h\n",
            "https://h/a b",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (origin, url) in [
            ("http://keycloak:8080", "http://keycloak:8080/realms/fhir?x=1"),
            ("http://keycloak:80", "http://KeyCloak/realms"),
            ("http://10.0.0.7", "http://10.0.0.7:80/"),
            ("http://[fd00::1]:8080", "http://[fd00::1]:8080/jwks"),
        ] {
            let plain = PlainHttp::new([origin]).unwrap();
            assert!(plain.allows(url) && parse_with(url, &plain).is_some(), "{origin}: {url}");
            assert!(parse(url).is_none(), "{url}");
        }
        let plain = PlainHttp::new(["http://keycloak:8080"]).unwrap();
        for other in [
            "http://keycloak",
            "http://keycloak:8081",
            "http://a.keycloak:8080",
            "http://keycloak.evil:8080",
            "ws://keycloak:8080",
            "keycloak:8080",
        ] {
            assert!(!plain.allows(other) && parse_with(other, &plain).is_none(), "{other}");
        }
        for bad in BAD_ORIGINS {
            let error = PlainHttp::new([bad]).unwrap_err().to_string();
            assert!(error.starts_with("expected an origin"), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    const BAD_ORIGINS: [&str; 18] = [
        "",
        "keycloak:8080",
        "//keycloak",
        "https://keycloak:8080",
        "http://",
        "http:///",
        "http://keycloak:8080/",
        "http://keycloak/realms",
        "http://*.example.org",
        "http://*",
        "http://user:hunter2@keycloak:8080",
        "http://keycloak?x",
        "http://keycloak#x",
        "http://keycloak:",
        "http://keycloak:99999",
        "http://key cloak",
        " http://keycloak",
        "http://keycloak\\realms",
    ];

    #[test]
    fn the_user_part_of_an_address_is_not_told() {
        for (address, told) in [
            ("https://user:hunter2@h/a", "https://h/a"),
            ("https://hunter2@h", "https://h"),
            ("https://a@hunter2@h?x@y", "https://h?x@y"),
            ("http://user:hunter2@", "http://"),
            ("//user:hunter2@h", "//h"),
            ("https://h/a@b", "https://h/a@b"),
            ("urn:x@y", "urn:x@y"),
            ("", ""),
        ] {
            assert_eq!(without_user(address), told, "{address}");
        }
    }
}
