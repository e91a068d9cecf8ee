//! The FHIR API. Whoever gets here has been let in by the layer, for one interaction.
//!
//! The handlers take the interaction as the layer has read it from the address, so that no address
//! can mean one thing to the layer and another to them. What they show or change they first ask
//! [`Confinement`](crate::confine::Confinement) about.

mod answer;
mod bundle;
mod capabilities;
mod everything;
mod export;
mod history;
mod order;
mod plan;
mod read;
mod search;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_fhir_auth::fhir::{BaseUrl, IssueType};
use tower_fhir_auth::{Access, FhirAuthLayer, Interaction, InteractionKind};

use self::answer::{Answer, Refusal, in_the_format_asked_for};
use self::export::Jobs;
use self::order::Order;
use crate::confine::Confinement;
use crate::store::{State as Resources, Store};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 << 20;

pub(crate) struct App {
    base: BaseUrl,
    store: Store,
    jobs: Jobs,
    /// Refuses what `Access` denies as it refuses requests.
    auth: FhirAuthLayer,
}

impl App {
    pub(crate) fn new(base: BaseUrl, store: Store, auth: FhirAuthLayer) -> Arc<Self> {
        Arc::new(Self { base, store, jobs: Jobs::default(), auth })
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
    let mut request = Request::from_parts(parts.clone(), body);
    // No more of a search is read than is judged.
    if access.as_ref().is_some_and(|access| access.interaction().is_search_by_post()) {
        DefaultBodyLimit::max(Access::MAX_SEARCH_BODY).apply(&mut request);
    }
    let body = Bytes::from_request(request, &()).await;
    // The store works on a thread of its own, so that a long search holds up nobody else.
    let work = move || match answer(&app, access, &parts, body) {
        Ok(answer) => answer.into_response(),
        Err(Refusal::Denied(denial)) => app.auth.refuse(&denial, &parts).map(Body::from),
        Err(refusal) => refusal.into_response(),
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let text = "the request could not be answered";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, IssueType::Exception, text).into_response()
    })
}

fn answer(
    app: &App,
    access: Option<Access>,
    parts: &Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Refusal> {
    let body = body?;
    let (access, interaction) = match access {
        Some(access) => {
            // The body of a search says what is searched, which only now can be judged.
            let access = order::with_search_body(access, &body)?;
            (Some(access.clone()), access.interaction().clone())
        }
        None => (None, public(app, parts)?),
    };
    let order = Order::of_request(&interaction, parts, &body)?;
    let wants_little = parts.headers.get("prefer").is_some_and(|value| value == "return=minimal");
    match (interaction.kind(), access) {
        (InteractionKind::Batch, Some(access)) => bundle::answer(app, &access, &order),
        (InteractionKind::JobStatus | InteractionKind::JobCancel, Some(access)) => {
            export::follow_up(app, &access, &order)
        }
        (InteractionKind::Operation, Some(access)) if interaction.operation() == Some("export") => {
            export::kick_off(app, &access, &order)
        }
        (_, access) => {
            let answer = perform(app, access.as_ref(), &order)?;
            let is_write = write::is_write(interaction.kind());
            let resource = answer.resource.filter(|_| !(is_write && wants_little));
            Ok(Answer { resource, ..answer })
        }
    }
}

/// An operator may make further paths public. Nobody has been granted anything there, so that they
/// are read, and no more.
fn public(app: &App, parts: &Parts) -> Result<Interaction, Refusal> {
    let interaction = Interaction::parse(&app.base, &parts.method, &parts.uri, &parts.headers);
    match interaction.kind() {
        InteractionKind::Read | InteractionKind::SearchType => Ok(interaction),
        _ => Err(Refusal::not_found("there is nothing at this address")),
    }
}

/// One interaction by itself.
fn perform(app: &App, access: Option<&Access>, order: &Order<'_>) -> Result<Answer, Refusal> {
    if write::is_write(order.interaction.kind()) {
        return app.store.change(|resources| change(resources, access, order));
    }
    look(&app.store.snapshot(), access, order)
}

/// One interaction on resources that may be a transaction's own.
fn change(
    resources: &mut Resources,
    access: Option<&Access>,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    if write::is_write(order.interaction.kind()) {
        return write::perform(resources, &Confinement::new(access), order);
    }
    look(resources, access, order)
}

fn look(
    resources: &Resources,
    access: Option<&Access>,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    use InteractionKind as Kind;
    let confinement = Confinement::new(access);
    match order.interaction.kind() {
        Kind::Read => read::read(resources, &confinement, order),
        Kind::VersionRead => read::version(resources, &confinement, order),
        Kind::HistoryInstance => history::of_instance(resources, &confinement, order),
        Kind::HistoryType | Kind::HistorySystem => history::of_all(resources, &confinement, order),
        Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => {
            search::search(resources, &confinement, order)
        }
        Kind::Operation if order.interaction.operation() == Some("everything") => {
            everything::everything(resources, access, order)
        }
        _ => Err(Refusal::not_supported("this server does not have the interaction")),
    }
}
