//! The handler of requests: the layer, and the upstream server within it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tower_fhir_auth::config::{Config, ConfinedBy, CorsOrigins, UpstreamConfig, UpstreamVersions};
use tower_fhir_auth::confine::{ConfineSettings, MetadataLayer, SealKey};
use tower_fhir_auth::{Enforcement, FhirAuthLayer, FhirAuthLayerBuilder};
use tower_layer::Layer;
use tower_service::Service;

use super::buffer::{BufferLease, BufferPool};
use super::gateway_error::{Asked, GatewayError};
use super::held::{ClientBody, LeasedBody};
use super::known::NoteCaller;
use super::upstream::Upstream;
use super::{cors, meter};
use crate::failure::Failure;
use crate::server::{App, AppBody, BoxError, whole};

/// The gateway of a configuration, and its layer, which succeeds the one before. `made` seals page links where
/// the file names no keys, and `buffered` is what all requests hold.
pub(super) fn gateway(
    config: Config,
    before: Option<&FhirAuthLayer>,
    (made, buffered): (&SealKey, &Arc<BufferPool>),
) -> Result<(App, FhirAuthLayer), Failure> {
    let settings = config.gateway().upstream.clone();
    let Some(url) = &settings.url else {
        let expected = "expected the FHIR base of the upstream server, here or by `--upstream`";
        return Err(Failure::new(format!("upstream.url: is required: {expected}")));
    };
    let upstream = Upstream::new(config.base_url(), url, &settings);
    let upstream =
        upstream.ok_or_else(|| Failure::new("upstream.url: expected the address of a server"))?;
    let common = Common { buffered: Arc::clone(buffered), client_timeout: settings.timeout };
    let metadata = format!("{}/metadata", config.base_url().path());
    let origins = config.gateway().cors.clone();
    let policy = config.policy()?;
    let builder = config.layer(policy)?.cors(origins != CorsOrigins::None);
    let builder = before.into_iter().fold(builder, FhirAuthLayerBuilder::succeeding);
    let auth = match settings.confine {
        ConfinedBy::Gateway => {
            let (auth, confine) = builder.build_confined(confine(&settings, made)?)?.into_parts();
            let app = around(auth.layer(NoteCaller(confine.layer(upstream))), common, metadata);
            return Ok((meter::around(cors::around(app, &origins)), auth));
        }
        // The upstream server is told what was granted, and nothing of step-up.
        ConfinedBy::Upstream => {
            let builder = builder.handlers_enforce(Enforcement::ALL);
            builder.step_up_by_address_alone(true).build()?
        }
        ConfinedBy::Nobody => builder.step_up_by_address_alone(true).build()?,
        _ => return Err(Failure::new("upstream.confine: is not supported yet")),
    };
    // What it says about itself is written anew, whoever confines.
    let upstream = MetadataLayer::new(&auth, confine(&settings, made)?).layer(upstream);
    let app = around(auth.layer(NoteCaller(upstream)), common, metadata);
    Ok((meter::around(cors::around(app, &origins)), auth))
}

/// The state that all requests of a configuration share.
struct Common {
    buffered: Arc<BufferPool>,
    /// The longest time between two parts of a request's body.
    client_timeout: Duration,
}

fn around<S, R>(service: S, Common { buffered, client_timeout }: Common, metadata: String) -> App
where
    S: Service<
            Request<ClientBody<Incoming>>,
            Response = Response<R>,
            Error = GatewayError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    App::from_fn(move |request| {
        let lease = BufferLease::of_a_request(&buffered);
        let is_open = request.uri().path() == metadata;
        let answer = answer(service.clone(), (lease, client_timeout), request);
        Box::pin(async move {
            let mut response = answer.await;
            if is_open {
                // Whoever looks for a server reads what it is, from any origin.
                let all = HeaderValue::from_static("*");
                response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, all);
            }
            response
        })
    })
}

async fn answer<S, R>(
    mut service: S,
    (lease, client_timeout): (BufferLease, Duration),
    request: Request<Incoming>,
) -> Response<AppBody>
where
    S: Service<Request<ClientBody<Incoming>>, Response = Response<R>, Error = GatewayError>,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    parts.extensions.insert(lease.clone());
    let ready = std::future::poll_fn(|context| service.poll_ready(context)).await;
    let answer = match ready {
        Ok(()) => {
            let body = ClientBody::new(body, lease.clone(), client_timeout);
            service.call(Request::from_parts(parts, body)).await
        }
        Err(unanswered) => Err(unanswered),
    };
    // What has not been read by now, the client reads.
    lease.stop_holding();
    match (answer, lease.failure()) {
        (Ok(response), None) => {
            response.map(|body| LeasedBody::new(body.map_err(Into::into), lease).boxed_unsync())
        }
        (_, Some(unanswered)) | (Err(unanswered), None) => unanswered.respond(asked).map(whole),
    }
}

/// The settings of the layer that confines. What the upstream server writes is rewritten before it is judged, so that
/// its addresses are those that clients know.
fn confine(upstream: &UpstreamConfig, made: &SealKey) -> Result<ConfineSettings, Failure> {
    let keys: Result<Vec<SealKey>, _> = upstream.seal_keys().map(SealKey::new).collect();
    let mut keys =
        keys.map_err(|error| Failure::new(format!("upstream.seal_key_file: expected {error}")))?;
    if keys.is_empty() {
        tracing::warn!(
            "without `seal_key_file` a key is made at start: page links serve until this process ends, \
             and at no other"
        );
        keys.push(made.clone());
    }
    let mut settings = ConfineSettings::default().max_body(upstream.max_body);
    if let Some(url) = &upstream.url {
        settings = settings.upstream_base(url.as_str());
    }
    let settings = match upstream.versions {
        UpstreamVersions::Checked => settings.versions_checked(),
        UpstreamVersions::Metadata | _ => settings,
    };
    Ok(settings.page_lifetime(upstream.pages).seal_keys(keys))
}
