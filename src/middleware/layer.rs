//! The layer and its builder.

use std::fmt::Debug;
use std::ops::Deref;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, Uri};
use tower_layer::Layer;

use super::active_gate::ActiveGate;
use super::inner::InnerService;
use super::layer_parts::LayerParts;
use super::require::RequireAuthLayer;
use super::service::FhirAuth;
use crate::authentication::Authenticator;
use crate::authorization::{Authorizer, Denial};
use crate::explanation::Explanation;
use crate::keys::KeyHealth;
use crate::rejection::Rejection;

/// Guards any `Service<http::Request<B>>`: verifies the access token, asks the authorizer, and
/// hands [`Principal`](crate::Principal) and [`Access`](crate::Access) to the inner service, or
/// refuses the request with a reason.
///
/// Clones share one configuration, which can be [replaced](Self::replace) while they serve, and one set of
/// keys. When the last clone of the layer and of its services is dropped,
/// the refresh of the keys ends.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",
/// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
///     .authorizer(authenticated())
///     .build()?;
///
/// let app = tower::ServiceBuilder::new()
///     .layer(layer)
///     .service_fn(|_: http::Request<String>| async {
///         Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
///     });
///
/// let request = http::Request::get("/r4/Patient/1").body(String::new())?;
/// let response = tower::ServiceExt::oneshot(app, request).await?;
/// assert_eq!(response.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirAuthLayer {
    pub(super) active_gate: ActiveGate,
}

impl FhirAuthLayer {
    /// Resolves when every issuer has keys, of the configuration that is in force by then. There is no need to wait
    /// for it: a token that comes earlier waits for the first load, no longer than
    /// [`KeySettings::timeout`](crate::keys::KeySettings::timeout), and gets 503 where that has brought none. While a
    /// provider is down this does not resolve.
    pub async fn ready(&self) {
        self.active_gate.ready().await;
    }

    /// Returns the state of each issuer's keys, for readiness checks.
    #[must_use]
    pub fn health(&self) -> Vec<KeyHealth> {
        self.active_gate.current().authenticator.health()
    }

    /// Returns the part of the layer that verifies tokens, as it is configured now.
    #[must_use]
    pub fn authenticator(&self) -> impl Deref<Target = Authenticator> + Clone + Debug + use<> {
        self.active_gate.authenticator()
    }

    /// Returns the URL by which clients address the API, as it is configured now.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.active_gate.current().layer_parts.server.base_url.as_str().to_owned()
    }

    /// Decides a request as the layer does, by the same code, and keeps every check: those of the
    /// token, which interaction it is, and whether that is granted. Where the layer asks for no
    /// token, nothing is checked: [`Explanation::is_public`].
    pub async fn explain(&self, request: &Parts) -> Explanation {
        self.active_gate.keep().explain(request).await
    }

    /// Makes a further layer, for single routes inside this one: it asks `authorizer` about the
    /// [`Principal`](crate::Principal) that this layer has verified. It narrows what the layer has granted. Where the
    /// layer has a FHIR policy, which grants no other addresses, the path of such a route has to be
    /// [`optional`](crate::FhirAuthLayerBuilder::optional): see [authorizers](crate::manual::authorizers).
    pub fn require(&self, authorizer: impl Authorizer) -> RequireAuthLayer {
        RequireAuthLayer::new(self.active_gate.clone(), authorizer)
    }

    #[cfg(feature = "confine")]
    pub(crate) fn active_gate(&self) -> &ActiveGate {
        &self.active_gate
    }

    /// Answers a request for one of the well-known documents, else `None`: for a service that
    /// answers where this layer is not in front. The layer itself answers them already.
    ///
    /// ```
    /// use http::{Method, Uri};
    /// use tower_fhir_auth::jose::JwkSet;
    /// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
    /// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
    /// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
    ///     .authorizer(authenticated())
    ///     .build()?;
    /// let uri = Uri::from_static("/.well-known/oauth-protected-resource/r4");
    /// assert!(layer.well_known(&Method::GET, &uri).is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn well_known(&self, method: &Method, uri: &Uri) -> Option<Response<Bytes>> {
        let LayerParts { well_known, advertised, .. } = &*self.active_gate.current().layer_parts;
        well_known.answer(method, uri, advertised)
    }

    /// Returns the `security` of `CapabilityStatement.rest`, to be merged into the statement of
    /// your server: SMART on FHIR, with the endpoints that are known.
    ///
    /// ```
    /// use serde_json::{Value, json};
    /// use tower_fhir_auth::FhirAuthLayer;
    ///
    /// fn metadata(auth: &FhirAuthLayer) -> Value {
    ///     json!({
    ///         "resourceType": "CapabilityStatement",
    ///         "rest": [{"mode": "server", "security": auth.capability_security()}]
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn capability_security(&self) -> serde_json::Value {
        self.active_gate.current().layer_parts.capability_security()
    }

    /// Makes a rejection of a handler's denial, as this layer would have refused it: for what
    /// [`Access`](crate::Access) denies, such as an entry of a bundle. Where it becomes the response
    /// to a request, [`Rejection::of_request`] names the scheme for its challenge.
    #[must_use]
    pub fn rejection(&self, denial: &Denial) -> Rejection {
        Rejection::of_authorization(denial, &self.active_gate.current().layer_parts.server)
    }

    /// Returns the response to a handler's denial. It is logged and counted like the layer's own.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Response, request::Parts};
    /// use tower_fhir_auth::{Denial, FhirAuthLayer};
    ///
    /// /// In a layer within, which has looked something up.
    /// fn off_duty(auth: &FhirAuthLayer, request: &Parts) -> Response<Bytes> {
    ///     auth.reject(&Denial::new("the caller is not on duty"), request)
    /// }
    /// ```
    #[must_use]
    pub fn reject(&self, denial: &Denial, request: &Parts) -> Response<Bytes> {
        let rejection = self.rejection(denial).of_request(request);
        // Without `Connection: close`: a handler may have read the body, and the connection can go on.
        self.active_gate.current().layer_parts.respond(rejection, request)
    }
}

impl<S: InnerService> Layer<S> for FhirAuthLayer {
    type Service = FhirAuth<S>;

    fn layer(&self, inner: S) -> FhirAuth<S> {
        FhirAuth::new(inner, self.active_gate.clone())
    }
}
