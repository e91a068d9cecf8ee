//! The service inside the layer: it answers granted requests, and names the caller in headers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower_fhir_auth::config::CallerHeader;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Access, Denial, FhirAuthLayer, Principal};
use tower_service::Service;

use crate::caller_headers::{self, TooLong};
use crate::path;

/// Marks an answer that lets a request pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passes;

/// Answers what the layer lets pass.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) auth: FhirAuthLayer,
    pub(super) base: BaseUrl,
    pub(super) headers: Vec<CallerHeader>,
}

impl Granted {
    fn answer(&self, request: &Parts) -> Response<Bytes> {
        let refused = |text: &'static str| self.auth.reject(&Denial::new(text), request);
        let path = request.uri.path();
        if path::may_be_read_otherwise(self.base.below(path).unwrap_or(path)) {
            return refused("the proxy and the upstream server may read this address differently");
        }
        if writes_provenance(request) {
            return refused(
                "`X-Provenance` needs the right to create Provenance, of all patients and without a constraint",
            );
        }
        if has_override(&request.headers) {
            return refused(
                "a header asks for another method or address than the one that is judged, such as \
                 `X-HTTP-Method-Override`: the upstream server may heed it",
            );
        }
        if cascades(request) {
            return refused(
                "`X-Cascade` deletes what refers to the resource, too: it takes the right to delete every type",
            );
        }
        match allowed(request.extensions.get::<Principal>(), &self.headers, &self.base) {
            Ok(response) => response,
            Err(TooLong) => refused(TooLong::TEXT),
        }
    }
}

/// Makes the answer that lets a request pass. The headers are there, whoever the caller is: with them the proxy
/// overwrites those of the client.
pub(super) fn allowed(
    caller: Option<&Principal>,
    wanted: &[CallerHeader],
    base: &BaseUrl,
) -> Result<Response<Bytes>, TooLong> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::OK;
    response.extensions_mut().insert(Passes);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    caller_headers::set_headers(caller, wanted, base, headers)?;
    Ok(response)
}

/// Reports whether a change brings a Provenance with it that its caller may not create.
fn writes_provenance(request: &Parts) -> bool {
    let is_change = !matches!(request.method, Method::GET | Method::HEAD);
    let may = |access: &Access| {
        access.may(Permissions::CREATE, "Provenance").is_open()
            && access.authorize_entry(&Method::POST, "Provenance", None).is_ok()
    };
    is_change
        && has_provenance(&request.headers)
        && !request.extensions.get::<Access>().is_some_and(may)
}

/// Reports whether a header asks to delete more than the address names (HAPI's `X-Cascade`), for a caller that may not
/// delete resources of every type.
fn cascades(request: &Parts) -> bool {
    let is_asked = request.headers.keys().any(|name| plain(name) == "x-cascade");
    is_asked
        && request.method == Method::DELETE
        && !request.extensions.get::<Access>().is_some_and(Access::is_unconfined)
}

fn has_provenance(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| plain(name) == "x-provenance")
}

/// Reports whether some servers read another request from the headers. None of them names the original request of
/// a sub-request.
fn has_override(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = plain(name);
        name.starts_with("x-http-method")
            || name.starts_with("x-rewrite-")
            || matches!(&*name, "x-method-override" | "x-original-url")
    })
}

/// Returns a name as those servers read it that take `_` for `-`.
fn plain(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

impl Service<Request<()>> for Granted {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok(self.answer(&request.into_parts().0).map(Full::new)))
    }
}
