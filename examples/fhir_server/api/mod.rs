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
mod read;
mod search;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::request::Parts;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_fhir_auth::{Access, BaseUrl, FhirAuthLayer, Interaction, InteractionKind};

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
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await;
    match answer(&app, access, &parts, body) {
        Ok(answer) => answer.into_response(),
        Err(Refusal::Denied(denial)) => {
            app.auth.refuse(&denial, &parts).map(axum::body::Body::from)
        }
        Err(Refusal::Fault(fault)) => fault.into_response(),
    }
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
    match (interaction.kind(), access) {
        (InteractionKind::Batch, Some(access)) => bundle::answer(app, &access, &order),
        (InteractionKind::JobStatus | InteractionKind::JobCancel, Some(access)) => {
            export::follow_up(app, &access, &order)
        }
        (InteractionKind::Operation, Some(access)) if interaction.operation() == Some("export") => {
            export::kick_off(app, &access, &order)
        }
        (_, access) => perform(app, access.as_ref(), &order),
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
    let base = resources.base().clone();
    if write::is_write(order.interaction.kind()) {
        return write::perform(resources, &Confinement::new(access, &base), order);
    }
    look(resources, access, order)
}

fn look(
    resources: &Resources,
    access: Option<&Access>,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    use InteractionKind as Kind;
    let confinement = Confinement::new(access, resources.base());
    match order.interaction.kind() {
        Kind::Read => read::read(resources, &confinement, order),
        Kind::VersionRead => read::version(resources, &confinement, order),
        Kind::HistoryInstance => history::of_instance(resources, &confinement, order),
        Kind::HistoryType | Kind::HistorySystem => history::of_all(resources, &confinement, order),
        Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => {
            search::search(resources, &confinement, order)
        }
        Kind::Operation if order.interaction.operation() == Some("everything") => {
            everything::everything(resources, &confinement, order)
        }
        _ => Err(Refusal::not_supported("this server does not have the interaction")),
    }
}
