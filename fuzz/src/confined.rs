//! The layer that confines, and a server behind it that answers what it is told to. Nothing in it waits.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower_fhir_auth::confine::{ConfineSettings, ConfinedLayer, RequestBody, SealKey};
use tower_fhir_auth::{FhirAuthLayer, ScopePolicy};
use tower_layer::Layer;
use tower_service::Service;

use crate::access::{ByStatus, claims, token};
use crate::issuer::{StandingStill, trusted};
use crate::model::token::BASE;
use crate::service::at_once;

/// A token that confines, as the models know it.
#[derive(Debug)]
pub struct Confined {
    pub scope: &'static str,
    /// True where it confines to patient 1.
    pub to_patient: bool,
    /// True where it confines to what is final.
    pub to_final: bool,
    /// The types that it grants; empty for every one.
    pub types: &'static [&'static str],
    pub token: LazyLock<String>,
}

macro_rules! confined {
    ($scope:literal, $to_patient:literal, $to_final:literal, $types:expr) => {
        Confined {
            scope: $scope,
            to_patient: $to_patient,
            to_final: $to_final,
            types: $types,
            token: LazyLock::new(|| {
                let patient = if $to_patient { serde_json::json!("1") } else { serde_json::json!(null) };
                token(&claims(serde_json::json!({"scope": $scope, "patient": patient})))
            }),
        }
    };
}

/// Tokens of which no one may see everything.
pub static TOKENS: [Confined; 4] = [
    confined!("patient/*.cruds", true, false, &[]),
    confined!("patient/Observation.cruds?status=final", true, true, &["Observation"]),
    confined!("system/Observation.rs?status=final", false, true, &["Observation"]),
    confined!(
        "patient/Observation.rs patient/Encounter.cruds",
        true,
        false,
        &["Observation", "Encounter"]
    ),
];

static LAYER: LazyLock<ConfinedLayer> = LazyLock::new(|| {
    FhirAuthLayer::builder(BASE)
        .issuer(trusted())
        .authorizer(ScopePolicy::new())
        .constraint_matcher(ByStatus)
        .clock(StandingStill)
        .token_cache_capacity(100)
        .build_confined(
            ConfineSettings::default()
                .max_body(1 << 16)
                .seal_keys([SealKey::new(&[7; 32]).unwrap()]),
        )
        .unwrap()
});

/// A request as the upstream server was asked it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// The status and the text of an answer of the upstream server.
pub type Reply = (u16, String);

type Answers = Arc<dyn Fn(usize, &Asked) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Behind {
    answers: Answers,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Service<Request<RequestBody<Full<Bytes>>>> for Behind {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Full<Bytes>>>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let asked = Asked {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&whole(body)).into_owned(),
        };
        let number = {
            let mut log = self.log.lock().unwrap();
            log.push(asked.clone());
            log.len() - 1
        };
        let (status, text) = (self.answers)(number, &asked);
        let response = Response::builder()
            .status(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
            .header("content-type", "application/fhir+json")
            .header("etag", "W/\"1\"")
            .header("x-total-count", "mark-of-the-server")
            .header("link", "<mark-of-the-server>; rel=next");
        ready(Ok(response.body(Full::from(text)).unwrap()))
    }
}

/// Reads a body that is there already.
fn whole<B: Body<Data = Bytes>>(body: B) -> Bytes {
    let collected = pin!(body.collect());
    match collected.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(collected)) => collected.to_bytes(),
        // A file that breaks off.
        Poll::Ready(Err(_)) => Bytes::new(),
        Poll::Pending => panic!("a body waits, although all of it is there"),
    }
}

/// What a client got, and what the upstream server was asked for it.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub asked: Vec<Asked>,
}

/// Sends a request to a server that answers in this way.
pub fn send(
    request: Request<Full<Bytes>>,
    answers: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static,
) -> Got {
    let log = Arc::new(Mutex::new(Vec::new()));
    let behind = Behind { answers: Arc::new(answers), log: Arc::clone(&log) };
    let mut service = LAYER.layer(behind);
    let response = at_once(service.call(request)).unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8_lossy(&whole(body)).into_owned();
    let asked = log.lock().unwrap().clone();
    Got { status: parts.status.as_u16(), headers: parts.headers, text, asked }
}
