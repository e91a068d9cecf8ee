//! The FHIR API. Whoever gets here has been let in by the layer.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, Path, RawQuery, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::{Value, json};
use tower_fhir_auth::{Access, Format, InteractionKind, IssueType, OperationOutcome};

use crate::store::Store;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 << 20;

/// Entries of a search result without `_count`, and the most that `_count` can ask for.
const PAGE: (usize, usize) = (100, 5000);

pub(crate) fn router(base: &str, store: Arc<Store>) -> Router {
    let at = |path: &str| format!("{base}{path}");
    Router::new()
        .route(&at("/metadata"), get(capabilities))
        .route(&at("/health"), get(|| async { "up" }))
        .route(&at("/{type}"), get(search).post(create))
        .route(&at("/{type}/_search"), post(search_by_post))
        .route(&at("/{type}/{id}"), get(read))
        .fallback(async || Refusal::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                IssueType::NotSupported,
                "the address does not have this interaction".to_owned(),
            )
        })
        .with_state(store)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(in_the_format_asked_for))
}

/// The layer has granted one interaction. A handler does that one and no other, whatever the router
/// takes an address for. On a path that the operator has made public there is no caller to grant
/// anything to; it is then read, and no more.
fn granted(access: Option<&Access>, kind: InteractionKind) -> Result<(), Refusal> {
    let granted = match access {
        Some(access) => access.interaction().kind() == kind,
        None => matches!(kind, InteractionKind::Read | InteractionKind::SearchType),
    };
    if granted {
        return Ok(());
    }
    Err(Refusal::not_found("this server does not have the interaction"))
}

async fn read(
    access: Option<Access>,
    State(store): State<Arc<Store>>,
    Path((resource_type, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    granted(access.as_ref(), InteractionKind::Read)?;
    match store.read(&resource_type, &id) {
        Some(resource) => Ok(resource_response(StatusCode::OK, &resource)),
        None => Err(Refusal::not_found(format!("no {resource_type} with this id"))),
    }
}

async fn search(
    access: Option<Access>,
    State(store): State<Arc<Store>>,
    OriginalUri(uri): OriginalUri,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    granted(access.as_ref(), InteractionKind::SearchType)?;
    bundle(&store, &resource_type, &uri.to_string(), query.unwrap_or_default().as_bytes())
}

/// The parameters of the body count beside those of the address (R4 section 3.1.1.1).
async fn search_by_post(
    access: Option<Access>,
    State(store): State<Arc<Store>>,
    OriginalUri(uri): OriginalUri,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    granted(access.as_ref(), InteractionKind::SearchType)?;
    let body = body?;
    let parameters = [query.unwrap_or_default().as_bytes(), b"&", &body].concat();
    bundle(&store, &resource_type, &uri.to_string(), &parameters)
}

fn bundle(
    store: &Store,
    resource_type: &str,
    address: &str,
    parameters: &[u8],
) -> Result<Response, Refusal> {
    let search = Search::parse(parameters)?;
    let found = store.search(resource_type, |resource| search.matches(resource));
    let entries: Vec<Value> = found
        .iter()
        .take(search.count)
        .map(|resource| json!({"resource": resource, "search": {"mode": "match"}}))
        .collect();
    let bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": found.len(),
        "link": [{"relation": "self", "url": address}],
        "entry": entries,
    });
    Ok(json_response(StatusCode::OK, &bundle))
}

/// The search parameters that this server knows. Another one is an error, never ignored: a
/// result that is wider than what was asked for would go unnoticed.
struct Search {
    ids: Option<BTreeSet<String>>,
    patient: Option<String>,
    count: usize,
}

