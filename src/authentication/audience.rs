//! The audience of a token (RFC 7519 section 4.1.3, RFC 8707).

use std::borrow::Cow;

use hashbrown::HashSet;

use super::claims::Claims;
use crate::display_safe::sanitize;
use crate::explanation::{AudienceReason, Check, Checked, Evidence, Reason};

/// The audiences that a server answers to. A token is accepted when any of its audiences is any
/// of these.
///
/// Exact text and URLs are kept apart: [`exact`](Self::exact) compares byte by byte, as RFC 7519
/// asks; [`url`](Self::url) is for an audience that is a base URL, where the same address has
/// several spellings.
///
/// ```
/// use tower_fhir_auth::AudiencePolicy;
///
/// let exact = AudiencePolicy::exact(["https://fhir.example.org/r4"]);
/// assert!(exact.accepts("https://fhir.example.org/r4"));
/// assert!(!exact.accepts("https://fhir.example.org/r4/"));
///
/// let url = AudiencePolicy::url(["https://fhir.example.org/r4"]);
/// assert!(url.accepts("HTTPS://FHIR.example.org:443/r4/"));
/// assert!(!url.accepts("https://fhir.example.org/R4"));
///
/// let both = exact.or(AudiencePolicy::exact(["11111111-2222-3333-4444-555555555555"]));
/// assert!(both.accepts("11111111-2222-3333-4444-555555555555"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudiencePolicy {
    exact: Vec<String>,
    /// As written by the operator; normalised when compared and when checked for emptiness.
    urls: Vec<String>,
}

impl AudiencePolicy {
    /// Accepts any of `audiences`, byte by byte.
    pub fn exact<A: Into<String>>(audiences: impl IntoIterator<Item = A>) -> Self {
        Self { exact: audiences.into_iter().map(Into::into).collect(), urls: Vec::new() }
    }

    /// Accepts any of `audiences` after normalising both sides as URLs: scheme and host in lower
    /// case, no default port (80 for `http`, 443 for `https`), and without one trailing slash.
    /// Path and query are compared as they stand. Text that is no URL is compared exactly.
    pub fn url<A: Into<String>>(audiences: impl IntoIterator<Item = A>) -> Self {
        Self {
            exact: Vec::new(),
            urls: audiences.into_iter().map(|text| normalise(&text.into()).into_owned()).collect(),
        }
    }

    /// Accepts what either policy accepts.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.exact.extend(other.exact);
        self.urls.extend(other.urls);
        self
    }

    /// Compares all of these audiences as URLs.
    #[cfg(feature = "config")]
    pub(crate) fn into_urls(self) -> Self {
        Self::url(self.exact.into_iter().chain(self.urls))
    }

    /// Reports whether `audience` names this server.
    #[must_use]
    pub fn accepts(&self, audience: &str) -> bool {
        self.exact.iter().any(|accepted| accepted == audience) || self.accepts_as_url(audience)
    }

    fn accepts_as_url(&self, audience: &str) -> bool {
        if self.urls.is_empty() {
            return false;
        }
        let audience = normalise(audience);
        self.urls.iter().any(|url| *url == audience)
    }

    /// Reports whether one of the audiences of a token is accepted. Few are compared one by one; many
    /// are looked up, so that their number is not multiplied by that of the accepted ones.
    fn accepts_any(&self, audiences: &[&str]) -> bool {
        if audiences.len() <= FEW {
            return audiences.iter().any(|audience| self.accepts(audience));
        }
        let given: HashSet<&str> = audiences.iter().copied().collect();
        if self.exact.iter().any(|accepted| given.contains(accepted.as_str())) {
            return true;
        }
        if self.urls.is_empty() {
            return false;
        }
        let given: HashSet<Cow<'_, str>> =
            audiences.iter().map(|audience| normalise(audience)).collect();
        self.urls.iter().any(|url| given.contains(url.as_str()))
    }

    /// Reports whether nothing is accepted, which no server can want.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.urls.is_empty()
    }

    /// Checks `aud` (RFC 7519 section 4.1.3). `setting` is where an operator would add to it.
    pub(crate) fn check<'c>(
        &'c self,
        claims: &'c Claims<'_>,
        setting: &'static str,
    ) -> Checked<(), impl FnOnce() -> Evidence> {
        Checked::new(Check::Audience, self.is_met(claims, setting), || match claims.audiences() {
            // What is no audience at all is not told.
            Err(_) => Evidence::none(),
            Ok(audiences) => {
                let found = (!audiences.is_empty()).then(|| audiences.join(" "));
                Evidence::none().with_found(found).expected(self.listed())
            }
        })
    }

    fn is_met(&self, claims: &Claims<'_>, setting: &'static str) -> Result<(), Reason> {
        let audiences =
            claims.audiences().map_err(|_| Reason::Audience(AudienceReason::Malformed))?;
        if audiences.is_empty() {
            let accepted = self.first();
            return Err(Reason::Audience(match is_of_cognito(claims) {
                true => AudienceReason::MissingFromCognito { accepted },
                false => AudienceReason::Missing { accepted },
            }));
        }
        if self.accepts_any(&audiences) {
            return Ok(());
        }
        let first = audiences.iter().take(MAX_NAMED).map(|audience| sanitize(audience));
        Err(Reason::Audience(AudienceReason::Mismatch {
            audiences: first.collect(),
            accepted: self.first(),
            setting,
        }))
    }

    fn first(&self) -> Vec<String> {
        self.exact.iter().chain(&self.urls).take(MAX_NAMED).cloned().collect()
    }

    pub(crate) fn listed(&self) -> String {
        let all: Vec<&str> = self.exact.iter().chain(&self.urls).map(String::as_str).collect();
        all.join(" ")
    }
}

