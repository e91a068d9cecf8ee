//! Immediate replacement of an issuer's keys.

use crate::jose::JwkSet;
use crate::middleware::FhirAuthLayer;

/// Puts other keys of an issuer into use as if they had just been loaded. Returns whether the layer
/// trusts an issuer of this name.
///
/// ```
/// use tower_fhir_auth::test_util::replace_keys;
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
///     .authorizer(authenticated())
///     .build()?;
/// assert!(replace_keys(&layer, "https://idp.example.org", JwkSet::parse(br#"{"keys": []}"#)?));
/// assert_eq!(layer.health()[0].keys, 0);
/// # Ok(()) }
/// ```
#[must_use = "nothing is replaced where no such issuer is trusted"]
pub fn replace_keys(layer: &FhirAuthLayer, issuer: &str, keys: JwkSet) -> bool {
    layer.authenticator().replace_keys(issuer, keys)
}
