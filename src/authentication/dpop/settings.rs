//! The settings for proofs.

use std::time::Duration;

use crate::error::BuildError;
use crate::seal::SealKey;

/// The settings for proofs of possession (DPoP, RFC 9449).
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::authentication::Dpop;
///
/// let proofs = Dpop::new().max_age(Duration::from_secs(30)).nonce(true);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Dpop {
    pub(in crate::authentication) nonce: bool,
    pub(in crate::authentication) max_age: Duration,
    pub(in crate::authentication) keys: Vec<SealKey>,
}

impl Dpop {
    /// Starts with the defaults.
    pub fn new() -> Self {
        Self { nonce: false, max_age: Duration::from_secs(60), keys: Vec::new() }
    }

    /// Sets whether proofs must carry a nonce of this server (RFC 9449 section 9). Default: no.
    pub fn nonce(mut self, required: bool) -> Self {
        self.nonce = required;
        self
    }

    /// Sets the largest age of a proof by its `iat`; the leeway of the token's issuer counts beside
    /// it, for a clock that is ahead, too. Default: 60 s. At most 1 h: as long is each remembered.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets the keys that seal nonces: the first one seals, and all of them open. All instances of
    /// a server need the same ones. Default: a random one, with which a nonce serves at one instance
    /// alone, until it ends.
    pub fn seal_keys(mut self, keys: impl IntoIterator<Item = SealKey>) -> Self {
        self.keys = keys.into_iter().collect();
        self
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let is_sane = (1..=3600).contains(&self.max_age.as_secs());
        let (setting, expected) = ("dpop.max_age", "from 1 s to 1 h");
        if is_sane { Ok(()) } else { Err(BuildError::Setting { setting, expected }) }
    }
}

impl Default for Dpop {
    fn default() -> Self {
        Self::new()
    }
}
