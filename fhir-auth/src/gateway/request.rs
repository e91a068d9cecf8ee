//! The head of a request, as it goes on to the server behind.

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use tower_fhir_auth::config::{CallerHeader, UpstreamAuthorization};
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{Access, InteractionKind, Principal};

use super::unanswered::Unanswered;
use crate::server::Peer;
use crate::{caller, path};

/// Headers that are the gateway's, or that describe what it does not send.
const OWN: [&str; 7] =
    ["accept-encoding", "authorization", "content-length", "dpop", "expect", "forwarded", "host"];

/// Headers of one connection (RFC 9110 section 7.6.1), beside those that `Connection` names.
pub(super) const OF_CONNECTION: [&str; 9] = [
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
];

/// Headers that would make another request of the one that was judged, as some servers read them.
const OVERRIDES: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-real-ip", "x-rewrite-url"];

/// The rules by which a request goes on.
#[derive(Debug)]
pub(super) struct Rules {
    public: BaseUrl,
    scheme: Scheme,
    authority: Authority,
    path: String,
    authorization: UpstreamAuthorization,
    headers: Vec<CallerHeader>,
}

impl Rules {
    /// `None` if the base of the server behind has no host.
    pub(super) fn new(
        public: BaseUrl,
        upstream: &BaseUrl,
        authorization: UpstreamAuthorization,
        headers: Vec<CallerHeader>,
    ) -> Option<Self> {
        let parts = upstream.as_str().parse::<Uri>().ok()?.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let path = upstream.path().to_owned();
        Some(Self { public, scheme, authority, path, authorization, headers })
    }

    /// Makes the head that goes on. The caller is in the extensions, where one was judged.
    pub(super) fn head(&self, request: &Parts) -> Result<Request<()>, Unanswered> {
        let caller = request.extensions.get::<Principal>();
        let mut sent = Request::new(());
        *sent.method_mut() = request.method.clone();
        // The protocol is that of the connection.
        *sent.version_mut() = Version::HTTP_11;
        *sent.uri_mut() = self.uri(request)?;
        let headers = sent.headers_mut();
        self.pass(&request.headers, headers);
        // Of an export the layer hands the address on to its owner alone.
        if !begins_export(request) {
            now(headers);
        }
        let is_change = !matches!(request.method, Method::GET | Method::HEAD);
        if headers.remove("x-provenance").is_some() && is_change {
            return Err(Unanswered::Provenance);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(Peer(address)) = request.extensions.get() {
            let address = HeaderValue::try_from(address.ip().to_string());
            headers.extend(address.ok().map(|address| (X_FORWARDED_FOR, address)));
        }
        match &self.authorization {
            UpstreamAuthorization::Relay if caller.is_some() => {
                // The proof goes with its token.
                let proof = request.headers.get("dpop").cloned();
                headers.extend(proof.map(|proof| (DPOP, proof)));
                let own = request.headers.get(AUTHORIZATION).cloned();
                headers.extend(own.map(|own| (AUTHORIZATION, own)));
            }
            UpstreamAuthorization::Literal(value) => {
                headers.insert(AUTHORIZATION, value.clone());
            }
            UpstreamAuthorization::Drop | UpstreamAuthorization::Relay | _ => {}
        }
        caller::tell(caller, &self.headers, headers)?;
        Ok(sent)
    }

    /// The address below the base of the server behind: what was judged, in one spelling.
    fn uri(&self, request: &Parts) -> Result<Uri, Unanswered> {
        let below = self.public.below(request.uri.path()).ok_or(Unanswered::Elsewhere)?;
        let below = if self.public.path().is_empty() && below == "/" { "" } else { below };
        if path::may_be_read_otherwise(below) {
            return Err(Unanswered::Elsewhere);
        }
        let is_judged = request.extensions.get::<Access>().is_some();
        let below = if is_judged { below.replace("%24", "$") } else { below.to_owned() };
        let path = match (self.path.as_str(), below.as_str()) {
            ("", "") => "/".to_owned(),
            (base, below) => format!("{base}{below}"),
        };
        let is_known = request.extensions.get::<Principal>().is_some();
        let query = request.uri.query().map(|query| match is_known {
            true => query.to_owned(),
            false => without_token(query),
        });
        let address = match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let address = PathAndQuery::try_from(address).map_err(|_| Unanswered::Elsewhere)?;
        parts.path_and_query = Some(address);
        Uri::from_parts(parts).map_err(|_| Unanswered::Elsewhere)
    }

    /// Copies the headers that may pass.
    fn pass(&self, from: &HeaderMap, to: &mut HeaderMap) {
        let named = named_by_connection(from);
        for (name, value) in from {
            let read = name.as_str().replace('_', "-");
            let is_callers =
                self.headers.iter().any(|own| own.name.as_str().replace('_', "-") == read);
            let stays = OWN.contains(&&*read)
                || OF_CONNECTION.contains(&&*read)
                || OVERRIDES.contains(&&*read)
                || read.starts_with("x-forwarded-")
                || read.starts_with("x-original-")
                || named.iter().any(|named| *named == name.as_str())
                || is_callers;
            if !stays {
                to.append(name.clone(), value.clone());
            }
        }
    }
}

const DPOP: HeaderName = HeaderName::from_static("dpop");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the headers that `Connection` names.
pub(super) fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names =
        values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.collect()
}

