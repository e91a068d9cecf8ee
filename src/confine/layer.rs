//! The layer that holds answers to what was granted.

use std::sync::Arc;

use tower_layer::Layer;

use super::confined::Confined;
use super::service::Confine;
use super::settings::ConfineSettings;
use crate::authorization::Enforcement;
use crate::error::BuildError;
use crate::middleware::InnerService;
use crate::middleware::{ActiveGate, FhirAuth, FhirAuthLayer, FhirAuthLayerBuilder, InnerSettings};

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

    /// Puts another configuration in the place of the present one, of both layers at once, as
    /// [`FhirAuthLayer::replace`] does. That of [`auth`](Self::auth) alone leaves the settings of this one as
    /// they are.
    ///
    /// # Errors
    ///
    /// As [`FhirAuthLayer::replace`], and when the system has no random numbers for a key.
    pub fn replace(
        &self,
        settings: FhirAuthLayerBuilder,
        confine: ConfineSettings,
    ) -> Result<(), BuildError> {
        let before = self.auth.active_gate().keep();
        let confined = Confined::new(confine, Confined::of(&before.layer_parts))
            .inspect_err(|error| self.auth.reject_configuration(error))?;
        self.auth.replace(settings.confined(confined))
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
///
/// ```
/// use axum::Router;
/// use tower_fhir_auth::confine::ConfineSettings;
/// use tower_fhir_auth::{FhirAuthLayer, ScopePolicy, TrustedIssuer};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(TrustedIssuer::discover("https://idp.example.org"))
///     .authorizer(ScopePolicy::new())
///     .build_confined(ConfineSettings::default())?;
/// // Each for itself, with a layer of your own between them.
/// let (auth, confine) = layer.into_parts();
/// # let _ = (auth, confine);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfineLayer {
    active_gate: ActiveGate,
}

impl<S: InnerService> Layer<S> for ConfineLayer {
    type Service = Confine<S>;

    fn layer(&self, inner: S) -> Confine<S> {
        Confine::new(inner, self.active_gate.clone())
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
        let before = self.predecessor();
        let before = before.as_deref().and_then(|before| Confined::of(&before.layer_parts));
        let confined = Confined::new(settings, before)?;
        let auth = self.confined(confined).build()?;
        let confine = ConfineLayer { active_gate: auth.active_gate().clone() };
        Ok(ConfinedLayer { auth, confine })
    }

    fn confined(self, confined: Confined) -> Self {
        let enforced = Enforcement::SEARCH_BODIES
            | Enforcement::BUNDLE_ENTRIES
            | Enforcement::COMPARTMENTS
            | Enforcement::CONSTRAINTS
            | Enforcement::INCLUDES
            | Enforcement::JOBS
            | Enforcement::EXPORT_TYPES
            | Enforcement::PAGES;
        self.handlers_enforce(enforced).with_inner_settings(InnerSettings(Arc::new(confined)))
    }
}
