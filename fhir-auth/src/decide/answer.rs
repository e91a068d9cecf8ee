//! The answers that a proxy understands.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tower_fhir_auth::config::{CallerHeader, Config, ConfinedBy};
use tower_fhir_auth::fhir::{BaseUrl, Format, IssueType, OperationOutcome};
use tower_fhir_auth::{Enforcement, FhirAuth, FhirAuthLayer, FhirAuthLayerBuilder, Rejection};
use tower_layer::Layer;
use tower_service::Service;

use super::address_only::AddressOnlyPolicy;
use super::granted::{Granted, Passes, allowed};
use super::original::{Fault, ProxyKind};
use super::peers::Peers;
use crate::failure::Failure;
use crate::server::{App, AppBody, Peer, whole};

const X_AUTH_STATUS: HeaderName = HeaderName::from_static("x-auth-status");

/// Answers sub-requests by a configuration.
struct Decider {
    proxy: ProxyKind,
    peers: Peers,
    service: FhirAuth<Granted>,
    headers: Vec<CallerHeader>,
    base: BaseUrl,
}

/// Makes of a configuration what answers sub-requests, by a layer that succeeds the one before.
pub(super) fn app(
    config: Config,
    before: Option<&FhirAuthLayer>,
    (proxy, peers): (ProxyKind, Peers),
) -> Result<(App, FhirAuthLayer), Failure> {
    let (upstream, base) = (config.gateway().upstream.clone(), config.base_url().clone());
    let policy = config.policy()?;
    let builder = match upstream.confine {
        ConfinedBy::Upstream => config.layer(policy)?.handlers_enforce(Enforcement::ALL),
        ConfinedBy::Gateway | ConfinedBy::Nobody => {
            let rules = AddressOnlyPolicy::new(policy, upstream.confine == ConfinedBy::Gateway)?;
            config.layer(rules)?.handlers_enforce(AddressOnlyPolicy::ENFORCED)
        }
        _ => return Err(Failure::new("upstream.confine: is not supported yet")),
    };
    let builder = before.into_iter().fold(builder, FhirAuthLayerBuilder::succeeding);
    // Nobody sees bodies here.
    let auth = builder.step_up_by_address_alone(true).build()?;
    let headers = upstream.headers;
    let granted = Granted { auth: auth.clone(), base: base.clone(), headers: headers.clone() };
    let decider = Arc::new(Decider { proxy, peers, service: auth.layer(granted), headers, base });
    let app = App::from_fn(move |request| {
        let decider = Arc::clone(&decider);
        Box::pin(async move { decider.answer(request).await })
    });
    Ok((app, auth))
}

impl Decider {
    async fn answer(&self, request: Request<Incoming>) -> Response<AppBody> {
        let (asked, _) = request.into_parts();
        let decided = match self.original(&asked) {
            Ok(original) => self.decide(original).await,
            Err(response) => response,
        };
        let mut response = self.for_proxy(decided);
        // It may be of another method than the original request, for which the length was right.
        response.headers_mut().remove(CONTENT_LENGTH);
        response.map(whole)
    }

    fn original(&self, asked: &Parts) -> Result<Request<()>, Response<Bytes>> {
        let peer = asked.extensions.get::<Peer>();
        if !self.peers.include(peer) {
            let peer = peer.map(|peer| peer.address().to_string());
            tracing::warn!(peer, "a sub-request from an address that is not among `--peers`");
            return Err(refused(asked, "authorization sub-requests are answered to proxies alone"));
        }
        self.proxy.original(asked).map_err(|fault| {
            // Its length is the client's doing.
            if fault == Fault::TooLong {
                let (status, code) = (StatusCode::URI_TOO_LONG, IssueType::TooLong);
                return refusal(asked, status, code, &fault.to_string());
            }
            tracing::warn!(%fault, "fault of the proxy: its sub-request is refused");
            refused(asked, &fault.to_string())
        })
    }

    /// Asks the layer. Only what it has let pass, and its own public documents, are a 200.
    async fn decide(&self, original: Request<()>) -> Response<Bytes> {
        let mut service = self.service.clone();
        let Ok(()) = std::future::poll_fn(|context| {
            <FhirAuth<Granted> as Service<Request<()>>>::poll_ready(&mut service, context)
        })
        .await;
        let Ok(response): Result<_, Infallible> = service.call(original).await;
        let (mut parts, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        if parts.extensions.get::<Passes>().is_none() && parts.status.is_success() {
            match parts.extensions.get::<Rejection>() {
                Some(rejection) => parts.status = rejection.status(),
                None => self.say_nobody(&mut parts),
            }
        }
        Response::from_parts(parts, body.to_bytes())
    }

    /// Adds the headers about the caller to a document of the layer, which is everybody's.
    fn say_nobody(&self, document: &mut http::response::Parts) {
        if let Ok(nobody) = allowed(None, &self.headers, &self.base) {
            let headers = nobody.headers().iter().filter(|(name, _)| **name != CACHE_CONTROL);
            document.headers.extend(headers.map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// `auth_request` knows 2xx, 401 and 403; any other status is an error of the server to it.
    fn for_proxy(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        let status = response.status();
        let is_known = status.is_success()
            || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if self.proxy == ProxyKind::Nginx && !is_known {
            *response.status_mut() = StatusCode::FORBIDDEN;
            response.headers_mut().insert(X_AUTH_STATUS, HeaderValue::from(status.as_u16()));
        }
        response
    }
}

/// Makes the refusal of what is no sub-request of a proxy that is known.
fn refused(asked: &Parts, text: &str) -> Response<Bytes> {
    refusal(asked, StatusCode::FORBIDDEN, IssueType::Forbidden, text)
}

fn refusal(asked: &Parts, status: StatusCode, code: IssueType, text: &str) -> Response<Bytes> {
    let format = Format::wanted_by(asked);
    let body: Bytes = OperationOutcome::new(code, text).to_format(format).into();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
