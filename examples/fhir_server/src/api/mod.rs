//! The FHIR API. Whoever gets here has been let in by the layer, for one interaction, unless there is none.
//!
//! The handlers take the interaction as the layer has read it from the address, so that no address
//! can mean one thing to the layer and another to them. What they show or change they first ask
//! [`Confinement`](crate::confine::Confinement) about.

mod answer;
mod bundle;
mod capabilities;
mod everything;
mod export;
mod fhir_request;
mod history;
mod plan;
mod read;
mod search;
mod selection;
mod write;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tower_fhir_auth::fhir::{BaseUrl, IssueType};
use tower_fhir_auth::{Access, Denial, FhirAuthLayer, Interaction, InteractionKind};

use self::answer::{Answer, Fault, Refusal, in_the_format_asked_for};
use self::export::Jobs;
use self::fhir_request::FhirRequest;
use crate::confine::Confinement;
use crate::rights::Rights;
use crate::store::{State as Resources, Store};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 << 20;

/// The time in which the body of a request has to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct App {
    base: BaseUrl,
    store: Store,
    jobs: Jobs,
    /// The part of `metadata` about each type.
    resources: Value,
    /// Refuses what `Access` denies as it refuses requests. None where nothing is protected.
    auth: Option<FhirAuthLayer>,
}

impl App {
    pub(crate) fn new(base: BaseUrl, store: Store, auth: Option<FhirAuthLayer>) -> Arc<Self> {
        let resources = capabilities::resources(auth.is_some());
        Arc::new(Self { base, store, jobs: Jobs::default(), resources, auth })
    }

    /// Returns the rights by which a request is answered. Behind the layer, one without `Access` came by a path that the
    /// operator has made public.
    fn rights(&self, access: Option<Access>, parts: &Parts) -> Rights {
        let parse = || Interaction::parse(&self.base, &parts.method, &parts.uri, &parts.headers);
        match (access, &self.auth) {
            (Some(access), _) => Rights::Granted(access),
            (None, Some(_)) => Rights::Public(parse()),
            (None, None) => Rights::Everything(parse()),
        }
    }

    fn denied(&self, denial: &Denial) -> Fault {
        let Some(auth) = &self.auth else { return Fault::denied(denial) };
        let rejection = auth.rejection(denial);
        Fault { status: rejection.status(), outcome: rejection.outcome() }
    }
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let at = |path: &str| format!("{}{path}", app.base.path());
    Router::new()
        .route(&at("/metadata"), get(capabilities::statement))
        .route(&at("/health"), get(|| async { "up" }))
        .fallback(interact)
        .method_not_allowed_fallback(async || {
            let text = "the address does not have this interaction";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, IssueType::NotSupported, text)
                .into_response()
        })
        .with_state(app)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(in_the_format_asked_for))
}

/// Every request but the two above.
async fn interact(
    State(app): State<Arc<App>>,
    access: Option<Access>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let rights = app.rights(access, &parts);
    let mut request = Request::from_parts(parts.clone(), body);
    // No more of a search is read than is judged.
    if rights.interaction().is_search_by_post() {
        DefaultBodyLimit::max(Access::MAX_SEARCH_BODY).apply(&mut request);
    }
    let Ok(body) = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await
    else {
        let text = "the request body did not arrive in time";
        let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, IssueType::Transient, text);
        return refusal.into_response();
    };
    // The store works on a thread of its own, so that a long search holds up nobody else.
    let work = move || match (answer(&app, rights, &parts, body), &app.auth) {
        (Ok(answer), _) => answer.into_response(),
        (Err(Refusal::Denied(denial)), Some(auth)) => auth.reject(&denial, &parts).map(Body::from),
        (Err(refusal), _) => refusal.into_response(),
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let text = "the request could not be answered";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueType::Exception, text).into_response()
    })
}

fn answer(
    app: &App,
    rights: Rights,
    parts: &Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Refusal> {
    let body = body?;
    // The body of a search says what is searched, which only now can be judged.
    let rights = fhir_request::with_search_body(rights, &body)?;
    let interaction = rights.interaction();
    let reads = matches!(interaction.kind(), InteractionKind::Read | InteractionKind::SearchType);
    // Nobody has been granted anything on a public path, so that it is read, and no more.
    if matches!(rights, Rights::Public(_)) && !reads {
        return Err(Refusal::not_found("there is nothing at this address"));
    }
    let request = FhirRequest::of_request(interaction, parts, &body)?;
    let wants_little = prefers_minimal(&parts.headers);
    match interaction.kind() {
        InteractionKind::Batch => bundle::answer(app, &rights, &request),
        InteractionKind::JobStatus | InteractionKind::JobCancel => {
            export::follow_up(app, &rights, &request)
        }
        InteractionKind::Operation if interaction.operation() == Some("export") => {
            export::kick_off(app, &rights, &request)
        }
        _ => {
            let answer = perform(app, &rights, &request)?;
            let is_write = write::is_write(interaction.kind());
            let resource = answer.resource.filter(|_| !(is_write && wants_little));
            Ok(Answer { resource, ..answer })
        }
    }
}

/// Reports whether a client wants no resource back: the first `return` counts (RFC 7240 section 2).
fn prefers_minimal(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
    let preferences = lines.flat_map(|line| line.split(','));
    let preferences = preferences.filter_map(|one| one.split(';').next()?.split_once('='));
    let mut returns = preferences.filter(|(name, _)| name.trim().eq_ignore_ascii_case("return"));
    returns.next().is_some_and(|(_, value)| value.trim().trim_matches('"') == "minimal")
}

/// One interaction by itself.
fn perform(app: &App, rights: &Rights, request: &FhirRequest<'_>) -> Result<Answer, Refusal> {
    if write::is_write(request.interaction.kind()) {
        return app.store.change(|resources| change(resources, rights, request));
    }
    look(&app.store.snapshot(), rights, request)
}

/// One interaction on resources that may be changed.
fn change(
    resources: &mut Resources,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    if write::is_write(request.interaction.kind()) {
        let confinement = Confinement::new(rights);
        let target = write::target(resources, &confinement, request)?;
        return write::perform(resources, &confinement, request, target.as_ref());
    }
    look(resources, rights, request)
}

fn look(
    resources: &Resources,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    use InteractionKind as Kind;
    let confinement = Confinement::new(rights);
    match request.interaction.kind() {
        Kind::Read => read::read(resources, &confinement, request),
        Kind::VersionRead => read::version(resources, &confinement, request),
        Kind::HistoryInstance => history::of_instance(resources, &confinement, request),
        Kind::HistoryType | Kind::HistorySystem => {
            history::of_all(resources, &confinement, request)
        }
        Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => {
            search::search(resources, &confinement, request)
        }
        Kind::Operation if request.interaction.operation() == Some("everything") => {
            everything::everything(resources, rights, request)
        }
        _ => Err(Refusal::not_supported("this server does not have the interaction")),
    }
}
