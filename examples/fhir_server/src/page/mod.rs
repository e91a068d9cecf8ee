//! The page of the demo: plain files, a description of what there is to try, and why each request is let in or
//! refused. No other configuration serves any of it.

mod common;

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::explanation::Explanation;
use tower_fhir_auth::fhir::BaseUrl;

use self::common::{
    DESCRIPTION, EXPLAIN, FILES, MAX_QUESTION, Question, explained, is_of_the_page, policy, protect,
};
use crate::demo_idp::{PAGE, scopes_of_people};
use crate::serve::HttpService;
use crate::{Error, samples};

pub(crate) use self::common::is_for_loopback;

pub(crate) struct Page {
    auth: FhirAuthLayer,
    base: BaseUrl,
    /// The address of the page, as `http://127.0.0.1:8080`.
    origin: String,
    description: Value,
    policy: HeaderValue,
}

impl Page {
    /// Describes the demo: `auth` guards its server at `base`, and `issuer` signs its tokens.
    pub(crate) fn new(
        auth: FhirAuthLayer,
        base: BaseUrl,
        origin: &str,
        issuer: &str,
    ) -> Result<Self, Error> {
        let description = json!({
            "base": base.path(), "base_url": base.as_str(), "issuer": issuer, "client_id": PAGE,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "rotate": format!("{issuer}/rotate"), "assertion": format!("{issuer}/assertion"),
            "lifetimes": true, "scopes": scopes_of_people(), "samples": samples::described(),
        });
        let (origin, policy) = (origin.to_owned(), policy(issuer).parse()?);
        Ok(Self { auth, base, origin, description, policy })
    }

    fn router(self) -> Router {
        let page = Arc::new(self);
        let files = FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], text) }))
        });
        files
            .route(DESCRIPTION, get(describe))
            .route(EXPLAIN, post(explain))
            .layer(DefaultBodyLimit::max(MAX_QUESTION))
            .layer(from_fn_with_state(Arc::clone(&page), guard))
            .with_state(page)
    }
}

/// Serves the page, and by `app` all that is not of the page.
pub(crate) fn before(page: Page, app: HttpService) -> HttpService {
    let router = page.router();
    HttpService::new(service_fn(move |request: Request| {
        let (router, app) = (router.clone(), app.clone());
        async move {
            match is_of_the_page(request.uri().path()) {
                true => router.oneshot(request).await,
                false => app.oneshot(request).await,
            }
        }
    }))
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
    protect(response.headers_mut(), page.policy.clone());
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
    Ok(Json(explained(&page.auth, &page.base, question).await?))
}
