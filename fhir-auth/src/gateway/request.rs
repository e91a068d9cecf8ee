//! The head of a request, as it goes on to the upstream server.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use tower_fhir_auth::config::{CallerHeader, ConfinedBy, UpstreamAuthorization, UpstreamConfig};
use tower_fhir_auth::confine::Addresses;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Access, InteractionKind, Principal};

use super::base::Bases;
use super::gateway_error::GatewayError;
use super::headers::{OF_BYTES, OF_CONNECTION, is_json, is_of_binary, named_by_connection};
use super::rewrite::Rewriter;
use crate::server::Peer;
use crate::{caller_headers, path};

/// Headers that are the gateway's, or that describe what it does not send.
const OWN: [&str; 7] =
    ["accept-encoding", "authorization", "content-length", "dpop", "expect", "forwarded", "host"];

/// Headers that would make another request of the one that was judged, as some servers read them.
const OVERRIDES: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-real-ip", "x-rewrite-url"];

/// Headers that are judged by this one name: some servers would read another spelling as the same.
const JUDGED: [&str; 5] =
    ["content-encoding", "content-type", "if-match", "if-none-exist", "x-provenance"];

/// The rules by which a request goes on.
#[derive(Debug)]
pub(super) struct Rules {
    public: BaseUrl,
    /// The base of the upstream server, where the layer does not translate addresses in parameters.
    upstream: Option<String>,
    bases: Bases,
    scheme: Scheme,
    authority: Authority,
    path: String,
    authorization: UpstreamAuthorization,
    headers: Vec<CallerHeader>,
    /// The names of these, as they are compared with those of a client.
    own_names: Vec<String>,
}

impl Rules {
    /// `None` if the base of the upstream server has no host.
    pub(super) fn new(
        public: BaseUrl,
        upstream: &BaseUrl,
        config: &UpstreamConfig,
    ) -> Option<Self> {
        let parts = upstream.as_str().parse::<Uri>().ok()?.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let path = upstream.path().to_owned();
        let bases = Bases::new(&public, upstream);
        let (authorization, headers) = (config.authorization.clone(), config.headers.clone());
        let is_translated = config.confine == ConfinedBy::Gateway;
        let upstream = (!is_translated).then(|| upstream.as_str().to_owned());
        let own_names =
            headers.iter().map(|own| hyphenated(own.name.as_str()).into_owned()).collect();
        Some(Self {
            public,
            upstream,
            bases,
            scheme,
            authority,
            path,
            authorization,
            headers,
            own_names,
        })
    }