/// Reports whether the body of a request is JSON, in which addresses are written as the server behind reads them.
/// What its head says of the bytes of that body is removed.
pub(super) fn is_json(head: &mut Parts) -> bool {
    let is_plain = head.headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    // The content of a Binary is nobody's but its own; only FHIR's own type says that it is the resource.
    let is_binary = head.uri.path().split('/').any(|segment| segment == "Binary");
    let is_json = match media_type.as_str() {
        "application/fhir+json" | "application/json+fhir" | "application/json-patch+json" => true,
        "application/json" | "text/json" => !is_binary,
        _ => false,
    };
    if is_plain && is_json {
        for name in ["content-digest", "content-md5", "digest", "repr-digest"] {
            head.headers.remove(name);
        }
    }
    is_plain && is_json
}

/// Reports whether a request is one for an export that was granted.
fn begins_export(request: &Parts) -> bool {
    request.extensions.get::<Access>().is_some_and(|access| {
        let interaction = access.interaction();
        interaction.kind() == InteractionKind::Operation
            && interaction.operation() == Some("export")
    })
}

/// Removes what asks for an answer that comes later, by another address.
fn now(headers: &mut HeaderMap) {
    let is_later = |preference: &str| {
        preference.trim_start().to_ascii_lowercase().starts_with("respond-async")
    };
    let kept: Vec<HeaderValue> = headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| {
            let preferences = value.to_str().ok()?.split(',').filter(|one| !is_later(one));
            let kept = preferences.collect::<Vec<_>>().join(",");
            HeaderValue::try_from(kept).ok().filter(|kept| !kept.is_empty())
        })
        .collect();
    headers.remove("prefer");
    for value in kept {
        headers.append("prefer", value);
    }
}

/// Removes tokens from the query of an address where nobody has looked at them.
fn without_token(query: &str) -> String {
    let is_token = |pair: &&str| {
        form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == "access_token")
    };
    query.split('&').filter(|pair| !is_token(pair)).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_nobody_has_looked_at_is_not_in_the_address() {
        let query = "a=1&access_token=x&access%5Ftoken=y&b=access_token";
        assert_eq!(without_token(query), "a=1&b=access_token");
    }

    #[test]
    fn an_answer_that_comes_later_is_not_asked_for() {
        let mut headers = HeaderMap::new();
        headers.append(
            "prefer",
            HeaderValue::from_static("return=minimal, Respond-Async, handling=strict"),
        );
        headers.append("prefer", HeaderValue::from_static("respond-async; wait=5"));
        now(&mut headers);
        let left: Vec<_> = headers.get_all("prefer").iter().collect();
        assert_eq!(left, ["return=minimal, handling=strict"]);
    }
}
