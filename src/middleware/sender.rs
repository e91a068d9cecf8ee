//! The settings of a layer for those who send tokens: what they prove, and how they have signed in.

use super::builder::FhirAuthLayerBuilder;
use crate::authentication::{Dpop, MutualTls};
use crate::authorization::StepUp;

impl FhirAuthLayerBuilder {
    /// Adds a requirement on how the user of a token was authenticated, see [`StepUp`]. All that are
    /// about an interaction have to be met. Default: none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_fhir_auth::FhirAuthLayer;
    /// use tower_fhir_auth::authorization::StepUp;
    ///
    /// let recent = StepUp::on(["*.d"])?.acr(["mfa"]).max_auth_age(Duration::from_secs(300));
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4").step_up(recent);
    /// # Ok::<(), tower_fhir_auth::BuildError>(())
    /// ```
    pub fn step_up(mut self, requirement: StepUp) -> Self {
        self.step_up.push(requirement);
        self
    }

    /// Says that the service within judges no step-up: a bundle, and a search with its parameters in a
    /// body, then need what any interaction would, for their address does not say what they do. For
    /// gateways whose upstream server is told what was granted. Default: `false`, for handlers ask
    /// [`Access`](crate::Access) about entries and bodies.
    pub fn step_up_by_address_alone(mut self, by_address_alone: bool) -> Self {
        self.step_up_by_address_alone = by_address_alone;
        self
    }

    /// Sets how proofs of DPoP are judged, see [`Dpop`]. Default: [`Dpop::new`].
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    /// use tower_fhir_auth::authentication::Dpop;
    ///
    /// let dpop = Dpop::new().nonce(true);
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4").dpop(dpop);
    /// ```
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.authenticator = self.authenticator.dpop(dpop);
        self
    }

    /// Sets where certificates of clients come from, beside the extensions of requests, see
    /// [`MutualTls`]; and makes the metadata say that tokens may be bound to one.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.authenticator = self.authenticator.mutual_tls(mutual_tls);
        self
    }
}
