//! A guard of the provider, for programs of this machine, its own pages, and the page of the demo. A site that
//! somebody happens to have open is none of these.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Issuer;
use crate::page::is_for_loopback;

pub(super) async fn own_sites_alone(
    State(issuer): State<Arc<Issuer>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_for_loopback(request.uri(), request.headers()) {
        // A name of theirs that leads here makes this their own site to a browser.
        let text = "the provider of the demo answers to loopback alone";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !is_of_own_site(&issuer, request.headers()) {
        return (StatusCode::FORBIDDEN, "another site has sent this").into_response();
    }
    next.run(request).await
}

/// Reports whether no other site has sent a request: browsers say which has (Fetch Metadata, RFC 6454 section 7),
/// and programs nothing.
fn is_of_own_site(issuer: &Issuer, headers: &HeaderMap) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let origin = of(ORIGIN.as_str());
    if origin.is_some_and(|origin| origin == issuer.url || format!("{origin}/") == issuer.page) {
        return true;
    }
    match of("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => origin.is_none(),
    }
}
