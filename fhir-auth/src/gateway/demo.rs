//! `--demo`: the page of the example server at the root, for what this gateway guards. It explains requests by
//! the configuration that serves, and signs people in at its provider.
//!
//! The files are those of `examples/fhir_server/src/page`, and so is what both have in common.

#[path = "page/common.rs"]
mod common;

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::fhir::BaseUrl;
use url::{Origin, Url};

use self::common::{
    DESCRIPTION, EXPLAIN, FILES, MAX_QUESTION, Question, explained, is_for_loopback,
    is_of_the_page, policy, protect,
};
use crate::failure::Failure;
use crate::server::{App, AppBody, whole};

/// The most bytes that are read of a question beyond the longest.
const MAX_DISCARDED: usize = 1024 * 1024;

/// Requests that change nothing, whatever server is behind.
const SAMPLES: [(&str, &str); 7] = [
    ("read the capability statement", "/metadata"),
    ("search all patients", "/Patient"),
    ("read patient 1", "/Patient/1"),
    ("search observations of patient 1", "/Observation?patient=1"),
    ("search everybody's observations", "/Observation"),
    ("search everything", "/?_type=Patient,Observation"),
    ("a token in the address", "/Patient/1?access_token=x"),
];

struct Page {
    auth: FhirAuthLayer,
    base: BaseUrl,
    /// The public client that people sign in to.
    client: Option<String>,
}

type Refused = (StatusCode, String);

/// Serves the page, and by `app` all that is not of the page.
pub(super) fn before(
    app: App,
    auth: &FhirAuthLayer,
    base: &BaseUrl,
    client: Option<String>,
) -> Result<App, Failure> {
    if base.path().is_empty() {
        let text = "--demo: the page stands at the root, where `base_url` without a path is";
        return Err(Failure::new(text));
    }
    let page = Arc::new(Page { auth: auth.clone(), base: base.clone(), client });
    Ok(App::from_fn(move |request| {
        if !is_of_the_page(request.uri().path()) {
            return app.answer(request);
        }
        let page = Arc::clone(&page);
        Box::pin(async move { page.answer(request).await })
    }))
}

impl Page {
    async fn answer(&self, request: Request<Incoming>) -> Response<AppBody> {
        let (path, method) = (request.uri().path().to_owned(), request.method().clone());
        let endpoints = self.endpoints();
        let answered = match (method, &*path) {
            // To another name, a site that has made it lead here could read the answers.
            _ if !is_for_loopback(request.uri(), request.headers()) => {
                Err((StatusCode::MISDIRECTED_REQUEST, "the page answers to loopback alone".into()))
            }
            (Method::POST, EXPLAIN) => self.explain(request).await,
            (Method::GET, DESCRIPTION) => {
                Ok(("application/json", self.description(&endpoints).to_string()))
            }
            (Method::GET | Method::HEAD, _) => {
                let found = FILES.iter().find(|(file, ..)| *file == path);
                found
                    .map(|(_, kind, text)| (*kind, (*text).to_owned()))
                    .ok_or_else(|| (StatusCode::METHOD_NOT_ALLOWED, String::new()))
            }
            _ => Err((StatusCode::METHOD_NOT_ALLOWED, String::new())),
        };
        let (status, kind, text) = match answered {
            Ok((kind, text)) => (StatusCode::OK, kind, text),
            Err((status, text)) => (status, "text/plain; charset=utf-8", text),
        };
        let mut response = Response::new(whole(Bytes::from(text)));
        *response.status_mut() = status;
        if let Ok(policy) = HeaderValue::try_from(policy(&origin(&endpoints))) {
            protect(response.headers_mut(), policy);
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    /// The part of the provider's metadata that apps read, as far as its discovery is known.
    fn endpoints(&self) -> Value {
        let path = format!("{}/.well-known/smart-configuration", self.base.path());
        let document = path.parse().ok().and_then(|uri| self.auth.well_known(&Method::GET, &uri));
        let document = document.and_then(|answer| serde_json::from_slice(answer.body()).ok());
        document.unwrap_or_default()
    }

    fn description(&self, endpoints: &Value) -> Value {
        let of = |name: &str| endpoints.get(name).cloned().unwrap_or_default();
        let named = |(request, path): (&str, &str)| json!({"request": request, "title": request, "method": "GET", "path": path});
        json!({
            "base": self.base.path(), "base_url": self.base.as_str(), "client_id": self.client,
            "issuer": of("issuer"), "authorization_endpoint": of("authorization_endpoint"),
            "token_endpoint": of("token_endpoint"), "scopes": scopes(endpoints),
            "samples": SAMPLES.map(named),
        })
    }

    /// Explains requests, by the checks that guard them. As JSON alone, which no other site can send.
    async fn explain(&self, request: Request<Incoming>) -> Result<(&'static str, String), Refused> {
        let kind = request.headers().get(CONTENT_TYPE);
        if kind.is_none_or(|kind| kind != "application/json") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected JSON".to_owned()));
        }
        let mut body = request.into_body();
        let read = Limited::new(&mut body, MAX_QUESTION).collect().await;
        let body = match read {
            Ok(read) => read,
            Err(error) => {
                discard(body).await;
                return Err((StatusCode::PAYLOAD_TOO_LARGE, error.to_string()));
            }
        };
        let malformed =
            |error: &dyn std::error::Error| (StatusCode::BAD_REQUEST, error.to_string());
        let question: Question =
            serde_json::from_slice(&body.to_bytes()).map_err(|error| malformed(&error))?;
        let explained = explained(&self.auth, &self.base, question).await?;
        let text = serde_json::to_string(&explained).map_err(|error| malformed(&error))?;
        Ok(("application/json", text))
    }
}

/// Reads what is left of a body that is too long, up to a bound: a client that still sends would have its connection
/// reset, and would not hear why.
async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

/// The scopes that the page asks for: those of people among the provider's, and what a patient reads where it names
/// none about data.
fn scopes(endpoints: &Value) -> Vec<&str> {
    let is_about_data = |scope: &str| ["patient/", "user/"].iter().any(|of| scope.starts_with(of));
    let supported = endpoints.get("scopes_supported").and_then(Value::as_array);
    let supported = supported.into_iter().flatten().filter_map(Value::as_str);
    let of_people =
        |scope: &&str| is_about_data(scope) || ["launch/patient", "offline_access"].contains(scope);
    let mut scopes: Vec<&str> = supported.filter(of_people).collect();
    if !scopes.iter().any(|scope| is_about_data(scope)) {
        scopes.push("patient/*.rs");
    }
    scopes
}

/// Returns the origin of the provider's token endpoint, where it is known.
fn origin(endpoints: &Value) -> String {
    let token = endpoints.get("token_endpoint").and_then(Value::as_str);
    let origin = token.and_then(|token| Url::parse(token).ok()).map(|url| url.origin());
    match origin {
        Some(origin @ Origin::Tuple(..)) => origin.ascii_serialization(),
        Some(Origin::Opaque(_)) | None => String::new(),
    }
}
