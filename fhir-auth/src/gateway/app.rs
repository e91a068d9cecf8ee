//! The answerer of requests: the layer, and the server behind within it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tower_fhir_auth::config::{Config, ConfinedBy, UpstreamConfig, UpstreamVersions};
use tower_fhir_auth::confine::{ConfineSettings, SealKey};
use tower_fhir_auth::{Enforcement, FhirAuthLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::account::{Account, Buffered};
use super::unanswered::{Asked, Unanswered};
use super::upstream::Upstream;
use crate::failure::Failure;
use crate::server::{App, AppBody, BoxError, whole};

/// The gateway of a configuration, and its layer. `made` seals page links where the file names no keys.
pub(super) fn gateway(config: Config, made: &SealKey) -> Result<(App, FhirAuthLayer), Failure> {
    let settings = config.gateway().upstream.clone();
    let Some(url) = &settings.url else {
        let expected = "expected the FHIR base of the server behind, here or by `--upstream`";
        return Err(Failure::new(format!("upstream.url: is required: {expected}")));
    };
    let upstream = Upstream::new(config.base_url(), url, &settings);
    let upstream =
        upstream.ok_or_else(|| Failure::new("upstream.url: expected the address of a server"))?;
    let buffered = upstream.buffered();
    let policy = config.policy()?;
    let builder = config.layer(policy)?;
    let auth = match settings.confine {
        ConfinedBy::Gateway => {
            let layer = builder.build_confined(confine(&settings, made)?)?;
            let auth = layer.auth().clone();
            return Ok((around(layer.layer(upstream), buffered), auth));
        }
        // The server behind is told what was granted, and nothing of step-up.
        ConfinedBy::Upstream => {
            let builder = builder.handlers_enforce(Enforcement::ALL);
            builder.step_up_by_address_alone(true).build()?
        }
        ConfinedBy::Nobody => builder.step_up_by_address_alone(true).build()?,
        _ => return Err(Failure::new("upstream.confine: is not supported yet")),
    };
    Ok((around(auth.layer(upstream), buffered), auth))
}

fn around<S, R>(service: S, buffered: Arc<Buffered>) -> App
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Unanswered, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    App::from_fn(move |request| {
        let account = Account::of_a_request(&buffered);
        Box::pin(answer(service.clone(), account, request))
    })
}

async fn answer<S, R>(
    mut service: S,
    account: Account,
    request: Request<Incoming>,
) -> Response<AppBody>
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Unanswered>,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    parts.extensions.insert(account.clone());
    let ready = std::future::poll_fn(|context| service.poll_ready(context)).await;
    let answer = match ready {
        Ok(()) => service.call(Request::from_parts(parts, body)).await,
        Err(unanswered) => Err(unanswered),
    };
    // What has not been read by now, the client reads.
    account.streams();
    match (answer, account.trouble()) {
        (Ok(response), None) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
        (Err(unanswered), _) | (Ok(_), Some(unanswered)) => unanswered.respond(asked).map(whole),
    }
}

/// The settings of the layer that confines. What the server behind writes is rewritten before it is judged, so
/// that its addresses are those that clients know.
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
