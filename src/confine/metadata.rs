//! `metadata`: what the server behind says about itself, to everybody, and in the words of this server.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::addresses::localized;
use super::answer::{NoAnswer, document};
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use super::statement::Here;
use super::upstream::{Fault, Upstream};
use crate::fhir::Format;
use crate::middleware::Interior;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reports whether a request is for the statement of this server.
pub(super) fn is_asked<B>(interior: &Interior, request: &Request<B>) -> bool {
    let path = request.uri().path();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && path.ends_with("/metadata")
        && interior.server.base_url.below(path) == Some("/metadata")
}

/// The way in which a statement is written anew.
#[derive(Clone, Debug)]
pub(super) struct Rewriting {
    pub(super) interior: Arc<Interior>,
    /// Of which the size of a body and the base of the server behind count.
    pub(super) settings: Arc<ConfineSettings>,
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
    // Nobody has judged it.
    request.headers.remove(AUTHORIZATION);
    match statement(ready, &rewriting, &request).await {
        Ok(response) => Ok(response),
        Err(Fault::Service(error)) => Err(error),
        Err(Fault::NoAnswer(answer)) => {
            rewriting.interior.note_refusal(answer.code(), None, answer.text(), &request);
            Ok(answer.respond(&request))
        }
    }
}

async fn statement<S, B, R>(
    ready: S,
    Rewriting { interior, settings, is_confined }: &Rewriting,
    request: &Parts,
) -> Result<Response<Bytes>, Fault<S::Error>>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Body<Error: Into<BoxError>>,
{
    if !Format::takes_json(request) {
        return Err(Fault::NoAnswer(NoAnswer::only_json_of_metadata()));
    }
    let query = request.uri.query().unwrap_or_default();
    let mode = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "mode");
    let address = match mode.as_ref().map(|(_, value)| &**value) {
        Some(mode @ ("full" | "normative" | "terminology")) => {
            format!("{}?mode={mode}", request.uri.path())
        }
        Some(_) | None => request.uri.path().to_owned(),
    };
    let mut upstream = Upstream::new(ready, request, settings.max_body);
    let answer = upstream.get(&address).await?;
    if answer.status != StatusCode::OK {
        return Err(Fault::NoAnswer(answer.refusal()));
    }
    let base = interior.server.base_url.as_str().trim_end_matches('/');
    let security = interior.capability_security();
    let here = Here { base, security, is_confined: *is_confined };
    let rule = &interior.authorizer;
    let text = std::str::from_utf8(&answer.body).ok();
    let written = text.and_then(|text| here.rewritten(text, |name| rule.may_grant_operation(name)));
    let written = written.ok_or_else(|| {
        Fault::NoAnswer(NoAnswer::unreadable("it is no CapabilityStatement in JSON"))
    })?;
    let behind = settings.upstream.as_deref().unwrap_or(base);
    let body = Bytes::from(localized(written.get(), behind, base));
    let mut response = document(StatusCode::OK, Format::Json.media_type(), body, request);
    let everybody = HeaderValue::from_static("*");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
    Ok(response)
}
