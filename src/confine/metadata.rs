//! `metadata`: what the upstream server says about itself, to everybody, and in the words of this server.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use serde_json::Value;
use tower_service::Service;

use super::localize_json::localize_json;
use super::refusal::{Refusal, document};
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use super::statement::StatementRewriter;
use super::statement_cache::{CachedStatement, StatementCache};
use super::upstream::{Upstream, UpstreamError};
use crate::authentication::Principal;
use crate::fhir::Format;
use crate::middleware::LayerParts;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Reports whether a request is for the statement of this server.
pub(super) fn is_asked<B>(layer_parts: &LayerParts, request: &Request<B>) -> bool {
    let path = request.uri().path();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && path.ends_with("/metadata")
        && layer_parts.server.base_url.below(path) == Some("/metadata")
}

/// The way in which a statement is written anew.
#[derive(Clone, Debug)]
pub(super) struct Rewriting {
    pub(super) layer_parts: Arc<LayerParts>,
    /// Of which the size of a body and the base of the upstream server count.
    pub(super) settings: Arc<ConfineSettings>,
    pub(super) statements: Arc<StatementCache>,
    /// True if answers are confined here, and what cannot be is refused.
    pub(super) is_confined: bool,
}

/// Answers a request for the statement.
pub(super) async fn answer<S, B, R>(
    ready: S,
    rewriting: Rewriting,
    mut request: Parts,
) -> Result<Response<Bytes>, S::Error>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Body<Error: Into<BoxError>>,
{
    if request.extensions.get::<Principal>().is_none() {
        // Nobody has judged it.
        request.headers.remove(AUTHORIZATION);
        request.headers.remove(DPOP);
    }
    match statement(ready, &rewriting, &request).await {
        Ok(response) => Ok(response),
        Err(UpstreamError::Service(error)) => Err(error),
        Err(UpstreamError::Refusal(answer)) => {
            rewriting.layer_parts.note_refusal(answer.code(), None, answer.text(), &request);
            Ok(answer.respond(&request))
        }
    }
}

async fn statement<S, B, R>(
    ready: S,
    rewriting: &Rewriting,
    request: &Parts,
) -> Result<Response<Bytes>, UpstreamError<S::Error>>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Body<Error: Into<BoxError>>,
{
    if !Format::takes_json(request) {
        return Err(UpstreamError::Refusal(Refusal::only_json_of_metadata()));
    }
    let query = request.uri.query().unwrap_or_default();
    let mode = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "mode");
    let Rewriting { layer_parts, statements, .. } = rewriting;
    let (of_mode, mode) = statements.for_mode(mode.as_ref().map(|(_, value)| &**value));
    let security = layer_parts.capability_security();
    // What a caller is told may be the caller's alone.
    let body = if request.extensions.get::<Principal>().is_some() {
        asked(ready, rewriting, request, (mode, &security)).await?
    } else {
        match of_mode.find(layer_parts, &security).await {
            CachedStatement::Hit(body) => body,
            CachedStatement::Failed => {
                return Err(UpstreamError::Refusal(Refusal::no_statement(StatusCode::BAD_GATEWAY)));
            }
            CachedStatement::Miss(turn) => {
                match asked(ready, rewriting, request, (mode, &security)).await {
                    Ok(body) => {
                        turn.keep(&body, layer_parts, security);
                        body
                    }
                    Err(fault) => {
                        turn.failed();
                        return Err(fault);
                    }
                }
            }
        }
    };
    let mut response = document(StatusCode::OK, Format::Json.media_type(), body, request);
    // Browser apps of any origin read it before they have a token (SMART App Launch 2.2, CORS support).
    let everybody = HeaderValue::from_static("*");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
    Ok(response)
}

/// Asks the upstream server, and writes its statement anew.
async fn asked<S, B, R>(
    ready: S,
    Rewriting { layer_parts, settings, is_confined, .. }: &Rewriting,
    request: &Parts,
    (mode, security): (Option<&str>, &Value),
) -> Result<Bytes, UpstreamError<S::Error>>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Body<Error: Into<BoxError>>,
{
    let address = match mode {
        Some(mode) => format!("{}?mode={mode}", request.uri.path()),
        None => request.uri.path().to_owned(),
    };
    let mut upstream = Upstream::new(ready, request, settings.max_body);
    // The proof goes with its token.
    let proof = request.headers.get(DPOP).map(|proof| (DPOP, proof.clone()));
    let answer = upstream.send(Method::GET, &address, RequestBody::default(), proof).await?;
    let answer = upstream.read(answer).await.map_err(UpstreamError::Refusal)?;
    if answer.status != StatusCode::OK {
        return Err(UpstreamError::Refusal(answer.refusal()));
    }
    let base = layer_parts.server.base_url.as_str().trim_end_matches('/');
    let limit = settings.max_body;
    let here = StatementRewriter::new(base, security.clone(), *is_confined, limit);
    let rule = &layer_parts.authorizer;
    let text = std::str::from_utf8(&answer.body).ok();
    let written = text.and_then(|text| here.rewritten(text, |name| rule.may_grant_operation(name)));
    let too_large = || UpstreamError::Refusal(Refusal::written_too_large(limit));
    if here.is_full() {
        return Err(too_large());
    }
    let written = written.ok_or_else(|| {
        UpstreamError::Refusal(Refusal::unreadable("it is not a CapabilityStatement in JSON"))
    })?;
    let behind = settings.upstream.as_deref().unwrap_or(base);
    let body = localize_json(written.get(), behind, base, limit).map_err(|_| too_large())?;
    Ok(Bytes::from(body))
}
