//! The page of the demo: plain files, a description of what there is to try, and why each request is let in or
//! refused. No other configuration serves any of it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{self, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{BoxError, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Service, ServiceExt, service_fn};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::explanation::Explanation;
use tower_fhir_auth::fhir::BaseUrl;

use crate::demo_idp::{PAGE, scopes_of_people};
use crate::{Error, samples};

/// The files, and what they are.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/callers.js", "text/javascript; charset=utf-8", include_str!("callers.js")),
    ("/oauth.js", "text/javascript; charset=utf-8", include_str!("oauth.js")),
    ("/show.js", "text/javascript; charset=utf-8", include_str!("show.js")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

/// The largest question: a token of the size that is read at all, and requests.
const MAX_QUESTION: usize = 128 << 10;

/// The most requests that one question is about.
const MAX_REQUESTS: usize = 64;

pub(crate) struct Page {
    auth: FhirAuthLayer,
    base: BaseUrl,
    /// Where the page is, as `http://127.0.0.1:8080`.
    origin: String,
    description: Value,
    policy: HeaderValue,
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

impl Page {
    /// Describes the demo: `auth` guards its server at `base`, and `issuer` signs its tokens.
    pub(crate) fn new(
        auth: FhirAuthLayer,
        base: BaseUrl,
        origin: &str,
        issuer: &str,
    ) -> Result<Self, Error> {
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self' {issuer}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'"
        );
        let description = json!({
            "base": base.path(), "base_url": base.as_str(), "issuer": issuer, "client_id": PAGE,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "rotate": format!("{issuer}/rotate"), "assertion": format!("{issuer}/assertion"),
            "lifetimes": true, "scopes": scopes_of_people(), "samples": samples::described(),
        });
        let (origin, policy) = (origin.to_owned(), policy.parse()?);
        Ok(Self { auth, base, origin, description, policy })
    }

    fn router(self) -> Router {
        let page = Arc::new(self);
        let files = FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }))
        });
        files
            .route("/demo.json", get(describe))
            .route("/explain", post(explain))
            .layer(DefaultBodyLimit::max(MAX_QUESTION))
            .layer(from_fn_with_state(Arc::clone(&page), guard))
            .with_state(page)
    }
}

/// Serves the page, and by `app` all that is not of the page.
pub(crate) fn before<S, B, R>(
    page: Page,
    app: S,
) -> impl Service<http::Request<B>, Response = Response, Error = Infallible, Future: Send> + Clone
where
    S: Service<http::Request<B>, Response = http::Response<R>, Error = Infallible> + Clone + Send,
    S::Future: Send,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let router = page.router();
    service_fn(move |request: http::Request<B>| {
        let (router, app) = (router.clone(), app.clone());
        async move {
            let path = request.uri().path();
            let is_of_the_page = FILES.iter().any(|(file, ..)| *file == path)
                || ["/demo.json", "/explain"].contains(&path);
            if is_of_the_page {
                return router.oneshot(request).await;
            }
            Ok(app.oneshot(request).await?.map(Body::new))
        }
    })
}

/// Answers to one name alone: to another one, a site that has made it lead here could read the answers.
async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes));
    let expected = page.origin.trim_start_matches("http://").as_bytes();
    let mut response = match host == Some(expected) {
        true => next.run(request).await,
        // Such as `localhost`, which the provider does not know the page by.
        false if request.uri().path() == "/" => {
            Redirect::temporary(&format!("{}/", page.origin)).into_response()
        }
        false => StatusCode::MISDIRECTED_REQUEST.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    for (name, value) in [
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

async fn describe(State(page): State<Arc<Page>>) -> Json<Value> {
    Json(page.description.clone())
}

/// Explains requests, by the checks that guard them. As JSON alone, which no other site can send.
async fn explain(
    State(page): State<Arc<Page>>,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Json<Vec<Explanation>>, (StatusCode, String)> {
    let Json(question) = question.map_err(|error| (error.status(), error.body_text()))?;
    if question.requests.len() > MAX_REQUESTS {
        let text = format!("at most {MAX_REQUESTS} requests at once");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let mut explained = Vec::with_capacity(question.requests.len());
    for asked in &question.requests {
        let uri = format!("{}{}", page.base.path(), asked.path);
        let mut request = http::Request::builder().method(&*asked.method).uri(uri);
        if let Some(token) = &question.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request =
            request.body(()).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()));
        explained.push(page.auth.explain(&request?.into_parts().0).await);
    }
    Ok(Json(explained))
}