/// Reports whether a token is an access token of Amazon Cognito, by its issuer or by the claims that
/// it has there ("Understanding the access token" of the developer guide).
#[cold]
fn is_of_cognito(claims: &Claims<'_>) -> bool {
    let issuer = claims.string_or_none("iss").unwrap_or_default();
    let host = issuer.strip_prefix("https://cognito-idp.").and_then(|rest| rest.split_once('/'));
    let is_pool = host.is_some_and(|(host, _)| {
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    });
    is_pool
        || (claims.string_or_none("token_use") == Some("access")
            && claims.string_or_none("client_id").is_some())
}

/// The number of audiences up to which each is compared with each that is accepted.
const FEW: usize = 8;

/// The number of audiences that a reason keeps of each side.
const MAX_NAMED: usize = 4;

/// See [`AudiencePolicy::url`]. `url::Url` would change more than that: it resolves dots and
/// re-encodes the path.
fn normalise(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => ":",
    };
    let host = authority.strip_suffix(default_port).unwrap_or(&authority);
    let path = path.strip_suffix('/').unwrap_or(path);
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json::Document;

    #[test]
    fn urls_are_normalised_only_as_documented() {
        for same in ["https://h/a", "https://H/a/", "HTTPS://h:443/a"] {
            assert_eq!(normalise(same), "https://h/a", "{same}");
        }
        assert_eq!(normalise("https://h/"), normalise("https://h"));
        for different in [
            "https://h/A",
            "https://h/a//",
            "https://h:8443/a",
            "http://h/a",
            "https://h/a?",
            "https://h/./a",
            "https://h/%61",
            "https://h.evil/a",
            "https://h/a/b",
        ] {
            assert_ne!(normalise(different), "https://h/a", "{different}");
        }
        assert_eq!(normalise("http://h:80"), "http://h");
        assert_eq!(normalise("API"), "API");
    }

    #[test]
    fn many_audiences_of_a_token_are_judged_as_few() {
        let exact = AudiencePolicy::exact(["api", "https://h/a"]);
        let url = AudiencePolicy::url(["https://h/a"]);
        for count in [1, FEW, FEW + 1, 4 * FEW] {
            let mut given = vec!["other"; count];
            assert!(!exact.accepts_any(&given) && !url.accepts_any(&given), "{count}");
            *given.last_mut().unwrap() = "https://H/a/";
            assert!(!exact.accepts_any(&given) && url.accepts_any(&given), "{count}");
            *given.last_mut().unwrap() = "https://h/a";
            assert!(exact.accepts_any(&given) && url.accepts_any(&given), "{count}");
        }
    }

    #[test]
    fn tokens_of_cognito_are_known_by_their_pool_or_their_claims() {
        for (claims, is_one) in [
            (r#"{"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a"}"#, true),
            (r#"{"iss":"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_a"}"#, true),
            (r#"{"iss":"https://cognito-idp.eu-west-1.example.org/eu-west-1_a"}"#, false),
            (r#"{"iss":"https://idp.amazonaws.com/a"}"#, false),
            (r#"{"token_use":"access","client_id":"a"}"#, true),
            (r#"{"token_use":"id","client_id":"a"}"#, false),
            (r#"{"token_use":"access"}"#, false),
        ] {
            let claims = Claims::new(Document::parse(claims).unwrap());
            assert_eq!(is_of_cognito(&claims), is_one, "{:?}", claims.sources().0);
        }
    }
}
