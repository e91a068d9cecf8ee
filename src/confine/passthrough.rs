//! A request that passes without a look, but for the addresses in its parameters.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use tower_service::Service;

use super::addresses::Addresses;
use super::body::ConfinedBody;
use super::headers;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use crate::authorization::Access;
use crate::middleware::{LayerParts, announce_close};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// The parameters in the head of a request as the upstream server reads them, where that has another base.
pub(super) struct LocalizedParameters {
    uri: Option<Uri>,
    condition: Option<HeaderValue>,
}

impl LocalizedParameters {
    /// Returns them; `None` where they stay as they are, as those of most requests do.
    pub(super) fn of<B>(
        request: &Request<B>,
        layer_parts: &LayerParts,
        settings: &ConfineSettings,
    ) -> Option<Box<Self>> {
        let upstream = settings.upstream.as_ref()?;
        let query = request.uri().query();
        // By R4 it is about creations alone; some server may know it of other changes.
        let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
        let condition = is_change.then(|| request.headers().get(IF_NONE_EXIST)).flatten();
        let condition = condition.and_then(|value| value.to_str().ok());
        if query.is_none() && condition.is_none() {
            return None;
        }
        let addresses = Addresses::new(&layer_parts.server.base_url, upstream);
        let path = request.uri().path();
        let below = layer_parts.server.base_url.below(path).unwrap_or_default();
        let local = |parameters: &str| addresses.query(below, parameters);
        let uri = query.and_then(local).and_then(|query| with_query(request.uri(), &query));
        let condition = condition.and_then(local);
        let condition = condition.and_then(|query| HeaderValue::try_from(query).ok());
        (uri.is_some() || condition.is_some()).then(|| Box::new(Self { uri, condition }))
    }

    /// Writes them into the request that they were read from.
    pub(super) fn write<B>(self, request: &mut Request<B>) {
        if let Some(uri) = self.uri {
            *request.uri_mut() = uri;
        }
        if let Some(condition) = self.condition {
            request.headers_mut().insert(IF_NONE_EXIST, condition);
        }
    }
}

fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{}?{query}", uri.path())).ok()?);
    Uri::from_parts(parts).ok()
}

/// Reports whether the parameters of a request are in a body which has to be read for that.
pub(super) fn must_localize_form(access: &Access, settings: &ConfineSettings) -> bool {
    settings.upstream.is_some() && access.interaction().is_search_by_post()
}

/// Sends a search by `POST` on, with its form as the upstream server reads it.
pub(super) async fn search<S, B, R>(
    mut ready: S,
    layer_parts: Arc<LayerParts>,
    settings: Arc<ConfineSettings>,
    request: Request<B>,
) -> Result<Response<ConfinedBody<R>>, S::Error>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
{
    let (mut parts, body) = request.into_parts();
    let form = match headers::is_form(&parts.headers) {
        true => match Limited::new(body, Access::MAX_SEARCH_BODY).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(_) => Err(Refusal::body_too_long()),
        },
        false => Err(Refusal::no_form()),
    };
    let form = match form {
        Ok(form) => form,
        Err(answer) => {
            layer_parts.note_refusal(answer.code(), None, answer.text(), &parts);
            let mut response = answer.respond(&parts);
            announce_close(&parts, response.headers_mut());
            return Ok(response.map(ConfinedBody::bytes));
        }
    };
    let below = layer_parts.server.base_url.below(parts.uri.path()).unwrap_or_default();
    let upstream = settings.upstream.as_deref().unwrap_or_default();
    let addresses = Addresses::new(&layer_parts.server.base_url, upstream);
    let text = std::str::from_utf8(&form).ok();
    let sent = text.and_then(|form| addresses.query(below, form));
    let sent = sent.map_or(form, Bytes::from);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(sent.len()));
    let answer = ready.call(Request::from_parts(parts, RequestBody::bytes(sent))).await?;
    Ok(answer.map(ConfinedBody::inner))
}
