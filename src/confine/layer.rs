//! The layer that holds answers to what was granted.

use std::sync::Arc;

use tower_layer::Layer;

use super::capability::Capabilities;
use super::service::Confine;
use super::settings::ConfineSettings;
use crate::authorization::Enforcement;
use crate::error::BuildError;
use crate::middleware::InnerService;
use crate::middleware::{FhirAuth, FhirAuthLayer, FhirAuthLayerBuilder, Gate};
use crate::seal::SealKey;

/// A [`FhirAuthLayer`] with a [`ConfineLayer`] inside: any service that speaks FHIR JSON is safe behind it,
/// also one that enforces nothing. Made by [`FhirAuthLayerBuilder::build_confined`].
///
/// ```
/// use tower::{ServiceBuilder, service_fn};
/// use tower_fhir_auth::authorization::ScopePolicy;
/// use tower_fhir_auth::confine::ConfineSettings;
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
/// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// # type Inner = http::Request<tower_fhir_auth::confine::RequestBody<http_body_util::Full<bytes::Bytes>>>;
/// # let fhir_server = service_fn(|_: Inner| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
/// # });
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
///     .authorizer(ScopePolicy::new())
///     .build_confined(ConfineSettings::default())?;
/// let service = ServiceBuilder::new().layer(layer).service(fhir_server);
/// # let _ = tower::Service::<http::Request<http_body_util::Full<bytes::Bytes>>>::call(&mut service.clone(), http::Request::default());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfinedLayer {
    auth: FhirAuthLayer,
    confine: ConfineLayer,
}

impl ConfinedLayer {
    /// Returns the outer layer, to wait for keys or to explain.
    pub fn auth(&self) -> &FhirAuthLayer {
        &self.auth
    }

    /// Takes the two layers apart, for other layers in between.
    pub fn into_parts(self) -> (FhirAuthLayer, ConfineLayer) {
        (self.auth, self.confine)
    }
}

impl<S: InnerService> Layer<S> for ConfinedLayer {
    type Service = FhirAuth<Confine<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        self.auth.layer(self.confine.layer(inner))
    }
}

/// Holds the answers of a service to what an outer [`FhirAuthLayer`] has granted. A request that this very
/// layer has not let in is refused with 500.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfineLayer {
    gate: Arc<Gate>,
    settings: Arc<ConfineSettings>,
    capabilities: Arc<Capabilities>,
}

impl<S: InnerService> Layer<S> for ConfineLayer {
    type Service = Confine<S>;

    fn layer(&self, inner: S) -> Confine<S> {
        let (gate, settings) = (Arc::clone(&self.gate), Arc::clone(&self.settings));
        Confine::new(inner, gate, settings, Arc::clone(&self.capabilities))
    }
}

impl FhirAuthLayerBuilder {
    /// Builds the layer together with one that enforces what the layer cannot see, for a server that enforces
    /// nothing. What handlers were [declared](Self::handlers_enforce) to enforce does not count.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and when the system has no random numbers for a key.
    pub fn build_confined(self, settings: ConfineSettings) -> Result<ConfinedLayer, BuildError> {
        let mut settings = settings;
        if settings.keys.is_empty() {
            settings.keys.push(SealKey::random().map_err(|_| BuildError::NoRandomNumbers)?);
        }
        let enforced = Enforcement::SEARCH_BODIES
            | Enforcement::BUNDLE_ENTRIES
            | Enforcement::COMPARTMENTS
            | Enforcement::CONSTRAINTS
            | Enforcement::INCLUDES
            | Enforcement::JOBS
            | Enforcement::EXPORT_TYPES
            | Enforcement::PAGES;
        let auth = self.handlers_enforce(enforced).build()?;
        let (gate, settings) = (auth.gate(), Arc::new(settings));
        let confine = ConfineLayer { gate, settings, capabilities: Arc::default() };
        Ok(ConfinedLayer { auth, confine })
    }
}