    /// Makes the head that goes on, of the headers of the request. The caller is in its extensions, where one was
    /// judged.
    pub(super) fn head(&self, request: &mut Parts) -> Result<Request<()>, GatewayError> {
        let mut sent = Request::new(());
        *sent.method_mut() = request.method.clone();
        // The protocol is that of the connection.
        *sent.version_mut() = Version::HTTP_11;
        *sent.uri_mut() = self.uri(request)?;
        *sent.headers_mut() = std::mem::take(&mut request.headers);
        let (request, headers) = (&*request, sent.headers_mut());
        let caller = request.extensions.get::<Principal>();
        let is_relayed = self.authorization == UpstreamAuthorization::Relay && caller.is_some();
        // The proof goes with its token.
        let relayed =
            is_relayed.then(|| [DPOP, AUTHORIZATION].map(|name| headers.get(&name).cloned()));
        self.strip(headers);
        // Of an export the layer hands the address on to its owner alone.
        if !begins_export(request) {
            strip_respond_async(headers);
        }
        self.pass_provenance(request, headers)?;
        if let Some(asked) = headers.get_mut(IF_NONE_EXIST)
            && let Some(local) = self.translated(&request.uri, asked.to_str().unwrap_or_default())
        {
            *asked = HeaderValue::try_from(local).map_err(|_| GatewayError::Elsewhere)?;
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // Replaced, not appended to: what a client claims there would be read as the word of a proxy.
        if let Some(address) = request.extensions.get::<Peer>().and_then(Peer::text) {
            headers.insert(X_FORWARDED_FOR, address.clone());
        }
        for (name, value) in [DPOP, AUTHORIZATION].into_iter().zip(relayed.into_iter().flatten()) {
            headers.extend(value.map(|value| (name, value)));
        }
        if let UpstreamAuthorization::Literal(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        caller_headers::set_headers(caller, &self.headers, &self.public, headers)?;
        Ok(sent)
    }

    /// The address below the base of the upstream server: what was judged, in one spelling.
    fn uri(&self, request: &Parts) -> Result<Uri, GatewayError> {
        let below = self.public.below(request.uri.path()).ok_or(GatewayError::Elsewhere)?;
        let below = if self.public.path().is_empty() && below == "/" { "" } else { below };
        if path::may_be_read_otherwise(below) {
            return Err(GatewayError::Elsewhere);
        }
        let is_judged = || request.extensions.get::<Access>().is_some();
        let below = match below.contains('%') && is_judged() {
            true => Cow::Owned(below.replace("%24", "$")),
            false => Cow::Borrowed(below),
        };
        let path = match (self.path.as_str(), &*below) {
            ("", "") => "/".to_owned(),
            (base, below) => [base, below].concat(),
        };
        let is_known = request.extensions.get::<Principal>().is_some();
        let query = request.uri.query().map(|query| match is_known {
            true => self.translated(&request.uri, query).unwrap_or_else(|| query.to_owned()),
            false => without_token(query),
        });
        let address = match query {
            Some(query) => [path.as_str(), "?", query.as_str()].concat(),
            None => path,
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let address = PathAndQuery::try_from(address).map_err(|_| GatewayError::Elsewhere)?;
        parts.path_and_query = Some(address);
        Uri::from_parts(parts).map_err(|_| GatewayError::Elsewhere)
    }

    /// Returns parameters of a request as the upstream server reads them; `None` where they stay as they are.
    pub(super) fn translated(&self, asked: &Uri, parameters: &str) -> Option<String> {
        let below = self.public.below(asked.path()).unwrap_or_default();
        Addresses::new(&self.public, self.upstream.as_deref()?).query(below, parameters)
    }

    /// Removes the headers that may not pass.
    fn strip(&self, headers: &mut HeaderMap) {
        let named = named_by_connection(headers);
        let goes = |name: &&HeaderName| {
            let read = hyphenated(name.as_str());
            OWN.contains(&&*read)
                || OF_CONNECTION.contains(&&*read)
                || OVERRIDES.contains(&&*read)
                || read.starts_with("x-forwarded-")
                || read.starts_with("x-original-")
                || named.contains(*name)
                || self.own_names.iter().any(|own| *own == read)
                || (*read != *name.as_str() && JUDGED.contains(&&*read))
        };
        for name in headers.keys().filter(goes).cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
    }

    /// Takes out the resources that a client wants recorded beside what it changes, unless they were granted.
    fn pass_provenance(
        &self,
        request: &Parts,
        headers: &mut HeaderMap,
    ) -> Result<(), GatewayError> {
        let provenance = headers.remove(X_PROVENANCE);
        let is_change = !matches!(request.method, Method::GET | Method::HEAD);
        let Some(provenance) = provenance.filter(|_| is_change) else { return Ok(()) };
        let access = request.extensions.get::<Access>();
        let may = |access: &Access| access.may(Permissions::CREATE, "Provenance").is_open();
        if !access.is_some_and(may) {
            return Err(GatewayError::Provenance);
        }
        let mut rewriter = Rewriter::of_request(self.bases.clone());
        let start = rewriter.push(&Bytes::copy_from_slice(provenance.as_bytes()));
        let local = HeaderValue::from_bytes(&[start, rewriter.finish()].concat());
        headers.insert(X_PROVENANCE, local.map_err(|_| GatewayError::Provenance)?);
        Ok(())
    }
}

const DPOP: HeaderName = HeaderName::from_static("dpop");

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

const PREFER: HeaderName = HeaderName::from_static("prefer");

const X_PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The way of a body to the upstream server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentKind {
    AsItIs,
    /// It is JSON, in which addresses are written as the upstream server knows them.
    Json,
    /// It has the parameters of a search.
    Form,
}

impl SentKind {
    /// Tells the way of a body, and takes out headers about bytes that become others.
    pub(super) fn of(head: &mut Parts) -> Self {
        let mut segments = head.uri.path().split('/');
        let is_search = head.method == Method::POST && segments.next_back() == Some("_search");
        let is_json = is_json(&head.headers, is_of_binary(head.uri.path()));
        let kind = match (is_search, is_json) {
            (true, _) => Self::Form,
            (false, true) => Self::Json,
            (false, false) => return Self::AsItIs,
        };
        for name in OF_BYTES {
            head.headers.remove(name);
        }
        kind
    }
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
fn strip_respond_async(headers: &mut HeaderMap) {
    if !headers.contains_key(PREFER) {
        return;
    }
    let is_later = |preference: &str| {
        preference.trim_start().to_ascii_lowercase().starts_with("respond-async")
    };
    let kept: Vec<HeaderValue> = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| {
            let preferences = value.to_str().ok()?.split(',').filter(|one| !is_later(one));
            let kept = preferences.collect::<Vec<_>>().join(",");
            HeaderValue::try_from(kept).ok().filter(|kept| !kept.is_empty())
        })
        .collect();
    headers.remove(PREFER);
    for value in kept {
        headers.append(PREFER, value);
    }
}

/// Returns the name of a header as those servers read it that take `_` for `-`.
fn hyphenated(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
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
        strip_respond_async(&mut headers);
        let left: Vec<_> = headers.get_all("prefer").iter().collect();
        assert_eq!(left, ["return=minimal, handling=strict"]);
    }
}
