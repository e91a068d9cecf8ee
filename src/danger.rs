//! Switches that weaken validation, kept apart so that a review sees them.
//!
//! None of them is a feature, so no dependency can turn one on.

pub use crate::secure_url::{PlainHttp, PlainHttpError};

use crate::keys::KeySettings;

/// Accepts RSA keys with the public exponent 3, which some old hardware makes. A small exponent
/// has turned mistakes in padding checks into forged signatures before; without this such keys are
/// left out.
///
/// ```
/// use tower_fhir_auth::{TrustedIssuer, danger, keys::KeySettings};
///
/// let issuer = TrustedIssuer::discover("https://idp.example.org")
///     .key_settings(danger::accept_rsa_exponent_3(KeySettings::default()));
/// ```
pub fn accept_rsa_exponent_3(mut settings: KeySettings) -> KeySettings {
    settings.policy.rsa_exponent_3 = true;
    settings
}
