//! The amount that refusals tell.

#[cfg(doc)]
use crate::explanation::Check;

/// The amount that a refusal reveals.
///
/// ```
/// use tower_fhir_auth::rejection::Disclosure;
/// use tower_fhir_auth::{FhirAuthLayer, ScopePolicy};
///
/// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .authorizer(ScopePolicy::new())
///     .disclosure(Disclosure::Minimal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disclosure {
    /// Nothing but that the token is refused.
    Minimal,
    /// The check that failed; for issuer, audience, times, algorithm, type, key id and scopes also
    /// what the token has and what this server accepts.
    #[default]
    Reason,
    /// For development: as [`Reason`](Self::Reason), with the name of the [`Check`].
    Full,
}