impl Search {
    fn parse(parameters: &[u8]) -> Result<Self, Refusal> {
        let mut search = Self { ids: None, patient: None, count: PAGE.0 };
        for (name, value) in form_urlencoded::parse(parameters) {
            match &*name {
                "_id" => search.ids = Some(value.split(',').map(str::to_owned).collect()),
                "patient" | "subject" => {
                    let id = value.strip_prefix("Patient/").unwrap_or(&value);
                    search.patient = Some(format!("Patient/{id}"));
                }
                "_count" => {
                    let count = value.parse::<usize>();
                    let count = count.map_err(|_| Refusal::invalid("`_count` is no number"))?;
                    search.count = count.min(PAGE.1);
                }
                "_format" => {}
                other => {
                    let text = format!("search parameter `{other}` is not supported");
                    return Err(Refusal::invalid(text));
                }
            }
        }
        Ok(search)
    }

    fn matches(&self, resource: &Value) -> bool {
        let is_one_of =
            |ids: &BTreeSet<String>| resource["id"].as_str().is_some_and(|id| ids.contains(id));
        let is_about = |patient: &String| {
            ["subject", "patient"].iter().any(|name| resource[name]["reference"] == **patient)
        };
        self.ids.as_ref().is_none_or(is_one_of) && self.patient.as_ref().is_none_or(is_about)
    }
}

async fn create(
    access: Option<Access>,
    State(store): State<Arc<Store>>,
    OriginalUri(uri): OriginalUri,
    Path(resource_type): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let body = body?;
    let kind = access.as_ref().map(|access| access.interaction().kind());
    if kind == Some(InteractionKind::ConditionalCreate) {
        let text = "conditional create is not supported by this server";
        return Err(Refusal(StatusCode::NOT_IMPLEMENTED, IssueType::NotSupported, text.to_owned()));
    }
    granted(access.as_ref(), InteractionKind::Create)?;
    let resource: Value = serde_json::from_slice(&body)
        .map_err(|_| Refusal::invalid("the body is not a resource in JSON"))?;
    if resource["resourceType"] != *resource_type {
        return Err(Refusal::invalid("`resourceType` of the body is not that of the address"));
    }
    let stored = store.create(resource);
    let id = stored["id"].as_str().unwrap_or_default();
    let location = format!("{}/{id}/_history/1", uri.path());
    let mut response = resource_response(StatusCode::CREATED, &stored);
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn capabilities() -> Response {
    let interactions = json!([{"code": "read"}, {"code": "search-type"}, {"code": "create"}]);
    let resource = |name: &str| json!({"type": name, "interaction": interactions});
    let statement = json!({
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-11-21",
        "kind": "instance", "fhirVersion": "4.0.1", "format": ["json"],
        "implementation": {"description": "example of tower-fhir-auth"},
        "rest": [{
            "mode": "server",
            "security": {"description": "OAuth 2.0 bearer tokens"},
            "resource": [resource("Patient"), resource("Observation")],
        }],
    });
    let mut response = json_response(StatusCode::OK, &statement);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn resource_response(status: StatusCode, resource: &Value) -> Response {
    let version = resource["meta"]["versionId"].as_str().unwrap_or("1");
    let mut response = json_response(status, resource);
    if let Ok(etag) = format!("W/\"{version}\"").parse() {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, Format::Json.media_type())], body.to_string()).into_response()
}

/// The server's own refusals look like the layer's.
struct Refusal(StatusCode, IssueType, String);

impl Refusal {
    fn invalid(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, IssueType::Invalid, text.into())
    }

    fn not_found(text: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, IssueType::NotFound, text.into())
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let issue_type = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => IssueType::TooLong,
            _ => IssueType::Invalid,
        };
        Self(rejection.status(), issue_type, rejection.body_text())
    }
}

impl IntoResponse for Refusal {
    /// The body is written by [`in_the_format_asked_for`], which knows the request.
    fn into_response(self) -> Response {
        let Self(status, issue_type, text) = self;
        (status, Extension(OperationOutcome::new(issue_type, text))).into_response()
    }
}

async fn in_the_format_asked_for(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let format = Format::wanted_by(&parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(outcome) = response.extensions_mut().remove::<OperationOutcome>() else {
        return response;
    };
    let headers = [(CONTENT_TYPE, format.media_type()), (CACHE_CONTROL, "no-store")];
    (response.status(), headers, outcome.to_format(format)).into_response()
}
