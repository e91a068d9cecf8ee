//! Another configuration for a layer that serves.

use std::fmt::Display;
use std::sync::Arc;

#[cfg(feature = "confine")]
use super::active_gate::ActiveGate;
use super::builder::FhirAuthLayerBuilder;
use super::gate::Gate;
use super::layer::FhirAuthLayer;
#[cfg(feature = "confine")]
use super::layer_parts::InnerSettings;
use crate::display_safe::sanitize;
use crate::error::BuildError;
use crate::keys::SharedKeys;
use crate::telemetry::log;

impl FhirAuthLayer {
    /// Puts another configuration, as a whole, in the place of the present one: for this layer, its clones and
    /// all services that they have made. It is built beside the present one, and put in force at once.
    /// Requests that were let in or wait for a key go on by the configuration that they met.
    ///
    /// What the new configuration leaves as it is goes on: the keys of an issuer that are loaded in the same
    /// way, answers of introspection, the memory of proofs of DPoP, the clock. No token counts as verified: one
    /// that the new configuration does not accept is refused at once.
    ///
    /// ```
    /// use tower_fhir_auth::jose::JwkSet;
    /// use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder, TrustedIssuer, authenticated};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
    /// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
    /// let settings = |issuer: &str| -> FhirAuthLayerBuilder {
    ///     FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///         .issuer(TrustedIssuer::with_keys(issuer, keys.clone()))
    ///         .authorizer(authenticated())
    /// };
    /// let layer = settings("https://idp.example.org").build()?;
    /// layer.replace(settings("https://new.example.org"))?;
    /// assert_eq!(layer.health()[0].issuer, "https://new.example.org");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The first setting that cannot work. The present configuration stays, and the mistake is the
    /// [fault](Self::configuration_fault) of the layer until another configuration is put in force.
    pub fn replace(&self, settings: FhirAuthLayerBuilder) -> Result<(), BuildError> {
        let turn = self.active_gate.turn();
        let before = self.active_gate.keep();
        match settings.within(&before).gate(self.active_gate.layer(), Some(&before)) {
            Ok(gate) => {
                turn.replace(gate);
                log::info!("another configuration is in use");
                Ok(())
            }
            Err(error) => {
                self.reject_configuration(&error);
                Err(error)
            }
        }
    }

    /// Takes note of a configuration that was to be put in force and cannot be used, for what is found before
    /// there is a builder: a file that cannot be read. It is the [fault](Self::configuration_fault) of the layer
    /// until another configuration is put in force.
    pub fn reject_configuration(&self, fault: &impl Display) {
        let fault = fault.to_string();
        let message = sanitize(&fault);
        log::error!(
            fault = &*message,
            "the new configuration cannot be used: the old one stays in use"
        );
        let _ = message;
        self.active_gate.refused(fault.into());
    }

    /// Returns what is wrong with the last configuration that was to be put in force, if it was refused: the one
    /// before serves. [`readiness`](Self::readiness) tells it as well.
    #[must_use]
    pub fn configuration_fault(&self) -> Option<Arc<str>> {
        self.active_gate.fault()
    }
}

impl FhirAuthLayerBuilder {
    /// Sets the settings of an inner confining layer.
    #[cfg(feature = "confine")]
    pub(crate) fn with_inner_settings(mut self, inner_settings: InnerSettings) -> Self {
        self.inner_settings = Some(inner_settings);
        self
    }

    /// Returns the present configuration of the layer whose place the new one is to take.
    #[cfg(feature = "confine")]
    pub(crate) fn predecessor(&self) -> Option<Arc<Gate>> {
        self.predecessor.as_ref().map(ActiveGate::keep)
    }

    /// Keeps the layer within that confines, where there is one: nothing else enforces what this one grants.
    #[cfg(not(feature = "confine"))]
    fn within(self, _: &Gate) -> Self {
        self
    }

    /// Keeps the layer within that confines, where there is one: nothing else enforces what this one grants.
    #[cfg(feature = "confine")]
    fn within(mut self, before: &Gate) -> Self {
        if let (None, Some(inner_settings)) =
            (&self.inner_settings, &before.layer_parts.inner_settings)
        {
            self.inner_settings = Some(inner_settings.clone());
            self.handlers.enforcement = before.policy.handlers.enforcement;
        }
        self
    }

    /// Loads the keys of issuers together with other layers, see [`SharedKeys`]. Default: keys of its own.
    pub fn shared_keys(mut self, shared: &SharedKeys) -> Self {
        self.authenticator = self.authenticator.shared_keys(shared);
        self
    }

    /// Shares keys with other layers, unless it was said with which.
    pub(super) fn sharing(mut self, shared: &SharedKeys) -> Self {
        self.authenticator = self.authenticator.sharing(shared);
        self
    }

    /// Makes the new layer the successor of one whose place it takes, together with the service behind it:
    /// it takes over all that [`FhirAuthLayer::replace`] does. Where the service stays, replace is simpler.
    ///
    /// ```
    /// use tower_fhir_auth::{BuildError, FhirAuthLayer, FhirAuthLayerBuilder};
    ///
    /// fn next(
    ///     serving: &FhirAuthLayer,
    ///     settings: FhirAuthLayerBuilder,
    /// ) -> Result<FhirAuthLayer, BuildError> {
    ///     settings.succeeding(serving).build()
    /// }
    /// ```
    pub fn succeeding(mut self, layer: &FhirAuthLayer) -> Self {
        self.predecessor = Some(layer.active_gate.clone());
        self
    }
}
