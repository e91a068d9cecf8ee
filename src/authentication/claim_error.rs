//! The error of claims that are not what the application expects.

use std::fmt;

/// A claim is present, but does not have the requested type. Its value is not told.
///
/// ```
/// use tower_fhir_auth::Principal;
/// use tower_fhir_auth::authentication::ClaimError;
///
/// fn floor(caller: &Principal) -> Result<u8, ClaimError> {
///     Ok(caller.claim("floor")?.unwrap_or(0))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimError {
    /// The name of the claim; `None` where all were read at once.
    pub name: Option<String>,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "claim `{name}` is not of the expected type"),
            None => f.write_str("the claims are not of the expected type"),
        }
    }
}

impl std::error::Error for ClaimError {}
