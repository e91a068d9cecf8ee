//! `--demo`: the page of the example server at the root, for what this gateway guards. It explains requests by
//! the configuration that serves, and signs people in at its provider.
//!
//! The files are those of `examples/fhir_server/page`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::explanation::Explanation;
use tower_fhir_auth::fhir::BaseUrl;
use url::{Origin, Url};

use crate::failure::Failure;
use crate::server::{App, AppBody, whole};

/// The files, and what they are.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/callers.js", "text/javascript; charset=utf-8", include_str!("page/callers.js")),
    ("/oauth.js", "text/javascript; charset=utf-8", include_str!("page/oauth.js")),
    ("/show.js", "text/javascript; charset=utf-8", include_str!("page/show.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];
const DESCRIPTION: &str = "/demo.json";
const EXPLAIN: &str = "/explain";

/// The largest question: a token of the size that is read at all, and requests.
const MAX_QUESTION: usize = 128 << 10;

/// The most requests that one question is about.
const MAX_REQUESTS: usize = 64;

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

/// Which requests, with one token.
#[derive(Deserialize)]
struct Question {
    token: Option<String>,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    /// Below the base URL.
    path: String,
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
        let path = request.uri().path();
        let is_of_the_page =
            [DESCRIPTION, EXPLAIN].contains(&path) || FILES.iter().any(|(file, ..)| *file == path);
        if !is_of_the_page {
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
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::try_from(policy(&endpoints)) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            (HeaderName::from_static("referrer-policy"), "no-referrer"),
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// What apps are told of the provider, as far as its discovery is known.
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
        let body = Limited::new(request.into_body(), MAX_QUESTION).collect().await;
        let body = body.map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
        let malformed =
            |error: &dyn std::error::Error| (StatusCode::BAD_REQUEST, error.to_string());
        let question: Question =
            serde_json::from_slice(&body.to_bytes()).map_err(|error| malformed(&error))?;
        if question.requests.len() > MAX_REQUESTS {
            let text = format!("at most {MAX_REQUESTS} requests at once");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        let mut explained: Vec<Explanation> = Vec::with_capacity(question.requests.len());
        for asked in &question.requests {
            let uri = format!("{}{}", self.base.path(), asked.path);
            let mut request = Request::builder().method(&*asked.method).uri(uri);
            if let Some(token) = &question.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let request = request.body(()).map_err(|error| malformed(&error))?;
            explained.push(self.auth.explain(&request.into_parts().0).await);
        }
        let text = serde_json::to_string(&explained).map_err(|error| malformed(&error))?;
        Ok(("application/json", text))
    }
}

/// What the page asks for: the scopes of people among those of the provider, and what a patient reads where it
/// names none about data.
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

/// Nothing of elsewhere but the provider's token endpoint.
fn policy(endpoints: &Value) -> String {
    let token = endpoints.get("token_endpoint").and_then(Value::as_str);
    let origin = token.and_then(|token| Url::parse(token).ok()).map(|url| url.origin());
    let provider = match origin {
        Some(origin @ Origin::Tuple(..)) => format!(" {}", origin.ascii_serialization()),
        Some(Origin::Opaque(_)) | None => String::new(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'{provider}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    )
}

fn is_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let authority = uri.authority().cloned().or(host);
    authority.is_some_and(|name| ["127.0.0.1", "[::1]", "localhost"].contains(&name.host()))
}
